"""Signing a manifest with a key that people have already: an SSH key (`ssh-keygen -Y`) or a minisign key.

It must never know what is signed. Sources: ssh-keygen(1), "-Y sign"; minisign(1).
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from etl.errors import FileError, UsageError

NAMESPACE = "coval-etl-manifest"
"""What an SSH signature is for: one made for anything else is not accepted."""
_SECONDS = 120
_SIGNER = "signer"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was looked at. `by`: the key's fingerprint or the program's words. `trusted`: whether the key is
    the one that was named; None: none was."""

    good: bool
    by: str
    trusted: bool | None


def sign_file(path: Path, key: Path) -> Path:
    """Sign a file with a private key; the signature's file, beside it. A passphrase is asked for at the terminal.

    Raises UsageError where the key or the program does not do.
    """
    if _is_minisign(key):
        made = path.with_name(f"{path.name}.minisig")
        _run(["minisign", "-S", "-s", str(key), "-m", str(path), "-x", str(made)], "minisign", key)
        return made
    made = path.with_name(f"{path.name}.sig")
    made.unlink(missing_ok=True)  # ssh-keygen would ask
    _run(["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(path)], "ssh-keygen", key)
    return made


def check_key(key: Path) -> None:
    """Raises UsageError for what is no file: before hours of work, not after."""
    if not key.is_file():
        raise UsageError(f"--sign {key}: there is no such key file.", "Name an SSH or minisign private key.")


def signature_of(path: Path, public_key: Path | None) -> Signature | None:
    """The signature beside a file, checked; None where there is none. `public_key`: whose it has to be.

    Raises UsageError where the program is missing, FileError where the public key cannot be read.
    """
    ssh, mini = path.with_name(f"{path.name}.sig"), path.with_name(f"{path.name}.minisig")
    if mini.exists():
        if public_key is None:
            return Signature(good=False, by="a minisign signature, which only its public key can check", trusted=None)
        done = _done(["minisign", "-V", "-p", str(public_key), "-m", str(path), "-x", str(mini)], None)
        return Signature(done.returncode == 0, _words(done), done.returncode == 0)
    if not ssh.exists():
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    done = _done(["ssh-keygen", "-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(ssh)], data)
    if done.returncode or public_key is None:
        return Signature(done.returncode == 0, _words(done), None)
    return Signature(good=True, by=_words(done), trusted=_is_by(public_key, ssh, data))


def _is_by(public_key: Path, signature: Path, data: bytes) -> bool:
    try:
        kind, blob, *_ = public_key.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        raise FileError(f"{public_key} is no SSH public key.", "It is the file that ends in .pub.") from None
    with tempfile.TemporaryDirectory(prefix="coval-etl-") as folder:
        signers = Path(folder) / "signers"
        signers.write_text(f'{_SIGNER} namespaces="{NAMESPACE}" {kind} {blob}\n', encoding="utf-8")
        known = ["-f", str(signers), "-I", _SIGNER, "-n", NAMESPACE, "-s", str(signature)]
        return _done(["ssh-keygen", "-Y", "verify", *known], data).returncode == 0


def _is_minisign(key: Path) -> bool:
    check_key(key)
    with key.open("rb") as stream:
        return stream.readline(200).startswith(b"untrusted comment:")


def _run(command: list[str], program: str, key: Path) -> None:
    done = _done(command, None)
    if done.returncode:
        raise UsageError(f"{program} did not sign with {key}: {_words(done)}.", "The export is complete, unsigned.")


def _done(command: list[str], given: bytes | None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, input=given, capture_output=True, check=False, timeout=_SECONDS)  # noqa: S603
    except FileNotFoundError:
        raise UsageError(f"{command[0]} is not installed, and signatures are its work.", "Install it.") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{command[0]} did not end within {_SECONDS} seconds.") from None


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    said = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace").strip().splitlines()
    return said[0].strip().rstrip(".") if said else "no word"

"""Where requests go: flags, environment and profile name the API, or it is the embedded sandbox.

It must never send anything.
"""

import os
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from etl.api import Target, normalise_base_url
from etl.cli.options import TargetFlags
from etl.cli.profile import has_key_in_environment
from etl.cli.saying import warn
from etl.errors import UsageError
from etl.profiles import KeyFile, KeyVariable, Profile, is_open_to_others, read_key
from etl.resources import Contract

DEFAULT_BASE_URL = "https://api.coval.dev/v1"
RUN_SECONDS = 5.0
"""How long a run of the embedded sandbox takes."""


def state_folder() -> Path:
    """The user's folder for ledgers and the embedded sandbox's data, private to the user."""
    folder = Path(platformdirs.user_state_dir("coval-etl", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"The state folder {folder} cannot be made: {error.strerror}.", "Set XDG_STATE_HOME."
        ) from None
    return folder


def ledger_at(ledger: str | None) -> str | Path:
    """Where the ledger is: `--ledger`, COVAL_ETL_LEDGER, or a file in the state folder."""
    return state_folder() / "ledger.db" if ledger is None else ledger


@dataclass(frozen=True, slots=True)
class Told:
    """A setting, and who said it: a flag, a variable, a profile."""

    value: str = field(repr=False)
    by: str


def base_url_of(flags: TargetFlags) -> Told:
    """Where requests go: the flag, the environment, the profile, the default, in this order. Raises UsageError."""
    profile = flags.profile
    if flags.base_url:
        return Told(normalise_base_url(flags.base_url), "--base-url")
    if from_environment := os.environ.get("COVAL_BASE_URL"):
        return Told(normalise_base_url(from_environment), "COVAL_BASE_URL")
    if profile is None or profile.base_url is None:
        return Told(DEFAULT_BASE_URL, "default")
    try:
        return Told(normalise_base_url(profile.base_url), f"profile {profile.name}")
    except UsageError as error:
        raise UsageError(f"{profile.places['base_url']}: {error.message}", error.hint) from None


async def key_of(flags: TargetFlags) -> Told:
    """The key: the flags, the environment, the profile, in this order. Raises UsageError when there is none."""
    if flags.api_key and flags.api_key_file:
        raise UsageError("--api-key and --api-key-file exclude each other.")
    if flags.api_key:
        return Told(_clean(flags.api_key, "--api-key"), "--api-key")
    if flags.api_key_file:
        return Told(_clean(_text_of(flags.api_key_file), "--api-key-file"), "--api-key-file")
    if has_key_in_environment():
        return Told(_clean(os.environ["COVAL_API_KEY"], "COVAL_API_KEY"), "COVAL_API_KEY")
    if flags.profile is not None and flags.profile.key is not None:
        by = f"profile {flags.profile.name}"
        return Told(_clean(await read_key(flags.profile.key, os.environ), by), by)
    raise UsageError("There is no API key.", _NO_KEY)


_NO_KEY = "Set COVAL_API_KEY, give --api-key-file, or write a profile; or rehearse with --sandbox, which needs none."


def doubtful(flags: TargetFlags) -> Iterator[str]:
    """What a person should know of where the settings come from: keys that others can read, profiles overruled."""
    profile, by_flag = flags.profile, bool(flags.api_key or flags.api_key_file)
    if flags.api_key_file and is_open_to_others(Path(flags.api_key_file)):
        yield _OPEN.format(file=flags.api_key_file)
    if profile is None:
        return
    match profile.key:
        case None | KeyVariable(name="COVAL_API_KEY"):
            pass
        case _ if has_key_in_environment() and not by_flag:
            yield f"COVAL_API_KEY is set: it is used, not the key of the profile {profile.name}."
        case KeyFile(path=path, place=place) if not by_flag and is_open_to_others(path):
            yield f"{place}: {_OPEN.format(file=path)}"
    url = os.environ.get("COVAL_BASE_URL")
    if not flags.base_url and url and profile.base_url and url != profile.base_url:
        yield f"COVAL_BASE_URL is set: requests go there, not to the base_url of the profile {profile.name}."


def _text_of(key_file: str) -> str:
    try:
        return Path(key_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"The key file {key_file} cannot be read.") from None


_OPEN = "The key file {file} can be read by others on this machine; chmod 600 makes it yours."


def _clean(key: str, by: str) -> str:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise UsageError(
            f"The API key ({by}) is empty or holds characters that no key has.", "Check where it was copied from."
        )
    return key


@asynccontextmanager
async def opened_target(flags: TargetFlags, contract: Contract | None) -> AsyncIterator[tuple[Target, Contract | None]]:
    """The target and its contract, if that is known (None: to be found out).

    With `--sandbox` a sandbox runs on loopback for as long as the context is open; its data stays in the state folder.
    """
    if not flags.use_sandbox:
        for sentence in doubtful(flags):
            warn(sentence)
        url, key = base_url_of(flags).value, (await key_of(flags)).value
        workspace, ca_bundle = workspace_of(flags), ca_bundle_of(flags)
        yield Target(url, key, workspace, flags.timeout_s, ca_bundle, proxy_for(url)), contract
        return
    if flags.base_url:
        raise UsageError("--sandbox and --base-url exclude each other.", "The embedded sandbox has its own address.")
    from etl.sandbox import running_sandbox

    contract = contract or Contract.V2025_10
    data = state_folder() / "sandbox.db"
    async with running_sandbox(db=data, contract=contract, key=None, run_seconds=RUN_SECONDS) as sandbox:
        yield Target(sandbox.base_url, sandbox.key, flags.workspace, flags.timeout_s), contract


async def target_of_profile(profile: Profile, timeout_s: float) -> Target:
    """A target by its profile alone: what the environment says of a key or of an address is for commands that have one
    target. Raises UsageError.
    """
    url = DEFAULT_BASE_URL
    if profile.base_url is not None:
        try:
            url = normalise_base_url(profile.base_url)
        except UsageError as error:
            raise UsageError(f"{profile.places['base_url']}: {error.message}", error.hint) from None
    if profile.key is None:
        raise UsageError(f"The profile {profile.name} does not say where its key is.")
    if isinstance(profile.key, KeyFile) and is_open_to_others(profile.key.path):
        warn(f"{profile.key.place}: {_OPEN.format(file=profile.key.path)}")
    key = _clean(await read_key(profile.key, os.environ), f"profile {profile.name}")
    timeout_s = profile.timeout_s or timeout_s
    return Target(url, key, profile.workspace, timeout_s, profile.ca_bundle, proxy_for(url))


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for this URL, if any; never for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in {"localhost", "127.0.0.1", "::1"} or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(proxy).scheme not in {"http", "https"}:
        raise UsageError(f"A {urlsplit(proxy).scheme}:// proxy is not supported.", "Name an http:// proxy, or none.")
    return proxy


def workspace_of(flags: TargetFlags) -> str | None:
    """A workspace id as the API has them: 1 to 26 characters (vendor's client 0.9.7). Raises UsageError."""
    from_profile = flags.profile.workspace if flags.profile else None
    workspace = from_profile if flags.workspace is None else flags.workspace
    if workspace is not None and not (workspace.isascii() and workspace.isprintable() and 0 < len(workspace) <= 26):
        raise UsageError("--workspace is no id: it has 1 to 26 plain characters.", "Copy it from Coval.")
    return workspace


def ca_bundle_of(flags: TargetFlags) -> str | None:
    """The certificates of a private authority, if any are named."""
    return flags.ca_bundle or (flags.profile.ca_bundle if flags.profile else None)

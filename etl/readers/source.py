"""Source: an input that can be read more than once and stays the same while it is read.

It must never know what the bytes mean: that is for `sniff` and the readers.
"""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rapidfuzz import fuzz, process

from etl.errors import FileError

HEAD_BYTES = 1 << 16
"""How much of a file is kept at hand to tell its format."""
_CHUNK_BYTES = 1 << 20
_NEAR = 70
"""From this likeness (0 to 100) on, a name is offered as "did you mean"."""


@dataclass(slots=True, weakref_slot=True)
class Source:
    """An open-able input. `file` is what the user typed, `label` what sentences call it."""

    file: str
    label: str
    path: Path
    size_bytes: int
    head: bytes
    """The first `HEAD_BYTES` bytes."""
    stamp: tuple[int, ...]
    """What the file system said of the file when it was first opened."""
    remove_spool: Callable[[], object] | None = None
    """Removes the private copy of an input that can be read only once."""
    _sha256: str | None = None

    @property
    def suffix(self) -> str:
        """`.csv`; empty for standard input."""
        return "" if self.file == "-" else Path(self.file).suffix.lower()

    @property
    def sha256(self) -> str:
        """Hexadecimal, of the bytes that `open` gives. Reads the file through when it is first asked for."""
        if self._sha256 is None:
            digest = hashlib.sha256()
            with self.open() as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    digest.update(chunk)
            self._sha256 = digest.hexdigest()
        return self._sha256

    def open(self) -> BinaryIO:
        """The bytes from the start. Raises FileError when the file is no longer the one that was found."""
        try:
            stream = self.path.open("rb")
        except OSError as error:
            raise _unreadable(self.label, error) from error
        if _stamp(os.fstat(stream.fileno())) != self.stamp:
            stream.close()
            raise FileError(
                f"{self.label} changed while it was being read.", "Start again when it is no longer written to."
            )
        return stream

    def close(self) -> None:
        """Remove the spooled copy, if there is one. May be called twice."""
        if self.remove_spool is not None:
            self.remove_spool()


def open_input(file: str) -> Source:
    """Find an input, and spool what can be read only once (`-`, pipes).

    Raises FileError: missing, a folder, not allowed, empty.
    """
    if file == "-":
        return _spooled(file, "standard input", sys.stdin.buffer)
    if file.lower().startswith(("http://", "https://", "s3://", "gs://")):
        raise FileError(f"{file} is an address, and only local files can be read.", "Download it, then give the file.")
    path = Path(file)
    try:
        mode = path.stat().st_mode
        if stat.S_ISFIFO(mode):
            with path.open("rb") as pipe:
                return _spooled(file, file, pipe)
    except FileNotFoundError as error:
        raise _missing(file, path) from error
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    if stat.S_ISDIR(mode):
        raise FileError(f"{file} is a folder.", "Name the file inside it.")
    if not stat.S_ISREG(mode):
        raise FileError(f"{file} is not a file.")
    return _found(file, file, path)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, or None."""
    found = process.extractOne(name, list(names), scorer=fuzz.ratio, processor=str.casefold, score_cutoff=_NEAR)
    return found[0] if found else None


def _found(file: str, label: str, path: Path) -> Source:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            stamp = _stamp(os.fstat(stream.fileno()))
    except OSError as error:
        raise _unreadable(label, error) from error
    if not head:
        raise FileError(f"{label} is empty.")
    return Source(file, label, path, stamp[0], head, stamp)


def _spooled(file: str, label: str, stream: BinaryIO) -> Source:
    """Copy a stream into a file that only this user can read and that goes when the source does."""
    with ExitStack() as undo:
        try:
            with tempfile.NamedTemporaryFile(prefix="coval-etl-", delete=False) as copy:
                path = Path(copy.name)
                undo.callback(path.unlink)
                shutil.copyfileobj(stream, copy)
        except OSError as error:
            raise FileError(f"{label} cannot be kept for reading: {error.strerror or error}.") from error
        source = _found(file, label, path)
        source.remove_spool = weakref.finalize(source, path.unlink, missing_ok=True)
        undo.pop_all()
    return source


def _stamp(facts: os.stat_result) -> tuple[int, ...]:
    return (facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_dev)


def _missing(file: str, path: Path) -> FileError:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return FileError(f"{file} does not exist, nor does the folder {path.parent}.")
    near = nearest(path.name, names)
    return FileError(f"{file} does not exist.", f"Did you mean {path.with_name(near)}?" if near else "")


def _unreadable(label: str, error: OSError | ValueError) -> FileError:
    if isinstance(error, PermissionError):
        return FileError(f"You are not allowed to read {label}.", f"Check its permissions: ls -l {label}")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FileError(f"{label} cannot be read: {reason}.")

"""Source: an input that can be read more than once and stays the same while it is read.

It must never know what the bytes mean: that is for `sniff` and the readers.
"""

import hashlib
import io
import os
import shutil
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rapidfuzz import fuzz, process

from etl.batch import ERROR_COLUMN, Decision
from etl.errors import FileError
from etl.readers.sources.spool import Spool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_BYTES = 1 << 16
"""How much of a file is kept at hand to tell its format."""
_CHUNK_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 17
_NEAR = 70
"""From this likeness (0 to 100) on, a name is offered as "did you mean"."""


class KeptCopy(NamedTuple):
    """A copy of what can be read only once, and what the input was called: `label` and `name` as in `Source`."""

    path: str
    label: str
    name: str


@dataclass(slots=True, kw_only=True)
class Source:
    """An open-able input.

    `file` is what the user typed, fit to be shown (no secret of an address in it); `label` what sentences call it;
    `name` the name whose ending hints at the format, empty where there is none; `size_bytes` that of the content.
    """

    file: str
    label: str
    name: str
    path: Path
    size_bytes: int
    head: bytes
    """The first `HEAD_BYTES` bytes."""
    stamp: tuple[int, ...]
    """What the file system said of the file when it was first opened."""
    decisions: tuple[Decision, ...] = ()
    """What was found out on the way to the content: an address that was followed, a compression."""
    spool: Spool | None = field(default=None, repr=False)
    """The private copy that is read, where there is one."""
    packed: "Source | None" = None
    """The file as it came, where this is what was packed in it."""
    _content_sha256: str | None = None

    @property
    def suffix(self) -> str:
        """`.csv`, in lower case; empty for an input without a name."""
        return PurePath(self.name).suffix.lower()

    @property
    def is_rejects(self) -> bool:
        """Whether an earlier import has written the file: then what was said of the file that it came from may be said
        again, also where it means nothing for this one.
        """
        return ERROR_COLUMN.encode() in self.head.replace(b"\0", b"")

    @property
    def sha256(self) -> str:
        """Hexadecimal, of the file as it came. Reads it through when it is first asked for."""
        return self.content_sha256 if self.packed is None else self.packed.sha256

    @property
    def content_sha256(self) -> str:
        """Hexadecimal, of the bytes that `open` gives. Reads them through when it is first asked for."""
        if self._content_sha256 is None:
            digest = hashlib.sha256()
            with self.open() as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    digest.update(chunk)
            self._content_sha256 = digest.hexdigest()
        return self._content_sha256

    def keep(self, path: Path) -> KeptCopy | None:
        """Copy what came to `path`, where it can be read only once; None where it lies in a file of the user's.

        Raises FileError where there is no room.
        """
        came = self.packed or self
        if came.spool is None:
            return None
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with came.open() as stream, os.fdopen(descriptor, "wb") as copy:
                shutil.copyfileobj(stream, copy, _CHUNK_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError as error:
            words = f"{self.label} cannot be kept until the import is done: {error.strerror or error}."
            raise FileError(words, "Save it to a file and import that.") from error
        return KeptCopy(str(path), came.label, came.name)

    def open(self) -> BinaryIO:
        """The bytes from the start.

        Raises FileError, also later at the end, when the file is no longer the one that was found.
        """
        try:
            stream = _Watched(self)
        except OSError as error:
            raise _unreadable(self.label, error) from error
        try:
            self._compare(os.fstat(stream.fileno()))
        except FileError:
            stream.close()
            raise
        return io.BufferedReader(stream, _BUFFER_BYTES)

    def refuse_change(self) -> None:
        """Raise FileError when the file is no longer the one that was found: for libraries that open `path`."""
        try:
            facts = self.path.stat()
        except OSError as error:
            raise _unreadable(self.label, error) from error
        self._compare(facts)

    def close(self) -> None:
        """Remove the private copies, if there are any. May be called twice."""
        for spool in (self.spool, self.packed.spool if self.packed else None):
            if spool is not None:
                spool.remove()

    def _compare(self, facts: os.stat_result) -> None:
        if _stamp(facts) != self.stamp:
            raise FileError(
                f"{self.label} changed while it was being read.", "Start again when it is no longer written to."
            )


class _Watched(io.FileIO):
    """A file whose end is believed only while it is the file that was found."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.path, "rb")
        self._source = source

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        try:
            count = super().readinto(buffer)
        except OSError as error:
            raise _unreadable(self._source.label, error) from error
        if not count:
            self._source._compare(os.fstat(self.fileno()))  # noqa: SLF001  # the other half of `Source.open`
        return count or 0

    def readall(self) -> bytes:
        content = super().readall()
        self._source._compare(os.fstat(self.fileno()))  # noqa: SLF001
        return content or b""


def read_standard_input() -> Source:
    """A copy of standard input. Raises FileError: empty, or no room for it."""
    return _copied("-", "standard input", "", sys.stdin.buffer)


def find_file(file: str) -> Source:
    """A file on this machine; pipes, and files that exist only while they are read, are copied.

    Raises FileError: missing, a folder, a device, not allowed, empty.
    """
    path = Path(file)
    shown = _as_text(file)
    try:
        facts = path.stat()
        if stat.S_ISFIFO(facts.st_mode) or (stat.S_ISREG(facts.st_mode) and _is_made_up(path, facts)):
            with path.open("rb") as stream:
                return _copied(shown, shown, path.name, stream)
    except FileNotFoundError as error:
        raise _missing(shown, path) from error
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error) from error
    if stat.S_ISDIR(facts.st_mode):
        raise FileError(f"{shown} is a folder.", "Name the file inside it.")
    if not stat.S_ISREG(facts.st_mode):
        raise FileError(f"{shown} is a device or a socket, not a file.", "Pipe its content in and name it as -.")
    return found(shown, shown, path.name, path)


def found(
    file: str, label: str, name: str, path: Path, *, spool: Spool | None = None, packed: Source | None = None
) -> Source:
    """The source that lies at a path; the words as in `Source`. Raises FileError: unreadable, empty."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            stamp = _stamp(os.fstat(stream.fileno()))
    except OSError as error:
        raise _unreadable(label, error) from error
    if not head:
        raise FileError(f"{label} is empty.", "Save or download it again, or name another file.")
    return Source(
        file=file,
        label=label,
        name=name,
        path=path,
        size_bytes=stamp[0],
        head=head,
        stamp=stamp,
        spool=spool,
        packed=packed,
    )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, or None."""
    found = process.extractOne(name, list(names), scorer=fuzz.ratio, processor=str.casefold, score_cutoff=_NEAR)
    return found[0] if found else None


def _is_made_up(path: Path, facts: os.stat_result) -> bool:
    """Whether a file that says it is empty gives bytes all the same, as those under /proc do."""
    if facts.st_size:
        return False
    with path.open("rb") as stream:
        return bool(stream.read(1))


def _copied(file: str, label: str, name: str, stream: BinaryIO) -> Source:
    with Spool(label) as spool:
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                spool.write(chunk)
        except OSError as error:
            raise _unreadable(label, error) from error
        return found(file, label, name, spool.seal().path, spool=spool)


def _stamp(facts: os.stat_result) -> tuple[int, ...]:
    return (facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_dev)


def _as_text(name: str) -> str:
    """A file name fit to be shown and stored: names are bytes, and some are no text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _missing(file: str, path: Path) -> FileError:
    if path.is_symlink():
        return FileError(f"{file} is a link to {_as_text(str(path.readlink()))}, which does not exist.")
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return FileError(f"{file} does not exist, nor does the folder {_as_text(str(path.parent))}.")
    near = nearest(path.name, names)
    return FileError(f"{file} does not exist.", f"Did you mean {_as_text(str(path.with_name(near)))}?" if near else "")


def _unreadable(label: str, error: OSError | ValueError) -> FileError:
    if isinstance(error, PermissionError):
        return FileError(f"You are not allowed to read {label}.", f"Check its permissions: ls -l {label}")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FileError(f"{label} cannot be read: {reason}.")

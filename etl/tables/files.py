"""Files that appear under their name whole or not at all, and that only their owner can read.

This file must never know what is written, nor which files belong together.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from etl.errors import EtlError, StoppedError, UsageError

_PARTIAL_SUFFIX = ".partial"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE})


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can enter (0700), and the folders above it.

    Raises UsageError where it cannot be made, StoppedError where there is no room.
    """
    with explain_failure(path, UsageError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)


class NewFile:
    """A file on its way: written under a passing name in the same folder, then moved to `path` by `commit`.

    A symbolic link or a folder at `path` is refused (UsageError), and `commit` replaces the name itself, never what a
    link points to. The file's mode is 0600. Raises UsageError where it cannot be made, StoppedError where there is no
    room.
    """

    def __init__(self, path: Path) -> None:
        if path.is_symlink() or path.is_dir():
            raise UsageError(f"{path} is in the way: it is not a plain file.", "Move it away, or choose another place.")
        with explain_failure(path, UsageError):
            descriptor, name = tempfile.mkstemp(_PARTIAL_SUFFIX, _partial_prefix(path.name), path.parent)
        self.path = path
        self._partial = Path(name)
        self._stream = os.fdopen(descriptor, "wb")

    @property
    def partial(self) -> Path:
        """Where it is until it is committed."""
        return self._partial

    def write(self, data: bytes) -> None:
        """Append bytes. Raises StoppedError where they cannot be stored."""
        with explain_failure(self.path):
            self._stream.write(data)

    def lines(self) -> Iterator[bytes]:
        """What was written so far, line by line."""
        with explain_failure(self.path):
            if not self._stream.closed:
                self._stream.flush()
            with self._partial.open("rb") as stream:
                yield from stream

    @contextlib.contextmanager
    def content(self) -> Iterator[BinaryIO]:
        """What was written so far, to be read from any place."""
        with explain_failure(self.path):
            if not self._stream.closed:
                self._stream.flush()
            with self._partial.open("rb") as stream:
                yield stream

    def seal(self) -> None:
        """The content is complete: put it on disk and let go of the file. Raises StoppedError."""
        if self._stream.closed:
            return
        with explain_failure(self.path), self._stream as stream:
            stream.flush()
            os.fsync(stream.fileno())

    def commit(self) -> None:
        """Make the complete file appear under its name, replacing an older one. Raises StoppedError."""
        self.seal()
        with explain_failure(self.path):
            self._partial.replace(self.path)
            _sync_folder(self.path.parent)

    def discard(self) -> None:
        """Take back a file that was not committed. Never raises: something else has already gone wrong."""
        with contextlib.suppress(OSError):
            self._stream.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)


def partial_names(name: str) -> str:
    """The glob pattern of the passing names of a file called `name` (a glob pattern itself: `*` for any file)."""
    return f"{_partial_prefix(name)}*{_PARTIAL_SUFFIX}"


@contextlib.contextmanager
def explain_failure(path: Path, otherwise: type[EtlError] = StoppedError) -> Iterator[None]:
    """Turn the system's refusal into one sentence that names `path`.

    Raises StoppedError where there is no room left (disk, quota, file handles), else `otherwise`.
    """
    try:
        yield
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror or error}."
        if error.errno in _NO_ROOM:
            raise StoppedError(reason, "Make room, then carry on.") from error
        raise otherwise(reason, "Choose a folder that you can write to.") from error


def _partial_prefix(name: str) -> str:
    return f".coval-etl-{name[:40]}-"


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on disk, where the system lets a folder be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

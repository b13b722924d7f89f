"""Spool: a private copy of an input that can be read only once, or not as it is.

It must never know what it keeps, and never leaves a copy behind: it goes when it is removed, when nobody holds it any
more, and at the latest when the interpreter ends.
"""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from etl.errors import FileError

ROOM_BYTES = 256 << 20
"""What a large copy leaves free on the disk, so that everything else on it can go on."""
_LOOK_BYTES = 64 << 20
"""How much is written between two looks at the free room; smaller copies are never refused for it."""


class Spool:
    """A file that only its user can read. `label` is what sentences call the input it holds.

    A context manager round its filling: it is removed when that fails. Raises FileError, as `write` does, where there
    is no room.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        try:
            self._descriptor, name = tempfile.mkstemp(prefix="coval-etl-")  # mode 0600
        except OSError as error:
            raise self._no_room(error) from error
        self.path = Path(name)
        self.size_bytes = 0
        self._look_at = _LOOK_BYTES
        self._removal = weakref.finalize(self, _remove, self.path, os.getpid())
        self._closing = weakref.finalize(self, os.close, self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.seal()
        else:
            self.remove()

    def write(self, content: bytes) -> None:
        """Add bytes at the end."""
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise self._no_room(error) from error
        self.size_bytes += len(content)
        if self.size_bytes >= self._look_at:
            self._look_at += _LOOK_BYTES
            self._leave_room()

    def seal(self) -> Self:
        """Nothing more is written. May be called twice."""
        self._closing()
        return self

    def remove(self) -> None:
        """Delete the file. May be called twice."""
        self.seal()
        self._removal()

    def _leave_room(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < ROOM_BYTES:
            raise FileError(
                f"{self._label} is too large to be kept in {self.path.parent}: after {self.size_bytes >> 20:,} MB, "
                f"only {free >> 20:,} MB are free there.",
                "Set TMPDIR to a folder on a larger disk.",
            )

    def _no_room(self, error: OSError) -> FileError:
        return FileError(
            f"{self._label} cannot be kept for reading: {error.strerror or error}.",
            "Free some space, or set TMPDIR to a folder on a larger disk.",
        )


def _remove(path: Path, owner: int) -> None:
    """Delete a copy, unless this is a forked child of the process that made it."""
    if os.getpid() == owner:
        path.unlink(missing_ok=True)

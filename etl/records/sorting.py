"""Lines in any order in, in order out, with memory that does not grow: sorted pieces on disk, then merged.

It must never know what a line says. Lines compare as bytes; a line is complete with its line end.
"""

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from etl.tables import explain_failure

_PIECE_BYTES = 8 << 20
_MOST_FILES = 128
"""So many pieces are merged at once; more are merged into one first."""


class SortedLines:
    """`add` lines, then iterate, any number of times. `folder` must exist; what is put there goes with it."""

    def __init__(self, folder: Path, piece_bytes: int = _PIECE_BYTES) -> None:
        self._folder = folder
        self._piece_bytes = piece_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._pieces: list[Path] = []
        self._last: bytes | None = None

    def add(self, line: bytes) -> None:
        """One more line. Raises StoppedError where there is no room."""
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        if self._waiting_bytes >= self._piece_bytes:
            self._settle()

    def __iter__(self) -> Iterator[bytes]:
        self._settle()
        with ExitStack() as stack:
            streams = [stack.enter_context(piece.open("rb", buffering=1 << 16)) for piece in self._pieces]
            yield from heapq.merge(*streams) if len(streams) != 1 else streams[0]

    def _settle(self) -> None:
        """Write down what waits: behind the last piece where the order goes on, else as a new one."""
        if not self._waiting:
            return
        self._waiting.sort()
        with explain_failure(self._folder):
            if self._last is not None and self._waiting[0] >= self._last:
                stream: BinaryIO
                with self._pieces[-1].open("ab") as stream:
                    stream.writelines(self._waiting)
            else:
                self._pieces.append(self._write(iter(self._waiting)))
        self._last = self._waiting[-1]
        self._waiting = []
        self._waiting_bytes = 0
        if len(self._pieces) >= _MOST_FILES:
            self._join()

    def _write(self, lines: Iterator[bytes]) -> Path:
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".sorted", delete=False) as stream:
            stream.writelines(lines)
        return Path(stream.name)

    def _join(self) -> None:
        with ExitStack() as stack:
            streams = [stack.enter_context(piece.open("rb")) for piece in self._pieces]
            joined = self._write(heapq.merge(*streams))
        for piece in self._pieces:
            piece.unlink()
        self._pieces, self._last = [joined], None

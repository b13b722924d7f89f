"""Rows kept on disk until it is known which format can hold all of them. It must never know what they are."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from etl.tables import explain_failure, json_text

Cells = list[str | None]


class Spool:
    """Rows of several tables in one nameless file, which is gone when the process is, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made in `folder` before the first row."""
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._size = 0
        self._parts: dict[int, list[tuple[int, int]]] = {}

    def append(self, table: int, rows: Iterable[Cells]) -> None:
        """Keep rows of a table. Raises StoppedError where there is no room."""
        block = f"{json_text(list(rows))}\n".encode()
        with explain_failure(self._folder):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - it lives as long as the spool
            self._file.write(block)
            self._file.flush()
        parts = self._parts.setdefault(table, [])
        end = self._size + len(block)
        if parts and parts[-1][1] == self._size:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((self._size, end))
        self._size = end

    def tables(self) -> list[int]:
        """The tables that have rows, in order."""
        return sorted(self._parts)

    def rows(self, table: int) -> Iterator[Cells]:
        """The rows of one table, in the order they came."""
        file = self._file
        if file is None:
            return
        for start, end in self._parts.get(table, ()):
            at = start
            while at < end:
                file.seek(at)
                block = file.readline()
                at += len(block)
                yield from json.loads(block)

    def close(self) -> None:
        """Let go of the file. Never raises: what was in it is written elsewhere or given up."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

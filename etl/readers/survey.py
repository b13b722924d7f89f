"""Survey: what a file turned out to be: its tables, and what was left out and why.

It must never know how any format is read.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from etl.batch import Table
from etl.readers.source import Source


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sheet that is not read, and why: hidden, empty, without a header, a chart."""

    sheet: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """A file ready to be read. A context manager: closing it removes the private copy of standard input.

    `sha256` (hexadecimal) and `size_bytes` are of the file as it came. The tables may be read more than once, until
    the survey is closed.
    """

    file: str
    format: str
    sha256: str
    size_bytes: int
    tables: tuple[Table, ...]
    skipped: tuple[Skipped, ...]
    source: Source | None = field(default=None, repr=False)

    def close(self) -> None:
        """Remove what was spooled."""
        if self.source is not None:
            self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""Survey: what a file turned out to be: its tables, and what was left out and why.

It must never know how any format is read.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from etl.batch import Decision, Table
from etl.readers.sources.source import Source


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sheet that is not read, and why: hidden, empty, without a header, a chart."""

    sheet: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """A file ready to be read. A context manager: closing it removes what was downloaded, unpacked or piped in.

    `file` is what the user typed, without what may be a secret in an address. `decisions` are those about the file as
    a whole (its format, how it is compressed); each table has its own. The tables may be read more than once, until
    the survey is closed.
    """

    file: str
    format: str
    decisions: tuple[Decision, ...]
    tables: tuple[Table, ...]
    skipped: tuple[Skipped, ...]
    source: Source = field(repr=False)
    content_size_bytes: int
    """The size of what was packed in it, as are the parts of a workbook; of the file where nothing was."""
    flags_of_mapping: frozenset[str] = frozenset()
    """What the mapping said and not the user, by the names of the flags. Decisions speak of flags in either case."""

    @property
    def sha256(self) -> str:
        """Hexadecimal, of the file as it came. The first call reads it through."""
        return self.source.sha256

    @property
    def content_sha256(self) -> str:
        """Hexadecimal, of what was packed in it; of the file where nothing was. The first call reads it through."""
        return self.source.content_sha256

    @property
    def size_bytes(self) -> int:
        """The size of the file as it came."""
        return (self.source.packed or self.source).size_bytes

    def close(self) -> None:
        """Remove what was spooled."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

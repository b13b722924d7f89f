"""Batch: a polars frame and where its rows came from; the one thing that flows.

Stages are functions `Batch -> Batch`. No stage ever drops a row: what is wrong with a row is a line in `problems`, and
the row rides along to the report. A batch must never know what its columns mean to the API.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import polars as pl

from etl import problems as problem

ROW = "_row"
"""The column (Int64, never null, rising) with the row number that a spreadsheet program shows."""

RAW = "_raw"
"""The record's own text (String), where a reader must keep it to give the row back exactly as it was read: record
formats always (the object as JSON text on one line), delimited text for ragged records only (a JSON array of the
cells)."""

ERROR_COLUMN = "_coval_etl_error"
"""The column that rejects carry and that a later import ignores."""

LIST_COLUMN = "_coval_etl_problems"
"""The name, in an annotated workbook, by which a later import knows our own sheet, and leaves it out."""

LINE_KEY = "_coval_etl_line"
"""Rejects in JSON Lines: where a line that is no JSON object is kept, as text that a later import reads as the line."""

GUARD_COLUMN = "_coval_etl_guarded"
"""The last column, always blank, of a CSV file whose cells are guarded against formulas (`etl.tables.guard`)."""

TYPES = "_types"
"""Record formats: a JSON object {key: type} of the keys whose value is no string: number, boolean, null, array,
object."""

RECORD = "_record"
"""Rows that make one record together: the row number of the first of them (Int64)."""

MEMBERS = "_rows"
"""Records made of several rows: the cells of each of them (a list of structs)."""

KIND = "resource"
"""The column in which rows say what they are, where `Origin.part` is one kind of them: no mapping sees it."""

OWN_COLUMNS = frozenset({ROW, RAW, TYPES, MEMBERS})
"""Columns of ours, that no mapping sees."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch came from.

    `file` as the user named it; `sheet` for workbooks; `format` one of `etl.formats.FORMATS`; `columns` the headers in
    file order; `positions` the 1-based column number of each header (empty where cells have no address, as in
    all record formats);
    `header_row` the row number of the header (None: no header row).
    """

    file: str
    sheet: str | None
    format: str
    columns: tuple[str, ...]
    positions: tuple[int, ...] = ()
    header_row: int | None = None
    dialect: dict[str, str] = field(default_factory=dict)
    """How a text file was read, to write rejects alike: `encoding`, `line_end`; for delimited text also `delimiter`,
    `quote` (empty: cells are never quoted), `escape` (empty: a quote is written twice)."""
    part: str | None = None
    """Which of its rows, where a file holds several kinds of them: the name of their resource."""

    @property
    def mapped_columns(self) -> tuple[str, ...]:
        """The columns that a mapping may use."""
        own = OWN_COLUMNS | {ERROR_COLUMN, GUARD_COLUMN} | ({KIND} if self.part is not None else set())
        return tuple(column for column in self.columns if column not in own)

    def cell(self, column: str | None, row: int) -> str | None:
        """The address of a cell, `Cases!D17` or `D17`; None where the column is unknown or has no address."""
        if column is None or column not in self.columns or not self.positions:
            return None
        letters = column_letters(self.positions[self.columns.index(column)])
        return f"{self.sheet}!{letters}{row}" if self.sheet else f"{letters}{row}"


@dataclass(frozen=True, slots=True)
class Batch:
    """A bounded number of rows on their way.

    `source` is the frame as read (`_row`, perhaps `_raw`, then String columns named as in the file; null = the cell or
    key is absent or empty). `frame` is the current form: equal to `source` until mapping, then `_row` and one column a
    field, named by its dotted path. Both have the same rows in the same order. `problems` has `etl.problems.SCHEMA`.

    Where records are made of several rows, a row of `source` and `frame` is a record under the number of its first row,
    and `members` are the rows as read, with `_record`; else it is None.
    """

    origin: Origin
    source: pl.DataFrame
    frame: pl.DataFrame
    problems: pl.DataFrame = field(default_factory=lambda: problem.NONE)
    members: pl.DataFrame | None = None

    def __len__(self) -> int:
        return self.frame.height

    @property
    def rows_read(self) -> int:
        """How many rows of the file these are."""
        return len(self) if self.members is None else self.members.height

    def weights(self) -> pl.Series:
        """How many rows of the file each row here stands for (UInt32), in order."""
        if self.members is None:
            return pl.repeat(1, len(self), dtype=pl.UInt32, eager=True)
        counts = self.members.group_by(RECORD).len("rows")
        return self.source.select(pl.col(ROW).alias(RECORD)).join(counts, RECORD, maintain_order="left")["rows"]

    def with_frame(self, frame: pl.DataFrame) -> "Batch":
        """The same rows in another form; refuses (ValueError) a frame that lost, added or moved a row."""
        if not frame[ROW].equals(self.source[ROW]):
            raise ValueError("a stage must keep every row, in order")
        return replace(self, frame=frame)

    def with_problems(self, *found: pl.DataFrame) -> "Batch":
        """The same rows with more problems."""
        return replace(self, problems=problem.joined([self.problems, *found]))

    def take(self, rows: Collection[int]) -> "Batch":
        """Only the rows with these numbers, with what is wrong with them. Nothing is shared with the whole batch."""
        wanted = pl.col(ROW).is_in(list(rows))
        members = None if self.members is None else self.members.filter(pl.col(RECORD).is_in(list(rows)))
        problems = self.problems.filter(pl.col("row").is_in(list(rows)))
        return Batch(self.origin, self.source.filter(wanted), self.frame.filter(wanted), problems, members)

    def good(self) -> pl.DataFrame:
        """The rows of `frame` without a problem of severity `error`."""
        bad = problem.rows_with_errors(self.problems)
        return self.frame.filter(~pl.col(ROW).is_in(bad.implode()))


class Certainty(StrEnum):
    """How sure a decision is. Where two readings are equally likely there is none: the file is refused."""

    TOLD = "told"
    """The user or the mapping said so."""
    CERTAIN = "certain"
    """The file says so itself, or no other reading is possible."""
    LIKELY = "likely"
    """The best reading of what was looked at; another is possible."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that was found out about a file, shown to the person who can correct it.

    `subject`: `format`, `compression`, `encoding`, `delimiter`, `quote`, `line ends`, `header row`, `records`, …;
    `value` as a person would say it (`UTF-8`, `semicolon`, `3`); `evidence` a clause that says why
    (`every byte is valid`, `said with --delimiter`).
    """

    subject: str
    value: str
    evidence: str
    certainty: Certainty


BESIDE = "not read"
"""The subject of the decision that names the keys of a document that stand beside its records, and that nobody reads.
"""


class Table(Protocol):
    """One table of a source (a CSV file, one sheet of a workbook): what it looks like, and its rows.

    What the mapping is chosen by (`origin.columns`, `sample`) is known before all rows are read.
    """

    @property
    def origin(self) -> Origin: ...

    @property
    def sample(self) -> pl.DataFrame:
        """The first rows (at most 200), as in `Batch.source`."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was found out about the table, in the order in which it was decided."""

    def batches(self) -> Iterator[Batch]:
        """All rows, in order, in batches of a bounded size. Raises FileError where the file cannot be read on."""


def column_letters(position: int) -> str:
    """`1 -> A`, `27 -> AA`: the letters of a 1-based column number."""
    letters = ""
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters

"""Assembly: records as read become batches of a bounded size. Shared by every reader.

It must never know the format of the file; what it checks (control characters) holds for all.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Batch, Origin
from etl.problems import Code, Problem, Severity
from etl.quoting import VALUE_LIMIT, shorten, show_value

BATCH_ROWS = 50_000
"""No batch holds more rows."""
BATCH_CHARACTERS = 32_000_000
"""A batch is closed when its cells hold about so many, so that huge cells do not add up."""
SAMPLE_ROWS = 200
"""How many rows a table shows before it is read."""

BLANKS = " \t\r\n\xa0"
"""A row whose cells hold nothing but these is no row."""
CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]"
"""Control characters other than tab, line feed and carriage return; those above DEL (C1) too, which nobody types: they
are Windows-1252 that was taken for Latin-1, or line breaks of mainframes."""
C1_BYTE = b"\xc2"
"""Each of C1 begins with it in UTF-8, and few other characters do."""
_NEXT_LINE = "\x85"
SPREADSHEET_ERRORS = frozenset(
    {"#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!", "#N/A", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
"""What a spreadsheet shows, and saves as CSV, where a formula has failed."""

Record = TypeVar("Record")


def in_batches(records: Iterable[Record], weigh: Callable[[Record], int]) -> Iterator[list[Record]]:
    """Lists of records, each at most `BATCH_ROWS` long and not much over `BATCH_CHARACTERS` heavy."""
    held: list[Record] = []
    weight = 0
    for record in records:
        held.append(record)
        weight += weigh(record)
        if len(held) >= BATCH_ROWS or weight >= BATCH_CHARACTERS:
            yield held
            held, weight = [], 0
    if held:
        yield held


Texts = Sequence[str | None] | pl.Series
"""The cells of a column, from the first row to the last."""


def assemble(
    origin: Origin,
    rows: Sequence[int] | pl.Series,
    own: Mapping[str, Texts],
    columns: Sequence[Texts],
    found: Iterable[Problem],
) -> Batch:
    """A batch from row numbers, our own columns (`_raw`, `_types`) and the file's, in the order of `origin.columns`."""
    frame = pl.DataFrame(
        [
            pl.Series(ROW, rows, dtype=pl.Int64),
            *(pl.Series(name, values, dtype=pl.String) for name, values in own.items()),
            *(pl.Series(name, values, dtype=pl.String) for name, values in zip(origin.columns, columns, strict=True)),
        ]
    )
    return assemble_frame(origin, frame, found)


def assemble_frame(origin: Origin, frame: pl.DataFrame, found: Iterable[Problem] = ()) -> Batch:
    """A batch from a frame as `Batch.source` describes it: `_row`, our own columns, those of `origin.columns`.

    What no reader lets pass is added to the problems `found`: control characters.
    """
    return Batch(origin, frame, frame, problem.joined([problem.frame_of(found), _control_characters(frame, origin)]))


def cell_problem(origin: Origin, row: int, column: str | None, code: Code, message: str, value: str | None) -> Problem:
    """An error in one cell, with its address; a value that may be a secret is not quoted."""
    shown = show_value(column, value)
    return Problem(row, Severity.ERROR, code, None, column, origin.cell(column, row), shown, message)


def spoken(column: str) -> str:
    """A column's name as a sentence about one of its cells begins with it: a header may be a whole questionnaire."""
    return shorten(column, VALUE_LIMIT)


def error_message(text: str) -> str:
    """What to say of a spreadsheet error, after the column's name."""
    return f"holds the spreadsheet error {text}; correct the formula or type the value"


def error_texts(frame: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    """A problem for each cell that is a spreadsheet error saved as text. Any spreadsheet program takes it for one."""
    found: list[Problem] = []
    for column, row, value in _cells_where(frame, origin.columns, lambda cell: cell.is_in(list(SPREADSHEET_ERRORS))):
        found.append(
            cell_problem(origin, row, column, Code.ERROR_CELL, f"{spoken(column)} {error_message(value)}", value)
        )
    return problem.frame_of(found)


def _control_characters(frame: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    found: list[Problem] = []
    for column, row, value in _cells_where(frame, origin.columns, _holds_control):
        at, sign = next((at, char) for at, char in enumerate(value, 1) if re.fullmatch(CONTROL, char))
        advice = ", a line break of mainframes; write a line feed instead" if sign == _NEXT_LINE else "; remove it"
        message = f"{spoken(column)} holds the control character U+{ord(sign):04X} (character {at}){advice}"
        found.append(cell_problem(origin, row, column, Code.CONTROL_CHARACTER, message, value))
    return problem.frame_of(found)


def _holds_control(cell: pl.Expr) -> pl.Expr:
    """Whether a cell holds a control character; the pattern is tried only where a byte is seen that one has."""
    text = cell.cast(pl.Binary)
    least = text.cast(pl.List(pl.UInt8)).list.min()
    seen = (least < ord(" ")) | cell.str.contains("\x7f", literal=True) | text.bin.contains(C1_BYTE)
    return pl.when(seen).then(cell).str.contains(CONTROL)


def _cells_where(
    frame: pl.DataFrame, columns: Sequence[str], holds: Callable[[pl.Expr], pl.Expr]
) -> Iterator[tuple[str, int, str]]:
    """Column, row and text of the cells for which something holds. All columns are looked through at once."""
    hits = frame.select(holds(pl.col(column)).any() for column in columns).row(0)
    for column, hit in zip(columns, hits, strict=True):
        if hit:
            cells = frame.filter(holds(pl.col(column))).select(ROW, column)
            yield from ((column, row, value) for row, value in cells.iter_rows())

"""Assembly: records as read become batches of a bounded size. Shared by every reader.

It must never know the format of the file; what it checks (control characters) holds for all.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Batch, Origin
from etl.problems import Code, Problem, Severity
from etl.quoting import show_value

BATCH_ROWS = 20_000
"""No batch holds more rows."""
BATCH_CHARACTERS = 32_000_000
"""A batch is closed when its cells hold about so many, so that huge cells do not add up."""
SAMPLE_ROWS = 200
"""How many rows a table shows before it is read."""

BLANKS = " \t\r\n\xa0"
"""A row whose cells hold nothing but these is no row."""
CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
"""Control characters other than tab, line feed and carriage return."""
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


def assemble(
    origin: Origin,
    rows: Sequence[int],
    own: dict[str, Sequence[str | None]],
    columns: Sequence[Sequence[str | None]],
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
    return Batch(origin, frame, frame, problem.joined([problem.frame_of(found), _control_characters(frame, origin)]))


def cell_problem(origin: Origin, row: int, column: str | None, code: Code, message: str, value: str | None) -> Problem:
    """An error in one cell, with its address; a value that may be a secret is not quoted."""
    shown = show_value(column, value)
    return Problem(row, Severity.ERROR, code, None, column, origin.cell(column, row), shown, message)


def error_message(text: str) -> str:
    """What to say of a spreadsheet error, after the column's name."""
    return f"holds the spreadsheet error {text}; correct the formula or type the value"


def error_texts(frame: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    """A problem for each cell that is a spreadsheet error saved as text. Any spreadsheet program takes it for one."""
    found: list[Problem] = []
    for column in origin.columns:
        cells = frame.get_column(column)
        hit = cells.is_in(list(SPREADSHEET_ERRORS)).fill_null(value=False)
        for row, value in zip(frame.get_column(ROW).filter(hit), cells.filter(hit), strict=True):
            found.append(cell_problem(origin, row, column, Code.ERROR_CELL, f"{column} {error_message(value)}", value))
    return problem.frame_of(found)


def _control_characters(frame: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    found: list[Problem] = []
    for column in origin.columns:
        cells = frame.get_column(column)
        hit = cells.str.contains(CONTROL).fill_null(value=False)
        if not hit.any():
            continue
        for row, value in zip(frame.get_column(ROW).filter(hit), cells.filter(hit), strict=True):
            at, sign = next((at, char) for at, char in enumerate(value, 1) if re.fullmatch(CONTROL, char))
            message = f"{column} holds the control character U+{ord(sign):04X} (character {at}); remove it"
            found.append(cell_problem(origin, row, column, Code.CONTROL_CHARACTER, message, value))
    return problem.frame_of(found)

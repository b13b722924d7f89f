"""Grid: the rows of a sheet become a table, whatever workbook format they were read from.

It must never know how a cell is stored: it gets rows of cells, each with its column, its text, what is wrong with it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from etl.batch import Batch, Decision, Origin, column_letters
from etl.errors import FileError
from etl.problems import Code, Problem, Severity
from etl.readers.assembly import BLANKS, SAMPLE_ROWS, assemble, cell_problem, in_batches
from etl.readers.cell_values import Fault
from etl.readers.header import SEARCHED_ROWS, Header, Line, find_header, header_decision


class Cell(NamedTuple):
    """A cell that holds something: its 1-based column, its text, what is wrong with it."""

    column: int
    text: str | None
    fault: Fault | None


Row = tuple[int, list[Cell]]
"""A row's number and its cells; rows that hold nothing are left out."""


class Area(NamedTuple):
    """A merged area, 1-based, ends included."""

    top: int
    left: int
    bottom: int
    right: int


class NoTableError(Exception):
    """A sheet that is no table; the argument says why."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class GridTable:
    """One sheet as a table. Rows have the sheet's own numbers; rows that hold nothing are no rows.

    `read_rows` gives the rows, rising, from the first, each time it is called; `read_areas` the merged areas by their
    first row.
    """

    origin: Origin
    sample: pl.DataFrame
    decisions: tuple[Decision, ...]
    header: Header
    read_rows: Callable[[], Generator[Row]]
    read_areas: Callable[[], Sequence[Area]]

    def batches(self) -> Iterator[Batch]:
        """All rows; each call reads the sheet again. Raises FileError where the sheet is damaged."""
        areas = self.read_areas()
        with closing(self.read_rows()) as rows:
            data = (row for row in rows if row[0] > self.header.row and holds_anything(row, self.header))
            for held in in_batches(data, lambda row: sum(len(cell.text or "") for cell in row[1])):
                yield assemble_rows(self.origin, self.header, held, areas)


def open_grid(
    file: str,
    sheet: str,
    format_: str,
    read_rows: Callable[[], Generator[Row]],
    read_areas: Callable[[], Sequence[Area]],
    header_row: int | None,
) -> GridTable:
    """A sheet as a table, by its first rows. Raises NoTableError: empty, or without a certain header."""
    head = read_head(read_rows, header_row)
    lines: list[Line] = [(row, filled(cells)) for row, cells in head]
    lines = [line for line in lines if line[1]]
    if not lines:
        raise NoTableError("it is empty")
    try:
        header = find_header(lines, header_row, sheet)
    except FileError as error:
        raise NoTableError(error.message.removeprefix(f"{sheet}: ").rstrip("."), error.hint) from error
    origin = Origin(file, sheet, format_, header.names, header.positions, header.row)
    rows = [row for row in head if row[0] > header.row and holds_anything(row, header)][:SAMPLE_ROWS]
    sample = assemble_rows(origin, header, rows, []).source
    decisions = (header_decision(header, header_row),)
    return GridTable(origin, sample, decisions, header, read_rows, read_areas)


def read_head(read_rows: Callable[[], Generator[Row]], header_row: int | None) -> list[Row]:
    """The first rows: enough to find the header and to fill the sample."""
    head: list[Row] = []
    with closing(read_rows()) as rows:
        for row in rows:
            head.append(row)
            if row[0] > (header_row or 0) and len(head) >= SEARCHED_ROWS + SAMPLE_ROWS:
                break
    return head


def filled(cells: Iterable[Cell]) -> dict[int, str]:
    """The texts of the cells that are not blank, by column."""
    return {cell.column: cell.text for cell in cells if cell.text is not None and cell.text.strip(BLANKS)}


def holds_anything(row: Row, header: Header) -> bool:
    """Whether a row is a row of the table."""
    return any(
        cell.fault is not None or (cell.text is not None and cell.text.strip(BLANKS))
        for cell in row[1]
        if cell.column not in header.ignored
    )


def assemble_rows(origin: Origin, header: Header, rows: Sequence[Row], areas: Sequence[Area]) -> Batch:
    """A batch of rows; what merged areas cover is reported."""
    at = {position: index for index, position in enumerate(header.positions)}
    columns: list[list[str | None]] = [[None] * len(rows) for _ in header.positions]
    found: list[Problem] = []
    for place, (row, cells) in enumerate(rows):
        for cell in cells:
            index = at.get(cell.column)
            if index is not None:
                columns[index][place] = cell.text
                if cell.fault is not None:
                    name = header.names[index]
                    message = f"{name} {cell.fault.message}"
                    found.append(cell_problem(origin, row, name, cell.fault.code, message, cell.text))
            elif cell.column not in header.ignored and cell.text is not None and cell.text.strip(BLANKS):
                found.append(_unnamed(origin, row, cell, header))
    numbers = [row for row, _ in rows]
    for place, index, area in _covered(header.positions, numbers, areas, origin):
        columns[index][place] = None
        found.append(_merged(origin, numbers[place], header.names[index], area))
    return assemble(origin, numbers, {}, columns, found)


def _unnamed(origin: Origin, row: int, cell: Cell, header: Header) -> Problem:
    letters = column_letters(cell.column)
    message = (
        f"column {letters} holds data but has no name in the header (row {header.row}); name the column or empty it"
    )
    problem = cell_problem(origin, row, None, Code.RAGGED_ROW, message, cell.text)
    return problem._replace(cell=f"{origin.sheet}!{letters}{row}")


def _covered(
    positions: Sequence[int], rows: Sequence[int], areas: Sequence[Area], origin: Origin
) -> Iterator[tuple[int, int, Area]]:
    """Where merged areas cover cells of the table: place of the row, index of the column. Not their first cells."""
    seen: set[tuple[int, int]] = set()
    for area in areas:
        places = range(bisect_left(rows, area.top), bisect_right(rows, area.bottom))
        indexes = range(bisect_left(positions, area.left), bisect_right(positions, area.right))
        for place in places:
            for index in indexes:
                if (rows[place], positions[index]) == (area.top, area.left):
                    continue
                if (place, index) in seen:
                    raise FileError(f"{origin.file} is damaged: merged areas of the sheet {origin.sheet!r} overlap.")
                seen.add((place, index))
                yield place, index, area


def _merged(origin: Origin, row: int, column: str, area: Area) -> Problem:
    first = f"{column_letters(area.left)}{area.top}"
    message = (
        f"{column} is covered by the merged area {first}:{column_letters(area.right)}{area.bottom}, "
        f"whose value is only in {first}; unmerge the cells and fill in the value where it is meant"
    )
    problem = cell_problem(origin, row, column, Code.MERGED_CELL, message, None)
    return problem._replace(severity=Severity.WARNING)

"""Grid: the rows of a sheet become a table, whatever workbook format they were read from.

It must never know how a cell is stored: it gets rows of cells, each with its column, its text, what is wrong with it,
row by row (`Row`) or many at once (`Stretch`).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache

import polars as pl

from etl.batch import Batch, Decision, Origin, column_letters
from etl.errors import FileError
from etl.problems import Code, Problem, Severity
from etl.readers.assembly import BATCH_ROWS, BLANKS, SAMPLE_ROWS, assemble, cell_problem
from etl.readers.damage import find_damage
from etl.readers.header import SEARCHED_ROWS, Header, Line, find_header, header_decision
from etl.readers.merged import Area, MergedAreas
from etl.readers.options import ReadOptions
from etl.readers.stretch import (
    COLUMN,
    FAULT,
    ROW,
    TEXT,
    Cell,
    Row,
    Stretch,
    holds_anything,
    in_batches,
    is_filled,
    stretch_of,
    stretches_of,
)

__all__ = ["Area", "Cell", "GridTable", "NoTableError", "Row", "open_columns", "open_grid"]

_MOST_SLOTS = 5_000_000
"""Of one batch: rows times columns."""


class NoTableError(Exception):
    """A sheet that is no table; the argument says why."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class GridTable:
    """One sheet as a table. Rows have the sheet's own numbers; rows that hold nothing are no rows.

    `read` gives the cells, rising, from the first row, each time it is called; `open_areas` the merged areas, ready for
    the first row of the table.
    """

    origin: Origin
    sample: pl.DataFrame
    decisions: tuple[Decision, ...]
    header: Header
    read: Callable[[], Generator[Stretch]]
    open_areas: Callable[[], MergedAreas]

    def batches(self) -> Iterator[Batch]:
        """All rows; each call reads the sheet again. Raises FileError where the sheet is damaged."""
        areas = self.open_areas()
        with closing(self.read()) as stretches:
            yield from _assemble(self.origin, self.header, stretches, areas)


def open_grid(
    file: str,
    sheet: str,
    format_: str,
    read_rows: Callable[[], Generator[Row]],
    read_areas: Callable[[], Sequence[Area]],
    options: ReadOptions,
    decisions: Sequence[Decision] = (),
) -> GridTable:
    """A sheet as a table, by its first rows. Raises NoTableError: empty, or without a certain header.

    `read_rows` gives the rows, rising, from the first, each time it is called; `read_areas` the merged areas, and is
    called only once. `decisions` are what else was found out about the sheet.
    """

    def read() -> Generator[Stretch]:
        with closing(read_rows()) as rows:
            yield from stretches_of(rows)

    return open_columns(file, sheet, format_, read, read_areas, options, decisions)


def open_columns(
    file: str,
    sheet: str,
    format_: str,
    read: Callable[[], Generator[Stretch]],
    read_areas: Callable[[], Sequence[Area]],
    options: ReadOptions,
    decisions: Sequence[Decision] = (),
) -> GridTable:
    """The same for a sheet whose cells are read many at once."""
    find_areas = cache(read_areas)
    place = f"{file}, sheet {sheet}"
    head = read_head(read, options.header_row, place)
    texts = {row: filled(cells) for row, cells in head}
    if options.fill_merged:
        fill_down(texts, find_areas())
    header = _find_header([(row, cells) for row, cells in texts.items() if cells], options, sheet)
    origin = Origin(file, sheet, format_, header.names, header.positions, header.row or None)

    def open_areas() -> MergedAreas:
        areas = MergedAreas(find_areas(), header.positions, place, fill=options.fill_merged)
        areas.see(row for row in head if row[0] <= header.row)
        return areas

    found = [header_decision(header, options.header_row, options.columns), *decisions]
    if options.fill_merged or not options.glance:
        found += open_areas().decisions(header.row)
    shown = open_areas() if options.fill_merged else MergedAreas((), header.positions, place)
    samples = _assemble(origin, header, [stretch_of(head)], shown)
    sample = next(samples, assemble(origin, [], {}, [[] for _ in header.names], [])).source[:SAMPLE_ROWS]
    return GridTable(origin, sample, tuple(found), header, read, open_areas)


def read_head(read: Callable[[], Generator[Stretch]], header_row: int | None, place: str) -> list[Row]:
    """The first rows: enough to find the header and to fill the sample."""
    enough = SEARCHED_ROWS + SAMPLE_ROWS
    head: list[Row] = []
    with closing(read()) as stretches:
        for held in in_batches(stretches, enough, place):
            head += held.rows()
            if head[-1][0] > (header_row or 0):
                break
    return head


def fill_down(texts: Mapping[int, dict[int, str]], areas: Sequence[Area]) -> None:
    """Give the value of each merged area to its cells in the first column of it, as a header of two rows has them.

    `texts` are the texts of rows, by row and column.
    """
    last = max(texts, default=0)
    for area in areas:
        value = texts.get(area.top, {}).get(area.left)
        if value is not None:
            for row in range(area.top + 1, min(area.bottom, last) + 1):
                if row in texts:
                    texts[row][area.left] = value


def filled(cells: Iterable[Cell]) -> dict[int, str]:
    """The texts of the cells that are not blank, by column."""
    return {cell.column: cell.text for cell in cells if cell.text is not None and cell.text.strip(BLANKS)}


def _find_header(lines: Sequence[Line], options: ReadOptions, sheet: str) -> Header:
    if not lines:
        raise NoTableError("it is empty")
    try:
        return find_header(lines, options.header_row, sheet, told=options.columns)
    except FileError as error:
        raise NoTableError(error.message.removeprefix(f"{sheet}: ").rstrip("."), error.hint) from error


def _assemble(origin: Origin, header: Header, stretches: Iterable[Stretch], areas: MergedAreas) -> Iterator[Batch]:
    """The rows of the table in batches."""
    most_rows = max(1, min(BATCH_ROWS, _MOST_SLOTS // len(header.positions)))
    data = (_rows_of_table(stretch, header) for stretch in stretches)
    for held in in_batches(data, most_rows, areas.place):
        yield _assemble_rows(origin, header, held, areas)


def _rows_of_table(stretch: Stretch, header: Header) -> Stretch:
    """The cells below the header in rows that hold anything; what an earlier import has written is left out."""
    cells = stretch.cells.filter(pl.col(ROW) > header.row, ~pl.col(COLUMN).is_in(list(header.ignored)))
    holds = cells.select(holds_anything()).to_series()
    if not holds.all():
        cells = cells.filter(pl.col(ROW).is_in(cells[ROW].filter(holds).unique().implode()))
    return stretch._replace(cells=cells)


def _assemble_rows(origin: Origin, header: Header, stretch: Stretch, areas: MergedAreas) -> Batch:
    """A batch of rows; what merged areas cover is reported."""
    rows = stretch.cells[ROW].rle().struct.field("value")
    positions = pl.Series(header.positions, dtype=pl.Int32)
    stretch, covered = areas.apply(stretch, rows)
    cells = stretch.cells
    odd = cells.filter(pl.col(FAULT).is_not_null() | (~pl.col(COLUMN).is_in(positions.implode()) & is_filled()))
    found = [_problem(origin, header, row, cell) for row, cells in stretch._replace(cells=odd).rows() for cell in cells]
    names = dict(zip(header.positions, header.names, strict=True))
    found += [_merged(origin, row, names[column], Area(*area)) for row, column, _, *area in covered.iter_rows()]
    columns = _in_columns(cells.filter(pl.col(COLUMN).is_in(positions.implode())), rows, positions)
    batch = assemble(origin, rows, {}, columns, found)
    known = batch.problems.select("row", "column")
    return batch.with_problems(find_damage(batch.source, origin).join(known, on=["row", "column"], how="anti"))


def _in_columns(cells: pl.DataFrame, rows: pl.Series, positions: pl.Series) -> list[pl.Series]:
    """The texts of the cells, one series a column, as long as there are rows."""
    width = positions.len()
    texts = cells[TEXT]
    if cells.height != rows.len() * width:
        slots = rows.search_sorted(cells[ROW]).cast(pl.Int64) * width + positions.search_sorted(cells[COLUMN])
        places = pl.repeat(None, rows.len() * width, dtype=pl.UInt32, eager=True)
        texts = texts.gather(places.scatter(slots, pl.int_range(cells.height, dtype=pl.UInt32, eager=True)))
    return [texts.gather_every(width, column) for column in range(width)]


def _problem(origin: Origin, header: Header, row: int, cell: Cell) -> Problem:
    """What is wrong with a cell, or that its column has no name."""
    if cell.column in header.positions and cell.fault is not None:
        name = header.names[header.positions.index(cell.column)]
        problem = cell_problem(origin, row, name, cell.fault.code, f"{name} {cell.fault.message}", cell.text)
        return problem._replace(severity=cell.fault.severity)
    letters = column_letters(cell.column)
    message = (
        f"column {letters} holds data but has no name in the header (row {header.row}); name the column or empty it"
    )
    problem = cell_problem(origin, row, None, Code.RAGGED_ROW, message, cell.text)
    return problem._replace(cell=f"{origin.sheet}!{letters}{row}")


def _merged(origin: Origin, row: int, column: str, area: Area) -> Problem:
    first = f"{column_letters(area.left)}{area.top}"
    message = (
        f"{column} is covered by the merged area {first}:{column_letters(area.right)}{area.bottom}, "
        f"whose value is only in {first}; unmerge the cells and fill in the value where it is meant, "
        "or give it to all of them with --fill-merged"
    )
    problem = cell_problem(origin, row, column, Code.MERGED_CELL, message, None)
    return problem._replace(severity=Severity.WARNING)

"""Grid: the rows of a sheet become a table, whatever workbook format they were read from.

It must never know how a cell is stored: it gets rows of cells, each with its column, its text, what is wrong with it,
row by row (`Row`) or many at once (`Stretch`).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache

import polars as pl

from etl import problems as problem
from etl.batch import LIST_COLUMN, Batch, Decision, Origin, column_letters
from etl.errors import FileError
from etl.problems import Code, Problem, Severity
from etl.quoting import shorten, show_value
from etl.readers.assembly import BATCH_ROWS, BLANKS, SAMPLE_ROWS, assemble, cell_problem, spoken
from etl.readers.damage import find_damage
from etl.readers.header import SEARCHED_ROWS, Header, Line, find_header, header_decision
from etl.readers.options import ReadOptions
from etl.readers.workbooks.merged import Area, MergedAreas
from etl.readers.workbooks.stretch import (
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
_MOST_NAME_CHARACTERS = 100_000
"""Of all columns together: the names are part of every sentence about a cell."""
_CELL_BYTES, _ODD_BYTES, _HEAD_CELL_BYTES = 16, 400, 64
"""What a cell weighs beside its text: in a frame, where something must be said of it, as an object of its own."""


EMPTY = "it is empty"
"""Why a sheet without a cell is no table."""
GIVE_ROWS = "Give it a row of column names with the rows below, or name another file."


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
    place = f"{file}, sheet {shorten(sheet)}"
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
    is_known = options.fill_merged or not options.glance
    if is_known:
        found += open_areas().decisions(header.row)
    # The sample shows what batches give: what an area covers nobody sees, and so it is in neither.
    shown = open_areas() if is_known else MergedAreas((), header.positions, place)
    samples = _assemble(origin, header, [stretch_of(head)], shown)
    sample = next(samples, assemble(origin, [], {}, [[] for _ in header.names], [])).source[:SAMPLE_ROWS]
    return GridTable(origin, sample, tuple(found), header, read, open_areas)


def read_head(read: Callable[[], Generator[Stretch]], header_row: int | None, place: str) -> list[Row]:
    """The first rows: enough to find the header and to fill the sample."""
    enough = SEARCHED_ROWS + SAMPLE_ROWS
    head: list[Row] = []
    with closing(read()) as stretches:
        for held in in_batches(stretches, enough, place, _HEAD_CELL_BYTES):
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
        raise NoTableError(EMPTY, GIVE_ROWS)
    if LIST_COLUMN in lines[0][1].values():
        raise NoTableError("it lists the problems that an earlier report found", "Name another sheet.")
    try:
        header = find_header(lines, options.header_row, sheet, told=options.columns)
    except FileError as error:
        raise NoTableError(error.message.removeprefix(f"{sheet}: ").rstrip("."), error.hint) from error
    if sum(map(len, header.names)) > _MOST_NAME_CHARACTERS:
        raise NoTableError(f"the column names in row {header.row} have more than {_MOST_NAME_CHARACTERS:,} characters")
    return header


def _assemble(origin: Origin, header: Header, stretches: Iterable[Stretch], areas: MergedAreas) -> Iterator[Batch]:
    """The rows of the table in batches."""
    most_rows = max(1, min(BATCH_ROWS, _MOST_SLOTS // len(header.positions)))
    data = (_rows_of_table(stretch, header) for stretch in stretches)
    weight = pl.when(_is_odd(header)).then(_ODD_BYTES).otherwise(_CELL_BYTES)
    for held in in_batches(data, most_rows, areas.place, weight):
        yield _assemble_rows(origin, header, held, areas)


def _rows_of_table(stretch: Stretch, header: Header) -> Stretch:
    """The cells below the header in rows that hold anything; what an earlier import has written is left out."""
    cells = stretch.cells.filter(pl.col(ROW) > header.row, ~pl.col(COLUMN).is_in(list(header.ignored)))
    holds = cells.select(holds_anything()).to_series()
    if not holds.all():
        cells = cells.filter(pl.col(ROW).is_in(cells[ROW].filter(holds).unique().implode()))
    return stretch._replace(cells=cells)


def _assemble_rows(origin: Origin, header: Header, stretch: Stretch, areas: MergedAreas) -> Batch:
    """A batch of rows, with what is wrong with their cells; what merged areas cover is reported."""
    rows = stretch.cells[ROW].rle().struct.field("value")
    stretch, covered = areas.apply(stretch, rows)
    names = dict(zip(header.positions, header.names, strict=True))
    merged = [_merged(origin, row, names[column], Area(*area)) for row, column, _, *area in covered.iter_rows()]
    named = stretch.cells.filter(pl.col(COLUMN).is_in(list(header.positions)))
    batch = assemble(origin, rows, {}, _in_columns(named, rows, pl.Series(header.positions, dtype=pl.Int32)), merged)
    found = _problems(origin, names, stretch.filter(_is_odd(header)))
    batch = replace(batch, problems=problem.joined([found, batch.problems]))
    known = batch.problems.select("row", "column")
    return batch.with_problems(find_damage(batch.source, origin).join(known, on=["row", "column"], how="anti"))


def _is_odd(header: Header) -> pl.Expr:
    """Whether something must be said of a cell: it is wrong, or holds something where no column has a name."""
    return pl.col(FAULT).is_not_null() | (~pl.col(COLUMN).is_in(list(header.positions)) & is_filled())


def _in_columns(cells: pl.DataFrame, rows: pl.Series, positions: pl.Series) -> list[pl.Series]:
    """The texts of the cells, one series a column, as long as there are rows."""
    width = positions.len()
    texts = cells[TEXT]
    if cells.height != rows.len() * width:
        slots = rows.search_sorted(cells[ROW]).cast(pl.Int64) * width + positions.search_sorted(cells[COLUMN])
        places = pl.repeat(None, rows.len() * width, dtype=pl.UInt32, eager=True)
        texts = texts.gather(places.scatter(slots, pl.int_range(cells.height, dtype=pl.UInt32, eager=True)))
    return [texts.gather_every(width, column) for column in range(width)]


def _problems(origin: Origin, names: Mapping[int, str], odd: Stretch) -> pl.DataFrame:
    """What is wrong with cells, or that their column has no name. The same is said only once in words."""
    kinds = odd.cells.select(COLUMN, TEXT, FAULT).unique().with_row_index("kind")
    if kinds.is_empty():
        return problem.NONE
    said = [
        _say(origin, names.get(column), Cell(column, text, odd.fault(fault))) for _, column, text, fault in kinds.rows()
    ]
    sentences = problem.frame_of(said).drop("row").with_row_index("kind")
    found = odd.cells.join(kinds, [COLUMN, TEXT, FAULT], nulls_equal=True, maintain_order="left")
    found = found.select(pl.col(ROW).cast(pl.Int64), "kind").join(sentences, "kind", maintain_order="left")
    return found.with_columns(cell=pl.concat_str("cell", "row")).select(*problem.SCHEMA)


def _say(origin: Origin, name: str | None, cell: Cell) -> Problem:
    """The problem of a cell of the column `name`; the number of the row is still to come."""
    letters = column_letters(cell.column)
    address, shown = f"{origin.sheet}!{letters}", show_value(name, cell.text)
    if name is not None and cell.fault is not None:
        message = f"{spoken(name)} {cell.fault.message}"
        return Problem(0, cell.fault.severity, cell.fault.code, None, name, address, shown, message)
    where = f"in the header (row {origin.header_row})" if origin.header_row else "among those that were given"
    message = f"column {letters} holds data but has no name {where}; name the column or empty it"
    return Problem(0, Severity.ERROR, Code.RAGGED_ROW, None, None, address, shown, message)


def _merged(origin: Origin, row: int, column: str, area: Area) -> Problem:
    first = f"{column_letters(area.left)}{area.top}"
    message = (
        f"{spoken(column)} is covered by the merged area {first}:{column_letters(area.right)}{area.bottom}, "
        f"whose value is only in {first}; unmerge the cells and fill in the value where it is meant, "
        "or give it to all of them with --fill-merged"
    )
    return cell_problem(origin, row, column, Code.MERGED_CELL, message, None)._replace(severity=Severity.WARNING)

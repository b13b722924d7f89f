"""Stretch: some consecutive rows of a sheet, their cells as columns of a frame, so that they can be handled at once.

It must never know which row is the header, nor how the sheet is stored.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import polars as pl

from etl.errors import FileError
from etl.readers.assembly import BATCH_CHARACTERS
from etl.readers.workbooks.cell_values import Fault

ROW, COLUMN, TEXT, FAULT = "row", "column", "text", "fault"
CELLS: dict[str, type[pl.DataType]] = {ROW: pl.Int32, COLUMN: pl.Int32, TEXT: pl.String, FAULT: pl.UInt32}
"""The columns of `Stretch.cells`; `fault` is a place in `Stretch.faults`, null where nothing is wrong."""

_STRETCH_CELLS = 20_000
_MOST_BATCH_BYTES = 256_000_000
_CELL_BYTES = 16
_NOT_BLANK = r"[^ \t\r\n\xA0]"
"""Anything that is not in `assembly.BLANKS`."""


class Cell(NamedTuple):
    """A cell that holds something: its 1-based column, its text, what is wrong with it."""

    column: int
    text: str | None
    fault: Fault | None


Row = tuple[int, list[Cell]]
"""A row's number and its cells; rows that hold nothing are left out."""


class Faults:
    """Collects what is wrong with cells; what is alike is in `found` once."""

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self._places: dict[Fault, int] = {}

    def place(self, fault: Fault | None) -> int | None:
        """The place of a fault in `found`."""
        if fault is None:
            return None
        place = self._places.setdefault(fault, len(self.found))
        if place == len(self.found):
            self.found.append(fault)
        return place


class Stretch(NamedTuple):
    """The cells that hold something, row by row from the first. No row is in two stretches."""

    cells: pl.DataFrame
    faults: Sequence[Fault]

    def rows(self) -> Iterator[Row]:
        """The same, row by row."""
        for row, cells in groupby(self.cells.iter_rows(), key=lambda cell: cell[0]):
            yield row, [Cell(column, text, self.fault(fault)) for _, column, text, fault in cells]

    def filter(self, *conditions: pl.Expr) -> "Stretch":
        """The cells of which all conditions hold."""
        return self._replace(cells=self.cells.filter(*conditions))

    def fault(self, place: int | None) -> Fault | None:
        """What `fault` of a cell stands for."""
        return None if place is None else self.faults[place]


def stretch_of(rows: Iterable[Row]) -> Stretch:
    """Rows as a stretch."""
    faults = Faults()
    numbers: list[int] = []
    columns: list[int] = []
    texts: list[str | None] = []
    places: list[int | None] = []
    for row, cells in rows:
        numbers += [row] * len(cells)
        for column, text, fault in cells:
            columns.append(column)
            texts.append(text)
            places.append(faults.place(fault))
    data = {ROW: numbers, COLUMN: columns, TEXT: texts, FAULT: places}
    return Stretch(pl.DataFrame(data, schema=CELLS), faults.found)


def stretches_of(rows: Generator[Row]) -> Generator[Stretch]:
    """A stream of rows as stretches of a bounded size."""
    held: list[Row] = []
    count = weight = 0
    for row in rows:
        held.append(row)
        count += len(row[1])
        weight += sum(len(cell.text or "") for cell in row[1])
        if count >= _STRETCH_CELLS or weight >= BATCH_CHARACTERS:
            yield stretch_of(held)
            held, count, weight = [], 0, 0
    if held:
        yield stretch_of(held)


def joined(stretches: Sequence[Stretch]) -> Stretch:
    """Several stretches as one."""
    if len(stretches) == 1:
        return stretches[0]
    frames: list[pl.DataFrame] = []
    faults: list[Fault] = []
    for cells, own in stretches:
        frames.append(cells.with_columns(pl.col(FAULT) + len(faults)) if faults and own else cells)
        faults += own
    return Stretch(pl.concat(frames), faults)


def holds_anything() -> pl.Expr:
    """Whether a cell makes its row a row of the table: a text that is not blank, or something wrong."""
    return pl.col(FAULT).is_not_null() | is_filled()


def is_filled() -> pl.Expr:
    """Whether a cell has a text that is not blank."""
    return pl.col(TEXT).str.contains(_NOT_BLANK).fill_null(value=False)


def in_batches(
    stretches: Iterable[Stretch], most_rows: int, place: str, weight: pl.Expr | int = _CELL_BYTES
) -> Iterator[Stretch]:
    """The same rows, at most `most_rows` at a time and not much over `BATCH_CHARACTERS` heavy.

    `weight`: what each cell weighs beside its text, in bytes. Raises FileError for a row that is too heavy for any
    batch; `place` names the sheet in the sentence.
    """
    held: list[Stretch] = []
    rows = heavy = 0
    for stretch in stretches:
        sizes = _row_sizes(stretch.cells, weight)
        at = cell = 0
        while at < sizes.height:
            fits, added = _fitting(sizes[at:], most_rows - rows, BATCH_CHARACTERS - heavy)
            if added > _MOST_BATCH_BYTES:
                row = stretch.cells[ROW][cell + int(sizes["cells"][at : at + fits].sum()) - 1]
                raise FileError(f"{place}: row {row} holds more than {_MOST_BATCH_BYTES:,} bytes of text.")
            cells = int(sizes["cells"][at : at + fits].sum())
            held.append(stretch._replace(cells=stretch.cells[cell : cell + cells]))
            at, cell, rows, heavy = at + fits, cell + cells, rows + fits, heavy + added
            if rows >= most_rows or heavy >= BATCH_CHARACTERS:
                yield joined(held)
                held, rows, heavy = [], 0, 0
    if held:
        yield joined(held)


def _row_sizes(cells: pl.DataFrame, weight: pl.Expr | int) -> pl.DataFrame:
    """How many cells each row has, and what they weigh."""
    counts = cells[ROW].rle().struct.field("len")
    total = pl.col(TEXT).str.len_bytes().fill_null(0).cast(pl.Int64) + weight
    until = cells.select(total.cum_sum()).to_series().gather(counts.cum_sum() - 1)
    return pl.DataFrame({"cells": counts, "weight": until.diff().fill_null(until.head(1))})


def _fitting(sizes: pl.DataFrame, most_rows: int, most_weight: int) -> tuple[int, int]:
    """How many of the first rows fill a batch up, the one that reaches the limit included, and what they weigh."""
    weights = sizes["weight"][:most_rows].cum_sum()
    fits = min(int((weights < most_weight).sum()) + 1, weights.len())
    return fits, int(weights[fits - 1])

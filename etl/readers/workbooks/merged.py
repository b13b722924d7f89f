"""Merged areas: which cells of a table they cover, and what a person sees there.

It must never know how a sheet is stored. An area's value is stored in its first cell only; what its other cells hold
nobody sees.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from etl.batch import Certainty, Decision
from etl.errors import FileError
from etl.readers.workbooks.stretch import CELLS, COLUMN, FAULT, ROW, TEXT, Cell, Row, Stretch, joined, stretch_of

MOST_MERGES = 200_000
"""Of one sheet."""
_MOST_COVERED_CELLS = 1_000_000
"""Of one batch: every row would have dozens of merged cells."""


class Area(NamedTuple):
    """A merged area, 1-based, ends included."""

    top: int
    left: int
    bottom: int
    right: int


_AREA = dict.fromkeys(Area._fields, pl.Int32)


@dataclass(slots=True)
class MergedAreas:
    """The merged areas of a sheet, applied to its rows from the first to the last, once.

    `positions` are the columns of the table, `place` names the sheet in sentences. With `fill` the value of an area is
    given to each of its cells in rows that hold something, otherwise only its first cell has it.
    """

    areas: Sequence[Area]
    positions: Sequence[int]
    place: str
    fill: bool = False
    _frame: pl.DataFrame = field(init=False)
    _values: dict[int, Cell] = field(init=False, default_factory=dict)
    """What the first cells of areas hold that have been seen, by the area's place in `_frame`."""

    def __post_init__(self) -> None:
        areas = pl.DataFrame([*self.areas], schema=_AREA, orient="row").unique().sort(Area._fields)
        columns = pl.Series(self.positions, dtype=pl.Int32)
        first = columns.search_sorted(areas["left"], side="left")
        last = columns.search_sorted(areas["right"], side="right")
        here = areas.with_columns(first=first, last=last).filter(pl.col("first") < pl.col("last"))
        self._frame = here.with_row_index("area")

    def see(self, rows: Iterable[Row]) -> None:
        """Rows above the table: an area may begin there and reach into it."""
        firsts = {(top, left): area for area, top, left in self._frame.select("area", "top", "left").iter_rows()}
        for row, cells in rows:
            for cell in cells:
                area = firsts.get((row, cell.column))
                if area is not None:
                    self._values[area] = cell

    def decisions(self, header_row: int) -> list[Decision]:
        """What is done about the areas that reach below the header."""
        count = self._frame.filter(pl.col("bottom") > header_row).height
        if not count:
            return []
        if self.fill:
            why = "said with --fill-merged: their value is given to each of their cells, in rows that hold something"
            return [Decision("merged areas", f"{count:,}", why, Certainty.TOLD)]
        why = "their value is in their first cell; --fill-merged gives it to all"
        return [Decision("merged areas", f"{count:,}", why, Certainty.CERTAIN)]

    def apply(self, stretch: Stretch, rows: pl.Series) -> tuple[Stretch, pl.DataFrame]:
        """The cells of the next rows (`rows`: their numbers) as they are meant, and which ones areas cover.

        The second has `row`, `column` and the area's `top`, `left`, `bottom` and `right`; it is empty with `fill`.
        Raises FileError for areas that overlap and for too many covered cells.
        """
        areas = self._frame.filter(pl.col("bottom") >= rows[0], pl.col("top") <= rows[-1])
        if areas.is_empty():
            return stretch, _NOT_COVERED
        covered = self._covered(areas, rows)
        cells = stretch.cells.join(covered, on=[ROW, COLUMN], how="anti", maintain_order="left")
        if not self.fill:
            return Stretch(cells, stretch.faults), covered
        self._learn(stretch, areas)
        both = joined([Stretch(cells, stretch.faults), self._filled(covered)])
        return Stretch(both.cells.sort(ROW, COLUMN), both.faults), _NOT_COVERED

    def _covered(self, areas: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
        """The cells of these rows in areas, but for the first of each area."""
        areas = areas.with_columns(
            at=rows.search_sorted(areas["top"], side="left"), until=rows.search_sorted(areas["bottom"], side="right")
        ).filter(pl.col("at") < pl.col("until"))
        count = areas.select(((pl.col("until") - pl.col("at")) * (pl.col("last") - pl.col("first"))).sum()).item()
        if count > _MOST_COVERED_CELLS:
            raise FileError(
                f"{self.place}: merged areas cover {count:,} cells of the rows {rows[0]} to {rows[-1]}.",
                "Unmerge the cells of the table.",
            )
        cells = areas.with_columns(at=pl.int_ranges("at", "until")).explode("at")
        cells = cells.with_columns(index=pl.int_ranges("first", "last")).explode("index")
        if cells.select(pl.struct("at", "index").is_duplicated().any()).item():
            raise FileError(f"{self.place} is damaged: merged areas overlap.", "Unmerge the cells of the table.")
        columns = pl.Series(self.positions, dtype=pl.Int32)
        cells = cells.select(
            pl.lit(rows).gather(pl.col("at")).alias(ROW),
            pl.lit(columns).gather(pl.col("index")).alias(COLUMN),
            "area",
            *_AREA,
        )
        return cells.filter((pl.col(ROW) != pl.col("top")) | (pl.col(COLUMN) != pl.col("left"))).sort(ROW, COLUMN)

    def _learn(self, stretch: Stretch, areas: pl.DataFrame) -> None:
        """Keep the values of areas that begin in these rows."""
        firsts = areas.join(stretch.cells, left_on=["top", "left"], right_on=[ROW, COLUMN], how="inner")
        for area, text, fault in firsts.select("area", TEXT, FAULT).iter_rows():
            self._values[area] = Cell(0, text, None if fault is None else stretch.faults[fault])

    def _filled(self, covered: pl.DataFrame) -> Stretch:
        """The covered cells with the values of their areas."""
        areas = covered["area"].unique()
        known = stretch_of((area, [self._values[area]]) for area in areas if area in self._values)
        values = known.cells.select(pl.col(ROW).cast(pl.UInt32).alias("area"), TEXT, FAULT)
        cells = covered.join(values, on="area", how="inner", maintain_order="left")
        return Stretch(cells.select(*CELLS), known.faults)


_NOT_COVERED = pl.DataFrame(schema={ROW: pl.Int32, COLUMN: pl.Int32, "area": pl.UInt32, **_AREA})

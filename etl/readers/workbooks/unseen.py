"""Unseen: what a person does not see of a sheet, and that it is read all the same. Shared by every workbook format.

It must never know how a sheet is stored.
"""

from collections.abc import Sized
from typing import NamedTuple

from etl.batch import Certainty, Decision, column_letters
from etl.errors import FileError
from etl.readers.workbooks.merged import MOST_MERGES, Area

_MOST_SPANS = 10
_WHY = "read like all others"


class SheetFacts(NamedTuple):
    """`areas`: merged ones of more than one cell, by their first row. `hidden_rows`: how many that have cells.
    `hidden_columns`: from and to, 1-based. `filtered`: whether a filter is set. `end`: the byte of the sheet from which
    on no cell holds anything, where that leaves much out; `last_row`: the last row with a cell that does, where that is
    known instead.
    """

    areas: list[Area]
    hidden_rows: int
    hidden_columns: list[tuple[int, int]]
    filtered: bool
    end: int | None = None
    last_row: int | None = None


def unseen(facts: SheetFacts) -> list[Decision]:
    """Hidden rows and columns, and a filter."""
    found: list[Decision] = []
    if facts.hidden_rows:
        filtered = "; a filter is set" if facts.filtered else ""
        found.append(Decision("hidden rows", f"{facts.hidden_rows:,}", _WHY + filtered, Certainty.CERTAIN))
    elif facts.filtered:
        found.append(Decision("filter", "set", "the rows that it hides are read like all others", Certainty.CERTAIN))
    if facts.hidden_columns:
        names = ", ".join(_letters(first, last) for first, last in facts.hidden_columns[:_MOST_SPANS])
        found.append(Decision("hidden columns", names, _WHY, Certainty.CERTAIN))
    return found


def refuse_many_areas(areas: Sized, label: str) -> None:
    """Raise FileError for more than `MOST_MERGES` merged areas."""
    if len(areas) > MOST_MERGES:
        raise FileError(f"{label} has more than {MOST_MERGES:,} merged areas.", "Unmerge them.")


def _letters(first: int, last: int) -> str:
    return column_letters(first) if first == last else f"{column_letters(first)} to {column_letters(last)}"

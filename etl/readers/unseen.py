"""Unseen: what a person does not see of a sheet, and that it is read all the same. Shared by every workbook format.

It must never know how a sheet is stored.
"""

from collections.abc import Sized

from etl.batch import Certainty, Decision, column_letters
from etl.errors import FileError
from etl.readers.merged import MOST_MERGES
from etl.readers.sheet_facts import SheetFacts

_MOST_SPANS = 10
_WHY = "read like all others"


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

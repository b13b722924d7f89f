"""A user's own workbook with marks in it: what is changed is spliced into its parts, and every other byte is kept.

This room must never know why a cell is marked. Excel's own programs lose nothing of such a file, so neither do we:
charts, macros, pivots, formulas and their results are not even looked at.
"""

from etl.tables.marked.marks import Finding, Flag, Level, Names, SheetMarks, UnmarkableError
from etl.tables.marked.workbook import SUFFIXES, mark_workbook, suffix_of

__all__ = [
    "SUFFIXES",
    "Finding",
    "Flag",
    "Level",
    "Names",
    "SheetMarks",
    "UnmarkableError",
    "mark_workbook",
    "suffix_of",
]

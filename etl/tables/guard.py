"""Cells that a spreadsheet program would take for formulas become text by a `'` in front, which can be taken away.

This file must never know which file the cells go to. The rule (OWASP, "CSV injection", and its look-alikes): a cell
that begins with `'`, or whose first character after blanks and invisible ones would begin a formula, gets one `'` more.
What begins with `'` and is, behind it, such a cell loses one. So every text comes back as it was.
"""

import re

import polars as pl

_UNSEEN = r"[\s\x00-\x20\x7f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]*"
_HOT = rf"(?:'|{_UNSEEN}[=+\-@|%\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
_guarded = re.compile(_HOT).match
_unguarded = re.compile(rf"'{_HOT}").match


def guard(text: str | None) -> str | None:
    """The text as it is safe in a cell of a CSV file."""
    return f"'{text}" if text and _guarded(text) else text


def unguard(text: str | None) -> str | None:
    """The text that was guarded."""
    return text[1:] if text and _unguarded(text) else text


def unguarded(cells: pl.Series) -> pl.Series:
    """`unguard` for a whole column of text."""
    if not cells.str.starts_with("'").any():
        return cells
    return pl.Series(cells.name, [unguard(cell) for cell in cells], dtype=pl.String)

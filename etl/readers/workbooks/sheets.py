"""Sheets: which sheets of a workbook are read, and why the others are not. Shared by every workbook format.

It must never know how a sheet is stored: it gets their list, and a function that opens one.
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from etl.errors import FileError
from etl.quoting import shorten
from etl.readers.sources.source import nearest
from etl.readers.survey import Skipped
from etl.readers.workbooks.grid import EMPTY, GIVE_ROWS, GridTable, NoTableError

MOST_SHEETS = 100
"""Each is opened before the first row is read, which takes some hundredths of a second."""

_MOST_LISTED = 400
"""Characters of a list of sheets in a sentence."""


class Visibility(Enum):
    """What a person sees of a sheet."""

    VISIBLE = auto()
    HIDDEN = auto()
    """Shown again by a command of the spreadsheet program."""
    DEEPLY_HIDDEN = auto()
    """Shown again by a macro only."""


class ListedSheet(NamedTuple):
    """A sheet as the workbook lists it; `no_table` says why it can hold none (`it is a chart`), empty where it can."""

    name: str
    visibility: Visibility
    no_table: str = ""


def open_sheets(
    label: str, sheets: Sequence[ListedSheet], wanted: str | None, open_sheet: Callable[[int], GridTable]
) -> tuple[tuple[GridTable, ...], tuple[Skipped, ...]]:
    """The tables of a workbook and the sheets left out, both in the workbook's order.

    `wanted` is the sheet that the user named; without it the visible sheets that have a header are tables.
    `open_sheet` opens a sheet by its place in `sheets`, or raises NoTableError. Raises FileError: no sheets, no such
    sheet, none that is a table.
    """
    if not sheets:
        raise FileError(f"{label} has no sheets.", "Open it in a spreadsheet program, and save a sheet of rows.")
    name = _find_sheet(sheets, wanted, label) if wanted else None
    meant = sum(not sheet.no_table and not _why_not(sheet, name) for sheet in sheets)
    if meant > MOST_SHEETS:
        raise FileError(
            f"{label} has {meant:,} sheets; at most {MOST_SHEETS:,} are read at once.",
            "Name the one to read with --sheet, or save the sheets you need in a file of their own.",
        )
    tables: list[GridTable] = []
    skipped: list[Skipped] = []
    refused: list[FileError] = []
    for at, sheet in enumerate(sheets):
        reason = sheet.no_table or _why_not(sheet, name)
        if not reason:
            try:
                tables.append(open_sheet(at))
                continue
            except NoTableError as error:
                refused.append(FileError(f"{label}, sheet {shorten(sheet.name)}: {error}.", error.hint))
                reason = str(error)
        skipped.append(Skipped(sheet.name, reason))
    if not tables:
        raise refused[0] if len(refused) == 1 else _no_table(label, name, skipped)
    return tuple(tables), tuple(skipped)


def _find_sheet(sheets: Sequence[ListedSheet], wanted: str, label: str) -> str:
    """The name of the sheet that the user means. Where none is called just so, case does not count, as in spreadsheet
    programs, and then neither do blanks outside.
    """
    names = [sheet.name for sheet in sheets]
    for likeness in (str, str.casefold, _without_blanks):
        found = next((name for name in names if likeness(name) == likeness(wanted)), None)
        if found is not None:
            return found
    near = nearest(wanted, names)
    meant = f"Did you mean {shorten(near)!r}? " if near else ""
    listed = shorten(", ".join(repr(name) for name in names[:20]), _MOST_LISTED)
    raise FileError(f"{label} has no sheet {shorten(wanted)!r}.", f"{meant}Its sheets are {listed}.")


def _without_blanks(name: str) -> str:
    return name.strip().casefold()


def _why_not(sheet: ListedSheet, named: str | None) -> str:
    """Why a sheet is not even opened; empty where it is."""
    if named is not None:
        return "" if sheet.name == named else "another sheet was named"
    if sheet.visibility is Visibility.VISIBLE:
        return ""
    deeply = "deeply hidden" if sheet.visibility is Visibility.DEEPLY_HIDDEN else "hidden"
    return f"it is {deeply}; name it with --sheet to read it"


def _no_table(label: str, named: str | None, skipped: Sequence[Skipped]) -> FileError:
    told = [sheet for sheet in skipped if named is None or sheet.sheet == named]
    reasons = shorten("; ".join(f"{shorten(sheet.sheet)}: {sheet.reason}" for sheet in told[:10]), _MOST_LISTED)
    message = f"{label} has no sheet that could be read ({reasons})."
    if named is not None:
        others = [repr(shorten(sheet.sheet)) for sheet in skipped if sheet.sheet != named]
        listed = shorten(", ".join(others[:20]), _MOST_LISTED)
        return FileError(message, f"Name another one with --sheet: {listed}." if others else GIVE_ROWS)
    if all(sheet.reason == EMPTY for sheet in told):
        return FileError(message, GIVE_ROWS)
    return FileError(message, "Name the sheet with --sheet and the row with the column names with --header-row N.")

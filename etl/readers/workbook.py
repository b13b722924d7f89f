"""Workbook: the visible sheets of an Excel file as tables, each cell as the file itself stores it.

It must never know what a sheet is about. The parts are read directly, in one pass: the libraries at hand hide what a
reader must tell (openpyxl sees no sheet in a Strict workbook and cannot say that a formula has no result; calamine
turns errors into empty text), and hold a whole sheet in memory.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from etl.errors import FileError
from etl.readers.cell_values import CellReader, Shape, builtin_format, shape_of
from etl.readers.grid import Area, GridTable, NoTableError, Row, open_grid
from etl.readers.options import ReadOptions
from etl.readers.package import Package, open_package
from etl.readers.sheet import read_merged_areas, read_rows
from etl.readers.source import Source, nearest
from etl.readers.strings import read_strings
from etl.readers.survey import Skipped

_TRUE = frozenset({"1", "true", "on"})
_KINDS = {
    "": "the workbook holds no part for it",
    "chartsheet": "it is a chart",
    "dialogsheet": "it is a dialog",
    "xlMacrosheet": "it is a macro sheet",
    "xlIntlMacrosheet": "it is a macro sheet",
}


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    state: str
    kind: str
    part: str


def survey_workbook(source: Source, options: ReadOptions) -> tuple[tuple[GridTable, ...], tuple[Skipped, ...]]:
    """The tables of a workbook and the sheets left out. Reads the shared texts and the beginning of each sheet.

    Without `options.sheet` the visible worksheets that have a header are tables. Raises FileError: damaged, hostile,
    no such sheet, no sheet with a header.
    """
    tables: list[GridTable] = []
    skipped: list[Skipped] = []
    refused: list[FileError] = []
    with open_package(source) as package:
        workbook = package.workbook_part()
        sheets = _list_sheets(package, workbook)
        name = _find_sheet(sheets, options.sheet, source.label) if options.sheet else None
        reader = _open_cells(package, workbook)
        for one in sheets:
            reason = _KINDS.get(one.kind) or _why_not(one, name)
            if reason is None:
                try:
                    tables.append(_open_sheet(source, one, reader, options.header_row))
                    continue
                except NoTableError as error:
                    refused.append(FileError(f"{source.label}, sheet {one.name}: {error}.", error.hint))
                    reason = str(error)
            skipped.append(Skipped(one.name, reason))
    if not tables:
        raise refused[0] if len(refused) == 1 else _no_table(source.label, name, skipped)
    return tuple(tables), tuple(skipped)


def _list_sheets(package: Package, workbook: str) -> list[_Sheet]:
    parts = {relation.id: relation for relation in package.relations(workbook)}
    sheets: list[_Sheet] = []
    for tag in package.tags(workbook):
        if (tag.parent, tag.name) != ("sheets", "sheet"):
            continue
        name, relation = tag.attributes.get("name", ""), parts.get(tag.attributes.get("id", ""))
        kind, part = (relation.kind, relation.target) if relation else ("", "")
        sheets.append(_Sheet(name, tag.attributes.get("state", "visible"), kind, part))
    if not sheets:
        raise FileError(f"{package.label} has no sheets.")
    return sheets


def _open_cells(package: Package, workbook: str) -> CellReader:
    """What cells refer to: texts, number formats, the calendar."""
    parts = {relation.kind: relation.target for relation in package.relations(workbook)}
    facts = {tag.name: tag.attributes for tag in package.tags(workbook) if tag.parent == "workbook"}
    return CellReader(
        strings=read_strings(package.stream(parts["sharedStrings"]))
        if parts.get("sharedStrings", "?") in package
        else [],
        shapes=_read_shapes(package, parts["styles"]) if parts.get("styles", "?") in package else [],
        from_1904=facts.get("workbookPr", {}).get("date1904", "0").lower() in _TRUE,
        uncalculated=facts.get("calcPr", {}).get("fullCalcOnLoad", "0").lower() in _TRUE,
        label=package.label,
    )


def _read_shapes(package: Package, part: str) -> list[Shape]:
    codes: dict[int, str] = {}
    shapes: list[Shape] = []
    for tag in package.tags(part):
        number = tag.attributes.get("numFmtId", "0")
        if not number.isdecimal():
            raise FileError(f"{package.label} is damaged: {number!r} stands where the number of a format belongs.")
        if (tag.parent, tag.name) == ("numFmts", "numFmt"):
            codes[int(number)] = tag.attributes.get("formatCode", "General")
        elif (tag.parent, tag.name) == ("cellXfs", "xf"):
            shapes.append(shape_of(codes.get(int(number)) or builtin_format(int(number))))
    return shapes


def _find_sheet(sheets: Sequence[_Sheet], wanted: str, label: str) -> str:
    """The name of the sheet that the user means; case does not count, as in spreadsheet programs."""
    names = [sheet.name for sheet in sheets]
    found = next((name for name in names if name.casefold() == wanted.strip().casefold()), None)
    if found is not None:
        return found
    near = nearest(wanted, names)
    meant = f"Did you mean {near!r}? " if near else ""
    listed = ", ".join(repr(name) for name in names[:20])
    raise FileError(f"{label} has no sheet {wanted!r}.", f"{meant}Its sheets are {listed}.")


def _why_not(sheet: _Sheet, named: str | None) -> str | None:
    """Why a worksheet is not even opened."""
    if named is not None:
        return None if sheet.name == named else "another sheet was named"
    if sheet.state == "visible":
        return None
    deeply = "deeply hidden" if sheet.state == "veryHidden" else "hidden"
    return f"it is {deeply}; name it with --sheet to read it"


def _no_table(label: str, named: str | None, skipped: Sequence[Skipped]) -> FileError:
    told = [sheet for sheet in skipped if named is None or sheet.sheet == named]
    reasons = "; ".join(f"{sheet.sheet}: {sheet.reason}" for sheet in told[:10])
    return FileError(
        f"{label} has no sheet that could be read ({reasons}).",
        "Name the sheet with --sheet and the row with the column names with --header-row N.",
    )


def _open_sheet(source: Source, sheet: _Sheet, reader: CellReader, header_row: int | None) -> GridTable:
    def rows() -> Generator[Row]:
        with open_package(source) as package, closing(read_rows(package.stream(sheet.part), reader)) as found:
            yield from found

    def areas() -> Sequence[Area]:
        with open_package(source) as package:
            return read_merged_areas(package.stream(sheet.part), source.label)

    return open_grid(source.file, sheet.name, "xlsx", rows, areas, header_row)

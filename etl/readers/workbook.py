"""Workbook: the visible sheets of an Excel file as tables, each cell as the file itself stores it.

It must never know what a sheet is about. The parts are read directly, in one pass: the libraries at hand hide what a
reader must tell (openpyxl sees no sheet in a Strict workbook and cannot say that a formula has no result; calamine
turns errors into empty text), and hold a whole sheet in memory.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import polars as pl

from etl.batch import Batch, Origin, column_letters
from etl.errors import FileError
from etl.problems import Code, Problem, Severity
from etl.readers.assembly import BLANKS, SAMPLE_ROWS, assemble, cell_problem, in_batches
from etl.readers.cell_values import CellReader, Shape, builtin_format, shape_of
from etl.readers.header import SEARCHED_ROWS, Header, Line, find_header
from etl.readers.package import Package, open_package
from etl.readers.sheet import Area, Cell, Row, read_merged_areas, read_rows
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


@dataclass(frozen=True, slots=True)
class WorkbookTable:
    """One sheet as a table. Rows have the sheet's own numbers; rows that hold nothing are no rows."""

    origin: Origin
    sample: pl.DataFrame
    source: Source
    header: Header
    part: str
    reader: CellReader

    def batches(self) -> Iterator[Batch]:
        """All rows; each call reads the sheet again. Raises FileError where the sheet is damaged."""
        with open_package(self.source) as package:
            areas = read_merged_areas(package.stream(self.part), self.source.label)
            with closing(read_rows(package.stream(self.part), self.reader)) as rows:
                data = (row for row in rows if row[0] > self.header.row and _holds_anything(row, self.header))
                for held in in_batches(data, lambda row: sum(len(cell.text or "") for cell in row[1])):
                    yield _assemble(self.origin, self.header, held, areas)


def survey_workbook(
    source: Source, *, sheet: str | None, header_row: int | None
) -> tuple[tuple[WorkbookTable, ...], tuple[Skipped, ...]]:
    """The tables of a workbook and the sheets left out. Reads the shared texts and the beginning of each sheet.

    Without `sheet` the visible worksheets that have a header are tables. Raises FileError: damaged, hostile, no such
    sheet, no sheet with a header.
    """
    tables: list[WorkbookTable] = []
    skipped: list[Skipped] = []
    refused: list[FileError] = []
    with open_package(source) as package:
        workbook = package.workbook_part()
        sheets = _list_sheets(package, workbook)
        name = _find_sheet(sheets, sheet, source.label) if sheet is not None else None
        reader = _open_cells(package, workbook)
        for one in sheets:
            reason = _KINDS.get(one.kind) or _why_not(one, name)
            if reason is None:
                try:
                    tables.append(_open_table(source, package, one, reader, header_row))
                    continue
                except _NoTableError as error:
                    refused.append(FileError(f"{source.label}, sheet {one.name}: {error}.", error.hint))
                    reason = str(error)
            skipped.append(Skipped(one.name, reason))
    if not tables:
        raise refused[0] if len(refused) == 1 else _no_table(source.label, name, skipped)
    return tuple(tables), tuple(skipped)


class _NoTableError(Exception):
    """A sheet that is no table; the argument says why."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


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


def _open_table(
    source: Source, package: Package, sheet: _Sheet, reader: CellReader, header_row: int | None
) -> WorkbookTable:
    head = _read_head(package, sheet.part, reader, header_row)
    lines: list[Line] = [(row, _filled(cells)) for row, cells in head]
    lines = [line for line in lines if line[1]]
    if not lines:
        raise _NoTableError("it is empty")
    try:
        header = find_header(lines, header_row, sheet.name)
    except FileError as error:
        raise _NoTableError(error.message.removeprefix(f"{sheet.name}: ").rstrip("."), error.hint) from error
    origin = Origin(source.file, sheet.name, "xlsx", header.names, header.positions, header.row)
    rows = [row for row in head if row[0] > header.row and _holds_anything(row, header)][:SAMPLE_ROWS]
    sample = _assemble(origin, header, rows, []).source
    return WorkbookTable(origin, sample, source, header, sheet.part, reader)


def _read_head(package: Package, part: str, reader: CellReader, header_row: int | None) -> list[Row]:
    head: list[Row] = []
    with closing(read_rows(package.stream(part), reader)) as rows:
        for row in rows:
            head.append(row)
            if row[0] > (header_row or 0) and len(head) >= SEARCHED_ROWS + SAMPLE_ROWS:
                break
    return head


def _filled(cells: Iterable[Cell]) -> dict[int, str]:
    return {cell.column: cell.text for cell in cells if cell.text is not None and cell.text.strip(BLANKS)}


def _holds_anything(row: Row, header: Header) -> bool:
    return any(
        cell.fault is not None or (cell.text is not None and cell.text.strip(BLANKS))
        for cell in row[1]
        if cell.column not in header.ignored
    )


def _assemble(origin: Origin, header: Header, rows: Sequence[Row], areas: Sequence[Area]) -> Batch:
    at = {position: index for index, position in enumerate(header.positions)}
    columns: list[list[str | None]] = [[None] * len(rows) for _ in header.positions]
    found: list[Problem] = []
    for place, (row, cells) in enumerate(rows):
        for cell in cells:
            index = at.get(cell.column)
            if index is not None:
                columns[index][place] = cell.text
                if cell.fault is not None:
                    name = header.names[index]
                    message = f"{name} {cell.fault.message}"
                    found.append(cell_problem(origin, row, name, cell.fault.code, message, cell.text))
            elif cell.column not in header.ignored and cell.text is not None and cell.text.strip(BLANKS):
                found.append(_unnamed(origin, row, cell, header))
    numbers = [row for row, _ in rows]
    for place, index, area in _covered(header.positions, numbers, areas, origin):
        columns[index][place] = None
        found.append(_merged(origin, numbers[place], header.names[index], area))
    return assemble(origin, numbers, {}, columns, found)


def _unnamed(origin: Origin, row: int, cell: Cell, header: Header) -> Problem:
    letters = column_letters(cell.column)
    message = (
        f"column {letters} holds data but has no name in the header (row {header.row}); name the column or empty it"
    )
    problem = cell_problem(origin, row, None, Code.RAGGED_ROW, message, cell.text)
    return problem._replace(cell=f"{origin.sheet}!{letters}{row}")


def _covered(
    positions: Sequence[int], rows: Sequence[int], areas: Sequence[Area], origin: Origin
) -> Iterator[tuple[int, int, Area]]:
    """Where merged areas cover cells of the table: place of the row, index of the column. Not their first cells."""
    seen: set[tuple[int, int]] = set()
    for area in areas:
        places = range(bisect_left(rows, area.top), bisect_right(rows, area.bottom))
        indexes = range(bisect_left(positions, area.left), bisect_right(positions, area.right))
        for place in places:
            for index in indexes:
                if (rows[place], positions[index]) == (area.top, area.left):
                    continue
                if (place, index) in seen:
                    raise FileError(f"{origin.file} is damaged: merged areas of the sheet {origin.sheet!r} overlap.")
                seen.add((place, index))
                yield place, index, area


def _merged(origin: Origin, row: int, column: str, area: Area) -> Problem:
    first = f"{column_letters(area.left)}{area.top}"
    message = (
        f"{column} is covered by the merged area {first}:{column_letters(area.right)}{area.bottom}, "
        f"whose value is only in {first}; unmerge the cells and fill in the value where it is meant"
    )
    problem = cell_problem(origin, row, column, Code.MERGED_CELL, message, None)
    return problem._replace(severity=Severity.WARNING)

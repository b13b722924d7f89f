"""Workbook: the visible sheets of an Excel file as tables, each cell as the file itself stores it.

It must never know what a sheet is about. The parts are read directly: the libraries at hand hide what a reader must
tell (openpyxl sees no sheet in a Strict workbook and cannot say that a formula has no result; calamine turns errors
into empty text), and hold a whole sheet in memory.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import polars as pl

from etl.errors import FileError
from etl.quoting import shorten
from etl.readers.options import ReadOptions
from etl.readers.sources.archive import SAVE_ANEW
from etl.readers.sources.source import Source
from etl.readers.survey import Skipped
from etl.readers.workbooks.cell_values import CellReader
from etl.readers.workbooks.grid import Area, GridTable, open_columns
from etl.readers.workbooks.hollow import begins_hollow
from etl.readers.workbooks.number_formats import MOST_FORMAT_CHARACTERS, builtin_format, shape_of, shown_digits
from etl.readers.workbooks.package import MOST_PARTS, Package, open_package, reopen_package
from etl.readers.workbooks.shared_texts import SharedTexts
from etl.readers.workbooks.sheets import ListedSheet, Visibility, open_sheets
from etl.readers.workbooks.stretch import ROW, TEXT, Stretch
from etl.readers.workbooks.unseen import unseen
from etl.readers.workbooks.xlsx.cell_columns import ColumnReader, is_odd
from etl.readers.workbooks.xlsx.facts import SIGNS, scan_sheet
from etl.readers.workbooks.xlsx.sheet import read_stretches
from etl.readers.workbooks.xlsx.strings import read_texts

MOST_STYLES = 100_000
"""Spreadsheet programs stop at 65,490."""
_LARGE_BYTES = 4 << 30
_MOST_REPEATED = 200
"""What the cells say to what the parts hold, in bytes. Where a prompt of 30,000 characters is in every row, 150."""
_MOST_NAME_CHARACTERS = 1_000
_CELL_BYTES = 16
"""A cell that names a text takes at least so many: `<c t="s"><v>0</v></c>`."""
_PACKED_RATIO = 30
"""Of the part with the texts, inflated to compressed size; those of words without a pattern reach 10."""
GLANCED_BYTES = 64 << 20
"""A larger sheet is not looked through where only its beginning is wanted, unless hardly anything is there."""

_FACTS = frozenset({"workbookPr", "calcPr"})
_TRUE = frozenset({"1", "true", "on"})
_KINDS = {
    "": "the workbook holds no part for it",
    "chartsheet": "it is a chart",
    "dialogsheet": "it is a dialog",
    "xlMacrosheet": "it is a macro sheet",
    "xlIntlMacrosheet": "it is a macro sheet",
}
_VISIBILITY = {"visible": Visibility.VISIBLE, "hidden": Visibility.HIDDEN, "veryHidden": Visibility.DEEPLY_HIDDEN}


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    state: str
    kind: str
    part: str


def survey_workbook(source: Source, options: ReadOptions) -> tuple[tuple[GridTable, ...], tuple[Skipped, ...]]:
    """The tables of a workbook and the sheets left out.

    Reads the shared texts and the beginning of each sheet, and looks each sheet through for what stands behind its
    rows; with `options.glance` only the first texts, and large sheets are not looked through. Without `options.sheet`
    the visible worksheets that have a header are tables. Raises FileError: damaged, hostile, no such sheet, no sheet
    with a header.
    """
    with open_package(source) as package:
        workbook = package.workbook_part()
        sheets, facts = _read_main(package, workbook)
        columns = _open_cells(source, package, workbook, sheets, facts)
        if not options.glance or columns.texts.may_pack:
            columns.texts.load()

        def open_sheet(at: int) -> GridTable:
            return _open_sheet(source, package, sheets[at], columns, options)

        return open_sheets(source.label, [_listed(sheet) for sheet in sheets], options.sheet, open_sheet)


def list_sheets(source: Source) -> tuple[str, ...]:
    """The names of all sheets, hidden ones last. Raises FileError: damaged, hostile."""
    with open_package(source) as package:
        sheets, _ = _read_main(package, package.workbook_part())
    return tuple(sheet.name for sheet in sorted(sheets, key=lambda sheet: sheet.state != "visible"))


def _read_main(package: Package, workbook: str) -> tuple[list[_Sheet], dict[str, Mapping[str, str]]]:
    """The sheets, and what else is said of the whole workbook (`_FACTS`), by the names of the elements."""
    parts = {relation.id: relation for relation in package.relations(workbook)}
    sheets: list[_Sheet] = []
    facts: dict[str, Mapping[str, str]] = {}
    for tag in package.tags(workbook):
        if tag.parent == "workbook" and tag.name in _FACTS:
            facts[tag.name] = tag.attributes
        if (tag.parent, tag.name) != ("sheets", "sheet"):
            continue
        name, relation = tag.attributes.get("name", ""), parts.get(tag.attributes.get("id", ""))
        kind, part = (relation.kind, relation.target) if relation else ("", "")
        sheets.append(_Sheet(name, tag.attributes.get("state", "visible"), kind, part))
        if len(sheets) > MOST_PARTS or len(name) > _MOST_NAME_CHARACTERS:
            raise FileError(
                f"{package.label} is refused: it lists more sheets, or longer names, than any program.", SAVE_ANEW
            )
    named = [sheet.part.lower() for sheet in sheets if sheet.kind == "worksheet"]
    if len(set(named)) < len(named):
        raise FileError(f"{package.label} is refused: two of its sheets are one and the same part.", SAVE_ANEW)
    return sheets, facts


def _listed(sheet: _Sheet) -> ListedSheet:
    return ListedSheet(sheet.name, _VISIBILITY.get(sheet.state, Visibility.VISIBLE), _KINDS.get(sheet.kind, ""))


def _open_cells(
    source: Source, package: Package, workbook: str, sheets: Sequence[_Sheet], facts: Mapping[str, Mapping[str, str]]
) -> ColumnReader:
    """What cells refer to: texts, number formats, the calendar."""
    parts = {relation.kind: relation.target for relation in package.relations(workbook)}
    strings = parts.get("sharedStrings", "?")

    def read() -> Generator[pl.Series]:
        if strings in package:
            with reopen_package(source, package) as opened:
                yield from read_texts(opened.stream(strings))

    cells_bytes = sum(package.size(part) for part in {sheet.part for sheet in sheets})
    may_pack = package.ratio(strings) > _PACKED_RATIO
    texts = SharedTexts(read, cells_bytes // _CELL_BYTES, source.label, may_pack=may_pack, is_odd=is_odd)
    codes = _read_formats(package, parts["styles"]) if parts.get("styles", "?") in package else []
    reader = CellReader(
        strings=texts,
        shapes=[shape_of(code) for code in codes],
        from_1904=facts.get("workbookPr", {}).get("date1904", "0").lower() in _TRUE,
        uncalculated=facts.get("calcPr", {}).get("fullCalcOnLoad", "0").lower() in _TRUE,
        label=package.label,
        digits=[shown_digits(code) for code in codes],
    )
    return ColumnReader(reader, texts, package.size(strings))


def _read_formats(package: Package, part: str) -> list[str]:
    """The number format of each cell style."""
    codes: dict[int, str] = {}
    styles: list[str] = []
    for tag in package.tags(part):
        number = tag.attributes.get("numFmtId", "0")
        if not (number.isascii() and number.isdecimal() and len(number) <= 10):
            raise FileError(f"{package.label} is damaged: {number[:20]!r} stands where the number of a format belongs.")
        if (tag.parent, tag.name) == ("numFmts", "numFmt"):
            codes[int(number)] = tag.attributes.get("formatCode", "General")[:MOST_FORMAT_CHARACTERS]
        elif (tag.parent, tag.name) == ("cellXfs", "xf"):
            styles.append(codes.get(int(number)) or builtin_format(int(number)))
        if max(len(codes), len(styles)) > MOST_STYLES:
            raise FileError(f"{package.label} is refused: it has more than {MOST_STYLES:,} cell styles.", SAVE_ANEW)
    return styles


def _open_sheet(
    source: Source, package: Package, sheet: _Sheet, columns: ColumnReader, options: ReadOptions
) -> GridTable:
    is_known = not options.glance or package.size(sheet.part) <= GLANCED_BYTES
    if not is_known:
        with closing(package.stream(sheet.part)) as pieces:
            is_known = begins_hollow(pieces, SIGNS)
    facts = scan_sheet(package.stream(sheet.part), source.label) if is_known else None
    stored_bytes = package.size(sheet.part) + columns.texts_bytes

    def read() -> Generator[Stretch]:
        with (
            reopen_package(source, package) as opened,
            closing(read_stretches(opened.stream(sheet.part), columns, facts.end if facts else None)) as found,
        ):
            yield from _bounded(found, stored_bytes, f"{source.label}, sheet {shorten(sheet.name)}")

    def areas() -> Sequence[Area]:
        if facts is not None:
            return facts.areas
        with reopen_package(source, package) as opened:
            return scan_sheet(opened.stream(sheet.part), source.label).areas

    return open_columns(
        source.file,
        sheet.name,
        "xlsx",
        read,
        areas,
        replace(options, glance=not is_known),
        unseen(facts) if facts else (),
    )


def _bounded(stretches: Iterable[Stretch], stored_bytes: int, place: str) -> Iterator[Stretch]:
    """The same, as long as the cells do not say one long text again and again, more than any reader could bear."""
    said = 0
    for stretch in stretches:
        said += int(stretch.cells[TEXT].str.len_bytes().cast(pl.Int64).sum())
        if said > _LARGE_BYTES and said > _MOST_REPEATED * stored_bytes:
            raise FileError(
                f"{place} is refused: its cells name the same texts again and again, {said:,} bytes up to row "
                f"{stretch.cells[ROW][-1]}, {_MOST_REPEATED} times as many as it holds."
            )
        yield stretch

"""XLSB workbook: the visible sheets of a binary Excel workbook as tables, each cell as the file itself stores it.

It must never know what a sheet is about. The records are read directly: the libraries at hand hide what a reader must
tell (calamine turns errors into empty text, pyxlsb into numbers; neither sees the cells that SheetJS writes).
"""

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from etl.errors import FileError
from etl.readers.options import ReadOptions
from etl.readers.sources.archive import SAVE_ANEW
from etl.readers.sources.source import Source
from etl.readers.survey import Skipped
from etl.readers.workbooks.binary_values import BinaryCells, DamagedRecordsError, HollowRecordsError
from etl.readers.workbooks.cell_values import CellReader
from etl.readers.workbooks.grid import Area, GridTable, open_columns
from etl.readers.workbooks.hollow import hollow_error
from etl.readers.workbooks.number_formats import builtin_format, shape_of, shown_digits
from etl.readers.workbooks.package import Package, Relation, open_package, reopen_package
from etl.readers.workbooks.plain_rows import MOST_ROWS
from etl.readers.workbooks.shared_texts import SharedTexts
from etl.readers.workbooks.sheets import ListedSheet, Visibility, open_sheets
from etl.readers.workbooks.stretch import Stretch
from etl.readers.workbooks.unseen import unseen
from etl.readers.workbooks.xlsb.facts import scan_xlsb_sheet
from etl.readers.workbooks.xlsb.records import Record, read_records, wide_text
from etl.readers.workbooks.xlsb.sheet import XlsbCells, read_xlsb_stretches

GLANCED_BYTES = 32 << 20
"""A larger sheet is not passed over where only its beginning is wanted."""

_MAIN_PART = "xl/workbook.bin"
_CALENDAR, _SHEET, _CALCULATION = 153, 156, 157
_TEXT = 19
_FORMAT, _STYLE, _BEGIN_STYLES, _END_STYLES = 44, 47, 617, 618
_FROM_1904, _CALCULATE_ON_LOAD = 0x01, 0x01
_MOST_LISTED_BYTES = 1 << 25
"""Of the list of sheets, and of the styles."""
_MOST_STYLES = 100_000
_LEAST_CELL_BYTES = 10
"""A cell that names a text has so many."""
_FEW_TEXTS = 100_000
"""So many are read whatever room they take; more of them, each different, take at least a byte each when packed."""
_PACKED_RATIO = 30
"""Of the part with the texts, inflated to compressed size; those of words without a pattern reach 10."""
_PIECE_TEXTS = 1 << 14
_VISIBILITY = {0: Visibility.VISIBLE, 1: Visibility.HIDDEN}
_KINDS = {
    "": "the workbook holds no part for it",
    "worksheet": "",
    "chartsheet": "it is a chart",
    "dialogsheet": "it is a dialog",
}


class _Sheet(NamedTuple):
    name: str
    visibility: int
    relation: str


class _Part(NamedTuple):
    """A sheet's name and the name of its part."""

    sheet: str
    name: str


class _Main(NamedTuple):
    """What the main part says."""

    sheets: list[_Sheet]
    from_1904: bool
    uncalculated: bool


def survey_xlsb(source: Source, options: ReadOptions) -> tuple[tuple[GridTable, ...], tuple[Skipped, ...]]:
    """The tables of a workbook and the sheets left out.

    Reads the shared texts and the beginning of each sheet, and passes over each sheet once; with `options.glance` only
    the first texts, and large sheets are not passed over. Raises FileError: damaged, hostile, no such sheet, no sheet
    with a header.
    """
    with _open_parts(source) as package:
        main = next((one.target for one in package.relations("") if one.kind == "officeDocument"), _MAIN_PART)
        found = _read_main(package, main)
        relations = {relation.id: relation for relation in package.relations(main)}
        cells = _open_cells(source, package, found, list(relations.values()))
        if not options.glance:
            cells.texts.load()
        parts = [relations.get(sheet.relation) for sheet in found.sheets]
        listed = [_listed(sheet, part) for sheet, part in zip(found.sheets, parts, strict=True)]

        def open_one(at: int) -> GridTable:
            part = parts[at]
            return _open_sheet(source, package, _Part(listed[at].name, part.target if part else ""), cells, options)

        return open_sheets(source.label, listed, options.sheet, open_one)


@contextmanager
def _open_parts(source: Source, opened: Package | None = None) -> Iterator[Package]:
    """The archive; the one that was `opened` before, or opened again."""
    with open_package(source) if opened is None else reopen_package(source, opened) as package:
        try:
            yield package
        except HollowRecordsError as error:
            raise hollow_error(source.label) from error
        except DamagedRecordsError as error:
            raise _damaged(source.label, str(error)) from error
        except (struct.error, IndexError) as error:
            raise _damaged(source.label, "a record has not the size that it should have") from error


def _damaged(label: str, why: str) -> FileError:
    return FileError(f"{label} is damaged: {why}.", "Open it in Excel and save it as .xlsx.")


def _read_main(package: Package, part: str) -> _Main:
    sheets: list[_Sheet] = []
    from_1904 = uncalculated = False
    for kind, body in _read_list(package, part):
        if kind == _SHEET:
            (visibility,) = struct.unpack_from("<I", body)
            relation, at = wide_text(body, 8)
            sheets.append(_Sheet(wide_text(body, at)[0], visibility, relation))
        elif kind == _CALENDAR:
            from_1904 = bool(body[0] & _FROM_1904)
        elif kind == _CALCULATION:
            uncalculated = bool(struct.unpack_from("<24xH", body)[0] & _CALCULATE_ON_LOAD)
    return _Main(sheets, from_1904, uncalculated)


def _listed(sheet: _Sheet, part: Relation | None) -> ListedSheet:
    visibility = _VISIBILITY.get(sheet.visibility, Visibility.DEEPLY_HIDDEN)
    return ListedSheet(sheet.name, visibility, _KINDS.get(part.kind if part else "", "it is a macro sheet"))


def _read_list(package: Package, part: str) -> Iterator[Record]:
    """The records of a part that is no sheet."""
    if package.size(part) > _MOST_LISTED_BYTES:
        raise FileError(
            f"{package.label} is refused: its part {part[:80]} has {package.size(part):,} bytes.", SAVE_ANEW
        )
    return read_records(package.stream(part))


def _open_cells(source: Source, package: Package, found: _Main, relations: Sequence[Relation]) -> XlsbCells:
    """What cells refer to: texts, number formats, the calendar."""
    parts = {relation.kind: relation.target for relation in relations}
    codes = _read_formats(package, parts)
    reader = CellReader(
        strings=(),
        shapes=[shape_of(code) for code in codes],
        from_1904=found.from_1904,
        uncalculated=found.uncalculated,
        label=package.label,
        digits=[shown_digits(code) for code in codes],
    )
    values = BinaryCells(reader)
    strings = parts.get("sharedStrings", "?")

    def read() -> Generator[pl.Series]:
        if strings in package:
            with _open_parts(source, package) as opened:
                yield from _read_texts(opened, strings, values)

    ratio = package.ratio(strings)
    cells_bytes = sum(package.size(part) for part in {one.target for one in relations if one.kind == "worksheet"})
    most = min(cells_bytes // _LEAST_CELL_BYTES, max(_FEW_TEXTS, round(package.size(strings) / ratio) if ratio else 0))
    texts = SharedTexts(read, most, source.label, may_pack=ratio > _PACKED_RATIO)
    return XlsbCells(values, texts)


def _read_formats(package: Package, parts: Mapping[str, str]) -> list[str]:
    """The number format of each cell style."""
    codes: dict[int, str] = {}
    styles: list[str] = []
    part = parts.get("styles", "?")
    inside = False
    for kind, body in _read_list(package, part) if part in package else ():
        if kind in {_BEGIN_STYLES, _END_STYLES}:
            inside = kind == _BEGIN_STYLES
        elif kind == _FORMAT:
            codes[int.from_bytes(body[:2], "little")] = wide_text(body, 2)[0]
        elif kind == _STYLE and inside:
            (number,) = struct.unpack_from("<2xH", body)
            styles.append(codes.get(number) or builtin_format(number))
            if len(styles) > _MOST_STYLES:
                raise FileError(
                    f"{package.label} is refused: it has more than {_MOST_STYLES:,} cell styles.", SAVE_ANEW
                )
    return styles


def _read_texts(package: Package, part: str, values: BinaryCells) -> Generator[pl.Series]:
    """Every text of the part, in order, in pieces."""
    texts: list[str] = []
    for kind, body in read_records(package.stream(part)):
        if kind == _TEXT:
            texts.append(values.storable(wide_text(body, 1)[0]))
            if len(texts) >= _PIECE_TEXTS:
                yield pl.Series(texts, dtype=pl.String)
                texts = []
    yield pl.Series(texts, dtype=pl.String)


def _open_sheet(source: Source, package: Package, part: _Part, cells: XlsbCells, options: ReadOptions) -> GridTable:
    is_known = not options.glance or package.size(part.name) <= GLANCED_BYTES
    facts = scan_xlsb_sheet(read_records(package.stream(part.name)), source.label) if is_known else None
    last_row = (facts.last_row if facts else None) or MOST_ROWS

    def read() -> Generator[Stretch]:
        with (
            _open_parts(source, package) as opened,
            closing(read_xlsb_stretches(read_records(opened.stream(part.name)), cells, last_row)) as found,
        ):
            yield from found

    def areas() -> Sequence[Area]:
        if facts is not None:
            return facts.areas
        with _open_parts(source, package) as opened:
            return scan_xlsb_sheet(read_records(opened.stream(part.name)), source.label).areas

    decisions = unseen(facts) if facts is not None else []
    return open_columns(source.file, part.sheet, "xlsb", read, areas, replace(options, glance=not is_known), decisions)

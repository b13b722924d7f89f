"""XLS workbook: the visible sheets of an Excel 5 to 2003 file as tables, each cell as the file itself stores it.

It must never know what a sheet is about. The records are read directly: the libraries at hand hide what a reader must
tell (calamine turns errors into empty text and can end the process; xlrd takes a formula without a result for an empty
text and leaves charts out of its list of sheets), and hold a whole workbook in memory.
"""

import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager

from etl.errors import FileError
from etl.readers.options import ReadOptions
from etl.readers.sources.compound import CompoundFile, open_compound
from etl.readers.sources.source import Source
from etl.readers.survey import Skipped
from etl.readers.workbooks.binary_values import BinaryCells, DamagedRecordsError, HollowRecordsError
from etl.readers.workbooks.cell_values import CellReader
from etl.readers.workbooks.grid import Area, GridTable, NoTableError, Row, open_grid
from etl.readers.workbooks.hollow import hollow_error
from etl.readers.workbooks.number_formats import builtin_format, shape_of, shown_digits
from etl.readers.workbooks.sheets import ListedSheet, Visibility, open_sheets
from etl.readers.workbooks.unseen import unseen
from etl.readers.workbooks.xls.facts import scan_xls_sheet
from etl.readers.workbooks.xls.globals import StoredSheet, XlsGlobals, read_globals
from etl.readers.workbooks.xls.records import Texts, read_records
from etl.readers.workbooks.xls.sheet import XlsCells, read_xls_rows
from etl.readers.workbooks.xls.text import open_decoder

_VISIBILITY = {0: Visibility.VISIBLE, 1: Visibility.HIDDEN}
_KINDS = {0: "", 1: "it is a macro sheet", 2: "it is a chart", 6: "it is a module of macros"}


def survey_xls(source: Source, options: ReadOptions) -> tuple[tuple[GridTable, ...], tuple[Skipped, ...]]:
    """The tables of a workbook and the sheets left out. Reads the shared texts and passes over each sheet once.

    Raises FileError: damaged, locked, of a version before Excel 5, no such sheet, no sheet with a header.
    """
    with _open_stream(source) as (file, name):
        found = read_globals(read_records(file.stream(name)), file.size(name), source.label)
        cells = _cells_of(found, source.label)
        listed = [_listed(sheet, cells) for sheet in found.sheets]

    def open_one(at: int) -> GridTable:
        return _open_sheet(source, listed[at].name, found.sheets[at].start, cells, options)

    return open_sheets(source.label, listed, options.sheet, open_one)


@contextmanager
def _open_stream(source: Source) -> Iterator[tuple[CompoundFile, str]]:
    """The file, and the name of the stream with the workbook; the newer one where a file has both."""
    try:
        with open_compound(source) as file:
            name = next((name for name in ("Workbook", "Book") if name in file), None)
            if name is None and "EncryptedPackage" in file:
                raise FileError(f"{source.label} is protected with a password.", "Save a copy without the password.")
            if name is None:
                raise FileError(f"{source.label} is a document of an old Office program, not an Excel workbook.")
            yield file, name
    except HollowRecordsError as error:
        raise hollow_error(source.label) from error
    except DamagedRecordsError as error:
        raise _damaged(source.label, str(error)) from error
    except struct.error as error:
        raise _damaged(source.label, "a record has not the size that it should have") from error


def _damaged(label: str, why: str) -> FileError:
    return FileError(f"{label} is damaged: {why}.", "Open it in a spreadsheet program and save it as .xlsx.")


def _cells_of(found: XlsGlobals, label: str) -> XlsCells:
    """What cells refer to: texts, number formats, the calendar, the code page."""
    codes = [found.formats.get(number) or builtin_format(number) for _, number in found.styles]
    reader = CellReader(
        strings=(),
        shapes=[shape_of(code) for code in codes],
        from_1904=found.from_1904,
        uncalculated=False,
        label=label,
        digits=[shown_digits(code) for code in codes],
    )
    decode = None if found.unicode else open_decoder(found.page, found.style_scripts(), label)
    return XlsCells(BinaryCells(reader), found.strings, decode, uncalculated=not found.calculated)


def _listed(sheet: StoredSheet, cells: XlsCells) -> ListedSheet:
    length, name = sheet.name[:1], sheet.name[1:]
    if cells.decode is None:
        shown = Texts([length + b"\0" + name], 0).read()
    else:
        shown = cells.decode(name[: int.from_bytes(length)], None)
    visibility = _VISIBILITY.get(sheet.visibility, Visibility.DEEPLY_HIDDEN)
    return ListedSheet(shown, visibility, _KINDS.get(sheet.kind, "it is no worksheet"))


def _open_sheet(source: Source, name: str, start: int, cells: XlsCells, options: ReadOptions) -> GridTable:
    with _open_stream(source) as (file, stream):
        is_dialog, rising, facts = scan_xls_sheet(read_records(file.stream(stream, start)), source.label)
    if is_dialog:
        raise NoTableError("it is a dialog")

    def rows() -> Generator[Row]:
        with _open_stream(source) as (file, stream):
            records = read_records(file.stream(stream, start))
            with closing(read_xls_rows(records, cells, rising=rising)) as found:
                yield from found

    def areas() -> Sequence[Area]:
        return facts.areas

    return open_grid(source.file, name, "xls", rows, areas, options, unseen(facts))

"""Workbooks in which every cell is text, so that nothing is computed, rounded or turned into a link.

This file must never know which workbook the rows came from.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from etl.errors import StoppedError
from etl.tables.files import NewFile, explain_failure
from etl.tables.limits import CELL_LIMIT, COLUMN_LIMIT, ROW_LIMIT, DoesNotFitError

if TYPE_CHECKING:
    import xlsxwriter  # type: ignore[import-untyped]  # the library does not publish its types

_COPY_BYTES = 1 << 20
_NAME_LIMIT = 31
_FORBIDDEN_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet to write. `rows` may come one by one, and be longer or shorter than `columns`; None is a blank cell."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[str | None]]


COLUMN_WIDTH = 24
"""In characters: wide enough for a sentence that wraps."""
LINE_HEIGHT_POINTS = 15
LINES_SHOWN = 12
"""How high a row may become; a longer cell is all there, and is seen when it is entered."""
LAST_COLUMN_WIDTH = 60
"""In rejects the last column says why."""


def write_workbook(file: NewFile, sheets: Sequence[Sheet]) -> None:
    """Write sheets row by row: memory does not grow with them. A name that Excel would refuse is changed.

    Raises DoesNotFitError for more text, rows or columns than a workbook holds, StoppedError where the file cannot be
    written.
    """
    # The library packs into a file of its own: a full disk under `file` then meets our code, not its destructors.
    with (
        explain_failure(file.path),
        tempfile.TemporaryDirectory(prefix="coval-etl-") as folder,
        tempfile.TemporaryFile(dir=folder) as packed,
    ):
        _pack_workbook(file.path, packed, folder, sheets)
        packed.seek(0)
        while chunk := packed.read(_COPY_BYTES):
            file.write(chunk)


def _pack_workbook(path: Path, packed: BinaryIO, folder: str, sheets: Sequence[Sheet]) -> None:
    import xlsxwriter
    from xlsxwriter import exceptions

    options = {
        "constant_memory": True,
        "tmpdir": folder,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    workbook = xlsxwriter.Workbook(packed, options)
    workbook.use_zip64()
    # Cells of the kind "text": a `00123` typed into a mended row stays what was typed.
    as_text = workbook.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
    as_name = workbook.add_format({"num_format": "@", "text_wrap": True, "valign": "top", "bold": True})
    try:
        for name, sheet in zip(allowed_names([sheet.name for sheet in sheets]), sheets, strict=True):
            _write_sheet(workbook, name, sheet, as_text, as_name)
        workbook.close()
    except exceptions.XlsxWriterException as error:
        raise StoppedError(f"{path} cannot be written: {error}.") from error
    finally:
        for worksheet in workbook.worksheets():
            with suppress(OSError):
                worksheet.row_data_fh.close()


def _write_sheet(workbook: "xlsxwriter.Workbook", name: str, sheet: Sheet, as_text: object, as_name: object) -> None:
    worksheet = workbook.add_worksheet(name)
    worksheet.freeze_panes(1, 0)
    worksheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    worksheet.set_landscape()
    worksheet.fit_to_pages(1, 0)
    for row_index, row in enumerate(chain([sheet.columns], sheet.rows)):
        if row_index == ROW_LIMIT or len(row) > COLUMN_LIMIT:
            raise DoesNotFitError(f"sheet {sheet.name} has more rows or columns than a workbook holds")
        worksheet.set_row(row_index, LINE_HEIGHT_POINTS * _lines_of(row))
        for column_index, cell in enumerate(row):
            if cell:
                _refuse_long(cell, sheet.name)
                worksheet.write_string(row_index, column_index, cell, as_text if row_index else as_name)
    # Only now: the library looks through all columns that have a form, for each row that is written after that.
    worksheet.set_column(0, COLUMN_LIMIT - 1, COLUMN_WIDTH, as_text)
    if sheet.columns:
        last = len(sheet.columns) - 1
        worksheet.set_column(last, last, LAST_COLUMN_WIDTH, as_text)


def _lines_of(row: Sequence[str | None]) -> int:
    """How many lines the row takes when its cells wrap: at least 1, at most `LINES_SHOWN`."""
    most = 1
    for index, cell in enumerate(row):
        if cell:
            width = LAST_COLUMN_WIDTH if index == len(row) - 1 else COLUMN_WIDTH
            shown = cell[: width * LINES_SHOWN]
            most = max(most, sum(1 + len(line) // width for line in shown.split("\n")))
    return min(most, LINES_SHOWN)


def _refuse_long(cell: str, sheet_name: str) -> None:
    # Characters beyond U+FFFF count twice in Excel, and only there is counting worth its time.
    if len(cell) * 2 > CELL_LIMIT and _length_utf16(cell) > CELL_LIMIT:
        raise DoesNotFitError(f"sheet {sheet_name} has a cell of more than {CELL_LIMIT:,} characters")


def allowed_names(names: Iterable[str]) -> Iterator[str]:
    """Names as Excel takes them: 1-31 UTF-16 units, none of `[]:*?/\\`, no outer `'`, distinct in any letter case."""
    taken: set[str] = set()
    for wanted in names:
        plain = _FORBIDDEN_IN_NAMES.sub("_", wanted)
        endings = chain([""], (f" ({number})" for number in count(2)))
        candidates = (_cut(plain, _NAME_LIMIT - len(ending)).strip("'") + ending for ending in endings)
        name = next(name for name in candidates if name and name.lower() not in taken)
        taken.add(name.lower())
        yield name


def _cut(text: str, limit: int) -> str:
    while _length_utf16(text) > limit:
        text = text[:-1]
    return text


def _length_utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

"""Workbooks of many typed rows: a sheet for each table, numbers as numbers, text as text that no program computes.

This file must never know what the tables are about.
"""

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from etl.errors import StoppedError
from etl.tables.files import NewFile, explain_failure
from etl.tables.limits import ROW_LIMIT
from etl.tables.workbook import allowed_names

if TYPE_CHECKING:
    import xlsxwriter  # type: ignore[import-untyped]

_COPY_BYTES = 1 << 20
_WIDEST, _NARROWEST = 60, 8
_SAMPLED = 200
"""So many rows say how wide a column is."""
_WRAPPED_CHARACTERS = 400
"""A column whose texts are all as short as this shows them whole, on several lines; longer ones would bury the rows."""
_EXACT_DIGITS, _EXACT_BELOW = 15, 10**15
"""What a spreadsheet keeps of a number ("Excel specifications and limits")."""


@dataclass(frozen=True, slots=True)
class TypedSheet:
    """A table. Cells are `str`, `int`, `float`, `bool` or None; a text is at most 32,767 UTF-16 units long."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]


def write_typed_workbook(file: NewFile, sheets: Iterable[TypedSheet], rows_a_sheet: int = ROW_LIMIT - 1) -> None:
    """Write sheets row by row: memory does not grow with them, and the same rows give the same bytes.

    The header is frozen and can be filtered. More rows than a sheet holds go on in a next one. Raises StoppedError
    where the file cannot be written.
    """
    with (
        explain_failure(file.path),
        tempfile.TemporaryDirectory(prefix="coval-etl-") as folder,
        tempfile.TemporaryFile(dir=folder) as packed,
    ):
        _pack(file, packed, folder, sheets, rows_a_sheet)
        packed.seek(0)
        while chunk := packed.read(_COPY_BYTES):
            file.write(chunk)


def _pack(file: NewFile, packed: BinaryIO, folder: str, sheets: Iterable[TypedSheet], rows_a_sheet: int) -> None:
    from datetime import datetime

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
    workbook.set_properties({"created": datetime(2000, 1, 1), "author": "coval-etl"})  # noqa: DTZ001
    try:
        for name, part in _parts(sheets, rows_a_sheet):
            _write(workbook, name, part)
        workbook.close()
    except exceptions.XlsxWriterException as error:
        raise StoppedError(f"{file.path} cannot be written: {error}.") from error
    finally:
        for worksheet in workbook.worksheets():
            with suppress(OSError):
                worksheet.row_data_fh.close()


def _parts(sheets: Iterable[TypedSheet], rows_a_sheet: int) -> Iterator[tuple[str, TypedSheet]]:
    """Sheets that fit, under names that Excel takes. A sheet without rows is its header."""
    taken: list[str] = []
    for sheet in sheets:
        rows = iter(sheet.rows)
        first = next(rows, None)
        while True:
            taken.append(sheet.name)
            name = list(allowed_names(taken))[-1]
            part = [] if first is None else _chained(first, islice(rows, rows_a_sheet - 1))
            yield name, TypedSheet(sheet.name, sheet.columns, part)
            first = next(rows, None)
            if first is None:
                break


def _chained(first: Sequence[Any], rest: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield first
    yield from rest


def _write(workbook: "xlsxwriter.Workbook", name: str, sheet: TypedSheet) -> None:
    worksheet = workbook.add_worksheet(name)
    worksheet.freeze_panes(1, 0)
    worksheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    worksheet.set_landscape()
    worksheet.repeat_rows(0)
    bold = workbook.add_format({"bold": True, "num_format": "@", "bottom": 1, "bg_color": "#EDEFF2"})
    # A text that is edited stays text: `quote_prefix` is what typing a ' in front does, and is no part of the value.
    text = workbook.add_format({"num_format": "@", "quote_prefix": True, "valign": "top"})
    number = workbook.add_format({"valign": "top"})
    rows = iter(sheet.rows)
    sample = list(islice(rows, _SAMPLED))
    wrapped = workbook.add_format({"num_format": "@", "quote_prefix": True, "valign": "top", "text_wrap": True})
    forms = []
    for at, width in enumerate(_widths(sheet.columns, sample)):
        worksheet.set_column(at, at, width)
        forms.append(wrapped if width == _WIDEST and _longest(at, sample) <= _WRAPPED_CHARACTERS else text)
    for at, column in enumerate(sheet.columns):
        worksheet.write_string(0, at, column, bold)
    count = 0
    for row in _chained(sample[0], _joined(sample[1:], rows)) if sample else ():
        count += 1
        for at, cell in enumerate(row):
            if cell is None or cell == "":
                continue
            if isinstance(cell, bool):
                worksheet.write_boolean(count, at, cell, number)
            elif isinstance(cell, int | float) and _is_exact(cell):
                worksheet.write_number(count, at, cell, number)
            else:
                worksheet.write_string(count, at, cell if isinstance(cell, str) else repr(cell), forms[at])
    if sheet.columns:
        worksheet.autofilter(0, 0, max(count, 1), len(sheet.columns) - 1)


def _joined(begun: Sequence[Sequence[Any]], rest: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield from begun
    yield from rest


def _is_exact(number: float) -> bool:
    """Whether a spreadsheet keeps all digits of it."""
    if isinstance(number, int):
        return -_EXACT_BELOW < number < _EXACT_BELOW
    return math.isfinite(number) and bool(float(f"{number:.{_EXACT_DIGITS}G}") == number)


def _longest(at: int, sample: Sequence[Sequence[Any]]) -> int:
    """Characters of the longest text of a column."""
    return max((len(str(row[at])) for row in sample if row[at] is not None), default=0)


def _widths(columns: Sequence[str], sample: Sequence[Sequence[Any]]) -> list[int]:
    def width(at: int) -> int:
        longest = max((len(str(row[at]).split("\n", 1)[0]) for row in sample if row[at] is not None), default=0)
        return min(max(longest, len(columns[at]) + 3, _NARROWEST) + 1, _WIDEST)

    return [width(at) for at in range(len(columns))]

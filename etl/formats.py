"""The names of the file formats, in the words of flags, mappings and reports. It must never know how one is read."""

from typing import Literal, get_args

CellFormat = Literal["csv", "xlsx", "xls", "xlsb", "ods"]
RecordFormat = Literal["jsonl", "json", "yaml", "parquet", "arrow"]
Format = CellFormat | RecordFormat

CELL_FORMATS: tuple[CellFormat, ...] = get_args(CellFormat)
"""Formats whose cells have addresses and whose columns stand in a header row."""
WORKBOOK_FORMATS: tuple[CellFormat, ...] = ("xlsx", "xls", "xlsb", "ods")
"""Cell formats with sheets. `xlsx` is also what `.xlsm`, `.xltx` and `.xltm` files hold."""
RECORD_FORMATS: tuple[RecordFormat, ...] = get_args(RecordFormat)
"""Formats whose rows are objects with keys."""
FORMATS: tuple[Format, ...] = (*CELL_FORMATS, *RECORD_FORMATS)
"""Every format that is read."""

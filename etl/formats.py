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

ReportFormat = Literal["html", "json", "jsonl", "csv", "xlsx", "rejects", "annotated"]
REPORT_FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)
"""What a report is written in: a page, a summary, results (a line, or a row of a table, for each row), rows to mend,
and marked workbooks."""
USUAL_REPORT_FORMATS: tuple[ReportFormat, ...] = ("html", "json", "jsonl", "rejects", "annotated")
"""Those that every report has; the others are written when asked for."""

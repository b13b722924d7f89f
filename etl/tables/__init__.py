"""Writing tables: delimited text, workbooks and JSON Lines, exactly and safely.

This room must never know what a row means. A table is its columns and rows of cells, each text or None (blank); files
appear whole or not at all, and only their owner can read them.
"""

from etl.tables.delimited import Dialect, write_delimited
from etl.tables.files import NewFile, explain_failure, make_folder, partial_names
from etl.tables.guard import guard, unguard, unguarded
from etl.tables.jsonlines import json_text, object_text, string_text, write_lines
from etl.tables.limits import CELL_LIMIT, DoesNotFitError
from etl.tables.parquet import write_parquet
from etl.tables.typed_workbook import TypedSheet, write_typed_workbook
from etl.tables.workbook import Sheet, allowed_names, write_workbook

__all__ = [
    "CELL_LIMIT",
    "Dialect",
    "DoesNotFitError",
    "NewFile",
    "Sheet",
    "TypedSheet",
    "allowed_names",
    "explain_failure",
    "guard",
    "json_text",
    "make_folder",
    "object_text",
    "partial_names",
    "string_text",
    "unguard",
    "unguarded",
    "write_delimited",
    "write_lines",
    "write_parquet",
    "write_typed_workbook",
    "write_workbook",
]

"""What a format cannot hold. This file must never know what is written instead."""

CELL_LIMIT = 32_767
"""UTF-16 units in a workbook's cell ("Excel specifications and limits")."""
ROW_LIMIT = 1_048_576
"""Rows in a sheet, its header included (same page)."""
COLUMN_LIMIT = 16_384
"""Columns in a sheet (same page)."""


class DoesNotFitError(ValueError):
    """The rows cannot be written in this format without changing them; the message says what is in the way."""

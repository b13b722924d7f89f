"""XLSB facts: what is true of a whole worksheet of a binary workbook, found out before its cells are read.

It must never know what a cell holds. The layout is that of Microsoft's [MS-XLSB].
"""

import struct
from collections.abc import Iterable

from etl.readers.workbooks.binary_values import DamagedRecordsError
from etl.readers.workbooks.merged import Area
from etl.readers.workbooks.plain_rows import MOST_ROWS
from etl.readers.workbooks.unseen import SheetFacts, refuse_many_areas
from etl.readers.workbooks.xlsb.records import END_ROWS, RICH_TEXT, ROW, VALUES, Record

_COLUMNS, _MERGED, _FILTER = 60, 176, 163
_LAST_CELL = 18
_HIDDEN_ROW, _HIDDEN_COLUMN = 0x10, 0x01
_AREA = struct.Struct("<4I")
_COLUMN_SPAN = struct.Struct("<2I8xH")


def scan_xlsb_sheet(records: Iterable[Record], label: str) -> SheetFacts:
    """Pass over a sheet.

    Raises struct.error and IndexError where records are too short, DamagedRecordsError where rows do not rise or their
    end is missing, FileError for many areas.
    """
    scan = _Scan(label)
    for kind, body in records:
        if kind == ROW:
            scan.turn(body)
        elif kind <= _LAST_CELL or kind == RICH_TEXT:
            scan.see_cell(holds=kind in VALUES)
        else:
            scan.note(kind, body)
    return scan.facts()


class _Scan:
    """Gathers what the records say."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._areas: list[Area] = []
        self._columns: list[tuple[int, int]] = []
        self._row = self._last_row = -1
        self._hidden = self._filtered = self._ended = False
        self._hidden_rows = 0

    def turn(self, body: bytes) -> None:
        """A row begins."""
        row = int.from_bytes(body[:4], "little")
        if not self._row < row < MOST_ROWS:
            raise DamagedRecordsError(f"row {row + 1} follows row {self._row + 1}")
        self._row, self._hidden = row, bool(body[11] & _HIDDEN_ROW)

    def see_cell(self, *, holds: bool) -> None:
        """A cell of the row."""
        if holds:
            self._last_row = self._row
        self._hidden_rows += self._hidden
        self._hidden = False

    def note(self, kind: int, body: bytes) -> None:
        """A record that is neither."""
        if kind == END_ROWS:
            self._ended = True
        elif kind == _MERGED:
            top, bottom, left, right = _AREA.unpack(body)
            if (top, left) != (bottom, right):
                self._areas.append(Area(top + 1, left + 1, bottom + 1, right + 1))
                refuse_many_areas(self._areas, self._label)
        elif kind == _COLUMNS:
            first, last, flags = _COLUMN_SPAN.unpack_from(body)
            self._columns += [(first + 1, last + 1)] if flags & _HIDDEN_COLUMN else []
        elif kind == _FILTER:
            self._filtered = True

    def facts(self) -> SheetFacts:
        if not self._ended:
            raise DamagedRecordsError("a sheet has no end")
        areas = sorted(self._areas)
        return SheetFacts(areas, self._hidden_rows, self._columns, self._filtered, last_row=self._last_row + 1)

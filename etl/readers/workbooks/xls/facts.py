"""XLS facts: what is true of a whole worksheet of an old Excel workbook, found out before its cells are read.

It must never know what a cell holds. The layout is that of Microsoft's [MS-XLS].
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from etl.errors import FileError
from etl.readers.workbooks.binary_values import DamagedRecordsError
from etl.readers.workbooks.grid import Area
from etl.readers.workbooks.unseen import SheetFacts, refuse_many_areas
from etl.readers.workbooks.xls.records import CELLS, Record, sheet_records

_IS_DIALOG, _HIDDEN_ROW, _HIDDEN_COLUMN = 0x10, 0x20, 0x01
_LAST_COLUMN = 255
_MOST_SORTED_CELLS = 1_000_000
"""Of a sheet whose cells do not come row by row, and have to be held in memory."""


class _Kind:
    """The records that are listened to."""

    ROW = 0x208
    COLUMNS = 0x7D
    MERGED = 0xE5
    OPTIONS = 0x81
    FILTERED = 0x9B


class XlsFacts(NamedTuple):
    """What a sheet's records say."""

    is_dialog: bool
    rising: bool
    """Whether its cells come row by row, which most programs see to."""
    facts: SheetFacts


def scan_xls_sheet(records: Iterable[Record], label: str) -> XlsFacts:
    """Pass over a sheet.

    Raises DamagedRecordsError and struct.error, and FileError for too many merged areas or unordered cells.
    """
    scan = _Scan(label)
    last = count = 0
    rising = True
    for kind, body in sheet_records(records):
        if kind in CELLS:
            row = int.from_bytes(body[:2], "little")
            count += 1
            rising = rising and row >= last
            last = row
            if row in scan.hidden:
                scan.hidden.remove(row)
                scan.hidden_rows += 1
        else:
            scan.note(kind, body)
    if not rising and count > _MOST_SORTED_CELLS:
        raise FileError(
            f"{label} is refused: {count:,} cells of a sheet stand in no order.",
            "Open it in Excel and save it as .xlsx.",
        )
    facts = SheetFacts(sorted(scan.areas), scan.hidden_rows, scan.columns, scan.filtered)
    return XlsFacts(scan.is_dialog, rising, facts)


class _Scan:
    """Gathers what the records other than cells say."""

    def __init__(self, label: str) -> None:
        self.is_dialog = False
        self.filtered = False
        self.areas: list[Area] = []
        self.columns: list[tuple[int, int]] = []
        self.hidden: set[int] = set()
        """Hidden rows of which no cell has come yet."""
        self.hidden_rows = 0
        self._label = label

    def note(self, kind: int, body: bytes) -> None:
        match kind:
            case _Kind.ROW:
                row, flags = struct.unpack_from("<H10xH", body)
                if flags & _HIDDEN_ROW:
                    self.hidden.add(row)
            case _Kind.COLUMNS:
                first, last, flags = struct.unpack_from("<2H4xH", body)
                if flags & _HIDDEN_COLUMN:
                    self.columns.append((first + 1, min(last, _LAST_COLUMN) + 1))
            case _Kind.MERGED:
                self.areas += _areas(body)
                refuse_many_areas(self.areas, self._label)
            case _Kind.OPTIONS:
                self.is_dialog = bool(body[:1]) and bool(body[0] & _IS_DIALOG)
            case _Kind.FILTERED:
                self.filtered = True
            case _:
                pass


def _areas(body: bytes) -> Iterator[Area]:
    count = int.from_bytes(body[:2], "little")
    if len(body) < 2 + 8 * count:
        raise DamagedRecordsError("its list of merged areas breaks off")
    for top, bottom, left, right in struct.iter_unpack("<4H", body[2 : 2 + 8 * count]):
        if (top, left) != (bottom, right):
            yield Area(top + 1, left + 1, bottom + 1, right + 1)

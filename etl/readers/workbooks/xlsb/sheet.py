"""XLSB sheet: the cells of one worksheet of a binary workbook, streamed.

It must never know which row is the header. The layout is that of Microsoft's [MS-XLSB]; cells that hold nothing have
records of their own, which are passed over.
"""

import struct
from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple

import polars as pl

from etl.readers.workbooks.binary_values import BinaryCells, DamagedRecordsError, packed_number
from etl.readers.workbooks.cell_values import Fault, Value
from etl.readers.workbooks.plain_rows import MOST_ROWS, MOST_SHEET_COLUMNS
from etl.readers.workbooks.shared_texts import SharedTexts
from etl.readers.workbooks.stretch import CELLS, COLUMN, FAULT, ROW, TEXT, Stretch
from etl.readers.workbooks.xlsb.records import BLANK, END_ROWS, RICH_TEXT, SHORT_BLANK, SHORT_BLANKS, Record, wide_text
from etl.readers.workbooks.xlsb.records import ROW as ROW_RECORD

_PACKED, _ERROR, _BOOLEAN, _NUMBER, _TEXT, _SHARED = range(2, 8)
_TEXT_RESULT, _NUMBER_RESULT, _BOOLEAN_RESULT, _ERROR_RESULT = range(8, 12)
_SHORT = {SHORT_BLANK: BLANK, **dict(zip(range(13, 19), range(_PACKED, _SHARED + 1), strict=True))}
"""Cells without a column of their own: each stands beside the one before it. SheetJS writes them."""
_BEGIN_ROWS = 145
_LONG_HEAD, _SHORT_HEAD = 8, 4
_STRETCH_CELLS = 20_000
_STRETCH_CHARACTERS = 8_000_000

_U32 = struct.Struct("<I")
_HEAD = struct.Struct("<II")
_DOUBLE = struct.Struct("<d")


class XlsbCells(NamedTuple):
    """How the cells of one workbook are read."""

    values: BinaryCells
    texts: SharedTexts
    """Those that cells name by number."""


def read_xlsb_stretches(records: Iterable[Record], cells: XlsbCells, last_row: int = MOST_ROWS) -> Generator[Stretch]:
    """The cells that hold anything, row by row, from the first row to `last_row`.

    Raises DamagedRecordsError, struct.error and IndexError where the part contradicts itself.
    """
    collector = _Collector(cells)
    inside = False
    for kind, body in records:
        if not inside:
            inside = kind == _BEGIN_ROWS
        elif kind == ROW_RECORD:
            if collector.is_full():
                yield collector.take()
            row = _U32.unpack_from(body)[0]
            if last_row <= row < MOST_ROWS:
                break
            collector.turn(row)
        elif kind == END_ROWS:
            break
        else:
            collector.add(kind, body)
    else:
        raise DamagedRecordsError("a sheet has no end")
    yield collector.take()


class _Collector:
    """Gathers cells row by row."""

    def __init__(self, cells: XlsbCells) -> None:
        self._cells = cells
        self._values = cells.values
        self._row = -1
        self._column = -1
        self._seen: set[int] = set()
        """The columns of the row's cells."""
        self._rows: list[int] = []
        self._columns: list[int] = []
        self._texts: list[str | None] = []
        self._places: list[int | None] = []
        self._faults: list[Fault] = []
        self._shared: list[int] = []
        """The numbers of texts that are still to be looked up, and of which cells."""
        self._sharing: list[int] = []
        self._characters = 0
        self._readers: dict[int, Callable[[bytes, int, int], Value]] = {
            BLANK: lambda *_: (None, None),
            _PACKED: self._packed,
            _ERROR: lambda body, at, _: self._values.error(body[at]),
            _BOOLEAN: lambda body, at, _: self._values.boolean(body[at]),
            _NUMBER: self._number,
            _TEXT: lambda body, at, _: self._values.text(wide_text(body, at)[0]),
            _SHARED: self._share,
            RICH_TEXT: lambda body, at, _: self._values.text(wide_text(body, at + 1)[0]),
            _TEXT_RESULT: lambda body, at, _: self._values.text(wide_text(body, at)[0]),
            _NUMBER_RESULT: self._number_result,
            _BOOLEAN_RESULT: lambda body, at, _: self._values.boolean(body[at]),
            _ERROR_RESULT: lambda body, at, _: self._values.error(body[at]),
        }

    def is_full(self) -> bool:
        """Whether enough cells are held for a stretch. To be asked between rows."""
        return len(self._rows) >= _STRETCH_CELLS or self._characters >= _STRETCH_CHARACTERS

    def turn(self, row: int) -> None:
        """Begin a row."""
        if not self._row < row < MOST_ROWS:
            raise DamagedRecordsError(f"row {row + 1} follows row {self._row + 1}")
        self._row, self._column, self._seen = row, -1, set()

    def add(self, kind: int, body: bytes) -> None:
        """Take a cell; records of other kinds are passed over."""
        read = self._readers.get(kind)
        if read is not None:
            self._column, style = _HEAD.unpack_from(body)
            at = _LONG_HEAD
        elif kind in _SHORT:
            read = self._readers[_SHORT[kind]]
            self._column, style = self._column + 1, _U32.unpack_from(body)[0]
            at = _SHORT_HEAD
        else:
            if kind == SHORT_BLANKS:
                self._column += _U32.unpack(body)[0]
            return
        column = self._column
        if self._row < 0 or column >= MOST_SHEET_COLUMNS or column in self._seen:
            raise DamagedRecordsError(f"row {self._row + 1} holds a cell twice, or one outside the sheet")
        self._seen.add(column)
        text, fault = read(body, at, style & 0xFFFFFF)
        if text is not None or fault is not None:
            self._rows.append(self._row + 1)
            self._columns.append(column + 1)
            self._texts.append(text)
            self._places.append(self._place(fault) if fault is not None else None)
            self._characters += len(text or "")

    def take(self) -> Stretch:
        """The cells gathered since the last call."""
        self._look_up()
        data = {ROW: self._rows, COLUMN: self._columns, TEXT: self._texts, FAULT: self._places}
        cells = pl.DataFrame(data, schema=CELLS)
        found = Stretch(cells.filter((pl.col(TEXT) != "") | pl.col(FAULT).is_not_null()), self._faults)
        self._rows, self._columns, self._texts, self._places, self._faults = [], [], [], [], []
        self._characters = 0
        return found

    def _look_up(self) -> None:
        texts = self._cells.texts.gather(pl.Series(self._shared, dtype=pl.UInt32))
        if texts.null_count():
            number = self._shared[texts.is_null().arg_max() or 0]
            raise DamagedRecordsError(f"a cell names text {number}, which the workbook does not hold")
        for at, text in zip(self._sharing, texts, strict=True):
            self._texts[at], fault = self._values.text(text)
            if fault is not None:
                self._places[at] = self._place(fault)
        self._shared, self._sharing = [], []

    def _place(self, fault: Fault) -> int:
        self._faults.append(fault)
        return len(self._faults) - 1

    def _share(self, body: bytes, at: int, _: int) -> Value:
        self._shared.append(_U32.unpack_from(body, at)[0])
        self._sharing.append(len(self._rows))
        return "", None

    def _packed(self, body: bytes, at: int, style: int) -> Value:
        return self._values.number(packed_number(_U32.unpack_from(body, at)[0]), style)

    def _number(self, body: bytes, at: int, style: int) -> Value:
        return self._values.number(_DOUBLE.unpack_from(body, at)[0], style)

    def _number_result(self, body: bytes, at: int, style: int) -> Value:
        return self._values.number(_DOUBLE.unpack_from(body, at)[0], style, formula=True)

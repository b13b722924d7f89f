"""XLS sheet: the rows of one worksheet of an old Excel workbook, streamed.

It must never know which row is the header. The layout is that of Microsoft's [MS-XLS]; cells that hold nothing have
records of their own, which are passed over.
"""

import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import NamedTuple

from etl.readers.workbooks.binary_values import BinaryCells, DamagedRecordsError, packed_number
from etl.readers.workbooks.cell_values import Value
from etl.readers.workbooks.grid import Cell, Row
from etl.readers.workbooks.xls.records import CONTINUE, Record, Texts, sheet_records

_LABEL, _RICH_LABEL, _SHARED_LABEL = 0x204, 0xD6, 0xFD
_NUMBER, _PACKED, _PACKED_ROW = 0x203, 0x27E, 0xBD
_BOOLEAN_OR_ERROR = 0x205
_FORMULAS = (0x06, 0x206, 0x406)
_RESULT = 0x207
_CALCULATE_ON_LOAD = 0x02
_TEXT_RESULT, _BOOLEAN_RESULT, _ERROR_RESULT, _EMPTY_RESULT = range(4)
_MOST_COLUMNS = 256


class XlsCells(NamedTuple):
    """How the cells of one workbook are read."""

    values: BinaryCells
    strings: list[str]
    """The texts that cells name by number."""
    decode: Callable[[bytes, int | None], str] | None
    """Makes text of the bytes in a cell of a style; None where texts are Unicode."""
    uncalculated: bool
    """Whether the program that wrote the workbook may not have calculated, so that an empty text is no result."""


def read_xls_rows(records: Iterable[Record], cells: XlsCells, *, rising: bool) -> Generator[Row]:
    """The rows that hold anything, rising. Raises DamagedRecordsError where records contradict each other.

    A sheet whose cells do not come row by row is held in memory and sorted.
    """
    rows = _Collector(cells).rows(sheet_records(records), rising=rising)
    if rising:
        yield from rows
    else:
        yield from sorted(rows)


class _LateText(NamedTuple):
    """A text that may go on in the records to come."""

    row: int
    column: int
    bodies: list[bytes]
    at: int


class _Collector:
    """Turns records into rows."""

    def __init__(self, cells: XlsCells) -> None:
        self._cells = cells
        self._values = cells.values
        self._rows: dict[int, dict[int, Cell]] = {}
        self._row: dict[int, Cell] = {}
        self._row_number = -1
        self._late: _LateText | None = None
        self._awaited: tuple[int, int, int] | None = None
        """Row, column and style of a formula whose text follows."""
        self._actions: dict[int, Callable[[bytes], None]] = {
            _SHARED_LABEL: self._shared_label,
            _LABEL: self._label,
            _RICH_LABEL: self._label,
            _NUMBER: self._number,
            _PACKED: self._packed,
            _PACKED_ROW: self._packed_row,
            _BOOLEAN_OR_ERROR: self._boolean_or_error,
            _RESULT: self._result,
            **dict.fromkeys(_FORMULAS, self._formula),
        }

    def rows(self, records: Iterable[Record], *, rising: bool) -> Iterator[Row]:
        for kind, body in records:
            if self._late is not None:
                if kind == CONTINUE:
                    self._late.bodies.append(body)
                    continue
                self._end_text(self._late)
            action = self._actions.get(kind)
            if action is None:
                continue
            if self._awaited is not None and kind != _RESULT:
                self._end_formula(self._awaited)
            action(body)
            if rising and len(self._rows) > 1:
                yield from self._take()
        if self._late is not None:
            self._end_text(self._late)
        if self._awaited is not None:
            self._end_formula(self._awaited)
        while self._rows:
            yield from self._take()

    def _take(self) -> list[Row]:
        """The first row that was begun, unless it holds nothing."""
        number = next(iter(self._rows))
        cells = self._rows.pop(number)
        return [(number + 1, list(cells.values()))] if cells else []

    def _put(self, row: int, column: int, value: Value) -> None:
        if row != self._row_number:
            self._row_number = row
            self._row = self._rows.setdefault(row, {})
        if column in self._row or column >= _MOST_COLUMNS:
            raise DamagedRecordsError(f"row {row + 1} holds a cell twice, or one outside the sheet")
        text, fault = value
        if text is not None or fault is not None:
            self._row[column] = Cell(column + 1, text, fault)

    def _shared_label(self, body: bytes) -> None:
        row, column, _, number = struct.unpack("<HHHI", body)
        if number >= len(self._cells.strings):
            raise DamagedRecordsError(f"a cell names text {number}, which the workbook does not hold")
        self._put(row, column, self._values.text(self._cells.strings[number]))

    def _label(self, body: bytes) -> None:
        row, column, style = struct.unpack_from("<3H", body)
        self._text(_LateText(row, column, [body], 6), style)

    def _number(self, body: bytes) -> None:
        row, column, style, value = struct.unpack("<3Hd", body)
        self._put(row, column, self._values.number(value, style))

    def _packed(self, body: bytes) -> None:
        row, column, style, bits = struct.unpack("<3HI", body)
        self._put(row, column, self._values.number(packed_number(bits), style))

    def _packed_row(self, body: bytes) -> None:
        row, first = struct.unpack_from("<2H", body)
        (last,) = struct.unpack_from("<H", body, len(body) - 2)
        if len(body) != 6 + 6 * (last + 1 - first):
            raise struct.error
        for column, (style, bits) in enumerate(struct.iter_unpack("<HI", body[4:-2]), first):
            self._put(row, column, self._values.number(packed_number(bits), style))

    def _boolean_or_error(self, body: bytes) -> None:
        if len(body) == 9:  # OpenOffice once wrote the value two bytes wide
            body = body[:7] + body[8:]
        row, column, _, value, is_error = struct.unpack("<3H2B", body)
        self._put(row, column, self._values.error(value) if is_error else self._values.boolean(value))

    def _formula(self, body: bytes) -> None:
        row, column, style, result, flags = struct.unpack_from("<3H8sH", body)
        pending = bool(flags & _CALCULATE_ON_LOAD)
        value: Value
        if result[6:] != b"\xff\xff":
            (number,) = struct.unpack("<d", result)
            value = self._values.no_result() if pending and number == 0 else self._values.number(number, style)
        elif result[0] == _TEXT_RESULT:
            self._awaited = (row, column, style)
            return
        elif result[0] == _BOOLEAN_RESULT:
            value = self._values.boolean(result[2])
        elif result[0] == _ERROR_RESULT:
            value = self._values.error(result[2])
        elif result[0] == _EMPTY_RESULT and not pending and not self._cells.uncalculated:
            value = None, None
        else:
            value = self._values.no_result()
        self._put(row, column, value)

    def _result(self, body: bytes) -> None:
        if self._awaited is None:
            raise DamagedRecordsError("the result of a formula stands without its formula")
        row, column, style = self._awaited
        self._awaited = None
        self._text(_LateText(row, column, [body], 0), style)

    def _text(self, late: _LateText, style: int) -> None:
        if self._cells.decode is None:
            self._late = late
            return
        (body,) = late.bodies
        (size,) = struct.unpack_from("<H", body, late.at)
        content = body[late.at + 2 : late.at + 2 + size]
        if len(content) < size:
            raise DamagedRecordsError("a text breaks off")
        self._put(late.row, late.column, self._values.text(self._cells.decode(content, style)))

    def _end_text(self, late: _LateText) -> None:
        self._late = None
        self._put(late.row, late.column, self._values.text(Texts(late.bodies, late.at).read()))

    def _end_formula(self, awaited: tuple[int, int, int]) -> None:
        self._awaited = None
        self._put(awaited[0], awaited[1], self._values.no_result())

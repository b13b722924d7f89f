"""Thrift: the compact encoding in which Parquet keeps its own records, read and written.

It must never know what a record means: its fields have numbers, and whoever asks for them knows the names. Lengths in
the bytes are never believed before as many bytes are there.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from etl.readers.columnar.physical import DamagedError, NotReadError

Value: TypeAlias = "bool | int | bytes | list[Value] | Record"

_TRUE, _FALSE, _BYTE, _SHORT, _INT, _LONG, _DOUBLE, _BYTES, _LIST, _SET, _MAP, _RECORD = range(1, 13)
_FLAGS = frozenset({_TRUE, _FALSE})
_NUMBERS = frozenset({_SHORT, _INT, _LONG})
_MOST_NESTED = 16
_MOST_VALUES = 4_000_000
"""Of a record: so many take some seconds."""
_LONGEST_NUMBER = 10
"""Bytes of a 64-bit number."""


class Record:
    """The fields of a record, by their numbers."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[int, Value]) -> None:
        self._fields = fields

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def number(self, field: int, default: int | None = None) -> int:
        """A whole number. Raises DamagedError where there is none, and no default."""
        found = self._fields.get(field, default)
        if not isinstance(found, int) or isinstance(found, bool):
            raise DamagedError(f"its description lacks the number {field}")
        return found

    def flag(self, field: int, *, default: bool) -> bool:
        found = self._fields.get(field, default)
        return found if isinstance(found, bool) else default

    def data(self, field: int) -> bytes:
        """Bytes; none where the field is missing."""
        found = self._fields.get(field, b"")
        return found if isinstance(found, bytes) else b""

    def text(self, field: int) -> str:
        """Bytes as text. Raises DamagedError where they are none."""
        try:
            return self.data(field).decode()
        except UnicodeDecodeError as error:
            raise DamagedError("a name in its description is no text") from error

    def record(self, field: int) -> "Record":
        """A record within; an empty one where the field is missing."""
        found = self._fields.get(field)
        return found if isinstance(found, Record) else Record({})

    def records(self, field: int) -> list["Record"]:
        """A list of records; empty where the field is missing."""
        found = self._fields.get(field)
        return [one for one in found if isinstance(one, Record)] if isinstance(found, list) else []

    def texts(self, field: int) -> list[bytes]:
        """A list of bytes; empty where the field is missing."""
        found = self._fields.get(field)
        return [one for one in found if isinstance(one, bytes)] if isinstance(found, list) else []

    def numbers(self, field: int) -> list[int]:
        """A list of whole numbers; empty where the field is missing."""
        found = self._fields.get(field)
        return [one for one in found if isinstance(one, int)] if isinstance(found, list) else []


def read_record(data: bytes) -> tuple[Record, int]:
    """The record at the start of some bytes, and how many bytes it takes.

    Raises DamagedError for bytes that are none, EOFError where they end too early.
    """
    reader = _Reader(data)
    try:
        return reader.record(), reader.at
    except IndexError as error:
        raise EOFError("the record goes on behind the bytes") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data
        self._depth = 0
        self._left = _MOST_VALUES
        self._readers: dict[int, Callable[[], Value]] = {
            _BYTE: self._byte,
            _SHORT: self._signed,
            _INT: self._signed,
            _LONG: self._signed,
            _DOUBLE: lambda: self._take(8),
            _BYTES: lambda: self._take(self._number()),
            _LIST: self._list,
            _SET: self._list,
            _MAP: self._map,
            _RECORD: self.record,
        }

    def record(self) -> Record:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise DamagedError("its description is nested too deeply")
        fields: dict[int, Value] = {}
        field, data = 0, self._data
        while head := data[self.at]:
            self.at += 1
            self._left -= 1
            step, kind = head >> 4, head & 15
            field = field + step if step else self._signed()
            if kind in _NUMBERS and data[self.at] < 128:  # most are small; this is where the time goes
                fields[field] = (data[self.at] >> 1) ^ -(data[self.at] & 1)
                self.at += 1
            else:
                fields[field] = kind == _TRUE if kind in _FLAGS else self._value(kind)
        self.at += 1
        self._depth -= 1
        return Record(fields)

    def _value(self, kind: int) -> Value:
        read = self._readers.get(kind)
        if read is None:
            raise DamagedError("its description is no Thrift record")
        return read()

    def _list(self) -> list[Value]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._number()
        if count > len(self._data) - self.at:  # every item takes a byte at least
            raise IndexError
        self._left -= count
        if self._left < 0:
            raise NotReadError(f"has a description of more than {_MOST_VALUES:,} values")
        if kind in _FLAGS:
            return [byte == _TRUE for byte in self._take(count)]
        return [self._value(kind) for _ in range(count)]

    def _map(self) -> list[Value]:
        count = self._number()
        kinds = self._byte() if count else 0
        if count > len(self._data) - self.at:
            raise IndexError
        return [self._value(kind) for _ in range(count) for kind in (kinds >> 4, kinds & 15)]

    def _byte(self) -> int:
        byte = self._data[self.at]
        self.at += 1
        return byte

    def _take(self, count: int) -> bytes:
        start, self.at = self.at, self.at + count
        if self.at > len(self._data):
            raise IndexError
        return self._data[start : self.at]

    def _number(self) -> int:
        data = self._data
        number = shift = 0
        while True:
            byte = data[self.at]
            self.at += 1
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift >= 7 * _LONGEST_NUMBER:
                raise DamagedError("a number in its description is too long")

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)


class RecordWriter:
    """Writes a record. Fields are given in the order of their numbers."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._last = 0

    def number(self, field: int, value: int, *, wide: bool = False) -> "RecordWriter":
        """A whole number of 32 bits, or of 64 if `wide`."""
        return self._put(field, _LONG if wide else _INT, _signed(value))

    def flag(self, field: int, *, value: bool) -> "RecordWriter":
        return self._put(field, _TRUE if value else _FALSE, b"")

    def data(self, field: int, value: bytes) -> "RecordWriter":
        return self._put(field, _BYTES, _number(len(value)) + value)

    def record(self, field: int, value: "RecordWriter") -> "RecordWriter":
        return self._put(field, _RECORD, value.done())

    def records(self, field: int, values: Iterable[bytes]) -> "RecordWriter":
        """A list of records that are written already."""
        return self._list(field, _RECORD, list(values))

    def texts(self, field: int, values: Iterable[bytes]) -> "RecordWriter":
        return self._list(field, _BYTES, [_number(len(value)) + value for value in values])

    def numbers(self, field: int, values: Iterable[int]) -> "RecordWriter":
        return self._list(field, _INT, [_signed(value) for value in values])

    def done(self) -> bytes:
        """The record as bytes."""
        return bytes(self._out) + b"\0"

    def _list(self, field: int, kind: int, items: list[bytes]) -> "RecordWriter":
        count = len(items)
        head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _number(count)
        return self._put(field, _LIST, head + b"".join(items))

    def _put(self, field: int, kind: int, payload: bytes) -> "RecordWriter":
        self._out.append(field - self._last << 4 | kind)
        self._out += payload
        self._last = field
        return self


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _signed(value: int) -> bytes:
    return _number(value << 1 if value >= 0 else (-value << 1) - 1)

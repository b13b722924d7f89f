"""Flatbuffer: the encoding in which Arrow keeps its own records, read and written.

It must never know what a table means: its fields have numbers, and whoever asks for them knows the names. Positions in
the bytes are never followed out of them.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from etl.readers.columnar.physical import DamagedError


class Table:
    """The fields of a table, by their numbers from 0."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A number in a form of `struct`: `b`, `B`, `h`, `i`, `q`, `?`."""
        at = self._place(field)
        return self._read(form, at) if at else default

    def table(self, field: int) -> "Table | None":
        at = self._target(field)
        return Table(self._data, at) if at else None

    def tables(self, field: int) -> Iterator["Table"]:
        """The tables of a list; none where the field is missing."""
        at, count = self._list(field, 4)
        for place in range(at, at + 4 * count, 4):
            yield Table(self._data, place + self._read("I", place))

    def rows(self, field: int, form: str) -> list[tuple[int, ...]]:
        """A list of structs or numbers, each in a form of `struct`; empty where the field is missing."""
        size = struct.calcsize(f"<{form}")
        at, count = self._list(field, size)
        return list(struct.iter_unpack(f"<{form}", self._data[at : at + size * count]))

    def text(self, field: int) -> str | None:
        at, count = self._list(field, 1)
        if not at:
            return None
        try:
            return self._data[at : at + count].decode()
        except UnicodeDecodeError as error:
            raise DamagedError("a name in its description is no text") from error

    def _list(self, field: int, size: int) -> tuple[int, int]:
        """Where a list begins, and its length; position 0 where the field is missing."""
        at = self._target(field)
        if not at:
            return 0, 0
        count = self._read("I", at)
        if at + 4 + size * count > len(self._data):
            raise DamagedError("a list in its description is too long")
        return at + 4, count

    def _target(self, field: int) -> int:
        at = self._place(field)
        return at + self._read("I", at) if at else 0

    def _place(self, field: int) -> int:
        """Where a field stands; 0 where it is missing."""
        layout = self._at - self._read("i", self._at)
        if 4 + 2 * field >= self._read("H", layout):
            return 0
        step = self._read("H", layout + 4 + 2 * field)
        return self._at + step if step else 0

    def _read(self, form: str, at: int) -> int:
        if at < 0:
            raise DamagedError("its description points out of itself")
        try:
            return int(struct.unpack_from(f"<{form}", self._data, at)[0])
        except struct.error as error:
            raise DamagedError("its description ends too early") from error


def read_table(data: bytes) -> Table:
    """The table that some bytes hold. Its fields raise DamagedError where the bytes contradict themselves."""
    if len(data) < 4:
        raise DamagedError("its description ends too early")
    return Table(data, int.from_bytes(data[:4], "little"))


class Number(NamedTuple):
    """A number to write, in a form of `struct`."""

    form: str
    value: int


Field: TypeAlias = "Number | str | Sequence[Field] | list[Sequence[Field]] | None"
"""A number, a text, a table (a tuple of its fields), a list of tables, or nothing."""


def write_table(fields: Sequence[Field]) -> bytes:
    """A table and all it holds, as bytes of a length that 8 divides."""
    out = bytearray(4)
    out[0:4] = struct.pack("<I", _put_table(out, fields))
    return bytes(out) + bytes(-len(out) % 8)


def _put_table(out: bytearray, fields: Sequence[Field]) -> int:
    """Write a table behind what is there; its position."""
    places: list[int] = []
    size = 4
    for field in fields:
        width = struct.calcsize(field.form) if isinstance(field, Number) else 4
        size += -size % width
        places.append(0 if field is None else size)
        size += 0 if field is None else width
    out += bytes(-len(out) % 8)
    layout = len(out)
    out += struct.pack(f"<{2 + len(fields)}H", 4 + 2 * len(fields), size, *places)
    out += bytes(-len(out) % 8)
    at = len(out)
    out += struct.pack("<i", at - layout) + bytes(size - 4)
    for place, field in zip(places, fields, strict=True):
        if isinstance(field, Number):
            struct.pack_into(f"<{field.form}", out, at + place, field.value)
        elif field is not None:
            target = _put(out, field)
            struct.pack_into("<I", out, at + place, target - at - place)
    return at


def _put(out: bytearray, field: "str | Sequence[Field] | list[Sequence[Field]]") -> int:
    if isinstance(field, str):
        out += bytes(-len(out) % 4)
        data = field.encode()
        start = len(out)
        out += struct.pack("<I", len(data)) + data + b"\0"
        return start
    if not isinstance(field, list):
        return _put_table(out, field)
    out += bytes(-len(out) % 4)
    start = len(out)
    out += struct.pack("<I", len(field)) + bytes(4 * len(field))
    for at, table in enumerate(field):
        place = start + 4 + 4 * at
        struct.pack_into("<I", out, place, _put_table(out, table) - place)
    return start

"""Arrow schema: what the columns of an Arrow file mean, and the same columns in words that cannot be misread.

It must never see a value. The schema that polars gets is written here anew, as for Parquet: columns and fields are
called `0`, `1`, …, moments are numbers, texts are bytes, maps are lists.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import polars as pl

from etl.readers.columnar.flatbuffer import Field, Number, Table, read_table, write_table
from etl.readers.columnar.physical import (
    BOOLEAN,
    MOST_NESTED,
    MOST_PARTS,
    NULL,
    TEXT,
    UUID,
    Column,
    DamagedError,
    Kind,
    Meaning,
    NotReadError,
    count_of,
    list_of,
    map_of,
    number_of,
    record_of,
    whole_of,
)

# Numbers of the union Type, and of fields: Schema.fbs.
_NULL, _INT, _FLOAT, _BINARY, _UTF8, _BOOL, _DECIMAL, _DATE, _TIME, _TIMESTAMP, _INTERVAL, _LIST, _STRUCT = range(1, 14)
_FIXED, _FIXED_LIST, _MAP, _DURATION, _LARGE_BINARY, _LARGE_UTF8, _LARGE_LIST = range(15, 22)
_BINARY_VIEW, _UTF8_VIEW = 23, 24
_FIELD_NAME, _FIELD_TYPE, _FIELD_KIND, _FIELD_DICTIONARY, _FIELD_CHILDREN, _FIELD_METADATA = 0, 3, 2, 4, 5, 6
_STORED = {_BINARY: _BINARY, _UTF8: _BINARY, _LARGE_BINARY: _LARGE_BINARY, _LARGE_UTF8: _LARGE_BINARY}
_STORED |= {_BINARY_VIEW: _BINARY_VIEW, _UTF8_VIEW: _BINARY_VIEW}
"""Texts are read as the bytes that they are: polars would refuse a whole file for one that is no UTF-8."""
_NOT_READ = {_INTERVAL: "intervals of months, days and nanoseconds", 14: "values of several types", 22: "runs"}
_NOT_READ |= {25: "list views", 26: "list views"}
_TICKS = (1, 1000, 10**6, 10**9)
"""By the number of a unit: seconds, milliseconds, microseconds, nanoseconds."""
_FLOATS: tuple[pl.DataType, ...] = (pl.Float16(), pl.Float32(), pl.Float64())
_WHOLES: dict[tuple[int, bool], pl.DataType] = {
    (8, True): pl.Int8(),
    (16, True): pl.Int16(),
    (32, True): pl.Int32(),
    (64, True): pl.Int64(),
    (128, True): pl.Int128(),
    (8, False): pl.UInt8(),
    (16, False): pl.UInt16(),
    (32, False): pl.UInt32(),
    (64, False): pl.UInt64(),
    (128, False): pl.UInt128(),
}
_MOST_DIGITS = 38
"""Of a decimal that polars holds."""
_CONTINUES = b"\xff\xff\xff\xff"
_VERSION_5, _SCHEMA = 4, 1
"""The version of the metadata that is written, and the kind of message."""


_Leaf: TypeAlias = tuple[Meaning, int, Field]
"""What a leaf means, and the kind and the type to write for it."""


class Hint(NamedTuple):
    """What an Arrow schema inside a Parquet file adds about a leaf, if anything."""

    ticks: int = 0
    """Of a duration, in a second."""
    zone: str | None = None
    """Of moments."""
    signed_128: bool | None = None
    """Of whole numbers of 128 bits."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns, and the message that tells polars how they are stored."""

    columns: tuple[Column, ...]
    message: bytes


def read_schema(schema: Table) -> Schema:
    """The schema of a file. Raises DamagedError, and NotReadError for values that have no text."""
    if schema.number(0, "h"):
        raise NotReadError("stores its numbers with the high byte first", "Write it on a usual machine, or as CSV.")
    reader = _Reader()
    columns: list[Column] = []
    fields: list[Field] = []
    for at, one in enumerate(schema.tables(1)):
        name = one.text(_FIELD_NAME) or ""
        try:
            meaning, field = reader.read(one, str(at), 0)
        except NotReadError as error:
            raise NotReadError(f"has a column {name!r} that {error}", error.hint) from error
        columns.append(Column(name, meaning))
        fields.append(field)
    return Schema(tuple(columns), message_of(_SCHEMA, (None, fields)))


def message_of(kind: int, header: Field) -> bytes:
    """A message without a body, as it stands in a stream."""
    data = write_table((Number("h", _VERSION_5), Number("B", kind), header, Number("q", 0)))
    return _CONTINUES + len(data).to_bytes(4, "little") + data


def read_hints(message: bytes) -> list[Hint]:
    """The hints for the leaves of a Parquet file, in file order, from the schema message that it carries."""
    start = 8 if message[:4] == _CONTINUES else 4
    schema = read_table(message[start:]).table(2)
    return [hint for field in schema.tables(1) for hint in _field_hints(field, 0)] if schema else []


def _field_hints(field: Table, depth: int) -> Iterator[Hint]:
    if depth > 2 * MOST_NESTED:  # a map takes two fields
        raise NotReadError(f"has more than {MOST_NESTED} lists and records within each other")
    children = list(field.tables(_FIELD_CHILDREN))
    if children:
        for child in children:
            yield from _field_hints(child, depth + 1)
        return
    kind, type_ = field.number(_FIELD_KIND, "B"), field.table(_FIELD_TYPE) or _NO_FIELDS
    if kind == _DURATION:
        yield Hint(ticks=_ticks(type_.number(0, "h", 1)))
    elif kind == _TIMESTAMP:
        yield Hint(zone=type_.text(1))
    elif kind == _INT and type_.number(0, "i") == 128:
        yield Hint(signed_128=bool(type_.number(1, "?")))
    else:
        yield Hint()


_NO_FIELDS = read_table(write_table(()))


class _Reader:
    """Reads fields, and writes them anew."""

    def __init__(self) -> None:
        self._left = MOST_PARTS

    def read(self, field: Table, name: str, depth: int) -> tuple[Meaning, Field]:
        """What a field means, and what to write for it."""
        self._left -= 1
        if depth > 2 * MOST_NESTED or self._left < 0:
            raise NotReadError(f"has more than {MOST_NESTED} levels or {MOST_PARTS:,} fields")
        kind, type_ = field.number(_FIELD_KIND, "B"), field.table(_FIELD_TYPE) or _NO_FIELDS
        children: list[Field] = []
        if kind in {_LIST, _LARGE_LIST, _FIXED_LIST, _STRUCT, _MAP}:
            meaning, kind, written, children = self._nested(field, kind, type_, depth)
        else:
            meaning, kind, written = _leaf(kind, type_, _extension(field))
        return meaning, _field(name, kind, written, _dictionary(field), children)

    def _nested(self, field: Table, kind: int, type_: Table, depth: int) -> tuple[Meaning, int, Field, list[Field]]:
        children = list(field.tables(_FIELD_CHILDREN))
        read = [self.read(child, str(at), depth + 1) for at, child in enumerate(children)]
        inner, written = tuple(meaning for meaning, _ in read), [one for _, one in read]
        if kind == _STRUCT:
            if not children:
                raise NotReadError("holds records without fields")
            return record_of(tuple(child.text(_FIELD_NAME) or "" for child in children), inner), kind, (), written
        if len(inner) != 1:
            raise DamagedError("a list in its schema does not say what it holds")
        if kind == _FIXED_LIST:
            width = type_.number(0, "i")
            if width < 1:
                raise NotReadError(f"holds lists of {width} values")
            return list_of(inner[0], width), kind, (Number("i", width),), written
        if kind == _MAP:
            pair = inner[0]
            if pair.kind is not Kind.RECORD or len(pair.inner) != 2:
                raise DamagedError("a map in its schema does not say what it holds")
            return map_of(*pair.inner), _LIST, (), written
        return list_of(inner[0]), kind, (), written


def _leaf(kind: int, type_: Table, extension: str) -> _Leaf:
    if kind in _STORED:
        return TEXT, _STORED[kind], ()
    read = _LEAVES.get(kind)
    if read is None:
        raise NotReadError(f"holds {_NOT_READ.get(kind, 'values of an unknown type')}", "Write it as text.")
    meaning, kind, written = read(type_)
    if extension == "arrow.uuid" and written == (Number("i", 16),):
        meaning = UUID
    return meaning, kind, written


def _integer(type_: Table) -> _Leaf:
    bits, signed = type_.number(0, "i"), bool(type_.number(1, "?"))
    if (bits, signed) not in _WHOLES:
        raise DamagedError(f"its schema has whole numbers of {bits} bits")
    stored = _WHOLES[bits, signed]
    return number_of(stored), *_whole(stored)


def _float(type_: Table) -> _Leaf:
    precision = type_.number(0, "h")
    if precision not in range(len(_FLOATS)):
        raise DamagedError("its schema has numbers of an unknown precision")
    return number_of(_FLOATS[precision]), _FLOAT, (Number("h", precision),)


def _decimal(type_: Table) -> _Leaf:
    digits, scale, bits = type_.number(0, "i"), type_.number(1, "i"), type_.number(2, "i", 128)
    if bits not in {32, 64, 128, 256} or abs(scale) > bits:
        raise DamagedError(f"its schema has decimals of {bits} bits, with {scale} digits behind the point")
    if bits == 128 and 0 <= scale <= digits <= _MOST_DIGITS and digits:
        return number_of(pl.Decimal(digits, scale)), _DECIMAL, (Number("i", digits), Number("i", scale))
    return whole_of(scale), _FIXED, (Number("i", bits // 8),)


def _fixed(type_: Table) -> _Leaf:
    return TEXT, _FIXED, (Number("i", type_.number(0, "i")),)


def _date(type_: Table) -> _Leaf:
    if type_.number(0, "h", 1) == 0:
        return _counted(count_of(Kind.DATE, pl.Int32(), 1))
    return _counted(count_of(Kind.DATE, pl.Int64(), 86_400_000))


def _time(type_: Table) -> _Leaf:
    stored = pl.Int32() if type_.number(1, "i", 32) == 32 else pl.Int64()
    return _counted(count_of(Kind.TIME, stored, _ticks(type_.number(0, "h", 1))))


def _moment(type_: Table) -> _Leaf:
    return _counted(count_of(Kind.MOMENT, pl.Int64(), _ticks(type_.number(0, "h")), type_.text(1)))


def _duration(type_: Table) -> _Leaf:
    return _counted(count_of(Kind.DURATION, pl.Int64(), _ticks(type_.number(0, "h", 1))))


def _counted(meaning: Meaning) -> _Leaf:
    return meaning, *_whole(meaning.dtype)


_LEAVES: dict[int, Callable[[Table], _Leaf]] = {
    _NULL: lambda _: (NULL, _NULL, ()),
    _BOOL: lambda _: (BOOLEAN, _BOOL, ()),
    _INT: _integer,
    _FLOAT: _float,
    _DECIMAL: _decimal,
    _FIXED: _fixed,
    _DATE: _date,
    _TIME: _time,
    _TIMESTAMP: _moment,
    _DURATION: _duration,
}


def _ticks(unit: int) -> int:
    if unit not in range(len(_TICKS)):
        raise DamagedError("its schema counts time in an unknown unit")
    return _TICKS[unit]


def _whole(stored: pl.DataType) -> tuple[int, Field]:
    bits, signed = next(width for width, dtype in _WHOLES.items() if dtype == stored)
    return _INT, (Number("i", bits), Number("?", signed))


def _field(name: str, kind: int, type_: Field, dictionary: Field, children: list[Field]) -> Field:
    return (name, Number("?", 1), Number("B", kind), type_, dictionary, children, None)


def _dictionary(field: Table) -> Field:
    """How a field's values are kept in a dictionary, if they are."""
    told = field.table(_FIELD_DICTIONARY)
    if told is None:
        return None
    index = told.table(1)
    bits, signed = (index.number(0, "i"), bool(index.number(1, "?"))) if index else (32, True)
    if (bits, signed) not in _WHOLES or bits > 64:
        raise DamagedError(f"a dictionary in its schema is used by numbers of {bits} bits")
    return (Number("q", told.number(0, "q")), (Number("i", bits), Number("?", signed)), Number("?", 0))


def _extension(field: Table) -> str:
    found = (pair.text(1) for pair in field.tables(_FIELD_METADATA) if pair.text(0) == "ARROW:extension:name")
    return next(found, None) or ""

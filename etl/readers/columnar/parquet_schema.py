"""Parquet schema: what the columns of a Parquet file mean, and the same columns in words that cannot be misread.

It must never see a value. The schema that polars gets is written here anew: columns and fields are called `0`, `1`, …,
and what polars would change while it reads (clock times beyond a day, maps with a key twice, the old 96-bit moments)
is called numbers, bytes and lists.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from etl.readers.columnar.arrow_schema import Hint
from etl.readers.columnar.physical import (
    BOOLEAN,
    JULIAN,
    MOST_NESTED,
    MOST_PARTS,
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
from etl.readers.columnar.thrift import Record, RecordWriter

# Numbers of fields in SchemaElement and LogicalType, and of physical and converted types: parquet.thrift.
_TYPE, _LENGTH, _REPETITION, _NAME, _CHILDREN, _CONVERTED, _SCALE, _PRECISION, _LOGICAL = 1, 2, 3, 4, 5, 6, 7, 8, 10
_BOOLEAN, _INT32, _INT64, _INT96, _FLOAT, _DOUBLE, _BYTES, _FIXED = range(8)
_REQUIRED, _OPTIONAL, _REPEATED = range(3)
_MAP, _MAP_PAIRS, _LIST, _DECIMAL, _DATE, _INTERVAL = 1, 2, 3, 5, 6, 21
_CLOCKS = {7: (Kind.TIME, 1000), 8: (Kind.TIME, 10**6), 9: (Kind.MOMENT, 1000), 10: (Kind.MOMENT, 10**6)}
"""Converted types of times and moments, with their ticks a second."""
_WIDTHS = {11: (8, False), 12: (16, False), 13: (32, False), 14: (64, False), 15: (8, True), 16: (16, True)}
_WIDTHS |= {17: (32, True), 18: (64, True)}
"""Converted types of whole numbers: bits, whether signed."""
_LOGICAL_MAP, _LOGICAL_LIST, _LOGICAL_DECIMAL, _LOGICAL_DATE, _LOGICAL_TIME, _LOGICAL_MOMENT = 2, 3, 5, 6, 7, 8
_LOGICAL_INTEGER, _LOGICAL_UUID, _LOGICAL_HALF, _LOGICAL_VARIANT = 10, 14, 15, 16
_TICKS = {1: 1000, 2: 10**6, 3: 10**9}
"""Units of logical times and moments."""
_WHOLES: dict[tuple[int, bool], pl.DataType] = {
    (8, True): pl.Int8(),
    (16, True): pl.Int16(),
    (32, True): pl.Int32(),
    (64, True): pl.Int64(),
    (8, False): pl.UInt8(),
    (16, False): pl.UInt16(),
    (32, False): pl.UInt32(),
    (64, False): pl.UInt64(),
}
_DECODED_BYTES = (1, 4, 8, 12, 4, 8, 16, 16)
"""By type: what a decoded value takes."""
_MOST_DIGITS = 38
"""Of a decimal that polars holds."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of values: where it lies in the tree that was written, and how often a row may hold one."""

    path: tuple[bytes, ...]
    column: int
    """Which of the file's columns it belongs to, from 0."""
    repeated: bool
    type: int
    width: int
    """About how many bytes a decoded value takes beside what it takes in a page."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns, their leaves in file order, and the elements of a schema to read them by."""

    columns: tuple[Column, ...]
    leaves: tuple[Leaf, ...]
    elements: tuple[tuple[bytes, ...], ...]
    """By column."""

    def written(self, columns: Sequence[int]) -> list[bytes]:
        """The schema that has only these columns."""
        head = RecordWriter().data(_NAME, b"root").number(_CHILDREN, len(columns)).done()
        return [head, *(element for column in columns for element in self.elements[column])]


@dataclass(frozen=True, slots=True)
class _Node:
    element: Record
    children: "tuple[_Node, ...]"

    @property
    def name(self) -> str:
        return self.element.text(_NAME)

    @property
    def repeated(self) -> bool:
        return self.element.number(_REPETITION, _REQUIRED) == _REPEATED

    def means(self, converted: int, logical: int) -> bool:
        return self.element.number(_CONVERTED, -1) == converted or logical in self.element.record(_LOGICAL)


def read_schema(told: Sequence[Record], hints: Sequence[Hint]) -> Schema:
    """The schema of a file from what its footer tells, and what Arrow has added about its leaves, if anything.

    Raises DamagedError, and NotReadError for values that have no text.
    """
    if len(told) > MOST_PARTS:
        raise NotReadError(f"has more than {MOST_PARTS:,} columns and fields")
    rest = iter(told)
    root = _grow(rest, next(rest, Record({})), 0)
    if next(rest, None) is not None:
        raise DamagedError("its schema has elements that belong nowhere")
    count = sum(1 for one in told if _CHILDREN not in one)
    writer = _Writer(list(hints) if len(hints) == count else [Hint()] * count)
    columns: list[Column] = []
    elements: list[tuple[bytes, ...]] = []
    for at, node in enumerate(root.children):
        writer.column = at
        try:
            columns.append(Column(node.name, writer.write(node, (str(at).encode(),), repeated=False)))
        except NotReadError as error:
            raise NotReadError(f"has a column {node.name!r} that {error}", error.hint) from error
        elements.append(tuple(writer.elements))
        writer.elements.clear()
    return Schema(tuple(columns), tuple(writer.leaves), tuple(elements))


def _grow(rest: Iterator[Record], element: Record, depth: int) -> _Node:
    if depth > 4 * MOST_NESTED:  # a list takes two or three elements
        raise NotReadError(f"has more than {MOST_NESTED} lists and records within each other")
    children = []
    for _ in range(min(element.number(_CHILDREN, 0), MOST_PARTS)):
        child = next(rest, None)
        if child is None:
            raise DamagedError("its schema ends too early")
        children.append(_grow(rest, child, depth + 1))
    return _Node(element, tuple(children))


class _Writer:
    """Writes elements while it finds out what they mean."""

    def __init__(self, hints: list[Hint]) -> None:
        self.column = 0
        self.leaves: list[Leaf] = []
        self.elements: list[bytes] = []
        self._hints = hints

    def write(self, node: _Node, path: tuple[bytes, ...], *, repeated: bool) -> Meaning:
        """Write a node; outside lists a repeated one is a list without a name for its values."""
        if node.repeated:
            return list_of(self._write_once(node, path, _REPEATED, repeated=True))
        return self._write_once(node, path, node.element.number(_REPETITION, _REQUIRED), repeated=repeated)

    def _write_once(self, node: _Node, path: tuple[bytes, ...], repetition: int, *, repeated: bool) -> Meaning:
        if _CHILDREN not in node.element:
            return self._leaf(node, path, repetition, repeated=repeated)
        if _LOGICAL_VARIANT in node.element.record(_LOGICAL):
            raise NotReadError("holds variants", "Write it as text or as records.")
        inner = node.children[0] if len(node.children) == 1 and node.children[0].repeated else None
        if inner is not None and node.means(_LIST, _LOGICAL_LIST):
            return self._list(node, inner, path, repetition)
        if inner is not None and (node.means(_MAP, _LOGICAL_MAP) or node.means(_MAP_PAIRS, _LOGICAL_MAP)):
            return self._map(inner, path, repetition)
        self._group(path[-1], repetition, len(node.children))
        return self._record(node, path, repeated=repeated)

    def _record(self, node: _Node, path: tuple[bytes, ...], *, repeated: bool) -> Meaning:
        if not node.children:
            raise NotReadError("holds records without fields")
        names = tuple(child.name for child in node.children)
        inner = (
            self.write(child, (*path, str(at).encode()), repeated=repeated) for at, child in enumerate(node.children)
        )
        return record_of(names, tuple(inner))

    def _list(self, node: _Node, inner: _Node, path: tuple[bytes, ...], repetition: int) -> Meaning:
        """A list by the rules of parquet-format's LogicalTypes.md, the old forms included."""
        self._group(path[-1], repetition, 1, _LIST)
        if _CHILDREN not in inner.element:
            return list_of(self._leaf(inner, (*path, b"array"), _REPEATED, repeated=True))
        if len(inner.children) == 1 and inner.name not in {"array", f"{node.name}_tuple"}:
            self._group(b"list", _REPEATED, 1)
            return list_of(self.write(inner.children[0], (*path, b"list", b"element"), repeated=True))
        self._group(b"array", _REPEATED, len(inner.children))
        return list_of(self._record(inner, (*path, b"array"), repeated=True))

    def _map(self, pair: _Node, path: tuple[bytes, ...], repetition: int) -> Meaning:
        if len(pair.children) != 2:
            raise NotReadError("holds a map without keys or without values")
        self._group(path[-1], repetition, 1, _LIST)
        self._group(b"array", _REPEATED, 2)
        above = (*path, b"array")
        key, value = (
            self.write(child, (*above, str(at).encode()), repeated=True) for at, child in enumerate(pair.children)
        )
        return map_of(key, value)

    def _leaf(self, node: _Node, path: tuple[bytes, ...], repetition: int, *, repeated: bool) -> Meaning:
        element, type_ = node.element, node.element.number(_TYPE)
        if type_ not in range(8):
            raise DamagedError(f"its column {node.name!r} has no known type")
        meaning, annotated = _leaf_meaning(element, type_, self._hints[len(self.leaves)])
        if type_ == _INT96:
            type_, length = _FIXED, 12
        else:
            length = element.number(_LENGTH, 0)
        out = RecordWriter().number(_TYPE, type_)
        if type_ == _FIXED:
            out.number(_LENGTH, length)
        self.elements.append(annotated(out.number(_REPETITION, repetition).data(_NAME, path[-1])).done())
        width = _DECODED_BYTES[type_] + (length if type_ == _FIXED else 0) + (8 if repeated else 0)
        self.leaves.append(Leaf(path, self.column, repeated, type_, width))
        return meaning

    def _group(self, name: bytes, repetition: int, children: int, converted: int | None = None) -> None:
        out = RecordWriter().number(_REPETITION, repetition).data(_NAME, name).number(_CHILDREN, children)
        if converted is not None:
            out.number(_CONVERTED, converted)
        self.elements.append(out.done())


_Annotate = Callable[[RecordWriter], RecordWriter]
_Told = tuple[Meaning, _Annotate]


def _bare(out: RecordWriter) -> RecordWriter:
    return out


_PLAIN = {
    _BOOLEAN: BOOLEAN,
    _INT96: JULIAN,
    _FLOAT: number_of(pl.Float32()),
    _DOUBLE: number_of(pl.Float64()),
    _BYTES: TEXT,
}
"""Types of one meaning."""


def _leaf_meaning(element: Record, type_: int, hint: Hint) -> _Told:
    """What the values of a leaf mean, and what to write into its element beside their type."""
    logical, converted = element.record(_LOGICAL), element.number(_CONVERTED, -1)
    if converted == _DECIMAL or _LOGICAL_DECIMAL in logical:
        return _decimal(element, type_)
    if type_ in _PLAIN:
        return _PLAIN[type_], _bare
    return _fixed(element, hint) if type_ == _FIXED else _count(element, type_, hint)


def _decimal(element: Record, type_: int) -> _Told:
    told = element.record(_LOGICAL).record(_LOGICAL_DECIMAL)
    scale = told.number(1, element.number(_SCALE, 0))
    digits = told.number(2, element.number(_PRECISION, 0))
    if not 0 <= scale <= digits or type_ not in {_INT32, _INT64, _BYTES, _FIXED}:
        raise DamagedError(
            f"its column {element.text(_NAME)!r} holds decimals of {digits} digits, {scale} of them behind the point"
        )
    if digits > _MOST_DIGITS:
        return whole_of(scale, big_endian=True), _bare

    def annotate(out: RecordWriter) -> RecordWriter:
        return out.number(_CONVERTED, _DECIMAL).number(_SCALE, scale).number(_PRECISION, digits)

    return number_of(pl.Decimal(digits, scale)), annotate


def _count(element: Record, type_: int, hint: Hint) -> _Told:
    """Whole numbers, and all that is stored as one."""
    logical, converted = element.record(_LOGICAL), element.number(_CONVERTED, -1)
    bits = 32 if type_ == _INT32 else 64
    stored = _WHOLES[bits, True]
    if converted == _DATE or _LOGICAL_DATE in logical:
        return count_of(Kind.DATE, stored, 1), _bare
    for kind, field in ((Kind.TIME, _LOGICAL_TIME), (Kind.MOMENT, _LOGICAL_MOMENT)):
        if field in logical:
            told = logical.record(field)
            ticks = next((ticks for unit, ticks in _TICKS.items() if unit in told.record(2)), 0)
            if not ticks:
                raise NotReadError("counts time in an unknown unit")
            zone = (hint.zone or "UTC") if told.flag(1, default=False) and kind is Kind.MOMENT else None
            return count_of(kind, stored, ticks, zone), _bare
    if converted in _CLOCKS:
        kind, ticks = _CLOCKS[converted]
        return count_of(kind, stored, ticks, (hint.zone or "UTC") if kind is Kind.MOMENT else None), _bare
    if hint.ticks and bits == 64:
        return count_of(Kind.DURATION, stored, hint.ticks), _bare
    told = logical.record(_LOGICAL_INTEGER)
    width = (told.number(1), told.flag(2, default=True)) if 1 in told else _WIDTHS.get(converted, (bits, True))
    annotation = next((code for code, width_ in _WIDTHS.items() if width_ == width), None)
    if annotation is None or width[0] > bits:
        raise DamagedError(f"its column {element.text(_NAME)!r} holds numbers of {width[0]} bits in {bits}")
    return number_of(_WHOLES[width]), lambda out: out.number(_CONVERTED, annotation)


def _fixed(element: Record, hint: Hint) -> _Told:
    """Bytes of a fixed number."""
    logical, length = element.record(_LOGICAL), element.number(_LENGTH)
    if not 0 < length <= 1 << 20:
        raise DamagedError(f"its column {element.text(_NAME)!r} holds values of {length} bytes")
    if element.number(_CONVERTED, -1) == _INTERVAL:
        raise NotReadError("holds intervals of months, days and milliseconds", "Write it as text.")
    if _LOGICAL_UUID in logical and length == 16:
        return UUID, _bare
    if _LOGICAL_HALF in logical and length == 2:
        half = RecordWriter().record(_LOGICAL_HALF, RecordWriter())
        return number_of(pl.Float16()), lambda out: out.record(_LOGICAL, half)
    if hint.signed_128 is not None and length == 16:
        return whole_of(signed=hint.signed_128), _bare
    return TEXT, _bare

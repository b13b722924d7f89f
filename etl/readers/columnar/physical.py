"""Physical: what the values of a typed file are stored as, and what they mean.

It must never know a file format: Parquet and Arrow both say what they hold in these words. What a library would decide
for itself (days beyond its calendar, two equal keys of a map) is therefore stored as plain numbers, bytes and lists,
and told apart here.
"""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache, cached_property

import polars as pl

OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
"""A time zone that is only so many hours and minutes from UTC."""
MOST_NESTED = 24
"""Lists and records within each other; more take too long."""
MOST_PARTS = 20_000
"""Columns and what lies within them."""


class DamagedError(Exception):
    """A file that contradicts itself; the argument says how, as a clause after the file's name."""


class NotReadError(Exception):
    """A file of a kind that is not read; the arguments are a clause after the file's name, and a hint."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


class Kind(Enum):
    """What a value means."""

    NULL = auto()
    """Nothing, in every row."""
    BOOLEAN = auto()
    NUMBER = auto()
    WHOLE = auto()
    """The bytes of a whole number, divided by ten to the power of `scale`."""
    TEXT = auto()
    """Bytes that should be UTF-8."""
    UUID = auto()
    DATE = auto()
    """A count since 1970-01-01, `ticks` a day."""
    TIME = auto()
    """A count since midnight, `ticks` a second."""
    MOMENT = auto()
    """A count since 1970-01-01T00:00:00, `ticks` a second; in UTC and shown in `zone`, if there is one."""
    JULIAN = auto()
    """12 bytes: nanoseconds since midnight, and the day as astronomers count them."""
    DURATION = auto()
    """A count, `ticks` a second."""
    LIST = auto()
    """Values of one meaning."""
    RECORD = auto()
    """A value for each of `names`."""
    MAP = auto()
    """Pairs of a text and a value, stored as a list of records."""


@dataclass(frozen=True)
class Meaning:
    """What the values of a column, or of what lies within one, are: as polars gives them (`dtype`), and mean."""

    kind: Kind
    dtype: pl.DataType
    ticks: int = 1
    zone: str | None = None
    scale: int = 0
    big_endian: bool = False
    signed: bool = True
    inner: "tuple[Meaning, ...]" = ()
    names: tuple[str, ...] = ()

    @cached_property
    def depth(self) -> int:
        """How many lists and records lie within each other."""
        return 1 + max((one.depth for one in self.inner), default=-1)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the file, and what its values mean. Frames name columns, and fields, `0`, `1`, …"""

    name: str
    meaning: Meaning

    def __post_init__(self) -> None:
        """Raises NotReadError for lists and records that lie too deep within each other."""
        if self.meaning.depth > MOST_NESTED:
            raise NotReadError(f"holds more than {MOST_NESTED} lists and records within each other")


def list_of(inner: Meaning, width: int | None = None) -> Meaning:
    """A list, of `width` values each if there is one."""
    return Meaning(Kind.LIST, pl.List(inner.dtype) if width is None else pl.Array(inner.dtype, width), inner=(inner,))


def record_of(names: tuple[str, ...], inner: tuple[Meaning, ...]) -> Meaning:
    """A record. Raises NotReadError where two fields have one name: no JSON object could hold both."""
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise NotReadError(f"has records with two fields called {name!r}", "Give each field its own name.")
    return Meaning(
        Kind.RECORD, pl.Struct([pl.Field(str(at), one.dtype) for at, one in enumerate(inner)]), inner=inner, names=names
    )


def map_of(key: Meaning, value: Meaning) -> Meaning:
    """Pairs. Where the keys are no texts, no JSON object can hold them: a list of records then."""
    pairs = list_of(record_of(("key", "value"), (key, value)))
    return Meaning(Kind.MAP, pairs.dtype, inner=(key, value)) if key.kind is Kind.TEXT else pairs


NULL = Meaning(Kind.NULL, pl.Null())
BOOLEAN = Meaning(Kind.BOOLEAN, pl.Boolean())
TEXT = Meaning(Kind.TEXT, pl.Binary())
UUID = Meaning(Kind.UUID, pl.Binary())
JULIAN = Meaning(Kind.JULIAN, pl.Binary())


def number_of(dtype: pl.DataType) -> Meaning:
    return Meaning(Kind.NUMBER, dtype)


def count_of(kind: Kind, dtype: pl.DataType, ticks: int, zone: str | None = None) -> Meaning:
    """A date, a time, a moment or a duration, stored as a whole number."""
    return Meaning(kind, dtype, ticks, _known_zone(zone) if zone else None)


@cache
def _known_zone(zone: str) -> str:
    """The zone to show moments in: UTC where nobody knows the one that is named. The moments stay the same."""
    if OFFSET.fullmatch(zone):
        return zone
    try:
        pl.Series([0]).cast(pl.Datetime("us", zone))
    except pl.exceptions.ComputeError:
        return "UTC"
    return zone


def whole_of(scale: int = 0, *, big_endian: bool = False, signed: bool = True) -> Meaning:
    """A whole number as bytes, divided by ten to the power of `scale`."""
    return Meaning(Kind.WHOLE, pl.Binary(), scale=scale, big_endian=big_endian, signed=signed)


@contextmanager
def decoding() -> Generator[None]:
    """Where polars decodes bytes of a file: whatever it says of them, they are damaged."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise DamagedError(f"its values cannot be decoded ({' '.join(str(error).split())[:80]})") from error


def checked(frame: pl.DataFrame, columns: Sequence[Column], rows: int) -> pl.DataFrame:
    """A frame that polars has decoded, if it is what the file promised. Raises DamagedError."""
    if frame.height != rows and frame.width:
        raise DamagedError(f"it says that it holds {rows:,} rows where there are {frame.height:,}")
    for column, dtype in zip(columns, frame.dtypes, strict=True):
        if dtype != column.meaning.dtype:
            raise DamagedError(f"its column {column.name!r} is stored in a way that is not understood ({dtype})")
    return frame

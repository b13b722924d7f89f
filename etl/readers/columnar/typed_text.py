"""Typed text: the values of a typed column as text, exactly: what JSON would write, dates as ISO text.

It must never know where the values come from, nor repair one: what cannot be written is a flaw, and the cell is null.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

import polars as pl

from etl.readers.assembly import CONTROL
from etl.readers.columnar.physical import OFFSET, Kind, Meaning

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31, in days since 1970-01-01."""
_DAY_SECONDS = 86_400
_JULIAN_1970 = 2_440_588
_LEAST, _MOST = -(2**63), 2**63 - 1
_UNITS: dict[int, tuple[Literal["ms", "us", "ns"], int]] = {
    1: ("ms", 1000),
    1000: ("ms", 1),
    10**6: ("us", 1),
    10**9: ("ns", 1),
}
"""The unit of polars for so many ticks a second, and how many of it a tick is."""
_TYPES = {
    Kind.BOOLEAN: "boolean",
    Kind.NUMBER: "number",
    Kind.WHOLE: "number",
    Kind.LIST: "array",
    Kind.RECORD: "object",
    Kind.MAP: "object",
}
_CLOCKS = frozenset({Kind.DATE, Kind.TIME, Kind.MOMENT, Kind.JULIAN, Kind.DURATION})


class Flaw(StrEnum):
    """Why a value cannot be written."""

    NOT_FINITE = "not finite"
    NOT_TEXT = "not text"
    NOT_A_DATE = "not a date"
    CONTROL_INSIDE = "control inside"
    KEY_TWICE = "key twice"


class Told(NamedTuple):
    """A column in words: its cells (String), null where there is none or it has a flaw; the flaws, if any cell has one.

    A cell is a string's characters, else JSON text.
    """

    texts: pl.Series
    flaws: pl.Series | None


def json_type(meaning: Meaning) -> str | None:
    """The JSON type of a column's values; None: strings."""
    return _TYPES.get(meaning.kind)


def tell(values: Sequence[pl.Series], meanings: Sequence[Meaning], *, inside: bool = False) -> list[Told]:
    """Columns of stored values, all of one length, in words. `inside`: they lie within lists or records."""
    flat = _tell_flat(values, meanings, inside=inside)
    return [
        flat[at] if at in flat else _NESTED[meaning.kind](value, meaning)
        for at, (value, meaning) in enumerate(zip(values, meanings, strict=True))
    ]


def weigh(values: Sequence[pl.Series], meanings: Sequence[Meaning]) -> int:
    """About how many characters columns hold together."""
    weight = 0
    for value, meaning in zip(values, meanings, strict=True):
        if meaning.inner:
            names = 8 + sum(len(name) + 6 for name in meaning.names)
            weight += names * len(value) + weigh(_within(value, meaning), meaning.inner)
        elif isinstance(meaning.dtype, pl.Binary):
            weight += 8 * len(value) + int(value.bin.size().cast(pl.Int64).sum())
        else:
            weight += 16 * len(value)
    return weight


def _tell_flat(values: Sequence[pl.Series], meanings: Sequence[Meaning], *, inside: bool) -> dict[int, Told]:
    """The columns that have nothing within, all at once, by their place."""
    places = [at for at, meaning in enumerate(meanings) if not meaning.inner]
    frame = pl.DataFrame([values[at].alias(str(at)) for at in places])
    try:
        told = frame.select(_expressions(places, meanings, careful=False, inside=inside))
    except pl.exceptions.ComputeError:  # bytes that are no text
        told = frame.select(_expressions(places, meanings, careful=True, inside=inside))
    found = {}
    for at in places:
        flaws = told.get_column(f"flaw {at}") if f"flaw {at}" in told.columns else None
        if flaws is not None and flaws.null_count() == len(flaws):
            flaws = None
        found[at] = Told(told.get_column(f"text {at}"), flaws)
    return found


def _expressions(
    places: Sequence[int], meanings: Sequence[Meaning], *, careful: bool, inside: bool
) -> Iterator[pl.Expr]:
    """`text 0`, …, and `flaw 0`, … for the columns that may have one.

    `careful`: bytes that are no UTF-8 have a flaw, at the price of looking at each; else polars raises ComputeError.
    """
    for at in places:
        meaning, value = meanings[at], pl.col(str(at))
        flaws: list[pl.Expr] = []
        if meaning.kind is Kind.TEXT:
            text = _decoded(value, careful=careful)
            if careful:
                flaws.append(_flaw(text.is_null() & value.is_not_null(), Flaw.NOT_TEXT))
            if inside:  # in a cell of its own, `assembly` finds it
                flaws.append(_flaw(text.str.contains(CONTROL), Flaw.CONTROL_INSIDE))
        else:
            text = _FLAT[meaning.kind](meaning, value)
            if meaning.kind in _CLOCKS:
                flaws.append(_flaw(text.is_null() & value.is_not_null(), Flaw.NOT_A_DATE))
            elif meaning.dtype.is_float():
                flaws.append(_flaw(~value.is_finite(), Flaw.NOT_FINITE))
        if flaws:
            flaw = pl.coalesce(flaws)
            text = pl.when(flaw.is_null()).then(text)
            yield flaw.alias(f"flaw {at}")
        yield text.alias(f"text {at}")


def _flaw(found: pl.Expr, flaw: Flaw) -> pl.Expr:
    return pl.when(found).then(pl.lit(flaw.value))


def _within(value: pl.Series, meaning: Meaning) -> list[pl.Series]:
    """The fields of records; the values of lists, and the keys and values of maps, whatever row has them."""
    if meaning.kind is Kind.RECORD:
        return value.struct.unnest().get_columns()
    inner = _listed(value).list.explode(keep_nulls=False, empty_as_null=False)
    return [inner] if meaning.kind is Kind.LIST else inner.struct.unnest().get_columns()


def _listed(value: pl.Series) -> pl.Series:
    return value.arr.to_list() if isinstance(value.dtype, pl.Array) else value


def _tell_record(value: pl.Series, meaning: Meaning) -> Told:
    told = tell(_within(value, meaning), meaning.inner, inside=True)
    parts: list[pl.Series | str] = []
    for name, one, inner in zip(meaning.names, told, meaning.inner, strict=True):
        parts += [f"{', ' if parts else '{'}{json.dumps(name, ensure_ascii=False)}: ", _json(one, inner)]
    texts = pl.select(pl.when(value.is_not_null()).then(pl.concat_str(*map(pl.lit, parts), pl.lit("}")))).to_series()
    return _flawed(texts, _first_of([one.flaws for one in told]))


def _tell_list(value: pl.Series, meaning: Meaning) -> Told:
    (told,) = tell(_within(value, meaning), meaning.inner, inside=True)
    return _joined(_listed(value), _json(told, meaning.inner[0]), told.flaws, "[]")


def _tell_map(value: pl.Series, meaning: Meaning) -> Told:
    told = tell(_within(value, meaning), meaning.inner, inside=True)
    key, inner = (_json(one, each) for one, each in zip(told, meaning.inner, strict=True))
    twice = pl.DataFrame([_owners(value), key.alias("key")]).is_duplicated()
    flaws = pl.select(_flaw(pl.lit(twice), Flaw.KEY_TWICE)).to_series() if twice.any() else None
    return _joined(value, key + ": " + inner, _first_of([*(one.flaws for one in told), flaws]), "{}")


def _json(told: Told, meaning: Meaning) -> pl.Series:
    """Values as JSON text, `null` where there is none."""
    texts = told.texts
    if json_type(meaning) is None:
        quoted = texts.to_frame("v").to_struct().struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
        texts = pl.select(pl.when(texts.is_not_null()).then(quoted)).to_series()
    return texts.fill_null("null")


def _joined(lists: pl.Series, items: pl.Series, flaws: pl.Series | None, brackets: str) -> Told:
    """The texts of lists from those of their values."""
    texts = pl.select(pl.when(lists.is_not_null()).then(pl.lit(brackets))).to_series()
    owners = _owners(lists)
    items = items.alias("item")
    joined = pl.DataFrame([owners, items]).group_by("row", maintain_order=True).agg(pl.col("item").str.join(", "))
    texts = texts.scatter(joined.get_column("row"), brackets[0] + joined.get_column("item") + brackets[1])
    if flaws is None:
        return Told(texts, None)
    found = pl.DataFrame([owners, flaws.alias("flaw")]).drop_nulls().unique("row", keep="first", maintain_order=True)
    empty = pl.Series([None], dtype=pl.String).new_from_index(0, len(lists))
    return _flawed(texts, empty.scatter(found.get_column("row"), found.get_column("flaw")))


def _owners(lists: pl.Series) -> pl.Series:
    """For each value in some lists, the place of its list."""
    lengths = lists.list.len().fill_null(0)
    rows = pl.int_range(len(lists), dtype=pl.UInt32, eager=True)
    return rows.repeat_by(lengths).list.explode(keep_nulls=False, empty_as_null=False).alias("row").set_sorted()


def _first_of(flaws: Sequence[pl.Series | None]) -> pl.Series | None:
    found = [one for one in flaws if one is not None]
    return pl.select(pl.coalesce(map(pl.lit, found))).to_series() if found else None


def _flawed(texts: pl.Series, flaws: pl.Series | None) -> Told:
    if flaws is None:
        return Told(texts, None)
    return Told(pl.select(pl.when(flaws.is_null()).then(texts)).to_series(), flaws)


_NESTED: dict[Kind, Callable[[pl.Series, Meaning], Told]] = {
    Kind.LIST: _tell_list,
    Kind.MAP: _tell_map,
    Kind.RECORD: _tell_record,
}


def _decoded(value: pl.Expr, *, careful: bool) -> pl.Expr:
    if careful:
        return value.map_batches(_decode_each, return_dtype=pl.String, is_elementwise=True)
    return value.cast(pl.String)


def _decode_each(values: pl.Series) -> pl.Series:
    return pl.Series([None if value is None else _decode(value) for value in values], dtype=pl.String)


def _decode(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _number(meaning: Meaning, value: pl.Expr) -> pl.Expr:
    if meaning.dtype.is_float():
        value = pl.when(value.is_finite()).then(value)
    return value.cast(pl.String)


def _whole(meaning: Meaning, value: pl.Expr) -> pl.Expr:
    order: Literal["big", "little"] = "big" if meaning.big_endian else "little"

    def spell(values: pl.Series) -> pl.Series:
        wholes = (None if one is None else int.from_bytes(one, order, signed=meaning.signed) for one in values)
        return pl.Series([None if one is None else _scaled(one, meaning.scale) for one in wholes], dtype=pl.String)

    return value.map_batches(spell, return_dtype=pl.String, is_elementwise=True)


def _scaled(whole: int, scale: int) -> str:
    """`-5`, 2 -> `-0.05`; 12, -2 -> `1200`."""
    if scale <= 0:
        return str(whole * 10**-scale)
    digits = str(abs(whole)).zfill(scale + 1)
    return f"{'-' if whole < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def _uuid(_: Meaning, value: pl.Expr) -> pl.Expr:
    digits = value.bin.encode("hex")
    parts = [digits.str.slice(start, length) for start, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
    return pl.concat_str(parts, separator="-")


def _date(meaning: Meaning, value: pl.Expr) -> pl.Expr:
    days = value.cast(pl.Int64) // meaning.ticks
    return _day(pl.when(value % meaning.ticks == 0).then(days))


def _day(days: pl.Expr) -> pl.Expr:
    kept = pl.when(days.is_between(_FIRST_DAY, _LAST_DAY)).then(days)
    return kept.cast(pl.Int32).cast(pl.Date).dt.to_string("%F")


def _time(meaning: Meaning, value: pl.Expr) -> pl.Expr:
    wide = value.cast(pl.Int64)
    kept = pl.when(wide.is_between(0, _DAY_SECONDS * meaning.ticks - 1)).then(wide)
    return (kept * (10**9 // meaning.ticks)).cast(pl.Time).dt.to_string("%T%.f")


def _moment(meaning: Meaning, value: pl.Expr) -> pl.Expr:
    unit, factor = _UNITS[meaning.ticks]
    offset = OFFSET.fullmatch(meaning.zone or "")
    first, last = _FIRST_DAY * _DAY_SECONDS * meaning.ticks, (_LAST_DAY + 1) * _DAY_SECONDS * meaning.ticks - 1
    shift = 0
    if offset is not None:
        sign, hours, minutes = offset.groups()
        shift = int(f"{sign}1") * (int(hours) * 60 + int(minutes)) * 60 * meaning.ticks
    first, last = max(first, _LEAST - min(shift, 0)), min(last, _MOST - max(shift, 0))
    kept = pl.when(value.is_between(first, last)).then(value)
    moment = ((kept + shift) * factor).cast(pl.Datetime(unit))
    if meaning.zone is None or offset is not None:
        text = moment.dt.to_string("%FT%T%.f")
        return text if offset is None else text + pl.lit(f"{offset[1]}{offset[2]}:{offset[3]}")
    local = moment.dt.replace_time_zone("UTC").dt.convert_time_zone(meaning.zone)
    # Before standard time offsets had seconds, and without them the text would be another moment.
    return local.dt.to_string("%FT%T%.f%::z").str.replace(r"([+-]\d\d:\d\d):00$", "$1")


def _julian(_: Meaning, value: pl.Expr) -> pl.Expr:
    nanoseconds = value.bin.slice(0, 8).bin.reinterpret(dtype=pl.Int64, endianness="little")
    days = value.bin.slice(8, 4).bin.reinterpret(dtype=pl.Int32, endianness="little").cast(pl.Int64) - _JULIAN_1970
    clock = _time(_NANOSECONDS, nanoseconds)
    return pl.concat_str(_day(days), pl.lit("T"), clock)


def _duration(meaning: Meaning, value: pl.Expr) -> pl.Expr:
    unit, factor = _UNITS[meaning.ticks]
    most = _MOST // factor
    kept = pl.when(value.is_between(-most, most)).then(value)
    return (kept * factor).cast(pl.Duration(unit)).dt.to_string("iso")


_NANOSECONDS = Meaning(Kind.TIME, pl.Int64(), 10**9)
_FLAT: dict[Kind, Callable[[Meaning, pl.Expr], pl.Expr]] = {
    Kind.NULL: lambda _, value: value.cast(pl.String),
    Kind.BOOLEAN: lambda _, value: value.cast(pl.String),
    Kind.NUMBER: _number,
    Kind.WHOLE: _whole,
    Kind.UUID: _uuid,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.MOMENT: _moment,
    Kind.JULIAN: _julian,
    Kind.DURATION: _duration,
}

"""Cell columns: what `cell_values` says of one cell, said of many at once.

It must never say anything else: only values of the plainest form are read here in columns, each by a rule that gives
what `CellReader.read` gives; all others are given to that, one by one.
"""

from dataclasses import dataclass
from enum import Enum, auto

import polars as pl

from etl.readers.assembly import SPREADSHEET_ERRORS
from etl.readers.workbooks.cell_values import DAY_MS, CellReader, StoredCell, Value, serial_span_ms, serial_start
from etl.readers.workbooks.number_formats import Shape
from etl.readers.workbooks.plain_rows import Kind, StoredCells
from etl.readers.workbooks.shared_texts import SharedTexts, in_order
from etl.readers.workbooks.stretch import COLUMN, FAULT, ROW, TEXT, Faults, Stretch


class _Way(Enum):
    """How the values of a kind of cell are read."""

    SHARED = auto()
    TEXT = auto()
    BOOLEAN = auto()
    NUMBER = auto()
    DATE = auto()
    TIME = auto()
    DATE_AND_TIME = auto()
    ONE_BY_ONE = auto()


_MOMENTS = {Shape.DATE: _Way.DATE, Shape.TIME: _Way.TIME, Shape.DATE_AND_TIME: _Way.DATE_AND_TIME}
_KINDS = {"s": _Way.SHARED, "str": _Way.TEXT, "inlineStr": _Way.TEXT, "b": _Way.BOOLEAN}

_PLACE = r"^[0-9]{1,9}$"
_WHOLE = r"^(?:0|-?[1-9][0-9]{0,14})$"
_NUMBER = r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"
_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e15
"""Between these, polars and Python write the shortest form of a double alike."""
_AFTER_LEAP_DAY = 61


@dataclass(frozen=True, slots=True)
class ColumnReader:
    """Reads the cells of one workbook in columns.

    `texts` are the strings that `reader` has, `texts_bytes` what the workbook needs to store them.
    """

    reader: CellReader
    texts: SharedTexts
    texts_bytes: int = 0

    def read(self, stored: StoredCells) -> Stretch:
        """The cells that hold something. Raises FileError where references are damaged."""
        cells = stored.cells
        ways = [self._way(kind) for kind in stored.kinds]
        codes = pl.Series([way.value for way in ways], dtype=pl.UInt8).gather(cells["kind"])
        found: list[pl.Series] = []
        places: list[pl.Series] = []
        for way in sorted(set(ways), key=lambda way: way.value):
            here = codes == way.value
            found.append(self._read_way(way, cells["text"].filter(here)))
            places.append(here.arg_true())
        texts = in_order(found, places) if found else cells["text"]
        return self._finished(stored, texts)

    def _finished(self, stored: StoredCells, texts: pl.Series) -> Stretch:
        """The cells with the texts read so far (null: not yet); empty ones are left out."""
        cells = stored.cells
        lacks_result = cells["text"].is_null() | cells["text"].is_in(["", "0"])
        odd = texts.is_null() | (cells["formula"] & lacks_result)
        faults = Faults()
        places = pl.repeat(None, len(texts), dtype=pl.UInt32, eager=True)
        if odd.any():
            values = self._read_one_by_one(stored, odd)
            texts = _replaced(texts, odd, pl.Series([text for text, _ in values], dtype=pl.String))
            own = [faults.place(fault) for _, fault in values]
            places = _replaced(places, odd, pl.Series(own, dtype=pl.UInt32))
        found = cells.select(ROW, COLUMN).with_columns(texts.alias(TEXT), places.alias(FAULT))
        return Stretch(found.filter((pl.col(TEXT) != "") | pl.col(FAULT).is_not_null()), faults.found)

    def _read_one_by_one(self, stored: StoredCells, odd: pl.Series) -> list[Value]:
        known: dict[tuple[int, str | None, bool], Value] = {}
        values: list[Value] = []
        for cell in stored.cells.filter(odd).select("kind", "text", "formula").iter_rows():
            value = known.get(cell)
            if value is None:
                place, text, formula = cell
                kind = stored.kinds[place]
                value = known[cell] = self.reader.read(StoredCell(kind.type, text, kind.style, formula))
            values.append(value)
        return values

    def _way(self, kind: Kind) -> _Way:
        if kind.type != "n":
            return _KINDS.get(kind.type, _Way.ONE_BY_ONE)
        shapes, digits = self.reader.shapes, self.reader.digits
        if shapes and kind.style >= len(shapes):
            return _Way.ONE_BY_ONE
        shape = shapes[kind.style] if shapes else Shape.NUMBER
        if shape is Shape.NUMBER:
            return _Way.ONE_BY_ONE if digits and digits[kind.style] > 1 else _Way.NUMBER
        return _MOMENTS.get(shape, _Way.ONE_BY_ONE)

    def _read_way(self, way: _Way, texts: pl.Series) -> pl.Series:
        """The texts of some cells; null: to be read one by one."""
        match way:
            case _Way.SHARED:
                places = pl.select(pl.when(texts.str.contains(_PLACE)).then(texts)).to_series()
                return self.texts.gather_plain(places.cast(pl.UInt32))
            case _Way.TEXT:
                return _plain_texts(texts)
            case _Way.BOOLEAN:
                return texts.replace_strict(["0", "1"], ["FALSE", "TRUE"], default=None, return_dtype=pl.String)
            case _Way.NUMBER:
                return _numbers(texts)
            case _Way.DATE | _Way.TIME | _Way.DATE_AND_TIME:
                return _moments(texts, way, from_1904=self.reader.from_1904)
            case _Way.ONE_BY_ONE:
                return pl.repeat(None, len(texts), dtype=pl.String, eager=True)


def is_odd(texts: pl.Series) -> pl.Series:
    """Which texts hold escapes or are errors."""
    return texts.str.contains("_x", literal=True) | (texts.str.starts_with("#") & texts.is_in(list(SPREADSHEET_ERRORS)))


def _plain_texts(texts: pl.Series) -> pl.Series:
    odd = is_odd(texts)
    return pl.select(pl.when(~odd).then(texts)).to_series() if odd.any() else texts


def _numbers(texts: pl.Series) -> pl.Series:
    """Numbers as Python writes them: whole ones as they are, others in the shortest form of the same double."""
    other = ~texts.str.contains(_WHOLE).fill_null(value=True)
    if not other.any():
        return texts
    text, value = pl.col("text"), pl.col("value")
    frame = pl.DataFrame({"text": texts.filter(other)}).with_columns(value=text.cast(pl.Float64, strict=False))
    is_plain = value.abs().is_between(_LEAST_PLAIN, _MOST_PLAIN, closed="left") & text.str.contains(_NUMBER)
    shortest = pl.when(is_plain).then(value.cast(pl.String).str.strip_suffix(".0"))
    return _replaced(texts, other, frame.select(shortest).to_series())


def _moments(texts: pl.Series, way: _Way, *, from_1904: bool) -> pl.Series:
    """Dates and times by serial number, as ISO text; those before the leap day that never was are left."""
    value, passed, text = pl.col("value"), pl.col("passed"), pl.col("text")
    frame = (
        pl.DataFrame({"text": texts})
        .with_columns(value=pl.when(text.str.contains(_NUMBER)).then(text).cast(pl.Float64))
        .with_columns(passed=(value * DAY_MS).round(0, mode="half_to_even"))
    )
    is_clock = value.is_between(0, 1, closed="left") & (way is _Way.TIME)
    is_day = (value >= (1 if from_1904 else _AFTER_LEAP_DAY)) & (passed < serial_span_ms(from_1904=from_1904))
    start = pl.lit(serial_start(from_1904=from_1904), dtype=pl.Datetime("ms"))
    moment = start + pl.when(is_clock | is_day).then(passed).cast(pl.Int64).cast(pl.Duration("ms"))
    iso = moment.dt.strftime("%Y-%m-%dT%H:%M:%S%.3f").str.strip_suffix(".000")
    if way is _Way.DATE:
        iso = iso.str.strip_suffix("T00:00:00")
    elif way is _Way.TIME:
        iso = pl.when(is_clock).then(iso.str.slice(len("2024-01-01T"))).otherwise(iso)
    return frame.select(iso).to_series()


def _replaced(values: pl.Series, where: pl.Series, others: pl.Series) -> pl.Series:
    """The values, and the others where they belong."""
    return in_order([values.filter(~where), others], [(~where).arg_true(), where.arg_true()])

"""Parquet and Arrow: every value is told exactly, or its row, or its file, is refused in words."""

import json
import random
import re
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from etl.batch import ROW, TYPES
from etl.errors import FileError
from etl.readers import open_source
from etl.readers.assembly import BATCH_ROWS
from etl.readers.columnar.flatbuffer import Field, Number
from etl.readers.columnar.parquet import ParquetFile
from etl.readers.columnar.thrift import RecordWriter, read_record
from etl.readers.columnar.typed_rows import read_rows
from tests.reading_talk import found, read, refusal
from tests.typed_files import (
    BYTES,
    FIXED,
    INT32,
    INT64,
    INT96,
    OPTIONAL,
    REPEATED,
    Leaf,
    element,
    field,
    message,
    parquet,
)

WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "parquet": lambda frame, path: frame.write_parquet(path),
    "arrow file": lambda frame, path: frame.write_ipc(path, compression="zstd"),
    "arrow stream": lambda frame, path: frame.write_ipc_stream(path, compression="lz4"),
}
SUFFIXES = {"parquet": ".parquet", "arrow file": ".arrow", "arrow stream": ".arrows"}
forms = pytest.mark.parametrize("form", list(WRITERS))


def written(frame: pl.DataFrame, folder: Path, form: str) -> Path:
    path = folder / f"cases{SUFFIXES[form]}"
    WRITERS[form](frame, path)
    return path


def told(path: Path) -> pl.DataFrame:
    """The rows in words, read in this process: `_types`, the cells by column, and `flaw N`."""
    format_ = "parquet" if path.suffix == ".parquet" else "arrow"
    pieces = list(read_rows(str(path), format_, path.name))
    frames = [pl.read_ipc_stream(BytesIO(piece["frame"])) for piece in pieces]  # type: ignore[arg-type]  # bytes
    columns: Any = pieces[0]["columns"]
    whole = pl.concat(frames, how="diagonal")
    return whole.rename({str(at): name for at, name in enumerate(columns)})


class TestEveryKindOfValue:
    FRAME = pl.DataFrame(
        [
            pl.Series("text", ["a", "", "größer 😀\n"]),
            pl.Series("word", ["x", None, "y"], dtype=pl.Categorical),
            pl.Series("choice", ["lo", "hi", None], dtype=pl.Enum(["lo", "hi"])),
            pl.Series("bytes", [b"plain", None, "größer".encode()]),
            pl.Series("small", [1, -128, None], dtype=pl.Int8),
            pl.Series("large", [2**64 - 1, 0, None], dtype=pl.UInt64),
            pl.Series("huge", [2**127 - 1, -(2**127), None], dtype=pl.Int128),
            pl.Series("float", [1.0, -0.0, 1e300]),
            pl.Series("single", [0.1, 16_777_216.0, None], dtype=pl.Float32),
            pl.Series("money", [Decimal("1.50"), Decimal("-0.05"), Decimal(10**20)], dtype=pl.Decimal(38, 2)),
            pl.Series("yes", [True, False, None]),
            pl.Series("day", [date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)]),
            pl.Series("moment", [datetime(2024, 1, 2, 3, 4, 5, 123_456), datetime(1969, 12, 31, 23), None]),  # noqa: DTZ001
            pl.Series("there", [datetime(2024, 7, 1, 12), datetime(1890, 1, 1), None]).dt.replace_time_zone(  # noqa: DTZ001
                "Europe/Berlin", non_existent="null"
            ),
            pl.Series("clock", [time(1, 2, 3, 4), time(23, 59, 59), None]),
            pl.Series("took", [timedelta(days=1, seconds=5, microseconds=3), -timedelta(hours=30), None]),
            pl.Series("nothing", [None, None, None], dtype=pl.Null),
            pl.Series("list", [[1, None], [], None], dtype=pl.List(pl.Int64)),
            pl.Series("pair", [[1.5, 2.0], None, [0.0, None]], dtype=pl.Array(pl.Float64, 2)),
            pl.Series("record", [{"a": 1, "ü": 'say "x"'}, {"a": None, "ü": None}, None]),
            pl.Series("deep", [[{"d": date(2024, 1, 1), "l": [b"q"]}, None], [], None]),
            pl.Series("map", [{"k": 1.0, "l": None}, {}, None], dtype=pl.Map(pl.String, pl.Float64)),
        ]
    )
    TOLD: ClassVar[dict[str, list[str | None]]] = {
        "text": ["a", "", "größer 😀\n"],
        "word": ["x", None, "y"],
        "choice": ["lo", "hi", None],
        "bytes": ["plain", None, "größer"],
        "small": ["1", "-128", None],
        "large": ["18446744073709551615", "0", None],
        "huge": [str(2**127 - 1), str(-(2**127)), None],
        "float": ["1.0", "-0.0", "1e+300"],
        "single": ["0.1", "16777216.0", None],
        "money": ["1.50", "-0.05", "100000000000000000000.00"],
        "yes": ["true", "false", None],
        "day": ["2024-02-29", "0001-01-01", "9999-12-31"],
        "moment": ["2024-01-02T03:04:05.123456", "1969-12-31T23:00:00", None],
        "there": ["2024-07-01T12:00:00+02:00", "1890-01-01T00:00:00+00:53:28", None],
        "clock": ["01:02:03.000004", "23:59:59", None],
        "took": ["P1DT5.000003S", "-P1DT6H", None],
        "nothing": [None, None, None],
        "list": ["[1, null]", "[]", None],
        "pair": ["[1.5, 2.0]", None, "[0.0, null]"],
        "record": ['{"a": 1, "ü": "say \\"x\\""}', '{"a": null, "ü": null}', None],
        "deep": ['[{"d": "2024-01-01", "l": ["q"]}, null]', "[]", None],
        "map": ['{"k": 1.0, "l": null}', "{}", None],
    }

    @forms
    def test_is_told_exactly(self, tmp_path: Path, form: str) -> None:
        (batch,) = read(written(self.FRAME, tmp_path, form))
        assert batch.source.drop(ROW, TYPES).to_dict(as_series=False) == self.TOLD
        assert batch.source[ROW].to_list() == [1, 2, 3]
        assert batch.problems.is_empty()

    @forms
    def test_names_the_json_type_of_what_is_no_string(self, tmp_path: Path, form: str) -> None:
        (batch,) = read(written(self.FRAME, tmp_path, form))
        kinds = dict.fromkeys(["small", "large", "huge", "float", "single", "money"], "number") | {"yes": "boolean"}
        kinds |= {"list": "array", "pair": "array", "record": "object", "deep": "array", "map": "object"}
        for types, cells in zip(batch.source[TYPES], batch.source.iter_rows(named=True), strict=True):
            assert json.loads(types) == {name: kind for name, kind in kinds.items() if cells[name] is not None}

    @forms
    def test_is_told_as_json_lines_would(self, tmp_path: Path, form: str) -> None:
        objects = [{"a": "x", "n": 1, "f": 1.0, "b": True, "l": ["y", None], "o": {"k": "v"}}, {"a": "y", "n": -2}]
        lines = tmp_path / "cases.jsonl"
        lines.write_text("".join(f"{json.dumps(one)}\n" for one in objects))
        (theirs,), (ours,) = read(lines), read(written(pl.DataFrame(objects), tmp_path, form))
        assert ours.source.drop(ROW).equals(theirs.source.select(TYPES, *theirs.origin.columns))


MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
SPANS = st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
"""Control characters are problems, and have tests of their own."""


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda whole: Decimal(whole).scaleb(-scale))


SCALARS: dict[pl.DataType, st.SearchStrategy[Any]] = {
    pl.String(): TEXTS,
    pl.Categorical(): TEXTS,
    pl.Binary(): TEXTS.map(str.encode),
    pl.Boolean(): st.booleans(),
    pl.Int8(): st.integers(-(2**7), 2**7 - 1),
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.UInt16(): st.integers(0, 2**16 - 1),
    pl.UInt64(): st.integers(0, 2**64 - 1),
    pl.Int128(): st.integers(-(2**127), 2**127 - 1),
    pl.Float32(): st.floats(width=32, allow_nan=False, allow_infinity=False),
    pl.Float64(): st.floats(allow_nan=False, allow_infinity=False),
    pl.Decimal(9, 2): decimals(9, 2),
    pl.Decimal(38, 10): decimals(28, 10),  # Python rounds more digits
    pl.Date(): st.dates(),
    pl.Time(): st.times(),
    pl.Datetime("ms"): MOMENTS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)),
    pl.Datetime("us"): MOMENTS,
    pl.Datetime("ns"): st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)),  # noqa: DTZ001
    pl.Datetime("us", "UTC"): MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    pl.Datetime("us", "Asia/Kolkata"): MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    pl.Duration("us"): SPANS,
    pl.Duration("ns"): SPANS,
}
DTYPES = st.recursive(
    st.sampled_from(list(SCALARS)),
    lambda inner: (
        inner.map(pl.List)
        | st.tuples(inner, st.integers(1, 3)).map(lambda pair: pl.Array(*pair))
        | st.dictionaries(TEXTS, inner, min_size=1, max_size=3).map(pl.Struct)
    ),
    max_leaves=4,
)


def values_of(dtype: Any) -> st.SearchStrategy[Any]:
    if isinstance(dtype, pl.List):
        filled: st.SearchStrategy[Any] = st.lists(values_of(dtype.inner), max_size=3)
    elif isinstance(dtype, pl.Array):
        filled = st.lists(values_of(dtype.inner), min_size=dtype.size, max_size=dtype.size)
    elif isinstance(dtype, pl.Struct):
        filled = st.fixed_dictionaries({one.name: values_of(one.dtype) for one in dtype.fields})
    else:
        filled = SCALARS[dtype]
    return st.none() | filled


@st.composite
def frames(draw: st.DrawFn) -> tuple[pl.DataFrame, list[Any], list[list[Any]]]:
    height = draw(st.integers(1, 6))
    dtypes = draw(st.lists(DTYPES, min_size=1, max_size=3))
    columns = [draw(st.lists(values_of(dtype), min_size=height, max_size=height)) for dtype in dtypes]
    named = enumerate(columns)
    try:
        frame = pl.DataFrame([pl.Series(f"c{at}", each, dtype=dtypes[at], strict=False) for at, each in named])
    except (TypeError, OverflowError):  # polars does not build every table of 128-bit numbers
        reject()
    return frame, dtypes, columns


class Numeral(str):
    """A number as JSON text spells it."""

    __slots__ = ()


def same(dtype: Any, value: Any, seen: Any) -> bool:
    """Whether JSON, its numbers kept as they are spelled, says exactly what a Python value is."""
    if value is None or seen is None:
        return value is seen
    if isinstance(dtype, pl.List | pl.Array):
        return len(value) == len(seen) and all(same(dtype.inner, *pair) for pair in zip(value, seen, strict=True))
    if isinstance(dtype, pl.Struct):
        names = [one.name for one in dtype.fields]
        return list(seen) == names and all(same(one.dtype, value[one.name], seen[one.name]) for one in dtype.fields)
    if dtype.is_numeric() and not isinstance(seen, Numeral):
        return False
    if dtype.is_float():
        form = "f" if isinstance(dtype, pl.Float32) else "d"
        return struct.pack(form, float(seen)) == struct.pack(form, value)
    return bool(seen == (value if isinstance(value, bool) else spelled(dtype, value)))


def spelled(dtype: Any, value: Any) -> str:
    """Digits as they are; ISO text, a fraction in thousands of a second, or in millions."""
    if isinstance(value, timedelta):
        return iso_duration(value)
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(ZoneInfo(dtype.time_zone))
    if isinstance(value, date | time):
        return re.sub(r"(\.\d{3})000(?!\d)", r"\1", value.isoformat())
    if isinstance(value, Decimal):
        return f"{value:.{dtype.scale}f}"
    return value.decode() if isinstance(value, bytes) else str(value)


def iso_duration(span: timedelta) -> str:
    whole = abs(span)
    hours, rest = divmod(whole.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{whole.microseconds:06}".rstrip("0") if whole.microseconds else ""
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    clock += f"{seconds}{fraction}S" if seconds or fraction else ""
    days = f"{whole.days}D" if whole.days else ""
    return f"{'-' if span < timedelta() else ''}P{days}{'T' + clock if clock else ''}" if days or clock else "PT0S"


def in_python(dtype: Any, text: str | None) -> Any:
    if text is None or isinstance(dtype, pl.String | pl.Categorical | pl.Binary) or dtype.is_temporal():
        return text
    return json.loads(text, parse_float=Numeral, parse_int=Numeral)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=frames(), size=st.integers(1, 7), form=st.sampled_from(list(WRITERS)), data=st.data())
def test_what_is_written_in_any_way_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    table: tuple[pl.DataFrame, list[Any], list[list[Any]]],
    size: int,
    form: str,
    data: st.DataObject,
) -> None:
    frame, dtypes, columns = table
    path = tmp_path_factory.mktemp("typed") / f"cases{SUFFIXES[form]}"
    if form == "parquet":
        pack = data.draw(st.sampled_from(["uncompressed", "snappy", "gzip", "brotli", "lz4", "zstd"]))
        frame.write_parquet(path, compression=pack, row_group_size=size, data_page_size=size)
    elif form == "arrow file":
        frame.write_ipc(path, compression=data.draw(st.sampled_from(["uncompressed", "lz4", "zstd"])))
    else:
        frame.write_ipc_stream(path, compression=data.draw(st.sampled_from(["uncompressed", "lz4", "zstd"])))
    cells = told(path)
    for at, (dtype, values) in enumerate(zip(dtypes, columns, strict=True)):
        for value, text in zip(values, cells[f"c{at}"], strict=True):
            assert same(dtype, value, in_python(dtype, text)), (dtype, value, text)


class TestALargeFile:
    ROWS = 2 * BATCH_ROWS + 5_000

    def frame(self) -> pl.DataFrame:
        at = pl.int_range(self.ROWS, eager=True)
        lists = pl.DataFrame({"at": at}).select(pl.int_ranges(0, pl.col("at") % 4)).to_series()
        words = pl.Series(["yes", "no", None, "a longer text that lies in a dictionary"])
        return pl.DataFrame(
            {
                "id": at.cast(pl.String).str.zfill(7),
                "n": at,
                "odd": at % 2 == 1,
                "list": lists,
                "word": words.gather(at % 4),
                "record": pl.DataFrame({"x": at, "y": at.cast(pl.String)}).to_struct(),
            }
        )

    @forms
    def test_comes_in_batches_of_a_bounded_size(self, tmp_path: Path, form: str) -> None:
        with open_source(str(written(self.frame(), tmp_path, form))) as survey:
            (table,) = survey.tables
            assert table.sample.height == 200
            batches = list(table.batches())
        assert [len(batch) for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 5_000]
        frame = pl.concat(batch.source for batch in batches)
        assert frame[ROW].equals(pl.Series(ROW, range(1, self.ROWS + 1)))
        assert frame["id"].equals(self.frame()["id"])
        assert frame["list"][3::4].unique().to_list() == ["[0, 1, 2]"]
        assert frame["record"][-1] == f'{{"x": {self.ROWS - 1}, "y": "{self.ROWS - 1}"}}'

    def test_says_how_many_rows_it_has(self, tmp_path: Path) -> None:
        with open_source(str(written(self.frame(), tmp_path, "parquet"))) as survey:
            assert [(one.subject, one.value) for one in survey.tables[0].decisions] == [("rows", f"{self.ROWS:,}")]

    @pytest.mark.parametrize("group", [100, 7_000, ROWS])
    def test_is_the_same_in_any_parts(self, tmp_path: Path, group: int) -> None:
        path = tmp_path / "cases.parquet"
        self.frame().write_parquet(path, row_group_size=group, data_page_size=2_000)
        with path.open("rb") as stream:
            whole, parts = (
                pl.concat(ParquetFile(stream, path.stat().st_size, most).frames()) for most in (1 << 30, 20_000)
            )
            assert whole.equals(parts)

    def test_with_heavy_rows_comes_in_smaller_batches(self, tmp_path: Path) -> None:
        frame = pl.DataFrame({"a": ["x" * 3_000_000] * 30})
        frame.write_parquet(tmp_path / "cases.parquet")
        assert [len(batch) for batch in read(tmp_path / "cases.parquet")] == [7, 8, 7, 8]

    def test_without_rows_is_a_table(self, tmp_path: Path) -> None:
        with open_source(str(written(self.frame().clear(), tmp_path, "parquet"))) as survey:
            (table,) = survey.tables
            assert (len(table.origin.columns), table.sample.height, list(table.batches())) == (6, 0, [])


class TestAValueThatHasNoText:
    """It is a problem on its row, and the others go on."""

    @pytest.mark.parametrize(
        ("values", "dtype", "code", "message"),
        [
            ([1.5, float("nan")], pl.Float64(), "malformed_json", "c holds NaN or Infinity, which JSON does not have"),
            ([1.5, float("-inf")], pl.Float32(), "malformed_json", "c holds NaN or Infinity"),
            ([[1.5], [None, float("inf")]], pl.List(pl.Float64), "malformed_json", "c holds NaN or Infinity"),
            ([b"a", b"\xff"], pl.Binary(), "control_character", "c holds bytes that are no text (UTF-8)"),
            ([[b"a"], [b"\xff"]], pl.List(pl.Binary), "control_character", "c holds bytes that are no text (UTF-8)"),
            ([["a"], ["a\x00b"]], pl.List(pl.String), "control_character", "c holds a control character inside"),
            (["a", "a\x00b"], pl.String(), "control_character", "c holds the control character U+0000 (character 2)"),
        ],
        ids=["nan", "infinity", "in a list", "bytes", "bytes in a list", "control in a list", "control"],
    )
    @forms
    def test_is_a_problem_on_its_row(
        self, tmp_path: Path, form: str, values: list[Any], dtype: pl.DataType, code: str, message: str
    ) -> None:
        frame = pl.DataFrame({"c": pl.Series(values, dtype=dtype), "d": ["x", "y"]})
        batches = read(written(frame, tmp_path, form))
        assert found(batches) == [(2, code, "c")]
        assert batches[0].problems["message"][0].startswith(message)
        assert batches[0].source["d"].to_list() == ["x", "y"]
        assert batches[0].source["c"][0] is not None

    @pytest.mark.parametrize(
        ("count", "dtype"),
        [
            (3_000_000, pl.Date()),
            (-719_163, pl.Date()),
            (2**62, pl.Datetime("ms")),
            (253_402_300_800_000_000, pl.Datetime("us", "Europe/Berlin")),
            (-(2**63), pl.Duration("us")),
        ],
        ids=str,
    )
    @forms
    def test_is_a_day_that_no_calendar_has(self, tmp_path: Path, form: str, count: int, dtype: pl.DataType) -> None:
        frame = pl.DataFrame({"c": pl.Series([0, count], dtype=pl.Int64).cast(dtype)})
        batches = read(written(frame, tmp_path, form))
        assert found(batches) == [(2, "error_cell", "c")]
        assert "a date or time that no calendar has" in batches[0].problems["message"][0]


TEXT_LEAF = Leaf(("c",), BYTES, b"\x01\x00\x00\x00x\x01\x00\x00\x00y", 2)
TEXT = element("c", type_=BYTES, converted=0)
UUID = element("c", type_=FIXED, length=16, logical=RecordWriter().record(14, RecordWriter()))


def logical(kind: int, told: RecordWriter | None = None) -> RecordWriter:
    return RecordWriter().record(kind, told or RecordWriter())


class TestParquetThatOtherProgramsWrite:
    @pytest.mark.parametrize(
        ("column", "stored", "cell"),
        [
            (element("c", type_=INT96), bytes(8) + (2_305_448).to_bytes(4, "little"), "1600-01-01T00:00:00"),
            (UUID, bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
            (
                element("c", type_=FIXED, length=17, converted=5, digits=(2, 40)),
                (-(10**39) - 5).to_bytes(17, "big", signed=True),
                "-1" + "0" * 37 + ".05",
            ),
            (element("c", type_=INT32, converted=5, digits=(2, 9)), (-5).to_bytes(4, "little", signed=True), "-0.05"),
            (element("c", type_=INT32, converted=11), (200).to_bytes(4, "little"), "200"),
            (element("c", type_=INT32, converted=6), (-1).to_bytes(4, "little", signed=True), "1969-12-31"),
            (element("c", type_=INT32, converted=7), (1500).to_bytes(4, "little"), "00:00:01.500"),
            (element("c", type_=INT64, converted=10), (1500).to_bytes(8, "little"), "1970-01-01T00:00:00.001500+00:00"),
            (element("c", type_=FIXED, length=2, logical=logical(15)), struct.pack("<e", 1.5), "1.5"),
            (element("c", type_=INT32, logical=logical(11)), (7).to_bytes(4, "little"), "7"),
            (element("c", type_=BYTES), b"\x02\x00\x00\x00hi", "hi"),
        ],
        ids=["int96", "uuid", "40 digits", "decimal", "uint8", "date", "time", "moment", "half", "null", "bytes"],
    )
    def test_is_read_by_what_it_means(self, tmp_path: Path, column: bytes, stored: bytes, cell: str) -> None:
        type_ = read_record(column)[0].number(1)
        path = parquet(tmp_path / "cases.parquet", [column], [Leaf(("c",), type_, stored, 1)], 1)
        assert told(path)["c"].to_list() == [cell]

    def test_may_have_lists_of_the_old_form(self, tmp_path: Path) -> None:
        """`repeated int32 c`, without a word of lists: two values in one row."""
        levels = b"\x02\0\0\0\x03\x02" + b"\x02\0\0\0\x03\x03"
        leaf = Leaf(("c",), INT32, struct.pack("<2i", 7, 8), 2, levels)
        path = parquet(tmp_path / "cases.parquet", [element("c", type_=INT32, repetition=REPEATED)], [leaf], 1)
        assert told(path)["c"].to_list() == ["[7, 8]"]

    def test_may_have_maps_with_one_key_twice(self, tmp_path: Path) -> None:
        schema = [
            element("c", repetition=OPTIONAL, children=1, converted=1),
            element("key_value", repetition=REPEATED, children=2),
            element("key", type_=BYTES, converted=0),
            element("value", type_=INT32),
        ]
        levels = b"\x02\0\0\0\x03\x02" + b"\x03\0\0\0\x03\x0a\x00"
        leaves = [
            Leaf(("c", "key_value", "key"), BYTES, TEXT_LEAF.data.replace(b"y", b"x"), 2, levels),
            Leaf(("c", "key_value", "value"), INT32, struct.pack("<2i", 7, 8), 2, levels),
        ]
        cells = told(parquet(tmp_path / "cases.parquet", schema, leaves, 1))
        assert cells.rows() == [("{}", None, "key twice")]
        leaves[0] = leaves[0]._replace(data=TEXT_LEAF.data)
        cells = told(parquet(tmp_path / "cases.parquet", schema, leaves, 1))
        assert cells.rows() == [('{"c": "object"}', '{"x": 7, "y": 8}')]

    def test_may_have_checksums_that_are_believed(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "cases.parquet", [TEXT], [TEXT_LEAF], 2, checksum=zlib.crc32(TEXT_LEAF.data))
        assert told(path)["c"].to_list() == ["x", "y"]
        path = parquet(tmp_path / "cases.parquet", [TEXT], [TEXT_LEAF], 2, checksum=zlib.crc32(b"else"))
        assert "is damaged: the page at byte 4 has changed since it was written" in refusal(path).message


class TestParquetIsRefused:
    @pytest.mark.parametrize(
        ("schema", "leaf", "rows", "why"),
        [
            (TEXT, TEXT_LEAF, 3, "a column does not hold as many values as there are rows"),
            (TEXT, TEXT_LEAF._replace(said_values=3), 3, "its values cannot be decoded"),
            (TEXT, TEXT_LEAF._replace(said_values=-2), -2, "its row groups do not hold as many rows as it says"),
            (TEXT, TEXT_LEAF._replace(said_values=10**9), 10**9, "says that it holds 1,000,000,000 rows in"),
            (TEXT, TEXT_LEAF._replace(data=bytes(200_000), said_values=9_000_000), 9_000_000, "has a page of"),
            (TEXT, TEXT_LEAF._replace(codec=3), 2, "is compressed with LZO"),
            (TEXT, TEXT_LEAF._replace(codec=99), 2, "its values cannot be decoded"),
            (element("c", type_=9), TEXT_LEAF, 2, "its column 'c' has no known type"),
            (element("c", type_=FIXED, length=12, converted=21), TEXT_LEAF, 2, "has a column 'c' that holds intervals"),
            (element("c", type_=FIXED, length=0), TEXT_LEAF, 2, "holds values of 0 bytes"),
            (element("", type_=BYTES), TEXT_LEAF, 2, "a column may not be called ''"),
            (element("^a$", type_=BYTES), TEXT_LEAF, 2, "a column may not be called '^a$'"),
        ],
        ids=[
            "rows",
            "values",
            "negative",
            "billion",
            "page",
            "lzo",
            "codec",
            "type",
            "interval",
            "empty",
            "name",
            "odd",
        ],
    )
    def test_in_words(self, tmp_path: Path, schema: bytes, leaf: Leaf, rows: int, why: str) -> None:
        error = refusal(parquet(tmp_path / "cases.parquet", [schema], [leaf], 2, said_rows=rows))
        assert error.message.startswith(f"{tmp_path / 'cases.parquet'}")
        assert why in error.message

    def test_when_it_is_encrypted(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "cases.parquet", [TEXT], [TEXT_LEAF], 2, encrypted=True)
        assert refusal(path).message == f"{path} is encrypted."

    def test_when_columns_have_one_name(self, tmp_path: Path) -> None:
        leaves = [TEXT_LEAF, TEXT_LEAF._replace(path=("d",))]
        path = parquet(tmp_path / "cases.parquet", [TEXT, TEXT], leaves, 2)
        assert refusal(path).message == f"{path}: 2 columns have the same name 'c'."

    @pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
    def test_when_there_are_too_many_columns_or_none(self, tmp_path: Path, suffix: str) -> None:
        write = pl.DataFrame.write_parquet if suffix == ".parquet" else pl.DataFrame.write_ipc
        path = tmp_path / f"cases{suffix}"
        write(pl.DataFrame({f"c{at}": [at] for at in range(1_001)}), path)
        assert refusal(path).message == f"{path} has 1,001 columns; at most 1,000 are read."
        write(pl.DataFrame(), path)
        assert refusal(path).message == f"{path} has no columns."

    @pytest.mark.parametrize("kept", [0.2, 0.6, 0.99])
    @forms
    def test_when_it_is_cut_off(self, tmp_path: Path, form: str, kept: float) -> None:
        path = written(pl.DataFrame({"a": range(5_000), "b": ["text"] * 5_000}), tmp_path, form)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
        assert str(path) in refusal(path).message

    def test_when_lists_lie_too_deep_within_each_other(self, tmp_path: Path) -> None:
        column = pl.Series("c", [1])
        for _ in range(30):
            column = pl.DataFrame([column.alias("x")]).to_struct("c")
        column.to_frame().write_parquet(tmp_path / "cases.parquet")
        assert "more than 24 lists and records within each other" in refusal(tmp_path / "cases.parquet").message


def stored_as(path: Path, values: pl.Series, *fields: Field, endian: int = 0) -> Path:
    """An Arrow stream of a column whose schema says that it is something else."""
    content = BytesIO()
    values.to_frame().write_ipc_stream(content)
    rows = content.getvalue()[8 + int.from_bytes(content.getvalue()[4:8], "little") :]
    path.write_bytes(message(1, (Number("h", endian), list(fields))) + rows)
    return path


WHOLE = pl.Series("c", [86_400_000], dtype=pl.Int64)
SHORT = pl.Series("c", [-12], dtype=pl.Int32)
WIDE = pl.Series("c", [-12], dtype=pl.Int128)


class TestArrowThatOtherProgramsWrite:
    @pytest.mark.parametrize(
        ("values", "kind", "type_", "row"),
        [
            (WHOLE, 8, (Number("h", 1),), ("1970-01-02",)),
            (WHOLE + 1, 8, (Number("h", 1),), (None, "not a date")),
            (WHOLE, 10, (Number("h", 0),), ("1972-09-27T00:00:00",)),
            (WHOLE, 10, (Number("h", 1), "-05:30"), ("1970-01-01T18:30:00-05:30",)),
            (WHOLE, 10, (Number("h", 1), "Nowhere/Land"), ("1970-01-02T00:00:00+00:00",)),
            (WHOLE, 9, (Number("h", 2), Number("i", 64)), ("00:01:26.400",)),
            (WHOLE * 1_000, 9, (Number("h", 2), Number("i", 64)), (None, "not a date")),
            (WHOLE, 18, (Number("h", 0),), ("P1000D",)),
            (WHOLE, 7, (Number("i", 18), Number("i", 3), Number("i", 64)), ("86400.000",)),
            (SHORT, 7, (Number("i", 9), Number("i", -2), Number("i", 32)), ("-1200",)),
            (WIDE, 7, (Number("i", 38), Number("i", 3)), ("-0.012",)),
            (WIDE, 15, (Number("i", 16),), (None, "not text")),
        ],
        ids=[
            "date64",
            "odd date64",
            "seconds",
            "offset",
            "zone",
            "clock",
            "beyond",
            "span",
            "64",
            "scale",
            "128",
            "fixed",
        ],
    )
    def test_is_read_by_what_it_means(
        self, tmp_path: Path, values: pl.Series, kind: int, type_: Field, row: tuple[str | None, ...]
    ) -> None:
        cells = told(stored_as(tmp_path / "cases.arrow", values, field("c", kind, type_)))
        assert tuple(cells.row(0)[1:]) == row

    def test_may_replace_its_dictionaries(self, tmp_path: Path) -> None:
        pieces = []
        for words in (["a", "b", "a"], ["c", "d", "d"]):
            content = BytesIO()
            pl.DataFrame({"c": pl.Series(words, dtype=pl.Categorical(pl.Categories.random()))}).write_ipc_stream(
                content
            )
            pieces.append(content.getvalue())
        ends = [8 + int.from_bytes(piece[4:8], "little") for piece in pieces]
        whole = pieces[0][:-8] + pieces[1][ends[1] :]
        (tmp_path / "cases.arrow").write_bytes(whole)
        assert told(tmp_path / "cases.arrow")["c"].to_list() == ["a", "b", "a", "c", "d", "d"]


class TestArrowIsRefused:
    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ([field("c", 14)], "has a column 'c' that holds values of several types"),
            ([field("c", 11)], "has a column 'c' that holds intervals of months, days and nanoseconds"),
            ([field("c", 22)], "holds runs"),
            ([field("c", 25)], "holds list views"),
            ([field("c", 77)], "holds values of an unknown type"),
            ([field("c", 13)], "holds records without fields"),
            ([field("c", 13, (), [field("x", 1), field("x", 1)])], "has records with two fields called 'x'"),
            ([field("c", 16, (Number("i", 0),), [field("x", 1)])], "holds lists of 0 values"),
            ([field("c", 12)], "a list in its schema does not say what it holds"),
            ([field("c", 3, (Number("h", 7),))], "numbers of an unknown precision"),
            ([field("c", 2, (Number("i", 24),))], "whole numbers of 24 bits"),
            ([field("c", 2, (Number("i", 64),))] * 2, "2 columns have the same name 'c'"),
            ([field("c", 4)], "its values cannot be decoded"),
        ],
        ids=lambda value: value[-20:] if isinstance(value, str) else "",
    )
    def test_in_words(self, tmp_path: Path, fields: list[Field], why: str) -> None:
        assert why in refusal(stored_as(tmp_path / "cases.arrow", WHOLE, *fields)).message

    def test_when_it_was_written_on_an_unusual_machine(self, tmp_path: Path) -> None:
        path = stored_as(tmp_path / "cases.arrow", WHOLE, field("c", 2, (Number("i", 64), Number("?", 1))), endian=1)
        assert "stores its numbers with the high byte first" in refusal(path).message


@pytest.mark.parametrize("form", list(WRITERS))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, form: str) -> None:
    """Bytes changed anywhere: rows or one sentence, and nothing else. `make fuzz` does more of this."""
    path = written(TestEveryKindOfValue.FRAME, tmp_path, form)
    content = path.read_bytes()
    chance = random.Random(form)
    seen: list[bool] = []
    for _ in range(12):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 4, 16])):
            damaged[chance.randrange(8, len(damaged) - 10)] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            rows = sum(map(len, read(path)))
        except FileError as error:
            seen.append(str(path) in error.message)
        else:
            seen.append(rows <= 3)
    assert seen == [True] * 12

"""JSON Lines: values exactly as written, and one bad line that spoils no other."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl.batch import Batch
from etl.readers import ReadOptions, open_source
from etl.readers.assembly import CONTROL
from etl.readers.objects import json_slices, jsonlines
from etl.readers.objects import rows as objects_module
from etl.readers.objects.json_text import LINE, ObjectReader
from etl.readers.objects.rows import Record, RecordReader
from tests.reading_talk import cells, found, read, refusal


def read_lines(folder: Path, *lines: str | bytes) -> Batch:
    path = folder / "cases.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    (batch,) = read(path)
    return batch


class TestValues:
    def test_of_strings_are_text_and_others_stay_as_written(self, tmp_path: Path) -> None:
        line = (
            '{ "s" : "a\\n\\u00e9" ,"n": 1.0, "big":12345678901234567890123,"e":1E+2,"t":true,"z":null, "l": [1, 2] }'
        )
        batch = read_lines(tmp_path, line)
        assert cells([batch]) == [("a\né", "1.0", "12345678901234567890123", "1E+2", "true", "null", "[1, 2]")]
        assert batch.source["_raw"].to_list() == [line]
        assert json.loads(batch.source["_types"][0]) == {
            "n": "number", "big": "number", "e": "number", "t": "boolean", "z": "null", "l": "array",
        }  # fmt: skip

    def test_keep_the_order_and_spacing_of_objects(self, tmp_path: Path) -> None:
        batch = read_lines(tmp_path, '{"m": {"z":1,  "a":{"y":[ ]}}}')
        assert cells([batch]) == [('{"z":1,  "a":{"y":[ ]}}',)]

    def test_tell_absent_from_empty_and_null(self, tmp_path: Path) -> None:
        batch = read_lines(tmp_path, '{"a":"","b":"x"}', '{"a":null}', '{"b":""}')
        assert cells([batch]) == [("", "x"), ("null", None), (None, "")]

    def test_have_the_columns_of_all_lines(self, tmp_path: Path) -> None:
        late = [f'{{"a":"{at}"}}' for at in range(300)]
        batch = read_lines(tmp_path, *late, '{"b":"late"}')
        assert batch.origin.columns == ("a", "b")
        assert cells([batch])[300] == (None, "late")


class TestBytesThatAreNotText:
    @pytest.mark.parametrize("glance", [False, True])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize(
        "bad", [b'{"a":"gr\xf6n"}', b'{"a":"gr\\\xf6n"}', b'{"a":"gr\\\\\xf6n"}', b'{"gr\xf6n":1}', b'{"a":["\xf6"]}']
    )
    def test_are_a_problem_on_their_line_alone(self, tmp_path: Path, bad: bytes, mark: bytes, *, glance: bool) -> None:
        path = tmp_path / "cases.jsonl"
        path.write_bytes(mark + b'{"a":"gr\xc3\xbcn"}\n' + bad + b'\n{"a":"b"}\n')
        (batch,) = read(path, ReadOptions(glance=glance))
        assert batch.source["a"].to_list() == ["grün", None, "b"]
        assert batch.problems.select("row", "code").rows() == [(2, "malformed_json")]
        assert "the byte 0xF6 is not UTF-8" in batch.problems["message"][0]
        assert "(character " in batch.problems["message"][0]
        path.write_text(str(batch.source["_raw"][1]) + '\n{"a":"b"}\n')
        assert found(read(path)) == [(1, "malformed_json", None)]

    def test_refuse_a_file_that_has_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.jsonl"
        path.write_bytes(b'{"a":"gr\xf6n"}\n')
        assert "is not UTF-8: line 1 holds the byte 0xF6" in refusal(path).message


class TestLines:
    def test_are_numbered_and_blank_ones_count(self, tmp_path: Path) -> None:
        batch = read_lines(tmp_path, b'\xef\xbb\xbf{"a":"1"}\r', "", " \t", '{"a":"2"}\r{"a":"3"}', "")
        assert batch.source["_row"].to_list() == [1, 4, 5]
        assert cells([batch]) == [("1",), ("2",), ("3",)]
        assert batch.source["_raw"][0] == '{"a":"1"}'

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("{bad}", "a key in double quotes is missing (character 2)"),
            ('{"a" 1}', "':' is missing (character 6)"),
            ('{"a":1', "it ends too early (character 7)"),
            ('{"a":1 "b":2}', "',' or '}' is missing (character 8)"),
            ('{"a":1,}', "a key in double quotes is missing (character 8)"),
            ('{"a":}', "expecting value (character 6)"),
            ('{"a":01}', "',' or '}' is missing (character 7)"),
            ('{"a":"x\ty"}', "invalid control character at (character 8)"),
            ('{"a":[NaN]}', "JSON has no NaN (character 6)"),
            ('{"a":-Infinity}', "JSON has no -Infinity (character 6)"),
            ('{"a":1e400}', "the number 1e400 is out of range (character 6)"),
            ('{"a":1} {"a":2}', "text follows the object (character 9)"),
            ("[1]", "it must begin with { (character 1)"),
            ('"text"', "it must begin with { (character 1)"),
            (
                '{"a":' + "[" * 64 + "]" * 64 + "}",
                "more than 64 objects and arrays lie within each other (character 69)",
            ),
            ('{"a":' + "[" * 100_000, "more than 64 objects"),
        ],
    )
    def test_that_are_no_object_are_a_problem_there_alone(self, tmp_path: Path, line: str, why: str) -> None:
        batch = read_lines(tmp_path, '{"a":"before"}', line, '{"a":"after"}')
        assert cells([batch]) == [("before",), (None,), ("after",)]
        assert found([batch]) == [(2, "malformed_json", None)]
        assert batch.problems["message"][0].startswith(f"the line is not a JSON object: {why}")
        assert batch.source["_raw"][1] == line
        assert batch.source["_types"].to_list() == ["{}", None, "{}"]

    def test_may_be_nested_64_deep(self, tmp_path: Path) -> None:
        value = "[" * 63 + '"]]]]{{{"' + "]" * 63
        assert cells([read_lines(tmp_path, f'{{"a":{value}}}')]) == [(value,)]

    def test_that_name_a_key_twice_are_a_problem(self, tmp_path: Path) -> None:
        batch = read_lines(tmp_path, '{"a":"1","a":"2"}', '{"a":"x","m":{"k":[{"b":1,"b":2}]}}', '{"a":"x"}')
        assert found([batch]) == [(1, "duplicate_key", "a"), (2, "duplicate_key", "m")]
        assert batch.problems["message"].to_list() == [
            "the key 'a' is there twice; keep one",
            "the key 'b' inside m is there twice; keep one",
        ]

    @pytest.mark.parametrize("value", [r'"a\ud800b"', r'["\udc00"]', r'{"\ud800":1}', r'["a\u0000"]'])
    def test_that_hold_no_whole_or_printable_characters_are_a_problem(self, tmp_path: Path, value: str) -> None:
        batch = read_lines(tmp_path, '{"a":"x"}', f'{{"a":{value}}}')
        assert found([batch]) == [(2, "control_character", "a")]
        assert batch.source["_raw"][1] == f'{{"a":{value}}}'

    @pytest.mark.parametrize(
        "value", [r'["\b"]', r'{"k":"a\fb"}', r'["\u001f"]', '["a\x7fb"]', '["\x80"]', r'["\u009F"]']
    )
    def test_that_hide_a_control_character_in_a_value_are_one_problem(self, tmp_path: Path, value: str) -> None:
        batch = read_lines(tmp_path, '{"a":"x"}', f'{{"a":{value}}}')
        assert found([batch]) == [(2, "control_character", "a")]
        assert cells([batch])[1] == (value,)

    def test_with_pairs_of_surrogates_are_fine(self, tmp_path: Path) -> None:
        assert cells([read_lines(tmp_path, r'{"a":"\ud83d\ude00"}')]) == [("😀",)]


class TestMendedRejects:
    def test_are_read_like_the_original(self, tmp_path: Path) -> None:
        batch = read_lines(
            tmp_path,
            '{"a": "1", "_coval_etl_error": "too long", "b": 2}',
            '{"_coval_etl_error": "x", "a": "1"}',
            '{"a": "1" , "_coval_etl_error": "x"}',
        )
        assert batch.origin.columns == ("a", "b")
        assert batch.source["_raw"].to_list() == ['{"a": "1", "b": 2}', '{"a": "1"}', '{"a": "1"}']

    def test_give_back_the_line_that_was_no_object(self, tmp_path: Path) -> None:
        wrapped = [
            json.dumps({"_coval_etl_line": line, "_coval_etl_error": "x"}) for line in ('{"a": "mended"}', "{still bad")
        ]
        batch = read_lines(tmp_path, '{"a":"x"}', *wrapped)
        assert cells([batch]) == [("x",), ("mended",), (None,)]
        assert batch.source["_raw"].to_list()[1:] == ['{"a": "mended"}', "{still bad"]
        assert found([batch]) == [(3, "malformed_json", None)]


class TestAFileIsRefused:
    def test_when_no_line_is_an_object(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.jsonl"
        path.write_text("\n1\n2\n")
        assert "no line is a JSON object with keys (line 2: the line is not" in refusal(path).message

    def test_when_it_is_not_utf8_and_no_guess_is_made(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.jsonl"
        path.write_bytes('{"a":"ö"}\n{"a":"größe"}\n'.encode("cp1252"))
        error = refusal(path)
        assert "line 1 holds the byte 0xF6" in error.message
        assert "--encoding" in error.hint
        assert cells(read(path, ReadOptions(encoding="cp1252"))) == [("ö",), ("größe",)]

    def test_when_it_has_more_keys_than_a_table_has_columns(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.jsonl"
        path.write_text("\n".join(f'{{"k{at}":1}}' for at in range(1_001)))
        assert "more than 1,000 different keys by line 1001" in refusal(path).message


class TestTheFastWay:
    """Proven values come from msgspec, all others from the exact reader."""

    @pytest.mark.parametrize(
        "line",
        [
            r'{"id":"ä\n\"\u00e9\ud83d\ude00\/","n":1.0,"m":{"k":[{"b":1e5},null]}}',
            r'{ "m" : {} , "id" : "x",	"n" : 12345678901234567890123 }',
            r'{"n":true}',
            r"{}",
            r'{"m":[[],{"m":{"m":"\u00e9"}}],"\u0069d":"x"}',
        ],
        ids=["escapes", "another order and spacing", "keys are missing", "no keys", "escapes in keys and values"],
    )
    def test_is_taken_by_lines_like_the_first(self, line: str) -> None:
        columns = ("id", "n", "m")
        (row,) = json_slices.cut_all(json_slices.cutter(columns), [line.encode()])
        assert row is not None
        cut = json_slices.columns_of([row], len(columns))
        assert json_slices.find_hiding([line.encode()], [row], cut) == []
        assert [list(column.find_faulty(ObjectReader())) for column in cut] == [[], [], []]
        wanted = {key: value if isinstance(value, str) else ... for key, value in json.loads(line).items()}
        got = {name: column.texts()[0] for name, column in zip(columns, cut, strict=True)}
        assert {key: got[key] for key, value in wanted.items() if value is not ...} == {
            key: value for key, value in wanted.items() if value is not ...
        }

    @pytest.mark.parametrize(
        "line",
        [
            '{"a":1,"a":2}',
            '{"a":{"k":1,"k":2}}',
            '{"a":[{"k":[{"x":1,"x":2}]}]}',
            '{"a":1e400}',
            '{"a":[-1E+400]}',
            f'{{"a":{"9" * 400}}}',
            '{"a":' + "[" * 64 + "]" * 64 + "}",
            r'{"a":["\u0000"]}',
            r'{"a":"\ud800"}',
            '{"a":01}',
            '{"a":1}{"a":1}',
            '{"a":1} // comment',
            "{'a':1}",
        ],
        ids=range(13),
    )
    def test_is_not_taken_by_lines_with_a_fault(self, tmp_path: Path, line: str) -> None:
        good = ['{"a":1}'] * 30
        batch = read_lines(tmp_path, *good, line, *good)
        assert [row for row, _, _ in found([batch])] == [31]
        assert cells([batch])[:30] == cells([batch])[31:] == [("1",)] * 30

    def test_keeps_lines_apart_that_msgspec_would_join(self, tmp_path: Path) -> None:
        batch = read_lines(tmp_path, '{"a":1}', '{"a":1}{"a":2}', "", '{"a":', "3}", '{"a":4}')
        assert batch.source["a"].to_list() == ["1", None, None, None, "4"]
        assert [row for row, _, _ in found([batch])] == [2, 4, 5]

    @pytest.mark.parametrize("name", ['k"q', "back\\slash", "tab\t", "größe", "a.b", "_coval_etl_line", "pl.col('x')"])
    def test_is_the_same_for_odd_keys(self, tmp_path: Path, name: str) -> None:
        lines = [json.dumps({name: number, "b": "x"}, ensure_ascii=number % 2 == 0) for number in range(5)]
        batch = read_lines(tmp_path, *lines)
        assert batch.source[name].to_list() == ["0", "1", "2", "3", "4"]
        assert found([batch]) == []

    def test_looks_into_large_values_piece_by_piece(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_slices, "_PORTION_BYTES", 20)
        good, bad = '{"a":[{"k":1},{"k":2},{"k":3}]}', '{"a":[{"k":1},{"k":2,"k":2}]}'
        batch = read_lines(tmp_path, good, '{"a":{"k":1}}', bad, good)
        assert [row for row, _, _ in found([batch])] == [3]


class TestAtAGlance:
    def test_the_keys_are_those_of_the_beginning(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("etl.readers.READ_WHOLE_BYTES", 1_000)
        monkeypatch.setattr(jsonlines, "_PIECE_BYTES", 1 << 14)
        path = tmp_path / "cases.jsonl"
        path.write_text('{"a":"1"}\n' * 3_000 + '{"b":"late"}\n')
        with open_source(str(path), ReadOptions(glance=True)) as survey:
            (table,) = survey.tables
            (batch,) = table.batches()
        assert table.origin.columns == ("a",)
        assert batch.source["_raw"][-1] == '{"b":"late"}'
        assert batch.source["a"].null_count() == 1
        assert table.sample.equals(batch.source.head(200))
        assert read(path)[0].origin.columns == ("a", "b")

    def test_a_byte_that_is_no_text_is_a_problem_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("etl.readers.READ_WHOLE_BYTES", 1_000)
        monkeypatch.setattr(jsonlines, "_PIECE_BYTES", 1 << 14)
        path = tmp_path / "cases.jsonl"
        path.write_bytes(b'{"a":"1"}\n' * 9_000 + b'{"a":"\xff"}\n')
        with open_source(str(path), ReadOptions(glance=True)) as survey:
            assert survey.tables[0].sample.height == 200
            assert found(list(survey.tables[0].batches())) == [(9001, "malformed_json", None)]


class TestLargeFiles:
    def test_lines_may_be_long_and_end_between_two_pieces(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jsonlines, "_PIECE_BYTES", 64)
        texts = ["ä" * length for length in range(60, 130)]
        path = tmp_path / "cases.jsonl"
        path.write_bytes("\r\n".join(json.dumps({"a": text}, ensure_ascii=False) for text in texts).encode())
        (batch,) = read(path)
        assert batch.source["a"].to_list() == texts
        assert batch.source["_row"].to_list() == list(range(1, 71))

    def test_a_line_without_end_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jsonlines, "LINE_BYTES", 2_000_000)
        path = tmp_path / "cases.jsonl"
        path.write_text('{"a":"x"}\n{"a":"' + "x" * 4_000_000)
        assert "line 2 is longer than 2,000,000 bytes" in refusal(path).message

    def test_sparse_tables_come_in_small_batches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects_module, "_BATCH_CELLS", 100)
        path = tmp_path / "cases.jsonl"
        path.write_text("".join(f'{{"k{at % 5}":1}}\n' for at in range(50)))
        assert [len(batch) for batch in read(path)] == [20, 20, 10]


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
KEYS = TEXT.filter(lambda key: key not in {"", "*", "_row", "_raw", "_types"} and not key.startswith(("^", "_coval")))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5), min_size=1, max_size=5),
    space=st.sampled_from(["", " ", "\t "]),
    escaped=st.booleans(),
)
def test_any_object_is_read_exactly(tmp_path: Path, objects: list[dict[str, Any]], space: str, escaped: bool) -> None:
    dump = json.JSONEncoder(ensure_ascii=escaped, separators=(f"{space},{space}", f"{space}:{space}")).encode
    batch = read_lines(tmp_path, *(dump(one) for one in objects))
    assert found([batch]) == []
    for one, row in zip(objects, batch.source.iter_rows(named=True), strict=True):
        types = json.loads(row["_types"])
        for key in batch.origin.columns:
            if key not in one:
                assert row[key] is None
            elif isinstance(one[key], str):
                assert row[key] == one[key]
                assert key not in types
            else:
                assert row[key] == dump(one[key])
                assert key in types


# A hypothesis for everything that people and programs write into such files: what the fast way gives is what the exact
# reader gives, line by line.

NAMES = st.sampled_from(["a", "b", "größe", "x y", 'k"q', "back\\s", "e\u2028", "_coval_etl_error", "_coval_etl_line"])
SPACE = st.sampled_from(["", "", "", " ", "  ", "\t"])
GOOD = [
    "1",
    "-0",
    "1.0",
    "1E+2",
    "true",
    "null",
    '"x"',
    '""',
    '"gr\\u00f6\\ud83d\\ude00\\n"',
    "1" * 30,
    '"\\"q\\\\"',
    "[]",
    "{}",
]
BAD = [
    "1e400", "1" * 310, "NaN", "-Infinity", "01", "1.", ".5", "+1", "0x1", "nul", "True", "'x'", "1 2", "/**/1",
    '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\b"', '"\\x41"', '"\x07"', '"\x7f"', '"a"b"', '"open',
]  # fmt: skip
LINES = [
    "", "  \t", "[1]", "1", '"x"', "null", "x", "{", "}", '{"a":1', '{"a":1,}', '{"a" 1}', "{a:1}", "{'a':1}",
    '{"a":1} // c',
    '{"a":1}{"a":2}', '{"a":1},', '\ufeff{"a":1}', '{"a":1}\x00', '\x0b{"a":1}', '\xa0{"a":1}', '{"a":1}\x0c', "{}",
    '{"_coval_etl_line": "{\\"a\\": 1}"}', '{"a":' + "[" * 63 + "]" * 63 + "}", '{"a":' + "[" * 64 + "]" * 64 + "}",
]  # fmt: skip


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """An object as somebody spaces and escapes it; keys may come twice."""
    pairs = draw(st.lists(st.tuples(NAMES, values, SPACE, st.booleans()), max_size=4))
    members = (
        f"{space}{json.dumps(name, ensure_ascii=escaped)}{space}:{space}{value}{space}"
        for name, value, space, escaped in pairs
    )
    return "{" + ",".join(members) + "}"


def nested(scalars: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(scalars),
        lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        max_leaves=6,
    )


@st.composite
def damaged(draw: st.DrawFn) -> str:
    line = draw(objects(nested(GOOD)))
    at = draw(st.integers(0, len(line)))
    return (
        line[:at]
        + draw(st.sampled_from(["", '"', ",", ":", "\\", "{", "]", "1"]))
        + line[at + draw(st.integers(0, 2)) :]
    )


FILES = st.lists(
    st.tuples(
        objects(nested(GOOD)) | objects(nested(GOOD + BAD)) | damaged() | st.sampled_from(LINES),
        st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    ),
    min_size=1,
    max_size=12,
)


def read_exactly(text: str) -> list[Record]:
    """What the exact reader makes of each line."""
    reader = RecordReader(LINE)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines[0] = lines[0].removeprefix("\ufeff")
    return [reader.read(number, line) for number, line in enumerate(lines, 1) if line.strip(" \t")]


def cell_of(record: Record, column: str) -> str | None:
    value = record.values.get(column) or None
    return value if value is None or column in record.types else json.loads(value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=FILES, mark=st.sampled_from(["", "", "\ufeff"]))
@example(lines=[('{"":1}', "\n")], mark="")
@example(lines=[('{"a":1}', "\n"), ('{"a":1,"b":2,"b":3}', "\n"), ('{"b":[]}', "\n")], mark="")
def test_any_line_is_read_as_the_exact_reader_reads_it(tmp_path: Path, lines: list[tuple[str, str]], mark: str) -> None:
    text = mark + "".join(line + end for line, end in lines)
    path = tmp_path / "any.jsonl"
    path.write_bytes(text.encode())
    records = read_exactly(text)
    columns = tuple(dict.fromkeys(key for record in records for key in record.values))
    options = ReadOptions(format="jsonl")
    if not columns:
        assert "no line is a JSON object with keys" in refusal(path, options).message or not text.strip("\ufeff\r\n\t ")
        return
    if "" in columns:  # no frame can have such a column
        assert "a column may not be called ''" in refusal(path, options).message
        return
    frame = pl.concat([batch.source for batch in read(path, options)])
    problems = pl.concat([batch.problems for batch in read(path, options)])
    assert frame.columns[3:] == list(columns)
    assert frame["_row"].to_list() == [record.number for record in records]
    assert frame["_raw"].to_list() == [record.text for record in records]
    for record, types in zip(records, frame["_types"], strict=True):
        assert (None if types is None else json.loads(types)) == (record.types if record.is_object else None)
    wanted = []
    for record in records:
        wanted += [(record.number, fault.message) for fault in record.faults]
        texts = {column: cell_of(record, column) or "" for column in columns}
        wanted += [
            (record.number, f"{column} holds the control character U+{ord(sign.group()):04X}")
            for column, cell in texts.items()
            if (sign := re.search(CONTROL, cell))
        ]
    for column in columns:
        assert frame[column].to_list() == [cell_of(record, column) for record in records]
    got = [(row, message.partition(" (character")[0]) for row, message in problems.select("row", "message").iter_rows()]
    assert got == [(row, message.partition(" (character")[0]) for row, message in wanted]

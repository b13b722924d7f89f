"""JSON Lines: values exactly as written, and one bad line that spoils no other."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.batch import Batch
from etl.readers import ReadOptions
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
            ('{"a":1', "the line ends too early (character 7)"),
            ('{"a":1 "b":2}', "',' or '}' is missing (character 8)"),
            ('{"a":1,}', "a key in double quotes is missing (character 8)"),
            ('{"a":}', "expecting value (character 6)"),
            ('{"a":01}', "',' or '}' is missing (character 7)"),
            ('{"a":"x\ty"}', "invalid control character at (character 8)"),
            ('{"a":[NaN]}', "JSON has no NaN (character 6)"),
            ('{"a":-Infinity}', "JSON has no -Infinity (character 6)"),
            ('{"a":1e400}', "the number 1e400 is out of range (character 6)"),
            ('{"a":1} {"a":2}', "text follows the object (character 9)"),
            ("[1]", "a line must begin with { (character 1)"),
            ('"text"', "a line must begin with { (character 1)"),
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
        assert "no line holds a JSON object with keys (line 2 the line is not" in refusal(path).message

    def test_when_it_is_not_utf8_and_no_guess_is_made(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.jsonl"
        path.write_bytes('{"a":"1"}\n{"a":"größe"}\n'.encode("cp1252"))
        assert "line 2 holds the byte 0xF6" in refusal(path).message
        assert cells(read(path, ReadOptions(encoding="cp1252"))) == [("1",), ("größe",)]

    def test_when_it_has_more_keys_than_a_table_has_columns(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.jsonl"
        path.write_text("\n".join(f'{{"k{at}":1}}' for at in range(1_001)))
        assert "more than 1,000 different keys by line 1001" in refusal(path).message


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

"""JSON documents: one list of objects, or an object that holds one; every value exactly as written."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.batch import Batch, Certainty, Decision
from etl.errors import FileError
from etl.readers import ReadOptions, open_source
from etl.readers.objects import json_document
from tests.reading_talk import cells, found, read, refusal

JSON = ReadOptions(format="json")


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "cases.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_text(folder: Path, text: str | bytes, records: str | None = None) -> Batch:
    (batch,) = read(written(folder, text), ReadOptions(format="json", records=records))
    return batch


def decision(path: Path, records: str | None = None) -> Decision:
    with open_source(str(path), ReadOptions(format="json", records=records)) as survey:
        return {one.subject: one for one in survey.tables[0].decisions}["records"]


class TestRecords:
    def test_are_numbered_by_their_place_and_keep_their_values(self, tmp_path: Path) -> None:
        batch = read_text(
            tmp_path, '[ {"id":"007","n":1.0,"big":12345678901234567890123} ,{"n":1E+2,"m":{"z":1,"a":[ ]}}]'
        )
        assert batch.origin.columns == ("id", "n", "big", "m")
        assert cells([batch]) == [
            ("007", "1.0", "12345678901234567890123", None),
            (None, "1E+2", None, '{"z":1,"a":[ ]}'),
        ]
        assert batch.source["_row"].to_list() == [1, 2]
        assert batch.source["_raw"][1] == '{"n":1E+2,"m":{"z":1,"a":[ ]}}'
        assert json.loads(batch.source["_types"][1]) == {"n": "number", "m": "object"}

    def test_over_several_lines_are_kept_on_one(self, tmp_path: Path) -> None:
        text = '[\r\n\t{\n  "a": {"x" : [1.0,\n\n2],\t"y":"\\n"},\r  "b":1}\n]\n'
        batch = read_text(tmp_path, text)
        assert batch.source["_raw"].to_list() == ['{"a": {"x": [1.0, 2], "y": "\\n"}, "b": 1}']
        assert cells([batch]) == [('{"x": [1.0, 2], "y": "\\n"}', "1")]

    @pytest.mark.parametrize(
        ("record", "code", "message"),
        [
            ('{"a":1,"a":2}', "duplicate_key", "the key 'a' is there twice"),
            ('{"a":{"k":1,"k":2}}', "duplicate_key", "the key 'k' inside a is there twice"),
            ('{"a":NaN}', "malformed_json", "JSON has no NaN"),
            ('{"a":[-Infinity]}', "malformed_json", "JSON has no -Infinity"),
            ('{\n"a":1e999}', "malformed_json", "the number 1e999 is out of range"),
            ('{"a":"\\ud800"}', "control_character", "a holds half a character"),
            ('{"a":["\\u0000"]}', "control_character", "a holds a control character inside"),
            ('{"a":' + "[" * 64 + "]" * 64 + "}", "malformed_json", "more than 64 objects and arrays"),
            ("1", "malformed_json", "the record is not a JSON object: it must begin with {"),
            ("[]", "malformed_json", "the record is not a JSON object"),
            ("null", "malformed_json", "the record is not a JSON object"),
        ],
    )
    def test_with_a_fault_are_a_problem_on_their_row_alone(
        self, tmp_path: Path, record: str, code: str, message: str
    ) -> None:
        batch = read_text(tmp_path, f'[{{"a":"before"}}, {record}, {{"a":"after"}}]')
        assert [(row, kind) for row, kind, _ in found([batch])] == [(2, code)]
        assert message in batch.problems["message"][0]
        assert batch.source["a"].to_list()[::2] == ["before", "after"]

    def test_that_were_rejected_are_read_like_the_original(self, tmp_path: Path) -> None:
        batch = read_text(tmp_path, '[{"a": "1", "_coval_etl_error": "x", "b": 2}, {"a": "3"}]')
        assert batch.origin.columns == ("a", "b")
        assert batch.source["_raw"].to_list() == ['{"a": "1", "b": 2}', '{"a": "3"}']

    def test_may_be_many_and_unlike(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_document, "_PIECE_BYTES", 256)
        monkeypatch.setattr(json_document, "_LEAST_WINDOW", 64)
        rows = [{"id": str(at), "turns": [{"id": "x" * (at % 90)}] * (at % 4)} for at in range(3_000)]
        rows[1_000:1_000] = [{"other": '}, {"id": "'}]
        for indent in (None, 1):
            batch = read_text(tmp_path, json.dumps({"v": [1, 2], "tests": rows, "end": True}, indent=indent))
            assert found([batch]) == []
            assert [json.loads(raw) for raw in batch.source["_raw"]] == rows


class TestTheListOfRecords:
    @pytest.mark.parametrize(
        ("text", "records", "value", "certainty"),
        [
            ('[{"a":"x"}]', None, "the document itself", Certainty.CERTAIN),
            ('{"version":1,"tags":["t"],"tests":[{"a":"x"}]}', None, "tests", Certainty.LIKELY),
            ('{"tests":[{"a":"x"}],"config":{"deeper":[{"b":1}]}}', None, "tests", Certainty.LIKELY),
            ('{"p":[{"b":1}],"tests":[{"a":"x"}]}', "tests", "tests", Certainty.TOLD),
            ('{"data":{"tests":[{"a":"x"}]}}', "data.tests", "data.tests", Certainty.TOLD),
            ('{"data.tests":[{"a":"x"}]}', "data.tests", "data.tests", Certainty.TOLD),
            ('{"a":"x"}', None, "the document itself, as one row", Certainty.LIKELY),
            ('{"a":"x","tags":[]}', ".", "the document itself, as one row", Certainty.TOLD),
            ('{"a":"x","l":[{"b":1}]}', ".", "the document itself, as one row", Certainty.TOLD),
        ],
    )
    def test_is_found_or_told(
        self, tmp_path: Path, text: str, records: str | None, value: str, certainty: Certainty
    ) -> None:
        made = decision(written(tmp_path, text), records)
        assert (made.value, made.certainty) == (value, certainty)
        batch = read_text(tmp_path, text, records)
        assert (batch.source["_row"].to_list(), batch.source["a"].to_list()) == ([1], ["x"])

    @pytest.mark.parametrize(
        ("text", "records", "message", "hint"),
        [
            ("[]", None, "holds no rows: the list is empty", ""),
            ('{"tests":[]}', None, "holds no rows: tests is empty", "--records ."),
            ('{"tests":[]}', "tests", "holds no rows: the list 'tests' is empty", ""),
            ("[1,2]", None, "the list holds numbers, not objects", "{…}"),
            ('["a"]', None, "the list holds texts, not objects", "{…}"),
            ("[[1]]", None, "the list holds lists, not objects", "{…}"),
            ("[{}]", None, "no record is a JSON object with keys", ""),
            ('"text"', None, "is a single value, not a list of objects", ""),
            ("1.5", None, "is a single value, not a list of objects", ""),
            ('{"a":[{"x":1}],"b":[{"x":1}]}', None, "holds several lists of objects: a, b.", "--records a"),
            ('{"a":[{"x":1}],"b":[{"x":1}]}', "c", "has no list 'c'", "Its lists are: a, b."),
            ('{"a":1}', "b", "has no list 'b'", "--records ."),
            ('[{"a":1}]', "a", "is a list, and no object with a key 'a'", "Leave out --records"),
            ('{"d":{"t":[{"x":1}]}}', None, "but deeper: d.t.", "--records d.t;"),
            ('{"a.b":[{"x":1}],"a":{"b":[{"x":1}]}}', "a.b", "leads to two lists", ""),
            ('{"t":[{"x":1}],"t":[{"x":2}]}', None, "column 20: the key 't' is there twice", ""),
            ('{"n":{"x":1,"x":2}}', None, "the key 'x' is there twice", ""),
        ],
    )
    def test_is_asked_for_where_it_is_not_certain(
        self, tmp_path: Path, text: str, records: str | None, message: str, hint: str
    ) -> None:
        error = refusal(written(tmp_path, text), ReadOptions(format="json", records=records))
        assert message in error.message
        assert hint in error.hint

    def test_of_many_other_values_is_given_up_soon(self, tmp_path: Path) -> None:
        assert "holds numbers" in refusal(written(tmp_path, json.dumps([1] * 200_000)), JSON).message
        assert (
            "texts"
            in refusal(
                written(tmp_path, json.dumps({"a": ["x"] * 200_000})), ReadOptions(format="json", records="a")
            ).message
        )

    def test_is_sought_at_the_beginning_for_a_glance(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("etl.readers.READ_WHOLE_BYTES", 1_000)
        rows = [*({"a": str(at)} for at in range(5_000)), {"b": 1}]
        path = written(tmp_path, json.dumps({"tests": rows})[:-1] + ', "broken": }')
        with open_source(str(path), ReadOptions(format="json", glance=True)) as survey:
            (table,) = survey.tables
            (batch,) = table.batches()
        assert table.origin.columns == ("a",)
        assert len(batch) == 5_001
        assert table.sample.equals(batch.source.head(200))
        assert "a value is missing" in refusal(path, JSON).message


class TestADocument:
    @pytest.mark.parametrize(
        ("text", "where", "why"),
        [
            ('[{"a":1}\n{"a":2}]', "line 2, column 1", "',' or ']' is missing"),
            ('[{"a":1},\n{"a":2', "line 2, column 7", "the document ends too early"),
            ('[{"a":1},', "line 1, column 10", "the document ends too early"),
            ('[{"a":1},\n {"a":"x}]\n', "line 2, column 11", "a line break or another control character"),
            ('[{"a":"x', "line 1, column 7", "the string that begins here never ends"),
            ('[{"a":1},\r\n{"a":2},]', "line 2, column 9", "a comma stands before the closing ']'"),
            ('[{"a":1,}]', "line 1, column 9", "a comma stands before the closing '}'"),
            ('[{"a":1}] x', "line 1, column 11", "text follows the document"),
            ('[{"a":\r\rtru}]', "line 3, column 1", "a value is missing before 't'"),
            ('[{"a":True}]', "line 1, column 7", "JSON writes true"),
            ('// c\n[{"a":1}]', "line 1, column 1", "JSON has no comments"),
            ("[{'a':1}]", "line 1, column 3", "a key in double quotes is missing"),
            ('[{"a" 1}]', "line 1, column 7", "':' is missing"),
            ('{"t" [{"a":1}]}', "line 1, column 6", "':' is missing"),
            ('{t: [{"a":1}]}', "line 1, column 2", "a key in double quotes is missing"),
            ('[{"a":01}]', "line 1, column 8", "',' or a closing bracket is missing"),
            ('[{"a":"\\x"}]', "line 1, column 8", "JSON has no such escape"),
            ('[{"a":"\\u12"}]', "line 1, column 9", "four hexadecimal digits"),
            ('[{"a":"\x00"}]', "line 1, column 8", "a line break or another control character"),
            ("[" * 100_000, "line 1, column 2", "too many lists and objects"),
            ('{"a":' * 100_000, "line 1, column 21", "too many lists and objects"),
            ('[{"a":' + "[" * 5_000 + "]" * 5_000 + "}]", "line 1, column 2", "too many lists and objects"),
        ],
        ids=range(22),
    )
    def test_that_is_no_json_is_refused_with_the_place(self, tmp_path: Path, text: str, where: str, why: str) -> None:
        message = refusal(written(tmp_path, text), JSON).message
        assert where in message
        assert why in message

    @pytest.mark.parametrize("size", [3, 7, 64])
    def test_is_refused_alike_in_pieces_of_any_size(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        path = written(tmp_path, '[{"größe": "\\u00e9",\r\n "b": [true, -1.5e3]},\r\n {"größe": "x" "b"}]')
        message = refusal(path, JSON).message
        assert "line 3, column 16: ',' or a closing bracket is missing" in message
        monkeypatch.setattr(json_document, "_PIECE_BYTES", size)
        assert refusal(path, JSON).message == message

    def test_followed_by_another_is_told_from_json_lines(self, tmp_path: Path) -> None:
        error = refusal(written(tmp_path, '{"a":\n1}\n{"a":2}'), JSON)
        assert "is not one JSON document: another begins in line 3" in error.message
        assert "--format jsonl" in error.hint

    def test_may_have_a_mark_and_another_encoding(self, tmp_path: Path) -> None:
        text = '\ufeff[{"a":"größe"}]'
        for codec in ("utf-8", "utf-16-le", "utf-16-be"):
            assert cells([read_text(tmp_path, text.encode(codec))]) == [("größe",)]

    def test_that_is_not_utf8_names_the_byte(self, tmp_path: Path) -> None:
        assert (
            "line 2 holds the byte 0xF6"
            in refusal(written(tmp_path, b'[{"a":"x"},\n{"a":"gr\xf6\xdfe"}]'), JSON).message
        )

    def test_with_a_value_too_large_for_memory_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(json_document, "VALUE_CHARACTERS", 100_000)
        monkeypatch.setattr(json_document, "_PIECE_BYTES", 50_000)
        path = written(tmp_path, '[{"a":1}, {"a":"' + "x" * 1_000_000 + '"}]')
        assert "column 11: the value that begins here is longer than 100,000" in refusal(path, JSON).message


SPACE = st.sampled_from(["", "", " ", "\n", "\r\n  ", "\t"])
KEYS = st.sampled_from(["id", "größe", "x y", 'k"q', "e\u2028", "m"])
SCALARS = [
    "1",
    "-0.0",
    "1E+2",
    "true",
    "null",
    '"x"',
    '""',
    '"\\u00f6\\ud83d\\ude00\\n"',
    "1" * 30,
    '"}, {\\"id\\":"',
    "[]",
    "{}",
]


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.lists(st.tuples(KEYS, values, SPACE), max_size=4, unique_by=lambda pair: pair[0]))
    return "{" + ",".join(f"{space}{json.dumps(key)}{space}:{value}{space}" for key, value, space in pairs) + "}"


VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
    max_leaves=6,
)


def pairs_of(text: str) -> Any:
    """A JSON text with its keys in order and its numbers as written."""
    return json.loads(text, object_pairs_hook=tuple, parse_int=repr, parse_float=repr)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(objects(VALUES), min_size=1, max_size=12),
    space=SPACE,
    wrap=st.sampled_from([("", ""), ('{"v": [1], "t": ', ', "z": {"y": []}}')]),
    size=st.sampled_from([5, 40, 1 << 20]),
)
def test_any_document_is_read_exactly(
    tmp_path: Path, records: list[str], space: str, wrap: tuple[str, str], size: int
) -> None:
    path = written(tmp_path, f"{wrap[0]}[{space}{f'{space},{space}'.join(records)}{space}]{wrap[1]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_document, "_PIECE_BYTES", size)
        patch.setattr(json_document, "_LEAST_WINDOW", size)
        if all(record.strip("{} \t\r\n") == "" for record in records):
            assert re.search("with keys|is empty", refusal(path, JSON).message)
            return
        (batch,) = read(path, JSON)
    assert found([batch]) == []
    for record, row in zip(records, batch.source.iter_rows(named=True), strict=True):
        assert pairs_of(row["_raw"]) == pairs_of(record)
        assert "\n" not in row["_raw"]
        assert "\r" not in row["_raw"]
        whole = json.loads(record, parse_int=repr, parse_float=repr)
        for key in batch.origin.columns:
            if isinstance(whole.get(key), str) and key not in json.loads(row["_types"]):
                assert row[key] == whole[key]
            elif key in whole:
                assert json.loads(row[key], parse_int=repr, parse_float=repr) == whole[key]
            else:
                assert row[key] is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    record=objects(VALUES), at=st.integers(0, 200), sign=st.sampled_from(list('"{}[],:\\x1\n')), cut=st.integers(0, 3)
)
def test_a_damaged_document_is_refused_or_a_row_has_a_problem(
    tmp_path: Path, record: str, at: int, sign: str, cut: int
) -> None:
    text = f'[{{"id": "before"}}, {record}, {{"id": "after"}}]'
    at = min(at, len(text))
    damaged = text[:at] + sign + text[at + cut :]
    path = written(tmp_path, damaged)
    try:
        wanted = json.loads(damaged, object_pairs_hook=tuple)
    except ValueError:
        message = refusal(path, JSON).message
        assert re.search(r"line \d+, column \d+|another begins in line|no list|holds|single value|no rows", message)
        return
    try:
        batches = read(path, JSON)
    except FileError:
        return  # JSON, but no list of objects, or not the only one
    raws = [raw for batch in batches for raw in batch.source["_raw"]]
    if isinstance(wanted, list) and len(raws) == len(wanted):
        assert [json.loads(raw, object_pairs_hook=tuple) for raw in raws] == wanted

"""JSON that is none: what is wrong is said with its place, and what would do is offered where it really does."""

import json
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from etl.mapping.cells.jsoncells import explain_json, explain_object, explain_texts, is_json
from etl.mapping.cells.jsonmending import mend
from tests.mapping_talk import batch_of, mapped, mapping_of

MENDED = [
    ("{“a”: “b”}", '{"a": "b"}', "“ instead of straight quotes"),
    ("{„a“: „b“}", '{"a": "b"}', "„ instead of straight quotes"),
    ("{«a»: 1}", '{"a": 1}', "« instead of straight quotes"),
    ("{”a”: 1}", '{"a": 1}', "” instead of straight quotes"),
    ('{“a”: “say "hi" now”}', '{"a": "say \\"hi\\" now"}', "“ instead of straight quotes"),
    ("{'a': 'b'}", '{"a": "b"}', "single quotes"),
    ("{'a': \"it's\"}", '{"a": "it\'s"}', "single quotes"),
    ("{'a': 'it's late'}", '{"a": "it\'s late"}', "a quote inside a text"),
    ("{'a': True, 'b': None, 'c': (1, 2.50)}", '{"a": true, "b": null, "c": [1, 2.50]}', "True instead of true"),
    ('{"a": 1, "b": 2,}', '{"a": 1, "b": 2}', "a comma after the last item"),
    ('["a", "b", ]', '["a", "b" ]', "a comma after the last item"),
    ('{"a": {"b": [1, 2', '{"a": {"b": [1, 2]}}', "the closing ] is missing and the closing } is missing"),
    ('{"a": [1, 2}', '{"a": [1, 2]}', "the closing ] is missing"),
    ('{"a": "b}', '{"a": "b"}', "a closing quote is missing"),
    ('["a", "b', '["a", "b"]', "a closing quote is missing and the closing ] is missing"),
    ('{"a": "one\ntwo"}', '{"a": "one\\ntwo"}', "a line break inside a text"),
    ('{"a": "one\ttwo"}', '{"a": "one\\ttwo"}', "a raw tab"),
    ('{"a": "say "hi", please"}', '{"a": "say \\"hi\\", please"}', "a quote inside a text"),
    ('{"a": "5" screen"}', '{"a": "5\\" screen"}', "a quote inside a text"),
    ('{"a": NaN, "b": -Infinity}', '{"a": null, "b": null}', "NaN, which JSON does not have"),
    ('{"a": 1, // one\n "b": 2 /* two */}', '{"a": 1, \n "b": 2 }', "a comment"),
    ('"{""a"": ""b""}"', '{"a": "b"}', "doubled quotes"),
    ('{""a"": ""b"", ""c"": """"}', '{"a": "b", "c": ""}', "doubled quotes"),
    ('{"a": "say ""hi"""}', '{"a": "say \\"hi\\""}', "doubled quotes"),
    ("{a: 1, b_c: [2]}", '{"a": 1, "b_c": [2]}', "a key without quotes"),
    ('{"a": 1 "b": 2}', '{"a": 1, "b": 2}', "a comma is missing"),
    ('{"a": "x"\n"b": 2}', '{"a": "x",\n"b": 2}', "a comma is missing"),
    ('["a" "b"', '["a", "b"]', "a comma is missing and the closing ] is missing"),
    ('{"path": "C:\\dir"}', '{"path": "C:\\\\dir"}', "a backslash"),
    ('{\xa0"a": 1}', '{ "a": 1}', "a space that is not JSON's"),
]


@pytest.mark.parametrize(("text", "meant", "fault"), MENDED)
def test_what_was_meant_is_offered(text: str, meant: str, fault: str) -> None:
    code, takes = explain_json(text)
    assert code == "malformed_json"
    assert fault in takes
    shown = takes.partition("; try `")[2]
    assert json.loads(meant) == json.loads(shown.removesuffix("`"))
    mended = mend(text)
    assert mended is not None
    assert mended.text == meant


@pytest.mark.parametrize(
    "text",
    [
        *("hello", "{", '{"a"', '{"a": b c}', '{"a": }', '{"a": "b, "c": 1}', "{,}", "1.2.3", "", "[1,,2]"),
        *("{" * 200, '{"a": 1}}', '{"a": 01}', "{'a': " + "9" * 200_000 + "}", "call (me)", '{"a": 1}'),
    ],
)
def test_where_nobody_can_tell_nothing_is_offered(text: str) -> None:
    if text == "{":
        assert "try `{}`" in explain_json(text)[1]
    else:
        assert mend(text) is None


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES.filter(lambda value: isinstance(value, dict | list)))
def test_what_python_prints_is_always_understood(value: Any) -> None:
    printed = repr(value)
    if not is_json(printed):
        mended = mend(printed)
        if mended is None or json.loads(mended.text) != value:
            # a quote in a text looks like its end where what follows is punctuation of JSON's
            assert any(sign in printed for sign in ("'\"", "\"'", "\\"))


@given(some.text(alphabet="{}[]()\"'“”«»,:\\ \n\tau1-TrueN/#*.", max_size=40))
def test_what_is_offered_is_json_whatever_the_cell_holds(text: str) -> None:
    for explain, kind in ((explain_json, object), (explain_object, dict), (explain_texts, list)):
        offered = explain(text)[1].partition("; try `")[2].removesuffix("`")
        if offered:
            assert isinstance(json.loads(offered), kind)


def test_the_place_is_a_line_and_a_column_where_there_are_lines() -> None:
    assert explain_json('{"a": 1,\n "b": tru}')[1] == ("JSON, and this is not: expecting value at line 2, column 7")
    assert explain_json('{"a": tru}')[1] == "JSON, and this is not: expecting value at character 7"


def test_only_what_the_field_takes_is_offered() -> None:
    assert explain_texts("['a', 'b']")[1].endswith('(single quotes instead of double ones); try `["a", "b"]`')
    assert "try" not in explain_texts("['a', 5]")[1]
    assert explain_object("{'a': 1}")[1].endswith('(single quotes instead of double ones); try `{"a": 1}`')
    assert explain_object('"{""a"": 1}"')[1].endswith('(doubled quotes, as CSV writes them); try `{"a": 1}`')
    assert "try" not in explain_object("{'a': 1, 'a': 2}")[1]


@pytest.mark.parametrize("part", [" ", "' , x", '"', "[", "/*", "{'a': ", "\\", ",", "' '", "]"])
def test_no_cell_takes_long(part: str) -> None:
    started = perf_counter()
    mend("{'a': '" + part * (90_000 // len(part)) + "x")
    mend('{"a": ' + part * (90_000 // len(part)))
    assert perf_counter() - started < 5


def test_a_long_text_is_shown_where_it_changes() -> None:
    _, takes = explain_json('{"a": "' + "x" * 400 + '", "b": True, "c": "' + "y" * 400 + '"}')
    offered = takes.partition("; try `")[2]
    assert '"b": true' in offered
    assert len(offered) < 70


@pytest.mark.parametrize(
    "text",
    [
        *("{'api_key': 'abc1'}", "{“api_key”: “abc1”}", '"{""token"": ""abc1""}"', '{""password"": ""abc1""}'),
        *("{headers: {x: 'abc1'}}", '{"authorization": "abc1",}', "[{'a': 1, 'secret': 'abc1'}]"),
    ],
)
def test_a_secret_is_never_repeated(tmp_path: Path, text: str) -> None:
    made = mapped(mapping_of(tmp_path, "metric_input: {from: meta}"), batch_of({"meta": [text]}))
    assert made.codes == ["wrong_type" if text.startswith("[") else "malformed_json"]
    assert "abc1" not in str(made.problems)
    assert "«hidden»" in made.messages[0]


def test_nor_is_one_in_a_column_that_tells_of_secrets(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "metadata.custom_headers: {from: headers}", resource="agents")
    made = mapped(mapping, batch_of({"headers": ["{'x': 'abc1'}"]}))
    assert "abc1" not in str(made.problems)
    mapping = mapping_of(tmp_path, "metric_input: {from: token}")
    assert "abc1" not in str(mapped(mapping, batch_of({"token": ["{'x': 'abc1'}"]})).problems)

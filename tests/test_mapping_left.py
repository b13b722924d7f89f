"""What steps and ways leave of JSON in cells: keys at any depth, kinds of values. None is lost without a word."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.mapping.cells.keys import keys_left, tree_of
from etl.mapping.cells.ways import parse_way
from etl.problems import Code
from tests.command import etl
from tests.mapping_talk import Mapped, batch_of, mapped, mapping_of


def made_of(tmp_path: Path, fields: str, cell: Any, more: str = "") -> Mapped:
    mapping = mapping_of(tmp_path, "input_str: {from: Prompt}\n" + fields, more=more)
    return mapped(mapping, batch_of({"Prompt": ["a"], "J": [cell if isinstance(cell, str) else json.dumps(cell)]}))


@pytest.mark.parametrize(
    ("ways", "value", "left"),
    [
        ([".a"], {"a": {"x": 1}, "b": 2}, ["b"]),
        ([".a.x"], {"a": {"x": 1, "y": 2, "z": None}, "b": ""}, ["a.y"]),
        ([".a[].x"], {"a": [{"x": 1, "y": 2}, {"z": 3}, "text"]}, ["a[].y", "a[].z"]),
        ([".a[type=must].x"], {"a": [{"type": "must", "x": 1, "n": 5}]}, ["a[].n"]),
        ([".a[0].x", ".a[1].y"], {"a": [{"x": 1}, {"y": 2, "z": 3}]}, ["a[].z"]),
        ([".*"], {"only": {"x": 1}}, []),
        ([".*.x"], {"only": {"x": 1, "y": 2}}, ["only.y"]),
        ([".a.x", ".a"], {"a": {"y": 1}}, []),
        (["[].x"], [{"x": 1, "y": 2}], ["[].y"]),
        ([".a"], "no json {", []),
    ],
)
def test_the_keys_that_no_way_takes(ways: list[str], value: Any, left: list[str]) -> None:
    tree = tree_of(way.parts for way in map(parse_way, ways) if way is not None)
    assert keys_left(value if isinstance(value, str) else json.dumps(value), tree) == left


def test_keys_below_the_first_level_are_named(tmp_path: Path) -> None:
    made = made_of(tmp_path, "description: {from: J.person.name}", {"person": {"name": "Ann", "age": 5}, "x": 1})
    (problem,) = made.problems
    assert (problem["code"], problem["severity"], problem["cell"]) == (Code.UNUSED_KEY, "warning", "B2")
    assert problem["message"] == "J also has the keys person.age, x, which nothing uses; map it, or say lost"


def test_keys_that_the_pattern_of_each_does_not_name_are_named(tmp_path: Path) -> None:
    checks = [{"type": "contains", "value": {"text": "Hi", "lang": "en"}, "weight": 2}, "Is polite"]
    fields = 'expected_behaviors: {from: J, steps: [{each: "{type}: {value.text}"}]}'
    made = made_of(tmp_path, fields, checks)
    assert made.bodies[0]["expected_behaviors"] == ["contains: Hi", "Is polite"]
    assert made.messages == ["J also has the keys [].value.lang, [].weight, which nothing uses; map it, or say lost"]
    alone = made_of(tmp_path, fields, checks[0])
    assert alone.messages == ["J also has the keys value.lang, weight, which nothing uses; map it, or say lost"]


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ('expected_behaviors: {from: J, steps: [{each: "{type}"}]}', 'lost: {"J[].weight": it is not sent}\n'),
        ('expected_behaviors: {from: J, steps: [{each: "{type}"}]}', 'ignored: {"J[].weight": of no use}\n'),
        ('expected_behaviors: {from: J, steps: [{each: "{type}"}]}', "unmapped: ignore\n"),
        ('expected_behaviors: {from: J, steps: [{each: "{type} {weight}"}]}', ""),
        ('expected_behaviors: {from: J, steps: [{each: "{type}"}]}\nmetric_input.checks: {from: J}', ""),
        ('expected_behaviors: {all_of: [{from: "J[]"}], steps: [{each: "{type} {weight}"}]}', ""),
    ],
)
def test_what_is_used_or_told_elsewhere_is_not_named(tmp_path: Path, fields: str, more: str) -> None:
    made = made_of(tmp_path, fields, [{"type": "contains", "weight": 2}], more)
    assert Code.UNUSED_KEY not in made.codes


def test_each_over_the_parts_of_a_list_names_them_too(tmp_path: Path) -> None:
    fields = 'expected_behaviors: {all_of: [{from: "J[]"}], steps: [{each: "{type}"}]}'
    made = made_of(tmp_path, fields, [{"type": "contains", "weight": 2}])
    assert made.messages == ["J also has the key [].weight, which nothing uses; map it, or say lost"]


def test_unmapped_error_makes_keys_errors(tmp_path: Path) -> None:
    made = made_of(tmp_path, "description: {from: J.a.x}", {"a": {"x": "1", "y": 2}}, "unmapped: error\n")
    assert [problem["severity"] for problem in made.problems] == ["error"]


@pytest.mark.parametrize(
    "fields",
    [
        "user_notes: {from: J, steps: [strip, {keep: text}]}",
        'expected_behaviors: {all_of: [{from: "K[]"}, {from: J, steps: [wrap]}], steps: [{keep: text}]}',
        "user_notes: {from: J, steps: [{replace: {pattern: zzz}}, {keep: text}]}",
    ],
)
def test_what_keep_lets_go_behind_another_step_is_said(tmp_path: Path, fields: str) -> None:
    made = made_of(tmp_path, fields, {"a": 1})
    assert made.codes == [Code.NOT_CONVERTIBLE]
    assert 'an object that no field takes: {"a": 1}' in made.messages[0]


def test_what_keep_lets_go_inside_json_is_said_unless_another_field_takes_it(tmp_path: Path) -> None:
    said = made_of(tmp_path, "user_notes: {from: J.a, steps: [{keep: text}]}", {"a": [1]})
    assert "an array that no field takes: [1]" in said.messages[0]
    both = "user_notes: {from: J.a, steps: [{keep: text}]}\nmetric_input.a: {from: J.a, steps: [{keep: array}, json]}"
    assert made_of(tmp_path, both, {"a": [1]}).codes == []
    assert made_of(tmp_path, both, {"a": {"b": 1}}).codes == [Code.NOT_CONVERTIBLE]


def test_items_that_keep_lets_go_are_said(tmp_path: Path) -> None:
    fields = 'expected_behaviors: {from: "J[]", steps: [{keep: text}]}'
    made = made_of(tmp_path, fields, ["Greets", {"a": 1}, {"b": 2}])
    assert made.bodies[0]["expected_behaviors"] == ["Greets"]
    (message,) = made.messages
    assert 'an object that no field takes: {"a": 1}; an object that no field takes: {"b": 2}' in message


@pytest.mark.parametrize(("more", "code"), [("", 0), ("unmapped: error\n", 1)])
def test_keys_that_nothing_uses_are_on_the_screen_too(tmp_path: Path, more: str, code: int) -> None:
    (tmp_path / "cases.jsonl").write_text('{"ask": {"text": "Hi", "mood": "angry"}, "other": 1}\n')
    whole = "version: 1\nname: own\nresource: test-cases\nfields: {input_str: {from: ask.text}}\nignored: {other: x}\n"
    (tmp_path / "own.yaml").write_text(whole + more)
    said = etl(tmp_path, "validate", "cases.jsonl", "--mapping", "own.yaml")
    assert said.code == code, said
    assert "ask also has the key mood" in said.err.replace("\n              ", " ")

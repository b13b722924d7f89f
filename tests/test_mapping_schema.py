"""The JSON Schema for editors: it takes every mapping that there is, and marks the mistakes that it can see.

It must never refuse what the linter takes.
"""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from etl.mapping.language.linting import lint
from etl.mapping.language.schema import key_docs, mapping_schema
from etl.mapping.language.spec import Part
from etl.mapping.language.yamlfile import plain, read_yaml
from etl.mapping.steps import STEPS
from etl.resources import RESOURCES, Contract
from tests.command import ROOT
from tests.test_mapping_language import GOOD

SCHEMA = json.loads(json.dumps(mapping_schema()))
VALIDATOR = Draft202012Validator(SCHEMA)
FILES = sorted((ROOT / "mappings").glob("*.yaml"))


def faults_of(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(plain(read_yaml(text)))]


def with_field(line: str, more: str = "", resource: str = "test-cases") -> str:
    return f"version: 1\nname: mine\nresource: {resource}\n{more}fields:\n  {line}\n"


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_ready_made_mapping_is_valid(file: Any) -> None:
    assert faults_of(file.read_text(encoding="utf-8")) == []


GOOD_ONES = [
    GOOD,
    with_field("input_str: {from: A}"),
    with_field("input_str: {from: [A, B], steps: [strip, {split: newline}, join]}"),
    with_field("input_str: {from: A, steps: [{split: {on: bullet}}, {join: ', '}]}"),
    with_field("expected_behaviors: {from: A, steps: [{split: [newline]}, {replace: {pattern: a, with: b}}]}"),
    with_field("expected_behaviors: {value: [a, b]}"),
    with_field("description: {from: A, steps: [{rewrite: [{match: a, to: b, lost: c}]}, {date: '%Y%m%d'}]}"),
    with_field("description: {from: A, steps: [{keep: text}]}"),
    with_field("expected_behaviors: {collect: A, only: {Role: agent}}", "source: {group_by: Id, order_by: No}\n"),
    with_field("metric_input.deep.key: {template: '{A} {B}'}"),
    with_field("input_type: {from: A, map: {1: SCRIPT, yes: SCENARIO}, default: SCENARIO}"),
    with_field("input_str: {from: A}", "unmapped: {into: metric_input.source}\nlost: {A: no}\nignored: {B: no}\n"),
    with_field("input_str: {from: A}", "source: {delimiter: ';', quote: none, header_row: 3, requires: [[a, b], c]}\n"),
    with_field("expected_behaviors: {all_of: [{from: A, steps: [lines]}, {template: 'x {B}'}]}"),
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD_ONES)
def test_what_the_linter_takes_is_valid(text: str) -> None:
    assert lint(text, "mine.yaml")[1] == []
    assert faults_of(text) == []


BROKEN = [
    with_field("input_str: {from: A}").replace("version: 1", "version: 2"),
    with_field("input_str: {from: A}").replace("version: 1\n", ""),
    with_field("input_str: {from: A}", resource="test-case"),
    with_field("input_str: {from: A}").replace("mine", "My Suite"),
    with_field("input_string: {from: A}"),
    with_field("metrics_input.x: {from: A}"),
    with_field("input_str.x: {from: A}"),
    with_field("input_str: {form: A}"),
    with_field("input_str: {}"),
    with_field("input_str: A"),
    with_field("input_str: {from: 3}"),
    with_field("input_str: {from: []}"),
    with_field("input_str: {from: A, value: x}"),
    with_field("input_str: {from: A, from_one_of: B}"),
    with_field("input_str: {value: x, steps: [strip]}"),
    with_field("input_str: {from: A, steps: strip}"),
    with_field("input_str: {from: A, steps: [stripp]}"),
    with_field("input_str: {from: A, steps: [{strip: 3}]}"),
    with_field("input_str: {from: A, steps: [each]}"),
    with_field("expected_behaviors: {from: A, steps: [{split: {jsn: true}}]}"),
    with_field("expected_behaviors: {from: A, steps: [{split: {json: maybe}}]}"),
    with_field("expected_behaviors: {from: A, steps: [{keep: words}]}"),
    with_field("expected_behaviors: {from: A, only: {B: c}}"),
    with_field("input_str: {from: A, required: 'yes'}"),
    with_field("input_str: {from: A, default: 5}"),
    with_field("input_str: {from: A, lookup: test-set}"),
    with_field("input_str: {from: A, map: {}}"),
    with_field("input_str: {from: A, map: {a: [b]}}"),
    with_field("input_str: {from_pattern: Turn}"),
    with_field("input_str: {from: A}", "unmapped: maybe\n"),
    with_field("input_str: {from: A}", "unmaped: warn\n"),
    with_field("input_str: {from: A}", "source: {header_row: 0}\n"),
    with_field("input_str: {from: A}", "source: {format: excel}\n"),
    with_field("input_str: {from: A}", "source: {sheets: [a]}\n"),
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_mistake_is_marked_by_the_schema_and_by_the_linter(text: str) -> None:
    assert faults_of(text)
    assert lint(text, "mine.yaml")[1]


@pytest.mark.parametrize("part", Part.__subclasses__(), ids=lambda part: part.__name__)
def test_every_key_explains_itself(part: Any) -> None:
    assert set(key_docs(part)) == {info.alias or name for name, info in part.model_fields.items()}


def test_it_refers_only_to_what_it_holds() -> None:
    named = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(SCHEMA)))
    assert named == set(SCHEMA["$defs"])


def test_every_step_and_every_field_of_the_api_is_offered() -> None:
    words = {one.get("const") or next(iter(one["properties"])) for one in SCHEMA["$defs"]["Step"]["anyOf"]}
    assert words == set(STEPS)
    assert all(one["description"] for one in SCHEMA["$defs"]["Step"]["anyOf"])
    for name, resource in RESOURCES.items():
        offered = SCHEMA["$defs"][f"fields-of-{name}"]["properties"]
        assert set(offered) == {path for contract in Contract for path in resource.fields(contract)}

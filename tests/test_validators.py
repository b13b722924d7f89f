"""Validators: what `check` says about mapped rows, and in which words."""

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

import polars as pl
import pytest
from pydantic_core import ErrorDetails, ErrorType

from etl import problems as problem
from etl.batch import ROW, Batch, Origin
from etl.problems import Code, Problem, Severity
from etl.quoting import VALUE_LIMIT
from etl.resources import RESOURCES, TEST_CASES, Contract
from etl.resources.forms import KB
from etl.validators import check
from etl.validators.rules import make_rules
from etl.validators.sentences import nearest, put_in_words
from etl.validators.translation import CODES, translate
from tests.test_validators_table import (
    GOOD,
    METRIC,
    MUTATION,
    TEST_SET,
    batch_of,
    cells_of,
    checked,
    make_bodies,
)

OLD, NEW = Contract.V2025_10, Contract.V2026_10
INPUT_TYPES = "SCENARIO, TRANSCRIPT, IVR, AUDIO, MANUAL, SCRIPT"


def problems_of(resource: str, contract: Contract, *rows: Mapping[str, Any], **options: bool) -> list[Problem]:
    """The problems of rows, each a dict of cells."""
    batch = batch_of(rows, RESOURCES[resource].fields(contract))
    return [Problem(*line) for line in checked(resource, contract, batch, **options).problems.iter_rows()]


def case(**cells: Any) -> dict[str, Any]:
    return {"input_str": "Ask for a refund", "test_set_id": TEST_SET, **cells}


def agent(**cells: Any) -> dict[str, Any]:
    return {"display_name": "Support", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901", **cells}


def without(cells: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: cell for name, cell in cells.items() if name not in names}


# Problems: row, column, cell, value, sentence


def test_a_problem_names_row_column_cell_value_and_what_would_do() -> None:
    (found,) = problems_of("agents", OLD, agent(), agent(display_name="x" * 214))
    assert found == Problem(
        row=3,
        severity="error",
        code="too_long",
        field="display_name",
        column="display_name",
        cell="Cases!A3",
        value=f"{'x' * (VALUE_LIMIT - 1)}…",
        message="display_name has 214 characters; at most 200 fit.",
    )


def test_no_row_is_dropped_or_changed_and_good_rows_have_no_problems() -> None:
    batch = batch_of([case(), case(input_str=""), case(input_type="IVR")], TEST_CASES.fields(OLD))
    after = checked("test-cases", OLD, batch)
    assert after.frame.equals(batch.frame)
    assert after.source.equals(batch.source)
    assert after.good()[ROW].to_list() == [2, 4]


def test_a_required_field_without_a_column_is_missing_in_every_row() -> None:
    found = problems_of("test-cases", OLD, {"input_str": "a"}, {"input_str": "b"})
    assert [(one.row, one.field, one.column, one.cell, one.message) for one in found] == [
        (row, "test_set_id", None, None, "test_set_id is missing; every test case needs it.") for row in (2, 3)
    ]


def test_the_first_column_that_fills_a_field_is_named() -> None:
    fields = TEST_CASES.fields(OLD)
    frame = pl.DataFrame({ROW: [7], "input_str": [""], "test_set_id": [TEST_SET]})
    source = frame.rename({"input_str": "Caller says"})
    origin = Origin("cases.csv", None, "csv", ("Set", "Caller says", "Notes"), (1, 2, 3), 1)
    columns = {"input_str": ("Caller says", "Notes"), "test_set_id": ("Set",)}
    in_use = {path: fields[path] for path in columns}
    after = check(Batch(origin, source, frame), TEST_CASES, OLD, in_use, columns, make_bodies(in_use))
    assert after.problems.select("column", "cell").rows() == [("Caller says", "B7")]


def test_a_nested_fault_is_shown_in_the_column_that_holds_the_object() -> None:
    metadata = json.dumps({"response_format": "xml"})
    (found,) = problems_of("agents", OLD, agent(metadata=metadata))
    assert (found.field, found.column, found.cell, found.value) == (
        "metadata.response_format",
        "metadata",
        "Cases!D2",
        "xml",
    )
    assert found.message == 'metadata.response_format is "xml"; use one of chat_completions, responses.'


@pytest.mark.parametrize(
    ("resource", "cells", "message"),
    [
        ("test-cases", case(input_str=""), "input_str is empty; at least 1 character is needed."),
        ("test-cases", case(test_set_id=""), "test_set_id is empty; exactly 8 characters are needed."),
        ("test-cases", case(test_set_id="abc"), "test_set_id has 3 characters; exactly 8 are needed."),
        ("test-cases", case(test_set_id="a"), "test_set_id has 1 character; exactly 8 are needed."),
        (
            "test-cases",
            case(input_type="Skript"),
            f'input_type is "Skript"; use one of {INPUT_TYPES} (did you mean SCRIPT?).',
        ),
        (
            "test-cases",
            case(input_type="?"),
            f'input_type is "?"; use one of {INPUT_TYPES}.',
        ),
        ("test-cases", case(expected_behaviors=["Greets", None]), "expected_behaviors item 2 is null; text is needed."),
        ("test-cases", case(metric_input="[1]"), "metric_input is [1]; a JSON object is needed."),
        ("agents", agent(prompt="x" * 50_001), "prompt has 50,001 characters; at most 50,000 fit."),
        (
            "agents",
            agent(metric_ids=[METRIC, "m 2"]),
            'metric_ids item 2 is "m 2"; it should be 22 letters and digits.',
        ),
        (
            "agents",
            agent(metadata='{"custom_data": 5}'),
            "metadata.custom_data is 5; text or a JSON object is needed.",
        ),
        (
            "agents",
            agent(**{"metadata.strip_message_timestamps": '"no"'}),
            'metadata.strip_message_timestamps is "no"; ',
        ),
        ("agents", agent(endpoint="ftp://x"), 'endpoint is "ftp://x"; it should be a http:// or https:// URL.'),
        ("agents", agent(active="true"), "active is no field that the API knows here; leave it out."),
        ("agents", without(agent(), "phone_number"), "MODEL_TYPE_VOICE needs phone_number, which is missing."),
    ],
)
def test_the_sentence_says_what_was_found_and_what_would_do(resource: str, cells: dict[str, Any], message: str) -> None:
    (found,) = problems_of(resource, OLD, cells)
    assert found.message.startswith(message)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("51", "options.iteration_count is 51; it must be between 1 and 50."),
        ("1.5", "options.iteration_count is 1.5; a whole number is needed."),
        ("true", "options.iteration_count is true; a whole number is needed."),
        ("9" * 30, f"options.iteration_count is {'9' * 30}; it must be between 1 and 50."),
    ],
)
def test_numbers_are_quoted_as_numbers(cell: str, message: str) -> None:
    run = cells_of(GOOD["runs"][OLD], RESOURCES["runs"].fields(OLD), split=True)
    assert run is not None
    (found,) = problems_of("runs", OLD, {**run, "options.iteration_count": cell})
    assert found.message == message


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ("", "script_turns item 2 is empty; at least 1 character is needed."),
        (5, "script_turns item 2 is 5; text or a JSON object is needed."),
        ({}, "script_turns item 2: type is missing; it is needed."),
        ({"type": "wait"}, 'script_turns item 2 is "wait"; use one of text, dtmf, skip.'),
        ({"type": "text", "text": ""}, "script_turns item 2: text is empty; at least 1 character is needed."),
        ({"type": "dtmf", "digits": "A"}, 'script_turns item 2: digits is "A"; it should be digits, # and *'),
        ({"type": "skip", "for": 2}, "script_turns item 2: for is no field that the API knows here; leave it out."),
    ],
)
def test_a_bad_turn_is_explained_by_the_kind_that_was_meant(turn: Any, message: str) -> None:
    (found,) = problems_of("test-cases", NEW, case(script_turns=json.dumps(["Hi", turn])))
    assert found.message.startswith(message)


def test_the_word_that_was_meant_is_guessed_only_when_it_is_near() -> None:
    kinds = TEST_CASES.fields(OLD)["input_type"].options
    models = RESOURCES["agents"].fields(OLD)["model_type"].options
    assert nearest("transcripts", kinds) == "TRANSCRIPT"
    assert nearest("voice", models) == "MODEL_TYPE_VOICE"
    assert nearest("web socket", models) == "MODEL_TYPE_WEBSOCKET"
    assert nearest("quux", kinds) is None
    assert nearest("xml", ("chat_completions", "responses")) is None


# Conditions between fields


def test_a_bad_field_does_not_hide_a_condition_that_is_not_met() -> None:
    found = problems_of("agents", OLD, {"display_name": "x" * 214, "model_type": "MODEL_TYPE_VOICE"})
    assert [(one.code, one.field) for one in found] == [("too_long", "display_name"), ("required", "phone_number")]


def test_everything_that_a_condition_asks_for_is_named_at_once() -> None:
    found = problems_of("agents", OLD, {"display_name": "", "model_type": "MODEL_TYPE_WEBSOCKET"})
    assert [one.field for one in found] == ["display_name", "metadata.endpoint", "metadata.initialization_json"]


@pytest.mark.parametrize(
    ("metadata", "fields"),
    [
        ({"persona_id": "x"}, ["metadata.persona_id", "metadata.chat_endpoint"]),
        ({"persona_id": "x", "chat_endpoint": "https://api.example.com"}, ["metadata.persona_id"]),
        ({"chat_endpoint": "http://10.0.0.8"}, ["metadata.chat_endpoint"]),
        ({"chat_endpoint": 5}, ["metadata.chat_endpoint"]),
        ([], ["metadata"]),
    ],
)
def test_a_condition_looks_at_what_is_given_beside_a_bad_value(metadata: Any, fields: list[str]) -> None:
    cells = without(agent(model_type="MODEL_TYPE_CHAT", metadata=json.dumps(metadata)), "phone_number")
    assert [one.field for one in problems_of("agents", OLD, cells)] == fields


@pytest.mark.parametrize(
    ("contract", "cells", "codes"),
    [
        (OLD, case(input_type="SCRIPT", input_str=""), {"too_short", "missing_turns"}),
        (OLD, case(input_type="SCRIPT", metric_input="5"), {"wrong_type", "missing_turns"}),
        (OLD, case(input_type="SCRIPT", simulation_metadata_input="5"), {"wrong_type"}),
        (
            OLD,
            case(**{"input_type": "SCRIPT", "simulation_metadata_input.script_turns": ["Hi"], "input_str": ""}),
            {"too_short"},
        ),
        (NEW, case(input_type="SCRIPT", script_turns='[""]'), {"too_short"}),
        (NEW, case(input_type="SCRIPT", script_turns="[]", metric_input="5"), {"wrong_type", "missing_turns"}),
    ],
)
def test_a_script_without_turns_is_found_beside_other_faults(
    contract: Contract, cells: dict[str, Any], codes: set[str]
) -> None:
    assert {one.code for one in problems_of("test-cases", contract, cells)} == codes


def test_two_ways_of_naming_mutations_are_found_beside_other_faults() -> None:
    cells = {**GOOD["runs"][OLD], "agent_id": "short", "mutation_id": MUTATION, "mutation_ids": [MUTATION]}
    found = problems_of("runs", OLD, cells)
    assert [(one.code, one.field) for one in found] == [
        ("too_short", "agent_id"),
        ("mutually_exclusive", "mutation_id"),
    ]


# Beside what was found earlier


def with_error(batch: Batch, code: Code, field: str | None, column: str | None) -> Batch:
    return batch.with_problems(
        problem.frame_of([Problem(2, Severity.ERROR, code, field, column, None, None, "found earlier")])
    )


def test_a_field_that_has_an_error_gets_no_second_one() -> None:
    fields = RESOURCES["agents"].fields(OLD)
    batch = batch_of([{"display_name": "Support", "model_type": "MODEL_TYPE_VOICE"}], fields)
    after = checked("agents", OLD, with_error(batch, Code.WRONG_TYPE, "phone_number", "Phone"))
    assert after.problems["code"].to_list() == ["wrong_type"]


def test_a_field_inside_an_object_that_has_an_error_gets_none() -> None:
    batch = batch_of([{"display_name": "Chat", "model_type": "MODEL_TYPE_CHAT"}], RESOURCES["agents"].fields(OLD))
    after = checked("agents", OLD, with_error(batch, Code.MALFORMED_JSON, "metadata", "Settings"))
    assert after.problems["code"].to_list() == ["malformed_json"]


def test_a_field_whose_cell_could_not_be_read_gets_none() -> None:
    batch = batch_of([{"input_str": None, "test_set_id": TEST_SET}], TEST_CASES.fields(OLD))
    after = checked("test-cases", OLD, with_error(batch, Code.ERROR_CELL, None, "input_str"))
    assert after.problems["code"].to_list() == ["error_cell"]


def test_of_a_line_that_could_not_be_read_nothing_more_is_said() -> None:
    batch = batch_of([{"input_str": None}], TEST_CASES.fields(OLD))
    after = checked("test-cases", OLD, with_error(batch, Code.MALFORMED_JSON, None, None))
    assert after.problems["code"].to_list() == ["malformed_json"]


def test_an_earlier_warning_hides_nothing() -> None:
    batch = batch_of([case(input_str="")], TEST_CASES.fields(OLD))
    warning = Problem(2, Severity.WARNING, Code.CONFLICTING_FIELDS, "input_str", None, None, None, "found earlier")
    after = checked("test-cases", OLD, batch.with_problems(problem.frame_of([warning])))
    assert after.problems["code"].to_list() == ["conflicting_fields", "too_short"]


def test_problems_come_in_the_order_of_the_rows() -> None:
    rows = [case(metric_input="5"), case(input_str=""), case(metric_input="6", input_str="")]
    assert [one.row for one in problems_of("test-cases", OLD, *rows)] == [2, 3, 4, 4]


# Warnings


def test_a_warning_leaves_the_row_good_unless_strict() -> None:
    rows = case(input_type="TRANSCRIPT")
    assert [one.severity for one in problems_of("test-cases", OLD, rows)] == ["warning"]
    assert [one.severity for one in problems_of("test-cases", OLD, rows, strict=True)] == ["error"]


def test_strict_makes_errors_of_earlier_warnings_too() -> None:
    batch = batch_of([case()], TEST_CASES.fields(OLD))
    warning = Problem(2, Severity.WARNING, Code.MERGED_CELL, None, "input_str", None, None, "found earlier")
    after = checked("test-cases", OLD, batch.with_problems(problem.frame_of([warning])), strict=True)
    assert after.problems["severity"].to_list() == ["error"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Agent: hello", "is plain text"),
        ('{"role": "user"}', "is no list of messages"),
        ("[]", "is no list of messages"),
        ('["Hello"]', "has no role or no content in message 1"),
        ('[{"role": "user", "content": "Hi"}, {"role": "user"}]', "has no role or no content in message 2"),
        ('[{"role": 1, "content": "Hi"}]', "has no role or no content in message 1"),
        ('[{"role": "user", "content": "Hi"}]', None),
        ('[{"role": "assistant", "content": null, "tool_calls": []}]', None),
    ],
)
def test_a_transcript_should_be_a_list_of_messages(text: str, fault: str | None) -> None:
    found = problems_of("test-cases", OLD, case(input_str=text, input_type="TRANSCRIPT"), case(input_str=text))
    assert [one.message.split(";")[0] for one in found] == (
        [] if fault is None else [f"input_str of a TRANSCRIPT {fault}"]
    )


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"options": '{"sub_sample_seed": 1}'}, "options.sub_sample_seed"),
        ({"options.sub_sample_seed": "1", "options.sub_sample_size": "0"}, "options.sub_sample_seed"),
        ({"options.sub_sample_seed": "1", "options.sub_sample_size": "5"}, None),
        ({"options.sub_sample_size": "5"}, None),
    ],
)
def test_a_seed_without_a_sample_size_is_a_warning(cells: dict[str, str], field: str | None) -> None:
    found = problems_of("runs", OLD, {**GOOD["runs"][OLD], **cells})
    assert [(one.code, one.field) for one in found] == ([] if field is None else [("seed_without_sample", field)])


def test_the_prefix_of_a_persona_metric_is_a_warning_with_the_repair() -> None:
    (found,) = problems_of("runs", OLD, {**GOOD["runs"][OLD], "persona_metrics": ["latency", "persona:latency"]})
    assert (found.severity, found.value) == ("warning", "persona:latency")
    assert found.message == 'persona_metrics item 2 is "persona:latency"; write the base name "latency".'


def test_an_assumed_test_set_is_not_required() -> None:
    rows = [{"input_str": "a"}, {"input_str": "b", "metric_input": "{}"}, {"input_str": "c", "input_type": "SCRIPT"}]
    assert [one.code for one in problems_of("test-cases", OLD, *rows, assume_test_set=True)] == ["missing_turns"]
    found = problems_of("test-cases", OLD, {"input_str": "a", "test_set_id": "abc"}, assume_test_set=True)
    assert [one.code for one in found] == ["too_short"]


# Secrets


@pytest.mark.parametrize(
    "metadata",
    [
        {"authorization_header": {"Bearer": "s3cret"}},
        {"custom_headers": "X-Key: s3cret"},
        {"custom_headers": {"X-Key": "s3cret" * 4 * KB}},
        {"custom_data": '{"api_key": "s3cret"'},
        {"trigger_call_headers": {"X-Key": "s3cret"}},
        {"trigger_call_payload": {"password": "s3cret"}},
        {"trigger_call_payload": [{"Authorization": "s3cret"}]},
        {"persona_id": {"token": "s3cret"}},
    ],
)
def test_no_secret_is_shown(metadata: dict[str, Any]) -> None:
    found = problems_of("agents", OLD, agent(metadata=json.dumps(metadata)))
    assert found
    assert "s3cret" not in str(found)
    assert "«hidden»" in str(found)


def test_no_secret_is_shown_of_a_whole_object() -> None:
    cells = agent(metadata=json.dumps([{"api_key": "s3cret", "voice": "alloy"}]))
    (found,) = problems_of("agents", OLD, cells)
    assert found.value == '[{"api_key": "«hidden»", "voice": "alloy"}]'


# The model's errors


def test_every_error_that_pydantic_knows_has_a_code_and_a_sentence() -> None:
    kinds = get_args(ErrorType)
    assert len(kinds) > 100
    assert [kind for kind in kinds if kind not in CODES] == []
    for kind in kinds:
        for found in (None, "x", 5, [], {}):
            error = ErrorDetails(type=kind, loc=("prompt",), msg="Said by pydantic", input=found)
            if kind == "union_tag_not_found":
                error["ctx"] = {"discriminator": "'type'"}
            (finding,) = translate([error], {})
            assert re.fullmatch(r"prompt.* .*\.", put_in_words(finding, "agent")), kind


def test_every_code_of_ours_is_its_own_error_type() -> None:
    shared = {"too_long", "too_short"}  # pydantic's words for lists
    assert all(CODES[code] is code for code in Code if code not in shared)


def test_json_that_cannot_be_sent_is_found_in_its_cell() -> None:
    cells = [
        case(metric_input='{"a": "\\ud800"}'),
        case(metric_input="{}", expected_output_json=f'{{"n": {"9" * 5000}}}'),
    ]
    fields = TEST_CASES.fields(OLD)
    batch = batch_of(cells, fields)

    def paste(frame: pl.DataFrame) -> pl.Series:
        parts = [
            ",".join(
                f'"{path}": {cell}' for path, cell in row.items() if cell is not None and path not in {ROW, "input_str"}
            )
            for row in frame.with_columns(test_set_id=pl.lit(f'"{TEST_SET}"')).iter_rows(named=True)
        ]
        return pl.Series([f'{{"input_str": "a", {part}}}' for part in parts], dtype=pl.String)

    in_use = {path: fields[path] for path in batch.frame.columns if path != ROW}
    after = check(batch, TEST_CASES, OLD, in_use, {path: (path,) for path in in_use}, paste)
    assert after.problems.select("row", "code", "field").rows() == [
        (2, "malformed_json", "metric_input"),
        (3, "malformed_json", "expected_output_json"),
    ]


def test_a_body_that_is_no_json_spoils_its_row_even_if_every_cell_is_good() -> None:
    batch = batch_of([case(simulation_metadata_input="{}")], TEST_CASES.fields(OLD))
    after = check(batch, TEST_CASES, OLD, {}, {}, lambda frame: pl.Series(["{"] * frame.height, dtype=pl.String))
    (found,) = after.problems.iter_rows(named=True)
    assert (found["code"], found["field"], found["value"]) == ("malformed_json", None, None)
    assert found["message"].startswith("the row is not accepted: Invalid JSON")


# Which rows go where


def rows_put_before_the_model(resource: str, contract: Contract, *rows: Mapping[str, Any]) -> list[int]:
    seen: list[int] = []
    fields = RESOURCES[resource].fields(contract)
    batch = batch_of(rows, fields)
    in_use = {path: fields[path] for path in batch.frame.columns if path != ROW}
    make = make_bodies(in_use)

    def watched(frame: pl.DataFrame) -> pl.Series:
        seen.extend(frame[ROW])
        return make(frame)

    check(batch, RESOURCES[resource], contract, in_use, {}, watched)
    return seen


def test_only_test_cases_with_json_or_a_script_are_put_before_the_model() -> None:
    rows = [
        case(),
        case(input_type="SCRIPT"),
        case(metric_input='{"any": [{"thing": 1e5}]}'),
        case(input_str="", expected_behaviors=["x"], description="x", user_notes="x", input_type="IVR"),
        case(**{"simulation_metadata_input.script_turns": ["Hi"]}),
        case(metric_input="[1]"),
        case(metric_input='{"a": "\\ud800"}'),
        case(metric_input='{"a":' * 101 + "1" + "}" * 101),
        case(simulation_metadata_input="{}"),
    ]
    assert rows_put_before_the_model("test-cases", OLD, *rows) == [3, 7, 8, 9, 10]
    assert rows_put_before_the_model("test-cases", OLD, case(), case()) == []
    assert rows_put_before_the_model("test-cases", NEW, case(), case(script_turns='["Hi"]')) == [3]


def test_all_rows_of_other_resources_are_put_before_the_model() -> None:
    for resource in set(RESOURCES) - {"test-cases"}:
        for contract in Contract:
            cells = cells_of(GOOD[resource][contract], RESOURCES[resource].fields(contract), split=False)
            assert cells is not None
            assert rows_put_before_the_model(resource, contract, cells) == [2]


def test_every_rule_has_a_name_of_its_own() -> None:
    for resource in RESOURCES.values():
        for contract in Contract:
            fields = resource.fields(contract)
            rules = make_rules(fields, {path: spec for path, spec in fields.items() if spec.required}, list(fields))
            names = [rule.name for rule in rules]
            assert len(set(names)) == len(names)


def test_an_empty_batch_has_no_problems() -> None:
    assert problems_of("test-cases", OLD) == []

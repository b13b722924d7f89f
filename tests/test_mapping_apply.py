"""Rows as read into rows in the API's fields: sources, both contracts, JSON Lines, conflicts, secrets."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.batch import ROW
from etl.mapping import apply, bind, load_mapping
from etl.resources import RESOURCES, Contract, Kind
from tests.mapping_talk import batch_of, json_batch, mapped, mapping_of

AGENT, OTHER = "gk3jK9mPq2xRt5vW8yZaBc", "hL4kL0nQr3ySt6vX9zAcDd"


def test_column_names_match_whatever_their_case_spaces_accents_and_punctuation(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, "input_str: {from: Eingabe für Café}\ndescription: {from: order_no}\nuser_notes: {from: 備考}"
    )
    made = mapped(mapping, batch_of({"EINGABE-fur_cafe": ["a"], "Order  No.": ["b"], "備考 ": ["c"]}))
    assert made.bodies == [{"input_str": "a", "description": "b", "user_notes": "c"}]


def test_a_column_that_is_named_exactly_comes_before_one_that_is_merely_alike(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}")
    made = mapped(mapping, batch_of({"INPUT": ["a"], "Input": ["b"]}))
    assert made.bodies == [{"input_str": "b"}]
    assert made.bound.unmapped == ("INPUT",)


def test_from_takes_the_first_column_with_a_value_row_by_row(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: [Prompt, Input], steps: [strip, blank_to_null]}")
    made = mapped(mapping, batch_of({"Input": ["a", "b", "c"], "Prompt": ["A", None, "c "]}))
    assert [body["input_str"] for body in made.bodies] == ["A", "b", "c"]
    [problem] = made.problems
    assert (problem["severity"], problem["code"], problem["row"]) == ("warning", "conflicting_fields", 2)
    assert (problem["column"], problem["cell"], problem["value"]) == ("Input", "A2", "a")
    assert problem["message"] == 'Input says "a", and Prompt says something else; Prompt is sent'


def test_from_one_of_takes_one_column_and_leaves_the_others_to_other_fields(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "input_str: {from_one_of: [Input, Scenario]}\ndescription: {from_one_of: [Scenario, Title]}",
    )
    made = mapped(mapping, batch_of({"Title": ["t"], "Scenario": ["s"], "Input": ["i"]}))
    assert made.bodies == [{"input_str": "i", "description": "s"}]
    assert made.bound.unmapped == ("Title",)
    assert made.problems == []
    assert mapped(mapping, batch_of({"Title": ["t"], "Scenario": ["s"]})).bodies == [
        {"input_str": "s", "description": "t"}
    ]


def test_from_one_of_forgives_a_typing_error_but_not_another_word(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "input_str: {from_one_of: [Input]}\nexpected_behaviors: {from_one_of: [Expected Output]}\n"
        "description: {from_one_of: [Description]}",
    )
    made = mapped(mapping, batch_of({"Input type": ["x"], "Expected Ouput": ["b"], "Descripton of agent": ["c"]}))
    assert made.bodies == [{"expected_behaviors": ["b"]}]
    assert made.bound.unmapped == ("Input type", "Descripton of agent")


def test_a_column_as_near_to_two_fields_goes_to_neither(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, "input_str: {from_one_of: [Caller lines A]}\ndescription: {from_one_of: [Caller lines B]}"
    )
    assert mapped(mapping, batch_of({"Caller lines C": ["x"]})).bound.unmapped == ("Caller lines C",)


@pytest.mark.parametrize(
    ("name", "column", "same"),
    [
        ("Language", "Langauge", True),
        ("Expected Output", "Expcted Ouput", True),
        ("Description", "Descriptions", True),
        ("Test case", "Test case ID", False),
        ("Input", "Input type", False),
        ("Suite", "Site", False),
        ("Notes", "Votes", False),
        ("Expected output 1", "Expected output 2", False),
        ("Output", "Expected Output", False),
        ("Name", "Customer name", False),
    ],
)
def test_a_typing_error_is_told_from_another_word(name: str, column: str, same: bool, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, f"input_str: {{from_one_of: {name}}}")
    assert mapped(mapping, batch_of({column: ["x"]})).bodies == [{"input_str": "x"} if same else {}]


def test_map_default_and_value(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "input_str: {from: In}\n"
        "input_type: {from: Type, map: {call script: SCRIPT, chat log: TRANSCRIPT}, default: SCENARIO}\n"
        "expected_behaviors: {value: [Is polite]}\nmetric_input.version: {value: 1.50}",
    )
    cells = ["Call-Script", "chat LOG", "i v r", None, "Skript"]
    made = mapped(mapping, batch_of({"In": ["x"] * 5, "Type": cells}))
    kinds = ["SCRIPT", "TRANSCRIPT", "IVR", "SCENARIO"]
    assert [body["input_type"] for body in made.bodies][:4] == kinds
    assert all(body["expected_behaviors"] == ["Is polite"] for body in made.bodies)
    assert all(body["metric_input"] == {"version": 1.5} for body in made.bodies)
    assert made.codes == ["unknown_value"], "Skript is neither a word of map nor of the API"


def test_a_word_that_map_does_not_know_is_a_problem_where_the_field_takes_any_text(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "name: {from: Name}\nlanguage_code: {from: Language, map: {English: en-US, Spanish: es-ES, 1: fr-FR}}",
        resource="personas",
    )
    cells = ["english", "EN-US", "1", "Spansh", None, " "]
    made = mapped(mapping, batch_of({"Name": ["n"] * 6, "Language": cells}))
    assert [body.get("language_code") for body in made.bodies] == ["en-US", "en-US", "fr-FR", None, None, None]
    assert made.codes == ["unknown_value"]
    assert made.messages == ['Language is "Spansh"; language_code takes English, Spanish, 1 (did you mean Spanish?)']


def test_map_makes_booleans_and_numbers_too(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "name: {from: Name}\nsilent_mode: {from: Silent, map: {ja: true, nein: false}}\n"
        "voice_speed: {from: Speed, map: {slow: 0.5, fast: 1.50}}",
        resource="personas",
    )
    made = mapped(mapping, batch_of({"Name": ["a", "b"], "Silent": ["Ja", "NEIN"], "Speed": ["slow", "Fast"]}))
    assert made.bodies == [
        {"silent_mode": True, "voice_speed": 0.5, "name": "a"},
        {"silent_mode": False, "voice_speed": 1.5, "name": "b"},
    ]


def test_an_expression_over_columns_fills_a_field_and_a_condition_chooses_rows(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "input_str: {expr: \"CONCAT_WS(': ', Topic, Text)\", steps: [strip]}\n"
        'metric_input.tries: {expr: "CAST(Tries AS INT) + 1", steps: [integer]}',
        more="source: {where: \"Status = 'Ready'\"}\n",
    )
    batch = batch_of({"Topic": ["A", "B"], "Text": ["x ", "y"], "Tries": ["2", "many"], "Status": ["Ready", "Draft"]})
    made = mapped(mapping, batch)
    assert made.bodies == [{"input_str": "A: x", "metric_input": {"tries": 3}}, {"input_str": "B: y"}]
    assert made.bound.unmapped == ()
    assert made.bound.where is not None
    assert batch.source.filter(made.bound.where)[ROW].to_list() == [2]


def test_a_value_that_only_the_mapping_requires_is_asked_for(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, "input_str: {from: In, required: true}\nmetric_input.order: {from: [Order No, Ref], required: true}"
    )
    made = mapped(mapping, batch_of({"In": [None, "x", "y"], "Order No": ["1", " ", None], "Ref": [None, "", "2"]}))
    assert made.codes == ["required"]
    [problem] = made.problems
    assert (problem["row"], problem["field"], problem["cell"]) == (3, "metric_input.order", "B3")
    assert problem["message"] == "Order No is empty, and the mapping requires metric_input.order; fill it in"


def test_headers_that_mean_something_to_polars_are_only_headers(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, 'input_str: {from: "*"}\ndescription: {from: "^a.*$"}\nuser_notes: {from: input_str}'
    )
    made = mapped(mapping, batch_of({"*": ["a"], "^a.*$": ["b"], "input_str": ["c"], "abc": ["d"]}))
    assert made.bodies == [{"input_str": "a", "description": "b", "user_notes": "c"}]


def test_every_row_stays_with_its_number_whatever_is_in_it() -> None:
    batch = batch_of({"Input": [None, "a", None], "Type": ["x", None, None]})
    made = mapped(load_mapping("test-cases"), batch)
    assert made.batch.frame[ROW].to_list() == [2, 3, 4]
    assert made.bodies == [{"input_type": "x"}, {"input_str": "a"}, {}]
    assert made.batch.frame.schema["input_type"] == pl.String


def test_an_empty_batch_and_a_batch_without_a_column_are_fine() -> None:
    batch = batch_of({"Input": ["a"], "Expected Output": ["b"]})
    bound = bind(load_mapping("test-cases"), batch.origin, Contract.V2025_10, {})
    assert apply(bound, batch_like(batch, batch.source.head(0))).frame.height == 0
    assert apply(bound, batch_like(batch, batch.source.drop("Expected Output"))).frame["expected_behaviors"][0] is None


def batch_like(batch: Any, source: pl.DataFrame) -> Any:
    return type(batch)(batch.origin, source, source)


@pytest.mark.parametrize("contract", Contract)
def test_the_frame_has_the_type_of_each_kind(contract: Contract) -> None:
    for name, resource in RESOURCES.items():
        mapping = load_mapping(name)
        columns = {alias: [None, None] for rule in mapping.fields.values() for alias in (rule.from_one_of or [])[:1]}
        made = mapped(mapping, batch_of(columns), contract)
        known = resource.fields(contract)
        assert all(path in known or path.rpartition(".")[0] in known for path in made.bound.fields)
        for path, spec in made.bound.fields.items():
            expected = pl.List(pl.String) if spec.kind is Kind.LIST else pl.String
            assert made.batch.frame.schema[path] == expected
        assert made.bodies == [{}, {}]


# --- JSON Lines


def test_json_lines_keep_what_they_say() -> None:
    batch = json_batch(
        {
            "input_str": "007",
            "expected_behaviors": ["a, b", "c\nd"],
            "metric_input": {"z": 1.0, "a": [None, 12345678901234567890]},
            "description": None,
            "simulation_metadata_input": {},
        },
        {"input_str": "b", "expected_behaviors": "one\ntwo"},
        {"input_str": "c", "expected_output_str": "x"},
    )
    made = mapped(load_mapping("test-cases"), batch)
    assert made.bodies == [
        {
            "input_str": "007",
            "expected_behaviors": ["a, b", "c\nd"],
            "metric_input": {"z": 1.0, "a": [None, 12345678901234567890]},
            "simulation_metadata_input": {},
        },
        {"input_str": "b", "expected_behaviors": ["one", "two"]},
        {"input_str": "c", "expected_behaviors": ["x"]},
    ]
    assert '"z": 1.0' in made.batch.frame["metric_input"][0]
    assert made.problems == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("input_str", 5, "input_str is 5; it takes text, and this is a JSON number; put it in quotes"),
        ("input_str", True, "input_str is true; it takes text, and this is a JSON boolean; put it in quotes"),
        ("input_str", ["a"], 'input_str is ["a"]; it takes text, and this is a JSON array; put it in quotes'),
        ("input_type", {}, "input_type is {}; it takes text, and this is a JSON object; put it in quotes"),
        ("expected_behaviors", 5, "it takes a JSON array of texts, and this is a JSON number"),
        ("expected_behaviors", {"a": 1}, "it takes a JSON array of texts, and this is a JSON object"),
        ("expected_behaviors", ["a", 5], 'such as ["one", "two"], and item 2 is a number'),
        ("metric_input", [1], "it takes a JSON object, and this is a JSON array"),
        ("metric_input", "none", "and this is a text"),
        ("expected_output_str", ["a"], "expected_behaviors takes text, and this is a JSON array"),
    ],
)
def test_json_lines_of_another_type_are_not_made_to_fit(field: str, value: Any, said: str) -> None:
    made = mapped(load_mapping("test-cases"), json_batch({"input_str": "x", "description": "y"} | {field: value}))
    assert made.codes == ["wrong_type"]
    assert said in made.messages[0]
    assert made.bodies == [{"description": "y"} if field == "input_str" else {"input_str": "x", "description": "y"}]


@pytest.mark.parametrize(
    ("value", "sent", "codes"),
    [
        (5, 5, []),
        (5.0, 5, []),
        ("5", 5, []),
        (5.5, None, ["not_an_integer"]),
        (True, None, ["wrong_type"]),
        (None, None, []),
    ],
)
def test_json_lines_numbers_for_whole_numbers(value: Any, sent: Any, codes: list[str]) -> None:
    made = mapped(load_mapping("run-templates"), json_batch({"display_name": "n", "iteration_count": value}))
    assert made.codes == codes
    assert made.bodies == [{"display_name": "n"} | ({} if sent is None else {"iteration_count": sent})]


def test_json_lines_booleans_and_free_keys(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "display_name: {from: n}\nmetadata.strip_message_timestamps: {from: s}\nmetadata.any: {from: a}",
        resource="agents",
    )
    made = mapped(mapping, json_batch({"n": "x", "s": True, "a": [1.0, {"k": None}]}, {"n": "y", "s": "No", "a": "5"}))
    assert made.bodies == [
        {"display_name": "x", "metadata": {"any": [1.0, {"k": None}], "strip_message_timestamps": True}},
        {"display_name": "y", "metadata": {"any": "5", "strip_message_timestamps": False}},
    ]
    assert mapped(mapping, json_batch({"n": "x", "s": 1})).codes == ["wrong_type"]


def test_numbered_keys_of_json_lines_take_text_only(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, 'simulation_metadata_input.script_turns: {from_pattern: "turn_{n}"}')
    made = mapped(mapping, json_batch({"turn_1": "Hi", "turn_2": None, "turn_3": "Bye"}, {"turn_1": 5, "turn_2": "x"}))
    assert made.bodies[0] == {"simulation_metadata_input": {"script_turns": ["Hi", "Bye"]}}
    assert made.codes == ["turn_gap", "wrong_type"]


def test_an_expression_sees_json_values_as_they_are_written(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        'input_str: {from: a}\nmetric_input.tries: {expr: "CAST(n AS INT) * 2", steps: [integer], required: true}',
    )
    made = mapped(mapping, json_batch({"a": "x", "n": 5}, {"a": "y", "n": "7"}, {"a": "z", "n": None}))
    assert [body.get("metric_input") for body in made.bodies] == [{"tries": 10}, {"tries": 14}, None]
    assert made.problems == []


# --- the deprecated field


def test_the_deprecated_field_is_wrapped_as_it_is_and_never_sent_beside_the_list() -> None:
    batch = json_batch(
        {"input_str": "a", "expected_output_str": "One thing.\nAnother, too."},
        {"input_str": "b", "expected_output_str": "x", "expected_behaviors": ["x"]},
        {"input_str": "c", "expected_output_str": "x", "expected_behaviors": ["y", "z"]},
        {"input_str": "d", "expected_output_str": '["x"]'},
        {"input_str": "e", "expected_output_str": ""},
    )
    made = mapped(load_mapping("test-cases"), batch)
    assert [body.get("expected_behaviors") for body in made.bodies] == [
        ["One thing.\nAnother, too."],
        ["x"],
        ["y", "z"],
        ['["x"]'],
        None,
    ]
    assert "expected_output_str" not in made.batch.frame.columns
    assert "expected_output_str" not in made.bound.fields
    [problem] = made.problems
    assert (problem["row"], problem["severity"], problem["code"]) == (3, "warning", "conflicting_fields")
    assert problem["column"] == "expected_output_str"
    assert problem["field"] == "expected_behaviors"


# --- the two contracts


def test_references_of_run_templates_become_lists_under_the_newer_contract() -> None:
    batch = batch_of({"Name": ["n"], "Agent ID": [AGENT], "Persona ID": [OTHER], "Test set ID": ["aB1cD2eF"]})
    mapping = load_mapping("run-templates")
    ids = {"agent_id": AGENT, "persona_id": OTHER, "test_set_id": "aB1cD2eF"}
    assert mapped(mapping, batch).bodies == [{"display_name": "n"} | ids]
    newer = mapped(mapping, batch, Contract.V2026_10)
    assert newer.bodies == [{"display_name": "n"} | {f"{name}s": [value] for name, value in ids.items()}]
    assert newer.bound.columns["agent_ids"] == ("Agent ID",)


def test_a_list_of_references_becomes_one_under_the_older_contract_where_it_is_one() -> None:
    mapping = load_mapping("run-templates")
    batch = batch_of({"Name": ["a", "b", "c"], "Agents": [AGENT, f"{AGENT}, {OTHER}", None]})
    made = mapped(mapping, batch)
    assert [body.get("agent_id") for body in made.bodies] == [AGENT, None, None]
    assert made.codes == ["not_in_contract"]
    assert "agent_id takes one id under contract 2025-10; keep one, or use --contract 2026-10" in made.messages[0]
    assert [body.get("agent_ids") for body in mapped(mapping, batch, Contract.V2026_10).bodies] == [
        [AGENT],
        [AGENT, OTHER],
        None,
    ]
    lines = json_batch({"display_name": "n", "agent_ids": [AGENT], "agent_id": AGENT})
    assert mapped(mapping, lines).bodies[0]["agent_id"] == AGENT
    assert mapped(mapping, lines, Contract.V2026_10).bodies[0]["agent_ids"] == [AGENT]


def test_set_values_go_the_same_way() -> None:
    batch = batch_of({"Name": ["n"]})
    mapping = load_mapping("run-templates")
    assert mapped(mapping, batch, Contract.V2026_10, {"agent_id": AGENT}).bodies[0]["agent_ids"] == [AGENT]
    assert mapped(mapping, batch, Contract.V2025_10, {"agent_ids": AGENT}).bodies[0]["agent_id"] == AGENT


def test_typed_turns_pass_under_the_newer_contract_only() -> None:
    turns = ["Hi", {"type": "dtmf", "digits": "1"}]
    batch = json_batch({"input_str": "x", "script_turns": turns})
    assert mapped(load_mapping("test-cases"), batch, Contract.V2026_10).bodies[0]["script_turns"] == turns
    assert mapped(load_mapping("test-cases"), batch).codes == ["not_in_contract"]


def test_turns_inside_a_whole_object_move_to_the_top_under_the_newer_contract() -> None:
    batch = json_batch(
        {"input_str": "a", "simulation_metadata_input": {"script_turns": ["Hi"], "voice": 1.0}},
        {"input_str": "b", "simulation_metadata_input": {"script_turns": ["Hi"]}},
        {"input_str": "c", "simulation_metadata_input": {"voice": "script_turns"}},
        {"input_str": "d", "simulation_metadata_input": {"script_turns": None}},
    )
    mapping = load_mapping("test-cases")
    newer = mapped(mapping, batch, Contract.V2026_10)
    assert newer.bodies == [
        {"input_str": "a", "simulation_metadata_input": {"voice": 1.0}, "script_turns": ["Hi"]},
        {"input_str": "b", "script_turns": ["Hi"]},
        {"input_str": "c", "simulation_metadata_input": {"voice": "script_turns"}},
        {"input_str": "d"},
    ]
    assert set(newer.batch.frame.columns) == {ROW, *newer.bound.fields}
    assert newer.bound.columns["script_turns"] == ("simulation_metadata_input",)
    assert mapped(mapping, batch).bodies[0]["simulation_metadata_input"] == {"script_turns": ["Hi"], "voice": 1.0}


def test_a_value_for_a_field_that_the_contract_lacks_is_a_problem_on_its_rows() -> None:
    batch = batch_of({"Name": ["a", "b", "c"], "Tags": ["x; y", None, " "]})
    made = mapped(load_mapping("test-sets"), batch)
    assert made.bodies == [{"display_name": "a"}, {"display_name": "b"}, {"display_name": "c"}]
    [problem] = made.problems
    assert (problem["code"], problem["row"], problem["field"], problem["cell"]) == ("not_in_contract", 2, "tags", "B2")
    assert problem["message"] == (
        "Tags has a value, and contract 2025-10 has no field tags; leave the cell empty or use the other --contract"
    )
    assert made.bound.unmapped == ()
    assert mapped(load_mapping("test-sets"), batch, Contract.V2026_10).bodies[0] == {
        "display_name": "a",
        "tags": ["x", "y"],
    }


# --- objects given whole and in parts


def test_a_column_inside_an_object_given_whole_is_merged_and_the_whole_wins() -> None:
    batch = batch_of(
        {
            "Name": ["a", "b", "c", "d"],
            "Type": ["Chat", "voice (inbound)", "Fax", "web chat"],
            "Metadata": [
                '{"x": 1.0}',
                None,
                '{"chat_endpoint": "https://b.example"}',
                '{"chat_endpoint":"https://a.example"}',
            ],
            "Chat endpoint": ["https://a.example", None, "https://a.example", "https://a.example"],
        }
    )
    made = mapped(load_mapping("agents"), batch)
    assert made.bodies == [
        {
            "display_name": "a",
            "model_type": "MODEL_TYPE_CHAT",
            "metadata": {"x": 1.0, "chat_endpoint": "https://a.example"},
        },
        {"display_name": "b", "model_type": "MODEL_TYPE_VOICE"},
        {"display_name": "c", "metadata": {"chat_endpoint": "https://b.example"}},
        {"display_name": "d", "model_type": "MODEL_TYPE_CHAT", "metadata": {"chat_endpoint": "https://a.example"}},
    ]
    [problem] = [one for one in made.problems if one["code"] != "unknown_value"]
    assert (problem["severity"], problem["code"], problem["row"]) == ("warning", "conflicting_fields", 4)
    assert (problem["field"], problem["column"]) == ("metadata.chat_endpoint", "Chat endpoint")
    assert "that of Metadata is sent" in problem["message"]


def test_secrets_are_never_quoted() -> None:
    secret = "Bearer s3cr3t-value"
    cells = {
        "Name": ["a", "b"],
        "Type": ["Chat"] * 2,
        "Metadata": [f'{{"authorization_header": "{secret}"', '{"authorization_header": "other"}'],
        "Authorization header": [None, secret],
    }
    made = mapped(load_mapping("agents"), batch_of(cells))
    assert sorted(made.codes) == ["conflicting_fields", "malformed_json"]
    assert all("s3cr3t" not in json.dumps(problem) for problem in made.problems)
    assert [problem["value"] for problem in made.problems] == ["«hidden»"] * 2


def test_a_password_in_a_sentence_is_no_secret() -> None:
    cell = '["I forgot my password", 5]'
    made = mapped(load_mapping("test-cases"), batch_of({"Input": ["x"], "Expected": [cell]}))
    assert made.problems[0]["value"] == cell


@given(
    cells=st.lists(
        st.tuples(
            st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
            st.none() | st.text(st.sampled_from('[]{}",:\\ \n1.-|ae\x1e'), max_size=20),
            st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_cells_hold_no_row_is_lost_and_every_problem_belongs_to_one(
    cells: list[tuple[str | None, str | None, str | None]],
) -> None:
    batch = batch_of(
        {
            "Input": [one[0] for one in cells],
            "Expected": [one[1] for one in cells],
            "Metric input": [one[1] for one in cells],
            "Script": [one[1] for one in cells],
            "Type": [one[2] for one in cells],
            "Simulation metadata": [one[2] for one in cells],
        }
    )
    made = mapped(load_mapping("test-cases"), batch)
    rows = list(range(2, len(cells) + 2))
    assert made.batch.frame[ROW].to_list() == rows
    assert len(made.bodies) == len(cells)
    assert all(problem["row"] in rows and problem["message"] for problem in made.problems)

"""What is not there and should be: turns left out, names of columns, words of messages; keys in each other."""

import json
from pathlib import Path

import pytest

from etl.mapping import check_mapping
from etl.problems import Code
from tests.command import etl
from tests.mapping_talk import batch_of, json_batch, mapped, mapping_of

TURNS = "input_str: {from: In}\nsimulation_metadata_input.script_turns: {from_pattern: 'Turn {n}', steps: [turns]}"


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ({"Turn 1": "a", "Turn 2": "b", "Turn 3": None}, []),
        ({"Turn 1": None, "Turn 2": None}, []),
        ({"Turn 1": "a", "Turn 2": " ", "Turn 3": "c"}, [("C2", "Turn 2 is empty, and a later turn is not")]),
        ({"Turn 1": None, "Turn 2": "b"}, [("B2", "Turn 1 is empty, and a later turn is not")]),
        ({"Turn 1": "a", "Turn 3": "c"}, [("C2", "the file goes from Turn 1 to Turn 3")]),
        ({"Turn 1": "a", "Turn 3": None}, []),
    ],
)
def test_a_numbered_turn_that_is_left_out_is_said(
    tmp_path: Path, turns: dict[str, str | None], said: list[tuple[str, str]]
) -> None:
    cells = {"In": ["x"]} | {name: [cell] for name, cell in turns.items()}
    found = mapped(mapping_of(tmp_path, TURNS), batch_of(cells)).problems
    assert [(one["cell"], one["message"].partition(";")[0]) for one in found] == said
    assert {one["code"] for one in found} <= {Code.TURN_GAP}


def test_a_null_of_json_is_a_turn_left_out(tmp_path: Path) -> None:
    made = mapped(mapping_of(tmp_path, TURNS), json_batch({"In": "x", "Turn 1": "a", "Turn 2": None, "Turn 3": "c"}))
    assert made.codes == [Code.TURN_GAP]


def test_numbered_columns_that_are_no_turns_may_have_gaps(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In}\nexpected_behaviors: {from_pattern: 'Check {n}'}")
    assert mapped(mapping, batch_of({"In": ["x"], "Check 1": [None], "Check 4": ["b"]})).codes == []


@pytest.mark.parametrize(
    ("inner", "fault"),
    [("metric_input.a.b", "stands inside metric_input.a, which has a value of its own"), ("metric_input.ab", None)],
)
def test_a_key_inside_a_value_is_a_mistake_of_the_mapping(tmp_path: Path, inner: str, fault: str | None) -> None:
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nname: mine\nresource: test-cases\nfields:\n  input_str: {from: In}\n"
        f"  metric_input: {{from: All}}\n  metric_input.a: {{from: A}}\n  {inner}: {{from: B}}\n"
    )
    _, faults = check_mapping(str(tmp_path / "mine.yaml"))
    assert [(one.line, one.column) for one in faults] == ([(8, 3)] if fault else [])
    assert fault is None or fault in faults[0].sentence


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "user", "content": "Hi"}], ""),
        ([{"role": "Assistant", "content": None, "tool_calls": []}], ""),
        ([{"role": "user", "content": None}], "has null for the content of message 1"),
        ([{"role": "user", "content": "a"}, {"role": "banana", "content": "b"}], 'has the role "banana" in message 2'),
    ],
)
def test_a_message_with_an_odd_role_or_no_words_is_a_warning(
    tmp_path: Path, messages: list[dict[str, object]], said: str
) -> None:
    line = {"input_type": "TRANSCRIPT", "input_str": json.dumps(messages)}
    (tmp_path / "cases.jsonl").write_text(json.dumps(line))
    shown = " ".join(etl(tmp_path, "validate", "cases.jsonl").err.split())
    assert ("of a TRANSCRIPT" in shown) is bool(said)
    assert said in shown


def test_a_column_with_data_and_no_name_is_named_where_the_header_is_in_doubt(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("Prompt,,Expected\nHi,Very urgent,Greets\nHo,,Waits\n")
    said = " ".join(etl(tmp_path, "validate", "cases.csv").err.split())
    assert "if it is row 1, give column B a name there, for it holds data" in said

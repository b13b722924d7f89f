"""Formats in other shapes than their samples have: fewer columns, a bare list, an answer of one object."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats_talk import read_sample


def read_text(folder: Path, name: str, text: str) -> tuple[str, list[dict[str, Any]]]:
    (folder / name).write_text(text, encoding="utf-8")
    return read_sample(folder / name)


def test_a_suite_of_vals_needs_no_ids(tmp_path: Path) -> None:
    text = "Test Input,Operator,Criteria\nWhat is it?,includes,a\n,excludes,b\nAnd this?,is_polite,\n"
    mapping, lines = read_text(tmp_path, "suite.csv", text)
    assert mapping == "vals-ai"
    assert [line["body"]["expected_behaviors"] for line in lines] == [
        ["Mentions this: a", "Does not mention this: b"],
        ["Is polite"],
    ]


def test_older_templates_of_vals_have_keys_and_values(tmp_path: Path) -> None:
    text = "Test Input,Right Answer,Context Keys,Context Values\nHow old?,Five,date,2026-01-05\n,,plan,gold\n"
    [line] = read_text(tmp_path, "suite.csv", text)[1]
    assert line["body"]["metric_input"]["context"] == [
        {"key": "date", "value": "2026-01-05"},
        {"key": "plan", "value": "gold"},
    ]


def test_values_of_a_later_row_are_not_lost_in_silence(tmp_path: Path) -> None:
    text = "Test Input,Operator,Criteria,Severity\nWhat is it?,includes,a,1\n,excludes,b,2\n"
    [line] = read_text(tmp_path, "suite.csv", text)[1]
    [said] = line["warnings"]
    assert said.startswith('conflicting_fields: Severity is "2" in row 3, and a row of the same record before it says')


def test_goldens_without_tools_and_of_unknown_kinds(tmp_path: Path) -> None:
    text = (
        "display_name,turn_index,action_type,text_content\nhello,,,\n,1,INPUT_TEXT,Hi\n,1,EXPECTATION_TEXT,Hello\n"
        ",2,INPUT_TEXT,Bye\n,2,INPUT_SONG,la\nonly_song,,,\n,1,INPUT_SONG,la\n"
    )
    mapping, lines = read_text(tmp_path, "goldens.csv", text)
    assert mapping == "cx-agent-studio"
    assert lines[0]["body"]["simulation_metadata_input"] == {"script_turns": ["Hi", "Bye"]}
    assert 'INPUT_SONG" (there is no such kind of row)' in lines[0]["warnings"][0]
    assert "required" in lines[1]["codes"]


@pytest.mark.parametrize(
    ("record", "mapping"),
    [
        ({"user_prompt": "You call", "metrics": ["Answers"]}, "retell"),
        ({"name": "a", "script": "Call", "scorers": [{"type": "ai", "rubric": "Answers"}]}, "vapi-tests"),
        ({"intent": "You call", "success_criteria": "Answers", "creativity": 0.7}, "bluejay"),
        ({"instructions": "Call", "expected_outcome_prompt": "Answers", "personality": 3}, "cekura"),
        ({"input_under_test": "Hi", "checks": []}, "vals-ai-suite"),
        ({"utterance": "Hi", "expectedTopic": "Greeting"}, "agentforce-spec"),
        ({"conversation": "a", "turns": [{"user": "Hi", "agent": "Hello"}]}, "cx-agent-studio-goldens"),
    ],
)
@pytest.mark.parametrize("is_list", [True, False])
def test_a_bare_list_or_lines_are_the_same_format(
    record: dict[str, Any], mapping: str, is_list: bool, tmp_path: Path
) -> None:
    text = json.dumps([record, record]) if is_list else f"{json.dumps(record)}\n{json.dumps(record)}\n"
    found, lines = read_text(tmp_path, "cases.json" if is_list else "cases.jsonl", text)
    assert found == mapping
    assert all("body" in line for line in lines)


def test_an_export_may_hold_the_expectation_in_the_deprecated_field_alone(tmp_path: Path) -> None:
    rows: list[tuple[list[str] | None, str | None]] = [
        (["a"], None),
        (None, "ONLY HERE"),
        (["A"], "A"),
        (["A", "B"], "A\nB"),
        (["C", "D"], "C"),
        (["A"], "B"),
    ]
    records = [
        {"id": str(number), "input_str": f"Hi {number}", "create_time": "t", "expected_behaviors": many}
        | ({} if one is None else {"expected_output_str": one})
        for number, (many, one) in enumerate(rows)
    ]
    mapping, lines = read_text(tmp_path, "export.jsonl", "".join(f"{json.dumps(record)}\n" for record in records))
    assert mapping == "coval-export"
    expected = [["a"], ["ONLY HERE"], ["A"], ["A", "B"], ["C", "D"], ["A"]]
    assert [line["body"]["expected_behaviors"] for line in lines] == expected
    *same, [said] = [line.get("warnings", []) for line in lines]
    assert same == [[]] * 5
    assert said.startswith('conflicting_fields: expected_output_str says "B"')

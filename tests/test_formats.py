"""The ready-made mappings of other platforms' formats: detection alone picks each, and the bodies are those expected.

The expectations in samples/formats/expected were read by a person, line by line.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from etl.mapping import SURE, Mapping, guess, load_mapping, presets
from etl.readers import open_source
from etl.resources import RESOURCES, Contract
from tests.command import ROOT, etl
from tests.formats_talk import FORMATS, read_sample

MAPPING_OF = {
    "promptfoo.csv": "promptfoo",
    "promptfoo.xlsx": "promptfoo",
    "promptfoo.yaml": "promptfoo-tests",
    "promptfoo.jsonl": "promptfoo-tests",
    "langsmith.csv": "langsmith",
    "langsmith.jsonl": "langsmith",
    "langfuse.csv": "langfuse",
    "langfuse.json": "langfuse",
    "braintrust.csv": "braintrust",
    "braintrust.json": "braintrust",
    "deepeval.csv": "deepeval",
    "deepeval_conversations.json": "deepeval",
    "inspect_ai.csv": "inspect-ai",
    "inspect_ai.jsonl": "inspect-ai",
    "openai_messages.jsonl": "openai-messages",
    "openai_evals.jsonl": "openai-evals",
    "hugging_face.csv": "hugging-face",
    "hugging_face.jsonl": "hugging-face",
    "ragas.csv": "ragas",
    "vals_ai.csv": "vals-ai",
    "vals_ai_suite.json": "vals-ai-suite",
    "cx_agent_studio.csv": "cx-agent-studio",
    "cx_agent_studio_goldens.yaml": "cx-agent-studio-goldens",
    "cx_agent_studio_simulations.yaml": "cx-agent-studio-simulations",
    "copilot_studio.csv": "copilot-studio",
    "agentforce.csv": "agentforce",
    "agentforce_spec.yaml": "agentforce-spec",
    "bluejay.json": "bluejay",
    "retell.json": "retell",
    "vapi_tests.json": "vapi-tests",
    "vapi_evals.json": "vapi-evals",
    "vapi_scenarios.json": "vapi-scenarios",
    "cekura.json": "cekura",
    "elevenlabs.jsonl": "elevenlabs",
    "coval_skill.csv": "coval-upload",
    "coval_upload.csv": "coval-upload",
    "coval_cli.jsonl": "coval-cli",
    "coval_export_test_cases.jsonl": "coval-export",
    "coval_export_agents.jsonl": "coval-export-agents",
    "coval_export_personas.jsonl": "coval-export-personas",
    "coval_export_test_sets.jsonl": "coval-export-test-sets",
    "coval_export_run_templates.jsonl": "coval-export-run-templates",
}
OWN = [mapping for mapping in presets() if mapping.source.requires is not None]


def expectations(name: str) -> list[dict[str, Any]]:
    lines = (FORMATS / "expected" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def text_of(mapping: Mapping) -> str:
    return (ROOT / "mappings" / f"{mapping.name}.yaml").read_text(encoding="utf-8")


def test_every_sample_is_named_here_and_has_its_expectation() -> None:
    assert {file.name for file in FORMATS.iterdir() if file.is_file()} == MAPPING_OF.keys()
    assert {file.name for file in (FORMATS / "expected").iterdir()} == {f"{name}.jsonl" for name in MAPPING_OF}
    assert {mapping.name for mapping in OWN} <= set(MAPPING_OF.values())


@pytest.mark.parametrize("name", MAPPING_OF)
def test_a_sample_becomes_the_bodies_expected(name: str) -> None:
    mapping, lines = read_sample(FORMATS / name)
    assert mapping == MAPPING_OF[name]
    assert 10 <= len(lines) <= 20
    assert lines == expectations(name)
    assert all("body" in line for line in lines)


@pytest.mark.parametrize("name", MAPPING_OF)
def test_the_newer_contract_takes_every_sample_too(name: str) -> None:
    mapping, lines = read_sample(FORMATS / name, Contract.V2026_10)
    model = RESOURCES[load_mapping(mapping).resource].create[Contract.V2026_10]
    for line in lines:
        model.model_validate_json(
            json.dumps({"test_set_id": "aB1cD2eF", **line["body"]} if _is_case(mapping) else line["body"])
        )


def _is_case(mapping: str) -> bool:
    return load_mapping(mapping).resource == "test-cases"


@pytest.mark.parametrize("name", MAPPING_OF)
def test_one_mapping_alone_is_sure_of_a_sample(name: str) -> None:
    with open_source(str(FORMATS / name)) as survey:
        [table] = survey.tables
        first, *others = guess(table.origin, table.sample)
    assert first.mapping.name == MAPPING_OF[name]
    assert first.score == SURE
    assert all(other.score < SURE for other in others)


@pytest.mark.parametrize("mapping", OWN, ids=lambda mapping: mapping.name)
def test_a_mapping_names_its_source_and_what_it_leaves_out(mapping: Mapping) -> None:
    assert re.search(r"^# Source: \S", text_of(mapping), re.MULTILINE)
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert f"`{mapping.name}`" in page
    assert all(reason for reason in (*mapping.lost.values(), *mapping.ignored.values()))


def test_what_cannot_be_converted_is_said_on_its_row() -> None:
    said = {name: [line for line in expectations(name) if "warnings" in line] for name in MAPPING_OF}
    assert {name for name, lines in said.items() if lines} >= {
        *("promptfoo.csv", "promptfoo.xlsx", "promptfoo.yaml", "promptfoo.jsonl", "langsmith.jsonl", "deepeval.csv"),
        *("deepeval_conversations.json", "inspect_ai.csv", "inspect_ai.jsonl", "openai_messages.jsonl"),
        *("vals_ai.csv", "vals_ai_suite.json", "cx_agent_studio.csv", "cx_agent_studio_goldens.yaml"),
        *("cx_agent_studio_simulations.yaml", "agentforce_spec.yaml", "bluejay.json", "retell.json", "vapi_tests.json"),
        *("vapi_evals.json", "vapi_scenarios.json", "cekura.json", "elevenlabs.jsonl", "coval_export_agents.jsonl"),
    }
    codes = {warning.partition(":")[0] for lines in said.values() for line in lines for warning in line["warnings"]}
    assert codes == {"not_convertible"}


def read_text(folder: Path, name: str, text: str) -> tuple[str, list[dict[str, Any]]]:
    (folder / name).write_text(text, encoding="utf-8")
    return read_sample(folder / name)


@pytest.mark.parametrize(
    ("name", "text", "mapping", "bodies"),
    [
        (
            "dotted.csv",
            "inputs.question,inputs.order,outputs.answer,metadata.x\nHi,1,Yo,3\n",
            "langsmith",
            [
                {
                    "input_str": "Hi",
                    "expected_behaviors": ["Yo"],
                    "metric_input": {"source": {"inputs.order": "1", "metadata.x": "3"}},
                }
            ],
        ),
        (
            "messages.jsonl",
            '{"messages": [{"role": "user", "content": "Hi"}], "expected_behaviors": ["Greets", "Asks"]}\n',
            "openai-messages",
            [
                {
                    "input_str": '[{"role": "user", "content": "Hi"}]',
                    "expected_behaviors": ["Greets", "Asks"],
                    "input_type": "TRANSCRIPT",
                }
            ],
        ),
        (
            "list.yaml",
            "- vars: {topic: Hi}\n  assert: [{type: contains, value: 5}]\n",
            "promptfoo-tests",
            [{"input_str": "Hi", "expected_behaviors": ['Says "5"']}],
        ),
        (
            "both.csv",
            "question,__expected,__expected1\nHi,llm-rubric: a,contains: b\nHo, ,\n",
            "promptfoo",
            [{"input_str": "Hi", "expected_behaviors": ["a", 'Says "b"']}, {"input_str": "Ho"}],
        ),
        (
            "own.csv",
            'input,expected\nHi,"Greets\nAsks"\n',
            "test-cases",
            [{"input_str": "Hi", "expected_behaviors": ["Greets", "Asks"]}],
        ),
        (
            "target.csv",
            "input,target,expected_output\nHi,sales,Greets\n",
            "test-cases",
            [{"input_str": "Hi", "expected_behaviors": ["Greets"]}],
        ),
    ],
)
def test_a_format_is_told_by_what_it_alone_has(
    name: str, text: str, mapping: str, bodies: list[Any], tmp_path: Path
) -> None:
    found, lines = read_text(tmp_path, name, text)
    assert found == mapping
    assert [line["body"] for line in lines] == bodies


def test_an_input_that_nobody_knows_is_an_error_of_its_row(tmp_path: Path) -> None:
    text = '{"inputs": {"city": "Lund", "mood": "calm"}, "outputs": {"answer": "x"}}\n'
    assert read_text(tmp_path, "odd.jsonl", text)[1][0]["codes"] == ["required"]


@pytest.mark.parametrize("name", [name for name in MAPPING_OF if name.startswith("coval_export_")])
def test_an_export_in_csv_becomes_the_same_bodies(name: str, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (FORMATS / name).read_text(encoding="utf-8").splitlines()]
    with (tmp_path / "export.csv").open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, list(rows[0]))
        sheet.writeheader()
        for row in rows:
            cells = {key: json.dumps(value) for key, value in row.items() if not isinstance(value, str | None)}
            sheet.writerow({**row, **cells})
    mapping, lines = read_sample(tmp_path / "export.csv")
    assert mapping == MAPPING_OF[name]
    wanted = [{key: value for key, value in line["body"].items() if value != ""} for line in expectations(name)]
    assert [line["body"] for line in lines] == wanted


@pytest.mark.parametrize("name", ["promptfoo.csv", "promptfoo.yaml", "langfuse.json", "openai_messages.jsonl"])
def test_the_commands_need_no_mapping(name: str, tmp_path: Path) -> None:
    shown = etl(tmp_path, "preview", FORMATS / name, "--all")
    assert shown.code == 0, shown.err
    assert [json.loads(line) for line in shown.out.splitlines()] == [line["body"] for line in expectations(name)]
    done = etl(tmp_path, "import", FORMATS / name, "--sandbox", "--test-set", "Suite", "--create-missing", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"]["created"] == len(expectations(name))

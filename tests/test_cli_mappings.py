"""`coval-etl mappings`: what each of its commands prints, to people and to programs, and how it ends."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from etl.mapping import check_mapping
from tests.command import ROOT, SAMPLES, etl

GOOD = """\
version: 1
name: mine
resource: test-cases
fields:
  input_str: {from: Input}
  user_notes: {from: Notes}
  description: {from_one_of: [Title, Name]}
"""
WRONG = """\
resource: test-cases
source: {header_row: 0}
fields:
  input_str: {from: Input, stps: [strip]}
  input_type: {from: Type, steps: [stripp]}
  description: {from: A, value: b}
  expected_outputs: {from: Q}
  user_notes: {value: 5}
  script_turns: {from: Q}
  simulation_metadata_input.script_turns: {from: R}
unmaped: warn
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    return tmp_path


def test_check_names_every_fault_of_every_file_in_the_order_of_the_file(folder: Path) -> None:
    said = etl(folder, "mappings", "check", "good.yaml", "wrong.yaml")
    assert said.code == 2
    good, *faults = said.out.splitlines()
    assert good == "good.yaml: good, a mapping of test-cases"
    assert [fault.partition(": ")[0] for fault in faults] == [
        "wrong.yaml:1:1",
        "wrong.yaml:1:1",
        "wrong.yaml:2:10",
        "wrong.yaml:4:28",
        "wrong.yaml:5:36",
        "wrong.yaml:6:26",
        "wrong.yaml:7:3",
        "wrong.yaml:8:16",
        "wrong.yaml:10:3",
        "wrong.yaml:11:1",
    ]
    for number, words in {
        0: "the key version is missing; add version: 1",
        1: "the key name is missing; add name: my-suite",
        3: "did you mean steps?",
        4: "did you mean strip?",
        5: "keep one of them",
        6: "did you mean expected_output_str?",
        7: "user_notes takes text, and value is 5; put it in quotes",
        8: "are the same field; keep one of them",
        9: "did you mean unmapped?",
    }.items():
        assert words in faults[number]


def test_check_is_content_with_a_good_file(folder: Path) -> None:
    said = etl(folder, "mappings", "check", "good.yaml", "test-cases")
    assert said.code == 0
    assert said.out.endswith("test-cases: good, a mapping of test-cases\n")
    assert etl(folder, "mappings", "check", "good.yaml", "--quiet").out == ""


def test_check_for_programs_is_one_document(folder: Path) -> None:
    said = etl(folder, "mappings", "check", "good.yaml", "wrong.yaml", "missing.yaml", "--json")
    assert said.code == 2
    good, wrong, missing = said.json["mappings"]
    assert good == {"file": "good.yaml", "good": True, "name": "mine", "resource": "test-cases", "faults": []}
    assert wrong["good"] is False
    assert wrong["faults"][3] == {"line": 4, "column": 28, "message": wrong["faults"][3]["message"]}
    assert missing["faults"][0]["message"].startswith("There is no mapping file missing.yaml")
    assert said.json["exit_code"] == 2


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        ("version: 1\nname: für\n".encode("latin-1"), 2, "the file is not UTF-8 text; save it as UTF-8"),
        (b"version: 1\nname: [a\nresource: x\n", 3, "this is not YAML"),
        (GOOD.encode() + b"name: b\n", 8, 'the key "name" stands here twice'),
        (b"", 1, "a mapping file consists of keys and values"),
    ],
)
def test_check_of_what_is_no_mapping_file(raw: bytes, line: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_bytes(raw)
    (fault,) = check_mapping(str(tmp_path / "odd.yaml"))[1]
    assert fault.line == line
    assert words in fault.sentence


def test_keys_that_stand_twice_hide_nothing_else(tmp_path: Path) -> None:
    twice = GOOD + "  input_str: {from: Prompt, from: Q}\n  metric_input.a: {form: A}\nname: other\n"
    (tmp_path / "twice.yaml").write_text(twice)
    said = etl(tmp_path, "mappings", "check", "twice.yaml")
    assert said.out.splitlines() == [
        'twice.yaml:8:3: the key "input_str" stands here twice; remove one',
        'twice.yaml:8:29: the key "from" stands here twice; remove one',
        said.out.splitlines()[2],
        'twice.yaml:10:1: the key "name" stands here twice; remove one',
    ]
    assert said.out.splitlines()[2].startswith('twice.yaml:9:20: unknown key "form"')


def test_check_against_an_input_says_what_is_missing_and_what_is_left(folder: Path) -> None:
    (folder / "cases.csv").write_text("Input,Owner,Notes\nHello,me,x\n")
    said = etl(folder, "mappings", "check", "good.yaml", "--against", "cases.csv")
    assert said.code == 0
    assert said.out.splitlines() == [
        "good.yaml: good, a mapping of test-cases",
        "cases.csv: 2 of 3 columns are used",
        "cases.csv: no column for description (it would be Title, Name)",
        "cases.csv: nothing uses Owner",
    ]
    (table,) = etl(folder, "mappings", "check", "good.yaml", "--against", "cases.csv", "--json").json["mappings"][0][
        "tables"
    ]
    assert table["used"] == ["Input", "Notes"]
    assert table["missing"] == {"description": ["Title", "Name"]}
    assert table["unused"] == ["Owner"]


def test_check_against_an_input_names_every_column_that_does_not_fit(folder: Path) -> None:
    (folder / "cases.csv").write_text("Input,Notess,Summary\nHello,x,y\n")
    extra = "  input_type: {from: Kind, required: true}\n  metric_input.a: {expr: UPPER(Sumary)}\n"
    (folder / "good.yaml").write_text(GOOD + extra)
    said = etl(folder, "mappings", "check", "good.yaml", "--against", "cases.csv")
    assert said.code == 2
    notes, kind, expression = said.out.splitlines()
    assert notes == "good.yaml:6:16: cases.csv has no column Notes; did you mean Notess?"
    assert kind.startswith("good.yaml:8:3: input_type needs a column; the mapping knows Kind")
    assert expression.startswith('good.yaml:9:20: there is no column "Sumary"')


def test_check_against_a_workbook_leaves_out_the_sheets_that_do_not_fit(tmp_path: Path) -> None:
    said = etl(tmp_path, "mappings", "check", "test-cases", "--against", SAMPLES / "support_calls.xlsx")
    assert said.code == 0, said.out
    assert "sheet " in said.out
    assert "columns are used" in said.out


def test_an_input_that_is_not_there_ends_the_check(folder: Path) -> None:
    said = etl(folder, "mappings", "check", "good.yaml", "--against", "missing.csv")
    assert said.code == 2
    assert "missing.csv" in said.err


def test_show_prints_a_ready_made_mapping_as_it_stands_and_it_can_be_used(folder: Path) -> None:
    said = etl(folder, "mappings", "show", "coval-cli")
    assert said.out == (ROOT / "mappings" / "coval-cli.yaml").read_text()
    (folder / "own.yaml").write_text(said.out)
    assert etl(folder, "mappings", "check", "own.yaml").code == 0
    shown = etl(folder, "mappings", "show", "coval-cli", "--json").json
    assert shown["name"] == "coval-cli"
    assert shown["yaml"] == said.out


def test_show_of_an_unknown_name_suggests_the_near_one(folder: Path) -> None:
    said = etl(folder, "mappings", "show", "test-caes")
    assert said.code == 2
    assert "did you mean test-cases?" in said.err


def test_schema_prints_a_json_schema(folder: Path) -> None:
    said = etl(folder, "mappings", "schema")
    assert said.code == 0
    Draft202012Validator.check_schema(json.loads(said.out))

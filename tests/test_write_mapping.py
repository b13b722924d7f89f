"""`inspect --write-mapping`: what was detected, as a mapping to edit, which makes the same of the file."""

import json
from pathlib import Path

import pytest
import xlsxwriter

from etl.mapping import load_mapping
from tests.command import SAMPLES, etl

TABLES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in {".csv", ".jsonl"})


@pytest.mark.parametrize("sample", TABLES)
def test_makes_the_same_bodies_as_detection(tmp_path: Path, sample: str) -> None:
    assert etl(tmp_path, "inspect", SAMPLES / sample, "--write-mapping", "mine.yaml").code == 0
    load_mapping(str(tmp_path / "mine.yaml"))
    detected = etl(tmp_path, "preview", "--all", SAMPLES / sample)
    assert detected.out
    assert etl(tmp_path, "preview", "--all", SAMPLES / sample, "--mapping", "mine.yaml").out == detected.out


@pytest.mark.parametrize("sheet", ["Cases", "Escalations"])
def test_one_sheet_of_a_workbook(tmp_path: Path, sheet: str) -> None:
    book = SAMPLES / "support_calls.xlsx"
    said = etl(tmp_path, "inspect", book, "--sheet", sheet, "--write-mapping", "mine.yaml")
    assert (said.code, f"sheet: {sheet}" in (tmp_path / "mine.yaml").read_text()) == (0, True)
    detected = etl(tmp_path, "preview", "--all", book, "--sheet", sheet)
    assert detected.out
    assert etl(tmp_path, "preview", "--all", book, "--mapping", "mine.yaml").out == detected.out


def test_sheets_that_differ_are_saved_one_at_a_time(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "book.xlsx") as book:
        for name, header in (("One", ["Scenario", "Expected"]), ("Two", ["Question", "Answer"])):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, header)
            sheet.write_row(1, 0, ["Where is it?", "There it is"])
    said = etl(tmp_path, "inspect", "book.xlsx", "--write-mapping", "mine.yaml")
    assert said.code == 2
    assert "One, Two need a mapping each" in said.err
    assert not (tmp_path / "mine.yaml").exists()


def test_names_the_columns_says_why_and_what_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "Frage;Erwartete Antwort (kurz);Type;Owner\nWo ist es?;Nennt den Tag;Functional;Ann\n", encoding="utf-8"
    )
    assert etl(tmp_path, "inspect", "cases.csv", "--delimiter", ";", "--write-mapping", "My cases!.yaml").code == 0
    text = (tmp_path / "My cases!.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Made by coval-etl inspect from cases.csv")
    assert "name: my-cases\n" in text
    assert "  delimiter: ;\n" in text
    assert "from: Erwartete Antwort (kurz)\n" in text
    assert "# Erwartete Antwort in its name\n" in text
    assert "# Not used: Type (named Type, but holds other words such as Functional)\n" in text
    assert "# Not used: Owner\n" in text
    assert load_mapping(str(tmp_path / "My cases!.yaml")).source.delimiter == ";"
    body = json.loads(etl(tmp_path, "preview", "cases.csv", "--mapping", "My cases!.yaml").out)
    assert body == {"input_str": "Wo ist es?", "expected_behaviors": ["Nennt den Tag"]}


def test_names_that_yaml_would_read_otherwise_stay_names(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("\"Scenario (a: b # c)\",'Expected' result,- Notes,yes\nCancel it,It is,so,1\n")
    assert etl(tmp_path, "inspect", "odd.csv", "--write-mapping", "odd.yaml").code == 0
    detected = etl(tmp_path, "preview", "odd.csv").out
    assert json.loads(detected) == {"input_str": "Cancel it", "expected_behaviors": ["It is"], "user_notes": "so"}
    assert etl(tmp_path, "preview", "odd.csv", "--mapping", "odd.yaml").out == detected


def test_never_writes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    said = etl(tmp_path, "inspect", SAMPLES / "personas.csv", "--write-mapping", "mine.yaml")
    assert said.code == 2
    assert "mine.yaml exists already" in said.err
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    said = etl(tmp_path, "inspect", SAMPLES / "personas.csv", "--write-mapping", "nowhere/mine.yaml")
    assert (said.code, "cannot be written" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "text", "kept", "fault"),
    [
        ("zoo", "animal,legs\nant,6\n", "# Not used: animal\n", "6:3: nothing says where input_str comes from"),
        (
            "turns",
            "Title,Turn 1,Turn 2\nRefund,Hi,Bye\n",
            "from_pattern: ['Turn {n}'",
            "6:3: nothing says where input_str comes from",
        ),
    ],
)
def test_where_no_mapping_fits_the_nearest_is_saved_and_the_check_names_what_is_missing(
    tmp_path: Path, name: str, text: str, kept: str, fault: str
) -> None:
    (tmp_path / f"{name}.csv").write_text(text)
    said = etl(tmp_path, "inspect", f"{name}.csv", "--write-mapping", "mine.yaml", COLUMNS="160")
    assert (said.code, "No mapping fits" in said.out) == (0, True)
    assert "Next: finish mine.yaml" in said.out
    written = (tmp_path / "mine.yaml").read_text()
    assert kept in written
    checked = etl(tmp_path, "mappings", "check", "mine.yaml", "--against", f"{name}.csv")
    assert (checked.code, checked.out.startswith(f"mine.yaml:{fault}")) == (2, True), checked.out
    first = text.partition(",")[0]
    finished = written.replace("input_str: {required: true}", f"input_str: {{from: {first}, required: true}}")
    (tmp_path / "mine.yaml").write_text(finished)
    checked = etl(tmp_path, "mappings", "check", "mine.yaml", "--against", f"{name}.csv")
    assert checked.code == 0, checked.out
    assert etl(tmp_path, "validate", f"{name}.csv", "--mapping", "mine.yaml").code == 0


def test_a_column_that_may_be_meant_is_taken_and_a_comment_says_so(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("Customer says,Agent responds\nWhere is it?,Asks for the order number\n")
    assert etl(tmp_path, "inspect", "cases.csv", "--write-mapping", "mine.yaml").code == 0
    assert "expected_behaviors: # not sure (agent in its name): take it out" in (tmp_path / "mine.yaml").read_text()
    shown = etl(tmp_path, "preview", "cases.csv", "--mapping", "mine.yaml").out
    assert json.loads(shown)["expected_behaviors"] == ["Asks for the order number"]


def test_what_the_mapping_does_with_other_columns_is_shown(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("Case,No,Prompt,Owner,Audio,Id,Status\n1,1,Hi,Ann,a.wav,7,Ready\n")
    (tmp_path / "own.yaml").write_text(
        "version: 1\nname: own\nresource: test-cases\n"
        "source: {group_by: Case, order_by: 'No', where: \"Status = 'Ready'\"}\n"
        "fields: {input_str: {from: Prompt}}\nlost: {Audio: no files}\nignored: {Id: given anew}\n"
        "unmapped: {into: metric_input.source}\n"
    )
    shown = etl(tmp_path, "inspect", "cases.csv", "--mapping", "own.yaml", "--json").json
    found = {one["name"]: (one["field"], one["fate"], one["evidence"]) for one in shown["tables"][0]["columns"]}
    assert found == {
        "Case": (None, "groups rows", "rows of one record have it in common"),
        "No": (None, "orders rows", "it numbers the rows of a record"),
        "Prompt": ("input_str", None, "named Prompt"),
        "Owner": ("metric_input.source", "sent", "with what no field is for, in metric_input.source"),
        "Audio": (None, "not sent", "no files"),
        "Id": (None, "left out", "given anew"),
        "Status": (None, "looked at", "a condition of the mapping names it"),
    }
    said = etl(tmp_path, "inspect", "cases.csv", "--mapping", "own.yaml", "--write-mapping", "mine.yaml")
    assert said.code == 0
    assert "not used" not in said.out
    assert "Not used" not in (tmp_path / "mine.yaml").read_text()


def test_nothing_is_saved_where_two_mappings_fit(tmp_path: Path) -> None:
    id_ = "gk3jK9mPq2xRt5vW8yZaBc"
    (tmp_path / "both.csv").write_text(f"Agent,Persona,Test suite,Name\n{id_},{id_},aB1cD2eF,Nightly\n")
    said = etl(tmp_path, "inspect", "both.csv", "--write-mapping", "mine.yaml")
    assert said.code == 2
    assert "run-templates and runs fit equally well" in said.err
    said = etl(tmp_path, "inspect", "both.csv", "--mapping", "runs", "--write-mapping", "mine.yaml")
    assert (said.code, (tmp_path / "mine.yaml").exists()) == (0, True)


def test_the_sheet_of_which_more_columns_are_known_is_nearer_than_a_legend(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "book.xlsx") as book:
        book.add_worksheet("Legende").write_column(0, 0, ["Art", "Szenario", "Skript"])
        cases = book.add_worksheet("Fälle")
        cases.write_row(0, 0, ["Nr.", "Was der Anrufer will", "Erwartung", "Art", "Bemerkung"])
        cases.write_row(1, 0, ["01", "Paket suchen", "nennt den Tag", "Szenario", "oft"])
        cases.write_row(2, 0, ["02", "Paket umleiten", "liest die Adresse vor", "Szenario", "selten"])
    refused = etl(tmp_path, "import", "book.xlsx", "--sandbox", "--test-set", "Hotline", "--create-missing")
    assert refused.code == 2
    assert refused.err.startswith("Error: book.xlsx, sheet Fälle: no mapping fits")
    assert "Art would become input_type" in refused.err
    assert etl(tmp_path, "inspect", "book.xlsx", "--write-mapping", "mine.yaml").code == 0
    assert "sheet: Fälle" in (tmp_path / "mine.yaml").read_text()


def test_a_mapping_file_that_is_not_there_is_answered_with_the_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("Input\nWhere is it?\n")
    (tmp_path / "mine.yaml").write_text("version: 1\n")
    said = etl(tmp_path, "validate", "cases.csv", "--mapping", "mien.yaml")
    assert said.code == 2
    assert said.err.startswith("Error: There is no mapping file mien.yaml (did you mean mine.yaml?).")

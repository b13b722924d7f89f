"""`inspect`: what a file is, for people and for programs; how a flag or a mapping overrules what was found out."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from etl.cli.inspect import command as inspect_command
from etl.cli.preview import command as preview_command
from etl.mapping.language.spec import Source
from etl.readers import ReadOptions
from tests.command import SAMPLES, etl

CASES = "input_str,expected_behaviors\nWhere is my parcel?,Names the day\nCancel my order,Confirms\n"


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    path = tmp_path / "calls.xlsx"
    with xlsxwriter.Workbook(path) as book:
        cases = book.add_worksheet("Cases")
        cases.write_row(0, 0, ["Calls of spring"])
        cases.write_row(2, 0, ["Scenario", "Expected Behaviours", "Colour"])
        cases.write_row(3, 0, ["Where is my parcel?", "Names the day", "red"])
        cases.write_row(4, 0, ["Cancel my order", "Confirms"])
        hidden = book.add_worksheet("Old")
        hidden.write_row(0, 0, ["Scenario", "Expected"])
        hidden.hide()
    return path


class TestInspect:
    def test_says_what_a_workbook_is(self, tmp_path: Path, workbook: Path) -> None:
        facts = etl(tmp_path, "inspect", workbook, "--json").json
        assert facts["file"] == str(workbook)
        assert facts["format"] == "xlsx"
        assert facts["sha256"] == hashlib.sha256(workbook.read_bytes()).hexdigest()
        (table,) = facts["tables"]
        assert (table["sheet"], table["rows"], table["rows_are_all"], table["header_row"]) == ("Cases", 2, True, 3)
        assert (table["resource"], table["mapping"]) == ("test-cases", "test-cases")
        assert table["candidates"][0]["mapping"] == "test-cases"
        scenario, behaviours, colour = table["columns"]
        assert (scenario["name"], scenario["letters"], scenario["filled"], scenario["field"]) == (
            "Scenario",
            "A",
            2,
            "input_str",
        )
        assert scenario["longest"] == len("Where is my parcel?")
        assert behaviours["field"] == "expected_behaviors"
        assert behaviours["samples"] == ["Names the day", "Confirms"]
        assert (colour["field"], colour["confidence"], colour["filled"]) == (None, None, 1)
        assert [(one["sheet"], "hidden" in one["reason"]) for one in facts["skipped"]] == [("Old", True)]

    def test_fits_on_a_screen(self, tmp_path: Path, workbook: Path) -> None:
        said = etl(tmp_path, "inspect", workbook.name, COLUMNS="100")
        assert said.code == 0
        assert "Sheet Cases  2 rows, 3 columns" in said.out
        assert "Looks like test-cases: mapping test-cases" in said.out
        assert "Not read Old: it is hidden; name it with --sheet to read it" in said.out
        assert "coval-etl validate calls.xlsx" in said.out
        assert max(map(len, said.out.splitlines())) <= 100
        assert not said.err

    def test_every_decision_names_its_evidence_and_how_sure_it_is(self, tmp_path: Path) -> None:
        file = tmp_path / "cases.csv"
        file.write_text(CASES.replace(",", ";"))
        facts = etl(tmp_path, "inspect", file, "--header-row", 1, "--json").json
        decisions = {one["subject"]: one for one in [*facts["decisions"], *facts["tables"][0]["decisions"]]}
        assert decisions["header row"]["certainty"] == "told"
        assert decisions["delimiter"]["value"] == "semicolon"
        assert {"format", "encoding", "delimiter", "line ends", "header row"} <= decisions.keys()
        for one in decisions.values():
            assert one["certainty"] in {"told", "certain", "likely"}
            assert one["value"]
            assert one["evidence"]

    def test_names_what_reading_alone_finds_wrong(self, tmp_path: Path) -> None:
        file = tmp_path / "cases.csv"
        file.write_text(CASES + "one,two,three\n")
        (problem,) = etl(tmp_path, "inspect", file, "--json").json["tables"][0]["problems"]
        assert (problem["code"], problem["severity"], problem["rows"]) == ("ragged_row", "error", 1)
        assert problem["examples"][0]["row"] == 4

    def test_shows_no_secret(self, tmp_path: Path) -> None:
        file = tmp_path / "agents.csv"
        file.write_text("display_name,model_type,authorization_header\nDesk,MODEL_TYPE_VOICE,Bearer s3cr3t\n")
        said = etl(tmp_path, "inspect", file, "--json")
        assert "s3cr3t" not in said.out
        assert "«hidden»" in said.out
        assert "s3cr3t" not in etl(tmp_path, "inspect", file).out

    def test_says_when_no_mapping_fits(self, tmp_path: Path) -> None:
        file = tmp_path / "zoo.csv"
        file.write_text("animal,legs\nant,6\n")
        said = etl(tmp_path, "inspect", file)
        assert said.code == 0
        assert "No mapping fits" in said.out
        assert "--mapping" in said.out
        table = etl(tmp_path, "inspect", file, "--json").json["tables"][0]
        assert (table["resource"], table["mapping"]) == (None, None)

    def test_a_file_that_cannot_be_read_is_one_sentence(self, tmp_path: Path) -> None:
        said = etl(tmp_path, "inspect", "missing.csv")
        assert (said.code, said.out) == (2, "")
        assert "missing.csv does not exist" in said.err

    def test_reads_standard_input(self, tmp_path: Path) -> None:
        facts = etl(tmp_path, "inspect", "-", "--json", stdin=CASES.encode()).json
        assert facts["tables"][0]["rows"] == 2

    @pytest.mark.parametrize(
        "sample", sorted(path.name for path in SAMPLES.iterdir() if path.suffix in {".csv", ".jsonl"})
    )
    def test_knows_what_each_sample_is(self, tmp_path: Path, sample: str) -> None:
        (table,) = etl(tmp_path, "inspect", SAMPLES / sample, "--json").json["tables"]
        assert table["resource"] is not None
        assert table["candidates"][0]["confidence"] >= 0.5


class TestPreviewRaw:
    def test_shows_values_as_the_file_has_them(self, tmp_path: Path) -> None:
        file = tmp_path / "cases.jsonl"
        file.write_text('{"input_str": "007", "metric_input": {"a": 1.0}, "n": 12345678901234567890}\n')
        said = etl(tmp_path, "preview", file, "--raw")
        assert said.out == ('{"_row":1,"input_str":"007","metric_input":{"a": 1.0},"n":12345678901234567890}\n')

    def test_shows_rows_that_no_mapping_fits(self, tmp_path: Path) -> None:
        file = tmp_path / "zoo.csv"
        file.write_text("animal,legs\nant,6\n")
        assert json.loads(etl(tmp_path, "preview", file, "--raw").out) == {"_row": 2, "animal": "ant", "legs": "6"}

    def test_says_what_is_wrong_with_the_rows_that_it_shows(self, tmp_path: Path) -> None:
        lines = ['{"input_str": "a"}', '{"input_str": "b",}', "xx", '{"input_str": "c"}', "[1]"]
        (tmp_path / "cases.jsonl").write_text("\n".join(lines))
        said = etl(tmp_path, "preview", "--raw", "cases.jsonl", "--limit", "3")
        assert said.code == 0
        assert len(said.out.splitlines()) == 3
        assert "2 rows  error   row 2, row 3" in said.err
        assert "row 5" not in said.err, "that row is not shown"
        assert etl(tmp_path, "preview", "--raw", "cases.jsonl", "--limit", "1").err == ""

    def test_a_sentence_that_is_true_of_one_row_only_is_an_example(self, tmp_path: Path) -> None:
        (tmp_path / "cases.jsonl").write_text('{"input_str": "a"}\n{"input_str": "b",}\nxx\n')
        assert "for example row 2: " in etl(tmp_path, "preview", "--raw", "cases.jsonl").err
        (tmp_path / "cases.jsonl").write_text('{"input_str": "a"}\nxx\nxx\n')
        assert "for example" not in etl(tmp_path, "preview", "--raw", "cases.jsonl").err


class TestOverrides:
    def test_the_mapping_is_named_where_it_said_how_to_read(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("input_str;notes\na;b\n")
        (tmp_path / "own.yaml").write_text(
            'version: 1\nname: own\nresource: test-cases\nsource: {delimiter: ";", header_row: 1}\n'
            "fields: {input_str: {from: input_str}}\n"
        )
        said = etl(tmp_path, "inspect", "cases.csv", "--mapping", "own.yaml", "--header-row", "1", "--json").json
        evidence = {one["subject"]: one["evidence"] for one in said["tables"][0]["decisions"]}
        assert evidence["delimiter"] == "said in the mapping"
        assert evidence["header row"] == "said with --header-row"

    def test_what_was_said_of_the_first_file_may_be_said_again_of_its_rejects(self, tmp_path: Path) -> None:
        (tmp_path / "cases.json").write_text(
            '{"data": {"tests": [{"input_str": "a"}, {"input_str": "b", "input_type": "SONG"}]}, "x": []}'
        )
        with zipfile.ZipFile(tmp_path / "cases.zip", "w") as archive:
            archive.writestr("cases.csv", "input_str,input_type\na,\nb,SONG\n")
            archive.writestr("other.txt", "")
        for file, flags, rejects in (
            ("cases.json", ("--records", "data.tests"), "rejects.jsonl"),
            ("cases.zip", ("--member", "cases.csv"), "rejects.csv"),
        ):
            folder = tmp_path / f"report-{rejects}"
            assert etl(tmp_path, "validate", file, *flags, "--report", folder).code == 1
            again = etl(tmp_path, "validate", folder / rejects, *flags, "--json")
            assert again.code == 1, again.err
            assert again.json["rows"]["read"] == 1

    def test_every_way_of_reading_is_a_flag_and_a_key_of_source(self) -> None:
        own = set(ReadOptions.__dataclass_fields__) - {"glance"}
        flags = {option.name for option in [*inspect_command.params, *preview_command.params]}
        assert own <= flags
        assert own <= set(Source.model_fields)

    def test_a_mapping_can_say_how_its_files_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "odd.txt").write_bytes("1~x\ninput~expected\n'Ünder~way'~'It''s there'\n".encode("cp1252"))
        (tmp_path / "odd.yaml").write_text(
            "version: 1\nname: odd\nresource: test-cases\n"
            "source: {format: csv, delimiter: '~', quote: \"'\", encoding: cp1252, header_row: 2}\n"
            "fields:\n  input_str: {from: input}\n  expected_behaviors: {from: expected}\n"
        )
        said = etl(tmp_path, "preview", "odd.txt", "--mapping", "odd.yaml", "--test-set", "abc12345")
        assert json.loads(said.out)["input_str"] == "Ünder~way"
        assert json.loads(said.out)["expected_behaviors"] == ["It's there"]

    def test_a_flag_outweighs_the_mapping(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("note;;\n" + CASES.replace(",", ";"))
        (tmp_path / "cases.yaml").write_text(
            "version: 1\nname: cases\nresource: test-cases\nsource: {delimiter: ',', header_row: 1}\n"
            "fields:\n  input_str: {from: input_str}\n"
        )
        flags = ("--mapping", "cases.yaml", "--delimiter", ";", "--header-row", 2)
        said = etl(tmp_path, "preview", "cases.csv", "--limit", 1, *flags, "--test-set", "abc12345")
        assert json.loads(said.out)["input_str"] == "Where is my parcel?"

    def test_what_does_not_go_with_the_format_is_refused_as_a_flag_and_passed_over_in_a_mapping(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "cases.jsonl").write_text('{"input_str": "Hello"}\n')
        said = etl(tmp_path, "preview", "cases.jsonl", "--raw", "--delimiter", ";")
        assert said.code == 2
        assert "cases.jsonl is no delimited text" in said.err
        assert "Leave out --delimiter" in said.err
        (tmp_path / "cases.yaml").write_text(
            "version: 1\nname: cases\nresource: test-cases\nsource: {delimiter: ';', sheet: Cases}\n"
            "fields:\n  input_str: {from: input_str}\n"
        )
        said = etl(tmp_path, "preview", "cases.jsonl", "--raw", "--mapping", "cases.yaml")
        assert json.loads(said.out)["input_str"] == "Hello"


class TestSeveral:
    """Several tables: what is imported when."""

    SUITE = (
        ("b_cases.csv", "Input,Test set\nHello,Calls\n"),
        ("a.jsonl", '{"resource": "run-templates", "name": "T"}\n{"resource": "test-sets", "name": "Calls"}\n'),
        ("prices.csv", "a,b\n1,2\n"),
    )  # fmt: skip

    def write(self, folder: Path) -> Path:
        suite = folder / "suite"
        suite.mkdir()
        for name, text in self.SUITE:
            (suite / name).write_text(text)
        return suite

    def test_a_folder_is_its_files_and_their_order(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        facts = etl(tmp_path, "inspect", "suite", "--json").json
        assert facts["folder"] == "suite"
        assert [one["file"] for one in facts["files"]] == ["suite/a.jsonl", "suite/b_cases.csv", "suite/prices.csv"]
        assert [(one["file"], one["part"], one["resource"], one["rows"]) for one in facts["order"]] == [
            ("suite/a.jsonl", "test-sets", "test-sets", 1),
            ("suite/b_cases.csv", None, "test-cases", 1),
            ("suite/a.jsonl", "run-templates", "run-templates", 1),
        ]

    def test_people_read_the_order_too(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        said = etl(tmp_path, "inspect", "suite", COLUMNS="100")
        order = said.out.partition("Imported together, in this order:\n")[2].splitlines()
        assert said.code == 0, said.err
        assert [line.split() for line in order[:3]] == [
            ["1.", "test-sets", "suite/a.jsonl", "(test-sets)", "1", "row"],
            ["2.", "test-cases", "suite/b_cases.csv", "1", "row"],
            ["3.", "run-templates", "suite/a.jsonl", "(run-templates)", "1", "row"],
        ]
        assert said.out.rstrip().endswith("Next: coval-etl validate suite")

    def test_a_mapping_is_saved_for_one_file(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        said = etl(tmp_path, "inspect", "suite", "--write-mapping", "my.yaml")
        assert (said.code, said.err.splitlines()[0]) == (2, "Error: suite holds 3 files.")

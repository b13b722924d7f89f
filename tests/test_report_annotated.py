"""An annotated workbook is the user's own: what was in it is kept to the byte, what is new is seen at once."""

import gzip
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from etl.batch import ERROR_COLUMN, LIST_COLUMN
from etl.checking import check_rows, choose_mappings, report_of
from etl.inputs import open_inputs
from etl.report import OF_VALIDATE, Outcome, Summary, annotated
from etl.resources import Contract
from etl.tables.marked.notes import NOTE_CHARACTERS
from etl.tables.marked.styles import COLOURS
from tests.command import SAMPLES, Said, etl
from tests.reading_binary import write_ods, write_xls, write_xlsb
from tests.test_office import as_csv, office

HEADER = ("Scenario", "Expected Output", "Type", "Notes")
GOOD = ("Caller asks for the balance", "Verifies the caller", "SCENARIO", None)


def validate(folder: Path, *files: object, report: str = "report") -> Said:
    said = etl(folder, "validate", *files, "--report", report, "--json", "--mapping", "test-cases")
    assert said.code in {0, 1}, said.err
    return said


def cases(path: Path, *rows: tuple[object, ...], sheet: str = "Cases") -> Path:
    """A workbook as people make them: a title, a header below it, and so on; `rows` from row 4 on."""
    book = openpyxl.Workbook()
    page = book.active
    assert isinstance(page, Worksheet)
    page.title = sheet
    page["A1"] = "Regression cases"
    page.merge_cells("A1:D1")
    page.append(())
    page.append(HEADER)
    for row in rows:
        page.append(row)
    for cell in page[3]:
        cell.font, cell.fill = Font(bold=True, color="FFFFFFFF"), PatternFill("solid", fgColor="FF1F3864")
    page.column_dimensions["A"].width = 41
    page.freeze_panes = "B4"
    page.auto_filter.ref = f"A3:D{3 + len(rows)}"
    book.save(path)
    return path


def validated_here(file: Path, folder: Path, before_end: Callable[[], None] = lambda: None) -> Summary:
    """The same in this process; `before_end` is called when all rows are read and nothing is written yet."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with open_inputs([str(file)]) as inputs:
        fitted = choose_mappings(inputs, Contract.V2026_10, mapping="test-cases")
        with report_of(fitted, folder, Contract.V2026_10, command="validate", outcomes=OF_VALIDATE) as report:
            read = 0
            for checked in check_rows(fitted, Contract.V2026_10, assume_test_set=True):
                report.add_checked(checked.batch, Outcome.VALID, skipped=checked.skipped)
                read += checked.batch.rows_read
            before_end()
            return report.close(read=read, started=now, finished=now)


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines()]


def told_of(path: Path) -> list[object]:
    """What a report says of each row, without the name of the file."""
    return [{key: one for key, one in line.items() if key != "file"} for line in lines_of(path)]


def fill_of(cell: object) -> str:
    return cell.fill.fgColor.rgb if cell.fill.fill_type else ""  # type: ignore[attr-defined]


class TestMarks:
    def test_flagged_cells_are_filled_and_commented_and_each_row_says_what_became_of_it(self, tmp_path: Path) -> None:
        cases(
            tmp_path / "cases.xlsx", GOOD, ("Caller is lost", "Helps", "Skript", None), (None, "Helps", "SCENARIO", 1)
        )
        validate(tmp_path, "cases.xlsx")
        page = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Cases"]
        assert [page.cell(row, 5).value for row in (1, 2, 3)] == [None, None, ERROR_COLUMN]
        assert page["E4"].value == "valid"
        assert page["E5"].value.startswith("rejected. Error in C5: ")
        assert page["E6"].value.startswith("rejected. Error in A6: ")
        assert fill_of(page["C5"]) == fill_of(page["A6"]) == fill_of(page["E5"]) == COLOURS["error"]
        assert fill_of(page["C4"]) == fill_of(page["E4"]) == ""
        assert "Skript" in page["C5"].comment.text
        assert page["C5"].comment.author == "coval-etl"
        assert page.column_dimensions["E"].width == 60

    def test_cells_that_nothing_takes_are_not_marked_and_sentences_end(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        page = book.active
        assert isinstance(page, Worksheet)
        page.append(("Case", "Prompt", "Line", "Caller phone", "Type"))
        page.append(("A", "Ask", "#REF!", "14155550100", "SCRIPT"))
        page.append(("A", "Other", "Bye", "14155550101", "SCRIPT"))
        page.append(("B", "Ask", "Bye", "14155550102", "SCRIPT"))
        book.save(tmp_path / "cases.xlsx")
        (tmp_path / "m.yaml").write_text(
            "version: 1\nname: m\nresource: test-cases\nsource: {group_by: [Case]}\nfields:\n"
            "  input_str: {from: Prompt}\n  input_type: {from: Type}\n"
            "  simulation_metadata_input.script_turns: {collect: Line}\n"
        )
        etl(tmp_path, "validate", "cases.xlsx", "--mapping", "m.yaml", "--report", "report")
        marked = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx").worksheets[0]
        assert [fill_of(cell) for cell in marked["D"]] == [""] * 4
        assert fill_of(marked["F4"]) == ""
        assert fill_of(marked["C2"]) == fill_of(marked["F3"]) == COLOURS["error"]
        assert fill_of(marked["B3"]) == COLOURS["warning"]
        assert "correct the formula or type the value. Warning in B3: " in marked["F2"].value
        assert marked["F2"].value == marked["F3"].value

    def test_an_import_says_which_id_each_row_got(self, tmp_path: Path) -> None:
        cases(tmp_path / "cases.xlsx", GOOD, ("Caller is lost", "Helps", "Skript", None), ("x", "y", "SCENARIO", None))
        target = ("--sandbox", "--test-set", "Calls", "--create-missing", "--mapping", "test-cases")
        assert etl(tmp_path, "import", "cases.xlsx", *target, "--report", "report").code == 1
        page = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Cases"]
        for line in lines_of(tmp_path / "report"):
            said = page.cell(int(str(line["row"])), 5).value
            assert said.startswith(f"created, id {line['id']}" if line["id"] else "rejected. Error in C5: ")

    def test_light_letters_become_dark_on_our_fill(self, tmp_path: Path) -> None:
        book = openpyxl.load_workbook(cases(tmp_path / "cases.xlsx", ("x", "y", "Skript", None)))
        cell = book["Cases"]["C4"]
        cell.font, cell.fill = Font(italic=True, color="FFFFFFFF"), PatternFill("solid", fgColor="FF000000")
        book.save(tmp_path / "cases.xlsx")
        validate(tmp_path, "cases.xlsx")
        marked = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Cases"]["C4"]
        assert (marked.font.i, marked.font.color, fill_of(marked)) == (True, None, COLOURS["error"])

    def test_the_list_names_every_problem_and_links_to_its_cell(self, tmp_path: Path) -> None:
        cases(tmp_path / "cases.xlsx", GOOD, ("Caller is lost", "Helps", "Skript", None), sheet="It's new")
        validate(tmp_path, "cases.xlsx")
        book = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")
        listed = list(book["Problems"].iter_rows(values_only=True))
        assert [str(name).lower() for name in listed[0][:5]] == ["severity", "code", "sheet", "cell", "value"]
        issues = [issue for line in lines_of(tmp_path / "report") for issue in line["issues"]]  # type: ignore[attr-defined]
        told = {(row[0], row[1], row[2], row[5]) for row in listed[1:]}
        assert {(one["severity"], one["code"], "It's new", one["message"]) for one in issues} <= told
        linked = [cell for cell in book["Problems"]["D"][1:] if cell.value != "the table"]
        assert linked
        assert all(cell.hyperlink.location == f"'It''s new'!{cell.value}" for cell in linked)
        assert book["Problems"].freeze_panes == "A2"
        assert book["Problems"].auto_filter.ref == f"A1:F{len(listed)}"
        assert book.active.title == "It's new"

    def test_a_problem_of_a_whole_column_is_a_note_at_its_header_which_keeps_its_colour(self, tmp_path: Path) -> None:
        book = openpyxl.load_workbook(cases(tmp_path / "cases.xlsx", GOOD))
        book["Cases"]["D3"] = "Approved by"
        book["Cases"]["D4"] = "Ana"
        book.save(tmp_path / "cases.xlsx")
        validate(tmp_path, "cases.xlsx")
        page = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Cases"]
        assert "not used" in page["D3"].comment.text
        assert fill_of(page["D3"]) == "FF1F3864"

    def test_what_looks_like_a_formula_is_text(self, tmp_path: Path) -> None:
        cases(
            tmp_path / "cases.xlsx", ("=HYPERLINK is what she said", "Helps", "=1+1", None), ("x", "y", "@SUM(1)", None)
        )
        book = openpyxl.load_workbook(tmp_path / "cases.xlsx")
        for place, text in {"A4": "=cmd|' /c calc'!A1", "C4": "=1+1", "C5": "@SUM(1)"}.items():
            book["Cases"][place].value = text
            book["Cases"][place].data_type = "s"
        book.save(tmp_path / "cases.xlsx")
        validate(tmp_path, "cases.xlsx")
        marked = parts_of(tmp_path / "report" / "annotated.xlsx")
        assert not any(b"<f>" in data or b"<f " in data for name, data in marked.items() if "sheet" in name)
        listed = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Problems"]
        values = [cell for cell in listed["E"] if cell.value in {"=1+1", "@SUM(1)"}]
        assert len(values) == 2
        assert all(cell.data_type == "s" and cell.quotePrefix for cell in values)

    def test_no_text_is_cut(self, tmp_path: Path) -> None:
        long = "word " * 6_000
        cases(tmp_path / "cases.xlsx", ("a", "b", long, None), ("\x0b_x0041_".replace("\x0b", ""), "b", "Skript", None))
        validate(tmp_path, "cases.xlsx")
        book = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")
        assert book["Cases"]["C4"].value == long
        note = book["Cases"]["C4"].comment.text
        assert len(note) <= NOTE_CHARACTERS
        for data in parts_of(tmp_path / "report" / "annotated.xlsx").values():
            assert all(len(text) <= 32_767 for text in re.findall(rb"<t[^>]*>([^<]*)</t>", data))


class TestKept:
    @pytest.fixture
    def rich(self, tmp_path: Path) -> Path:
        """A workbook with all that a person may have put in it."""
        path = tmp_path / "cases.xlsx"
        book = xlsxwriter.Workbook(path)
        page = book.add_worksheet("Cases")
        bold, money = book.add_format({"bold": True, "bg_color": "#DDEBF7"}), book.add_format({"num_format": "0.00 €"})
        page.merge_range("A1:D1", "Regression cases", bold)
        page.write_row("A3", HEADER, bold)
        page.write_row("A4", ["Caller is lost", "Helps", "Skript", "n"])
        page.write_row("A5", ["Caller is angry", "Calms", "SCENARIO", ""])
        page.write_formula("A6", '=CONCATENATE("Caller ","pays")', money, "Caller pays")
        page.write_row("B6", ["Takes the money", "Skript"])
        page.write_rich_string("A7", "Caller ", bold, "shouts", " again")
        page.write_row("B7", ["Stays calm", "Skript"])
        page.write_comment("C4", "Ana: is this right?", {"author": "Ana"})
        page.write_comment("A5", "Ben: ask legal", {"author": "Ben"})
        page.set_column("A:A", 41)
        page.set_column("B:XFD", 17, None, {"hidden": False})
        page.set_row(4, 33)
        page.autofilter("A3:D7")
        page.data_validation("C4:C99", {"validate": "list", "source": ["SCENARIO", "SCRIPT"]})
        page.conditional_format("A4:A99", {"type": "duplicate", "format": bold})
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": "=Numbers!$A$1:$A$3"})
        page.insert_chart("H10", chart)
        numbers = book.add_worksheet("Numbers")
        numbers.write_column("A1", [1, 2, 3])
        numbers.write_formula("B1", "=SUM(A1:A3)", None, 6)
        numbers.hide()
        book.add_worksheet("problems").write("A1", "the user's own")
        book.define_name("Rates", "=Numbers!$A$1:$A$3")
        book.close()
        return path

    def test_every_part_that_is_not_marked_is_the_same_to_the_byte(self, tmp_path: Path, rich: Path) -> None:
        validate(tmp_path, rich)
        before, after = parts_of(rich), parts_of(tmp_path / "report" / "annotated.xlsx")
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {
            "[Content_Types].xml",
            "xl/workbook.xml",
            "xl/_rels/workbook.xml.rels",
            "xl/styles.xml",
            "xl/worksheets/sheet1.xml",
            "xl/comments1.xml",
            "xl/drawings/vmlDrawing1.vml",
        }
        assert after.keys() - before.keys() == {"xl/worksheets/sheet4.xml"}

    def test_a_marked_sheet_keeps_values_formulas_results_styles_and_all_else(self, tmp_path: Path, rich: Path) -> None:
        validate(tmp_path, rich)
        for data_only in (False, True):
            before = openpyxl.load_workbook(rich, rich_text=True, data_only=data_only)["Cases"]
            after = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx", rich_text=True, data_only=data_only)[
                "Cases"
            ]
            flagged = {(row, 3) for row in (4, 6, 7)}
            for row in before.iter_rows():
                for cell in row:
                    other = after.cell(cell.row, cell.column)
                    assert str(other.value or "") == str(cell.value or "")
                    assert other.data_type == cell.data_type or cell.value is None
                    looks = ("font", "border", "alignment", "number_format", "protection")
                    assert all(repr(getattr(other, look)) == repr(getattr(cell, look)) for look in looks)
                    assert (repr(other.fill) == repr(cell.fill)) is ((cell.row, cell.column) not in flagged)
            assert after.merged_cells.ranges == before.merged_cells.ranges
            assert after.auto_filter.ref == before.auto_filter.ref
            assert [str(one.sqref) for one in after.conditional_formatting] == ["A4:A99"]
            assert [str(one.sqref) for one in after.data_validations.dataValidation] == ["C4:C99"]
            assert {key: one.height for key, one in after.row_dimensions.items()} == {
                key: one.height for key, one in before.row_dimensions.items()
            }
            assert after.column_dimensions["A"].width == before.column_dimensions["A"].width

    def test_a_column_among_many_of_one_width_gets_its_own(self, tmp_path: Path, rich: Path) -> None:
        validate(tmp_path, rich)
        sheet = parts_of(tmp_path / "report" / "annotated.xlsx")["xl/worksheets/sheet1.xml"].decode()
        tags = re.findall(r"<col [^>]*>", sheet)
        spans = [tuple(int(re.findall(rf'{end}="(\d+)"', tag)[0]) for end in ("min", "max")) for tag in tags]
        assert spans == [(1, 1), (2, 4), (5, 5), (6, 16_384)]

    def test_a_persons_notes_are_kept_and_ours_put_behind_them(self, tmp_path: Path, rich: Path) -> None:
        validate(tmp_path, rich)
        page = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Cases"]
        assert page["A5"].comment.text == "Ben: ask legal"
        assert page["A5"].comment.author == "Ben"
        assert page["C4"].comment.text.startswith("Ana: is this right?\n— coval-etl —\nError: ")
        assert page["C4"].comment.author == "Ana"
        assert page["C6"].comment.author == "coval-etl"
        boxes = parts_of(tmp_path / "report" / "annotated.xlsx")["xl/drawings/vmlDrawing1.vml"]
        numbers = re.findall(rb'id="_x0000_s(\d+)"', boxes)
        assert len(numbers) == len(set(numbers)) == sum(cell.comment is not None for row in page for cell in row)

    def test_a_name_that_is_taken_is_not_ours(self, tmp_path: Path, rich: Path) -> None:
        validate(tmp_path, rich)
        book = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")
        assert book.sheetnames == ["Cases", "Numbers", "problems", "Problems (2)"]
        assert book["problems"]["A1"].value == "the user's own"
        assert book["Numbers"].sheet_state == "hidden"
        assert "Rates" in book.defined_names


class TestImportedAgain:
    @pytest.mark.parametrize("source", ["support_calls.xlsx"])
    def test_the_annotated_workbook_is_the_same_input(self, tmp_path: Path, source: str) -> None:
        validate(tmp_path, SAMPLES / source)
        shutil.copy(tmp_path / "report" / "annotated.xlsx", tmp_path / "again.xlsx")
        validate(tmp_path, "again.xlsx", report="second")
        assert told_of(tmp_path / "second") == told_of(tmp_path / "report")

    def test_marked_again_it_has_one_status_column_one_list_and_one_note_a_cell(self, tmp_path: Path) -> None:
        cases(tmp_path / "cases.xlsx", ("Caller is lost", "Helps", "Skript", None), ("x", "y", "Skript", None))
        validate(tmp_path, "cases.xlsx")
        book = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")
        book["Cases"]["C4"] = "SCENARIO"
        book.save(tmp_path / "mended.xlsx")  # as another program would: it writes every part anew
        validate(tmp_path, "mended.xlsx", report="second")
        again = openpyxl.load_workbook(tmp_path / "second" / "annotated.xlsx")
        page = again["Cases"]
        assert again.sheetnames == ["Cases", "Problems"]
        assert [cell.value for cell in page[3]] == [*HEADER, ERROR_COLUMN]
        assert page["E4"].value == "valid"
        assert page["E5"].value.startswith("rejected. ")
        assert (page["C4"].comment, fill_of(page["C4"]), fill_of(page["E4"])) == (None, "", "")
        assert page["C5"].comment.text.count("Error: ") == 1
        assert fill_of(page["C5"]) == COLOURS["error"]
        assert "A5" not in [cell.value for cell in again["Problems"]["D"]]
        assert len([cell for cell in again["Problems"]["D"] if cell.value == "C4"]) == 0

    def test_a_persons_note_does_not_grow_with_each_report(self, tmp_path: Path) -> None:
        book = openpyxl.load_workbook(cases(tmp_path / "cases.xlsx", ("x", "y", "Skript", None)))
        book["Cases"]["C4"].comment = Comment("Mine", "Ana")
        book.save(tmp_path / "cases.xlsx")
        validate(tmp_path, "cases.xlsx")
        validate(tmp_path, "report/annotated.xlsx", report="second")
        first, second = (
            openpyxl.load_workbook(tmp_path / name / "annotated.xlsx")["Cases"]["C4"].comment.text
            for name in ("report", "second")
        )
        assert first == second
        assert first.startswith("Mine\n")

    def test_our_list_is_never_read_as_rows(self, tmp_path: Path) -> None:
        cases(tmp_path / "cases.xlsx", ("x", "y", "Skript", None))
        validate(tmp_path, "cases.xlsx")
        listed = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Problems"]
        assert listed["G1"].value == LIST_COLUMN
        assert listed.column_dimensions["G"].hidden
        said = etl(tmp_path, "validate", "report/annotated.xlsx", "--sheet", "Problems", "--mapping", "test-cases")
        assert said.code == 2
        assert "it lists the problems that an earlier report found" in " ".join(said.err.split())


class TestFlaggedRowsOnly:
    @pytest.mark.parametrize(("ending", "write"), [("ods", write_ods), ("xls", write_xls), ("xlsb", write_xlsb)])
    def test_another_workbook_format_gives_a_new_workbook_with_the_same_marks(
        self, tmp_path: Path, ending: str, write: Callable[[Path, Sequence[Sequence[str | None]]], Path]
    ) -> None:
        write(tmp_path / f"cases.{ending}", [HEADER, GOOD, ("Caller is lost", "Helps", "Skript", None)])
        validate(tmp_path, f"cases.{ending}")
        book = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")
        page = book.worksheets[0]
        rows = list(page.iter_rows(values_only=True))
        assert rows[0] == (*HEADER, ERROR_COLUMN)
        assert rows[1][:4] == ("Caller is lost", "Helps", "Skript", None)
        assert str(rows[1][4]).startswith("row 3: rejected. Error in C3: ")
        assert len(rows) == 2
        assert fill_of(page["C2"]) == COLOURS["error"]
        (line,) = [row for row in book["Problems"].iter_rows() if row[1].value == "not_an_option"]
        assert line[3].value == "C3"
        assert line[3].hyperlink.location == f"'{page.title}'!C2"

    def test_a_large_workbook_is_not_copied_and_that_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(annotated, "MOST_CELLS", 7)
        monkeypatch.setattr(annotated, "MOST_FLAGGED_ROWS", 2)
        bad = [(f"Caller {at}", "Helps", "Skript", None) for at in range(4)]
        notes = validated_here(cases(tmp_path / "cases.xlsx", GOOD, *bad), tmp_path / "report").notes
        assert any("has its flagged rows only: it has more than 7 cells" in note for note in notes)
        assert any("leaves out 2 more rows with problems" in note for note in notes)
        page = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx")["Cases"]
        assert [row[0] for row in page.iter_rows(values_only=True)] == ["Scenario", "Caller 0", "Caller 1"]

    def test_a_signed_workbook_is_not_copied(self, tmp_path: Path) -> None:
        path = cases(tmp_path / "cases.xlsx", ("x", "y", "Skript", None))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("_xmlsignatures/sig1.xml", "<a/>")
        notes = validated_here(path, tmp_path / "report").notes
        assert any("it is signed" in note for note in notes)
        assert (tmp_path / "report" / "annotated.xlsx").exists()

    def test_a_large_text_is_named_where_no_cell_holds_it(self, tmp_path: Path) -> None:
        rows = [HEADER, ("x", "y", "Skript", "long " * 8_000)]
        write_ods(tmp_path / "cases.ods", rows)
        validated_here(tmp_path / "cases.ods", tmp_path / "report")
        page = openpyxl.load_workbook(tmp_path / "report" / "annotated.xlsx").worksheets[0]
        assert page["D2"].value == "(40,000 characters: see row 2 of the file)"


class TestNeverInTheWay:
    def test_a_source_that_changed_meanwhile_costs_only_the_copy(self, tmp_path: Path) -> None:
        path = cases(tmp_path / "cases.xlsx", ("x", "y", "Skript", None))

        def change() -> None:
            path.write_bytes(path.read_bytes() + b" ")

        summary = validated_here(path, tmp_path / "report", change)
        assert any(note.startswith(f"No annotated copy of {path} was written: ") for note in summary.notes)
        assert summary.annotated == ()
        assert (tmp_path / "report" / "rejects.xlsx").exists()

    def test_a_packed_workbook_and_one_from_a_pipe_are_copied(self, tmp_path: Path) -> None:
        path = cases(tmp_path / "cases.xlsx", ("x", "y", "Skript", None))
        (tmp_path / "cases.xlsx.gz").write_bytes(gzip.compress(path.read_bytes()))
        validate(tmp_path, "cases.xlsx.gz", report="packed")
        arguments = ("validate", "-", "--report", "piped", "--mapping", "test-cases")
        assert etl(tmp_path, *arguments, stdin=path.read_bytes()).code == 1
        for name in ("packed", "piped"):
            book = openpyxl.load_workbook(tmp_path / name / "annotated.xlsx")
            assert fill_of(book["Cases"]["C4"]) == COLOURS["error"]

    def test_a_copy_that_a_person_has_mended_is_not_replaced(self, tmp_path: Path) -> None:
        cases(tmp_path / "cases.xlsx", ("x", "y", "Skript", None))
        validate(tmp_path, "cases.xlsx")
        later = (tmp_path / "report" / "summary.json").stat().st_mtime + 60
        os.utime(tmp_path / "report" / "annotated.xlsx", (later, later))
        said = etl(tmp_path, "validate", "cases.xlsx", "--report", "report")
        assert said.code == 2
        assert "was changed since that report was written" in " ".join(said.err.split())


class TestNames:
    def test_several_sources_have_numbered_copies(self, tmp_path: Path) -> None:
        cases(tmp_path / "a.xlsx", GOOD)
        cases(tmp_path / "b.xlsx", ("x", "y", "Skript", None))
        (tmp_path / "c.csv").write_text("Scenario,Expected Output\nx,y\n")
        validate(tmp_path, "a.xlsx", "b.xlsx", "c.csv")
        copies = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "report").rglob("*.xlsx"))
        assert copies == ["report/annotated/1-a.xlsx", "report/annotated/2-b.xlsx", "report/rejects/2-b.xlsx"]


@office
def test_an_annotated_workbook_opens_in_an_office_as_it_was(tmp_path: Path) -> None:
    etl(tmp_path, "validate", SAMPLES / "support_calls.xlsx", "--report", "report")
    shutil.copy(SAMPLES / "support_calls.xlsx", tmp_path / "before.xlsx")
    before, after = as_csv(tmp_path / "before.xlsx"), as_csv(tmp_path / "report" / "annotated.xlsx")
    width = len(before[3])
    assert [row[:width] for row in after] == [row[:width] for row in before]
    assert after[3][width] == ERROR_COLUMN
    assert all(row[width] for row in after[4:] if any(row[:width]))


@office
@pytest.mark.parametrize("make", ["by_ending", "macros"])
def test_odd_packages_keep_their_kind(tmp_path: Path, make: str) -> None:
    path = cases(tmp_path / "plain.xlsx", ("x", "y", "Skript", None))
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    macros = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    parts = parts_of(path)
    types = parts["[Content_Types].xml"].decode()
    if make == "macros":
        types = types.replace(kind, macros)
        parts["xl/vbaProject.bin"] = b"not looked at"
        types = types.replace("<Override", '<Default Extension="bin" ContentType="application/x"/><Override', 1)
    else:
        types = re.sub(r'<Override [^>]*PartName="/xl/workbook.xml"[^>]*/>', "", types)
        types = re.sub(r'Extension="xml" ContentType="[^"]*"', f'Extension="xml" ContentType="{kind}"', types)
    parts["[Content_Types].xml"] = types.encode()
    name = "cases.xlsm" if make == "macros" else "cases.xlsx"
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    validate(tmp_path, name)
    copy = tmp_path / "report" / f"annotated{Path(name).suffix}"
    assert as_csv(copy)[3][4].startswith("rejected. Error in C4: ")
    assert parts_of(copy).get("xl/vbaProject.bin") == parts.get("xl/vbaProject.bin")

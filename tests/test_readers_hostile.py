"""Workbooks that are refused: damaged, locked, of another kind, or made to do harm."""

import io
import struct
import zipfile
from pathlib import Path
from random import Random

import pytest
import xlsxwriter

from etl.batch import column_letters
from etl.errors import FileError
from etl.readers import ReadOptions, open_source
from tests.reading_binary import ole_file
from tests.reading_talk import ROWS, pack, parts_of, read, refusal, write_xlsx


class TestAFileIsRefused:
    def test_when_its_columns_are_not_certain(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "cases.xlsx", ROWS, ("id", "notes", "notes"))
        assert "the columns B and C have the same name 'notes' (row 1)" in refusal(path).message
        error = refusal(path, ReadOptions(header_row=99))
        assert "row 99, given as the header, is empty" in error.message

    def test_when_it_is_protected_with_a_password(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.xlsx"
        path.write_bytes(ole_file("EncryptedPackage", bytes(5_000)))
        assert refusal(path).message == f"{path} is protected with a password."

    def test_when_it_is_cut_off_anywhere(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "cases.xlsx", ROWS)
        content = path.read_bytes()
        for part in range(1, 20):
            path.write_bytes(content[: len(content) * part // 20])
            assert refusal(path).message == f"{path} is damaged: its end is missing."

    def test_when_bytes_inside_have_changed(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "cases.xlsx", ROWS)
        content = bytearray(path.read_bytes())
        at = zipfile.ZipFile(io.BytesIO(content)).getinfo("xl/worksheets/sheet1.xml").header_offset + 80
        content[at : at + 8] = b"\xff" * 8
        path.write_bytes(content)
        assert "is damaged" in refusal(path).message

    def test_in_few_words_when_a_name_in_it_runs_into_everything_behind(self, tmp_path: Path) -> None:
        path = pack(tmp_path / "cases.xlsx", parts_of("") | {f"xl/media/{at}": "" for at in range(100)})
        content = bytearray(path.read_bytes())
        start, size = content.index(b"PK\x01\x02"), struct.unpack_from("<I", content, len(content) - 10)[0]
        struct.pack_into("<H", content, start + 28, size - 46)  # the first name in the list of parts, and all others
        path.write_bytes(content)
        error = refusal(path)
        assert "is damaged: File name in directory" in error.message
        assert len(error.message) < 400

    def test_in_few_words_when_the_names_of_its_sheets_are_long(self, tmp_path: Path) -> None:
        parts = parts_of("")
        parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace("Cases", "x" * 900)
        parts["xl/worksheets/sheet1.xml"] = "<worksheet/>"
        error = refusal(pack(tmp_path / "cases.xlsx", parts))
        assert f"sheet {'x' * 59}…: it is empty" in error.message
        assert len(refusal(tmp_path / "cases.xlsx", ReadOptions(sheet="other")).hint) < 700

    @pytest.mark.parametrize(
        ("rows", "why"),
        [
            ('<row r="3"/><row r="2"/>', "row 2 follows row 3"),
            ('<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>', "holds a cell twice"),
            ('<row r="2"><c r="A3"><v>1</v></c></row>', "holds a cell called A3"),
            ('<row r="2"><c r="XFE2"><v>1</v></c></row>', "outside the sheet"),
            ('<row r="2"><c r="A2" t="s"><v>9</v></c></row>', "a cell names text 9"),
            ('<row r="2"><c r="A2" t="s"><v>4294967296</v></c></row>', "a cell names text 4294967296"),
            ('<row r="2"><c r="A2" s="x"><v>9</v></c></row>', "'x' stands where a number belongs"),
            ('<row r="2"><c r="A2"><v>1</v></row>', "broken XML"),
        ],
    )
    def test_when_a_sheet_contradicts_itself(self, tmp_path: Path, rows: str, why: str) -> None:
        assert why in refusal(pack(tmp_path / "cases.xlsx", parts_of(rows))).message

    def test_when_merged_areas_overlap(self, tmp_path: Path) -> None:
        merges = '<mergeCells count="2"><mergeCell ref="A2:A3"/><mergeCell ref="A2:B3"/></mergeCells>'
        rows = "".join(f'<row r="{row}"><c r="A{row}"><v>1</v></c></row>' for row in (2, 3))
        assert "overlap" in refusal(pack(tmp_path / "cases.xlsx", parts_of(rows, sheet=merges))).message


class TestAHostileFile:
    def test_with_a_document_type_is_refused(self, tmp_path: Path) -> None:
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        for name in ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "docProps/app.xml"):
            parts = parts_of("")
            parts[name] = f"{bomb}{parts.get(name, '<x/>').split('?>')[-1]}"
            assert "document type" in refusal(pack(tmp_path / "cases.xlsx", parts)).message
        parts["xl/workbook.xml"] = f"<!--{'x' * 5_000}-->{bomb}<workbook/>"
        assert "document type" in refusal(pack(tmp_path / "cases.xlsx", parts)).message

    def test_in_another_encoding_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("_rels/.rels", b'<?xml version="1.0" encoding="UTF-7"?><x/>')
            archive.writestr("xl/workbook.xml", "<x/>")
        assert "which no spreadsheet program writes" in refusal(path).message

    def test_that_inflates_without_measure_is_refused(self, tmp_path: Path) -> None:
        path = pack(tmp_path / "bomb.xlsx", parts_of("", sheet=" " * 50_000_000))
        assert path.stat().st_size < 100_000
        assert "made to exhaust memory" in refusal(path).message

    def test_with_two_parts_of_one_name_is_refused(self, tmp_path: Path) -> None:
        parts = parts_of("") | {"XL/Workbook.xml": "<x/>"}
        assert "two of its parts have the same name" in refusal(pack(tmp_path / "cases.xlsx", parts)).message

    def test_with_too_many_parts_is_refused(self, tmp_path: Path) -> None:
        parts = parts_of("") | {f"xl/media/{at}": "" for at in range(10_001)}
        assert "at most 10,000" in refusal(pack(tmp_path / "cases.xlsx", parts)).message

    def test_with_cells_as_far_apart_as_can_be_costs_nothing(self, tmp_path: Path) -> None:
        rows = '<row r="1048576"><c r="B1048576"><v>1</v></c></row>'
        (batch,) = read(pack(tmp_path / "cases.xlsx", parts_of(rows)))
        assert batch.source["_row"].to_list() == [1_048_576]

    def test_is_looked_at_only_as_far_as_it_inflates_to_little(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Three megabytes may be half a gigabyte of rows: a glance is what is wanted then."""
        monkeypatch.setattr("etl.readers.READ_WHOLE_BYTES", 20_000)
        monkeypatch.setattr("etl.readers.workbooks.xlsx.workbook.GLANCED_BYTES", 20_000)
        rows = "".join(f'<row r="{row}" hidden="1"><c r="A{row}"><v>{row}</v></c></row>' for row in range(2, 1_000))
        path = pack(tmp_path / "cases.xlsx", parts_of(rows))
        assert path.stat().st_size < 20_000
        for glance, hidden in ((True, False), (False, True)):
            with open_source(str(path), ReadOptions(glance=glance)) as survey:
                assert survey.content_size_bytes > 20_000
                (table,) = survey.tables
                assert ("hidden rows" in {decision.subject for decision in table.decisions}) is hidden

    def test_with_elements_inside_elements_without_end_is_refused(self, tmp_path: Path) -> None:
        deep = "<a>" * 200 + "</a>" * 200
        for parts in (parts_of(deep), parts_of("", workbook=deep), parts_of("", styles=deep)):
            assert "nests elements more than 100 deep" in refusal(pack(tmp_path / "cases.xlsx", parts)).message

    def test_with_more_cell_styles_than_any_program_has_is_refused(self, tmp_path: Path) -> None:
        styles = "".join(f'<xf numFmtId="0" fontId="{at * 7919}"/>' for at in range(100_001))
        parts = parts_of("", styles=f"<cellXfs>{styles}</cellXfs>")
        assert "more than 100,000 cell styles" in refusal(pack(tmp_path / "cases.xlsx", parts)).message

    def test_with_rows_of_all_columns_is_refused(self, tmp_path: Path) -> None:
        cells = "".join(f'<c r="{column_letters(at)}2"><v>{at}</v></c>' for at in range(1, 16_385))
        error = refusal(pack(tmp_path / "cases.xlsx", parts_of(f'<row r="2">{cells}</row>')))
        assert "no row looks like a header" in error.message

    def test_that_claims_countless_texts_is_read_for_those_it_has(self, tmp_path: Path) -> None:
        parts = parts_of('<row r="2"><c r="A2" t="s"><v>0</v></c></row>')
        rels = parts["xl/_rels/workbook.xml.rels"].replace("styles", "sharedStrings")
        texts = '<sst xmlns="x" count="4294967295" uniqueCount="4294967295"><si><t>a</t></si></sst>'
        parts |= {"xl/_rels/workbook.xml.rels": rels, "xl/sharedStrings.xml": texts}
        (batch,) = read(pack(tmp_path / "cases.xlsx", parts))
        assert batch.source["id"].to_list() == ["a"]
        parts["xl/sharedStrings.xml"] = f"<sst>{''.join(f'<si><t>{at * 7919}</t></si>' for at in range(50_000))}</sst>"
        assert "more texts than its cells could name" in refusal(pack(tmp_path / "cases.xlsx", parts)).message

    def test_with_a_text_of_countless_runs_is_refused(self, tmp_path: Path) -> None:
        runs = "".join(f"<r><t>{at * 7919}</t></r>" for at in range(100_001))
        rows = f'<row r="2"><c r="A2" t="inlineStr"><is>{runs}</is></c></row>'
        error = refusal(pack(tmp_path / "cases.xlsx", parts_of(rows)))
        assert "a cell holds a text of more than 100,000 pieces" in error.message

    def test_with_a_text_without_end_is_refused(self, tmp_path: Path) -> None:
        text = "".join(Random(3).choices("abcdefgh ", k=100_000)) * 101
        rows = f'<row r="2"><c r="A2" t="inlineStr"><is><t>{text}</t></is></c></row>'
        path = pack(tmp_path / "cases.xlsx", parts_of(rows))
        assert "a cell holds more than 10,000,000 characters" in refusal(path).message

    def test_with_too_many_merged_areas_is_refused(self, tmp_path: Path) -> None:
        merges = "".join(f'<mergeCell ref="C{row}:D{row}"/>' for row in range(1, 200_003))
        parts = parts_of("", sheet=f"<mergeCells>{merges}</mergeCells>")
        assert "more than 200,000 merged areas" in refusal(pack(tmp_path / "cases.xlsx", parts)).message


def test_a_workbook_of_very_many_sheets_is_read_sheet_by_sheet(tmp_path: Path) -> None:
    path = tmp_path / "many.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for number in range(101):
            book.add_worksheet(f"S{number}").write_column(0, 0, ["input_str", f"Hello {number}"])
    with pytest.raises(FileError, match="has 101 sheets; at most 100 are read at once") as caught:
        open_source(str(path))
    assert "--sheet" in caught.value.hint
    with open_source(str(path), ReadOptions(sheet="S100")) as survey:
        assert [row for batch in survey.tables[0].batches() for row in batch.source["input_str"]] == ["Hello 100"]

"""Workbooks: cells as the file stores them, sheets that are left out, and files that are refused."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.batch import Batch
from etl.readers import ReadOptions, Skipped, open_source
from etl.readers.workbooks.cell_values import Shape, shape_of
from tests.reading_talk import STRICT, cells, found, pack, parts_of, read, refusal


def read_rows(folder: Path, rows: str, **more: str) -> list[Batch]:
    return read(pack(folder / "cases.xlsx", parts_of(rows, **more)))


def write(path: Path, fill: Callable[[xlsxwriter.Workbook], None]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        fill(book)
    return path


class TestValues:
    @pytest.mark.parametrize(
        ("stored", "text"),
        [
            ("5", "5"),
            ("5.0", "5"),
            ("1E3", "1000"),
            ("-0.0", "0"),
            ("0.1", "0.1"),
            ("1.1000000000000001", "1.1"),
            ("1E-5", "1e-05"),
            ("999999999999999", "999999999999999"),
            ("4915112345678", "4915112345678"),
        ],
    )
    def test_of_numbers_are_plain(self, tmp_path: Path, stored: str, text: str) -> None:
        batches = read_rows(tmp_path, f'<row r="2"><c r="A2"><v>{stored}</v></c></row>')
        assert cells(batches) == [(text, None)]
        assert found(batches) == []

    @pytest.mark.parametrize("stored", ["1000000000000000", "12345678901234567", "-1.2345678901234567E+16"])
    def test_of_numbers_over_15_digits_are_a_problem(self, tmp_path: Path, stored: str) -> None:
        (batch,) = read_rows(tmp_path, f'<row r="2"><c r="A2"><v>{stored}</v></c></row>')
        assert cells([batch]) == [(stored, None)]
        assert found([batch]) == [(2, "lossy_number", "id")]
        assert batch.problems["cell"].to_list() == ["Cases!A2"]

    def test_of_text_booleans_errors_and_iso_dates(self, tmp_path: Path) -> None:
        rows = (
            '<row r="2"><c r="A2" t="b"><v>1</v></c><c r="B2" t="b"><v>0</v></c></row>'
            '<row r="3"><c r="A3" t="e"><v>#REF!</v></c><c r="B3" t="str"><f>x</f><v>00123</v></c></row>'
            '<row r="4"><c r="A4" t="d"><v>2024-03-05</v></c>'
            '<c r="B4" t="inlineStr"><v>x</v><is><t> y </t></is></c></row>'
            '<row r="5"><c r="A5" t="str"><f>""</f><v></v></c><c r="B5" t="str"><f>T(9)</f><v>_</v></c></row>'
        )
        batches = read_rows(tmp_path, rows)
        assert cells(batches) == [("TRUE", "FALSE"), ("#REF!", "00123"), ("2024-03-05", " y "), (None, "_")]
        assert found(batches) == [(3, "error_cell", "id"), (4, "date_for_id", "id")]

    def test_of_text_have_escapes_decoded_and_hints_left_out(self, tmp_path: Path) -> None:
        texts = (
            "<is><t>a_x000D_&#10;b</t></is>",
            "<is><t>_x005F_x000D_</t></is>",
            "<is><t>_xD83D__xDE00_ _X0041_</t></is>",
            '<is><r><t xml:space="preserve">one </t></r><r><t>two</t></r><rPh sb="0" eb="1"><t>no</t></rPh></is>',
            "<is><t><![CDATA[<b>]]></t></is>",
        )
        rows = "".join(f'<row><c t="inlineStr">{text}</c></row>' for text in texts)
        assert [row[0] for row in cells(read_rows(tmp_path, rows))] == [
            "a\r\nb",
            "_x000D_",
            "😀 _X0041_",
            "one two",
            "<b>",
        ]

    def test_of_text_that_is_half_a_character_are_a_problem(self, tmp_path: Path) -> None:
        batches = read_rows(tmp_path, '<row r="2"><c r="A2" t="inlineStr"><is><t>_xD800_</t></is></c></row>')
        assert cells(batches) == [("_xD800_", None)]
        assert found(batches) == [(2, "control_character", "id")]

    def test_of_formulas_are_those_of_the_last_calculation(self, tmp_path: Path) -> None:
        def fill(book: xlsxwriter.Workbook) -> None:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["id", "input", "notes"])
            sheet.write_formula(1, 0, "=20+1", None, 21)
            sheet.write_formula(1, 2, '="a"', None, "a")
            sheet.write_formula(2, 0, "=1+1")
            sheet.write_formula(2, 1, "=1/0", None, "#DIV/0!")
            sheet.write_string(2, 2, "#N/A")

        batches = read(write(tmp_path / "cases.xlsx", fill))
        assert cells(batches) == [("21", None, "a"), (None, "#DIV/0!", "#N/A")]
        assert found(batches) == [
            (3, "formula_without_value", "id"),
            (3, "error_cell", "input"),
            (3, "error_cell", "notes"),
        ]

    def test_of_formulas_that_were_never_calculated_are_a_problem(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        book.worksheets[0].append(["id", "input"])
        book.worksheets[0].append(["1", "=A2"])
        book.save(tmp_path / "cases.xlsx")
        assert found(read(tmp_path / "cases.xlsx")) == [(2, "formula_without_value", "input")]


class TestDates:
    @pytest.mark.parametrize(
        ("value", "code", "text"),
        [
            (datetime.fromisoformat("2024-03-05"), "dd.mm.yyyy", "2024-03-05"),
            (datetime.fromisoformat("2024-03-05T13:30"), "dd.mm.yyyy", "2024-03-05T13:30:00"),
            (datetime.fromisoformat("2024-03-05"), "yyyy-mm-dd hh:mm", "2024-03-05T00:00:00"),
            (datetime.fromisoformat("2024-03-05T13:30:01.500"), "d/m/yy h:mm AM/PM", "2024-03-05T13:30:01.500"),
            (date(2024, 3, 5), "mmm", "2024-03-05"),
            (date(1900, 1, 31), "d.m.yyyy", "1900-01-31"),
            (date(9999, 12, 31), "d.m.yyyy", "9999-12-31"),
            (time(9, 5), "hh:mm", "09:05:00"),
            (timedelta(hours=25, minutes=30), "[h]:mm", "25:30:00"),
            (timedelta(seconds=90.25), "[mm]:ss", "0:01:30.250"),
        ],
    )
    def test_are_iso_text_by_the_format_of_the_cell(
        self, tmp_path: Path, value: datetime | date | time | timedelta, code: str, text: str
    ) -> None:
        def fill(book: xlsxwriter.Workbook) -> None:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["id", "when"])
            sheet.write_datetime(1, 1, value, book.add_format({"num_format": code}))

        assert cells(read(write(tmp_path / "cases.xlsx", fill))) == [(None, text)]

    def test_count_from_1904_where_the_workbook_says_so(self, tmp_path: Path) -> None:
        styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
        calendar = '<workbookPr date1904="1"/><extLst><ext><x:workbookPr xmlns:x="urn:x"/></ext></extLst>'
        rows = '<row r="2"><c r="A2" s="0"><v>1</v></c><c r="B2" s="0"><v>0</v></c></row>'
        assert cells(read_rows(tmp_path, rows, styles=styles, workbook=calendar)) == [("1904-01-02", "1904-01-01")]

    @pytest.mark.parametrize("serial", ["0", "60", "-1", "2958466"])
    def test_that_do_not_exist_are_a_problem(self, tmp_path: Path, serial: str) -> None:
        styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
        batches = read_rows(tmp_path, f'<row r="2"><c r="A2" s="0"><v>{serial}</v></c></row>', styles=styles)
        assert cells(batches) == [(serial, None)]
        assert found(batches) == [(2, "error_cell", "id")]

    @pytest.mark.parametrize(
        ("code", "shape"),
        [
            ("General", Shape.NUMBER),
            ("0.00E+00", Shape.NUMBER),
            ("#,##0 [$€-407]", Shape.NUMBER),
            ('0 "days"', Shape.NUMBER),
            (r"0\d", Shape.NUMBER),
            ("[Red]0", Shape.NUMBER),
            ("@", Shape.NUMBER),
            ("[$-409]mmmm d, yyyy;@", Shape.DATE),
            ("h:mm", Shape.TIME),
            ("mm:ss.0", Shape.TIME),
            ("yyyy-mm-dd h:mm", Shape.DATE_AND_TIME),
            ("[ss]", Shape.DURATION),
        ],
    )
    def test_are_known_by_the_format_code(self, code: str, shape: Shape) -> None:
        assert shape_of(code) is shape


class TestTheTable:
    def test_is_found_under_a_merged_title_and_from_any_column(self, tmp_path: Path) -> None:
        def fill(book: xlsxwriter.Workbook) -> None:
            sheet = book.add_worksheet("Cases")
            sheet.merge_range("C1:E1", "Regression suite")
            sheet.write("C2", "Last change: May")
            sheet.write_row("C4", ["id", "in\nput", " notes "])
            sheet.write_row("C6", ["00123", "a", "b"])

        (batch,) = read(write(tmp_path / "cases.xlsx", fill))
        assert (batch.origin.header_row, batch.origin.positions) == (4, (3, 4, 5))
        assert batch.origin.columns == ("id", "in put", "notes")
        assert batch.origin.cell("notes", 6) == "Cases!E6"
        assert batch.source["_row"].to_list() == [6]
        assert found([batch]) == []

    def test_has_no_rows_where_cells_are_only_coloured(self, tmp_path: Path) -> None:
        def fill(book: xlsxwriter.Workbook) -> None:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["id", "input"])
            sheet.write_row(1, 0, ["1", "a"])
            sheet.write_row(3, 0, [" ", ""])
            sheet.write_row(4, 0, ["2", "b"])
            sheet.write_blank(1_048_575, 16_383, None, book.add_format({"bg_color": "red"}))

        assert read(write(tmp_path / "cases.xlsx", fill))[0].source["_row"].to_list() == [2, 5]

    def test_marks_what_merged_areas_cover(self, tmp_path: Path) -> None:
        def fill(book: xlsxwriter.Workbook) -> None:
            sheet = book.add_worksheet("Cases")
            sheet.write_row(0, 0, ["id", "input", "notes"])
            for row in (1, 2, 3):
                sheet.write_row(row, 1, [f"input {row}"])
            sheet.merge_range("A2:A4", "7")
            sheet.merge_range("B5:C5", "wide")

        (batch,) = read(write(tmp_path / "cases.xlsx", fill))
        assert cells([batch])[:2] == [("7", "input 1", None), (None, "input 2", None)]
        assert found([batch]) == [(3, "merged_cell", "id"), (4, "merged_cell", "id"), (5, "merged_cell", "notes")]
        assert set(batch.problems["severity"]) == {"warning"}
        assert batch.problems["cell"].to_list() == ["Cases!A3", "Cases!A4", "Cases!C5"]
        assert "the merged area A2:A4, whose value is only in A2" in batch.problems["message"][0]
        assert len(batch.good()) == 4

    def test_shows_in_its_sample_what_is_read(self, tmp_path: Path) -> None:
        """What a merged area covers nobody sees; a damaged or an edited file may hold something there."""
        rows = "".join(
            f'<row r="{row}"><c r="A{row}"><v>{row}</v></c><c r="B{row}"><v>1</v></c></row>' for row in (2, 3)
        )
        merges = '<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'
        path = pack(tmp_path / "cases.xlsx", parts_of(rows, sheet=merges))
        for options, second in ((ReadOptions(), None), (ReadOptions(fill_merged=True), "2")):
            with open_source(str(path), options) as survey:
                (table,) = survey.tables
                (batch,) = table.batches()
            assert batch.source["id"].to_list() == ["2", second]
            assert table.sample.equals(batch.source)

    def test_reports_data_in_an_unnamed_column(self, tmp_path: Path) -> None:
        stray = '<row r="{0}"><c r="A{0}"><v>1</v></c><c r="B{0}"><v>3</v></c><c r="XFD{0}"><v>2</v></c></row>'
        error = refusal(pack(tmp_path / "early.xlsx", parts_of(stray.format(2))))
        assert "sheet Cases: column XFD holds data (row 2: '2') but has no name" in error.message
        rows = "".join(f'<row r="{row}"><c r="A{row}"><v>1</v></c></row>' for row in range(2, 400))
        (batch,) = read_rows(tmp_path, rows + stray.format(1_048_576))
        assert found([batch]) == [(1_048_576, "ragged_row", None)]
        assert batch.problems["cell"].to_list() == ["Cases!XFD1048576"]

    def test_may_stand_in_a_strict_workbook(self, tmp_path: Path) -> None:
        batches = read_rows(tmp_path, '<row r="2"><c r="A2"><v>1</v></c></row>', main=STRICT)
        assert cells(batches) == [("1", None)]

    def test_may_use_a_namespace_prefix(self, tmp_path: Path) -> None:
        parts = parts_of('<row r="2"><c r="A2"><v>1</v></c></row>')
        sheet = parts["xl/worksheets/sheet1.xml"].replace("xmlns=", "xmlns:x=")
        for name in ("worksheet", "sheetData", "row", "c", "v", "is", "t"):
            sheet = (
                sheet.replace(f"<{name}>", f"<x:{name}>")
                .replace(f"<{name} ", f"<x:{name} ")
                .replace(f"</{name}>", f"</x:{name}>")
            )
        assert cells(read(pack(tmp_path / "a.xlsx", parts | {"xl/worksheets/sheet1.xml": sheet}))) == [("1", None)]


class TestSheets:
    def book(self, folder: Path) -> Path:
        def fill(book: xlsxwriter.Workbook) -> None:
            for name in ("Cases", "Old", "Secret", "Nothing", "Numbers", "More"):
                sheet = book.add_worksheet(name)
                if name == "Numbers":
                    sheet.write_row(0, 0, [1, 2])
                elif name != "Nothing":
                    sheet.write_row(0, 0, ["id", "input"])
                    sheet.write_row(1, 0, ["1", name])
            book.get_worksheet_by_name("Old").hide()
            book.get_worksheet_by_name("Secret").very_hidden()
            chart = book.add_chart({"type": "line"})
            chart.add_series({"values": "=Numbers!$A$1:$B$1"})
            book.add_chartsheet("Chart").set_chart(chart)

        return write(folder / "cases.xlsx", fill)

    def test_that_are_visible_are_read_and_the_others_listed(self, tmp_path: Path) -> None:
        with open_source(str(self.book(tmp_path))) as survey:
            assert [table.origin.sheet for table in survey.tables] == ["Cases", "More"]
            assert survey.skipped == (
                Skipped("Old", "it is hidden; name it with --sheet to read it"),
                Skipped("Secret", "it is deeply hidden; name it with --sheet to read it"),
                Skipped("Nothing", "it is empty"),
                Skipped("Numbers", "no row looks like a header"),
                Skipped("Chart", "it is a chart"),
            )

    def test_may_be_named_also_when_hidden(self, tmp_path: Path) -> None:
        assert cells(read(self.book(tmp_path), ReadOptions(sheet="secret"))) == [("1", "Secret")]

    @pytest.mark.parametrize(
        ("told", "text"),
        [("Data", "a"), ("Data ", "b"), ("DATA ", "b"), ("data", "a"), (" tests", "c"), ("Tests ", "c")],
    )
    def test_may_be_called_almost_alike(self, tmp_path: Path, told: str, text: str) -> None:
        with xlsxwriter.Workbook(tmp_path / "cases.xlsx") as book:
            for name, cell in (("Data", "a"), ("Data ", "b"), ("Tests ", "c")):
                sheet = book.add_worksheet(name)
                sheet.write_row(0, 0, ["id", "input"])
                sheet.write_row(1, 0, ["1", cell])
        assert cells(read(tmp_path / "cases.xlsx", ReadOptions(sheet=told))) == [("1", text)]

    def test_that_do_not_exist_are_refused_with_the_nearest(self, tmp_path: Path) -> None:
        error = refusal(self.book(tmp_path), ReadOptions(sheet="Casses"))
        assert error.message.endswith("has no sheet 'Casses'.")
        assert error.hint.startswith("Did you mean 'Cases'? Its sheets are 'Cases', 'Old',")

    def test_that_are_named_and_no_table_are_refused(self, tmp_path: Path) -> None:
        assert (
            "sheet Numbers: no row looks like a header."
            in refusal(self.book(tmp_path), ReadOptions(sheet="Numbers")).message
        )
        assert "Chart: it is a chart" in refusal(self.book(tmp_path), ReadOptions(sheet="Chart")).message


SCALARS = (
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20)
    | st.integers(-(10**15) + 1, 10**15 - 1)
    | st.booleans()
    | st.floats(-1e14, 1e14).map(lambda number: float(f"{number:.15g}"))
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(SCALARS, SCALARS), min_size=1, max_size=6))
def test_what_is_written_is_read_back(tmp_path: Path, rows: list[tuple[object, object]]) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["id", "left", "right"])
        for at, row in enumerate(rows, 1):
            sheet.write_string(at, 0, f"n{at}")
            for column, cell in enumerate(row, 1):
                write_cell = sheet.write_string if isinstance(cell, str) else sheet.write
                write_cell(at, column, cell)

    batches = read(write(tmp_path / "any.xlsx", fill), ReadOptions(header_row=1))
    assert cells(batches) == [(f"n{at}", *map(shown, row)) for at, row in enumerate(rows, 1)]
    assert found(batches) == []


def shown(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return str(value).upper()
    assert isinstance(value, int | float)
    return str(int(value)) if value == int(value) else repr(value)


def test_a_text_with_markup_is_not_markup(tmp_path: Path) -> None:
    text = "<v>&amp;</v>"
    rows = f'<row r="2"><c r="A2" t="inlineStr"><is><t>{escape(text)}</t></is></c></row>'
    assert cells(read_rows(tmp_path, rows)) == [(text, None)]

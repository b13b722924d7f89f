"""OpenDocument spreadsheets (.ods): cells as the file stores them, sheets that are left out, refusals."""

import shutil
import subprocess
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter

from etl.batch import Batch
from etl.readers import ReadOptions, Skipped, open_source
from etl.readers.workbooks.ods.index import find_sheets
from etl.readers.workbooks.ods.sheet import _FREE_REPEATS
from tests.reading_talk import cells, found, read, refusal

office = pytest.mark.skipif(shutil.which("soffice") is None, reason="LEFT OUT: no soffice here (make setup-ci)")

OASIS = "urn:oasis:names:tc:opendocument:xmlns"
NAMES = " ".join(
    f'xmlns:{prefix}="{OASIS}:{name}:1.0"'
    for prefix, name in (
        ("office", "office"),
        ("table", "table"),
        ("text", "text"),
        ("style", "style"),
        ("number", "datastyle"),
        ("draw", "drawing"),
    )
)
CALC = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
ROOT = f"<office:document-content {NAMES} {CALC}>"
MIME = "application/vnd.oasis.opendocument.spreadsheet"


def text(value: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'


def cell(attributes: str, inside: str = "") -> str:
    return f"<table:table-cell {attributes}>{inside}</table:table-cell>"


def row(*inside: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(inside)}</table:table-row>"


def table(inside: str, attributes: str = 'table:name="Cases"') -> str:
    return f"<table:table {attributes}>{inside}</table:table>"


HEAD = row(text("id"), text("x"))


def document(tables: str, styles: str = "", root: str = ROOT) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{root}<office:automatic-styles>{styles}</office:automatic-styles>'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )


def pack(path: Path, content: str | bytes, **parts: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", MIME, zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        for name, part in parts.items():
            archive.writestr({"styles": "styles.xml", "manifest": "META-INF/manifest.xml"}[name], part)
    return path


def write(folder: Path, rows: str, own_styles: str = "", **parts: str) -> Path:
    """A document with one sheet: `rows` come below the names of the columns."""
    return pack(folder / "cases.ods", document(table(HEAD + rows), own_styles), **parts)


def read_values(folder: Path, *values: str, styles: str = "") -> list[Batch]:
    """A row for each cell, in the second column."""
    return read(write(folder, "".join(row(text(f"n{at}"), value) for at, value in enumerate(values)), styles))


def second(batches: list[Batch]) -> list[str | None]:
    return [line[1] for line in cells(batches)]


class TestValues:
    @pytest.mark.parametrize(
        ("attributes", "value"),
        [
            ('office:value-type="float" office:value="5"', "5"),
            ('office:value-type="float" office:value="0.10"', "0.1"),
            ('office:value-type="float" office:value="1E+003"', "1000"),
            ('office:value-type="percentage" office:value="0.5"', "0.5"),
            ('office:value-type="currency" office:currency="EUR" office:value="12.50"', "12.5"),
            ('office:value-type="boolean" office:boolean-value="true"', "TRUE"),
            ('office:value-type="boolean" office:boolean-value="false"', "FALSE"),
            ('office:value-type="string" office:string-value="  as it is "', "  as it is "),
            ('office:value-type="date" office:date-value="2024-03-05"', "2024-03-05"),
            ('office:value-type="date" office:date-value="2024-03-05T13:30:01.5"', "2024-03-05T13:30:01.500"),
            ('office:value-type="date" office:date-value="2024-03-05T13:29:59.999999999"', "2024-03-05T13:30:00"),
            ('office:value-type="date" office:date-value="1899-12-30T09:05:00"', "09:05:00"),
            ('office:value-type="time" office:time-value="PT09H05M00S"', "09:05:00"),
            ('office:value-type="time" office:time-value="PT25H30M"', "25:30:00"),
            ('office:value-type="time" office:time-value="P1DT1H30M0.25S"', "25:30:00.250"),
            ('office:value-type="time" office:time-value="-PT0H30M0S"', "-0:30:00"),
            ('office:value-type="void"', None),
        ],
    )
    def test_are_told_by_attributes(self, tmp_path: Path, attributes: str, value: str | None) -> None:
        batches = read_values(tmp_path, cell(attributes, "<text:p>shown otherwise</text:p>" if value else ""))
        assert second(batches) == [value]
        assert found(batches) == []

    def test_over_15_digits_are_a_problem(self, tmp_path: Path) -> None:
        number = 'office:value-type="float" office:value="12345678901234567"'
        batches = read_values(tmp_path, cell(number))
        assert second(batches) == ["12345678901234567"]
        assert found(batches) == [(2, "lossy_number", "x")]

    @pytest.mark.parametrize(
        ("attributes", "shown"),
        [
            ('calcext:value-type="error" office:value-type="string" office:string-value=""', "Err:502"),
            ('table:formula="of:=1/0" office:value-type="float" office:value="0"', "#DIV/0!"),
            ('table:formula="of:=x" office:value-type="float" office:value="0"', "Err:508"),
            ('office:value-type="string"', "#REF!"),
        ],
    )
    def test_that_are_errors_are_a_problem(self, tmp_path: Path, attributes: str, shown: str) -> None:
        batches = read_values(tmp_path, cell(attributes, f"<text:p>{shown}</text:p>"))
        assert second(batches) == [shown]
        assert found(batches) == [(2, "error_cell", "x")]

    @pytest.mark.parametrize("kind", ["float", "date", "time"])
    def test_that_are_missing_are_a_problem(self, tmp_path: Path, kind: str) -> None:
        batches = read_values(tmp_path, cell(f'office:value-type="{kind}"', "<text:p>12</text:p>"))
        assert second(batches) == ["12"]
        assert found(batches) == [(2, "error_cell", "x")]

    def test_of_formulas_are_those_of_the_last_calculation(self, tmp_path: Path) -> None:
        batches = read_values(
            tmp_path,
            cell('table:formula="of:=1+1" office:value-type="float" office:value="2"', "<text:p>2</text:p>"),
            cell('table:formula="of:=1=1" office:value-type="float" office:value="1"', "<text:p>TRUE</text:p>"),
            cell('table:formula="of:=&quot;&quot;" office:value-type="string" office:string-value=""'),
            cell('table:formula="of:=A1"'),
        )
        assert second(batches) == ["2", "TRUE", None, None]
        assert found(batches) == [(5, "formula_without_value", "x")]

    def test_of_an_unknown_type_are_damage(self, tmp_path: Path) -> None:
        assert (
            "of the type 'odd'" in refusal(write(tmp_path, row(cell('office:value-type="odd"', "<text:p/>")))).message
        )


class TestFormats:
    STYLES = (
        '<number:date-style style:name="D"><number:year/><number:month/><number:day/></number:date-style>'
        '<number:date-style style:name="DT"><number:day/><number:hours/></number:date-style>'
        '<number:time-style style:name="T"><number:hours/><number:minutes/></number:time-style>'
        '<number:time-style style:name="E" number:truncate-on-overflow="false"><number:hours/></number:time-style>'
        '<number:text-style style:name="M"><style:map style:condition="value()&gt;=0" style:apply-style-name="D"/>'
        '</number:text-style><number:number-style style:name="Z"><number:number number:decimal-places="0" '
        'number:min-integer-digits="5"/></number:number-style>'
        + "".join(
            f'<style:style style:name="c{name}" style:family="table-cell" style:data-style-name="{name}"/>'
            for name in ("D", "DT", "T", "E", "M", "Z")
        )
        + '<style:style style:name="child" style:family="table-cell" style:parent-style-name="cDT"/>'
    )

    @pytest.mark.parametrize(
        ("style", "value", "expected"),
        [
            ("cD", 'date" office:date-value="2024-03-05T00:00:00', "2024-03-05"),
            ("cM", 'date" office:date-value="2024-03-05T00:00:00', "2024-03-05"),
            ("cDT", 'date" office:date-value="2024-03-05', "2024-03-05T00:00:00"),
            ("child", 'date" office:date-value="2024-03-05', "2024-03-05T00:00:00"),
            ("cD", 'date" office:date-value="2024-03-05T13:30:00', "2024-03-05T13:30:00"),
            ("none", 'date" office:date-value="2024-03-05T00:00:00', "2024-03-05T00:00:00"),
            ("cT", 'time" office:time-value="PT9H5M', "09:05:00"),
            ("cE", 'time" office:time-value="PT9H5M', "9:05:00"),
            ("cT", 'time" office:time-value="PT1085221H30M', "2023-10-18T13:30:00"),
        ],
    )
    def test_say_what_a_date_shows(self, tmp_path: Path, style: str, value: str, expected: str) -> None:
        attributes = f'table:style-name="{style}" office:value-type="{value}"'
        assert second(read_values(tmp_path, cell(attributes), styles=self.STYLES)) == [expected]

    def test_come_from_the_cell_or_the_row_or_the_column(self, tmp_path: Path) -> None:
        date = 'office:value-type="date" office:date-value="2024-03-05"'
        columns = (
            '<table:table-column table:number-columns-repeated="2" table:default-cell-style-name="cDT"/>'
            '<table:table-column table:default-cell-style-name="cD"/>'
        )
        rows = (
            row(text("id"), text("x"), text("y"))
            + row(text("1"), cell(date), cell(date))
            + row(text("2"), cell(date), cell(date), attributes='table:default-cell-style-name="cD"')
            + row(text("3"), cell(f'{date} table:style-name="cD"'), cell(date))
        )
        path = pack(tmp_path / "cases.ods", document(table(columns + rows), self.STYLES))
        assert cells(read(path)) == [
            ("1", "2024-03-05T00:00:00", "2024-03-05"),
            ("2", "2024-03-05", "2024-03-05"),
            ("3", "2024-03-05", "2024-03-05"),
        ]

    def test_may_be_shared(self, tmp_path: Path) -> None:
        shared = f"<s {NAMES}><office:styles>{self.STYLES}</office:styles></s>"
        date = 'office:value-type="date" office:date-value="2024-03-05" table:style-name="cDT"'
        assert second(read(write(tmp_path, row(text("1"), cell(date)), styles=shared))) == ["2024-03-05T00:00:00"]
        headers = f"<s {NAMES}><office:automatic-styles>{self.STYLES}</office:automatic-styles></s>"
        assert second(read(write(tmp_path, row(text("1"), cell(date)), styles=headers))) == ["2024-03-05"]

    def test_that_show_leading_zeros_are_a_warning(self, tmp_path: Path) -> None:
        number = 'table:style-name="cZ" office:value-type="float" office:value="123"'
        batches = read_values(tmp_path, cell(number), styles=self.STYLES)
        assert second(batches) == ["123"]
        assert found(batches) == [(2, "lossy_number", "x")]


RUBY = "<text:ruby><text:ruby-base>字</text:ruby-base><text:ruby-text>ji</text:ruby-text></text:ruby>"


class TestTexts:
    @pytest.mark.parametrize(
        ("inside", "expected"),
        [
            ("<text:p>one</text:p><text:p/><text:p>three</text:p>", "one\n\nthree"),
            ("<text:p><text:s/> a<text:s text:c='3'/>b </text:p>", "  a   b "),
            ("<text:p>a<text:tab/>b<text:line-break/>c</text:p>", "a\tb\nc"),
            ("<text:p>a <text:span>b <text:span>c</text:span></text:span> <text:a>d</text:a></text:p>", "a b c d"),
            ("<text:p>a  b\n c</text:p>", "a  b\n c"),
            ("\n  <text:p>x</text:p>\n  <text:p>y</text:p>\n", "x\ny"),
            ("<office:annotation><text:p>a note</text:p></office:annotation><text:p>own</text:p>", "own"),
            ("<draw:g><draw:text-box><text:p>a box</text:p></draw:text-box></draw:g><text:p>own</text:p>", "own"),
            ("<text:p>a<draw:frame><text:p>box</text:p></draw:frame>b</text:p>", "ab"),
            (f"<text:p>{RUBY}</text:p>", "字"),
            ("<text:p>on <text:date>5 March</text:date></text:p>", "on 5 March"),
            ("<text:p>&lt;b&gt; &amp;amp; <![CDATA[<table:table>]]></text:p>", "<b> &amp; <table:table>"),
            ("<text:p>00123</text:p>", "00123"),
            ("<text:p>_x000D_</text:p>", "_x000D_"),
            ("<text:p>  </text:p>", "  "),
            ("<text:p/>", None),
        ],
    )
    def test_are_read_as_they_are_shown(self, tmp_path: Path, inside: str, expected: str | None) -> None:
        assert second(read_values(tmp_path, cell('office:value-type="string"', inside))) == [expected]

    def test_need_no_type(self, tmp_path: Path) -> None:
        assert second(read_values(tmp_path, cell("", "<text:p>7</text:p>"))) == ["7"]


class TestPlaces:
    def test_of_repeated_cells_and_rows_are_spread_out(self, tmp_path: Path) -> None:
        rows = (
            row(cell('table:number-columns-repeated="2" office:value-type="float" office:value="7"'))
            + row(cell('table:number-columns-repeated="2"'), attributes='table:number-rows-repeated="3"')
            + row(cell(""), text("b"), attributes='table:number-rows-repeated="2"')
        )
        (batch,) = read(write(tmp_path, rows))
        assert batch.source.rows() == [(2, "7", "7"), (6, None, "b"), (7, None, "b")]

    def test_of_groups_and_headers_count_like_others(self, tmp_path: Path) -> None:
        rows = (
            f"<table:table-header-rows>{row(text('1'), text('a'))}</table:table-header-rows>"
            f"<table:table-row-group>{row(text('2'), text('b'))}</table:table-row-group>"
            f"<table:table-rows>{row(text('3'), text('c'))}</table:table-rows>"
        )
        assert cells(read(write(tmp_path, rows))) == [("1", "a"), ("2", "b"), ("3", "c")]

    def test_far_below_cost_nothing(self, tmp_path: Path) -> None:
        gap = row(cell('table:number-columns-repeated="16384"'), attributes='table:number-rows-repeated="1048574"')
        (batch,) = read(write(tmp_path, gap + row(text("1"), text("far"))))
        assert batch.source["_row"].to_list() == [1_048_576]
        more = row(attributes='table:number-rows-repeated="1048576"')
        assert read(write(tmp_path, gap + more + row(cell("")))) == []

    def test_in_merged_areas_are_reported(self, tmp_path: Path) -> None:
        spans = 'table:number-columns-spanned="{}" table:number-rows-spanned="{}" office:value-type="string"'
        covered = "<table:covered-table-cell/>"
        rows = (
            row(cell(spans.format(1, 2), "<text:p>7</text:p>"), text("a"))
            + row(covered, text("b"))
            + row(cell(spans.format(2, 1), "<text:p>8</text:p>"), covered)
            + row(cell(spans.format(1, 1), "<text:p>9</text:p>"), text("c"))
        )
        path = write(tmp_path, rows)
        batches = read(path)
        assert cells(batches) == [("7", "a"), (None, "b"), ("8", None), ("9", "c")]
        assert found(batches) == [(3, "merged_cell", "id"), (4, "merged_cell", "x")]
        assert cells(read(path, ReadOptions(fill_merged=True)))[:3] == [("7", "a"), ("7", "b"), ("8", "8")]

    def test_that_are_hidden_are_read_and_told(self, tmp_path: Path) -> None:
        rows = (
            '<table:table-column/><table:table-column table:visibility="collapse"/>'
            + HEAD
            + row(text("1"), attributes='table:visibility="collapse"')
            + row(text("2"), attributes='table:visibility="filter" table:number-rows-repeated="2"')
            + row(attributes='table:visibility="collapse" table:number-rows-repeated="1000"')
        )
        with open_source(str(pack(tmp_path / "cases.ods", document(table(rows))))) as survey:
            (one,) = survey.tables
            told = {decision.subject: (decision.value, decision.evidence) for decision in one.decisions}
            assert told["hidden rows"] == ("3", "read like all others; a filter is set")
            assert told["hidden columns"][0] == "B"
            assert cells(list(one.batches())) == [("1", None), ("2", None), ("2", None)]


class TestSheets:
    def test_that_are_visible_are_read_and_the_others_listed(self, tmp_path: Path) -> None:
        styles = (
            '<style:style style:name="hid" style:family="table"><style:table-properties table:display="false"/>'
            "</style:style>"
        )
        shapes = f"<table:shapes><draw:frame>{table(HEAD)}</draw:frame></table:shapes>"
        tables = (
            table(HEAD + row(text("1"), text("a")), 'table:name="Cases &gt; &apos;q&apos;"')
            + table(HEAD + row(text("2"), text("b")), "table:name='Old > x' table:style-name='hid'")
            + "<!-- <table:table table:name='none'> -->"
            + table(shapes + HEAD + row(text("3"), text("c")), 'table:name="Shapes"')
            + '<table:table table:name="Nothing"/>'
            + f"<table:dde-links><table:dde-link>{table(HEAD)}</table:dde-link></table:dde-links>"
        )
        path = pack(tmp_path / "cases.ods", document(tables, styles))
        with open_source(str(path)) as survey:
            assert [one.origin.sheet for one in survey.tables] == ["Cases > 'q'", "Shapes"]
            assert [cells(list(one.batches())) for one in survey.tables] == [[("1", "a")], [("3", "c")]]
            assert survey.skipped == (
                Skipped("Old > x", "it is hidden; name it with --sheet to read it"),
                Skipped("Nothing", "it is empty"),
            )
        assert cells(read(path, ReadOptions(sheet="old > X"))) == [("2", "b")]

    def test_are_found_whatever_the_namespaces_are_called(self, tmp_path: Path) -> None:
        content = document(table(HEAD + row(text("1"), text("a")))).replace("<table:", "<").replace("</table:", "</")
        content = content.replace(
            "xmlns:table=", 'xmlns="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:table='
        )
        assert cells(read(pack(tmp_path / "cases.ods", content))) == [("1", "a")]

    @pytest.mark.parametrize("size", [1, 7, 100, 5_000])
    def test_are_found_however_the_document_is_cut(self, size: int) -> None:
        spanned = cell('table:number-columns-spanned="1" office:value-type="string"', "<text:p>c</text:p>")
        tables = (
            table(HEAD, 'table:name="A"')
            + "<!-- <table:table> -->"
            + table(HEAD + row(spanned, spanned), 'table:name="B"')
        )
        content = document(tables).encode()
        index = find_sheets((content[at : at + size] for at in range(0, len(content), size)), "cases.ods")
        assert [sheet.noted for sheet in index.sheets] == [0, 2]
        inside = [content[sheet.start : sheet.end] for sheet in index.sheets]
        assert all(one.startswith(b"<table:table ") and one.endswith(b"</table:table>") for one in inside)
        assert index.prolog + inside[0] == content[: index.sheets[0].end]

    def test_may_be_in_other_encodings(self, tmp_path: Path) -> None:
        content = document(table(HEAD + row(text("1"), text("größer")), 'table:name="Fälle"'))
        for encoding in ("utf-8-sig", "utf-16", "iso-8859-1"):
            encoded = content.replace("UTF-8", encoding.removesuffix("-sig")).encode(encoding)
            (batch,) = read(pack(tmp_path / "cases.ods", encoded))
            assert (batch.origin.sheet, *cells([batch])) == ("Fälle", ("1", "größer"))

    def test_may_be_in_one_file(self, tmp_path: Path) -> None:
        content = document(table(HEAD + row(text("1"), text("a"))))
        flat = content.replace("office:document-content", "office:document").replace(
            "<office:document ", f'<office:document office:mimetype="{MIME}" '
        )
        chart = f"<draw:frame><draw:object>{ROOT}{table(HEAD)}</office:document-content></draw:object></draw:frame>"
        path = tmp_path / "cases.fods"
        path.write_text(flat.replace("</table:table>", f"<table:shapes>{chart}</table:shapes></table:table>", 1))
        with open_source(str(path)) as survey:
            assert survey.format == "ods"
            (one,) = survey.tables
            assert cells(list(one.batches())) == [("1", "a")]
        path.write_text(flat.partition("</table:table>")[0])
        assert refusal(path).message == f"{path} is damaged: it breaks off."


class TestADocumentIsRefused:
    @pytest.mark.parametrize(
        ("rows", "why"),
        [
            (row(text("a"), attributes='table:number-rows-repeated="x"'), "'x' stands where a number belongs"),
            (row(text("a"), attributes='table:number-rows-repeated="0"'), "'0' stands where a number belongs"),
            (row(text("a"), attributes='table:number-rows-repeated="99999999999"'), "stands where a number belongs"),
            (row(cell('table:number-columns-repeated="16384"'), text("a")), "more than 16,384 columns"),
            (row(attributes='table:number-rows-repeated="1048576"') + row(text("a")), "too many rows"),
            ("<table:table-row>", "broken XML"),
            ('<x:y xmlns:x="urn:x" xmlns:table="urn:other"/>', "gives a prefix two meanings"),
            ("</table:table></table:table>", "its tags do not match"),
        ],
    )
    def test_when_it_contradicts_itself(self, tmp_path: Path, rows: str, why: str) -> None:
        assert why in refusal(write(tmp_path, rows)).message

    def test_when_it_breaks_off(self, tmp_path: Path) -> None:
        content = document(table(HEAD))
        for end in ("</office:spreadsheet>", "</table:table>", "<office:spreadsheet>"):
            assert "is damaged" in refusal(pack(tmp_path / "cases.ods", content.partition(end)[0])).message

    def test_when_it_is_protected_with_a_password(self, tmp_path: Path) -> None:
        space = f"{OASIS}:manifest:1.0"
        manifest = (
            f'<m:manifest xmlns:m="{space}"><m:file-entry m:full-path="content.xml">'
            f"<m:encryption-data/></m:file-entry></m:manifest>"
        )
        path = pack(tmp_path / "cases.ods", b"\x9c\x01\x02", manifest=manifest)
        assert refusal(path).message == f"{path} is protected with a password."

    @pytest.mark.parametrize(
        "rows",
        [
            row(text("a"), text("b"), attributes='table:number-rows-repeated="1048575"'),
            row(cell('table:number-columns-repeated="16384" office:value-type="float" office:value="1"')) * 70,
            row(cell('office:value-type="string"', "<text:p>" + "<text:s text:c='32767'/>" * 200 + "</text:p>")),
            row(cell('office:value-type="string"', "<text:p><text:s text:c='999999999'/></text:p>")),
        ],
        ids=["rows", "columns", "spaces", "many spaces"],
    )
    def test_when_it_stands_for_more_than_it_holds(self, tmp_path: Path, rows: str) -> None:
        assert "than an honest sheet has" in refusal(write(tmp_path, rows)).message

    def test_when_it_is_nested_without_end(self, tmp_path: Path) -> None:
        for deep in ("<text:span>", "<draw:g>", "<table:table>"):
            path = pack(tmp_path / "cases.ods", document(table(HEAD + row(cell("", f"<text:p>{deep * 500}")))))
            assert "nests elements more than 100 deep" in refusal(path).message

    def test_when_it_declares_a_document_type(self, tmp_path: Path) -> None:
        path = pack(tmp_path / "cases.ods", f'<!DOCTYPE a [<!ENTITY b "x">]>{document(table(HEAD))}')
        assert "document type" in refusal(path).message


def test_equal_rows_that_a_person_has_are_read(tmp_path: Path) -> None:
    """A repeated row is no bomb: spreadsheet programs write equal rows so."""
    many = _FREE_REPEATS // 40
    batches = read(write(tmp_path, row(text("a"), text("b"), attributes=f'table:number-rows-repeated="{many}"')))
    assert sum(map(len, batches)) == many


MOMENTS = (
    ("2024-03-05T00:00", "dd.mm.yyyy"),
    ("2024-03-05T13:30", "yyyy-mm-dd hh:mm"),
    ("2024-03-05T00:00", "yyyy-mm-dd hh:mm"),
    ("2024-03-05T13:30", "yyyy-mm-dd"),
    ("2024-03-05T13:30:01.500", "yyyy-mm-dd hh:mm:ss.000"),
    ("2024-03-05T13:30", "hh:mm"),
)
NUMBERS = (
    (5, "General"),
    (-2.5, "General"),
    (0.000001, "General"),
    (999999999999999, "General"),
    (4915112345678, "0"),
    (0.5, "0%"),
    (12.5, "#,##0.00 [$€-407]"),
    (123456, "0.00E+00"),
    (123, "00000"),
    (25.5 / 24, "[h]:mm"),
    (-0.5, "[h]:mm"),
    (545 / 1440, "hh:mm"),
    (545 / 1440, "[h]:mm:ss"),
)
SPOKEN = (
    " outer ",
    "a   b",
    "a\tb",
    "one\n\n three ",
    "größer 😀",
    "00123",
    "=1+1",
    "#N/A",
    "<b>&amp;",
    "_x000D_",
    "TRUE",
    "a\u00a0b",
)


def write_every_kind(path: Path) -> Path:
    """A workbook with a cell of every kind that an office converts without change."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Cases")
        sheet.write_row(0, 0, ["id", "number", "moment", "text", "truth"])
        for at in range(1, 20):
            sheet.write_string(at, 0, f"{at:03}")
            sheet.write_boolean(at, 4, at % 2 == 0)
        for at, (number, code) in enumerate(NUMBERS, 1):
            sheet.write_number(at, 1, number, book.add_format({"num_format": code}))
        for at, (moment, code) in enumerate(MOMENTS, 1):
            sheet.write_datetime(at, 2, datetime.fromisoformat(moment), book.add_format({"num_format": code}))
        for at, spoken in enumerate(SPOKEN, 1):
            sheet.write_string(at, 3, spoken)
        sheet.merge_range("C16:C18", "merged")
        sheet.write_comment("D2", "a note")
        sheet.set_row(8, None, None, {"hidden": True})
        sheet.set_column(1, 1, None, None, {"hidden": True})
        book.add_worksheet("Old").hide()
        book.add_worksheet("Nothing & more")
    return path


@office
@pytest.mark.parametrize("format_", ["ods", "xls"])
def test_what_an_office_converts_says_the_same(tmp_path: Path, format_: str) -> None:
    workbook = write_every_kind(tmp_path / "cases.xlsx")
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", format_]
    subprocess.run([*command, "--outdir", str(tmp_path), str(workbook)], check=True, capture_output=True, timeout=120)
    with open_source(str(workbook)) as before, open_source(str(tmp_path / f"cases.{format_}")) as after:
        assert after.skipped == before.skipped
        (one,), (other,) = before.tables, after.tables
        assert other.decisions == one.decisions
        (batch,), (converted,) = one.batches(), other.batches()
        assert converted.source.rows() == batch.source.rows()
        assert converted.problems.rows() == batch.problems.rows()
        assert batch.problems.height > 3

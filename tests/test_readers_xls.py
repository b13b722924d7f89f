"""Old and binary Excel workbooks (.xls, .xlsb): cells as the file stores them, sheets that are left out, refusals.

Workbooks are built record by record, since no library writes what is tested here; xlrd says what they hold.
"""

import struct
import zipfile
from pathlib import Path

import pytest
import xlrd

from etl.readers import ReadOptions, Skipped, open_source
from etl.readers.sources.compound import open_compound
from etl.readers.sources.opening import open_input
from tests.reading_binary import binary_record as part_record
from tests.reading_binary import ole_file, wide_string, write_xls, write_xlsb, xlsb_parts
from tests.reading_talk import cells, found, read, refusal

BEGIN, END, CONTINUE = 0x809, 0x0A, 0x3C


def record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


CALCULATED = record(0x1C1, b"\xc1\x01\0\0\x54\x8d\x01\0")


def at(row: int, column: int, style: int = 0) -> bytes:
    """Where a cell stands, as a person counts: rows from 1; columns from 0."""
    return struct.pack("<3H", row - 1, column, style)


def label(row: int, column: int, text: str) -> bytes:
    units = text.encode("utf-16-le")
    return record(0x204, at(row, column) + struct.pack("<HB", len(units) // 2, 1) + units)


def number(row: int, column: int, value: float, style: int = 0) -> bytes:
    return record(0x203, at(row, column, style) + struct.pack("<d", value))


def packed(value: int, *, whole: bool, hundredths: bool = False) -> bytes:
    """`RK`: a whole number, or the upper half of a double."""
    return struct.pack("<i", (value << 2 if whole else value) | 2 * whole | hundredths)


def formula(row: int, column: int, result: bytes, flags: int = 0) -> bytes:
    return record(0x06, at(row, column) + result + struct.pack("<HIH", flags, 0, 3) + b"\x1e\x01\0")


def style(number_format: int, font: int = 0) -> bytes:
    return record(0xE0, struct.pack("<HH", font, number_format) + bytes(16))


def number_format(number: int, code: str) -> bytes:
    return record(0x41E, struct.pack("<HHB", number, len(code), 0) + code.encode("latin-1"))


def sheet_entry(start: int, name: str, shown: int, kind: int, *, is_unicode: bool = True) -> bytes:
    text = name.encode("latin-1")
    return record(0x85, struct.pack("<IBBB", start, shown, kind, len(text)) + b"\0" * is_unicode + text)


def stream(sheets: list[tuple[str, int, int, bytes]], head: bytes, version: int = 0x600) -> bytes:
    """A workbook's records; sheets are name, visibility, kind and the records inside them."""
    begin = record(BEGIN, struct.pack("<HHHHII", version, 0x05, 0x0DBB, 0x07CC, 0, 6))
    entries = [len(sheet_entry(0, name, 0, 0, is_unicode=version == 0x600)) for name, *_ in sheets]
    start = len(begin + head) + sum(entries) + len(record(END))
    listed, bodies = b"", b""
    for name, shown, kind, inside in sheets:
        listed += sheet_entry(start + len(bodies), name, shown, kind, is_unicode=version == 0x600)
        bodies += record(BEGIN, struct.pack("<HHHHII", version, 0x10, 0x0DBB, 0x07CC, 0, 6)) + inside + record(END)
    return begin + head + listed + record(END) + bodies


def write(
    folder: Path, inside: bytes, head: bytes = CALCULATED + style(0), columns: tuple[str, ...] = ("id", "x")
) -> Path:
    """A workbook with one sheet: `inside` comes below the names of the columns."""
    names = b"".join(label(1, column, name) for column, name in enumerate(columns))
    path = folder / "cases.xls"
    path.write_bytes(ole_file("Workbook", stream([("Cases", 0, 0, names + inside)], head)))
    return path


def write_bytes_book(folder: Path, texts: list[bytes], head: bytes) -> Path:
    """A workbook of Excel 5, whose texts are bytes of a code page."""
    path = folder / "cases.xls"
    inside = b"".join(
        record(0x204, at(row, 0) + struct.pack("<H", len(text)) + text) for row, text in enumerate([b"id", *texts], 1)
    )
    path.write_bytes(ole_file("Book", stream([("Cases", 0, 0, inside)], head, version=0x500)))
    return path


class TestCellsOfXls:
    def test_are_numbers_in_every_form(self, tmp_path: Path) -> None:
        many = struct.pack("<HH", 3, 0) + b"".join(
            struct.pack("<H", 0) + one for one in (packed(7, whole=True), packed(-7, whole=True))
        )
        inside = (
            number(2, 0, 5.0)
            + number(2, 1, 0.1)
            + record(0x27E, at(3, 0) + packed(-3, whole=True))
            + record(0x27E, at(3, 1) + packed(1234, whole=True, hundredths=True))
            + record(0xBD, many + struct.pack("<H", 1))
            + record(0x27E, at(5, 0) + struct.pack("<d", 2.5)[4:])
            + number(5, 1, 4915112345678.0)
            + number(6, 0, 1e-7)
            + number(6, 1, -0.0)
        )
        path = write(tmp_path, inside)
        batches = read(path)
        assert cells(batches) == [
            ("5", "0.1"),
            ("-3", "12.34"),
            ("7", "-7"),
            ("2.5", "4915112345678"),
            ("1e-07", "0"),
        ]
        assert found(batches) == []
        sheet = xlrd.open_workbook(path).sheet_by_index(0)
        assert [sheet.row_values(row) for row in range(1, 6)] == [
            [5.0, 0.1],
            [-3.0, 12.34],
            [7.0, -7.0],
            [2.5, 4915112345678.0],
            [1e-7, 0.0],
        ]

    def test_over_15_digits_are_a_problem(self, tmp_path: Path) -> None:
        batches = read(write(tmp_path, number(2, 0, 1234567890123456.0) + number(2, 1, 1.2345678901234568e16)))
        assert cells(batches) == [("1234567890123456", "1.2345678901234568E+16")]
        assert [code for _, code, _ in found(batches)] == ["lossy_number", "lossy_number"]

    def test_are_truths_and_errors(self, tmp_path: Path) -> None:
        inside = (
            record(0x205, at(2, 0) + b"\1\0")
            + record(0x205, at(2, 1) + b"\0\0")
            + record(0x205, at(3, 0) + b"\x17\1")
            + record(0x205, at(3, 1) + b"\x2a\0\1")  # as OpenOffice once wrote it
            + label(4, 0, "#N/A")
        )
        batches = read(write(tmp_path, inside))
        assert cells(batches) == [("TRUE", "FALSE"), ("#REF!", "#N/A"), ("#N/A", None)]
        assert found(batches) == [(3, "error_cell", "id"), (3, "error_cell", "x"), (4, "error_cell", "id")]

    def test_are_results_of_formulas(self, tmp_path: Path) -> None:
        text = "née " * 3000
        inside = (
            formula(2, 0, struct.pack("<d", 21.0))
            + formula(2, 1, b"\0\0\0\0\0\0\xff\xff")
            + record(0x4BC, bytes(12))
            + record(0x207, struct.pack("<HB", len(text), 0) + text[:8000].encode("latin-1"))
            + record(CONTINUE, b"\1" + text[8000:10_000].encode("utf-16-le"))
            + record(CONTINUE, b"\0" + text[10_000:].encode("latin-1"))
            + formula(3, 0, b"\1\0\1\0\0\0\xff\xff")
            + formula(3, 1, b"\2\0\x07\0\0\0\xff\xff")
            + formula(4, 0, b"\3\0\0\0\0\0\xff\xff")
            + formula(4, 1, struct.pack("<d", 0.0))
        )
        batches = read(write(tmp_path, inside))
        assert cells(batches) == [("21", text), ("TRUE", "#DIV/0!"), (None, "0")]
        assert found(batches) == [(3, "error_cell", "x")]

    @pytest.mark.parametrize(
        ("head", "result", "flags"),
        [
            (b"", b"\3\0\0\0\0\0\xff\xff", 0),  # xlwt
            (CALCULATED, struct.pack("<d", 0.0), 2),  # POI, Spreadsheet::WriteExcel
            (CALCULATED, b"\0\0\0\0\0\0\xff\xff", 0),  # the text is missing
        ],
        ids=["empty", "zero", "lost"],
    )
    def test_without_a_result_are_a_problem(self, tmp_path: Path, head: bytes, result: bytes, flags: int) -> None:
        batches = read(write(tmp_path, label(2, 0, "1") + formula(2, 1, result, flags), head + style(0)))
        assert cells(batches) == [("1", None)]
        assert found(batches) == [(2, "formula_without_value", "x")]

    def test_are_dates_by_the_format_of_the_cell(self, tmp_path: Path) -> None:
        head = CALCULATED + number_format(164, "yyyy-mm-dd hh:mm") + number_format(165, "[h]:mm")
        head += style(0) + style(14) + style(164) + style(165) + style(20)
        inside = b"".join(
            number(row, 0, value, kind)
            for row, (value, kind) in enumerate([(45356, 1), (45356, 2), (45356.5625, 2), (1.0625, 3), (0.375, 4)], 2)
        )
        expected = ["2024-03-05", "2024-03-05T00:00:00", "2024-03-05T13:30:00", "25:30:00", "09:00:00"]
        assert [row[0] for row in cells(read(write(tmp_path, inside, head)))] == expected

    def test_count_from_1904_where_the_workbook_says_so(self, tmp_path: Path) -> None:
        path = write(tmp_path, number(2, 0, 1.0, 1), record(0x22, b"\1\0") + style(0) + style(14))
        assert cells(read(path)) == [("1904-01-02", None)]

    def test_shown_with_leading_zeros_are_a_warning(self, tmp_path: Path) -> None:
        batches = read(write(tmp_path, number(2, 0, 123.0, 1), number_format(164, "00000") + style(0) + style(164)))
        assert cells(batches) == [("123", None)]
        assert found(batches) == [(2, "lossy_number", "id")]

    def test_with_a_style_that_is_missing_are_damage(self, tmp_path: Path) -> None:
        assert "has the style 9" in refusal(write(tmp_path, number(2, 0, 1.0, 9))).message


class TestTextsOfXls:
    def test_may_run_over_records(self, tmp_path: Path) -> None:
        """Rich text, phonetic hints, and borders at which letters become wider."""
        shared = (
            record(0xFC, struct.pack("<II", 4, 4) + b"\2\0\0ab" + b"\3\0\x08\2\0one" + bytes(8) + b"\4\0\0ca")
            + record(CONTINUE, b"\1f\0\xe9\0" + b"\2\0\x04\6\0\0\0yz" + bytes(3))
            + record(CONTINUE, bytes(3) + b"\1\0\1\x3d\xd8")
        )
        inside = b"".join(record(0xFD, at(row, 0) + struct.pack("<I", row - 2)) for row in (2, 3, 4, 5, 6))
        batches = read(write(tmp_path, inside, CALCULATED + style(0) + shared))
        assert [row[0] for row in cells(batches)] == ["ab", "one", "café", "yz", "\\ud83d"]
        assert found(batches) == [(6, "control_character", "id")]

    def test_may_be_more_than_the_workbook_says(self, tmp_path: Path) -> None:
        shared = record(0xFC, struct.pack("<II", 1, 1) + b"\1\0\0a\1\0\0b")
        inside = record(0xFD, at(2, 0) + struct.pack("<I", 1))
        assert cells(read(write(tmp_path, inside, style(0) + shared))) == [("b", None)]
        inside = record(0xFD, at(2, 0) + struct.pack("<I", 2))
        assert "a cell names text 2" in refusal(write(tmp_path, inside, style(0) + shared)).message

    def test_of_excel_5_are_in_the_code_page_of_the_workbook(self, tmp_path: Path) -> None:
        path = write_bytes_book(tmp_path, ["größer als 5 €".encode("cp1252")], record(0x42, b"\xe4\x04") + style(0))
        assert cells(read(path)) == [("größer als 5 €",)]
        path = write_bytes_book(tmp_path, ["Привет".encode("cp1251")], record(0x42, b"\xe3\x04") + font(204) + style(0))
        assert cells(read(path)) == [("Привет",)]
        assert xlrd.open_workbook(path).sheet_by_index(0).cell_value(1, 0) == "Привет"

    @pytest.mark.parametrize(
        ("head", "why"),
        [
            (b"", "it does not say which code page they are in"),
            (record(0x42, struct.pack("<H", 10001)), "it does not say which code page they are in"),
            (record(0x42, b"\xe4\x04") + record(0x31, bytes(12) + b"\xcc\0\1A"), "but some in a font for another"),
            (record(0x42, b"\xe5\x04") + record(0x31, bytes(12) + b"\xa1\0\1A"), "some are not in the code page"),
        ],
        ids=["none", "unknown", "another", "wrong"],
    )
    def test_of_excel_5_in_no_certain_code_page_are_refused(self, tmp_path: Path, head: bytes, why: str) -> None:
        path = write_bytes_book(tmp_path, [b"\xd2\xff"], head + style(0))
        assert why in refusal(path).message
        assert cells(read(write_bytes_book(tmp_path, [b"plain"], head + style(0)))) == [("plain",)]


def font(script: int) -> bytes:
    return record(0x31, bytes(12) + bytes([script, 0, 1]) + b"A")


class TestSheetsOfXls:
    def test_are_listed_with_the_reason(self, tmp_path: Path) -> None:
        inside = label(1, 0, "id") + label(2, 0, "1")
        sheets = [
            ("Cases", 0, 0, inside),
            ("Old", 1, 0, inside),
            ("Secret", 2, 0, inside),
            ("Chart", 0, 2, b""),
            ("Macro", 0, 1, b""),
            ("Nothing", 0, 0, b""),
            ("Question", 0, 0, record(0x81, b"\x10\0")),
        ]
        path = tmp_path / "cases.xls"
        path.write_bytes(ole_file("Workbook", stream(sheets, CALCULATED + style(0))))
        with open_source(str(path)) as survey:
            assert [table.origin.sheet for table in survey.tables] == ["Cases"]
            assert survey.skipped == (
                Skipped("Old", "it is hidden; name it with --sheet to read it"),
                Skipped("Secret", "it is deeply hidden; name it with --sheet to read it"),
                Skipped("Chart", "it is a chart"),
                Skipped("Macro", "it is a macro sheet"),
                Skipped("Nothing", "it is empty"),
                Skipped("Question", "it is a dialog"),
            )
        assert cells(read(path, ReadOptions(sheet="secret"))) == [("1",)]

    def test_tell_merged_areas_and_what_is_hidden(self, tmp_path: Path) -> None:
        hidden = record(0x208, struct.pack("<HHHHHHI", 2, 0, 2, 255, 0, 0, 0x20))
        hidden += record(0x7D, struct.pack("<5H", 1, 1, 2000, 0, 1))
        inside = hidden + label(2, 0, "7") + label(3, 1, "b") + record(0xE5, struct.pack("<5H", 1, 1, 2, 0, 0))
        with open_source(str(write(tmp_path, inside))) as survey:
            (table,) = survey.tables
            told = {decision.subject: decision.value for decision in table.decisions}
            assert told | {"hidden rows": "1", "hidden columns": "B", "merged areas": "1"} == told
            (batch,) = table.batches()
        assert found([batch]) == [(3, "merged_cell", "id")]

    def test_may_have_rows_in_any_order(self, tmp_path: Path) -> None:
        inside = label(4, 1, "d") + label(3, 0, "c") + label(4, 0, "4") + label(2, 0, "b")
        batches = read(write(tmp_path, inside))
        assert [batch.source["_row"].to_list() for batch in batches] == [[2, 3, 4]]
        assert cells(batches) == [("b", None), ("c", None), ("4", "d")]

    def test_may_hold_a_chart(self, tmp_path: Path) -> None:
        chart = record(BEGIN, struct.pack("<HH", 0x600, 0x20)) + number(9, 0, 5.0) + record(END)
        assert cells(read(write(tmp_path, label(2, 0, "1") + chart + label(3, 0, "2")))) == [("1", None), ("2", None)]


class TestAnXlsFileIsRefused:
    @pytest.mark.parametrize(
        ("inside", "why"),
        [
            (label(2, 0, "a") + label(2, 0, "b"), "holds a cell twice"),
            (label(2, 256, "a"), "outside the sheet"),
            (record(0x203, at(2, 0) + bytes(7)), "a record has not the size that it should have"),
            (record(0xBD, at(2, 0) + bytes(9)), "a record has not the size that it should have"),
            (struct.pack("<HH", 0x203, 9000) + bytes(9000), "a record has 9,000 bytes"),
            (record(0x207, b"\1\0\0a"), "stands without its formula"),
            (record(0x204, at(2, 0) + b"\5\0\0ab"), "a text breaks off"),
            (record(0x204, at(2, 0) + b"\2\0\1abc") + record(CONTINUE, b"\1d\0"), "half a character"),
            (record(0xE5, struct.pack("<5H", 2, 1, 2, 0, 0)), "its list of merged areas breaks off"),
            (record(BEGIN, b"\0\6\x20\0"), "a sheet has no end"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_when_a_sheet_contradicts_itself(self, tmp_path: Path, inside: bytes, why: str) -> None:
        assert why in refusal(write(tmp_path, inside)).message

    def test_when_it_is_protected_with_a_password(self, tmp_path: Path) -> None:
        assert "is protected with a password" in refusal(write(tmp_path, b"", record(0x2F, bytes(6)))).message

    def test_when_it_lists_more_texts_than_cells_could_name(self, tmp_path: Path) -> None:
        texts = [record(0xFC, bytes(8) + b"\1\0\0a" * 2000), *[record(CONTINUE, b"\1\0\0a" * 2000)] * 60]
        assert "more texts than its cells could ever name" in refusal(write(tmp_path, b"", b"".join(texts))).message

    @pytest.mark.parametrize("size", [300, 600, 4_000, 5_200])
    def test_when_it_is_cut_off(self, tmp_path: Path, size: int) -> None:
        path = write_xls(tmp_path / "cases.xls", [("id", "x"), ("1", "a")])
        path.write_bytes(path.read_bytes()[:size])
        assert refusal(path).message.startswith(str(path))

    @pytest.mark.parametrize("place", [44, 48, 68, 72, 76, 512 * 10 + 4])
    def test_when_its_tables_lead_nowhere(self, tmp_path: Path, place: int) -> None:
        """Every number in them that could be a sector is tried: its own, the first, one far away."""
        path = write_xls(tmp_path / "cases.xls", [("id", "x"), ("1", "a")])
        whole = path.read_bytes()
        for sector in (0, 1, place, 0xFFFF, 0x7FFFFFFF):
            path.write_bytes(whole[:place] + struct.pack("<I", sector) + whole[place + 4 :])
            outcome = outcome_of(path)
            assert outcome in ("refused", [("1", "a")])

    def test_when_a_chain_of_sectors_goes_in_circles(self, tmp_path: Path) -> None:
        path = write_xls(tmp_path / "cases.xls", [("id", "x"), *[(str(row), "a" * 90) for row in range(60)]])
        content = bytearray(path.read_bytes())
        table = struct.unpack_from("<I", content, 76)[0]
        struct.pack_into("<I", content, (table + 1) * 512 + 4 * 2, 0)
        path.write_bytes(content)
        assert "goes in circles" in refusal(path).message


def outcome_of(path: Path) -> object:
    try:
        return cells(read(path))
    except Exception as error:
        if type(error).__name__ != "FileError":
            raise
        return "refused"


def test_a_small_stream_stands_in_parts_of_sectors(tmp_path: Path) -> None:
    """Below 4,096 bytes a stream lies in sectors of 64 bytes inside the stream of the root."""
    content = stream([("Cases", 0, 0, label(1, 0, "id") + label(2, 0, "1"))], CALCULATED + style(0))
    path = tmp_path / "cases.xls"
    path.write_bytes(small_ole_file(content))
    with open_compound(open_input(str(path))) as file:
        assert b"".join(file.stream("Workbook")) == content
        assert b"".join(file.stream("workbook", 70)) == content[70:]
    assert cells(read(path)) == [("1",)]
    assert xlrd.open_workbook(path).sheet_by_index(0).cell_value(1, 0) == "1"


def small_ole_file(content: bytes) -> bytes:
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    parts = -(-len(content) // 64)
    sectors = -(-parts // 8)
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, 2, 1, end, 0) + struct.pack("<109I", 0, *[free] * 108)

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = title.encode("utf-16-le")
        links = struct.pack("<HBBIII", len(text) + 2, kind, 1, free, free, child)
        return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)

    chain = [fat, end, end, *range(4, 3 + sectors), end]
    table = struct.pack("<128I", *chain, *[free] * (128 - len(chain)))
    folder = entry("Root Entry", 5, 1, 3, sectors * 512) + entry("Workbook", 2, free, 0, len(content)) + bytes(256)
    small = struct.pack("<128I", *range(1, parts), end, *[free] * (128 - parts))
    return header + table + folder + small + content.ljust(sectors * 512, b"\0")


# .xlsb


def cell(kind: int, column: int, body: bytes = b"", style: int = 0) -> bytes:
    return part_record(kind, struct.pack("<II", column, style) + body)


def short_cell(kind: int, body: bytes = b"") -> bytes:
    """A cell without a column, as SheetJS writes it."""
    return part_record(kind, bytes(4) + body)


def row(number: int, *, hidden: bool = False) -> bytes:
    return part_record(0, struct.pack("<IIHBBBI", number - 1, 0, 300, 0, 0x10 * hidden, 0, 0))


def write_parts(folder: Path, inside: bytes, behind: bytes = b"", **parts: bytes) -> Path:
    """A binary workbook with one sheet: `inside` comes below the names of the columns, `behind` after the rows."""
    all_parts = xlsb_parts([("id", "x")], "Cases")
    sheet = part_record(129) + part_record(145) + row(1) + cell(6, 0, wide_string("id")) + cell(6, 1, wide_string("x"))
    all_parts["xl/worksheets/sheet1.bin"] = sheet + inside + part_record(146) + behind + part_record(130)
    if "styles" in parts:
        relation = (
            b'<Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"'
            b' Target="styles.bin"/></Relationships>'
        )
        listing = "xl/_rels/workbook.bin.rels"
        all_parts[listing] = all_parts[listing].replace(b"</Relationships>", relation)
    all_parts |= {f"xl/{name}.bin": content for name, content in parts.items()}
    path = folder / "cases.xlsb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in all_parts.items():
            archive.writestr(name, content)
    return path


def styles(*codes: str) -> bytes:
    """Styles with these number formats, from number 1 on; 0 is General."""
    formats = b"".join(part_record(44, struct.pack("<H", at) + wide_string(code)) for at, code in enumerate(codes, 164))
    used = b"".join(part_record(47, struct.pack("<HH", 0, kind)) for kind in (0, *range(164, 164 + len(codes))))
    other = part_record(626) + part_record(47, struct.pack("<HH", 0, 14)) + part_record(627)
    return formats + other + part_record(617) + used + part_record(618)


def book(*, flags: int = 0, calculate: int = 0, sheets: bytes | None = None) -> bytes:
    calculation = part_record(157, bytes(24) + struct.pack("<H", calculate))
    entry = part_record(156, struct.pack("<II", 0, 1) + wide_string("rId1") + wide_string("Cases"))
    return part_record(153, struct.pack("<I", flags)) + (sheets or entry) + calculation


class TestCellsOfXlsb:
    def test_are_read_in_every_form(self, tmp_path: Path) -> None:
        inside = (
            row(2)
            + cell(2, 0, packed(1234, whole=True, hundredths=True))
            + cell(5, 1, struct.pack("<d", 0.1))
            + row(3)
            + cell(4, 0, b"\1")
            + cell(3, 1, b"\x17")
            + row(4)
            + cell(62, 0, b"\1" + wide_string("rich") + bytes(8))
            + cell(7, 1, struct.pack("<I", 1))
            + row(5)
            + cell(8, 0, wide_string("née") + bytes(10))
            + cell(9, 1, struct.pack("<d", 0) + bytes(10))
            + row(6)
            + cell(10, 0, b"\0" + bytes(10))
            + cell(11, 1, b"\x2a" + bytes(10))
            + row(7)
            + cell(6, 0, "\ud83d".encode("utf-16-le", "surrogatepass").join([struct.pack("<I", 1), b""]))
            + cell(6, 1, wide_string("_x000D_"))
        )
        batches = read(write_parts(tmp_path, inside))
        assert cells(batches) == [
            ("12.34", "0.1"),
            ("TRUE", "#REF!"),
            ("rich", "x"),
            ("née", "0"),
            ("FALSE", "#N/A"),
            ("\\ud83d", "_x000D_"),
        ]
        assert found(batches) == [(3, "error_cell", "x"), (6, "error_cell", "x"), (7, "control_character", "id")]

    def test_of_sheetjs_have_no_columns(self, tmp_path: Path) -> None:
        inside = (
            row(2)
            + short_cell(17, wide_string("a"))
            + short_cell(13, packed(5, whole=True))
            + row(3)
            + short_cell(12)
            + short_cell(18, struct.pack("<I", 0))
            + row(4)
            + cell(1, 0)
            + short_cell(16, struct.pack("<d", 2.5))
            + row(5)
            + short_cell(15, b"\1")
            + short_cell(14, b"\x07")
        )
        batches = read(write_parts(tmp_path, inside))
        assert cells(batches) == [("a", "5"), (None, "id"), (None, "2.5"), ("TRUE", "#DIV/0!")]

    def test_are_dates_by_the_format_of_the_cell(self, tmp_path: Path) -> None:
        inside = b"".join(
            row(at) + cell(5, 0, struct.pack("<d", value), style)
            for at, (value, style) in enumerate([(45356, 1), (45356.5625, 2), (1.0625, 3), (123, 4)], 2)
        )
        parts = {"styles": styles("dd.mm.yyyy", "yyyy-mm-dd hh:mm", "[h]:mm", "00000")}
        batches = read(write_parts(tmp_path, inside, **parts))
        expected = ["2024-03-05", "2024-03-05T13:30:00", "25:30:00", "123"]
        assert [row[0] for row in cells(batches)] == expected
        assert found(batches) == [(5, "lossy_number", "id")]
        batches = read(write_parts(tmp_path, inside, workbook=book(flags=1), **parts))
        assert cells(batches)[0] == ("2028-03-06", None)

    def test_that_were_never_calculated_are_a_problem(self, tmp_path: Path) -> None:
        inside = row(2) + cell(6, 0, wide_string("1")) + cell(9, 1, struct.pack("<d", 0) + bytes(10))
        assert found(read(write_parts(tmp_path, inside))) == []
        batches = read(write_parts(tmp_path, inside, workbook=book(calculate=1)))
        assert found(batches) == [(2, "formula_without_value", "x")]

    def test_may_stand_far_apart(self, tmp_path: Path) -> None:
        (batch,) = read(write_parts(tmp_path, row(1_048_576) + cell(6, 1, wide_string("far"))))
        assert batch.source["_row"].to_list() == [1_048_576]


class TestSheetsOfXlsb:
    def test_tell_merged_areas_and_what_is_hidden(self, tmp_path: Path) -> None:
        inside = row(2) + cell(6, 0, wide_string("7")) + row(3, hidden=True) + cell(6, 1, wide_string("b"))
        behind = part_record(176, struct.pack("<4I", 1, 2, 0, 0)) + part_record(163, bytes(6))
        columns = part_record(60, struct.pack("<4IH", 1, 1, 2000, 0, 1))
        path = write_parts(tmp_path, inside, behind + columns)
        with open_source(str(path)) as survey:
            (table,) = survey.tables
            told = {decision.subject: decision.value for decision in table.decisions}
            assert told | {"hidden rows": "1", "hidden columns": "B", "merged areas": "1"} == told
            (batch,) = table.batches()
        assert found([batch]) == [(3, "merged_cell", "id")]

    def test_are_listed_with_the_reason(self, tmp_path: Path) -> None:
        entries = b"".join(
            part_record(156, struct.pack("<II", shown, at) + wide_string(relation) + wide_string(name))
            for at, (shown, relation, name) in enumerate(
                [(0, "rId1", "Cases"), (1, "rId1", "Old"), (2, "rId1", "Secret"), (0, "", "Lost"), (0, "rId2", "Odd")]
            )
        )
        path = write_parts(tmp_path, row(2) + cell(6, 0, wide_string("1")), workbook=book(sheets=entries))
        with open_source(str(path)) as survey:
            assert [table.origin.sheet for table in survey.tables] == ["Cases"]
            assert survey.skipped == (
                Skipped("Old", "it is hidden; name it with --sheet to read it"),
                Skipped("Secret", "it is deeply hidden; name it with --sheet to read it"),
                Skipped("Lost", "the workbook holds no part for it"),
                Skipped("Odd", "it is a macro sheet"),
            )


class TestAnXlsbFileIsRefused:
    @pytest.mark.parametrize(
        ("inside", "why"),
        [
            (row(3) + row(2), "row 2 follows row 3"),
            (row(1_048_577), "row 1048577 follows"),
            (row(2) + cell(6, 0, wide_string("a")) * 2, "holds a cell twice"),
            (row(2) + cell(6, 16_384, wide_string("a")), "outside the sheet"),
            (row(2) + cell(7, 0, struct.pack("<I", 9)), "a cell names text 9"),
            (row(2) + cell(6, 0, struct.pack("<I", 9) + b"ab"), "a text breaks off"),
            (row(2) + cell(5, 0, bytes(7)), "a record has not the size that it should have"),
            (row(2) + cell(4, 0), "a record has not the size that it should have"),
            (row(2) + cell(5, 0, bytes(8), style=3), "has the style 3"),
            (b"\x06\xff\xff\xff\x7f", "a record has 268,435,455 bytes"),
            (b"\x06\x70", "its records break off"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_when_a_sheet_contradicts_itself(self, tmp_path: Path, inside: bytes, why: str) -> None:
        assert why in refusal(write_parts(tmp_path, inside, styles=styles())).message

    def test_when_it_has_no_sheets(self, tmp_path: Path) -> None:
        path = write_parts(tmp_path, b"", workbook=part_record(131))
        assert refusal(path).message == f"{path} has no sheets."

    def test_when_it_is_cut_off(self, tmp_path: Path) -> None:
        path = write_xlsb(tmp_path / "cases.xlsb", [("id", "x"), ("1", "a")])
        path.write_bytes(path.read_bytes()[:-40])
        assert "is damaged" in refusal(path).message

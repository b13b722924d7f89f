"""Hollow sheets of .xlsb, .xls and .ods: cells that hold nothing are passed over exactly, or all are refused."""

import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.readers.workbooks import hollow
from etl.readers.workbooks.ods import index, sheet
from etl.readers.workbooks.xls.records import read_records as read_xls_records
from etl.readers.workbooks.xlsb.records import read_records
from tests.reading_binary import binary_record, ods_content, ole_file, write_xlsb, xls_stream, xlsb_parts
from tests.reading_talk import cells, found, read, refusal

WIDTH = 20
ROWS = 900
EVERY = 70
"""A row in so many holds a text, in its third column."""
HEAD = tuple(f"column {at}" for at in range(WIDTH))
Filled = Callable[[int], bool]
"""Whether a row holds a text; rows are counted from 0."""


def text_of(row: int) -> str:
    return f"text {row + 1}"


def blank(column: int, *, short: bool) -> bytes:
    return b"\x0c\x04\x05\0\0\0" if short else binary_record(1, struct.pack("<II", column, column % 3))


def xlsb(folder: Path, rows: int, filled: Filled, *, short: bool = False, hidden: bool = False) -> Path:
    """The first and every other cell of a row stand where they say; with `short`, others beside those before them."""
    parts = xlsb_parts([HEAD], "Cases")
    part = "xl/worksheets/sheet1.bin"
    body = [parts[part].removesuffix(binary_record(146) + binary_record(130))]
    for row in range(1, rows):
        spans = struct.pack("<III", 1, 0, WIDTH - 1)
        body.append(binary_record(0, struct.pack("<IIHBBB", row, 0, 300, 0, 0x10 * hidden, 0) + spans))
        for column in range(WIDTH):
            if column == 2 and filled(row):
                units = text_of(row).encode("utf-16-le")
                place = b"" if short else struct.pack("<I", column)
                text = struct.pack("<II", 0, len(units) // 2) + units
                body.append(binary_record(17 if short else 6, place + text))
            else:
                body.append(blank(column, short=short))
    parts[part] = b"".join([*body, binary_record(146), binary_record(130)])
    path = folder / "cases.xlsb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def xlsb_short(folder: Path, rows: int, filled: Filled) -> Path:
    return xlsb(folder, rows, filled, short=True)


def xls_label(row: int, text: str) -> bytes:
    units = text.encode("utf-16-le")
    return struct.pack("<HHHHHHB", 0x204, 9 + len(units), row, 2, 15, len(units) // 2, 1) + units


def xls(folder: Path, rows: int, filled: Filled) -> Path:
    stream = xls_stream([HEAD], "Cases")
    at = stream.rindex(struct.pack("<HH", 0x23E, 18))
    blanks = [
        xls_label(row, text_of(row)) if column == 2 and filled(row) else struct.pack("<5H", 0x201, 6, row, column, 15)
        for row in range(1, rows)
        for column in range(WIDTH)
    ]
    path = folder / "cases.xls"
    path.write_bytes(ole_file("Workbook", stream[:at] + b"".join(blanks) + stream[at:]))
    return path


def ods(folder: Path, rows: int, filled: Filled) -> Path:
    def lines() -> Iterator[list[str | None]]:
        yield list(HEAD)
        for row in range(1, rows):
            yield [text_of(row) if column == 2 and filled(row) else None for column in range(WIDTH)]

    return stored(folder / "cases.ods", "".join(ods_content(lines(), "Cases")))


def stored(path: Path, content: str) -> Path:
    """An .ods file that is not compressed: made by hand it would shrink to nothing, and be refused for that."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
    return path


FORMATS = {"xlsb": xlsb, "xlsb, short": xlsb_short, "xls": xls, "ods": ods}
Write = Callable[[Path, int, Filled], Path]


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
class TestCellsThatHoldNothing:
    def test_are_left_out_exactly(self, write: Write, tmp_path: Path) -> None:
        batches = read(write(tmp_path, ROWS, lambda row: row % EVERY == 0))
        wanted = range(EVERY, ROWS, EVERY)
        assert cells(batches) == [(None, None, text_of(row), *[None] * (WIDTH - 3)) for row in wanted]
        assert [row for batch in batches for row in batch.source["_row"]] == [row + 1 for row in wanted]
        assert found(batches) == []

    def test_may_follow_the_last_text_as_far_as_one_likes(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So few cells may hold nothing where each of them is read: these are not."""
        monkeypatch.setattr(hollow, "_LEAST_BYTES", 1 << 12)
        monkeypatch.setattr(hollow, "MOST_RECORDS", 2_000)
        monkeypatch.setattr(sheet, "_MOST_ELEMENTS", 40_000)
        assert len(cells(read(write(tmp_path, 5_000, lambda row: row == 1)))) == 1

    def test_may_not_be_passed_over_without_end(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hollow, "MOST_PASSED_BYTES", 1 << 15)
        monkeypatch.setattr(index, "_SIGNS", index._SIGNS._replace(most_bytes=1 << 15))
        error = refusal(write(tmp_path, 5_000, lambda row: row == 1))
        assert "millions of cells that are formatted and hold nothing" in error.message
        assert "delete the empty rows" in error.hint


def test_rows_between_texts_that_are_read_one_by_one_may_not_be_millions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hollow, "MOST_RECORDS", 1_000)
    monkeypatch.setattr(hollow, "HOLLOW_TO_FILLED", 10)
    monkeypatch.setattr(sheet, "_MOST_ELEMENTS", 2_000)
    for path in (
        xlsb(tmp_path, ROWS, lambda row: row in {1, ROWS - 1}, hidden=True),
        ods(tmp_path, ROWS, {1, ROWS - 1}.__contains__),
    ):
        assert "millions of cells that are formatted and hold nothing" in refusal(path).message


class TestRecords:
    def test_of_blank_cells_and_empty_rows_are_hardly_ever_made(self, tmp_path: Path) -> None:
        """Of 40,000 of them in all."""
        with zipfile.ZipFile(xlsb(tmp_path, 2_000, lambda _: False)) as archive:
            content = archive.read("xl/worksheets/sheet1.bin")
        pieces = [content[at : at + (1 << 18)] for at in range(0, len(content), 1 << 18)]
        assert len(list(read_records(pieces))) < 100
        stream = xls_stream([HEAD], "Cases") + b"".join(struct.pack("<5H", 0x201, 6, 1, at, 15) for at in range(10_000))
        assert len(list(read_xls_records([stream]))) < 60

    @pytest.mark.parametrize("size", [1, 7, 1_000])
    @pytest.mark.parametrize("short", [False, True])
    def test_say_the_same_however_they_are_cut(self, size: int, short: bool, tmp_path: Path) -> None:
        with zipfile.ZipFile(xlsb(tmp_path, 90, lambda row: row % 30 == 0, short=short)) as archive:
            content = archive.read("xl/worksheets/sheet1.bin")
        texts = (6, 17)
        whole = [body for kind, body in read_records([content]) if kind in texts]
        pieces = [content[at : at + size] for at in range(0, len(content), size)]
        assert [body for kind, body in read_records(pieces) if kind in texts] == whole
        assert len(whole) == 2

    def test_of_hidden_rows_are_all_told(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(xlsb(tmp_path, 50, lambda _: False, hidden=True)) as archive:
            content = archive.read("xl/worksheets/sheet1.bin")
        assert sum(kind == 0 for kind, _ in read_records([content])) == 50


def test_a_row_of_an_ods_file_that_seems_to_end_in_a_comment_is_not_lost_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hollow, "_LEAST_BYTES", 1 << 16)
    content = "".join(ods_content([["id", "x"]], "Cases"))
    empty = "<table:table-row><table:table-cell/></table:table-row>"
    value = '<table:table-cell office:value-type="string"><text:p>seven</text:p></table:table-cell>'
    torn = f"<table:table-row>{value}<!-- {empty * 20_000} --></table:table-row>"
    path = stored(tmp_path / "cases.ods", content.replace("</table:table>", f"{torn}</table:table>"))
    assert "row 2 has no end" in refusal(path).message


def test_what_a_program_writes_is_read_as_before(tmp_path: Path) -> None:
    lines = [HEAD, *([f"{row}"] + [None] * (WIDTH - 1) for row in range(30))]
    assert len(cells(read(write_xlsb(tmp_path / "cases.xlsb", lines)))) == 30

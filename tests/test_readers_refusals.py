"""Refusals: whoever is refused is told what would do."""

import warnings
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from etl.readers import ReadOptions
from tests.reading_talk import DEFAULT, pack, parts_of, refusal, write_csv, write_xlsx


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cases.csv", b""),
        ("cases.csv", b"\n \n"),
        ("cases.csv", b",\n,,\n"),
        ("cases.jsonl", b""),
        ("cases.json", b"[]"),
        ("cases.json", b'"text"'),
        ("cases.yaml", b"# nothing\n"),
        ("cases.txt", bytes(40)),
    ],
)
def test_of_a_file_that_holds_nothing_says_what_would_do(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(path).hint


def test_of_an_empty_sheet_says_what_would_do(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "one.xlsx") as book:
        book.add_worksheet("A")
    assert refusal(tmp_path / "one.xlsx").hint == (
        "Give it a row of column names with the rows below, or name another file."
    )
    with xlsxwriter.Workbook(tmp_path / "two.xlsx") as book:
        book.add_worksheet("A")
        book.add_worksheet("B")
    assert "column names" in refusal(tmp_path / "two.xlsx").hint


def test_of_a_named_chart_names_the_other_sheets(tmp_path: Path) -> None:
    path = tmp_path / "cases.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Cases").write_row(0, 0, ["id", "input"])
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Cases!$A$1:$A$2"})
        book.add_chartsheet("Chart1").set_chart(chart)
    error = refusal(path, ReadOptions(sheet="Chart1"))
    assert "Chart1: it is a chart" in error.message
    assert error.hint == "Name another one with --sheet: 'Cases'."


def test_of_two_parts_of_one_name_says_what_would_do(tmp_path: Path) -> None:
    path = pack(tmp_path / "cases.xlsx", parts_of(""))
    with warnings.catch_warnings(action="ignore", category=UserWarning), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    assert "If you trust it" in refusal(path).hint


def test_of_a_document_type_says_what_would_do(tmp_path: Path) -> None:
    parts = parts_of("")
    parts["xl/workbook.xml"] = f'<!DOCTYPE x [<!ENTITY e "x">]>{parts["xl/workbook.xml"]}'
    assert "If you trust it" in refusal(pack(tmp_path / "cases.xlsx", parts)).hint


def test_of_a_bomb_says_what_would_do(tmp_path: Path) -> None:
    parts = parts_of("") | {"xl/media/image1.bin": "\0" * 300_000_000}
    assert "If you trust it" in refusal(pack(tmp_path / "cases.xlsx", parts)).hint


@pytest.mark.parametrize("told", [("a", "a"), ("a",) * 1001, ("a", "")])
def test_of_names_that_were_given_speaks_of_no_row(tmp_path: Path, told: tuple[str, ...]) -> None:
    for path in (
        write_csv(tmp_path / "cases.csv", [("1", "2")], ("3", "4")),
        write_xlsx(tmp_path / "cases.xlsx", [("1", "2")], ("3", "4")),
    ):
        error = refusal(path, ReadOptions(columns=told))
        assert "row 0" not in error.message
        assert error.hint


def test_of_too_many_columns_says_what_would_do(tmp_path: Path) -> None:
    names = tuple(f"n{at}" for at in range(1001))
    error = refusal(write_csv(tmp_path / "cases.csv", [names], names), DEFAULT)
    assert error.message.endswith("1,001 columns are named in row 1; at most 1,000 are read.")
    assert error.hint

"""Titles: lines of one cell above a small table, in text and in sheets. Few records prove little; none may be lost."""

from pathlib import Path

import pytest

from etl.readers import ReadOptions
from tests.reading_binary import write_ods, write_xlsb
from tests.reading_talk import DEFAULT, Row, cells, read, refusal, write_xlsx


def read_text(folder: Path, content: str, options: ReadOptions = DEFAULT) -> tuple[int | None, list[Row]]:
    """The header's row, then the names and the cells of all rows."""
    path = folder / "cases.csv"
    path.write_text(content)
    batches = read(path, options)
    assert all(batch.problems.is_empty() for batch in batches)
    origin = batches[0].origin
    return origin.header_row, [origin.columns, *cells(batches)]


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ("My title\nmade by me\nid,input\n1,a\n", 3),
        ("My title\n\nid,input\n1,a\n", 3),
        ("My title\n\nmade by me\n\nid,input\n1,a\n", 5),
        ("My title\nid,input\n1,a\n", 2),
        ("My title\nmade by me\nid,input\n1,a\n2,b\n", 3),
        ("My title\nmade by me\nin May\nid,input\n1,a\n2,b\n", 4),
        ("My title\nmade by me\nid;input\n1;a\n", 3),
        ("My title\nmade by me\nid\tinput\n1\ta\n", 3),
        ("My title\nmade by me\nid,input,notes\n1,a,x\n", 3),
        ("My title,\nmade by me,\nin May,\nid,input\n1,a\n", 4),
    ],
)
def test_of_one_cell_are_passed_over(tmp_path: Path, content: str, row: int) -> None:
    header, found = read_text(tmp_path, content)
    assert header == row
    assert [one[:2] for one in found[:2]] == [("id", "input"), ("1", "a")]


@pytest.mark.parametrize(
    "content",
    [
        "My title\nmade by me\nin May\nid,input\n1,a\n",
        "My title\nmade by me\nin May\nfor you\nid;input\n1;a\n",
        "My title\nmade by me\nin May\nid,input\n1,a\n\nthe end\n",
        "My title\n\nid,input\n",
    ],
)
def test_that_are_most_of_the_lines_are_asked_about_and_the_flag_helps(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(content)
    assert "--delimiter" in (refusal(path).hint or "")
    told = ReadOptions(delimiter=";" if ";" in content else ",")
    if content.count("\n1") and "the end" not in content:
        assert read_text(tmp_path, content, told)[1] == [("id", "input"), ("1", "a")]
    elif "the end" in content:
        (batch,) = read(path, told)
        assert batch.origin.columns == ("id", "input")
        assert batch.problems["code"].to_list() == ["ragged_row"]
    else:
        assert read(path, told) == []


@pytest.mark.parametrize(
    "content", ["id\n1\n2\n", "description\nSay hello\n", "description\nSay hello\n\nSay bye, please\nThen go\nEnd\n"]
)
def test_are_not_seen_in_one_column(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(content)
    (batch,) = read(path)
    assert (batch.origin.header_row, len(batch.origin.columns)) == (1, 1)


def test_a_few_commas_among_many_lines_of_one_column_stay_ragged(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("description\n" + "Say hello\n" * 20 + "yes,no\nyes,no\n")
    (batch,) = read(path)
    assert batch.origin.columns == ("description",)
    assert batch.problems["row"].to_list() == [22, 23]


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "ods"])
@pytest.mark.parametrize("titles", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [1, 2])
def test_of_a_sheet_are_passed_over(tmp_path: Path, kind: str, titles: int, rows: int) -> None:
    above: list[Row] = [("My title",), ("made by me",), ("in May",), ("for you",)]
    lines: list[Row] = [*above[:titles], ("id", "input"), ("1", "a"), ("2", "b")][: titles + 1 + rows]
    path = tmp_path / f"cases.{kind}"
    if kind == "xlsx":
        write_xlsx(path, lines[1:], lines[0])
    else:
        {"xlsb": write_xlsb, "ods": write_ods}[kind](path, lines)
    (batch,) = read(path)
    assert (batch.origin.header_row, batch.origin.columns) == (titles + 1, ("id", "input"))
    assert len(batch) == rows

"""A report is written again from what is there: ledger, files, the earlier report; what is missing is said."""

import csv
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import openpyxl
import pytest

from tests.command import Said
from tests.forking import Forker
from tests.quick_command import Home, at_home, forker, refused  # noqa: F401  # a fixture

BAD_ROW = 4
"""Its cell is empty."""


@pytest.fixture
async def home(tmp_path: Path, forker: Forker) -> AsyncIterator[Home]:  # noqa: F811
    async with at_home(tmp_path, forker) as one:
        yield one


async def imported(home: Home, *more: str) -> None:
    """Four rows, the third of which is refused by the checks."""
    (home.folder / "cases.csv").write_text('input_str,note\nfirst,"a, b"\nsecond,b\n,c\nfourth,d\n')
    said = await home.etl(*home.importing("cases.csv", "--report", "r", *more))
    assert said.code == 1, said


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report.html"}


def rows(folder: Path) -> list[tuple[int, str, str | None]]:
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [(line["row"], line["status"], line["id"]) for line in map(json.loads, lines)]


def said_well(said: Said) -> str:
    assert said.code == 0, said
    assert "Traceback" not in said.err
    return said.err


async def test_a_report_written_again_is_the_report(home: Home) -> None:
    await imported(home)
    before = content(home.folder / "r")
    asked = len(home.api.gets), home.api.lists, len(home.api.posts)
    err = said_well(await home.etl("report", COVAL_API_KEY=""))
    assert content(home.folder / "r") == before
    assert "Warning" not in err
    assert (len(home.api.gets), home.api.lists, len(home.api.posts)) == asked
    said_well(await home.etl("report", "--report", "elsewhere"))
    assert content(home.folder / "elsewhere") == before
    page = (home.folder / "elsewhere" / "report.html").read_text()
    assert "3 of 4 rows were created." in page
    assert "coval-etl import" in page


async def test_without_the_earlier_report_the_ledger_and_the_files_are_enough(home: Home) -> None:
    await imported(home)
    before = content(home.folder / "r")
    shutil.rmtree(home.folder / "r")
    err = said_well(await home.etl("report"))
    again = content(home.folder / "r")
    assert again["results.jsonl"] == before["results.jsonl"]
    assert again["rejects.csv"] == before["rejects.csv"]
    assert "Warning" not in err


async def test_a_changed_file_is_told_by_the_earlier_report_and_that_is_said(home: Home) -> None:
    await imported(home)
    before = rows(home.folder / "r")
    (home.folder / "cases.csv").write_text("input_str\nsomething else\n")
    err = said_well(await home.etl("report", "--report", "again"))
    assert "cases.csv is not there as it was" in err
    assert rows(home.folder / "again") == before
    assert not (home.folder / "again" / "rejects.csv").exists()


async def test_with_neither_file_nor_report_the_ledger_tells_what_was_sent(home: Home) -> None:
    await imported(home)
    before = rows(home.folder / "r")
    shutil.rmtree(home.folder / "r")
    (home.folder / "cases.csv").unlink()
    err = said_well(await home.etl("report"))
    assert "Of cases.csv only the rows are told that were sent" in err
    assert "When the job ended it counted otherwise: 4 read, 3 created, 1 rejected." in err
    assert rows(home.folder / "r") == [row for row in before if row[0] != BAD_ROW]


async def test_an_import_that_was_cut_off_is_told_as_far_as_it_came(home: Home) -> None:
    (home.folder / "cases.csv").write_text("input_str\nfirst\nsecond\nthird\n")
    await home.killed(*home.importing("cases.csv", "--report", "r"), at="outcome-recorded")
    err = said_well(await home.etl("report"))
    told = rows(home.folder / "r")
    assert [row for row, _, _ in told] == [2, 3, 4]
    assert {status for _, status, _ in told} <= {"created", "pending", "in_doubt"}
    assert "created" in {status for _, status, _ in told}
    page = (home.folder / "r" / "report.html").read_text()
    assert "coval-etl resume" in page
    assert "row" in err


async def test_rows_that_an_earlier_job_had_created_are_unchanged(home: Home) -> None:
    (home.folder / "cases.csv").write_text("input_str\nfirst\nsecond\n")
    assert (await home.etl(*home.importing("cases.csv", "--report", "one"))).code == 0
    assert (await home.etl(*home.importing("cases.csv", "--report", "two"))).code == 0
    before = rows(home.folder / "two")
    shutil.rmtree(home.folder / "two")
    said_well(await home.etl("report"))
    assert rows(home.folder / "two") == before
    assert {status for _, status, _ in before} == {"unchanged"}


async def test_json_is_the_summary(home: Home) -> None:
    await imported(home)
    said = await home.etl("report", "--json", "--report", "x")
    assert said.json == json.loads((home.folder / "x" / "summary.json").read_text())
    assert said.json["exit_code"] == 1


async def test_what_cannot_be_told_is_refused_in_words(home: Home) -> None:
    refused(await home.etl("report"), "The ledger knows no jobs.")
    await imported(home)
    refused(await home.etl("report", "no-such-job"), "The ledger has no job no-such-job.")
    assert (await home.etl("rollback", (await home.jobs())[0]["job"], "--yes")).code == 0
    refused(await home.etl("report"), "was rolled back")


async def test_one_format_is_written_into_the_report_and_the_rest_stays(home: Home) -> None:
    await imported(home)
    report = home.folder / "r"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in report.iterdir()}
    said = said_well(await home.etl("report", "--format", "csv", "--format", "xlsx"))
    assert "results.csv: the results as a table" in said
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in report.iterdir()}
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"results.csv", "results.xlsx"}
    with (report / "results.csv").open(encoding="utf-8-sig", newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert [(int(line["row"]), line["status"], line["id"] or None) for line in listed] == rows(report)
    assert listed[2]["codes"] == "required"
    assert listed[2]["problems"].startswith("error in A4: input_str is missing")
    sheet = openpyxl.load_workbook(report / "results.xlsx").active
    assert sheet is not None
    assert [[str(cell or "") for cell in row] for row in sheet.iter_rows(min_row=2, values_only=True)] == [
        list(line.values()) for line in listed
    ]
    said_well(await home.etl("report"))
    assert not (report / "results.csv").exists(), "a report that is written whole has no table of before"


@pytest.mark.parametrize(
    ("form", "file"),
    [("html", "report.html"), ("jsonl", "results.jsonl"), ("rejects", "rejects.csv"), ("json", "summary.json")],
)
async def test_one_format_alone_makes_a_report_of_it_and_the_summary(home: Home, form: str, file: str) -> None:
    await imported(home)
    before = content(home.folder / "r")
    said_well(await home.etl("report", "--format", form, "--report", "new"))
    assert {path.name for path in (home.folder / "new").iterdir()} == {file, "summary.json"}
    written = content(home.folder / "new")
    assert written == {name: before[name] for name in written}


async def test_the_marked_workbook_is_written_again_alone(home: Home) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in (["input_str", "note"], ["first", "a"], [None, "b"]):
        sheet.append(row)
    workbook.save(home.folder / "cases.xlsx")
    assert (await home.etl(*home.importing("cases.xlsx", "--report", "r"))).code == 1
    (home.folder / "r" / "annotated.xlsx").unlink()
    said_well(await home.etl("report", "--format", "annotated"))
    assert openpyxl.load_workbook(home.folder / "r" / "annotated.xlsx").sheetnames == ["Sheet", "Problems"]


async def test_what_would_be_lost_or_mixed_is_refused(home: Home) -> None:
    await imported(home)
    refused(await home.etl("report", "--format", "htm"), "'htm' is not one of", "Did you mean html?")
    rejects = home.folder / "r" / "rejects.csv"
    rejects.write_text(rejects.read_text() + "mended\n")
    later = (home.folder / "r" / "summary.json").stat().st_mtime + 60
    os.utime(rejects, (later, later))
    refused(await home.etl("report", "--format", "rejects"), "was changed since that report was written")
    said_well(await home.etl("report", "--format", "html"))
    assert rejects.read_text().endswith("mended\n")
    (home.folder / "other.csv").write_text("input_str\nfifth\n")
    assert (await home.etl(*home.importing("other.csv", "--report", "s"))).code == 0
    refused(await home.etl("report", "--format", "csv", "--report", "r"), "holds the report of another job")


async def test_a_formula_in_a_table_of_results_is_text(home: Home) -> None:
    (home.folder / "=1+1.csv").write_text("input_str\n\nfirst\n")
    assert (await home.etl(*home.importing("=1+1.csv", "--report", "r"))).code == 0
    said_well(await home.etl("report", "--format", "csv"))
    assert b"\r\n'=1+1.csv," in (home.folder / "r" / "results.csv").read_bytes()

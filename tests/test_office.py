"""What we write opens in an office as a person would open it: no repair, the same cells, nothing that runs."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from etl.tables import NewFile, Sheet, write_workbook
from tests.command import SAMPLES, etl

office = pytest.mark.skipif(shutil.which("soffice") is None, reason="LEFT OUT: no soffice here (make setup-ci)")


def as_csv(workbook: Path) -> list[list[str]]:
    """The first sheet, as LibreOffice reads it."""
    command = ["soffice", f"-env:UserInstallation=file://{workbook.parent}/profile", "--headless"]
    command += [
        "--convert-to",
        "csv:Text - txt - csv (StarCalc):44,34,76",
        "--outdir",
        str(workbook.parent),
        str(workbook),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return list(csv.reader(workbook.with_suffix(".csv").read_text(encoding="utf-8").splitlines(keepends=True)))


@office
def test_rejects_open_in_an_office_with_the_cells_they_were_written_with(tmp_path: Path) -> None:
    etl(tmp_path, "validate", SAMPLES / "support_calls.xlsx", "--report", "report")
    rows = as_csv(tmp_path / "report" / "rejects.xlsx")
    assert rows[0][-1] == "_coval_etl_error"
    assert len(rows) == 1 + 10
    assert all(row[-1] for row in rows[1:])


@office
def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    cells = ("=1+1", "+49 30 123", "@SUM(1)", "-5", '=HYPERLINK("http://x","y")', "00123")
    file = NewFile(tmp_path / "book.xlsx")
    write_workbook(file, [Sheet("Cases", tuple("abcdef"), [cells])])
    file.commit()
    assert as_csv(tmp_path / "book.xlsx")[1] == list(cells)

"""What the tests of the readers share: small files in every format, and how to read or be refused."""

import csv
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from etl.batch import OWN_COLUMNS, Batch
from etl.errors import FileError
from etl.readers import ReadOptions, Survey, open_source

Row = tuple[str | None, ...]

COLUMNS = ("id", "input", "notes")
ROWS: list[Row] = [("007", 'say "hello", please', None), ("8", "two\nlines", "größer als 5 €"), ("9", " outer ", "x")]
DEFAULT = ReadOptions()

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
NAMES = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c><c r="B1" t="inlineStr"><is><t>input</t></is></c></row>'
)


def write_csv(path: Path, rows: list[Row], columns: Row = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def write_json_lines(path: Path, rows: list[Row], columns: Row = COLUMNS) -> Path:
    objects = [{key: cell for key, cell in zip(columns, row, strict=True) if cell is not None} for row in rows]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in objects), encoding="utf-8")
    return path


def write_xlsx(path: Path, rows: list[Row], columns: Row = COLUMNS) -> Path:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Cases")
        for at, row in enumerate([columns, *rows]):
            for column, cell in enumerate(row):
                if cell is not None:
                    sheet.write_string(at, column, cell)
    return path


def read(path: Path, options: ReadOptions = DEFAULT) -> list[Batch]:
    """All batches of the one table of a file."""
    with open_source(str(path), options) as survey:
        (table,) = survey.tables
        return list(table.batches())


def cells(batches: list[Batch]) -> list[Row]:
    """The rows of the file's own columns."""
    frame = pl.concat([batch.source for batch in batches])
    return frame.select(name for name in frame.columns if name not in OWN_COLUMNS).rows()


def found(batches: list[Batch]) -> list[tuple[int, str, str | None]]:
    """Row, code and column of every problem."""
    return [row for batch in batches for row in batch.problems.select("row", "code", "column").iter_rows()]


def refusal(path: Path | str, options: ReadOptions = DEFAULT) -> FileError:
    """Why a file cannot be read; batches are read too, for what shows late."""
    with pytest.raises(FileError) as caught:
        _read_through(open_source(str(path), options))
    return caught.value


def _read_through(survey: Survey) -> None:
    with survey:
        for table in survey.tables:
            for _ in table.batches():
                pass


def parts_of(rows: str, *, main: str = MAIN, workbook: str = "", sheet: str = "", styles: str = "") -> dict[str, str]:
    """The parts of a small workbook by hand; `rows` come below a header `id`, `input`."""
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{REL}/officeDocument" '
        f'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{REL}">{workbook}<sheets>'
        f'<sheet name="Cases" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
        f'<Relationship Id="r1" Type="{REL}/worksheet" Target="/xl/worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{REL}/styles" Target="styles.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{main}">'
        f"<sheetData>{NAMES}{rows}</sheetData>{sheet}</worksheet>",
    }
    if styles:
        parts["xl/styles.xml"] = f'<styleSheet xmlns="{main}">{styles}</styleSheet>'
    return parts


def pack(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path

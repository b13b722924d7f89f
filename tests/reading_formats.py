"""Every format that is read, with a writer each: the one table that the tests of all readers share.

A form is a way to write a table of texts (None: no value). Add a line to `FORMS` and every promise is held against it.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import openpyxl
import polars as pl
import xlsxwriter

from tests.reading_binary import write_ods, write_xls, write_xlsb
from tests.reading_talk import MAIN, PACKAGE, REL, STRICT, Row, pack

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Columns = Sequence[str]
Write = Callable[[Path, Sequence[Row], Columns], object]


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which a table is written, and what a reader can know of it."""

    name: str
    suffix: str
    format: str
    """What it is to be recognised as."""
    write_table: Write
    first: int = 2
    """The number of the first row below the header, or of the first record."""
    sheet: str | None = None
    codec: str = "utf-8"
    """Texts that it cannot encode cannot be written."""
    longest: int = 100_000
    """Characters that a cell can hold."""
    cannot_hold: str = ""
    """A regular expression for texts that the format itself cannot hold."""
    ends: bool = True
    """The format says where it ends: a copy that is cut anywhere can be told from a whole one."""

    @property
    def addressed(self) -> bool:
        """Cells have addresses and columns stand in a header row."""
        return self.format in {"csv", "xlsx", "xls", "xlsb", "ods"}

    @property
    def told_encoding(self) -> str | None:
        """What has to be said where any text may stand in a file: some bytes could be Polish as well as German."""
        return self.codec if self.codec != "utf-8" else None

    def holds(self, text: str) -> bool:
        """Whether the format can hold a text at all."""
        try:
            text.encode(self.codec)
        except UnicodeEncodeError:
            return False
        return len(text) <= self.longest and not (self.cannot_hold and re.search(self.cannot_hold, text))

    def write(self, folder: Path, rows: Sequence[Row], columns: Columns, name: str = "cases") -> Path:
        """The table as a file `name` with the form's own suffix."""
        path = folder / f"{name}{self.suffix}"
        self.write_table(path, rows, columns)
        return path

    def address(self, letters: str, row: int) -> str | None:
        """How a cell is to be called."""
        if not self.addressed:
            return None
        return f"{self.sheet}!{letters}{row}" if self.sheet else f"{letters}{row}"

    def __str__(self) -> str:
        return self.name


# Delimited text


def _write_csv(
    path: Path, rows: Sequence[Row], columns: Columns, *, codec: str = "utf-8", delimiter: str = ",", end: str = "\r\n"
) -> None:
    # The writer of older Pythons puts quotes round the line end that it writes itself only, not round the others.
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    with path.open("w", newline="", encoding=codec) as file:
        csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([columns, *rows])


# Records


def _objects(rows: Sequence[Row], columns: Columns) -> list[dict[str, str]]:
    """Rows as objects that lack the keys without a value."""
    return [{key: cell for key, cell in zip(columns, row, strict=True) if cell is not None} for row in rows]


def _write_json_lines(path: Path, rows: Sequence[Row], columns: Columns, *, end: str = "\n") -> None:
    lines = [json.dumps(one, ensure_ascii=False) for one in _objects(rows, columns)]
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())


def _write_json(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    path.write_text(json.dumps(_objects(rows, columns), ensure_ascii=False, indent=1), encoding="utf-8")


def _write_json_records(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    document = {"version": 2, "tags": ["a", "b"], "items": _objects(rows, columns), "next": None}
    path.write_text(json.dumps(document), encoding="utf-8")


def _yaml_text(text: str) -> str:
    """A text in double quotes. JSON's escapes are YAML's too; what no YAML file may hold unescaped is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found.group()):04x}", quoted)


def _yaml_items(rows: Sequence[Row], columns: Columns, indent: str) -> str:
    lines: list[str] = []
    for one in _objects(rows, columns):
        marks = ["- ", *["  "] * (len(one) - 1)]
        lines += [
            f"{indent}{mark}{_yaml_text(key)}: {_yaml_text(text)}"
            for mark, (key, text) in zip(marks, one.items(), strict=True)
        ]
    return "\n".join(lines) + "\n"


def _write_yaml(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    path.write_text(_yaml_items(rows, columns, ""), encoding="utf-8")


def _write_promptfoo(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    head = "# what promptfoo reads\ndescription: Support calls\nprompts:\n  - 'Answer {{input}}'\nproviders: [echo]\n"
    path.write_text(f"{head}tests:\n{_yaml_items(rows, columns, '  ')}", encoding="utf-8")


# Workbooks


def _write_xlsx(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Cases")
        for at, row in enumerate([columns, *rows]):
            for column, cell in enumerate(row):
                if cell is not None:
                    sheet.write_string(at, column, cell)


def _write_openpyxl(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Cases"
    for at, row in enumerate([columns, *rows], 1):
        for column, text in enumerate(row, 1):
            if text is not None:
                cell = sheet.cell(at, column)
                cell.value = text
                cell.data_type = "s"
    book.save(path)


def _write_xlsm(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    _write_xlsx(path, rows, columns)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    types = parts["[Content_Types].xml"].decode()
    macros = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    plain = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    assert plain in types
    parts["[Content_Types].xml"] = types.replace(plain, macros).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _write_by_hand(path: Path, rows: Sequence[Row], columns: Columns, *, main: str = STRICT) -> None:
    """A workbook with its texts in the cells, without references, styles or shared strings."""
    office = REL if main == MAIN else "http://purl.oclc.org/ooxml/officeDocument/relationships"
    body = "".join(
        f'<row r="{number}">{"".join(_inline(cell, at, number) for at, cell in enumerate(row))}</row>'
        for number, row in enumerate([tuple(columns), *rows], 1)
    )
    relation = f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{office}/'
    pack(
        path,
        {
            "_rels/.rels": f'{relation}officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}" conformance="strict"><sheets>'
            '<sheet name="Cases" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'{relation}worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
            f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
        },
    )


def _inline(cell: str | None, column: int, row: int) -> str:
    if cell is None:
        return ""
    text = re.sub("_x(?=[0-9A-Fa-f]{4}_)", "_x005F_x", cell)
    text = re.sub("[\x00-\x08\x0b-\x1f]", lambda found: f"_x{ord(found.group()):04X}_", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<c r="{chr(65 + column)}{row}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _lines(write: Callable[[Path, Sequence[Row]], Path]) -> Write:
    return lambda path, rows, columns: write(path, [tuple(columns), *rows])


# Columns


def _frame(rows: Sequence[Row], columns: Columns) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String), orient="row")


def _write_parquet(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    _frame(rows, columns).write_parquet(path, compression="snappy", row_group_size=max(len(rows) // 3, 1))


def _write_arrow(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    size = max(len(rows) // 3, 1)
    _frame(rows, columns).write_ipc(path, compression="uncompressed", record_batch_size=size)


def _write_arrow_stream(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    """Several record batches, as programs write them that send rows as they come; polars writes one only."""
    size = max(len(rows) // 3, 1)
    schema, batches = b"", b""
    for at in range(0, max(len(rows), 1), size):
        piece = io.BytesIO()
        _frame(rows[at : at + size], columns).write_ipc_stream(piece, compression="zstd")
        content = piece.getvalue()
        end = 8 + int.from_bytes(content[4:8], "little")
        schema, batches = content[:end], batches + content[end : -len(_END_OF_STREAM)]
    path.write_bytes(schema + batches + _END_OF_STREAM)


_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_NO_XML = "[\x00-\x08\x0b-\x1f\ufffe\uffff]"
"""What XML cannot hold; the carriage return is among it because parsers turn it into a line feed."""
_WORKBOOK = 32_767
"""Excel's own limit for a cell."""
_EMPTY = r"\A\Z"
"""A format without a difference between an empty text and none."""

FORMS = (
    Form("csv", ".csv", "csv", partial(_write_csv, end="\n"), cannot_hold=_EMPTY, ends=False),
    Form(
        "csv of Excel",
        ".csv",
        "csv",
        partial(_write_csv, codec="utf-8-sig", delimiter=";"),
        cannot_hold=_EMPTY,
        ends=False,
    ),
    Form("tsv", ".tsv", "csv", partial(_write_csv, delimiter="\t"), cannot_hold=_EMPTY, ends=False),
    Form(
        "csv in UTF-16",
        ".csv",
        "csv",
        partial(_write_csv, codec="utf-16", delimiter="\t"),
        cannot_hold=_EMPTY,
        ends=False,
    ),
    Form(
        "csv in Windows-1252",
        ".csv",
        "csv",
        partial(_write_csv, codec="cp1252", delimiter=";"),
        codec="cp1252",
        cannot_hold=_EMPTY,
        ends=False,
    ),
    Form("csv of old Macs", ".csv", "csv", partial(_write_csv, end="\r"), cannot_hold=_EMPTY, ends=False),
    Form("json lines", ".jsonl", "jsonl", _write_json_lines, first=1, ends=False),
    Form("json lines ended by CR LF", ".ndjson", "jsonl", partial(_write_json_lines, end="\r\n"), first=1, ends=False),
    Form("json array", ".json", "json", _write_json, first=1),
    Form("json object with records", ".json", "json", _write_json_records, first=1),
    Form("yaml list", ".yaml", "yaml", _write_yaml, first=1, ends=False),
    Form("promptfoo", ".yml", "yaml", _write_promptfoo, first=1, ends=False),
    Form(
        "xlsx of xlsxwriter",
        ".xlsx",
        "xlsx",
        _write_xlsx,
        sheet="Cases",
        longest=_WORKBOOK,
        cannot_hold=f"{_EMPTY}|[\ufffe\uffff]",
    ),
    Form(
        "xlsx of openpyxl",
        ".xlsx",
        "xlsx",
        _write_openpyxl,
        sheet="Cases",
        longest=_WORKBOOK,
        cannot_hold=f"{_EMPTY}|{_NO_XML}|_x[0-9A-Fa-f]{{4}}_",
    ),
    Form(
        "xlsm",
        ".xlsm",
        "xlsx",
        _write_xlsm,
        sheet="Cases",
        longest=_WORKBOOK,
        cannot_hold=f"{_EMPTY}|[\ufffe\uffff]",
    ),
    Form(
        "strict xlsx",
        ".xlsx",
        "xlsx",
        _write_by_hand,
        sheet="Cases",
        cannot_hold=f"{_EMPTY}|[\ufffe\uffff]",
    ),
    Form("xls", ".xls", "xls", _lines(write_xls), sheet="Cases", longest=_WORKBOOK, cannot_hold=_EMPTY),
    Form("xlsb", ".xlsb", "xlsb", _lines(write_xlsb), sheet="Cases", longest=_WORKBOOK, cannot_hold=_EMPTY),
    Form("ods", ".ods", "ods", _lines(write_ods), sheet="Cases", cannot_hold=f"{_EMPTY}|{_NO_XML}"),
    Form("parquet", ".parquet", "parquet", _write_parquet, first=1),
    Form("arrow file", ".arrow", "arrow", _write_arrow, first=1),
    Form("arrow stream", ".arrows", "arrow", _write_arrow_stream, first=1),
)


def _zipped(content: bytes, name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


PACKINGS: dict[str, Callable[[bytes, str], bytes]] = {
    ".gz": lambda content, _: gzip.compress(content, mtime=0),
    ".zst": lambda content, _: zstd.compress(content),
    ".bz2": lambda content, _: bz2.compress(content),
    ".xz": lambda content, _: lzma.compress(content),
    ".zip": _zipped,
}
"""Ways to compress a file, by suffix; each takes the content and the name of the file inside."""

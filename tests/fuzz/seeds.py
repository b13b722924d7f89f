"""Seeds: small good files of every kind, which mutations start from. The richer, the more rooms are reached."""

import io
import struct
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import polars as pl
import xlsxwriter

from tests.fuzz.mutations import repack, unpack
from tests.reading_binary import binary_record, ole_file, write_xlsb, xls_stream
from tests.reading_formats import FORMS, PACKINGS
from tests.reading_talk import COLUMNS, Row, pack, parts_of

_ROWS: list[Row] = [
    ("007", 'say "hello", please', None),
    ("8", "two\nlines; a,b\tc", "größe, schön"),  # letters on which Windows' code pages agree: none has to be told
    (None, '{"a": [1, 1.0, null]}', " outer "),
    ("10", "=1+1", "x" * 40),
]
_PLAIN_ROWS: list[Row] = [("1", "a", "b"), ("2", "c", None)]

SUFFIXES = {"csv": ".csv", "jsonl": ".jsonl", "json": ".json", "yaml": ".yaml", "xlsx": ".xlsx", "xls": ".xls"}
SUFFIXES |= {"xlsb": ".xlsb", "ods": ".ods", "parquet": ".parquet", "arrow": ".arrow", "packed": ".csv.gz"}
"""Every kind that is fuzzed: the formats, and what is compressed."""


def seeds_of(kind: str) -> list[bytes]:
    """Good files of a kind; the same ones each time."""
    made = [make() for make in _MAKERS.get(kind, ())]
    with tempfile.TemporaryDirectory(prefix="coval-etl-seeds-") as folder:
        for form in FORMS:
            if form.format == kind:
                for rows in (_ROWS, _PLAIN_ROWS):
                    held = [tuple(text if text is None or form.holds(text) else "-" for text in row) for row in rows]
                    made.append(form.write(Path(folder), held, COLUMNS).read_bytes())
    return made


def _json_lines() -> bytes:
    return (
        b'{"id": "1", "input": "a", "n": 1, "f": 1.0, "deep": {"a": [1, {"b": null}]}, "t": true}\n'
        b'{"id": "2", "input": "\\ud83d\\ude00 \\u0041", "n": 12345678901234567890, "new": []}\n\n'
        b'{"_coval_etl_line": "{\\"id\\": 3,}", "_coval_etl_error": "bad"}\n{"id": null, "input": -0.0, "n": 1e5}\n'
    )


def _json_document() -> bytes:
    return (
        b'{"meta": {"n": [1, 2]}, "cases": [{"id": 1, "input": "a", "deep": {"x": [1.0, -0, 1e5]}},\n'
        b' {"id": 12345678901234567890, "input": null, "more": [[], {}]}, {"id": "3"}], "after": "x"}'
    )


def _yaml_list() -> bytes:
    return (
        b"# cases\n- id: 007\n  input: |\n    two\n    lines\n  tags: [a, 'b', \"c\\n\"]\n  n: 1.0\n"
        b"  when: 2024-01-02\n"
        b"- id: '8'\n  input: >-\n    folded\n    text\n  deep: {a: {b: null}}\n  yes: ~\n"
        b"- {id: 9, input: plain text, n: 0x1F}\n"
    )


def _yaml_promptfoo() -> bytes:
    return (
        b"prompts: [a]\nproviders:\n  - openai:gpt\ntests:\n  - description: one\n    vars:\n      input: hello\n"
        b"    assert:\n      - type: contains\n        value: hi\n  - description: two\n    vars: {input: bye}\n"
    )


def _rich_workbook() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Cases")
        day, clock = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "[h]:mm:ss"})
        sheet.write_row(0, 0, ["Regression suite"])
        sheet.write_row(2, 0, ["id", "input", "when", "how long", "ok", "sum"])
        for row in range(3, 9):
            sheet.write_number(row, 0, row * 1.5)
            sheet.write_rich_string(row, 1, "two ", book.add_format({"bold": True}), "parts", " here")
            sheet.write_datetime(row, 2, datetime(2024, 1, row, 12, 30), day)  # noqa: DTZ001
            sheet.write_number(row, 3, 1.25, clock)
            sheet.write_boolean(row, 4, row % 2 == 0)
            sheet.write_formula(row, 5, "=A1", value=row if row % 2 else "#REF!")
        sheet.merge_range("A10:B11", "merged")
        sheet.write_comment("A4", "a comment")
        sheet.write_url("B12", "https://example.com", string="link")
        hidden = book.add_worksheet("Hidden")
        hidden.write_row(0, 0, ["id", "input"])
        hidden.hide()
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Cases!$A$4:$A$8"})
        book.add_chartsheet("Chart").set_chart(chart)
    return file.getvalue()


def _workbook_by_hand() -> bytes:
    rows = (
        '<row r="2" spans="1:2"><c r="A2"><v>1.5E3</v></c><c r="B2" t="str"><f>A1</f><v>text</v></c></row>'
        '<row r="3"><c r="A3" t="e"><v>#REF!</v></c><c r="B3" t="b"><v>1</v></c></row>'
        '<row r="5"><c r="A5" s="1"><v>45000.5</v></c><c r="B5"><f>A1</f></c></row>'
        '<row r="6"><c r="A6" t="d"><v>2024-01-02T00:00:00</v></c></row>'
    )
    styles = (
        '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy/mm/dd"/></numFmts>'
        '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs>'
    )
    merges = '<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'
    with tempfile.TemporaryDirectory(prefix="coval-etl-seeds-") as folder:
        path = pack(Path(folder) / "a.xlsx", parts_of(rows, sheet=merges, styles=styles))
        return repack(unpack(path.read_bytes()))


def _old_workbook() -> bytes:
    """Numbers, dates, formulas, errors and merged cells in BIFF8, before the records that end the sheet."""
    stream = xls_stream([("id", "input", "notes"), ("1", "a", "b"), ("2", "c", None)], "Cases")

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    more = record(0x203, struct.pack("<HHHd", 3, 0, 15, 1.5)) + record(
        0x27E, struct.pack("<HHHI", 3, 1, 15, 0x3FF00002)
    )
    more += record(0x205, struct.pack("<HHHBB", 3, 2, 15, 1, 0)) + record(0x205, struct.pack("<HHHBB", 4, 0, 15, 23, 1))
    more += record(0x06, struct.pack("<HHHdHIHB", 4, 1, 15, 42.0, 0, 0, 1, 0x1E))
    more += record(0x06, struct.pack("<HHH6sHHIHB", 4, 2, 15, b"\0" * 6, 0xFFFF, 0, 0, 1, 0x1E))
    more += record(0x207, struct.pack("<HB", 4, 0) + b"text") + record(0x201, struct.pack("<HHH", 5, 0, 15))
    more += record(0xBD, struct.pack("<HHHIHIH", 5, 0, 15, 0x3FF00000, 15, 0x40000000, 1))
    more += record(0xE5, struct.pack("<HHHHH", 1, 1, 2, 0, 1))
    end = stream.rindex(struct.pack("<HH", 0x23E, 18))
    return ole_file("Workbook", stream[:end] + more + stream[end:])


def _binary_workbook() -> bytes:
    with tempfile.TemporaryDirectory(prefix="coval-etl-seeds-") as folder:
        path = write_xlsb(Path(folder) / "a.xlsb", [("id", "input", "notes"), ("1", "a", "b"), ("2", "c", None)])
        parts = unpack(path.read_bytes())
    sheet = parts["xl/worksheets/sheet1.bin"]
    more = binary_record(0, struct.pack("<IIHBBBI", 3, 0, 300, 0, 0, 0, 0))
    more += binary_record(5, struct.pack("<IId", 0, 0, 1.5)) + binary_record(2, struct.pack("<III", 1, 0, 0x3FF00002))
    more += binary_record(4, struct.pack("<IIB", 2, 0, 1)) + binary_record(
        0, struct.pack("<IIHBBBI", 4, 0, 300, 0, 0, 0, 0)
    )
    more += binary_record(3, struct.pack("<IIB", 0, 0, 23)) + binary_record(1, struct.pack("<II", 1, 0))
    more += binary_record(9, struct.pack("<IIdHII", 2, 0, 42.0, 0, 0, 0))
    merged = binary_record(177, struct.pack("<I", 1)) + binary_record(176, struct.pack("<IIII", 1, 2, 0, 0))
    end = sheet.rindex(binary_record(146))
    parts["xl/worksheets/sheet1.bin"] = (
        sheet[:end] + more + binary_record(146) + merged + binary_record(178) + binary_record(130)
    )
    return repack(parts)


def _open_document() -> bytes:
    oasis = "urn:oasis:names:tc:opendocument:xmlns"
    cells = {
        "float": 'office:value="1.50"',
        "percentage": 'office:value="0.5"',
        "currency": 'office:value="9.99" office:currency="EUR"',
        "date": 'office:date-value="2024-01-02T12:30:00"',
        "time": 'office:time-value="PT25H30M00S"',
        "boolean": 'office:boolean-value="true"',
    }
    header = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{name}</text:p></table:table-cell>' for name in cells
    )
    data = "".join(
        f'<table:table-cell office:value-type="{name}" {value}><text:p>shown</text:p></table:table-cell>'
        for name, value in cells.items()
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="{oasis}:office:1.0" '
        f'xmlns:table="{oasis}:table:1.0" xmlns:text="{oasis}:text:1.0" xmlns:style="{oasis}:style:1.0">'
        '<office:automatic-styles><style:style style:name="ta1" style:family="table">'
        '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
        '<office:body><office:spreadsheet><table:table table:name="Cases">'
        f'<table:table-column table:number-columns-repeated="6"/><table:table-row>{header}</table:table-row>'
        f'<table:table-row table:number-rows-repeated="2">{data}</table:table-row>'
        '<table:table-row><table:table-cell table:number-columns-spanned="2" office:value-type="string">'
        '<text:p>a <text:span>b</text:span><text:s text:c="3"/>c<text:line-break/>d</text:p><text:p>e</text:p>'
        '</table:table-cell><table:covered-table-cell/><table:table-cell table:formula="of:=1+1" '
        'office:value-type="float" office:value="2"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/>'
        '</table:table-row></table:table><table:table table:name="Hidden" table:style-name="ta1"><table:table-row>'
        f"{header}</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"
    )
    return repack({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": content.encode()})


def _typed_frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [1, 2, None],
            "input": ["a", None, "größe"],
            "f": [1.0, -0.0, None],
            "ok": [True, None, False],
            "day": [date(2024, 1, 2), None, date(1970, 1, 1)],
            "at": [datetime(2024, 1, 2, 3, 4, 5), None, None],  # noqa: DTZ001
            "tags": [["a", "b"], [], None],
            "deep": [{"x": 1, "y": [1.5]}, {"x": None, "y": None}, None],
            "kind": pl.Series(["u", "v", "u"], dtype=pl.Categorical()),
        }
    )


def _typed_parquet() -> bytes:
    file = io.BytesIO()
    _typed_frame().write_parquet(file, compression="zstd")
    return file.getvalue()


def _typed_arrow() -> bytes:
    file = io.BytesIO()
    _typed_frame().write_ipc(file, compression="lz4")
    return file.getvalue()


def _typed_stream() -> bytes:
    file = io.BytesIO()
    _typed_frame().write_ipc_stream(file, compression="uncompressed")
    return file.getvalue()


def _packed(suffix: str) -> Callable[[], bytes]:
    return lambda: PACKINGS[suffix](b"id,input\n" + b'1,hello\n2,"two\nlines"\n' * 5, "cases.csv")


_MAKERS: dict[str, tuple[Callable[[], bytes], ...]] = {
    "csv": (
        lambda: b'Regression suite,,\n\nid,input,notes\r\n1,"a ""b"" c",\r2,"x\ny",z\n',
        lambda: b"sep=;\r\nid;input;price\r\n1;Hallo, Welt;1,5\r\n",
        lambda: "id\tgröße\n1\t5 €\n".encode("cp1252"),
        lambda: b"id|input\n1|it\\'s\n2|#REF!\n",
        lambda: b"id;input\n1;'a;b'\n2;'c''d'\n",
    ),
    "jsonl": (_json_lines,),
    "json": (_json_document,),
    "yaml": (_yaml_list, _yaml_promptfoo),
    "xlsx": (_rich_workbook, _workbook_by_hand),
    "xls": (_old_workbook,),
    "xlsb": (_binary_workbook,),
    "ods": (_open_document,),
    "parquet": (_typed_parquet,),
    "arrow": (_typed_arrow, _typed_stream),
    "packed": tuple(map(_packed, PACKINGS)),
}

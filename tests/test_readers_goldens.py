"""Oddities of real files, and exactly what comes of each: rows and problems, or the sentence that refuses it.

The outcomes are in `tests/goldens/readers.txt`, to be read by people. After a change that is meant, write them again
with `python -m tests.test_readers_goldens` and read the difference.
"""

import json
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from etl.batch import OWN_COLUMNS, ROW, TYPES
from etl.errors import EtlError
from etl.readers import ReadOptions, open_source
from tests.reading_binary import ole_file
from tests.reading_talk import pack, parts_of

GOLDENS = Path(__file__).parent / "goldens" / "readers.txt"


@dataclass(frozen=True, slots=True)
class Case:
    """A file, how it is read, and under which heading it stands."""

    title: str
    content: str | bytes
    name: str = "cases.csv"
    options: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    """For workbooks by hand: `content` are rows below a header `id`, `input`, these go with them."""

    @property
    def heading(self) -> str:
        return f"{self.name.rpartition('.')[2]}: {self.title}"

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        if path.suffix == ".xlsx" and isinstance(self.content, str):
            return pack(path, parts_of(self.content, **self.parts))
        path.write_bytes(self.content if isinstance(self.content, bytes) else self.content.encode())
        return path


def text(title: str, content: str | bytes, **options: Any) -> Case:
    return Case(title, content, "cases.csv", options)


def lines(title: str, content: str | bytes, **options: Any) -> Case:
    return Case(title, content, "cases.jsonl", options)


def document(title: str, content: str | bytes, **options: Any) -> Case:
    return Case(title, content, "cases.json", options)


def yaml(title: str, content: str, **options: Any) -> Case:
    return Case(title, content, "cases.yaml", options)


def book(title: str, rows: str, *, options: dict[str, Any] | None = None, **parts: str) -> Case:
    return Case(title, rows, "cases.xlsx", options or {}, parts)


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def number(at: str, value: object, style: int | None = None) -> str:
    named = f' s="{style}"' if style is not None else ""
    return f'<c r="{at}"{named}><v>{value}</v></c>'


def words(at: str, value: str) -> str:
    return f'<c r="{at}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


DATES = (
    '<numFmts count="4"><numFmt numFmtId="164" formatCode="yyyy-mm-dd"/>'
    '<numFmt numFmtId="165" formatCode="d.m.yyyy h:mm"/>'
    '<numFmt numFmtId="166" formatCode="[h]:mm:ss"/><numFmt numFmtId="167" formatCode="h:mm AM/PM"/></numFmts>'
    '<cellXfs count="9"><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/>'
    '<xf numFmtId="167"/><xf numFmtId="11"/><xf numFmtId="9"/><xf numFmtId="49"/><xf numFmtId="3"/></cellXfs>'
)

CASES = (
    # delimited text: encodings
    text("UTF-8 with a mark", "\ufeffid,input\n1,größe\n"),
    text("UTF-16, little end first", "id,input\n1,größe\n".encode("utf-16")),
    text("UTF-16, big end first", b"\xfe\xff" + "id,input\n1,größe\n".encode("utf-16-be")),
    text("UTF-16 without a mark", "id,input\n1,hello\n".encode("utf-16-le")),
    text("Windows-1252 of Germany", "id;input\n1;größer als 5 €\n".encode("cp1252")),
    text("bytes that may be Czech or Western", "id,input\n1,kůň\n".encode("cp1250")),
    text("bytes that are told to be Czech", "id,input\n1,kůň\n".encode("cp1250"), encoding="cp1250"),
    text("one bad byte in UTF-8", "id,input\n1,größe\n2,gr".encode() + b"\xf6\xdfe\n"),
    text("half a character in UTF-8", b"id,input\n1,\xed\xa0\x80\n"),
    text("UTF-8 that was taken for Windows-1252 once", "id,input\n1,grÃ¶ÃŸe\n"),
    text("a NUL", b"id,input\n1,a\0b\n2,c\n"),
    text("a file of NULs", bytes(40)),
    text("an escape sequence for terminals", "id,input\n1,\x1b[31mred\n"),
    # delimited text: delimiters, quotes, escapes
    text("semicolons and decimal commas", "id;price\n1;1,50\n2;2,75\n"),
    text("tabs", "id\tinput\n1\thello, you\n"),
    text("bars", "id|input\n1|hello, you\n"),
    text("carets", "id^input\n1^hello\n"),
    text("carets, told", "id^input\n1^hello\n", delimiter="^"),
    text("a sep= line", "sep=;\r\nid;input\r\n1;a,b\r\n"),
    text("two delimiters as good as each other", "a,b\tc\n1,2\t3\n"),
    text("one column of sentences", "description\nHello, world\nHi, you\n"),
    text("one column", "id\n1\n2\n"),
    text("a quoted cell with all that can be in it", 'id,input\n1,"a ""b"", c\nd\r\ne"\n2,x\n'),
    text("quotes where a cell holds some already", 'id,input\n1,5" pipe\n2,say "hi"\n'),
    text("single quotes", "id,input\n1,'a, b'\n2,'it''s'\n"),
    text("single quotes, told", "id,input\n1,'a, b'\n2,'it''s'\n", quote="'"),
    text("no quotes, told", 'id,input\n1,"a\n2,b"\n', quote="none"),
    text("backslashes before quotes", 'id,input\n1,"say \\"hi\\", you"\n2,"b"\n'),
    text("backslashes before quotes, told", 'id,input\n1,"say \\"hi\\", you"\n2,"C:\\new"\n', escape="\\"),
    text("blanks after the delimiter, before a quote", 'id, input\n1, "a, b"\n2, c\n'),
    text("an unclosed quote", 'id,input\n1,a\n2,"b\n3,c\n4,d\n'),
    text("text behind a closing quote", 'id,input\n1,"a"b\n2,c\n'),
    text("a quote that opens in the middle of a cell", 'id,input,notes\n1,a"b,c"\n2,d,e\n'),
    # delimited text: lines and rows
    text("line ends of Windows", "id,input\r\n1,a\r\n2,b\r\n"),
    text("line ends of old Macs", "id,input\r1,a\r2,b\r"),
    text("line ends of all kinds", "id,input\r\n1,a\n2,b\r3,c"),
    text("row numbers behind line breaks", 'id,input\n1,"a\nb\nc"\n2,d\n\n3,e\n'),
    text("blank rows and rows of blanks", "id,input\n1,a\n,\n  , \n\n2,b\n"),
    text("a row that is too short", "id,input,notes\n1,a,b\n2,c\n3,d,e\n"),
    text("a row that is too long", "id,input\n1,a\n2,b, c\n3,d\n"),
    text("a delimiter at the end of each row", "id,input,\n1,a,\n2,b,\n"),
    text("a delimiter at the end of each row but the header's", "id,input\n1,a,\n2,b,\n"),
    text("errors of a spreadsheet", "id,input\n1,#REF!\n2,#N/A\n3,see #REF!\n"),
    text("words for nothing", "id,input\n1,NULL\n2,N/A\n3,-\n4,\n"),
    text("numbers as they stand", "id,n\n007,1.0\n1e5,+49 30 1\n12345678901234567890,1.5e-10\n"),
    # delimited text: headers
    text("titles, notes and a blank line above", "Regression suite,,\nOwner:,Ana,\n\nid,input,notes\n1,a,\n2,b,c\n"),
    text("a title of one cell above", "Regression suite\nid,input\n1,a\n2,b\n"),
    text("two titles of one cell above a small table", "My title\nmade by me\nid,input\n1,a\n"),
    text("more titles than records", "My title\nmade by me\nin May\nid,input\n1,a\n"),
    text("a header of two rows", "Caller,,Agent,\nname,phone,name,phone\nAna,1,Bo,2\nCy,3,Di,4\n"),
    text("the header twice", "id,input\nid,input\n1,a\n"),
    text("names twice", "id,input,id\n1,a,2\n"),
    text("names that differ in case only", "id,ID\n1,2\n"),
    text("a column without a name", "id,,input\n1,x,a\n"),
    text("a column without a name and without data", "id,,input\n1,,a\n"),
    text("no header", "1,2\n3,4\n"),
    text("no header, but words", "1,hello\n2,bye\n"),
    text("a header in row 3, told", "1,2\n3,4\nfive,six\n7,8\n", header_row=3),
    text("a header in a blank row, told", "a,b\n\n1,2\n", header_row=2),
    text("a header behind the end, told", "a,b\n1,2\n", header_row=9),
    text("a header alone", "id,input\n"),
    text("nothing", ""),
    text("blank lines only", "\n\n  \n"),
    text("names of our own", "_row,input\n1,a\n"),
    text("names with line breaks and blanks", '" id ","in\nput"\n1,a\n'),
    # names that lie
    Case("text called .xls", "id,input\n1,a\n", "cases.xls"),
    Case("a table in HTML called .xls", "<html><table><tr><td>id</td></tr></table></html>", "cases.xls"),
    Case("XML of Excel 2003 called .xls", '<?xml version="1.0"?><Workbook xmlns="x"/>', "cases.xls"),
    Case("a picture called .csv", b"\x89PNG\r\n\x1a\n" + bytes(20), "cases.csv"),
    Case("a PDF called .xlsx", b"%PDF-1.7\n", "cases.xlsx"),
    Case("JSON called .csv", '[{"id": 1}]', "cases.csv"),
    Case("JSON Lines called .json", '{"id": 1}\n{"id": 2}\n', "cases.json"),
    Case("JSON Lines called .txt", '{"id": 1}\n{"id": 2}\n', "cases.txt"),
    Case("an unknown name", "id,input\n1,a\n", "cases.dat2"),
    # JSON Lines
    lines("values of every kind", '{"s":"a","n":1,"f":1.0,"t":true,"z":null,"l":[1, 2.50],"o":{"a": {}}}\n'),
    lines("numbers of every kind", '{"a":12345678901234567890,"b":1e5,"c":-0,"d":1E400,"e":0.10}\n'),
    lines("other keys in each line", '{"a":1}\n{"b":"2"}\n{"a":null,"b":""}\n'),
    lines("a line that is no JSON", '{"a":1}\n{"a":2,}\n{"a":3}\n'),
    lines("a line that is another kind of JSON", '{"a":1}\n[1]\n"x"\n5\n'),
    lines("text behind the object", '{"a":1} x\n{"a":2}\n'),
    lines("several objects on a line", '{"a":1}{"a":2}\n{"a":3} {"a":4}\n'),
    lines("a key twice", '{"a":1,"a":2}\n{"a":{"b":1,"b":2}}\n'),
    lines("no numbers", '{"a":NaN}\n{"a":-Infinity}\n{"a":1}\n'),
    lines("comments and single quotes", '{"a":1} // one\n{\'a\':2}\n{"a":3}\n'),
    lines("blank lines and a mark", '\ufeff{"a":1}\n\n   \n{"a":2}'),
    lines("lone CR between lines", '{"a":1}\r{"a":2}\r'),
    lines("signs that some take for line ends", '{"a":"x\u2028y\x85z"}\n{"a":"2"}\n'),
    lines("escapes", '{"a":"\\ud83d\\ude00 \\u0041 \\/"}\n{"a":"\\ud83d"}\n{"a":"\\u0000"}\n'),
    lines("an object over many lines", '{\n  "a": 1\n}\n'),
    lines("deep nesting", '{"a":' + "[" * 70 + "]" * 70 + "}\n" + '{"a":1}\n'),
    lines("very deep nesting", '{"a":' + "[" * 5000 + "]" * 5000 + "}\n" + '{"a":1}\n'),
    lines("a number of 5,000 digits", '{"a":' + "9" * 5000 + "}\n"),
    lines("no object at all", "[1]\n[2]\n"),
    lines("objects without keys", "{}\n{}\n"),
    lines("a byte that is not UTF-8", b'{"a":"gr\xf6sse"}\n'),
    # one JSON document
    document("a list of objects", '[{"id":1,"input":"a"},\n {"id":2.0}]'),
    document("an object that holds a list", '{"version":1,"cases":[{"id":1},{"id":2}],"next":null}'),
    document("an object that holds two lists", '{"a":[{"id":1}],"b":[{"id":2}]}'),
    document("an object that holds two lists, told", '{"a":[{"id":1}],"b":[{"id":2}]}', records="b"),
    document("an object, told a key that it has not", '{"cases":[{"id":1}]}', records="casse"),
    document("one object", '{"id":1,"input":"a"}'),
    document("a list of other things", '[{"id":1}, 5, null, [1], {"id":2}]'),
    document("a list of lists", "[[1,2],[3,4]]"),
    document("an empty list", "[]"),
    document("text behind the end", '[{"id":1}] x'),
    document("cut off", '[{"id":1},{"id":2'),
    document("a comma too many", '[{"id":1},]'),
    document("a comma too few", '[{"id":1}\n{"id":2}]'),
    document("a key twice", '[{"id":1,"id":2},{"id":3}]'),
    document("no number", '[{"id":NaN},{"id":3}]'),
    document("spaced and nested", '[ { "id" : 1.50 , "o" : { "b" : [ 1 , 2 ] } } ]'),
    document("a list in a list of an object", '{"data":{"items":[{"id":1}]}}'),
    # YAML
    yaml("a list", "- id: 1\n  input: hello\n- id: 2\n  notes: x\n"),
    yaml(
        "scalars that YAML may change",
        "- a: 007\n  b: 1.0\n  c: yes\n  d: 2024-01-02\n  e: 1_000\n  f: 1:30\n  g: ~\n  h: 0x1F\n",
    ),
    yaml("quoted scalars", "- a: '007'\n  b: \"1.0\\n\"\n  c: 'yes'\n"),
    yaml("block scalars", "- a: |\n    two\n    lines\n  b: >-\n    folded\n    text\n"),
    yaml(
        "promptfoo",
        "prompts: [x]\ntests:\n  - description: one\n    vars: {name: Ana, n: 1.0}\n"
        "    assert:\n      - type: contains\n        value: hi\n",
    ),
    yaml("anchors and aliases", "- &a {id: 1}\n- *a\n"),
    yaml("a merge key", "- &a {id: 1}\n- <<: *a\n  input: x\n"),
    yaml("a tag that would run code", "- id: !!python/object/apply:os.system ['true']\n"),
    yaml("a key twice", "- id: 1\n  id: 2\n"),
    yaml("several documents", "- id: 1\n---\n- id: 2\n"),
    yaml("a mapping", "id: 1\ninput: x\n"),
    yaml("broken indents", "- id: 1\n   input: x\n"),
    yaml("a tab", "- id: 1\n\tinput: x\n"),
    yaml("a key that is no text", "- 1: a\n  true: b\n"),
    yaml("not a number", "- a: .nan\n  b: .inf\n"),
    yaml("deep nesting", "- a: " + "[" * 200 + "]" * 200 + "\n"),
    # values in workbooks
    book(
        "numbers",
        row(2, number("A2", "5.0"), number("B2", "0.1"))
        + row(3, number("A3", "1E3"), number("B3", "1.1000000000000001")),
    ),
    book("text that looks like a number", row(2, words("A2", "00123"), words("B2", "1e5"))),
    book("an id of 17 digits as a number", row(2, number("A2", "12345678901234567"), words("B2", "x"))),
    book("a phone number as a number", row(2, number("A2", "491701234567"), words("B2", "x"))),
    book(
        "a number shown in scientific notation", row(2, number("A2", "123456789012", 5), words("B2", "x")), styles=DATES
    ),
    book(
        "a percentage and a number with separators",
        row(2, number("A2", "0.5", 6), number("B2", "1234567", 8)),
        styles=DATES,
    ),
    book("booleans", row(2, '<c r="A2" t="b"><v>1</v></c>', '<c r="B2" t="b"><v>0</v></c>')),
    book(
        "errors",
        row(2, '<c r="A2" t="e"><v>#REF!</v></c>', words("B2", "x"))
        + row(3, number("A3", 1), '<c r="B3" t="e"><v>#N/A</v></c>'),
    ),
    book("errors typed as text", row(2, words("A2", "#REF!"), words("B2", "see #REF!"))),
    book(
        "formulas with a result",
        row(2, '<c r="A2"><f>1+1</f><v>2</v></c>', '<c r="B2" t="str"><f>"a"&amp;"b"</f><v>ab</v></c>'),
    ),
    book("formulas without a result", row(2, '<c r="A2"><f>1+1</f></c>', words("B2", "x"))),
    book("a formula with an empty result", row(2, number("A2", 1), '<c r="B2" t="str"><f>""</f><v></v></c>')),
    book(
        "rich text and phonetic signs",
        row(
            2,
            number("A2", 1),
            '<c r="B2" t="inlineStr"><is><r><t>two </t></r><r><t>parts</t></r><rPh><t>X</t></rPh></is></c>',
        ),
    ),
    book("escapes of Excel", row(2, number("A2", 1), words("B2", "a_x000D_b_x005F_x0041_"))),
    book("blanks that count", row(2, number("A2", 1), words("B2", "  a  "))),
    # dates in workbooks
    book(
        "a date, a date and time, a duration, a time",
        row(2, number("A2", "45293", 1), number("B2", "45293.5", 2))
        + row(3, number("A3", "1.0625", 3), number("B3", "0.75", 4)),
        styles=DATES,
    ),
    book(
        "dates counted from 1904",
        row(2, number("A2", "43831", 1), number("B2", 1)),
        styles=DATES,
        workbook='<workbookPr date1904="1"/>',
    ),
    book(
        "dates about the leap day that never was",
        "".join(
            row(at, number(f"A{at}", day, 1), number(f"B{at}", 1)) for at, day in ((2, 1), (3, 59), (4, 60), (5, 61))
        ),
        styles=DATES,
    ),
    book("numbers that are no date", row(2, number("A2", "-1", 1), number("B2", "2958466", 1)), styles=DATES),
    book("an ISO date", row(2, '<c r="A2" t="d"><v>2024-01-02T03:04:05</v></c>', number("B2", 1))),
    book("an id in a column of dates", row(2, number("A2", "1001", 1), words("B2", "x")), styles=DATES),
    # rows and areas in workbooks
    book("rows with gaps", row(4, number("A4", 1)) + row(9, number("A9", 2), words("B9", "x"))),
    book(
        "formatted rows without a value to the end of the sheet",
        row(2, number("A2", 1)) + row(1048576, '<c r="A1048576" s="1"/>'),
        styles=DATES,
    ),
    book(
        "merged cells in the data",
        row(2, number("A2", 1), words("B2", "a")) + row(3, number("A3", 2)),
        sheet='<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells>',
    ),
    book(
        "merged cells in the data, filled on request",
        row(2, number("A2", 1), words("B2", "a")) + row(3, number("A3", 2)),
        options={"fill_merged": True},
        sheet='<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells>',
    ),
    book(
        "a value under a merged area",
        row(2, number("A2", 1), words("B2", "a")) + row(3, number("A3", 2), words("B3", "hidden")),
        sheet='<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells>',
    ),
    book(
        "merged areas that overlap",
        row(2, number("A2", 1), words("B2", "a")) + row(3, number("A3", 2)),
        sheet='<mergeCells count="2"><mergeCell ref="A2:B2"/><mergeCell ref="B2:B3"/></mergeCells>',
    ),
    book("a stray cell far away", row(2, number("A2", 1), number("XFD2", 2))),
    book("rows that go back", row(3, number("A3", 1)) + row(2, number("A2", 2))),
    book("a cell twice", row(2, number("A2", 1), number("A2", 2))),
    book("a cell beyond the sheet", row(2, number("XFE2", 1))),
    book("a text that is not there", row(2, '<c r="A2" t="s"><v>9</v></c>')),
    book("broken XML", '<row r="2"><c r="A2"><v>1</v></row>'),
    book("a sheet that is not there, told", row(2, number("A2", 1)), options={"sheet": "Casse"}),
    book("a document type", row(2, number("A2", 1)), workbook="<!DOCTYPE x>"),
    Case(
        "a workbook with a password",
        ole_file("EncryptedPackage", bytes(5_000)),
        "cases.xlsx",
    ),
    Case("a zip archive of nothing", b"PK\x05\x06" + bytes(18), "cases.xlsx"),
    Case("a zip archive that is cut off", b"PK\x03\x04" + bytes(40), "cases.xlsx"),
)


def outcome(case: Case, folder: Path) -> str:
    """What is told of a case: columns, rows, problems; or why it is refused, and what would do."""
    path = case.write(folder)
    try:
        return "\n".join(_told(path, case.options))
    except EtlError as error:
        told = f"{error.message}\n{error.hint}".replace(f"{folder}/", "").strip()
        return textwrap.indent(told, "  refused: ", told.startswith).replace("\n", "\n  so: ")


def _told(path: Path, options: dict[str, Any]) -> Iterator[str]:
    with open_source(str(path), ReadOptions(**options)) as survey:
        for skipped in survey.skipped:
            yield f"  skipped: {skipped.sheet}: {skipped.reason}"
        for table in survey.tables:
            dialect = {name: value for name, value in table.origin.dialect.items() if value}
            yield f"  {table.origin.format} {json.dumps(dialect, ensure_ascii=False) if dialect else ''}".rstrip()
            yield f"    row | {' | '.join(table.origin.columns)}"
            for batch in table.batches():
                for values in batch.source.iter_rows(named=True):
                    cells = [_cell(text) for name, text in values.items() if name not in OWN_COLUMNS]
                    types = f"   {values[TYPES]}" if values.get(TYPES) not in {None, "{}"} else ""
                    yield f"    {values[ROW]:3} | {' | '.join(cells)}{types}"
                for one in batch.problems.iter_rows(named=True):
                    place = one["cell"] or one["column"] or "the row"
                    yield f"    {one['severity']} {one['code']} in {place} of row {one['row']}: {one['message']}"


def _cell(text: str | None) -> str:
    if text is None:
        return "∅"
    shown = json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\x85", "\\x85")
    return shown if len(shown) <= 80 else f"{shown[:60]}… {len(text)} characters"


def given(case: Case) -> str:
    """The file as far as it can be shown."""
    if isinstance(case.content, bytes):
        shown = repr(case.content)
    elif case.content.startswith("<row"):
        shown = "\n".join([*case.content.replace("</row>", "</row>\n").splitlines(), *case.parts.values()])
    else:
        pieces = [json.dumps(line, ensure_ascii=False)[1:-1] for line in case.content.splitlines(keepends=True)]
        shown = "\n".join(piece.replace('\\"', '"') for piece in pieces)
    shown = shown if len(shown) <= 600 else f"{shown[:200]}… {len(case.content)} characters"
    how = " ".join(f"--{name.replace('_', '-')} {value}".removesuffix(" True") for name, value in case.options.items())
    return f"{case.name} {how}".rstrip() + "\n" + textwrap.indent(shown, "  > ")


def block(case: Case, folder: Path) -> str:
    return f"## {case.heading}\n{given(case)}\n{outcome(case, folder)}\n"


def goldens() -> dict[str, str]:
    """The blocks by title."""
    blocks = GOLDENS.read_text(encoding="utf-8").split("\n## ")
    return {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in blocks[1:]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.heading)
def test_an_oddity_has_the_outcome_that_was_judged_right(case: Case, tmp_path: Path) -> None:
    assert block(case, tmp_path) == goldens()[case.heading]


def test_no_golden_is_without_its_case() -> None:
    assert sorted(goldens()) == sorted(case.heading for case in CASES)


def _write() -> None:
    head = "What the readers make of odd files. Written by `python -m tests.test_readers_goldens`; read by people.\n"
    GOLDENS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coval-etl-goldens-") as folder:
        blocks = [block(case, Path(folder)) for case in CASES]
    GOLDENS.write_text("\n".join([head, *blocks]), encoding="utf-8")


if __name__ == "__main__":
    _write()

"""Sniffing: what a file is, by its content, then by its name; and in words, what it is where it is not read."""

import json
import zipfile
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from etl.batch import Certainty, Decision
from etl.errors import FileError
from etl.formats import FORMATS
from etl.readers import ReadOptions
from etl.readers.sniff import SPOKEN, sniff_format
from etl.readers.sources.opening import open_input
from tests.reading_binary import ole_file
from tests.reading_formats import FORMS, Form
from tests.reading_talk import COLUMNS, ROWS, pack

CERTAIN, LIKELY, TOLD = Certainty.CERTAIN, Certainty.LIKELY, Certainty.TOLD
NOTHING = ReadOptions()


def sniff(path: Path, told: ReadOptions = NOTHING, fallback: ReadOptions = NOTHING) -> Decision:
    with closing(open_input(str(path))) as source:
        format_, decision = sniff_format(source, told, fallback)
    assert (decision.subject, decision.value) == ("format", format_)
    return decision


def sniff_text(folder: Path, name: str, content: str | bytes, told: ReadOptions = NOTHING) -> tuple[str, Certainty]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    decision = sniff(path, told)
    return decision.value, decision.certainty


def refusal(path: Path, told: ReadOptions = NOTHING) -> FileError:
    with pytest.raises(FileError) as caught:
        sniff(path, told)
    return caught.value


def test_every_format_has_words() -> None:
    assert set(SPOKEN) == set(FORMATS)


@pytest.mark.parametrize("form", FORMS, ids=str)
class TestEveryForm:
    def test_is_recognised_by_content_and_name(self, tmp_path: Path, form: Form) -> None:
        decision = sniff(form.write(tmp_path, ROWS, COLUMNS))
        assert decision.value == form.format
        assert "although" not in decision.evidence

    def test_is_recognised_by_content_alone(self, tmp_path: Path, form: Form) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        for name in ("cases", "cases.txt", "cases.DAT"):
            assert sniff(path.rename(tmp_path / name)).value == form.format
            path = tmp_path / name

    def test_is_recognised_under_a_wrong_name(self, tmp_path: Path, form: Form) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        wrong = ".xlsx" if form.format == "ods" else ".ods"
        if form.format == "csv":
            error = refusal(path.rename(tmp_path / f"cases{wrong}"))
            assert "is text, although its name says it is a workbook" in error.message
            assert "--format csv" in error.hint
        else:
            decision = sniff(path.rename(tmp_path / f"cases{wrong}"))
            assert decision.value == form.format
            assert decision.evidence.endswith(f", although its name ends in {wrong}")

    def test_may_be_told(self, tmp_path: Path, form: Form) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        decision = sniff(path, ReadOptions(form.format))
        assert (decision.evidence, decision.certainty) == ("said with --format", TOLD)
        decision = sniff(path, NOTHING, ReadOptions(form.format))
        assert (decision.evidence, decision.certainty) == ("said in the mapping", TOLD)

    def test_may_not_be_told_to_be_what_it_is_not(self, tmp_path: Path, form: Form) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        for wanted in {"xlsx", "xls", "xlsb", "ods", "parquet", "arrow"} - {form.format}:
            error = refusal(path, ReadOptions(wanted))
            assert f", not {SPOKEN[wanted]}." in error.message
            assert error.hint == "Leave out --format."
        if form.format not in {"csv", "jsonl", "json", "yaml"}:
            assert refusal(path, ReadOptions("csv")).message.endswith(f"is {SPOKEN[form.format]}, not CSV.")


CASES = """\
- input: Hello
  expected: [a, b]
"""
PROMPTFOO = """\
# eval
description: My calls, all
prompts:
  - 'Answer {{input}}'
tests:
  - vars:
      input: Hello
"""


class TestText:
    @pytest.mark.parametrize(
        ("name", "content", "format_", "certainty"),
        [
            ("a.csv", "id,input\n1,x\n", "csv", CERTAIN),
            ("a.CSV", "id\n1\n", "csv", CERTAIN),
            ("a", "id,input\n1,x\n", "csv", LIKELY),
            ("a.csv", "[id],[input]\n1,x\n", "csv", CERTAIN),
            ("a", "[id],[input]\n1,x\n", "csv", LIKELY),
            ("a", '["id"],["input"]\n1,x\n', "csv", LIKELY),
            ("a", "{{id}},{{input}}\n1,x\n", "csv", LIKELY),
            ("a", "<TICKER>,<DATE>\nA,2\n", "csv", LIKELY),
            ("a", "<a>\t<b>\n1\t2\n", "csv", LIKELY),
            ("a.csv", "PAR1,PAR2\n1,2\n", "csv", CERTAIN),
            ("a.csv", "FEA1,FEA2\n1,2\n", "csv", CERTAIN),
            ("a.csv", "BZhang,x\n1,2\n", "csv", CERTAIN),
            ("a.csv", "ID;Price\n1;2\n", "csv", CERTAIN),
            ("a.csv", "TABLE\n1\n", "csv", CERTAIN),
            ("a.csv", "- a: 1\n- b: 2\n", "csv", CERTAIN),
            ("a.csv", "id\x01input\n1\x01x\n", "csv", CERTAIN),
            ("a.csv", '{"id": 1}\n{"id": 2}\n', "jsonl", CERTAIN),
            ("a.csv", '{"id": 1}\n', "jsonl", CERTAIN),
            ("a.csv", '[{"id": 1}]', "json", CERTAIN),
            ("a.jsonl", '{"id": 1}\n', "jsonl", CERTAIN),
            ("a.jsonl", '\ufeff\r\n{"id": 1}\r\n', "jsonl", CERTAIN),
            ("a.jsonl", "not json\n", "jsonl", LIKELY),
            ("a.jsonl", '{"id": 1,}\n{"id": 2}\n', "jsonl", CERTAIN),
            ("a.jsonl", '[{"id": 1},\n{"id": 2}]', "json", CERTAIN),
            ("a.jsonl", '{"id": 1} {"id": 2}\n', "jsonl", CERTAIN),
            ("a", '{"id": 1}\n{"id": 2}\n', "jsonl", CERTAIN),
            ("a", '{"id": 1}\n', "jsonl", LIKELY),
            ("a", '{"id": 1}\nbroken\n', "jsonl", LIKELY),
            ("a", '{"id": 1,}\n{"id": 2}\n', "jsonl", LIKELY),
            ("a", '{"id": 1}\r{"id": 2}\r', "jsonl", CERTAIN),
            ("a.json", '{"id": 1}\n{"id": 2}\n', "jsonl", CERTAIN),
            ("a.json", '{"tests": [{"id": 1}]}', "json", CERTAIN),
            ("a.json", '{\n "tests": []\n}', "json", CERTAIN),
            ("a.json", '[{"id": 1}, {"id": 2}', "json", CERTAIN),
            ("a.json", "42", "json", LIKELY),
            ("a", '{\n "tests": []\n}', "json", CERTAIN),
            ("a", '{\n "tests": [}\n}', "json", LIKELY),
            ("a", '{\n "a": 1\n}\n{\n "a": 2\n}\n', "json", LIKELY),
            ("a", "[]", "json", CERTAIN),
            ("a", '{"data": [{"id": 1}], "next": null}', "json", LIKELY),
            ("a", '{"data": [{"id": 1}], "more": [{"id": 2}]}', "jsonl", LIKELY),
            ("a", '{"data": [1], "more": []}', "jsonl", LIKELY),
            ("a.jsonl", '{"data": [{"id": 1}]}', "jsonl", LIKELY),
            ("a.csv", '{"data": [{"id": 1}]}', "jsonl", CERTAIN),
            ("a.csv", "a,b\n1,\0\n", "csv", CERTAIN),
            ("a", "[\n]\n", "json", CERTAIN),
            ("a", '["id"]\n["x"]\n', "jsonl", LIKELY),
            ("a", '[["a", 1],\n["b", 2]]', "json", CERTAIN),
            ("a", '{"id": ' + "[" * 50_000, "jsonl", LIKELY),
            ("a", '{"id": ' + "9" * 5_000 + "}\n{}", "jsonl", CERTAIN),
            ("a.yaml", CASES, "yaml", CERTAIN),
            ("a.yml", "x", "yaml", LIKELY),
            ("a.yml", '[{"id": 1}]', "yaml", LIKELY),
            ("a", CASES, "yaml", LIKELY),
            ("a", "---\na: 1\n", "yaml", LIKELY),
            ("a", PROMPTFOO, "yaml", LIKELY),
            ("a.txt", "user: hello\nagent: hi\n", "csv", LIKELY),
        ],
    )
    def test_is_told_apart(self, tmp_path: Path, name: str, content: str, format_: str, certainty: Certainty) -> None:
        assert sniff_text(tmp_path, name, content) == (format_, certainty)

    @pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_is_told_apart_in_every_encoding(self, tmp_path: Path, codec: str) -> None:
        assert sniff_text(tmp_path, "a", '{"id": 1}\n{"id": 2}\n'.encode(codec))[0] == "jsonl"
        assert sniff_text(tmp_path, "a", '[{"id": 1}]'.encode(codec))[0] == "json"
        assert sniff_text(tmp_path, "a", CASES.encode(codec))[0] == "yaml"
        assert sniff_text(tmp_path, "a", "id,input\n1,ä\n".encode(codec))[0] == "csv"

    def test_is_looked_at_as_it_was_told(self, tmp_path: Path) -> None:
        content = '{"id": "こんにちは"}\n{"id": 2}\n'.encode("shift-jis")
        assert sniff_text(tmp_path, "a", content, ReadOptions(encoding="shift-jis")) == ("jsonl", CERTAIN)
        content = '{"id": 1}\n{"id": 2}\n'.encode("cp037")
        assert sniff_text(tmp_path, "a", content, ReadOptions(encoding="cp037")) == ("jsonl", CERTAIN)

    def test_is_told_apart_beyond_its_first_bytes(self, tmp_path: Path) -> None:
        long = json.dumps({"id": 1, "input": "x" * 100_000})
        assert sniff_text(tmp_path, "a.json", f'{long}\n{{"id": 2}}\n') == ("jsonl", CERTAIN)
        assert sniff_text(tmp_path, "a.json", long) == ("json", LIKELY)
        assert sniff_text(tmp_path, "a", long) == ("jsonl", LIKELY)
        assert sniff_text(tmp_path, "a", json.dumps([{"id": 1, "input": "x" * 100_000}])) == ("json", CERTAIN)
        assert sniff_text(tmp_path, "a", json.dumps({"id": 1, "input": "x" * 9_000_000})) == ("json", LIKELY)
        assert sniff_text(tmp_path, "a", json.dumps([["x"] * 100_000])) == ("json", LIKELY)
        assert sniff_text(tmp_path, "a", "- id: 1\n" * 10_000) == ("yaml", LIKELY)

    @pytest.mark.parametrize(
        ("content", "wanted", "why"),
        [
            ('{"id": 1}\n{"id": 2}\n', "csv", "is JSON Lines, not CSV."),
            ('[{"id": 1}]', "csv", "is a JSON document, not CSV."),
            ('[{"id": 1}]', "jsonl", "is a JSON document, not JSON Lines."),
        ],
    )
    def test_that_is_certainly_json_is_not_read_as_another(
        self, tmp_path: Path, content: str, wanted: str, why: str
    ) -> None:
        (tmp_path / "a").write_text(content)
        assert refusal(tmp_path / "a", ReadOptions(wanted)).message.endswith(why)

    @pytest.mark.parametrize(
        ("content", "wanted"),
        [("a,b\n", "yaml"), ('[{"a": 1}]', "yaml"), ('{"a": 1}', "json"), ("<TICKER>,<DATE>", "csv")],
    )
    def test_may_be_told_where_it_could_be_so(self, tmp_path: Path, content: str, wanted: str) -> None:
        assert sniff_text(tmp_path, "a.odd", content, ReadOptions(wanted)) == (wanted, TOLD)

    def test_with_an_unknown_name_is_asked_about(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_text("id,input\n")
        error = refusal(tmp_path / "a.log")
        assert error.message.endswith("a.log is not known.")
        assert "--format csv" in error.hint


HTML = "<!DOCTYPE html>\n<html><table><tr><td>id</td></tr></table>"
XML_2003 = """<?xml version="1.0"?>
<?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">"""


class TestWhatIsNotRead:
    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"SQLite format 3\x00" + bytes(80), "an SQLite database"),
            (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
            (b"{\\rtf1\\ansi", "a Rich Text document"),
            (b"Obj\x01\x04\x16avro.schema", "an Avro file"),
            (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive"),
            (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
            (b"\x04\x22\x4d\x18\x64", "compressed with LZ4"),
            (b"\x89PNG\r\n\x1a\n", "a picture"),
            (b"\xff\xd8\xff\xe0", "a picture"),
            (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a sound or video file"),
            (b"ID3\x04\x00\x00", "a sound file"),
            (b"\x00\x00\x00\x20ftypisom", "a sound or video file"),
            (b"name" + bytes(253) + b"ustar\x0000", "a tar archive"),
            (b"\x80\x04\x95\x10\x00", "a Python pickle"),
            (b"\x09\x04\x06\x00\x00\x00", "a worksheet of Excel 4"),
            (b"\x00\x00\x02\x00\x06\x04", "a worksheet of Lotus 1-2-3"),
            (b"FEA1\x00\x00\x00\x00FEA1", "a Feather file of version 1"),
            (b"PARE\x00\x00\x00\x00PARE", "an encrypted Parquet file"),
            (b"PAR1\x15\x04\x00\x00", "is cut off: it begins as a Parquet file"),
            (b"ARROW1\x00\x00\xff\xff", "is cut off: it begins as an Arrow file"),
            (HTML.encode(), "is HTML (a web page)"),
            (HTML.encode("utf-16"), "is HTML (a web page)"),
            (b"\n <!-- x --> <TABLE><tr>", "is HTML (a web page)"),
            (XML_2003.encode(), "a workbook in the XML format of Excel 2003"),
            (
                b'<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0">',
                "a flat OpenDocument",
            ),
            (b'<?xml version="1.0"?><rows/>', "is XML"),
            (b"<rows>\n <row>1</row></rows>", "is XML"),
            (b"ID;PWXL;N;E\r\nP;PGeneral\r\n", "SYLK"),
            (b'TABLE\r\n0,1\r\n"EXCEL"\r\n', "DIF"),
            (b"socialcalc:version:1.5\n", "SocialCalc"),
            (b"MIME-Version: 1.0\nContent-Type: multipart/related\n", "a web archive"),
            (b"\x03\x7a\x01\x02" + bytes(60), "is not text"),
            (b"\0" * 64, "is not text"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is damaged"),
            (ole_file("WordDocument", b"x" * 5000), "a Word document of the old format"),
            (ole_file("PowerPoint Document", b"x" * 5000), "a presentation of the old format"),
            (ole_file("EncryptedPackage", b"x" * 5000), "is protected with a password"),
            (ole_file("Contents", b"x" * 5000), "an old Office file without a workbook"),
        ],
    )
    @pytest.mark.parametrize(("name", "wanted"), [("cases", None), ("cases.csv", None), ("cases", "csv")])
    def test_is_named(self, tmp_path: Path, content: bytes, what: str, name: str, wanted: str | None) -> None:
        (tmp_path / name).write_bytes(content)
        error = refusal(tmp_path / name, ReadOptions(wanted))
        assert what in error.message
        assert error.hint

    @pytest.mark.parametrize(
        ("parts", "what"),
        [
            ({"word/document.xml": "", "[Content_Types].xml": ""}, "a Word document"),
            ({"ppt/presentation.xml": "", "[Content_Types].xml": ""}, "a presentation"),
            ({"Index/Document.iwa": "", "Metadata/Properties.plist": ""}, "Numbers"),
            (
                {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": ""},
                "a text document of LibreOffice",
            ),
            ({"mimetype": "application/vnd.oasis.opendocument.formula"}, "that is no spreadsheet"),
            ({"mimetype": "application/epub+zip"}, "an electronic book"),
            ({"META-INF/MANIFEST.MF": ""}, "a Java program"),
        ],
    )
    def test_is_named_by_its_parts(self, tmp_path: Path, parts: dict[str, str], what: str) -> None:
        assert what in refusal(pack(tmp_path / "a.xlsx", parts)).message

    @pytest.mark.parametrize("name", ["a.xls", "a.xlsx", "a.ods"])
    def test_is_said_to_be_no_workbook(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text(HTML)
        assert refusal(tmp_path / name).message.endswith(
            "is HTML (a web page) although its name says it is a workbook."
        )

    def test_is_nothing(self, tmp_path: Path) -> None:
        for content in (b"", b" \r\n\n", b"\xef\xbb\xbf\n", b"\xff\xfe"):
            (tmp_path / "a.csv").write_bytes(content)
            assert refusal(tmp_path / "a.csv").message == f"{tmp_path / 'a.csv'} is empty."


class TestWorkbooks:
    @pytest.mark.parametrize(
        ("parts", "format_"),
        [
            ({"xl/workbook.xml": ""}, "xlsx"),
            ({"XL\\WorkBook.xml": ""}, "xlsx"),
            ({"[Content_Types].xml": "", "_rels/.rels": "", "other/book.xml": ""}, "xlsx"),
            ({"xl/workbook.bin": "", "[Content_Types].xml": ""}, "xlsb"),
            ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": ""}, "ods"),
            ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet-template\n"}, "ods"),
            ({"content.xml": "", "META-INF/manifest.xml": ""}, "ods"),
        ],
    )
    def test_are_told_by_their_parts(self, tmp_path: Path, parts: dict[str, str], format_: str) -> None:
        assert sniff(pack(tmp_path / "a.zip", parts)).value == format_

    @pytest.mark.parametrize("name", ["Workbook", "Book", "WORKBOOK"])
    def test_of_the_old_format_by_their_stream(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "a").write_bytes(ole_file(name, b"x" * 5000))
        assert sniff(tmp_path / "a").value == "xls"


class TestColumns:
    def test_are_told_by_both_ends(self, tmp_path: Path) -> None:
        frame = pl.DataFrame({"id": ["1"]})
        frame.write_parquet(tmp_path / "a.csv")
        decision = sniff(tmp_path / "a.csv")
        assert decision.value == "parquet"
        assert decision.evidence == "it begins and ends as a Parquet file, although its name ends in .csv"
        frame.write_ipc(tmp_path / "b")
        assert sniff(tmp_path / "b").value == "arrow"
        frame.write_ipc_stream(tmp_path / "c")
        assert sniff(tmp_path / "c").value == "arrow"
        (tmp_path / "a.csv").write_bytes((tmp_path / "a.csv").read_bytes()[:-1])
        assert "is cut off" in refusal(tmp_path / "a.csv").message


def test_a_zip_without_its_end_is_damaged(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.xlsx", {"xl/workbook.xml": "x" * 100})
    path.write_bytes(path.read_bytes()[:-30])
    assert refusal(path).message == f"{path} is damaged: its end is missing."


@pytest.mark.parametrize("large", [False, True])
def test_a_list_of_parts_too_long_to_be_honest_is_not_read(tmp_path: Path, *, large: bool) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(70_000 if large else 300):
            archive.writestr(zipfile.ZipInfo(f"{number}{'x' * (100 if large else 40_000)}"), b"")
    assert "the list of what is in it has" in refusal(tmp_path / "a.zip").message


@pytest.mark.parametrize("text", ["id\tinput\n1\ta\n", "id,input\n1,a\n", "id;input\r\n1;a\r\n"])
def test_delimited_text_called_xls_is_read_and_it_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.xls"
    path.write_bytes(text.encode())
    decision = sniff(path)
    assert decision.value == "csv"
    assert decision.evidence == "its first lines are delimited text, although its name ends in .xls"


@pytest.mark.parametrize(("name", "text"), [("a.xls", "Dear Ana\nhello\n"), ("a.xlsx", "id,input\n1,a\n")])
def test_other_text_that_is_called_a_workbook_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert "is text, although its name says it is a workbook" in refusal(path).message

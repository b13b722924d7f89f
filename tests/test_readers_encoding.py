"""Encodings of text files: by a mark, by proof or by evidence; what is not certain is asked for by name."""

from pathlib import Path

import pytest

from etl.readers import ReadOptions, open_source
from etl.readers.texts.code_pages import likely_names
from tests.reading_talk import DEFAULT, Row, cells, read, refusal

ROWS = [("1", "hello"), ("2", "bye")]
LATIN = "id,input\n1,hello\n2,bye\n"
CYRILLIC = "номер;текст\n1;Привет, мир\n2;Пока\n"
CHINESE = "编号,内容\n1,你好\n2,再见\n"


def written(folder: Path, content: bytes) -> Path:
    path = folder / "cases.csv"
    path.write_bytes(content)
    return path


def said_of(folder: Path, content: bytes, options: ReadOptions = DEFAULT) -> tuple[str, str, str]:
    with open_source(str(written(folder, content)), options) as survey:
        decision = survey.tables[0].decisions[0]
    assert decision.subject == "encoding"
    return decision.value, decision.evidence, decision.certainty


class TestWhatIsFound:
    @pytest.mark.parametrize(
        ("codec", "said"),
        [
            ("utf-8", ("UTF-8", "every byte is valid UTF-8", "certain")),
            ("utf-8-sig", ("UTF-8", "byte order mark", "certain")),
            ("utf-16", ("UTF-16", "byte order mark", "certain")),
            ("utf-32", ("UTF-32", "byte order mark", "certain")),
            ("utf-16-le", ("UTF-16 LE", "every character of it has two bytes", "likely")),
            ("cp1252", ("Windows-1252", "the bytes fit Windows-1252 and no other Western reading", "likely")),
        ],
    )
    def test_is_said_with_its_reason(self, tmp_path: Path, codec: str, said: tuple[str, str, str]) -> None:
        assert said_of(tmp_path, "id;höhe\n1;x\n".encode(codec)) == said

    def test_is_what_was_told(self, tmp_path: Path) -> None:
        said = said_of(tmp_path, "id;größe\n1;x\n".encode("cp850"), ReadOptions(encoding="ibm850"))
        assert said == ("cp850", "said with --encoding", "told")


class TestUtf16WithoutAMark:
    @pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("text", [LATIN, CYRILLIC, CHINESE, LATIN.replace("\n", "\r\n"), "id\r1\r"])
    def test_is_read(self, tmp_path: Path, codec: str, text: str) -> None:
        batches = read(written(tmp_path, text.encode(codec)))
        assert batches[0].origin.dialect["encoding"] == codec
        assert cells(batches) == cells(read(written(tmp_path, text.encode())))

    def test_is_asked_for_where_not_all_of_it_is_text(self, tmp_path: Path) -> None:
        content = (LATIN + "3,\x07\n").encode("utf-16-le")
        path = written(tmp_path, content)
        assert "--encoding utf-16-le" in refusal(path).hint
        assert cells(read(path, ReadOptions(encoding="utf-16-le")))[:2] == ROWS
        assert "--encoding utf-16-le" in refusal(path, ReadOptions(encoding="utf-16")).hint

    @pytest.mark.parametrize(
        ("content", "rows"),
        [
            (b"id,input\n1,a\0b\n2,\0\n", [("1", "a\0b"), ("2", "\0")]),
            (b"a,b,c\n\0,2,3\n", [("\0", "2", "3")]),
            (b"hello\n\0world\0", [("\0world\0",)]),
            (b"hello\n\0\n", [("\0",)]),
        ],
    )
    def test_is_not_seen_in_text_with_nul_characters(self, tmp_path: Path, content: bytes, rows: list[Row]) -> None:
        assert cells(read(written(tmp_path, content))) == rows

    def test_that_is_damaged_late_names_line_and_byte(self, tmp_path: Path) -> None:
        content = (LATIN * 3_000).encode("utf-16-le") + "3,\ud800x\n".encode("utf-16-le", "surrogatepass")
        message = refusal(written(tmp_path, content)).message
        assert "is not utf-16-le: line 9001 holds the byte 0x00" in message


@pytest.mark.usefixtures("large_from_the_first_byte")
class TestAtAGlance:
    OPTIONS = ReadOptions(glance=True)

    @pytest.fixture
    def large_from_the_first_byte(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("etl.readers.READ_WHOLE_BYTES", 0)

    def test_the_beginning_stands_for_all(self, tmp_path: Path) -> None:
        content = b"id,input\n" + b"1,hello\n" * 20_000 + "2,größer\n".encode()
        assert said_of(tmp_path, content, self.OPTIONS) == ("UTF-8", "the first 65,536 bytes are valid", "likely")
        assert cells(read(tmp_path / "cases.csv", self.OPTIONS))[-1] == ("2", "größer")

    def test_a_bad_byte_behind_it_stops_the_reading_with_the_same_words(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"id,input\n" + b"1,hello\n" * 20_000 + b"2,gr\xf6\x81er\n")
        with open_source(str(path), self.OPTIONS) as survey:
            assert len(survey.tables[0].sample) == 200
        error, proof = refusal(path, self.OPTIONS), refusal(path)
        assert "line 20002 holds the byte 0xF6 (byte 160014 of the file)" in error.message
        assert (error.message, error.hint) == (proof.message, proof.hint)

    def test_a_character_that_the_file_ends_within_stops_it(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"id,input\n" + b"1,hello\n" * 20_000 + b"2,gr\xc3")
        assert refusal(path, self.OPTIONS).message == refusal(path).message
        assert refusal(path).hint == "The file ends in the middle of a character: part of it may be missing."

    def test_a_short_file_is_known_whole(self, tmp_path: Path) -> None:
        assert said_of(tmp_path, b"a,b\n1,2\n", self.OPTIONS)[2] == "certain"
        assert "line 2 holds the byte 0xC3" in refusal(written(tmp_path, b"a,b\n1,\xc3"), self.OPTIONS).message

    def test_windows_is_concluded_from_the_beginning(self, tmp_path: Path) -> None:
        content = "id;höhe\n".encode("cp1252") + b"1;x\n" * 20_000
        assert said_of(tmp_path, content, self.OPTIONS)[0] == "Windows-1252"


class TestWhatIsOffered:
    @pytest.mark.parametrize(
        ("codec", "text"),
        [
            ("cp1250", "Příliš žluťoučký kůň"),
            ("cp1250", "Zażółć gęślą jaźń"),
            ("cp1251", "Привет, мир. Как дела?"),
            ("koi8-r", "Привет, мир. Как дела?"),
            ("cp866", "Привет, мир. Как дела?"),
            ("cp1253", "Καλημέρα κόσμε"),
            ("cp1254", "şöyle ğ, İzmir"),
            ("gb18030", "你好, 请问您需要什么帮助"),
            ("big5", "請問您需要什麼幫助"),
            ("cp932", "こんにちは、お元気ですか"),
            ("cp949", "안녕하세요 무엇을 도와드릴까요"),
            ("mac-roman", "España, café niño"),
            ("cp850", "für größere Übung"),
        ],
    )
    def test_holds_the_right_name(self, codec: str, text: str) -> None:
        names = likely_names(f"id;input\n1;{text}\n".encode(codec))
        assert codec in names
        assert len(names) <= 3

    def test_stands_in_the_hint(self, tmp_path: Path) -> None:
        path = written(tmp_path, "id;input\n1;Здравствуйте, чем могу помочь?\n".encode("koi8-r"))
        assert refusal(path).hint == "Say what it is with --encoding, most likely koi8-r."

    def test_is_to_mend_the_line_where_the_rest_is_utf8(self, tmp_path: Path) -> None:
        path = written(tmp_path, "id;input\n1;größer\n2;gr".encode() + b"\xf6\xdfer\n")
        assert refusal(path).hint.startswith("What stands before it is UTF-8: mend that line")

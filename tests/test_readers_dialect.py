"""Dialects of delimited text: what is told is done, what is found out is shown, what is not certain is asked."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.batch import Batch
from etl.errors import FileError, UsageError
from etl.readers import ReadOptions, open_source
from etl.report.folder import ReportFolder
from etl.report.rejects import Rejects
from etl.tables import Dialect, DoesNotFitError, NewFile, write_delimited
from tests.reading_talk import DEFAULT, Row, cells, found, read, refusal

BACKSLASH = "\\"


def batch_of(folder: Path, text: str, options: ReadOptions = DEFAULT) -> Batch:
    (batch,) = read(written(folder, text), options)
    return batch


def written(folder: Path, text: str) -> Path:
    path = folder / "cases.csv"
    path.write_bytes(text.encode())
    return path


def said_of(folder: Path, text: str, options: ReadOptions = DEFAULT) -> dict[str, tuple[str, str, str]]:
    """What was found out, by subject."""
    with open_source(str(written(folder, text)), options) as survey:
        (table,) = survey.tables
        return {one.subject: (one.value, one.evidence, one.certainty) for one in table.decisions}


class TestWhatIsToldOfQuotes:
    def test_is_done_for_another_quote(self, tmp_path: Path) -> None:
        batch = batch_of(tmp_path, "id,input\n'1','it''s \"so\", yes'\n2,\"a\"\n", ReadOptions(quote="'"))
        assert cells([batch]) == [("1", 'it\'s "so", yes'), ("2", '"a"')]
        assert batch.origin.dialect["quote"] == "'"

    def test_is_done_for_no_quote(self, tmp_path: Path) -> None:
        batch = batch_of(tmp_path, 'id,input\n1,"a\n2,"b"\n3,c"d\n', ReadOptions(quote="none"))
        assert cells([batch]) == [("1", '"a'), ("2", '"b"'), ("3", 'c"d')]
        assert batch.problems.is_empty()
        assert batch.origin.dialect["quote"] == ""

    def test_is_done_for_an_escape(self, tmp_path: Path) -> None:
        text = 'id,input\n1,"say \\"hi\\", \\\\ and \\n"\n2,a\\,b\n3,"doubled ""too"""\n4,C:\\new\\x\n'
        batch = batch_of(tmp_path, text, ReadOptions(escape=BACKSLASH))
        assert cells([batch]) == [
            ("1", 'say "hi", \\ and \\n'),
            ("2", "a,b"),
            ("3", 'doubled "too"'),
            ("4", "C:\\new\\x"),
        ]
        assert batch.origin.dialect["escape"] == BACKSLASH

    @pytest.mark.parametrize(
        "options",
        [
            ReadOptions(quote="''"),
            ReadOptions(quote="\n"),
            ReadOptions(escape="\\\\"),
            ReadOptions(delimiter=",", quote=","),
            ReadOptions(delimiter="\n"),
            ReadOptions(delimiter="none"),
        ],
        ids=str,
    )
    def test_must_make_sense(self, tmp_path: Path, options: ReadOptions) -> None:
        with pytest.raises(UsageError):
            open_source(str(written(tmp_path, "a,b\n1,2\n")), options)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (ReadOptions(delimiter=",", quote=","), "',' cannot both separate cells (--delimiter) and enclose them"),
            (ReadOptions(delimiter=";", escape=";"), "';' cannot both separate cells (--delimiter) and stand before"),
            (ReadOptions(delimiter='"'), "unless it is said to be plain text"),
            (ReadOptions(delimiter="x"), "'x' cannot separate cells: it is a letter"),
            (ReadOptions(delimiter="1"), "'1' cannot separate cells: it is a digit"),
            (ReadOptions(delimiter="\n"), "it is a line break"),
            (ReadOptions(delimiter="\\n"), "it is a line break"),
            (ReadOptions(delimiter="\r\n"), "it is a line break"),
            (ReadOptions(delimiter=""), "it is empty"),
            (ReadOptions(delimiter="||"), "it is 2 characters"),
            (ReadOptions(quote="q"), "'q' cannot enclose cells: it is a letter"),
            (ReadOptions(quote="\n"), "it is a line break"),
            (ReadOptions(quote=" "), "it is a blank"),
            (ReadOptions(escape="n"), "'n' cannot stand before a quote: it is a letter"),
            (ReadOptions(escape="\r"), "it is a line break"),
            (ReadOptions(escape="\t"), "it is a blank"),
        ],
        ids=str,
    )
    def test_that_makes_no_sense_is_said_in_words(self, tmp_path: Path, options: ReadOptions, words: str) -> None:
        with pytest.raises(UsageError) as caught:
            open_source(str(written(tmp_path, "a,b\n1,2\n")), options)
        assert words in caught.value.message
        assert caught.value.hint

    def test_may_separate_by_double_quotes_where_they_are_plain_text(self, tmp_path: Path) -> None:
        assert cells([batch_of(tmp_path, 'a"b\n1"2\n', ReadOptions(delimiter='"', quote="none"))]) == [("1", "2")]


class TestQuotesAreFoundOut:
    @pytest.mark.parametrize(
        ("text", "quote", "rows"),
        [
            ("'id','input'\n'1','it''s, so'\n'2','x'\n", "single quote", [("1", "it's, so"), ("2", "x")]),
            ("id,input\n1,'a, b'\n2,'c, d'\n3,e\n", "single quote", [("1", "a, b"), ("2", "c, d"), ("3", "e")]),
            ("id,input\n1,don't\n2,'tis\n3,dogs'\n", "double quote", [("1", "don't"), ("2", "'tis"), ("3", "dogs'")]),
            (
                "id,input\n1,'yes'\n2,a\n3,b c\n4,d e\n",
                "double quote",
                [("1", "'yes'"), ("2", "a"), ("3", "b c"), ("4", "d e")],
            ),
            ('id\tinput\n1\t"Hey\n2\tsay "hi" now\n', "none", [("1", '"Hey'), ("2", 'say "hi" now')]),
            ('id\tinput\n1\t"Weird Al" Y\n2\tb\n', "none", [("1", '"Weird Al" Y'), ("2", "b")]),
            ('id\tinput\n1\t"a ""b"""\n2\t"c\td"\n', "double quote", [("1", 'a "b"'), ("2", "c\td")]),
        ],
    )
    def test_by_what_fits(self, tmp_path: Path, text: str, quote: str, rows: list[Row]) -> None:
        assert cells([batch_of(tmp_path, text)]) == rows
        assert said_of(tmp_path, text)["quote"][0] == quote

    @pytest.mark.parametrize(
        "text",
        [
            'id,input\n1,"say \\"hi\\", you"\n2,b\n',
            '"id","input"\n"1","say \\"hi, you\\""\n"2","b"\n',
        ],
    )
    def test_with_a_backslash_before_them(self, tmp_path: Path, text: str) -> None:
        assert cells([batch_of(tmp_path, text)])[0] in [("1", 'say "hi", you'), ("1", 'say "hi, you"')]
        assert said_of(tmp_path, text)["escape"] == (
            "backslash",
            "it stands before 2 quotes inside the first cells",
            "likely",
        )

    @pytest.mark.parametrize(
        ("text", "first"),
        [
            ('id,input\n1,"C:\\"\n2,"D:\\"\n', "C:\\"),
            ('id,input\n1,"{""a"": ""say \\""hi\\""""}"\n2,b\n', '{"a": "say \\"hi\\""}'),
            ('id,input\n1,a \\"b\\"\n2,b\n', 'a \\"b\\"'),
        ],
    )
    def test_and_a_backslash_that_is_text_stays(self, tmp_path: Path, text: str, first: str) -> None:
        assert cells([batch_of(tmp_path, text)])[0] == ("1", first)
        assert "escape" not in said_of(tmp_path, text)

    @pytest.mark.parametrize(
        ("text", "flag"),
        [
            ("id,input\n1,'yes'\n2,'no'\n", "--quote"),
            ('id,input\n1,"a" b\n2,"c"\n', "--quote none"),
            ('id,input\n1,"a\n2,b\n', "--quote none"),
            ('id\tinput\n1\t"a" b\n2\t"c"\n', "--quote none"),
            ('"Year", "Score"\n1968, "a"\n1970, "b, c"\n', "--quote none"),
            ('Year,Score\n1968, "a"\n1970, "b"\n', "--quote none"),
        ],
    )
    def test_or_asked_for(self, tmp_path: Path, text: str, flag: str) -> None:
        assert flag in refusal(written(tmp_path, text)).hint


class TestQuotesThatMayBeText:
    """A quote opens in one record and closes in a later one at the same place: csv would make one record of them."""

    TEXT = 'title|year|by\nA|1|x\n"B|2|y\nC|3|z\nD"|4|w\nE|5|"v"\n'

    def test_are_a_problem_where_each_line_looks_like_a_record(self, tmp_path: Path) -> None:
        batch = batch_of(tmp_path, self.TEXT)
        assert found([batch]) == [(3, "ragged_row", None)]
        message = batch.problems["message"][0]
        assert message.startswith("its quotes enclose 3 lines, each of which looks like a record")
        assert "--quote none" in message
        assert batch.source["_row"].to_list() == [2, 3, 4]

    def test_are_believed_when_told(self, tmp_path: Path) -> None:
        text = batch_of(tmp_path, self.TEXT, ReadOptions(quote='"'))
        assert cells([text]) == [("A", "1", "x"), ("B|2|y\nC|3|z\nD", "4", "w"), ("E", "5", "v")]
        plain = batch_of(tmp_path, self.TEXT, ReadOptions(quote="none"))
        assert cells([plain])[1:] == [('"B', "2", "y"), ("C", "3", "z"), ('D"', "4", "w"), ("E", "5", '"v"')]
        assert text.problems.is_empty()
        assert plain.problems.is_empty()

    @pytest.mark.parametrize(
        "text",
        [
            'id,input\n1,"a, b\nc, d"\n2,"e, f\ng, h"\n',
            'id;input\n1;"a\nb"\n2;"c; d\ne"\n',
            'input\n"a\nb"\nc\n',
        ],
    )
    def test_are_no_problem_otherwise(self, tmp_path: Path, text: str) -> None:
        assert batch_of(tmp_path, text).problems.is_empty()


class TestRareDelimiters:
    @pytest.mark.parametrize("delimiter", [":", "^", "~", "¦", "\x1f", "\x01"])
    def test_are_found_where_they_fit_every_record(self, tmp_path: Path, delimiter: str) -> None:
        text = "id^input^notes\n1^hello, you^\n2^hi; you, there^x\n".replace("^", delimiter)
        batch = batch_of(tmp_path, text)
        assert cells([batch]) == [("1", "hello, you", None), ("2", "hi; you, there", "x")]
        assert batch.origin.dialect["delimiter"] == delimiter

    @pytest.mark.parametrize(
        "text",
        [
            "# A note\n# Another\na;b\n# And one more\n1;3\n6;7\n# The end\n",
            "# A note\n# Another\na\tb\n# And one more\n",
        ],
    )
    def test_or_usual_ones_are_asked_for_where_most_lines_have_none(self, tmp_path: Path, text: str) -> None:
        assert "--delimiter" in refusal(written(tmp_path, text)).hint

    @pytest.mark.parametrize("text", ["a^b\n1^2\n3^4^5\n", "a^b~c\n1^2~3\n", "a b c\n1 2 3\n4 5 6\n"])
    def test_are_asked_for_where_they_may_be_text(self, tmp_path: Path, text: str) -> None:
        assert "--delimiter" in refusal(written(tmp_path, text)).hint

    @pytest.mark.parametrize(
        "text", ["input: what is said\nhello: you\n", "full name\nAnn Lee\nBob Ray\n", "time\n12:30\n9:45\n"]
    )
    def test_are_not_seen_in_text(self, tmp_path: Path, text: str) -> None:
        assert len(batch_of(tmp_path, text).origin.columns) == 1

    def test_or_usual_ones_are_found_below_notes(self, tmp_path: Path) -> None:
        text = "# A note\n# Another\n# A third\nid;input\n1;a\n2;b, c\n3;d\n"
        assert len(batch_of(tmp_path, text)) == 3

    def test_can_be_told(self, tmp_path: Path) -> None:
        for delimiter in ("#", " ", "é", "\x02"):
            text = f"a{delimiter}b\n1{delimiter}2\n"
            assert cells([batch_of(tmp_path, text, ReadOptions(delimiter=delimiter))]) == [("1", "2")]


class TestDecisions:
    def test_say_what_was_found_and_why(self, tmp_path: Path) -> None:
        assert said_of(tmp_path, 'id;input\r\n1;"a\nb"\r\n2;c\r\n3;d;e\n') == {
            "encoding": ("UTF-8", "every byte is valid UTF-8", "certain"),
            "delimiter": ("semicolon", "3 of the first 4 records have 2 cells", "likely"),
            "quote": ("double quote", "1 of the first cells is enclosed in it", "likely"),
            "line ends": ("mixed: CRLF, LF", "1 LF, 3 CRLF outside quotes", "certain"),
            "header row": ("1", "the first row whose cells name the columns below", "likely"),
        }

    def test_say_what_was_told(self, tmp_path: Path) -> None:
        options = ReadOptions(delimiter="tab", quote="none", escape=BACKSLASH, encoding="latin-1", header_row=1)
        said = said_of(tmp_path, "a\tb\n1\t2\n", options)
        assert said.pop("line ends") == ("LF", "2 LF outside quotes", "certain")
        assert said == {
            "encoding": ("iso8859-1", "said with --encoding", "told"),
            "delimiter": ("tab", "said with --delimiter", "told"),
            "quote": ("none", "said with --quote", "told"),
            "escape": ("backslash", "said with --escape", "told"),
            "header row": ("1", "said with --header-row", "told"),
        }

    def test_say_that_the_file_says_so(self, tmp_path: Path) -> None:
        said = said_of(tmp_path, "sep=^\nid^input\n1^a, b\n")
        assert said["delimiter"] == ("caret", "the file says so in its first line", "certain")


class TestRejects:
    """Rows to mend, written by the report, are read by the same command as the file they come from."""

    def rejects_of(self, folder: Path, path: Path, options: ReadOptions) -> Path:
        """A file with every row of another rejected."""
        places = [(str(path), None)]
        report = ReportFolder(folder, places)
        rejects = Rejects(report, places)
        for batch in read(path, options):
            rejects.add(0, batch, dict.fromkeys(batch.source["_row"], "something is wrong"))
        assert rejects.write() == ()
        rejects.close()
        report.commit()
        return folder / "rejects.csv"

    def test_that_are_not_mended_stay_what_they_are(self, tmp_path: Path) -> None:
        path = written(tmp_path, 'id|input|x\n3\n4|5\n1|2|3|4\n1|2"a|b"\n')
        options = ReadOptions(delimiter="|")
        first = read(path, options)
        for turn in range(4):
            path = self.rejects_of(tmp_path / f"report{turn}", path, DEFAULT if turn else options)
            batches = read(path)
            assert cells(batches)[:3] == cells(first)[:3]
            assert [code for _, code, _ in found(batches)] == ["ragged_row"] * 4
            assert batches[0].source["_raw"].to_list() == first[0].source["_raw"].to_list()

    @pytest.mark.parametrize(
        ("text", "options"),
        [
            ("'id','input'\n'1','it''s, so'\n'2','''x'''\n", DEFAULT),
            ("id,input\n1,'a, b'\n2,\"c\"\n", ReadOptions(quote="'")),
            ('id\tinput\n1\t"Hey\n2\tsay "hi" now\n', DEFAULT),
            ('id,input\n1,"a"\n2,b"c\n', ReadOptions(quote="none")),
            ('id,input\n1,"say \\"hi\\", you"\n2,"C:\\\\x"\n', DEFAULT),
            ('id,input\n1,"say \\"hi\\", you"\n2,"C:\\\\x"\n', ReadOptions(escape=BACKSLASH)),
            ("id^input^notes\n1^hello, you^\n2^hi; you, there^x\n", DEFAULT),
            ("sep=;\r\nid;a,b\r\n1;2\r\n", DEFAULT),
            ("id|input\n1|a\n2|b|c\n3\n", DEFAULT),
            ("1,a\n2,b\n", ReadOptions(columns=("id", "input"))),
            ("Calls,\n\nid,input\n1,a\n2,b\n", ReadOptions(header_row=3)),
            ("id;input\r1;größer\r", ReadOptions(encoding="utf-8")),
        ],
    )
    def test_are_read_by_the_same_command(self, tmp_path: Path, text: str, options: ReadOptions) -> None:
        path = written(tmp_path, text)
        again = read(self.rejects_of(tmp_path / "report", path, options), options)
        assert cells(again) == cells(read(path, options))
        assert [code for _, code, _ in found(again)] == [code for _, code, _ in found(read(path, options))]


TEXT = st.text(st.sampled_from("ab ,;^'\"\\\n\r\té|"), max_size=8)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t^"),
    quote=st.sampled_from(["'", '"', ""]),
    escape=st.sampled_from(["", BACKSLASH]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_rejects_in_a_told_dialect_are_read_back_by_the_same_flags(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, quote: str, escape: str, end: str
) -> None:
    path = tmp_path / "rejects.csv"
    file = NewFile(path)
    try:
        write_delimited(
            file,
            ["id", "left", "right"],
            [(f"n{at}", *row) for at, row in enumerate(rows)],
            Dialect("utf-8", delimiter, end, quote, escape),
        )
    except DoesNotFitError:
        file.discard()
        assert not quote
        return
    file.commit()
    options = ReadOptions(delimiter=delimiter, quote=quote or "none", escape=escape or None, header_row=1)
    try:
        batches = read(path, options)
    except FileError as error:
        batches, asked = [], error.hint
    else:
        asked = ""
    if asked:
        assert "--escape" in asked
        assert not escape
        return
    assert cells(batches) == [(f"n{at}", left or None, right or None) for at, (left, right) in enumerate(rows)]
    assert "ragged_row" not in {code for _, code, _ in found(batches)}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5), delimiter=st.sampled_from(",;\t^"))
def test_rejects_in_the_usual_dialect_are_read_back_or_asked_about(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str
) -> None:
    path = tmp_path / "rejects.csv"
    file = NewFile(path)
    lines = [(f"n{at}", *row, "too long") for at, row in enumerate(rows)]
    write_delimited(file, ["id", "left", "right", "_coval_etl_error"], lines, Dialect("utf-8", delimiter))
    file.commit()
    try:
        batches = read(path, ReadOptions(header_row=1))
    except FileError as error:
        asked = error.hint
    else:
        asked = None
        assert cells(batches) == [(f"n{at}", left or None, right or None) for at, (left, right) in enumerate(rows)]
    assert asked is None or re.search("--(quote|delimiter|escape)", asked)

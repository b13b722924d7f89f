"""Delimited text: dialects, encodings, headers, and records that do not fit."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.batch import Batch
from etl.readers import ReadOptions, open_source
from etl.readers.delimited.dialect import Dialect
from etl.readers.delimited.quotes import has_stray_quotes
from tests.reading_talk import DEFAULT, cells, found, read, refusal

COMMA = Dialect(",", '"', "", "\n", sep_line=False)


def read_bytes(folder: Path, content: str | bytes, options: ReadOptions = DEFAULT) -> list[Batch]:
    path = folder / "cases.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path, options)


def refuse_bytes(folder: Path, content: str | bytes, options: ReadOptions = DEFAULT) -> str:
    path = folder / "cases.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    error = refusal(path, options)
    return f"{error.message} {error.hint}".replace(str(path), "cases.csv")


class TestDelimiter:
    @pytest.mark.parametrize(
        ("delimiter", "content"),
        [
            (",", "id,input\n1,hello; you\n2,a|b\n"),
            (";", "id;input;price\n1;Hallo, Welt;1,5\n2;hi;2,75\n"),
            ("\t", "id\tinput\n1\thello, you\n2\thi\n"),
            ("|", "id|input\n1|hello, you\n2|hi\n"),
            (",", 'id,input\n1,"a;b\nc;d"\n2,"e;f"\n'),
            (",", "a, b, c\n1, 2, 3\n"),
            (";", "Suite, of calls\n\nid;input;notes\n1;hello, you;x\n2;hi, there;y\n"),
            (",", "id\n1\n2\n"),
        ],
    )
    def test_is_found_by_what_is_consistent(self, tmp_path: Path, delimiter: str, content: str) -> None:
        (batch,) = read_bytes(tmp_path, content)
        assert batch.origin.dialect["delimiter"] == delimiter
        assert batch.problems.is_empty()

    @pytest.mark.parametrize("content", ["a,b\tc\n1,2\t3\n", "description\nHello, world\nHi, you\n"])
    def test_is_asked_for_where_two_readings_are_as_good(self, tmp_path: Path, content: str) -> None:
        assert "--delimiter" in refuse_bytes(tmp_path, content)

    def test_can_be_told(self, tmp_path: Path) -> None:
        batches = read_bytes(tmp_path, "a,b\tc\n1,2\t3\n", ReadOptions(delimiter="tab"))
        assert batches[0].origin.columns == ("a,b", "c")
        assert cells(batches) == [("1,2", "3")]

    def test_of_a_sep_line_is_believed_and_the_line_is_no_row(self, tmp_path: Path) -> None:
        (batch,) = read_bytes(tmp_path, "sep=|\r\nid|a,b\r\n1|x,y\r\n")
        assert batch.origin.columns == ("id", "a,b")
        assert (batch.origin.header_row, batch.source["_row"].to_list()) == (1, [2])


class TestLineEnds:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_of_every_kind_are_read_and_remembered(self, tmp_path: Path, end: str) -> None:
        text = end.join(["id,input", "1,hello", '2,"two\nlines"', "3,x"])
        batches = read_bytes(tmp_path, text)
        assert batches[0].origin.dialect["line_end"] == end
        assert cells(batches) == [("1", "hello"), ("2", "two\nlines"), ("3", "x")]

    def test_may_be_mixed(self, tmp_path: Path) -> None:
        assert cells(read_bytes(tmp_path, "id,input\r\n1,a\n2,b\r3,c")) == [("1", "a"), ("2", "b"), ("3", "c")]


class TestRowNumbers:
    def test_count_every_record_from_one(self, tmp_path: Path) -> None:
        (batch,) = read_bytes(tmp_path, 'Calls of May,\n\nid,input\n1,"a\nb\nc"\n,\n\n2,d\n')
        assert batch.origin.header_row == 3
        assert batch.source["_row"].to_list() == [4, 7]

    def test_leave_out_records_of_white_space(self, tmp_path: Path) -> None:
        assert read_bytes(tmp_path, "id,input\n1,a\n   \n , \n2,b\n")[0].source["_row"].to_list() == [2, 5]


class TestEncoding:
    @pytest.mark.parametrize(
        ("codec", "shown"),
        [
            ("utf-8", "utf-8"),
            ("utf-8-sig", "utf-8-sig"),
            ("utf-16", "utf-16"),
            ("utf-32", "utf-32"),
            ("cp1252", "cp1252"),
        ],
    )
    def test_is_found_and_shown(self, tmp_path: Path, codec: str, shown: str) -> None:
        batches = read_bytes(tmp_path, "id;größe\n1;5 €\n".encode(codec))
        assert batches[0].origin.columns == ("id", "größe")
        assert cells(batches) == [("1", "5 €")]
        assert batches[0].origin.dialect["encoding"] == shown

    @pytest.mark.parametrize(
        "text",
        [
            "Müller, Groß & Söhne",
            f"l{chr(0x2019)}été à la fenêtre, ça",
            "¿Dónde está el niño?",
            "não há mais opções",
            "jeg vil ha blåbær på ø",
            f"“quoted” {chr(0x2013)} it{chr(0x2019)}s 5 €…",
        ],
    )
    def test_of_western_windows_is_recognised(self, tmp_path: Path, text: str) -> None:
        batches = read_bytes(tmp_path, f'id;input\n1;"{text}"\n'.encode("cp1252"))
        assert cells(batches) == [("1", text)]

    @pytest.mark.parametrize(
        ("codec", "text"),
        [
            ("cp1250", "Příliš žluťoučký kůň"),
            ("cp1250", "Zażółć gęślą jaźń"),
            ("cp1250", "őrült tűz, öt"),
            ("cp1251", "Привет, мир"),
            ("cp1253", "Καλημέρα"),
            ("cp1254", "şöyle ğ, İzmir"),
            ("gbk", "温度°C 你好"),
            ("shift_jis", "こんにちは"),
            ("mac_roman", "España, café"),
            ("cp850", "für größere"),
        ],
    )
    def test_of_others_is_asked_for_and_can_be_told(self, tmp_path: Path, codec: str, text: str) -> None:
        content = f"id;input\n1;{text}\n".encode(codec)
        assert "--encoding" in refuse_bytes(tmp_path, content)
        assert cells(read_bytes(tmp_path, content, ReadOptions(encoding=codec))) == [("1", text)]

    def test_that_is_damaged_names_line_and_byte(self, tmp_path: Path) -> None:
        message = refuse_bytes(tmp_path, "id,input\r\n1,é\r2,b\n3,x".encode() + b"\xff\n")
        assert message.startswith("cases.csv is not UTF-8: line 4 holds the byte 0xFF (byte 23 of the file).")
        message = refuse_bytes(tmp_path, b"id,input\n1,\x81\n", ReadOptions(encoding="cp1252"))
        assert "is not cp1252: line 2 holds the byte 0x81" in message


class TestHeader:
    def test_is_found_under_titles_and_notes(self, tmp_path: Path) -> None:
        text = "Regression suite,,\nOwner:,Ana,\n\nid,input,notes\n1,a,\n2,b,c\n"
        (batch,) = read_bytes(tmp_path, text)
        assert (batch.origin.header_row, batch.origin.columns) == (4, ("id", "input", "notes"))

    def test_names_lose_outer_space_and_line_breaks_only(self, tmp_path: Path) -> None:
        (batch,) = read_bytes(tmp_path, '" id ","in\nput  text",ID\n1,a,2\n')
        assert batch.origin.columns == ("id", "in put text", "ID")

    def test_can_be_told(self, tmp_path: Path) -> None:
        (batch,) = read_bytes(tmp_path, "1,2\n2023,2024\na,b\n", ReadOptions(header_row=2))
        assert batch.origin.columns == ("2023", "2024")
        assert cells([batch]) == [("a", "b")]

    def test_told_must_not_be_empty(self, tmp_path: Path) -> None:
        assert "row 2, given as the header, is empty" in refuse_bytes(
            tmp_path, "a,b\n\n1,2\n", ReadOptions(header_row=2)
        )

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("1,2\n3,4\n", "no row looks like a header"),
            ("1,a\n2,b\nx,y\n3,c\n", "row 3 could be the header, but row 1 above it looks like data"),
            ("id,text,id\n1,2,3\n", "the columns A and C have the same name 'id' (row 1)"),
            ("id,,text\n1,x,2\n", "column B holds data (row 2: 'x') but has no name"),
            ("id,text\nid,text\n1,a\n", "rows 1 and 2 both hold the column names"),
        ],
    )
    def test_that_is_not_certain_is_refused(self, tmp_path: Path, content: str, message: str) -> None:
        text = refuse_bytes(tmp_path, content)
        assert message in text
        assert "--header-row" in text

    @pytest.mark.parametrize(
        ("content", "message", "flag"),
        [
            (
                "Case,,Result,\nid,input,expected,score\n1,a,b,2\n",
                "rows 1 and 2 look like one header",
                "--header-row 2",
            ),
            ("id,input,n,m\n(text),(text),(1-5),(s)\n1,a,2,3\n2,b,3,4\n3,c,3,4\n4,d,1,2\n", "rows 1 and 2", "-row 2"),
            ("id,input,n\nkey,words,count\n1,a,2\n2,b,3\n3,c,3\n4,d,1\n", "rows 1 and 2 look like", "--header-row 2"),
            ("id,Customer,,\n,First,Last,Phone\n1,a,b,c\n", "column A holds data (row 3: '1')", "--header-row"),
            ("1,2\n3,4\n", "no row looks like a header", "--columns NAME"),
            (
                "TC,SCENARIO\nTD,SCENARIO\nTE,SCRIPT\nTF,SCENARIO\n",
                "'SCENARIO' is also in the rows 2 and 4",
                "--columns",
            ),
            ("id,text,id\n1,2,3\n", "the columns A and C have the same name 'id'", "--header-row 1 --columns NAME"),
        ],
    )
    def test_in_two_rows_or_in_none_is_refused_with_the_flag_that_helps(
        self, tmp_path: Path, content: str, message: str, flag: str
    ) -> None:
        text = refuse_bytes(tmp_path, content)
        assert message in text
        assert flag in text

    @pytest.mark.parametrize(
        "content",
        [
            "Owner:,Ana,\nid,input,notes\n1,a,\n",
            "Calls of May,,\nid,input,notes\n1,a,\n",
            "id,input,notes\nT1,a,free\nT2,b,5\nT3,c,6\nT4,d,7\n",
            "id,input,notes\n1,notes,x\n2,b,c\n3,d,e\n",
        ],
    )
    def test_is_not_mistaken_for_two(self, tmp_path: Path, content: str) -> None:
        assert read_bytes(tmp_path, content)[0].origin.columns == ("id", "input", "notes")

    def test_may_be_missing_where_the_names_are_told(self, tmp_path: Path) -> None:
        options = ReadOptions(columns=("id", "input"))
        (batch,) = read_bytes(tmp_path, "1,a\n2,b\n3\n", options)
        assert cells([batch])[:2] == [("1", "a"), ("2", "b")]
        assert batch.source["_row"].to_list() == [1, 2, 3]
        assert (batch.origin.header_row, batch.origin.cell("input", 1)) == (None, "B1")
        assert found([batch]) == [(3, "ragged_row", None)]

    def test_is_passed_over_where_the_names_are_told(self, tmp_path: Path) -> None:
        options = ReadOptions(header_row=2, columns=("id", "input"))
        (batch,) = read_bytes(tmp_path, "Calls\nx,x\n1,a\n", options)
        assert (batch.origin.columns, cells([batch])) == (("id", "input"), [("1", "a")])

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            (("id",), "column B holds data (row 1: 'a') but has no name among those that were given"),
            (("id", "input", "notes"), "3 names were given, and the records have 2 cells"),
            (("id", "id"), "was given to 2 columns"),
            (("id", ""), "may not be called ''"),
        ],
    )
    def test_told_must_fit(self, tmp_path: Path, columns: tuple[str, ...], message: str) -> None:
        assert message in refuse_bytes(tmp_path, "1,a\n2,b\n", ReadOptions(columns=columns))

    @pytest.mark.parametrize("options", [ReadOptions(columns=("id", "input")), ReadOptions(header_row=3), DEFAULT])
    def test_of_rejects_is_their_first_row_whatever_is_told_of_the_file(
        self, tmp_path: Path, options: ReadOptions
    ) -> None:
        (batch,) = read_bytes(tmp_path, "id,input,_coval_etl_error\n1,a,too long\n2,b,x\n3,c,y\n", options)
        assert (batch.origin.columns, len(batch), batch.source["_row"][0]) == (("id", "input"), 3, 2)
        assert batch.problems.is_empty()

    def test_empty_columns_at_its_end_are_cut(self, tmp_path: Path) -> None:
        for text in ("id,input,,\n1,a,,\n2,b,,\n", "id,input,,\n1,a\n2,b\n"):
            (batch,) = read_bytes(tmp_path, text)
            assert batch.origin.columns == ("id", "input")
            assert batch.problems.is_empty()

    def test_data_that_turns_up_late_in_an_unnamed_column_is_a_problem(self, tmp_path: Path) -> None:
        text = "id,input,\n" + "1,a,\n" * 300 + "2,b,late\n"
        (batch,) = read_bytes(tmp_path, text)
        assert found([batch]) == [(302, "ragged_row", None)]
        assert "column C holds data but has no name" in batch.problems["message"][0]


def test_spreadsheet_errors_saved_as_text_are_problems(tmp_path: Path) -> None:
    batches = read_bytes(tmp_path, "id,input\n1,#REF!\n#N/A,see #REF!\n")
    assert found(batches) == [(2, "error_cell", "input"), (3, "error_cell", "id")]


class TestRecordsThatDoNotFit:
    def test_are_problems_and_keep_all_their_cells(self, tmp_path: Path) -> None:
        (batch,) = read_bytes(tmp_path, "id,input,notes\n1,a,b\n2,c\n3,d,e,f\n4,g,h\n")
        assert found([batch]) == [(3, "ragged_row", None), (4, "ragged_row", None)]
        assert batch.problems["message"][1].startswith("the record has 4 cells, the header has 3: put quotes")
        assert batch.source["_raw"].to_list() == [None, json.dumps(["2", "c"]), json.dumps(["3", "d", "e", "f"]), None]
        assert cells([batch])[1:3] == [("2", "c", None), ("3", "d", "e")]

    def test_are_problems_also_when_what_is_too_much_is_empty(self, tmp_path: Path) -> None:
        assert found(read_bytes(tmp_path, "id,input\n1,a,\n2,b,\n")) == [
            (2, "ragged_row", None),
            (3, "ragged_row", None),
        ]

    def test_are_found_where_two_mistakes_cancel_out(self, tmp_path: Path) -> None:
        (batch,) = read_bytes(tmp_path, 'id,input,notes\n1,a,b\n2"hello, you",x\n3,5" pipe,6"\n')
        assert found([batch]) == [(3, "ragged_row", None)]
        assert "a quote opens in the middle of a cell" in batch.problems["message"][0]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('id,input\n1,a\n2,"b\n3,c\n', "the quote that opens in line 3 never closes"),
            ('id,input\n1,"a\nb"\n2,"x\ny","z\nq\n', "the quote that opens in line 5 never closes"),
            ('id,input\n1,"a\n2,b\n3,"c"\n', "in line 4, text follows the quote that closes a cell (opened in line 2)"),
            ('id,input\n1,"a"b\n', "in line 2, text follows the quote that closes a cell (opened in line 2)"),
        ],
    )
    def test_for_an_open_quote_stop_the_file(self, tmp_path: Path, content: str, message: str) -> None:
        assert message in refuse_bytes(tmp_path, content)

    def test_stop_the_file_also_late(self, tmp_path: Path) -> None:
        path = tmp_path / "cases.csv"
        path.write_text("id,input\n" + "1,a\n" * 30_000 + '2,"b\n3,c\n')
        with open_source(str(path)) as survey:
            batches = survey.tables[0].batches()
            assert len(next(batches)) == 30_000
        assert "opens in line 30002 never closes" in refusal(path).message


def test_stray_quotes_are_told_from_signs_for_inches() -> None:
    assert not any(has_stray_quotes(text, COMMA) for text in ('5",6"', '24" x 36",b', '"a ""b",c"', 'say "hi",b', ""))
    assert all(has_stray_quotes(text, COMMA) for text in ('1,a"b,c"', 'a, "b, c", d'))


def test_a_cell_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    huge = "x" * 10_000_000
    assert cells(read_bytes(tmp_path, f'id,input\n1,"{huge}"\n')) == [("1", huge)]


PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\r\t"), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(PRINTABLE, PRINTABLE), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_csv_writes_is_read_back(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, end: str, codec: str
) -> None:
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding=codec) as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerows([("id", "left", "right"), *((f"n{at}", *row) for at, row in enumerate(rows))])
    batches = read(path, ReadOptions(header_row=1, delimiter=delimiter, quote='"'))
    assert cells(batches) == [(f"n{at}", left or None, right or None) for at, (left, right) in enumerate(rows)]
    assert not {code for _, code, _ in found(batches)} & {"ragged_row", "control_character"}


def test_the_sentence_in_rejects_is_never_taken_for_a_cell(tmp_path: Path) -> None:
    """Where every rejected record was a cell short, our sentence stands in the last column of the table."""
    path = tmp_path / "rejects.csv"
    path.write_text("input,notes,_coval_etl_error\nHello,the record has 1 cells\nBye,the record has 1 cells\n")
    batches = read(path)
    assert [code for _, code, _ in found(batches)] == ["ragged_row", "ragged_row"]

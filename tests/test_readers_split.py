"""The fast way through delimited text: whatever the text, it gives what the exact way gives."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.batch import Origin
from etl.errors import FileError
from etl.readers.delimited import split
from etl.readers.delimited.dialect import Dialect
from etl.readers.delimited.proof import Rewriter, signs_of
from etl.readers.delimited.table import DelimitedTable
from etl.readers.header import Header
from etl.readers.sources.source import found as find

COMMA = Dialect(",", '"', "", "\n", sep_line=False)
PIECES = [
    '"',
    '""',
    ",",
    "\n",
    "\r\n",
    "\r",
    "a",
    " ",
    "é",
    "😀",
    "\0",
    "\x1f",
    "\ufeff",
    "\\",
    '\\"',
    "'",
    '5"',
    ' "a"',
    ",,\n",
]
PLAIN = ["", "", "1", "a", " ", "\t", "é¢", "😀", "#REF!", "it's", "\xa0"]
QUOTED = ['""', '"b"', '"c,d"', '"e\nf"', '"g\r\nh"', '"i\rj"', '"k""l"', '""""', '" "', "'m,n'", "'o''p'"]
ODD = ['6"', ' "q"', "\ufeffr", '"\ufeffs"', "\x07", '"\x1f"', "t\\", '"u\\"', '"v\\w"', "^", "¢"]
CELLS = st.sampled_from(PLAIN) | st.sampled_from(QUOTED) | st.sampled_from(PLAIN + QUOTED + ODD)
SOUND = st.lists(CELLS, min_size=3, max_size=3)
ENDS = st.sampled_from(["\n"] * 5 + ["\r\n"] * 3 + ["\r"])
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
RECORDS = st.lists(st.tuples(SOUND | SOUND | SOUND | st.lists(CELLS, max_size=5), ENDS), max_size=30)
DIALECTS = [
    COMMA,
    Dialect(";", '"', "", "\n", sep_line=False),
    Dialect(",", "'", "", "\n", sep_line=False),
    Dialect(",", '"', "\\", "\n", sep_line=False),
    Dialect(",", "", "", "\n", sep_line=False),
    Dialect("^", '"', "", "\n", sep_line=False),
    Dialect("\x1f", '"', "", "\n", sep_line=False),
    Dialect("\x01", "", "", "\n", sep_line=False),
    Dialect("¢", '"', "", "\n", sep_line=False),
]
HEADERS = [
    Header(0, ("one", "two", "three"), (1, 2, 3), frozenset()),
    Header(0, ("one", "three"), (1, 3), frozenset()),
    Header(0, ("two", "three"), (2, 3), frozenset({1})),
    Header(2, ("one", "two", "three"), (1, 2, 3), frozenset()),
    Header(0, ("one",), (1,), frozenset()),
]
Outcome = tuple[list[tuple[object, ...]], list[tuple[object, ...]], str | None]


def table_of(path: Path, content: bytes, dialect: Dialect, header: Header, codec: str = "utf-8") -> DelimitedTable:
    path.write_bytes(content or b"\n")  # an empty file is refused before it is read
    source = find(str(path), "cases.csv", path.name, path)
    origin = Origin(str(path), None, "csv", header.names, header.positions, header.row, {"encoding": codec})
    width = max(header.positions)
    return DelimitedTable(origin, pl.DataFrame(), (), source, dialect, header, width)


@contextmanager
def block_sizes(block: int, lines: int, most_cells: int = 1_000) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "BLOCK_BYTES", block)
        patch.setattr(split, "LINES_BYTES", lines)
        patch.setattr(split, "MOST_CELLS", most_cells)
        yield


def outcome(table: DelimitedTable) -> Outcome:
    rows: list[tuple[object, ...]] = []
    problems: list[tuple[object, ...]] = []
    try:
        for batch in table.batches():
            assert batch.source.schema == {"_row": pl.Int64} | dict.fromkeys(["_raw", *batch.origin.columns], pl.String)
            rows += batch.source.rows()
            problems += batch.problems.rows()
    except FileError as error:
        # How many rows were handed on before differs: they go in batches.
        return [], [], f"{error.message} {error.hint}"
    return rows, problems, None


def exactly(table: DelimitedTable) -> Outcome:
    with block_sizes(1 << 20, 1 << 20, most_cells=0):
        return outcome(table)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=RECORDS,
    nasty=st.just("") | TEXTS,
    at=st.integers(0, 200),
    dialect=st.just(COMMA) | st.sampled_from(DIALECTS),
    header=st.sampled_from(HEADERS),
    block=st.sampled_from([1, 7, 30, 100, 1 << 20]),
    lines=st.sampled_from([1, 5, 64]),
)
def test_blocks_give_what_records_give(
    tmp_path: Path,
    records: list[tuple[list[str], str]],
    nasty: str,
    at: int,
    dialect: Dialect,
    header: Header,
    block: int,
    lines: int,
) -> None:
    text = "".join(dialect.delimiter.join(cells) + end for cells, end in records)
    text = text[:at] + nasty + text[at:]
    table = table_of(tmp_path / "any.csv", text.encode(), dialect, header)
    with block_sizes(block, lines):
        fast = outcome(table)
    assert fast == exactly(table)


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ('1,2,3\n\ufeffa,b,c\n"\ufeffd",e,f\n4,5,6\n', COMMA),
        ('1,2,3\nx,"y\\\\",z\na,"b\\",c",d\n"e\\\\",f,g\\"\n4,5,6\n', DIALECTS[3]),
        ('1,2,3\n4,"5\r5\r\n5",6\n7,8\r9,10\n1,"x" y,3\n4,5,6\n', COMMA),
        ('1,2,3\n4,"5\r5\r\n5",6\n7,8\n9,"10\n', COMMA),
        ('1,2,3\n\n\r\n4,"5\n5",6\n7,8",9\n\t,,\xa0\n10,11,#N/A\n12,13', COMMA),
        ('1,2"x y,z"\n4,5,6\n7,6",6"\n', COMMA),
        ('1;2;3\n"4;5;6\n7";8;9\n"4;5\n5";6;7\n8;"9\n9";10\n', DIALECTS[1]),
    ],
    ids=["mark", "escape", "text-after-quote", "open-quote", "blank", "stray", "spanning"],
)
def test_blocks_may_end_anywhere(tmp_path: Path, text: str, dialect: Dialect) -> None:
    table = table_of(tmp_path / "any.csv", text.encode(), dialect, HEADERS[0])
    expected = exactly(table)
    for block in range(1, len(text.encode()) + 2):
        with block_sizes(block, 3):
            assert outcome(table) == expected, block


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis", "gb18030"])
def test_blocks_may_cut_characters(tmp_path: Path, codec: str) -> None:
    text = 'eins,zwei,drei\nß,"ü\nö",x\n'.replace("ß", "ア" if codec == "shift_jis" else "ß").replace("ü", "u")
    text = text.replace("ö", "o") * 3
    table = table_of(tmp_path / "any.csv", text.encode(codec), COMMA, HEADERS[0], codec)
    expected = exactly(table)
    assert expected[0][0][2:] == ("eins", "zwei", "drei")
    assert expected[0][-1][0] == 6
    for block in range(1, 40):
        with block_sizes(block, block):
            assert outcome(table) == expected, block


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, nasty=st.just("") | TEXTS, at=st.integers(0, 200))
def test_rows_are_what_csv_reads(tmp_path: Path, records: list[tuple[list[str], str]], nasty: str, at: int) -> None:
    text = "".join(",".join(cells) + end for cells, end in records)
    text = text[:at] + nasty + text[at:]
    try:
        expected = list(enumerate(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True), 1))
    except csv.Error:
        expected = []
    rows, problems, refused = outcome(table_of(tmp_path / "any.csv", text.encode(), COMMA, HEADERS[0]))
    if refused is None:
        ragged = {row for row, _, code, *_ in problems if code == "ragged_row"}
        whole = [(row, *cells) for row, cells in expected if any(cell.strip(" \t\r\n\xa0") for cell in cells)]
        assert [row[0] for row in rows] == [row[0] for row in whole]
        assert ragged >= {row for row, *cells in whole if len(cells) != 3}
        assert [row[2:] for row in rows if row[0] not in ragged] == [
            tuple(cell or None for cell in cells) for row, *cells in whole if row not in ragged
        ]


WORDS = st.lists(st.sampled_from([*'a1é😀,";\n\t #=-', "\r\n", "\xa0"]), max_size=6).map("".join)
TABLES = st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=8)


def written(rows: list[tuple[str, str, str]], quoting: int, line_end: str) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=quoting, lineterminator=line_end).writerows(rows)  # type: ignore[arg-type]  # an int
    return file.getvalue().encode()


def frame_of(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame([[cell or None for cell in row] for row in rows], dict.fromkeys("012", pl.String), orient="row")


@settings(max_examples=300, deadline=None)
@given(
    one=TABLES,
    other=TABLES,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_writing_shows_the_cells_of_a_text_and_no_others(
    one: list[tuple[str, str, str]], other: list[tuple[str, str, str]], quoting: int, line_end: str
) -> None:
    block = written(one, quoting, line_end)
    signs = signs_of(block)
    rewriter = Rewriter(COMMA)
    if rewriter.can_show(signs):
        rewriter.shows(frame_of(one), block, signs)
        assert not rewriter.shows(frame_of(other), block, signs) or other == one


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_programs_write_is_shown_by_writing(quoting: int, line_end: str) -> None:
    rows = [("a", 'b, "c"', "d"), ("é", "e\nf", " g "), ("h", "i", "j")]
    block = written(rows, quoting, line_end)
    assert Rewriter(COMMA).can_show(signs_of(block))
    assert Rewriter(COMMA).shows(frame_of(rows), block, signs_of(block))


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from([*"a\r\n\t\x00\x1f\x7f\x80\x9f\xa0é\ufeff\u2028😀"]), max_size=12))
def test_the_signs_of_a_block_are_those_of_its_text(text: str) -> None:
    signs = signs_of(text.encode())
    assert (signs.ends, signs.returns, signs.is_ascii) == (text.count("\n"), text.count("\r"), text.isascii())
    assert signs.has_lone_return == ("\r" in text.replace("\r\n", ""))
    assert signs.has_control == bool(re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]", text))


def test_a_large_text_is_split_as_it_is_written(tmp_path: Path) -> None:
    # Large enough for polars to share a block among its threads.
    texts = ['say "hello", please', "two\nlines", "", "größer", "a" * 500, '"', "\n\n\n", ",", "x\r\ny"]
    rows = [tuple(texts[(at * step) % len(texts)] for step in (1, 5, 7)) for at in range(60_000)]
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    table = table_of(path, path.read_bytes(), COMMA, HEADERS[0])
    read, problems, refused = outcome(table)
    assert (problems, refused) == ([], None)
    written = [(at, None, *(cell or None for cell in row)) for at, row in enumerate(rows, 1)]
    assert read == [row for row in written if any(cell and cell.strip() for cell in row[2:])]


def test_memory_is_not_spent_on_blank_lines_or_short_records(tmp_path: Path) -> None:
    text = "1,2,3\n" + "\n" * 200_000 + "4\n" * 100_000 + "5,6,7\n"
    rows, problems, _ = outcome(table_of(tmp_path / "any.csv", text.encode(), COMMA, HEADERS[0]))
    assert (len(rows), len(problems)) == (100_002, 100_000)
    assert (rows[-1], rows[1][0]) == ((300_002, None, "5", "6", "7"), 200_002)

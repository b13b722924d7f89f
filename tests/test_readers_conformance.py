"""What every reader promises, held against every form that a file can have (`tests.reading_formats`).

Bytes in; rows, problems and where they came from out.
"""

import hashlib
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.batch import ROW, Batch, Certainty, Decision, Table
from etl.errors import EtlError, FileError
from etl.problems import SCHEMA, Code
from etl.readers import ReadOptions, Survey, open_source
from etl.readers.assembly import BATCH_ROWS, SAMPLE_ROWS
from tests.reading_formats import FORMS, PACKINGS, Form
from tests.reading_talk import COLUMNS, ROWS, Row, cells, found, read, refusal

every_form = pytest.mark.parametrize("form", FORMS, ids=str)
forms_with_addresses = pytest.mark.parametrize("form", [form for form in FORMS if form.addressed], ids=str)
forms_with_an_end = pytest.mark.parametrize("form", [form for form in FORMS if form.ends], ids=str)
forms_without_an_end = pytest.mark.parametrize("form", [form for form in FORMS if not form.ends], ids=str)

TEXTS = {
    "nothing": "",
    "leading zeros": "007",
    "a whole number": "1",
    "a decimal": "1.0",
    "an exponent": "1e5",
    "a long number": "12345678901234567890",
    "a phone number": "+49 30 123456",
    "a decimal comma": "1,5",
    "a date": "2024-01-02",
    "a boolean": "TRUE",
    "the word null": "null",
    "a word for none": "N/A",
    "not a number": "NaN",
    "a formula": "=1+1",
    "an apostrophe": "'quoted'",
    "quotes": 'say "hello", please',
    "one quote": '5" pipe',
    "separators": "a,b;c|d\te",
    "markup": "<b>&amp;</b> ]]>",
    "JSON": '{"a": [1, null, 1.0]}',
    "YAML": "- a: &x !!str *y # no comment",
    "a template": "{{ name }} and ${name}",
    "a backslash": "C:\\new\\x41 \\u0041",
    "letters of the West": "größe, Café, 5 €… “so”",
    "letters of elsewhere": "Příliš žluťoučký; Ελληνικά; Привет; 你好; こんにちは",
    "an emoji": "👩‍👩‍👧‍👦 🇩🇪 👍🏽",
    "right to left": "שלום, مرحبا",
    "marks of direction": "a\u202eb\u202c \u2066c\u2069",
    "a letter in two signs": "e\u0301 and é",
    "hard spaces": "\u00a0a\u00a0b\u00a0",
    "unseen signs": "a\u200bb\u2060c\ufeffd\u00ade",
    "signs that some take for line ends": "a\u2028b\u2029c",
    "noncharacters": "a\ufffe\uffffb",
    "the last sign of all": "\U0010ffff",
    "blanks outside": "  outer  ",
    "blanks only": "   ",
    "a tab outside": "\tx\t",
    "line breaks": "one\ntwo\n\nfour",
    "line breaks outside": "\nx\n",
    "line breaks of Windows": "one\r\ntwo",
    "line breaks of old Macs": "one\rtwo",
    "an escape of Excel": "_x000D_ and _x0041_",
    "delete": "a b",
}
"""What a cell may say that somebody's parser gets wrong."""


def write_every_text(form: Form, folder: Path) -> tuple[Path, list[Row]]:
    rows: list[Row] = [(f"n{at}", text, None) for at, text in enumerate(TEXTS.values()) if form.holds(text)]
    return form.write(folder, [*rows, ("last", None, "x")], COLUMNS), [*rows, ("last", None, "x")]


def rows_of(form: Form, count: int) -> list[Row]:
    """As many rows as asked, none like another."""
    return [(f"n{at}", f"text {at}", "x" if at % 3 else None) for at in range(count)]


@contextmanager
def opened(path: Path | str, **options: Any) -> Iterator[tuple[Survey, Table]]:
    """The survey and the one table of a file."""
    with open_source(str(path), ReadOptions(**options)) as survey:
        (table,) = survey.tables
        yield survey, table


def assert_same(left: list[Batch], right: list[Batch]) -> None:
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert one.source.equals(other.source)
        assert one.frame.equals(other.frame)
        assert one.problems.equals(other.problems)
        assert one.origin == other.origin


@every_form
class TestCells:
    def test_are_read_exactly(self, form: Form, tmp_path: Path) -> None:
        path, rows = write_every_text(form, tmp_path)
        batches = read(path)
        got = dict(zip((row[0] for row in rows), cells(batches), strict=True))
        assert got == {row[0]: row for row in rows}
        assert found(batches) == []

    def test_may_be_long(self, form: Form, tmp_path: Path) -> None:
        longest = "ä" + "x" * (min(form.longest, 100_000) - 2) + "ö"
        assert cells(read(form.write(tmp_path, [("1", longest, None), ("2", "short", longest)], COLUMNS))) == [
            ("1", longest, None),
            ("2", "short", longest),
        ]

    def test_that_hold_nothing_are_null(self, form: Form, tmp_path: Path) -> None:
        rows: list[Row] = [("1", None, None), (None, "a", None), (None, None, "b"), ("2", "c", "d")]
        assert cells(read(form.write(tmp_path, rows, COLUMNS))) == rows

    def test_are_text_in_a_frame_that_holds_nothing_else(self, form: Form, tmp_path: Path) -> None:
        for batch in read(form.write(tmp_path, ROWS, COLUMNS)):
            schema = dict(batch.source.schema)
            assert schema.pop(ROW) == pl.Int64
            assert set(schema) - {"_raw", "_types"} == set(COLUMNS)
            assert set(schema.values()) == {pl.String}
            assert batch.frame.equals(batch.source)
            assert dict(batch.problems.schema) == SCHEMA

    def test_with_a_control_character_are_named_and_kept(self, form: Form, tmp_path: Path) -> None:
        text = "a\x07b\x1f"
        if not form.holds(text):  # then no file of this form can hold it, and XML's own readers refuse it
            text = "a\x7fb"
        batches = read(form.write(tmp_path, [("1", "good\t\n", "x"), ("2", text, "x")], COLUMNS))
        assert found(batches) == [(form.first + 1, "control_character", "input")]
        assert batches[-1].problems["cell"].to_list() == [form.address("B", form.first + 1)]
        assert cells(batches) == [("1", "good\t\n", "x"), ("2", text, "x")]

    @pytest.mark.parametrize(("text", "sign"), [("a\x80", "0080"), ("café \x9f", "009F"), ("one\x85two", "0085")])
    def test_with_a_control_character_above_127_are_named(
        self, form: Form, tmp_path: Path, text: str, sign: str
    ) -> None:
        rows: list[Row] = [("1", "«good»\xa0é", "x"), ("2", text, "x")]
        if form.codec == "cp1252":
            return  # its bytes 0x80 to 0x9F are other characters, or none
        batches = read(form.write(tmp_path, rows, COLUMNS))
        assert found(batches) == [(form.first + 1, "control_character", "input")]
        assert f"U+{sign}" in batches[-1].problems["message"][0]
        assert cells(batches) == rows

    def test_that_were_read_in_a_wrong_encoding_before_are_named_and_kept(self, form: Form, tmp_path: Path) -> None:
        rows: list[Row] = [("1", "a café", "x"), ("2", "a cafÃ©", "x")]
        if form.codec == "cp1252":
            return  # there the same bytes are UTF-8
        batches = read(form.write(tmp_path, rows, COLUMNS))
        assert found(batches) == [(form.first + 1, "mojibake", "input")]
        assert 'it was "a café"' in batches[-1].problems["message"][0]
        assert batches[-1].problems["severity"].to_list() == ["warning"]
        assert cells(batches) == rows

    def test_of_columns_with_long_names_have_sentences_that_can_be_read(self, form: Form, tmp_path: Path) -> None:
        name = "How satisfied are you? " * 60
        (batch,) = read(form.write(tmp_path, [("1", "a\x7fb", "x")], ("id", name.strip(), "notes")))
        assert batch.problems["column"].to_list() == [name.strip()]
        assert len(batch.problems["message"][0]) < 300

    def test_of_secret_columns_are_not_shown(self, form: Form, tmp_path: Path) -> None:
        (batch,) = read(form.write(tmp_path, [("1", "sk-123\x7f", "x")], ("id", "api_key", "notes")))
        assert batch.problems["value"].to_list() == ["«hidden»"]
        assert "sk-123" not in str(batch.problems.to_dicts())


@every_form
class TestRows:
    def test_have_the_numbers_that_a_person_would_give_them(self, form: Form, tmp_path: Path) -> None:
        numbers = [row for batch in read(form.write(tmp_path, ROWS, COLUMNS)) for row in batch.source[ROW]]
        assert numbers == [form.first, form.first + 1, form.first + 2]

    def test_come_in_batches_of_a_bounded_size_that_share_none(self, form: Form, tmp_path: Path) -> None:
        rows = rows_of(form, BATCH_ROWS + 1)
        batches = read(form.write(tmp_path, rows, COLUMNS))
        assert max(map(len, batches)) <= BATCH_ROWS
        assert sum(map(len, batches)) == len(rows)
        assert cells(batches) == rows
        numbers = pl.concat([batch.source[ROW] for batch in batches])
        assert numbers.to_list() == list(range(form.first, form.first + len(rows)))

    def test_are_the_same_each_time_they_are_read(self, form: Form, tmp_path: Path) -> None:
        path, _ = write_every_text(form, tmp_path)
        with opened(path) as (_, table):
            batches = list(table.batches())
            assert_same(batches, list(table.batches()))
        assert_same(batches, read(path))

    def test_can_be_read_twice_at_a_time(self, form: Form, tmp_path: Path) -> None:
        rows = rows_of(form, 30)
        with opened(form.write(tmp_path, rows, COLUMNS)) as (_, table):
            one, other = table.batches(), table.batches()
            first, second = next(one), next(other)
            assert cells([first, *one]) == cells([second, *other]) == rows

    def test_at_the_beginning_are_known_before_the_others(self, form: Form, tmp_path: Path) -> None:
        path = form.write(tmp_path, rows_of(form, SAMPLE_ROWS + 100), COLUMNS)
        for glance in (False, True):
            with opened(path, glance=glance) as (_, table):
                rows = pl.concat([batch.source for batch in table.batches()])
                assert table.sample.equals(rows.head(SAMPLE_ROWS))

    def test_are_the_same_at_a_glance(self, form: Form, tmp_path: Path) -> None:
        path, rows = write_every_text(form, tmp_path)
        batches = read(path, ReadOptions(glance=True))
        assert cells(batches) == rows
        assert_same(batches, read(path))

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_whatever_they_hold_are_read_back(self, form: Form, tmp_path: Path, data: st.DataObject) -> None:
        text = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=12)
        cell = st.none() | (text | st.sampled_from(list(TEXTS.values()))).filter(form.holds)
        row = st.tuples(cell, cell)
        rows: list[Row] = [(f"n{at}", *two) for at, two in enumerate(data.draw(st.lists(row, min_size=1, max_size=8)))]
        told = ReadOptions(header_row=1 if form.addressed else None, encoding=form.told_encoding)
        batches = read(form.write(tmp_path, rows, COLUMNS), told)
        columns = batches[0].origin.columns
        # A record format knows only the columns that some record names.
        assert cells(batches) == [tuple(row[COLUMNS.index(name)] for name in columns) for row in rows]
        assert {COLUMNS[at] for row in rows for at, text in enumerate(row) if text is not None} <= set(columns)
        # By chance a text may look like UTF-8 that was read in another encoding, or like a spreadsheet's error.
        assert [one for one in found(batches) if one[1] not in {Code.MOJIBAKE, Code.ERROR_CELL}] == []


@forms_with_addresses
class TestRowsOfCells:
    def test_that_are_blank_are_no_rows_and_yet_count(self, form: Form, tmp_path: Path) -> None:
        rows: list[Row] = [ROWS[0], (None, None, None), (None, " ", "\t"), ROWS[1], (None, None, None)]
        batches = read(form.write(tmp_path, rows, COLUMNS))
        assert [row for batch in batches for row in batch.source[ROW]] == [2, 5]
        assert cells(batches) == [ROWS[0], ROWS[1]]

    def test_below_titles_are_found_and_numbered_as_shown(self, form: Form, tmp_path: Path) -> None:
        rows: list[Row] = [(None, None, None), ("Owner:", "Ana", None), COLUMNS, *ROWS]
        batches = read(form.write(tmp_path, rows, ("Regression suite", "", "")))
        assert batches[0].origin.header_row == 4
        assert [row for batch in batches for row in batch.source[ROW]] == [5, 6, 7]
        assert cells(batches) == ROWS

    def test_may_stand_below_a_header_that_was_named(self, form: Form, tmp_path: Path) -> None:
        path = form.write(tmp_path, [("4", "5", "6"), ("7", "8", "9")], ("1", "2", "3"))
        assert "header" in refusal(path).message
        with opened(path, header_row=2) as (_, table):
            assert table.origin.columns == ("4", "5", "6")
            assert [row for batch in table.batches() for row in batch.source[ROW]] == [3]
            told = {one.subject: one for one in table.decisions}["header row"]
            assert (told.value, told.certainty) == ("2", Certainty.TOLD)

    def test_may_be_none_at_all(self, form: Form, tmp_path: Path) -> None:
        with opened(form.write(tmp_path, [], COLUMNS)) as (_, table):
            assert table.origin.columns == COLUMNS
            assert table.sample.is_empty()
            assert list(table.batches()) == []

    @pytest.mark.parametrize(
        ("columns", "what"),
        [
            (("id", "notes", "notes"), "the columns B and C have the same name 'notes' (row 1)"),
            (("id", "input", ""), "column C holds data"),
        ],
        ids=["twice", "missing"],
    )
    def test_whose_columns_are_not_certain_are_refused(
        self, form: Form, tmp_path: Path, columns: tuple[str, ...], what: str
    ) -> None:
        rows: list[Row] = [("1", "a", "b"), ("2", "c", "d")]
        error = refusal(form.write(tmp_path, rows, columns))
        assert what in error.message
        assert "--header-row" in error.hint


@every_form
class TestOrigin:
    def test_says_where_the_rows_came_from(self, form: Form, tmp_path: Path) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        with opened(path) as (survey, table):
            assert survey.format == table.origin.format == form.format
            assert survey.file == table.origin.file == str(path)
            assert table.origin.sheet == form.sheet
            assert table.origin.columns == COLUMNS
            assert table.origin.positions == ((1, 2, 3) if form.addressed else ())
            assert table.origin.header_row == (1 if form.addressed else None)
            assert table.origin.cell("input", form.first) == form.address("B", form.first)
            assert survey.skipped == ()
            assert all(batch.origin == table.origin for batch in table.batches())

    def test_leaves_out_the_column_of_an_earlier_import(self, form: Form, tmp_path: Path) -> None:
        rows: list[Row] = [(row[0], "too long", row[1]) for row in ROWS]
        batches = read(form.write(tmp_path, rows, ("id", "_coval_etl_error", "input")))
        assert batches[0].origin.columns == ("id", "input")
        assert cells(batches) == [row[:2] for row in ROWS]
        assert "too long" not in str([batch.source.to_dicts() for batch in batches])

    @pytest.mark.parametrize("name", ["_row", "_raw", "_types", "*", "^a$"])
    def test_has_no_column_that_a_frame_could_not_carry(self, form: Form, tmp_path: Path, name: str) -> None:
        assert f"may not be called {name!r}" in refusal(form.write(tmp_path, ROWS, ("id", name, "notes"))).message

    def test_of_odd_names_keeps_them(self, form: Form, tmp_path: Path) -> None:
        columns = ("größe 👍" if form.holds("👍") else "größe", "a.b[0]", "pl.col('x')")
        path = form.write(tmp_path, ROWS, columns)
        assert read(path, ReadOptions(encoding=form.told_encoding))[0].origin.columns == columns

    def test_comes_with_the_decisions_that_were_made(self, form: Form, tmp_path: Path) -> None:
        with opened(form.write(tmp_path, ROWS, COLUMNS)) as (survey, table):
            decisions = [*survey.decisions, *table.decisions]
        assert all(isinstance(one, Decision) and one.value and one.evidence for one in decisions)
        subjects = [one.subject for one in decisions]
        assert len(set(subjects)) == len(subjects)
        assert subjects[0] == "format"
        wanted = {"format"} | ({"header row"} if form.addressed else set())
        if form.format in {"csv", "jsonl", "json", "yaml"}:
            wanted |= {"encoding"}
        if form.format == "csv":
            wanted |= {"delimiter", "quote", "line ends"}
        assert wanted <= set(subjects)
        assert all(one.certainty in Certainty for one in decisions)

    def test_counts_and_hashes_the_file_as_it_came(self, form: Form, tmp_path: Path) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        content = path.read_bytes()
        for glance in (False, True):
            with opened(path, glance=glance) as (survey, _):
                assert survey.size_bytes == len(content)
                assert survey.sha256 == hashlib.sha256(content).hexdigest()


@pytest.fixture
def spools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private copies are kept."""
    folder = tmp_path_factory.mktemp("spools")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@contextmanager
def standard_input(content: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(content))
    try:
        yield
    finally:
        sys.stdin = before


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of a folder, by HTTP on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@every_form
class TestAFile:
    def test_is_never_changed_and_nothing_is_left_beside_it(self, form: Form, tmp_path: Path, spools: Path) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        before = (path.read_bytes(), path.stat().st_mtime_ns)
        path.chmod(0o444)
        assert cells(read(path)) == ROWS
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before
        assert [one.name for one in tmp_path.iterdir()] == [path.name]
        assert list(spools.iterdir()) == []

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no way to see what is open here")
    def test_whose_reading_is_given_up_leaves_nothing_open(self, form: Form, tmp_path: Path, spools: Path) -> None:
        path = form.write(tmp_path, rows_of(form, 30), COLUMNS)
        read(path)  # what is loaded once stays
        before = open_things()
        with open_source(str(path)) as survey:
            next(iter(survey.tables[0].batches()))
        survey.close()
        del survey
        assert open_things() == before
        assert list(spools.iterdir()) == []

    def test_that_changes_while_it_is_read_is_refused(self, form: Form, tmp_path: Path) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        with open_source(str(path)) as survey:
            form.write(tmp_path, [*ROWS, ("10", "new", None)], COLUMNS)
            with pytest.raises(FileError, match="changed while it was being read"):
                list(survey.tables[0].batches())

    def test_that_goes_away_is_refused(self, form: Form, tmp_path: Path) -> None:
        path = form.write(tmp_path, ROWS, COLUMNS)
        with open_source(str(path)) as survey:
            path.unlink()
            with pytest.raises(FileError):
                list(survey.tables[0].batches())

    def test_through_standard_input_is_the_same(self, form: Form, tmp_path: Path, spools: Path) -> None:
        path, rows = write_every_text(form, tmp_path)
        content = path.read_bytes()
        with standard_input(content), opened("-", format=form.format) as (survey, table):
            assert cells(list(table.batches())) == rows
            assert survey.file == table.origin.file == "-"
            assert survey.sha256 == hashlib.sha256(content).hexdigest()
            assert all(one.stat().st_mode & 0o077 == 0 for one in spools.iterdir())
        assert list(spools.iterdir()) == []

    def test_from_the_web_is_the_same(self, form: Form, tmp_path: Path, spools: Path) -> None:
        path, rows = write_every_text(form, tmp_path)
        with served(tmp_path) as address:
            file = f"{address}/{path.name}"
            with opened(file) as (survey, table):
                assert survey.file == table.origin.file == file
                assert table.origin.format == form.format
                assert cells(list(table.batches())) == rows
                assert survey.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert list(spools.iterdir()) == []

    @pytest.mark.parametrize("packing", PACKINGS)
    def test_that_is_compressed_is_the_same(self, form: Form, packing: str, tmp_path: Path, spools: Path) -> None:
        path, rows = write_every_text(form, tmp_path)
        packed = tmp_path / f"{path.name}{packing}"
        packed.write_bytes(PACKINGS[packing](path.read_bytes(), path.name))
        with opened(packed) as (survey, table):
            assert survey.format == table.origin.format == form.format
            assert survey.file == table.origin.file == str(packed)
            assert cells(list(table.batches())) == rows
            assert survey.size_bytes == packed.stat().st_size
            assert survey.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
            assert "compression" in {one.subject for one in survey.decisions}
        assert list(spools.iterdir()) == []

    @pytest.mark.parametrize("packing", PACKINGS)
    def test_that_is_compressed_and_cut_off_is_refused(
        self, form: Form, packing: str, tmp_path: Path, spools: Path
    ) -> None:
        path = form.write(tmp_path, rows_of(form, 40), COLUMNS)
        content = PACKINGS[packing](path.read_bytes(), path.name)
        packed = tmp_path / f"{path.name}{packing}"
        for cut in {len(content) // 2, len(content) - 9, len(content) - 1}:
            packed.write_bytes(content[:cut])
            refusal(packed)
        assert list(spools.iterdir()) == []


def open_things() -> list[object]:
    """What this process holds open: files and children."""
    files = sorted(str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.exists())
    children = []
    for one in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            children.append((one / "children").read_text())
    return [[file for file in files if not file.startswith(("/proc", "pipe:", "anon_inode:"))], "".join(children)]


def read_or_refused(path: Path) -> list[Batch] | EtlError:
    try:
        return read(path)
    except EtlError as error:
        return error


def good_rows(batches: list[Batch]) -> list[Row]:
    """The rows without a problem."""
    bad = {row for row, _, _ in found(batches)}
    numbers = [row for batch in batches for row in batch.source[ROW]]
    return [row for number, row in zip(numbers, cells(batches), strict=True) if number not in bad]


@forms_with_an_end
def test_a_file_that_is_cut_off_is_refused(form: Form, tmp_path: Path) -> None:
    rows = rows_of(form, 25)
    path = form.write(tmp_path, rows, COLUMNS)
    content = path.read_bytes()
    last = len(content) - 12
    survivors = []
    for cut in sorted({1, 7, *range(0, last, max(1, last // 20)), *range(last, len(content))}):
        path.write_bytes(content[:cut])
        # A mark of the end may be cut off, or blanks behind it, as long as no row is missing.
        batches = read_or_refused(path)
        if not isinstance(batches, EtlError) and cells(batches) != rows:
            survivors.append(cut)
    assert survivors == []


@forms_without_an_end
def test_a_file_that_is_cut_off_gives_the_rows_before_the_cut_exactly(form: Form, tmp_path: Path) -> None:
    rows = rows_of(form, 25)
    path = form.write(tmp_path, rows, COLUMNS)
    content = path.read_bytes()
    for cut in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:cut])
        batches = read_or_refused(path)
        got = [] if isinstance(batches, EtlError) or not batches else good_rows(batches)
        # The row in which the cut lies may be shorter: nothing in such a format could tell.
        assert got[:-1] == [row[: len(got[0])] for row in rows[: len(got) - 1] if got], cut


@every_form
def test_a_refusal_is_a_sentence_about_the_file(form: Form, tmp_path: Path) -> None:
    path = form.write(tmp_path, rows_of(form, 25), COLUMNS)
    content = path.read_bytes()
    said: list[EtlError] = []
    for cut in (0, 1, 5, len(content) // 3, len(content) // 2):
        path.write_bytes(content[:cut])
        outcome = read_or_refused(path)
        said += [outcome] if isinstance(outcome, EtlError) else []
    assert said
    for error in said:
        assert str(path) in error.message
        assert error.message.endswith((".", "?")), error.message
        assert not error.hint or error.hint[0].isupper(), error.hint

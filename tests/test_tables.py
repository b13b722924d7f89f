"""Tables come back from independent readers exactly as they were written, and files are safe, private and whole."""

import csv
import io
import json
import stat
import string
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from xlsxwriter import exceptions

from etl.errors import StoppedError, UsageError
from etl.tables import (
    Dialect,
    DoesNotFitError,
    NewFile,
    Sheet,
    make_folder,
    object_text,
    write_delimited,
    write_lines,
    write_workbook,
)

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
characters = st.characters(exclude_categories=["Cs"])
awkward = st.sampled_from(["", " a", "a ", '"', '""', "a\nb", "\r\n", "\r", ",", ";", "\t", "=1+1", "é", "007", "'"])
cells = st.none() | awkward | st.text(characters, max_size=12)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestNewFile:
    def test_is_not_seen_before_it_is_committed(self, tmp_path: Path) -> None:
        file = NewFile(tmp_path / "a.txt")
        file.write(b"one")
        assert not (tmp_path / "a.txt").exists()
        file.commit()
        assert (tmp_path / "a.txt").read_bytes() == b"one"
        assert names_in(tmp_path) == ["a.txt"]

    def test_leaves_the_older_file_whole_until_then_and_when_discarded(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"old")
        file = NewFile(tmp_path / "a.txt")
        file.write(b"new")
        assert (tmp_path / "a.txt").read_bytes() == b"old"
        file.discard()
        assert (tmp_path / "a.txt").read_bytes() == b"old"
        assert names_in(tmp_path) == ["a.txt"]

    def test_is_readable_by_its_owner_only_even_over_an_open_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"old")
        (tmp_path / "a.txt").chmod(0o666)
        NewFile(tmp_path / "a.txt").commit()
        assert mode_of(tmp_path / "a.txt") == 0o600

    def test_refuses_a_link_and_leaves_its_target_alone(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"theirs")
        (tmp_path / "a.txt").symlink_to(tmp_path / "target")
        with pytest.raises(UsageError, match=r"a\.txt is in the way"):
            NewFile(tmp_path / "a.txt")
        assert (tmp_path / "target").read_bytes() == b"theirs"

    def test_never_writes_through_a_link_that_appears_later(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"theirs")
        file = NewFile(tmp_path / "a.txt")
        (tmp_path / "a.txt").symlink_to(tmp_path / "target")
        file.write(b"ours")
        file.commit()
        assert (tmp_path / "target").read_bytes() == b"theirs"
        assert not (tmp_path / "a.txt").is_symlink()

    def test_refuses_a_folder_in_its_place(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="not a plain file"):
            NewFile(tmp_path)

    def test_a_folder_that_is_not_there_is_a_usage_error_naming_it(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"missing/a\.txt cannot be written: No such file"):
            NewFile(tmp_path / "missing" / "a.txt")

    def test_no_room_stops_the_job_and_discarding_cleans_up(self, tmp_path: Path, no_room: None) -> None:
        file = NewFile(tmp_path / "a.txt")
        with pytest.raises(StoppedError, match=r"a\.txt cannot be written: File too large"):
            file.write(bytes(1 << 20))
        file.discard()
        assert names_in(tmp_path) == []

    def test_no_room_at_the_very_end_stops_the_job_too(self, tmp_path: Path, no_room: None) -> None:
        file = NewFile(tmp_path / "a.txt")
        for _ in range(6):
            file.write(bytes(1_000))
        with pytest.raises(StoppedError, match=r"a\.txt cannot be written"):
            file.commit()
        file.discard()
        assert names_in(tmp_path) == []


@pytest.fixture
def no_room() -> Iterator[None]:
    """No file of this process may grow past 4 KB, as on a full disk."""
    resource = pytest.importorskip("resource", reason="only Unix bounds the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_folder_is_private_and_made_with_those_above_it(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert mode_of(tmp_path / "a" / "b") == 0o700


@pytest.mark.parametrize("place", ["file/b", "file"])
def test_a_folder_that_cannot_be_made_is_a_usage_error_naming_it(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"{place} cannot be written"):
        make_folder(tmp_path / place)


def written_csv(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[str | None]], dialect: Dialect) -> bytes:
    file = NewFile(folder / "table.csv")
    write_delimited(file, columns, rows, dialect)
    file.commit()
    return (folder / "table.csv").read_bytes()


class TestDelimited:
    @in_one_folder
    @given(
        rows=st.lists(st.lists(cells, min_size=1, max_size=5), max_size=5),
        dialect=st.builds(
            Dialect,
            st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
            st.sampled_from(list(",;\t|")),
            st.sampled_from(["\n", "\r\n", "\r"]),
        ),
    )
    def test_any_text_comes_back_through_the_csv_module(
        self, tmp_path: Path, rows: list[list[str | None]], dialect: Dialect
    ) -> None:
        data = written_csv(tmp_path, ["a", "b c"], rows, dialect)
        text = io.StringIO(data.decode(dialect.encoding), newline="")
        read = list(csv.reader(text, delimiter=dialect.delimiter, strict=True))
        assert read == [["a", "b c"], *([cell or "" for cell in row] for row in rows)]

    @in_one_folder
    @given(row=st.lists(st.text(string.ascii_letters + string.digits + ".=+-@'", min_size=1), min_size=1))
    def test_plain_cells_are_not_quoted_nor_guarded(self, tmp_path: Path, row: list[str]) -> None:
        assert written_csv(tmp_path, ["a"], [row], Dialect()).decode() == "a\n" + ",".join(row) + "\n"

    @pytest.mark.parametrize(
        ("encoding", "start"), [("utf-8", b"a"), ("utf-8-sig", b"\xef\xbb\xbfa"), ("cp1252", b"a"), ("utf-16", b"\xff")]
    )
    def test_a_byte_order_mark_is_written_once_and_only_where_the_encoding_has_one(
        self, tmp_path: Path, encoding: str, start: bytes
    ) -> None:
        data = written_csv(tmp_path, ["a"], [["é"]] * 2_500, Dialect(encoding))
        assert data.startswith(start)
        assert data.decode(encoding) == "a\n" + "é\n" * 2_500

    def test_line_breaks_in_cells_stay_as_they_are_whatever_ends_the_lines(self, tmp_path: Path) -> None:
        data = written_csv(tmp_path, ["a", "b"], [["x\ny", "x\r\ny"]], Dialect(line_end="\r\n"))
        assert data == b'a,b\r\n"x\ny","x\r\ny"\r\n'

    def test_a_shifting_encoding_ends_in_its_first_state(self, tmp_path: Path) -> None:
        data = written_csv(tmp_path, ["a"], [["日本"]], Dialect("iso2022_jp", line_end=""))
        assert data.endswith(b"\x1b(B")
        assert data.decode("iso2022_jp") == "a日本"

    def test_text_that_the_encoding_cannot_spell_does_not_fit(self, tmp_path: Path) -> None:
        with pytest.raises(DoesNotFitError, match="'漢' cannot be written in cp1252"):
            write_delimited(file := NewFile(tmp_path / "a.csv"), ["a"], [["漢"]], Dialect("cp1252"))
        file.discard()


class TestJsonLines:
    @in_one_folder
    @given(rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=4))
    def test_rows_come_back_as_objects_without_their_blank_cells(
        self, tmp_path: Path, rows: list[list[str | None]]
    ) -> None:
        file = NewFile(tmp_path / "a.jsonl")
        write_lines(file, (object_text(["a", "é", '"'], row) for row in rows))
        file.commit()
        read = [json.loads(line) for line in (tmp_path / "a.jsonl").read_bytes().split(b"\n")[:-1]]
        assert [[one.get("a"), one.get("é"), one.get('"')] for one in read] == rows

    def test_half_a_surrogate_pair_is_written_as_an_escape(self, tmp_path: Path) -> None:
        file = NewFile(tmp_path / "a.jsonl")
        write_lines(file, [object_text(["a"], ["\ud800"])])
        file.commit()
        assert json.loads((tmp_path / "a.jsonl").read_bytes()) == {"a": "\ud800"}


def written_workbook(folder: Path, *sheets: Sheet) -> Path:
    file = NewFile(folder / "table.xlsx")
    write_workbook(file, sheets)
    file.commit()
    return folder / "table.xlsx"


class TestWorkbook:
    @pytest.mark.parametrize(
        "text",
        ["=1+1", "+1", "-1", "@SUM(A1)", "{=1}", "007", "1e5", "TRUE", "http://a.b", "mailto:a@b", "internal:A1"],
    )
    def test_text_stays_text(self, tmp_path: Path, text: str) -> None:
        path = written_workbook(tmp_path, Sheet("Cases", [text], [[text, None, "x"]]))
        sheet = openpyxl.load_workbook(path)["Cases"]
        for cell in (sheet["A1"], sheet["A2"]):
            assert (cell.value, cell.data_type, cell.hyperlink, cell.number_format) == (text, "s", None, "@")
        assert (sheet["B2"].value, sheet["C2"].value) == (None, "x")
        with zipfile.ZipFile(path) as parts:
            assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")

    @settings(in_one_folder, max_examples=15)
    @given(rows=st.lists(st.lists(cells, max_size=4), max_size=6))
    def test_any_text_comes_back_through_openpyxl(self, tmp_path: Path, rows: list[list[str | None]]) -> None:
        sheet = openpyxl.load_workbook(written_workbook(tmp_path, Sheet("A", ["h"], rows)))["A"]
        for number, row in enumerate(rows, 2):
            read = [sheet.cell(number, column).value for column in range(1, len(row) + 1)]
            # Control characters and lone carriage returns are written as ECMA-376 says (ST_Xstring): _x000D_.
            assert [unescape(value) if value else None for value in read] == [cell or None for cell in row]

    def test_sheets_may_take_turns_and_keep_their_names(self, tmp_path: Path) -> None:
        path = written_workbook(tmp_path, Sheet("Übung 1", ["a"], [["1"]]), Sheet("Zwei", ["b"], [["2"], ["3"]]))
        book = openpyxl.load_workbook(path)
        assert book.sheetnames == ["Übung 1", "Zwei"]
        assert [[cell.value for cell in row] for row in book["Zwei"]] == [["b"], ["2"], ["3"]]

    def test_names_that_excel_refuses_are_changed_and_stay_distinct(self, tmp_path: Path) -> None:
        names = ["a/b", "A_B", "x" * 40, "x" * 50, "'", "", "😀" * 20]
        book = openpyxl.load_workbook(written_workbook(tmp_path, *(Sheet(name, ["h"], []) for name in names)))
        assert book.sheetnames == ["a_b", "A_B (2)", "x" * 31, "x" * 27 + " (2)", " (2)", " (3)", "😀" * 15]

    @pytest.mark.parametrize("text", ["x" * 32_768, "😀" * 16_384])
    def test_more_text_than_a_cell_holds_does_not_fit(self, tmp_path: Path, text: str) -> None:
        file = NewFile(tmp_path / "a.xlsx")
        with pytest.raises(DoesNotFitError, match="sheet A has a cell of more than 32,767 characters"):
            write_workbook(file, [Sheet("A", ["h"], [["fine"], [text]])])
        file.discard()
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize("text", ["x" * 32_767, "😀" * 16_383])
    def test_the_longest_text_fits(self, tmp_path: Path, text: str) -> None:
        path = written_workbook(tmp_path, Sheet("A", ["h"], [[text]]))
        assert openpyxl.load_workbook(path)["A"]["A2"].value == text

    def test_more_columns_than_a_sheet_holds_do_not_fit(self, tmp_path: Path) -> None:
        file = NewFile(tmp_path / "a.xlsx")
        with pytest.raises(DoesNotFitError, match="more rows or columns"):
            write_workbook(file, [Sheet("A", ["h"] * 16_385, [])])
        file.discard()

    def test_no_room_stops_the_job(self, tmp_path: Path, no_room: None) -> None:
        file = NewFile(tmp_path / "a.xlsx")
        with pytest.raises(StoppedError, match=r"a\.xlsx cannot be written: .*File too large"):
            write_workbook(file, [Sheet("A", ["h"], [[str(number) * 9] for number in range(999)])])
        file.discard()
        assert names_in(tmp_path) == []

    def test_every_exception_of_the_library_is_translated(self) -> None:
        raised = [one for one in vars(exceptions).values() if isinstance(one, type) and issubclass(one, Exception)]
        assert raised
        assert all(issubclass(one, exceptions.XlsxWriterException) for one in raised)

"""Readers: what every format must do alike, and what a file must be to be read at all."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.errors import FileError, UsageError
from etl.readers import ReadOptions, Survey, open_source
from etl.readers.assembly import BATCH_ROWS
from tests.reading_talk import (
    COLUMNS,
    ROWS,
    Row,
    cells,
    read,
    refusal,
    write_csv,
    write_json_lines,
    write_xlsx,
)

FORMATS = [
    pytest.param("csv", write_csv, 2, id="csv"),
    pytest.param("jsonl", write_json_lines, 1, id="jsonl"),
    pytest.param("xlsx", write_xlsx, 2, id="xlsx"),
]
Write = Callable[..., Path]


@pytest.mark.parametrize(("kind", "write", "first"), FORMATS)
class TestEveryReader:
    def test_gives_the_same_rows(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        batches = read(write(tmp_path / f"cases.{kind}", ROWS))
        assert cells(batches) == ROWS
        assert batches[0].source["_row"].to_list() == [first, first + 1, first + 2]
        assert batches[0].frame.equals(batches[0].source)
        assert batches[0].problems.is_empty()

    def test_tells_where_rows_come_from(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        path = write(tmp_path / f"cases.{kind}", ROWS)
        with open_source(str(path)) as survey:
            (table,) = survey.tables
        assert survey.format == table.origin.format == kind
        assert survey.file == table.origin.file == str(path)
        assert survey.size_bytes == path.stat().st_size
        assert len(survey.sha256) == 64
        assert table.origin.columns == COLUMNS
        assert table.origin.header_row == (None if kind == "jsonl" else 1)
        address = {"csv": "B2", "xlsx": "Cases!B2", "jsonl": None}[kind]
        assert table.origin.cell("input", 2) == address

    def test_shows_the_first_rows_beforehand(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        rows = [(str(number), "hello", None) for number in range(300)]
        with open_source(str(write(tmp_path / f"cases.{kind}", rows))) as survey:
            (table,) = survey.tables
            (batch,) = table.batches()
        assert table.sample.equals(batch.source.head(200))

    def test_can_be_read_more_than_once(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        with open_source(str(write(tmp_path / f"cases.{kind}", ROWS))) as survey:
            (table,) = survey.tables
            assert cells(list(table.batches())) == cells(list(table.batches())) == ROWS

    def test_reads_in_batches_of_a_bounded_size(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        rows = [(str(number), "hello", "x") for number in range(BATCH_ROWS + 1)]
        batches = read(write(tmp_path / f"cases.{kind}", rows))
        assert [len(batch) for batch in batches] == [BATCH_ROWS, 1]
        assert cells(batches) == rows

    def test_marks_control_characters(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        (batch,) = read(write(tmp_path / f"cases.{kind}", [("1", "good\t\n", "x"), ("2", "a\x07b", "x")]))
        (problem,) = batch.problems.to_dicts()
        assert (problem["row"], problem["code"], problem["severity"]) == (first + 1, "control_character", "error")
        assert problem["column"] == "input"
        assert "U+0007 (character 2)" in problem["message"]
        assert batch.source["input"][1] == "a\x07b"

    def test_hides_values_of_secret_columns(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        (batch,) = read(write(tmp_path / f"agents.{kind}", [("1", "sk-123\x07", "x")], ("id", "api_key", "notes")))
        assert batch.problems["value"].to_list() == ["«hidden»"]

    def test_leaves_out_the_column_of_an_earlier_import(
        self, tmp_path: Path, kind: str, write: Write, first: int
    ) -> None:
        rows: list[Row] = [(row[0], "too long", row[1]) for row in ROWS]
        (batch,) = read(write(tmp_path / f"rejects.{kind}", rows, ("id", "_coval_etl_error", "input")))
        assert batch.origin.columns == ("id", "input")
        assert cells([batch]) == [row[:2] for row in ROWS]
        assert "too long" not in str(batch.source.to_dicts())

    def test_notices_a_file_that_changes(self, tmp_path: Path, kind: str, write: Write, first: int) -> None:
        path = write(tmp_path / f"cases.{kind}", ROWS)
        with open_source(str(path)) as survey:
            write(path, [*ROWS, ("10", "new", None)])
            with pytest.raises(FileError, match="changed while it was being read"):
                list(survey.tables[0].batches())

    @pytest.mark.parametrize("name", ["_row", "*"])
    def test_refuses_a_column_name_that_it_could_not_carry(
        self, tmp_path: Path, kind: str, write: Write, first: int, name: str
    ) -> None:
        path = write(tmp_path / f"odd.{kind}", ROWS, ("id", name, "notes"))
        assert f"may not be called '{name}'" in refusal(path).message


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_a_header_alone_is_a_table_without_rows(tmp_path: Path, write: Write) -> None:
    assert read(write(tmp_path / "cases", [])) == []


class TestAFileThatCannotBeRead:
    def test_is_missing_and_a_similar_one_is_named(self, tmp_path: Path) -> None:
        write_csv(tmp_path / "cases.csv", ROWS)
        error = refusal(tmp_path / "case.cvs")
        assert error.message.endswith("case.cvs does not exist.")
        assert error.hint == f"Did you mean {tmp_path / 'cases.csv'}?"

    def test_is_in_a_folder_that_is_missing(self, tmp_path: Path) -> None:
        assert "nor does the folder" in refusal(tmp_path / "nowhere" / "x.csv").message

    def test_is_a_folder(self, tmp_path: Path) -> None:
        assert refusal(tmp_path).message == f"{tmp_path} is a folder."

    @pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no users here")
    def test_is_not_allowed(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "cases.csv", ROWS)
        path.chmod(0)
        user = os.geteuid()
        os.seteuid(65534 if user == 0 else user)  # root may read everything
        try:
            assert refusal(path).message == f"You are not allowed to read {path}."
        finally:
            os.seteuid(user)

    def test_has_a_name_that_no_file_can_have(self) -> None:
        assert "cannot be read" in refusal("a\0b.csv").message

    @pytest.mark.parametrize("content", [b"", b" \r\n\n", b"\xef\xbb\xbf\n"])
    def test_is_empty(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "cases.csv"
        path.write_bytes(content)
        assert refusal(path).message == f"{path} is empty."


class TestOptions:
    def test_the_content_decides_the_format_not_the_name(self, tmp_path: Path) -> None:
        assert cells(read(write_xlsx(tmp_path / "cases.csv", ROWS))) == ROWS
        assert cells(read(write_json_lines(tmp_path / "cases.txt", ROWS))) == ROWS

    def test_a_named_format_must_fit_the_content(self, tmp_path: Path) -> None:
        assert "not CSV" in refusal(write_xlsx(tmp_path / "a.xlsx", ROWS), ReadOptions("csv")).message
        assert "not an Excel workbook" in refusal(write_csv(tmp_path / "a.csv", ROWS), ReadOptions("xlsx")).message

    @pytest.mark.parametrize(
        "options",
        [
            ReadOptions(format="pdf"),
            ReadOptions(sheet="Cases"),
            ReadOptions(delimiter="::"),
            ReadOptions(encoding="klingon"),
            ReadOptions(encoding="idna"),
        ],
        ids=str,
    )
    def test_that_make_no_sense_are_a_usage_error(self, tmp_path: Path, options: ReadOptions) -> None:
        path = write_csv(tmp_path / "cases.csv", ROWS)
        with pytest.raises(UsageError):
            open_source(str(path), options)


class TestStandardInput:
    def survey(self, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Survey:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return open_source("-")

    def test_is_kept_until_the_survey_closes(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with self.survey(b"id,input\n1,hello\n", monkeypatch) as survey:
            (spool,) = tmp_path.iterdir()
            assert spool.stat().st_mode & 0o077 == 0
            assert survey.file == survey.tables[0].origin.file == "-"
            assert (
                cells(list(survey.tables[0].batches())) == cells(list(survey.tables[0].batches())) == [("1", "hello")]
            )
        assert list(tmp_path.iterdir()) == []

    def test_is_not_kept_when_it_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        for content in (b"", b"1,2\n3,4\n"):
            with pytest.raises(FileError, match="standard input"):
                self.survey(content, monkeypatch)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
    def test_a_pipe_is_read_like_it(self, tmp_path: Path) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"id,input\n1,hello\n")
        os.close(writing)
        try:
            assert cells(read(Path(f"/dev/fd/{reading}"))) == [("1", "hello")]
        finally:
            os.close(reading)

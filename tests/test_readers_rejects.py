"""Rejects mended by hand: a sentence of ours is never taken for a value, wherever a person has moved it."""

import csv
from pathlib import Path

import pytest

from etl.readers import ReadOptions
from tests.reading_talk import cells, found, read, refusal

SHORT = "the record has 2 cells, the header has 3: add the missing separators, and put quotes round a cell"


def write(folder: Path, *rows: list[str], filler: int = 0) -> Path:
    path = folder / "rejects.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "input", "notes", "_coval_etl_error"])
        writer.writerows([["0", "x", "y", "too long"]] * filler)
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("filler", [0, 300_000])
@pytest.mark.parametrize(
    "row", [["1", "a", SHORT, ""], ["1", SHORT, "", ""], ["1", "a", SHORT, "b"], ["1", "a", f"{SHORT}; too long", ""]]
)
def test_our_sentence_in_another_column_is_a_problem(tmp_path: Path, row: list[str], filler: int) -> None:
    batches = read(write(tmp_path, row, ["2", "b", "c", SHORT], filler=filler))
    assert found(batches) == [(filler + 2, "ragged_row", None)]
    sentence = next(batch.problems["message"][0] for batch in batches if batch.problems.height)
    assert sentence.startswith("the sentence of an earlier import stands in column ")
    assert "_coval_etl_error" in sentence
    *_, bad, good = cells(batches)
    assert good == ("2", "b", "c")
    assert SHORT not in str(bad)


def test_the_row_is_kept_so_that_it_is_found_again(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path, ["1", "a", SHORT, ""]))
    kept = batch.source["_raw"][0]
    assert kept == f'["1", "a", "{SHORT}"]'
    (again,) = read(write(tmp_path, ["1", "a", SHORT, batch.problems["message"][0]]))
    assert found([again]) == [(2, "ragged_row", None)]


def test_our_sentence_behind_the_last_column_is_a_problem(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path, ["1", "a", "b", "", SHORT]))
    assert found([batch]) == [(2, "ragged_row", None)]
    assert "stands in column E, where" in batch.problems["message"][0]


def test_a_record_that_nobody_mended_is_as_short_as_it_was(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path, ["1", "a", SHORT]))
    assert "the record has 3 cells, the header has 4" in batch.problems["message"][0]


def test_in_a_file_that_is_not_ours_such_a_text_is_a_value(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(f'id,input\n1,"{SHORT}"\n')
    (batch,) = read(path)
    assert batch.problems.is_empty()


def test_one_of_anything_is_said_in_the_singular(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("id,input\n1,a\n2\n")
    (batch,) = read(path)
    assert batch.problems["message"][0].startswith("the record has 1 cell, the header has 2: ")
    path.write_text("1\n2\n")
    error = refusal(path, ReadOptions(columns=("id", "input")))
    assert error.message.endswith("2 names were given, and the records have 1 cell.")

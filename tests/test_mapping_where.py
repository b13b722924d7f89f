"""Conditions (`where`, `--where`): a row of which nobody can tell whether it is wanted is never left out in silence."""

from pathlib import Path

import polars as pl
import pytest

from etl.expressions import find_unclear
from tests.command import etl

TABLE = "Prompt,Priority,Status\none,5,Ready\ntwo,high,Ready\nthree,1,Ready\nfour,low,Draft\n"
BAD_CAST = "so nobody can tell whether the row is wanted; correct the cell, or write TRY_CAST"


def rows_of(folder: Path, *words: str) -> dict[str, int]:
    (folder / "c.csv").write_text(TABLE)
    said = etl(folder, "validate", "c.csv", "--resource", "test-cases", "--json", *words)
    counts: dict[str, int] = said.json["rows"]
    return {name: counts[name] for name in ("valid", "rejected", "skipped")}


@pytest.mark.parametrize(
    ("where", "rejected", "skipped"),
    [
        ("CAST(Priority AS INT) > 2", 2, 1),
        ("CAST(Priority AS INT) > 2 AND Status = 'Ready'", 1, 2),
        ("COALESCE(CAST(Priority AS INT), 0) > 2", 2, 1),
        ("TRY_CAST(Priority AS INT) > 2", 0, 3),
    ],
)
def test_a_cast_that_fails_is_an_error_on_its_row(tmp_path: Path, where: str, rejected: int, skipped: int) -> None:
    assert rows_of(tmp_path, "--where", where) == {"valid": 1, "rejected": rejected, "skipped": skipped}


def test_a_cast_of_the_mapping_s_where_is_asked_as_well(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "version: 1\nname: m\nresource: test-cases\nsource: {where: 'CAST(Priority AS INT) > 2'}\n"
        "fields:\n  input_str: {from: Prompt}\n"
    )
    told = ("--mapping", "m.yaml")
    assert rows_of(tmp_path, *told) == {"valid": 1, "rejected": 2, "skipped": 1}
    assert rows_of(tmp_path, *told, "--where", "Status = 'Ready'") == {"valid": 1, "rejected": 1, "skipped": 2}


def test_a_row_of_a_record_is_asked_before_it_gives_or_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("Case,Say,No\na,Hello,1\na,Bye,two\nb,Hi,1\n")
    (tmp_path / "m.yaml").write_text(
        "version: 1\nname: m\nresource: test-cases\nsource: {group_by: Case, where: 'CAST(No AS INT) > 0'}\n"
        "fields:\n  input_str: {from: Case}\n  expected_behaviors: {collect: Say}\n"
    )
    said = etl(tmp_path, "validate", "c.csv", "--mapping", "m.yaml", "--json")
    assert said.json["rows"]["rejected"] == 2
    assert said.json["rows"]["valid"] == 1


def test_the_sentence_names_the_cell_and_what_would_do(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(TABLE)
    said = etl(tmp_path, "validate", "c.csv", "--resource", "test-cases", "--where", "CAST(Priority AS INT) > 2")
    words = " ".join(said.err.split())
    assert 'B3: Priority is "high", and the CAST of --where takes a whole number such as 5' in words
    assert BAD_CAST in words


def test_what_the_rest_decides_is_clear() -> None:
    frame = pl.DataFrame({"p": ["high", "high", "3", None], "s": ["x", "y", "y", "y"]})
    unclear = find_unclear("s = 'x' OR CAST(p AS INT) > 2", ["p", "s"])
    assert unclear is not None
    assert frame.select(unclear).to_series().fill_null(value=False).to_list() == [False, True, False, False]
    assert find_unclear("TRY_CAST(p AS INT) > 2", ["p"]) is None

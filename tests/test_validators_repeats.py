"""Rows that say what others say: found however many there are, in whatever order, and without holding them."""

import json
from pathlib import Path
from random import Random

import polars as pl
import pytest

from etl.validators import seen as room
from etl.validators.seen import MARK, PLACE, PROOF, Seen
from tests.command import etl


def marks_of(values: list[int], start: int) -> pl.DataFrame:
    marks = pl.Series(values, dtype=pl.UInt64)
    return pl.DataFrame(
        {MARK: marks, PROOF: marks, PLACE: range(start, start + len(values))}, schema_overrides={PLACE: pl.Int64}
    )


@pytest.mark.parametrize("held", [7, 100, 1_000_000])
def test_every_mark_is_found_again_in_memory_and_on_disk(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_HELD_ROWS", held)
    chance = Random(held)
    seen = Seen(lambda: tmp_path)
    known: dict[int, int] = {}
    place = 0
    for _ in range(60):
        values = [
            chance.choice((chance.getrandbits(64), chance.randrange(300), (1 << 64) - 1 - chance.randrange(50)))
            for _ in range(40)
        ]
        expected = []
        for at, value in enumerate(values, place):
            expected.append(known.get(value))
            known.setdefault(value, at)
        assert seen.add(marks_of(values, place)).to_list() == expected
        place += len(values)
    seen.close()


def test_another_proof_is_another_mark(tmp_path: Path) -> None:
    seen = Seen(lambda: tmp_path)
    one = marks_of([5], 0)
    assert seen.add(one).to_list() == [None]
    assert seen.add(
        one.with_columns(pl.lit(6, dtype=pl.UInt64).alias(PROOF), pl.lit(9, dtype=pl.Int64).alias(PLACE))
    ).to_list() == [None]


def test_the_filter_lets_few_pass(tmp_path: Path) -> None:
    chance = Random(1)
    there = pl.Series([chance.getrandbits(64) for _ in range(20_000)], dtype=pl.UInt64)
    other = pl.Series([chance.getrandbits(64) for _ in range(20_000)], dtype=pl.UInt64)
    sieve = room._Filter()
    for part in there.to_frame().iter_slices(700):
        sieve.take(part.to_series().sort())
    assert sieve.may_have(there).all()
    assert sieve.may_have(other).mean() < 0.01  # type: ignore[operator]


def test_the_filter_grows_and_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_FIRST_WORDS", 2)
    chance = Random(2)
    sieve = room._Filter()
    taken: list[int] = []
    for count in (1, 3, 0, 200, 40, 5_000):
        taken += (new := [chance.getrandbits(64) for _ in range(count)])
        sieve.take(pl.Series(sorted(new), dtype=pl.UInt64))
        assert sieve.may_have(pl.Series(taken, dtype=pl.UInt64)).all()


def test_repeated_rows_are_named_and_sent_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("input_str,description\nHello,x\nHello,y\nHello,x\n")
    (tmp_path / "b.csv").write_text("description,input_str\nx,Hello\nz,Bye\n")
    said = etl(tmp_path, "validate", "a.csv", "b.csv", "--json", "--report", "r")
    assert said.json["rows"]["valid"] == 5
    lines = (tmp_path / "r" / "results.jsonl").read_text()
    assert lines.count("repeated_row") == 2
    assert "the same test case as in row 2; both are sent" in lines
    assert "the same test case as in row 2 of a.csv; both are sent" in lines
    assert (
        etl(tmp_path, "validate", "a.csv", "--strict", "--json", "--test-set", "aB1cD2eF").json["rows"]["rejected"] == 1
    )


def test_a_key_that_the_api_takes_only_once_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("display_name,slug\nA,a\nB,a\nA,c\n")
    said = etl(tmp_path, "validate", "sets.csv", "--json", "--resource", "test-sets", "--report", "r")
    assert said.json["rows"] == {"read": 3, "valid": 2, "rejected": 1}
    lines = (tmp_path / "r" / "results.jsonl").read_text()
    assert "the API takes each only once" in lines
    assert "hard to tell them apart" in lines


def test_rows_of_one_name_that_say_different_things_are_told_what(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("display_name,description,test_set_type\nA,x,SCENARIO\nB,,\nA,y,SCENARIO\nB,z,\n")
    (tmp_path / "b.csv").write_text("display_name,description,slug\nA,x,a\nA,y,b\nB,z,c\nB,w,d\n")
    said = etl(tmp_path, "validate", "a.csv", "b.csv", "--json", "--resource", "test-sets", "--report", "r")
    assert said.code == 0
    lines = (tmp_path / "r" / "results.jsonl").read_text().splitlines()
    issues = [issue for line in lines for issue in json.loads(line)["issues"]]
    assert [issue["message"].partition(";")[0] for issue in issues] == [
        'display_name is "A" in row 2 too, with another description',
        'display_name is "B" in row 3 too',
        'display_name is "A" in row 2 of a.csv too',
        'display_name is "A" in row 2 of a.csv too, with another description',
        'display_name is "B" in row 3 of a.csv too',
        'display_name is "B" in row 3 of a.csv too',
    ]


def test_agents_of_one_name_are_named_across_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("display_name,model_type,phone_number\nBot,MODEL_TYPE_VOICE,+12345678901\n")
    (tmp_path / "b.csv").write_text("display_name,model_type,phone_number\nBot,MODEL_TYPE_SMS,+12345678901\n")
    etl(tmp_path, "validate", "a.csv", "b.csv", "--json", "--resource", "agents", "--report", "r")
    assert "in row 2 of a.csv too, with another model_type;" in (tmp_path / "r" / "results.jsonl").read_text()


def test_rows_that_are_left_out_count_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("input_str,keep\nHello,no\nHello,yes\n")
    said = etl(tmp_path, "validate", "a.csv", "--where", "keep = 'yes'", "--report", "r", "--json")
    assert said.code == 0
    assert "repeated_row" not in (tmp_path / "r" / "results.jsonl").read_text()

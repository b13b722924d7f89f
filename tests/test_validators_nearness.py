"""Near duplicates: named with the row that they are like, found among many, never looked for without being asked."""

import json
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from rapidfuzz import fuzz

from etl.batch import ROW, Batch, Origin
from etl.checking import check_rows, choose_mappings
from etl.inputs import open_inputs
from etl.resources import Contract
from etl.validators import Nearness
from etl.validators import nearness as room
from tests.command import etl

CASES = [
    "Ask for a refund of order 1001, politely.",
    "Ask for the opening hours in Lyon",
    "ask for a refund  of order 1002 politely!",
    "ASK FOR THE OPENING HOURS, IN LYON",
    "Ask for the opening hours in Lyon",
    "???",
    "!!!",
    "Où est ma commande, s'il vous plaît ?",
    "Où est ma commande s\u2019il vous plait?",
    "注文をキャンセルしたいです",
    "注文をキャンセルしたいのです。",
    "Hang up at once",
]


def told(folder: Path, *flags: str) -> list[tuple[int, str, str]]:
    """Row, severity and message of every near duplicate."""
    said = etl(folder, "validate", "a.csv", "--near-duplicates", "--json", "--report", "r", *flags)
    assert said.json["rows"]["read"] == len((folder / "a.csv").read_text().splitlines()) - 1
    lines = map(json.loads, (folder / "r" / "results.jsonl").read_text().splitlines())
    problems = ((line["row"], one) for line in lines for one in line["issues"])
    return [(row, one["severity"], one["message"]) for row, one in problems if one["code"] == "near_duplicate"]


def write(folder: Path, cases: list[str]) -> None:
    lines = "".join(f'"{case}"\n' for case in cases)
    (folder / "a.csv").write_text(f"input_str\n{lines}", encoding="utf-8")


def test_near_duplicates_are_named_with_the_row_and_the_likeness(tmp_path: Path) -> None:
    write(tmp_path, CASES)
    same = "the same input_str as in row 3, but for letter case, punctuation and white space; both are sent"
    assert told(tmp_path) == [
        (4, "warning", "nearly the same input_str as in row 2 (97 % alike); both are sent, each once"),
        (5, "warning", same),
        (10, "warning", "nearly the same input_str as in row 9 (97 % alike); both are sent, each once"),
        (12, "warning", "nearly the same input_str as in row 11 (96 % alike); both are sent, each once"),
    ]


def test_they_are_looked_for_only_where_that_is_asked(tmp_path: Path) -> None:
    write(tmp_path, CASES)
    etl(tmp_path, "validate", "a.csv", "--report", "r")
    assert "near_duplicate" not in (tmp_path / "r" / "results.jsonl").read_text()


def test_with_strict_they_are_errors_and_import_looks_too(tmp_path: Path) -> None:
    write(tmp_path, CASES[:3])
    assert [severity for _, severity, _ in told(tmp_path, "--strict", "--test-set", "abc12345")] == ["error"]
    flags = ("--sandbox", "--test-set", "New", "--create-missing", "--near-duplicates", "--report", "s", "--json")
    said = etl(tmp_path, "import", "a.csv", *flags)
    assert said.json["rows"]["created"] == 3
    assert "near_duplicate" in (tmp_path / "s" / "results.jsonl").read_text()


def test_what_is_not_compared_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nearness = Nearness()
    monkeypatch.setattr(room, "_MOST_ROWS", 3)
    assert [problem[0] for problem in looked_at(nearness, [*CASES[:2], "Hello", CASES[2]])] == []
    (note,) = nearness.notes(1)
    assert note.message.startswith("Only the first 3 test cases were compared with each other")
    assert list(nearness.notes(1)) == []
    assert list(Nearness().notes(1)) == []


def test_long_texts_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    nearness = Nearness()
    monkeypatch.setattr(room, "_MOST_CHARACTERS", 100)
    looked_at(nearness, ["x" * 90, "y" * 20, "z"])
    (note,) = nearness.notes(1)
    assert "first 1 test cases" in note.message


def looked_at(nearness: Nearness, texts: list[str], start: int = 2) -> list[tuple[Any, ...]]:
    schema = {ROW: pl.Int64, "input_str": pl.String}
    frame = pl.DataFrame({ROW: range(start, start + len(texts)), "input_str": texts}, schema=schema)
    batch = Batch(Origin("a.csv", None, "csv", ("Input",), (1,), 1), frame, frame)
    skipped = pl.repeat(value=False, n=len(texts), dtype=pl.Boolean, eager=True)
    return nearness.look_at(batch, {"input_str": ("Input",)}, skipped=skipped).problems.rows()


def test_the_column_and_its_cell_are_named() -> None:
    assert looked_at(Nearness(), CASES[:3])[0][3:7] == ("input_str", "Input", "A4", CASES[2])


def test_nearly_all_are_found_among_many_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against every row compared with every other. Rows share words, sentences, or nearly everything."""
    monkeypatch.setattr(room, "_CHUNK_ROWS", 170)
    chance = Random(7)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(200)]
    texts: list[str] = []
    while len(texts) < 1500:
        if texts and chance.random() < 0.2:
            texts.append(edited(chance, chance.choice(texts)))
        elif chance.random() < 0.3:
            texts.append(f"The customer calls about order {' '.join(chance.choices(words, k=12))}. Verify them first.")
        else:
            texts.append(" ".join(chance.choices(words, k=chance.randint(2, 40))))
    folded = pl.DataFrame({"a": texts}).select(room._folded(pl.col("a")))["a"].to_list()
    near = {at for at, text in enumerate(folded) if any(fuzz.ratio(text, one, score_cutoff=90) for one in folded[:at])}
    nearness = Nearness()
    found = {
        problem[0]
        for start in range(0, 1500, 500)
        for problem in looked_at(nearness, texts[start : start + 500], start)
    }
    assert found <= near
    assert len(found) >= 0.98 * len(near)


def edited(chance: Random, text: str) -> str:
    signs = list(text)
    for _ in range(chance.randint(1, max(1, len(text) // 15))):
        signs[chance.randrange(len(signs))] = chance.choice(("", "x", "y z", " "))
    return "".join(signs)


def test_rows_that_are_checked_twice_are_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, CASES)
    (tmp_path / "b.csv").write_text("input_str\nHang up at once!\nHang up at onze\n", encoding="utf-8")
    compared: list[str] = []

    real = fuzz.ratio

    def ratio(one: str, other: str, *, score_cutoff: float) -> float:
        compared.append(one)
        return real(one, other, score_cutoff=score_cutoff)

    monkeypatch.setattr(room.fuzz, "ratio", ratio)
    nearness = Nearness()
    found: list[list[tuple[object, ...]]] = []
    counts = []
    with open_inputs([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]) as inputs:
        fitted = choose_mappings(inputs, Contract.V2025_10)
        for some in (fitted[:1], fitted, fitted):  # given up after the first table, then again from the start
            rows = check_rows(some, Contract.V2025_10, assume_test_set=True, near_duplicates=nearness)
            problems = pl.concat([checked.batch.problems for checked in rows])
            found.append(problems.filter(pl.col("code") == "near_duplicate").rows())
            counts.append(len(compared))
    assert len(found[0]) == 4
    assert found[1][:4] == found[0]
    assert [problem[0] for problem in found[1][4:]] == [2, 3]
    assert found[2] == found[1]
    assert 0 < counts[0] < counts[1] == counts[2]

"""The sample files are built from their sources, every row has one expectation, and nothing in them is a secret."""

import csv
import io
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from etl.problems import Code

SAMPLES = Path(__file__).parent.parent / "samples"
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in {".xlsx", ".csv", ".jsonl"})

SECRETS = re.compile(
    r"""
    \b(?:sk|pk|rk)[-_](?:live|test|proj)?[-_]?[A-Za-z0-9]{16,}     # API keys
    | \bAKIA[0-9A-Z]{16}\b | \bgh[pousr]_[A-Za-z0-9]{20,} | \bxox[abprs]-
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}                  # JSON web tokens
    | -----BEGIN                                                   # private keys
    | \b[0-9a-f]{32,}\b                                            # hashes and hexadecimal keys
    | ://[^/\s:@]+:[^/\s@]+@                                       # passwords in URLs
    | \b[A-Z]{2}[0-9]{2}(?:\s?[0-9A-Z]{4}){3,}                     # bank account numbers
    """,
    re.VERBOSE,
)
CREDENTIAL = re.compile(r"\b(?:Bearer|X-API-Key) +([^\s\"]+)")
CARD = re.compile(r"\b[0-9](?:[ -]?[0-9]){12,18}\b")


def rows_of(name: str) -> list[tuple[str | None, int]]:
    """Every row of a sample that holds data, as sheet and row number, read without the project's readers."""
    path = SAMPLES / name
    if path.suffix == ".xlsx":
        return list(rows_of_cases(path))
    text = path.read_bytes().decode("utf-8-sig")
    if path.suffix == ".jsonl":
        return [(None, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    first = text.split("\n", maxsplit=1)[0]
    records = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",")
    return [(None, number) for number, record in enumerate(records, 1) if number > 1 and any(record)]


def rows_of_cases(path: Path) -> Iterator[tuple[str | None, int]]:
    """The rows below the header of each visible sheet of cases."""
    book = load_workbook(path)
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible" or sheet.title == "Lists":
            continue
        header = next(row[0].row for row in sheet.iter_rows() if "Scenario" in {cell.value for cell in row})
        assert header is not None
        for row in sheet.iter_rows(min_row=header + 1):
            if any(cell.value is not None for cell in row):
                assert row[0].row is not None
                yield sheet.title, row[0].row


def texts_of(name: str) -> Iterator[str]:
    """Every cell of a sample as text, and every line of a text file."""
    path = SAMPLES / name
    if path.suffix != ".xlsx":
        yield from path.read_text(encoding="utf-8-sig").split("\n")
        return
    for sheet in load_workbook(path).worksheets:
        for row in sheet.iter_rows(values_only=True):
            yield from (str(value) for value in row if value is not None)


def expectations_of(name: str) -> list[dict[str, Any]]:
    lines = (SAMPLES / "expected" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_building_the_samples_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SAMPLES / "make_samples.py"), str(tmp_path)], check=True)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    kept = {Path(name) for name in NAMES} | {path.relative_to(SAMPLES) for path in SAMPLES.glob("expected/*")}
    assert made == kept
    assert [path for path in sorted(made) if (tmp_path / path).read_bytes() != (SAMPLES / path).read_bytes()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_exactly_one_expectation_in_order(name: str) -> None:
    assert [(told["sheet"], told["row"]) for told in expectations_of(name)] == rows_of(name)


@pytest.mark.parametrize("name", NAMES)
def test_an_expectation_is_a_body_or_the_codes_of_what_is_wrong(name: str) -> None:
    for told in expectations_of(name):
        if told["ok"]:
            assert told.keys() <= {"sheet", "row", "ok", "body", "warnings"}
            assert told["body"]
        else:
            assert told.keys() == {"sheet", "row", "ok", "codes", "fields"}
            assert told["codes"]
        for code in [*told.get("codes", ()), *told.get("warnings", ())]:
            assert code in list(Code)


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_counts_the_rows_of_a_sample(name: str) -> None:
    told = expectations_of(name)
    bad = sum(not row["ok"] for row in told)
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (SAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{name}`")
    ]
    assert [[int(cells[2]), int(cells[3])] for cells in table] == [[len(told), bad]]


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_looks_like_a_secret(name: str) -> None:
    for text in texts_of(name):
        assert not SECRETS.search(text), text
        assert all("EXAMPLE-NOT-A-KEY" in found for found in CREDENTIAL.findall(text)), text
        cards = (re.sub(r"\D", "", found) for found in CARD.findall(text))
        assert not any(is_card_number(digits) for digits in cards), text


def is_card_number(digits: str) -> bool:
    """Whether the last digit is the check digit of a payment card number."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return digits[0] in "3456" and sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def test_no_two_cases_of_a_suite_ask_for_the_same_thing() -> None:
    for suite in ("support_calls", "support_escalations", "airline", "clinic", "delivery"):
        source = tomllib.loads((SAMPLES / "source" / f"{suite}.toml").read_text(encoding="utf-8"))
        cases = [case for section in source.get("section", [source]) for case in section["case"]]
        asked = [case.get("scenario") or case.get("input") for case in cases]
        said = [tuple(case.get("expect", ())) for case in cases]
        for values in ([value for value in asked if value], [value for value in said if value]):
            assert len(set(values)) == len(values)

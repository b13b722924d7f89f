"""`docs/problems.md`: its examples that are files have the problems that they show, read, mapped and checked."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from openpyxl import Workbook

from etl.checking import (
    check_rows,
    choose_mappings,
    lacks_test_set,
    missing_test_set,
    table_problems,
    with_books,
    with_test_set,
)
from etl.inputs import open_inputs
from etl.mapping import NameBook
from etl.problems import Code, Problem
from etl.resources import Contract
from tests.test_validators_page import EXAMPLES, SECTIONS

HEAD = {"version": "1", "name": "example", "resource": "test-cases"}
BOOKS = {
    "test-sets": NameBook.of("test set", [("abc12345", ["Returns"])]),
    "agents": NameBook.of(
        "agent", [("gk3jK9mPq2xRt5vW8yZaBc", ["Support bot"]), ("gk3jK9mPq2xRt5vW8yZaBd", ["Support bot"])]
    ),
}
FILE = re.compile(r"^- (bad|good) `([\w-]+\.(?:csv|jsonl|xlsx))`(?:, `([A-Z0-9:]+)` merged)?: `(.*)`$", re.MULTILINE)
CANNOT_RUN = {
    Code.API_REFUSED: "only a server refuses: tests/test_writer.py",
    Code.MISSING_PARENT: "only a server knows what exists: tests/test_writer.py",
    Code.IN_DOUBT: "a connection has to break: tests/test_writer.py",
}
"""Codes without an example that can be run from the page, and why."""


class FileExample(NamedTuple):
    code: Code
    kind: str
    name: str
    merged: str
    content: str
    mapping: str
    says: str


def _lines(text: str) -> str:
    return re.sub(r"<(\d+) characters>", lambda found: "x" * int(found[1]), text).replace("⏎", "\n")


FILES = [
    FileExample(
        Code(code),
        kind,
        name,
        merged,
        _lines(content),
        _lines("".join(re.findall(r"^- mapping: `(.*)`$", text, re.MULTILINE))),
        "".join(re.findall(r"^- says: (.*)$", text, re.MULTILINE)),
    )
    for code, text in SECTIONS.items()
    for kind, name, merged, content in FILE.findall(text)
]


def problems_of(example: FileExample, folder: Path) -> list[Problem]:
    """All that `validate` finds in the file."""
    file = folder / example.name
    if file.suffix == ".xlsx":
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        for row in json.loads(example.content):
            sheet.append(row)
        if example.merged:
            sheet.merge_cells(example.merged)
        book.save(file)
    else:
        file.write_text(example.content + "\n", encoding="utf-8", newline="")
    mapping = folder / "example.yaml"
    given = {line.partition(":")[0] for line in example.mapping.splitlines()}
    head = "".join(f"{key}: {value}\n" for key, value in HEAD.items() if key not in given)
    mapping.write_text(f"{head}{example.mapping}\n", encoding="utf-8")
    contract = Contract.V2025_10
    with open_inputs([str(file)]) as inputs:
        fitted = choose_mappings(inputs, contract, mapping=str(mapping) if example.mapping else None)
        fitted = with_books(fitted, contract, BOOKS)
        if example.code is not Code.MISSING_TEST_SET and lacks_test_set(fitted[0]):
            fitted = with_test_set(fitted, contract, "abc12345")
        near = example.code is Code.NEAR_DUPLICATE
        found = [missing_test_set()] if lacks_test_set(fitted[0]) else []
        for checked in check_rows(fitted, contract, assume_test_set=True, near_duplicates=near):
            found += [Problem(*line) for line in checked.batch.problems.iter_rows()]
        return found + [one for table in fitted for one in table_problems(table)]


@pytest.mark.parametrize("example", FILES, ids=lambda example: f"{example.code} {example.kind}")
def test_a_file_of_the_page_has_the_problem_that_it_shows(example: FileExample, tmp_path: Path) -> None:
    found = problems_of(example, tmp_path)
    if example.kind == "good":
        assert found == []
    else:
        severity = re.match(r"\*\*([\w ]+)\*\*", SECTIONS[example.code])
        assert severity is not None
        assert [(one.code, one.message.removesuffix(".") + ".") for one in found] == [(example.code, example.says)]
        assert found[0].severity in severity[1]


def test_every_code_has_examples_that_run_but_for_those_that_need_a_server() -> None:
    for kind in ("bad", "good"):
        run = {one.code for one in (*FILES, *EXAMPLES) if one.kind == kind}
        assert set(Code) - run == set(CANNOT_RUN)

"""docs/mapping.md: every example on the page is run, and every word of the language is on the page.

A test must never know what an example is about: it reads the page as it is.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from etl.batch import ROW, Batch
from etl.mapping import NameBook, apply, bind, bodies, gather, load_mapping, try_mapping
from etl.mapping.language.linting import lint
from etl.mapping.language.spec import Mapping, Part, Rule, Source
from etl.mapping.steps import STEPS
from etl.resources import Contract
from tests.command import ROOT
from tests.mapping_talk import batch_of, mapped, mapping_of

PAGE = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
HEAD = {"version": "1", "name": "example", "resource": "test-cases"}
BOOKS = {"test-sets": NameBook.of("test set", [("abc12345", ["Smoke"])])}
SAME_RECORD, SKIPPED, PROBLEM = "″", "skipped", "✗ "
IN_TABLES: tuple[type[Part], ...] = (Mapping, Source, Rule)
Row = dict[str, str]


def rows_of(table: str) -> list[Row]:
    """A table's rows by its header; `\\|` is a bar, `⏎` a line break, and backquotes keep spaces."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    plain = [[cell.removeprefix("`").removesuffix("`").replace("\\|", "|") for cell in row] for row in cells]
    return [dict(zip(plain[0], row, strict=True)) for row in plain[2:]]


TABLE = r"(?:^\|.*\n)+"
EXAMPLES = re.findall(rf"```yaml\n([^`]+)```\n\n({TABLE})", PAGE, flags=re.MULTILINE)
TABLES = [rows_of(table) for table in re.findall(TABLE, PAGE, flags=re.MULTILINE)]


def tables_with(*header: str) -> list[Row]:
    return [row for table in TABLES if tuple(table[0]) == header for row in table]


STEP_ROWS = tables_with("step", "what it does", "written", "cell", "becomes")
MISTAKES = tables_with("written", "said")
MISFITS = tables_with("written", "columns", "said")
KEYS = {row["key"] for table in TABLES if "key" in table[0] for row in table}


def cell(text: str) -> str | None:
    return text.replace("⏎", "\n") or None


def body(text: str) -> Any:
    return json.loads(text.replace("⏎", "\\n"))


def mapping_from(text: str, folder: Path) -> Mapping:
    given = {line.partition(":")[0] for line in text.splitlines()}
    file = folder / "example.yaml"
    file.write_text("".join(f"{key}: {value}\n" for key, value in HEAD.items() if key not in given) + text)
    return load_mapping(str(file))


@dataclass
class Run:
    """What an example gave: the body and the problems of each row that begins a record."""

    made: dict[int, Any]
    said: dict[int, str]


def run(mapping: Mapping, batch: Batch, contract: Contract) -> Run:
    bound = bind(mapping, batch.origin, contract, books=BOOKS)
    taken = batch.source.filter(bound.where)[ROW].to_list() if bound.where is not None else batch.source[ROW].to_list()
    made: dict[int, Any] = {}
    said: dict[int, str] = {}
    for part in gather(bound.grouping, [batch]) if bound.grouping else [batch]:
        done = apply(bound, part)
        texts = [json.loads(text) for text in bodies(done.frame, bound.fields)]
        made |= dict(zip(done.frame[ROW].to_list(), texts, strict=True))
        for problem in done.problems.rows(named=True):
            said[problem["row"]] = said.get(problem["row"], "") + problem["message"] + "\n"
    return Run({row: one for row, one in made.items() if row in taken}, said)


@pytest.mark.parametrize(("text", "table"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_becomes_what_the_page_says(text: str, table: str, tmp_path: Path) -> None:
    mapping = mapping_from(text, tmp_path)
    rows = rows_of(table)
    columns = [name for name in rows[0] if not name.startswith("becomes") and name != "said"]
    batch = batch_of({name: [cell(row[name]) for row in rows] for name in columns})
    for heading in (name for name in rows[0] if name.startswith("becomes")):
        contract = Contract(heading.rpartition(" ")[2]) if heading != "becomes" else Contract.V2025_10
        found = run(mapping, batch, contract)
        wanted = {
            number: body(row[heading])
            for number, row in enumerate(rows, start=2)
            if row[heading] not in {SAME_RECORD, SKIPPED}
        }
        assert found.made == wanted
        for number, row in enumerate(rows, start=2):
            if row.get("said"):
                assert row["said"] in found.said[number]
            elif row[heading] != SKIPPED:
                assert number not in found.said


@pytest.mark.parametrize("row", STEP_ROWS, ids=lambda row: f"{row['written']} {row['cell']}")
def test_a_step_makes_of_a_cell_what_the_page_says(row: Row, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, f"metric_input.found: {{from: Cell, steps: {row['written']}}}")
    done = mapped(mapping, batch_of({"Cell": [cell(row["cell"])]}))
    (made,) = done.bodies
    if row["becomes"].startswith(PROBLEM):
        assert done.codes == [row["becomes"].removeprefix(PROBLEM)]
    elif row["becomes"]:
        assert done.codes == []
        assert made == {"metric_input": {"found": body(row["becomes"])}}
    else:
        assert set(done.codes) <= {"not_convertible"}  # left out on purpose
        assert made == {}


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row["written"])
def test_a_mistake_is_said_in_the_words_of_the_page(row: Row) -> None:
    head = "".join(f"{key}: {value}\n" for key, value in HEAD.items())
    _, faults = lint(f"{head}fields:\n  {row['written']}\n", "my.yaml")
    assert f"{faults[0].line}:{faults[0].column}: {faults[0].sentence}".startswith(row["said"])


@pytest.mark.parametrize("row", MISFITS, ids=lambda row: row["written"])
def test_a_misfit_is_said_in_the_words_of_the_page(row: Row, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, row["written"])
    batch = batch_of({name: ["x"] for name in row["columns"].split(", ")})
    fault = try_mapping(mapping, batch.origin, batch.source, Contract.V2025_10).faults[0]
    assert f"{fault.line}:{fault.column}: {fault.sentence}".startswith(row["said"])


def test_every_table_of_examples_was_found() -> None:
    assert len(EXAMPLES) == PAGE.count("```yaml")
    assert len(STEP_ROWS) > len(STEPS)
    assert MISTAKES
    assert MISFITS


@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_on_the_page_with_an_example(step: str) -> None:
    written = [row["written"] for row in STEP_ROWS] + [text for text, _ in EXAMPLES]
    assert any(re.search(rf"\b{step}\b", text) for text in written)
    assert f"`{step}`" in PAGE


@pytest.mark.parametrize("part", Part.__subclasses__(), ids=lambda part: part.__name__)
def test_every_key_is_on_the_page(part: type[Part]) -> None:
    keys = {info.alias or name for name, info in part.model_fields.items()}
    if part in IN_TABLES:
        assert keys <= KEYS
    else:  # small enough for a sentence
        assert all(re.search(rf"[`{{ ]{key}[`:]", PAGE) for key in keys)


def test_the_page_has_no_key_that_the_language_lacks() -> None:
    assert {info.alias or name for part in IN_TABLES for name, info in part.model_fields.items()} == KEYS

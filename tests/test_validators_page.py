"""`docs/problems.md`: it lists every code, and its examples have the problems that they show."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from etl.problems import Code, Problem
from etl.resources import RESOURCES, Contract
from tests.test_validators_table import batch_of, cells_of, checked, json_of


class Example(NamedTuple):
    code: Code
    kind: str
    resource: str
    contract: Contract
    body: dict[str, Any]
    says: str


PAGE = Path(__file__).parents[1] / "docs" / "problems.md"
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
EXAMPLE = re.compile(r"^- (bad|good) `([a-z-]+)`(?: \(([\d-]+)\))?: `(\{.*\})`$", re.MULTILINE)


def _sized(match: re.Match[str]) -> str:
    return json.dumps(json_of(int(match[1])))


EXAMPLES = [
    Example(
        Code(name),
        kind,
        resource,
        Contract(contract or Contract.V2025_10),
        json.loads(re.sub(r'"<(\d+) bytes>"', _sized, body)),
        "".join(re.findall(r"^- says: (.*)$", text, re.MULTILINE)) if kind == "bad" else "",
    )
    for name, text in SECTIONS.items()
    for kind, resource, contract, body in EXAMPLE.findall(text)
]


def test_the_page_lists_every_code_and_no_other() -> None:
    assert list(SECTIONS) == list(Code)


def test_the_page_gives_every_code_a_severity_a_bad_and_a_good_example() -> None:
    for code, text in SECTIONS.items():
        assert re.match(r"\*\*(error|warning|error or warning)\*\* · [A-Z].*\.\n- (bad|mapping)", text), code
        assert re.search(r"^- good", text, re.MULTILINE), code


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.code} {example.kind}")
def test_an_example_of_the_page_has_the_problem_that_it_shows(example: Example) -> None:
    fields = RESOURCES[example.resource].fields(example.contract)
    cells = cells_of(example.body, fields, split=True)
    assert cells is not None
    batch = checked(example.resource, example.contract, batch_of([cells], fields))
    found = [Problem(*line) for line in batch.problems.iter_rows()]
    if example.kind == "good":
        assert found == []
    else:
        severity = re.match(r"\*\*(\w+)\*\*", SECTIONS[example.code])
        assert severity is not None
        assert [(one.code, one.severity, one.message) for one in found] == [(example.code, severity[1], example.says)]

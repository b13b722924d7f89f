"""Every resource from every format: six files by name, which refer to each other, in one command."""

from pathlib import Path

import pytest

from etl.resources import Contract
from tests.reading_formats import FORMS, Form
from tests.sandbox_talk import talking
from tests.sandboxed_command import run, started

__all__ = ["started"]

TABLES: dict[str, tuple[tuple[str, ...], list[tuple[str | None, ...]]]] = {
    "sets": (("Test set name", "Description"), [("Billing", "Bills"), ("Delivery", None)]),
    "callers": (("Persona name", "Voice", "Language"), [("Calm", "aria", "en-US"), ("Angry", "callum", "en-US")]),
    "bots": (
        ("Agent name", "Model type", "Phone", "Test sets"),
        [("Bot 1", "voice", "+15551234561", "Billing; Delivery"), ("Bot 2", "voice", "+15551234562", None)],
    ),
    "questions": (
        ("Input", "Expected behaviors", "Test set"),
        [(f"Order {number}?", "Looks it up\nReads it back", "Billing") for number in range(5)],
    ),
    "plans": (
        ("Template name", "Agent", "Persona", "Test set", "Iterations"),
        [("Nightly", "Bot 1", "Calm", "Billing", "2"), ("Weekly", "Bot 2", "Angry", "Delivery", "1")],
    ),
    "launches": (("Run name", "Agent", "Persona", "Test set"), [("First", "Bot 1", "Angry", "Billing")]),
}
"""What refers stands before what it refers to, or behind it."""
COUNTS = {"test-sets": 2, "personas": 2, "agents": 2, "test-cases": 5, "run-templates": 2, "runs": 1}


ONE_OF_EACH = (
    *("csv", "csv of Excel", "tsv", "json lines", "json array", "yaml list", "xlsx of openpyxl", "xlsm"),
    *("xls", "xlsb", "ods", "parquet", "arrow file"),
)
"""Forms of `FORMS`: a format each."""


@pytest.mark.parametrize("form", [form for form in FORMS if form.name in ONE_OF_EACH], ids=str)
async def test_every_resource_lands_from_every_format(form: Form, tmp_path: Path) -> None:
    files = [form.write(tmp_path, rows, columns, name) for name, (columns, rows) in TABLES.items()]
    call = ("import", *(file.name for file in reversed(files)), "--yes", "--json", "--settle", "0.2")
    async with talking(Contract.V2026_10) as talk:
        said = await run(tmp_path, talk, *call)
        again = await run(tmp_path, talk, *call)
        landed = {name: await talk.items(f"/{name}") for name in COUNTS}
    assert (said.code, again.code) == (0, 0), said.err + said.out
    assert {name: len(items) for name, items in landed.items()} == COUNTS
    assert again.json["requests"]["sent"] == 0
    sets = {one["display_name"]: one["id"] for one in landed["test-sets"]}
    agents = {one["display_name"]: one for one in landed["agents"]}
    assert agents["Bot 1"]["test_set_ids"] == [sets["Billing"], sets["Delivery"]]
    assert {case["test_set_id"] for case in landed["test-cases"]} == {sets["Billing"]}
    assert landed["test-cases"][0]["expected_behaviors"] == ["Looks it up", "Reads it back"]
    nightly = next(one for one in landed["run-templates"] if one["display_name"] == "Nightly")
    assert (nightly["agent_ids"], nightly["iteration_count"]) == ([agents["Bot 1"]["id"]], 2)

"""Several resources in one job: a whole organisation in a workbook, a folder, a file whose rows say what they are."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from etl.resources import Contract
from tests.command import etl
from tests.sandbox_talk import talking
from tests.sandboxed_command import run, started

__all__ = ["started"]

SHEETS: dict[str, list[list[object]]] = {
    "Runs": [
        ["Run name", "Agent", "Persona", "Test set"],
        ["First", "bot-1", "calm", "Billing"],
        ["Second", "Support bot 4", "angry", "Delivery"],
    ],
    "Templates": [
        ["Template name", "Agent", "Persona", "Test set", "Iterations", "Metrics"],
        ["Nightly billing", "Support bot 1", "calm", "Billing", 1, "Task Completion"],
        ["Nightly delivery", "bot-2", "Angry caller", "Delivery", 2, "Latency; Task Completion"],
        ["Weekly", "bot-3", "calm", "Billing", 1, None],
    ],
    "Cases": [
        ["Input", "Expected behaviors", "Test set"],
        *([f"Order {n}?", f"Looks up {n}\nReads it back", ("Billing", "Delivery")[n % 2]] for n in range(60)),
    ],
    "Agents": [
        ["Agent name", "Model type", "Phone", "Test sets", "Key"],
        *([f"Support bot {n}", "voice", f"+1555123456{n}", "Billing; Delivery", f"bot-{n}"] for n in range(1, 5)),
    ],
    "Personas": [
        ["Persona name", "Voice", "Language", "Key"],
        ["Calm caller", "aria", "en-US", "calm"],
        ["Angry caller", "callum", "en-US", "angry"],
    ],
    "Test sets": [["Test set name", "Description"], ["Billing", "Bills"], ["Delivery", "Parcels"]],
}
"""What refers stands before what it refers to."""
ROWS = 73


def write_workbook(path: Path, sheets: dict[str, list[list[object]]] = SHEETS) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


@pytest.mark.parametrize("contract", list(Contract))
async def test_a_workbook_holds_a_whole_organisation(contract: Contract, tmp_path: Path) -> None:
    write_workbook(tmp_path / "organisation.xlsx")
    call = ("import", "organisation.xlsx", "--yes", "--json", "--contract", contract.value)
    async with talking(contract) as talk:
        first = await run(tmp_path, talk, *call)
        again = await run(tmp_path, talk, *call)
        sets = {one["id"]: one["display_name"] for one in await talk.items("/test-sets")}
        agents = {one["id"]: one for one in await talk.items("/agents")}
        personas = {one["id"]: one["name"] for one in await talk.items("/personas")}
        metrics = {one["id"]: one["metric_name"] for one in await talk.items("/metrics")}
        templates = {one["display_name"]: one for one in await talk.items("/run-templates")}
        cases = await talk.items("/test-cases", page_size=100)
        runs = await talk.items("/runs")
    assert (first.code, first.json["rows"]["created"]) == (0, ROWS), first.err
    assert (again.code, again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (0, ROWS, 0)
    assert [list(agent["test_set_ids"]) for agent in agents.values()] == [sorted(sets, key=sets.get)] * 4  # type: ignore[arg-type]
    nightly = templates["Nightly delivery"]
    assert agents[_one(nightly, "agent_id")]["display_name"] == "Support bot 2"
    assert personas[_one(nightly, "persona_id")] == "Angry caller"
    assert sets[_one(nightly, "test_set_id")] == "Delivery"
    assert [metrics[id_] for id_ in nightly["metric_ids"]] == ["Latency", "Task Completion"]
    assert sorted(sets[case["test_set_id"]] for case in cases) == ["Billing"] * 30 + ["Delivery"] * 30
    assert len(runs) == 2


def _one(item: dict[str, Any], name: str) -> str:
    return str(item[name] if name in item else item[f"{name}s"][0])


VOICE = {"resource": "agents", "model_type": "MODEL_TYPE_VOICE"}
LINES: list[dict[str, object]] = [
    {"resource": "run_template", "display_name": "T1", "agent_id": "bot", "Persona": "Calm", "test_set_id": "oldset01"},
    {"resource": "run-templates", "display_name": "T2", "agent_id": "Bad", "Persona": "Calm", "test_set_id": "Sets"},
    {"resource": "test_cases", "input_str": "Hello", "test_set_id": "oldset01"},
    VOICE | {"key": "bot", "display_name": "Good", "phone_number": "+15551234567"},
    VOICE | {"display_name": "Bad"},
    {"resource": "personas", "name": "Calm", "voice_name": "aria", "language_code": "en-US"},
    {"resource": "Test sets", "id": "oldset01", "display_name": "Sets"},
    {"resource": "spaceships", "display_name": "?"},
]  # fmt: skip


async def test_rows_that_say_what_they_are_stand_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in LINES) + "not json\n")
    async with talking() as talk:
        said = await run(tmp_path, talk, "import", "all.jsonl", "--json", "--report", "r")
        (case,) = await talk.items("/test-cases")
        (made,) = await talk.items("/test-sets")
    assert (said.code, said.json["rows"]["created"], said.json["rows"]["rejected"]) == (1, 5, 4), said.err
    assert case["test_set_id"] == made["id"] != "oldset01"
    told = [json.loads(line) for line in (tmp_path / "r" / "results.jsonl").read_text().splitlines()]
    assert sorted(line["row"] for line in told) == list(range(1, 10)), "every row, each once"
    errors = {line["row"]: [one["message"] for one in line["issues"]] for line in told if line["issues"]}
    assert errors.keys() == {2, 5, 8, 9}
    assert "row 5 of all.jsonl (agents) has errors; mend that row first" in errors[2][0]
    assert 'resource is "spaceships"' in errors[8][0]
    assert len(errors[9]) == 1
    rejects = (tmp_path / "r" / "rejects.jsonl").read_text().splitlines()
    assert len(rejects) == 4


async def test_rejects_of_several_resources_are_mended_together(tmp_path: Path) -> None:
    (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    async with talking() as talk:
        await run(tmp_path, talk, "import", "all.jsonl", "--report", "r")
        rows = [json.loads(line) for line in (tmp_path / "r" / "rejects.jsonl").read_text().splitlines()]
        agents = [row | {"phone_number": "+15557654321"} for row in rows if row["resource"] == "agents"]
        templates = [row for row in rows if row["resource"] == "run-templates"]
        (tmp_path / "mended.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in (*agents, *templates)))
        said = await run(tmp_path, talk, "import", "mended.jsonl", "--json")
        names = {one["display_name"] for one in await talk.items("/run-templates")}
    assert (said.code, said.json["rows"]["created"]) == (0, 2), said.err
    assert names == {"T1", "T2"}


async def test_a_folder_is_all_its_tables(tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "b.csv").write_text("Input,Test set\nHello,Calls\n")
    (folder / "a.jsonl").write_text('{"resource": "test-sets", "display_name": "Calls"}\n')
    (folder / "README.md").write_text("not a table")
    (folder / ".hidden.csv").write_text("x\n")
    (folder / "manifest.json").write_text("{}")
    (folder / "prices.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    async with talking() as talk:
        said = await run(tmp_path, talk, "import", "suite")
        made = await talk.items("/test-sets"), await talk.items("/test-cases")
        none = await run(tmp_path, talk, "import", "empty")
    assert said.code == 0, said.err
    assert [len(items) for items in made] == [1, 1]
    assert "Left out suite/prices.csv" in said.err
    assert (none.code, none.err.splitlines()[0]) == (
        2,
        "Error: empty is a folder without a file that could be imported.",
    )


async def test_without_the_api_names_within_the_files_are_known(tmp_path: Path) -> None:
    (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    said = await asyncio.to_thread(etl, tmp_path, "validate", "all.jsonl", "--json")
    assert said.json["rows"] == {"read": 8, "valid": 5, "rejected": 3}


async def test_two_rows_of_one_name_are_told_apart_by_their_key(tmp_path: Path) -> None:
    set_ = {"resource": "test-sets", "display_name": "S"}
    case = {"resource": "test-cases", "input_str": "Hello"}
    lines = [set_ | {"key": "one"}, set_ | {"key": "two", "slug": "s-2"}]
    lines += [case | {"test_set": "one"}, case | {"input_str": "Bye", "test_set": "S"}]
    (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    async with talking() as talk:
        said = await run(tmp_path, talk, "import", "all.jsonl", "--json", "--report", "r")
    assert said.json["rows"]["created"] == 3, said.err
    (line,) = (line for line in (tmp_path / "r" / "rejects.jsonl").read_text().splitlines())
    assert "2 have this name: row 1 of all.jsonl (test-sets), row 2 of all.jsonl (test-sets)" in line


async def test_the_limit_counts_the_rows_of_all_resources(tmp_path: Path) -> None:
    write_workbook(tmp_path / "organisation.xlsx")
    async with talking() as talk:
        said = await run(tmp_path, talk, "import", "organisation.xlsx", "--yes", "--json", "--limit", "10")
    assert (said.json["rows"]["created"], said.json["rows"]["skipped"]) == (10, ROWS - 10), said.err


async def test_missing_test_sets_are_not_those_of_the_job(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Description\nBilling,Bills\n")
    (tmp_path / "cases.csv").write_text("Input,Test set\nHello,Billing\nBye,Other\n")
    async with talking() as talk:
        said = await run(tmp_path, talk, "import", "cases.csv", "sets.csv", "--json", "--create-missing")
        names = sorted(one["display_name"] for one in await talk.items("/test-sets"))
    assert (said.code, said.json["rows"]["created"]) == (0, 3), said.err
    assert names == ["Billing", "Other"]

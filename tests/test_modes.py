"""Rows that change what is there: only what differs, nothing twice, blank means no change; and back again."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.resources import RESOURCES, Contract
from tests.sandbox_talk import METRIC, Talk, parents, talking
from tests.sandboxed_command import run, started

__all__ = ["started"]


def update(file: str, *more: str, mode: str = "update") -> tuple[str, ...]:
    return "import", file, "--mode", mode, "--yes", "--json", "--report", "r", "--settle", "0.2", *more


def results(folder: Path) -> dict[int, dict[str, Any]]:
    lines = (folder / "r" / "results.jsonl").read_text().splitlines()
    return {line["row"]: line for line in map(json.loads, lines)}


async def _everything(talk: Talk, contract: Contract) -> dict[str, dict[str, Any]]:
    """One of each resource, as the API answers it."""
    ids = await parents(talk)
    many = {f"{name}s": [id_] for name, id_ in ids.items()}
    template = {"display_name": "T", "metric_ids": [METRIC], **(ids if contract is Contract.V2025_10 else many)}
    case = {
        "input_str": "Hello",
        "test_set_id": ids["test_set_id"],
        "expected_behaviors": ["a", "b"],
        "user_notes": "n",
    }
    made = {
        "run-templates": (await talk.make("/run-templates", template)),
        "test-cases": (await talk.make("/test-cases", case)),
    }
    for name in ("agents", "personas", "test-sets"):
        (made[name],) = await talk.items(f"/{name}")
    return made


CHANGES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "agents": ({"Agent name": "A", "Prompt": "Be kind", "Phone": ""}, {"prompt": "Be kind"}),
    "personas": ({"Persona name": "P", "Voice": "callum", "Wait seconds": "0.7"}, {"voice_name": "callum"}),
    "test-sets": ({"Test set name": "Set", "Description": "New"}, {"description": "New"}),
    "test-cases": (
        {"Input": "Hello", "Expected behaviors": "a\nc", "Notes": "<clear>"},
        {"expected_behaviors": ["a", "c"], "user_notes": ""},
    ),
    "run-templates": (
        {"Template name": "T", "Metrics": "[]", "Iterations": "3"},
        {"metric_ids": [], "iteration_count": 3},
    ),
}


@pytest.mark.parametrize("contract", list(Contract))
@pytest.mark.parametrize("mode", ["update", "upsert"])
@pytest.mark.parametrize("name", CHANGES)
async def test_what_differs_is_changed_and_nothing_else(
    name: str, mode: str, contract: Contract, tmp_path: Path
) -> None:
    cells, wanted = CHANGES[name]
    resource = RESOURCES[name]
    quoted = [f'"{cell}"' for cell in cells.values()]
    (tmp_path / "new.csv").write_text(f"{','.join(cells)}\n{','.join(quoted)}\n")
    call = update("new.csv", "--resource", name, "--key", resource.label, "--contract", contract.value, mode=mode)
    async with talking(contract) as talk:
        before = (await _everything(talk, contract))[name]
        said = await run(tmp_path, talk, *call)
        (after,) = await talk.items(resource.path)
        again = await run(tmp_path, talk, *call)
        (then,) = await talk.items(resource.path)
    assert (said.code, said.json["rows"]["updated"], said.json["requests"]["sent"]) == (0, 1, 1), said.err + said.out
    differs = {field for field in after if after[field] != before.get(field)} - {
        "update_time",
        "updated_at",
        "updated_by",
    }
    assert {field: after[field] for field in wanted} == wanted
    assert differs <= {*wanted, "expected_output_str", "wait_seconds"}
    assert (again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (1, 0)
    assert then == after


async def test_upsert_creates_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Slug,Description\nOne,one,a\nTwo,two,b\n")
    async with talking() as talk:
        await talk.make("/test-sets", {"display_name": "One", "slug": "one", "description": "old"})
        call = update("sets.csv", "--key", "slug", mode="upsert")
        dry = await run(tmp_path, talk, *call, "--dry-run")
        first = await run(tmp_path, talk, *call)
        again = await run(tmp_path, talk, *call)
        made = {one["slug"]: one["description"] for one in await talk.items("/test-sets")}
    counts = dry.json["rows"]
    assert (counts["would_create"], counts["would_update"]) == (1, 1), dry.err
    assert (first.json["rows"]["created"], first.json["rows"]["updated"]) == (1, 1), first.err
    assert (again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (2, 0)
    assert made == {"one": "a", "two": "b"}


async def test_by_id_only_the_columns_of_the_file_matter(tmp_path: Path) -> None:
    async with talking() as talk:
        known = await parents(talk)
        (tmp_path / "a.csv").write_text(f"agent_id,Prompt\n{known['agent_id']},Hi\n{'x' * 22},Ho\nnot an id,\n,x\n")
        said = await run(tmp_path, talk, *update("a.csv", "--resource", "agents"))
        (agent,) = await talk.items("/agents")
    rows = results(tmp_path)
    assert (said.code, agent["prompt"], agent["display_name"]) == (1, "Hi", "A"), said.err
    assert [rows[row]["status"] for row in (2, 3, 4, 5)] == ["updated", "rejected", "rejected", "rejected"]
    assert [[one["code"] for one in rows[row]["issues"]] for row in (3, 4, 5)] == [
        ["unknown_name"],
        ["unknown_name"],
        ["required"],
    ]
    assert rows[2]["changes"] == {"prompt": [None, "Hi"]}


async def test_what_is_not_clear_is_a_problem(tmp_path: Path) -> None:
    lines = ["Agent name,Prompt", "A,one", "A,two", "B,three", "<clear>,x", "C,<null>", "D,y"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    agent = {"model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
    async with talking() as talk:
        for name in ("A", "B", "B", "C"):
            await talk.make("/agents", agent | {"display_name": name, "prompt": "old"})
        said = await run(tmp_path, talk, *update("a.csv", "--resource", "agents", "--key", "display_name"))
        prompts = sorted((one["display_name"], one["prompt"]) for one in await talk.items("/agents"))
    rows = results(tmp_path)
    codes = {row: {one["code"] for one in line["issues"]} for row, line in rows.items() if line["issues"]}
    assert said.code == 1
    assert codes == {3: {"repeated_key"}, 4: {"ambiguous_name"}, 5: {"required"}, 7: {"unknown_name"}}
    assert prompts == [("A", "one"), ("B", "old"), ("B", "old"), ("C", None)]


async def test_what_would_break_the_whole_is_found_before_it_is_sent(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Agent name,Phone,Type\nA,<clear>,\n")
    async with talking() as talk:
        await parents(talk)
        said = await run(tmp_path, talk, *update("a.csv", "--resource", "agents", "--key", "display_name"))
    assert (said.code, said.json["rows"]["rejected"], said.json["requests"]["sent"]) == (1, 1, 0), said.err


@pytest.mark.parametrize(
    ("what", "counts"),
    [
        ("skip", {"created": 1, "skipped": 1}),
        ("update", {"created": 1, "updated": 1}),
        ("fail", {"created": 1, "rejected": 1}),
    ],
)
async def test_a_row_whose_key_is_taken(what: str, counts: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Description\nSet,new\nOther,new\n")
    async with talking() as talk:
        await parents(talk)
        call = update("sets.csv", "--key", "display_name", "--on-conflict", what, mode="create")
        said = await run(tmp_path, talk, *call)
    assert {name: said.json["rows"].get(name, 0) for name in counts} == counts, said.err


async def test_changes_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Agent name,Prompt\nA,Hi\n")
    call = [word for word in update("a.csv", "--resource", "agents", "--key", "display_name") if word != "--yes"]
    async with talking() as talk:
        await parents(talk)
        said = await run(tmp_path, talk, *call)
        (agent,) = await talk.items("/agents")
    assert (said.code, agent["prompt"]) == (2, None)
    assert said.json["error"]["message"] == "1 row would change what is in Coval; nothing was sent."


async def test_a_rollback_puts_back_what_was_there(tmp_path: Path) -> None:
    head, rows = "Agent name,Prompt,Phone,Settings", ["A,new,+15550000000,", 'B,new,,"{""voice"": ""x""}"', "C,new,,"]
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n")
    agent = {"model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
    async with talking() as talk:
        for name in ("A", "B", "C"):
            await talk.make("/agents", agent | {"display_name": name, "prompt": f"old {name}", "metadata": {"k": 1}})
        before = {one["display_name"]: one for one in await talk.items("/agents")}
        said = await run(tmp_path, talk, *update("a.csv", "--resource", "agents", "--key", "display_name"))
        await talk.say("PATCH", f"/agents/{before['C']['id']}", {"prompt": "by hand"})
        undone = await run(tmp_path, talk, "rollback", said.json["job"], "--yes", "--json")
        after = {one["display_name"]: one for one in await talk.items("/agents")}
    assert said.json["rows"]["updated"] == 3, said.err
    assert (undone.code, undone.json["restored"], len(undone.json["kept"])) == (1, 2, 1), undone.err
    for name in ("A", "B"):
        assert {**after[name], "update_time": None} == {**before[name], "update_time": None}
    assert after["C"]["prompt"] == "by hand"


async def test_a_key_that_the_file_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Agent name,Prompt\nA,Hi\n")
    async with talking() as talk:
        by_id = await run(tmp_path, talk, *update("a.csv", "--resource", "agents"))
        by_tag = await run(tmp_path, talk, *update("a.csv", "--resource", "agents", "--key", "slug"))
    assert (by_id.code, by_tag.code) == (2, 2)
    assert "has no column with ids (id or agent_id)" in by_id.json["error"]["message"]
    assert by_tag.json["error"]["message"] == "--key slug: nothing in a.csv becomes slug."


async def test_a_plan_is_applied_exactly_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Agent name,Prompt\nA,Hi\n")
    words = [word for word in update("a.csv", "--resource", "agents", "--key", "display_name") if word != "--yes"]
    async with talking() as talk:
        await parents(talk)
        planned = await run(tmp_path, talk, *words, "--dry-run", "--plan-out", "plan.jsonl")
        (agent,) = await talk.items("/agents")
        await talk.say("PATCH", f"/agents/{agent['id']}", {"prompt": "by hand"})
        stale = await run(tmp_path, talk, *words, "--plan", "plan.jsonl")
        await talk.say("PATCH", f"/agents/{agent['id']}", {"prompt": None})
        applied = await run(tmp_path, talk, *words, "--plan", "plan.jsonl")
        done = await run(tmp_path, talk, *words, "--plan", "plan.jsonl")
        (tmp_path / "a.csv").write_text("Agent name,Prompt\nA,Ho\n")
        other = await run(tmp_path, talk, *words, "--plan", "plan.jsonl")
        (agent,) = await talk.items("/agents")
    assert planned.json["rows"]["would_update"] == 1, planned.err
    assert (stale.code, applied.code, done.code, other.code) == (4, 0, 4, 4), applied.err
    assert "row 2 of a.csv would be changed in another way than planned" in stale.json["error"]["message"]
    assert "was to be changed, and would now be left alone" in done.json["error"]["message"]
    assert "it was made for another content" in other.json["error"]["message"]
    assert (applied.json["rows"]["updated"], agent["prompt"]) == (1, "Hi")
    assert "Hi" not in (tmp_path / "plan.jsonl").read_text(), "a plan holds no values"


@pytest.mark.parametrize("call", [("--plan-out", "x"), ("--plan", "x", "--dry-run"), ("--plan", "a.csv")])
async def test_a_plan_that_is_none_is_refused(call: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Test set name,Description\nA,b\n")
    async with talking() as talk:
        said = await run(tmp_path, talk, "import", "a.csv", *call)
    assert said.code == 2
    assert "plan" in said.err


async def test_a_dry_run_says_what_would_change_and_how_long_it_takes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Agent name,Prompt\nA,Hi\n")
    async with talking() as talk:
        await parents(talk)
        flags = ("--mode", "update", "--key", "display_name", "--resource", "agents", "--dry-run")
        said = await run(tmp_path, talk, "import", "a.csv", *flags)
    assert 'a.csv row 2: prompt: null → "Hi"' in said.err
    assert "1 request that writes: about 1 s (16 at a time, " in said.err


@pytest.mark.parametrize(("flags", "created"), [(("--yes",), 7), ((), 3)])
async def test_a_canary_goes_first(flags: tuple[str, ...], created: int, tmp_path: Path) -> None:
    rows = "".join(f"Set {number},s-{number}\n" for number in range(7))
    (tmp_path / "sets.csv").write_text(f"Test set name,Slug\n{rows}")
    async with talking() as talk:
        call = ("import", "sets.csv", "--canary", "3", "--json", "--settle", "0.2", *flags)
        said = await run(tmp_path, talk, *call)
        there = len(await talk.items("/test-sets"))
        rest = await run(tmp_path, talk, "resume", "--json") if not flags else None
        at_last = len(await talk.items("/test-sets"))
    assert (said.json["rows"]["created"], there, at_last) == (created, created, 7), said.err
    if rest is not None:
        assert (said.code, said.json["rows"]["pending"]) == (4, 4)
        assert said.json["stopped_because"].startswith("The first 3 rows landed, and came back as sent. The others")
        assert (rest.code, rest.json["rows"]["created"]) == (0, 7)


async def test_a_canary_that_does_not_land_keeps_the_others_back(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Slug\nA,taken\nB,b\nC,c\n")
    async with talking() as talk:
        await talk.make("/test-sets", {"display_name": "Z", "slug": "taken"})
        said = await run(tmp_path, talk, "import", "sets.csv", "--canary", "1", "--yes", "--json", "--settle", "0.2")
        there = len(await talk.items("/test-sets"))
    assert (said.code, said.json["rows"]["failed"], said.json["rows"]["pending"], there) == (4, 1, 2, 1), said.err
    assert said.json["stopped_because"].startswith("1 of the first 1 rows did not land")


async def test_a_null_is_no_id(tmp_path: Path) -> None:
    lines = [{"id": None, "display_name": "One"}, {"id": None, "display_name": "Two"}, {"display_name": "Three"}]
    (tmp_path / "new.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    async with talking() as talk:
        said = await run(tmp_path, talk, *update("new.jsonl", "--resource", "test-sets", mode="upsert"))
    assert (said.code, said.json["rows"]["created"]) == (0, 3), said.err + said.out


async def test_the_mark_of_an_import_is_no_difference(tmp_path: Path) -> None:
    rows = 'Template name,Agent,Persona,Test set,Metadata\nNightly,A,P,Set,"{""owner"": ""ops""}"\n'
    (tmp_path / "new.csv").write_text(rows)
    told = ("--resource", "run-templates", "--key", "display_name")
    async with talking() as talk:
        await parents(talk)
        made = await run(tmp_path, talk, *update("new.csv", *told, mode="upsert"))
        again = await run(tmp_path, talk, *update("new.csv", *told))
    assert (made.code, made.json["rows"]["created"]) == (0, 1), made.err + made.out
    assert (again.code, again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (0, 1, 0), again.out


async def test_mended_rows_are_imported_as_the_others_were(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Type\nSet,SIMULATION\n,SIMULATION\n")
    aim = ("--mode", "upsert", "--key", "display_name", "--on-conflict", "update")
    async with talking() as talk:
        said = await run(tmp_path, talk, "import", "sets.csv", *aim, "--yes", "--report", "r", "--settle", "0.2")
    assert said.code == 1, said.err
    assert f"coval-etl import r/rejects.csv {' '.join(aim)}" in (tmp_path / "r" / "report.html").read_text()

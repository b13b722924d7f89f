"""Both contracts: one table, found out by reading where that tells, and by the API's own refusal where not."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from etl.api import Answer, Api, Target
from etl.api.contract import find_contract, refused_for
from etl.resources import RESOURCES, RUN_TEMPLATES, Contract
from etl.resources.dialects import respelled, spelled_alike
from etl.sandbox import running_sandbox
from etl.sandbox.operations import Call
from etl.writer import Grounds, Spelling
from tests.crooked_api import WELL, Body, CrookedApi, Fate, crooked_api
from tests.forking import Forker
from tests.quick_command import Home, at_home, forker
from tests.test_runs import parents

__all__ = ["forker"]

OLD, NEW = Contract.V2025_10, Contract.V2026_10
TURNS = ["Hello", "Goodbye"]


def write_templates(home: Home, count: int) -> None:
    given = parents(home.api, home.test_set, 1)
    rows = [{**given, "display_name": f"template {number}"} for number in range(count)]
    (home.folder / "templates.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def write_scripts(home: Home) -> None:
    rows = [{"input_str": f"script {n}", "input_type": "SCRIPT", "script_turns": TURNS} for n in range(4)]
    (home.folder / "scripts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def telling_nothing(api: CrookedApi) -> None:
    """Lists are empty: what is there cannot be read."""
    api.shown = lambda item: item if "status" in item else None


def looking_old(api: CrookedApi) -> None:
    """What is read looks like the older contract."""
    api.shown = lambda item: {name: value for name, value in item.items() if name != "created_at"}


def wants(name: str) -> Fate:
    error = {"code": "INVALID_ARGUMENT", "message": "invalid", "details": [{"field": name, "description": "needed"}]}
    return Fate(stored=False, said=400, text=json.dumps({"error": error}).encode())


async def test_an_api_that_wants_lists_is_understood_at_its_first_refusal(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, NEW) as home:
        write_templates(home, 12)
        looking_old(home.api)
        said = await home.etl("import", "templates.jsonl", "--resource", "run-templates", "--report", "report")
        jobs = await home.jobs()
        stored, posts = home.api.stored("run-templates"), len(home.api.posts)
        again = await home.etl("import", "templates.jsonl", "--resource", "run-templates", "--json")
    assert said.code == 0, said.err
    assert len(stored) == 12
    assert all(body["test_set_ids"] == [home.test_set] and "test_set_id" not in body for body in stored)
    assert posts <= 12 + 4, "only those that were under way together were refused"
    summary, _ = home.report("report")
    assert (summary["contract"], summary["rows"]["created"]) == ("2026-10", 12)
    assert "The API speaks contract 2026-10 (it refused the first row of the other form)" in said.err
    assert summary["contract_note"].startswith("The API speaks contract 2026-10")
    assert jobs[0]["state"] == "done"
    assert (again.code, again.json["rows"]["unchanged"]) == (0, 12), "the same row under either contract"


async def test_a_contract_that_was_asked_for_is_kept(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, NEW) as home:
        write_templates(home, 2)
        said = await home.etl(
            "import", "templates.jsonl", "--resource", "run-templates", "--contract", "2025-10", "--json"
        )
    assert (said.code, said.json["rows"]["failed"], said.json["contract"]) == (1, 2, "2025-10")
    assert home.api.stored("run-templates") == []


async def test_a_refusal_after_rows_were_created_is_an_ordinary_one(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        write_templates(home, 50)
        home.api.fate = lambda body, _times: wants("agent_ids") if body["display_name"] == "template 49" else WELL
        said = await home.etl(
            "import",
            "templates.jsonl",
            "--resource",
            "run-templates",
            "--json",
            "--concurrency",
            "2",
            "--report",
            "report",
        )
        posts = len(home.api.posts)
        _, results = home.report("report")
    assert (said.code, said.json["rows"]["created"], said.json["rows"]["failed"]) == (1, 49, 1), said
    assert (said.json["contract"], posts) == ("2025-10", 50)
    assert results[-1]["issues"][0]["code"] == "api_refused"


async def test_the_contract_changes_once_and_no_more(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        write_templates(home, 2)
        home.api.fate = lambda body, _times: wants("agent_id" if "agent_ids" in body else "agent_ids")
        said = await home.etl(
            "import", "templates.jsonl", "--resource", "run-templates", "--json", "--concurrency", "1"
        )
    assert (said.code, said.json["rows"]["failed"]) == (1, 2)
    assert [("agent_ids" in body) for body in home.api.posts] == [False, True, True]


async def test_where_nothing_tells_the_first_answer_does(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, NEW) as home:
        write_scripts(home)
        telling_nothing(home.api)
        said = await home.etl(*home.importing("scripts.jsonl", "--json", "--concurrency", "1"))
        home.api.shown = lambda item: item
        again = await home.etl(*home.importing("scripts.jsonl", "--json"))
    assert (said.code, said.json["rows"]["created"], said.json["contract"]) == (0, 4, "2026-10"), said
    first, *rest = home.api.stored()
    assert first["simulation_metadata_input"] == {"script_turns": TURNS}, "the newer contract still takes it"
    assert [body["script_turns"] for body in rest] == [TURNS] * 3
    assert (again.code, again.json["rows"]["unchanged"]) == (0, 4), again


async def test_a_job_that_was_killed_goes_on_in_the_contract_that_it_found(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, NEW) as home:
        write_templates(home, 6)
        looking_old(home.api)
        await home.killed(
            "import", "templates.jsonl", "--resource", "run-templates", "--concurrency", "1", at="answered:3"
        )
        said = await home.etl("resume", "--settle", "0.2", "--json")
    assert (said.code, said.json["rows"]["created"], said.json["contract"]) == (0, 6, "2026-10"), said
    assert sorted(body["display_name"] for body in home.api.stored("run-templates")) == [
        f"template {number}" for number in range(6)
    ]


def write_change(home: Home) -> dict[str, str]:
    """A template that is there, and a file that gives it another agent, in the words of the older contract."""
    given = parents(home.api, home.test_set, 1)
    home.api.make("run-templates", {"display_name": "T", **{f"{name}s": [id_] for name, id_ in given.items()}})
    agent = {"display_name": "B", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678902"}
    row = given | {"display_name": "T", "agent_id": home.api.make("agents", agent)}
    (home.folder / "templates.jsonl").write_text(json.dumps(row))
    return row


UPDATE = (
    "import",
    "templates.jsonl",
    "--resource",
    "run-templates",
    "--mode",
    "update",
    "--key",
    "display_name",
    "--yes",
)


@pytest.mark.parametrize("told", [(), ("--contract", "2025-10")])
async def test_a_change_is_said_as_the_api_answers(told: tuple[str, ...], forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, NEW) as home:
        row = write_change(home)
        said = await home.etl(*UPDATE, "--json", *told)
        (there,) = home.api.items("run-templates")
        again = await home.etl(*UPDATE, "--json", *told)
    assert (said.code, said.json["rows"]["updated"]) == (0, 1), said
    assert there["agent_ids"] == [row["agent_id"]], "an API that does not know a field may say nothing"
    assert (again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (1, 0)


async def test_a_change_that_is_refused_for_its_words_is_said_in_the_others(forker: Forker, tmp_path: Path) -> None:
    def old(item: Body) -> Body:
        many = ("agent_ids", "persona_ids", "test_set_ids") if "agent_ids" in item else ()
        alone = {name[:-1]: item[name][0] for name in many}
        return {name: value for name, value in item.items() if name != "created_at" and name[:-1] not in alone} | alone

    async with at_home(tmp_path, forker, NEW) as home:
        row = write_change(home)
        home.api.shown = old
        refuse_patches(home.api, b'"agent_id"', "agent_ids")
        said = await home.etl(*UPDATE, "--json")
        (there,) = home.api.items("run-templates")
    assert (said.code, said.json["rows"]["updated"], said.json["contract"]) == (0, 1, "2026-10"), said
    assert there["agent_ids"] == [row["agent_id"]]
    assert said.json["requests"] == {"sent": 2, "retried": 1, "reconciled": 0, "by_status": {"200": 1, "400": 1}}


def refuse_patches(api: CrookedApi, having: bytes, wanted: str) -> None:
    """A PATCH whose body has this is refused, and a field named that is wanted."""
    read = api._read
    error = {"code": "INVALID_ARGUMENT", "message": "invalid", "details": [{"field": wanted, "description": "needed"}]}

    def refusing(call: Call) -> web.Response:
        if call.method == "PATCH" and having in call.body:
            return web.json_response({"error": error}, status=400)
        return read(call)

    api._read = refusing  # type: ignore[method-assign]


@pytest.mark.parametrize("contract", [OLD, NEW])
async def test_an_organisation_of_nothing_but_metrics_tells_its_contract(contract: Contract) -> None:
    async with running_sandbox(contract=contract) as sandbox, Api(Target(sandbox.base_url, sandbox.key)) as api:
        assert await find_contract(api) is contract


@pytest.mark.parametrize(
    ("resource", "old", "new"),
    [
        ("run-templates", {"agent_id": "a", "x": 1}, {"agent_ids": ["a"], "x": 1}),
        (
            "test-cases",
            {"simulation_metadata_input": {"script_turns": TURNS, "speed": 1}},
            {"script_turns": TURNS, "simulation_metadata_input": {"speed": 1}},
        ),
        ("test-cases", {"simulation_metadata_input": {"script_turns": TURNS}}, {"script_turns": TURNS}),
        ("runs", {"agent_id": "a"}, {"agent_id": "a"}),
    ],
)
def test_a_body_is_respelled_both_ways_and_known_again(resource: str, old: Body, new: Body) -> None:
    assert respelled(resource, old, NEW) == new
    assert respelled(resource, new, OLD) == old
    assert respelled(resource, new, NEW) == new

    def alike(body: Any) -> bytes:
        return spelled_alike(resource, json.dumps(body).encode())

    assert alike(old) == alike(new)


def test_two_agents_cannot_be_said_where_there_is_room_for_one() -> None:
    body = {"agent_ids": ["a", "b"], "display_name": "T"}
    assert respelled("run-templates", body, OLD) is None
    spelling = Spelling(NEW, Grounds.READ)
    refusal = Answer(400, {"error": {"code": "INVALID_ARGUMENT", "message": "agent_id is missing"}})
    assert not spelling.learns_from(RUN_TEMPLATES, refusal, json.dumps(body).encode())
    assert spelling.learns_from(RUN_TEMPLATES, refusal, json.dumps({"agent_ids": ["a"]}).encode())
    assert spelling.contract is OLD
    assert not spelling.learns_from(RUN_TEMPLATES, refusal, json.dumps(body).encode()), "nor is it tried for ever"


async def test_where_nothing_told_in_the_end_either_it_is_said(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        (tmp_path / "cases.csv").write_text("input_str,user_notes\n,no input\n")
        telling_nothing(home.api)
        said = await home.etl(*home.importing("cases.csv", "--json"))
    assert "was assumed: there is nothing at the API that tells" in said.json["contract_note"], said


EMPTY_ROWS: dict[str, Body] = {
    "agents": {"display_name": "A", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+15551234567"},
    "personas": {"name": "P", "voice_name": "aria", "language_code": "en-US"},
    "test-sets": {"display_name": "S", "description": "d"},
}


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("contract", [OLD, NEW])
@pytest.mark.parametrize("name", EMPTY_ROWS)
async def test_an_empty_organisation_is_filled_without_trying(
    name: str, contract: Contract, silent: bool, forker: Forker, tmp_path: Path
) -> None:
    more: Body = {"tags": ["x"]} if contract is NEW and not silent else {}
    rows = [EMPTY_ROWS[name] | more | {RESOURCES[name].label: f"N{number}"} for number in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    call = ("import", "rows.jsonl", "--resource", name, "--json", "--contract", "auto", "--concurrency", "1")
    async with crooked_api(contract) as api:
        if silent:
            telling_nothing(api)  # there are not even metrics
        home = Home(tmp_path, api, "", forker)
        dry = await home.etl(*call, "--dry-run")
        posts = len(api.posts)
        said = await home.etl(*call)
        stored = api.stored(name)
        api.shown = lambda item: item
        again = await home.etl(*call)
    assert (dry.code, dry.json["rows"]["would_create"], posts) == (0, 3, 0), dry
    assert (said.code, said.json["contract"], len(api.posts)) == (0, contract.value, 3), said
    assert [{key: body[key] for key in row} for body, row in zip(stored, rows, strict=True)] == rows
    assert again.json["rows"]["unchanged"] == 3, again


@pytest.mark.parametrize(
    ("sent", "fields", "words", "asked_for"),
    [
        (OLD, ["display_name", "agent_ids"], "", "agent_ids"),
        (OLD, [], "missing required field: persona_ids", "persona_ids"),
        (OLD, ["agent_id"], "agent not found", None),
        (NEW, ["agent_id"], "needed", "agent_id"),
    ],
)
def test_a_refusal_says_which_contract_is_wanted(
    sent: Contract, fields: list[str], words: str, asked_for: str | None
) -> None:
    assert refused_for("run-templates", sent, fields, words) == asked_for
    assert refused_for("runs", sent, fields, words) is None

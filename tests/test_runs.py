"""Importing runs: asked before, never launched twice, kept within the queue, followed to their end."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from etl.api import Api, Target
from etl.resources import Contract
from etl.watching import Runs
from tests.crooked_api import DROPPED, KEY, LOST, WELL, Body, CrookedApi, Fate, crooked_api
from tests.forking import Forker
from tests.quick_command import Home, at_home, forker, refused

__all__ = ["forker"]

AGENT = {"display_name": "A", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
PERSONA = {"name": "P", "voice_name": "aria", "language_code": "en"}
RUN_SECONDS = 60.0
QUICK = {"etl.watching:FIRST_LOOK_S": 0.02, "etl.watching:LONGEST_LOOK_S": 0.05}


def parents(api: CrookedApi, test_set: str, cases: int) -> dict[str, str]:
    """An agent, a persona, and so many test cases in the test set."""
    for number in range(cases):
        api.make("test-cases", {"input_str": f"caller {number}", "test_set_id": test_set})
    return {"agent_id": api.make("agents", AGENT), "persona_id": api.make("personas", PERSONA), "test_set_id": test_set}


def write_runs(home: Home, count: int, *, cases: int = 4, **more: Any) -> Path:
    """A file of runs, each of its own name."""
    given = parents(home.api, home.test_set, cases)
    file = home.folder / "runs.jsonl"
    rows = [{**given, **more, "metadata": {"display_name": f"run {number}"}} for number in range(count)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def names(api: CrookedApi) -> list[str]:
    return sorted(body["metadata"]["display_name"] for body in api.stored("runs"))


def passing(api: CrookedApi, seconds: float) -> None:
    """Whenever somebody asks where runs are, so much time has passed."""

    def reading(path: str, _query: Any) -> None:
        if path.startswith("/v1/runs"):
            api.progress.pass_time(seconds)

    api.reading = reading


async def asked(api: CrookedApi, times: int) -> None:
    """Wait until somebody has asked so often where runs are; no time passes."""
    seen = asyncio.Semaphore(0)

    def reading(path: str, _query: Any) -> None:
        if path.startswith("/v1/runs"):
            seen.release()

    api.reading = reading
    async with asyncio.timeout(60):
        for _ in range(times):
            await seen.acquire()


async def test_without_a_terminal_and_without_yes_nothing_is_launched_and_it_is_said_what_would_be(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        write_runs(home, 3, options={"iteration_count": 5}, mutation_ids=["01ARZ3NDEKTSV4RRFFQ69G5FAV"])
        counted: list[str] = []
        home.api.reading = lambda path, query: counted.append(path) if "filter" in query else None
        said = await home.etl("import", "runs.jsonl")
    refused(said, "This launches 3 runs, which start 120 simulations;", "--yes")
    assert home.api.posts == []
    assert counted == ["/v1/test-cases"], "the size of the test set is asked for once"


async def test_a_dry_run_says_what_would_be_launched(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        write_runs(home, 3, options={"iteration_count": 5})
        said = await home.etl("import", "runs.jsonl", "--dry-run")
    assert said.code == 0, said.err
    assert "It would launch 3 runs, which start 60 simulations." in " ".join(said.err.split())
    assert home.api.posts == []


@pytest.mark.parametrize(
    ("options", "simulations"),
    [({}, 4), ({"sub_sample_size": 3}, 3), ({"sub_sample_size": 9}, 4), ({"sub_sample_size": 0}, 4)],
)
async def test_a_sample_is_no_larger_than_its_test_set(
    forker: Forker, tmp_path: Path, options: dict[str, int], simulations: int
) -> None:
    async with at_home(tmp_path, forker) as home:
        write_runs(home, 1, options=options)
        said = await home.etl("import", "runs.jsonl")
    refused(said, f"1 run, which starts {simulations} simulations;")


async def test_runs_that_were_launched_are_not_counted_and_not_asked_about_again(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        file = write_runs(home, 3)
        assert (await home.etl("import", "runs.jsonl", "--yes")).code == 0
        said = await home.etl("import", "runs.jsonl", "--json")
        assert (said.code, said.json["rows"]["unchanged"]) == (0, 3)
        file.write_text(file.read_text().replace("run 2", "run 2, once more"))
        again = await home.etl("import", "runs.jsonl")
    refused(again, "This launches")
    assert names(home.api) == ["run 0", "run 1", "run 2"]


async def test_runs_of_what_the_same_file_creates_are_counted_as_well_and_typed_again_nothing_is_asked(
    forker: Forker, tmp_path: Path
) -> None:
    rows: list[Body] = [
        {"resource": "test-sets", "display_name": "New"},
        {"resource": "agents", **AGENT},
        {"resource": "personas", **PERSONA},
        *({"resource": "test-cases", "input_str": f"case {number}", "test_set": "New"} for number in range(7)),
        *({"resource": "runs", "agent": "A", "persona": "P", "test_set": "New", "iterations": n} for n in (1, 2)),
    ]
    async with at_home(tmp_path, forker) as home:
        (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        asked = await home.etl("import", "all.jsonl")
        assert home.api.posts == []
        said = await home.etl("import", "all.jsonl", "--yes", "--max-queued", "21", "--json")
        posts = len(home.api.posts)
        again = await home.etl("import", "all.jsonl", "--json")
    refused(asked, "This launches 2 runs, which start 21 simulations;")
    assert (said.code, said.json["rows"]["created"]) == (0, 12), said
    assert (again.code, again.json["rows"]["unchanged"]) == (0, 12), again
    assert len(home.api.posts) == posts == 12


async def test_runs_are_followed_to_their_end_and_the_report_says_where_they_are(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker, run_seconds=RUN_SECONDS) as home:
        write_runs(home, 5)
        passing(home.api, RUN_SECONDS / 4)
        said = await home.etl("import", "runs.jsonl", "--yes", "--watch", "--report", "report", constants=QUICK)
        gets = [path for path in home.api.gets if path.startswith("/v1/runs/")]
    assert said.code == 0, said
    summary, results = home.report("report")
    assert summary["runs"] == {"COMPLETED": 5}
    assert [line["run"] for line in results] == [{"status": "COMPLETED"}] * 5
    assert list(results[0])[-2:] == ["run", "issues"]
    assert "Watching  5 of 5 runs have ended: 5 COMPLETED" in said.err
    assert "IN PROGRESS" in said.err
    assert "5 runs COMPLETED" in said.err
    assert len(gets) == 1, "one page of the list tells of all; one run was read back after its launch"


async def test_a_run_that_failed_is_a_problem(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, run_seconds=0) as home:
        write_runs(home, 3)

        def shown(item: Body) -> Body:
            ends = {"run 1": "FAILED", "run 2": "CANCELLED"}
            return {**item, "status": ends.get(item.get("display_name", ""), item.get("status", ""))}

        home.api.shown = shown
        said = await home.etl("import", "runs.jsonl", "--yes", "--watch", "--json", constants=QUICK)
    assert said.code == said.json["exit_code"] == 1
    assert said.json["runs"] == {"CANCELLED": 1, "COMPLETED": 1, "FAILED": 1}
    assert said.json["rows"]["created"] == 3


async def test_who_stops_watching_harms_nothing_and_may_go_on(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, run_seconds=RUN_SECONDS) as home:
        write_runs(home, 3)
        child = await home.start("import", "runs.jsonl", "--yes", "--watch", "--report", "report", constants=QUICK)
        await asked(home.api, 5)
        child.signal(signal.SIGINT)
        ended = await child.wait()
        job = (await home.jobs())[0]
        passing(home.api, RUN_SECONDS)
        again = await home.etl("resume", job["job"], "--watch", "--report", "report", constants=QUICK)
    assert ended.code == 4, ended.err
    assert "The runs go on. Follow them again with: coval-etl resume" in ended.err
    assert job["state"] == "done"
    assert again.code == 0, again.err
    assert home.report("report")[0]["runs"] == {"COMPLETED": 3}
    assert names(home.api) == ["run 0", "run 1", "run 2"]


async def test_what_was_killed_while_watching_is_watched_on_and_launched_once(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, run_seconds=RUN_SECONDS) as home:
        write_runs(home, 3)
        child = await home.start("import", "runs.jsonl", "--yes", "--watch", constants=QUICK)
        await asked(home.api, 6)
        child.signal(signal.SIGKILL)
        await child.wait()
        passing(home.api, RUN_SECONDS)
        said = await home.etl("resume", "--json", constants=QUICK)
    assert (said.code, said.json["runs"]) == (0, {"COMPLETED": 3})
    assert len(home.api.posts) == 3


async def test_no_more_is_launched_than_the_queue_may_hold(forker: Forker, tmp_path: Path) -> None:
    most = 0
    async with at_home(tmp_path, forker, run_seconds=RUN_SECONDS, queue_limit=8) as home:
        write_runs(home, 7)  # of 4 simulations each

        def fate(_body: Body, _times: int) -> Fate:
            nonlocal most
            open_now = [run for run in home.api.progress.open_runs("") if run.fields["status"] != "COMPLETED"]
            most = max(most, len(open_now) + 1)
            return WELL

        home.api.fate = fate
        passing(home.api, RUN_SECONDS / 2)
        said = await home.etl("import", "runs.jsonl", "--yes", "--max-queued", "8", "--json", constants=QUICK)
    assert said.code == 0, said.err
    assert said.json["requests"]["by_status"] == {"200": 7}, "no launch was refused"
    assert most == 2
    assert len(names(home.api)) == 7


async def test_a_wait_for_room_is_explained(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker, run_seconds=RUN_SECONDS) as home:
        write_runs(home, 3)
        quick = {"etl.cli.bar:PLAIN_EVERY_S": 0.0, "etl.cli.running:LOOK_EVERY_S": 0.02}
        child = await home.start("import", "runs.jsonl", "--yes", "--max-queued", "4", constants=QUICK | quick)
        await asked(home.api, 6)
        child.signal(signal.SIGINT)
        ended = await child.wait()
        passing(home.api, RUN_SECONDS)
        said = await home.etl("resume", "--json", constants=QUICK)
    assert ended.code == 4
    assert "waiting: 4 simulations queued or in progress, --max-queued is 4; looking again" in ended.err
    assert len(home.api.posts) == 3, "one before, two when it was carried on"
    assert (said.code, said.json["rows"]["created"]) == (0, 3)


async def test_who_is_killed_while_waiting_for_room_waits_again_and_launches_nothing_twice(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker, run_seconds=RUN_SECONDS, queue_limit=4) as home:
        write_runs(home, 4)
        for _ in range(3):
            arguments = ("resume",) if home.api.posts else ("import", "runs.jsonl", "--yes", "--max-queued", "4")
            child = await home.start(*arguments, constants=QUICK)
            await asked(home.api, 6)
            child.signal(signal.SIGKILL)
            await child.wait()
        launched = len(home.api.posts)
        passing(home.api, RUN_SECONDS / 2)
        said = await home.etl("resume", "--json", constants=QUICK)
    assert launched == 1, "the queue was full all the time"
    assert said.code == 0, said.err
    assert said.json["rows"]["created"] == 4
    assert len(home.api.posts) == 4, "the queue of the API refused nothing"


async def test_a_run_larger_than_the_queue_is_refused_before_anything_is_launched(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        write_runs(home, 2, options={"iteration_count": 5})
        said = await home.etl("import", "runs.jsonl", "--yes", "--max-queued", "19")
    refused(said, "Row 1 of runs.jsonl alone starts at least 20 simulations; --max-queued is 19.", "sub_sample_size")
    assert home.api.posts == []


async def test_a_launch_whose_answer_is_lost_keeps_its_room_and_is_found_and_followed(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker, run_seconds=RUN_SECONDS, queue_limit=4) as home:
        write_runs(home, 3)
        home.api.fate = lambda body, times: LOST if body["metadata"]["display_name"] == "run 0" else WELL
        passing(home.api, RUN_SECONDS / 2)
        arguments = ("--max-queued", "4", "--settle", "0.2", "--watch", "--json")
        said = await home.etl("import", "runs.jsonl", "--yes", *arguments, constants=QUICK)
    assert said.code == 0, said.err
    assert (said.json["rows"]["created"], said.json["runs"]) == (3, {"COMPLETED": 3})
    assert said.json["requests"]["reconciled"] == 1
    assert len(home.api.posts) == 3


async def test_a_launch_that_nobody_can_find_is_left_to_a_person_and_never_launched_again(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker, run_seconds=0) as home:
        write_runs(home, 3)
        home.api.fate = lambda body, times: DROPPED if body["metadata"]["display_name"] == "run 0" else WELL
        patience = {"etl.launching:PATIENCE_S": 1.0}
        arguments = ("--max-queued", "4", "--settle", "0.1", "--json")
        said = await home.etl("import", "runs.jsonl", "--yes", *arguments, constants=QUICK | patience)
        posts = len(home.api.posts)
        accepted = await home.etl("resume", "--accept-in-doubt", "--settle", "0.1", "--json", constants=QUICK)
    assert said.code == 4, said
    assert "4 simulations of runs of which it is not known" in said.json["stopped_because"]
    assert (said.json["rows"]["in_doubt"], said.json["rows"]["pending"], posts) == (1, 2, 1)
    assert (accepted.code, accepted.json["rows"]["created"]) == (0, 3), accepted
    assert [body["metadata"]["display_name"] for body in home.api.posts].count("run 0") == 1


async def test_one_run_is_asked_for_by_itself_and_many_by_the_list() -> None:
    async with crooked_api(Contract.V2025_10, run_seconds=0) as api:
        given = parents(api, api.make("test-sets", {"display_name": "S"}), 1)
        ids = [api.make("runs", given) for _ in range(30)]
        async with Api(Target(api.url, KEY)) as session:
            one, many = Runs(session), Runs(session)
            one.add(ids[:1])
            many.add(ids)
            assert await one.look()
            assert (api.lists, len(api.gets)) == (0, 1)
            assert await many.look()
            assert (api.lists, len(api.gets)) == (1, 1)
    assert (one.open, many.open) == ([], [])
    assert many.by_status == {"COMPLETED": 30}


async def test_a_run_that_is_gone_is_deleted_but_not_one_that_does_not_show_yet() -> None:
    async with crooked_api(Contract.V2026_10, run_seconds=RUN_SECONDS) as api:
        given = parents(api, api.make("test-sets", {"display_name": "S"}), 1)
        known, young = api.make("runs", given), "n" * 22
        async with Api(Target(api.url, KEY)) as session:
            runs = Runs(session)
            runs.add([known])
            await runs.look()
            runs.add([young])
            await session.delete(f"/runs/{known}")
            await runs.look()
            assert runs.statuses == {known: "DELETED", young: "PENDING"}
            await runs.look()
            assert runs.statuses == {known: "DELETED", young: "DELETED"}

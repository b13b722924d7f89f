"""`coval-etl jobs`: what the ledger knows, in which state it is, what to do next; and forgetting it."""

import signal
from pathlib import Path

import pytest

from tests.crooked_api import SILENT, WELL, Fate
from tests.forking import Forker
from tests.quick_command import at_home, forker, refused, texts

__all__ = ["forker"]

KEYS = {
    "job",
    "state",
    "command",
    "sources",
    "target",
    "workspace",
    "started",
    "ended",
    "exit_code",
    "rows",
    "report",
    "held_by",
    "next",
}


async def test_a_ledger_without_jobs_says_so(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        said, quiet, document = (
            await home.etl("jobs"),
            await home.etl("jobs", "--quiet"),
            await home.etl("jobs", "--json"),
        )
    assert (said.code, said.out) == (0, "The ledger knows no jobs.\n")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert (document.code, document.json) == (0, [])


async def test_jobs_are_listed_the_newest_first_with_their_state_and_the_next_step(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("done.csv", texts(4))
        home.write("killed.csv", ["a", "b", "c", "d"])
        (tmp_path / "bad.csv").write_text("input_str,input_type\ngood,SCENARIO\nbad,NOISE\nbetter,SCENARIO\n")
        home.write("doubtful.csv", ["x", "y"])
        assert (await home.etl(*home.importing("done.csv"))).code == 0
        await home.killed(*home.importing("killed.csv"), at="outcome-recorded:2")
        assert (await home.etl(*home.importing("bad.csv", "--report", "rejected"))).code == 1
        home.api.fate = lambda body, _times: (
            Fate(stored=False, said=201, text=b"{}") if body["input_str"] == "y" else WELL
        )
        assert (await home.etl(*home.importing("doubtful.csv"))).code == 1
        listed, told = await home.jobs(), await home.etl("jobs")
    doubtful, bad, killed, done = listed
    assert all(set(one) == KEYS for one in listed)
    assert [one["sources"] for one in listed] == [["doubtful.csv"], ["bad.csv"], ["killed.csv"], ["done.csv"]]
    assert [one["state"] for one in listed] == ["unfinished", "done", "unfinished", "done"]
    assert [one["exit_code"] for one in listed] == [1, 1, None, 0]
    assert (done["rows"], done["next"]) == ({"created": 4}, "nothing")
    assert (bad["rows"], bad["next"]) == ({"created": 2, "rejected": 1}, "mend the rejects and import them")
    assert (doubtful["rows"], doubtful["next"]) == (
        {"created": 1, "in_doubt": 1},
        f"coval-etl resume {doubtful['job']}",
    )
    assert (killed["ended"], killed["report"], killed["next"]) == (None, None, f"coval-etl resume {killed['job']}")
    assert killed["rows"]["created"] >= 2
    assert all(one["target"] == home.api.url and one["held_by"] is None for one in listed)
    assert bad["report"].endswith("rejected")
    for one in listed:
        assert one["job"] in told.out  # in one piece, to be copied
        assert one["next"] in told.out
    assert "Error" not in told.err


async def test_a_running_job_is_said_to_be_running_and_is_not_forgotten(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(6))
        home.api.fate = lambda _body, _times: SILENT if len(home.api.posts) == 3 else WELL
        child = await home.start(*home.importing("cases.csv", "--timeout", "600"))
        for _ in range(3):
            await home.api.arrived.acquire()
        (running,) = await home.jobs()
        pruned = await home.etl("jobs", "prune", "--older-than", "0", "--unfinished")
        still = await home.jobs()
        child.signal(signal.SIGKILL)
        await child.wait()
        (dead,) = await home.jobs()
    assert (running["state"], running["next"]) == ("running", "is running")
    assert str(child.pid) in running["held_by"]
    assert pruned.code == 0
    assert "0 jobs" in pruned.out
    assert len(still) == 1
    assert (dead["state"], dead["held_by"]) == ("unfinished", None)
    assert dead["next"] == f"coval-etl resume {dead['job']}"


async def test_twenty_jobs_are_listed_unless_all_are_asked_for(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", ["one"])
        for _ in range(21):
            assert (await home.etl(*home.importing("cases.csv", "--quiet"))).code == 0
        some, every = await home.etl("jobs", "--json"), await home.etl("jobs", "--json", "--all")
    assert (len(some.json), len(every.json)) == (20, 21)
    assert some.json == every.json[:20]


async def test_prune_forgets_finished_jobs_and_keeps_what_can_be_carried_on(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("done.csv", texts(4))
        home.write("killed.csv", ["a", "b", "c", "d"])
        done = home.importing("done.csv", "--json")
        assert (await home.etl(*done)).code == 0
        await home.killed(*home.importing("killed.csv"), at="outcome-recorded:2")
        young = await home.etl("jobs", "prune")
        assert len(await home.jobs()) == 2
        old = await home.etl("jobs", "prune", "--older-than", "0")
        (left,) = await home.jobs()
        again = await home.etl(*done)
        carried_on = await home.etl("resume", left["job"], "--json")
        every = await home.etl("jobs", "prune", "--older-than", "0", "--unfinished", "--quiet")
        nothing = await home.jobs()
    assert "0 jobs were forgotten" in young.out
    assert "1 job was forgotten" in old.out
    assert "1 unfinished" in old.out
    assert left["sources"] == ["killed.csv"]
    assert again.json["rows"]["created"] == 4  # what was forgotten is not known again
    assert carried_on.json["rows"]["created"] == 4
    assert (every.code, every.out, nothing) == (0, "", [])


async def test_prune_answers_a_program_in_json(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", ["one"])
        assert (await home.etl(*home.importing("cases.csv"))).code == 0
        (job,) = await home.jobs()
        said = await home.etl("jobs", "prune", "--older-than", "0", "--json")
    assert said.json == {"forgotten": [job["job"]], "kept": []}


@pytest.mark.parametrize("arguments", [("--older-than", "-1"), ("--older-than", "soon"), ("extra",)])
async def test_prune_refuses_what_it_cannot_be_asked(
    forker: Forker, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    async with at_home(tmp_path, forker) as home:
        refused(await home.etl("jobs", "prune", *arguments))


async def test_a_ledger_that_is_none_is_refused(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        (tmp_path / "notes.txt").write_text("not a ledger, and quite long enough to be looked at\n" * 30)
        refused(await home.etl("jobs", "--ledger", "notes.txt"), "notes.txt")
        assert (tmp_path / "notes.txt").read_text().startswith("not a ledger")


@pytest.mark.parametrize("command", [("resume",), ("rollback", "none")])
async def test_a_key_on_the_command_line_is_warned_of(forker: Forker, tmp_path: Path, command: tuple[str, ...]) -> None:
    async with at_home(tmp_path, forker) as home:
        ended = await home.etl(*command, "--api-key", "sk-0123456789")
    assert ended.code == 2
    assert "--api-key can be seen by others" in ended.err
    assert "sk-0123456789" not in ended.err

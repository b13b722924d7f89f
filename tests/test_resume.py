"""`coval-etl resume`: what was cut off is carried on, nothing is sent twice, and what has changed is refused."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import etl
from tests.crooked_api import KEY, LOST, SILENT, WELL, Body, Fate
from tests.forking import Forker
from tests.quick_command import at_home, forker, refused, texts

__all__ = ["forker"]

UNKNOWN = Fate(stored=False, said=201, text=b"{}")
"""The API says that it was stored; no list has it."""


def unknown_once(text: str) -> Callable[[Body, int], Fate]:
    return lambda body, times: UNKNOWN if body["input_str"] == text and times == 1 else WELL


async def test_what_was_killed_is_carried_on_from_anywhere_and_reported_whole(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(30))
        await home.killed(*home.importing("cases.csv", "--report", "report"), at="answered:7")
        before = len(home.api.posts)
        (tmp_path / "elsewhere").mkdir()
        said = await home.etl_in(tmp_path / "elsewhere", "resume")
    assert said.code == 0, said.err
    assert 0 < before < 30
    assert home.api.texts() == sorted(texts(30))
    assert len(home.api.posts) == 30
    summary, results = home.report("report")
    assert (summary["rows"]["read"], summary["rows"]["created"], summary["exit_code"]) == (30, 30, 0)
    assert [(line["row"], line["status"]) for line in results] == [(row, "created") for row in range(2, 32)]
    assert len({line["id"] for line in results}) == 30
    assert "Resuming job" in said.err


@pytest.mark.parametrize("point", ["intent-recorded:3", "answered:3", "before-outcome:3"])
async def test_a_row_that_was_on_its_way_when_the_job_was_killed_is_stored_once(
    forker: Forker, tmp_path: Path, point: str
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", ["the same"] * 8)
        await home.killed(*home.importing("cases.csv"), at=point)
        said = await home.etl("resume", "--json")
    assert said.json["rows"]["created"] == 8
    assert home.api.texts() == ["the same"] * 8


async def test_the_job_is_the_latest_that_waits_or_the_one_whose_ids_end_is_given(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        for name in "abc":
            home.write(f"{name}.csv", [f"{name} {number}" for number in range(4)])
            await home.killed(*home.importing(f"{name}.csv"), at="outcome-recorded:2")
        c, b, a = [one["job"] for one in await home.jobs()]
        first = await home.etl("resume", a[-4:])
        second = await home.etl("resume")
        third = await home.etl("resume", b)
        nothing = await home.etl("resume")
        unknown = await home.etl("resume", "nonesuch")
    for said, job in ((first, a), (second, c), (third, b)):
        assert said.code == 0, said.err
        assert job in said.err
    refused(nothing, "No import waits")
    refused(unknown, "nonesuch", "coval-etl jobs")
    assert len(home.api.stored()) == 12


async def test_typed_again_while_unfinished_it_names_resume_and_afterwards_it_leaves_rows_alone(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(10))
        typed = home.importing("cases.csv")
        await home.killed(*typed, at="outcome-recorded:3")
        (job,) = await home.jobs()
        unfinished = await home.etl(*typed)
        sent = len(home.api.posts)
        assert (await home.etl("resume")).code == 0
        finished = await home.etl(*typed, "--json")
        assert len(home.api.posts) == 10
        anew = await home.etl(*typed, "--again", "--json")
    refused(unfinished, "not finished", f"coval-etl resume {job['job']}", "--again")
    assert sent < 10
    assert (finished.code, finished.json["rows"]["unchanged"], finished.json["requests"]["sent"]) == (0, 10, 0)
    assert anew.json["rows"]["created"] == 10
    assert home.api.texts() == sorted(texts(10) * 2)


async def test_again_sends_every_row_although_the_same_import_is_unfinished(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", ["one", "two", "three"])
        await home.killed(*home.importing("cases.csv"), at="outcome-recorded:1")
        anew = await home.etl(*home.importing("cases.csv"), "--again", "--json")
        before = await home.etl("resume", "--json")
    assert anew.json["rows"]["created"] == 3
    # What the newer job created is there, and is not created once more for what the older one had not begun with.
    begun = before.json["rows"]["created"]
    assert (begun >= 1, before.json["rows"]["unchanged"]) == (True, 3 - begun)
    assert len(home.api.posts) == 3 + begun


async def test_a_source_that_was_changed_or_is_gone_is_refused_and_its_rows_wait(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        file = home.write("cases.csv", texts(6))
        await home.killed(*home.importing("cases.csv"), at="outcome-recorded:2")
        sent, right = len(home.api.posts), file.read_text()
        file.write_text(right + "one more\n")
        changed = await home.etl("resume")
        file.unlink()
        gone = await home.etl("resume")
        assert len(home.api.posts) == sent
        file.write_text(right)
        said = await home.etl("resume")
    refused(changed, "cases.csv was changed since job", "began: none of the", "import it anew")
    refused(gone, "cases.csv")
    assert said.code == 0
    assert home.api.texts() == sorted(texts(6))


async def test_a_folder_that_is_gone_is_named(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        (tmp_path / "work").mkdir()
        home.write("work/cases.csv", texts(6))
        await home.killed(*home.importing("cases.csv"), at="outcome-recorded:2", where=tmp_path / "work")
        (tmp_path / "work").rename(tmp_path / "moved")
        refused(await home.etl("resume"), str(tmp_path / "work"), "is not there")


async def test_a_mapping_that_makes_something_else_of_the_file_is_refused(forker: Forker, tmp_path: Path) -> None:
    mapping = "version: 1\nname: mine\nresource: test-cases\nfields:\n  input_str:\n    from: {}\n"
    async with at_home(tmp_path, forker) as home:
        (tmp_path / "cases.csv").write_text("Question,Other\n" + "".join(f"q{n},o{n}\n" for n in range(6)))
        (tmp_path / "mine.yaml").write_text(mapping.format("Question"))
        await home.killed(*home.importing("cases.csv", "--mapping", "mine.yaml"), at="outcome-recorded:2")
        (tmp_path / "mine.yaml").write_text(mapping.format("Other"))
        changed = await home.etl("resume")
        (tmp_path / "mine.yaml").write_text("# a remark changes nothing\n" + mapping.format("Question"))
        said = await home.etl("resume")
    refused(changed, "mapping mine", "cases.csv", "Import it anew")
    assert said.code == 0, said.err
    assert home.api.texts() == sorted(f"q{n}" for n in range(6))


async def test_another_key_is_refused_unless_it_is_said_to_be_of_the_same_organisation(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.api.keys.add("another-key-0123456")
        home.write("cases.csv", texts(6))
        await home.killed(*home.importing("cases.csv"), at="outcome-recorded:2")
        other = await home.etl("resume", COVAL_API_KEY="another-key-0123456")
        meant = await home.etl("resume", "--new-key", COVAL_API_KEY="another-key-0123456")
    refused(other, "another key", "--new-key")
    assert meant.code == 0
    assert home.api.texts() == sorted(texts(6))


async def test_what_was_read_from_standard_input_is_carried_on_from_its_copy_which_then_goes(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        rows = ("input_str\n" + "".join(f"{text}\n" for text in texts(6))).encode()
        typed = ("import", "-", "--format", "csv", "--test-set", home.test_set, "--settle", "0.2")
        armed = home.environment | {"COVAL_ETL_CRASH_AT": "outcome-recorded:3"}
        killed = await asyncio.to_thread(etl, tmp_path, *typed, stdin=rows, **armed)
        assert killed.code == -9, killed.err
        assert b"caller 3" in home.everything_written()
        said = await home.etl("resume")
    assert said.code == 0, said.err
    assert home.api.texts() == sorted(texts(6))
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file() and b"caller 3" in path.read_bytes()]
    assert kept == []


@pytest.mark.parametrize("decision", ["--accept-in-doubt", "--resend-in-doubt"])
async def test_rows_of_which_it_cannot_be_known_wait_for_a_decision(
    forker: Forker, tmp_path: Path, decision: str
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", ["one", "two", "three"])
        home.api.fate = unknown_once("two")
        first = await home.etl(*home.importing("cases.csv", "--report", "report", "--json"))
        _, results = home.report("report")
        again = await home.etl("resume", "--json")
        decided = await home.etl("resume", decision, "--json")
        after = await home.etl("resume")
    for said in (first, again):
        assert (said.code, said.json["rows"]["in_doubt"], said.json["rows"]["created"]) == (1, 1, 2)
    doubtful = next(line for line in results if line["status"] == "in_doubt")
    assert doubtful["row"] == 3
    assert "two complete lists do not have it" in doubtful["issues"][0]["message"]
    assert (decided.code, decided.json["rows"]["created"], decided.json["rows"]["in_doubt"]) == (0, 3, 0)
    assert len(home.api.posts) == (4 if decision == "--resend-in-doubt" else 3)
    refused(after, "No import waits")


async def test_the_two_decisions_exclude_each_other(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        refused(await home.etl("resume", "--accept-in-doubt", "--resend-in-doubt"), "exclude each other")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_lets_what_is_in_flight_finish_reports_every_row_and_resume_reports_the_whole(
    forker: Forker, tmp_path: Path, number: int
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(200))
        child = await home.start(*home.importing("cases.csv", "--report", "report"))
        for _ in range(12):
            await home.api.arrived.acquire()
        child.signal(number)
        ended = await child.wait()
        stopped, results = home.report("report")
        (job,) = await home.jobs()
        said = await home.etl("resume")
    assert ended.code == stopped["exit_code"] == 4, ended.err
    rows = stopped["rows"]
    assert rows["created"] + rows["pending"] == rows["read"] == len(results) == 200
    assert 12 <= rows["created"] < 200
    assert f"coval-etl resume {job['job']}" in ended.err
    assert said.code == 0
    whole, results = home.report("report")
    assert whole["rows"]["created"] == len(results) == 200
    assert home.api.texts() == sorted(texts(200))


async def test_a_second_signal_leaves_at_once_and_resume_loses_nothing(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(8))
        home.api.fate = lambda _body, _times: SILENT if len(home.api.posts) == 4 else WELL
        at_once = {"etl.cli.signals:ONE_PRESS_S": -1.0}
        child = await home.start(*home.importing("cases.csv"), constants=at_once)
        for _ in range(4):
            await home.api.arrived.acquire()
        child.signal(signal.SIGTERM)
        child.signal(signal.SIGINT)
        ended = await child.wait()
        (job,) = await home.jobs()
        said = await home.etl("resume", "--json")
    assert ended.code == 4
    assert f"coval-etl resume {job['job']}" in ended.err
    assert "Traceback" not in ended.err
    assert said.json["rows"]["created"] == 8
    assert home.api.texts() == sorted(texts(8))


async def test_two_processes_never_work_on_one_job(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(8))
        typed = home.importing("cases.csv", "--timeout", "600")
        home.api.fate = lambda _body, _times: SILENT if len(home.api.posts) == 4 else WELL
        child = await home.start(*typed)
        for _ in range(4):
            await home.api.arrived.acquire()
        (job,) = await home.jobs()
        resumed = await home.etl("resume")
        again = await home.etl(*typed)
        child.signal(signal.SIGKILL)
        await child.wait()
        said = await home.etl("resume")
    assert (job["state"], job["next"]) == ("running", "is running")
    assert job["held_by"]
    refused(resumed, str(child.pid))
    refused(again, "running already", str(child.pid))
    assert said.code == 0, said.err
    assert home.api.texts() == sorted(texts(8))


async def test_a_job_that_is_running_is_not_the_one_that_waits(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        for name in "ab":
            home.write(f"{name}.csv", [f"{name} {number}" for number in range(4)])
        await home.killed(*home.importing("a.csv"), at="outcome-recorded:2")
        for _ in home.api.posts:
            await home.api.arrived.acquire()
        home.api.fate = lambda body, _times: SILENT if body["input_str"] == "b 3" else WELL
        child = await home.start(*home.importing("b.csv", "--timeout", "600"))
        for _ in range(4):
            await home.api.arrived.acquire()
        said = await home.etl("resume", "--json")
        child.signal(signal.SIGKILL)
        await child.wait()
    assert (said.code, said.json["rows"]["created"]) == (0, 4)


async def test_what_stops_a_job_that_is_carried_on_has_its_exit_code_and_it_can_be_carried_on_again(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(8))
        await home.killed(*home.importing("cases.csv"), at="outcome-recorded:2")
        home.api.keys.clear()
        refused_key = await home.etl("resume")
        home.api.keys.add(KEY)

        def fate(_body: Body, _times: int) -> Fate:
            return WELL if len(home.api.posts) < 6 else Fate(stored=False, said=401)

        home.api.fate = fate
        half_way = await home.etl("resume", "--json")
        home.api.fate = lambda _body, _times: WELL
        said = await home.etl("resume", "--json")
    assert (refused_key.code, half_way.code, said.code) == (3, 3, 0)
    assert half_way.json["rows"]["pending"] > 0
    assert "Stopped" in half_way.err
    assert said.json["rows"]["created"] == 8
    assert home.api.texts() == sorted(texts(8))


async def test_with_json_there_is_one_document_and_nothing_else(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        nothing = await home.etl("resume", "--json")
        home.write("cases.csv", texts(5))
        await home.killed(*home.importing("cases.csv"), at="outcome-recorded:2")
        said = await home.etl("resume", "--json")
    assert set(nothing.json) == {"error", "exit_code"}
    assert nothing.json["exit_code"] == nothing.code == 2
    assert (said.code, said.err) == (0, "")
    assert (said.json["command"], said.json["rows"]["created"]) == ("import", 5)


async def test_a_secret_that_was_given_is_not_kept_and_asked_for_again(forker: Forker, tmp_path: Path) -> None:
    secret = "canary-of-the-header-4711"
    async with at_home(tmp_path, forker) as home:
        lines = [f"Agent {n},voice,+1234567890{n}" for n in range(4)]
        (tmp_path / "agents.csv").write_text("display_name,model_type,phone_number\n" + "\n".join(lines) + "\n")
        given = ("--set", f"metadata.authorization_header={secret}")
        typed = ("import", "agents.csv", "--settle", "0.2", "--concurrency", "1", *given)
        await home.killed(*typed, at="outcome-recorded:2")
        without = await home.etl("resume")
        said = await home.etl("resume", *given)
        written = home.everything_written()
    refused(without, "metadata.authorization_header", "--set")
    assert said.code == 0, said.err
    assert [body["metadata"]["authorization_header"] for body in home.api.stored("agents")] == [secret] * 4
    assert secret.encode() not in written
    assert KEY.encode() not in written


async def test_rows_whose_answers_were_lost_are_found_when_the_job_is_carried_on(
    forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(12))
        home.api.fate = lambda _body, _times: LOST if len(home.api.posts) in {3, 4, 9} else WELL
        await home.killed(*home.importing("cases.csv"), at="adopting")
        said = await home.etl("resume", "--json")
    assert said.json["rows"]["created"] == 12
    assert said.json["requests"]["reconciled"] >= 2
    assert home.api.texts() == sorted(texts(12))

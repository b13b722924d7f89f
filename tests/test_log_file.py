"""The log of a command: every request and how it ended, and neither a key nor a cell."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.crooked_api import KEY
from tests.forking import Forker
from tests.quick_command import Home, at_home, forker, refused  # noqa: F401  # a fixture


@pytest.fixture
async def home(tmp_path: Path, forker: Forker) -> AsyncIterator[Home]:  # noqa: F811
    async with at_home(tmp_path, forker) as one:
        yield one


def lines(home: Home, name: str = "log.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home.folder / name).read_text().splitlines()]


async def test_an_import_is_logged_from_its_beginning_to_its_end(home: Home) -> None:
    (home.folder / "cases.csv").write_text('input_str,note\ncell one,"a, b"\n,c\ncell two,d\n')
    said = await home.etl(*home.importing("cases.csv", "--report", "r", "--log-file", "log.jsonl"))
    assert said.code == 1
    log = lines(home)
    assert [one["event"] for one in log if one["event"] != "request"] == ["begun", "table", "problem", "ended"]
    posts = [one for one in log if one["event"] == "request" and one["method"] == "POST"]
    assert [one["status"] for one in posts] == [201, 201]
    assert all(one["elapsed_ms"] >= 0 and one["path"].startswith("/test-cases") for one in posts)
    summary, _ = home.report("r")
    ended = log[-1]
    assert ended["rows"] == summary["rows"]
    assert (ended["exit_code"], ended["level"], ended["report"]) == (1, "warning", "r")
    assert {one["job"] for one in log[1:] if one["event"] != "request"} == {summary["job"]}
    whole = (home.folder / "log.jsonl").read_text()
    assert KEY not in whole
    assert "cell one" not in whole
    assert stat.S_IMODE((home.folder / "log.jsonl").stat().st_mode) == 0o600


async def test_what_comes_later_is_appended(home: Home) -> None:
    home.write("cases.csv", ["one", "two", "three"])
    await home.killed(*home.importing("cases.csv", "--report", "r", "--log-file", "log.jsonl"), at="outcome-recorded")
    assert lines(home)[-1]["event"] != "ended"
    assert (await home.etl("resume", "--log-file", "log.jsonl")).code == 0
    job = (await home.jobs())[0]["job"]
    assert (await home.etl("rollback", job, "--yes", "--log-file", "log.jsonl")).code == 0
    log = lines(home)
    assert [one["command"] for one in log if one["event"] == "begun"] == ["import", "resume", "rollback"]
    assert log[-1]["event"] == "ended"
    assert log[-1]["deleted"] == 3
    assert any(one["event"] == "request" and one["method"] == "DELETE" for one in log)


async def test_what_stops_a_command_is_in_its_log(home: Home) -> None:
    home.write("cases.csv", ["one"])
    refused(
        await home.etl(*home.importing("cases.csv", "--log-file", "log.jsonl"), COVAL_API_KEY="another-key"), code=3
    )
    log = lines(home)
    assert log[-1]["event"] in {"failed", "ended"}
    assert log[-1]["exit_code"] == 3
    assert any(one.get("status") == 401 and one["level"] == "warning" for one in log)
    assert "another-key" not in (home.folder / "log.jsonl").read_text()


async def test_a_log_that_cannot_be_opened_is_refused_before_anything_is_sent(home: Home) -> None:
    home.write("cases.csv", ["one"])
    refused(await home.etl(*home.importing("cases.csv", "--log-file", "no/such/log")), "no/such/log")
    assert home.api.posts == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="LEFT OUT: no /dev/full here")
async def test_a_log_that_fails_is_said_once_and_stops_nothing(home: Home) -> None:
    home.write("cases.csv", ["one", "two"])
    said = await home.etl(*home.importing("cases.csv", "--log-file", "/dev/full"))
    assert said.code == 0
    assert said.err.count("/dev/full cannot be written any more") == 1

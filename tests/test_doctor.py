"""`coval-etl doctor`: each thing that can be amiss is found, said in a sentence, and with what would do."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from etl.diagnosing import Verdict, disks, versions
from etl.ledger import open_ledger
from etl.resources import Contract
from etl.sandbox import running_sandbox
from tests.command import Said, etl
from tests.crooked_api import KEY, crooked_api
from tests.forking import Call, Forker
from tests.quick_command import at_home, forker, texts
from tests.raw_server import said as raw
from tests.test_network_tls import make_identity, secure_server

__all__ = ["forker"]


def findings(said: Said) -> dict[str, dict[str, str]]:
    """What was found, by what was looked at. The document's form and its exit code are looked at as well."""
    document = said.json
    assert set(document) == {"findings", "exit_code"}
    found = {one["check"]: one for one in document["findings"]}
    assert all(set(one) == {"check", "verdict", "found", "hint"} for one in document["findings"])
    problems = [one for one in document["findings"] if one["verdict"] == "problem"]
    assert said.code == document["exit_code"] == (1 if problems else 0)
    assert all(one["hint"] for one in document["findings"] if one["verdict"] != "ok"), document
    assert "Traceback" not in said.err
    return found


@asynccontextmanager
async def doctor(folder: Path, forker: Forker) -> AsyncIterator[Any]:
    """Runs the command in a home of its own."""

    async def look(*arguments: str, **environment: str) -> dict[str, dict[str, str]]:
        home = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "LANG": "C.UTF-8"}
        ended = await forker.run(Call(("doctor", "--json", *arguments), folder, home | environment))
        return findings(Said(ended.code, ended.out, ended.err))

    yield look


async def test_where_all_is_well_it_says_so(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look, running_sandbox(key=KEY) as sandbox:
        found = await look(COVAL_API_KEY=KEY, COVAL_BASE_URL=sandbox.base_url)
    assert {one["verdict"] for one in found.values()} == {"ok"}
    assert list(found) == [
        "coval-etl",
        "libraries",
        "profile",
        "address",
        "key",
        "connection",
        "api",
        "key accepted",
        "clock",
        "contract",
        "limits",
        "ledger",
        "disk",
        "sandbox",
    ]
    assert found["address"]["found"] == f"{sandbox.base_url} (COVAL_BASE_URL)"
    assert found["key"]["found"] == "there (COVAL_API_KEY)"
    assert "2025-10, found out" in found["contract"]["found"]
    assert "made by the first import" in found["ledger"]["found"]
    assert "at most 16 requests in flight; the API publishes none" in found["limits"]["found"]
    assert list((tmp_path / "state" / "coval-etl").iterdir()) == []


def test_a_person_reads_one_line_for_each_and_the_sum(tmp_path: Path) -> None:
    said = etl(tmp_path, "doctor", "--base-url", "http://127.0.0.1:1", "--api-key", KEY)
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0].startswith("ok       coval-etl     0.")
    assert "problem  connection    No connection to 127.0.0.1:1: Connection refused." in lines
    assert lines[-1] == "1 problem, 1 warning."
    assert KEY not in said.out + said.err


def test_quiet_leaves_out_what_is_well(tmp_path: Path) -> None:
    said = etl(tmp_path, "doctor", "--base-url", "http://127.0.0.1:1", "--quiet", COVAL_API_KEY=KEY)
    assert (said.code, len(said.out.splitlines())) == (1, 2)
    assert said.out.startswith("problem  connection")


def test_forty_columns_are_enough(tmp_path: Path) -> None:
    said = etl(tmp_path, "doctor", "--base-url", "http://127.0.0.1:1", COLUMNS="40", COVAL_API_KEY=KEY)
    assert max(map(len, said.out.splitlines())) <= 40
    assert "problem  connection\n  No connection to 127.0.0.1:1:" in said.out


async def test_without_a_key_the_way_is_looked_at_all_the_same(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look, running_sandbox(key=KEY) as sandbox:
        found = await look("--base-url", sandbox.base_url)
    assert found["key"]["verdict"] == "problem"
    assert "COVAL_API_KEY" in found["key"]["hint"]
    assert (found["connection"]["verdict"], found["api"]["verdict"], found["clock"]["verdict"]) == ("ok", "ok", "ok")
    assert "key accepted" not in found


async def test_a_key_that_the_api_refuses_is_said_and_not_shown(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look, running_sandbox(key=KEY) as sandbox:
        found = await look("--base-url", sandbox.base_url, COVAL_API_KEY="canary-4711-abc")
    assert found["key accepted"]["found"] == "The API refused the key (401)."
    assert found["api"]["verdict"] == "ok"
    assert "canary" not in json.dumps(found)


@pytest.mark.parametrize(("status", "verdict"), [(403, "problem"), (500, "problem"), (429, "warning")])
async def test_an_api_that_says_no_is_told_from_one_that_is_in_trouble(
    forker: Forker, tmp_path: Path, status: int, verdict: str
) -> None:
    async with doctor(tmp_path, forker) as look, crooked_api() as api:
        api.reading = lambda _path, _query: status
        found = await look("--base-url", api.url, COVAL_API_KEY=KEY)
    said = found["key accepted" if status == 403 else "api"]
    assert said["verdict"] == verdict
    assert str(status) in said["found"]


async def test_a_name_that_nobody_knows(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look:
        found = await look("--base-url", "https://no-such-host.invalid", COVAL_API_KEY=KEY)
    assert "no address for the name no-such-host.invalid" in found["name"]["found"]
    assert {"connection", "api", "clock"}.isdisjoint(found)
    assert found["ledger"]["verdict"] == "ok"


async def test_a_server_that_is_not_the_api(forker: Forker, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # who only looks whether somebody is there says nothing
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw("200 OK", b'{"hello": "you"}'))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with doctor(tmp_path, forker) as look, server:
        found = await look("--base-url", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", COVAL_API_KEY=KEY)
    assert "not Coval's API" in found["api"]["found"]
    assert found["clock"]["verdict"] == "warning"


async def test_a_certificate_that_nobody_trusts_one_that_ends_soon_and_no_tls_at_all(
    forker: Forker, tmp_path: Path
) -> None:
    identity = make_identity(tmp_path, "IP:127.0.0.1", 2)
    async with doctor(tmp_path, forker) as look, secure_server(identity) as (url, seen):
        found = await look("--base-url", url, COVAL_API_KEY=KEY)
        assert "not accepted" in found["certificate"]["found"]
        assert "--ca-bundle" in found["certificate"]["hint"]
        assert not any(seen)
        found = await look("--base-url", url, "--ca-bundle", str(identity), COVAL_API_KEY=KEY)
        assert found["certificate"]["verdict"] == "warning"
        assert "that is soon" in found["certificate"]["found"]
        found = await look("--base-url", url, "--ca-bundle", "none.pem", COVAL_API_KEY=KEY)
        assert "none.pem is not a readable file of certificates" in found["certificate"]["found"]
    async with doctor(tmp_path, forker) as look, running_sandbox(key=KEY) as sandbox:
        found = await look("--base-url", sandbox.base_url.replace("http", "https"), COVAL_API_KEY=KEY)
    assert "does not speak TLS" in found["certificate"]["found"]


async def test_a_proxy_is_named_without_its_password(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look:
        proxy = "http://ada:canary-pw@127.0.0.1:1"
        found = await look("--base-url", "https://api.coval.example", COVAL_API_KEY=KEY, HTTPS_PROXY=proxy)
    assert found["proxy"]["found"] == "127.0.0.1:1, from the environment"
    assert found["proxy connection"]["verdict"] == "problem"
    assert "canary-pw" not in json.dumps(found)


@pytest.mark.parametrize(
    ("skew_s", "verdict", "words"),
    [
        (0, "ok", "agrees"),
        (10, "ok", "behind the API's"),
        (-90, "warning", "ahead of the API's"),
        (3600, "problem", "behind the API's"),
    ],
)
async def test_the_clock_is_held_against_the_apis(
    forker: Forker, tmp_path: Path, skew_s: int, verdict: str, words: str
) -> None:
    async with doctor(tmp_path, forker) as look, crooked_api() as api:
        api.date = lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=skew_s), usegmt=True)
        found = await look("--base-url", api.url, COVAL_API_KEY=KEY)
    assert found["clock"]["verdict"] == verdict
    assert words in found["clock"]["found"]


async def test_an_api_that_does_not_say_the_time(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look, crooked_api() as api:
        api.date = lambda: "tomorrow"
        found = await look("--base-url", api.url, COVAL_API_KEY=KEY)
    assert found["clock"]["verdict"] == "warning"


async def test_the_contract_is_told_or_found_out(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look, crooked_api(Contract.V2026_10) as api:
        api.make("test-sets", {"display_name": "Calls"})
        told = await look("--base-url", api.url, "--contract", "2025-10", COVAL_API_KEY=KEY)
        found = await look("--base-url", api.url, COVAL_API_KEY=KEY)
    assert told["contract"]["found"] == "2025-10, as told"
    assert found["contract"]["found"] == "2026-10, found out: answers carry created_at"


async def test_a_profile_is_looked_at_and_its_mistakes_do_not_hide_the_rest(forker: Forker, tmp_path: Path) -> None:
    file = tmp_path / ".config" / "coval-etl" / "config.toml"
    file.parent.mkdir(parents=True)
    async with doctor(tmp_path, forker) as look, crooked_api() as api:
        (tmp_path / "key").write_text(KEY)
        (tmp_path / "key").chmod(0o644)
        good = f"[profiles.a]\nbase_url = '{api.url}'\nkey_file = '{tmp_path}/key'\nconcurrency = 3\nrate = 20\n"
        file.write_text(good)
        found = await look("--profile", "a")
        assert found["address"]["found"] == f"{api.url} (profile a)"
        assert found["key"]["found"] == "there (profile a)"
        assert "can be read by others" in found["profile"]["found"]
        assert "at most 3 requests in flight, 20 a second" in found["limits"]["found"]
        file.write_text(f"{good}api_key = 'canary-4711'\n")
        found = await look("--profile", "a", "--base-url", api.url, COVAL_API_KEY=KEY)
    assert f"{file}:6: a key must not stand in this file" in found["profile"]["found"]
    assert found["key accepted"]["verdict"] == "ok"
    assert "canary" not in json.dumps(found)


async def test_a_ledger_is_read_whole_and_what_waits_in_it_is_named(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(10))
        assert (await home.etl(*home.importing("cases.csv"), COVAL_ETL_CRASH_AT="answered:4")).code == -9
        found = findings(await home.etl("doctor", "--json"))
        (job,) = await home.jobs()
    assert found["ledger"]["verdict"] == "ok"
    assert "whole, 1 job" in found["ledger"]["found"]
    assert found["jobs"]["verdict"] == "warning"
    assert f"coval-etl resume {job['job']}" in found["jobs"]["hint"]


def damage_in_the_middle(file: Path) -> None:
    open_ledger(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE more (text)")
        connection.executemany("INSERT INTO more VALUES (?)", [("x" * 500,)] * 1000)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 4096 * 4):
        content[place] = 0xA5
    file.write_bytes(content)


def no_database(file: Path) -> None:
    file.write_bytes(b"not a ledger " * 100)


def another_programs(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs (text)")


@pytest.mark.parametrize(
    ("breaking", "words"),
    [(damage_in_the_middle, "is damaged"), (no_database, "is no ledger"), (another_programs, "of another program")],
)
async def test_a_ledger_that_cannot_be_worked_with(forker: Forker, tmp_path: Path, breaking: Any, words: str) -> None:
    file = tmp_path / "my.db"
    breaking(file)
    async with doctor(tmp_path, forker) as look:
        found = await look("--ledger", "my.db", "--base-url", "http://127.0.0.1:1")
    assert found["ledger"]["verdict"] == "problem"
    assert words in found["ledger"]["found"]
    assert "Nothing more was sent" not in found["ledger"]["hint"]


async def test_a_ledger_on_a_server_that_is_not_there(forker: Forker, tmp_path: Path) -> None:
    async with doctor(tmp_path, forker) as look:
        url = "postgresql://ada:canary-pw@127.0.0.1:1/x"
        found = await look("--base-url", "http://127.0.0.1:1", COVAL_ETL_LEDGER=url)
    assert found["ledger"]["verdict"] == "problem"
    assert "canary-pw" not in json.dumps(found)


def test_each_disk_is_looked_at_once(tmp_path: Path) -> None:
    found = list(disks({"reports": tmp_path, "the ledger": tmp_path / "not" / "there"}))
    assert len(found) == 1
    assert f"in {tmp_path}, for reports and the ledger" in found[0].found


@pytest.mark.skipif(not os.path.ismount("/sys/fs/cgroup") and not os.path.ismount("/proc"), reason="needs a full disk")
def test_a_disk_without_room_is_a_problem() -> None:
    (found,) = disks({"reports": Path("/proc")})
    assert found.verdict is Verdict.PROBLEM
    assert "Only 0.0 GB free" in found.found


def test_every_library_that_is_needed_is_there_in_a_supported_version() -> None:
    first, second = versions()
    assert (first.verdict, second.verdict) == (Verdict.OK, Verdict.OK)
    for name in ("polars", "aiohttp", "sqlalchemy"):
        assert f"{name} " in second.found


def test_a_rehearsal_needs_neither_key_nor_network(tmp_path: Path) -> None:
    said = etl(tmp_path, "doctor", "--sandbox", "--json")
    assert said.code == 0
    assert {"address", "key"}.isdisjoint(findings(said))

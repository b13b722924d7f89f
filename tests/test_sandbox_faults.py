"""Faults on request: each one's effect on the client, and what is stored afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from etl.errors import UsageError
from etl.sandbox import FAULTS, RunningSandbox, parse_faults, running_sandbox

BODY = {"display_name": "Set", "slug": "set"}
CLOSED_LIST = (
    "429 429date 429none 500 502 503 504 html502 500after 502after 504after reset resetafter latecommit hang hangafter"
    " slow garbage"
)
"""As the product page prints it."""


@asynccontextmanager
async def failing(faults: str, **times: Any) -> AsyncIterator[tuple[RunningSandbox, aiohttp.ClientSession]]:
    async with (
        running_sandbox(faults=parse_faults(faults, seed=1, **times)) as sandbox,
        aiohttp.ClientSession(headers={"X-API-Key": sandbox.key}) as session,
    ):
        yield sandbox, session


def stored(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return sandbox.store.all_bodies("test-sets")


async def listed(sandbox: RunningSandbox, session: aiohttp.ClientSession, headers: dict[str, str]) -> list[Any]:
    async with session.get(f"{sandbox.base_url}/test-sets", headers=headers) as response:
        return list((await response.json())["test_sets"])


def test_the_list_of_faults_is_closed() -> None:
    assert list(FAULTS) == CLOSED_LIST.split()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rest:0.1", r"\"rest\" is not a fault \(did you mean reset\?\); use one of 429, .* garbage"),
        ("hang", "hang needs a probability of 0 to 1, such as hang:0.05"),
        ("hang:often", "hang needs a probability"),
        ("hang:1.5", "hang needs a probability"),
        ("hang:nan", "hang needs a probability"),
        ("500:0.6,502:0.6", r"sum to 1\.2"),
        ("500:0.1,500:0.1", "500 is given twice"),
    ],
)
def test_a_wrong_fault_is_a_usage_error_that_says_what_would_do(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_faults(text)


def test_several_faults_are_read_and_blank_text_is_none() -> None:
    faults = parse_faults(" 429:0.25 , resetafter:0.5,")
    assert [(fault.name, chance) for fault, chance in faults.chances] == [("429", 0.25), ("resetafter", 0.5)]
    assert parse_faults("").chances == ()


@pytest.mark.parametrize(
    ("name", "status", "kept"),
    [
        *((name, int(name[:3]), False) for name in ("429", "429date", "429none", "500", "502", "503", "504")),
        *((name, int(name[:3]), True) for name in ("500after", "502after", "504after")),
    ],
)
async def test_an_error_comes_in_the_apis_shape_before_or_after_the_effect(name: str, status: int, kept: bool) -> None:
    async with failing(f"{name}:1") as (sandbox, session):
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY) as response:
            assert response.status == status
            assert response.headers["X-Request-Id"]
            error = (await response.json())["error"]
            waits = response.headers.get("Retry-After")
            now = parsedate_to_datetime(response.headers["Date"])
        assert error["code"] == ("RESOURCE_EXHAUSTED" if status == 429 else "INTERNAL")
        assert stored(sandbox) == ([BODY] if kept else [])
    if name == "429date":
        assert waits is not None
        assert 0 <= (parsedate_to_datetime(waits) - now).total_seconds() <= 2
    else:
        assert waits == ("1" if name == "429" else None)


async def test_html502_is_a_proxys_page() -> None:
    async with failing("html502:1") as (sandbox, session):
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY) as response:
            assert (response.status, response.content_type) == (502, "text/html")
            assert "<html>" in await response.text()
        assert stored(sandbox) == []


@pytest.mark.parametrize(("name", "kept"), [("reset", False), ("resetafter", True)])
async def test_a_reset_closes_the_connection_without_a_word(name: str, kept: bool) -> None:
    async with failing(f"{name}:1") as (sandbox, _):
        port = int(sandbox.base_url.rpartition(":")[2].removesuffix("/v1"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = json.dumps(BODY).encode()
        head = f"POST /v1/test-sets HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {sandbox.key}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert stored(sandbox) == ([BODY] if kept else [])


@pytest.mark.parametrize(("name", "kept"), [("hang", False), ("hangafter", True)])
async def test_a_hanging_request_is_let_go_only_when_the_sandbox_closes(name: str, kept: bool) -> None:
    async with aiohttp.ClientSession() as session:
        async with running_sandbox(faults=parse_faults(f"{name}:1")) as sandbox:
            headers = {"X-API-Key": sandbox.key}
            waiting = asyncio.create_task(session.post(f"{sandbox.base_url}/test-sets", json=BODY, headers=headers))
            while kept and not await listed(sandbox, session, headers):
                pass
            done, _ = await asyncio.wait({waiting}, timeout=0.1)
            assert not done
            assert stored(sandbox) == ([BODY] if kept else [])
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting


async def test_a_late_commit_answers_504_and_stores_later() -> None:
    async with failing("latecommit:1", late_commit_s=3600) as (sandbox, session):
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY) as response:
            assert response.status == 504
        assert stored(sandbox) == []
        sandbox.commit_late()
        assert stored(sandbox) == [BODY]
        sandbox.commit_late()
        assert stored(sandbox) == [BODY]


async def test_a_late_commit_comes_by_itself_when_its_time_has_come() -> None:
    async with failing("latecommit:1", late_commit_s=0) as (sandbox, session):
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY) as response:
            assert response.status == 504
        while not await listed(sandbox, session, {}):
            pass


async def test_a_late_commit_is_not_lost_when_the_sandbox_closes(tmp_path: Any) -> None:
    db = tmp_path / "sandbox.db"
    faults = parse_faults("latecommit:1", late_commit_s=3600)
    async with aiohttp.ClientSession() as session, running_sandbox(faults=faults, db=db) as sandbox:
        headers = {"X-API-Key": sandbox.key}
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY, headers=headers) as response:
            assert response.status == 504
    async with running_sandbox(db=db) as sandbox:
        assert stored(sandbox) == [BODY]


async def test_a_slow_answer_is_right_in_the_end() -> None:
    async with failing("slow:1", slow_s=0) as (sandbox, session):
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY) as response:
            assert response.status == 201
            assert response.headers["X-Request-Id"]
            assert (await response.json())["test_set"]["slug"] == "set"
        assert stored(sandbox) == [BODY]


async def test_garbage_has_the_right_status_and_a_broken_body() -> None:
    async with failing("garbage:1") as (sandbox, session):
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY) as response:
            assert (response.status, response.content_type) == (201, "application/json")
            with pytest.raises(json.JSONDecodeError):
                await response.json()
        assert stored(sandbox) == [BODY]


@pytest.mark.parametrize("name", list(FAULTS))
async def test_a_read_meets_the_faults_that_make_sense_for_it(name: str) -> None:
    async with failing(f"{name}:1", slow_s=0) as (sandbox, session):
        try:
            async with session.get(
                f"{sandbox.base_url}/agents", timeout=aiohttp.ClientTimeout(total=0.2 if name == "hang" else 10)
            ) as response:
                seen = str(response.status) if (await response.text()).endswith("null}") else f"broken{response.status}"
        except TimeoutError:
            seen = "silence"
        except aiohttp.ClientConnectionError:
            seen = "reset"
    expected = {"hang": "silence", "reset": "reset", "garbage": "broken200", "html502": "broken502", "slow": "200"}
    spared = name.endswith("after") or name == "latecommit"
    assert seen == ("200" if spared else expected.get(name, f"broken{name[:3]}"))


async def test_updates_and_deletes_meet_faults_too() -> None:
    async with failing("500after:1") as (sandbox, session):
        async with session.post(f"{sandbox.base_url}/test-sets", json=BODY) as response:
            assert response.status == 500
        (test_set,) = await listed(sandbox, session, {})
        path = f"{sandbox.base_url}/{test_set['name']}"
        async with session.patch(path, json={"description": "new"}) as response:
            assert response.status == 500
        (test_set,) = await listed(sandbox, session, {})
        assert test_set["description"] == "new"
        async with session.delete(path) as response:
            assert response.status == 500
        assert await listed(sandbox, session, {}) == []


async def test_the_same_seed_gives_the_same_faults_in_about_the_proportion_asked_for() -> None:
    async def statuses(seed: int) -> list[int]:
        faults = parse_faults("429:0.2,503:0.1,500after:0.1", seed=seed)
        async with (
            running_sandbox(faults=faults) as sandbox,
            aiohttp.ClientSession(headers={"X-API-Key": sandbox.key}) as session,
        ):
            seen = []
            for number in range(200):
                async with session.post(f"{sandbox.base_url}/test-sets", json={"display_name": str(number)}) as answer:
                    seen.append(answer.status)
            assert len(stored(sandbox)) == seen.count(201) + seen.count(500)
        return seen

    first = await statuses(7)
    assert first == await statuses(7)
    assert first != await statuses(8)
    assert 20 <= first.count(429) <= 60
    assert 100 <= first.count(201) <= 140


async def test_a_wrong_key_is_told_even_when_faults_rage() -> None:
    async with (
        failing("500:1") as (sandbox, session),
        session.get(f"{sandbox.base_url}/agents", headers={"X-API-Key": "wrong"}) as response,
    ):
        assert response.status == 401


async def test_a_request_takes_effect_after_its_latency_although_its_client_has_gone() -> None:
    async with (
        running_sandbox(latency_s=0.2) as sandbox,
        aiohttp.ClientSession(headers={"X-API-Key": sandbox.key}) as session,
    ):
        with pytest.raises(TimeoutError):
            await session.post(f"{sandbox.base_url}/test-sets", json=BODY, timeout=aiohttp.ClientTimeout(total=0.05))
        while not await listed(sandbox, session, {}):
            pass

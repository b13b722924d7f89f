"""The model of the API: it does what the weather says, and shows nobody what it remembers."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from etl.api import Answer, NoAnswer, asked_wait_s
from etl.report import Outcome
from etl.resources import AGENTS, TEST_CASES, Contract, Resource
from tests.simulation.checker import Told, judge
from tests.simulation.echo import content, echoed
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.plan import draw_plan
from tests.simulation.server import Server
from tests.simulation.weather import Echo, Outage, Weather

BODY = {"input_str": "refund", "test_set_id": "set00001"}
Ask = Callable[[Server], Coroutine[Any, Any, Any]]


def with_server(ask: Ask, weather: Weather, resource: Resource = TEST_CASES) -> tuple[Any, Server]:
    """What a client makes of an API, and the API."""
    loop = SimulatedLoop(1)
    server = Server(weather, 1, resource, Contract.V2025_10, loop.time)

    async def main() -> Any:
        ended = await loop.run_process(Process("p"), lambda: ask(server))
        assert ended.error is None, ended.error
        return ended.value

    return loop.simulate(main()), server


async def post(server: Server, body: dict[str, Any] = BODY) -> Answer | NoAnswer:
    return await server.request("POST", server.resource.path, json.dumps(body).encode())


async def ids_listed(server: Server, size: int = 100) -> list[str]:
    """Every id of the list, page by page, newest first."""
    found: list[str] = []
    query = {"page_size": str(size)}
    while True:
        page = await server.request("GET", server.resource.path, query=query)
        assert isinstance(page, Answer)
        found += [item["id"] for item in page.body[server.resource.plural]]
        if not page.body.get("next_page_token"):
            return found
        query["page_token"] = page.body["next_page_token"]


@pytest.mark.parametrize(
    ("fault", "status", "sent", "exists"),
    [
        ("refused", None, False, False),
        ("connect-timeout", None, False, False),
        ("reset-before", None, True, False),
        ("reset-after", None, True, True),
        ("reset-late", None, True, True),
        ("timeout-before", None, True, False),
        ("timeout-after", None, True, True),
        ("timeout-late", None, True, True),
        ("500-before", 500, None, False),
        ("502-after", 502, None, True),
        ("504-late", 504, None, True),
        ("429-none", 429, None, False),
        ("401", 401, None, False),
        ("redirect-after", 307, None, True),
        ("201-empty", 201, None, True),
        ("201-no-id", 201, None, True),
    ],
)
def test_a_fault_is_what_its_name_says(fault: str, status: int | None, sent: bool | None, exists: bool) -> None:
    outcome, server = with_server(post, Weather(post={fault: 1.0}))
    server.finish()
    assert getattr(outcome, "status", None) == status
    assert getattr(outcome, "sent", None) == sent
    assert bool(server.items) == exists
    assert server.faults == {fault: 1}


def test_what_commits_late_does_so_within_its_time_and_is_shown_within_its_lag() -> None:
    async def ask(server: Server) -> list[int]:
        seen = []
        await post(server)
        for _ in range(40):
            seen.append(len(await ids_listed(server)))
            await asyncio.sleep(1)
        return seen

    seen, server = with_server(ask, Weather(post={"reset-late": 1.0}, late_s=20, lag_s=10))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 1)
    assert server.items[0].visible_s <= 31


def test_a_request_whose_sender_died_takes_effect_all_the_same() -> None:
    for step in range(1, 12):
        loop = SimulatedLoop(step)
        server = Server(Weather(late_s=20), step, TEST_CASES, Contract.V2025_10, loop.time)
        process = Process("p", kill_at_step=step)

        async def main(
            loop: SimulatedLoop = loop, server: Server = server, process: Process = process
        ) -> tuple[bool, float]:
            ended = await loop.run_process(process, lambda: post(server))
            died_s = loop.time()
            await asyncio.sleep(100)
            return ended.killed, died_s

        killed, died_s = loop.simulate(main())
        server.finish()
        if killed and server.items:
            assert server.items[0].committed_s <= died_s + 20
            return
    pytest.fail("no step was between sending and the answer")


@pytest.mark.parametrize("paging", ["offset", "key"])
def test_a_list_is_whole_and_newest_first(paging: str) -> None:
    async def ask(server: Server) -> list[str]:
        for _ in range(17):
            await post(server)
        return await ids_listed(server)

    listed, server = with_server(ask, Weather(lag_s=0, page_most=5, paging=paging))
    assert listed == [item.id for item in reversed(server.items)]


def test_pages_shift_where_something_is_deleted_between_them() -> None:
    async def ask(server: Server) -> list[str]:
        for number in range(10):
            server.add(BODY, "others", ago_s=100.0 + number)
        await post(server)
        return await ids_listed(server)

    listed, server = with_server(ask, Weather(page_most=5, deletion=1.0, lag_s=0))
    assert len(listed) == 10
    assert len({item.id for item in server.items} - set(listed)) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_can_be_understood_and_whoever_does_not_wait_is_found_out(form: str) -> None:
    async def ask(server: Server) -> float | None:
        outcome = await post(server)
        assert isinstance(outcome, Answer)
        wait_s = asked_wait_s(outcome.headers, server._clock())
        await post(server)
        return wait_s

    wait_s, server = with_server(ask, Weather(post={f"429-{form}": 1.0}, skew_s=4000.0))
    assert wait_s is not None
    assert 1 <= wait_s <= 30
    assert server.traffic["p"].sent_early == 1


def test_a_name_that_is_taken_is_refused() -> None:
    async def ask(server: Server) -> list[int]:
        body = {"display_name": "a", "customer_agent_id": "one"}
        return [outcome.status for outcome in (await post(server, body), await post(server, body))]  # type: ignore[union-attr]

    assert with_server(ask, Weather(), AGENTS)[0] == [201, 409]


def test_in_an_outage_nothing_works_and_after_it_everything() -> None:
    async def ask(server: Server) -> list[bool]:
        before = isinstance(await post(server), NoAnswer)
        await asyncio.sleep(50)
        return [before, isinstance(await post(server), NoAnswer)]

    assert with_server(ask, Weather(outages=(Outage(0, 30, "refused"),)))[0] == [True, False]


@pytest.mark.parametrize("blanks", ["as sent", "null", "empty", "dropped"])
@pytest.mark.parametrize("lifted", ["as sent", "in", "out", "both"])
def test_an_echo_says_the_same_in_other_words(blanks: str, lifted: str) -> None:
    body = {
        **BODY,
        "expected_output_str": "yes",
        "description": "",
        "input_type": "SCRIPT",
        "simulation_metadata_input": {"script_turns": ["hello"], "pace": 1},
    }
    item = echoed(body, Echo(blanks=blanks, joined=True, lifted=lifted, extras=False), TEST_CASES)
    assert content(item) == content(body)
    assert content({**body, "expected_output_str": "no"}) != content(body)


def test_the_judge_finds_each_kind_of_wrong() -> None:
    async def ask(server: Server) -> list[str]:
        for text in ("kept", "twice", "twice", "failed", "nobody's"):
            await post(server, {**BODY, "input_str": text})
        return [item.id for item in server.items]

    ids, server = with_server(ask, Weather())
    other = server.add({**BODY, "input_str": "adopted"}, "others")
    texts = ("kept", "twice", "failed", "adopted", "gone", "untold")
    wanted = {row: {**BODY, "input_str": text} for row, text in enumerate(texts, start=1)}
    told = {
        1: Told(Outcome.CREATED, ids[0]),
        2: Told(Outcome.CREATED, ids[1]),
        3: Told(Outcome.FAILED),
        4: Told(Outcome.CREATED, other.id),
        5: Told(Outcome.CREATED, "x" * 22),
        6: Told(Outcome.PENDING),
    }
    found = judge(wanted, told, server, concurrency=8)
    assert [len(found.doubled), len(found.wrongly_adopted)] == [2, 1]
    assert len(found.lost) == 3  # the one that was adopted, and the one that is not there, by its id and by its words
    assert len(found.unexpected) == 2  # what was told to be failed, and what no row says
    assert judge({1: wanted[1]}, {1: told[1]}, server, concurrency=8).lost == []
    assert judge(wanted, {}, server, concurrency=8).unaccounted


def test_rows_of_simulated_jobs_are_rows_that_the_api_takes() -> None:
    for seed in range(200):
        plan = draw_plan(seed)
        for body in plan.bodies:
            plan.resource.create[plan.contract].model_validate(body)

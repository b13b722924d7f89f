"""The network between us and the API, cut at every byte: what we believe is never more than what is so.

Whatever happens to a POST, the policy never says "again" where the API has stored it, nor "stored" with another id.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

import pytest

from etl.api import Answer, Api, Cause, HttpTransport, Meaning, NoAnswer, Target, meaning_of, stored_id
from etl.resources import TEST_SETS
from etl.sandbox import RunningSandbox
from tests.fault_proxy import NO_TROUBLE, End, FaultProxy, Trouble, fault_proxy

POST_STORED = {Meaning.STORED, Meaning.STORED_WITHOUT_ID, Meaning.DOUBT}
"""What may be believed of a POST that was stored."""
POST_ABSENT = {Meaning.DOUBT, Meaning.AGAIN}
"""What may be believed of a POST that never arrived whole."""


def _number(request: bytes) -> int:
    found = re.search(rb"set (\d+)", request)
    return int(found.group(1)) if found else 0


def _body(number: int) -> bytes:
    return json.dumps({"display_name": f"set {number}"}).encode()


class Bench:
    """A client, a proxy, a real server; and what the server has."""

    def __init__(self, sandbox: RunningSandbox, timeout_s: float = 30.0) -> None:
        self._sandbox = sandbox
        self._timeout_s = timeout_s
        self._stack = AsyncExitStack()
        self.proxy: FaultProxy
        self.transport: HttpTransport

    async def __aenter__(self) -> Self:
        self.proxy = await self._stack.enter_async_context(fault_proxy(self._sandbox.base_url))
        target = Target(self.proxy.url, self._sandbox.key, timeout_s=self._timeout_s)
        self.transport = await self._stack.enter_async_context(HttpTransport(target, 8))
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    async def lengths(self) -> tuple[int, int]:
        """How long a request and its reply are when nothing happens to them (numbers have four digits)."""
        await self.transport.request("POST", TEST_SETS.path, _body(1000))
        return len(self.proxy.requests[-1]), len(self.proxy.replies[-1])

    async def posted(self, numbers: range, trouble: Callable[[int], Trouble]) -> dict[int, Answer | NoAnswer]:
        """The outcome of each POST, eight at a time."""
        self.proxy.trouble = lambda request: trouble(_number(request))
        outcomes: dict[int, Answer | NoAnswer] = {}
        left = iter(numbers)

        async def work() -> None:
            for number in left:
                outcomes[number] = await self.transport.request("POST", TEST_SETS.path, _body(number))

        await asyncio.gather(*(work() for _ in range(8)))
        self.proxy.trouble = lambda _request: NO_TROUBLE
        return outcomes

    async def stored(self) -> dict[int, str]:
        """The id of each number that the server has; none twice."""
        async with Api(Target(self._sandbox.base_url, self._sandbox.key)) as api:
            items = [item async for item in api.list(TEST_SETS)]
        numbers = Counter(item["display_name"] for item in items)
        assert set(numbers.values()) <= {1}
        return {_number(item["display_name"].encode()): item["id"] for item in items}


def _meaning(outcome: Answer | NoAnswer) -> Meaning:
    usable = isinstance(outcome, Answer) and stored_id(outcome.body, TEST_SETS) is not None
    return meaning_of("POST", outcome, usable=usable)


@pytest.mark.parametrize("end", [End.CLOSED, End.RESET])
async def test_a_reply_cut_at_any_byte_is_never_taken_for_not_stored(sandbox: RunningSandbox, end: End) -> None:
    async with Bench(sandbox) as bench:
        _, length = await bench.lengths()
        numbers = range(1001, 1001 + length + 1)
        outcomes = await bench.posted(numbers, lambda number: Trouble(reply_bytes=number - 1001, end=end))
        stored = await bench.stored()
    believed = {number: _meaning(outcome) for number, outcome in outcomes.items()}
    assert set(numbers) <= set(stored)
    assert set(believed.values()) <= POST_STORED
    for number, outcome in outcomes.items():
        if believed[number] is Meaning.STORED:
            assert isinstance(outcome, Answer)
            assert stored_id(outcome.body, TEST_SETS) == stored[number]
    assert believed[1001] is Meaning.DOUBT
    if end is End.CLOSED:
        assert believed[1001 + length] is Meaning.STORED
        assert believed[1001 + length - 1] is Meaning.STORED_WITHOUT_ID
    assert len(stored) == len(numbers) + 1


async def test_a_request_cut_at_any_byte_is_in_doubt_and_nothing_is_stored(sandbox: RunningSandbox) -> None:
    async with Bench(sandbox) as bench:
        length, _ = await bench.lengths()
        numbers = range(1001, 1001 + length)
        outcomes = await bench.posted(numbers, lambda number: Trouble(request_bytes=number - 1001))
        assert set(await bench.stored()) == {1000}
    assert {_meaning(outcome) for outcome in outcomes.values()} <= POST_ABSENT
    assert all(isinstance(outcome, NoAnswer) and outcome.sent for outcome in outcomes.values())


@pytest.mark.parametrize("reply_bytes", [0, 1, 20, 200, 400])
async def test_a_reply_that_stops_coming_is_in_doubt_after_the_timeout(
    sandbox: RunningSandbox, reply_bytes: int
) -> None:
    async with Bench(sandbox, timeout_s=0.5) as bench:
        outcomes = await bench.posted(
            range(1001, 1003), lambda _number: Trouble(reply_bytes=reply_bytes, end=End.SILENT)
        )
        stored = await bench.stored()
    assert set(stored) == {1001, 1002}
    assert {_meaning(outcome) for outcome in outcomes.values()} <= {Meaning.DOUBT, Meaning.STORED_WITHOUT_ID}


async def test_a_reply_that_comes_byte_by_byte_is_read_whole(sandbox: RunningSandbox) -> None:
    async with Bench(sandbox) as bench:
        outcomes = await bench.posted(range(1001, 1004), lambda _number: Trouble(piece=1))
        stored = await bench.stored()
    ids = {
        number: stored_id(outcome.body, TEST_SETS)
        for number, outcome in outcomes.items()
        if isinstance(outcome, Answer)
    }
    assert ids == stored


async def test_a_page_cut_at_any_byte_is_never_taken_for_a_page(sandbox: RunningSandbox) -> None:
    async with Bench(sandbox) as bench:
        await bench.posted(range(1001, 1003), lambda _number: NO_TROUBLE)
        whole = await bench.transport.request("GET", TEST_SETS.path)
        assert isinstance(whole, Answer)
        length = len(bench.proxy.replies[-1])
        for reply_bytes in range(length + 1):
            cut = Trouble(reply_bytes=reply_bytes)
            bench.proxy.trouble = lambda _request, cut=cut: cut  # type: ignore[misc]
            outcome = await bench.transport.request("GET", TEST_SETS.path)
            usable = isinstance(outcome, Answer) and outcome.body is not None
            meaning = meaning_of("GET", outcome, usable=usable)
            assert meaning is (Meaning.DONE if reply_bytes == length else Meaning.AGAIN)
            if isinstance(outcome, Answer) and usable:
                assert outcome.body == whole.body


async def test_a_delete_cut_at_any_byte_is_read_back_or_done(sandbox: RunningSandbox) -> None:
    async with Bench(sandbox) as bench:
        await bench.posted(range(1001, 1002), lambda _number: NO_TROUBLE)
        (id_,) = (await bench.stored()).values()
        await bench.transport.request("DELETE", f"{TEST_SETS.path}/{id_}")
        length = len(bench.proxy.replies[-1])
        made = await bench.posted(range(1002, 1002 + length), lambda _number: NO_TROUBLE)
        ids = [stored_id(one.body, TEST_SETS) for one in made.values() if isinstance(one, Answer)]
        for reply_bytes, one in enumerate(ids):
            cut = Trouble(reply_bytes=reply_bytes)
            bench.proxy.trouble = lambda _request, cut=cut: cut  # type: ignore[misc]
            outcome = await bench.transport.request("DELETE", f"{TEST_SETS.path}/{one}")
            usable = isinstance(outcome, Answer) and outcome.body is not None
            assert meaning_of("DELETE", outcome, usable=usable) is Meaning.READ_BACK
        assert await bench.stored() == {}


async def test_nobody_listening_is_not_sent(sandbox: RunningSandbox) -> None:
    async with Bench(sandbox) as bench:
        url = bench.proxy.url
    async with HttpTransport(Target(url, "a-key-of-ours")) as transport:
        outcome = await transport.request("POST", TEST_SETS.path, _body(1))
    assert isinstance(outcome, NoAnswer)
    assert (outcome.sent, outcome.cause) == (False, Cause.CONNECT)
    assert transport.sent == 0

"""Connections that are used twice, and requests that a library would like to send twice."""

import asyncio
import time

import pytest

from etl.api import Answer, Cause, HttpTransport, Meaning, NoAnswer, Target, meaning_of
from etl.api.transport import HAND_OVER_S, IDLE_LIMIT_S, PIECE_BYTES
from tests.raw_server import keeping_server, raw_server, said

OK = said("200 OK")
CREATED = said("201 Created", b'{"test_set": {"id": "abc12345"}}')


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "POST"])
async def test_a_connection_that_is_closed_without_an_answer_is_asked_once(method: str) -> None:
    async with raw_server(None) as (url, seen), HttpTransport(Target(url, "a-key-of-ours")) as transport:
        outcome = await transport.request(method, "/test-sets", b"{}" if method in {"PATCH", "POST"} else None)
    assert isinstance(outcome, NoAnswer)
    assert (outcome.sent, outcome.cause) == (True, Cause.BROKEN)
    assert len(seen) == transport.sent == 1


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "POST"])
async def test_a_kept_connection_that_closes_as_the_request_arrives_is_asked_once_and_the_next_one_is_new(
    method: str,
) -> None:
    async with (
        keeping_server([OK], [CREATED]) as (url, seen),
        HttpTransport(Target(url, "a-key-of-ours"), connections=1) as transport,
    ):
        first = await transport.request("GET", "/test-sets")
        second = await transport.request(method, "/test-sets")
        third = await transport.request(method, "/test-sets")
    assert isinstance(first, Answer)
    assert isinstance(second, NoAnswer)
    assert second.sent
    assert meaning_of("POST", second, usable=False) is Meaning.DOUBT
    assert isinstance(third, Answer)
    assert [len(heads) for heads in seen] == [2, 1]
    assert transport.sent == 3


async def test_a_connection_that_was_idle_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        keeping_server([OK, OK, OK]) as (url, seen),
        HttpTransport(Target(url, "a-key-of-ours"), connections=1) as transport,
    ):
        await transport.request("POST", "/test-sets")
        await transport.request("POST", "/test-sets")
        later_s = time.monotonic() + IDLE_LIMIT_S + 0.1
        monkeypatch.setattr("aiohttp.connector.monotonic", lambda: later_s)
        await transport.request("POST", "/test-sets")
    assert [len(heads) for heads in seen] == [2, 1]


@pytest.mark.parametrize(
    "early",
    [
        said("408 Request Timeout"),
        CREATED,
        b"HTTP/1.1 201 Cre",
        b"\r\n",
        b"\x15\x03\x03\x00\x02\x01\x00",
    ],
    ids=["408", "201", "half a head", "an empty line", "noise"],
)
async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(early: bytes) -> None:
    async with (
        keeping_server([OK + early], [said("400 Bad Request")]) as (url, _),
        HttpTransport(Target(url, "a-key-of-ours"), connections=1) as transport,
    ):
        await transport.request("GET", "/test-sets")
        await asyncio.sleep(0)
        outcome = await transport.request("POST", "/test-sets", b"{}")
    assert not (isinstance(outcome, Answer) and outcome.status == 201)
    assert meaning_of("POST", outcome, usable=True) in {Meaning.REFUSED, Meaning.DOUBT}


async def test_an_interim_answer_is_not_the_answer() -> None:
    async with (
        keeping_server([b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + CREATED]) as (url, _),
        HttpTransport(Target(url, "a-key-of-ours")) as transport,
    ):
        outcome = await transport.request("POST", "/test-sets", b"{}")
    assert isinstance(outcome, Answer)
    assert outcome.status == 201


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_a_redirect_is_followed_by_nobody_and_the_key_stays_here(status: str, method: str) -> None:
    async with raw_server(OK) as (elsewhere, seen):
        moved = said(status, b"", b"Location: " + elsewhere.encode() + b"/x")
        async with raw_server(moved) as (url, here), HttpTransport(Target(url, "a-key-of-ours")) as transport:
            outcome = await transport.request(method, "/test-sets", b"{}")
    assert meaning_of(method, outcome, usable=True) is Meaning.REDIRECTED
    assert len(here) == 1
    assert seen == []


async def test_a_proxy_that_refuses_to_connect_has_sent_nothing() -> None:
    async with raw_server(said("502 Bad Gateway")) as (proxy, seen):
        target = Target("https://api.coval.invalid/v1", "a-key-of-ours", proxy=proxy.removesuffix("/v1"))
        async with HttpTransport(target) as transport:
            outcome = await transport.request("POST", "/test-sets", b"{}")
    assert isinstance(outcome, NoAnswer)
    assert (outcome.sent, outcome.cause) == (False, Cause.CONNECT)
    assert len(seen) == 1
    assert b"a-key-of-ours" not in seen[0]
    assert transport.sent == 0


@pytest.mark.parametrize("looks", [2, 3], ids=["the first piece", "the second piece"])
async def test_whoever_slept_with_a_connection_in_hand_writes_no_more_to_it(
    looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0] * (looks - 1) + [HAND_OVER_S + 0.1] * 9)
    body = b"x" * (3 * PIECE_BYTES)
    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, HttpTransport(Target(url, "a-key-of-ours")) as transport:
        monkeypatch.setattr("time.clock_gettime", lambda _id: next(clock))
        outcome = await transport.request("POST", "/test-sets", body)
        monkeypatch.undo()
        arrived = await rest
    assert isinstance(outcome, NoAnswer)
    begun = looks == 3
    assert (outcome.sent, outcome.cause) == (begun, Cause.TIMEOUT)
    assert meaning_of("POST", outcome, usable=False) is (Meaning.DOUBT if begun else Meaning.AGAIN)
    assert (b"POST" in arrived, arrived.count(b"x") >= len(body)) == (begun, False)

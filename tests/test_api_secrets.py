"""The key comes out nowhere: not in an answer that repeats it, an error, a printed form, or the most talkative log."""

import asyncio
import gc
import json
import logging
import traceback

import pytest

from etl.api import Answer, Api, HttpTransport, NoAnswer, Pace, Target, refusal_of
from etl.errors import EtlError, UsageError
from etl.quoting import HIDDEN
from etl.resources import TEST_SETS
from tests.paced_world import Time
from tests.raw_server import raw_server, said

PLAIN_KEY = "sk-canary-4711-abcdef"
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in PLAIN_KEY).encode()
K = PLAIN_KEY.encode()

_ERROR = b'{"error": {"code": "INVALID", "message": "bad key %s", "details": [{"field": "%s", "description": "%s"}]}}'


def _chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


REPLIES = {
    "in a header": said("400 Bad Request", b"{}", b"X-Echo: " + K),
    "in the reason": said("400 Bad " + PLAIN_KEY),
    "in a redirect": said("307 Temporary Redirect", b"", b"Location: https://evil.example/?key=" + K),
    "in a cookie": said("401 Unauthorized", b"{}", b"Set-Cookie: key=" + K),
    "in a challenge": said("401 Unauthorized", b"{}", b'WWW-Authenticate: Key realm="' + K + b'"'),
    "in an error's words": said("400 Bad Request", _ERROR % (K, K, K)),
    "in an error's escaped words": said("400 Bad Request", _ERROR % (ESCAPED, ESCAPED, ESCAPED)),
    "in a name": said("200 OK", json.dumps({"test_sets": [], PLAIN_KEY: 1}).encode()),
    "in an item": said("200 OK", json.dumps({"test_sets": [{"id": PLAIN_KEY, "more": [PLAIN_KEY]}]}).encode()),
    "in a page that is none": said("502 Bad Gateway", b"<html>" + K),
    "in two chunks": _chunked(b'{"error": {"message": "' + K[:9], K[9:] + b'"}}'),
    "in a status line": b"HTTP/1.1 " + K + b"\r\n\r\n",
    "instead of HTTP": K + b"\r\n\r\n",
    "in a header's name": b"HTTP/1.1 200 OK\r\n" + K + b"\x00: 1\r\n\r\n",
    "in a header without end": b"HTTP/1.1 200 OK\r\nX: " + K * 1000 + b"\r\n\r\n",
    "in a length": b"HTTP/1.1 200 OK\r\nContent-Length: " + K + b"\r\n\r\n",
    "in a chunk's length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + K + b"\r\n",
    "in what is said to be gzip": said("200 OK", K, b"Content-Encoding: gzip"),
    "in a request id": said("500 Internal Server Error", b"{}", b"X-Request-Id: " + K),
    "in a page token": said("200 OK", json.dumps({"test_sets": [], "next_page_token": PLAIN_KEY}).encode()),
    "in a wait": said("429 Too Many Requests", b"{}", b"Retry-After: " + K),
}


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + getattr(error, "hint", "")


@pytest.mark.parametrize("place", REPLIES)
async def test_a_reply_that_repeats_the_key_tells_it_to_nobody(place: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    told: list[str] = []
    pace = Pace(4, clock=Time().clock())
    async with raw_server(REPLIES[place]) as (url, seen), Api(Target(url, PLAIN_KEY), pace=pace) as api:
        told.append(repr(api) + repr(vars(api)) + repr(api.target))
        for method in ("GET", "POST"):
            outcome = await api.request(method, "/test-sets", b"{}")
            told.append(repr(outcome) + str(outcome))
            told.append(repr(refusal_of(outcome)) if isinstance(outcome, Answer) else outcome.explanation)
        for asking in (api.get("/test-sets"), _listed(api), api.delete("/test-sets/x")):
            try:
                told.append(repr(await asyncio.wait_for(asking, 20)))
            except (EtlError, TimeoutError) as error:
                told.append(_told(error))
        told.append(repr(pace.waiting_until) + repr(pace.gave_up))
    assert any(K in one for one in seen), "the key was sent"
    gc.collect()
    told.extend(f"{record.getMessage()} {record.exc_info} {record.args}" for record in caplog.records)
    assert not [one for one in told if PLAIN_KEY in one]


async def _listed(api: Api) -> list[object]:
    return [item async for item in api.list(TEST_SETS)]


async def test_a_key_with_odd_letters_is_hidden_as_a_url_has_it_too() -> None:
    key = "sk-canary+4711/a"
    body = json.dumps({"error": {"code": "X", "message": f"a {key} b"}}).replace("/", "\\/").encode()
    reply = said(
        "400 Bad Request", body, b"X-Request-Id: req?key=sk-canary%2B4711%2Fa\r\nLocation: /?key=sk-canary%2B4711%2Fa"
    )
    async with raw_server(reply) as (url, _), HttpTransport(Target(url, key)) as transport:
        outcome = await transport.request("POST", "/test-sets", b"{}")
    assert isinstance(outcome, Answer)
    assert outcome.headers == {"x-request-id": f"req?key={HIDDEN}"}
    assert refusal_of(outcome).message == f"a {HIDDEN} b"


@pytest.mark.parametrize("key", [PLAIN_KEY + "\n", PLAIN_KEY + "\r\nX: y", PLAIN_KEY + "\0", PLAIN_KEY + "ä"])
async def test_a_key_that_cannot_stand_in_a_header_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(UsageError) as raised:
        await HttpTransport(Target("http://127.0.0.1:1/v1", key)).__aenter__()
    assert PLAIN_KEY not in _told(raised.value)


async def test_a_request_that_fails_tells_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw_server(None) as (url, _), HttpTransport(Target(url, PLAIN_KEY)) as transport:
        outcomes = [await transport.request(method, "/test-sets") for method in ("GET", "POST")]
    async with HttpTransport(Target("http://127.0.0.1:1/v1", PLAIN_KEY)) as transport:
        outcomes.append(await transport.request("GET", "/test-sets"))
    assert all(isinstance(outcome, NoAnswer) for outcome in outcomes)
    assert PLAIN_KEY not in repr(outcomes) + caplog.text

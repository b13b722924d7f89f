"""Replies that say their length in other ways, cut at every byte: in chunks, compressed, or ended by the end alone."""

import asyncio
import gzip
import json

import pytest

from etl.api import Answer, HttpTransport, Meaning, Target, meaning_of, stored_id
from etl.resources import TEST_SETS
from tests.raw_server import raw_server

WHOLE = {"test_set": {"id": "abc12345", "display_name": "Gespräche", "note": "}" * 20}}
BODY = json.dumps(WHOLE, ensure_ascii=False).encode()
HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"


def _chunked(body: bytes) -> bytes:
    chunks = [body[start : start + 16] for start in range(0, len(body), 16)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


REPLIES = {
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(BODY),
    "gzip": HEAD
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(BODY, mtime=0))
    + gzip.compress(BODY, mtime=0),
    "gzip in chunks": HEAD
    + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    + _chunked(gzip.compress(BODY, mtime=0)),
    "until the end": HEAD + b"Connection: close\r\n\r\n" + BODY,
    "a wrong length": HEAD + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 5) + BODY,
}


@pytest.mark.parametrize("framing", REPLIES)
async def test_a_reply_cut_at_any_byte_is_whole_or_nothing(framing: str) -> None:
    reply = REPLIES[framing]

    async def believed(length: int) -> tuple[Meaning, Meaning]:
        async with raw_server(reply[:length]) as (url, seen), HttpTransport(Target(url, "a-key-of-ours")) as transport:
            outcome = await transport.request("POST", "/test-sets", b"{}")
            assert len(seen) == 1
        body = outcome.body if isinstance(outcome, Answer) else None
        assert body in (None, WHOLE)
        usable = stored_id(body, TEST_SETS) == "abc12345"
        return meaning_of("POST", outcome, usable=usable), meaning_of("GET", outcome, usable=body is not None)

    found = []
    for start in range(0, len(reply) + 1, 32):
        lengths = range(start, min(start + 32, len(reply) + 1))
        found += await asyncio.gather(*(believed(length) for length in lengths))
    assert {post for post, _ in found} <= {Meaning.STORED, Meaning.STORED_WITHOUT_ID, Meaning.DOUBT}
    assert found[0][0] is Meaning.DOUBT
    whole = framing != "a wrong length"
    assert (found[-1][0] is Meaning.STORED) is whole
    assert {get for post, get in found if post is not Meaning.STORED} == {Meaning.AGAIN}

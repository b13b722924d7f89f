"""The sandbox on a socket: loopback only, key and Host checked, faults and latency added, every answer named.

It must never know what an endpoint does.
"""

import asyncio
import hmac
import itertools
import math
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from aiohttp import web

from etl.errors import UsageError
from etl.resources import Contract
from etl.resources.forms import MB
from etl.sandbox.faults import NO_FAULTS, Dice, Effect, Fault, Faults, RetryAfter, Shown
from etl.sandbox.operations import Call, Operations, new_id
from etl.sandbox.progress import Progress
from etl.sandbox.replies import RefusedError, Reply, error_reply
from etl.sandbox.store import Store

LOOPBACK = "127.0.0.1"
_OWN_HOSTS = frozenset({LOOPBACK, "localhost"})

_BODY_MAX = 21 * MB
"""Metadata and workflows of an agent may each be 10 MB (create-agent page)."""

_PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"

_RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers. `store` is for reading what was stored, not through the API."""

    base_url: str
    key: str
    store: Store
    commit_late: Callable[[], None]
    """Stores at once what `latecommit` put off."""
    pass_time: Callable[[float], None]
    """Lets so many seconds pass for its runs."""


class Front:
    """The one request handler of a sandbox and what it remembers between requests."""

    def __init__(self, operations: Operations, key: str, faults: Faults = NO_FAULTS, latency_s: float = 0.0) -> None:
        self._operations = operations
        self._key = key.encode()
        self._faults = faults
        self._dice = Dice(faults)
        self._latency_s = latency_s
        self._late: dict[int, tuple[asyncio.TimerHandle, Call]] = {}
        self._tickets = itertools.count()
        self._closing = asyncio.Event()

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, or let it fail as the faults say."""
        try:
            self._admit(request)
            call = await _read(request)
        except RefusedError as refused:
            return _response(error_reply(refused))
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        fault = self._dice.draw(reading=call.method == "GET")
        if fault is None:
            return _response(self._operations.perform(call))
        return await self._misbehave(fault, call, request)

    async def close(self, _: web.Application) -> None:
        """Let go of every request that waits for an answer which will not come."""
        self._closing.set()

    def commit_late(self) -> None:
        """Perform every call that `latecommit` put off, in the order in which they came."""
        for ticket, (timer, _) in list(self._late.items()):
            timer.cancel()
            self._commit(ticket)

    def _admit(self, request: web.Request) -> None:
        """Refuse foreign hosts (a page in a browser that had its own name point at us), then wrong keys."""
        host = request.headers.get("Host", "").lower()
        if host.rpartition(":")[0] not in _OWN_HOSTS and host not in _OWN_HOSTS:
            raise RefusedError(403, "the sandbox answers to 127.0.0.1 and localhost only")
        key = request.headers.get("X-API-Key", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(key, self._key):
            raise RefusedError(401, "the API key is missing or not the sandbox's")

    async def _misbehave(self, fault: Fault, call: Call, request: web.Request) -> web.StreamResponse:
        if fault.effect is Effect.LATE:
            self._put_off(call)
        reply = self._operations.perform(call) if fault.effect is Effect.NOW else Reply(500)
        match fault.shown:
            case Shown.ERROR:
                return _response(_error(fault))
            case Shown.PAGE:
                return _response(Reply(fault.status, _PROXY_PAGE, "text/html"))
            case Shown.HALF:
                whole = len(reply.payload) // 2 if reply.succeeded else len(reply.payload)
                return _response(Reply(reply.status, reply.payload[:whole], reply.content_type, reply.headers))
            case Shown.TRICKLE:
                return await self._trickle(reply, request)
            case Shown.SILENCE:
                await self._closing.wait()
        return _cut(request)

    def _put_off(self, call: Call) -> None:
        ticket = next(self._tickets)
        timer = asyncio.get_running_loop().call_later(self._faults.late_commit_s, self._commit, ticket)
        self._late[ticket] = timer, call

    def _commit(self, ticket: int) -> None:
        _, call = self._late.pop(ticket)
        self._operations.perform(call)

    async def _trickle(self, reply: Reply, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers=_headers(reply))
        response.content_length = len(reply.payload)
        await response.prepare(request)
        for byte in reply.payload:
            await response.write(bytes((byte,)))
            await asyncio.sleep(self._faults.slow_s / len(reply.payload))
        return response


async def _read(request: web.Request) -> Call:
    workspace = request.headers.get("X-Coval-Workspace-Id", "")
    if "X-Coval-Workspace-Id" in request.headers and not (workspace.isascii() and 1 <= len(workspace) <= 26):
        raise RefusedError(400, "x-coval-workspace-id should have 1 to 26 characters")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise RefusedError(413, f"the request body should be at most {_BODY_MAX:,} bytes") from None
    except web.RequestPayloadError as error:
        raise RefusedError(400, f"the request body cannot be read: {error}") from None
    return Call(request.method, request.path, request.query, body, workspace)


def _error(fault: Fault) -> Reply:
    """The error that a fault shows, in the API's shape."""
    refused = RefusedError(fault.status, "slow down" if fault.status == 429 else "a fault that was asked for")
    if fault.retry_after is RetryAfter.SECONDS:
        refused.headers["Retry-After"] = str(_RETRY_AFTER_S)
    elif fault.retry_after is RetryAfter.DATE:
        moment = datetime.now(UTC) + timedelta(seconds=_RETRY_AFTER_S)
        refused.headers["Retry-After"] = format_datetime(moment, usegmt=True)
    return error_reply(refused)


def _headers(reply: Reply) -> Mapping[str, str]:
    headers = {"X-Request-Id": new_id(22), **reply.headers}
    return headers if reply.status == 204 else {"Content-Type": reply.content_type, **headers}


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, body=reply.payload, headers=_headers(reply))


def _cut(request: web.Request) -> web.Response:
    """Reset the connection. The response returned goes nowhere: aiohttp finds the transport closed."""
    transport = request.transport
    if transport is not None:
        linger_not = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        transport.abort()
    return web.Response()


def make_app(front: Front) -> web.Application:
    """The aiohttp application of a sandbox."""
    app = web.Application(client_max_size=_BODY_MAX)
    app.router.add_route("*", "/{path:.*}", front.respond)
    app.on_shutdown.append(front.close)
    return app


@asynccontextmanager
async def running_sandbox(
    *,
    db: Path | None = None,
    contract: Contract = Contract.V2025_10,
    faults: Faults = NO_FAULTS,
    latency_s: float = 0.0,
    port: int = 0,
    key: str | None = None,
    run_seconds: float | None = None,
    queue_limit: int | None = None,
) -> AsyncIterator[RunningSandbox]:
    """A sandbox on 127.0.0.1 for as long as the context lasts.

    `db` keeps what is stored (None: memory); `port` 0 takes a free one; `key` None makes a random one; `latency_s` is
    waited before every request takes effect. A run is completed after `run_seconds` (None: never); a launch that would
    bring more than `queue_limit` simulations into the queue is answered 429 (None: as many as you like). Raises
    UsageError for a port that cannot be had and a latency that is none, FileError for a `db` that cannot be opened.
    """
    if not 0 <= latency_s < math.inf:
        raise UsageError(f"the latency is a number of seconds; {latency_s} is none")
    store = Store(db)
    try:
        key = key if key is not None else new_id(32)
        progress = Progress(store, run_seconds, queue_limit)
        front = Front(Operations(store, contract, progress), key, faults, latency_s)
        runner = web.AppRunner(make_app(front), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            bound = await _bind(runner, port)
            yield RunningSandbox(f"http://{LOOPBACK}:{bound}/v1", key, store, front.commit_late, progress.pass_time)
        finally:
            await runner.cleanup()
            front.commit_late()
    finally:
        store.close()


async def _bind(runner: web.AppRunner, port: int) -> int:
    try:
        await web.TCPSite(runner, LOOPBACK, port, backlog=1024).start()
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port} cannot be had: {error}", "name another port, or 0 for a free one") from None
    bound: int = runner.addresses[0][1]
    return bound

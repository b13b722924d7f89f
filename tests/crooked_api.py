"""An API on a real socket, stored by the sandbox's rooms, that says of each request what a test wants it to say.

It must never know what a client makes of it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from etl.resources import RESOURCES, Contract
from etl.sandbox import Store
from etl.sandbox.operations import Call, Operations
from etl.sandbox.progress import Progress
from etl.sandbox.replies import RefusedError, Reply, error_reply

KEY = "key-of-the-tests-0123"
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a POST. `stored`: whether it takes effect now; `late`: it does when the test says so.

    `said`: a status to answer with; None: the right answer; 0: the connection is cut. `silent`: no answer at all.
    """

    stored: bool = True
    said: int | None = None
    text: bytes | None = None
    silent: bool = False
    late: bool = False


WELL = Fate()
LOST = Fate(said=0)
"""It takes effect, its answer is lost."""
DROPPED = Fate(stored=False, said=0)
"""It has no effect, and that cannot be told from `LOST`."""
SILENT = Fate(silent=True)
LATE = Fate(stored=False, said=504, late=True)


def refused(status: int) -> Fate:
    """Without effect, in the API's own form."""
    return Fate(stored=False, said=status)


@dataclass
class CrookedApi:
    """`fate` is asked for each POST, by its body and how often that body has come; `ending` for each DELETE, by its
    path and how often it has come; `shown` for each item of an answer to a GET (None: it is left out); `reading` for
    each GET, by its path and query: a status instead of the answer.
    """

    contract: Contract = Contract.V2025_10
    fate: Callable[[Body, int], Fate] = lambda _body, _times: WELL
    ending: Callable[[str, int], Fate] = lambda _path, _times: WELL
    shown: Callable[[Body], Body | None] = lambda item: item
    reading: Callable[[str, Mapping[str, str]], int | None] = lambda _path, _query: None
    keys: set[str] = field(default_factory=lambda: {KEY})
    posts: list[Body] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    lists: int = 0
    gets: list[str] = field(default_factory=list)
    date: Callable[[], str | None] = lambda: None
    """What the header Date says; None: the time."""
    run_seconds: float | None = None
    queue_limit: int | None = None
    crossed: int = 0
    """Lists that came while a POST was under way."""
    most: int = 0
    url: str = ""
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released once for each POST that has come."""

    def __post_init__(self) -> None:
        self.store = Store(None)
        self.progress = Progress(self.store, self.run_seconds, self.queue_limit)
        self._operations = Operations(self.store, self.contract, self.progress)
        self._under_way = 0
        self._late: list[Call] = []
        self._closing = asyncio.Event()
        self._left: dict[str, list[Body]] = {}

    def make(self, resource: str, body: Body) -> str:
        """Something that is there already, or that somebody else makes now; its id."""
        reply = self._operations.perform(Call("POST", f"/v1/{resource}", {}, json.dumps(body).encode(), ""))
        assert reply.succeeded, reply.payload
        (item,) = json.loads(reply.payload).values()
        return str(item[RESOURCES[resource].id_field])

    def stored(self, resource: str = "test-cases") -> list[Body]:
        """The bodies that are stored, as they were sent."""
        return self._left[resource] if self._left else self.store.all_bodies(resource)

    def items(self, resource: str) -> list[Body]:
        """What is there, as it is answered."""
        reply = self._operations.perform(Call("GET", f"/v1/{resource}", {}, b"", ""))
        assert reply.succeeded, reply.payload
        found: list[Body] = json.loads(reply.payload)[RESOURCES[resource].plural]
        return found

    def texts(self) -> list[str]:
        return sorted(body["input_str"] for body in self.stored())

    def shut(self) -> None:
        """Close the store; what it had can still be read."""
        self._left = {name: self.store.all_bodies(name) for name in RESOURCES}
        self.store.close()

    def commit_late(self) -> None:
        """What was put off takes effect."""
        while self._late:
            assert self._operations.perform(self._late.pop(0)).succeeded

    async def respond(self, request: web.Request) -> web.StreamResponse:
        response = await self._respond(request)
        date = self.date()
        if date is not None:
            response.headers["Date"] = date
        return response

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-API-Key") not in self.keys:
            return _response(error_reply(RefusedError(401, "the key is not known")))
        call = Call(request.method, request.path, request.query, await request.read(), "")
        if request.method == "DELETE":
            return self._end(call, request)
        if request.method != "POST":
            return self._read(call)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await asyncio.sleep(0.002)  # as long as a short way there
        try:
            return await self._write(call, request)
        finally:
            self._under_way -= 1

    async def _write(self, call: Call, request: web.Request) -> web.StreamResponse:
        body = json.loads(call.body)
        self.posts.append(body)
        fate = self.fate(body, self.posts.count(body))
        reply = self._operations.perform(call) if fate.stored else Reply(500)
        if fate.late:
            self._late.append(call)
        self.arrived.release()
        if fate.silent:
            await self._closing.wait()
        if fate.silent or fate.said == 0:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if fate.text is not None:
            return web.Response(status=fate.said or reply.status, body=fate.text, content_type="application/json")
        return _response(reply if fate.said is None else error_reply(RefusedError(fate.said, "the API says no")))

    def _end(self, call: Call, request: web.Request) -> web.StreamResponse:
        self.deletes.append(call.path)
        fate = self.ending(call.path, self.deletes.count(call.path))
        reply = self._operations.perform(call) if fate.stored else Reply(500)
        if fate.said == 0 and request.transport is not None:
            request.transport.abort()
        return _response(reply if not fate.said else error_reply(RefusedError(fate.said, "the API says no")))

    def _read(self, call: Call) -> web.Response:
        whole = call.path.count("/") == 2
        self.lists += whole
        self.crossed += whole and self._under_way > 0
        if not whole:
            self.gets.append(call.path)
        status = self.reading(call.path, call.query)
        if status is not None:
            return _response(error_reply(RefusedError(status, "the API says no")))
        reply = self._operations.perform(call)
        if not reply.succeeded:
            return _response(reply)
        answer = json.loads(reply.payload)
        for name, value in answer.items():
            if isinstance(value, list):
                answer[name] = [item for one in value if (item := self.shown(one)) is not None]
            elif isinstance(value, dict):
                answer[name] = self.shown(value)
        return web.json_response(answer)

    async def close(self, _app: web.Application) -> None:
        self._closing.set()


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, body=reply.payload, content_type="application/json")


@asynccontextmanager
async def crooked_api(
    contract: Contract = Contract.V2025_10, *, run_seconds: float | None = None, queue_limit: int | None = None
) -> AsyncIterator[CrookedApi]:
    """One that answers well until it is told otherwise."""
    api = CrookedApi(contract, run_seconds=run_seconds, queue_limit=queue_limit)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.respond)
    app.on_shutdown.append(api.close)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield api
    finally:
        await runner.cleanup()
        api.shut()

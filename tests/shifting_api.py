"""An API whose pages are counted by position, as many are: what is deleted between two pages moves the others.

It must never know what a client makes of it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Item = dict[str, Any]


@dataclass
class ShiftingApi:
    """Test cases, oldest first. `between` is called before each page is answered, with how many pages were before."""

    items: list[Item] = field(default_factory=list)
    between: Callable[[int], None] = lambda _page: None
    pages: int = 0
    gets: list[str] = field(default_factory=list)
    stale_tokens: bool = False
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/v1/")
        if "/" in path:
            self.gets.append(path)
            found = [one for one in self.items if path.endswith(one["id"])]
            error = {"error": {"code": "NOT_FOUND", "message": "it is not there"}}
            return web.json_response({"test_case": found[0]} if found else error, status=200 if found else 404)
        self.between(self.pages)
        self.pages += 1
        if self.stale_tokens and request.query.get("page_token"):
            error = {"error": {"code": "INVALID_ARGUMENT", "message": "the page token has expired"}}
            return web.json_response(error, status=400)
        at, size = int(request.query.get("page_token", "0")), int(request.query["page_size"])
        rising = request.query.get("order_by") == "create_time"
        ordered = self.items if rising else self.items[::-1]
        token = str(at + size) if at + size < len(ordered) else None
        return web.json_response({"test_cases": ordered[at : at + size], "next_page_token": token})


def case(number: int, text: str = "") -> Item:
    return {
        "id": f"{number:022d}",
        "name": f"test-cases/{number:022d}",
        "input_str": text or f"caller {number}",
        "test_set_id": "aB1cD2eF",
        "create_time": f"2026-10-01T00:00:00.{number:06d}Z",
        "update_time": None,
    }


@asynccontextmanager
async def shifting_api(count: int) -> AsyncIterator[ShiftingApi]:
    api = ShiftingApi([case(number) for number in range(count)])
    app = web.Application()
    app.router.add_get("/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield api
    finally:
        await runner.cleanup()

# ruff: noqa: INP001, T201  # a script
"""Measure the pace against real servers on loopback: a rate that is allowed, an outage of a minute. Takes four minutes.

    .venv/bin/python tools/measure_pace.py

Targets (delivery): at least 85 % of the allowed rate used, at most 20 refusals per 1,000 requests, none sent before
`Retry-After` is over; a minute after an outage of a minute 80 % of the speed is back.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from etl.api import Api, Pace, Target

ALLOWED = 10
SECONDS = 120
EARLY_S = 0.1
"""What arrives so soon after a refusal was under way already."""


@dataclass
class Limited:
    """A server that lets so many through a second (a bucket of a second's worth) and answers slowly."""

    rate: float = ALLOWED
    says: bool = True
    latency_s: float = 0.05
    accepted_s: list[float] = field(default_factory=list)
    refused: int = 0
    early: int = 0
    down: bool = False
    _tokens: float = ALLOWED
    _filled_s: float = 0.0
    _refused_s: float = -1e9

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request of a connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                await reader.readexactly(length)
                reply = self._reply(time.monotonic())
                await asyncio.sleep(self.latency_s)
                writer.write(reply)
                await writer.drain()
        writer.close()

    def _reply(self, now_s: float) -> bytes:
        if self.down:
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        self._tokens = min(ALLOWED, self._tokens + (now_s - self._filled_s) * self.rate)
        self._filled_s = now_s
        self.early += self.says and self._refused_s + EARLY_S < now_s < self._refused_s + 1
        if self._tokens >= 1:
            self._tokens -= 1
            self.accepted_s.append(now_s)
            return b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
        self.refused += 1
        self._refused_s = now_s
        said = b"Retry-After: 1\r\n" if self.says else b""
        return b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n" + said + b"\r\n"

    def speed(self, from_s: float, until_s: float) -> float:
        """Accepted requests a second."""
        return len([one for one in self.accepted_s if from_s <= one < until_s]) / (until_s - from_s)


@asynccontextmanager
async def listening(limited: Limited, port: int = 0) -> AsyncIterator[int]:
    """The port that it listens on; whoever is connected at the end is cut off."""
    open_ends: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.add(writer)
        await limited.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for end in open_ends:
            end.transport.abort()


async def send(port: int, concurrency: int, until_s: float) -> int:
    """As many requests as the pace lets through; how many were never sent."""
    unsent = 0
    pace = Pace(concurrency)

    async def work(api: Api) -> None:
        nonlocal unsent
        while time.monotonic() < until_s and (place := await pace.enter()) is not None:
            outcome = None
            try:
                if await pace.clear(place):
                    outcome = await api.request("POST", "/test-sets", b"{}")
                    unsent += not getattr(outcome, "sent", True)
            finally:
                pace.leave(place, outcome)

    async with Api(Target(f"http://127.0.0.1:{port}/v1", "a-key-of-ours"), concurrency, pace=pace) as api:
        tasks = [asyncio.create_task(work(api)) for _ in range(concurrency)]
        await asyncio.wait(tasks, timeout=until_s - time.monotonic())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return unsent


async def measure_limit(*, says: bool) -> str:
    """A server that allows 10 a second."""
    limited = Limited(says=says)
    async with listening(limited) as port:
        started_s = time.monotonic()
        await send(port, 16, started_s + SECONDS)
    used = limited.speed(started_s, started_s + SECONDS) / ALLOWED
    per_1000 = 1000 * limited.refused / (limited.refused + len(limited.accepted_s))
    kind = "with Retry-After" if says else "without Retry-After"
    return f"10 a second, {kind}: {used:.1%} used, {per_1000:.1f} refused of 1,000, {limited.early} sent too early"


async def measure_outage(*, refused: bool) -> str:
    """A server that is away from second 40 to second 100."""
    limited = Limited(rate=1e9)
    started_s = time.monotonic()
    async with listening(limited) as port:
        sending = asyncio.create_task(send(port, 16, started_s + 165))
        await asyncio.sleep(40)
        if not refused:
            limited.down = True
            await asyncio.sleep(60)
            limited.down = False
            unsent = await sending
    if refused:
        await asyncio.sleep(60)
        async with listening(limited, port):
            unsent = await sending
    before = limited.speed(started_s + 20, started_s + 40)
    seconds = range(100, 161)
    back = next((one for one in seconds if limited.speed(started_s + one, started_s + one + 4) >= 0.8 * before), None)
    kind = "connections refused" if refused else "503"
    when = f"80 % back after {back - 100} s" if back is not None else "not back after 60 s"
    return f"{kind} for 60 s: {before:.0f} a second before, {when}; {unsent} tries that reached nobody"


async def main() -> None:
    """Everything at once: it is waiting, mostly."""
    measures = (measure_limit(says=True), measure_limit(says=False))
    for line in await asyncio.gather(*measures, measure_outage(refused=True), measure_outage(refused=False)):
        print(line)


if __name__ == "__main__":
    asyncio.run(main())

"""How fast: never more than `concurrency` in flight, one gate for everybody after a 429, an optional rate.

It must never know what is sent.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

START_IN_FLIGHT = 4
"""How many requests are in flight at first; each clean reply widens it, a 429 halves it (AIMD)."""
BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 20.0
THROTTLE_BASE_S = 1.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests can give their own."""

    monotonic_s: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    def backoff_s(self, attempt: int, base_s: float = BACKOFF_BASE_S) -> float:
        """Full jitter: anything from 0 to base times 2^(attempt-1), at most 20 s. `attempt` counts from 1."""
        return self.random() * min(BACKOFF_CAP_S, base_s * float(2 ** min(attempt - 1, 16)))


class Pace:
    """One for all workers of a job."""

    def __init__(self, concurrency: int, rate_per_s: float | None = None, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._concurrency = concurrency
        self._limit = float(min(START_IN_FLIGHT, concurrency))
        self._in_flight = 0
        self._closed_until_s = 0.0
        self._halved_at_s = float("-inf")
        self._throttles_running = 0
        self._gap_s = 1 / rate_per_s if rate_per_s else 0.0
        self._next_s = 0.0
        self._changed = asyncio.Condition()
        self._closed = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests in flight now."""
        return self._in_flight

    async def enter(self) -> None:
        """Wait until one more request may be in flight, and count it. Every `enter` needs its `leave`."""
        if self._in_flight >= int(self._limit):
            async with self._changed:
                await self._changed.wait_for(lambda: self._in_flight < int(self._limit))
                self._in_flight += 1
        else:
            self._in_flight += 1
        while (wait_s := self._wait_s()) > 0 and not self._closed.is_set():
            await self.pause(wait_s)
        if self._gap_s:
            self._next_s = max(self._next_s, self._clock.monotonic_s()) + self._gap_s

    async def leave(self, *, clean: bool) -> None:
        """One request is over. `clean`: it was answered without a sign of overload, so the pace may grow."""
        self._in_flight -= 1
        if clean:
            self._throttles_running = 0
            self._limit = min(float(self._concurrency), self._limit + 1 / self._limit)
        async with self._changed:
            self._changed.notify(2)

    async def pause(self, wait_s: float) -> None:
        """Wait, or until the job is stopped."""
        waiting = {asyncio.ensure_future(self._clock.sleep(wait_s)), asyncio.ensure_future(self._closed.wait())}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def close(self) -> None:
        """Let everybody go who waits: nothing more is to be sent."""
        self._closed.set()

    def throttle(self, headers: Mapping[str, str], sent_s: float) -> float:
        """A 429 or 425 to a request sent at `sent_s` (monotonic): close the gate for as long as told, halve the pace.

        At most one cut for the requests that were in flight together. Returns the wait in seconds.
        """
        now_s = self._clock.monotonic_s()
        asked_s = asked_wait_s(headers, self._clock.now())
        if sent_s >= self._halved_at_s:
            self._halved_at_s = now_s
            self._throttles_running += 1
            self._limit = max(1.0, self._limit / 2)
        if asked_s is None:
            wait_s = self._clock.backoff_s(self._throttles_running, THROTTLE_BASE_S)
        else:
            wait_s = asked_s * (1 + 0.1 * self._clock.random())
        self._closed_until_s = max(self._closed_until_s, now_s + wait_s)
        return wait_s

    def _wait_s(self) -> float:
        now_s = self._clock.monotonic_s()
        return max(self._closed_until_s - now_s, (self._next_s - now_s) if self._gap_s else 0.0)


def asked_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that `Retry-After` asks for, in seconds; None where there is none that can be understood.

    An HTTP date is taken against the reply's own `Date`, not against this machine's clock; the past means 0.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _http_date(text)
    if until is None:
        return None
    since = _http_date(headers.get("date", "")) or now
    return max(0.0, (until - since).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

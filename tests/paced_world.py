"""A world on virtual time for the pace: APIs that allow so much and no more, and workers that want all of it."""

import asyncio
import contextlib
import math
import random
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol, TypeVar

from etl.api import Answer, Cause, Clock, NoAnswer, Pace, asked_wait_s

Result = TypeVar("Result")
START = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Time:
    """A clock that goes on only when told, or when somebody sleeps: beside real sockets, and without chance."""

    seconds: float = 1000.0
    slept_s: list[float] = field(default_factory=list)

    async def sleep(self, wait_s: float) -> None:
        self.slept_s.append(wait_s)
        self.seconds += wait_s
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, lambda: START + timedelta(seconds=self.seconds), self.sleep, lambda: 0.5)


class _Leap(selectors.SelectSelector):
    """Waits for nothing: whatever time would have passed has passed."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everybody waits for somebody else")
        self.now_s += timeout
        return super().select(0)


class _LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self, leap: _Leap) -> None:
        self._leap = leap
        super().__init__(leap)

    def time(self) -> float:
        return self._leap.now_s


def run_virtually(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run to the end, in no time."""
    with asyncio.Runner(loop_factory=lambda: _LeapingLoop(_Leap())) as runner:
        return runner.run(main())


def virtual_clock(seed: int = 1) -> Clock:
    """The running loop's time; chance that repeats."""
    loop, dice = asyncio.get_running_loop(), random.Random(seed)
    return Clock(loop.time, lambda: START + timedelta(seconds=loop.time()), asyncio.sleep, dice.random)


class Limit(Protocol):
    """Whether one more request is allowed at a time; if not, the seconds until the next one is."""

    def refuse(self, now_s: float) -> float: ...


@dataclass
class Bucket:
    """So many a second, and `burst` at once."""

    rate: float
    burst: float
    tokens: float = math.nan
    filled_s: float = 0.0

    def refuse(self, now_s: float) -> float:
        before = self.burst if math.isnan(self.tokens) else self.tokens
        self.tokens = min(self.burst, before + (now_s - self.filled_s) * self.rate)
        self.filled_s = now_s
        if self.tokens >= 1 - 1e-9:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


@dataclass
class Window:
    """So many in each window of so many seconds."""

    allowed: int
    seconds: float = 1.0
    number: int = -1
    used: int = 0

    def refuse(self, now_s: float) -> float:
        if self.number != (number := int(now_s / self.seconds)):
            self.number, self.used = number, 0
        self.used += 1
        return 0.0 if self.used <= self.allowed else (number + 1) * self.seconds - now_s


@dataclass
class Mood:
    """One request in so many is refused, whatever the pace, for a second."""

    one_in: int
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def refuse(self, now_s: float) -> float:
        return 1.0 if self.dice.randrange(self.one_in) == 0 else 0.0


@dataclass
class Odds:
    """So many of a hundred are refused, whatever the pace."""

    share: float
    seed: int

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def refuse(self, now_s: float) -> float:
        return 1.0 if self._dice.random() < self.share else 0.0


@dataclass
class World:
    """An API and what it saw. `trouble` answers instead of it, by the time."""

    limit: Limit | None = None
    retry_after: str = "seconds"
    latency_s: float = 0.05
    at_once: int | None = None
    """How many it works on at once; others queue."""
    trouble: Callable[[float], Answer | NoAnswer | None] = lambda _now_s: None
    seed: int = 1
    accepted_s: list[float] = field(default_factory=list)
    replies: Counter[str] = field(default_factory=Counter)
    early: int = 0
    most: int = 0
    _flying: int = 0
    _closed_until_s: float = -math.inf

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._turns = asyncio.Semaphore(self.at_once) if self.at_once else None

    async def answer(self) -> Answer | NoAnswer:
        loop = asyncio.get_running_loop()
        sent_s = loop.time()
        self.early += sent_s < self._closed_until_s - 1e-9
        self._flying += 1
        self.most = max(self.most, self._flying)
        try:
            outcome = await self._work(sent_s)
        finally:
            self._flying -= 1
        if isinstance(outcome, Answer) and (asked_s := asked_wait_s(outcome.headers, START)) is not None:
            self._closed_until_s = max(self._closed_until_s, loop.time() + asked_s)
        self.replies[str(outcome.status) if isinstance(outcome, Answer) else outcome.cause.value] += 1
        return outcome

    async def _work(self, sent_s: float) -> Answer | NoAnswer:
        loop = asyncio.get_running_loop()
        trouble = self.trouble(sent_s)
        if isinstance(trouble, NoAnswer):
            took_s = 5.0 if trouble.sent else 0.001
            await asyncio.sleep(took_s)
            return NoAnswer(trouble.sent, trouble.cause, trouble.explanation, took_s)
        half_s = self.latency_s * self._dice.uniform(0.4, 0.6)
        await asyncio.sleep(half_s)
        if trouble is None:
            wait_s = self.limit.refuse(loop.time()) if self.limit else 0.0
            if self._turns and not wait_s:
                async with self._turns:
                    await asyncio.sleep(half_s)
            trouble = self._reply(wait_s, loop.time())
        await asyncio.sleep(half_s)
        return Answer(trouble.status, trouble.body, trouble.headers, loop.time() - sent_s)

    def _reply(self, wait_s: float, now_s: float) -> Answer:
        if not wait_s:
            self.accepted_s.append(now_s)
            return Answer(201, {})
        headers: Mapping[str, str] = {}
        asked_s = math.ceil(wait_s)
        if self.retry_after == "seconds":
            headers = {"retry-after": str(asked_s)}
        elif self.retry_after == "date":
            now = START + timedelta(seconds=math.floor(now_s), days=3)
            headers = {
                "retry-after": format_datetime(now + timedelta(seconds=asked_s), usegmt=True),
                "date": format_datetime(now, usegmt=True),
            }
        return Answer(429, None, headers)

    def accepted(self, from_s: float, until_s: float) -> float:
        """Requests a second."""
        return len([one for one in self.accepted_s if from_s <= one < until_s]) / (until_s - from_s)


REFUSED = NoAnswer(sent=False, cause=Cause.CONNECT, explanation="No connection to the API: Connection refused.")


async def work_for(world: World, pace: Pace, workers: int, seconds: float, intent_s: float = 0.003) -> None:
    """So many workers send all they may for so long; what is in flight then is dropped."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds

    async def one() -> None:
        while loop.time() < until_s:
            async with pace.preparing(intent_s):
                await asyncio.sleep(intent_s)  # the intent is written down
                place = await pace.enter()
            if place is None:
                return
            outcome = None
            try:
                if await pace.clear(place):
                    outcome = await world.answer()
            finally:
                pace.leave(place, outcome)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until_s):
            await asyncio.gather(*(one() for _ in range(workers)))

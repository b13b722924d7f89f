"""How fast: never more than `concurrency` in flight, a window and a rate below it, both learned; one gate for all.

It must never know what is sent. One pace serves all workers and all reads of a job:

    async with pace.preparing(takes_s) as may_go:
        …                                   # while others are in flight; False: nothing more is to be sent
        place = await pace.enter()          # waits for a place, the gate, the rate; None: nothing more is to be sent
    if place is None:
        stop(pace.gave_up or …)             # an EtlError; None after `close()`
    outcome = None
    try:
        if await pace.clear(place):         # right before the request: the gate may have closed meanwhile
            outcome = await api.request(…)
    finally:
        pace.leave(place, outcome)          # None: nothing was sent

Whoever holds a place must not wait for another one: leave first, then read. After a 429 or 425 and after a request that
was not sent there is nothing to sleep for: entering again waits as long as it takes.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from etl.api.ahead import Ahead, Turn
from etl.api.answers import Answer, NoAnswer
from etl.api.bucket import MEASURED_S, Bucket
from etl.api.budget import Budget
from etl.api.ceiling import Ceiling
from etl.api.chance import Chance
from etl.api.clock import Clock
from etl.api.latency import Latency
from etl.api.outage import Outage
from etl.api.place import Place, Waiting
from etl.api.policy import Strain, strain_of
from etl.api.retry_after import asked_wait_s
from etl.errors import EtlError, StoppedError, UnreachableError

START_IN_FLIGHT = 4
"""How many may be in flight at first."""
THROTTLE_BASE_S = 1.0
GATE_JITTER = 0.1
LONGEST_WAIT_S = 15 * 60
"""A longer wait, asked for by the API, ends the job: nobody sits before it that long."""
SHORTEST_WAIT_S = 1e-6
"""Less than this is what fractions of seconds do not add up to: to sleep so long would change nothing."""


@dataclass(slots=True, eq=False)
class _Waiter:
    read: bool
    admitted: asyncio.Future[Place | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Pace:
    """One for all workers of a job. The window grows by one for each window of calm answers while it is in use, and is
    halved, at most once for what was in flight together, by 429, 425, 503, 504, 408, a timeout, or a latency that grew
    with it. `gave_up` is the error to stop with, once waiting makes no sense any more."""

    def __init__(
        self,
        concurrency: int,
        rate_per_s: float | None = None,
        clock: Clock | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.budget = budget or Budget()
        self.gave_up: EtlError | None = None
        self.on_outcome: Callable[[Place, Answer | NoAnswer], None] = lambda _place, _outcome: None
        self._concurrency = concurrency
        self._rate_per_s = rate_per_s or math.inf
        self._limit = float(min(START_IN_FLIGHT, concurrency))
        self._threshold = 0.0
        self._in_flight = 0
        self._writing = 0
        self._cut_s = -math.inf
        self._throttles = 0
        self._open_s = -math.inf
        self._gate_why = ""
        self._bucket = Bucket(self.clock.monotonic_s())
        self._ceiling = Ceiling()
        self._chance = Chance()
        self._latency = Latency()
        self._ahead = Ahead()
        self._outage = Outage(self.clock)
        self._probing = False
        self._paused: str | None = None
        self._closed = asyncio.Event()
        self._queue: deque[_Waiter] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._timer: asyncio.Task[None] | None = None
        self._due_s = math.inf

    @property
    def in_flight(self) -> int:
        """Requests in flight now, and those about to be sent."""
        return self._in_flight

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be written: `pause` waits no longer."""
        return self._closed.is_set()

    @property
    def window(self) -> int:
        """How many may be in flight now."""
        return int(self._limit)

    @property
    def waiting_until(self) -> Waiting | None:
        """Why and for how long everybody waits now; None while requests go out."""
        if self._outage.down:
            return Waiting(f"{self._outage.explanation.rstrip('.')}; trying again", self._outage.wait_s())
        gate_s = self._gate_s()
        if gate_s > 0:
            return Waiting(self._gate_why, gate_s)
        return Waiting(self._paused, None) if self._paused is not None else None

    def preparing(self, takes_s: float) -> Turn:
        """Wait, in turn, until a request may be made ready so that its turn has come when it is. That takes `takes_s`.

        False: nothing more is to be sent. Enter within; nobody has to, who then has nothing to send.
        """
        self._ahead.takes_s = takes_s
        return Turn(self._ahead, self._advance)

    async def enter(self, *, read: bool = False) -> Place | None:
        """Wait, in turn, until one more request may go. None: nothing more is to be sent (`gave_up` says why)."""
        while (place := await self._admitted(read=read)) is not None and self._gate_s() > 0:
            self.leave(place, None)  # the gate has closed between being let in and hearing of it
        return place

    async def _admitted(self, *, read: bool) -> Place | None:
        waiter = _Waiter(read)
        self._queue.append(waiter)
        self._advance()
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            if waiter in self._queue:
                self._queue.remove(waiter)
            elif not waiter.admitted.cancelled() and (place := waiter.admitted.result()) is not None:
                self.leave(place, None)
            raise

    async def clear(self, place: Place) -> bool:
        """Right before the request: wait where the gate has closed since `enter`. False: nothing is to be sent."""
        held = self._gate_s() > 0
        while held and not self._refuses(read=place.read):
            wait_s = max(self._gate_s(), self._token_wait_s())
            if wait_s > 0:
                await self.pause(wait_s)
            else:
                self._bucket.take(self.clock.monotonic_s())
                held = False
        place.sent_s = self.clock.monotonic_s()
        return not self._refuses(read=place.read)

    def leave(self, place: Place, outcome: Answer | NoAnswer | None) -> None:
        """The request is over. `outcome`: what came of it, its `elapsed_s` with it; None where nothing was sent."""
        self._in_flight -= 1
        self._writing -= not place.read
        self._probing = self._probing and not place.probe
        if outcome is not None:
            self._learn(place, outcome)
            self.on_outcome(place, outcome)
        self._advance()

    async def pause(self, wait_s: float) -> None:
        """Wait, or until `close`."""
        waiting = {asyncio.ensure_future(self.clock.sleep(wait_s)), asyncio.ensure_future(self._closed.wait())}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def close(self) -> None:
        """Send nothing more but reads: whoever waits to write is let go."""
        self._closed.set()
        self._advance()

    def pause_all(self, why: str) -> None:
        """Let nobody write until `resume_all`; reads go on. `why` ends the sentence "Waiting: …"."""
        self._paused = why

    def resume_all(self) -> None:
        """Let everybody write again."""
        self._paused = None
        self._advance()

    async def drained(self) -> None:
        """Wait until nobody writes. Only of use after `pause_all` or `close`."""
        if self._writing:
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle

    def _refuses(self, *, read: bool) -> bool:
        return self.gave_up is not None or (self._closed.is_set() and not read)

    def _advance(self) -> None:
        """Let in whoever may go now, or get ready; be woken for whoever may later."""
        if self.gave_up is not None or self._closed.is_set():
            self._send_away()
        while (first := self._first()) is not None and (wait_s := self._wait_s()) is not None:
            if wait_s > 0:
                self._wake_in(wait_s)
                break
            self._queue.remove(first)
            _admit(first, self._take_place(first))
        while self._ahead.anybody and (wait_s := self._approach_wait_s()) is not None:
            if wait_s > 0:
                self._wake_in(wait_s)
                break
            self._ahead.let_in()
        while self._idle and not self._writing:
            idle = self._idle.pop()
            if not idle.done():
                idle.set_result(None)

    def _send_away(self) -> None:
        self._ahead.send_away()
        for waiter in [one for one in self._queue if self._refuses(read=one.read)]:
            self._queue.remove(waiter)
            _admit(waiter, None)

    def _first(self) -> _Waiter | None:
        """Whose turn it is: while writing is paused, a read's."""
        return next((one for one in self._queue if self._paused is None or one.read), None)

    def _wait_s(self) -> float | None:
        """Seconds until the next one may go; None: not before somebody leaves."""
        if self._outage.down:
            free = not self._probing and self._in_flight < self._concurrency
            return max(self._gate_s(), self._outage.wait_s()) if free else None
        # While nobody may write, what is still written to hangs: a read does not wait for its end.
        busy = self._in_flight if self._paused is None else self._in_flight - self._writing
        if self._in_flight >= self._concurrency or busy >= (1 if self._throttles else self.window):
            return None
        return max(self._gate_s(), self._token_wait_s())

    def _approach_wait_s(self) -> float | None:
        """Seconds until the next one may prepare; None: not before somebody leaves."""
        if self._paused is not None:
            return None
        ahead, window = self._ahead, 1 if self._throttles or self._outage.down else self.window
        if self._in_flight + ahead.preparing >= min(window, self._concurrency) + ahead.beside(window):
            return None
        if self._outage.down:
            return max(self._gate_s(), self._outage.wait_s())
        wait_s = max(self._gate_s(), self._token_wait_s(1 + ahead.preparing) - ahead.takes_s)
        return wait_s if wait_s > SHORTEST_WAIT_S else 0.0

    def _gate_s(self) -> float:
        """Seconds for which the gate is closed; negative where it is open."""
        return self._open_s - self.clock.monotonic_s()

    def _take_place(self, waiter: _Waiter) -> Place:
        self._in_flight += 1
        now_s = self.clock.monotonic_s()
        place = Place(waiter.read, self._outage.down, now_s, self._in_flight)
        self._probing = self._probing or place.probe
        self._writing += not place.read
        self._bucket.take(now_s)
        return place

    def _wake_in(self, wait_s: float) -> None:
        due_s = self.clock.monotonic_s() + wait_s
        if self._timer is not None and not self._timer.done():
            if self._due_s <= due_s:
                return
            self._timer.cancel()
        self._due_s = due_s
        self._timer = asyncio.get_running_loop().create_task(self._wake(wait_s))

    async def _wake(self, wait_s: float) -> None:
        await self.clock.sleep(wait_s)
        self._timer = None
        self._advance()

    def _rate(self) -> float:
        learned_per_s = math.inf if self._chance.unheeded else self._ceiling.rate_at(self.clock.monotonic_s())
        return min(self._rate_per_s, learned_per_s)

    def _token_wait_s(self, more: int = 1) -> float:
        return self._bucket.wait_s(self.clock.monotonic_s(), self._rate(), more)

    def _learn(self, place: Place, outcome: Answer | NoAnswer) -> None:
        strain = strain_of(outcome)
        now_s = self.clock.monotonic_s()
        if strain is Strain.UNREACHED and isinstance(outcome, NoAnswer):
            self._unreached(place, outcome.explanation)
            return
        if isinstance(outcome, Answer) or outcome.sent:
            self._outage.answered()
        if strain is Strain.THROTTLED and isinstance(outcome, Answer):
            self._throttled(place, outcome, now_s)
        elif strain is Strain.OVERLOADED:
            self._cut(place, now_s)
            if isinstance(outcome, Answer) and (asked_s := asked_wait_s(outcome.headers, self.clock.now())):
                self._close_gate(now_s, asked_s, "the API is overloaded and asked for a pause")
        elif strain is Strain.CALM:
            self._calm(place, outcome, now_s)

    def _calm(self, place: Place, outcome: Answer | NoAnswer, now_s: float) -> None:
        if isinstance(outcome, Answer) and outcome.status < 500:
            self.budget.earn()
        if not self._chance.unheeded:
            self._ceiling.accepted()
        self._chance.accepted(anew=place.sent_s >= self._cut_s)
        if place.sent_s >= self._cut_s:
            self._throttles = 0
        if 2 * max(place.beside, self._in_flight + 1) >= self._limit:
            step = 1.0 if self._limit < self._threshold else 1 / self._limit
            self._limit = min(float(self._concurrency), self._limit + step)
        if not place.read:
            self._ahead.answered(outcome.elapsed_s)
        if not place.read and self._latency.collapsed(outcome.elapsed_s, self._limit):
            self._cut(place, now_s)

    def _throttled(self, place: Place, outcome: Answer, now_s: float) -> None:
        asked_s, unheeded = asked_wait_s(outcome.headers, self.clock.now()), self._chance.unheeded
        if asked_s is not None:
            self._chance.heed()
        elif not self._chance.refused(anew=place.sent_s >= self._cut_s):
            self._throttles = 0
            if not unheeded:  # a trial begins with one in flight: where it fails, that costs little
                self._threshold, self._limit = self._limit, 1.0
            return
        if unheeded and self._chance.held:  # whatever was learned before is of old
            self._ceiling, unheeded = Ceiling(), False
        first, sent_per_s = not self._throttles, self._sent_per_s(now_s)
        fresh = self._cut(place, now_s)
        self._throttles += fresh
        own_s = self.clock.backoff_s(max(1, self._throttles), THROTTLE_BASE_S)
        if asked_s is None or self._throttles > 1:
            asked_s = max(asked_s or 0.0, own_s)
        self._close_gate(now_s, asked_s, "the API asked for a pause")
        if fresh and first and not unheeded:  # what was sent unheeded says nothing about the rate
            self._ceiling.refused(now_s, sent_per_s)
        self._ceiling.reopened(self._open_s)

    def _sent_per_s(self, now_s: float) -> float:
        """What was sent of late; infinite where a gate that was closed of late makes it look like less."""
        if 0 <= now_s - self._open_s < MEASURED_S:
            return math.inf
        return self._bucket.taken_per_s(now_s)

    def _close_gate(self, now_s: float, asked_s: float, why: str) -> None:
        wait_s = asked_s * (1 + GATE_JITTER * self.clock.random())
        if now_s + wait_s > self._open_s:
            self._open_s, self._gate_why = now_s + wait_s, why
            self._bucket.begin_anew(self._open_s)
        if wait_s > LONGEST_WAIT_S and self.gave_up is None:
            minutes = f"{wait_s / 60:.0f} minutes"
            hint = f"Carry on in {minutes}."
            self.gave_up = StoppedError(f"The API asks to wait {minutes} before anything is sent.", hint)

    def _cut(self, place: Place, now_s: float) -> bool:
        """Halve the window, once for what was in flight together; whether it was halved."""
        if place.sent_s < self._cut_s:
            return False
        self._cut_s = now_s
        self._limit = max(1.0, self._limit / 2)
        self._threshold = self._limit
        self._latency.forget()
        return True

    def _unreached(self, place: Place, explanation: str) -> None:
        if not self._outage.down:
            self._threshold = max(self._threshold, self._limit / 2)
            self._limit = 1.0
        self._outage.failed(place.sent_s, explanation)
        if self._outage.hopeless() and self.gave_up is None:
            self.gave_up = UnreachableError(explanation, "Check the base URL and the network, then carry on.")


def _admit(waiter: _Waiter, place: Place | None) -> None:
    if not waiter.admitted.done():
        waiter.admitted.set_result(place)

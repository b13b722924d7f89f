"""Group commit: many rows waiting for the disk share one commit.

One thread owns the ledger while rows are sent; whoever hands in a change waits until it is on disk. It must never
acknowledge before that, and when the ledger fails once, everything later fails too: nothing may be sent that was not
written down.
"""

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NamedTuple, ParamSpec, Self, TypeVar

from etl.errors import EtlError, LedgerError
from etl.ledger.leases import SEND_GUARD_S
from etl.ledger.ledger import Baseline, Change, Ledger, RowKey, State

T = TypeVar("T")
P = ParamSpec("P")

HEARTBEAT_S: Final = 10
"""A lease is renewed when nothing was recorded for so long."""


APART_S: Final = 0.01
"""Commits begin at least so far apart. A fast disk would else be given one for each row or two, and each of them costs
as much work as fifty rows do."""
BUSY_APART_S: Final = 0.02
BUSY_PER_S: Final = 2_000
"""The same once so many changes come in a second: then every row has many beside it, and hardly notices the wait."""


SMOOTHING: Final = 0.05


class _Rows(NamedTuple):
    changes: Sequence[Change]
    done: "asyncio.Future[None]"


class _Call(NamedTuple):
    ask: Callable[[], Any]
    done: "asyncio.Future[Any] | None"


_Waiting = _Rows | _Call


class Journal:
    """The ledger of one job, for an event loop. Use it as an async context manager.

    `on_failure` is called once, in the loop, when the ledger failed or the job was taken over. `takes_s` is how long it
    takes of late until a change is on disk.
    """

    def __init__(self, ledger: Ledger, job_id: str, on_failure: Callable[[LedgerError], None] | None = None) -> None:
        self.job_id = job_id
        self.on_failure = on_failure
        self.takes_s = 0.0
        self._ledger = ledger
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._failure: LedgerError | None = None
        self._renewed_s = -math.inf
        self._began_s = 0.0
        self._apart_s = APART_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def failure(self) -> LedgerError | None:
        """Why nothing is recorded any more."""
        return self._failure

    @property
    def last_renewed_s(self) -> float:
        """When, by the ledger's boot clock, the last commit or renewal began that is on disk."""
        return self._renewed_s

    def may_send(self) -> bool:
        """Whether the tables are surely still ours: a request that leaves now leaves before anybody may take them."""
        return self._failure is None and self._ledger.clock.boottime_s() - self._renewed_s < SEND_GUARD_S

    async def record(self, *changes: Change) -> None:
        """Return when the changes are on disk. Raises LedgerError when they are not."""
        if self._failure is not None:
            raise self._failure
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        since_s = loop.time()
        self._queue.put(_Rows(changes, done))
        await done
        self.takes_s += SMOOTHING * (loop.time() - since_s - self.takes_s)

    async def call(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What a method of the ledger returns, called in turn with the commits. Raises LedgerError."""
        if self._failure is not None:
            raise self._failure
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(_Call(lambda: function(*args, **named), done))
        return await done

    async def owned(self, ids: Collection[str]) -> set[str]:
        """See `Ledger.owned`."""
        return await self.call(self._ledger.owned, ids)

    async def in_doubt(self) -> set[RowKey]:
        """The rows of the job that are in doubt, as the ledger has them."""
        return await self.call(lambda: {one.key for one in self._ledger.rows(self.job_id, State.IN_DOUBT)})

    async def baseline(self, scope: str) -> Baseline | None:
        """See `Ledger.baseline`."""
        return await self.call(self._ledger.baseline, self.job_id, scope)

    async def keep_baseline(self, scope: str, baseline: Baseline) -> None:
        """See `Ledger.keep_baseline`."""
        await self.call(self._ledger.keep_baseline, self.job_id, scope, baseline)

    def _work(self) -> None:
        try:
            # The tables may have been held a while ago.
            self._answer(_Call(self._renew, None))
            while self._take_turn(self._waiting()):
                pass
        finally:
            # A thread that dies must not leave anybody waiting.
            self._fail(LedgerError("The ledger is closed."), tell=False)
            while not self._queue.empty():
                left = self._queue.get()
                if left is not None and left.done is not None:
                    self._tell([left.done], self._failure)

    def _waiting(self) -> list[_Waiting | None]:
        """Everything that is waiting now; nothing, when nothing came for a heartbeat."""
        try:
            waiting = [self._queue.get(timeout=HEARTBEAT_S)]
        except queue.Empty:
            return []
        time.sleep(max(0.0, self._began_s + self._apart_s - time.monotonic()))
        before_s, self._began_s = self._began_s, time.monotonic()
        while not self._queue.empty():
            waiting.append(self._queue.get())
        self._apart_s = BUSY_APART_S if len(waiting) > BUSY_PER_S * (self._began_s - before_s) else APART_S
        return waiting

    def _take_turn(self, waiting: Sequence[_Waiting | None]) -> bool:
        """Do what is waiting, in its order; False at the end."""
        rows: list[_Rows] = []
        for one in waiting:
            if isinstance(one, _Rows):
                rows.append(one)
                continue
            self._commit(rows)
            rows = []
            if one is None:
                return False
            self._answer(one)
        self._commit(rows)
        if self._failure is None and self._ledger.clock.boottime_s() - self._renewed_s >= HEARTBEAT_S:
            self._answer(_Call(self._renew, None))
        return True

    def _commit(self, rows: Sequence[_Rows]) -> None:
        def record() -> None:
            # Taken before the commit: a process that was stopped within it must not believe that it has just renewed.
            now_s = self._ledger.clock.boottime_s()
            self._ledger.record(self.job_id, [change for one in rows for change in one.changes])
            self._renewed_s = now_s

        if rows:
            self._guard(record, [one.done for one in rows])

    def _renew(self) -> None:
        now_s = self._ledger.clock.boottime_s()
        self._ledger.renew()
        self._renewed_s = now_s

    def _answer(self, call: _Call) -> None:
        self._guard(call.ask, [] if call.done is None else [call.done])

    def _guard(self, ask: Callable[[], Any], done: Sequence["asyncio.Future[Any]"]) -> None:
        """Ask the ledger, unless it has failed, and tell those who wait what came of it."""
        answer: Any = None
        error: EtlError | None = self._failure
        try:
            if error is None:
                error = LedgerError("The ledger stopped on an unexpected error.")
                answer = ask()
                error = None
        except EtlError as found:
            error = found
        finally:
            if isinstance(error, LedgerError):
                self._fail(error)
            if done:
                self._tell(done, error, answer)

    def _fail(self, failure: LedgerError, *, tell: bool = True) -> None:
        if self._failure is None:
            self._failure = failure
            if tell and self.on_failure is not None:
                self._in_loop(self.on_failure, failure)

    def _tell(self, waiting: Sequence["asyncio.Future[Any]"], error: EtlError | None, answer: object = None) -> None:
        """Wake those who wait, all at once: to reach into the loop costs more than a row does."""

        def tell() -> None:
            for done in waiting:
                if done.done():
                    continue
                if error is None:
                    done.set_result(answer)
                else:
                    done.set_exception(error)

        self._in_loop(tell)

    def _in_loop(self, function: Callable[..., None], *args: object) -> None:
        # A loop that has ended has nobody left to tell.
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *args)

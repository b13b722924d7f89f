"""The journal without its thread: what waits is committed in turns of the loop, between which anything may happen.

It must never do what the real one does not: the queue, the group commit, the lease and what a failure means are those
of `etl.ledger.Journal`; only who turns the handle is another.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

from etl.errors import LedgerError
from etl.ledger import Change, Journal, Ledger, State
from etl.ledger.journal import HEARTBEAT_S
from tests.simulation.loop import Process


class Doubts:
    """What became of rows in doubt, as the ledger was told: found, or proved absent."""

    def __init__(self) -> None:
        self.recovered = 0
        self.released = 0
        self._open: set[int] = set()

    def note(self, change: Change) -> None:
        """One change of a row."""
        row = change.key.row
        if change.state is State.SENDING:
            self._open.add(row)
        elif change.state is State.IN_DOUBT:
            self._open.add(-row)
        elif -row in self._open:
            self.recovered += change.state is State.CREATED
            self.released += change.state is State.PENDING
            self._open -= {row, -row}
        else:
            self._open.discard(row)

    def begin_life(self) -> None:
        """What was being sent when a process died is in doubt."""
        self._open |= {-row for row in self._open if row > 0}


class WatchedLedger:
    """A ledger whose disk may fill up, and that the dead cannot reach."""

    def __init__(self, ledger: Ledger, process: Process, doubts: Doubts, full_at: int | None = None) -> None:
        """`full_at`: after so many commits the disk is full."""
        self._ledger = ledger
        self._process = process
        self._doubts = doubts
        self._left = full_at

    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise LedgerError("The ledger cannot be written: the disk is full.")
        self._alive().record(job_id, changes)
        for change in changes:
            self._doubts.note(change)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._alive(), name)

    def _alive(self) -> Ledger:
        if not self._process.alive:
            raise AssertionError(f"{self._process.name} is dead and reaches for the ledger")
        return self._ledger


class _Line:
    """What waits to be committed, as a queue that one loop can wait for."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()
        self.news = asyncio.Event()

    def put(self, one: Any) -> None:
        self._waiting.append(one)
        self.news.set()

    def take(self) -> list[Any]:
        taken = list(self._waiting)
        self._waiting.clear()
        self.news.clear()
        return taken

    def empty(self) -> bool:
        return not self._waiting

    def get(self) -> Any:
        return self._waiting.popleft()


class InlineJournal(Journal):
    """See `Journal`."""

    def __init__(self, ledger: Ledger, job_id: str, random: Random) -> None:
        super().__init__(ledger, job_id)
        self._line = _Line()
        self._queue = self._line  # type: ignore[assignment]
        self._random = random
        self._turning: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._turning = asyncio.create_task(self._turn())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.put(None)
        if self._turning is not None:
            await self._turning

    async def _turn(self) -> None:
        """Turn after turn, as the thread does; each takes a moment before and after it."""
        going = True
        while going:
            try:
                await asyncio.wait_for(self._line.news.wait(), HEARTBEAT_S)
            except TimeoutError:
                going = self._take_turn([])
                continue
            await self._moment()
            going = self._take_turn(self._line.take())
            await self._moment()
        self._fail(LedgerError("The ledger is closed."), tell=False)

    async def _moment(self) -> None:
        """In which anything may happen: to others, or to this process."""
        await asyncio.sleep(self._random.random() * 0.02 if self._random.random() < 0.5 else 0)

"""Group commit: many rows waiting for the disk share one commit.

One thread owns the ledger; whoever hands in a change waits until it is on disk. It must never acknowledge before that,
and when the ledger fails once, every later change fails too: nothing may be sent that was not written down.
"""

import asyncio
import queue
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from etl.errors import LedgerError
from etl.ledger.ledger import Change, Ledger


class _Waiting(NamedTuple):
    changes: Sequence[Change]
    done: "asyncio.Future[None]"


class Journal:
    """The ledger of one job, for an event loop. Use it as an async context manager."""

    def __init__(self, ledger: Ledger, job_id: str) -> None:
        self._ledger = ledger
        self._job_id = job_id
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._failure: LedgerError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def record(self, *changes: Change) -> None:
        """Return when the changes are on disk. Raises LedgerError when they are not."""
        if self._failure is not None:
            raise self._failure
        done = asyncio.get_running_loop().create_future()
        self._queue.put(_Waiting(changes, done))
        await done

    def _write(self) -> None:
        try:
            while (group := self._next_group()) and None not in group:
                self._commit(group)
            self._commit(group)
        finally:
            # A thread that dies must not leave anybody waiting.
            self._failure = self._failure or LedgerError("The ledger is closed.")
            while not self._queue.empty():
                self._commit([self._queue.get()])

    def _next_group(self) -> list[_Waiting | None]:
        """Everything that is waiting now, at least one; None marks the end."""
        group = [self._queue.get()]
        while group[-1] is not None and not self._queue.empty():
            group.append(self._queue.get())
        return group

    def _commit(self, group: list[_Waiting | None]) -> None:
        waiting = [one for one in group if one is not None]
        committed = False
        try:
            if waiting and self._failure is None:
                self._ledger.record(self._job_id, [change for one in waiting for change in one.changes])
            committed = True
        except LedgerError as error:
            self._failure = error
        finally:
            if not committed and self._failure is None:
                self._failure = LedgerError("The ledger stopped on an unexpected error.")
            if waiting and self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._tell, waiting, self._failure)

    @staticmethod
    def _tell(group: list[_Waiting], failure: LedgerError | None) -> None:
        for waiting in group:
            if waiting.done.cancelled():
                continue
            if failure is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(failure)

"""Rows on the wire: each is written down, sent at most once at a time, and ends in exactly one outcome.

It must never know files or columns. A job that has to stop does not raise here: the rows that were not sent come out as
`pending`, and `stopped` says why.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from etl.api import Answer, Api, NoAnswer, refusal_of
from etl.api.answers import Cause
from etl.errors import EtlError, LedgerError, StoppedError, UnreachableError
from etl.ledger import Change, Journal, RowKey, State
from etl.problems import Code
from etl.report import Outcome
from etl.resources import Resource
from etl.writer.pace import Clock, Pace
from etl.writer.policy import Meaning, meaning_of, stored_id
from etl.writer.watch import Watch

MAX_ATTEMPTS = 6
"""How often a row is tried before it stays pending; waits for a 429 are not counted."""
WINDOW_ROWS = 2_000
"""How many rows may be finished behind one that is slow: this bounds memory, not speed."""
LONGEST_WAIT_S = 15 * 60
"""A longer wait than this, asked for by the API, ends the job: nobody sits before it that long."""
LEAVE_AFTER_S = 10.0
"""How long requests in flight may take after a stop was asked for."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row to create. `parents`: the (field, id) pairs that name resources it needs (a test set, an agent)."""

    key: RowKey
    body: bytes
    parents: tuple[tuple[str, str], ...] = ()

    @property
    def body_sha256(self) -> bytes:
        """32 bytes that tell whether the same row was sent before with the same body."""
        return hashlib.sha256(self.body).digest()


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a row. `code`, `field` and `message` explain why it was not created."""

    key: RowKey
    outcome: Outcome
    resource_id: str | None = None
    attempts: int = 0
    http_status: int | None = None
    code: Code | None = None
    field: str | None = None
    message: str = ""


@dataclass(slots=True)
class Traffic:
    """What went over the wire: requests sent, of which repeated, and the replies by status."""

    sent: int = 0
    retried: int = 0
    by_status: Counter[int] = field(default_factory=Counter)


_Promise = asyncio.Future[Delivered]
_STATES = {Outcome.CREATED: State.CREATED, Outcome.FAILED: State.FAILED, Outcome.PENDING: State.PENDING}


class Delivery:
    """Sends the rows of one resource. `stop` may be called at any time, from the same event loop."""

    def __init__(
        self,
        api: Api,
        journal: Journal,
        resource: Resource,
        pace: Pace,
        concurrency: int,
        *,
        watch: Watch | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.stopped: EtlError | None = None
        self.traffic = Traffic()
        self._api = api
        self._journal = journal
        self._resource = resource
        self._pace = pace
        self._concurrency = concurrency
        self._watch = watch or Watch()
        self._clock = clock or Clock()
        self._requesting: set[asyncio.Task[None]] = set()
        self._leaving = False
        self._missing_parents: set[tuple[str, str]] = set()

    def stop(self, reason: EtlError) -> None:
        """Send no new rows; requests in flight have 10 s to finish. The first reason is kept."""
        if self.stopped is None:
            self.stopped = reason
            self._pace.close()
            asyncio.get_running_loop().call_later(LEAVE_AFTER_S, self._leave)

    def _leave(self) -> None:
        self._leaving = True
        for task in self._requesting:
            task.cancel()

    async def deliver(self, rows: AsyncIterator[Outgoing], receive: Callable[[Delivered], None]) -> None:
        """Send every row; `receive` is told each row's outcome once, in the order of the rows.

        Raises what `rows` and `receive` raise.
        """
        promises: asyncio.Queue[_Promise | None] = asyncio.Queue(WINDOW_ROWS)
        work: asyncio.Queue[tuple[Outgoing, _Promise] | None] = asyncio.Queue(self._concurrency)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hand_out(rows, promises, work))
                for _ in range(self._concurrency):
                    tasks.create_task(self._work(work))
                while (promise := await promises.get()) is not None:
                    receive(await promise)
        except ExceptionGroup as group:
            raise _first_of(group) from None

    async def _hand_out(
        self,
        rows: AsyncIterator[Outgoing],
        promises: asyncio.Queue[_Promise | None],
        work: asyncio.Queue[tuple[Outgoing, _Promise] | None],
    ) -> None:
        loop = asyncio.get_running_loop()
        async for row in rows:
            promise: _Promise = loop.create_future()
            await promises.put(promise)
            await work.put((row, promise))
        await promises.put(None)
        for _ in range(self._concurrency):
            await work.put(None)

    async def _work(self, work: asyncio.Queue[tuple[Outgoing, _Promise] | None]) -> None:
        while (taken := await work.get()) is not None:
            row, promise = taken
            promise.set_result(await self._send(row))

    async def _send(self, row: Outgoing) -> Delivered:
        """One row to its end."""
        attempts = 0
        while self.stopped is None and attempts < MAX_ATTEMPTS:
            missing = next((parent for parent in row.parents if parent in self._missing_parents), None)
            if missing is not None:
                return _without_parent(row, attempts, *missing)
            sent_s, outcome = await self._attempt(row)
            if outcome is None:
                break
            meaning = meaning_of(outcome, self._resource)
            if meaning is Meaning.WAIT and isinstance(outcome, Answer):
                self._stop_at_long_wait(self._pace.throttle(outcome.headers, sent_s))
                self.traffic.retried += 1
                await self._note(Change(row.key, State.PENDING, attempts=attempts))
                continue
            attempts += 1
            if meaning is not Meaning.AGAIN:
                return await self._settle(row, attempts, meaning, outcome)
            await self._note(Change(row.key, State.PENDING, attempts=attempts))
            if attempts == MAX_ATTEMPTS:
                self.stop(_unreachable(outcome))
            else:
                self.traffic.retried += 1
                await self._pace.pause(self._clock.backoff_s(attempts))
        return Delivered(row.key, Outcome.PENDING, attempts=attempts)

    def _stop_at_long_wait(self, wait_s: float) -> None:
        if wait_s > LONGEST_WAIT_S:
            hint = f"Import the same files again in {wait_s / 60:.0f} minutes to carry on."
            self.stop(StoppedError(f"The API asks to wait {wait_s / 60:.0f} minutes before anything is sent.", hint))

    async def _attempt(self, row: Outgoing) -> tuple[float, Answer | NoAnswer | None]:
        """One request, its intent on disk before a connection is asked for. None: a stop came first."""
        await self._pace.enter()
        outcome: Answer | NoAnswer | None = None
        sent_s = 0.0
        try:
            if self.stopped is None and await self._note(Change(row.key, State.SENDING, body_sha256=row.body_sha256)):
                sent_s = self._clock.monotonic_s()
                outcome = await self._request(row)
                self.traffic.sent += 1
                if isinstance(outcome, Answer):
                    self.traffic.by_status[outcome.status] += 1
            return sent_s, outcome
        finally:
            await self._pace.leave(clean=isinstance(outcome, Answer) and outcome.status < 429)

    async def _request(self, row: Outgoing) -> Answer | NoAnswer:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request needs a task")
        self._requesting.add(task)
        try:
            return await self._api.request("POST", self._resource.path, row.body)
        except asyncio.CancelledError:
            if not self._leaving:
                raise
            task.uncancel()
            return NoAnswer(sent=True, cause=Cause.BROKEN, explanation="No answer before the job had to stop.")
        finally:
            self._requesting.discard(task)

    async def _settle(self, row: Outgoing, attempts: int, meaning: Meaning, outcome: Answer | NoAnswer) -> Delivered:
        """The end of a row whose request had an outcome: explained, written down, watched."""
        delivered = _explain(row, attempts, meaning, outcome, self._resource)
        if delivered.http_status == 404:
            self._missing_parents.update(_blamed(row, delivered.field))
        state = _STATES.get(delivered.outcome, State.IN_DOUBT)
        evidence = delivered.message or None
        await self._note(Change(row.key, state, None, delivered.resource_id, attempts, evidence))
        reason = self._watch.reason_to_stop(meaning, delivered.http_status, delivered.message)
        if reason is not None:
            self.stop(reason)
        return delivered

    async def _note(self, change: Change) -> bool:
        """Write a change down; False when that failed. A ledger that fails stops the job."""
        try:
            await self._journal.record(change)
        except LedgerError as error:
            self.stop(error)
            return False
        return True


def _first_of(group: ExceptionGroup) -> Exception:
    """The one error to show: what stopped the others is the first."""
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first


def _explain(
    row: Outgoing, attempts: int, meaning: Meaning, outcome: Answer | NoAnswer, resource: Resource
) -> Delivered:
    """The outcome of a row in the report's words."""
    status = outcome.status if isinstance(outcome, Answer) else None
    if meaning is Meaning.STORED and isinstance(outcome, Answer):
        return Delivered(row.key, Outcome.CREATED, stored_id(outcome.body, resource), attempts, status)
    if meaning in {Meaning.REFUSED, Meaning.FORBIDDEN} and isinstance(outcome, Answer):
        refusal = refusal_of(outcome)
        words = f"The API refused it ({status}): {refusal.message}"
        return Delivered(row.key, Outcome.FAILED, None, attempts, status, Code.API_REFUSED, refusal.field, words)
    if meaning in {Meaning.KEY_REFUSED, Meaning.TLS}:
        words = outcome.explanation if isinstance(outcome, NoAnswer) else ""
        return Delivered(row.key, Outcome.PENDING, None, attempts, status, message=words)
    if isinstance(outcome, NoAnswer):
        words = f"{outcome.explanation} The row may have been stored all the same."
    elif meaning is Meaning.STORED_WITHOUT_ID:
        words = f"The API answered {status} without an id: the row was stored, but its id is not known."
    else:
        words = f"The API answered {status}: the row may have been stored all the same."
    return Delivered(row.key, Outcome.IN_DOUBT, None, attempts, status, Code.IN_DOUBT, None, words)


def _blamed(row: Outgoing, named: str | None) -> list[tuple[str, str]]:
    """The parents that a 404 says do not exist: the one it names, or the only one there is."""
    if named is None and len(row.parents) == 1:
        return list(row.parents)
    return [parent for parent in row.parents if parent[0] == named]


def _without_parent(row: Outgoing, attempts: int, name: str, parent: str) -> Delivered:
    words = f"{name} {parent} does not exist (the API said so for another row), so this row was not sent."
    return Delivered(row.key, Outcome.FAILED, None, attempts, None, Code.MISSING_PARENT, name, words)


def _unreachable(outcome: Answer | NoAnswer) -> EtlError:
    if isinstance(outcome, NoAnswer):
        return UnreachableError(outcome.explanation, "Check the base URL and the network, then import again.")
    return StoppedError("A row could not be sent in six attempts.", "Try again later.")

"""Sending one row to the end of what can be known: written down before, asked once, explained after.

It must never know other rows, and never sends a row again without proof that the earlier request had no effect.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from etl.api import (
    MAX_ATTEMPTS,
    Answer,
    Api,
    Cause,
    Meaning,
    NoAnswer,
    Pace,
    Place,
    Repeat,
    meaning_of,
    refusal_of,
    stored_id,
)
from etl.crashpoints import reach
from etl.errors import EtlError, LedgerError, StoppedError
from etl.ledger import Change, Journal, RowKey, State
from etl.problems import Code
from etl.report import Outcome
from etl.resources import Resource
from etl.writer.likeness import version_of
from etl.writer.marks import mark_of, marked
from etl.writer.reconciling import Doubt
from etl.writer.rows import Delivered, Outgoing, Traffic
from etl.writer.spelling import Spelling
from etl.writer.watch import DOUBTFUL, Watch

_REFUSALS = frozenset({Meaning.REFUSED, Meaning.FORBIDDEN, Meaning.CONFLICT, Meaning.MISPLACED})
_STATES = {
    Outcome.CREATED: State.CREATED,
    Outcome.UPDATED: State.UPDATED,
    Outcome.FAILED: State.FAILED,
    Outcome.PENDING: State.PENDING,
}


class Sender:
    """Sends rows of one resource, one at a time for each caller. `stop` may be called at any time."""

    def __init__(
        self, api: Api, journal: Journal, resource: Resource, pace: Pace, watch: Watch, spelling: Spelling
    ) -> None:
        self.stopped: EtlError | None = None
        self.traffic = Traffic()
        self.on_stop: Callable[[], None] = lambda: None
        self._api = api
        self._journal = journal
        self._resource = resource
        self._pace = pace
        self._watch = watch
        self._spelling = spelling
        self._requesting: set[asyncio.Task[None]] = set()
        self._leaving = False
        self.under_way: dict[RowKey, bytes] = {}
        """The bodies of the rows that are being sent, or wait for their turn."""
        self._unsettled: set[RowKey] = set()
        self._all_settled = asyncio.Event()
        self._missing_parents: set[tuple[str, str]] = set()

    def stop(self, reason: EtlError) -> None:
        """Send no new rows. The first reason is kept."""
        if self.stopped is None:
            self.stopped = reason
            self._pace.close()
            self.on_stop()

    def leave(self) -> None:
        """Wait no longer for the requests in flight: their rows are in doubt."""
        self._leaving = True
        for task in self._requesting:
            task.cancel()

    def body_of(self, row: Outgoing) -> bytes:
        """The body as it is sent: with its mark in it, where the resource has a place for one."""
        body = self._spelling.spell(self._resource, row.body)
        return marked(self._resource, body, self._journal.job_id, row.key)

    async def send(self, row: Outgoing, attempts: int = 0) -> Delivered | Doubt:
        """One row, until it is stored, refused, in doubt, or the job stops. `attempts`: those before."""
        self.under_way[row.key] = self.body_of(row)
        try:
            return await self._send(row, attempts)
        finally:
            del self.under_way[row.key]

    async def _send(self, row: Outgoing, attempts: int) -> Delivered | Doubt:
        first_s: float | None = None
        while self.stopped is None:
            if attempts >= MAX_ATTEMPTS:
                self.stop(
                    StoppedError(
                        f"A row could not be sent in {MAX_ATTEMPTS} attempts.", "Try again with coval-etl resume."
                    )
                )
                break
            try:
                sent_s, outcome = await self._attempt(row)
                body = self.under_way[row.key]
                if outcome is None:
                    missing = self._missing_parent(row)
                    if missing is None:
                        break
                    return await self._settle(_without_parent(row, attempts, *missing))
                first_s = sent_s if first_s is None else first_s
                usable = isinstance(outcome, Answer) and bool(self._id_in(outcome))
                meaning = meaning_of("POST", outcome, usable=usable)
                respell = self._wants_other_spelling(outcome, body)
                if not respell and meaning not in {Meaning.WAIT, Meaning.AGAIN}:
                    over_s = self._pace.clock.monotonic_s()
                    return await self._end(row, body, attempts + 1, meaning, outcome, over_s, first_s)
                words = outcome.explanation if isinstance(outcome, NoAnswer) else None
                await self.note(Change(row.key, State.PENDING, attempts=attempts, evidence=words))
            finally:
                self._unsettled.discard(row.key)
                if not self._unsettled:
                    self._all_settled.set()
            self.traffic.retried += 1
            if meaning is Meaning.WAIT:
                reach("waiting-for-the-gate")
                self.pays_for_repeat(Repeat.THROTTLE)
        return Delivered(row.key, Outcome.PENDING, attempts=attempts)

    def _missing_parent(self, row: Outgoing) -> tuple[str, str] | None:
        return next((parent for parent in row.parents if parent in self._missing_parents), None)

    def _wants_other_spelling(self, outcome: Answer | NoAnswer, body: bytes) -> bool:
        """Whether the API refused a row for the contract that its body is spelled in. It stored nothing then."""
        return isinstance(outcome, Answer) and self._spelling.learns_from(self._resource, outcome, body)

    async def settled(self) -> None:
        """Wait until what came of every request that is over is written down. Of use while nobody may send."""
        while self._unsettled:
            await self._all_settled.wait()

    def pays_for_repeat(self, repeat: Repeat = Repeat.TRANSIENT) -> bool:
        """Whether one more repeat is affordable; the job stops where it is not."""
        if self._pace.budget.spend(repeat):
            return True
        self.stop(StoppedError("Too many requests had to be sent again.", "Carry on later with coval-etl resume."))
        return False

    async def _attempt(self, row: Outgoing) -> tuple[float, Answer | NoAnswer | None]:
        """One request, its intent on disk before a connection is asked for. None: a stop came first, or the parent that
        the row needs turned out not to exist.
        """
        place = await self._turn_of(row)
        if place is None:
            if self._pace.gave_up is not None:
                self.stop(self._pace.gave_up)
            return 0.0, None
        self._unsettled.add(row.key)
        self._all_settled.clear()
        outcome: Answer | NoAnswer | None = None
        try:
            if self._missing_parent(row) is not None:  # another row was told so meanwhile
                return 0.0, None
            if not await self._pace.clear(place):
                await self.note(Change(row.key, State.PENDING))
                return 0.0, None
            if not self._journal.may_send() and not await self._intend(row):  # its turn came late
                return 0.0, None
            if self._spelling.changed:  # perhaps while this row waited
                self.under_way[row.key] = self.body_of(row)
            outcome = await self._request(self.under_way[row.key])
            reach("answered")
            self.traffic.sent += 1
            if isinstance(outcome, Answer):
                self.traffic.by_status[outcome.status] += 1
            return place.sent_s, outcome
        finally:
            self._pace.leave(place, outcome)

    async def _turn_of(self, row: Outgoing) -> Place | None:
        """A place for a row whose intent is on disk by then: no place is held by what waits for the disk."""
        async with self._pace.preparing(self._journal.takes_s) as may_go:
            if not may_go or self.stopped is not None or self._missing_parent(row) is not None:
                return None
            if not await self._intend(row):
                return None
            place = await self._pace.enter()
            if place is None:
                await self.note(Change(row.key, State.PENDING))
            return place

    async def _intend(self, row: Outgoing) -> bool:
        """Write down that the row is about to be sent; False where that failed. Again where it took too long."""
        reach("before-intent")
        intent = Change(row.key, State.SENDING, body_sha256=row.body_sha256)
        written = await self.note(intent)
        while written and not self._journal.may_send():
            written = await self.note(intent)
        reach("intent-recorded")
        return written

    async def _request(self, body: bytes) -> Answer | NoAnswer:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request needs a task")
        self._requesting.add(task)
        try:
            return await self._api.request("POST", self._resource.path, body)
        except asyncio.CancelledError:
            if not self._leaving:
                raise
            task.uncancel()
            return NoAnswer(sent=True, cause=Cause.BROKEN, explanation="No answer before the job had to stop.")
        finally:
            self._requesting.discard(task)

    async def _end(
        self,
        row: Outgoing,
        body: bytes,
        attempts: int,
        meaning: Meaning,
        outcome: Answer | NoAnswer,
        sent_s: float,
        first_s: float,
    ) -> Delivered | Doubt:
        """The request had an outcome: explained, written down, watched."""
        reach("before-outcome")
        status = outcome.status if isinstance(outcome, Answer) else None
        delivered = self._explain(row, attempts, meaning, outcome)
        if status == 404:
            self._missing_parents.update(_blamed(row, delivered.field))
        reason = self._watch.reason_to_stop(meaning, status, delivered.message)
        version = self._version_in(outcome) if meaning is Meaning.STORED and isinstance(outcome, Answer) else None
        if meaning is Meaning.STORED and isinstance(outcome, Answer):
            self._spelling.stored(self._resource, outcome.body[self._resource.singular])
        if reason is not None:
            self.stop(reason)
        if meaning in DOUBTFUL:
            await self.note(change_of(delivered))
            stored = meaning is Meaning.STORED_WITHOUT_ID
            return Doubt(row, body, attempts, sent_s, first_s, delivered.message, status, stored=stored)
        if meaning is Meaning.CONFLICT and attempts > 1 and mark_of(self._resource, _fields(body)):
            await self.note(change_of(Delivered(row.key, Outcome.IN_DOUBT, attempts=attempts, http_status=status)))
            return Doubt(row, body, attempts, sent_s, first_s, delivered.message, status, instead=delivered)
        return await self._settle(delivered, version)

    async def _settle(self, delivered: Delivered, version: str | None = None) -> Delivered:
        await self.note(change_of(delivered, version))
        reach("outcome-recorded")
        return delivered

    async def note(self, *changes: Change) -> bool:
        """Write changes down; False when that failed. A ledger that fails stops the job."""
        try:
            await self._journal.record(*changes)
        except LedgerError as error:
            self.stop(error)
            return False
        return True

    def _id_in(self, answer: Answer) -> str | None:
        return stored_id(answer.body, self._resource)

    def _version_in(self, answer: Answer) -> str | None:
        return version_of(answer.body.get(self._resource.singular) or {})

    def _explain(self, row: Outgoing, attempts: int, meaning: Meaning, outcome: Answer | NoAnswer) -> Delivered:
        """The outcome of a request in the report's words."""
        status = outcome.status if isinstance(outcome, Answer) else None
        if meaning is Meaning.STORED and isinstance(outcome, Answer):
            return Delivered(row.key, Outcome.CREATED, self._id_in(outcome), attempts, status)
        if meaning in _REFUSALS and isinstance(outcome, Answer):
            refusal = refusal_of(outcome)
            words = f"The API refused it ({status}): {refusal.message}"
            return Delivered(row.key, Outcome.FAILED, None, attempts, status, Code.API_REFUSED, refusal.field, words)
        if meaning not in DOUBTFUL:
            words = outcome.explanation if isinstance(outcome, NoAnswer) else ""
            return Delivered(row.key, Outcome.PENDING, None, attempts, status, message=words)
        if isinstance(outcome, NoAnswer):
            words = f"{outcome.explanation} The row may have been stored all the same."
        elif meaning is Meaning.STORED_WITHOUT_ID:
            words = f"The API answered {status} without an id: the row was stored, but its id is not known."
        else:
            words = f"The API answered {status}: the row may have been stored all the same."
        return Delivered(row.key, Outcome.IN_DOUBT, None, attempts, status, Code.IN_DOUBT, None, words)


def change_of(delivered: Delivered, version: str | None = None) -> Change:
    """What the ledger keeps of an outcome."""
    return Change(
        delivered.key,
        _STATES.get(delivered.outcome, State.IN_DOUBT),
        resource_id=delivered.resource_id,
        attempts=delivered.attempts,
        evidence=delivered.message or None,
        http_status=delivered.http_status,
        code=delivered.code,
        field=delivered.field,
        version=version,
    )


def _fields(body: bytes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(body)
    return found


def _blamed(row: Outgoing, named: str | None) -> list[tuple[str, str]]:
    """The parents that a 404 says do not exist: the one it names, or the only one there is."""
    if named is None and len(row.parents) == 1:
        return list(row.parents)
    return [parent for parent in row.parents if parent[0] == named]


def _without_parent(row: Outgoing, attempts: int, name: str, parent: str) -> Delivered:
    words = f"{name} {parent} does not exist (the API said so for another row), so this row was not sent."
    return Delivered(row.key, Outcome.FAILED, None, attempts, None, Code.MISSING_PARENT, name, words)

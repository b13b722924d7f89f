"""Mistakes that somebody could make in the writer and the ledger, planted on purpose: the simulation must find each.

A proof that nothing can fail proves nothing. Each mutant is a small patch for as long as its context lasts; it must
never touch the simulation itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import wraps
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from etl.api import Answer, Api, Cause, NoAnswer
from etl.errors import EtlError, LedgerError
from etl.ledger import Baseline, Change, Journal, State
from etl.ledger.leases import Holder, Leases
from etl.ledger.schema import rows
from etl.ledger.sql import SqlLedger
from etl.report import Outcome
from etl.writer import Delivered, reconciling
from etl.writer.delivery import Delivery
from etl.writer.matching import Matches
from etl.writer.matching import match as real_match
from etl.writer.reconciling import Reconciler
from etl.writer.scopes import Scopes
from etl.writer.sending import Sender, change_of
from tests.simulation.plan import Life, Plan, draw_plan

Mutant = Callable[[], AbstractContextManager[Any]]


@contextmanager
def intent_after_send() -> Iterator[None]:
    """The ledger hears of a request when it is over: who dies in between leaves no trace of it."""
    intend, request = Sender._intend, Sender._request
    rows_by_task: dict[Any, Any] = {}

    async def later(self: Sender, row: Any) -> bool:
        rows_by_task[asyncio.current_task()] = row
        return True

    async def then(self: Sender, body: bytes) -> Any:
        outcome = await request(self, body)
        await intend(self, rows_by_task.pop(asyncio.current_task()))
        return outcome

    with patch.object(Sender, "_intend", later), patch.object(Sender, "_request", then):
        yield


@contextmanager
def no_baseline() -> Iterator[None]:
    """What was there before counts as made by the job."""

    async def nothing(self: Scopes, scope: Any) -> None:
        if await self._journal.baseline(scope.name) is None:
            await self._journal.keep_baseline(scope.name, Baseline(()))

    with patch.object(Scopes, "keep_baseline", nothing):
        yield


@contextmanager
def one_list_only() -> Iterator[None]:
    """What one list does not show is not there."""
    add = Reconciler.add

    def convinced(self: Reconciler, doubt: Any) -> None:
        doubt.absent_s = float("-inf")
        add(self, doubt)

    with patch.object(Reconciler, "add", convinced):
        yield


@contextmanager
def partial_list_trusted() -> Iterator[None]:
    """A list that broke off is taken for the whole."""
    pages = Api.pages

    async def what_there_was(self: Api, *asked: Any) -> AsyncIterator[Any]:
        try:
            async for page in pages(self, *asked):
                yield page
        except EtlError:
            return

    with patch.object(Api, "pages", what_there_was):
        yield


@contextmanager
def settle_0() -> Iterator[None]:
    """Whatever is not there now never will be."""
    begin = Delivery.__init__

    @wraps(begin)
    def hasty(self: Delivery, *args: Any, **named: Any) -> None:
        begin(self, *args, **(named | {"settle_s": 0.0}))

    with patch.object(Delivery, "__init__", hasty):
        yield


@contextmanager
def claim_in_two_steps() -> Iterator[None]:
    """That a row was found is written down first, and what it became afterwards."""

    async def claim(self: Delivery, found: Any, told: Any) -> None:
        for verdict in found:
            id_ = str(verdict.item[self._resource.id_field])
            one = Delivered(verdict.doubt.row.key, Outcome.CREATED, id_, verdict.doubt.attempts)
            await self._journal.record(Change(one.key, State.CREATED, attempts=one.attempts))
            await self._journal.record(change_of(one))
            told.known(one)

    with patch.object(Delivery, "_claim", claim):
        yield


def _believe_unsent(of: Callable[[Any], bool]) -> AbstractContextManager[Any]:
    request = Sender._request

    async def believe(self: Sender, body: bytes) -> Any:
        outcome = await request(self, body)
        return NoAnswer(False, Cause.CONNECT, "Surely not.") if of(outcome) else outcome

    return patch.object(Sender, "_request", believe)


def retry_on_500() -> AbstractContextManager[Any]:
    """A server that is not well has done nothing."""
    return _believe_unsent(lambda outcome: isinstance(outcome, Answer) and outcome.status >= 500)


def retry_on_reset() -> AbstractContextManager[Any]:
    """A connection that broke has carried nothing."""
    return _believe_unsent(lambda outcome: isinstance(outcome, NoAnswer) and outcome.cause is Cause.BROKEN)


@contextmanager
def intent_is_nothing_on_open() -> Iterator[None]:
    """What was being sent when a process died was not sent."""
    hold = SqlLedger.hold

    def forget(self: SqlLedger, job_id: str, tables: Any) -> Any:
        sending = sa.update(rows).where(rows.c.state == State.SENDING.value).values(state=State.PENDING.value)
        self._store.run(lambda connection: connection.execute(sending), writes=True)
        return hold(self, job_id, tables)

    with patch.object(SqlLedger, "hold", forget):
        yield


@contextmanager
def lease_not_checked() -> Iterator[None]:
    """Whoever comes may work on the job."""
    with (
        patch.object(Holder, "is_free", lambda *_: True),
        patch.object(Leases, "prove", lambda *_: None),
        patch.object(Journal, "may_send", lambda *_: True),
    ):
        yield


@contextmanager
def dedupe_by_content() -> Iterator[None]:
    """Of equal rows one is enough."""

    def as_a_set(wanted: Any, items: Any, likeness: Any, resource: Any) -> Matches:
        matches = real_match(wanted, items, likeness, resource)
        by_content: dict[Any, Mapping[str, Any]] = {}
        for one in wanted:
            if one.key in matches.found:
                by_content[likeness.key(likeness.fields(one.body))] = matches.found[one.key]
        found = dict(matches.found)
        for one in wanted:
            item = by_content.get(likeness.key(likeness.fields(one.body)))
            if item is not None:
                found.setdefault(one.key, item)
        return replace(matches, found=found)

    with patch.object(reconciling, "match", as_a_set):
        yield


@contextmanager
def full_disk_ignored() -> Iterator[None]:
    """What could not be written down is as good as written."""

    async def note(self: Sender, *changes: Change) -> bool:
        with suppress(LedgerError):
            await self._journal.record(*changes)
        return True

    def deaf(self: Journal, failure: LedgerError, *, tell: bool = True) -> None:
        """Nobody is told."""

    with patch.object(Sender, "note", note), patch.object(Journal, "_fail", deaf):
        yield


def twins_not_waited_for() -> AbstractContextManager[Any]:
    """Whatever is in flight is another row than the one that is looked for."""
    return patch.object(Reconciler, "tells_apart", lambda _self, _rows: True)


def stormy(seed: int) -> Plan:
    """A job in which a third of all requests go wrong."""
    return draw_plan(seed, stormy=0.35)


def stormy_and_killed_in_between(seed: int) -> Plan:
    """The same jobs from where one is: a kill has to come between two changes of the ledger, as in one of 180."""
    return stormy(seed + 400)


def of_few_texts(seed: int) -> Plan:
    """The same, of rows that are nearly all equal."""
    plan = stormy(seed)
    return replace(plan, bodies=tuple(plan.bodies[number % 2] for number in range(len(plan.bodies))))


def of_short_pages(seed: int) -> Plan:
    """The same, with lists in pages of three that often break off."""
    plan = stormy(seed)
    get = {"token-forgotten": 0.5}
    return replace(plan, weather=replace(plan.weather, get=get, page_most=3, outages=()), resource=plan.resource)


def of_shifting_pages(seed: int) -> Plan:
    """The same, with lists in short pages that shift, because somebody deletes what they made meanwhile."""
    plan = stormy(seed)
    weather = replace(
        plan.weather, get={}, page_most=3, paging="offset", deletion=0.3, deletions=4, bustle_s=1.0, outages=()
    )
    return replace(plan, weather=weather)


def of_a_full_disk(seed: int) -> Plan:
    """The same, where the ledger's disk is full soon, and the job is typed again when it has ended."""
    return replace(stormy(seed), lives=(Life(full_at=6),), typed_again=True)


def of_twins_that_are_slow(seed: int) -> Plan:
    """Nearly equal rows, some of which take long, and some of which are in doubt meanwhile."""
    plan = of_few_texts(seed)
    slow = replace(plan.weather, get={}, post={"reset-before": 0.15}, outages=(), latency_s=(0.05, 20.0))
    return replace(plan, weather=replace(slow, late_s=0.0, lag_s=0.5), settle_s=1.5, concurrency=16, lives=())


MUTANTS: Mapping[str, tuple[Mutant, Callable[[int], Plan]]] = {
    "intent after send": (intent_after_send, stormy),
    "no baseline": (no_baseline, stormy),
    "one list only": (one_list_only, of_shifting_pages),
    "partial list trusted": (partial_list_trusted, of_short_pages),
    "settle 0": (settle_0, stormy),
    "claim not transactional": (claim_in_two_steps, stormy_and_killed_in_between),
    "retry on 500": (retry_on_500, stormy),
    "retry on reset": (retry_on_reset, stormy),
    "intent is nothing on open": (intent_is_nothing_on_open, stormy),
    "lease not checked": (lease_not_checked, stormy),
    "dedupe by content only": (dedupe_by_content, of_few_texts),
    "outcome ignored on full disk": (full_disk_ignored, of_a_full_disk),
    "twins in flight not waited for": (twins_not_waited_for, of_twins_that_are_slow),
}
"""The twelve of the scoring sheet and one of our own, each with the jobs in which it shows soonest."""

"""Rows on the wire: many at once, each to exactly one outcome; those in doubt are looked for while others are sent.

It must never know files or columns. A job that has to stop does not raise here: the rows that were not sent come out as
`pending`, and `stopped` says why.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from etl.api import Api
from etl.crashpoints import reach
from etl.errors import (
    EtlError,
    KeyRefusedError,
    StoppedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from etl.ledger import Change, Journal, State
from etl.problems import Code
from etl.report import Outcome
from etl.resources import Contract, Resource
from etl.writer.likeness import version_of
from etl.writer.reconciling import Doubt, Finding, Reconciler, Verdict
from etl.writer.rows import Delivered, InDoubt, Outgoing, Traffic
from etl.writer.scopes import Scope, Scopes, scope_of
from etl.writer.sending import Sender, change_of
from etl.writer.spelling import Spelling
from etl.writer.telling import Told
from etl.writer.updating import Updater
from etl.writer.watch import Watch

SETTLE_S = 60.0
"""After so long a request has taken effect or never will, and a list shows what exists (delivery page)."""
WINDOW_ROWS = 2_000
"""How many rows may be finished behind one that is slow: this bounds memory, not speed."""
BESIDE = 64
"""How many rows, beside twice those on the wire, may be on their way to the ledger: before a request and after it."""
LEAVE_AFTER_S = 10.0
"""How long requests in flight may take after a stop was asked for."""
PAUSES = 3
"""So often running sending may be paused for doubts without one clear outcome in between."""
PATIENCE_S = 300.0
"""How long listing is tried before the job stops."""
FORBIDDEN = 403
"""A single one is the row's fault, three running are the key's: which it is shows later."""

_Promise = asyncio.Future[Delivered]


class Delivery:
    """Sends the rows of one resource. `stop` may be called at any time, from the same event loop."""

    def __init__(  # noqa: PLR0913  (what a delivery needs, each from another room)
        self,
        api: Api,
        journal: Journal,
        resource: Resource,
        contract: Contract,
        concurrency: int,
        *,
        watch: Watch | None = None,
        spelling: Spelling | None = None,
        settle_s: float = SETTLE_S,
        quiet_s: float = float("inf"),
        in_doubt: InDoubt = InDoubt.KEEP,
    ) -> None:
        """`quiet_s`: for at least so long no other run of the job can have sent anything. `in_doubt`: what becomes of
        rows of which it cannot be known.
        """
        self._journal = journal
        self._decision = in_doubt
        self._pace = pace = api.pace
        self._concurrency = concurrency
        self._workers = 2 * concurrency + BESIDE
        self._watch = watch or Watch()
        self._clock = pace.clock
        self._settle_s = settle_s
        self._quiet_s = min(quiet_s, settle_s)
        self._resource = resource
        self._scopes = Scopes(api, journal)
        self._baselines: dict[str, asyncio.Task[bool]] = {}
        self._reconciler = Reconciler(api, self._scopes, resource, contract, settle_s, self._clock)
        spelling = spelling or Spelling(contract)
        self._sender = Sender(api, journal, resource, pace, self._watch, spelling)
        self._sender.on_stop = self._on_stop
        self._updater = Updater(api, resource, contract, spelling, self.traffic, self._sender.note, self.stop)
        self._paused = False
        self._tasks = asyncio.TaskGroup()
        self._news = asyncio.Event()
        self._all_sent = False
        self._again: set[asyncio.Task[None]] = set()
        self._forbidden: list[Delivered] = []
        self._told = Told(lambda _delivered: None)

    @property
    def stopped(self) -> EtlError | None:
        """Why nothing more is sent."""
        return self._sender.stopped

    @property
    def traffic(self) -> Traffic:
        return self._sender.traffic

    @property
    def in_doubt(self) -> int:
        """How many rows are in doubt now."""
        return self._reconciler.open

    @property
    def looks_in_s(self) -> float | None:
        """In how many seconds the rows in doubt are looked for; None where there are none."""
        due_s = self._reconciler.next_s()
        return None if due_s is None else max(0.0, due_s - self._clock.monotonic_s())

    def remember(self, row: Outgoing, created: Change) -> None:
        """A row that an earlier run created, as the ledger has it: it shows what the API gives back."""
        if created.resource_id is not None and created.body_sha256 == row.body_sha256:
            self._reconciler.remember_from_before(self._sender.body_of(row), created.resource_id, created.version)

    def stop(self, reason: EtlError) -> None:
        """Send no new rows; requests in flight have 10 s to finish. The first reason is kept."""
        self._sender.stop(reason)

    def _on_stop(self) -> None:
        asyncio.get_running_loop().call_later(LEAVE_AFTER_S, self._sender.leave)
        self._news.set()

    async def deliver(self, rows: AsyncIterator[Outgoing], receive: Callable[[Delivered], None]) -> None:
        """Send every row; `receive` is told each row's outcome in the order of the rows.

        A row in doubt is told then, as `open`, and once more as soon as it is known. Raises what `rows` and `receive`
        raise.
        """
        told = self._told = Told(receive)
        promises: asyncio.Queue[_Promise | None] = asyncio.Queue(WINDOW_ROWS)
        work: asyncio.Queue[tuple[Outgoing, _Promise] | None] = asyncio.Queue(self._workers)
        self._journal.on_failure = self.stop
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                looking = tasks.create_task(self._look_for_doubts(told))
                tasks.create_task(self._hand_out(rows, promises, work))
                for _ in range(self._workers):
                    tasks.create_task(self._work(work))
                while (promise := await promises.get()) is not None:
                    told.in_turn(await promise)
                self._all_sent = True
                self._news.set()
                await looking
        except ExceptionGroup as group:
            raise _first_of(group) from None
        await self._judge_forbidden()
        for doubt in self._reconciler.close():
            told.known(_left(doubt, ""))

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
        for _ in range(self._workers):
            await work.put(None)

    async def _work(self, work: asyncio.Queue[tuple[Outgoing, _Promise] | None]) -> None:
        while (taken := await work.get()) is not None:
            row, promise = taken
            if row.update is not None:
                promise.set_result(await self._updater.update(row, row.update))
            elif row.doubt is not None:
                promise.set_result(self._begin_doubting(self._doubt_before(row, row.doubt)))
            else:
                promise.set_result(await self._send(row))

    async def _send(self, row: Outgoing, attempts: int = 0) -> Delivered:
        if not await self._has_baseline(scope_of(self._resource, row)):
            return Delivered(row.key, Outcome.PENDING, attempts=attempts)
        end = await self._sender.send(row, attempts)
        if isinstance(end, Doubt):
            return self._begin_doubting(end)
        if end.http_status == FORBIDDEN:
            self._forbidden.append(end)
            return replace(end, open=True)
        if end.http_status is not None:
            await self._judge_forbidden()
        id_ = end.resource_id
        if id_ is not None and self._reconciler.remember(self._sender.body_of(row), id_):
            self._tasks.create_task(self._learn())
        return end

    async def _judge_forbidden(self) -> None:
        """Rows that the API forbade are refused for their own sake, unless it was the key's: then they wait for it."""
        rows, self._forbidden = self._forbidden, []
        if rows and isinstance(self.stopped, KeyRefusedError):
            rows = [Delivered(one.key, Outcome.PENDING, None, one.attempts, one.http_status) for one in rows]
            await self._sender.note(*(change_of(one) for one in rows))
        for one in rows:
            self._told.known(one)

    async def _learn(self) -> None:
        """The first row that was created is read back: it shows what the API gives back of what was sent."""
        with suppress(EtlError):  # not now, then before the first look
            await self._reconciler.learn()

    async def _has_baseline(self, scope: Scope) -> bool:
        """Before the first row is sent into a scope it is known what was there; False where it cannot be found out."""
        task = self._baselines.get(scope.name)
        if task is None:
            task = self._baselines[scope.name] = self._tasks.create_task(self._keep_baseline(scope))
        return await asyncio.shield(task)

    async def _keep_baseline(self, scope: Scope) -> bool:
        if self.stopped is not None:
            return False
        try:
            await self._scopes.keep_baseline(scope)
        except EtlError as error:
            self.stop(error)
            return False
        return True

    def _doubt_before(self, row: Outgoing, before: Change) -> Doubt:
        """A row that an earlier run of the job left in doubt."""
        sent_s = self._clock.monotonic_s() - self._quiet_s
        stored = before.http_status is not None and 200 <= before.http_status < 300
        words = before.evidence or "The import was cut off while this row was on its way."
        return Doubt(
            row, self._sender.body_of(row), before.attempts, sent_s, None, words, before.http_status, stored=stored
        )

    def _begin_doubting(self, doubt: Doubt) -> Delivered:
        self._reconciler.add(doubt)
        if self._watch.too_many_doubts and not self._paused and self.stopped is None:
            self._paused = True
            self._pace.pause_all("too many rows are in doubt, they are looked for first")
            if self._watch.pauses >= PAUSES:
                words = f"The API gives no clear answers: {doubt.words}"
                self.stop(StoppedError(words, "Carry on later with coval-etl resume."))
        self._news.set()
        return replace(_left(doubt, ""), open=True)

    async def _look_for_doubts(self, told: Told) -> None:
        """While there are doubts, or may be: wait until looking can tell something, and look."""
        failing_since_s: float | None = None
        while self.stopped is None:
            self._news.clear()
            due_s = self._reconciler.next_s()
            if due_s is None and self._all_sent and not self._again:
                return
            if due_s is None:
                await self._news.wait()
                continue
            await self._pace.pause(max(0.0, due_s - self._clock.monotonic_s()))
            try:
                if await self._more_to_come():
                    self._go_on()
                    await self._news.wait()
                    continue
                await self._look(told)
                failing_since_s = None
            except (UnreachableError, UnexpectedAnswerError) as error:
                now_s = self._clock.monotonic_s()
                failing_since_s = now_s if failing_since_s is None else failing_since_s
                if self._pace.gave_up is not None or now_s - failing_since_s > PATIENCE_S:
                    self.stop(error)
                await self._pace.pause(self._clock.backoff_s(5))
            except EtlError as error:
                self.stop(error)

    async def _more_to_come(self) -> bool:
        """Whether rows that an earlier run left in doubt have still to be handed over: they are looked for together.

        One of them could be what is taken for another that differs only in what the API does not give back.
        """
        if self._all_sent or self.stopped is not None:
            return False
        return not self._reconciler.has_all(await self._journal.in_doubt())

    async def _look(self, told: Told) -> None:
        """One look at everything in doubt, while nothing new is sent. None once the job has stopped."""
        if self.stopped is not None:
            return
        self._pace.pause_all("rows in doubt are looked for")
        try:
            # An answer may take half a minute to be given up: what is certain to be something else is not waited for.
            if not self._reconciler.tells_apart(self._sender.under_way.values()):
                await self._pace.drained()
                await self._sender.settled()
            verdicts = await self._reconciler.look()
            await self._claim([one for one in verdicts if one.finding is Finding.FOUND], told)
            for verdict in verdicts:
                if verdict.finding is Finding.UNKNOWN:
                    await self._leave_to_a_person(verdict, told)
                elif verdict.finding is Finding.ABSENT:
                    await self._release(verdict.doubt, told)
        except BaseException:
            if not self._paused:
                self._pace.resume_all()
            raise
        self._go_on()
        self._pace.resume_all()

    def _go_on(self) -> None:
        """Sending goes on where it was paused for too many doubts."""
        if self._paused:
            self._paused = False
            self._watch.begin_anew()
            self._pace.resume_all()

    async def _claim(self, found: Sequence[Verdict], told: Told) -> None:
        """Rows that were found are created: all claims of a look in one change of the ledger, or none."""
        changes, created = [], []
        for verdict in found:
            item, doubt = verdict.item or {}, verdict.doubt
            id_ = str(item[self._resource.id_field])
            attempts = max(1, doubt.attempts)  # a process that died before it could count has sent it all the same
            one = Delivered(doubt.row.key, Outcome.CREATED, id_, attempts, doubt.http_status)
            created.append(one)
            changes.append(change_of(one, version_of(item)))
        reach("adopting")
        if changes:
            await self._journal.record(*changes)
            self.traffic.reconciled += len(changes)
        for one in created:
            told.known(one)

    async def _leave_to_a_person(self, verdict: Verdict, told: Told) -> None:
        """It cannot be known; a person may have decided already."""
        doubt = verdict.doubt
        if self._decision is InDoubt.RESEND and doubt.first_s is None:
            await self._release(doubt, told)
            return
        left = _left(doubt, verdict.words)
        if self._decision is InDoubt.ACCEPT and doubt.first_s is None:
            left = Delivered(doubt.row.key, Outcome.CREATED, None, doubt.attempts, doubt.http_status)
        await self._journal.record(change_of(left))
        told.known(left)

    async def _release(self, doubt: Doubt, told: Told) -> None:
        """Proved absent: it may be sent again, or ends as it must."""
        reach("proved-absent")
        if doubt.instead is not None:
            await self._journal.record(change_of(doubt.instead))
            told.known(doubt.instead)
            return
        await self._journal.record(Change(doubt.row.key, State.PENDING, attempts=doubt.attempts))
        task = self._tasks.create_task(self._send_again(doubt, told))
        self._again.add(task)
        task.add_done_callback(self._over)

    async def _send_again(self, doubt: Doubt, told: Told) -> None:
        if not self._sender.pays_for_repeat():
            told.known(Delivered(doubt.row.key, Outcome.PENDING, attempts=doubt.attempts))
            return
        self.traffic.retried += 1
        end = await self._send(doubt.row, doubt.attempts)
        if not end.open:
            told.known(end)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._again.discard(task)
        self._news.set()


def _first_of(group: ExceptionGroup) -> Exception:
    """The one error to show: what stopped the others is the first."""
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first


def _left(doubt: Doubt, why: str) -> Delivered:
    """A row that stays in doubt, with what is known of it."""
    # A run before may have said it already.
    words = doubt.words if doubt.words.endswith(why) else f"{doubt.words} {why}".strip()
    return Delivered(
        doubt.row.key, Outcome.IN_DOUBT, None, doubt.attempts, doubt.http_status, Code.IN_DOUBT, None, words
    )

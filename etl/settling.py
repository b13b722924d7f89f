"""Batches whose rows are under way: each is reported, in order, as soon as its last row has an outcome.

It must never know how a row was sent.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from etl.api import Waiting
from etl.batch import ROW, Batch
from etl.checking import Checked, body_maker
from etl.ledger import Change, Held, Journal, Known, Ledger, RowKey, State
from etl.parents import parents_of
from etl.problems import Code, Problem, Severity
from etl.relating import Relatives
from etl.report import Outcome, Report, Requests, Result
from etl.resources import Contract
from etl.writer import Delivered, Outgoing, Spelling, Traffic, Update

BAD = frozenset({Outcome.REJECTED, Outcome.FAILED, Outcome.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, in rows. `rows` is None as long as the files have not been read to their end.

    `in_doubt` are looked for in `looks_in_s` seconds; `waiting`: why nothing is sent now. `runs`: how many of the
    launched runs have which status, while they are followed.
    """

    rows: int | None
    settled: int
    created: int
    bad: int
    in_flight: int
    retried: int
    in_doubt: int = 0
    looks_in_s: float | None = None
    waiting: Waiting | None = None
    runs: Mapping[str, int] | None = None


@dataclass(slots=True)
class _UnderWay:
    """A batch and what has become of its rows so far, by row number. `late`: the rows that are told once more."""

    checked: Checked
    results: dict[int, Result] = field(default_factory=dict)
    late: dict[int, "_Late"] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return len(self.results) == len(self.checked.batch)


@dataclass(slots=True)
class _Late:
    """A row that was in doubt when its batch was reported, or may be then: a batch of it alone."""

    checked: Checked
    reported: bool = False


class Settlement:
    """Collects the outcomes of a job's rows and hands them to its report."""

    def __init__(
        self,
        job_id: str,
        report: Report,
        tables: Mapping[int, str],
        believed: Iterable[str],
        withhold: Outcome | None,
        relatives: Relatives,
        observe: "Callable[[Settlement], None]",
    ) -> None:
        """`tables`: the key of each table by its number. `believed`: those of which other jobs in the ledger count.
        `withhold`: nothing is sent, and good rows have this outcome. `relatives` are told which rows exist, `observe`
        is called whenever rows are settled.
        """
        self.read = 0
        self.settled = 0
        self.created = 0
        self.bad = 0
        self._job_id = job_id
        self._report = report
        self._tables = tables
        self._believed = frozenset(believed)
        self._withhold = withhold
        self._relatives = relatives
        self._observe = observe
        self._under_way: deque[_UnderWay] = deque()
        self._late: dict[RowKey, tuple[_UnderWay | None, _Late]] = {}

    def rows_of(self, checked: Checked) -> tuple[str, int, int]:
        """The table of a batch, its first and its last row: what the ledger is asked for."""
        rows = checked.batch.frame[ROW]
        first, last = (int(rows[0]), int(rows[-1])) if len(rows) else (1, 0)
        return self._tables[checked.fitted.number], first, last

    def begin(
        self, checked: Checked, known: Iterable[Known], remember: Callable[[Outgoing, Change], None]
    ) -> list[Outgoing]:
        """Take a checked batch in; the rows of it that are to be sent. The others are settled here.

        `known`: what the ledger has of these rows, the oldest job first. `remember` is told of those that an earlier
        run of the job created.
        """
        self._report.note(checked.fitted.table.origin, checked.notes)
        before: dict[int, list[Known]] = defaultdict(list)
        for one in known:
            if one.job_id == self._job_id or one.change.key.table in self._believed:
                before[one.change.key.row].append(one)
        decided = self._decide(checked)
        outgoing = []
        for row in _outgoing(checked, self._tables[checked.fitted.number], decided):
            known_of_row = before.get(row.key.row, ())
            own = next((one.change for one in known_of_row if one.job_id == self._job_id), None)
            if own is not None and own.state is State.CREATED:
                remember(row, own)
            if row.update is not None:
                found = self._changed_before(row, row.update, own)
            else:
                found = self._from_before(checked, row, own, known_of_row)
            if isinstance(found, Result):
                decided[row.key.row] = found
            else:
                outgoing.append(found)
        self._under_way.append(_UnderWay(checked, decided))
        self.read += checked.batch.rows_read
        self._relatives.settled(checked.fitted, decided.values())
        self._count(checked.batch, decided.values())
        self._report_finished()
        return outgoing

    def _decide(self, checked: Checked) -> dict[int, Result]:
        """The rows that are not sent, whatever is known of them."""
        rows = checked.batch.frame[ROW].to_list()
        waiting = set(self._relatives.waiting(checked))
        bad, skipped = checked.bad().to_list(), checked.skipped.to_list()
        decided: dict[int, Result] = {}
        for row, is_bad, is_skipped in zip(rows, bad, skipped, strict=True):
            if is_skipped:
                decided[row] = Result(row, Outcome.SKIPPED)
            elif is_bad:
                decided[row] = Result(row, Outcome.REJECTED)
            elif self._withhold is not None:
                decided[row] = Result(row, self._withhold)
            elif row in waiting:
                decided[row] = Result(row, Outcome.PENDING)
        return decided

    def _from_before(
        self, checked: Checked, row: Outgoing, own: Change | None, known: Sequence[Known]
    ) -> Result | Outgoing:
        """What is done with a row that the ledger may have: settled, looked for, or sent. `own`: what this job did."""
        number = row.key.row
        if own is not None and own.state is State.CREATED:
            return Result(number, Outcome.CREATED, own.resource_id, own.attempts, own.http_status)
        if own is not None and own.state is State.FAILED:
            return _result(checked, _as_delivered(row.key, own))
        if own is not None and own.state in {State.SENDING, State.IN_DOUBT}:
            return replace(row, doubt=own)
        same = [one for one in known if one.job_id != self._job_id and one.change.body_sha256 == row.body_sha256]
        for one in reversed(same):  # the newest first: what an older job created may be gone
            if one.change.state is State.CREATED:
                return Result(number, Outcome.UNCHANGED, one.change.resource_id)
        for one in reversed(same):
            if one.change.state in {State.SENDING, State.IN_DOUBT}:
                words = f"Job {one.job_id} sent this row and it is not known whether it was stored; "
                words += f"coval-etl resume {one.job_id} finds out. It was not sent again."
                problems = (_doubt(number, words),)
                return Result(number, Outcome.IN_DOUBT, attempts=one.change.attempts, problems=problems)
        return row

    @staticmethod
    def _changed_before(row: Outgoing, update: Update, own: Change | None) -> Result | Outgoing:
        """What is done with a row that changes something: what is there now says it, and the ledger only who did it."""
        if own is not None and own.resource_id is None and own.state in {State.SENDING, State.IN_DOUBT}:
            # It was to be created, and its answer was lost; now there is something with its key.
            return replace(row, update=Update(update.resource_id), doubt=own)
        if update.after:
            return row
        if own is None or own.state in {State.FAILED, State.PENDING}:
            return Result(row.key.row, Outcome.UNCHANGED, update.resource_id)
        outcome = Outcome.CREATED if own.state is State.CREATED else Outcome.UPDATED
        return Result(row.key.row, outcome, update.resource_id, own.attempts, own.http_status)

    def receive(self, delivered: Delivered) -> None:
        """The outcome of the next row that was sent, in the order of the rows; or of one that was told as open."""
        key = delivered.key
        if key in self._late:
            batch, late = self._late.pop(key)
            result = _result(late.checked, delivered)
            self._relatives.settled(late.checked.fitted, [result])
            self._count(late.checked.batch, [result])
            if late.reported or batch is None:
                self._report.add_late(late.checked.batch, result)
            else:
                batch.results[key.row] = result
                del batch.late[key.row]
            return
        batch = next(one for one in self._under_way if not one.finished)
        result = _result(batch.checked, delivered)
        batch.results[key.row] = result
        self._relatives.settled(batch.checked.fitted, [result])
        if delivered.open:
            late = _Late(replace(batch.checked, batch=batch.checked.batch.take([key.row])))
            batch.late[key.row] = late
            self._late[key] = batch, late
        else:
            self._count(batch.checked.batch, [result])
        if batch.finished:
            self._report_finished()

    def _count(self, batch: Batch, results: Iterable[Result]) -> None:
        weights = {} if batch.members is None else dict(zip(batch.source[ROW], batch.weights(), strict=True))
        for result in results:
            weight = weights.get(result.row, 1)
            self.settled += weight
            self.created += weight * (result.outcome is Outcome.CREATED)
            self.bad += weight * (result.outcome in BAD)
        self._observe(self)

    def _report_finished(self) -> None:
        while self._under_way and self._under_way[0].finished:
            done = self._under_way.popleft()
            batch = done.checked.batch
            self._report.add(batch, [done.results[row] for row in batch.frame[ROW].to_list()], done.late)
            for row, late in done.late.items():
                late.reported = True
                key = RowKey(self._tables[done.checked.fitted.number], row)
                self._late[key] = None, late  # the batch itself is no longer wanted


@dataclass(frozen=True, slots=True)
class Road:
    """What rows need on their way, once the job has begun."""

    contract: Contract
    ledger: Ledger
    journal: Journal
    held: Held
    settlement: Settlement
    spelling: Spelling

    def known_of(self, checked: Checked) -> list[Known]:
        """What the ledger has of the rows of a batch."""
        return list(self.ledger.known(*self.settlement.rows_of(checked)))


def created_before(ledger: Ledger, tables: Mapping[int, str], believed: Iterable[str]) -> Callable[[Checked], Checked]:
    """For a plan: says of each batch which of its rows older jobs created with the same body.

    `tables`: the key of each table by its number. `believed`: those of which other jobs in the ledger count.
    """
    counts = frozenset(believed)

    def told(checked: Checked) -> Checked:
        table, rows = tables[checked.fitted.number], checked.batch.frame[ROW]
        if table not in counts or not len(rows):
            return checked
        known = ledger.known(table, int(rows[0]), int(rows[-1]))
        made = [one.change for one in known if one.change.state is State.CREATED]
        ids = {(one.key.row, one.body_sha256): one.resource_id for one in made}
        asked = checked.batch.frame[ROW].is_in([row for row, _ in ids]) & ~checked.bad() & ~checked.skipped
        others = dict.fromkeys(rows.filter(~asked), Result(0, Outcome.PENDING))
        outgoing = [one for one in _outgoing(checked, table, others) if one.update is None]
        there = {row.key.row: (row.key.row, row.body_sha256) for row in outgoing}
        return replace(checked, there={row: ids[place] for row, place in there.items() if place in ids})

    return told


def planned_results(checked: Checked, withhold: Outcome | None) -> list[Result]:
    """What a dry run says of each row of a batch."""
    results = []
    for row, bad, skipped in zip(checked.batch.frame[ROW], checked.bad(), checked.skipped, strict=True):
        update = checked.updates.get(row)
        if skipped or bad:
            results.append(Result(row, Outcome.SKIPPED if skipped else Outcome.REJECTED))
        elif row in checked.there:
            results.append(Result(row, withhold or Outcome.UNCHANGED, checked.there[row]))
        elif update is None:
            results.append(Result(row, withhold or Outcome.WOULD_CREATE))
        else:
            outcome = Outcome.WOULD_UPDATE if update.after else Outcome.UNCHANGED
            results.append(Result(row, withhold or outcome, update.resource_id, changes=update.changes))
    return results


def requests_of(traffic: Iterable[Traffic]) -> Requests:
    """What went over the wire, in the report's words."""
    found = list(traffic)
    return Requests(
        sum(one.sent for one in found),
        sum(one.retried for one in found),
        sum(one.reconciled for one in found),
        sum((one.by_status for one in found), Counter()),
    )


def _outgoing(checked: Checked, table: str, decided: Mapping[int, Result]) -> Iterable[Outgoing]:
    """The rows of a batch that are not decided yet, with their bodies."""
    fitted = checked.fitted
    open_rows = checked.batch.frame.filter(~pl.col(ROW).is_in(list(decided)))
    parents = [name for name in parents_of(fitted.resource) if name in open_rows.columns]
    named = open_rows.select(parents).iter_rows() if parents else iter(() for _ in range(open_rows.height))
    bodies = body_maker(fitted.bound)(open_rows)
    for row, body, ids in zip(open_rows[ROW], bodies, named, strict=True):
        pairs = tuple((name, id_) for name, id_ in zip(parents, ids, strict=True) if id_ is not None)
        update = checked.updates.get(row)
        text = body.encode() if update is None else update.body
        yield Outgoing(RowKey(table, row), text, pairs, resource=fitted.resource.name, update=update)


def _as_delivered(key: RowKey, change: Change) -> Delivered:
    """What an earlier run of the same job wrote down of a row that the API refused."""
    code = Code(change.code) if change.code else Code.API_REFUSED
    words = change.evidence or "The API refused it."
    return Delivered(key, Outcome.FAILED, None, change.attempts, change.http_status, code, change.field, words)


def _doubt(row: int, words: str) -> Problem:
    return Problem(row, Severity.ERROR, Code.IN_DOUBT, None, None, None, None, words)


def _result(checked: Checked, delivered: Delivered) -> Result:
    """A delivered row in the report's words: the API's field is traced back to its column and cell."""
    row = delivered.key.row
    problems: tuple[Problem, ...] = ()
    if delivered.code is not None:
        columns = checked.fitted.bound.columns.get(delivered.field or "", ())
        column = columns[0] if columns else None
        cell = checked.batch.origin.cell(column, row)
        problems = (
            Problem(row, Severity.ERROR, delivered.code, delivered.field, column, cell, None, delivered.message),
        )
    update = checked.updates.get(row) if delivered.outcome is Outcome.UPDATED else None
    return Result(
        row,
        delivered.outcome,
        delivered.resource_id,
        delivered.attempts,
        delivered.http_status,
        problems,
        update.changes if update is not None else {},
    )

"""Batches whose rows are under way: each is reported, in order, as soon as its last row has an outcome.

It must never know how a row was sent.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from etl.batch import ROW
from etl.checking import Checked, body_maker
from etl.ledger import Change, RowKey, State
from etl.parents import parents_of
from etl.problems import Code, Problem, Severity
from etl.report import Outcome, Report, Result
from etl.writer import Delivered, Outgoing

BAD = frozenset({Outcome.REJECTED, Outcome.FAILED, Outcome.IN_DOUBT})


@dataclass(slots=True)
class _UnderWay:
    """A batch and what has become of its rows so far, by row number."""

    checked: Checked
    results: dict[int, Result] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return len(self.results) == len(self.checked.batch)


class Settlement:
    """Collects the outcomes of a job's rows and hands them to its report."""

    def __init__(
        self,
        report: Report,
        tables: Mapping[int, str],
        earlier: Mapping[RowKey, Change],
        withhold: Outcome | None,
        observe: "Callable[[Settlement], None]",
    ) -> None:
        """`tables`: the key of each table by its number. `earlier`: what an earlier job did with the same rows.
        `withhold`: nothing is sent, and good rows have this outcome. `observe` is called whenever rows are settled.
        """
        self.read = 0
        self.settled = 0
        self.created = 0
        self.bad = 0
        self._report = report
        self._tables = tables
        self._earlier = earlier
        self._withhold = withhold
        self._observe = observe
        self._under_way: deque[_UnderWay] = deque()

    def begin(self, checked: Checked) -> list[Outgoing]:
        """Take a checked batch in; the rows of it that are to be sent. The others are settled here."""
        self._report.note(checked.fitted.table.origin, checked.notes)
        rows = checked.batch.frame[ROW].to_list()
        bad, skipped = checked.bad().to_list(), checked.skipped.to_list()
        decided: dict[int, Result] = {}
        for row, is_bad, is_skipped in zip(rows, bad, skipped, strict=True):
            if is_skipped:
                decided[row] = Result(row, Outcome.SKIPPED)
            elif is_bad:
                decided[row] = Result(row, Outcome.REJECTED)
            elif self._withhold is not None:
                decided[row] = Result(row, self._withhold)
        outgoing = []
        for row in _outgoing(checked, self._tables[checked.fitted.number], decided):
            known = _known(row, self._earlier.get(row.key))
            if known is None:
                outgoing.append(row)
            else:
                decided[row.key.row] = known
        self._under_way.append(_UnderWay(checked, decided))
        self.read += checked.batch.rows_read
        self._count(checked, decided.values())
        self._report_finished()
        return outgoing

    def receive(self, delivered: Delivered) -> None:
        """The outcome of the next row that was sent; they come in the order of the rows."""
        row = delivered.key.row
        batch = next(one for one in self._under_way if not one.finished)
        result = _result(batch.checked, delivered)
        batch.results[row] = result
        self._count(batch.checked, [result])
        if batch.finished:
            self._report_finished()

    def _count(self, checked: Checked, results: Iterable[Result]) -> None:
        batch = checked.batch
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
            self._report.add(batch, [done.results[row] for row in batch.frame[ROW].to_list()])


def _outgoing(checked: Checked, table: str, decided: Mapping[int, Result]) -> Iterable[Outgoing]:
    """The rows of a batch that are not decided yet, with their bodies."""
    fitted = checked.fitted
    open_rows = checked.batch.frame.filter(~pl.col(ROW).is_in(list(decided)))
    parents = [name for name in parents_of(fitted.resource) if name in open_rows.columns]
    named = open_rows.select(parents).iter_rows() if parents else iter(() for _ in range(open_rows.height))
    bodies = body_maker(fitted.bound)(open_rows)
    for row, body, ids in zip(open_rows[ROW], bodies, named, strict=True):
        pairs = tuple((name, id_) for name, id_ in zip(parents, ids, strict=True) if id_ is not None)
        yield Outgoing(RowKey(table, row), body.encode(), pairs)


def _known(row: Outgoing, earlier: Change | None) -> Result | None:
    """What an earlier run of the same job settled for this row; None: it is to be sent."""
    if earlier is None or earlier.body_sha256 != row.body_sha256:
        return None
    number = row.key.row
    if earlier.state is State.CREATED:
        return Result(number, Outcome.UNCHANGED, earlier.resource_id)
    if earlier.state in {State.SENDING, State.IN_DOUBT}:
        words = "An earlier run sent this row and it is not known whether it was stored; it was not sent again."
        doubt = Problem(number, Severity.ERROR, Code.IN_DOUBT, None, None, None, None, words)
        return Result(number, Outcome.IN_DOUBT, attempts=earlier.attempts, problems=(doubt,))
    return None


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
    return Result(row, delivered.outcome, delivered.resource_id, delivered.attempts, delivered.http_status, problems)

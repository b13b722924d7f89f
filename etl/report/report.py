"""Report: told what became of every row, it counts, keeps and at the end writes down all of it.

It must never know how a row was sent, nor how a summary is shown.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Batch, Origin
from etl.errors import EtlError, ExitCode, severest
from etl.problems import Problem
from etl.report.files import Files, Rewriting
from etl.report.groups import ProblemGroup, ProblemGroups
from etl.report.leftovers import Pruned
from etl.report.outcome import TO_LOOK_AT, Outcome, Result
from etl.report.summary import Requests, Source, Summary, count_rows
from etl.report.timeline import Timeline
from etl.resources import RUNS
from etl.resources.runs import ENDED_BADLY


class Report:
    """What became of every row of one job.

    Use it as a context manager: what was not closed leaves no trace.

        with Report(folder, job="J1", command="import", contract="2025-10", sources=..., outcomes=OF_IMPORT) as report:
            report.add(batch, results)
            summary = report.close(read=..., started=..., finished=...)
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        job: str | None,
        command: str,
        contract: str,
        sources: Sequence[Source],
        outcomes: Sequence[Outcome],
        flags: Sequence[str] = (),
        rewriting: Rewriting | None = None,
    ) -> None:
        """`folder` None: nothing is written. `sources`: the tables, in the order in which their rows will come.
        `outcomes`: those that the command counts (`OF_IMPORT`, `OF_VALIDATE`, `OF_DRY_RUN`). `flags`: what has to be
        typed again to import the rows that were mended. `rewriting`: how an earlier report of the job is written again.

        Raises UsageError where the folder cannot be used.
        """
        self._job = job
        self._command = command
        self._contract = contract
        self._sources = tuple(sources)
        self._outcomes = tuple(outcomes)
        self._tables = {(source.file, source.sheet, source.part): number for number, source in enumerate(sources)}
        self._counts: list[Counter[Outcome]] = [Counter() for _ in sources]
        self._last_rows = [-1] * len(self._sources)
        self._runs: dict[str, None] = {}
        self._groups = ProblemGroups()
        self._files = None if folder is None else Files(folder, self._sources, flags, job, rewriting or Rewriting())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._files is not None:
            self._files.discard()

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many rows had each outcome so far."""
        return sum(self._counts, Counter())

    @property
    def problems(self) -> tuple[ProblemGroup, ...]:
        """The problems so far, grouped, the worst first; not those of rows that were skipped on purpose."""
        return self._groups.worst_first()

    @property
    def runs(self) -> Collection[str]:
        """The ids of the runs that rows have launched, now or before."""
        return self._runs.keys()

    def note(self, origin: Origin, problems: Sequence[Problem]) -> None:
        """Problems of a table as a whole: they are grouped with the others, but belong to no row's line."""
        self._groups.add(origin.file, problem.frame_of(problems))
        table = self._tables.get((origin.file, origin.sheet, origin.part))
        if self._files is not None and table is not None:
            self._files.note(table, origin, problems)

    def add(self, batch: Batch, results: Sequence[Result], later: Collection[int] = ()) -> None:
        """What became of the rows of a batch: one result a row, in their order. Batches of a table come in order.

        `later`: the rows whose result is not known yet; `add_late` tells it. Raises StoppedError where the report
        cannot be written, and EtlError (a bug of ours) where the results are not those of the rows.
        """
        if [result.row for result in results] != batch.source[ROW].to_list():
            raise EtlError(f"The results for {batch.origin.file} are not those of its rows.")
        self._refuse_disorder(batch)
        told = [result for result in results if result.row not in later] if later else results
        rest = batch.take([result.row for result in told]) if later else batch
        table, problems = self._take_in(rest, told)
        self._pass(table, batch)
        if self._files is not None:
            self._files.add_lines(table, rest, results, problems, later)
            self._files.add(table, rest, told, problems)

    def add_late(self, batch: Batch, result: Result) -> None:
        """What became of a row that `add` was told of as `later`: a batch of that row alone. Raises as `add` does."""
        table, problems = self._take_in(batch, [result])
        if self._files is not None:
            self._files.add_late_line(table, batch, result, problems)
            self._files.add(table, batch, [result], problems)

    def add_unread(self, batch: Batch, results: Sequence[Result]) -> None:
        """What became of rows of which only the numbers are known, not their cells: they are in no rejects or copy."""
        self._refuse_disorder(batch)
        table, problems = self._take_in(batch, results)
        self._pass(table, batch)
        if self._files is not None:
            self._files.add_lines(table, batch, results, problems, ())

    def _take_in(self, batch: Batch, results: Sequence[Result]) -> tuple[int, pl.DataFrame]:
        """Count rows; the number of their table, and all that is wrong with them."""
        sent = problem.frame_of(_storable(one) for result in results for one in result.problems)
        problems = problem.joined([batch.problems, sent])
        skipped = [result.row for result in results if result.outcome is Outcome.SKIPPED]
        counted: Counter[Outcome] = Counter()
        for result, weight in zip(results, batch.weights(), strict=True):
            counted[result.outcome] += weight
        table = self._count(batch, counted, problems, skipped)
        if self._sources[table].resource == RUNS.name:
            self._runs |= dict.fromkeys(result.resource_id for result in results if result.resource_id is not None)
        return table, problems

    def add_checked(self, batch: Batch, good: Outcome, *, skipped: pl.Series | None = None) -> None:
        """A batch that is not sent: rows with errors are `rejected`, the others `good`.

        `skipped` (Boolean, as long as the batch) marks rows that were left out on purpose, whatever is wrong with them.
        Raises as `add` does.
        """
        bad = problem.rows_with_errors(batch.problems).implode()
        outcomes = batch.source.select(
            ROW,
            outcome=pl.when(pl.lit(value=False) if skipped is None else skipped)
            .then(pl.lit(Outcome.SKIPPED.value))
            .when(pl.col(ROW).is_in(bad))
            .then(pl.lit(Outcome.REJECTED.value))
            .otherwise(pl.lit(good.value)),
        )
        if self._files is not None:
            self.add(batch, [Result(row, Outcome(outcome)) for row, outcome in outcomes.iter_rows()])
            return
        self._refuse_disorder(batch)
        weighed = outcomes.with_columns(rows=batch.weights()).group_by("outcome").agg(pl.col("rows").sum())
        counted = Counter({Outcome(word): number for word, number in weighed.iter_rows()})
        left_out = outcomes.filter(outcome=Outcome.SKIPPED.value)[ROW].to_list()
        self._pass(self._count(batch, counted, batch.problems, left_out), batch)

    def _table_of(self, batch: Batch) -> int:
        """The number of a batch's table. Raises EtlError for one that is no source of this report."""
        table = self._tables.get((batch.origin.file, batch.origin.sheet, batch.origin.part))
        if table is None:
            raise EtlError(f"{batch.origin.file} is not among the sources of this report.")
        return table

    def _refuse_disorder(self, batch: Batch) -> None:
        """Raises EtlError where a batch cannot be the next one of its table."""
        table, rows = self._table_of(batch), batch.source[ROW]
        if len(rows) and rows[0] <= self._last_rows[table]:
            raise EtlError(f"Row {rows[0]} of {batch.origin.file} came twice or out of order.")

    def _pass(self, table: int, batch: Batch) -> None:
        self._last_rows[table] = max([self._last_rows[table], *batch.source[ROW].tail(1)])

    def _count(self, batch: Batch, counted: Counter[Outcome], problems: pl.DataFrame, skipped: list[int]) -> int:
        """Count rows; the number of their table. Raises EtlError for outcomes that the command does not have."""
        table = self._table_of(batch)
        if strangers := counted.keys() - {*self._outcomes, Outcome.SKIPPED}:
            raise EtlError(f"{self._command} has no outcome {', '.join(sorted(strangers))}.")
        self._counts[table] += counted
        self._groups.add(batch.origin.file, problems.filter(~pl.col("row").is_in(skipped)) if skipped else problems)
        return table

    def close(  # noqa: PLR0913  (all that a job knows in the end)
        self,
        *,
        read: int,
        started: datetime,
        finished: datetime,
        requests: Requests | None = None,
        stopped: EtlError | None = None,
        timeline: Timeline | None = None,
        runs: Mapping[str, str] | None = None,
        contract: tuple[str, str | None] | None = None,
        pruned: Pruned | None = None,
    ) -> Summary:
        """The job is done, or has stopped for a reason: the whole of it, written where there is a folder.

        `read`: how many rows the readers gave, counted by them. `timeline`: its requests. `runs`: the statuses of the
        runs that were followed, by their ids; one that ended badly is a problem (exit 1). `contract`: the one that the
        API was found to speak, and what a person should know about it. `pruned`: what the sources no longer have.

        Raises StoppedError where the report cannot be written, and EtlError (a bug of ours) where the outcomes do not
        add up to `read`.
        """
        summary = self._summarise(requests or Requests(), started, finished, stopped, runs)
        if contract is not None:
            summary = replace(summary, contract=contract[0], contract_note=contract[1])
        if pruned is not None:
            code = severest((summary.exit_code, ExitCode.PROBLEMS if pruned.kept else ExitCode.DONE))
            summary = replace(summary, pruned=pruned.counts, pruned_note=pruned.why_not, exit_code=code)
            if self._files is not None:
                self._files.add_pruned(pruned)
        if summary.rows["read"] != read:
            raise EtlError(f"{read} rows were read, but {summary.rows['read']} have an outcome.")
        return summary if self._files is None else self._files.complete(summary, timeline, runs or {})

    def _summarise(
        self,
        requests: Requests,
        started: datetime,
        finished: datetime,
        stopped: EtlError | None,
        runs: Mapping[str, str] | None,
    ) -> Summary:
        by_resource: dict[str, Counter[Outcome]] = {}
        for source, counted in zip(self._sources, self._counts, strict=True):
            by_resource.setdefault(source.resource, Counter()).update(counted)
        counts = self.counts
        bad = any(counts.get(outcome) for outcome in TO_LOOK_AT) or not ENDED_BADLY.isdisjoint((runs or {}).values())
        finding = ExitCode.PROBLEMS if bad else ExitCode.DONE
        return Summary(
            job=self._job,
            command=self._command,
            contract=self._contract,
            sources=self._sources,
            source_rows=tuple(counted.total() for counted in self._counts),
            rows=count_rows(counts, self._outcomes),
            by_resource={name: count_rows(counted, self._outcomes) for name, counted in by_resource.items()},
            requests=requests,
            started=started,
            finished=finished,
            exit_code=severest((stopped.exit_code if stopped else ExitCode.DONE, finding)),
            stopped_because=stopped.message if stopped else None,
            problems=self.problems,
            runs=None if runs is None else Counter(runs.values()),
        )


def _storable(found: Problem) -> Problem:
    """The API's own words may hold half a surrogate pair, which no frame can."""
    row, *texts = found
    plain = (None if text is None else text.encode("utf-8", "replace").decode() for text in texts)
    return Problem._make((row, *plain))

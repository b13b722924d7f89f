"""A job told again: its report from what the ledger has, its files where they are as they were, and its earlier report.

It must never ask the API, and changes neither ledger nor files.
"""

import heapq
import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from etl.batch import RECORD, ROW, Batch, Origin
from etl.checking import Checked, Fitted, check_rows, choose_mappings, source_of, table_problems, with_test_set
from etl.errors import EtlError, KeyRefusedError, StoppedError, UnreachableError
from etl.formats import ReportFormat
from etl.inputs import Inputs
from etl.jobs import ImportJob
from etl.ledger import Change, JobRecord, Known, Ledger, State
from etl.leftovers import deleted_by
from etl.preparing import UNBORN_TEST_SET
from etl.problems import Code, Problem, Severity
from etl.relating import Relatives
from etl.report import OF_IMPORT, Outcome, Pruned, Report, Requests, Result, Rewriting, Source, Summary
from etl.resources import Contract

_BATCH_ROWS = 1_000
_OUTCOMES = {
    State.CREATED: Outcome.CREATED,
    State.UPDATED: Outcome.UPDATED,
    State.FAILED: Outcome.FAILED,
    State.PENDING: Outcome.PENDING,
    State.SENDING: Outcome.IN_DOUBT,
    State.IN_DOUBT: Outcome.IN_DOUBT,
}


@dataclass(frozen=True, slots=True)
class Earlier:
    """The report that the job wrote before, as far as it is there. `summary` is empty where it is not."""

    folder: Path
    summary: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, record: JobRecord, home: Path) -> "Earlier":
        """Look for it where the job said it is; a folder that another job has written since is none."""
        folder = home / (record.report or "")
        try:
            found = json.loads((folder / "summary.json").read_bytes()) if record.report else {}
        except (OSError, ValueError):
            found = {}
        return cls(folder, found if isinstance(found, dict) and found.get("job") == record.facts.id else {})

    def lines(self, file: str, sheet: str | None, resource: str) -> Iterator[dict[str, Any]]:
        """What it says of the rows of a table."""
        place = file, sheet, resource
        return (line for line in self._lines() if (line["file"], line["sheet"], line["resource"]) == place)

    def runs(self) -> dict[str, str] | None:
        """The status of each run that was followed, by its id; None where none was."""
        if "runs" not in self.summary:
            return None
        return {line["id"]: line["run"]["status"] for line in self._lines() if "run" in line}

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self.summary:
            with (self.folder / "results.jsonl").open("rb") as stream:
                yield from map(json.loads, stream)

    @property
    def stopped(self) -> EtlError | None:
        """Why the job ended early, as it said then."""
        words = self.summary.get("stopped_because")
        kinds: dict[object, type[EtlError]] = {one.exit_code: one for one in (KeyRefusedError, UnreachableError)}
        return None if words is None else kinds.get(self.summary.get("exit_code"), StoppedError)(str(words))

    @property
    def requests(self) -> Requests:
        """What went over the wire in the last run."""
        told = self.summary.get("requests") or {}
        by_status = {int(status): number for status, number in (told.get("by_status") or {}).items()}
        return Requests(told.get("sent", 0), told.get("retried", 0), told.get("reconciled", 0), by_status)


@dataclass(frozen=True, slots=True)
class Retold:
    """A report that was written again, and what is to be known about it."""

    summary: Summary
    notes: tuple[str, ...]


class Retelling:
    """Writes the report of one job again."""

    def __init__(self, record: JobRecord, job: ImportJob | None, ledger: Ledger, home: Path) -> None:
        """`job`: as it was typed (None: that is not known any more). `home`: the folder in which it was typed."""
        self._record = record
        self._job = job
        self._ledger = ledger
        newest_first = [one.facts.id for one in ledger.jobs()]
        self._older = frozenset(newest_first[newest_first.index(record.facts.id) + 1 :])
        """Two jobs of one second are told apart by the ledger alone, not by their ids."""
        self._earlier = Earlier.of(record, home)
        self._notes: list[str] = []

    def write(self, inputs: Inputs | None, folder: Path, only: Collection[ReportFormat] | None = None) -> Retold:
        """The report, into `folder`. `inputs`: the job's files (None: they are not at hand). `only`: see `Report`.

        Raises UsageError and StoppedError where it cannot be written.
        """
        facts = self._record.facts
        contract = Contract(facts.contract)
        fitted = self._unchanged(inputs, contract)
        tables = {self._table_of(one): one for one in fitted}
        lost = [source for source in facts.sources if str(source["table"]) not in tables]
        for source in lost:
            self._notes.append(f"{_name_of(source)} is not there as it was, so that its rows cannot be shown as read.")
        flags = self._job.flags if self._job else ()
        sources = [source_of(one) for one in fitted] + [_source_of(one) for one in lost]
        with Report(
            folder,
            job=facts.id,
            command="import",
            contract=contract,
            sources=sources,
            outcomes=OF_IMPORT,
            flags=flags,
            rewriting=Rewriting(self._earlier.folder if self._earlier.summary else None, only),
        ) as report:
            for one in fitted:
                report.note(one.table.origin, table_problems(one))
            read = self._tell_read(report, fitted, contract) if fitted else 0
            read += sum(self._tell_lost(report, source) for source in lost)
            ended = self._record.ended or datetime.now(UTC)
            summary = report.close(
                read=read,
                started=_moment(self._earlier.summary.get("started")) or facts.started,
                finished=_moment(self._earlier.summary.get("finished")) or ended,
                requests=self._earlier.requests,
                stopped=self._earlier.stopped,
                runs=self._earlier.runs(),
                pruned=self._pruned(),
            )
        self._compare(summary)
        return Retold(summary, tuple(self._notes))

    def _pruned(self) -> Pruned | None:
        """What the job has deleted; None where that was not asked for."""
        if self._job is None or not self._job.prune:
            return None
        found = deleted_by(self._ledger, self._record.facts.id).values()
        return Pruned([one.told() for one in found if one.change.state is State.DELETED])

    def _unchanged(self, inputs: Inputs | None, contract: Contract) -> list[Fitted]:
        """The tables that are as they were when the job read them, mapped as they were then."""
        if inputs is None or self._job is None:
            return []
        job = self._job
        try:
            fitted = choose_mappings(
                inputs,
                contract,
                resource=job.resource,
                mapping=job.mapping,
                values=job.values,
                sheet_named=job.sheet is not None,
            )
        except EtlError as error:
            self._notes.append(f"The files are there, but are not understood as they were: {error.message}")
            return []
        if job.test_set is not None:
            fitted = with_test_set(fitted, contract, UNBORN_TEST_SET)
        return [one for one in fitted if self._table_of(one) is not None]

    def _table_of(self, fitted: Fitted) -> str | None:
        """The key of a table in the ledger; None for one that the job did not read, or not with this content."""
        origin = fitted.table.origin
        now = (origin.file, origin.sheet, fitted.resource.name, fitted.survey.sha256)
        for one in self._record.facts.sources:
            if (one["file"], one["sheet"], one["resource"], one["sha256"]) == now:
                return str(one["table"])
        return None

    def _tell_read(self, report: Report, fitted: Sequence[Fitted], contract: Contract) -> int:
        """Every row of the tables that could be read; how many there were."""
        job = self._job
        if job is None:
            return 0
        relatives, read = Relatives(fitted), 0
        said: dict[int, _Said] = {}
        for checked in check_rows(
            fitted,
            contract,
            where=job.where,
            limit=job.limit,
            strict=job.strict,
            assume_test_set=True,
            near_duplicates=job.near_duplicates,
            renew=lambda one: relatives.bound(one, contract),
        ):
            relatives.note(checked)
            report.note(checked.fitted.table.origin, checked.notes)
            if checked.fitted.number not in said:
                one = checked.fitted
                said[one.number] = _Said(
                    self._earlier.lines(one.table.origin.file, one.table.origin.sheet, one.resource.name)
                )
            report.add(checked.batch, self._results(checked, said[checked.fitted.number]))
            read += checked.batch.rows_read
        return read

    def _results(self, checked: Checked, said: "_Said") -> list[Result]:
        """What became of the rows of a batch: the ledger says it, or the checks, or the earlier report."""
        rows, table = checked.batch.frame[ROW].to_list(), str(self._table_of(checked.fitted))
        known: dict[int, list[Known]] = defaultdict(list)
        if rows:
            for one in self._ledger.known(table, rows[0], rows[-1]):
                known[one.change.key.row].append(one)
        told = zip(rows, checked.bad().to_list(), checked.skipped.to_list(), strict=True)
        return [
            self._own(checked, row, known[row])
            or _checked(row, bad=bad, skipped=skipped)
            or said.of(row)
            or self._unsent(row, known[row])
            for row, bad, skipped in told
        ]

    def _own(self, checked: Checked, row: int, known: Sequence[Known]) -> Result | None:
        """What the ledger has of a row that this job sent."""
        own = next((one.change for one in known if one.job_id == self._record.facts.id), None)
        if own is None or own.state not in _OUTCOMES:
            return None
        columns = checked.fitted.bound.columns.get(own.field or "", ())
        column = columns[0] if columns else None
        return _as_told(own, column, checked.batch.origin.cell(column, row))

    def _unsent(self, row: int, known: Sequence[Known]) -> Result:
        """A good row that this job never sent: an earlier job had created it, or its turn never came."""
        if self._job is not None and self._job.all_or_nothing:
            return Result(row, Outcome.SKIPPED)
        before = [one.change for one in known if one.job_id in self._older]
        created = [one for one in before if one.state is State.CREATED]
        return Result(row, Outcome.UNCHANGED, created[-1].resource_id) if created else Result(row, Outcome.PENDING)

    def _tell_lost(self, report: Report, source: Mapping[str, object]) -> int:
        """The rows of a table that cannot be read: as the earlier report has them, else as the ledger has."""
        origin = Origin(str(source["file"]), _text(source["sheet"]), "", ())
        results: Iterator[tuple[Result, list[int]]]
        if self._earlier.summary:
            lines = self._earlier.lines(origin.file, origin.sheet, str(source["resource"]))
            results = ((_result_of(line), line.get("rows") or [line["row"]]) for line in lines)
        else:
            words = f"Of {_name_of(source)} only the rows are told that were sent: the ledger has no others."
            self._notes.append(words)
            told = (_as_told(change, None, None) for change in self._changes(str(source["table"])))
            results = ((one, [one.row]) for one in told)
        read = 0
        while chunk := list(islice(results, _BATCH_ROWS)):
            frame = pl.DataFrame({ROW: [one.row for one, _ in chunk]}, schema={ROW: pl.Int64})
            pairs = [(row, one.row) for one, rows in chunk for row in rows]
            members = pl.DataFrame(pairs, schema={ROW: pl.Int64, RECORD: pl.Int64}, orient="row")
            report.add_unread(Batch(origin, frame, frame, members=members), [one for one, _ in chunk])
            read += len(pairs)
        return read

    def _changes(self, table: str) -> Iterator[Change]:
        """What the ledger has of a table's rows, in their order."""
        states = (self._ledger.rows(self._record.facts.id, state) for state in _OUTCOMES)
        merged = heapq.merge(*states, key=lambda change: change.key)
        return (change for change in merged if change.key.table == table)

    def _compare(self, summary: Summary) -> None:
        """Say where the counts are not those that the job told when it ended."""
        before = {name: count for name, count in (self._record.counts or {}).items() if count}
        now = {name: count for name, count in summary.rows.items() if count}
        if self._record.counts is not None and before != now:
            told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in before.items())
            self._notes.append(f"When the job ended it counted otherwise: {told}.")


class _Said:
    """What the earlier report says of a table, asked for row by row, upwards."""

    def __init__(self, lines: Iterator[dict[str, Any]]) -> None:
        self._lines = lines
        self._next = next(lines, None)

    def of(self, row: int) -> Result | None:
        """What it says of a row."""
        while self._next is not None and self._next["row"] < row:
            self._next = next(self._lines, None)
        return None if self._next is None or self._next["row"] != row else _result_of(self._next)


def _checked(row: int, *, bad: bool, skipped: bool) -> Result | None:
    """What the checks decide alone."""
    if skipped:
        return Result(row, Outcome.SKIPPED)
    return Result(row, Outcome.REJECTED) if bad else None


def _as_told(change: Change, column: str | None, cell: str | None) -> Result:
    """What the ledger has of a row."""
    row, outcome = change.key.row, _OUTCOMES[change.state]
    problems: tuple[Problem, ...] = ()
    if outcome in {Outcome.FAILED, Outcome.IN_DOUBT}:
        code = Code(change.code) if change.code else Code.IN_DOUBT if outcome is Outcome.IN_DOUBT else Code.API_REFUSED
        # Of a change that is in doubt the evidence is what was there before: values, no words.
        said = None if (change.evidence or "").startswith("{") else change.evidence
        words = said or (
            "The API refused it." if outcome is Outcome.FAILED else "It is not known whether it was stored."
        )
        problems = (Problem(row, Severity.ERROR, code, change.field, column, cell, None, words),)
    return Result(row, outcome, change.resource_id, change.attempts, change.http_status, problems)


def _result_of(line: Mapping[str, Any]) -> Result:
    """A line of an earlier `results.jsonl`."""
    problems = tuple(Problem(row=line["row"], **issue) for issue in line["issues"])
    return Result(line["row"], Outcome(line["status"]), line["id"], line["attempts"], line["http_status"], problems)


def _source_of(source: Mapping[str, object]) -> Source:
    return Source(str(source["file"]), _text(source["sheet"]), str(source["resource"]), _text(source["sha256"]))


def _name_of(source: Mapping[str, object]) -> str:
    return f"{source['file']}, sheet {source['sheet']}" if source["sheet"] else str(source["file"])


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None

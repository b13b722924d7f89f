"""What launches would start, and when there is room for one more: simulations, counted before and while they run.

It must never send a launch, nor know reports.
"""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from etl.api import Api, Waiting
from etl.batch import ROW
from etl.checking import Checked, body_maker
from etl.errors import EtlError, StoppedError, UsageError
from etl.ledger import Known, Ledger, RowKey, State
from etl.quoting import count_words
from etl.relating import Relatives
from etl.report import Outcome
from etl.resources import RUNS, TEST_CASES, TEST_SETS
from etl.resources.simulations import simulations_of
from etl.watching import Follower, Runs
from etl.writer import Delivered, Outgoing

PATIENCE_S = 300.0
"""So long room is waited for that no run known to us can make."""
_SENT = frozenset({State.SENDING, State.CREATED, State.FAILED, State.IN_DOUBT})
_STORED = frozenset({State.SENDING, State.CREATED, State.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What is about to be launched. `unsure`: runs of test sets that do not exist yet."""

    runs: int = 0
    simulations: int = 0
    unsure: int = 0

    def __str__(self) -> str:
        """`12 runs, which start 4,800 simulations`."""
        at_least = "at least " if self.unsure else ""
        start = "which starts" if self.runs == 1 else "which start"
        return f"{count_words(self.runs, 'run')}, {start} {at_least}{count_words(self.simulations, 'simulation')}"


class Launch(NamedTuple):
    """One run that is to be launched: its row, in words, and its body."""

    place: str
    body: bytes


@dataclass(slots=True)
class ToSend:
    """What a job would launch now, and how many test cases it brings into which test set.

    `unborn` stand for test sets that the job creates itself: what it brings is all that they will have.
    """

    launches: list[Launch] = field(default_factory=list)
    cases: Counter[str] = field(default_factory=Counter)
    unborn: Collection[str] = ()


def count_to_send(
    batches: Iterable[Checked],
    tables: Mapping[int, str],
    ledger: Ledger | None,
    job_id: str,
    believed: Collection[str],
    relatives: Relatives,
) -> ToSend:
    """What a job would launch now.

    `tables`: the key of each table by its number; `believed`: those of which stands what other jobs did.
    """
    found = ToSend()
    for checked in batches:
        if checked.fitted.resource.name not in {RUNS.name, TEST_CASES.name}:
            continue
        table, rows = tables[checked.fitted.number], checked.batch.frame[ROW]
        before: dict[int, list[Known]] = defaultdict(list)
        for one in ledger.known(table, int(rows[0]), int(rows[-1])) if ledger is not None and len(rows) else ():
            if one.job_id == job_id or table in believed:
                before[one.change.key.row].append(one)
        frame = checked.batch.frame.filter(~checked.bad() & ~checked.skipped)
        waiting, unborn = set(relatives.waiting(checked)), relatives.unborn(TEST_SETS.name)
        texts = body_maker(checked.fitted.bound)(frame)
        for row, text, test_set_id in zip(frame[ROW], texts, frame["test_set_id"], strict=True):
            outgoing = Outgoing(RowKey(table, row), text.encode(), resource=checked.fitted.resource.name)
            # The body of a row that refers to rows of the same job does not have their ids yet: the place must do.
            sha256 = None if row in waiting else outgoing.body_sha256
            sent = any(_is_sent(one, sha256, job_id) for one in before[row])
            if checked.fitted.resource is TEST_CASES:
                found.cases[test_set_id] += not sent or test_set_id in unborn
            elif not sent:
                found.launches.append(Launch(f"Row {row} of {checked.fitted.name}", outgoing.body))
    found.unborn = relatives.unborn(TEST_SETS.name)
    return found


def _is_sent(known: Known, sha256: bytes | None, job_id: str) -> bool:
    """Whether what a job did with a row is reason enough not to send it."""
    if known.job_id == job_id:
        return known.change.state in _SENT
    return known.change.state in _STORED and sha256 in {None, known.change.body_sha256}


def launched_before(checked: Checked, known: Iterable[Known], job_id: str) -> Iterator[tuple[bytes, str]]:
    """Bodies and ids of the runs of a batch that an earlier run of this job launched."""
    ids = {
        one.change.key.row: one.change.resource_id
        for one in known
        if one.job_id == job_id and one.change.state is State.CREATED and one.change.resource_id is not None
    }
    frame = checked.batch.frame.filter(pl.col(ROW).is_in(list(ids)) & ~checked.bad())
    for row, text in zip(frame[ROW], body_maker(checked.fitted.bound)(frame), strict=True):
        yield text.encode(), ids[row]


class Launching:
    """Counts simulations, and lets rows pass as long as those of this job that are queued or in progress stay within
    a limit.
    """

    def __init__(self, api: Api, limit: int, stop: Callable[[EtlError], None]) -> None:
        """`limit`: `--max-queued`. `stop` is called where waiting makes no sense any more."""
        self._api = api
        self._limit = limit
        self._stop = stop
        self._sizes: dict[str, int] = {}
        self._runs = Runs(api)
        self._follower = Follower(api, self._runs)
        self._simulations: dict[str, int] = {}
        """By run id."""
        self._starts: dict[RowKey, int] = {}
        """Simulations by row, of those that passed."""
        self._under_way: set[RowKey] = set()
        """Handed over to be sent, and no run known yet: also rows in doubt."""
        self._doubts: set[RowKey] = set()
        self._confirmed = 0

    async def plan(self, found: ToSend, unknown: Collection[str] = ()) -> LaunchPlan:
        """What the launches start. `unknown` are ids that stand for test sets of which nothing is known yet.

        Raises UsageError for a run that is larger than the limit, and what `Api.pages` raises.
        """
        runs = simulations = unsure = 0
        for launch in found.launches:
            fields = json.loads(launch.body)
            run, test_set_id = simulations_of(fields), fields.get("test_set_id")
            cases = found.cases[test_set_id]
            if test_set_id in unknown:
                unsure, cases = unsure + (run.named is None), run.named or 0
            elif test_set_id not in found.unborn:
                cases += await self._cases_in(test_set_id)
            if run.of(cases) > self._limit:
                raise UsageError(self._too_large(launch.place, run.of(cases)), _SMALLER)
            runs, simulations = runs + 1, simulations + run.of(cases)
        self._confirmed = runs
        if found.cases:
            self._sizes.clear()  # the job itself makes them larger
        return LaunchPlan(runs, simulations, unsure)

    @property
    def queued(self) -> int:
        """Simulations that are queued or in progress, as far as is known."""
        return sum(self._simulations[id_] for id_ in self._runs.open) + sum(
            map(self._starts.__getitem__, self._under_way)
        )

    @property
    def waiting(self) -> Waiting | None:
        """Why no run is launched now, and in how many seconds it is looked again; None where nothing waits."""
        if self._follower.looks_at_s is None:
            return None
        why = f"{count_words(self.queued, 'simulation')} queued or in progress, --max-queued is {self._limit:,}"
        return Waiting(f"{why}; looking again", self._follower.looks_at_s - self._api.pace.clock.monotonic_s())

    async def take_in(self, rows: Iterable[tuple[bytes, str]]) -> None:
        """Bodies and ids of runs that an earlier run of the job launched: they may still be queued.

        Raises what `Api.pages` raises.
        """
        for body, run_id in rows:
            self._simulations[run_id] = await self._started_by(body)
            self._runs.add([run_id])

    async def paced(self, rows: AsyncIterator[Outgoing]) -> AsyncIterator[Outgoing]:
        """The rows, each as soon as there is room for it. Raises what `rows` raises.

        A row that an earlier run left in doubt is not launched but looked for: it passes.
        """
        async for row in rows:
            if not self._api.pace.closed:
                try:
                    self._starts[row.key] = await self._started_by(row.body)
                    if row.doubt is None:
                        self._count_down(row)
                        await self._make_room(row)
                except EtlError as error:
                    self._stop(error)  # this row and the rest are not launched: they come out as pending
            yield row

    def hearing(self, receive: Callable[[Delivered], None]) -> Callable[[Delivered], None]:
        """`receive`, which is overheard."""

        def both(row: Delivered) -> None:
            self.hear(row)
            receive(row)

        return both

    def hear(self, row: Delivered) -> None:
        """What became of a row. One that stays in doubt may be running: it keeps its room."""
        if row.outcome is Outcome.IN_DOUBT:
            self._doubts.add(row.key)
            return
        self._under_way.discard(row.key)
        if row.resource_id is not None:
            self._simulations[row.resource_id] = self._starts.get(row.key, 0)
            self._runs.add([row.resource_id])

    def _count_down(self, row: Outgoing) -> None:
        """Raises StoppedError where more runs come than were counted before, such as when somebody deleted runs."""
        self._confirmed -= 1
        if self._confirmed < 0:
            words = f"Row {row.key.row} would launch a run that was not counted before: something changed meanwhile."
            raise StoppedError(words, "coval-etl resume counts again, and launches it.")

    async def _make_room(self, row: Outgoing) -> None:
        """Wait until the row fits. Raises StoppedError where it never will, and what `Runs.look` raises."""
        simulations = self._starts[row.key]
        if simulations > self._limit:
            raise StoppedError(self._too_large(f"Row {row.key.row}", simulations), _SMALLER)
        clock, idle_since_s = self._api.pace.clock, None
        while self.queued + simulations > self._limit and not self._api.pace.closed:
            idle = not self._runs.open and self._doubts.issuperset(self._under_way)
            idle_since_s = (idle_since_s or clock.monotonic_s()) if idle else None
            if idle_since_s is not None and clock.monotonic_s() - idle_since_s > PATIENCE_S:
                raise StoppedError(_DOUBTS.format(count=self.queued), _DECIDE)
            await self._follower.wait_and_look()
        self._under_way.add(row.key)

    async def _started_by(self, body: bytes) -> int:
        fields = json.loads(body)
        return simulations_of(fields).of(await self._cases_in(fields.get("test_set_id")))

    async def _cases_in(self, test_set_id: str) -> int:
        """How many test cases a test set has: asked for once, by listing it, since no answer says it.

        No further than just above the limit: such a run is too large as it is.
        """
        if test_set_id not in self._sizes:
            count = 0
            async for page in self._api.pages(TEST_CASES, {"filter": f"test_set_id={test_set_id}"}):
                count += sum(item.get("test_set_id", test_set_id) == test_set_id for item in page.items)
                if count > self._limit:
                    break
            self._sizes[test_set_id] = count
        return self._sizes[test_set_id]

    def _too_large(self, place: str, simulations: int) -> str:
        return f"{place} alone starts at least {simulations:,} simulations; --max-queued is {self._limit:,}."


_SMALLER = "Raise --max-queued, if your organisation may queue that many; or give the run a sub_sample_size."
_DOUBTS = "{count:,} simulations of runs of which it is not known whether they were launched fill the queue."
_DECIDE = "Look at Coval, then carry on with coval-etl resume --accept-in-doubt, or a larger --max-queued."

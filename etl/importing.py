"""File -> API: read, map, check, send, report. One job from its files to its summary.

It must never know flags, colours or prompts: it is told what to do, and tells what it does.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from etl.api import Api
from etl.canary import Canary
from etl.checking import Checked, Fitted, report_of
from etl.choosing import Choose
from etl.comparing import differences
from etl.crashpoints import reach
from etl.errors import EtlError, JobHeldError, LeaseLostError, StoppedError, UsageError
from etl.inputs import Inputs
from etl.jobs import (
    TO_DELETE,
    ImportJob,
    Resumption,
    facts_of,
    new_job_id,
    parents_made,
    parents_table,
    refuse_changes,
    refuse_twin,
    table_keys,
    tables_believed,
    without_vanished,
)
from etl.launching import Launching, LaunchPlan, count_to_send, launched_before
from etl.ledger import Held, Journal, Ledger
from etl.leftovers import refuse_prune
from etl.passes import Passes, ask_first
from etl.planning import Aim, Planner, expected
from etl.plans import Plan, PlanReader, PlanWriter, head_of
from etl.preparing import UNBORN_TEST_SET, Preparation
from etl.pruning import Pruning
from etl.relating import Relatives
from etl.report import OF_DRY_RUN, OF_IMPORT, Outcome, Report, Summary, Timeline
from etl.resources import RESOURCES, RUNS, Contract, Resource
from etl.settling import Progress, Road, Settlement, created_before, planned_results, requests_of
from etl.watching import Follower, Runs
from etl.writer import SETTLE_S, Delivery, InDoubt, Outgoing, Spelling, Watch, trace


class Importer:
    """Runs one job. `stop` may be called at any time, from the same event loop."""

    def __init__(  # noqa: PLR0913  (what a job needs, and whom it asks)
        self,
        job: ImportJob,
        inputs: Inputs,
        api: Api,
        *,
        observe: Callable[[Progress], None] = lambda _progress: None,
        confirm: Callable[[str], bool] = lambda _question: False,
        choose: Choose | None = None,
        resumption: Resumption | None = None,
        keep: Callable[[], Mapping[str, object]] = dict,
        planned: Path | None = None,
    ) -> None:
        """`observe` is told how far the job is; `confirm` is asked before runs are launched, `choose` where it is not
        clear which mapping is meant. `resumption`: the job is carried on, not begun. `keep` is
        called once the job is sure to begin, to copy what can be read only once; what it gives joins the settings.
        `planned`: a plan to apply exactly; a dry run writes it there.
        """
        self.job = job
        self.id = resumption.record.facts.id if resumption else new_job_id()
        self._resumption = resumption
        self._keep = keep
        self._started = datetime.now(UTC)
        self._api = api
        self._preparation = Preparation(job, inputs, api, choose)
        self._observe = observe
        self._confirm = confirm
        self._pace = api.pace
        self._timeline = Timeline()
        trace(api.pace, self._timeline)
        self._deliveries: list[Delivery] = []
        self.stopped: EtlError | None = None
        """Why the job stopped before its end; None where it did not."""
        self._asked = False
        self._withhold: Outcome | None = None
        self._aim = Aim.of(job)
        self._planner: Planner | None = None
        self._passes: Passes
        self._relatives: Relatives | None = None
        self._checked: list[Checked] | None = None
        self._planned = planned
        self._latest = Progress(None, 0, 0, 0, 0, 0)
        self._launching = Launching(api, job.max_queued, self.stop)
        self._canary = Canary(0 if resumption else job.canary, api, confirm, self.stop)
        self._follower: Follower | None = None
        self._pruning = Pruning(job, self.id, api) if job.prune else None

    def stop(self, reason: EtlError) -> None:
        """Send nothing more; what is in flight may finish. The first reason is kept."""
        if self._follower is not None:  # every row is settled: only watching ends
            hint = f"The runs go on. Follow them again with: coval-etl resume {self.id} --watch"
            reason = type(reason)(reason.message, hint)
        self.stopped = self.stopped or reason
        for delivery in self._deliveries[-1:]:
            delivery.stop(reason)

    async def prepare(self) -> tuple[Contract, list[Fitted]]:
        """The contract, and every table with its mapping and its test set. Nothing is written.

        Raises UsageError when test cases have no test set to go into, or one that neither exists nor may be created.
        """
        if self.job.prune:
            refuse_prune(self.job, self._preparation.files, compares=self._aim.compares)
        contract, fitted = await self._preparation.prepare()
        if self._aim.compares:
            self._planner = Planner(self._aim, contract, fitted)
            await self._planner.load(self._api, fitted, self.job.where)
        return contract, fitted

    async def plan(
        self, contract: Contract, fitted: Sequence[Fitted], ledger: Ledger | None, folder: Path | None
    ) -> Summary:
        """A dry run: what would become of the rows. Only a report is written, if wanted. `ledger`: if there is one."""
        plan = PlanWriter(self._planned, self._head(contract, fitted)) if self._planned is not None else None
        await self._look_first(contract, fitted, plan, ledger, planning=True)
        read, pruning, flags = 0, self._pruning, self.job.flags
        with report_of(fitted, folder, contract, command=self.job.command, outcomes=OF_DRY_RUN, flags=flags) as report:
            for checked in self._passes.again(fitted):
                report.note(checked.fitted.table.origin, checked.notes)
                report.add(checked.batch, planned_results(checked, self._withhold))
                read += checked.batch.rows_read
            pruned = pruning.told(planned=True) if pruning is not None else None
            summary = report.close(read=read, started=self._started, finished=datetime.now(UTC), pruned=pruned)
        notes = [*self._passes.differences, *(pruning.notes(planned=True) if pruning is not None else ())]
        if self._withhold is None and (launches := await self._launches(fitted, ledger)).runs:
            notes.append(f"It would launch {launches}.")
        return replace(summary, notes=(*summary.notes, *notes, *await self._expect(summary)))

    def _head(self, contract: Contract, fitted: Sequence[Fitted]) -> Mapping[str, object]:
        return head_of(self.job, contract, self._api.target.workspace, fitted)

    async def _expect(self, summary: Summary) -> list[str]:
        """How many requests a dry run would take, and how long, in words."""
        requests = sum(summary.rows.get(one, 0) for one in (Outcome.WOULD_CREATE, Outcome.WOULD_UPDATE))
        requests += (summary.pruned or {}).get("would_delete", 0)
        return [await expected(self._api, requests, self.job)] if requests else []

    async def review(self, contract: Contract, fitted: Sequence[Fitted], ledger: Ledger) -> LaunchPlan:
        """Check the input before its first row is sent, and ask, once a job, where something is changed or launched;
        what will be launched.

        Raises UsageError where the answer is no, or a run is larger than the queue, and FileError.
        """
        plan = PlanReader(self._planned, self._head(contract, fitted)) if self._planned is not None else None
        self._checked = await self._look_first(contract, fitted, plan, ledger, planning=plan is not None)
        if not (self._resumption or plan):
            changes = self._passes.question() if self._aim.changes else []
            ask_first(self._confirm, [changes, self._pruning.question() if self._pruning else []])
        self._asked = True
        launches = await self._launches(fitted, ledger)
        if launches.runs and self._resumption is None and not self._confirm(f"This launches {launches}. Go on?"):
            words = f"This launches {launches}; they cost money and calls. None was launched."
            raise UsageError(words, "Confirm with --yes.")
        return launches

    async def _launches(self, fitted: Sequence[Fitted], ledger: Ledger | None) -> LaunchPlan:
        """What will be launched. Raises UsageError where a run is larger than the queue."""
        if all(one.resource is not RUNS for one in fitted):
            return LaunchPlan()
        tables = table_keys(self.job, self._api.target, fitted)
        known = None if self.job.again else ledger
        believed = set() if known is None else await tables_believed(self._api, known, fitted, tables)
        batches, relatives = self._passes.again(fitted), self._passes.relatives
        found = await asyncio.to_thread(count_to_send, batches, tables, ledger, self.id, believed, relatives)
        return await self._launching.plan(found, (UNBORN_TEST_SET,))

    async def run(self, contract: Contract, fitted: Sequence[Fitted], ledger: Ledger, folder: Path | None) -> Summary:
        """The whole job. Once rows are under way, what stops it is in the summary and is not raised.

        Raises JobHeldError where another process imports the same, UsageError where the same import is unfinished or
        what is carried on has changed, and StoppedError where the report cannot be written.
        """
        if not self._asked:
            await self.review(contract, fitted, ledger)
        rows, self._checked = self._checked, None
        tables = table_keys(self.job, self._api.target, fitted)
        held = self._take_hold(ledger, contract, fitted, tables)
        flags = self.job.flags
        with report_of(
            fitted, folder, contract, command=self.job.command, outcomes=OF_IMPORT, job=self.id, flags=flags
        ) as report:
            async with Journal(ledger, self.id) as journal:
                believed = set() if self.job.again else await tables_believed(self._api, ledger, fitted, tables)
                if self._preparation.lacks_parents(fitted) and not (self._withhold or self.stopped):
                    fitted = await self._preparation.create_missing(contract, fitted)
                    await journal.record(*parents_made(self.id, self._preparation.made))
                    rows = None if rows is None else list(self._passes.again(fitted))
                settlement = Settlement(
                    self.id, report, tables, believed, self._withhold, self._passes.relatives, self._tell
                )
                spelling = Spelling(contract, self._preparation.grounds)
                road = Road(contract, ledger, journal, held, settlement, spelling)
                await self._send_all(fitted, rows, road)
                await self._prune(report, road)
                runs = await self._watch(report)
                unwritten = journal.failure
            if isinstance(unwritten, LeaseLostError):
                raise unwritten  # the report is written by whoever has taken over
            reach("rows-done")
            prunings = [self._pruning] if self._pruning is not None else []
            summary = report.close(
                read=settlement.read,
                started=self._started,
                finished=datetime.now(UTC),
                requests=requests_of([*(one.traffic for one in self._deliveries), *(one.traffic for one in prunings)]),
                stopped=self.stopped,
                timeline=self._timeline,
                runs=runs,
                contract=(spelling.contract, spelling.explanation),
                pruned=self._pruning.told() if self._pruning is not None else None,
            )
            reach("report-written")
        if unwritten is None:  # else the ledger knows less than the report, and the job has to be carried on
            ledger.speak(self.id, spelling.contract)
            counts = {**summary.rows, TO_DELETE: (summary.pruned or {}).get(TO_DELETE, 0)}
            ledger.close_job(self.id, summary.exit_code, counts, str(summary.folder) if summary.folder else None)
        reach("job-closed")
        return replace(summary, notes=(*summary.notes, *(note for one in prunings for note in one.notes())))

    def _take_hold(
        self, ledger: Ledger, contract: Contract, fitted: Sequence[Fitted], tables: Mapping[int, str]
    ) -> Held:
        """The job is in the ledger, and its tables are ours alone."""
        facts = facts_of(self.job, self.id, self._api.target, contract, fitted, tables, self._started)
        own = {*tables.values(), parents_table(self.id), *(self._pruning.tables() if self._pruning else ())}
        if (resumed := self._resumption) is not None:
            creates = self.job.mode == "create"
            refers = self._passes.relatives.refers
            differs = differences(ledger, self.id, fitted, self._passes.again, creates=creates, refers=refers)
            refuse_changes(resumed.record, facts, differs, new_key=resumed.new_key)
            return ledger.hold(self.id, own)
        if not self.job.again:
            refuse_twin(facts, ledger)
        ledger.open_job(replace(facts, settings={**facts.settings, **self._keep()}))
        reach("job-opened")
        try:
            held = ledger.hold(self.id, own)
        except JobHeldError:
            ledger.forget(self.id)
            raise
        reach("tables-held")
        return held

    async def _send_all(self, fitted: Sequence[Fitted], rows: Sequence[Checked] | None, road: Road) -> None:
        """One resource after the other, in the order in which they need each other. `rows`: where they are at hand."""
        try:
            for name, tables in groupby(fitted, key=lambda one: one.resource.name):
                own = list(tables)
                numbers = {one.number for one in own}
                batches = (
                    self._passes.again(own)
                    if rows is None or any(map(self._passes.relatives.refers, own))
                    else (one for one in rows if one.fitted.number in numbers)
                )
                await self._deliver(RESOURCES[name], batches, road)
                reach("resource-done")
        except StoppedError as error:
            created = "1 row had" if road.settlement.created == 1 else f"{road.settlement.created:,} rows had"
            words = f"{error.message} Until then {created} been created; the ledger has them."
            raise StoppedError(words, error.hint) from None

    async def _look_first(
        self,
        contract: Contract,
        fitted: Sequence[Fitted],
        plan: Plan | None,
        ledger: Ledger | None,
        *,
        planning: bool,
    ) -> list[Checked] | None:
        """The first pass; it decides whether good rows are withheld. `planning`: the ledger says what is there."""
        tables, before = table_keys(self.job, self._api.target, fitted), None
        if ledger is not None and planning and not (self.job.again or self._aim.compares):
            before = created_before(ledger, tables, await tables_believed(self._api, ledger, fitted, tables))
        self._passes = passes = Passes(self.job, contract, fitted, self._planner, before)
        self._relatives = passes.relatives
        try:
            held = await asyncio.to_thread(passes.first, fitted, plan)
            if self._pruning is not None and self._planner is not None and ledger is not None:
                await self._pruning.look(ledger, fitted, tables.values(), self._planner.means, passes)
            if plan is not None:
                plan.end(self._pruning.planned() if self._pruning is not None else ())
        finally:
            if plan is not None:
                plan.close()
        if passes.rows is not None:
            self._stop_at_max_errors(passes.bad, passes.rows)
            if (passes.bad and self.job.all_or_nothing) or not passes.good:
                self._withhold = Outcome.SKIPPED
        return held

    async def _deliver(self, resource: Resource, batches: Iterator[Checked], road: Road) -> None:
        """Send the rows of one resource; reading, mapping and checking overlap the sending."""
        delivery = Delivery(
            self._api,
            road.journal,
            resource,
            road.contract,
            self.job.concurrency,
            watch=Watch(trust_mapping=self.job.trust_mapping),
            spelling=road.spelling,
            settle_s=SETTLE_S if self.job.settle_s is None else self.job.settle_s,
            quiet_s=road.held.quiet_s,
            in_doubt=self._resumption.in_doubt if self._resumption else InDoubt.KEEP,
        )
        self._deliveries.append(delivery)
        if self.stopped is not None:
            delivery.stop(self.stopped)
        hear = self._canary.hearing(road.settlement.receive)
        async with aclosing(self._outgoing(batches, road, delivery)) as all_rows:
            rows = self._canary.paced(all_rows, resource, road.contract)
            if resource is RUNS:
                await delivery.deliver(self._launching.paced(rows), self._launching.hearing(hear))
            else:
                await delivery.deliver(rows, hear)
        self.stopped = self.stopped or delivery.stopped

    async def _outgoing(self, batches: Iterator[Checked], road: Road, to: Delivery) -> AsyncGenerator[Outgoing]:
        """The rows to send. The next batch is read in a thread while this one is under way.

        A file that breaks off in its middle stops the job; what was read before is accounted for.
        """
        following = asyncio.create_task(asyncio.to_thread(next, batches, None))
        try:
            while (checked := await following) is not None:
                following = asyncio.create_task(asyncio.to_thread(next, batches, None))
                known = await road.journal.call(road.known_of, checked)
                if self._aim.compares:
                    known = await without_vanished(self._api, checked, known, self.id)
                if checked.fitted.resource is RUNS:
                    await self._launching.take_in(launched_before(checked, known, self.id))
                for row in road.settlement.begin(checked, known, to.remember):
                    yield row
        except EtlError as error:
            self.stop(error)
        finally:
            await asyncio.gather(following, return_exceptions=True)

    async def _prune(self, report: Report, road: Road) -> None:
        """What the sources no longer have goes when all rows have landed."""
        if self._pruning is None or self.stopped is not None:
            return
        try:
            await self._pruning.run(road.journal, road.ledger, report.counts, lambda: self.stopped is not None)
        except EtlError as error:
            self.stop(error)

    async def _watch(self, report: Report) -> Mapping[str, str] | None:
        """Follow the launched runs to their end; their statuses by id. None where that was not asked for, or the job
        has stopped before.
        """
        if not self.job.watch or self.stopped is not None or not report.runs:
            return None
        runs = Runs(self._api)
        runs.add(report.runs)
        self._follower = Follower(self._api, runs)
        error = await self._follower.follow(lambda: self._observe(self.progress()))
        if error is not None:
            self.stop(error)
        return runs.statuses

    def ids_here(self) -> Mapping[str, str]:
        """What rows of the job are called, or are known as, that exist by now, and their ids."""
        return self._relatives.here() if self._relatives is not None else {}

    def _stop_at_max_errors(self, bad: int, read: int) -> None:
        if not self.job.allows(bad, read):
            self.stop(StoppedError(f"{bad} bad rows are more than --max-errors allows.", "See the report."))

    def progress(self) -> Progress:
        """How far the job is now; what does not change with the rows (a wait) is asked for in between."""
        delivery = self._deliveries[-1] if self._deliveries else None
        return replace(
            self._latest,
            in_flight=self._pace.in_flight,
            retried=sum(one.traffic.retried for one in self._deliveries),
            in_doubt=delivery.in_doubt if delivery else 0,
            looks_in_s=delivery.looks_in_s if delivery else None,
            waiting=self._pace.waiting_until or self._launching.waiting,
            runs=self._follower.runs.by_status if self._follower else None,
        )

    def _tell(self, settlement: Settlement) -> None:
        self._stop_at_max_errors(settlement.bad, settlement.read)
        self._latest = Progress(self._passes.rows, settlement.settled, settlement.created, settlement.bad, 0, 0)
        self._observe(self.progress())

"""File -> API: read, map, check, send, report. One job from its files to its summary.

It must never know flags, colours or prompts: it is told what to do, and tells what it does.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from etl.api import Api
from etl.api.contract import detect_contract
from etl.checking import (
    Checked,
    Fitted,
    Inputs,
    check_rows,
    choose_mappings,
    lacks_test_set,
    names_in,
    report_of,
    with_books,
    with_test_set,
)
from etl.choosing import Choose
from etl.errors import EtlError, StoppedError, UsageError
from etl.jobs import ImportJob, earlier_rows, facts_of, new_job_id, table_key
from etl.ledger import Journal, Ledger
from etl.mapping import NameBook
from etl.parents import create_test_set, find_test_set, read_book
from etl.references import read_books
from etl.report import OF_DRY_RUN, OF_IMPORT, Outcome, Requests, Summary
from etl.resources import RESOURCES, RUNS, TEST_CASES, TEST_SETS, Contract, Resource
from etl.settling import Settlement
from etl.writer import Delivery, Outgoing, Pace, Watch

UNBORN_TEST_SET = "00000000"
"""Stands for the test set's id while rows are checked before it is created; never sent."""
CHECKED_WHOLE_ROWS = 200_000
"""Inputs up to this many rows are checked whole before the first request (product page, "Decided")."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, in rows. `rows` is None as long as the files have not been read to their end."""

    rows: int | None
    settled: int
    created: int
    bad: int
    in_flight: int
    retried: int


class Importer:
    """Runs one job. `stop` may be called at any time, from the same event loop."""

    def __init__(
        self,
        job: ImportJob,
        inputs: Inputs,
        api: Api,
        *,
        observe: Callable[[Progress], None] = lambda _progress: None,
        confirm: Callable[[str], bool] = lambda _question: False,
        choose: Choose | None = None,
    ) -> None:
        """`observe` is told how far the job is; `confirm` is asked before runs are launched, `choose` where it is not
        clear which mapping is meant.
        """
        self.job = job
        self.id = new_job_id()
        self._started = datetime.now(UTC)
        self._inputs = inputs
        self._api = api
        self._observe = observe
        self._confirm = confirm
        self._choose = choose
        self._pace = Pace(job.concurrency, job.rate_per_s)
        self._deliveries: list[Delivery] = []
        self.stopped: EtlError | None = None
        """Why the job stopped before its end; None where it did not."""
        self._asked = False
        self._rows: int | None = None
        self._withhold: Outcome | None = None
        self._books: dict[str, NameBook] = {}
        self._missing: list[str] = []
        """Names of test sets that are created before the first row is sent."""

    def stop(self, reason: EtlError) -> None:
        """Send nothing more; what is in flight may finish. The first reason is kept."""
        self.stopped = self.stopped or reason
        for delivery in self._deliveries[-1:]:
            delivery.stop(reason)

    async def prepare(self) -> tuple[Contract, list[Fitted]]:
        """The contract, and every table with its mapping and its test set. Nothing is written.

        Raises UsageError when test cases have no test set to go into, or one that neither exists nor may be created.
        """
        contract = self.job.contract or await detect_contract(self._api)
        fitted = choose_mappings(
            self._inputs,
            contract,
            resource=self.job.resource,
            mapping=self.job.mapping,
            values=self.job.values,
            sheet_named=self.job.sheet is not None,
            choose=self._choose,
        )
        fitted = await self._with_test_set(contract, fitted)
        return contract, await self._with_names(contract, fitted)

    async def _with_test_set(self, contract: Contract, fitted: list[Fitted]) -> list[Fitted]:
        if not any(one.resource is TEST_CASES for one in fitted):
            if self.job.test_set is not None:
                raise UsageError(
                    "--test-set is given, but no table was recognised as test cases.",
                    f"What was recognised: {', '.join(f'{one.name} as {one.resource.name}' for one in fitted)}.",
                )
            return fitted
        if self.job.test_set is None:
            if any(lacks_test_set(one) for one in fitted):
                raise UsageError(
                    "The test cases name no test set to go into.",
                    'Give one: --test-set ID, or --test-set "NAME" --create-missing.',
                )
            return fitted
        found = await find_test_set(self._api, self.job.test_set)
        if found is None and not self.job.create_missing:
            raise UsageError(
                f"There is no test set with the id or name {self.job.test_set!r}.",
                "Check its name, or let it be created with --create-missing.",
            )
        return with_test_set(fitted, contract, found or UNBORN_TEST_SET)

    async def _with_names(self, contract: Contract, fitted: list[Fitted]) -> list[Fitted]:
        """Names in columns that the mapping looks up are known: each resource is listed once."""
        self._books = await read_books(self._api, fitted)
        if self.job.create_missing and TEST_SETS.name in self._books:
            book = self._books[TEST_SETS.name]
            for name in await asyncio.to_thread(names_in, fitted, TEST_SETS.name):
                if name.strip() and not book.find(name):
                    self._missing.append(name)
                    book = book.with_names([(name, UNBORN_TEST_SET)])
            self._books[TEST_SETS.name] = book
        return with_books(fitted, contract, self._books)

    async def _create_missing(self, contract: Contract, fitted: Sequence[Fitted]) -> list[Fitted]:
        """The test sets that rows go into and that do not exist yet are created."""
        born = list(fitted)
        if self.job.test_set is not None and _unborn(fitted):
            born = with_test_set(born, contract, await create_test_set(self._api, self.job.test_set))
        if self._missing:
            ids = [(name, await create_test_set(self._api, name.strip())) for name in self._missing]
            book = await read_book(self._api, TEST_SETS, "check the name")
            self._books[TEST_SETS.name] = book.with_names(ids)
            born = with_books(born, contract, self._books)
        return born

    async def plan(self, contract: Contract, fitted: Sequence[Fitted], folder: Path | None) -> Summary:
        """A dry run: what would be created, refused, left out. Nothing is written but the report, if one is wanted."""
        await asyncio.to_thread(self._check_first, fitted, contract)
        good = self._withhold or Outcome.WOULD_CREATE
        read = 0
        with report_of(fitted, folder, contract, command="import", outcomes=OF_DRY_RUN) as report:
            for checked in self._check(fitted, contract):
                report.note(checked.fitted.table.origin, checked.notes)
                report.add_checked(checked.batch, good, skipped=checked.skipped)
                read += checked.batch.rows_read
            return report.close(read=read, started=self._started, finished=datetime.now(UTC))

    def ask(self, fitted: Sequence[Fitted]) -> None:
        """Ask before runs are launched. Raises UsageError where the answer is no."""
        launches = [one for one in fitted if one.resource is RUNS]
        if launches and not self._confirm(f"Importing {launches[0].name} launches one run a row. Go on?"):
            raise UsageError("Runs cost money and calls; none was launched.", "Confirm with --yes.")
        self._asked = True

    async def run(self, contract: Contract, fitted: Sequence[Fitted], ledger: Ledger, folder: Path | None) -> Summary:
        """The whole job. Once rows are under way, what stops it is in the summary and is not raised.

        Raises JobHeldError where another process imports the same, and StoppedError where the report cannot be written.
        """
        if not self._asked:
            self.ask(fitted)
        held = await asyncio.to_thread(self._check_first, fitted, contract)
        tables = {one.number: table_key(self.job, self._api.target, one) for one in fitted}
        ledger.hold(tables.values())
        with report_of(fitted, folder, contract, command="import", outcomes=OF_IMPORT, job=self.id) as report:
            if (_unborn(fitted) or self._missing) and not (self._withhold or self.stopped):
                fitted = await self._create_missing(contract, fitted)
                held = None if held is None else list(self._check(fitted, contract))
            resources = {tables[one.number]: one.resource for one in fitted}
            earlier = {} if self.job.again else await earlier_rows(ledger, self._api, resources)
            ledger.open_job(facts_of(self.job, self.id, self._api.target, contract, fitted, self._started))
            settlement = Settlement(report, tables, earlier, self._withhold, self._tell)
            await self._send_all(fitted, contract, held, ledger, settlement)
            summary = report.close(
                read=settlement.read,
                started=self._started,
                finished=datetime.now(UTC),
                requests=self._requests(),
                stopped=self.stopped,
            )
        ledger.close_job(self.id, summary.exit_code)
        return summary

    async def _send_all(
        self,
        fitted: Sequence[Fitted],
        contract: Contract,
        held: Sequence[Checked] | None,
        ledger: Ledger,
        settlement: Settlement,
    ) -> None:
        """One resource after the other, in the order in which they need each other."""
        try:
            async with Journal(ledger, self.id) as journal:
                for name, tables in groupby(fitted, key=lambda one: one.resource.name):
                    own = list(tables)
                    numbers = {one.number for one in own}
                    batches = (
                        self._check(own, contract)
                        if held is None
                        else (one for one in held if one.fitted.number in numbers)
                    )
                    await self._deliver(RESOURCES[name], batches, journal, settlement)
        except StoppedError as error:
            created = "1 row had" if settlement.created == 1 else f"{settlement.created:,} rows had"
            words = f"{error.message} Until then {created} been created; the ledger has them."
            raise StoppedError(words, error.hint) from None

    def _check(self, fitted: Sequence[Fitted], contract: Contract) -> Iterator[Checked]:
        job = self.job
        return check_rows(
            fitted,
            contract,
            where=job.where,
            limit=job.limit,
            strict=job.strict,
            near_duplicates=job.near_duplicates,
        )

    def _check_first(self, fitted: Sequence[Fitted], contract: Contract) -> list[Checked] | None:
        """Check the whole input before the first request, where it is small enough or must be; None: too large to hold.

        Decides whether good rows are withheld.
        """
        held: list[Checked] | None = []
        rows = bad = good = 0
        for checked in self._check(fitted, contract):
            rows += checked.batch.rows_read
            weights = checked.batch.weights()
            bad += int(weights.filter(checked.bad() & ~checked.skipped).sum())
            good += int(weights.filter(~checked.bad() & ~checked.skipped).sum())
            if held is not None:
                held.append(checked)
            if rows > CHECKED_WHOLE_ROWS:
                held = None
                if not self.job.all_or_nothing:
                    return None
        self._rows = rows
        self._stop_at_max_errors(bad, rows)
        if (bad and self.job.all_or_nothing) or not good:
            self._withhold = Outcome.SKIPPED
        return held

    async def _deliver(
        self, resource: Resource, batches: Iterator[Checked], journal: Journal, settlement: Settlement
    ) -> None:
        """Send the rows of one resource; reading, mapping and checking overlap the sending."""
        watch = Watch(trust_mapping=self.job.trust_mapping)
        delivery = Delivery(self._api, journal, resource, self._pace, self.job.concurrency, watch=watch)
        self._deliveries.append(delivery)
        if self.stopped is not None:
            delivery.stop(self.stopped)
        async with aclosing(self._outgoing(batches, settlement)) as rows:
            await delivery.deliver(rows, settlement.receive)
        self.stopped = self.stopped or delivery.stopped

    async def _outgoing(self, batches: Iterator[Checked], settlement: Settlement) -> AsyncGenerator[Outgoing, None]:
        """The rows to send. The next batch is read in a thread while this one is under way.

        A file that breaks off in its middle stops the job; what was read before is accounted for.
        """
        following = asyncio.create_task(asyncio.to_thread(next, batches, None))
        try:
            while (checked := await following) is not None:
                following = asyncio.create_task(asyncio.to_thread(next, batches, None))
                for row in settlement.begin(checked):
                    yield row
        except EtlError as error:
            self.stop(error)
        finally:
            await asyncio.gather(following, return_exceptions=True)

    def _stop_at_max_errors(self, bad: int, read: int) -> None:
        if not self.job.allows(bad, read):
            self.stop(StoppedError(f"{bad} bad rows are more than --max-errors allows.", "See the report."))

    def _requests(self) -> Requests:
        by_status: Counter[int] = Counter()
        for delivery in self._deliveries:
            by_status.update(delivery.traffic.by_status)
        return Requests(
            sum(delivery.traffic.sent for delivery in self._deliveries),
            sum(delivery.traffic.retried for delivery in self._deliveries),
            0,
            by_status,
        )

    def _tell(self, settlement: Settlement) -> None:
        self._stop_at_max_errors(settlement.bad, settlement.read)
        retried = sum(delivery.traffic.retried for delivery in self._deliveries)
        self._observe(
            Progress(self._rows, settlement.settled, settlement.created, settlement.bad, self._pace.in_flight, retried)
        )


def _unborn(fitted: Sequence[Fitted]) -> bool:
    return any(one.values.get("test_set_id") == UNBORN_TEST_SET for one in fitted)

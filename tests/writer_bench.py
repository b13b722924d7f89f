"""One delivery after another over one ledger against one API, and all that was told of it.

It must never know how a row is sent. Time passes fifty times as fast as outside.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from etl.api import Api, Clock, Pace, Target
from etl.ledger import Change, JobFacts, Journal, RowKey, State, open_sqlite
from etl.report import Outcome
from etl.resources import TEST_CASES, Contract, Resource
from etl.writer import Delivered, Delivery, InDoubt, Outgoing, Watch
from tests.crooked_api import KEY, CrookedApi, crooked_api

TABLE = "a" * 40
SPEED = 50
SETTLE_S = 5.0
"""A tenth of a second outside."""


def fast_clock(seed: int = 1) -> Clock:
    """Time that passes fifty times as fast; chance that repeats."""

    async def sleep(wait_s: float) -> None:
        await asyncio.sleep(wait_s / SPEED)

    return Clock(
        monotonic_s=lambda: time.monotonic() * SPEED,
        now=lambda: datetime.now(UTC),
        sleep=sleep,
        random=random.Random(seed).random,
    )


@dataclass
class Bench:
    """`told` is everything that was told, in order; `delivered` the last word on each row."""

    api: CrookedApi
    ledger: Path
    parent: str
    told: list[Delivered] = field(default_factory=list)
    delivery: Delivery | None = None

    async def deliver(
        self,
        rows: Iterable[Outgoing] | AsyncIterator[Outgoing],
        *,
        resource: Resource = TEST_CASES,
        concurrency: int = 4,
        job: str = "job",
        key: str = KEY,
        url: str = "",
        settle_s: float = SETTLE_S,
        quiet_s: float = float("inf"),
        in_doubt: InDoubt = InDoubt.KEEP,
        watch: Watch | None = None,
        receive: Callable[[Delivered], None] | None = None,
        timeout_s: float = 5.0,
        created: Iterable[Outgoing] = (),
    ) -> list[Delivered]:
        """Send the rows; the last word on each, in the order of the rows. `created`: those that an earlier run made."""
        self.told = []
        before = self.changes(job) if created else {}
        ledger = open_sqlite(self.ledger)
        if ledger.job(job) is None:
            ledger.open_job(JobFacts(job, "import", "sandbox", None, "f00d", "2025-10", datetime.now(UTC)))
        ledger.hold(job, [TABLE])
        async with AsyncExitStack() as stack:
            stack.callback(ledger.close)
            pace = Pace(concurrency, clock=fast_clock())
            target = Target(url or self.api.url, key, timeout_s=timeout_s)
            api = await stack.enter_async_context(Api(target, concurrency, pace=pace))
            journal = await stack.enter_async_context(Journal(ledger, job))
            self.delivery = Delivery(
                api,
                journal,
                resource,
                self.api.contract,
                concurrency,
                watch=watch,
                settle_s=settle_s,
                quiet_s=quiet_s,
                in_doubt=in_doubt,
            )
            for row in created:
                self.delivery.remember(row, before[row.key.row])
            given = rows if isinstance(rows, AsyncIterator) else each(rows)
            await self.delivery.deliver(given, receive or self.told.append)
        return self.delivered

    @property
    def delivered(self) -> list[Delivered]:
        return list({one.key: one for one in self.told}.values())

    @property
    def traffic_by_status(self) -> dict[int, int]:
        assert self.delivery is not None
        return dict(self.delivery.traffic.by_status)

    def row(self, number: int, text: str | None = None, **more: object) -> Outgoing:
        """A test case."""
        body = {"input_str": f"caller {number}" if text is None else text, "test_set_id": self.parent} | more
        return Outgoing(RowKey(TABLE, number), json.dumps(body).encode(), (("test_set_id", str(body["test_set_id"])),))

    def rows(self, count: int) -> list[Outgoing]:
        return [self.row(number) for number in range(1, count + 1)]

    def again(self, rows: Iterable[Outgoing]) -> list[Outgoing]:
        """The same rows as a job that is carried on has them: without those that are over."""
        known = self.changes()
        over = {State.CREATED, State.FAILED}
        return [
            replace(row, doubt=change if change and change.state is State.IN_DOUBT else None)
            for row in rows
            if (change := known.get(row.key.row)) is None or change.state not in over
        ]

    def changes(self, job: str = "job") -> dict[int, Change]:
        """What the ledger has of each row."""
        ledger = open_sqlite(self.ledger)
        ledger.hold(job, [TABLE])
        found = {one.change.key.row: one.change for one in ledger.known(TABLE, 1, 100_000) if one.job_id == job}
        ledger.close()
        return found

    def note(self, *changes: Change, job: str = "job") -> None:
        """Write changes into the ledger, as a process did that then died."""
        ledger = open_sqlite(self.ledger)
        ledger.hold(job, [TABLE])
        ledger.record(job, changes)
        ledger.close()

    def states(self) -> dict[int, State]:
        return {number: change.state for number, change in self.changes().items()}


async def each(rows: Iterable[Outgoing]) -> AsyncIterator[Outgoing]:
    for row in rows:
        yield row


def outcomes(delivered: Iterable[Delivered]) -> list[Outcome]:
    return [one.outcome for one in delivered]


@asynccontextmanager
async def benched(folder: Path, contract: Contract = Contract.V2025_10) -> AsyncIterator[Bench]:
    """A bench whose API has one test set, and answers well."""
    async with crooked_api(contract) as api:
        yield Bench(api, folder / "ledger.db", api.make("test-sets", {"display_name": "Calls"}))


def agent_row(number: int, name: str, **more: object) -> Outgoing:
    body = {"display_name": name, "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"} | more
    return Outgoing(RowKey(TABLE, number), json.dumps(body).encode())


def parents_of_runs(api: CrookedApi) -> dict[str, str]:
    """An agent, a persona and a test set with one test case."""
    test_set_id = api.make("test-sets", {"display_name": "For runs"})
    api.make("test-cases", {"input_str": "Hello", "test_set_id": test_set_id})
    return {
        "agent_id": api.make("agents", json.loads(agent_row(1, "A").body)),
        "persona_id": api.make("personas", {"name": "P", "voice_name": "aria", "language_code": "en"}),
        "test_set_id": test_set_id,
    }


def run_row(number: int, parents: dict[str, str], **more: object) -> Outgoing:
    return Outgoing(RowKey(TABLE, number), json.dumps(parents | more).encode(), tuple(parents.items()))


def template_row(number: int, name: str, parents: Mapping[str, object], **more: object) -> Outgoing:
    body = {"display_name": name, **parents, **more}
    named = tuple((field, id_) for field, id_ in parents.items() if isinstance(id_, str))
    return Outgoing(RowKey(TABLE, number), json.dumps(body).encode(), named)

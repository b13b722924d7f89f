"""One whole job as the product does it: a real delivery and a real ledger, killed and resumed until it has ended.

It must never help the writer: what it knows of earlier lives it knows from the ledger.
"""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from etl.api import Api, Clock, Pace, Target
from etl.errors import EtlError, JobHeldError, StoppedError
from etl.ledger import LEASE_S, Change, Held, JobFacts, Journal, Ledger, RowKey, State
from etl.report import Outcome
from etl.resources import TEST_CASES
from etl.writer import Delivered, Delivery, Outgoing, Watch
from tests.simulation.checker import Judgement, Told, judge
from tests.simulation.journal import Doubts, InlineJournal, WatchedLedger
from tests.simulation.ledgers import Ledgers, Machine
from tests.simulation.loop import Ended, Process, SimulatedLoop
from tests.simulation.plan import Life, Plan
from tests.simulation.server import EPOCH, Server

JOB = "20261122-041500-9f3a"
TABLE = "a" * 40
MOST_LIVES = 16


@dataclass(slots=True)
class Record:
    """What happened in a job. `told`: what the last process said of each row, in the end."""

    plan: Plan
    server: Server
    told: dict[int, Told] = field(default_factory=dict)
    lives: int = 0
    kills: int = 0
    refused: int = 0
    suspended: int = 0
    stops: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    recovered: int = 0
    released: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    ended: bool = False

    def judge(self) -> Judgement:
        """The judgement on it."""
        wanted = dict(enumerate(self.plan.bodies, start=1))
        found = judge(
            wanted,
            self.told,
            self.server,
            concurrency=self.plan.concurrency,
        )
        found.unaccounted += self.crashes
        # The ledger's alarm saves what is stored, but nothing that goes right sets it off.
        found.unaccounted += [words for words in self.stops if "would have the same resource" in words]
        if not self.ended:
            found.unaccounted.append(f"the job did not end in {self.lives} lives: {self.stops}")
        return found

    @property
    def in_doubt(self) -> int:
        """Rows that are left to a person."""
        return sum(one.outcome is Outcome.IN_DOUBT for one in self.told.values())


class Job:
    """Runs a plan, on a loop of its own."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop = SimulatedLoop(plan.seed)
        self.server = Server(plan.weather, plan.seed, plan.resource, plan.contract, self.loop.time)
        self.record = Record(plan, self.server)
        self._random = Random(f"job {plan.seed}")
        self._ledgers = Ledgers(self.loop.time)
        self._doubts = Doubts()
        self._boots: dict[str, Machine] = {}

    def run(self) -> Record:
        """The whole job."""
        self.loop.simulate(self._drive())
        self.record.recovered, self.record.released = self._doubts.recovered, self._doubts.released
        self.record.steps = self.loop.steps
        self.record.virtual_s = self.loop.time()
        self.record.crashes += self.loop.trouble
        return self.record

    async def _drive(self) -> None:
        """Life after life, until one comes to the end of the job."""
        self.populate()
        intruder = asyncio.create_task(self._intrude())
        bustle = asyncio.create_task(self._bustle())
        lives = (*self.plan.lives, *(Life() for _ in range(MOST_LIVES)))
        for number, life in enumerate(lives[:MOST_LIVES], start=1):
            if number > self.plan.mend_after:
                self.server.calm()
            self.record.lives += 1
            self._doubts.begin_life()
            process = Process(f"life {number}", life.kill_at_step, life.kill_at_s, life.suspend)
            second = asyncio.create_task(self._meet(number, life))
            ended = await self.loop.run_process(process, partial(self.live, process, life))
            await second
            if life.reboots:
                host = life.machine.host
                self._boots[host] = Machine(host, f"boot {number}", self.loop.time())
            self.record.kills += ended.killed
            self.record.suspended += process.suspensions
            if self._is_over(ended):
                self.record.ended = True
                break
            await asyncio.sleep(LEASE_S + 1 if isinstance(ended.error, JobHeldError) else life.rest_s)
        if self.record.ended and self.plan.typed_again:
            await self._type_again()
        intruder.cancel()
        bustle.cancel()

    def _is_over(self, ended: Ended) -> bool:
        if ended.killed:
            return False
        if isinstance(ended.error, EtlError):
            self.record.stops.append(ended.error.message)
            return False
        if ended.error is not None:
            self.record.crashes.append(f"crashed: {_trace(ended.error)}")
            return True
        stopped, self.record.told = ended.value
        if stopped is not None:
            self.record.stops.append(stopped.message)
        return stopped is None

    async def _type_again(self) -> None:
        """The job is carried on though it has ended: what was created stays so, and only what was not is sent."""
        self.server.calm()
        before = self.record.told
        self._doubts.begin_life()
        await asyncio.sleep(LEASE_S + 1)
        process = Process("typed again")
        self._is_over(await self.loop.run_process(process, partial(self.live, process, Life())))
        for row, told in before.items():
            now = self.record.told.get(row)
            if told.outcome is Outcome.CREATED and (now is None or now.id != told.id):
                self.record.crashes.append(f"row {row} was {told}, and is {now} when the job is typed again")

    async def _meet(self, number: int, life: Life) -> None:
        """A second process tries the same job while the first one works on it, or is suspended."""
        if life.met_at_s is None:
            return
        await asyncio.sleep(life.met_at_s)
        process = Process(f"second {number}")
        ended = await self.loop.run_process(process, partial(self.live, process, Life(machine=life.met_on)))
        self.record.refused += isinstance(ended.error, JobHeldError)
        if ended.error is not None and not isinstance(ended.error, EtlError):
            self.record.crashes.append(f"the second process crashed: {_trace(ended.error)}")

    async def live(self, process: Process, life: Life) -> tuple[EtlError | None, dict[int, Told]]:
        """One process: opens the ledger, sends what is to be sent, tells what became of every row."""
        plan = self.plan
        random = Random(f"{process.name} {plan.seed}")
        clock = Clock(self.loop.time, lambda: EPOCH + timedelta(seconds=self.loop.time()), asyncio.sleep, random.random)
        machine = self._boots.get(life.machine.host, life.machine)
        ledger: Ledger = WatchedLedger(self._ledgers.open(process, machine), process, self._doubts, life.full_at)
        try:
            if ledger.job(JOB) is None:
                ledger.open_job(
                    JobFacts(JOB, "import", "simulated", None, "f00d", plan.contract, EPOCH, identity="i" * 40)
                )
            held = ledger.hold(JOB, [TABLE])
            before = {known.change.key.row: known.change for known in ledger.known(TABLE, 1, len(plan.bodies))}
            async with InlineJournal(ledger, JOB, random) as journal:
                return await self._deliver(journal, clock, random, life, held, before)
        finally:
            if process.alive:
                ledger.close()

    async def _deliver(
        self,
        journal: Journal,
        clock: Clock,
        random: Random,
        life: Life,
        held: Held,
        before: dict[int, Change],
    ) -> tuple[EtlError | None, dict[int, Told]]:
        plan = self.plan
        told: dict[int, Told] = {}
        pace = Pace(plan.concurrency, plan.rate_per_s, clock)
        delivery = Delivery(
            Api(Target("http://localhost/v1", "key"), transport=self.server, pace=pace),
            journal,
            plan.resource,
            plan.contract,
            plan.concurrency,
            watch=Watch(trust_mapping=True),
            settle_s=plan.settle_s,
            quiet_s=held.quiet_s,
            in_doubt=life.decision,
        )
        if life.stop_at_s is not None:
            self.loop.call_later(life.stop_at_s, delivery.stop, StoppedError("Ctrl-C"))
        rows = self._rows(delivery, before, told, random)
        await delivery.deliver(rows, lambda one: self._note(one, told))
        return delivery.stopped, told

    async def _rows(
        self, delivery: Delivery, before: dict[int, Change], told: dict[int, Told], random: Random
    ) -> AsyncIterator[Outgoing]:
        """The rows that are to be sent; of the others it is told what became of them before."""
        for number in range(1, len(self.plan.bodies) + 1):
            if random.random() < 0.2:
                await asyncio.sleep(random.random() * 0.2)
            change = before.get(number)
            row = self.outgoing(number)
            if change is not None and change.state is State.CREATED:
                told[number] = Told(Outcome.CREATED, change.resource_id)
                delivery.remember(row, change)
            elif change is not None and change.state is State.FAILED:
                told[number] = Told(Outcome.FAILED)
            elif change is not None and change.state in {State.SENDING, State.IN_DOUBT}:
                yield Outgoing(row.key, row.body, row.parents, change)
            else:
                yield row

    def outgoing(self, number: int) -> Outgoing:
        """A row. Blanks behind its body tell it from equal rows for the judge; to the API they say nothing."""
        body = self.plan.bodies[number - 1]
        text = json.dumps(body) + (" " * number if self.plan.distinct_texts else "")
        parents = (("test_set_id", body["test_set_id"]),) if self.plan.resource is TEST_CASES else ()
        return Outgoing(RowKey(TABLE, number), text.encode(), parents)

    def _note(self, one: Delivered, told: dict[int, Told]) -> None:
        row = one.key.row
        if row in told and told[row].outcome is not Outcome.IN_DOUBT:
            self.record.crashes.append(f"row {row} was told twice: {told[row]}, {one}")
        told[row] = Told(one.outcome, one.resource_id, one.message)

    def populate(self) -> None:
        """What is there before the job: much of anything, and some that is just like its rows."""
        for number in range(self.plan.weather.crowd):
            body = self._unlike(f"something else {number}")
            self.server.add(body, "others", ago_s=self._random.uniform(10.0, 90_000.0))
        for body in self.plan.bodies:
            if self._random.random() < self.plan.weather.lookalikes:
                self.server.add(body, "others", ago_s=self._random.uniform(60.0, 90_000.0))

    async def _bustle(self) -> None:
        """Others go on with what they do, which is nothing like the rows of the job."""
        number = 0
        while self.plan.weather.bustle_s and number < 30:
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * self.plan.weather.bustle_s)
            number += 1
            self.server.intrude(self._unlike(f"something new {number}"))

    def _unlike(self, label: str) -> dict[str, Any]:
        body = dict(self._random.choice(self.plan.bodies))
        body.pop("customer_agent_id", None)
        if self.plan.resource.label in body:
            body[self.plan.resource.label] = label
        return body

    async def _intrude(self) -> None:
        """Somebody else makes the same while the job runs: an assumption is broken (A4)."""
        for body in self.plan.bodies:
            if self._random.random() < self.plan.weather.intruder:
                await asyncio.sleep(self._random.uniform(0.0, 10.0))
                self.server.intrude(body)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)[-6:])

"""A job as somebody plays with it: start, kill, resume, a second process, faults on and off, time passing, decisions.

It must never decide wrongly for a person: rows in doubt are sent again or accepted only where that is the truth.
"""

import asyncio
from dataclasses import replace
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from etl.ledger import LEASE_S
from etl.report import Outcome
from etl.writer import InDoubt
from tests.simulation.checker import Told, doubled_so_far, judge, truly_stored
from tests.simulation.job import Job
from tests.simulation.ledgers import Machine
from tests.simulation.loop import Process
from tests.simulation.plan import Life, draw_plan
from tests.simulation.weather import GET_FAULTS, POST_FAULTS

MOST_AT_ONCE = 3
MOST_LIVES = 20


class Game(RuleBasedStateMachine):
    """One job, one server, one ledger, and as many processes as somebody starts."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        """Rows, and an API with a character of its own."""
        plan = draw_plan(seed, stormy=0.0)
        plan = replace(plan, weather=replace(plan.weather, outages=()), bodies=plan.bodies[:12])
        self.job = Job(plan)
        self.wanted = dict(enumerate(plan.bodies, start=1))
        self.told: dict[int, Told] = {}
        self.settled = False
        self.processes: list[Process] = []
        self.lives = 0
        self.job.populate()

    def _pass(self, for_s: float) -> None:
        self.job.loop.run_until_complete(asyncio.sleep(for_s))

    @property
    def alive(self) -> list[Process]:
        """Those that still work, or are suspended."""
        return [process for process in self.processes if process.alive]

    def _start(self, life: Life) -> None:
        self.lives += 1
        self.settled = False
        process = Process(f"life {self.lives}")
        self.processes.append(process)
        self.job.loop.create_task(self._run(process, life))

    async def _run(self, process: Process, life: Life) -> None:
        ended = await self.job.loop.run_process(process, partial(self.job.live, process, life))
        if ended.value is not None:
            stopped, self.told = ended.value
            if life.decision is InDoubt.ACCEPT:
                self._note_accepted()
            self.settled = stopped is None

    def _note_accepted(self) -> None:
        for row, one in self.told.items():
            if one.outcome is Outcome.CREATED and one.id is None:
                self.told[row] = replace(one, accepted=True)

    @precondition(lambda self: len(self.alive) < MOST_AT_ONCE and self.lives < MOST_LIVES)
    @rule(host=st.sampled_from(("here", "here", "there")))
    def start(self, host: str) -> None:
        """Somebody starts or resumes the job; where another one works on it, that is refused."""
        self._start(Life(machine=Machine(host)))

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, MOST_AT_ONCE - 1))
    def kill(self, which: int) -> None:
        """kill -9."""
        self.job.loop.kill(self.alive[which % len(self.alive)])

    @precondition(lambda self: any(not process.suspended for process in self.alive))
    @rule(for_s=st.sampled_from((1.0, 40.0, 100.0, 4000.0)))
    def suspend(self, for_s: float) -> None:
        """Ctrl-Z, or the lid of the machine."""
        self.job.loop.suspend(next(process for process in self.alive if not process.suspended), for_s)

    @rule(
        kinds=st.lists(st.sampled_from(POST_FAULTS), max_size=4, unique=True),
        reads=st.lists(st.sampled_from(GET_FAULTS), max_size=2, unique=True),
        share=st.sampled_from((0.1, 0.5, 1.0)),
    )
    def change_weather(self, kinds: list[str], reads: list[str], share: float) -> None:
        """Faults begin, or end."""
        server = self.job.server
        server.weather = replace(
            server.weather,
            post={kind: share / len(kinds) for kind in kinds},
            get={kind: share / 2 / len(reads) for kind in reads},
        )

    @rule(for_s=st.sampled_from((0.0, 0.1, 0.5, 2.0, 10.0, 61.0, 300.0)))
    def wait(self, for_s: float) -> None:
        """Time passes."""
        self._pass(for_s)

    @precondition(lambda self: not self.alive and self.settled and self.told)
    @rule()
    def decide(self) -> None:
        """A person looks, and says what is true of the rows in doubt."""
        self._pass(self.job.plan.weather.settles_in_s + 1)
        all_there, none_there = truly_stored(self.wanted, self.told, self.job.server)
        if not any(one.outcome is Outcome.IN_DOUBT for one in self.told.values()) or not (all_there or none_there):
            return
        self._start(Life(decision=InDoubt.ACCEPT if all_there else InDoubt.RESEND))

    @invariant()
    def nothing_is_doubled(self) -> None:
        """At no moment is anything there twice."""
        if hasattr(self, "job"):
            doubled = doubled_so_far(self.wanted, self.job.server)
            assert not doubled, doubled

    def teardown(self) -> None:
        """In the end everything is mended, the job is carried on until it has ended, and judged."""
        if not hasattr(self, "job"):
            return
        try:
            self._end()
        finally:
            for process in self.alive:
                self.job.loop.kill(process)
            if not self.job.loop.is_closed():
                self.job.loop.simulate(asyncio.sleep(0))

    def _end(self) -> None:
        job = self.job
        job.server.calm()
        for process in self.alive:
            job.loop.kill(process)
        for _ in range(5):
            self._pass(LEASE_S + 1)
            self._start(Life())
            while self.alive:
                self._pass(100.0)
            if self.settled:
                break
        found = judge(self.wanted, self.told, job.server, concurrency=job.plan.concurrency)
        assert self.settled, "the job does not end"
        assert not (found.wrong + job.record.crashes + job.loop.trouble), found.wrong + job.record.crashes

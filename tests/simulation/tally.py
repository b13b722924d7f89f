"""Many jobs, one after the other or two at a time, and what came of all of them. It must never judge a job itself."""

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial

from etl.resources import RUNS
from tests.simulation.job import Job, Record
from tests.simulation.plan import Plan, draw_plan

Draw = Callable[[int], Plan]


@dataclass(slots=True)
class Tally:
    """Sums over jobs. `failing`: what was wrong, by seed."""

    jobs: int = 0
    rows: int = 0
    lives: int = 0
    kills: int = 0
    suspended: int = 0
    refused: int = 0
    requests: int = 0
    recovered: int = 0
    released: int = 0
    in_doubt: int = 0
    runs: int = 0
    runs_in_doubt: int = 0
    virtual_h: float = 0.0
    cpu_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    failing: dict[int, list[str]] = field(default_factory=dict)

    def add(self, seed: int, record: Record) -> None:
        """One more job."""
        judgement = record.judge()
        self.jobs += 1
        self.rows += len(record.plan.bodies)
        self.lives += record.lives
        self.kills += record.kills
        self.suspended += record.suspended
        self.refused += record.refused
        self.requests += record.server.requests
        self.recovered += record.recovered
        self.released += record.released
        self.in_doubt += record.in_doubt
        if record.plan.resource is RUNS:
            self.runs += len(record.plan.bodies)
            self.runs_in_doubt += record.in_doubt
        self.virtual_h += record.virtual_s / 3600
        self.faults.update(record.server.faults)
        for kind in ("lost", "doubled", "wrongly_adopted", "unexpected", "unaccounted", "manners"):
            self.wrong[kind] += len(getattr(judgement, kind))
        if judgement.wrong:
            self.failing[seed] = judgement.wrong

    def merge(self, other: "Tally") -> None:
        """Take in what another process did."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, (Counter, dict)):
                mine.update(theirs)
            else:
                setattr(self, one.name, mine + theirs)

    def table(self) -> Iterator[str]:
        """What a person reads."""
        yield f"{self.jobs:>12,} jobs, {self.rows:,} rows, {self.lives:,} lives, {self.requests:,} requests"
        yield f"{self.kills:>12,} kills, {self.suspended:,} suspended, {self.refused:,} second processes refused"
        yield f"{sum(self.faults.values()):>12,} faults: {self._faults()}"
        yield f"{self.virtual_h:>12,.0f} virtual hours in {self.cpu_s:,.0f} s of processor time"
        yield f"{self.recovered:>12,} rows found after doubt, {self.released:,} proved absent and sent again"
        others, doubts = self.rows - self.runs, self.in_doubt - self.runs_in_doubt
        words = f"{self.runs_in_doubt:,} of {self.runs:,} runs, which are never launched again"
        yield f"{doubts:>12,} rows left to a person ({100 * doubts / max(1, others):.2f} %), beside {words}"
        for kind in ("lost", "doubled", "wrongly_adopted", "unexpected", "unaccounted", "manners"):
            yield f"{self.wrong[kind]:>12,} {kind.replace('_', ' ')}"
        for seed, words in sorted(self.failing.items())[:20]:
            yield f"seed {seed}: {words[0][:300]}"

    def _faults(self) -> str:
        return ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.faults.items()))


def run_seeds(seeds: Iterable[int], draw: Draw = draw_plan) -> Tally:
    """Run the jobs of these seeds in this process. Garbage is collected between them: within one it is chance."""
    tally = Tally()
    started_s = time.process_time()
    collecting = gc.isenabled()
    gc.disable()
    gc.freeze()  # what was there before is not looked through each time
    try:
        for number, seed in enumerate(seeds):
            tally.add(seed, Job(draw(seed)).run())
            if number % 25 == 24:
                gc.collect()
    finally:
        gc.collect()
        gc.unfreeze()
        if collecting:
            gc.enable()
    tally.cpu_s = time.process_time() - started_s
    return tally


def run_in_parts(seeds: range, draw: Draw = draw_plan, part: int = 100) -> Iterator[Tally]:
    """Run the jobs of these seeds in two processes; what has come so far, after each part."""
    tally = Tally()
    parts = [range(at, min(at + part, seeds.stop)) for at in range(seeds.start, seeds.stop, part)]
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for done in pool.map(partial(run_seeds, draw=draw), parts):
            tally.merge(done)
            yield tally

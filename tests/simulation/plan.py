"""What a simulated job is: its rows, its API, when it is killed, stopped, suspended, met by a second process.

It must never know what comes of it. Everything is drawn from a seed.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from etl.resources import AGENTS, RUN_TEMPLATES, RUNS, TEST_CASES, Contract, Resource
from etl.writer import InDoubt
from tests.simulation.bodies import draw_body, omittable
from tests.simulation.ledgers import HERE, Machine
from tests.simulation.weather import Weather, draw_echo, draw_weather

RESOURCES = (TEST_CASES,) * 6 + (AGENTS, RUN_TEMPLATES, RUNS)
MARGIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Life:
    """One process that works on the job, and what befalls it.

    `stop_at_s`: Ctrl-C. `full_at`: from that many changes on the ledger's disk is full. `rest_s`: how long nobody works
    on the job afterwards. `machine`: where it runs; `reboots`: the machine starts anew after it. `decision`: what
    a person has decided about rows in doubt. `met_at_s`: when a second process tries the same job, on `met_on`.
    """

    kill_at_step: int | None = None
    kill_at_s: float | None = None
    suspend: tuple[int, float] | None = None
    stop_at_s: float | None = None
    full_at: int | None = None
    rest_s: float = 1.0
    met_at_s: float | None = None
    machine: Machine = HERE
    reboots: bool = False
    decision: InDoubt = InDoubt.KEEP
    met_on: Machine = HERE


@dataclass(frozen=True, slots=True)
class Plan:
    """A job from a seed. `lives` are followed by as many undisturbed ones as it takes."""

    seed: int | str
    resource: Resource
    contract: Contract
    weather: Weather
    bodies: tuple[dict[str, Any], ...]
    lives: tuple[Life, ...]
    settle_s: float
    concurrency: int
    rate_per_s: float | None = None
    distinct_texts: bool = True
    mend_after: int = 4
    """After so many lives nothing goes wrong any more, so that the job can end."""
    typed_again: bool = False
    """Whether the job is carried on once more when it has ended: then nothing is sent."""


def draw_plan(seed: int | str, *, settle_s: float | None = None, stormy: float | None = None) -> Plan:
    """The job of a seed. `settle_s`: that, instead of one that is long enough for this API."""
    random = Random(f"plan {seed}")
    resource = random.choice(RESOURCES)
    contract = random.choice(tuple(Contract))
    weather = draw_weather(random, stormy=stormy)
    weather = replace(weather, echo=draw_echo(random, omittable(resource)) if random.random() < 0.7 else weather.echo)
    rows = 5 + int(36 * random.random() ** 1.5)
    variety = random.choice((2, rows, 4 * rows))
    bodies = tuple(draw_body(random, resource, contract, number, variety) for number in range(1, rows + 1))
    lives = tuple(_draw_life(random, rows) for _ in range(random.choice((0, 1, 1, 2, 3))))
    return Plan(
        seed=seed,
        resource=resource,
        contract=contract,
        weather=weather,
        bodies=bodies,
        lives=lives,
        settle_s=weather.settles_in_s + MARGIN_S if settle_s is None else settle_s,
        concurrency=random.choice((1, 2, 4, 16)),
        rate_per_s=random.choice((None, None, 5.0)),
        distinct_texts=random.random() < 0.5,
        mend_after=len(lives) + random.choice((1, 2, 3)),
        typed_again=random.random() < 0.3,
    )


def _draw_life(random: Random, rows: int) -> Life:
    """How a process ends before its time."""
    life = Life(
        rest_s=random.choice((0.0, 1.0, 20.0, 3600.0)),
        machine=Machine(random.choice(("here", "here", "here", "there"))),
        reboots=random.random() < 0.15,
    )
    if random.random() < 0.2:
        met_on = Machine(random.choice(("here", "there")))
        life = replace(life, met_at_s=random.choice((30.0, 200.0)) * random.random(), met_on=met_on)
    chance = random.random()
    if chance < 0.5:
        return replace(life, kill_at_step=int(rows * 80 * random.random() ** 2) + 1)
    if chance < 0.7:
        return replace(life, kill_at_s=random.choice((2.0, 30.0, 120.0)) * random.random())
    if chance < 0.78:
        return replace(life, stop_at_s=30.0 * random.random())
    if chance < 0.95:
        suspend = (int(rows * 60 * random.random()) + 1, random.choice((5.0, 70.0, 4000.0)))
        met_on = Machine(random.choice(("here", "there")))
        return replace(life, suspend=suspend, met_at_s=random.choice((20.0, 90.0, 200.0)), met_on=met_on)
    return replace(life, full_at=int(rows * 2 * random.random()))

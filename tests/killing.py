"""Imports that are killed and carried on, against a sandbox that fails, and the judge of what was left.

`python -m tests.killing --moments 1000` kills at so many random moments; what it finds is said with the seed.
"""

import argparse
import asyncio
import csv
import dataclasses
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from etl.sandbox import NO_FAULTS, Faults, RunningSandbox, parse_faults, running_sandbox
from tests.forking import Call, Ended, Forker

KEY = "killing-key-0123456789"
KILLED = -9
SETTLE_S = 1.0
LATE_S = 0.3
BAD_WEATHER = (
    "429:0.02,429none:0.06,500:0.03,503:0.03,html502:0.02,reset:0.03,500after:0.03,502after:0.03,resetafter:0.03,"
    "latecommit:0.05,garbage:0.03"
)
"""Two fifths of all requests fail, most of them without a word about whether the row was stored."""
ROUNDS_AT_ONCE = 6
TRIES = 14
"""So often a job is carried on; each time it must come further, for kills are planned for a few of them only."""

Text = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Kill:
    """How one run of the command is killed: at a named point, after so many calls, or not at all (counting calls)."""

    at: str | None = None
    calls: int | None = None

    def __str__(self) -> str:
        return self.at or (f"call {self.calls:,}" if self.calls else "never")


@dataclass(slots=True)
class World:
    """One source file, one ledger and one server; `wanted` are the rows of the file, duplicates and all.

    `before`: what the test set holds already, all of it equal to rows of the file; empty where the job makes the set.
    """

    folder: Path
    sandbox: RunningSandbox
    test_set: str
    wanted: Counter[Text]
    before: Counter[Text] = field(default_factory=Counter)
    before_ids: frozenset[str] = frozenset()
    strangers: int = 0
    """Jobs that the ledger had before."""

    @property
    def ledger(self) -> Path:
        return self.folder / "state" / "coval-etl" / "ledger.db"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "COVAL_API_KEY": KEY,
            "COVAL_BASE_URL": self.sandbox.base_url,
            "LANG": "C.UTF-8",
        }

    def importing(self, *more: str) -> tuple[str, ...]:
        flags = ("--test-set", self.test_set, "--create-missing", "--settle", str(SETTLE_S), "--concurrency", "4")
        return ("import", "rows.csv", *flags, "--report", "report", *more)

    def call(self, arguments: Sequence[str], kill: Kill = Kill(), **more: Any) -> Call:
        armed = {"COVAL_ETL_CRASH_AT": kill.at} if kill.at else {}
        return Call(tuple(arguments), self.folder, self.environment | armed, dies_after=kill.calls, **more)

    def stored(self) -> dict[str, Text]:
        """The test cases that the server has, by id."""
        found = self.sandbox.store._sql.execute("SELECT id, fields FROM stored WHERE resource = 'test-cases'")
        return {id_: text_of(json.loads(fields)) for id_, fields in found}

    def jobs(self) -> int:
        """How many jobs of this world the ledger has."""
        return len(self.in_ledger("SELECT 1 FROM job")) - self.strangers

    def in_ledger(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the ledger; nothing where there is none yet."""
        if not self.ledger.exists():
            return []
        with closing(sqlite3.connect(self.ledger)) as ledger:
            try:
                return ledger.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []


def text_of(fields: Mapping[str, Any]) -> Text:
    expected = fields.get("expected_behaviors") or [""]
    return fields["input_str"], expected[0]


@asynccontextmanager
async def world(
    folder: Path,
    seed: int,
    *,
    rows: int = 12,
    faults: Faults = NO_FAULTS,
    latency_s: float = 0.0,
    look_alikes: bool = False,
) -> AsyncIterator[World]:
    """A world. Every third row is there twice, some three times."""
    luck = random.Random(seed)
    texts: list[Text] = []
    while len(texts) < rows:
        one = (f"Caller {luck.randrange(10**9)} asks", luck.choice(["", "is told", "hears the hours"]))
        texts += [one] * luck.choice([1, 1, 1, 1, 2, 3])
    texts = texts[:rows]
    luck.shuffle(texts)
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["input_str", "expected_behaviors"])
        lines.writerows(texts)
    database = folder / "server.db"
    before = luck.sample(texts, 3) if look_alikes else []
    name, ids = "Calls", list[str]()
    if look_alikes:
        async with running_sandbox(db=database, key=KEY) as quiet:
            name, ids = await _prepare(quiet, before)
    async with running_sandbox(db=database, key=KEY, faults=faults, latency_s=latency_s) as sandbox:
        yield World(folder, sandbox, name, Counter(texts), Counter(before), frozenset(ids))


@asynccontextmanager
async def served_anew(place: World) -> AsyncIterator[World]:
    """The same world once its server was closed: at the same address another one has its data, and no faults."""
    port = int(place.sandbox.base_url.rpartition(":")[2].partition("/")[0])
    async with running_sandbox(db=place.folder / "server.db", key=KEY, port=port) as sandbox:
        yield dataclasses.replace(place, sandbox=sandbox)


async def _prepare(sandbox: RunningSandbox, texts: Sequence[Text]) -> tuple[str, list[str]]:
    """A test set that holds these texts: its id, and theirs."""
    async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:

        async def make(path: str, body: dict[str, Any]) -> str:
            async with session.post(f"{sandbox.base_url}{path}", json=body) as answer:
                (made,) = (await answer.json()).values()
                return str(made["id"])

        set_id = await make("/test-sets", {"display_name": "Calls"})
        bodies = [
            {"input_str": one, "test_set_id": set_id} | ({"expected_behaviors": [e]} if e else {}) for one, e in texts
        ]
        return set_id, [await make("/test-cases", body) for body in bodies]


@dataclass(slots=True)
class Round:
    """One job, from the first line typed to its end. `complaints` is what was wrong: it must stay empty."""

    killed: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """Kills that never came: the run ended before."""
    ends: list[Ended] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


Run = Callable[[Call], Awaitable[Ended]]


async def carry_through(place: World, run: Run, kills: Sequence[Kill]) -> Round:
    """Import, killed as planned and carried on, until it ends; then judge."""
    done = Round()
    plan = list(kills)
    for _ in range(TRIES + len(kills)):
        begun = place.jobs()
        kill = plan.pop(0) if plan else Kill()
        settle = ("--settle", str(SETTLE_S))
        arguments = ("resume", *settle) if begun else place.importing()
        ended = await run(place.call(arguments, kill))
        done.ends.append(ended)
        if ended.code == KILLED:
            done.killed.append(str(kill))
            continue
        if kill.at or kill.calls:
            done.missed.append(str(kill))
        if is_over(place, ended):
            break
        if ended.code not in {0, 1, 4, 5}:
            done.complaints.append(f"exit code {ended.code}: {ended.err[-2000:]}")
            break
        if ended.code == 0:
            break
    place.sandbox.commit_late()
    done.complaints += judge(place, done.ends[-1])
    return done


def is_over(place: World, ended: Ended) -> bool:
    """Whether there was nothing left to carry on: the kill came when all was done and written down."""
    return "No import waits" in ended.err and place.in_ledger("SELECT exit_code FROM job")[-1:] == [(0,)]


def judge(place: World, last: Ended) -> list[str]:
    """What is wrong with how it ended."""
    wrong = [] if last.code == 0 or is_over(place, last) else [f"it ended with {last.code}: {last.err[-1500:]}"]
    stored = place.stored()
    mine = Counter(stored.values()) - place.before
    if lost := place.wanted - mine:
        wrong.append(f"lost: {dict(lost)}")
    if doubled := mine - place.wanted:
        wrong.append(f"doubled: {dict(doubled)}")
    sets = place.sandbox.store.all_bodies("test-sets")
    if len(sets) != 1:
        wrong.append(f"there are {len(sets)} test sets")
    wrong += _judge_ledger(place, stored)
    wrong += _judge_report(place, stored)
    return wrong


def _judge_ledger(place: World, stored: Mapping[str, Text]) -> list[str]:
    wrong = []
    if place.in_ledger("PRAGMA integrity_check") != [("ok",)]:
        wrong.append(f"the ledger is damaged: {place.in_ledger('PRAGMA integrity_check')}")
    if place.jobs() != 1:
        wrong.append(f"there are {place.jobs()} jobs")
    count = place.wanted.total()
    of_cases = f"FROM source_row WHERE row > 1 AND job_no > {place.strangers}"
    states = dict(place.in_ledger(f"SELECT state, count(*) {of_cases} GROUP BY state"))
    if states != {"created": count}:
        wrong.append(f"the ledger has {states}, for {count} rows")
    ids = [id_ for (id_,) in place.in_ledger(f"SELECT resource_id {of_cases}")]
    wrong += _judge_ids(place, stored, ids, "the ledger")
    return wrong


def _judge_report(place: World, stored: Mapping[str, Text]) -> list[str]:
    if not (place.folder / "report" / "summary.json").exists():
        return ["there is no report"]
    summary = json.loads((place.folder / "report" / "summary.json").read_text())
    lines = [json.loads(line) for line in (place.folder / "report" / "results.jsonl").read_text().splitlines()]
    counts = dict(summary["rows"])
    read, count = counts.pop("read"), place.wanted.total()
    wrong = []
    if read != count or sum(counts.values()) != count or counts["created"] != count:
        wrong.append(f"the report does not add up: {summary['rows']}")
    if [line["row"] for line in lines] != list(range(2, count + 2)):
        wrong.append(f"the report has rows {[line['row'] for line in lines]}")
    with (place.folder / "rows.csv").open(newline="", encoding="utf-8") as file:
        texts = [(row[0], row[1]) for row in csv.reader(file)][1:]
    ids = [line["id"] for line in lines]
    for line in lines:
        text, there = texts[line["row"] - 2], stored.get(line["id"])
        wrong += [f"row {line['row']} is {text}, but {line['id']} is {there}"] if text != there else []
    return wrong + _judge_ids(place, stored, ids, "the report")


def _judge_ids(place: World, stored: Mapping[str, Text], ids: Sequence[str | None], who: str) -> list[str]:
    wrong = []
    if len(set(ids)) != len(ids):
        wrong.append(f"{who} has an id twice: {ids}")
    if strange := [id_ for id_ in ids if id_ not in stored]:
        wrong.append(f"{who} has ids that the server has not: {strange}")
    if adopted := place.before_ids.intersection(filter(None, ids)):
        wrong.append(f"{who} adopted what was there before: {adopted}")
    return wrong


@dataclass(slots=True)
class Tally:
    """Rounds, added up."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    doubts: int = 0
    complaints: list[str] = field(default_factory=list)

    def add(self, name: str, done: Round) -> None:
        self.rounds += 1
        self.kills.update(done.killed)
        self.missed.update(done.missed)
        self.complaints += [f"{name}, killed at {done.killed}: {one}" for one in done.complaints]

    def __str__(self) -> str:
        return f"{self.rounds} rounds, {self.kills.total()} kills, {len(self.complaints)} complaints"


async def in_turns(rounds: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """A few at once: most of a round is waiting."""
    free = asyncio.Semaphore(ROUNDS_AT_ONCE)

    async def take(one: Callable[[], Awaitable[None]]) -> None:
        async with free:
            await one()

    await asyncio.gather(*(take(one) for one in rounds))


async def random_moments(forker: Forker, folder: Path, moments: int, seed: int) -> Tally:
    """Rounds, each killed up to three times after a random number of calls, until so many kills have struck."""
    tally = Tally()
    reach = 1
    numbers = iter(range(10**9))

    async def one() -> None:
        nonlocal reach
        number = next(numbers)
        luck = random.Random(seed * 1_000_003 + number)
        home = folder / f"moment-{number}"
        home.mkdir()
        faults = parse_faults(BAD_WEATHER, seed=luck.randrange(2**32), late_commit_s=LATE_S, slow_s=0.2)
        async with world(home, luck.randrange(2**32), faults=faults, look_alikes=luck.random() < 0.7) as place:
            kills = [Kill(calls=luck.randrange(1, reach)) for _ in range(luck.choice([1, 2, 3, 4, 5]))]
            tally.add(f"seed {seed}, round {number}", await carry_through(place, forker.run, kills))
        shutil.rmtree(home)

    home = folder / "measure"
    home.mkdir()
    async with world(home, seed) as place:
        measured = await forker.run(place.call(place.importing(), Kill(calls=0)))
    assert measured.code == 0, measured.err
    assert measured.calls is not None
    reach = measured.calls
    while tally.kills.total() < moments and not tally.complaints:
        await in_turns([one] * max(ROUNDS_AT_ONCE, (moments - tally.kills.total()) // 3))
    return tally


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.killing", description=__doc__)
    words.add_argument("--moments", type=int, default=1000)
    words.add_argument("--seed", type=int, default=int(time.time()))
    asked = words.parse_args()
    forker = Forker()
    with tempfile.TemporaryDirectory(prefix="coval-killing-") as folder:
        tally = asyncio.run(random_moments(forker, Path(folder), asked.moments, asked.seed))
    forker.close()
    print(f"seed {asked.seed}: {tally}")
    print("\n".join(tally.complaints), end="\n" if tally.complaints else "")
    return int(bool(tally.complaints))


if __name__ == "__main__":
    sys.exit(main())

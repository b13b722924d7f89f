# ruff: noqa: T201  # what was measured is printed
"""What the ledger costs an import: `python -m benchmarks.ledger` sends rows with and without one, in turns.

It must never know a real API: answers come from this process after a few milliseconds, so that little else costs time.
`--resume` measures instead how long a job of a million created rows takes until it knows all of them.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etl.api import Answer, Api, NoAnswer, Pace, Target
from etl.ledger import Change, JobFacts, Journal, Ledger, RowKey, State, open_ledger
from etl.resources import TEST_CASES, Contract
from etl.writer import Delivered, Delivery, Outgoing

TABLE = "a" * 40
LATENCY_S = 0.005
KNOWN_AT_ONCE = 10_000
"""The rows of a batch: so many are asked for at once."""


class Instant:
    """An API that stores everything, after a moment."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._stored = 0

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,  # noqa: ARG002  (as a transport has it)
        query: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Answer | NoAnswer:
        await asyncio.sleep(self._latency_s)
        if method != "POST":
            fields = {"id": path.rpartition("/")[2]}
            answer = {"test_case": fields} if path.count("/") == 2 else {"test_cases": []}
            return Answer(200, answer, {}, self._latency_s)
        self._stored += 1
        return Answer(201, {"test_case": {"id": f"{self._stored:022d}"}}, {}, self._latency_s)


class NoJournal(Journal):
    """Acknowledges at once what it was given, and keeps nothing but the baseline."""

    async def record(self, *changes: Change) -> None:  # noqa: ARG002  (as a journal has it)
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What sending took: by the clock, and of the processor (of all threads)."""

    wall_s: float
    cpu_s: float


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    words.add_argument("--rows", type=int, default=10_000)
    words.add_argument("--pairs", type=int, default=9)
    words.add_argument("--rate", type=float, default=2_000.0, help="rows a second at most (2000)")
    words.add_argument("--concurrency", type=int, default=64)
    words.add_argument("--latency", type=float, default=LATENCY_S, help="seconds until an answer comes (0.005)")
    words.add_argument("--folder", type=Path, help="where ledgers are kept: a real disk (the temporary folder)")
    words.add_argument("--ledger", metavar="URL", help="a ledger in PostgreSQL, not files; its job `job` goes")
    words.add_argument("--resume", type=int, metavar="ROWS", help="measure resuming a job of so many created rows")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        if asked.resume:
            resume(Path(folder), asked.resume)
        else:
            compare(Path(folder), asked)


def compare(folder: Path, asked: argparse.Namespace) -> None:
    """With and without, in turns; medians."""
    found: dict[str, list[Cost]] = {"with": [], "without": []}
    for number in range(asked.pairs):
        order = ("with", "without") if number % 2 else ("without", "with")
        for which in order:
            place = folder / f"{number}-{which}.db"
            found[which].append(asyncio.run(send(place, which == "with", asked)))
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {asked.pairs} pairs of {asked.rows:,} rows")
    wall = [one.wall_s / other.wall_s - 1 for one, other in zip(found["with"], found["without"], strict=True)]
    for which, costs in found.items():
        took_s = statistics.median(one.wall_s for one in costs)
        each_us = statistics.median(one.cpu_s for one in costs) / asked.rows * 1e6
        print(f"{which:>8}: {asked.rows / took_s:8,.0f} rows/s by the clock, {each_us:6.0f} µs of processor a row")
    print(f"The ledger adds {100 * statistics.median(wall):.1f} % to the time by the clock (median of the pairs).")


async def send(place: Path, kept: bool, asked: argparse.Namespace) -> Cost:  # noqa: FBT001
    """Send the rows once."""
    ledger = open_ledger(asked.ledger or place)
    if ledger.job("job") is not None:
        ledger.forget("job")
    _begin(ledger)
    rows = [_row(number) for number in range(1, asked.rows + 1)]
    pace = Pace(asked.concurrency, asked.rate)
    try:
        async with (Journal if kept else NoJournal)(ledger, "job") as journal:
            api = Api(Target("http://localhost/v1", "key-of-a-benchmark"), transport=Instant(asked.latency), pace=pace)
            delivery = Delivery(api, journal, TEST_CASES, Contract.V2026_10, asked.concurrency)
            since = Cost(time.perf_counter(), time.process_time())
            await delivery.deliver(_each(rows), _ignore)
            cost = Cost(time.perf_counter() - since.wall_s, time.process_time() - since.cpu_s)
    finally:
        ledger.close()
    if delivery.stopped is not None:
        raise delivery.stopped
    return cost


def resume(folder: Path, rows: int) -> None:
    """From the opening of the ledger to the moment at which every created row is known."""
    place = folder / "ledger.db"
    ledger = open_ledger(place)
    _begin(ledger)
    for first in range(1, rows + 1, KNOWN_AT_ONCE):
        ledger.record("job", [_created(number) for number in range(first, min(first + KNOWN_AT_ONCE, rows + 1))])
    ledger.close()
    print(f"{rows:,} created rows: a ledger of {place.stat().st_size / 1e6:,.0f} MB, load {os.getloadavg()[0]:.1f}")
    for _ in range(3):
        since_s, since_cpu_s = time.perf_counter(), time.process_time()
        ledger = open_ledger(place)
        ledger.hold("job", [TABLE])
        opened_s = time.perf_counter() - since_s
        known = 0
        for first in range(1, rows + 1, KNOWN_AT_ONCE):
            known += sum(1 for _ in ledger.known(TABLE, first, first + KNOWN_AT_ONCE - 1))
        took_s, cpu_s = time.perf_counter() - since_s, time.process_time() - since_cpu_s
        ledger.close()
        print(f"opened and held after {opened_s:.2f} s, all {known:,} known after {took_s:.2f} s; {cpu_s:.2f} s of CPU")


def _begin(ledger: Ledger) -> None:
    started = datetime.now(UTC)
    if ledger.job("job") is None:
        ledger.open_job(JobFacts("job", "import", "nowhere", None, "f00d", Contract.V2026_10, started))
    ledger.hold("job", [TABLE])


def _row(number: int) -> Outgoing:
    body = {"input_str": f"Caller {number} asks when the office opens", "test_set_id": "abcd1234"}
    return Outgoing(RowKey(TABLE, number), json.dumps(body).encode(), (("test_set_id", "abcd1234"),))


def _created(number: int) -> Change:
    row = _row(number)
    return Change(
        row.key, State.CREATED, row.body_sha256, f"{number:022d}", 1, None, 201, version="2026-11-22T04:15:00Z"
    )


async def _each(rows: Sequence[Outgoing]) -> AsyncIterator[Outgoing]:
    for row in rows:
        yield row


def _ignore(_delivered: Delivered) -> None:
    """Nobody wants to know."""


if __name__ == "__main__":
    main()

"""Kills, and disks that fail, at single calls of the system: `strace` strikes a process at its Nth call of a kind."""

import asyncio
import os
import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from etl.sandbox import parse_faults
from tests.forking import Call, Ended, Forker, shared
from tests.killing import BAD_WEATHER, KILLED, LATE_S, Tally, carry_through, in_turns, judge, world

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (make setup-ci)")

MOMENTS = 60
"""Kills at random calls of the system; those at random calls of functions are in `test_kills.py`."""
CALLS = {
    "pwrite64": 85,
    "fdatasync": 13,
    "write": 10,
    "sendto": 19,
    "recvfrom": 47,
    "connect": 4,
    "fsync": 4,
    "rename": 2,
}
"""Calls of the system, and about how many of each a thread of a job makes."""


@pytest.fixture(scope="module")
def forker() -> Forker:
    return shared()


async def struck(forker: Forker, call: Call, strike: str) -> Ended:
    """Run a call that strace strikes: `pwrite64:signal=SIGKILL:when=7`. It counts for each thread on its own."""
    gate = call.folder / "gate"
    gate.unlink(missing_ok=True)
    os.mkfifo(gate)
    child = await forker.start(
        Call(call.arguments, call.folder, call.environment, constants=call.constants, waits_for=gate)
    )
    tracer = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-o", os.devnull, "-e", f"trace={strike.partition(':')[0]}", "-e", f"inject={strike}"),
        *("-p", str(child.pid)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert tracer.stderr is not None
    attached = await tracer.stderr.readline()
    assert b"attached" in attached, attached
    reading = asyncio.create_task(tracer.stderr.read())
    with gate.open("w"):
        pass
    ended = await child.wait()
    await reading
    await tracer.wait()
    return ended


async def test_a_job_killed_at_random_calls_of_the_system_creates_every_row_once(
    forker: Forker, tmp_path: Path
) -> None:
    tally = Tally()
    numbers = iter(range(10**9))

    async def one() -> None:
        number = next(numbers)
        luck = random.Random(20261122 + number)
        home = tmp_path / f"{number}"
        home.mkdir()
        kills = luck.choices(list(CALLS), k=8)
        strikes = [f"{name}:signal=SIGKILL:when={luck.randrange(1, CALLS[name] + 1)}" for name in kills]

        async def run(call: Call) -> Ended:
            if not strikes:
                return await forker.run(call)
            strike = strikes.pop(0)
            ended = await struck(forker, call, strike)
            tally.kills[strike.partition(":")[0]] += ended.code == KILLED
            return ended

        faults = parse_faults(BAD_WEATHER, seed=luck.randrange(2**32), late_commit_s=LATE_S, slow_s=0.2)
        async with world(home, luck.randrange(2**32), faults=faults, look_alikes=luck.random() < 0.7) as place:
            done = await carry_through(place, run, [])
        tally.rounds += 1
        tally.complaints += [f"round {number}, {kills}: {words}" for words in done.complaints]

    while tally.kills.total() < MOMENTS and not tally.complaints:
        await in_turns([one] * 8)
    assert tally.complaints == []
    assert tally.kills.total() >= MOMENTS


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
async def test_a_job_whose_ledger_cannot_be_written_at_some_call_stops_at_once_and_is_carried_on(
    forker: Forker, tmp_path: Path, error: str
) -> None:
    wrong: list[str] = []
    ends: Counter[int] = Counter()

    def at(name: str, when: int) -> Callable[[], Awaitable[None]]:
        async def one() -> None:
            home = tmp_path / f"{name}-{when}"
            home.mkdir()
            strike = f"{name}:error={error}:when={when}+"
            async with world(home, when, rows=8, look_alikes=True) as place:
                if when > 4:  # not while the ledger is made
                    assert (await forker.run(place.call(("jobs",)))).code == 0
                ended = await struck(forker, place.call(place.importing()), strike)
                ends[ended.code] += 1
                known = len(place.in_ledger("SELECT 1 FROM source_row WHERE row > 1"))
                if len(place.stored()) - place.before.total() > known:
                    wrong.append(f"{strike}: {len(place.stored())} are stored, {known} are in the ledger")
                if ended.code not in {0, 2, 4} or "Traceback" in ended.err or "bug of coval-etl" in ended.err:
                    wrong.append(f"{strike} ended with {ended.code}: {ended.err}")
                if ended.code and " ledger" not in ended.err:
                    wrong.append(f"{strike} does not say that it is the ledger: {ended.err}")
                done = await carry_through(place, forker.run, []) if ended.code else None
                found = judge(place, ended) if done is None else done.complaints
                wrong.extend(f"{strike}, then {words}" for words in found)

        return one

    calls = [("pwrite64", when) for when in (1, 3, 6, 9, 12, 15, 20, 26, 33, 41, 49, 57)]
    calls += [("fdatasync", when) for when in (1, 2, 3, 5, 6, 8)] if error == "EIO" else []
    await in_turns([at(*call) for call in calls])
    assert wrong == [], "\n".join(wrong)
    assert ends[4] >= 6, ends

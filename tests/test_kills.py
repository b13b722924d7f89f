"""Kills at named points and at random moments: every row is created exactly once all the same."""

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from etl.crashpoints import POINTS
from etl.sandbox import parse_faults
from tests.forking import ROOT, Call, Ended, Forker, shared
from tests.killing import (
    BAD_WEATHER,
    KILLED,
    LATE_S,
    Kill,
    Tally,
    carry_through,
    in_turns,
    judge,
    random_moments,
    world,
)
from tests.test_ledger_sqlite import write_version_1

MOMENTS = 140
"""Kills at random calls; those at random calls of the system are in `test_kills_strace.py`."""
DOUBTFUL = "500:0.2,500after:0.2,429none:0.1"
BACKWARDS = ("before-delete", "deleted")
PRUNING = ("deletion-recorded",)
"""Where only `--prune` comes by: tests/test_pruning.py kills it there."""
MADE_ONCE = ("ledger-created", "schema-migrating", "test-set-created", "job-closed")
"""What happens once: a second kill at such a point never comes."""


OF_DOUBTS = ("before-listing", "listing-page", "listed", "absent-once", "proved-absent")


@pytest.fixture(scope="module")
def forker() -> Forker:
    return shared()


async def test_a_job_killed_at_each_point_and_again_while_carried_on_creates_every_row_once(
    forker: Forker, tmp_path: Path
) -> None:
    tally = Tally()

    def at(point: str, number: int) -> Callable[[], Awaitable[None]]:
        async def one() -> None:
            luck = random.Random(f"{point} {number}")
            home = tmp_path / f"{point}-{number}"
            home.mkdir()
            faults = parse_faults(DOUBTFUL, seed=luck.randrange(2**32))
            look_alikes = point != "test-set-created" and luck.random() < 0.5
            other = luck.choice([name for name in POINTS if name not in (*BACKWARDS, *PRUNING)])
            kills = [
                Kill(point),
                Kill(other if point in MADE_ONCE else f"{point}:2"),
                Kill(luck.choice([point, other])),
            ]
            if point in OF_DOUBTS:  # an intent that never left is a doubt, whatever the weather
                kills = [Kill("intent-recorded:3"), *kills]
            async with world(home, luck.randrange(2**32), rows=8, faults=faults, look_alikes=look_alikes) as place:
                if point == "schema-migrating":
                    place.ledger.parent.mkdir(parents=True)
                    write_version_1(place.ledger, rows=0)
                    place.strangers = 2
                tally.add(point, await carry_through(place, forker.run, kills[: 1 + number % 3]))

        return one

    await in_turns([at(point, 2) for point in POINTS if point not in (*BACKWARDS, *PRUNING)])
    assert tally.complaints == []
    never = [point for point in POINTS if point not in (*BACKWARDS, *PRUNING, *tally.kills)]
    assert never == [], f"no job came to {never}"


async def test_a_rollback_killed_at_each_point_deletes_what_was_created_and_nothing_else(
    forker: Forker, tmp_path: Path
) -> None:
    def at(point: str, number: int) -> Callable[[], Awaitable[None]]:
        async def one() -> None:
            home = tmp_path / f"{point}-{number}"
            home.mkdir()
            async with world(home, number, rows=8, look_alikes=True) as place:
                assert (await forker.run(place.call(place.importing()))).code == 0
                ((job,),) = place.in_ledger("SELECT id FROM job")
                rollback = ("rollback", job, "--yes", "--concurrency", "1")
                for kill in (Kill(f"{point}:{number}"), Kill(point)):
                    ended = await forker.run(place.call(rollback, kill))
                    assert ended.code == KILLED, ended.err
                ended = await forker.run(place.call(rollback))
                assert ended.code == 0, ended.err
                assert set(place.stored()) == place.before_ids
                assert place.in_ledger("SELECT DISTINCT state FROM source_row") == [("undone",)]

        return one

    await in_turns([at(point, number) for point in BACKWARDS for number in (1, 4)])


async def test_a_job_killed_at_random_moments_creates_every_row_once(forker: Forker, tmp_path: Path) -> None:
    tally = await random_moments(forker, tmp_path, MOMENTS, seed=20261122)
    assert tally.complaints == []
    assert tally.kills.total() >= MOMENTS


async def test_the_command_itself_is_killed_and_carried_on(tmp_path: Path) -> None:
    async def run(call: Call) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "etl", *call.arguments),
            cwd=call.folder,
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, **call.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    faults = parse_faults(BAD_WEATHER, seed=5, late_commit_s=LATE_S, slow_s=0.2)
    async with world(tmp_path, 5, faults=faults, look_alikes=True) as place:
        done = await carry_through(place, run, [Kill("answered:3"), Kill("intent-recorded:2")])
        assert done.killed == ["answered:3", "intent-recorded:2"]
        assert done.complaints == []
        assert judge(place, done.ends[-1]) == []

"""Signals, processes that sleep too long, and two at once: one of them works, and every row is created once."""

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from etl.sandbox import parse_faults
from tests.forking import Child, Forker, shared
from tests.killing import KILLED, Kill, World, carry_through, in_turns, judge, served_anew, world

LOOK_S = 0.01
"""How often it is looked whether a process has come so far."""
PAIRS = 50
SLEEPERS = 12
SHORT_LEASE = {
    "etl.ledger.leases:LEASE_S": 2.0,
    "etl.ledger.leases:SEND_GUARD_S": 1.0,
    "etl.ledger.journal:SEND_GUARD_S": 1.0,
    "etl.ledger.journal:HEARTBEAT_S": 0.3,
    "etl.ledger.sqlite:BUSY_S": 1.0,
    "etl.api.transport:HAND_OVER_S": 1.0,
}


@pytest.fixture(scope="module")
def forker() -> Forker:
    return shared()


async def until(child: Child, come: Callable[[], bool]) -> None:
    """Wait for a process to have come so far."""
    while not come():
        assert not child.ended, await child.wait()
        await asyncio.sleep(LOOK_S)


def report_of(place: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.folder / "report" / "summary.json").read_text())
    return found


def under_way(place: World) -> int:
    """How many rows the ledger has as sent, without an outcome."""
    return len(place.in_ledger("SELECT 1 FROM source_row WHERE state = 'sending'"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_the_first_signal_lets_those_in_flight_finish_and_writes_the_report(
    forker: Forker, tmp_path: Path, number: int
) -> None:
    async with world(tmp_path, 1, rows=60, latency_s=0.3, look_alikes=True) as place:
        child = await forker.start(place.call(place.importing()))
        await until(child, lambda: under_way(place) > 0 and len(place.stored()) > 5)
        child.signal(number)
        ended = await child.wait()
        assert ended.code == 4, ended.err
        assert "You stopped it." in ended.err
        rows = report_of(place)["rows"]
        assert rows["created"] == len(place.stored()) - place.before.total() < 60
        assert rows["in_doubt"] == 0
        assert rows["created"] + rows["pending"] == rows["read"] == 60
    async with served_anew(place) as place:
        assert (await carry_through(place, forker.run, [])).complaints == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_the_second_signal_leaves_at_once_and_nothing_is_lost(
    forker: Forker, tmp_path: Path, number: int
) -> None:
    async with world(tmp_path, 2, faults=parse_faults("hangafter:0.9", seed=1), look_alikes=True) as place:
        child = await forker.start(place.call(place.importing("--timeout", "60")))
        await until(child, lambda: under_way(place) == 4)
        child.signal(number)
        await asyncio.sleep(0.6)  # sooner it is the same press
        assert not child.ended
        child.signal(number)
        since = time.monotonic()
        ended = await child.wait()
        assert time.monotonic() - since < 8
        assert ended.code == 4, ended.err
        assert "Traceback" not in ended.err
    async with served_anew(place) as place:
        assert (await carry_through(place, forker.run, [])).complaints == []


async def test_what_is_not_answered_in_time_after_a_signal_is_in_doubt_and_looked_for_later(
    forker: Forker, tmp_path: Path
) -> None:
    leave = {"etl.writer.delivery:LEAVE_AFTER_S": 1.0}  # a tenth of what it is
    async with world(tmp_path, 3, faults=parse_faults("hangafter:0.9", seed=1), look_alikes=True) as place:
        child = await forker.start(place.call(place.importing("--timeout", "60"), constants=leave))
        await until(child, lambda: under_way(place) == 4)
        child.signal(signal.SIGINT)
        ended = await child.wait()
        assert ended.code == 4, ended.err
        rows = report_of(place)["rows"]
        assert rows["in_doubt"] == 4
        assert rows["created"] + rows["pending"] + 4 == rows["read"]
    async with served_anew(place) as place:
        assert (await carry_through(place, forker.run, [])).complaints == []


async def test_a_terminal_that_goes_away_kills_and_the_job_is_carried_on(forker: Forker, tmp_path: Path) -> None:
    async with world(tmp_path, 4, rows=30, latency_s=0.1) as place:
        child = await forker.start(place.call(place.importing()))
        await until(child, lambda: len(place.stored()) > 5)
        child.signal(signal.SIGHUP)
        ended = await child.wait()
        assert ended.code == -signal.SIGHUP
        assert (await carry_through(place, forker.run, [])).complaints == []


async def test_one_that_slept_too_long_is_told_that_another_has_taken_over(forker: Forker, tmp_path: Path) -> None:
    wrong: list[str] = []

    async def one(number: int) -> None:
        luck = random.Random(number)
        home = tmp_path / f"{number}"
        home.mkdir()
        async with world(home, number, rows=48, latency_s=0.3, look_alikes=True) as place:
            first = await forker.start(place.call(place.importing(), constants=SHORT_LEASE))
            after = luck.randrange(1, 14)
            await until(first, lambda: len(place.in_ledger("SELECT 1 FROM source_row")) > after)
            first.signal(signal.SIGSTOP)
            refused = await forker.run(place.call(("resume",), constants=SHORT_LEASE))
            if "is at work" not in refused.err and "keeps the ledger" not in refused.err:
                wrong.append(f"{number}: before the lease is over: {refused}")
            if "keeps the ledger" in refused.err:  # it sleeps within a commit: nobody else can do anything
                first.signal(signal.SIGCONT)
                wrong.extend(f"{number}: {words}" for words in judge(place, await first.wait()))
                return
            await asyncio.sleep(2.2)
            second = await forker.start(place.call(("resume", "--settle", "1"), constants=SHORT_LEASE))
            if luck.random() < 0.5:
                await until(second, lambda: place.in_ledger(f"SELECT 1 FROM holder WHERE pid = {second.pid}") != [])
                first.signal(signal.SIGCONT)
            won = await second.wait()
            first.signal(signal.SIGCONT)
            lost = await first.wait()
            if lost.code != 4 or "was taken over" not in lost.err:
                wrong.append(f"{number}: the one that slept: {lost}")
            if won.code in {2, 4}:  # the one that woke took its report folder away, just as this one began
                won = (await carry_through(place, forker.run, [])).ends[-1]
            wrong.extend(f"{number}: {words}" for words in judge(place, won))

    await in_turns([partial(one, number) for number in range(SLEEPERS)])
    assert wrong == [], "\n".join(wrong)


async def test_one_that_slept_with_its_connection_in_hand_does_not_write_to_it_when_it_wakes(
    forker: Forker, tmp_path: Path
) -> None:
    wrong: list[str] = []

    async def one(number: int) -> None:
        home = tmp_path / f"{number}"
        home.mkdir()
        async with world(home, number, rows=12, look_alikes=True) as place:
            asleep = place.call(place.importing(), constants=SHORT_LEASE, stops_at=f"handed-over:{number}")
            first = await forker.start(asleep)
            await until(first, lambda: first.stopped)
            await asyncio.sleep(2.2)
            won = await forker.run(place.call(("resume", "--settle", "1"), constants=SHORT_LEASE))
            first.signal(signal.SIGCONT)
            lost = await first.wait()
            if "keeps the ledger" in won.err:  # its thread was within a commit, too: nobody else could do anything
                wrong.extend(f"{number}: {words}" for words in judge(place, lost))
                return
            if lost.code != 4 or "was taken over" not in lost.err:
                wrong.append(f"{number}: the one that slept: {lost}")
            wrong.extend(f"{number}: {words}" for words in judge(place, won))

    await in_turns([partial(one, number) for number in (1, 2, 4, 7, 9, 12)])
    assert wrong == [], "\n".join(wrong)


async def test_of_two_that_carry_on_at_once_one_wins_and_the_other_says_why_not(forker: Forker, tmp_path: Path) -> None:
    wrong: list[str] = []
    ends: Counter[tuple[int, ...]] = Counter()

    async def one(number: int) -> None:
        home = tmp_path / f"{number}"
        home.mkdir()
        async with world(home, number, rows=5, look_alikes=True) as place:
            killed = await forker.run(place.call(place.importing(), Kill(f"answered:{1 + number % 4}")))
            assert killed.code == KILLED
            call = place.call(("resume", "--settle", "0.5"))
            both = await asyncio.gather(forker.run(call), forker.run(call))
            ends[tuple(sorted(ended.code for ended in both))] += 1
            refused = [ended for ended in both if ended.code == 2]
            if refused and "is at work on the same source" not in refused[0].err:
                wrong.append(f"{number}: {both}")
            won = next((ended for ended in both if ended.code != 2), both[0])
            wrong.extend(f"{number}: {words}" for words in judge(place, won))

    await in_turns([partial(one, number) for number in range(PAIRS)])
    assert wrong == [], "\n".join(wrong)
    # Where the other one came when all was over, it had nothing to send, and said so.
    assert ends.keys() <= {(0, 2), (0, 0)}
    assert ends[0, 2] > PAIRS * 3 // 4, ends

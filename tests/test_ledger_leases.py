"""Who works on a table: one process at a time, in SQLite and in PostgreSQL."""

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etl.errors import JobHeldError, LeaseLostError
from etl.ledger import LEASE_S, SEND_GUARD_S, Ledger, State
from etl.ledger.clock import Process, is_dead, this_process
from tests.ledger_places import OTHER, TABLE, Place, SetClock, job, place, postgres, python, sending

__all__ = ["place", "postgres"]

HERE = Process("here", 1, "100", "boot-1 time:[1]", "pid:[1]")
ELSEWHERE = Process("elsewhere", 7, "100", "boot-2 time:[1]", "pid:[1]")


@pytest.fixture
def now() -> SetClock:
    return SetClock(process=HERE, is_dead=lambda _: False)


@pytest.fixture
def first(place: Place, now: SetClock) -> Ledger:
    """A ledger that holds a table for a job, with a row of it under way."""
    ledger = place.open(now.clock())
    ledger.open_job(job("a"))
    ledger.open_job(job("b", 1))
    ledger.hold("a", [TABLE])
    ledger.record("a", sending(1))
    return ledger


def on_another_machine(now: SetClock, wall_ahead_s: float = 0) -> SetClock:
    return SetClock(boot_s=50.0, wall_s=now.wall_s + wall_ahead_s, process=ELSEWHERE, is_dead=lambda _: False)


def test_a_table_is_held_once_and_others_are_free(place: Place, first: Ledger, now: SetClock) -> None:
    second = place.open(now.clock())
    with pytest.raises(
        JobHeldError, match=r"Job a is at work .* process 1 on here, since 2027-01-15 08:00:00 UTC"
    ) as error:
        second.hold("b", [OTHER, TABLE])
    assert error.value.hint == "Wait until it has ended, or stop process 1."
    # A refusal takes nothing.
    first.hold("a", [OTHER])
    second.hold("b", ["c" * 40])
    record = second.job("a")
    assert record is not None
    assert record.held_by == "process 1 on here, since 2027-01-15 08:00:00 UTC"
    assert [one.held_by for one in first.jobs()] == [record.held_by] * 2
    first.release()
    assert [one.held_by for one in first.jobs()] == [record.held_by, None]
    second.hold("b", [TABLE, OTHER])
    assert [change.state for change in second.rows("a", State.IN_DOUBT)] == [State.IN_DOUBT]


def test_what_was_released_is_quiet_from_then_on(place: Place, first: Ledger, now: SetClock) -> None:
    now.pass_s(5)
    first.release()
    now.pass_s(3)
    second = place.open(now.clock())
    assert second.hold("b", [TABLE, OTHER]).quiet_s == pytest.approx(3)
    assert second.hold("b", [OTHER]).quiet_s == math.inf
    now.pass_s(2)
    assert second.hold("b", [TABLE]).quiet_s == pytest.approx(5)


def test_whoever_let_go_records_nothing_until_it_holds_again(first: Ledger) -> None:
    first.release()
    acts: list[Callable[[], object]] = [lambda: first.record("a", sending(2)), first.renew]
    for act in acts:
        with pytest.raises(LeaseLostError, match="let go"):
            act()
    first.hold("a", [TABLE])
    first.record("a", sending(2))
    assert first.count("a") == {State.IN_DOUBT: 1, State.SENDING: 1}


def test_closing_lets_go(place: Place, first: Ledger, now: SetClock) -> None:
    first.close()
    place.open(now.clock()).hold("b", [TABLE])


@pytest.mark.parametrize("by", ["record", "renew"])
def test_a_lease_lasts_from_its_last_renewal(place: Place, first: Ledger, now: SetClock, by: str) -> None:
    second = place.open(now.clock())
    for _ in range(3):
        now.pass_s(LEASE_S)
        with pytest.raises(JobHeldError):
            second.hold("b", [TABLE])
        first.record("a", sending(1)) if by == "record" else first.renew()
    now.pass_s(LEASE_S + 1)
    assert second.hold("b", [TABLE]).quiet_s == LEASE_S + 1 - SEND_GUARD_S


def test_whoever_lost_one_table_records_nothing_at_all(place: Place, first: Ledger, now: SetClock) -> None:
    first.hold("a", [OTHER])
    now.pass_s(LEASE_S + 1)
    second = place.open(now.clock())
    second.hold("b", [OTHER])
    for act in (lambda: first.record("a", sending(2)), first.renew, lambda: first.hold("a", [TABLE])):
        with pytest.raises(LeaseLostError, match="taken over by process 1 on here"):
            act()
    first.release()
    assert first.count("a") == {State.SENDING: 1}
    assert second.hold("b", [TABLE]).quiet_s == LEASE_S + 1 - SEND_GUARD_S
    second.renew()


def test_a_dead_process_lets_go_at_once(place: Place, first: Ledger, now: SetClock) -> None:
    now.pass_s(SEND_GUARD_S + 4)
    dead = replace(now, is_dead=lambda process: process == HERE)
    assert place.open(dead.clock()).hold("b", [TABLE]).quiet_s == pytest.approx(4)


def test_another_start_of_a_machine_goes_by_the_wall_clock(place: Place, first: Ledger, now: SetClock) -> None:
    there = on_another_machine(now, wall_ahead_s=LEASE_S)
    second = place.open(there.clock())
    with pytest.raises(JobHeldError) as error:
        second.hold("b", [TABLE])
    assert error.value.hint == "Wait until it has ended; if it was killed, try again in 60 s."
    there.wall_s += 1
    assert second.hold("b", [TABLE]).quiet_s == 0


def test_a_wall_clock_that_went_back_frees_nothing_and_keeps_nothing_for_ever(
    place: Place, first: Ledger, now: SetClock
) -> None:
    there = on_another_machine(now, wall_ahead_s=-(10**9))
    second = place.open(there.clock())
    for _ in range(3):
        with pytest.raises(JobHeldError):
            second.hold("b", [TABLE])
        there.pass_s(LEASE_S - 1)
        first.renew()
    with pytest.raises(JobHeldError):
        second.hold("b", [TABLE])
    there.pass_s(LEASE_S + 1)
    assert second.hold("b", [TABLE]).quiet_s == 0
    with pytest.raises(LeaseLostError):
        first.renew()


def test_the_boot_clock_decides_on_one_start_of_a_machine_whatever_the_wall_clock_says(
    place: Place, first: Ledger, now: SetClock
) -> None:
    second = place.open(now.clock())
    now.wall_s += 10**6
    with pytest.raises(JobHeldError):
        second.hold("b", [TABLE])
    now.wall_s -= 10**9
    now.boot_s += LEASE_S + 1
    second.hold("b", [TABLE])


def test_a_system_that_does_not_tell_its_start_goes_by_the_wall_clock(place: Place, now: SetClock) -> None:
    now.process = replace(HERE, boot=None, started=None, pids=None)
    first = place.open(now.clock())
    first.open_job(job("a"))
    first.hold("a", [TABLE])
    second = place.open(now.clock())
    with pytest.raises(JobHeldError):
        second.hold("a", [TABLE])
    now.pass_s(LEASE_S + 1)
    assert second.hold("a", [TABLE]).quiet_s == 0


def test_a_job_at_work_is_not_forgotten(place: Place, first: Ledger, now: SetClock) -> None:
    second = place.open(now.clock())
    with pytest.raises(JobHeldError):
        second.forget("a")
    assert first.count("a") == {State.SENDING: 1}
    first.release()
    second.forget("a")


def test_a_process_is_known_by_its_start_and_not_by_its_number_alone() -> None:
    here = this_process()
    assert not is_dead(here)
    assert is_dead(replace(here, started="1"))
    for unknown in ({"boot": "another"}, {"pids": "pid:[1]"}, {"host": "another"}, {"started": None}, {"boot": None}):
        assert not is_dead(replace(here, pid=2**22 + 1, **unknown))
    child = subprocess.Popen(["sleep", "60"])
    started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    other = replace(here, pid=child.pid, started=started)
    assert not is_dead(other)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(other)  # a corpse that nobody has buried
    child.wait()
    assert is_dead(other)


HOLD = """
import sys
from etl.errors import EtlError
from etl.ledger import open_ledger
from tests.ledger_places import TABLE, job, sending

ledger = open_ledger(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    try:
        match line.split():
            case ["hold", table]:
                answer = ledger.hold("a", [table]).quiet_s
            case ["record"]:
                answer = ledger.record("a", sending(5))
            case ["release"]:
                answer = ledger.release()
    except EtlError as error:
        answer = type(error).__name__
    print(answer, flush=True)
"""


class Worker:
    """A process that does with a ledger what it is told."""

    def __init__(self, place: Place) -> None:
        self.process = python(HOLD, place.address)
        assert self.answer() == "ready"

    def tell(self, words: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, words: str) -> str:
        self.tell(words)
        return self.answer()


@pytest.fixture
def workers(place: Place) -> Iterator[list[Worker]]:
    """Two processes that have the same ledger open, which has a job."""
    place.open().open_job(job("a"))
    workers = [Worker(place), Worker(place)]
    yield workers
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


def test_of_two_processes_at_the_same_moment_exactly_one_wins(workers: list[Worker]) -> None:
    for number in range(50):
        for worker in workers:
            worker.tell(f"hold {number:040}")
        answers = [worker.answer() for worker in workers]
        assert sorted(answers) == ["JobHeldError", "inf"], number


def test_a_killed_process_lets_go_at_once(workers: list[Worker]) -> None:
    assert workers[0].ask(f"hold {TABLE}") == "inf"
    assert workers[1].ask(f"hold {TABLE}") == "JobHeldError"
    workers[0].process.kill()
    workers[0].process.wait()
    assert float(workers[1].ask(f"hold {TABLE}")) == 0


def test_a_suspended_process_whose_lease_is_over_loses_it_and_knows_when_it_wakes(
    place: Place, workers: list[Worker]
) -> None:
    assert workers[0].ask(f"hold {TABLE}") == "inf"
    assert workers[0].ask("record") == "None"
    workers[0].process.send_signal(signal.SIGSTOP)
    later = SetClock(boot_s=time.clock_gettime(time.CLOCK_BOOTTIME) + LEASE_S + 1, wall_s=time.time())
    second = place.open(later.clock())
    least_s = LEASE_S + 1 - SEND_GUARD_S
    assert least_s <= second.hold("a", [TABLE]).quiet_s < least_s + 30
    workers[0].tell("record")
    workers[0].process.send_signal(signal.SIGCONT)
    assert workers[0].answer() == "LeaseLostError"
    assert second.count("a") == {State.IN_DOUBT: 1}


def test_many_processes_that_make_a_ledger_at_the_same_moment_all_open_it(place: Place) -> None:
    code = (
        "import sys; from etl.ledger import open_ledger; sys.stdin.read(); open_ledger(sys.argv[1]).jobs(); print('ok')"
    )
    started = [python(code, place.address) for _ in range(6)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    assert [process.communicate() for process in started] == [("ok\n", "")] * 6

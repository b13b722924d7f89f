"""The journal: nothing is acknowledged before it is on disk, and nothing at all after it failed once."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from etl.errors import JobHeldError, LeaseLostError, LedgerError
from etl.ledger import SEND_GUARD_S, Baseline, Change, Journal, Ledger, State, open_sqlite
from tests.ledger_places import TABLE, SetClock, created, job, sending


@pytest.fixture
def time() -> SetClock:
    return SetClock()


@pytest.fixture
def ledger(tmp_path: Path, time: SetClock) -> Iterator[Ledger]:
    opened = open_sqlite(tmp_path / "state" / "ledger.db", time.clock())
    opened.open_job(job("a"))
    yield opened
    opened.close()


class WatchedLedger:
    """A real ledger that also counts its commits and renewals, and can be told to fail from a commit on."""

    def __init__(self, ledger: Ledger, fail_from: int | None = None) -> None:
        self._ledger = ledger
        self._fail_from = fail_from
        self.commits = 0
        self.threads: set[int] = set()
        self.renewed = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        self.threads.add(threading.get_ident())
        self.commits += 1
        if self._fail_from is not None and self.commits >= self._fail_from:
            raise LedgerError("The disk is full.")
        self._ledger.record(job_id, changes)

    def owned(self, ids: Sequence[str]) -> set[str]:
        self.threads.add(threading.get_ident())
        return self._ledger.owned(ids)

    def renew(self) -> None:
        self.threads.add(threading.get_ident())
        self._ledger.renew()
        self.renewed.set()


async def test_rows_that_wait_together_share_commits_and_all_are_on_disk(ledger: Ledger) -> None:
    watched = WatchedLedger(ledger)
    async with Journal(watched, "a") as journal:  # type: ignore[arg-type]
        await asyncio.gather(*(journal.record(*sending(row)) for row in range(500)))
        assert ledger.count("a") == {State.SENDING: 500}
    assert watched.commits < 500


async def test_what_is_asked_comes_after_what_was_recorded_before_and_from_one_thread(ledger: Ledger) -> None:
    watched = WatchedLedger(ledger)
    async with Journal(watched, "a") as journal:  # type: ignore[arg-type]
        answers = await asyncio.gather(
            *(journal.record(*created(row)) for row in range(50)),
            journal.owned(["id-49", "id-50"]),
            *(journal.record(*created(row)) for row in range(50, 60)),
            journal.owned(["id-49", "id-50", "id-60"]),
        )
        await journal.keep_baseline("set", Baseline(["x"], "then"))
        assert await journal.baseline("set") == Baseline({"x"}, "then")
        assert await journal.baseline("another") is None
        assert await journal.call(ledger.count, "a") == {State.CREATED: 60}
    assert [answer for answer in answers if answer is not None] == [{"id-49"}, {"id-49", "id-50"}]
    assert len(watched.threads) == 1


async def test_when_the_ledger_fails_nobody_is_told_that_it_was_written(ledger: Ledger) -> None:
    told: list[LedgerError] = []
    async with Journal(WatchedLedger(ledger, fail_from=2), "a", told.append) as journal:  # type: ignore[arg-type]
        await journal.record(*sending(1))
        assert journal.may_send()
        for row in (2, 3):
            with pytest.raises(LedgerError, match="disk is full"):
                await journal.record(*sending(row))
        assert not journal.may_send()
        with pytest.raises(LedgerError, match="disk is full"):
            await journal.owned(["x"])
        assert journal.failure is not None
    assert [change.key.row for change in ledger.rows("a", State.SENDING)] == [1]
    assert [error.message for error in told] == ["The disk is full."]


class BrokenLedger(WatchedLedger):
    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_ledger_that_dies_leaves_nobody_waiting(ledger: Ledger) -> None:
    told: list[LedgerError] = []
    async with Journal(BrokenLedger(ledger), "a", told.append) as journal:  # type: ignore[arg-type]
        for result in await asyncio.gather(*(journal.record(*sending(1)) for _ in range(5)), return_exceptions=True):
            assert isinstance(result, LedgerError)
        with pytest.raises(LedgerError):
            await journal.record(*sending(2))
        assert not journal.may_send()
    assert len(told) == 1


async def test_what_another_process_holds_is_told_and_does_not_end_the_journal(ledger: Ledger) -> None:
    def refuse() -> None:
        raise JobHeldError("Held.")

    async with Journal(ledger, "a") as journal:
        with pytest.raises(JobHeldError):
            await journal.call(refuse)
        await journal.record(*sending(1))
        assert journal.failure is None


async def test_whoever_stops_waiting_leaves_the_others_be(ledger: Ledger) -> None:
    async with Journal(ledger, "a") as journal:
        waiting = asyncio.ensure_future(journal.record(*sending(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await journal.record(*sending(2))
    assert ledger.count("a") == {State.SENDING: 2}


async def test_nothing_is_recorded_after_the_end(ledger: Ledger) -> None:
    async with Journal(ledger, "a") as journal:
        pass
    with pytest.raises(LedgerError, match="closed"):
        await journal.record(*sending(1))


async def test_a_job_that_records_nothing_says_that_it_is_still_here(
    ledger: Ledger, time: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.ledger.journal.HEARTBEAT_S", 0.01)
    ledger.hold("a", [TABLE])
    watched = WatchedLedger(ledger)
    async with Journal(watched, "a") as journal:  # type: ignore[arg-type]
        await journal.call(lambda: None)
        before = journal.last_renewed_s
        watched.renewed.clear()
        time.pass_s(20)
        await asyncio.to_thread(watched.renewed.wait, 30)
        await journal.call(lambda: None)
        assert journal.last_renewed_s >= before + 20
        assert watched.commits == 0


async def test_nothing_may_be_sent_long_after_the_last_renewal(ledger: Ledger, time: SetClock) -> None:
    ledger.hold("a", [TABLE])
    async with Journal(ledger, "a") as journal:
        await journal.record(*sending(1))
        time.pass_s(SEND_GUARD_S - 1)
        assert journal.may_send()
        time.pass_s(1)
        assert not journal.may_send()
        await journal.record(*sending(1))
        assert journal.may_send()


async def test_nothing_may_be_sent_before_the_tables_are_known_to_be_ours(ledger: Ledger, time: SetClock) -> None:
    ledger.hold("a", [TABLE])
    time.pass_s(SEND_GUARD_S)
    journal = Journal(ledger, "a")
    assert not journal.may_send()
    async with journal:
        await journal.call(lambda: None)
        assert journal.may_send()


async def test_a_job_that_was_taken_over_is_told_even_when_it_records_nothing(
    ledger: Ledger, tmp_path: Path, time: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.ledger.journal.HEARTBEAT_S", 0.01)
    ledger.hold("a", [TABLE])
    time.pass_s(61)
    another = open_sqlite(tmp_path / "state" / "ledger.db", time.clock())
    another.open_job(job("b"))
    another.hold("b", [TABLE])
    told: asyncio.Queue[LedgerError] = asyncio.Queue()
    async with Journal(ledger, "a", told.put_nowait) as journal:
        time.pass_s(20)
        assert isinstance(await told.get(), LeaseLostError)
        assert isinstance(journal.failure, LeaseLostError)
        with pytest.raises(LeaseLostError):
            await journal.record(*sending(1))
    another.close()
    assert ledger.count("a") == {}

"""The ledger room: what every ledger keeps, and that nothing is acknowledged before it is on disk."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl.errors import LedgerError, UsageError
from etl.ledger import Change, JobFacts, Journal, Ledger, RowKey, State, open_sqlite

TABLE = "a" * 40
OTHER = "b" * 40


def job(name: str, second: int = 0) -> JobFacts:
    return JobFacts(
        name, "import", "sandbox", None, "f00d", "2025-10", datetime(2026, 11, 22, 4, 0, second, tzinfo=UTC)
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_sqlite(tmp_path / "state" / "ledger.db")
    yield opened
    opened.close()


def test_a_row_has_its_last_state_and_keeps_the_hash_of_its_intent(ledger: Ledger) -> None:
    ledger.open_job(job("a"))
    key = RowKey(TABLE, 17)
    ledger.record("a", [Change(key, State.SENDING, body_sha256=b"h" * 32)])
    ledger.record("a", [Change(key, State.CREATED, resource_id="x" * 22, attempts=2)])
    assert list(ledger.earlier([TABLE])) == [Change(key, State.CREATED, b"h" * 32, "x" * 22, 2, None)]


def test_jobs_are_told_oldest_first_and_other_tables_not_at_all(ledger: Ledger) -> None:
    for name, table, second in (("b", TABLE, 2), ("a", TABLE, 1), ("c", OTHER, 0)):
        ledger.open_job(job(name, second))
        ledger.record(name, [Change(RowKey(table, 1), State.FAILED, evidence=name)])
    assert [change.evidence for change in ledger.earlier([TABLE])] == ["a", "b"]
    assert [change.evidence for change in ledger.earlier([TABLE, OTHER])] == ["c", "a", "b"]


def test_a_table_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from etl.ledger import open_sqlite; "
        "open_sqlite(Path(sys.argv[1])).hold([sys.argv[2]])"
    )

    def hold_elsewhere(table: str) -> str:
        command = [sys.executable, "-c", code, str(tmp_path / "ledger.db"), table]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    ledger = open_sqlite(tmp_path / "ledger.db")
    ledger.hold([TABLE])
    assert "JobHeldError" in hold_elsewhere(TABLE)
    assert hold_elsewhere(OTHER) == ""
    ledger.close()
    assert hold_elsewhere(TABLE) == ""


def test_a_file_name_is_taken_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / "a b?c#d.db"
    open_sqlite(odd).close()
    with closing(sqlite3.connect(odd)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone()[0] != 0


def test_one_resource_cannot_belong_to_two_rows(ledger: Ledger) -> None:
    ledger.open_job(job("a"))
    ledger.record("a", [Change(RowKey(TABLE, 1), State.CREATED, resource_id="same")])
    with pytest.raises(LedgerError):
        ledger.record("a", [Change(RowKey(TABLE, 2), State.CREATED, resource_id="same")])


def test_changes_are_recorded_all_or_none(ledger: Ledger) -> None:
    ledger.open_job(job("a"))
    changes = [Change(RowKey(TABLE, row), State.CREATED, resource_id="same") for row in (1, 2)]
    with pytest.raises(LedgerError):
        ledger.record("a", changes)
    assert list(ledger.earlier([TABLE])) == []


def test_what_was_recorded_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    first = open_sqlite(file)
    first.open_job(job("a"))
    first.record("a", [Change(RowKey(TABLE, 1), State.SENDING)])
    first.close()
    second = open_sqlite(file)
    assert [change.state for change in second.earlier([TABLE])] == [State.SENDING]
    second.close()


def test_the_file_is_private_to_the_user(tmp_path: Path) -> None:
    file = tmp_path / "state" / "ledger.db"
    open_sqlite(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_power_cut_cannot_lose_a_commit(tmp_path: Path) -> None:
    ledger = open_sqlite(tmp_path / "ledger.db")
    with ledger._transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    ledger.close()


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(UsageError, match="another program"):
        open_sqlite(file)


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    open_sqlite(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(UsageError, match="another version"):
        open_sqlite(file)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 50])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(content)
    with pytest.raises(UsageError):
        open_sqlite(file)


class CountingLedger:
    """A real ledger that also counts its commits, and can be told to fail from one on."""

    def __init__(self, ledger: Ledger, fail_from: int | None = None) -> None:
        self._ledger = ledger
        self.commits = 0
        self._fail_from = fail_from

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        self.commits += 1
        if self._fail_from is not None and self.commits >= self._fail_from:
            raise LedgerError("The disk is full.")
        self._ledger.record(job_id, changes)


async def test_rows_that_wait_together_share_commits_and_all_are_on_disk(ledger: Ledger) -> None:
    ledger.open_job(job("a"))
    counting = CountingLedger(ledger)
    async with Journal(counting, "a") as journal:  # type: ignore[arg-type]
        await asyncio.gather(*(journal.record(Change(RowKey(TABLE, row), State.SENDING)) for row in range(500)))
        assert len(list(ledger.earlier([TABLE]))) == 500
    assert counting.commits < 500


async def test_when_the_ledger_fails_nobody_is_told_that_it_was_written(ledger: Ledger) -> None:
    ledger.open_job(job("a"))
    async with Journal(CountingLedger(ledger, fail_from=2), "a") as journal:  # type: ignore[arg-type]
        await journal.record(Change(RowKey(TABLE, 1), State.SENDING))
        for row in (2, 3):
            with pytest.raises(LedgerError, match="disk is full"):
                await journal.record(Change(RowKey(TABLE, row), State.SENDING))
    assert [change.key.row for change in ledger.earlier([TABLE])] == [1]


class BrokenLedger(CountingLedger):
    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_ledger_that_dies_leaves_nobody_waiting(ledger: Ledger) -> None:
    async with Journal(BrokenLedger(ledger), "a") as journal:  # type: ignore[arg-type]
        for row in (1, 2):
            with pytest.raises(LedgerError):
                await journal.record(Change(RowKey(TABLE, row), State.SENDING))

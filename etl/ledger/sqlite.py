"""The ledger in a SQLite file: WAL, `synchronous=FULL` (with NORMAL a power cut loses acknowledged commits).

It must never know what a job or a row means. Nothing but a ledger is ever written to: a file is looked at first.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from etl.crashpoints import reach
from etl.errors import EtlError, LedgerError, UsageError
from etl.ledger.clock import Clock
from etl.ledger.schema import REVISION, VERSION, metadata, revisions
from etl.ledger.sql import SqlLedger
from etl.ledger.store import DiskFullError, RowValues, another_version, two_rows

T = TypeVar("T")

APPLICATION_ID: Final = 0x436F5645
"""Marks the file as ours ("CoVE"), so that another program's database is never written to."""
BUSY_S: Final = 15
"""How long another process's write is waited for."""
_WRITES: Final = "ledger_writes"

_UPSERT: Final = f"""
INSERT INTO source_row ({", ".join(RowValues._fields)}) VALUES ({", ".join("?" * len(RowValues._fields))})
ON CONFLICT (job_no, table_no, row) DO UPDATE SET
state = excluded.state, body_sha256 = coalesce(excluded.body_sha256, body_sha256), resource_id = excluded.resource_id,
attempts = excluded.attempts, evidence = excluded.evidence, http_status = excluded.http_status, code = excluded.code,
field = excluded.field, version = excluded.version
"""  # noqa: S608  (names of our own)


def open_sqlite(file: Path, clock: Clock | None = None) -> SqlLedger:
    """Open the ledger, making it (private to the user) when it is not there.

    Raises UsageError for a file that is no ledger of ours or cannot be one, LedgerError where the disk is full.
    """
    with _opening():
        store = SqliteStore(file)
        try:
            store.prepare()
        except EtlError:
            store.close()
            raise
    return SqlLedger(store, clock)


class SqliteStore:
    """See `Store`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        with _translated(file):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(file)),
            poolclass=sa.StaticPool,
            hide_parameters=True,
            connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_S},
        )
        sa.event.listen(self._engine, "connect", _be_careful)
        sa.event.listen(self._engine, "begin", _begin)

    def prepare(self) -> None:
        """Look at the file, then make it a ledger, or the ledger that this version writes."""
        self.run(self._refuse_foreign)
        self._write_ahead()
        if self.run(self._make, writes=True):
            reach("ledger-created")

    def run(self, work: Callable[[sa.Connection], T], *, writes: bool = False) -> T:
        with self._lock, _translated(self._file), self._engine.connect() as connection:
            marked = connection.execution_options(**{_WRITES: writes})
            with marked.begin():
                return work(marked)

    def alone(self, connection: sa.Connection) -> None:
        """Whoever writes is alone: the transaction began with BEGIN IMMEDIATE."""

    def insert(self, table: sa.Table) -> sqlite.Insert:
        return sqlite.insert(table)

    def write_rows(self, connection: sa.Connection, rows: Sequence[RowValues]) -> None:
        connection.exec_driver_sql(_UPSERT, list(rows))

    def shrink(self) -> None:
        pass

    def close(self) -> None:
        with self._lock:
            self._engine.dispose()

    def _write_ahead(self) -> None:
        with self._lock, _translated(self._file), self._engine.connect() as connection:
            raw = connection.connection.cursor()
            until = time.monotonic() + BUSY_S
            while True:
                try:
                    raw.execute("PRAGMA journal_mode=WAL")
                    break
                except sqlite3.OperationalError as error:
                    # SQLite does not wait for another process that is just doing the same.
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                        raise
                    time.sleep(0.01)

    def _refuse_foreign(self, connection: sa.Connection) -> bool:
        """Whether the file is empty; LedgerError when it is neither that nor a ledger."""
        mark = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one()
        if mark != APPLICATION_ID and (tables or mark):
            raise LedgerError(f"{self._file} is a database of another program.", "Give another file with --ledger.")
        if tables and version != VERSION:
            raise another_version(str(self._file), str(version))
        return not tables

    def _make(self, connection: sa.Connection) -> bool:
        # Asked again: by now another process may have made it.
        if not self._refuse_foreign(connection):
            return False
        metadata.create_all(connection)
        connection.execute(sa.insert(revisions).values(version_num=REVISION))
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
        return True


def _be_careful(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # Said by us: the driver would begin late, at the first change, and not at all before a change of the schema.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _opening() -> Iterator[None]:
    """Before a job is open, a ledger that cannot be used is bad usage: nothing has to be carried on."""
    try:
        yield
    except DiskFullError:
        raise
    except LedgerError as error:
        raise UsageError(error.message, "Give another file with --ledger.") from None


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        raise _told(file, error.orig if isinstance(error, sa.exc.DBAPIError) else error) from error
    except OSError as error:
        raise LedgerError(
            f"The ledger {file} cannot be opened: {error.strerror}.", "Give another file with --ledger."
        ) from error


def _told(file: Path, reason: BaseException | None) -> LedgerError:
    code = getattr(reason, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return two_rows(str(file))
    return LedgerError(f"The ledger {file} cannot be used: {reason}.", "Nothing more was sent.")

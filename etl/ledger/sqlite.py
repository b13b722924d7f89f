"""The ledger in a SQLite file: WAL, `synchronous=FULL` (with NORMAL a power cut loses acknowledged commits).

It must never know what a job or a row means. Nothing but a ledger is ever written to: a file is looked at first.
"""

import errno
import importlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from etl.crashpoints import reach
from etl.errors import EtlError, LedgerError, UsageError
from etl.ledger.clock import Clock
from etl.ledger.disks import UnfitError, refuse_unfit
from etl.ledger.schema import REVISION, VERSION, metadata, revisions
from etl.ledger.sql import SqlLedger
from etl.ledger.sqlite_words import damaged, disk_full, told
from etl.ledger.store import DiskFullError, RowValues, another_version

T = TypeVar("T")

APPLICATION_ID: Final = 0x436F5645
"""Marks the file as ours ("CoVE"), so that another program's database is never written to."""
CHECKED_BYTES: Final = 32 * 2**20
"""A file up to this size is checked whenever it is opened: that takes a tenth of a second. A larger one is checked when
whoever had it open before did not close it (or has it open still): it is a power cut that damages files."""
BUSY_S: Final = 15
"""How long another process's write is waited for."""
_WRITES: Final = "ledger_writes"

_AT_ONCE: Final = (128, 32, 8, 2, 1)
"""So many rows go into one statement: each step of a statement lets go of Python's lock, and a busy thread may take
5 ms to give it back. A few sizes only, so that all statements stay prepared."""


@cache
def _upsert(rows: int) -> str:
    names = RowValues._fields
    values = ", ".join([f"({', '.join('?' * len(names))})"] * rows)
    return f"""
        INSERT INTO source_row ({", ".join(names)}) VALUES {values}
        ON CONFLICT (job_no, table_no, row) DO UPDATE SET
        state = excluded.state, body_sha256 = coalesce(excluded.body_sha256, body_sha256),
        resource_id = excluded.resource_id, attempts = excluded.attempts, evidence = excluded.evidence,
        http_status = excluded.http_status, code = excluded.code, field = excluded.field, version = excluded.version
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
        if file.is_dir():
            raise UsageError(f"{file} is a folder, not a ledger.", "Give a file with --ledger.")
        with _translated(file):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            refuse_unfit(file)
            self._was_left_open = _size(file.with_name(f"{file.name}-wal")) > 0
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
        found = self.run(self._version)
        self._write_ahead()
        if found is not None and self._has_to_be_checked():
            self.run(self._check)
        if found != VERSION and self.run(self._make, writes=True):
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
        at = 0
        for size in _AT_ONCE:
            while len(rows) - at >= size:
                connection.exec_driver_sql(_upsert(size), tuple(chain.from_iterable(rows[at : at + size])))
                at += size

    def write_ids(self, connection: sa.Connection, baseline_no: int, ids: Sequence[str]) -> None:
        connection.exec_driver_sql("INSERT INTO baseline_id VALUES (?, ?)", [(baseline_no, id_) for id_ in ids])

    def shrink(self) -> None:
        """Make the file smaller when more than a third of it is free: the room of removed rows is used again anyway."""
        with self._lock, suppress(LedgerError), _translated(self._file), self._engine.connect() as connection:
            cursor = connection.connection.cursor()
            pages, free = (cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
            if free * 3 > pages:
                # Not done where there is no room for the copy, or others have the file open: nothing depends on it.
                cursor.execute("VACUUM")

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

    def _has_to_be_checked(self) -> bool:
        return self._was_left_open or self._file.stat().st_size <= CHECKED_BYTES

    def _check(self, connection: sa.Connection) -> None:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise damaged(self._file, " ".join(str(found).split()))

    def _version(self, connection: sa.Connection) -> int | None:
        """The version of the schema, None in an empty file. Raises LedgerError for what is not ours, or is newer."""
        mark = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one()
        if mark != APPLICATION_ID and (tables or mark):
            raise UnfitError(f"{self._file} is a database of another program.", "Give another file with --ledger.")
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        if tables and version not in range(1, VERSION + 1):
            raise another_version(str(self._file), version)
        return version if tables else None

    def _make(self, connection: sa.Connection) -> bool:
        """Make the tables, or bring them up; whether they are new."""
        found = self._version(connection)  # asked again: by now another process may have made them
        if found == VERSION:
            return False
        if found is None:
            metadata.create_all(connection)
            connection.execute(sa.insert(revisions).values(version_num=REVISION))
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        else:
            from etl.ledger import migrating

            if found == 1:
                refuse_while_version_1_works(self._file)
                migrating.adopt(connection, "0001")
            migrating.migrate(connection)
        connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
        return found is None


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


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
    except UnfitError as error:
        raise UsageError(error.message, error.hint) from None
    except LedgerError as error:
        raise UsageError(error.message, "Give another file with --ledger.") from None


def refuse_while_version_1_works(file: Path) -> None:
    """Version 1 kept its tables by locks on a file beside the ledger, which nothing needs any more."""
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:  # where there is none, version 1 could not run
        return
    beside = file.with_name(f"{file.name}.lock")
    try:
        with beside.open("r+b") as locks:
            fcntl.lockf(locks, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EAGAIN}:
            raise
        raise UnfitError(
            f"An earlier version of coval-etl is at work with the ledger {file}.", "Wait until it has ended."
        ) from None
    beside.unlink()


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        raise told(file, error.orig if isinstance(error, sa.exc.DBAPIError) else error) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(file) from error
        raise LedgerError(
            f"The ledger {file} cannot be opened: {error.strerror}.", "Give another file with --ledger."
        ) from error

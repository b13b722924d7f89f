"""The ledger in a PostgreSQL database, for people who share one. Its tables are in a schema of their own.

It must never know what a job or a row means, and never tell, log or store the password of its address.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from etl.crashpoints import reach
from etl.errors import EtlError, LedgerError, UsageError
from etl.ledger.clock import Clock
from etl.ledger.schema import REVISION, VERSION, metadata, revisions
from etl.ledger.sql import SqlLedger
from etl.ledger.store import DiskFullError, RowValues, another_version, two_rows

T = TypeVar("T")

SCHEMA: Final = "coval_etl"
AGAIN_FOR_S: Final = 10
"""A connection that broke is made anew for so long: a server that was restarted is back by then."""
_ALONE: Final = 0x436F5645
"""The advisory lock of whoever takes tables or makes the schema; the number is "CoVE"."""
_CONNECT: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "coval-etl",
}
_SESSION: Final = (
    f"SET search_path TO {SCHEMA}",
    "SET lock_timeout TO '15s'",
    # A process that was suspended within a transaction must not keep its rows locked for ever.
    "SET idle_in_transaction_session_timeout TO '30s'",
    # A server may be set up to acknowledge before it wrote; whoever asked for more than `on` keeps it.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
_TYPES: Final = ("int", "int", "bigint", "text", "bytea", "text", "int", "text", "int", "text", "text", "text")
_UPSERT: Final = f"""
INSERT INTO source_row ({", ".join(RowValues._fields)})
SELECT * FROM unnest({", ".join(f"%s::{type_}[]" for type_ in _TYPES)})
ON CONFLICT (job_no, table_no, row) DO UPDATE SET
state = excluded.state, body_sha256 = coalesce(excluded.body_sha256, source_row.body_sha256),
resource_id = excluded.resource_id, attempts = excluded.attempts, evidence = excluded.evidence,
http_status = excluded.http_status, code = excluded.code, field = excluded.field, version = excluded.version
"""  # noqa: S608  (names of our own)


def open_postgres(url: sa.URL, clock: Clock | None = None) -> SqlLedger:
    """Open the ledger, making its tables when they are not there.

    Raises UsageError for a server that cannot be reached or does not let us in, LedgerError where its disk is full.
    """
    try:
        import psycopg  # noqa: F401  (whether it is there)
    except ImportError:
        raise UsageError(
            "A ledger in PostgreSQL needs a driver that is not installed.",
            'Install it: pip install "coval-etl[postgres]"',
        ) from None
    store = PostgresStore(url)
    try:
        store.prepare()
    except EtlError as error:
        store.close()
        if isinstance(error, DiskFullError) or not isinstance(error, LedgerError):
            raise
        raise UsageError(error.message, "Check the address that --ledger was given, or give a file.") from None
    return SqlLedger(store, clock)


class PostgresStore:
    """See `Store`."""

    def __init__(self, url: sa.URL) -> None:
        self.name = f"{url.database or url.username or 'default'} on {url.host or 'this machine'}"
        self._lock = threading.RLock()
        self._again_for_s = 0.0
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=1,
            max_overflow=0,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
        )
        sa.event.listen(self._engine, "connect", _be_careful)

    def prepare(self) -> None:
        """Make the tables, or what this version needs of them."""
        if self.run(self._make, writes=True):
            reach("ledger-created")
        self._again_for_s = AGAIN_FOR_S

    def run(self, work: Callable[[sa.Connection], T], *, writes: bool = False) -> T:  # noqa: ARG002  (as `Store` has it)
        until_s = time.monotonic() + self._again_for_s
        while True:
            try:
                with self._lock, _translated(self.name), self._engine.begin() as connection:
                    return work(connection)
            except _BrokenError:
                # Whether a commit that was not answered has happened is not assumed: the work is done once more, and
                # comes to the same.
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.1)

    def alone(self, connection: sa.Connection) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ALONE)))

    def insert(self, table: sa.Table) -> postgresql.Insert:
        return postgresql.insert(table)

    def write_rows(self, connection: sa.Connection, rows: Sequence[RowValues]) -> None:
        connection.exec_driver_sql(_UPSERT, tuple(list(column) for column in zip(*rows, strict=True)))

    def write_ids(self, connection: sa.Connection, baseline_no: int, ids: Sequence[str]) -> None:
        connection.exec_driver_sql("INSERT INTO baseline_id SELECT %s, unnest(%s::text[])", (baseline_no, list(ids)))

    def shrink(self) -> None:
        """Left to the server's own autovacuum."""

    def close(self) -> None:
        with self._lock:
            self._engine.dispose()

    def _make(self, connection: sa.Connection) -> bool:
        """Make the tables where they are not there; whether that was so."""
        self.alone(connection)
        if connection.scalar(sa.select(sa.func.to_regclass(f"{SCHEMA}.alembic_version"))) is not None:
            revision = connection.scalar(sa.select(revisions.c.version_num))
            if revision not in {f"{version:04}" for version in range(1, VERSION + 1)}:
                raise another_version(self.name, revision)
            if revision != REVISION:
                from etl.ledger.migrating import migrate

                migrate(connection)
            return False
        namespaces = sa.table("pg_namespace", sa.column("nspname"), schema="pg_catalog")
        if not connection.scalar(sa.select(sa.exists().where(namespaces.c.nspname == SCHEMA))):
            connection.execute(sa.schema.CreateSchema(SCHEMA))
        metadata.create_all(connection)
        connection.execute(sa.insert(revisions).values(version_num=REVISION))
        return True


class _BrokenError(LedgerError):
    """The connection broke, or the server asks to do it once more: nothing is known of what was under way."""


def _be_careful(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for statement in _SESSION:
        cursor.execute(statement)
    cursor.close()
    connection.commit()


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _told(name, error, getattr(error.orig, "sqlstate", None)) from error


def _told(name: str, error: sa.exc.DBAPIError, sqlstate: str | None) -> LedgerError:
    reason = str(error.orig).strip().partition("\n")[0].rstrip(".")
    if sqlstate == "53100":
        return DiskFullError(
            f"The disk of the ledger {name} is full.",
            "Nothing more was sent. Make room there; coval-etl resume carries on.",
        )
    if sqlstate == "23505":
        return two_rows(name)
    if sqlstate in {"40001", "40P01"} or error.connection_invalidated or _is_unreachable(error, sqlstate):
        return _BrokenError(
            f"The ledger {name} cannot be reached: {reason}.",
            "Nothing more was sent. When the server answers again, coval-etl resume carries on.",
        )
    return LedgerError(f"The ledger {name} cannot be used: {reason}.", "Nothing more was sent.")


def _is_unreachable(error: sa.exc.DBAPIError, sqlstate: str | None) -> bool:
    # 57P01 to 57P03: shut down, crashed, starting; 25P03: idle for too long within a transaction. Without a state the
    # server did not say anything.
    return isinstance(error, sa.exc.OperationalError) and (sqlstate is None or sqlstate[:3] in {"57P", "25P"})

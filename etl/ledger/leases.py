"""Who works on a table: one process at a time, by a lease that it renews and that its death ends.

A lease only saves trouble. What keeps two processes from sending the same row is that every change is recorded in a
transaction that first proves the lease to be its own. It must never know what is done with a table.
"""

import math
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from etl.errors import JobHeldError, LeaseLostError
from etl.ledger.clock import Clock, Process
from etl.ledger.schema import holders, leases
from etl.ledger.store import Store

LEASE_S: Final = 60
"""A lease that was not renewed for so long is free."""
SEND_GUARD_S: Final = 30
"""Nothing is sent later than this after the last renewal. Half a lease: a request that leaves now ends within it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that took leases, as the ledger tells it."""

    number: int
    token: str
    job_id: str
    process: Process
    since: str
    ended: str | None
    beat: int
    renewed_boot_s: float
    renewed_wall_s: float
    seen_by: str | None
    seen_beat: int | None
    seen_boot_s: float | None

    def is_free(self, clock: Clock) -> bool:
        """Whether its leases may be taken.

        On the machine's same start the boot clock decides, which nobody can set. Elsewhere the wall clock does; where
        that has jumped back, so that the lease would last for ever, somebody who was refused before has kept the beat
        that was then the last: a lease without a new one for `LEASE_S` on the asker's own boot clock is over.
        """
        if self.ended is not None or clock.is_dead(self.process):
            return True
        boot = clock.process.boot
        if boot is not None and self.process.boot == boot:
            return clock.boottime_s() - self.renewed_boot_s > LEASE_S
        return clock.wall_s() - self.renewed_wall_s > LEASE_S or self._was_seen_long_ago(clock)

    def _was_seen_long_ago(self, clock: Clock) -> bool:
        if self.seen_boot_s is None or (self.seen_by, self.seen_beat) != (_seer(clock), self.beat):
            return False
        return clock.boottime_s() - self.seen_boot_s > LEASE_S

    def sent_until(self, clock: Clock) -> float | None:
        """Until when, on this machine's boot clock, it may have sent; None where no clock tells."""
        if clock.process.boot is None or self.process.boot != clock.process.boot:
            return None
        return self.renewed_boot_s + (0 if self.ended == "released" else SEND_GUARD_S)

    def __str__(self) -> str:
        since = datetime.fromisoformat(self.since)
        return f"{self.process}, since {since:%Y-%m-%d %H:%M:%S} UTC"

    def refusal(self, clock: Clock) -> JobHeldError:
        """What to say to another process."""
        here, there = clock.process, self.process
        if (here.host, here.boot, here.pids) == (there.host, there.boot, there.pids):
            hint = f"Wait until it has ended, or stop process {there.pid}."
        else:
            hint = f"Wait until it has ended; if it was killed, try again in {LEASE_S} s."
        return JobHeldError(f"Job {self.job_id} is at work on the same source for the same place: {self}.", hint)


class Leases:
    """The leases of one process-run: taken together, renewed together, lost together.

    Its methods work within the transaction of a connection; `held` and `let_go` are told when it is committed.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._token = secrets.token_hex(16)
        self._tables: set[int] = set()
        self._was_held = False
        self._others_until: dict[int, float] = {}

    @property
    def any(self) -> bool:
        """Whether tables are held, as far as this process knows."""
        return bool(self._tables)

    def are(self, holder: Holder) -> bool:
        """Whether a holder is this process-run."""
        return holder.token == self._token

    def take(self, connection: sa.Connection, job_id: str, tables: Sequence[int]) -> JobHeldError | None:
        """Take the leases of these tables.

        A refusal is returned, not raised: that somebody was refused has to be committed as well.
        """
        if not tables:
            return None
        self._store.alone(connection)
        own = self._own(connection)
        free: set[int] = set()
        self._others_until.update((table, -math.inf) for table in tables if table not in self._others_until)
        for table, holder in _holders(connection, tables):
            if holder.token == self._token:
                continue  # also where a commit of ours was not answered: what was found then is still in _others_until
            if not holder.is_free(self._clock):
                _see(connection, holder, self._clock)
                return holder.refusal(self._clock)
            until_s = holder.sent_until(self._clock)
            self._others_until[table] = math.inf if until_s is None else until_s
            free.add(holder.number)
        connection.execute(
            sa.update(holders).where(holders.c.number.in_(free), holders.c.ended.is_(None)).values(ended="lost")
        )
        self._sign(connection, own or self._enter(connection, job_id), tables)
        return None

    def held(self, tables: Sequence[int]) -> float:
        """These tables are ours; for how many seconds at least nobody else can have sent of them."""
        self._tables.update(tables)
        self._was_held = self._was_held or bool(tables)
        latest_s = max((self._others_until[table] for table in tables), default=-math.inf)
        return max(0.0, self._clock.boottime_s() - latest_s)

    def prove(self, connection: sa.Connection) -> None:
        """Renew what is held, and prove by it that it is held. Raises LeaseLostError.

        Whoever never took a lease has nothing to prove.
        """
        if not self._was_held:
            return
        if not self._tables:
            raise LeaseLostError("The job has let go of its tables, and records nothing more.")
        renewed = connection.execute(
            _RENEW, {"by": self._token, "now_boot_s": self._clock.boottime_s(), "now_wall_s": self._clock.wall_s()}
        )
        if renewed.rowcount != 1:
            raise self._lost(connection)

    def release(self, connection: sa.Connection) -> None:
        """Let go, if it is still ours."""
        connection.execute(
            sa.update(holders)
            .where(holders.c.token == self._token, holders.c.ended.is_(None))
            .values(ended="released", renewed_boot_s=self._clock.boottime_s(), renewed_wall_s=self._clock.wall_s())
        )

    def let_go(self) -> None:
        """Nothing is held any more; what is taken from now on is taken by another name."""
        self._tables.clear()
        self._others_until.clear()
        self._token = secrets.token_hex(16)

    def _own(self, connection: sa.Connection) -> int | None:
        own = connection.execute(
            sa.select(holders.c.number, holders.c.ended).where(holders.c.token == self._token)
        ).one_or_none()
        if self._tables and (own is None or own.ended is not None):
            raise self._lost(connection)
        return None if own is None else own.number

    def _enter(self, connection: sa.Connection, job_id: str) -> int:
        process = self._clock.process
        result = connection.execute(
            sa.insert(holders)
            .values(
                token=self._token,
                job_id=job_id,
                host=process.host,
                pid=process.pid,
                started=process.started,
                boot=process.boot,
                pids=process.pids,
                since=datetime.fromtimestamp(self._clock.wall_s(), UTC).isoformat(),
                beat=0,
                renewed_boot_s=self._clock.boottime_s(),
                renewed_wall_s=self._clock.wall_s(),
            )
            .returning(holders.c.number)
        )
        return int(result.scalar_one())

    def _sign(self, connection: sa.Connection, holder_no: int, tables: Sequence[int]) -> None:
        statement = self._store.insert(leases)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["table_no"], set_={"holder_no": holder_no, "epoch": leases.c.epoch + 1}
            ),
            [{"table_no": table, "holder_no": holder_no, "epoch": 1} for table in tables],
        )
        in_use = sa.select(leases.c.holder_no)
        connection.execute(sa.delete(holders).where(holders.c.ended.is_not(None), holders.c.number.not_in(in_use)))

    def _lost(self, connection: sa.Connection) -> LeaseLostError:
        now = [holder for _, holder in _holders(connection, list(self._tables)) if holder.token != self._token]
        by = f" by {now[0]}" if now else ""
        return LeaseLostError(
            f"This job was silent for more than {LEASE_S} s, and was taken over{by}.",
            "Nothing more was sent from here. Let the other one end, or stop it and type the command again.",
        )


_RENEW = (
    sa.update(holders)
    .where(holders.c.token == sa.bindparam("by"), holders.c.ended.is_(None))
    .values(
        beat=holders.c.beat + 1, renewed_boot_s=sa.bindparam("now_boot_s"), renewed_wall_s=sa.bindparam("now_wall_s")
    )
)


def holders_at_work(connection: sa.Connection, clock: Clock) -> dict[str, Holder]:
    """Those that work now, by the id of their job."""
    found = connection.execute(sa.select(holders).where(holders.c.ended.is_(None)).order_by(holders.c.number))
    at_work = (_holder(row) for row in found)
    return {holder.job_id: holder for holder in at_work if not holder.is_free(clock)}


def _holders(connection: sa.Connection, tables: Sequence[int]) -> Iterator[tuple[int, Holder]]:
    """Who took these tables last. Locked, where a database locks rows: a renewal under way is waited for, and seen."""
    asked = (
        sa.select(leases.c.table_no, holders)
        .join(holders, holders.c.number == leases.c.holder_no)
        .where(leases.c.table_no.in_(tables))
        .order_by(holders.c.number, leases.c.table_no)
        .with_for_update(of=holders)
    )
    return ((row.table_no, _holder(row)) for row in connection.execute(asked).all())


def _holder(row: "sa.Row[*tuple[Any, ...]]") -> Holder:
    kept = row._mapping  # noqa: SLF001  (its public name)
    return Holder(
        process=Process(kept["host"], kept["pid"], kept["started"], kept["boot"], kept["pids"]),
        **{
            name: kept[name]
            for name in (
                "number",
                "token",
                "job_id",
                "since",
                "ended",
                "beat",
                "renewed_boot_s",
                "renewed_wall_s",
                "seen_by",
                "seen_beat",
                "seen_boot_s",
            )
        },
    )


def _see(connection: sa.Connection, holder: Holder, clock: Clock) -> None:
    """Keep which beat was the last one, and when that was seen first."""
    if (holder.seen_by, holder.seen_beat) != (_seer(clock), holder.beat):
        connection.execute(
            sa.update(holders)
            .where(holders.c.number == holder.number)
            .values(seen_by=_seer(clock), seen_beat=holder.beat, seen_boot_s=clock.boottime_s())
        )


def _seer(clock: Clock) -> str:
    # Where no start of the machine is told, its name must do: a boot clock that began anew is behind, and frees later.
    return clock.process.boot or clock.process.host

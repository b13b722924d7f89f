"""The ledger in SQL: every promise of `Ledger`, in statements that every database behind it understands.

It must never know which database that is, nor what a row is sent for.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from etl.errors import JobHeldError, LedgerError
from etl.ledger.clock import Clock
from etl.ledger.leases import Leases, holders_at_work
from etl.ledger.ledger import Baseline, Change, Held, JobFacts, JobRecord, Known, RowKey, State
from etl.ledger.schema import OPEN, baseline_ids, baselines, jobs, rows, tables
from etl.ledger.store import RowValues, Store
from etl.ledger.values import AnyRow, changes_of, record_of, without_collecting

T = TypeVar("T")

CHUNK: Final = 10_000
"""So many rows are in memory at a time."""
ASKED: Final = 500
"""So many ids are asked for at a time."""
_OPEN_STATES: Final = (State.SENDING, State.IN_DOUBT, State.PENDING)
_IS_OPEN: Final = sa.text(OPEN)
_OUTCOME: Final[tuple[sa.ColumnElement[Any], ...]] = tuple(
    sa.literal_column(name) for name in ("row", "state", *Change._fields[2:])
)
"""The columns of a row, in the order of `Change`. Untyped, so that a million values are not looked at one by one."""


class SqlLedger:
    """See `Ledger`."""

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or Clock()
        self._leases = Leases(store, self._clock)
        self._job_numbers: dict[str, int] = {}
        self._table_numbers: dict[str, int] = {}

    @property
    def clock(self) -> Clock:
        return self._clock

    def open_job(self, job: JobFacts) -> None:
        values = {
            "id": job.id,
            "command": job.command,
            "base_url": job.base_url,
            "workspace": job.workspace,
            "key_fingerprint": job.key_fingerprint,
            "contract": job.contract,
            "sources": [dict(source) for source in job.sources],
            "identity": job.identity,
            "settings": dict(job.settings),
            "started": job.started.astimezone(UTC).isoformat(),
        }

        def work(connection: sa.Connection) -> None:
            statement = self._store.insert(jobs).values(values).on_conflict_do_nothing(index_elements=["id"])
            connection.execute(statement)
            found = connection.execute(sa.select(jobs).where(jobs.c.id == job.id)).one()
            if any(found._mapping[name] != value for name, value in values.items()):  # noqa: SLF001  (its public name)
                raise LedgerError(f"There is another job {job.id}.", "Type the command again.")

        self._store.run(work, writes=True)

    def hold(self, job_id: str, tables: Collection[str]) -> Held:
        keys = sorted(set(tables))

        def work(connection: sa.Connection) -> JobHeldError | dict[str, int]:
            numbers = self._numbered(connection, keys)
            refused = self._leases.take(connection, job_id, list(numbers.values()))
            if refused is None:
                connection.execute(
                    sa.update(rows)
                    .where(_IS_OPEN, rows.c.state == State.SENDING.value, rows.c.table_no.in_(numbers.values()))
                    .values(state=State.IN_DOUBT.value)
                )
            return refused or numbers

        taken = self._store.run(work, writes=True)
        if isinstance(taken, JobHeldError):
            raise taken
        self._table_numbers.update(taken)
        return Held(self._leases.held(list(taken.values())))

    def renew(self) -> None:
        self._store.run(self._leases.prove, writes=True)

    def release(self) -> None:
        self._store.run(self._leases.release, writes=True)
        self._leases.let_go()

    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        if not changes:
            return
        last = _last_of_each(changes)

        def work(connection: sa.Connection) -> dict[str, int]:
            self._leases.prove(connection)
            job_no = self._number_of(connection, job_id)
            numbers = self._numbered(connection, {change.key.table for change in last})
            self._store.write_rows(
                connection,
                [
                    RowValues(
                        job_no,
                        numbers[change.key.table],
                        change.key.row,
                        change.state.value,
                        change.body_sha256,
                        _storable(change.resource_id),
                        change.attempts,
                        _storable(change.evidence),
                        change.http_status,
                        _storable(change.code),
                        _storable(change.field),
                        _storable(change.version),
                    )
                    for change in last
                ],
            )
            return numbers

        self._table_numbers.update(self._store.run(work, writes=True))

    def known(self, table: str, first_row: int, last_row: int) -> Iterator[Known]:
        def work(connection: sa.Connection) -> list[Known]:
            found: list[Known] = []
            new = tuple.__new__
            table_no = self._table_number(connection, table)
            for job_no, job_id in _jobs_of(connection, table_no):
                asked = (
                    sa.select(*_OUTCOME)
                    .select_from(rows)
                    .where(
                        rows.c.job_no == job_no, rows.c.table_no == table_no, rows.c.row.between(first_row, last_row)
                    )
                )
                of_job = connection.execute(asked.order_by(rows.c.row)).all()
                found += [new(Known, (job_id, change)) for change in changes_of(table, of_job)]
            return found

        with without_collecting():
            return iter(self._store.run(work))

    def created_ids(self, table: str) -> Sequence[str]:
        def work(connection: sa.Connection) -> list[str]:
            table_no = self._table_number(connection, table)
            # The newest first: what an older job created from the same row may be gone.
            numbers = [number for number, _ in reversed(_jobs_of(connection, table_no))]
            first = _created(connection, table_no, numbers)
            last = _created(connection, table_no, numbers, last=True)
            if first is None or last is None:
                return []
            middle = _created(connection, table_no, numbers, since=(first[0] + last[0]) // 2)
            return list(dict.fromkeys(found[1] for found in (first, middle, last) if found))

        return self._store.run(work)

    def owned(self, ids: Collection[str]) -> set[str]:
        def work(connection: sa.Connection) -> set[str]:
            found: set[str] = set()
            for some in _in_parts(list(ids), ASKED):
                found.update(connection.scalars(sa.select(rows.c.resource_id).where(rows.c.resource_id.in_(some))))
            return found

        return self._store.run(work)

    def keep_baseline(self, job_id: str, scope: str, baseline: Baseline) -> None:
        def work(connection: sa.Connection) -> None:
            job_no = self._number_of(connection, job_id)
            if _baseline(connection, job_no, scope) is not None:
                return
            kept = sa.insert(baselines).values(job_no=job_no, scope=scope, since=baseline.since)
            number = connection.execute(kept.returning(baselines.c.number)).scalar_one()
            for some in _in_parts(sorted(set(baseline.ids)), CHUNK):
                self._store.write_ids(connection, number, some)

        self._store.run(work, writes=True)

    def baseline(self, job_id: str, scope: str) -> Baseline | None:
        def work(connection: sa.Connection) -> Baseline | None:
            kept = _baseline(connection, self._number_of(connection, job_id), scope)
            if kept is None:
                return None
            ids = connection.scalars(sa.select(baseline_ids.c.id).where(baseline_ids.c.baseline_no == kept[0]))
            return Baseline(set(ids), kept[1])

        return self._store.run(work)

    def rows(self, job_id: str, state: State) -> Iterator[Change]:
        def where(job_no: int, table_no: int) -> list[Any]:
            of_table = [rows.c.table_no == table_no, rows.c.state == state.value]
            if state not in _OPEN_STATES:
                return [rows.c.job_no == job_no, *of_table]
            # The plus keeps SQLite from going through every row of the job: it takes the index of the open ones.
            return [sa.literal_column("+job_no") == job_no, *of_table, _IS_OPEN]

        def tables_of_job(connection: sa.Connection) -> tuple[int, list[tuple[int, str]]]:
            job_no = self._number_of(connection, job_id)
            has_rows = sa.exists().where(rows.c.job_no == job_no, rows.c.table_no == tables.c.number)
            found = connection.execute(sa.select(tables.c.number, tables.c.key).where(has_rows).order_by(tables.c.key))
            return job_no, [(row.number, row.key) for row in found]

        job_no, keys = self._store.run(tables_of_job)
        for table_no, key in keys:
            after: int | None = None
            while True:
                here = where(job_no, table_no)
                if after is not None:
                    here.append(rows.c.row > after)
                asked = sa.select(*_OUTCOME).select_from(rows).where(*here).order_by(rows.c.row).limit(CHUNK)
                # A part at a time, so that what is recorded meanwhile does not wait for whoever reads.
                with without_collecting():
                    some = self._read(asked)
                    changes = changes_of(key, some)
                yield from changes
                if len(some) < CHUNK:
                    break
                after = some[-1].row

    def count(self, job_id: str) -> Mapping[State, int]:
        asked = sa.select(rows.c.state, sa.func.count()).group_by(rows.c.state)

        def work(connection: sa.Connection) -> dict[State, int]:
            of_job = asked.where(rows.c.job_no == self._number_of(connection, job_id))
            return {State(row[0]): row[1] for row in connection.execute(of_job)}

        return self._store.run(work)

    def speak(self, job_id: str, contract: str) -> None:
        spoken = sa.update(jobs).where(jobs.c.id == job_id).values(contract=str(contract))
        self._store.run(lambda connection: connection.execute(spoken), writes=True)

    def close_job(self, job_id: str, exit_code: int, counts: Mapping[str, int], report: str | None) -> None:
        ended = datetime.now(UTC).isoformat()
        closed = (
            sa.update(jobs)
            .where(jobs.c.id == job_id)
            .values(ended=ended, exit_code=int(exit_code), counts=dict(counts), report=report)
        )
        self._store.run(lambda connection: connection.execute(closed), writes=True)

    def job(self, job_id: str) -> JobRecord | None:
        def work(connection: sa.Connection) -> JobRecord | None:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one_or_none()
            return None if row is None else record_of(row, holders_at_work(connection, self._clock))

        return self._store.run(work)

    def jobs(self) -> Sequence[JobRecord]:
        def work(connection: sa.Connection) -> list[JobRecord]:
            at_work = holders_at_work(connection, self._clock)
            found = connection.execute(sa.select(jobs).order_by(jobs.c.started.desc(), jobs.c.number.desc()))
            return [record_of(row, at_work) for row in found]

        return self._store.run(work)

    def forget(self, job_id: str) -> None:
        def work(connection: sa.Connection) -> JobHeldError | None:
            self._store.alone(connection)
            holder = holders_at_work(connection, self._clock).get(job_id)
            if holder is not None and not self._leases.are(holder):
                return holder.refusal(self._clock)
            number = connection.scalar(sa.select(jobs.c.number).where(jobs.c.id == job_id))
            kept = sa.select(baselines.c.number).where(baselines.c.job_no == number)
            connection.execute(sa.delete(baseline_ids).where(baseline_ids.c.baseline_no.in_(kept)))
            connection.execute(sa.delete(baselines).where(baselines.c.job_no == number))
            connection.execute(sa.delete(rows).where(rows.c.job_no == number))
            connection.execute(sa.delete(jobs).where(jobs.c.number == number))
            return None

        refused = self._store.run(work, writes=True)
        if refused is not None:
            raise refused
        self._job_numbers.pop(job_id, None)
        self._store.shrink()

    def close(self) -> None:
        # A process that cannot say that it lets go lets go by ending.
        with suppress(LedgerError):
            if self._leases.any:
                self.release()
        self._store.close()

    def _read(self, asked: sa.Select[*tuple[Any, ...]]) -> Sequence[AnyRow]:
        return self._store.run(lambda connection: connection.execute(asked).all())

    def _number_of(self, connection: sa.Connection, job_id: str) -> int:
        number = self._job_numbers.get(job_id)
        if number is None:
            number = connection.scalar(sa.select(jobs.c.number).where(jobs.c.id == job_id))
            if number is None:
                raise LedgerError(f"The ledger knows no job {job_id}.", "List what it knows with: coval-etl jobs")
            self._job_numbers[job_id] = number
        return number

    def _table_number(self, connection: sa.Connection, table: str) -> int | None:
        known = self._table_numbers.get(table)
        return known or connection.scalar(sa.select(tables.c.number).where(tables.c.key == table))

    def _numbered(self, connection: sa.Connection, keys: Collection[str]) -> dict[str, int]:
        """The numbers of these tables; new ones count only when the transaction is committed."""
        numbers = {key: self._table_numbers[key] for key in keys if key in self._table_numbers}
        new = [key for key in keys if key not in numbers]
        if new:
            statement = self._store.insert(tables).on_conflict_do_nothing(index_elements=["key"])
            connection.execute(statement, [{"key": key} for key in new])
            found = connection.execute(sa.select(tables.c.key, tables.c.number).where(tables.c.key.in_(new)))
            numbers.update((row.key, row.number) for row in found)
        return numbers


def _last_of_each(changes: Sequence[Change]) -> list[Change]:
    """One change for each row: the last one, with the hash that its intent may have brought within the same commit."""
    last: dict[RowKey, Change] = {}
    for change in changes:
        before = last.get(change.key)
        if before is not None and change.body_sha256 is None and before.body_sha256 is not None:
            change = change._replace(body_sha256=before.body_sha256)  # noqa: PLW2901
        last[change.key] = change
    return list(last.values())


def _storable(text: str | None) -> str | None:
    """A text that every database takes: an answer may hold NUL, and halves of characters."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()


def _in_parts(what: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (what[at : at + size] for at in range(0, len(what), size))


def _jobs_of(connection: sa.Connection, table_no: int | None) -> list[tuple[int, str]]:
    """The jobs that have rows of a table, the oldest first."""
    if table_no is None:
        return []
    has_rows = sa.exists().where(rows.c.job_no == jobs.c.number, rows.c.table_no == table_no)
    asked = sa.select(jobs.c.number, jobs.c.id).where(has_rows).order_by(jobs.c.started, jobs.c.number)
    return [(row.number, row.id) for row in connection.execute(asked)]


def _created(
    connection: sa.Connection, table_no: int | None, job_numbers: Sequence[int], *, since: int = 0, last: bool = False
) -> tuple[int, str] | None:
    """The first row (or the last one) from `since` on that was created, whatever the job, and its id."""
    found = []
    for job_no in job_numbers:
        asked = sa.select(rows.c.row, rows.c.resource_id).where(
            rows.c.job_no == job_no,
            rows.c.table_no == table_no,
            rows.c.row >= since,
            rows.c.state == State.CREATED.value,
            rows.c.resource_id.is_not(None),
        )
        row = connection.execute(asked.order_by(rows.c.row.desc() if last else rows.c.row).limit(1)).one_or_none()
        if row is not None:
            found.append((row.row, row.resource_id))
    return (max if last else min)(found, default=None, key=lambda pair: pair[0])


def _baseline(connection: sa.Connection, job_no: int, scope: str) -> tuple[int, str | None] | None:
    asked = sa.select(baselines.c.number, baselines.c.since)
    row = connection.execute(asked.where(baselines.c.job_no == job_no, baselines.c.scope == scope)).one_or_none()
    return None if row is None else (row.number, row.since)

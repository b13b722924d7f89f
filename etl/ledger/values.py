"""Rows of the database as the ledger's values. It must never know what is asked of the database, or why."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from etl.ledger.leases import Holder
from etl.ledger.ledger import Change, JobFacts, JobRecord, RowKey, State

AnyRow = sa.Row[*tuple[Any, ...]]

_STATES: Final = {state.value: state for state in State}


@contextmanager
def without_collecting() -> Iterator[None]:
    """Look for no garbage meanwhile: what is read holds no cycles, and looking takes longer than reading."""
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


def changes_of(table: str, found: Iterable[AnyRow]) -> list[Change]:
    """Rows of a table, their columns in the order of `Change`."""
    # A million rows pass here: made as the tuples that they are, they take half the time.
    new = tuple.__new__
    return [
        new(
            Change,
            (new(RowKey, (table, row)), _STATES[state], body, id_, attempts, evidence, status, code, field, version),
        )
        for row, state, body, id_, attempts, evidence, status, code, field, version in found
    ]


def record_of(row: AnyRow, at_work: Mapping[str, Holder]) -> JobRecord:
    """A row of `schema.jobs`; `at_work`: who works now, by the id of the job."""
    holder = at_work.get(row.id)
    facts = JobFacts(
        id=row.id,
        command=row.command,
        base_url=row.base_url,
        workspace=row.workspace,
        key_fingerprint=row.key_fingerprint,
        contract=row.contract,
        started=datetime.fromisoformat(row.started),
        sources=tuple(row.sources),
        identity=row.identity,
        settings=row.settings,
    )
    ended = row.ended and datetime.fromisoformat(row.ended)
    return JobRecord(facts, ended, row.exit_code, row.counts, row.report, str(holder) if holder else None)

"""What a ledger asks of the database behind it: transactions, the hot statement, words for what went wrong.

It must never know what a job, a row or a lease means.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa

from etl.errors import LedgerError
from etl.ledger.disks import UnfitError
from etl.ledger.schema import VERSION

if TYPE_CHECKING:  # each takes a while to load, and only one of them is needed
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")


class DiskFullError(LedgerError):
    """There is no room for what would have to be written."""


def two_rows(name: str) -> LedgerError:
    """The refusal of a second row for a resource: an alarm, as a resource comes from one request."""
    return LedgerError(
        f"Two rows of a job would have the same resource in the ledger {name}.",
        "Nothing more was sent. Compare the two with the API before anything else is done.",
    )


def another_version(name: str, version: object) -> LedgerError:
    """The refusal of a ledger that a version wrote which this one does not know."""
    return UnfitError(
        f"{name} was written by another version of coval-etl (schema {version}, this one writes {VERSION}).",
        "Use that version, or another ledger with --ledger.",
    )


class RowValues(NamedTuple):
    """A row of `schema.rows`, its columns in their order."""

    job_no: int
    table_no: int
    row: int
    state: str
    body_sha256: bytes | None
    resource_id: str | None
    attempts: int
    evidence: str | None
    http_status: int | None
    code: str | None
    field: str | None
    version: str | None


class Store(Protocol):
    """One open database. Safe to use from several threads, one after the other."""

    def run(self, work: Callable[[sa.Connection], T], *, writes: bool = False) -> T:
        """Do all of `work` in one transaction, or nothing of it. Raises LedgerError.

        With `writes`, what it wrote is on disk when this returns. `work` may be called again when a connection broke,
        so that it must come to the same when its first call was committed after all.
        """

    def alone(self, connection: sa.Connection) -> None:
        """Let no other transaction that asks for the same go on until this one has ended."""

    def insert(self, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
        """An insert that can say what happens when the row is there."""

    def write_rows(self, connection: sa.Connection, rows: Sequence[RowValues]) -> None:
        """Insert rows, or renew them; a `body_sha256` that is None leaves what was there."""

    def write_ids(self, connection: sa.Connection, baseline_no: int, ids: Sequence[str]) -> None:
        """Insert the ids of a baseline."""

    def shrink(self) -> None:
        """Give the room of removed rows back, where that is worth the while."""

    def close(self) -> None:
        """Let go of the database."""

"""The interface of a ledger. It must never know which database is behind it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol


class State(StrEnum):
    """What is known of a row that was to be sent."""

    SENDING = "sending"
    """The intent is on disk; the request may or may not have had an effect."""
    CREATED = "created"
    FAILED = "failed"
    PENDING = "pending"
    """Proved not sent, or never begun: it may be sent."""
    IN_DOUBT = "in_doubt"


class RowKey(NamedTuple):
    """A row across jobs: what names its source table at its target (see `etl.jobs.table_key`), and its row number."""

    table: str
    row: int


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is kept of a job. `key_fingerprint` is one-way; `sources` are maps of `file`, `sheet` and `sha256`."""

    id: str
    command: str
    base_url: str
    workspace: str | None
    key_fingerprint: str
    contract: str
    started: datetime
    sources: Sequence[Mapping[str, object]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Change:
    """A row's new state. `body_sha256` (32 bytes) is written with the intent, `evidence` with the outcome."""

    key: RowKey
    state: State
    body_sha256: bytes | None = None
    resource_id: str | None = None
    attempts: int = 0
    evidence: str | None = None


class Ledger(Protocol):
    """Where jobs and rows are kept. Every method returns only when what it wrote would survive a power cut.

    All raise LedgerError when the store cannot be read or written.
    """

    def open_job(self, job: JobFacts) -> None:
        """Record a new job."""

    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        """Record new states, all or none."""

    def close_job(self, job_id: str, exit_code: int) -> None:
        """Record that the job has ended, and how."""

    def earlier(self, tables: Collection[str]) -> Iterator[Change]:
        """What jobs before did with the rows of these tables, the oldest job first."""

    def hold(self, tables: Collection[str]) -> None:
        """Keep other processes from working on these tables until `close`. Raises JobHeldError where one does."""

    def close(self) -> None:
        """Let go of the store."""

"""The interface of a ledger. It must never know which database is behind it."""

from collections.abc import Iterator, Mapping, Sequence
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
    """A row across jobs: the number of its source table within the job (from 0), and its row number."""

    table: int
    row: int


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What makes a job this job. `signature` is equal for the same sources, mapping, mode and target (SHA-256).

    `key_fingerprint` is one-way. `sources` are `{"file", "sheet", "sha256", "rows"}` maps as in `summary.json`.
    """

    id: str
    signature: str
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

    def earlier(self, signature: str) -> Iterator[Change]:
        """What every job with this signature did with its rows, the oldest job first."""

    def close(self) -> None:
        """Let go of the store."""

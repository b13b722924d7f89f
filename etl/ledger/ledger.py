"""The interface of a ledger. It must never know which database is behind it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from etl.ledger.clock import Clock


class State(StrEnum):
    """What is known of a row that was to be sent."""

    SENDING = "sending"
    """The intent is on disk; the request may or may not have had an effect."""
    CREATED = "created"
    UPDATED = "updated"
    """Something that was there was changed; the evidence is what it was before, as JSON."""
    FAILED = "failed"
    PENDING = "pending"
    """Proved not sent, or never begun: it may be sent."""
    IN_DOUBT = "in_doubt"
    UNDONE = "undone"
    """Created and deleted again, or updated and put back."""
    DELETED = "deleted"
    """Not a row: something that the job deleted, because its source no longer has it. The evidence says what it was."""


class RowKey(NamedTuple):
    """A row across jobs: what names its source table at its target (see `etl.jobs.table_key`), and its row number."""

    table: str
    row: int


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is kept of a job from its beginning.

    `identity` (40 hexadecimal digits) is equal for jobs with the same sources, mapping, mode and target.
    `key_fingerprint` is one-way; `sources` are maps of `file`, `sheet`, `sha256` and `table` (the table's key);
    `settings` is what `resume` needs to do the same again, and never holds a secret. Both are JSON.
    """

    id: str
    command: str
    base_url: str
    workspace: str | None
    key_fingerprint: str
    contract: str
    started: datetime
    sources: Sequence[Mapping[str, object]] = field(default_factory=tuple)
    identity: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the ledger tells it.

    `ended` and `exit_code` are None while it runs, or where it died; `counts` are rows by outcome as its last report
    counted them (None where it never came to one). `held_by`: the process that works on it now, in words.
    """

    facts: JobFacts
    ended: datetime | None = None
    exit_code: int | None = None
    counts: Mapping[str, int] | None = None
    report: str | None = None
    held_by: str | None = None


class Change(NamedTuple):
    """A row's new state.

    `body_sha256` (32 bytes) is written with the intent and kept by later changes that have none. The rest is written
    with the outcome: `evidence` in words, `code` and `field` of the problem, `version` the resource's time of change
    as the API told it (a rollback deletes only what nobody changed since).
    """

    key: RowKey
    state: State
    body_sha256: bytes | None = None
    resource_id: str | None = None
    attempts: int = 0
    evidence: str | None = None
    http_status: int | None = None
    code: str | None = None
    field: str | None = None
    version: str | None = None


class Known(NamedTuple):
    """What a job did with a row."""

    job_id: str
    change: Change


class Baseline(NamedTuple):
    """What existed in a scope before a job's first POST into it.

    `ids` are complete as far back as `since`, a time of the API's own clock (ISO 8601; None: all there was).
    """

    ids: Collection[str]
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Tables that this process alone works on now.

    `quiet_s`: for at least so long nobody else can have sent a row of them; infinite where nobody ever held them. It
    is taken from a clock that nobody can set, and is 0 where there is none to trust (the machine started anew).
    """

    quiet_s: float


class Ledger(Protocol):
    """Where jobs and rows are kept. Every method returns only when what it wrote would survive a power cut.

    All raise LedgerError when the store cannot be read or written.
    """

    @property
    def clock(self) -> Clock:
        """What this ledger takes time and identity from."""

    def open_job(self, job: JobFacts) -> None:
        """Record a new job."""

    def hold(self, job_id: str, tables: Collection[str]) -> Held:
        """Make these tables ours until `release`, and what is `sending` in them `in_doubt`: in one transaction.

        A process that died lets go at once, one that cannot be asked (another machine) when its lease is over.
        Raises JobHeldError, with who it is, where another process works on one of them.
        """

    def renew(self) -> None:
        """Say that we are still here. Raises LeaseLostError where another process has taken over."""

    def release(self) -> None:
        """Let go of the tables."""

    def record(self, job_id: str, changes: Sequence[Change]) -> None:
        """Record new states, all or none. Raises LeaseLostError where tables are held no longer."""

    def known(self, table: str, first_row: int, last_row: int) -> Iterator[Known]:
        """What jobs did with the rows from first to last (both included) of a table, the oldest job first."""

    def created_ids(self, table: str) -> Sequence[str]:
        """The ids of the first, a middle and the last row of a table that were created, as far as there are any."""

    def owned(self, ids: Collection[str]) -> set[str]:
        """Those of these resource ids that rows of this ledger have, whatever their job."""

    def keep_baseline(self, job_id: str, scope: str, baseline: Baseline) -> None:
        """Keep what existed in a scope (such as a test set) before the job's first POST into it. Written once."""

    def baseline(self, job_id: str, scope: str) -> Baseline | None:
        """What `keep_baseline` kept (its ids as a set); None where it never did."""

    def rows(self, job_id: str, state: State) -> Iterator[Change]:
        """The rows of a job in a state, by table and row."""

    def count(self, job_id: str) -> Mapping[State, int]:
        """How many rows of a job are in each state."""

    def speak(self, job_id: str, contract: str) -> None:
        """Keep which contract the API was found to speak."""

    def close_job(self, job_id: str, exit_code: int, counts: Mapping[str, int], report: str | None) -> None:
        """Record that the job has ended for now, how, with which outcomes, and where its report is."""

    def job(self, job_id: str) -> JobRecord | None:
        """One job."""

    def jobs(self) -> Sequence[JobRecord]:
        """All jobs, the newest first."""

    def forget(self, job_id: str) -> None:
        """Remove a job, its rows and its baselines."""

    def close(self) -> None:
        """Let go of the tables and of the store."""

"""What makes a job this job: what was asked for, how it is recognised when it is typed again, what was done before.

It must never know how rows are read or sent.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from etl.api import Target
from etl.checking import Fitted
from etl.ledger import Change, JobFacts, Ledger, RowKey, State
from etl.resources import Contract


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What is to be imported, and how.

    `target` names the API for people and for the ledger (its base URL, or `sandbox`). `max_errors` is a number of rows,
    or below 1 a share of the rows read so far. `trust_mapping`: go on even when the API refuses more than a fifth of
    the first rows. `again`: send rows again that an earlier run created.
    """

    target: str = ""
    resource: str | None = None
    mapping: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
    where: str | None = None
    limit: int | None = None
    test_set: str | None = None
    create_missing: bool = False
    contract: Contract | None = None
    strict: bool = False
    all_or_nothing: bool = False
    max_errors: float | None = None
    concurrency: int = 16
    rate_per_s: float | None = None
    again: bool = False
    trust_mapping: bool = False

    def aimed_at(self, target: str, contract: Contract | None) -> "ImportJob":
        """The same job with what is known of its target."""
        return replace(self, target=target, contract=contract)

    def allows(self, bad: int, read: int) -> bool:
        """Whether so many bad rows, of so many read, are within `max_errors`."""
        if self.max_errors is None:
            return True
        return bad <= (self.max_errors * read if self.max_errors < 1 else self.max_errors)


def new_job_id() -> str:
    """`20261122-041500-9f3a`: sorts by time, and is told apart by its end."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def facts_of(
    job: ImportJob, id_: str, target: Target, contract: Contract, fitted: Sequence[Fitted], started: datetime
) -> JobFacts:
    """The job as the ledger keeps it. Its signature is equal for the same sources, mappings, settings and target."""
    what = [
        job.target,
        target.workspace,
        contract,
        job.where,
        job.limit,
        [
            (one.survey.sha256, one.table.origin.sheet, one.bound.mapping.model_dump_json(), one.values)
            for one in fitted
        ],
    ]
    return JobFacts(
        id=id_,
        signature=hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest(),
        command="import",
        base_url=job.target,
        workspace=target.workspace,
        key_fingerprint=target.key_fingerprint(),
        contract=contract,
        started=started,
        sources=[
            {"file": one.table.origin.file, "sheet": one.table.origin.sheet, "sha256": one.survey.sha256}
            for one in fitted
        ],
    )


def earlier_rows(ledger: Ledger, signature: str) -> dict[RowKey, Change]:
    """What is known of each row from the same job, run before: that it was created outweighs everything else."""
    known: dict[RowKey, Change] = {}
    for change in ledger.earlier(signature):
        before = known.get(change.key)
        if before is None or before.state is not State.CREATED:
            known[change.key] = change
    return known

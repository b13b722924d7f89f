"""What makes a job this job: what was asked for, how it is recognised when it is typed again, what was done before.

It must never know how rows are read or sent.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from etl.api import Api, Target
from etl.checking import Fitted
from etl.ledger import Change, JobFacts, Ledger, RowKey, State
from etl.resources import Contract, Resource


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What is to be imported, and how.

    `target` names the API for people and for the ledger (its base URL, or `sandbox`). `max_errors` is a number of rows,
    `max_error_share` (0 to 1) a share of the rows read so far. `trust_mapping`: go on even when the API refuses more
    than a fifth of the first rows. `again`: send rows again that an earlier run created.
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
    near_duplicates: bool = False
    all_or_nothing: bool = False
    max_errors: int | None = None
    max_error_share: float | None = None
    concurrency: int = 16
    rate_per_s: float | None = None
    again: bool = False
    trust_mapping: bool = False

    def aimed_at(self, target: str, contract: Contract | None) -> "ImportJob":
        """The same job with what is known of its target."""
        return replace(self, target=target, contract=contract)

    def allows(self, bad: int, read: int) -> bool:
        """Whether so many bad rows, of so many read, are within `max_errors` and `max_error_share`."""
        few = self.max_errors is None or bad <= self.max_errors
        return few and (self.max_error_share is None or bad <= self.max_error_share * read)


def new_job_id() -> str:
    """`20261122-041500-9f3a`: sorts by time, and is told apart by its end."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def table_key(job: ImportJob, target: Target, fitted: Fitted) -> str:
    """What names a table of a source at a target: equal whenever the same content goes to the same place.

    40 hexadecimal digits of a SHA-256. Which rows are taken, in which order of files, by which mapping does not count:
    a row is the same row when its body is the same.
    """
    content = fitted.survey.content_sha256  # of what was unpacked: cases.csv.gz holds the same rows as cases.csv
    what = [job.target, target.workspace, content, fitted.table.origin.sheet, fitted.resource.name]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]


def facts_of(
    job: ImportJob, id_: str, target: Target, contract: Contract, fitted: Sequence[Fitted], started: datetime
) -> JobFacts:
    """The job as the ledger keeps it."""
    return JobFacts(
        id=id_,
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


async def earlier_rows(ledger: Ledger, api: Api, tables: Mapping[str, Resource]) -> dict[RowKey, Change]:
    """What is known of each row of these tables from imports before: the latest creation outweighs everything else.

    What a table's rows became is believed only when the API still has some of them: else they went to another
    organisation, or were deleted since.
    """
    known: dict[RowKey, Change] = {}
    for change in ledger.earlier(list(tables)):
        before = known.get(change.key)
        if before is None or before.state is not State.CREATED or change.state is State.CREATED:
            known[change.key] = change
    gone = {table for table, resource in tables.items() if not await _still_there(api, resource, table, known)}
    return {key: change for key, change in known.items() if key.table not in gone}


async def _still_there(api: Api, resource: Resource, table: str, known: Mapping[RowKey, Change]) -> bool:
    """Whether the API has at least one of the first, the middle and the last row that was created."""
    ids = [change.resource_id for key, change in known.items() if key.table == table and change.resource_id]
    for id_ in dict.fromkeys((ids[0], ids[len(ids) // 2], ids[-1]) if ids else ()):
        if (await api.get(f"{resource.path}/{id_}")).status == 200:
            return True
    return not ids

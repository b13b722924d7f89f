"""What makes a job this job: what was asked for, how it is recognised when it is typed again, what was done before.

It must never know how rows are read or sent.
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from etl.api import Api, Target
from etl.checking import Checked, Fitted
from etl.errors import UsageError
from etl.ledger import Change, JobFacts, JobRecord, Known, Ledger, RowKey, State
from etl.report import Outcome
from etl.resources import Contract
from etl.resources.simulations import MAX_QUEUED
from etl.writer import InDoubt

SANDBOX = "sandbox"
"""The name of the embedded sandbox as a target: its key is another one each time."""
TO_DELETE = "to_delete"
"""Beside the outcomes of rows: how many things the job has still to delete."""
UNFINISHED = (Outcome.PENDING, Outcome.IN_DOUBT, TO_DELETE)
"""What `resume` goes on from."""


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What is to be imported, and how.

    `target` names the API for people and for the ledger (its base URL, or `sandbox`). `max_errors` is a number of rows,
    `max_error_share` (0 to 1) a share of the rows read so far. `trust_mapping`: go on even when the API refuses more
    than a fifth of the first rows. `auto_contract`: the API may teach another contract than `contract`. `canary`: so
    many rows go first, and are looked at. `prune`: what was created from the same source, and is not in it any more, is
    deleted. `again`: send rows again that an earlier job created. `settle_s`: after so
    long a request has taken effect or never will (None: the default). `watch`: follow launched runs to their end.
    `max_queued`: so many simulations of the job may be queued or in progress. `typed`: what `resume` needs beyond this,
    as JSON; the ledger keeps it, and it never holds a secret. `flags`: what is typed again to import the rows that were
    mended. `command`: what it is called in the ledger and in its report. `mappings`: by resource, for tables that say
    what they are.
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
    auto_contract: bool = False
    strict: bool = False
    near_duplicates: bool = False
    all_or_nothing: bool = False
    max_errors: int | None = None
    max_error_share: float | None = None
    concurrency: int = 16
    rate_per_s: float | None = None
    settle_s: float | None = None
    mode: str = "create"
    key: str = "id"
    on_conflict: str | None = None
    canary: int = 0
    prune: bool = False
    again: bool = False
    trust_mapping: bool = False
    watch: bool = False
    max_queued: int = MAX_QUEUED
    typed: Mapping[str, object] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    command: str = "import"
    mappings: Mapping[str, str] = field(default_factory=dict)

    def aimed_at(self, target: str, contract: Contract | None) -> "ImportJob":
        """The same job with what is known of its target."""
        return replace(self, target=target, contract=contract)

    def allows(self, bad: int, read: int) -> bool:
        """Whether so many bad rows, of so many read, are within `max_errors` and `max_error_share`."""
        few = self.max_errors is None or bad <= self.max_errors
        return few and (self.max_error_share is None or bad <= self.max_error_share * read)


@dataclass(frozen=True, slots=True)
class Resumption:
    """A job that is carried on. `new_key`: another key than the one it was begun with is meant."""

    record: JobRecord
    in_doubt: InDoubt = InDoubt.KEEP
    new_key: bool = False


def new_job_id() -> str:
    """`20261122-041500-9f3a`: sorts by time, and is told apart by its end."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def table_key(job: ImportJob, target: Target, fitted: Fitted) -> str:
    """What names a table of a source at a target: equal whenever the same content goes to the same place.

    40 hexadecimal digits of a SHA-256. Which rows are taken, in which order of files, by which mapping does not count:
    a row is the same row when its body is the same.
    """
    content = fitted.survey.content_sha256  # of what was unpacked: cases.csv.gz holds the same rows as cases.csv
    return _digest([job.target, target.workspace, content, fitted.table.origin.sheet, fitted.resource.name])


def table_keys(job: ImportJob, target: Target, fitted: Sequence[Fitted]) -> dict[int, str]:
    """The key of each table by its number."""
    return {one.number: table_key(job, target, one) for one in fitted}


def mapping_digest(job: ImportJob, fitted: Fitted) -> str:
    """Equal for mappings that make the same of a table."""
    return _digest([fitted.bound.mapping.model_dump_json(), sorted(job.values.items())])


def _digest(what: object) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]


def facts_of(
    job: ImportJob,
    id_: str,
    target: Target,
    contract: Contract,
    fitted: Sequence[Fitted],
    tables: Mapping[int, str],
    started: datetime,
) -> JobFacts:
    """The job as the ledger keeps it. `fitted`: as they were prepared, before anything was created for them."""
    digests = [(tables[one.number], mapping_digest(job, one)) for one in fitted]
    return JobFacts(
        id=id_,
        command=job.command,
        base_url=job.target,
        workspace=target.workspace,
        key_fingerprint="" if job.target == SANDBOX else target.key_fingerprint(),
        contract=contract,
        started=started,
        sources=[
            {
                "file": one.table.origin.file,
                "sheet": one.table.origin.sheet,
                "sha256": one.survey.sha256,
                "table": table,
                "resource": one.resource.name,
                "mapping": one.bound.mapping.name,
                "mapping_sha256": digest,
            }
            for one, (table, digest) in zip(fitted, digests, strict=True)
        ],
        identity=_digest([job.mode, job.target, target.workspace, job.test_set, sorted(digests)]),
        settings=job.typed,
    )


def is_unfinished(record: JobRecord) -> bool:
    """Whether `resume` has something to do: rows that were not sent, or of which it is not known."""
    if is_undone(record):
        return False
    return record.counts is None or any(record.counts.get(outcome, 0) for outcome in UNFINISHED)


def is_undone(record: JobRecord) -> bool:
    """Whether it was rolled back."""
    return State.UNDONE in (record.counts or {})


def parents_table(job_id: str) -> str:
    """What stands for the table of the test sets that a job created for its rows."""
    return _digest(["parents", job_id])


def parents_made(job_id: str, ids: Sequence[str]) -> list[Change]:
    """What the ledger keeps of the test sets that were created for rows: a rollback deletes them too."""
    table = parents_table(job_id)
    return [Change(RowKey(table, number), State.CREATED, resource_id=id_) for number, id_ in enumerate(ids, 1)]


def unfinished_twin(facts: JobFacts, ledger: Ledger) -> JobRecord | None:
    """The same import, begun before and not finished; None where there is none.

    One that stopped before its first row, such as for --max-errors, stands in nobody's way. Raises UsageError where one
    is running.
    """
    for record in ledger.jobs():
        if record.facts.identity == facts.identity and is_unfinished(record):
            if record.held_by is not None:
                raise UsageError(f"This import is running already: {record.held_by}.", "Wait until it has ended.")
            if ledger.count(record.facts.id):
                return record
    return None


def refuse_twin(facts: JobFacts, ledger: Ledger) -> None:
    """Raises UsageError where the same import was begun before and is not finished (product page, "Typed again")."""
    record = unfinished_twin(facts, ledger)
    if record is not None:
        raise UsageError(
            f"This import was begun before and is not finished: job {record.facts.id}.",
            f"Carry on with: coval-etl resume {record.facts.id}   (--again starts anew and sends every row again.)",
        )


def refuse_changes(
    record: JobRecord, facts: JobFacts, differs: Callable[[Mapping[str, object]], str], *, new_key: bool
) -> None:
    """Raises UsageError where what is to be carried on is not what was begun, with what changed.

    `differs` says of a source of the job what is different in its rows.
    """
    before, now = record.facts, facts
    new = {_place(one): one for one in now.sources}
    anew = "Import it anew: rows that were created are known again and are not sent twice."
    contents = {one["file"]: one["sha256"] for one in now.sources}
    parts = Counter((one["file"], one["sheet"]) for one in before.sources)
    changed = []
    for one in before.sources:
        place, file = _place(one), str(one["file"])
        name = f"{file}, sheet {one['sheet']}" if one["sheet"] else file
        name += f" ({one['resource']})" if parts[one["file"], one["sheet"]] > 1 else ""
        if file not in contents:
            raise UsageError(f"{name} was part of job {before.id} and is not there now.", anew)
        if contents[file] != one["sha256"]:
            changed.append((name, differs(one)))
            continue
        if place not in new:
            raise UsageError(f"{name} was part of job {before.id} and is not there now.", anew)
        if new[place]["mapping_sha256"] != one["mapping_sha256"]:
            words = (
                f"The mapping {new[place]['mapping']} makes something else of {name} than when job {before.id} began"
            )
            raise UsageError(f"{words}: {differs(one)}.", anew)
    if changed:
        name, what = next((one for one in changed if not one[1].startswith(SAME)), changed[0])
        raise UsageError(f"{name} was changed since job {before.id} began: {what}.", _CHANGED)
    refuse_other_key(before, now.key_fingerprint, new_key=new_key)


SAME = "none of the "
"""How it begins what is said of a source whose rows that were sent are as they were."""
_CHANGED = (
    "Put it back as it was. Or import it anew with --mode upsert --key FIELD, which knows what is there by that field; "
    "without it every row is sent again."
)


def _place(source: Mapping[str, object]) -> tuple[object, ...]:
    return source["file"], source["sheet"], source.get("resource")


def refuse_other_key(facts: JobFacts, key_fingerprint: str, *, new_key: bool) -> None:
    """Raises UsageError where a job was begun with another key than this one, and nobody says that it is meant."""
    if facts.base_url != SANDBOX and facts.key_fingerprint != key_fingerprint and not new_key:
        raise UsageError(
            f"Job {facts.id} was begun with another key, perhaps of another organisation.",
            "Give the same key; or --new-key where the new one is for the same organisation.",
        )


async def tables_believed(api: Api, ledger: Ledger, fitted: Sequence[Fitted], tables: Mapping[int, str]) -> set[str]:
    """The tables whose rows the ledger is believed of: the API still has some of what was created from them.

    `tables`: the key of each table by its number. Asked for are the ids that the ledger has of its first, a middle and
    its last row. What is gone altogether went to another organisation, or was deleted since.
    """
    there = set()
    for one in fitted:
        table = tables[one.number]
        ids = ledger.created_ids(table)
        answers = [await api.get(f"{one.resource.path}/{id_}") for id_ in dict.fromkeys(ids)]
        if not ids or any(answer.status == 200 for answer in answers):
            there.add(table)
    return there


async def without_vanished(api: Api, checked: Checked, known: Sequence[Known], job_id: str) -> list[Known]:
    """What the ledger has of the rows of a batch, without what older jobs created and somebody deleted since.

    For rows of which it was looked up what they mean: nothing is there under their key, so that each is asked for by
    its id. Raises what `Api.get` raises.
    """
    path, gone = checked.fitted.resource.path, set[str]()
    for one in known:
        id_, made = one.change.resource_id, one.job_id != job_id and one.change.state is State.CREATED
        if made and id_ is not None and one.change.key.row not in checked.updates:
            gone |= {id_} if (await api.get(f"{path}/{id_}")).status == 404 else set()
    return [one for one in known if one.job_id == job_id or one.change.resource_id not in gone]


def next_step(record: JobRecord) -> str:
    """What to do with a job now, in words."""
    if record.held_by is not None:
        return "is running"
    if is_undone(record):
        return "nothing"
    if not is_unfinished(record):
        bad = sum((record.counts or {}).get(outcome, 0) for outcome in (Outcome.REJECTED, Outcome.FAILED))
        return "mend the rejects and import them" if bad else "nothing"
    return f"coval-etl resume {record.facts.id}"


def state_of(record: JobRecord) -> str:
    """`running`, `done`, `unfinished` or `undone`."""
    if record.held_by is not None:
        return "running"
    if is_undone(record):
        return "undone"
    return "unfinished" if is_unfinished(record) else "done"

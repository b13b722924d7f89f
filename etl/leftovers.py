"""Leftovers: what older jobs created from a source, as the ledger has it, and what a job has deleted of that.

It must never delete anything.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from etl.api import Api
from etl.checking import Fitted
from etl.deleting import read_item
from etl.errors import UsageError
from etl.jobs import SANDBOX, ImportJob
from etl.ledger import Change, JobRecord, Ledger, State
from etl.quoting import quote_value
from etl.resources import RESOURCES, RUNS, Resource


class Fate(StrEnum):
    """What becomes of something that the source no longer has."""

    WOULD_DELETE = "would_delete"
    DELETED = "deleted"
    GONE = "gone"
    """It was deleted before by somebody else."""
    KEPT = "kept"
    IN_DOUBT = "in_doubt"
    """The deletion was sent, and it is not known whether it took effect; the next run looks."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that a job created from a row, which the source does not have now.

    `job` and `change`: as the ledger has it. `version`: when the source's own jobs changed it last.
    """

    resource: Resource
    job: str
    change: Change
    file: str
    sheet: str | None
    version: str | None
    name: str = ""
    fate: Fate = Fate.WOULD_DELETE
    why: str | None = None

    @property
    def id(self) -> str:
        """Its id at the API."""
        return str(self.change.resource_id)

    @property
    def place(self) -> str:
        """Where it came from: `row 3 of sets.csv`."""
        where = f"{self.file}, sheet {self.sheet}" if self.sheet else self.file
        return f"row {self.change.key.row} of {where}"

    def __str__(self) -> str:
        noun = self.resource.singular.replace("_", " ")
        return f"{noun} {quote_value(None, self.name)} ({self.id}), created from {self.place}"

    def told(self) -> dict[str, object]:
        """A line of `pruned.jsonl`."""
        return {
            "resource": self.resource.name,
            "id": self.id,
            "name": self.name,
            "file": self.file,
            "sheet": self.sheet,
            "row": self.change.key.row,
            "job": self.job,
            "status": self.fate.value,
            "message": self.why,
        }


async def created_from(
    ledger: Ledger, job: ImportJob, job_id: str, api: Api, fitted: Sequence[Fitted], current: frozenset[str]
) -> dict[tuple[str, str], Leftover]:
    """What older jobs created from these sources at this target, by resource and id. Raises what `Api.get` raises.

    `current`: the keys of the tables as they are now; what was created from the same content is still in it.
    """
    found: dict[tuple[str, str], Leftover] = {}
    origins = [(one.table.origin.file, one.table.origin.sheet, one.resource.name) for one in fitted]
    places = frozenset(_place(*origin, job.typed) for origin in origins)
    for record in reversed(ledger.jobs()):
        if record.facts.id == job_id:
            break  # what began later is not older than this job's content
        for source in await _sources(record, ledger, job, api, places):
            _take_in(found, ledger, record, source, current)
    return found


async def _sources(
    record: JobRecord, ledger: Ledger, job: ImportJob, api: Api, places: "frozenset[_Place]"
) -> list[Mapping[str, object]]:
    """The sources of a job that are these, at the same target."""
    facts, target = record.facts, api.target
    if facts.base_url != job.target or facts.workspace != target.workspace:
        return []
    own = [
        one
        for one in facts.sources
        if one.get("resource") not in {None, RUNS.name}
        and _place(str(one["file"]), one["sheet"], str(one["resource"]), facts.settings) in places
    ]
    if job.target == SANDBOX or facts.key_fingerprint == target.key_fingerprint():
        return own
    return [one for one in own if await _is_there(ledger, api, one)]  # perhaps another organisation's key


async def _is_there(ledger: Ledger, api: Api, source: Mapping[str, object]) -> bool:
    """Whether the API has some of what was created from a source."""
    resource = RESOURCES[str(source["resource"])]
    items = [await read_item(api, resource, id_) for id_ in ledger.created_ids(str(source["table"]))]
    return any(item is not None for item in items)


class _Place(NamedTuple):
    """What makes a source the same source, whatever is in it: where it is, and which part of it is read."""

    file: str
    sheet: object
    resource: str
    member: object
    records: object


def _place(file: str, sheet: object, resource: str, typed: Mapping[str, Any]) -> _Place:
    """`typed`: what the job was called with, which says from where files are named."""
    opening = typed.get("opening") or {}
    if "://" not in file:
        file = os.path.normpath(Path(str(typed.get("folder") or "")) / file)
    return _Place(file, sheet, resource, opening.get("member"), opening.get("records"))


def _take_in(
    found: dict[tuple[str, str], Leftover],
    ledger: Ledger,
    record: JobRecord,
    source: Mapping[str, Any],
    current: frozenset[str],
) -> None:
    """What a job created from a source; and what it changed of that which older ones created."""
    resource, table = RESOURCES[str(source["resource"])], str(source["table"])
    for state in (State.CREATED, State.UPDATED, State.UNDONE):
        for change in ledger.rows(record.facts.id, state):
            place = (resource.name, str(change.resource_id))
            if change.key.table != table or change.resource_id is None:
                continue
            if state is not State.CREATED:
                if place in found and change.version is not None:
                    found[place] = replace(found[place], version=change.version)
            elif table not in current:
                file, sheet = str(source["file"]), source["sheet"]
                found[place] = Leftover(resource, record.facts.id, change, file, sheet, change.version)


def deleted_by(ledger: Ledger, job_id: str) -> dict[str, Leftover]:
    """What a job has deleted, or begun to (`change.state` says which), by id."""
    record = ledger.job(job_id)
    if record is None:
        return {}
    own = {str(one["table"]) for one in record.facts.sources}
    return {
        str(change.resource_id): _from_before(change)
        for state in (State.DELETED, State.SENDING, State.IN_DOUBT)
        for change in ledger.rows(job_id, state)
        if change.key.table not in own and (change.evidence or "").startswith("{")
    }


def _from_before(change: Change) -> Leftover:
    told = json.loads(change.evidence or "{}")
    resource = RESOURCES[told["resource"]]
    return Leftover(resource, told["job"], change, told["file"], told["sheet"], None, told["name"], Fate.DELETED)


def refuse_prune(job: ImportJob, files: Iterable[str], *, compares: bool) -> None:
    """Raises UsageError where it cannot be known what a file no longer has."""
    if not compares:
        words = "--prune needs to know what is there, and by what its rows are known."
        raise UsageError(words, "Give --mode upsert (or update) with --key FIELD.")
    for flag, value in (("--limit", job.limit), ("--where", job.where)):
        if value is not None:
            raise UsageError(f"{flag} reads a part of the file; --prune would delete the others.", "Leave out one.")
    if "standard input" in files:
        words = "What comes from standard input has no name by which it is known again; --prune needs one."
        raise UsageError(words, "Give a file.")


def refuse_part(fitted: Iterable[Fitted], rows: Callable[[Fitted], int]) -> None:
    """Raises UsageError for a table without rows, and for one of which the mapping leaves rows out."""
    for one in fitted:
        if not rows(one):
            words = f"{one.name} has no rows; --prune deletes nothing for an empty file."
            raise UsageError(words, "Check the file, or leave out --prune; coval-etl rollback undoes a whole import.")
        if one.bound.mapping.source.where is not None:
            words = f"The mapping {one.bound.mapping.name} leaves rows of {one.name} out (where)"
            raise UsageError(f"{words}; --prune would delete them.", "Leave out --prune.")

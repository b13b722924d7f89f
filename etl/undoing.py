"""API, backwards: what a job created is deleted again, unless somebody changed it since.

It must never delete what the ledger does not have, and never asks: who calls has asked.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from etl.api import Api
from etl.crashpoints import reach
from etl.deleting import delete, read_item, why_kept
from etl.errors import EtlError, ExitCode, UnexpectedAnswerError, UsageError
from etl.jobs import parents_table
from etl.ledger import Change, JobRecord, Journal, Ledger, State
from etl.leftovers import deleted_by
from etl.report import Outcome
from etl.resources import RESOURCES, TEST_SETS, Contract, Resource
from etl.writer import Likeness, Update, undone, update_of, version_of


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that the job created and that is still there, and why."""

    resource: str
    id: str | None
    file: str
    row: int
    reason: str


@dataclass(slots=True)
class Undone:
    """What became of a rollback. `gone`: deleted before by somebody else; `restored`: what the job had changed."""

    job: str
    deleted: int = 0
    gone: int = 0
    restored: int = 0
    kept: list[Kept] = field(default_factory=list)
    stopped: EtlError | None = None

    @property
    def exit_code(self) -> ExitCode:
        if self.stopped is not None:
            return self.stopped.exit_code
        return ExitCode.PROBLEMS if self.kept else ExitCode.DONE

    def to_json(self) -> dict[str, object]:
        return {
            "job": self.job,
            "deleted": self.deleted,
            "gone": self.gone,
            "restored": self.restored,
            "kept": [
                {"resource": one.resource, "id": one.id, "file": one.file, "row": one.row, "reason": one.reason}
                for one in self.kept
            ],
            "exit_code": int(self.exit_code),
            "stopped_because": self.stopped.message if self.stopped else None,
        }


@dataclass(frozen=True, slots=True)
class _Source:
    """A table of the job: what its rows became, and how the person calls it."""

    resource: Resource
    file: str


class Rollback:
    """Undoes one job. `stop` may be called at any time, from the same event loop."""

    def __init__(self, record: JobRecord, ledger: Ledger, api: Api, concurrency: int) -> None:
        """Raises UsageError for a job whose ledger does not say what its rows became."""
        self.record = record
        self._ledger = ledger
        self._api = api
        self._concurrency = concurrency
        self._sources = _sources_of(record)
        self.undone = Undone(record.facts.id)

    def counts(self) -> Mapping[str, int]:
        """How many of each resource the job created, in the order in which they are deleted."""
        return self._count(State.CREATED)

    def restored_counts(self) -> Mapping[str, int]:
        """How many of each resource the job changed."""
        return self._count(State.UPDATED)

    def _count(self, state: State) -> Mapping[str, int]:
        found: dict[str, int] = dict.fromkeys(reversed(RESOURCES), 0)
        for change in self._ledger.rows(self.record.facts.id, state):
            found[self._sources[change.key.table].resource.name] += 1
        return {name: count for name, count in found.items() if count}

    def stop(self, reason: EtlError) -> None:
        """Delete nothing more."""
        self.undone.stopped = self.undone.stopped or reason

    async def run(self, observe: Callable[[Undone], None] = lambda _undone: None) -> Undone:
        """Delete, what refers before what it refers to. Raises JobHeldError where another process works on the job."""
        self._ledger.hold(self.record.facts.id, list(self._sources))
        created = [*self._rows(State.CREATED), *self._rows(State.UPDATED)]
        async with Journal(self._ledger, self.record.facts.id, self.stop) as journal:
            for resource in reversed(RESOURCES.values()):
                rows = [one for one in created if self._sources[one.key.table].resource is resource]
                waiting = iter(rows)
                workers = [self._work(waiting, resource, journal, observe) for _ in range(self._concurrency)]
                await asyncio.gather(*workers)
        counts = dict(self.record.counts or {})
        undone = self.undone.deleted + self.undone.gone + self.undone.restored
        counts |= {Outcome.CREATED: len(self.undone.kept), State.UNDONE: counts.get(State.UNDONE, 0) + undone}
        counts.pop(Outcome.UPDATED, None)
        self.undone.kept += [
            Kept(one.resource.name, one.id, one.file, one.change.key.row, _DELETED)
            for one in deleted_by(self._ledger, self.record.facts.id).values()
            if one.change.state is State.DELETED
        ]
        self._ledger.close_job(self.record.facts.id, self.undone.exit_code, counts, self.record.report)
        return self.undone

    def _rows(self, state: State) -> Iterator[Change]:
        return self._ledger.rows(self.record.facts.id, state)

    async def _work(
        self, rows: Iterator[Change], resource: Resource, journal: Journal, observe: Callable[[Undone], None]
    ) -> None:
        for change in rows:
            if self.undone.stopped is not None:
                return
            try:
                undo = self._restore if change.state is State.UPDATED else self._delete
                reason = await undo(change, resource, journal)
            except UnexpectedAnswerError as error:
                reason = error.message
            except EtlError as error:
                self.stop(error)
                return
            if reason:
                file = self._sources[change.key.table].file
                self.undone.kept.append(Kept(resource.name, change.resource_id, file, change.key.row, reason))
            observe(self.undone)

    async def _delete(self, change: Change, resource: Resource, journal: Journal) -> str:
        """Delete one; why not, where it is kept."""
        if change.resource_id is None:
            return "its id is not known"
        item = await read_item(self._api, resource, change.resource_id)
        if item is not None:
            if reason := await why_kept(self._api, resource, item, change.version):
                return reason
            await delete(self._api, resource, change.resource_id)
        await journal.record(Change(change.key, State.UNDONE, resource_id=change.resource_id, attempts=change.attempts))
        self.undone.gone += item is None
        self.undone.deleted += item is not None
        return ""

    async def _restore(self, change: Change, resource: Resource, journal: Journal) -> str:
        """Put back what one was before the job changed it; why not, where it is kept."""
        item = await read_item(self._api, resource, str(change.resource_id))
        if not item:
            return "it is not there any more"
        now = version_of(item)
        if now is not None and now != change.version:
            return f"it was changed since ({now})"
        body = undone(Update(str(change.resource_id), json.loads(change.evidence or "{}")), resource)
        likeness = Likeness(resource, Contract(self.record.facts.contract))
        reach("before-restore")
        path = f"{resource.path}/{change.resource_id}"
        answer = await self._api.patch(path, body, lambda answer: _shows(answer, body, resource, likeness))
        reach("restored")
        put_back = answer.body.get(resource.singular) if isinstance(answer.body, dict) else None
        version = version_of(put_back) if isinstance(put_back, dict) else None
        await journal.record(change._replace(state=State.UNDONE, evidence=None, version=version))
        self.undone.restored += 1
        return ""


_DELETED = "the job deleted it (--prune), and it cannot be brought back; import a file that has it"


def _shows(answer: Any, body: bytes, resource: Resource, likeness: Likeness) -> bool:
    """Whether a GET shows the values of a body."""
    item = answer.get(resource.singular) if isinstance(answer, dict) else None
    return isinstance(item, dict) and not update_of(body, item, resource, likeness).after


def _sources_of(record: JobRecord) -> dict[str, _Source]:
    facts = record.facts
    if any("resource" not in source for source in facts.sources):
        words = f"Job {facts.id} was begun by an older version; its ledger does not say what its rows became."
        raise UsageError(words, "Delete what it created in Coval.")
    found = {
        str(source["table"]): _Source(RESOURCES[str(source["resource"])], str(source["file"]))
        for source in facts.sources
    }
    return found | {parents_table(facts.id): _Source(TEST_SETS, "--create-missing")}


def refuse_rollback(record: JobRecord, counts: Mapping[str, int]) -> None:
    """Raises UsageError where there is nothing to undo, or a process still works on it."""
    if record.held_by is not None:
        raise UsageError(f"Job {record.facts.id} is running: {record.held_by}.", "Stop it first.")
    if not counts:
        raise UsageError(f"Job {record.facts.id} has created or changed nothing that is still there.", "")

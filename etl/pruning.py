"""Pruning: what this tool created from a source, and the source no longer has, is deleted.

It must never delete what the ledger does not have, nor ask a person: what would go is told before.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from etl.api import Api
from etl.checking import Fitted
from etl.crashpoints import reach
from etl.deleting import delete, read_item, why_kept
from etl.errors import RefusedError, StoppedError, UnexpectedAnswerError
from etl.jobs import ImportJob
from etl.ledger import Change, Journal, Ledger, RowKey, State
from etl.leftovers import Fate, Leftover, created_from, deleted_by, refuse_part
from etl.quoting import count_words
from etl.report import TO_LOOK_AT, Outcome, Pruned
from etl.resources import RESOURCES
from etl.writer import Traffic

SHOWN = 10
"""So many are named before they are deleted; the report of a dry run has all."""
Meant = Callable[[str, str], bool]
"""Whether a row of the job means something: by resource and id."""


class Passed(Protocol):
    """What the first pass over the rows has found."""

    bad: int

    def read(self, fitted: Fitted) -> int: ...


class Pruning:
    """What one job deletes. Nothing, until `find` was called."""

    def __init__(self, job: ImportJob, job_id: str, api: Api) -> None:
        self._job = job
        self._job_id = job_id
        self._api = api
        self.found: list[Leftover] = []
        self.why_not = ""
        """Why nothing is deleted, although that was asked for."""
        self._sent: dict[str, str] = {}
        """By id, deletions that were sent and whose outcome is not known; why it is not."""
        self.traffic = Traffic()

    async def look(
        self, ledger: Ledger, fitted: Sequence[Fitted], tables: Iterable[str], meant: Meant, passes: "Passed"
    ) -> None:
        """As `find`, where the rows were all read and are all good. Raises UsageError for a table without rows."""
        refuse_part(fitted, passes.read)
        if passes.bad:
            self.withhold(f"{count_words(passes.bad, 'row')} {'has' if passes.bad == 1 else 'have'} errors.")
        else:
            await self.find(ledger, fitted, tables, meant)

    async def find(self, ledger: Ledger, fitted: Sequence[Fitted], tables: Iterable[str], meant: Meant) -> None:
        """Look for what these tables do not have any more. Nothing is changed. Raises what `Api.get` raises.

        `tables`: their keys in the ledger. What was created from the same content is still in it, and is left alone.
        """
        leftovers = await created_from(ledger, self._job, self._job_id, self._api, fitted, frozenset(tables))
        before = deleted_by(ledger, self._job_id)
        open_ = [one for one in leftovers.values() if not meant(one.resource.name, one.id)]
        going = {one.id for one in open_}
        known = {one.id for one in leftovers.values()}
        self.found = [one for one in before.values() if one.change.state is State.DELETED and one.id not in known]

        async def look(one: Leftover) -> None:
            self.found.append(await self._looked_at(one, going, before))

        await self._each(open_, look)
        order = list(RESOURCES)
        self.found.sort(key=lambda one: (-order.index(one.resource.name), one.file, one.sheet or "", one.change.key))

    async def _looked_at(self, one: Leftover, going: set[str], before: Mapping[str, Leftover]) -> Leftover:
        """What would become of it. `before`: what an earlier run of this job has begun to delete."""
        item = await read_item(self._api, one.resource, one.id)
        if item is None and one.id in before:
            return replace(one, fate=Fate.DELETED, name=before[one.id].name)
        if item is None:
            return replace(one, fate=Fate.GONE)
        named = replace(one, name=str(item.get(one.resource.label) or ""))
        why = await self._why_kept(named, item, going)
        return replace(named, fate=Fate.KEPT, why=why) if why else named

    async def _why_kept(self, one: Leftover, item: Mapping[str, Any], going: Iterable[str] = ()) -> str:
        changed = self._job.on_conflict != "update"
        return await why_kept(self._api, one.resource, item, one.version, going=frozenset(going), changed=changed)

    @property
    def going(self) -> list[Leftover]:
        """What is still to be deleted."""
        return [one for one in self.found if one.fate is Fate.WOULD_DELETE]

    @property
    def kept(self) -> list[Leftover]:
        """What is not deleted, although the source no longer has it."""
        return [one for one in self.found if one.fate is Fate.KEPT]

    def withhold(self, why: str) -> None:
        """Delete nothing, and say why."""
        self.why_not = f"Nothing was deleted: {why}"
        self.found = [one for one in self.found if one.fate is not Fate.WOULD_DELETE]

    def tables(self) -> set[str]:
        """The tables that nobody else may work on while this deletes."""
        return {key for one in self.going for key in (one.change.key.table, self._key_of(one).table)}

    def question(self) -> list[str]:
        """What would be deleted, for a person: a sentence, and what it is about; empty where nothing would be."""
        going = self.going
        if not going:
            return []
        counts = Counter(one.resource.singular.replace("_", " ") for one in going)
        what = ", ".join(count_words(count, noun) for noun, count in counts.items())
        are = "is" if len(going) == 1 else "are"
        more = [f"… and {len(going) - SHOWN:,} more"] if len(going) > SHOWN else []
        return [f"{what} that {are} not in the file any more would be deleted", *map(str, going[:SHOWN]), *more]

    def notes(self, *, planned: bool = False) -> list[str]:
        """What to say of it in the end, a sentence each."""
        said = [f"Would delete {one}." for one in self.going] if planned else []
        said += [f"Kept {one}: {one.why}." for one in self.kept]
        return [*said, self.why_not] if self.why_not else said

    def told(self, *, planned: bool = False) -> Pruned:
        """What the report has of it."""
        found = [
            replace(one, fate=Fate.IN_DOUBT, why=self._sent[one.id]) if one.id in self._sent else one
            for one in self.found
        ]
        return Pruned([one.told() for one in found], planned, self.why_not or None)

    def planned(self) -> list[list[str]]:
        """The lines of a plan: what would be deleted, and as it is now."""
        return [[one.resource.name, one.id, one.fate.value] for one in self.found]

    async def run(
        self, journal: Journal, ledger: Ledger, counts: Mapping[Outcome, int], is_stopped: Callable[[], bool]
    ) -> None:
        """Delete, what refers before what it refers to: each written down before and after.

        `counts`: what became of the rows. Unless all have landed nothing is deleted. Raises EtlError, and StoppedError
        where it is not known in the end whether something is gone.
        """
        if self.why_not:
            return
        if missing := sum(counts.get(one, 0) for one in {*TO_LOOK_AT, Outcome.PENDING}):
            self.withhold(f"{count_words(missing, 'row')} did not land.")
        for resource in reversed(RESOURCES.values()):
            places = [at for at, one in enumerate(self.found) if one.resource is resource]

            async def work(at: int) -> None:
                one = self.found[at]
                if not is_stopped() and one.fate in {Fate.WOULD_DELETE, Fate.GONE, Fate.DELETED}:
                    self.found[at] = await self._delete(one, journal, ledger)

            await self._each(places, work)
            if self._sent:  # what it may still be in has to wait
                what = count_words(len(self._sent), "deletion")
                raise StoppedError(
                    f"Of {what} it is not known whether {'it' if len(self._sent) == 1 else 'they'} took effect: "
                    f"{next(iter(self._sent.values()))}",
                    f"See whether it is gone, and delete what is left, with: coval-etl resume {self._job_id}",
                )

    async def _delete(self, one: Leftover, journal: Journal, ledger: Ledger) -> Leftover:
        key, fate = self._key_of(one), one.fate
        if one.change.state is State.DELETED:
            return one
        try:
            if fate is Fate.WOULD_DELETE:
                item = await read_item(self._api, one.resource, one.id)
                fate = Fate.GONE if item is None else Fate.DELETED
                if item is not None:
                    if why := await self._why_kept(one, item):
                        return replace(one, fate=Fate.KEPT, why=why)
                    evidence = json.dumps(one.told())
                    await journal.record(Change(key, State.SENDING, resource_id=one.id, evidence=evidence))
                    self._sent[one.id] = "The job stopped before it was answered."
                    answer = await delete(self._api, one.resource, one.id)
                    self.traffic.sent += 1
                    self.traffic.by_status[answer.status] += 1
        except UnexpectedAnswerError as error:
            if one.id in self._sent and not _is_refusal(error):
                self._sent[one.id] = error.message
                return one
            self._sent.pop(one.id, None)
            await journal.record(Change(key, State.FAILED, resource_id=one.id, evidence=error.message))
            return replace(one, fate=Fate.KEPT, why=error.message.rstrip("."))
        told = replace(one, fate=fate)
        if fate is Fate.DELETED:
            evidence = json.dumps(told.told())
            await journal.record(Change(key, State.DELETED, resource_id=one.id, attempts=1, evidence=evidence))
        self._sent.pop(one.id, None)
        reach("deletion-recorded")
        # The row that created it knows it as well: nobody takes it for something that is there.
        await journal.call(ledger.record, one.job, [one.change._replace(state=State.UNDONE)])
        return told

    def _key_of(self, one: Leftover) -> RowKey:
        """What stands for it in this job: the same however often the job is carried on."""
        what = json.dumps(["pruned", self._job_id, one.job, one.change.key.table])
        return RowKey(hashlib.sha256(what.encode()).hexdigest()[:40], one.change.key.row)

    async def _each(self, what: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
        """Many at once, and no more than may be in flight."""
        waiting = iter(what)

        async def worker() -> None:
            for one in waiting:
                await work(one)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._job.concurrency):
                    tasks.create_task(worker())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None


def _is_refusal(error: UnexpectedAnswerError) -> bool:
    """Whether the API said no to a deletion, so that what was to go is still there (delivery page, the table)."""
    return isinstance(error, RefusedError) and 400 <= error.status < 500 and error.status != 408

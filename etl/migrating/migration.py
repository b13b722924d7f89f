"""A migration from its beginning to its proof: fetch, replace ids, import, keep the new ids, compare.

It must never send anything itself: rows are created and changed by an import like any other.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from etl.api import Api
from etl.auditing import Difference, Tallies, write_differences
from etl.crashpoints import reach
from etl.errors import EtlError, ExitCode, UsageError, severest
from etl.exporting import Exporter, ExportJob, Progress
from etl.importing import Importer
from etl.inputs import Inputs, open_inputs
from etl.jobs import ImportJob, Resumption, is_unfinished
from etl.ledger import JobRecord, Ledger, State
from etl.migrating.filling import filled
from etl.migrating.ids import IdMap, write_id_map
from etl.migrating.metrics import matched, metrics_of
from etl.migrating.origins import Origin, Wanted
from etl.migrating.places import Place
from etl.migrating.proving import compare
from etl.migrating.spooling import Left, Spooler, old_id, read_items, read_left, write_left
from etl.readers import KeptCopy
from etl.redacting import Secrets
from etl.report import Summary
from etl.resources import METRICS, RESOURCES, Contract
from etl.settling import Progress as RowProgress
from etl.tables import make_folder
from etl.writer import InDoubt

MAPPINGS = {
    "test-sets": "coval-export-test-sets",
    "personas": "coval-export-personas",
    "agents": "coval-export-agents",
    "test-cases": "coval-export",
    "run-templates": "coval-export-run-templates",
}
_ASKED_ONE_BY_ONE = 200
_AT_ONCE = 8
SHOWN = 20
"""So many differences and so many things that stay are named; the report has them all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be done, for a person to look at. By resource: `new` items, `there`: those moved before.

    `changes`: what would be changed of them, in words; empty where nothing is, or where they are too many to know.
    """

    new: Mapping[str, int]
    there: Mapping[str, int]
    left: int
    first_left: tuple[Left, ...]
    changes: str


@dataclass(slots=True)
class Moved:
    """What became of it. `tallies` and `differences` (the first of them): the proof; None: it was not made."""

    summary: Summary | None
    plan: Plan
    stopped: EtlError | None = None
    tallies: Tallies | None = None
    differences: list[Difference] = field(default_factory=list)
    id_map: Path | None = None
    left_behind: Path | None = None
    differing: Path | None = None
    carried_on: bool = False
    shown: bool = False
    """Whether the plan was shown before anything was written."""

    @property
    def exit_code(self) -> ExitCode:
        """1 also where something stays behind, or is there otherwise than it was."""
        codes = [self.summary.exit_code if self.summary else ExitCode.DONE]
        if self.plan.left or (self.tallies is not None and self.tallies.differ):
            codes.append(ExitCode.PROBLEMS)
        return severest(codes)


@dataclass(frozen=True, slots=True)
class Ways:
    """Who is told, and who is asked. `fetching` is told how much was fetched, `rows` how far the sending is; `confirm`
    is shown the plan before anything is written; `during` is entered while rows are sent."""

    fetching: Callable[[Progress], None] = lambda _progress: None
    rows: Callable[[RowProgress], None] = lambda _progress: None
    confirm: Callable[[Plan], bool] = lambda _plan: False
    during: Callable[[Importer], AbstractContextManager[None]] = lambda _importer: nullcontext()


_SILENT = Ways()


class Migration:
    """Moves what is wanted from `origin` to the organisation of `api`. `place`: the private folder of these two.

    `job`: how rows are sent. A migration that was cut off is carried on by the next one that wants the same.
    """

    def __init__(
        self, origin: Origin, api: Api, wanted: Wanted, job: ImportJob, place: Place, ways: Ways = _SILENT
    ) -> None:
        self._origin = origin
        self._api = api
        self._wanted = wanted
        self._place = place
        self._ways = ways
        self._secrets = Secrets()
        self._job = replace(job, command="migrate", key="id", mappings=MAPPINGS, trust_mapping=True)

    async def plan(self) -> Moved:
        """A dry run: what would be created, changed, refused, left behind. Nothing is written but to the spool."""
        self._refuse_unfinished(None)
        self._place.clear()
        try:
            plan, files = await self._spool()
            if not files:
                return Moved(None, plan)
            with self._inputs(files) as inputs:
                importer = Importer(replace(self._job, mode=_mode(plan)), inputs, self._api)
                contract, fitted = await importer.prepare()
                return Moved(await importer.plan(contract, fitted, None, None), plan)
        finally:
            self._place.clear()

    async def run(
        self, ledger: Ledger, folder: Path | None, *, in_doubt: InDoubt = InDoubt.KEEP, new_key: bool = False
    ) -> Moved:
        """The whole migration, or the rest of one that was cut off. `folder`: where the report goes.

        Raises UsageError where the answer is no or something else is unfinished, and what stops a job before its first
        row; what stops it later is in what is returned.
        """
        begun = self._refuse_unfinished(ledger)
        if begun is not None and is_unfinished(begun):
            files = self._spooled_files()
            await self._origin.fill(files, self._secrets)
            plan = Plan({}, {}, *self._left(), "")
            mode = str((self._place.state() or {}).get("mode", "create"))
            resumption = Resumption(begun, in_doubt, new_key)
            return await self._send(files, plan, ledger, folder, mode, resumption)
        if begun is not None:  # it came to its end, and its ids were not kept any more
            self._keep_ids(ledger, begun)
        self._place.clear()
        plan, files = await self._spool()
        if not files:
            moved = Moved(None, plan)
            if folder is not None and plan.left:
                make_folder(folder)
                moved.left_behind = folder / "left-behind.csv"
                write_left(moved.left_behind, read_left(self._place.part("rows")))
            self._place.clear()
            return moved
        return await self._send(files, plan, ledger, folder, _mode(plan), None)

    def _refuse_unfinished(self, ledger: Ledger | None) -> JobRecord | None:
        """The job that the spool belongs to, if there is one. Raises UsageError where it wants something else."""
        state = self._place.state()
        if state is None or ledger is None:
            if state is not None:
                words = f"A migration between these two was begun and is not finished: job {state['job']}."
                raise UsageError(words, "Type it again without --dry-run to carry it on.")
            return None
        record = ledger.job(str(state["job"]))
        if record is None:  # it never came to its first row
            return None
        if is_unfinished(record) and state["wanted"] != _as_json(self._wanted):
            words = f"Another migration between these two is not finished: job {record.facts.id}."
            raise UsageError(words, f"Carry it on first: coval-etl resume {record.facts.id}")
        return record

    async def _spool(self) -> tuple[Plan, dict[str, Path]]:
        """Fetch what is wanted and write its rows; the files that have any."""
        sources = await self._origin.fetch(self._place.part("source"), self._wanted, self._secrets, self._ways.fetching)
        reach("migrate-fetched")
        await self._refuse_same(sources)
        known = self._place.ids.read()
        ids = known.without(await self._gone(known))
        metrics = matched(await self._origin.metrics(), await metrics_of(self._api))
        ids.by_resource[METRICS.name] = dict(metrics.new)
        spooler = Spooler(self._place.part("rows"), ids, metrics)
        await asyncio.to_thread(spooler.spool, sources)
        shutil.rmtree(self._place.part("source"), ignore_errors=True)
        reach("migrate-spooled")
        return Plan(spooler.spooled.new, spooler.spooled.there, *self._left(), ""), self._spooled_files()

    def _left(self) -> tuple[int, tuple[Left, ...]]:
        """How much stays behind, and the first of it."""
        first: list[Left] = []
        count = 0
        for count, one in enumerate(read_left(self._place.part("rows")), 1):
            if count <= SHOWN:
                first.append(one)
        return count, tuple(first)

    def _spooled_files(self) -> dict[str, Path]:
        paths = {name: self._place.part("rows") / f"{name}.jsonl" for name in MAPPINGS}
        return {name: path for name, path in paths.items() if path.exists() and path.stat().st_size}

    async def _refuse_same(self, sources: Mapping[str, Path]) -> None:
        """Raises UsageError where the target has something of the source under its very id: ids are nobody else's."""
        for name, path in sources.items():
            first = next(read_items(path), None)
            if first is None:
                continue
            id_ = first[RESOURCES[name].id_field]
            if (await self._api.get(f"{RESOURCES[name].path}/{id_}")).status == 200:
                words = f"Source and target are the same organisation: both have the {name} {id_}."
                raise UsageError(words, "To put back what an export holds: coval-etl import EXPORT --mode upsert")
            return

    async def _gone(self, known: IdMap) -> dict[str, set[str]]:
        """The new ids that are not there any more, by resource."""
        gone = {}
        for name, ids in known.by_resource.items():
            wanted = set(ids.values())
            if len(wanted) <= _ASKED_ONE_BY_ONE:
                gone[name] = wanted - await self._there(name, wanted)
            elif wanted:
                resource = RESOURCES[name]
                gone[name] = wanted - {str(one[resource.id_field]) async for one in self._api.list(resource)}
        return gone

    async def _there(self, name: str, ids: set[str]) -> set[str]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(id_: str) -> str | None:
            async with gate:
                return id_ if (await self._api.get(f"{RESOURCES[name].path}/{id_}")).status == 200 else None

        return {id_ for id_ in await asyncio.gather(*map(ask, ids)) if id_ is not None}

    def _inputs(self, files: Mapping[str, Path], born: Callable[[], Mapping[str, str]] = dict) -> Inputs:
        """The spooled rows as the files of a job, called by their resources; read with their secrets."""
        kept = {f"{name}.jsonl": KeptCopy(str(path), f"{name}.jsonl", f"{name}.jsonl") for name, path in files.items()}
        inputs = open_inputs(list(kept), None, None, kept)
        filled(inputs, self._secrets, born)
        return inputs

    async def _send(
        self,
        files: Mapping[str, Path],
        plan: Plan,
        ledger: Ledger,
        folder: Path | None,
        mode: str,
        resumption: Resumption | None,
    ) -> Moved:
        """Import the rows, keep the new ids, prove it."""
        asked: list[str] = []
        with self._inputs(files, lambda: importer.ids_here()) as inputs:  # noqa: PLW0108  (it is made below)
            importer = Importer(
                replace(self._job, mode=mode),
                inputs,
                self._api,
                observe=self._ways.rows,
                confirm=lambda question: not asked.append(question),  # type: ignore[func-returns-value]
                resumption=resumption,
                keep=lambda: self._begin(importer.id, mode),
            )
            contract, fitted = await importer.prepare()
            await importer.review(contract, fitted, ledger)
            plan = replace(plan, changes="\n".join(asked).removesuffix("\nGo on?"))
            shown = resumption is None and bool(plan.new or asked)
            if shown and not self._ways.confirm(plan):
                self._place.clear()
                raise UsageError("Nothing was written.", "Confirm with --yes.")
            with self._ways.during(importer):
                summary = await importer.run(contract, fitted, ledger, folder)
        reach("migrate-sent")
        moved = Moved(summary, plan, importer.stopped, carried_on=resumption is not None, shown=shown)
        record = ledger.job(importer.id)
        if record is None:
            raise EtlError(f"The ledger has no job {importer.id}.")
        self._keep_ids(ledger, record)
        reach("migrate-ids-kept")
        await self._tell(moved, files, contract)
        if not is_unfinished(record):
            self._place.clear()
        return moved

    def _begin(self, job: str, mode: str) -> dict[str, object]:
        self._place.begin({"job": job, "mode": mode, "wanted": _as_json(self._wanted)})
        reach("migrate-begun")
        return {}

    def _keep_ids(self, ledger: Ledger, record: JobRecord) -> None:
        """What the ledger knows of the rows of a job joins the ids that are kept."""
        ids = self._place.ids.read()
        for source in record.facts.sources:
            name, table = str(source["resource"]), str(source["table"])
            path = self._place.part("rows") / f"{name}.jsonl"
            made = {
                one.change.key.row: one.change.resource_id
                for one in ledger.known(table, 1, _LAST_ROW)
                if one.change.state is State.CREATED and one.change.resource_id is not None
            }
            for number, row in enumerate(read_items(path), 1) if made else ():
                if (new := made.get(number)) is not None:
                    ids.add(name, old_id(RESOURCES[name], row), new)
        self._place.ids.write(ids)

    async def _tell(self, moved: Moved, files: Mapping[str, Path], contract: Contract) -> None:
        """What belongs into the report beside the rows: new ids, what stays, and whether all is there as it was."""
        ids = self._place.ids.read()
        folder = moved.summary.folder if moved.summary else None
        if folder is not None:
            moved.id_map, moved.left_behind = folder / "id-map.csv", folder / "left-behind.csv"
            wanted = {name: {old_id(RESOURCES[name], row) for row in read_items(path)} for name, path in files.items()}
            write_id_map(moved.id_map, ids, wanted)
            write_left(moved.left_behind, read_left(self._place.part("rows")))
        if moved.stopped is not None:
            return
        moved.tallies = Tallies()
        targets = await self._fetch_target(files)
        ids.by_resource[METRICS.name] = {}
        found = _seen(compare(files, targets, ids, contract, moved.tallies), moved.differences)
        if folder is not None:
            moved.differing = folder / "differences.jsonl"
            await asyncio.to_thread(write_differences, moved.differing, found, "source and target")
        else:
            await asyncio.to_thread(list, found)

    async def _fetch_target(self, files: Mapping[str, Path]) -> dict[str, Path]:
        """What the target has now, its secrets marked as those of the source are: equal ones look equal."""
        folder = self._place.part("target")
        target = self._api.target
        targets = {}
        for name in files:
            job = ExportJob((name,), folder / f"{name}.jsonl", target.base_url, seed=self._origin.seed)
            job = replace(job, owner=target.key_fingerprint(), workspace=target.workspace)
            await Exporter(job, self._api, self._ways.fetching).run(afresh=True)
            targets[name] = job.out
        return targets


_LAST_ROW = 1 << 40


def _mode(plan: Plan) -> str:
    """Nothing that is there has to be looked at where nothing was moved before."""
    return "upsert" if plan.there else "create"


def _seen(found: Iterator[Difference], kept: list[Difference]) -> Iterator[Difference]:
    for one in found:
        if len(kept) < SHOWN:
            kept.append(one)
        yield one


def _as_json(wanted: Wanted) -> dict[str, Any]:
    asked = asdict(wanted)
    return {**asked, "resources": list(wanted.resources), "test_sets": list(wanted.test_sets)}

"""Export as a whole: fetch, gather, write, sign. It must never know how a page comes, nor how a cell is spelled."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etl.api import Api
from etl.crashpoints import reach
from etl.errors import UsageError
from etl.exporting.fetching import Fetch, Fetched, all_or_none
from etl.exporting.gathering import Gathered, gather
from etl.exporting.job import ExportJob
from etl.exporting.outputs import Form, Outputs, Rows, form_of
from etl.exporting.own_layout import laid_out, mapping_for
from etl.exporting.workplace import Workplace, opened_workplace, workplace_for
from etl.records import Manifest, manifest_path, sign_file
from etl.records.signing import check_key
from etl.redacting import Redactor, Secrets
from etl.resources import RESOURCES, TEST_CASES, TEST_SETS
from etl.tables import explain_failure, make_folder
from etl.version import __version__


@dataclass(slots=True)
class Progress:
    """How far it is: items fetched so far, by resource."""

    items: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(self.items.values())


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of it. `fetched`: how the lists behaved; `carried_on`: a process that died had begun it."""

    out: Path
    manifest: Manifest
    manifest_path: Path
    signature: Path | None
    fetched: Mapping[str, Fetched]
    redacted: Mapping[str, int]
    carried_on: bool
    elapsed_s: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(self.manifest.to_text())
        whole |= {
            "out": str(self.out),
            "manifest_path": str(self.manifest_path),
            "signature": str(self.signature) if self.signature else None,
            "carried_on": self.carried_on,
            "elapsed_s": round(self.elapsed_s, 3),
            "notes": list(self.notes),
            "exit_code": 0,
        }
        return whole


class Exporter:
    """One export. `observe` is told how far it is."""

    def __init__(
        self,
        job: ExportJob,
        api: Api,
        observe: Callable[[Progress], None] = lambda _progress: None,
        secrets: Secrets | None = None,
    ) -> None:
        """`secrets` is told what was replaced by markers. Raises UsageError for what cannot be done."""
        job.check()
        self.job = job
        self._secrets = secrets
        self._api = api
        self._observe = observe
        self._progress = Progress()
        self._form = form_of(job.out, job.resources)
        if job.sign is not None:
            check_key(job.sign)
        self._mapping = mapping_for(job.resources[0], job.mapping) if job.mapping else None
        self._notes: list[str] = []
        refuse_what_is_in_the_way(job.out)

    async def run(self, *, afresh: bool = False) -> Exported:
        """Fetch and write everything. `afresh`: what a process that died had fetched is not used.

        Raises as `Api.pages`, StoppedError where there is no room, JobHeldError where another process does the same.
        Nothing appears before everything is there; typed again, it goes on where it stopped.
        """
        with opened_workplace(self.job.out, self.job.fingerprint(), afresh=afresh) as workplace:
            started = datetime.now(UTC)
            fetches = {name: self._fetch(name, workplace) for name in self.job.resources}
            await all_or_none(*(fetch.list_all() for fetch in fetches.values()))
            reach("export-listed")
            gathered = [await self._gather(name, fetch, workplace) for name, fetch in fetches.items()]
            reach("export-gathered")
            finished = datetime.now(UTC)
            manifest, path = self._write(gathered, self._about(workplace, finished), workplace)
            signature = None if self.job.sign is None else sign_file(path, self.job.sign)
            workplace.clear()
        return Exported(
            out=self.job.out,
            manifest=manifest,
            manifest_path=path,
            signature=signature,
            fetched={name: fetch.fetched for name, fetch in fetches.items()},
            redacted={one.resource: one.redacted for one in gathered if one.redacted},
            carried_on=workplace.is_carried_on,
            notes=tuple(self._notes),
            elapsed_s=(datetime.now(UTC) - started).total_seconds(),
        )

    def _fetch(self, name: str, workplace: Workplace) -> Fetch:
        redactor = Redactor(self.job.seed, self._secrets)
        self._progress.items[name] = 0

        def observe(count: int) -> None:
            self._progress.items[name] += count
            self._observe(self._progress)

        return Fetch(
            self._api,
            RESOURCES[name],
            workplace.folder,
            self._filters(name),
            redactor.redact if self.job.redact else lambda item: item,
            observe,
        )

    def _filters(self, name: str) -> tuple[str | None, ...]:
        """One list for each test set; else one."""
        own = self.job.filter
        if name != TEST_CASES.name or not self.job.test_sets:
            return (own,)
        return tuple(f"test_set_id={id_}" + (f" AND {own}" if own else "") for id_ in self.job.test_sets)

    async def _gather(self, name: str, fetch: Fetch, workplace: Workplace) -> Gathered:
        lines = await fetch.settle(workplace.scratch(f"{name}.sorting"))
        if name == TEST_SETS.name and self.job.test_sets:
            lines = (line for line in lines if json.loads(line)["id"] in self.job.test_sets)
        path = workplace.folder / f"{name}.lines"
        found = gather(name, lines, path, self.job.since, self.job.columns)
        workplace.scratch(f"{name}.sorting")
        self._refuse_unknown_columns(found)
        return found

    def _refuse_unknown_columns(self, found: Gathered) -> None:
        known = found.entry.columns
        unknown = [name for name in self.job.columns or () if name not in known]
        if unknown and found.entry.count:
            words = f"{found.resource} have no {', '.join(unknown)}."
            raise UsageError(words, f"--columns takes: {', '.join(known)}.")

    def _about(self, workplace: Workplace, finished: datetime) -> dict[str, Any]:
        job = self.job
        return {
            "tool": {"name": "coval-etl", "version": __version__},
            "started": _time(workplace.began),
            "finished": _time(finished),
            "base_url": job.target,
            "workspace": job.workspace,
            "filters": {
                "filter": job.filter,
                "since": _time(job.since) if job.since else None,
                "test_sets": list(job.test_sets),
                "columns": list(job.columns) if job.columns else None,
                "mapping": job.mapping,
            },
            "redacted": job.redact,
        }

    def _rows(self, gathered: list[Gathered], workplace: Workplace) -> list[Rows]:
        if self._mapping is None:
            says_what = self._form is Form.LINES and len(gathered) > 1
            return [one.rows(says_what=says_what) for one in gathered]
        rows, lost = laid_out(gathered[0], self._mapping, self.job.contract, workplace.folder / "laid-out.lines")
        if lost:
            self._notes.append(
                f"{lost:,} of {gathered[0].entry.count:,} rows hold what the mapping {self._mapping.name} has no "
                "column for, or would read otherwise: what it reads again is not all there is."
            )
        return [rows]

    def _write(self, gathered: list[Gathered], about: dict[str, Any], workplace: Workplace) -> tuple[Manifest, Path]:
        out = self.job.out
        if self._form is Form.FOLDER and not out.is_dir():
            make_folder(out)
        outputs = Outputs(out, self._form)
        try:
            outputs.write(self._rows(gathered, workplace))
            manifest = Manifest(about, tuple(one.entry for one in gathered), outputs.entries())
            path = manifest_path(out)
            reach("export-written")
            outputs.commit(path, manifest.to_text())
            reach("export-appeared")
        finally:
            outputs.discard()
        return manifest, path


def refuse_what_is_in_the_way(out: Path) -> None:
    """Raises UsageError where something stands that no export has made: nothing of anybody's is written over."""
    with explain_failure(out, UsageError):
        there = out.is_symlink() or (any(out.iterdir()) if out.is_dir() else out.exists())
    if there and not manifest_path(out).is_file() and not workplace_for(out).is_dir():
        raise UsageError(
            f"{out} is there already, and no export has made it: it has no {manifest_path(out).name}.",
            "Name another place, or move it away.",
        )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

"""Where things are moved from: an organisation, or an export of one. Either way they become lines without secrets.

It must never know where they go.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from etl.api import Api
from etl.auditing import open_side, verify
from etl.errors import FileError, UsageError
from etl.exporting import Exporter, ExportJob, Progress
from etl.migrating.metrics import metrics_of
from etl.migrating.spooling import old_id, read_items
from etl.records import line_of, manifest_path
from etl.redacting import REDACTED, Redactor, Secrets
from etl.resources import RESOURCES, Contract
from etl.tables import NewFile

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be moved: `resources` in dependency order; `filter` in the API's own words, for one resource;
    `test_sets`: only these (ids), and their cases."""

    resources: tuple[str, ...]
    filter: str | None = None
    test_sets: tuple[str, ...] = ()


class Origin(Protocol):
    """Somewhere to move things from. `seed`: what markers of secrets are made with; `identity` names the place."""

    @property
    def seed(self) -> bytes: ...

    @property
    def identity(self) -> list[str | None]: ...

    async def fetch(
        self, folder: Path, wanted: Wanted, secrets: Secrets, observe: Callable[[Progress], None]
    ) -> dict[str, Path]:
        """A file of JSON Lines for each resource, in order of creation, secrets replaced by markers.

        Raises as `Exporter.run`, and FileError, UsageError.
        """

    async def metrics(self) -> dict[str, str] | None:
        """The names of metrics by their ids; None where they are not known."""

    async def fill(self, rows: Mapping[str, Path], secrets: Secrets) -> None:
        """Tell `secrets` what the markers in these rows stand for, as far as it is still so."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation, through its API."""

    api: Api
    name: str
    """What a person calls it."""
    contract: Contract | None = None

    @property
    def seed(self) -> bytes:
        return self.api.target.key.encode()

    @property
    def identity(self) -> list[str | None]:
        return [self.name, self.api.target.base_url, self.api.target.workspace]

    async def fetch(
        self, folder: Path, wanted: Wanted, secrets: Secrets, observe: Callable[[Progress], None]
    ) -> dict[str, Path]:
        found = {}
        for name in wanted.resources:
            job = ExportJob(
                resources=(name,),
                out=folder / f"{name}.jsonl",
                target=self.api.target.base_url,
                filter=wanted.filter,
                test_sets=wanted.test_sets,
                seed=self.seed,
                owner=self.api.target.key_fingerprint(),
                workspace=self.api.target.workspace,
                contract=self.contract,
            )
            await Exporter(job, self.api, observe, secrets).run(afresh=True)
            found[name] = job.out
        return found

    async def metrics(self) -> dict[str, str] | None:
        return await metrics_of(self.api)

    async def fill(self, rows: Mapping[str, Path], secrets: Secrets) -> None:
        redactor, gate = Redactor(self.seed, secrets), asyncio.Semaphore(_AT_ONCE)

        async def ask(name: str, id_: str) -> None:
            async with gate:
                answer = await self.api.get(f"{RESOURCES[name].path}/{id_}")
            item = answer.body.get(RESOURCES[name].singular) if isinstance(answer.body, dict) else None
            if answer.status == 200 and isinstance(item, dict):
                redactor.redact(item)

        await asyncio.gather(*(ask(name, id_) for name, id_ in _marked(rows)))


@dataclass(frozen=True, slots=True)
class Written:
    """An export that lies in a folder or in a file of JSON Lines."""

    path: Path
    seed: bytes = field(repr=False)

    @property
    def identity(self) -> list[str | None]:
        about = open_side(self.path).manifest
        base_url = about.about.get("base_url") if about else str(self.path.resolve())
        return ["export", base_url, about.about.get("workspace") if about else None]

    async def fetch(
        self, folder: Path, wanted: Wanted, secrets: Secrets, observe: Callable[[Progress], None] = lambda _count: None
    ) -> dict[str, Path]:
        del observe  # a file is read in no time
        return await asyncio.to_thread(self._fetch, folder, wanted, secrets)

    def _fetch(self, folder: Path, wanted: Wanted, secrets: Secrets) -> dict[str, Path]:
        if wanted.filter is not None or wanted.test_sets:
            raise UsageError(
                "--filter and --test-set are questions to an API; an export is moved as it is.",
                "Export what is wanted, or name resources with --only.",
            )
        self._refuse_changed()
        found = {}
        for name in wanted.resources:
            found[name] = folder / f"{name}.jsonl"
            file = NewFile(found[name])
            try:
                for item in self._items(name, secrets):
                    file.write(line_of(name, item).encode("utf-8", "backslashreplace") + b"\n")
                file.commit()
            finally:
                file.discard()
        return found

    def _refuse_changed(self) -> None:
        """Raises FileError for an export that is not what its manifest says."""
        if manifest_path(self.path).is_file() and (findings := verify(self.path).findings):
            raise FileError(
                f"{self.path} is not what its manifest says: {findings[0].name} {findings[0].why}.",
                f"See: coval-etl verify {self.path}",
            )

    def _items(self, name: str, secrets: Secrets) -> Iterator[dict[str, Any]]:
        side = open_side(self.path)
        if not side.exact:
            raise UsageError(
                f"{self.path.name} is a table: what is moved has to be exact.",
                "Use a folder or .jsonl; or import the table.",
            )
        redactor = Redactor(self.seed, secrets)
        for item in side.rows[name]() if name in side.rows else ():
            if not isinstance(item.get(RESOURCES[name].id_field), str):
                raise FileError(f"{self.path} holds {name} without an id.", "It is no export; import it.")
            yield redactor.redact(item)

    async def metrics(self) -> dict[str, str] | None:
        return None

    async def fill(self, rows: Mapping[str, Path], secrets: Secrets) -> None:
        def read() -> None:
            for name in rows:
                for _ in self._items(name, secrets):
                    pass

        await asyncio.to_thread(read)


def _marked(rows: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Resource and old id of each row that holds a marker."""
    for name, path in rows.items():
        for row in read_items(path):
            if REDACTED in str(row):
                yield name, old_id(RESOURCES[name], row)

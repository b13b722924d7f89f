"""A person's folder, the command in it without the cost of a start, and the API that it talks to.

It must never know what is tested with it.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from etl.resources import Contract
from tests.command import Said
from tests.crooked_api import KEY, CrookedApi, crooked_api
from tests.forking import Call, Child, Forker, shared

SETTLE_S = 0.2


@pytest.fixture(scope="module")
def forker() -> Forker:
    return shared()


@dataclass
class Home:
    """`test_set` exists. What is imported with `importing` goes into it, and settles in a fifth of a second."""

    folder: Path
    api: CrookedApi
    test_set: str
    _forker: Forker

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "COVAL_API_KEY": KEY,
            "COVAL_BASE_URL": self.api.url,
            "LANG": "C.UTF-8",
        }

    def write(self, name: str, texts: Sequence[str]) -> Path:
        """A file of test cases."""
        file = self.folder / name
        file.write_text("input_str\n" + "".join(f"{text}\n" for text in texts))
        return file

    def importing(self, file: str, *more: str) -> tuple[str, ...]:
        return "import", file, "--test-set", self.test_set, "--settle", str(SETTLE_S), "--concurrency", "2", *more

    async def start(self, *arguments: str, constants: Mapping[str, float] | None = None, **more: str) -> Child:
        """Begin the command. `constants` are set before; `more` is its environment."""
        return await self._forker.start(Call(arguments, self.folder, self.environment | more, constants or {}))

    async def etl(self, *arguments: str, constants: Mapping[str, float] | None = None, **more: str) -> Said:
        """Run the command to its end."""
        ended = await self._forker.run(Call(arguments, self.folder, self.environment | more, constants or {}))
        return Said(ended.code, ended.out, ended.err)

    async def etl_in(self, folder: Path, *arguments: str, **more: str) -> Said:
        """Run the command to its end, in another folder."""
        ended = await self._forker.run(Call(arguments, folder, self.environment | more))
        return Said(ended.code, ended.out, ended.err)

    async def killed(self, *arguments: str, at: str, where: Path | None = None) -> None:
        """Run the command until it is killed at a point."""
        said = await self.etl_in(where or self.folder, *arguments, COVAL_ETL_CRASH_AT=at)
        assert said.code == -9, said

    async def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.etl("jobs", "--json", "--all")).json
        return found

    def report(self, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A report's summary and its results."""
        folder = self.folder / name
        results = (folder / "results.jsonl").read_text().splitlines()
        return json.loads((folder / "summary.json").read_text()), [json.loads(line) for line in results]

    def everything_written(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


@asynccontextmanager
async def at_home(
    folder: Path,
    forker: Forker,
    contract: Contract = Contract.V2025_10,
    *,
    run_seconds: float | None = None,
    queue_limit: int | None = None,
) -> AsyncIterator[Home]:
    async with crooked_api(contract, run_seconds=run_seconds, queue_limit=queue_limit) as api:
        yield Home(folder, api, api.make("test-sets", {"display_name": "Calls"}), forker)


def texts(count: int) -> list[str]:
    """Every fifth is there twice."""
    return [f"caller {number - (number % 5 == 4)}" for number in range(count)]


def refused(said: Said, *words: str, code: int = 2) -> None:
    """One sentence and what would do; no traceback."""
    assert said.code == code, said
    assert "Error: " in said.err
    assert "Traceback" not in said.err + said.out
    for word in words:
        assert word in said.err, said.err

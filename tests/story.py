"""The life of an organisation: exported, verified, tampered with, wiped, restored, moved twice, compared, and killed.

`python -m tests.story --cases 200000` lives it with so many test cases. It must never know how any of it is done.
"""

import argparse
import asyncio
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from etl.sandbox import RunningSandbox, parse_faults, running_sandbox
from etl.sandbox.store import Room, Store
from tests.command import Said
from tests.forking import Call, Forker
from tests.sandbox_talk import Talk
from tests.two_organisations import SECRET, fill, write_profiles

AMBIGUOUS = "500after:0.003,resetafter:0.003,reset:0.002,html502:0.002"
"""Of one request in a hundred it is not said whether it took effect."""
MOVED = ("test-sets", "personas", "agents", "test-cases", "run-templates")
KEYS = ("key-of-the-old-organisation", "key-of-the-new-organisation")
TRIES = 12
KILLS = 2
"""So often each command is killed, at moments that chance chooses."""
EXPORTING = ("export-page", "export-listed", "export-gathered", "export-written")
SENDING = ("intent-recorded", "handed-over", "answered", "outcome-recorded", "resource-done", "report-written")
MIGRATING = (*SENDING, "migrate-fetched", "migrate-spooled", "migrate-sent", "migrate-ids-kept")


@dataclass
class Life:
    """Two servers, one person's folder. `told`: each step and the seconds it took."""

    folder: Path
    forker: Forker
    luck: random.Random
    sandboxes: tuple[RunningSandbox, RunningSandbox]
    told: list[str] = field(default_factory=list)
    kills: int = 0

    def tell(self, words: str) -> None:
        self.told.append(words)
        print(words, file=sys.stderr, flush=True)

    async def etl(self, *arguments: str, at: str | None = None) -> Said:
        environment = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state"), "LANG": "C.UTF-8"}
        armed = {"COVAL_ETL_CRASH_AT": at} if at else {}
        ended = await self.forker.run(Call(arguments, self.folder, environment | armed))
        return Said(ended.code, ended.out, ended.err)

    async def survive(self, points: tuple[str, ...], most: int, *arguments: str, again: tuple[str, ...] = ()) -> Said:
        """Have a command killed a few times, and carry it on to its end. `most`: how often a point may be passed."""
        began_s = time.monotonic()
        typed, deaths = arguments, 0
        for attempt in range(TRIES):
            point = self._moment(points, most) if attempt < KILLS else None
            said = await self.etl(*typed, at=point)
            if said.code == 2 and typed == again:  # it died before there was a job
                said = await self.etl(*arguments)
            deaths += said.code == -9
            if said.code not in {4, -9}:
                break
            typed = again or arguments
        assert said.code == 0, f"{typed}: {said}"
        self.kills += deaths
        self.tell(f"{' '.join(arguments[:2])}: {time.monotonic() - began_s:.1f} s, killed {deaths} times")
        return said

    def _moment(self, points: tuple[str, ...], most: int) -> str:
        point = self.luck.choice(points)
        often = point.endswith(("page", "recorded", "over", "answered"))
        return f"{point}:{self.luck.randint(1, most)}" if often else point

    async def step(self, *arguments: str, code: int = 0) -> Said:
        began_s = time.monotonic()
        for _ in range(TRIES):
            said = await self.etl(*arguments)
            if said.code != 4:
                break
        assert said.code == code, f"{arguments}: {said}"
        self.tell(f"{' '.join(arguments[:2])}: {time.monotonic() - began_s:.1f} s")
        return said


async def live(life: Life) -> None:
    """All of it. Raises AssertionError where something is not as it has to be."""
    old, new = (sandbox.store for sandbox in life.sandboxes)
    before = _contents(old)
    export = ("export", *MOVED, "--profile", "old", "--quiet", "--yes", "--no-redact")
    settled = ("--settle", "1", "--json", "--yes")
    await life.survive(EXPORTING, 4, *export, "--out", "saved")
    await life.step("verify", "saved")
    await _tamper(life)
    _wipe(old)
    importing = ("import", "saved", "--profile", "old", "--report", "restored", *settled)
    most = max(1, len(before) // 3)
    await life.survive(SENDING, most, *importing, again=("resume", "--settle", "1", "--json"))
    await life.step(*export, "--out", "again")
    await life.step("diff", "saved", "again", "--content")
    assert _counts(_contents(old)) == _counts(before)
    restored = _contents(old)
    migrate = ("migrate", "--from", "old", "--to", "new", *settled)
    moved = await life.survive(MIGRATING, most, *migrate, "--report", "moved")
    assert all(tally["changed"] == tally["removed"] == 0 for tally in moved.json["compared"].values()), moved.out
    there = _contents(new)
    assert _counts(there) == _counts(restored), "everything, and everything once"
    twice = await life.step(*migrate, "--report", "twice")
    assert twice.json["requests"]["sent"] == 0, "the second time nothing is written"
    assert _contents(new) == there
    assert _contents(old) == restored, "where it comes from nothing is changed"
    await life.step("export", *MOVED, "--profile", "new", "--quiet", "--yes", "--no-redact", "--out", "there")
    await life.step("diff", "again", "there", "--content")
    shutil.rmtree(life.folder / "saved")
    shutil.rmtree(life.folder / "again")
    shutil.rmtree(life.folder / "there")
    state = b"".join(path.read_bytes() for path in (life.folder / "state").rglob("*") if path.is_file())
    assert SECRET.encode() not in state, "no secret is left behind"


async def _tamper(life: Life) -> None:
    """One character, and verify names the row."""
    file = life.folder / "saved" / "test-cases.jsonl"
    whole = file.read_bytes()
    at = whole.index(b"Where is order")
    file.write_bytes(whole[:at] + b"T" + whole[at + 1 :])
    said = await life.step("verify", "saved", code=1)
    id_ = json.loads(next(line for line in whole.splitlines() if b"Where is order" in line))["id"]
    assert f"test-cases/{id_}" in said.err, said.err
    file.write_bytes(whole)


def _wipe(store: Store) -> None:
    store._sql.execute("DELETE FROM stored WHERE resource != 'metrics'")


def _contents(store: Store) -> list[tuple[str, str, str]]:
    return list(store._sql.execute("SELECT resource, id, fields FROM stored ORDER BY resource, id"))


def _counts(contents: list[tuple[str, str, str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, _, _ in contents:
        found[name] = found.get(name, 0) + 1
    return found


async def _furnish(database: Path, cases: int) -> None:
    """An organisation in which everything refers to something, with so many test cases."""
    async with (
        running_sandbox(db=database, key=KEYS[0]) as sandbox,
        aiohttp.ClientSession(headers={"X-API-Key": sandbox.key}) as session,
    ):
        made = await fill(Talk(sandbox, session), cases=6, deep=False)
        luck = random.Random(cases)
        letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        with sandbox.store.transaction():
            for number in range(cases - 6):
                fields: dict[str, Any] = {
                    "input_str": f"Where is order {number // 2}?",  # each is there twice
                    "test_set_id": made["test-sets"][number % 2],
                    "expected_behaviors": ["Looks it up", f"Says {luck.randrange(1000)}"],
                    "user_notes": f"note {number}",
                }
                sandbox.store.add(Room("", "test-cases"), "".join(luck.choices(letters, k=22)), fields, None, "{}")


@asynccontextmanager
async def born(folder: Path, forker: Forker, cases: int, seed: int = 1, refused: float = 0.01) -> AsyncIterator[Life]:
    """Both servers, the old one furnished, in bad weather. `refused`: the share of plain refusals (429)."""
    weather = f"429none:{refused},{AMBIGUOUS}"
    await _furnish(folder / "old.db", cases)
    async with (
        running_sandbox(db=folder / "old.db", key=KEYS[0], faults=parse_faults(weather, seed=seed)) as old,
        running_sandbox(db=folder / "new.db", key=KEYS[1], faults=parse_faults(weather, seed=seed + 1)) as new,
        aiohttp.ClientSession() as session,
    ):
        home = folder / "home"
        home.mkdir()
        write_profiles(home, Talk(old, session), Talk(new, session))
        yield Life(home, forker, random.Random(seed), (old, new))


async def _main(cases: int, seed: int, refused: float) -> Life:
    forker = Forker()
    try:
        with tempfile.TemporaryDirectory(prefix="coval-etl-story-") as folder:
            async with born(Path(folder), forker, cases, seed, refused) as life:
                await live(life)
                return life
    finally:
        forker.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.story", description=__doc__)
    parser.add_argument("--cases", type=int, default=5_000, help="how many test cases (5000)")
    parser.add_argument("--seed", type=int, default=1, help="which moments and which faults (1)")
    parser.add_argument("--refused", type=float, default=0.01, help="the share of requests refused with 429 (0.01)")
    told = parser.parse_args()
    life = asyncio.run(_main(told.cases, told.seed, told.refused))
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(one.ru_utime + one.ru_stime for one in used)
    print(f"{told.cases:,} test cases, {life.kills} kills, {seconds:.0f} s of processor time: all is well.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

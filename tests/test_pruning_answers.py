"""--prune where the API is in trouble: nothing is deleted twice, or said to be gone, or kept, that is not."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from etl.report.listing import write_listing
from etl.tables import NewFile
from tests.command import Said
from tests.crooked_api import DROPPED, LOST, WELL, CrookedApi, Fate, crooked_api, refused
from tests.forking import Forker
from tests.quick_command import Home, forker

__all__ = ["forker"]

CALL = ("import", "sets.csv", "--mode", "upsert", "--key", "display_name", "--prune", "--yes")
FLAGS = ("--settle", "0.1", "--json", "--report", "r")


def names(api: CrookedApi) -> list[str]:
    return sorted(one["display_name"] for one in api.items("test-sets"))


def statuses(folder: Path) -> dict[str, Any]:
    lines = (folder / "r" / "pruned.jsonl").read_text().splitlines()
    return {one["name"]: one["status"] for one in map(json.loads, lines)}


async def without_two(home: Home) -> Said:
    """A file of three was imported; now it has one row only."""
    (home.folder / "sets.csv").write_text("Test set name\nA\nB\nC\n")
    first = await home.etl(*CALL, *FLAGS)
    assert first.code == 0, first
    (home.folder / "sets.csv").write_text("Test set name\nA\n")
    return await home.etl(*CALL, *FLAGS)


@pytest.mark.parametrize(
    ("fate", "sent"),
    [(LOST, 2), (Fate(said=502), 2), (Fate(said=500), 2), (DROPPED, 4), (refused(503), 4)],
    ids=["cut, done", "502, done", "500, done", "cut, not done", "503, not done"],
)
async def test_a_deletion_whose_answer_is_lost_is_looked_for_and_done_once(
    fate: Fate, sent: int, forker: Forker, tmp_path: Path
) -> None:
    async with crooked_api() as api:
        home = Home(tmp_path, api, "", forker)
        api.ending = lambda _path, times: fate if times == 1 else WELL
        said = await without_two(home)
        assert (said.code, names(api), len(api.deletes)) == (0, ["A"], sent), said
    assert said.json["pruned"] == {"deleted": 2, "gone": 0, "kept": 0}
    assert statuses(tmp_path) == {"B": "deleted", "C": "deleted"}


async def test_what_the_api_refuses_to_delete_is_kept_and_the_next_import_deletes_it(
    forker: Forker, tmp_path: Path
) -> None:
    async with crooked_api() as api:
        home = Home(tmp_path, api, "", forker)
        api.ending = lambda _path, _times: refused(409)
        said = await without_two(home)
        left = names(api)
        api.ending = lambda _path, _times: WELL
        again = await home.etl(*CALL, *FLAGS)
        assert (again.code, names(api)) == (0, ["A"]), again
    assert (said.code, left, said.json["pruned"]) == (1, ["A", "B", "C"], {"deleted": 0, "gone": 0, "kept": 2}), said
    assert again.json["pruned"] == {"deleted": 2, "gone": 0, "kept": 0}


async def test_a_deletion_that_nobody_can_see_is_in_doubt_until_the_next_run(forker: Forker, tmp_path: Path) -> None:
    async with crooked_api() as api:
        home = Home(tmp_path, api, "", forker)
        gone: set[str] = set()

        def ending(path: str, _times: int) -> Fate:
            gone.add(path)
            return LOST

        api.ending = ending
        api.reading = lambda path, _query: 403 if path in gone else None
        said = await without_two(home)
        told, sent = statuses(tmp_path), len(api.deletes)
        api.ending, api.reading = (lambda _path, _times: WELL), (lambda _path, _query: None)
        resumed = await home.etl("resume", *FLAGS)
        assert (names(api), len(api.deletes)) == (["A"], sent), "nothing is deleted twice"
    assert (said.code, told) == (4, {"B": "in_doubt", "C": "in_doubt"}), said
    assert said.json["pruned"] == {"deleted": 0, "gone": 0, "kept": 0, "to_delete": 2}
    assert "it is not known whether" in said.json["stopped_because"]
    assert (resumed.code, resumed.json["pruned"]) == (0, {"deleted": 2, "gone": 0, "kept": 0}), resumed
    assert statuses(tmp_path) == {"B": "deleted", "C": "deleted"}


async def test_the_page_and_the_workbook_show_what_was_deleted_and_what_was_kept(
    forker: Forker, tmp_path: Path
) -> None:
    async with crooked_api() as api:
        home = Home(tmp_path, api, "", forker)
        (tmp_path / "sets.csv").write_text("Test set name\nA\nB\n<b>C</b>\n")
        await home.etl(*CALL, *FLAGS)
        kept = next(one["id"] for one in api.items("test-sets") if one["display_name"] == "<b>C</b>")
        api.ending = lambda path, _times: refused(409) if path.endswith(kept) else WELL
        (tmp_path / "sets.csv").write_text("Test set name\nA\n")
        said = await home.etl(*CALL, *FLAGS)
        listed = await home.etl("report", "--format", "xlsx", "--report", "r", "--json")
    assert listed.code in {0, 1}, listed
    with closing(load_workbook(tmp_path / "r" / "results.xlsx", read_only=True)) as book:
        again = list(book["No longer in the file"].iter_rows(values_only=True))
    assert ("deleted", "test-sets", "B") in [(one[0], one[1], one[3]) for one in again]
    page = (tmp_path / "r" / "report.html").read_text()
    assert said.code == 1, said
    assert "1 deleted: no longer in the file." in page
    assert "<td>deleted</td><td>test-sets</td><td><bdi>B</bdi></td>" in page
    assert "<td>kept</td><td>test-sets</td><td><bdi>&lt;b&gt;C&lt;/b&gt;</bdi></td>" in page
    assert "409" in page[page.index("<td>kept</td>") :]


def test_a_workbook_has_a_sheet_for_what_the_file_no_longer_has(tmp_path: Path) -> None:
    results, listing = NewFile(tmp_path / "results.jsonl"), NewFile(tmp_path / "results.xlsx")
    told = {"status": "deleted", "resource": "test-sets", "id": "aaaaaaaa", "name": "B", "file": "sets.csv"}
    write_listing(listing, results, "xlsx", [told | {"sheet": None, "row": 3, "job": "J", "message": None}])
    listing.commit()
    results.discard()
    with closing(load_workbook(tmp_path / "results.xlsx", read_only=True)) as book:
        assert book.sheetnames == ["Results", "No longer in the file"]
        rows = list(book["No longer in the file"].iter_rows(values_only=True))
    assert rows[1][:4] == ("deleted", "test-sets", "aaaaaaaa", "B")

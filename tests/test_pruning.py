"""--prune: what this tool created and the file no longer has is deleted: shown first, once, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.resources import Contract
from tests.command import Said
from tests.sandbox_talk import Talk, talking
from tests.sandboxed_command import run, started

__all__ = ["started"]

UPSERT = ("--mode", "upsert", "--key", "display_name", "--settle", "0.2", "--json", "--report", "r")


def write(folder: Path, *names: str, file: str = "sets.csv") -> None:
    (folder / file).write_text("Test set name,Description\n" + "".join(f"{name},d\n" for name in names))


async def names(talk: Talk, path: str = "/test-sets", label: str = "display_name") -> list[str]:
    return sorted(one[label] for one in await talk.items(path, page_size=100))


async def prune(folder: Path, talk: Talk, *more: str, file: str = "sets.csv", yes: bool = True) -> Said:
    return await run(folder, talk, "import", file, *UPSERT, "--prune", *(("--yes",) if yes else ()), *more)


def pruned(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "r" / "pruned.jsonl").read_text().splitlines()]


async def test_what_the_file_no_longer_has_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    async with talking() as talk:
        await talk.make("/test-sets", {"display_name": "By hand"})
        write(tmp_path, "Other source", file="other.csv")
        await run(tmp_path, talk, "import", "other.csv", *UPSERT, "--yes")
        write(tmp_path, "A", "B", "C")
        first = await prune(tmp_path, talk)
        write(tmp_path, "A", "D")
        dry = await prune(tmp_path, talk, "--dry-run")
        words = [word for word in UPSERT if word != "--json"]
        told = await run(tmp_path, talk, "import", "sets.csv", *words, "--prune", "--dry-run")
        still = await names(talk)
        said = await prune(tmp_path, talk)
        left = await names(talk)
        again = await prune(tmp_path, talk)
    assert (first.code, first.json["pruned"]) == (0, {"deleted": 0, "gone": 0, "kept": 0}), first.err
    assert (dry.code, dry.json["pruned"], len(still)) == (0, {"would_delete": 2, "would_keep": 0}, 5), dry.err
    assert 'Would delete test set "B"' in told.err
    assert "row 3 of sets.csv" in told.err
    assert "2 would be deleted: not in the file any more" in told.err
    assert (said.code, said.json["pruned"]) == (0, {"deleted": 2, "gone": 0, "kept": 0}), said.err
    assert (said.json["rows"]["created"], said.json["requests"]["sent"]) == (1, 3)
    assert left == ["A", "By hand", "D", "Other source"]
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err


async def test_the_report_has_a_line_for_each_that_was_deleted(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        first = await prune(tmp_path, talk)
        (gone,) = [one["id"] for one in await talk.items("/test-sets") if one["display_name"] == "B"]
        write(tmp_path, "A")
        await prune(tmp_path, talk)
    (line,) = pruned(tmp_path)
    assert line == {
        "resource": "test-sets", "id": gone, "name": "B", "file": "sets.csv", "sheet": None, "row": 3,
        "job": first.json["job"], "status": "deleted", "message": None,
    }  # fmt: skip


async def test_nothing_is_deleted_unless_somebody_has_agreed(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await prune(tmp_path, talk)
        write(tmp_path, "A")
        said = await prune(tmp_path, talk, yes=False)
        left = await names(talk)
    assert (said.code, left) == (2, ["A", "B"]), said.err
    assert (
        said.json["error"]["message"]
        == "1 test set that is not in the file any more would be deleted; nothing was sent."
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--limit", "1"), "--limit reads a part of the file"),
        (("--where", "Description = 'd'"), "--where reads a part of the file"),
        (("--mode", "create"), "needs to know what is there"),
    ],
)
async def test_a_part_of_a_file_deletes_nothing(more: tuple[str, ...], words: str, tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await prune(tmp_path, talk)
        write(tmp_path, "A")
        said = await prune(tmp_path, talk, *more)
        left = await names(talk)
    assert (said.code, left) == (2, ["A", "B"]), said.err
    assert words in said.json["error"]["message"]


async def test_a_file_with_bad_rows_deletes_nothing(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B", "C")
        await prune(tmp_path, talk)
        write(tmp_path, "A", "N", "x" * 200)
        said = await prune(tmp_path, talk)
        left = await names(talk)
    assert (said.code, left) == (1, ["A", "B", "C", "N"]), said.err
    assert said.json["pruned"] == {"deleted": 0, "gone": 0, "kept": 0}
    assert said.json["pruned_note"] == "Nothing was deleted: 1 row has errors."


async def test_an_empty_file_deletes_nothing(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await prune(tmp_path, talk)
        write(tmp_path)
        said = await prune(tmp_path, talk, "--resource", "test-sets")
        left = await names(talk)
    assert (said.code, left) == (2, ["A", "B"]), said.out


@pytest.mark.parametrize(
    ("more", "code", "left", "counts"),
    [
        ((), 1, ["A", "B"], {"deleted": 0, "gone": 0, "kept": 1}),
        (("--on-conflict", "update"), 0, ["A"], {"deleted": 1, "gone": 0, "kept": 0}),
    ],
)
async def test_what_somebody_changed_since_is_kept_and_said(
    more: tuple[str, ...], code: int, left: list[str], counts: dict[str, int], tmp_path: Path
) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await prune(tmp_path, talk)
        (b,) = [one["id"] for one in await talk.items("/test-sets") if one["display_name"] == "B"]
        await talk.say("PATCH", f"/test-sets/{b}", {"description": "by hand"})
        write(tmp_path, "A")
        said = await prune(tmp_path, talk, *more)
        there = await names(talk)
    assert (said.code, there, said.json["pruned"]) == (code, left, counts), said.err
    if code:
        assert "it was changed since" in pruned(tmp_path)[0]["message"]


async def test_what_we_changed_ourselves_is_deleted_all_the_same(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await prune(tmp_path, talk)
        (tmp_path / "sets.csv").write_text("Test set name,Description\nA,d\nB,new\n")
        await prune(tmp_path, talk)
        write(tmp_path, "A")
        said = await prune(tmp_path, talk)
        left = await names(talk)
    assert (said.code, left) == (0, ["A"]), said.err


async def test_what_is_gone_already_is_no_trouble(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await prune(tmp_path, talk)
        (b,) = [one["id"] for one in await talk.items("/test-sets") if one["display_name"] == "B"]
        await talk.say("DELETE", f"/test-sets/{b}")
        write(tmp_path, "A")
        said = await prune(tmp_path, talk)
        again = await prune(tmp_path, talk)
    assert (said.code, said.json["pruned"]) == (0, {"deleted": 0, "gone": 1, "kept": 0}), said.err
    assert again.json["pruned"] == {"deleted": 0, "gone": 0, "kept": 0}


async def test_a_row_that_comes_back_is_created_again(tmp_path: Path) -> None:
    async with talking() as talk:
        for rows in (("A", "B"), ("A",), ("A", "B")):
            write(tmp_path, *rows)
            said = await prune(tmp_path, talk)
            assert (said.code, await names(talk)) == (0, list(rows)), said.err


async def test_a_row_whose_resource_was_deleted_by_hand_is_created_again(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await run(tmp_path, talk, "import", "sets.csv", *UPSERT, "--yes")
        (b,) = [one["id"] for one in await talk.items("/test-sets") if one["display_name"] == "B"]
        await talk.say("DELETE", f"/test-sets/{b}")
        said = await run(tmp_path, talk, "import", "sets.csv", *UPSERT, "--yes")
        left = await names(talk)
    assert (said.json["rows"]["created"], said.json["rows"]["unchanged"], left) == (1, 1, ["A", "B"]), said.err


@pytest.mark.parametrize("at", ["before-delete:1", "deleted:1", "before-delete:2", "deleted:2", "deletion-recorded:1"])
async def test_a_job_that_is_killed_while_it_deletes_is_carried_on(at: str, tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B", "C")
        await prune(tmp_path, talk)
        write(tmp_path, "A")
        killed = await run(tmp_path, talk, "import", "sets.csv", *UPSERT, "--prune", "--yes", COVAL_ETL_CRASH_AT=at)
        said = await run(tmp_path, talk, "resume", "--json", "--report", "r", "--settle", "0.2")
        left = await names(talk)
    assert killed.code == -9
    assert (said.code, left) == (0, ["A"]), said.err
    assert said.json["pruned"] == {"deleted": 2, "gone": 0, "kept": 0}
    assert [one["status"] for one in pruned(tmp_path)] == ["deleted"] * 2


async def test_a_plan_holds_what_would_be_deleted(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B", "C")
        await prune(tmp_path, talk)
        write(tmp_path, "A")
        await prune(tmp_path, talk, "--dry-run", "--plan-out", "plan")
        (b,) = [one["id"] for one in await talk.items("/test-sets") if one["display_name"] == "B"]
        await talk.say("PATCH", f"/test-sets/{b}", {"description": "by hand"})
        stale = await prune(tmp_path, talk, "--plan", "plan", yes=False)
        await prune(tmp_path, talk, "--dry-run", "--plan-out", "plan")
        without = await run(tmp_path, talk, "import", "sets.csv", *UPSERT, "--plan", "plan")
        applied = await prune(tmp_path, talk, "--plan", "plan", yes=False)
        left = await names(talk)
    assert (stale.code, without.code, applied.code, left) == (4, 4, 1, ["A", "B"]), applied.err
    assert "test set" in stale.json["error"]["message"]


async def test_a_test_set_with_other_cases_is_kept_and_cases_go_before_their_set(tmp_path: Path) -> None:
    def organise(sets: tuple[str, ...], cases: tuple[tuple[str, str], ...]) -> None:
        lines: list[dict[str, str]] = [{"resource": "test-sets", "display_name": one} for one in sets]
        lines += [{"resource": "test-cases", "input_str": text, "test_set": one} for text, one in cases]
        (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    async with talking() as talk:
        organise(("A", "B", "C"), (("a", "A"), ("b", "B"), ("c", "C")))
        first = await prune(tmp_path, talk, file="all.jsonl")
        ids = {one["display_name"]: one["id"] for one in await talk.items("/test-sets")}
        await talk.make("/test-cases", {"input_str": "by hand", "test_set_id": ids["C"]})
        organise(("A",), (("a", "A"),))
        said = await prune(tmp_path, talk, file="all.jsonl")
        left = await names(talk), await names(talk, "/test-cases", "input_str")
    assert first.code == 0, first.err
    assert (said.code, left) == (1, (["A", "C"], ["a", "by hand"])), said.err
    assert said.json["pruned"] == {"deleted": 3, "gone": 0, "kept": 1}
    (kept,) = [one for one in pruned(tmp_path) if one["status"] == "kept"]
    assert kept["message"] == "there are test cases in it"


async def test_another_organisation_loses_nothing_and_what_is_known_of_the_first_stays(tmp_path: Path) -> None:
    async with talking() as first, talking(Contract.V2025_10) as second:
        write(tmp_path, "A", "B")
        await prune(tmp_path, first)
        write(tmp_path, "A")
        other = await prune(tmp_path, second)
        said = await prune(tmp_path, first)
        left = await names(first)
    assert (other.json["pruned"]["gone"], said.json["pruned"]["deleted"], left) == (0, 1, ["A"]), said.err


async def test_a_rollback_says_that_it_cannot_bring_back_what_was_deleted(tmp_path: Path) -> None:
    async with talking() as talk:
        write(tmp_path, "A", "B")
        await prune(tmp_path, talk)
        write(tmp_path, "A", "N")
        said = await prune(tmp_path, talk)
        undone = await run(tmp_path, talk, "rollback", said.json["job"], "--yes", "--json")
        left = await names(talk)
    assert (undone.code, undone.json["deleted"], left) == (1, 1, ["A"]), undone.err
    (kept,) = undone.json["kept"]
    assert "cannot be brought back" in kept["reason"]
    assert (kept["file"], kept["row"]) == ("sets.csv", 3)

"""A folder that is not what it was when a job began with it: carried on, imported again, undone."""

import json
from pathlib import Path

from tests.sandbox_talk import Talk, talking
from tests.sandboxed_command import run, started

__all__ = ["started"]

FLAGS = ("--json", "--settle", "0.2", "--concurrency", "1")


def write(folder: Path) -> None:
    (folder / "suite").mkdir()
    lines = [{"resource": "test-sets", "display_name": "Calls"}]
    lines += [{"resource": "test-cases", "input_str": f"a{number}", "test_set": "Calls"} for number in range(4)]
    (folder / "suite" / "a.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def write_more(folder: Path) -> None:
    (folder / "suite" / "b.csv").write_text("Input,Test set\nWhere is my parcel?,Calls\nYou lost my order!,Calls\n")


async def inputs(talk: Talk) -> list[str]:
    return sorted(one["input_str"] for one in await talk.items("/test-cases", page_size=100))


async def test_a_file_that_came_later_is_no_part_of_a_job_that_is_carried_on(tmp_path: Path) -> None:
    write(tmp_path)
    async with talking() as talk:
        killed = await run(tmp_path, talk, "import", "suite", *FLAGS, COVAL_ETL_CRASH_AT="answered:3")
        write_more(tmp_path)
        said = await run(tmp_path, talk, "resume", *FLAGS)
        resumed = await inputs(talk)
        again = await run(tmp_path, talk, "import", "suite", *FLAGS)
        whole = await inputs(talk)
        undone = await run(tmp_path, talk, "rollback", again.json["job"], "--yes", "--json")
        left = await inputs(talk)
    assert killed.code == -9
    assert (said.code, said.json["rows"]["created"], resumed) == (0, 5, ["a0", "a1", "a2", "a3"]), said.err
    assert (again.code, again.json["rows"]["created"], again.json["rows"]["unchanged"]) == (0, 2, 5), again.err
    assert whole == ["Where is my parcel?", "You lost my order!", "a0", "a1", "a2", "a3"]
    assert (undone.code, undone.json["deleted"], left) == (0, 2, resumed), undone.err


async def test_a_changed_part_is_told_without_the_other_parts_of_its_file(tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / "suite" / "a.jsonl"
    async with talking() as talk:
        await run(tmp_path, talk, "import", "suite", *FLAGS, COVAL_ETL_CRASH_AT="resource-done:2")
        file.write_text(file.read_text().replace('"a1"', '"other"'))
        said = await run(tmp_path, talk, "resume")
    words = " ".join(said.err.split())
    assert said.code == 2
    assert "suite/a.jsonl (test-cases) was changed since job" in words, words
    assert "began: its content is another." in words
    assert "--mode upsert" in words

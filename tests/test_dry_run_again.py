"""A dry run of what was imported before: it is there already, and a plan says so too."""

import json
from pathlib import Path

from tests.sandbox_talk import talking
from tests.sandboxed_command import run, started
from tests.test_organisation import ROWS, write_workbook

__all__ = ["started"]


async def test_a_dry_run_knows_what_was_imported(tmp_path: Path) -> None:
    write_workbook(tmp_path / "organisation.xlsx")
    call = ("import", "organisation.xlsx", "--yes", "--json")
    async with talking() as talk:
        before = await run(tmp_path, talk, *call, "--dry-run")
        assert not (tmp_path / "state" / "coval-etl" / "ledger.db").exists(), "a dry run writes nothing"
        await run(tmp_path, talk, *call)
        after = await run(tmp_path, talk, *call, "--dry-run")
        again = await run(tmp_path, talk, *call, "--dry-run", "--again")
    assert (before.code, before.json["rows"]["would_create"]) == (0, ROWS), before.err
    assert (after.code, after.json["rows"]["unchanged"], after.json["rows"]["would_create"]) == (0, ROWS, 0), after.err
    assert again.json["rows"]["would_create"] == ROWS


async def test_a_plan_knows_what_was_imported(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Description\nA,a\nB,b\n")
    call = ("import", "sets.csv", "--json")
    async with talking() as talk:
        await run(tmp_path, talk, *call, "--limit", "1")
        planned = await run(tmp_path, talk, *call, "--dry-run", "--plan-out", "plan")
        applied = await run(tmp_path, talk, *call, "--plan", "plan")
        stale = await run(tmp_path, talk, *call, "--plan", "plan")
    assert (planned.json["rows"]["unchanged"], planned.json["rows"]["would_create"]) == (1, 1), planned.err
    assert (applied.json["rows"]["unchanged"], applied.json["rows"]["created"]) == (1, 1), applied.err
    assert stale.code == 4
    assert "was to be created, and would now be left alone" in json.loads(stale.out)["error"]["message"]

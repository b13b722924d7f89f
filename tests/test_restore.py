"""An export imported into an empty organisation gives back the same content: only ids and times are others."""

from pathlib import Path

import pytest

from etl.resources import Contract
from tests.sandbox_talk import talking
from tests.sandboxed_command import run, started
from tests.test_organisation import ROWS, write_workbook
from tests.two_organisations import everything, fill

__all__ = ["started"]

FORMS = {"folder": "exp", "jsonl": "exp.jsonl", "xlsx": "exp.xlsx"}
RESTORED = ("test-sets", "personas", "agents", "test-cases", "run-templates")


@pytest.mark.parametrize("contract", list(Contract))
@pytest.mark.parametrize("form", FORMS)
async def test_an_export_restores_an_organisation(form: str, contract: Contract, tmp_path: Path) -> None:
    write_workbook(tmp_path / "organisation.xlsx")
    out, told = FORMS[form], ("--contract", contract.value)
    async with talking(contract) as first:
        made = await run(tmp_path, first, "import", "organisation.xlsx", "--yes", "--quiet", *told)
        saved = await run(tmp_path, first, "export", *RESTORED, "--out", out, "--no-redact", "--yes", "--quiet")
    checked = await run(tmp_path, first, "verify", out, "--quiet")
    async with talking(contract) as second:
        call = ("import", out, "--json", *told)
        restored = await run(tmp_path, second, *call)
        again = await run(tmp_path, second, *call)
        await run(tmp_path, second, "export", *RESTORED, "--out", "new", "--no-redact", "--yes", "--quiet")
        compared = await run(tmp_path, second, "diff", out, "new", "--content", "--json")
        by_name = await run(tmp_path, second, "diff", out, "api:", "--key", "display_name", "--json")
    assert (made.code, saved.code, checked.code) == (0, 0, 0), made.err + saved.err + checked.err
    assert (restored.code, restored.json["rows"]["created"]) == (0, ROWS - 2), restored.err + restored.out
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err
    assert compared.code == 0, compared.out
    assert by_name.code in {0, 1}


@pytest.mark.parametrize("contract", list(Contract))
@pytest.mark.parametrize("form", FORMS)
async def test_an_upsert_by_id_puts_back_what_was_changed_and_makes_again_what_was_deleted(
    form: str, contract: Contract, tmp_path: Path
) -> None:
    out, told = FORMS[form], ("--contract", contract.value)
    saving = ("export", *RESTORED, "--no-redact", "--yes", "--quiet")
    call = ("import", out, "--mode", "upsert", "--key", "id", "--yes", "--json", *told)
    async with talking(contract) as talk:
        ids = await fill(talk, contract, cases=6, deep=False)
        saved = await run(tmp_path, talk, *saving, "--out", out)
        for path, changed in (
            (f"/test-sets/{ids['test-sets'][1]}", {"display_name": "Other"}),
            (f"/personas/{ids['personas'][0]}", {"name": "Other", "voice_name": "marcus"}),
            (f"/agents/{ids['agents'][1]}", {"display_name": "Other", "phone_number": "+19998887777"}),
            (f"/test-cases/{ids['test-cases'][5]}", {"input_str": "Another", "expected_behaviors": []}),
        ):
            assert (await talk.say("PATCH", path, changed))[0] == 200
        deleted = (("run-templates", 0), ("agents", 0), ("personas", 1), ("test-cases", 0))  # who refers goes first
        for name, number in deleted:
            assert (await talk.say("DELETE", f"/{name}/{ids[name][number]}"))[0] in {200, 204}
        planned = await run(tmp_path, talk, *call, "--dry-run")
        strict = await run(tmp_path, talk, *call, "--dry-run", "--strict")
        restored = await run(tmp_path, talk, *call, "--report", "r")
        again = await run(tmp_path, talk, *call)
        counts = {name: len(items) for name, items in (await everything(talk)).items()}
        await run(tmp_path, talk, *saving, "--out", "new")
        compared = await run(tmp_path, talk, "diff", out, "new", "--content", "--json")
    assert saved.code == 0, saved.err
    assert (planned.code, planned.json["rows"]["would_create"]) == (0, 4), planned.err
    assert (strict.code, strict.json["rows"]["would_create"]) == (1, 0), strict.err
    assert (restored.code, restored.json["rows"]["created"]) == (0, 4), restored.err + restored.out
    told_of = (tmp_path / "r" / "results.jsonl").read_text()
    assert told_of.count("under an id that the API gives") == 4, told_of
    assert compared.code == 0, compared.out
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err
    assert counts == {name: len(made) for name, made in ids.items()}


async def test_a_row_with_a_marker_is_not_sent(tmp_path: Path) -> None:
    lines = "Agent name,Model type,Chat URL,Authorization header\nA,chat,https://example.com/chat,Bearer abc\n"
    (tmp_path / "agents.csv").write_text(lines)
    async with talking() as first:
        await run(tmp_path, first, "import", "agents.csv", "--quiet", "--resource", "agents")
        await run(tmp_path, first, "export", "agents", "--out", "exp.jsonl", "--quiet")
    async with talking() as second:
        refused = await run(tmp_path, second, "import", "exp.jsonl", "--json", "--report", "r")
    assert (refused.code, refused.json["rows"]["rejected"], refused.json["requests"]["sent"]) == (1, 1, 0), refused.err
    assert '"redacted_secret"' in (tmp_path / "r" / "results.jsonl").read_text()


async def test_an_export_without_agents_is_restored_too(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Description\nOne,a\n")
    async with talking() as first:
        await run(tmp_path, first, "import", "sets.csv", "--quiet")
        await run(tmp_path, first, "export", "all", "--out", "exp", "--quiet")
    async with talking() as second:
        restored = await run(tmp_path, second, "import", "exp", "--json")
    assert (restored.code, restored.json["rows"]["created"]) == (0, 1), restored.err

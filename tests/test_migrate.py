"""An organisation is copied into another one: every id replaced, nothing twice, nothing secret on disk, and proved."""

import csv
from pathlib import Path

import pytest

from etl.crashpoints import POINTS_OF_MIGRATIONS
from etl.resources import Contract
from tests.sandbox_talk import METRIC
from tests.sandboxed_command import started
from tests.two_organisations import PATHS, SECRET, everything, fill, two

__all__ = ["started"]


@pytest.mark.parametrize("contract", list(Contract))
async def test_an_organisation_is_copied_and_every_id_is_another(contract: Contract, tmp_path: Path) -> None:
    async with two(tmp_path, contract) as both:
        old = await fill(both.source, contract)
        said = await both.migrate("--yes", "--report", "r")
        again = await both.migrate("--yes", "--report", "r2")
        moved = await everything(both.target)
        kept = await everything(both.source)
    assert (said.code, said.json["rows"]["created"]) == (0, 27), said.err + said.out
    assert said.json["compared"] == {
        name: {"same": len(old[name]), "added": 0, "removed": 0, "changed": 0} for name in PATHS
    }
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err + again.out
    assert again.json["rows"]["unchanged"] == 27
    with (tmp_path / "r" / "id-map.csv").open(newline="") as file:
        ids = {row["old_id"]: row["new_id"] for row in csv.DictReader(file)}
    assert {id_ for of in old.values() for id_ in of} == ids.keys()
    assert all({item["id"] for item in moved[name]} == {ids[id_] for id_ in old[name]} for name in PATHS)
    chat = next(one for one in moved["agents"] if one["display_name"] == "Chat bot")
    assert chat["metadata"]["authorization_header"] == SECRET
    assert chat["metadata"]["custom_headers"] == {"X-Api-Key": "k-123456", "X-Team": "ops"}
    assert chat["metadata"]["persona_id"] == ids[old["personas"][1]]
    assert chat["test_set_ids"] == [ids[one] for one in old["test-sets"]]
    (template,) = moved["run-templates"]
    (before,) = kept["run-templates"]
    for name in ("agent_id", "agent_ids", "persona_id", "persona_ids", "test_set_id", "test_set_ids", "test_case_ids"):
        assert template.get(name) == _replaced(before.get(name), ids), name
    assert SECRET.encode() not in both.on_disk()
    assert b"k-123456" not in both.on_disk()


def _replaced(value: object, ids: dict[str, str]) -> object:
    if isinstance(value, list):
        return [ids[one] for one in value]
    return ids[value] if isinstance(value, str) else value


async def test_only_what_is_new_or_changed_is_written(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        old = await fill(both.source)
        await both.migrate("--yes", "--report", "r")
        case, agent = old["test-cases"][3], old["agents"][1]
        await both.source.say("PATCH", f"/test-cases/{case}", {"input_str": "Quite another question"})
        await both.source.say("PATCH", f"/agents/{agent}", {"prompt": "Be kind"})
        new = await both.source.make(
            "/test-cases", {"input_str": "A new one", "test_set_id": old["test-sets"][0], "user_notes": "n"}
        )
        dry = await both.migrate("--dry-run")
        said = await both.migrate("--yes", "--report", "r2")
        moved = await everything(both.target)
    assert (dry.code, dry.json["rows"]["would_create"], dry.json["rows"]["would_update"]) == (0, 1, 2), dry.err
    assert dry.json["rows"]["unchanged"] == 25
    rows = said.json["rows"]
    assert (said.code, rows["created"], rows["updated"], rows["unchanged"]) == (0, 1, 2, 25), said.err + said.out
    assert said.json["requests"]["sent"] == 3
    inputs = [one["input_str"] for one in moved["test-cases"]]
    assert len(inputs) == 21
    assert {"A new one", "Quite another question"} <= {*inputs}
    assert next(one for one in moved["agents"] if one["display_name"] == "Voice bot")["prompt"] == "Be kind"
    assert new["id"] in (tmp_path / "r2" / "id-map.csv").read_text()


async def test_the_mark_of_an_import_at_the_source_is_not_moved(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        old = await fill(both.source, cases=2)
        marked = {"metadata": {"owner": "ops", "coval_etl_import": "0123456789abcdef0123456789"}}
        await both.source.say("PATCH", f"/run-templates/{old['run-templates'][0]}", marked)
        said = await both.migrate("--yes", "--report", "r")
        again = await both.migrate("--yes", "--report", "r2")
    assert said.code == 0, said.err + said.out
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err + again.out


async def test_what_was_deleted_at_the_target_is_made_again(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        await fill(both.source, cases=4)
        await both.migrate("--yes", "--report", "r")
        moved = await everything(both.target)
        await both.target.say("DELETE", f"/test-cases/{moved['test-cases'][0]['id']}")
        said = await both.migrate("--yes", "--report", "r2")
        again = await everything(both.target)
    assert (said.code, said.json["rows"]["created"], said.json["rows"]["unchanged"]) == (0, 1, 10), said.err + said.out
    assert len(again["test-cases"]) == 4


POINTS = [*POINTS_OF_MIGRATIONS, "job-opened", "intent-recorded:9", "answered:5", "outcome-recorded:3", "job-closed"]


@pytest.mark.parametrize("point", POINTS)
async def test_a_migration_killed_anywhere_is_carried_on_and_makes_nothing_twice(point: str, tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        old = await fill(both.source, cases=6)
        died = await both.migrate("--yes", COVAL_ETL_CRASH_AT=point)
        lying = both.on_disk()
        said = await both.migrate("--yes", "--report", "r")
        again = await both.migrate("--yes", "--report", "r2")
        moved = await everything(both.target)
    assert died.code == -9, died.err
    assert SECRET.encode() not in lying, "what lies on disk meanwhile has markers in it"
    assert said.code == 0, said.err + said.out
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err + again.out
    assert {name: len(items) for name, items in moved.items()} == {name: len(ids) for name, ids in old.items()}
    chat = next(one for one in moved["agents"] if one["display_name"] == "Chat bot")
    assert chat["metadata"]["authorization_header"] == SECRET
    assert SECRET.encode() not in both.on_disk()
    assert both.spools() == []


async def test_resume_carries_a_migration_on(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        old = await fill(both.source, cases=6)
        await both.migrate("--yes", COVAL_ETL_CRASH_AT="answered:4")
        other = await both.migrate("--yes", "--only", "test-sets")
        said = await both.etl("resume", "--json", "--report", "r", "--settle", "0.2")
        jobs = (await both.etl("jobs", "--json", "--all")).json
        back = await both.etl("rollback", jobs[0]["job"], "--yes", "--json", COVAL_API_KEY=both.target.sandbox.key)
        left = await everything(both.target)
    assert other.code == 2
    assert "is not finished" in other.err
    assert (said.code, said.json["carried_on"]) == (0, True), said.err + said.out
    assert said.json["rows"]["created"] == sum(map(len, old.values()))
    assert [(one["command"], one["state"]) for one in jobs] == [("migrate", "done")]
    assert back.code == 0, back.err + back.out
    assert not any(left.values()), "one rollback takes all of it back"


async def test_what_cannot_move_is_listed(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        old = await fill(both.source, cases=4)
        gone = both.target.sandbox.store._sql
        gone.execute("DELETE FROM stored WHERE resource = 'metrics' AND id = ?", (METRIC,))
        both.source.sandbox.store._sql.execute(
            "UPDATE stored SET fields = json_set(fields, '$.knowledge_base_ids', json('[\"kb1\"]'))"
            " WHERE resource = 'agents' AND id = ?",
            (old["agents"][1],),
        )
        said = await both.migrate("--yes", "--report", "r")
        moved = await everything(both.target)
    left = list(csv.DictReader((tmp_path / "r" / "left-behind.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert (said.code, said.json["left_behind"]) == (1, 3), said.err + said.out
    assert [(one["resource"], one["field"]) for one in left] == [
        ("agents", "metric_ids"),
        ("agents", "knowledge_base_ids"),
        ("run-templates", "metric_ids"),
    ]
    assert "the target has no metric called" in left[0]["reason"]
    assert all(tally["changed"] == 0 for tally in said.json["compared"].values())
    assert moved["run-templates"][0]["metric_ids"] == []


async def test_mutations_and_knowledge_bases_are_said_in_words_each_time(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        old = await fill(both.source, cases=2)
        for name, field in (("run-templates", "mutation_ids"), ("agents", "knowledge_base_ids")):
            both.source.sandbox.store._sql.execute(
                f"UPDATE stored SET fields = json_set(fields, '$.{field}', json('[\"m1\"]'))"
                " WHERE resource = ? AND id = ?",
                (name, old[name][0]),
            )
        words = ("--from", "old", "--to", "new", "--settle", "0.2", "--yes", "--report")
        dry = await both.etl("migrate", *words[:-1], "--dry-run")
        said = await both.etl("migrate", *words, "r")
        again = await both.etl("migrate", *words, "r2")
        moved = await everything(both.target)
        none = await both.etl("migrate", *words, "r3", "--only", "run-templates", "--filter", "x=1")
    for one in (dry, said, again):
        assert one.code == 1, one.err
        assert "2 cannot move:" in one.err, one.err
        line = " ".join(one.err.split())
        assert "(Nightly): mutation_ids: the API neither lists mutations nor makes them" in line
        assert "(Chat bot): knowledge_base_ids: the API lets nobody create or attach a knowledge base" in line
    assert "mutation_ids" in (tmp_path / "r" / "left-behind.csv").read_text()
    assert len(moved["run-templates"]) == 1, "the template moves without them"
    assert (none.code, "Run templates have no filter" in none.err) == (2, True), none.err


async def test_what_stays_is_said_also_where_nothing_moves(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        await fill(both.source, cases=2)
        words = ("--from", "old", "--to", "new", "--yes", "--only", "test-cases", "--report")
        said = await both.etl("migrate", *words, "r")
        told = await both.etl("migrate", *words, "r2", "--json")
    assert (said.code, told.code) == (1, 1)
    assert "2 cannot move:" in said.err, said.err
    assert "that test set is not moved, and was not moved before" in " ".join(said.err.split())
    left = list(csv.DictReader((tmp_path / "r" / "left-behind.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [one["resource"] for one in left] == ["test-cases"] * 2
    assert told.json["left_behind_file"] == "r2/left-behind.csv"


async def test_a_filter_moves_what_it_names_and_again_nothing(tmp_path: Path) -> None:
    chats = ("--yes", "--only", "agents", "--filter", 'model_type="MODEL_TYPE_CHAT"')
    async with two(tmp_path) as both:
        old = await fill(both.source, cases=4)
        await both.migrate("--yes", "--only", "test-sets,personas", "--report", "r0")
        dry = await both.migrate(*chats, "--dry-run")
        said = await both.migrate(*chats, "--report", "r")
        again = await both.migrate(*chats, "--report", "r2")
        cases = ("--yes", "--only", "test-cases", "--filter", f'test_set_id="{old["test-sets"][1]}"')
        some = await both.migrate(*cases, "--report", "r3")
        nothing = await both.migrate(*chats[:-1], 'display_name="Nobody"')
        rest = await both.migrate("--yes", "--report", "r4")
        moved = await everything(both.target)
    assert (dry.code, dry.json["new"]) == (0, {"agents": 1}), dry.err + dry.out
    assert (said.code, said.json["rows"]["created"]) == (0, 1), said.err + said.out
    assert said.json["compared"] == {"agents": {"same": 1, "added": 0, "removed": 0, "changed": 0}}
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err
    assert (some.code, some.json["rows"]["created"]) == (0, 2), some.err
    assert (nothing.code, nothing.json["rows"]["read"]) == (0, 0), nothing.err
    assert (rest.code, rest.json["rows"]["created"], rest.json["rows"]["unchanged"]) == (0, 4, 7), rest.err
    assert {name: len(items) for name, items in moved.items()} == {name: len(ids) for name, ids in old.items()}


async def test_what_needs_something_that_does_not_move_stays(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        await fill(both.source, cases=4)
        cases = await both.migrate("--yes", "--only", "test-cases", "--report", "r")
        sets = await both.migrate("--yes", "--only", "test-sets", "--report", "r2")
        then = await both.migrate("--yes", "--only", "test-cases", "--report", "r3")
        one = await both.migrate("--yes", "--test-set", "Billing", "--report", "r4")
    assert (cases.code, cases.json["left_behind"], cases.json["rows"]["read"]) == (1, 4, 0)
    assert (sets.code, sets.json["rows"]["created"]) == (0, 2)
    assert (then.code, then.json["rows"]["created"]) == (0, 4), then.err + then.out
    assert (one.code, one.json["rows"]["unchanged"]) == (0, 3), one.err + one.out


@pytest.mark.parametrize("form", ["exp", "exp.jsonl"])
async def test_an_export_is_moved_as_an_organisation_is(form: str, tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        await fill(both.source, cases=4)
        told = ("--profile", "old", "--yes", "--quiet")
        keys = {"COVAL_API_KEY": "", "COVAL_BASE_URL": ""}
        await both.etl("export", "all", "--out", form, "--no-redact", *told, **keys)
        await both.etl("export", "all", "--out", "plain", *told, **keys)
        migrate = ("migrate", "--to", "new", "--yes", "--json", "--settle", "0.2")
        redacted = await both.etl(*migrate, "--from", "plain", "--report", "r0", "--only", "agents,personas,test-sets")
        said = await both.etl(*migrate, "--from", form, "--report", "r")
        again = await both.etl(*migrate, "--from", form, "--report", "r2")
        home = await both.etl("migrate", "--to", "old", "--yes", "--from", form)
        file = tmp_path / form / "test-cases.jsonl" if form == "exp" else tmp_path / form
        file.write_text(file.read_text().replace("Where is", "Where was", 1))
        tampered = await both.etl(*migrate, "--from", form)
        moved = await everything(both.target)
    assert (redacted.code, redacted.json["rows"]["rejected"], redacted.json["rows"]["created"]) == (1, 1, 5)
    assert "redacted_secret" in (tmp_path / "r0" / "results.jsonl").read_text()
    assert (said.code, said.json["rows"]["created"]) == (0, 6), said.err + said.out
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err + again.out
    assert (home.code, "same organisation" in home.err) == (2, True)
    assert (tampered.code, "not what its manifest says" in tampered.err) == (2, True)
    assert len(moved["agents"]) == 2
    chat = next(one for one in moved["agents"] if one["display_name"] == "Chat bot")
    assert chat["metadata"]["authorization_header"] == SECRET


async def test_both_ends_are_profiles_and_nothing_else(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        await fill(both.source, cases=2)
        config = tmp_path / ".config" / "coval-etl" / "config.toml"
        twin = config.read_text().split("[profiles.new]", maxsplit=1)[0].replace("[profiles.old]", "[profiles.twin]")
        config.write_text(config.read_text() + twin + '[profiles.keyless]\nbase_url = "https://example.com/v1"\n')
        unasked = await both.migrate()
        same = await both.etl("migrate", "--from", "old", "--to", "twin", "--yes")
        keyless = await both.etl("migrate", "--from", "old", "--to", "keyless", "--yes")
        nobody = await both.etl("migrate", "--from", "old", "--to", "nwe", "--yes")
        filtered = await both.migrate("--filter", "test_set_type=X")
        said = await both.migrate("--yes", "--report", "r", COVAL_API_KEY="wrong", COVAL_BASE_URL="http://localhost:1")
        kept = await everything(both.source)
    assert (unasked.code, "Nothing was written" in unasked.err) == (2, True), unasked.err
    assert (same.code, "same organisation" in same.err) == (2, True)
    assert (keyless.code, "does not say where its key is" in keyless.err) == (2, True)
    assert (nobody.code, "Did you mean new?" in nobody.err) == (2, True)
    assert (filtered.code, "--filter is for one resource" in filtered.err) == (2, True)
    assert said.code == 0, said.err
    assert len(kept["test-cases"]) == 2


@pytest.mark.parametrize("old", list(Contract))
async def test_the_two_may_speak_different_forms_of_the_api(old: Contract, tmp_path: Path) -> None:
    new = next(one for one in Contract if one is not old)
    async with two(tmp_path, old, new) as both:
        made = await fill(both.source, Contract.V2025_10 if old is Contract.V2025_10 else old, cases=4)
        await both.source.make(
            "/test-cases",
            {
                "input_str": "Say it",
                "input_type": "SCRIPT",
                "test_set_id": made["test-sets"][0],
                "simulation_metadata_input": {"script_turns": ["Hello", "Bye"]},
            },
        )
        said = await both.migrate("--yes", "--report", "r")
        again = await both.migrate("--yes", "--report", "r2")
    differ = {name for name, tally in said.json["compared"].items() if tally["changed"]}
    rows = said.json["rows"]
    cannot = 0 if old is Contract.V2025_10 else 1  # 2025-10 has no test_case_ids: that template is refused
    assert (said.code, rows["created"], rows["rejected"]) == (cannot, 12 - cannot, cannot), said.err + said.out
    assert differ == set()
    assert again.json["requests"]["sent"] == 0, again.out

"""The sandbox stores, changes and deletes, under both contracts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from etl.errors import FileError
from etl.resources import Contract
from etl.sandbox import running_sandbox
from tests.sandbox_talk import METRIC, Talk, fields_of, parents, talking


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with talking() as talk:
        yield talk


@pytest.fixture
async def talk_2026() -> AsyncIterator[Talk]:
    async with talking(Contract.V2026_10) as talk:
        yield talk


async def test_ids_and_times_have_the_documented_forms(talk: Talk) -> None:
    refs = await parents(talk)
    case = await talk.make("/test-cases", {"input_str": "Hi", "test_set_id": refs["test_set_id"]})
    run = await talk.make("/runs", refs)
    assert [len(id_) for id_ in (*refs.values(), case["id"], run["run_id"])] == [8, 22, 22, 22, 22]
    assert case["name"] == f"test-cases/{case['id']}"
    assert case["create_time"].endswith("Z")
    assert len(case["create_time"]) == len("2025-10-14T12:00:00.000000Z")
    assert refs["persona_id"].isalnum()


async def test_bodies_are_kept_as_they_were_sent_in_the_order_of_creation(talk: Talk) -> None:
    test_set = await talk.make("/test-sets", {"display_name": "Set"})
    bodies = [
        {"input_str": f"case {number}", "test_set_id": test_set["id"], "metric_input": {"n": number}, "unknown": [1]}
        for number in range(20)
    ]
    for body in bodies:
        await talk.make("/test-cases", body)
    assert talk.sandbox.store.all_bodies("test-cases") == bodies


async def test_data_in_a_file_outlives_the_sandbox_and_serves_the_other_contract(tmp_path: Path) -> None:
    db = tmp_path / "state" / "sandbox.db"
    async with talking(db=db) as talk:
        refs = await parents(talk)
        template = await talk.make("/run-templates", {"display_name": "Nightly", **refs})
        body = {"input_str": "Call", "test_set_id": refs["test_set_id"], "input_type": "SCRIPT"}
        turns = {"simulation_metadata_input": {"script_turns": ["Hi"]}, "expected_output_str": "Greets"}
        case = await talk.make("/test-cases", body | turns)
    assert db.stat().st_mode & 0o077 == 0
    async with talking(Contract.V2026_10, db) as talk:
        _, answer = await talk.say("GET", f"/{template['name']}")
        assert answer["run_template"]["agent_ids"] == [refs["agent_id"]]
        assert "agent_id" not in answer["run_template"]
        _, answer = await talk.say("GET", f"/{case['name']}")
        assert answer["test_case"]["script_turns"] == ["Hi"]
        assert answer["test_case"]["expected_behaviors"] == ["Greets"]
        assert "expected_output_str" not in answer["test_case"]


async def test_two_sandboxes_share_one_file(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    async with talking(db=db) as one, talking(db=db) as other:
        test_set = await one.make("/test-sets", {"display_name": "Set"})
        cases = [{"input_str": str(number), "test_set_id": test_set["id"]} for number in range(40)]
        made = await asyncio.gather(
            *((one if number % 2 else other).make("/test-cases", case) for number, case in enumerate(cases))
        )
        listed = await one.items("/test-cases", order_by="create_time")
    assert sorted(case["id"] for case in made) == sorted(case["id"] for case in listed)
    times = [case["create_time"] for case in listed]
    assert times == sorted(set(times))


async def test_a_file_of_another_program_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database, but more than a few words " * 20)
    with pytest.raises(FileError, match=r"notes\.db cannot be opened"):
        async with running_sandbox(db=tmp_path / "notes.db"):
            pass


async def test_a_workspace_sees_only_its_own(talk: Talk) -> None:
    ours = await talk.make("/test-sets", {"display_name": "Same"}, workspace="W1")
    theirs = await talk.make("/test-sets", {"display_name": "Same"})
    assert ours["slug"] == theirs["slug"]
    assert (await talk.say("GET", f"/{ours['name']}"))[0] == 404
    assert (await talk.say("GET", f"/{ours['name']}", workspace="W1"))[0] == 200
    case = {"input_str": "x", "test_set_id": theirs["id"]}
    assert (await talk.say("POST", "/test-cases", case, workspace="W1"))[0] == 404
    assert (await talk.say("GET", "/metrics", workspace="W1"))[1]["metrics"]
    assert (await talk.say("GET", "/agents", workspace="W" * 27))[0] == 400


async def test_metrics_are_listed_and_read_but_not_written(talk: Talk) -> None:
    metrics = await talk.items("/metrics")
    assert METRIC in {metric["id"] for metric in metrics}
    assert (await talk.say("GET", f"/metrics/{METRIC}"))[1]["metric"] in metrics
    assert (await talk.say("POST", "/metrics", {"metric_name": "x"}))[0] == 405


async def test_patch_changes_only_what_is_given(talk: Talk) -> None:
    test_set = await talk.make("/test-sets", {"display_name": "Set", "parameters": {"name": ["Bo"]}})
    status, answer = await talk.say("PATCH", f"/{test_set['name']}", {"description": "New", "colour": "red"})
    assert status == 200
    changed = answer["test_set"]
    assert changed.pop("update_time") > test_set["create_time"]
    assert changed == {key: value for key, value in test_set.items() if key != "update_time"} | {"description": "New"}
    assert (await talk.say("PATCH", f"/{test_set['name']}", {"parameters": None}))[1]["test_set"]["parameters"]
    assert (await talk.say("PATCH", f"/{test_set['name']}", {"parameters": {}}))[1]["test_set"]["parameters"] == {}


@pytest.mark.parametrize("contract", list(Contract))
async def test_null_in_a_template_patch_is_no_change_empty_clears_and_a_null_seed_is_a_value(
    contract: Contract,
) -> None:
    async with talking(contract) as talk:
        refs: dict[str, Any] = await parents(talk)
        if contract is Contract.V2026_10:
            refs = {f"{name}s": [value] for name, value in refs.items()}
        given = {
            "metric_ids": [METRIC],
            "mutation_ids": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"],
            "metadata": {"campaign": "q4"},
            "sub_sample_size": 5,
            "sub_sample_seed": 7,
        }
        template = await talk.make("/run-templates", {"display_name": "T", **refs, **given})

        async def patched(change: dict[str, Any]) -> dict[str, Any]:
            status, answer = await talk.say("PATCH", f"/{template['name']}", change)
            assert status == 200, answer
            return {key: answer["run_template"][key] for key in given}

        nulls: dict[str, Any] = {"metric_ids": None, "mutation_ids": None, "metadata": None}
        assert await patched(nulls) == given
        assert await patched({}) == given
        assert await patched({"sub_sample_seed": None}) == given | {"sub_sample_seed": None}
        cleared: dict[str, Any] = {"metric_ids": [], "mutation_ids": [], "metadata": {}}
        assert await patched(cleared) == given | cleared | {"sub_sample_seed": None}
        status, answer = await talk.say("PATCH", f"/{template['name']}", {"display_name": None})
        assert (status, fields_of(answer)) == (400, ["display_name"])
        status, answer = await talk.say("PATCH", f"/{template['name']}", {"iteration_count": 101})
        assert (status, fields_of(answer)) == (400, ["iteration_count"])


async def test_a_patch_may_not_leave_a_resource_that_could_not_be_created(talk: Talk) -> None:
    refs = await parents(talk)
    sip = {"phone_number": "sip:line@bank.example"}
    assert (await talk.say("PATCH", f"/agents/{refs['agent_id']}", sip))[0] == 200
    status, answer = await talk.say("PATCH", f"/agents/{refs['agent_id']}", {"model_type": "MODEL_TYPE_SMS"})
    assert (status, fields_of(answer)) == (400, ["phone_number"])
    case = await talk.make("/test-cases", {"input_str": "x", "test_set_id": refs["test_set_id"]})
    status, answer = await talk.say("PATCH", f"/{case['name']}", {"input_type": "SCRIPT"})
    assert (status, fields_of(answer)) == (400, ["simulation_metadata_input.script_turns"])
    assert (await talk.say("GET", f"/{case['name']}"))[1]["test_case"] == case


async def test_leaving_script_clears_the_turns(talk_2026: Talk) -> None:
    test_set = await talk_2026.make("/test-sets", {"display_name": "Set"})
    body = {"input_str": "x", "test_set_id": test_set["id"], "input_type": "SCRIPT", "script_turns": ["Hi"]}
    case = await talk_2026.make("/test-cases", body)
    _, answer = await talk_2026.say("PATCH", f"/{case['name']}", {"input_type": "IVR"})
    assert answer["test_case"]["script_turns"] is None
    status, answer = await talk_2026.say("PATCH", f"/{case['name']}", {"input_type": "SCRIPT"})
    assert (status, fields_of(answer)) == (400, ["script_turns"])


async def test_an_expected_text_alone_becomes_the_expected_behaviors(talk: Talk) -> None:
    test_set = await talk.make("/test-sets", {"display_name": "Set"})
    body = {"input_str": "x", "test_set_id": test_set["id"]}

    def expected(case: dict[str, Any]) -> tuple[list[str] | None, str | None]:
        return case["expected_behaviors"], case["expected_output_str"]

    case = await talk.make("/test-cases", body | {"expected_output_str": "Greets"})
    assert expected(case) == (["Greets"], "Greets")
    assert expected(await talk.make("/test-cases", body)) == (None, None)
    both = body | {"expected_output_str": "Greets", "expected_behaviors": ["Greets", "Asks"]}
    assert expected(await talk.make("/test-cases", both)) == (["Greets", "Asks"], "Greets\nAsks")
    _, answer = await talk.say("PATCH", f"/{case['name']}", {"expected_output_str": "Waves"})
    assert expected(answer["test_case"]) == (["Waves"], "Waves")
    _, answer = await talk.say("PATCH", f"/{case['name']}", {"expected_behaviors": None})
    assert expected(answer["test_case"]) == (None, None)


async def test_deletes_answer_as_documented_and_spare_what_a_template_uses(talk: Talk) -> None:
    refs = await parents(talk)
    case = await talk.make("/test-cases", {"input_str": "x", "test_set_id": refs["test_set_id"]})
    template = await talk.make("/run-templates", {"display_name": "T", **refs})
    run = await talk.make("/runs", refs)
    paths = [f"/agents/{refs['agent_id']}", f"/personas/{refs['persona_id']}", f"/test-sets/{refs['test_set_id']}"]
    for path in paths:
        status, answer = await talk.say("DELETE", path)
        assert (status, answer["error"]["code"]) == (409, "CONFLICT")
    assert await talk.say("DELETE", f"/{template['name']}") == (204, None)
    for path in [*paths, f"/runs/{run['run_id']}"]:
        assert await talk.say("DELETE", path) == (200, {})
        assert (await talk.say("DELETE", path))[0] == 404
    assert (await talk.say("GET", f"/{case['name']}"))[0] == 404, "a test set's cases go with it"
    assert (await talk.say("PATCH", f"/runs/{run['run_id']}", {}))[0] == 405

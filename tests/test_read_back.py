"""Every resource, every way of writing, both contracts: what was written is read back, field by field.

Under 2026-10 the vendor's own client (coval-sdk, strict) reads it: an answer that breaks its models would be an error.
It is made for that contract only: under 2025-10 the sandbox is read as it answers.
"""

import asyncio
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from coval_sdk.client import CovalClient

from etl.resources import RESOURCES, Contract
from tests.sandbox_talk import METRIC, Talk, parents, talking
from tests.sandboxed_command import run, started
from tests.test_contract_sdk import SPEECHES, said
from tests.test_contract_sdk import bodies as bodies_of_2026

__all__ = ["started"]

Body = dict[str, Any]
OLD, NEW = Contract.V2025_10, Contract.V2026_10
MUTATION = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def bodies(contract: Contract, ids: Mapping[str, str]) -> dict[str, tuple[Body, Body]]:
    """For each resource a body with all that it can say, and what is changed of it later."""
    if contract is NEW:
        made = bodies_of_2026({name.removesuffix("_id"): id_ for name, id_ in ids.items()})
        news: dict[str, Body] = {
            "test-sets": {"description": "Weekly", "test_set_metadata": {"owner": "ops"}, "tags": ["weekly", "b"]},
            "test-cases": {"expected_behaviors": ["Asks"], "script_turns": ["Hi", "Bye"], "user_notes": "row 8"},
            "agents": {"prompt": "You listen.", "tags": [], "attributes": {"tier": "silver", "n": 1}},
            "personas": {"voice_name": "callum", "wait_seconds": 0.9, "initialization_parameters": {"a": [1]}},
            "run-templates": {"iteration_count": 5, "metric_ids": [METRIC], "metadata": {"campaign": "q1"}},
        }
        return {name: (made[name][0], news[name]) for name in news}
    turns = {"simulation_metadata_input": {"script_turns": ["Hello", "Goodbye"]}}
    return {
        "test-sets": (
            {
                "display_name": "Card disputes — März",
                "description": "Nightly",
                "test_set_type": "SCENARIO",
                "test_set_metadata": {"owner": "qa", "n": 1.5},
                "parameters": {"name": ["Alice", "Bob"]},
            },
            {"description": "Weekly", "parameters": {"name": []}, "test_set_metadata": {}},
        ),
        "test-cases": (
            {
                "input_str": 'Call, "quoted"\nand on two lines',
                "test_set_id": ids["test_set_id"],
                "expected_behaviors": ["Verifies identity", "Opens a dispute"],
                "expected_output_json": {"case": 1},
                "description": "Dispute",
                "input_type": "SCRIPT",
                "metric_input": {"entities": ["charge"]},
                "user_notes": "row 7",
                **turns,
            },
            {"expected_behaviors": ["Asks"], "user_notes": "row 8", "metric_input": {"entities": []}},
        ),
        "agents": (
            {
                "display_name": "Support",
                "model_type": "MODEL_TYPE_VOICE",
                "phone_number": "+15551234567",
                "prompt": "You help.\n007",
                "metadata": {"region": "eu"},
                "workflows": {"nodes": [], "edges": []},
                "metric_ids": [METRIC],
                "test_set_ids": [ids["test_set_id"]],
            },
            {"phone_number": "+15557654321", "prompt": "You listen.", "metric_ids": []},
        ),
        "personas": (
            {
                "name": "Impatient caller",
                "voice_name": "aria",
                "language_code": "en-US",
                "persona_prompt": "You are in a hurry.",
                "background_sound": "office",
                "voice_speed": 1.25,
                "wait_seconds": 0.4,
                "conversation_initiation": "speak_first",
            },
            {"voice_name": "callum", "wait_seconds": 0.9},
        ),
        "run-templates": (
            {
                "display_name": "Nightly",
                **ids,
                "metric_ids": ["jN6mN2pSt5aUv8xZ1bCeFf"],
                "mutation_ids": [MUTATION],
                "iteration_count": 3,
                "concurrency": 5,
                "sub_sample_size": 10,
                "sub_sample_seed": 7,
                "metadata": {"campaign": "q4"},
            },
            {"iteration_count": 5, "metric_ids": [METRIC], "sub_sample_seed": 8},
        ),
    }


async def read(talk: Talk, contract: Contract, name: str) -> dict[str, Body]:
    """All that is there of a resource, by what it is called."""
    resource = RESOURCES[name]
    if contract is OLD:
        return {one[resource.label]: one for one in await talk.items(resource.path)}

    def by_the_client() -> dict[str, Body]:
        key, url = talk.sandbox.key, talk.sandbox.base_url
        with CovalClient(key, base_url=url, retries=False, strict_response_validation=True) as client:
            speech = SPEECHES[name]
            api = getattr(client, speech.api)
            listed = getattr(getattr(api, f"list_{speech.noun}s")(page_size=100), f"{speech.noun}s")
            got = [getattr(getattr(api, f"get_{speech.noun}")(one.id), speech.noun) for one in listed]
            assert got == list(listed)
            return {said(one)[resource.label]: said(one) for one in got}

    return await asyncio.to_thread(by_the_client)


def without_mark(item: Body, wanted: Body) -> Body:
    """The fields of an item that were written, as they were: an import adds its mark to the metadata of a template."""
    found = {name: copy.copy(item.get(name)) for name in wanted}
    if isinstance(found.get("metadata"), dict):
        found["metadata"] = {key: value for key, value in found["metadata"].items() if key != "coval_etl_import"}
    return found


@pytest.mark.parametrize("contract", list(Contract))
@pytest.mark.parametrize("mode", ["create", "update", "upsert"])
@pytest.mark.parametrize("name", SPEECHES)
async def test_what_was_written_is_read_back(name: str, mode: str, contract: Contract, tmp_path: Path) -> None:
    resource = RESOURCES[name]
    async with talking(contract) as talk:
        ids = await parents(talk)
        body, change = bodies(contract, ids)[name]
        other = {**body, resource.label: "Another one"} | (
            {"customer_agent_id": "b"} if "customer_agent_id" in body else {}
        )
        if mode != "create":
            await talk.make(resource.path, body)
        rows = {"create": [body, other], "update": [body | change], "upsert": [body | change, other]}[mode]
        (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        call = ("import", "rows.jsonl", "--resource", name, "--mode", mode, "--key", resource.label, "--yes", "--json")
        first = await run(tmp_path, talk, *call, "--contract", contract.value)
        found = await read(talk, contract, name)
        again = await run(tmp_path, talk, *call, "--contract", contract.value)
    counts = {"create": {"created": 2}, "update": {"updated": 1}, "upsert": {"created": 1, "updated": 1}}[mode]
    assert first.code == 0, first.err + first.out
    assert {one: first.json["rows"][one] for one in counts} == counts
    for row in rows:
        assert without_mark(found[row[resource.label]], row) == row
    assert (again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (len(rows), 0), again.out


@pytest.mark.parametrize("contract", list(Contract))
async def test_what_was_launched_is_read_back(contract: Contract, tmp_path: Path) -> None:
    async with talking(contract) as talk:
        ids = await parents(talk)
        body: Body = {
            **ids,
            "metric_ids": [METRIC],
            "options": {"iteration_count": 2, "sub_sample_size": 3, "sub_sample_seed": 4},
            "metadata": {"display_name": "Friday", "tags": ["a", "b"], "customer": {"row": 7}},
        }
        await talk.make("/test-cases", {"input_str": "Hello", "test_set_id": ids["test_set_id"]})
        (tmp_path / "rows.jsonl").write_text(json.dumps(body))
        call = ("import", "rows.jsonl", "--resource", "runs", "--yes", "--json", "--contract", contract.value)
        first = await run(tmp_path, talk, *call)
        again = await run(tmp_path, talk, *call)
        (stored,) = talk.sandbox.store.all_bodies("runs")
        (listed,) = await talk.items("/runs")

        def by_the_client() -> Any:
            key, url = talk.sandbox.key, talk.sandbox.base_url
            with CovalClient(key, base_url=url, retries=False, strict_response_validation=True) as client:
                return said(client.runs.get_run(listed["run_id"]).run)

        if contract is NEW:
            listed = await asyncio.to_thread(by_the_client)
    assert (first.code, first.json["rows"]["created"]) == (0, 1), first.err
    assert (again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (1, 0)
    assert {name: listed[name] for name in (*ids, "display_name", "tags")} == {
        **ids,
        "display_name": "Friday",
        "tags": ["a", "b"],
    }
    del stored["metadata"]["customer"]["coval_etl_import"]
    assert {name: stored[name] for name in body} == body

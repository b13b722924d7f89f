"""The vendor's own typed client (coval-sdk), strict, against a 2026-10 sandbox: every endpoint that we speak."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple

import pytest
from coval_sdk import models
from coval_sdk.client import CovalClient
from coval_sdk.exceptions import BadRequestException, ConflictException, NotFoundException, UnauthorizedException

from etl.resources import Contract
from etl.sandbox import RunningSandbox, running_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox in a thread of its own, because the vendor's client blocks."""
    ready: Future[tuple[RunningSandbox, asyncio.Event, asyncio.AbstractEventLoop]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with running_sandbox(contract=Contract.V2026_10) as running:
            ready.set_result((running, stop, asyncio.get_running_loop()))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    running, stop, loop = ready.result(timeout=30)
    yield running
    loop.call_soon_threadsafe(stop.set)
    thread.join()


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[CovalClient]:
    with CovalClient(sandbox.key, base_url=sandbox.base_url, retries=False, strict_response_validation=True) as client:
        yield client


class Speech(NamedTuple):
    """How the vendor's client says one resource: its API object, its nouns, its request models."""

    api: str
    noun: str
    create: Any
    update: Any


SPEECHES = {
    "test-sets": Speech(
        "test_sets", "test_set", models.TestSetsAPICreateTestSetRequest, models.TestSetsAPIUpdateTestSetRequest
    ),
    "test-cases": Speech(
        "test_cases", "test_case", models.TestCasesAPICreateTestCaseRequest, models.TestCasesAPIUpdateTestCaseRequest
    ),
    "agents": Speech(
        "agents", "agent", models.CovalAgentsAPICreateAgentRequest, models.CovalAgentsAPIUpdateAgentRequest
    ),
    "personas": Speech(
        "personas", "persona", models.CovalPersonasAPICreatePersonaRequest, models.CovalPersonasAPIUpdatePersonaRequest
    ),
    "run-templates": Speech(
        "run_templates",
        "run_template",
        models.CovalRunTemplatesAPICreateRunTemplateRequest,
        models.CovalRunTemplatesAPIUpdateRunTemplateRequest,
    ),
}


def create(client: CovalClient, resource: str, body: dict[str, Any]) -> Any:
    """What the vendor's client makes of the answer to a create; None where it does not accept it."""
    speech = SPEECHES[resource]
    request = speech.create.from_dict(body)
    answer = getattr(getattr(client, speech.api), f"create_{speech.noun}")(request)
    return getattr(answer, speech.noun)


@pytest.fixture
def parents(client: CovalClient, request: pytest.FixtureRequest) -> dict[str, str]:
    """A test set, an agent and a persona to refer to."""
    slug = request.node.name.lower().replace("[", "-").replace("]", "")
    agent = {"display_name": "Bank line", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
    persona = {"name": "Ms Ngo", "voice_name": "aria", "language_code": "en-US"}
    return {
        "test_set": create(client, "test-sets", {"display_name": "Parents", "slug": slug}).id,
        "agent": create(client, "agents", agent).id,
        "persona": create(client, "personas", persona).id,
    }


def bodies(parents: dict[str, str]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """For each resource a full create body and a change."""
    return {
        "test-sets": (
            {
                "display_name": "Card disputes — März",
                "description": "Nightly",
                "test_set_type": "SCENARIO",
                "test_set_metadata": {"owner": "qa"},
                "parameters": {"name": ["Alice", "Bob"]},
                "tags": ["nightly"],
            },
            {"display_name": "Card disputes, April", "tags": []},
        ),
        "test-cases": (
            {
                "input_str": "Call to dispute a charge",
                "test_set_id": parents["test_set"],
                "expected_behaviors": ["Verifies identity", "Opens a dispute"],
                "expected_output_json": {"case": 1},
                "description": "Dispute",
                "input_type": "SCRIPT",
                "script_turns": ["Hello", {"type": "dtmf", "digits": "12#"}, {"type": "skip"}],
                "metric_input": {"entities": ["charge"]},
                "user_notes": "row 7",
            },
            {"input_str": "Call to dispute two charges", "expected_output_str": "Opens two disputes"},
        ),
        "agents": (
            {
                "display_name": "Support",
                "model_type": "MODEL_TYPE_LIVEKIT",
                "customer_agent_id": f"support-{parents['agent']}",
                "prompt": "You help.",
                "language": "en-US",
                "attributes": {"tier": "gold"},
                "metadata": {
                    "generate_token_endpoint": "https://agents.example.com/token",
                    "livekit_url": "wss://agents.example.com",
                },
                "workflows": {"nodes": [], "edges": []},
                "metric_ids": ["iM5lM1oRs4zTu7wY0aBdEe"],
                "test_set_ids": [parents["test_set"]],
                "tags": ["voice"],
            },
            {"display_name": "Support, second line", "prompt": None},
        ),
        "personas": (
            {
                "name": "Impatient caller",
                "voice_name": "aria",
                "language_code": "en-US",
                "persona_prompt": "You are in a hurry.",
                "background_sound": "office",
                "background_sound_volume": 0.5,
                "voice_speed": 1.25,
                "wait_seconds": 0.4,
                "conversation_initiation": "speak_first",
                "interruption_rate": "HIGH",
                "hold_music_timeout_seconds": 30,
                "initialization_parameters": {"tier": "gold"},
                "tags": ["angry"],
            },
            {"name": "Patient caller", "wait_seconds": None},
        ),
        "run-templates": (
            {
                "display_name": "Nightly",
                "agent_ids": [parents["agent"]],
                "persona_ids": [parents["persona"]],
                "test_set_ids": [parents["test_set"]],
                "metric_ids": ["jN6mN2pSt5aUv8xZ1bCeFf"],
                "mutation_ids": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"],
                "iteration_count": 3,
                "concurrency": 5,
                "sub_sample_size": 10,
                "sub_sample_seed": 7,
                "metadata": {"campaign": "q4"},
                "tags": ["nightly"],
            },
            {"display_name": "Weekly", "iteration_count": 5, "metadata": {}},
        ),
    }


def said(value: Any) -> Any:
    """A model of the vendor's client as plain JSON values."""
    return value.to_dict() if hasattr(value, "to_dict") else value


@pytest.mark.parametrize("resource", list(SPEECHES))
def test_the_vendors_client_creates_reads_updates_and_deletes(
    client: CovalClient, parents: dict[str, str], resource: str
) -> None:
    body, change = bodies(parents)[resource]
    speech = SPEECHES[resource]
    api = getattr(client, speech.api)

    created = create(client, resource, body)
    assert {key: said(created)[key] for key in body} == body
    assert created.created_by
    assert created.update_time is None

    read = getattr(api, f"get_{speech.noun}")(created.id)
    assert getattr(read, speech.noun) == created

    listed = getattr(getattr(api, f"list_{speech.noun}s")(page_size=100), f"{speech.noun}s")
    assert created in listed

    request = speech.update.from_dict(change)
    updated = getattr(getattr(api, f"update_{speech.noun}")(created.id, request), speech.noun)
    assert updated.update_time > created.create_time
    assert updated.create_time == created.create_time
    for key, value in change.items():
        if key == "expected_output_str":
            assert updated.expected_behaviors == [value]
        else:
            assert said(updated).get(key) == value

    gone = getattr(api, f"delete_{speech.noun}_with_http_info")(created.id)
    assert gone.status_code == (204 if resource == "run-templates" else 200)
    with pytest.raises(NotFoundException):
        getattr(api, f"get_{speech.noun}")(created.id)


def test_the_vendors_client_launches_reads_lists_and_deletes_a_run(
    client: CovalClient, parents: dict[str, str]
) -> None:
    request = models.CovalRunsAPILaunchRunRequest.from_dict(
        {
            "agent_id": parents["agent"],
            "persona_id": parents["persona"],
            "test_set_id": parents["test_set"],
            "metric_ids": ["abc123def456ghi789jklm"],
            "options": {"iteration_count": 2, "sub_sample_size": 3, "sub_sample_seed": 4},
            "metadata": {"display_name": "Friday", "tags": ["a", "b"], "customer": {"row": 7}},
        }
    )
    launched = client.runs.launch_run(request).run
    assert launched.status == "PENDING"
    run = client.runs.get_run(launched.run_id).run
    assert (run.status.value, run.agent_id, run.display_name, run.tags) == (
        "IN QUEUE",
        parents["agent"],
        "Friday",
        ["a", "b"],
    )
    assert run in client.runs.list_runs(page_size=1000, filter=f"test_set_id={parents['test_set']}").runs
    client.runs.delete_run(launched.run_id)
    with pytest.raises(NotFoundException):
        client.runs.get_run(launched.run_id)


def test_the_vendors_client_reads_the_metrics(client: CovalClient) -> None:
    metrics = client.metrics.list_metrics(order_by="metric_name").metrics
    names = [metric.metric_name for metric in metrics]
    assert names == sorted(names)
    assert client.metrics.get_metric(metrics[0].id).metric == metrics[0]


def test_the_vendors_client_walks_through_all_pages(client: CovalClient, parents: dict[str, str]) -> None:
    ids = {
        create(client, "test-cases", {"input_str": f"case {number}", "test_set_id": parents["test_set"]}).id
        for number in range(7)
    }
    seen: list[str] = []
    token = None
    while token is not None or not seen:
        page = client.test_cases.list_test_cases(
            filter=f"test_set_id={parents['test_set']}", page_size=3, page_token=token, order_by="create_time"
        )
        seen += [case.id for case in page.test_cases]
        token = page.next_page_token
    assert len(seen) == 7
    assert set(seen) == ids


def test_nested_turns_are_lifted_for_the_vendors_client(client: CovalClient, parents: dict[str, str]) -> None:
    body = {
        "input_str": "Call",
        "test_set_id": parents["test_set"],
        "input_type": "SCRIPT",
        "simulation_metadata_input": {"script_turns": ["Hi", "Bye"], "voice": "low"},
    }
    case = said(create(client, "test-cases", body))
    assert case["script_turns"] == ["Hi", "Bye"]
    assert case["simulation_metadata_input"] == {"voice": "low"}
    request = models.TestCasesAPIUpdateTestCaseRequest.from_dict({"input_type": "SCENARIO"})
    assert client.test_cases.update_test_case(case["id"], request).test_case.script_turns is None


def test_refusals_become_the_exceptions_of_the_vendors_client(
    client: CovalClient, sandbox: RunningSandbox, parents: dict[str, str]
) -> None:
    template = {"display_name": "T", "agent_ids": [parents["agent"]], "persona_ids": [parents["persona"]]}
    taken = client.test_sets.get_test_set(parents["test_set"]).test_set.slug
    with pytest.raises(ConflictException, match="slug"):
        create(client, "test-sets", {"display_name": "Again", "slug": taken})
    with pytest.raises(NotFoundException, match="test_set_id"):
        create(client, "test-cases", {"input_str": "x", "test_set_id": "aB1cD2eF"})
    with pytest.raises(BadRequestException, match="test_set_ids"):
        client.run_templates.create_run_template(
            models.CovalRunTemplatesAPICreateRunTemplateRequest.model_construct(**template)
        )
    create(client, "run-templates", {**template, "test_set_ids": [parents["test_set"]]})
    with pytest.raises(ConflictException):
        client.agents.delete_agent(parents["agent"])
    with (
        CovalClient("wrong", base_url=sandbox.base_url, retries=False) as stranger,
        pytest.raises(UnauthorizedException),
    ):
        stranger.agents.list_agents()

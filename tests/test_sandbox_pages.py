"""The sandbox under 2025-10 against the reference pages' own JSON examples, copied literally.

The examples name parents by id; those are put into the store under these ids first.
"""

import json
from typing import Any

import aiohttp
import pytest

from etl.sandbox import RunningSandbox, running_sandbox
from etl.sandbox.store import Room

CASE_REQUEST = """
{
  "input_str": "What is the weather today?",
  "test_set_id": "abc12345",
  "expected_behaviors": [
    "The weather is sunny."
  ],
  "expected_output_str": "The weather is sunny.",
  "expected_output_json": {},
  "description": "Test case for weather query",
  "input_type": "SCENARIO",
  "simulation_metadata_input": {},
  "metric_input": {},
  "user_notes": "Created for regression testing"
}
"""
"""Page "Create test case", request."""

CASE_ANSWER = """
{
  "test_case": {
    "name": "test-cases/abc123def456ghi789jklm",
    "id": "abc123def456ghi789jklm",
    "test_set_id": "abc12345",
    "input_str": "What is the weather today?",
    "expected_output_str": "The weather is sunny with a high of 75 degrees.",
    "expected_output_json": {
      "temperature": 75,
      "condition": "sunny"
    },
    "description": "Test case for weather query with sunny conditions",
    "input_type": "SCENARIO",
    "simulation_metadata_input": {
      "script_turns": [
        "Hi, I'd like to check my account balance.",
        "Yes, my account number is 12345.",
        "Thank you, goodbye."
      ]
    },
    "metric_input": {
      "expected_entities": [
        "weather",
        "temperature"
      ]
    },
    "user_notes": "Added for regression testing weather queries",
    "create_time": "2025-10-14T12:00:00Z",
    "update_time": "2025-10-15T14:30:00Z"
  }
}
"""
"""Page "Create test case", response."""

AGENT_REQUEST = """
{ "display_name": "Customer Support Voice Agent", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901", "prompt": "You are a helpful customer support agent...", "metadata": { "voice": "alloy", "model": "gpt-4o-realtime-preview" }, "workflows": { "edges": [ { "id": "edge-1", "source": "start", "target": "process-1" }, { "id": "edge-2", "source": "process-1", "target": "end" } ], "nodes": [ { "id": "start", "data": { "label": "Start", "description": "Agent is ready to handle a new call" }, "type": "start", "position": { "x": 250, "y": 0 } }, { "id": "process-1", "data": { "label": "Handle Call", "description": "Answer, greet, and assist the customer." }, "type": "process", "position": { "x": 250, "y": 150 } }, { "id": "end", "data": { "label": "End", "description": "Conclude the call politely." }, "type": "end", "position": { "x": 250, "y": 300 } } ] }, "metric_ids": [ "abc123def456ghi789jklm" ], "test_set_ids": [] }
"""  # noqa: E501 (as the page prints it)
"""Page "Create agent", request."""

AGENT_ANSWER = """
{ "agent": { "id": "abc123def456ghi789jklm", "display_name": "Customer Support Agent", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+1234567890", "endpoint": null, "prompt": "You are a helpful customer support agent...", "metadata": { "voice": "alloy", "model": "gpt-4o-realtime-preview" }, "workflows": {}, "metric_ids": [ "abc123def456ghi789jklm" ], "test_set_ids": [], "knowledge_base_ids": [], "create_time": "2025-10-14T12:00:00Z", "update_time": null } }
"""  # noqa: E501 (as the page prints it)
"""Page "Create agent", response."""

TEMPLATE_REQUEST = """
{ "display_name": "Voice Agent Test", "agent_id": "gk3jK9mPq2xRt5vW8yZaBc", "persona_id": "hL4kL0nQr3ySt6vX9zAcDd", "test_set_id": "aB1cD2eF" }
"""  # noqa: E501 (as the page prints it)
"""Page "Create run template", request."""

TEMPLATE_ANSWER = """
{ "run_template": { "name": "run-templates/abc123def456ghi789jklm", "id": "abc123def456ghi789jklm", "display_name": "Voice Agent Test", "description": "", "agent_id": "gk3jK9mPq2xRt5vW8yZaBc", "persona_id": "hL4kL0nQr3ySt6vX9zAcDd", "test_set_id": "aB1cD2eF", "metric_ids": [], "mutation_ids": [], "iteration_count": 1, "concurrency": 1, "sub_sample_size": 0, "sub_sample_seed": null, "metadata": {}, "create_time": "2025-10-14T12:00:00Z", "update_time": null } }
"""  # noqa: E501 (as the page prints it)
"""Page "Create run template", response."""

TEMPLATE_CHANGE = """
{
  "display_name": "Updated Template Name",
  "iteration_count": 5,
  "metadata": {
    "updated": true
  }
}
"""
"""Page "Update run template", request."""

CHANGED_TEMPLATE_ANSWER = """
{
  "run_template": {
    "name": "run-templates/abc123def456ghi789jklm",
    "id": "abc123def456ghi789jklm",
    "display_name": "Updated Template Name",
    "description": "",
    "agent_id": "gk3jK9mPq2xRt5vW8yZaBc",
    "persona_id": "hL4kL0nQr3ySt6vX9zAcDd",
    "test_set_id": "aB1cD2eF",
    "metric_ids": [],
    "mutation_ids": [],
    "iteration_count": 5,
    "concurrency": 1,
    "sub_sample_size": 0,
    "sub_sample_seed": null,
    "metadata": {
      "updated": true
    },
    "create_time": "2025-10-14T12:00:00Z",
    "update_time": "2025-10-15T14:30:00Z"
  }
}
"""
"""Page "Update run template", response."""

RUN_REQUEST = """
{ "agent_id": "gk3jK9mPq2xRt5vW8yZaBc", "persona_id": "hL4kL0nQr3ySt6vX9zAcDd", "test_set_id": "aB1cD2eF" }
"""
"""Page "Launch run", request."""

RUN_ANSWER = """
{
  "run": {
    "name": "runs/3zfmuDbVQsi4GaseDtiVcS",
    "run_id": "3zfmuDbVQsi4GaseDtiVcS",
    "status": "PENDING",
    "create_time": "2025-10-14T12:00:00Z"
  }
}
"""
"""Page "Launch run", response."""

PARENTS = {
    "test-sets": (("abc12345", {"display_name": "Weather"}), ("aB1cD2eF", {"display_name": "Voice"})),
    "agents": (("gk3jK9mPq2xRt5vW8yZaBc", {"display_name": "Agent"}),),
    "personas": (("hL4kL0nQr3ySt6vX9zAcDd", {"name": "Persona"}),),
}

ASSIGNED = {"name", "id", "run_id", "create_time", "update_time"}
"""What the API gives, so that it differs from the page's."""


async def send(sandbox: RunningSandbox, method: str, path: str, text: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers={"X-API-Key": sandbox.key, "Content-Type": "application/json"}) as session,
        session.request(method, f"{sandbox.base_url}{path}", data=text.encode()) as response,
    ):
        return response.status, await response.json()


def put_parents(sandbox: RunningSandbox) -> None:
    for resource, rows in PARENTS.items():
        for id_, fields in rows:
            sandbox.store.add(Room("", resource), id_, fields, None, "{}")


@pytest.mark.parametrize(
    ("path", "request_text", "answer_text", "status", "extras"),
    [
        ("/test-cases", CASE_REQUEST, CASE_ANSWER, 201, {"expected_behaviors"}),
        ("/agents", AGENT_REQUEST, AGENT_ANSWER, 201, set()),
        ("/run-templates", TEMPLATE_REQUEST, TEMPLATE_ANSWER, 201, set()),
        ("/runs", RUN_REQUEST, RUN_ANSWER, 200, set()),
    ],
)
async def test_a_pages_example_is_accepted_and_answered_with_the_pages_keys(
    path: str, request_text: str, answer_text: str, status: int, extras: set[str]
) -> None:
    async with running_sandbox() as sandbox:
        put_parents(sandbox)
        found, answer = await send(sandbox, "POST", path, request_text)
    assert found == status, answer
    ((noun, resource),), ((page_noun, on_page),) = answer.items(), json.loads(answer_text).items()
    assert noun == page_noun
    assert [key for key in resource if key not in extras] == list(on_page)
    assert set(resource) - set(on_page) == extras
    for key, value in json.loads(request_text).items():
        if key in resource:
            assert resource[key] == value


async def test_the_template_pages_request_gives_the_pages_answer_and_its_change_the_other_pages() -> None:
    async with running_sandbox() as sandbox:
        put_parents(sandbox)
        _, created = await send(sandbox, "POST", "/run-templates", TEMPLATE_REQUEST)
        template = created["run_template"]
        status, changed = await send(sandbox, "PATCH", f"/{template['name']}", TEMPLATE_CHANGE)
    assert status == 200
    for answer, page in ((created, TEMPLATE_ANSWER), (changed, CHANGED_TEMPLATE_ANSWER)):
        found, expected = answer["run_template"], json.loads(page)["run_template"]
        assert list(found) == list(expected)
        assert {key: value for key, value in found.items() if key not in ASSIGNED} == {
            key: value for key, value in expected.items() if key not in ASSIGNED
        }
    assert created["run_template"]["update_time"] is None
    assert changed["run_template"]["update_time"] > changed["run_template"]["create_time"]

"""The resource models against the reference pages, the API notes and the vendor's client."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from coval_sdk import models as sdk
from pydantic import BaseModel, ValidationError

from etl.problems import Code
from etl.resources import RESOURCES, Contract, Kind
from etl.resources.forms import json_size, pattern_in_words, url_fault
from tests.test_validators_table import ABSENT, GOOD, NEW, PRIVATE_URLS, TABLE, Case, faults_of

PAGES: list[tuple[str, dict[str, Any]]] = [
    (
        "run-templates",
        {
            "display_name": "Voice Agent Test",
            "agent_id": "gk3jK9mPq2xRt5vW8yZaBc",
            "persona_id": "hL4kL0nQr3ySt6vX9zAcDd",
            "test_set_id": "aB1cD2eF",
        },
    ),
    (
        "runs",
        {"agent_id": "gk3jK9mPq2xRt5vW8yZaBc", "persona_id": "hL4kL0nQr3ySt6vX9zAcDd", "test_set_id": "aB1cD2eF"},
    ),
    (
        "test-cases",
        {
            "input_str": "What is the weather today?",
            "test_set_id": "abc12345",
            "expected_behaviors": ["The weather is sunny."],
            "expected_output_str": "The weather is sunny.",
            "expected_output_json": {},
            "description": "Test case for weather query",
            "input_type": "SCENARIO",
            "simulation_metadata_input": {},
            "metric_input": {},
            "user_notes": "Created for regression testing",
        },
    ),
    (
        "agents",
        {
            "display_name": "Customer Support Voice Agent",
            "model_type": "MODEL_TYPE_VOICE",
            "phone_number": "+12345678901",
            "prompt": "You are a helpful customer support agent...",
            "metadata": {"voice": "alloy", "model": "gpt-4o-realtime-preview"},
            "workflows": {
                "edges": [
                    {"id": "edge-1", "source": "start", "target": "process-1"},
                    {"id": "edge-2", "source": "process-1", "target": "end"},
                ],
                "nodes": [
                    {
                        "id": "start",
                        "data": {"label": "Start", "description": "Agent is ready to handle a new call"},
                        "type": "start",
                        "position": {"x": 250, "y": 0},
                    },
                    {
                        "id": "process-1",
                        "data": {"label": "Handle Call", "description": "Answer, greet, and assist the customer."},
                        "type": "process",
                        "position": {"x": 250, "y": 150},
                    },
                    {
                        "id": "end",
                        "data": {"label": "End", "description": "Conclude the call politely."},
                        "type": "end",
                        "position": {"x": 250, "y": 300},
                    },
                ],
            },
            "metric_ids": ["abc123def456ghi789jklm"],
            "test_set_ids": [],
        },
    ),
]
"""The request examples of the reference pages, as printed."""

PATCH_EXAMPLE = {"display_name": "Updated Template Name", "iteration_count": 5, "metadata": {"updated": True}}


@pytest.mark.parametrize(("resource", "body"), PAGES, ids=[resource for resource, _ in PAGES])
def test_the_pages_own_request_examples_pass(resource: str, body: dict[str, Any]) -> None:
    model = RESOURCES[resource].create[Contract.V2025_10]
    assert model.model_validate_json(json.dumps(body)).model_dump(exclude_unset=True) == body


def test_the_fields_are_those_of_the_pages() -> None:
    listed = {
        "test-cases": """input_str test_set_id expected_behaviors expected_output_str expected_output_json description
            input_type simulation_metadata_input metric_input user_notes""",
        "agents": """display_name model_type phone_number endpoint prompt metadata workflows metric_ids test_set_ids""",
        "run-templates": """display_name agent_id persona_id test_set_id description metric_ids mutation_ids
            iteration_count concurrency sub_sample_size sub_sample_seed metadata""",
        "runs": """agent_id persona_id test_set_id metric_ids mutation_id mutation_ids persona_metrics options
            metadata""",
    }
    for resource, names in listed.items():
        assert set(RESOURCES[resource].create[Contract.V2025_10].model_fields) == set(names.split())


def test_the_defaults_are_those_of_the_pages() -> None:
    case = RESOURCES["test-cases"].create[Contract.V2025_10](**GOOD["test-cases"][Contract.V2025_10])
    template = RESOURCES["run-templates"].create[Contract.V2025_10](**GOOD["run-templates"][Contract.V2025_10])
    assert case.model_dump()["input_type"] == "SCENARIO"
    assert template.model_dump() == GOOD["run-templates"][Contract.V2025_10] | {
        "description": "",
        "metric_ids": [],
        "mutation_ids": [],
        "iteration_count": 1,
        "concurrency": 1,
        "sub_sample_size": 0,
        "sub_sample_seed": None,
        "metadata": {},
    }


SDK: dict[str, Any] = {
    "test-sets": sdk.TestSetsAPICreateTestSetRequest,
    "personas": sdk.CovalPersonasAPICreatePersonaRequest,
    "agents": sdk.CovalAgentsAPICreateAgentRequest,
    # The client's create model names only input_type and the turns; its update model has every field.
    "test-cases": sdk.TestCasesAPIUpdateTestCaseRequest,
    "run-templates": sdk.CovalRunTemplatesAPICreateRunTemplateRequest,
    "runs": sdk.CovalRunsAPILaunchRunRequest,
}


def accepted_by_sdk(model: Any, body: Mapping[str, Any]) -> bool:
    try:
        model.from_dict(body)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("case", [case for case in TABLE if case.contract in NEW], ids=lambda case: case.name)
def test_the_vendors_client_judges_a_body_alike(case: Case) -> None:
    """Every good body passes the client's models; a bad one fails too, where the client has the rule."""
    accepted = accepted_by_sdk(SDK[case.resource], case.body)
    assert accepted == (case.code is None or case.lax)
    if case.resource == "test-cases" and case.code is None:
        assert accepted_by_sdk(sdk.TestCasesAPICreateTestCaseRequest, case.body)


def test_an_update_takes_every_field_that_a_create_takes() -> None:
    for resource in RESOURCES.values():
        if resource.updatable:
            for contract in Contract:
                assert set(resource.create[contract].model_fields) <= set(resource.update[contract].model_fields)


def _updates(resource: str, contract: Contract = Contract.V2025_10) -> type[BaseModel]:
    return RESOURCES[resource].update[contract]


@pytest.mark.parametrize("resource", [resource.name for resource in RESOURCES.values() if resource.updatable])
@pytest.mark.parametrize("contract", Contract)
def test_an_update_needs_no_field_and_keeps_the_limits_of_each(resource: str, contract: Contract) -> None:
    """Every single change of the table is an update that is judged like the create, conditions between fields apart."""
    model, fields = _updates(resource, contract), RESOURCES[resource].fields(contract)
    assert model.model_validate_json("{}").model_fields_set == set()
    conditions = {Code.REQUIRED, Code.MISSING_TURNS}
    for case in TABLE:
        if (case.resource, case.contract) != (resource, contract) or len(case.changes) != 1:
            continue
        ((path, value),) = case.changes.items()
        if value is None or value is ABSENT or "." in path or case.code in conditions:
            continue
        if path in model.model_fields and path not in fields:
            continue  # an update that takes more than a create
        expected = [] if case.code is None else [(case.code, case.field)]
        assert faults_of(model, {path: value}, fields) == expected, case.name


def test_the_pages_update_example_passes_and_changes_what_it_names() -> None:
    update = _updates("run-templates").model_validate_json(json.dumps(PATCH_EXAMPLE))
    assert update.model_dump(exclude_unset=True) == PATCH_EXAMPLE
    assert update.changes() == PATCH_EXAMPLE  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({}, {}),
        ({"metric_ids": None, "mutation_ids": None, "metadata": None}, {}),
        (
            {"metric_ids": [], "mutation_ids": [], "metadata": {}},
            {"metric_ids": [], "mutation_ids": [], "metadata": {}},
        ),
        ({"sub_sample_seed": None}, {"sub_sample_seed": None}),
        ({"sub_sample_seed": 7, "metadata": None}, {"sub_sample_seed": 7}),
        ({"description": ""}, {"description": ""}),
    ],
)
def test_null_in_a_template_update_means_no_change_but_for_the_seed(
    given: dict[str, Any], changed: dict[str, Any]
) -> None:
    update = _updates("run-templates").model_validate_json(json.dumps(given))
    assert update.changes() == changed  # type: ignore[attr-defined]
    assert accepted_by_sdk(sdk.CovalRunTemplatesAPIUpdateRunTemplateRequest, given)


@pytest.mark.parametrize(
    "field",
    [
        *("display_name", "description", "agent_id", "persona_id"),
        *("test_set_id", "iteration_count", "concurrency", "sub_sample_size"),
    ],
)
def test_the_other_fields_of_a_template_update_may_be_absent_but_not_null(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        _updates("run-templates").model_validate_json(json.dumps({field: None}))


def test_every_pattern_has_words_for_a_person() -> None:
    specs = [
        spec for resource in RESOURCES.values() for contract in Contract for spec in resource.fields(contract).values()
    ]
    patterns = {spec.pattern for spec in [*specs, *(spec.item for spec in specs if spec.item)] if spec.pattern}
    assert len(patterns) >= 5
    assert [pattern for pattern in patterns if "matches" in pattern_in_words(pattern)] == []


def test_the_specs_carry_the_limits_that_the_models_hold() -> None:
    agents = RESOURCES["agents"].fields(Contract.V2026_10)
    assert (agents["display_name"].min_length, agents["display_name"].max_length) == (1, 200)
    assert agents["display_name"].required
    assert agents["phone_number"].judged
    assert agents["metadata"].kind is Kind.OBJECT
    assert agents["metadata.custom_headers"].kind is Kind.JSON
    tags = agents["tags"].item
    assert tags is not None
    assert (agents["tags"].max_items, tags.min_length, tags.max_length) == (20, 1, 200)
    templates = RESOURCES["run-templates"].fields(Contract.V2025_10)
    assert (templates["iteration_count"].minimum, templates["iteration_count"].maximum) == (1, 100)


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_private_addresses_are_refused_in_every_spelling(url: str) -> None:
    assert "public" in (url_fault(url, ("http",), public=True) or "")
    assert url_fault(url, ("http",), public=False) is None


@pytest.mark.parametrize(("value", "size"), [("é", 2), ({"a": "é"}, 10), ([1, None], 8), ({}, 2), ("", 0)], ids=repr)
def test_sizes_are_bytes_of_compact_utf8(value: Any, size: int) -> None:
    assert json_size(value) == size


def test_rows_can_never_refer_to_each_other_in_a_circle() -> None:
    """What refers comes after what it refers to, and nothing refers to its own kind: an order always exists."""
    order = list(RESOURCES)
    for place, resource in enumerate(RESOURCES.values()):
        for reference in resource.references:
            assert reference.resource not in order[place:], f"{resource.name}.{reference.path}"

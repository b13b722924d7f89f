"""What no page forbids and a person should look at: simulations without number, variables that stand for nothing."""

import json
from typing import Any

import pytest

from etl.resources import Contract
from tests.test_validators import NEW, OLD, problems_of
from tests.test_validators_table import GOOD

IDS22 = [f"{number:022d}" for number in range(60)]
IDS26 = [f"{number:026d}" for number in range(60)]


@pytest.mark.parametrize(
    ("resource", "contract", "cells", "says"),
    [
        ("runs", OLD, {"options.iteration_count": "50"}, None),
        ("runs", OLD, {"options.iteration_count": "50", "mutation_ids": IDS26[:1]}, None),
        (
            "runs",
            OLD,
            {"options.iteration_count": "50", "mutation_ids": IDS26[:2]},
            "it would start 150 simulations for each test case:",
        ),
        ("runs", OLD, {"options.test_case_ids": IDS22[:20], "options.iteration_count": "50"}, None),
        (
            "runs",
            NEW,
            {"options.test_case_ids": IDS22[:21], "options.iteration_count": "50"},
            "it would start 1,050 simulations:",
        ),
        ("runs", OLD, {"options.sub_sample_size": "1000"}, None),
        ("run-templates", OLD, {"iteration_count": "100"}, None),
        (
            "run-templates",
            OLD,
            {"iteration_count": "100", "sub_sample_size": "11"},
            "it would start 1,100 simulations:",
        ),
        ("run-templates", NEW, {"iteration_count": "100", "mutation_ids": IDS26[:9], "sub_sample_size": "1"}, None),
    ],
)
def test_very_many_simulations_are_a_warning(
    resource: str, contract: Contract, cells: dict[str, Any], says: str | None
) -> None:
    found = problems_of(resource, contract, {**GOOD[resource][contract], **cells})
    assert [(one.severity, one.code) for one in found] == [("warning", "many_simulations")] * (says is not None)
    assert all(one.message.startswith(says or "") for one in found)


@pytest.mark.parametrize(
    ("key", "value", "ends"),
    [
        ("input_template", '{"id": "{{sessionId}}", "n": {{ init_response.data.token }}}', None),
        ("input_template", '{"who": "{{persona.name}} {{custom_data.a.b}} {{messages}}"}', None),
        ("input_template", '{"id": "{{session_id}}"}', "(did you mean {{sessionId}}?)."),
        ("input_template", '{"id": "{{custom_dat.tier}}"}', "(did you mean {{custom_data.tier}}?)."),
        ("input_template", '{"id": "{{customer}}"}', None),
        ("initialization_payload", {"a": ["{{zzz}}"]}, "{{custom_data.…}}."),
        ("custom_headers", '{"X-Id": "{{zzz}}"}', "{{custom_data.…}}."),
        ("custom_data", '{"X-Id": "{{zzz}}"}', None),
    ],
)
@pytest.mark.parametrize("contract", [OLD, NEW])
def test_a_variable_that_nothing_is_put_in_for_is_a_warning(
    contract: Contract, key: str, value: Any, ends: str | None
) -> None:
    metadata = {"chat_endpoint": "https://api.example.com/chat", key: value}
    row = {"display_name": "A", "model_type": "MODEL_TYPE_CHAT", "metadata": json.dumps(metadata)}
    found = problems_of("agents", contract, row)
    if ends is None and "{{customer}}" not in str(value):
        assert found == []
        return
    assert [(one.severity, one.code, one.field) for one in found] == [
        ("warning", "unknown_variable", f"metadata.{key}")
    ]
    assert found[0].message.endswith(ends or "")
    assert ("zzz" in found[0].message) == (key == "initialization_payload")


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (
            r'{"a": "\ud83d\ude00 \uD83D!"}',
            r"metric_input holds \uD83D, which is half of a character; write the whole one",
        ),
        (
            r'{"a": "\ude00\ud83d\ude00"}',
            r"metric_input holds \ude00, which is half of a character; write the whole one",
        ),
    ],
)
def test_a_cell_that_no_body_can_hold_is_told_with_what_would_do(cell: str, says: str) -> None:
    (found,) = problems_of("test-cases", OLD, {**GOOD["test-cases"][OLD], "metric_input": cell})
    assert found.code == "malformed_json"
    assert says in found.message

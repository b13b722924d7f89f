"""Rows of simulated jobs: few words, so that many are equal or nearly so, and some that the API refuses.

It must never know how they are sent.
"""

from random import Random
from typing import Any

from etl.resources import AGENTS, RUN_TEMPLATES, RUNS, TEST_CASES, Contract, Resource
from tests.simulation.server import REFUSED_WORD

TEST_SETS = ("set00001", "set00002")
_WORDS = ("refund", "late parcel", "two bills", "no dial tone", "change of address")


def draw_body(random: Random, resource: Resource, contract: Contract, number: int, variety: int) -> dict[str, Any]:
    """A body. `variety`: from how many texts one is drawn; `number` tells rows apart that must differ."""
    words = f"{random.choice(_WORDS)} {random.randrange(variety)}"
    if random.random() < 0.04:
        words = f"{words} {REFUSED_WORD}"
    if resource is TEST_CASES:
        return _test_case(random, contract, words)
    if resource is AGENTS:
        return _agent(random, contract, words, number)
    if resource is RUN_TEMPLATES:
        return _template(random, contract, words)
    if resource is RUNS:
        return {
            "agent_id": "a" * 22,
            "persona_id": "p" * 22,
            "test_set_id": TEST_SETS[0],
            "metadata": {"tags": [words]},
        }
    raise ValueError(resource.name)


def omittable(resource: Resource) -> tuple[str, ...]:
    """Fields that an API may keep to itself."""
    if resource is TEST_CASES:
        return ("expected_behaviors", "expected_output_str", "description", "user_notes", "metric_input")
    return ("prompt", "description")


def _test_case(random: Random, contract: Contract, words: str) -> dict[str, Any]:
    body: dict[str, Any] = {"input_str": words, "test_set_id": TEST_SETS[random.random() < 0.15]}
    if random.random() < 0.6:
        body["expected_behaviors"] = [f"says {random.randrange(2)}"] * random.choice((1, 1, 2))
    elif random.random() < 0.3:
        body["expected_output_str"] = f"says {random.randrange(2)}"
    if random.random() < 0.3:
        body["description"] = random.choice((None, "", "as heard", "as read"))
    if random.random() < 0.2:
        body["metric_input"] = random.choice(({}, {"limit": 3}, {"limit": 3.5, "of": [1, 2]}))
    if random.random() < 0.3:
        turns = [f"hello {random.randrange(2)}", "bye"]
        body["input_type"] = "SCRIPT"
        if contract is Contract.V2026_10 and random.random() < 0.7:
            body["script_turns"] = turns
        else:
            body["simulation_metadata_input"] = {
                "script_turns": turns,
                **({"pace": 1} if random.random() < 0.3 else {}),
            }
    return body


def _agent(random: Random, contract: Contract, words: str, number: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "display_name": words,
        "model_type": "MODEL_TYPE_CHAT",
        "metadata": {"chat_endpoint": "https://chat.example/v1"},
    }
    if contract is Contract.V2026_10 and random.random() < 0.7:
        body["customer_agent_id"] = f"agent-{number}"
    if random.random() < 0.4:
        body["prompt"] = f"You are {random.randrange(3)}."
    return body


def _template(random: Random, contract: Contract, words: str) -> dict[str, Any]:
    body: dict[str, Any] = {"display_name": words, "iteration_count": random.choice((1, 2))}
    if contract is Contract.V2026_10:
        return body | {"agent_ids": ["a" * 22], "persona_ids": ["p" * 22], "test_set_ids": [TEST_SETS[0]]}
    return body | {"agent_id": "a" * 22, "persona_id": "p" * 22, "test_set_id": TEST_SETS[0]}

"""How a body becomes what is kept, and how what is kept becomes an answer, in the words of either contract.

It must never know where resources are kept, nor check anything. Resources are kept in the words of 2026-10, so that one
data file serves both contracts.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.resources import Contract
from etl.resources.dialects import PLURALS
from etl.sandbox.store import Stored

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AUTHOR = "sandbox"


_TRACES = ("created_at", "created_by", "updated_at", "updated_by")

_SHAPES: Mapping[str, tuple[str, str]] = {
    "agents": (
        """id display_name model_type phone_number endpoint prompt metadata workflows metric_ids test_set_ids
        knowledge_base_ids create_time update_time""",
        "customer_agent_id language attributes tags",
    ),
    "test-sets": (
        """name id slug display_name description test_set_type test_set_metadata parameters create_time
        update_time""",
        "tags",
    ),
    "test-cases": (
        """name id test_set_id input_str expected_behaviors expected_output_str expected_output_json description
        input_type simulation_metadata_input metric_input user_notes create_time update_time""",
        "script_turns",
    ),
    "personas": (
        """resource_name id name persona_prompt voice_name language_code background_sound background_sound_volume
        voice_volume voice_speed wait_seconds conversation_initiation interruption_rate
        interruption_instructions_enabled multi_language_stt hold_music_timeout_seconds silent_mode
        custom_persona_data initialization_parameters create_time update_time""",
        "tags",
    ),
    "run-templates": (
        """name id display_name description agent_id persona_id test_set_id metric_ids mutation_ids
        iteration_count concurrency sub_sample_size sub_sample_seed metadata create_time update_time""",
        "agent_ids persona_ids test_set_ids test_case_ids tags",
    ),
    "runs": (
        """name run_id display_name status create_time update_time agent_id persona_id test_set_id tags
        metadata""",
        "",
    ),
    "metrics": ("name id metric_name description metric_type create_time update_time", ""),
}
"""The keys of an answer: those of 2025-10 (in the order of the pages' examples; the pages that show no answer: as in
2026-10), and those that 2026-10 adds."""

_GONE_IN_2026 = {
    "test-cases": frozenset({"expected_output_str"}),
    "run-templates": frozenset(PLURALS),
}

_UNTRACED = frozenset({"runs"})
"""Resources whose 2026-10 answers have no `created_at` and the like (vendor's client 0.9.7)."""


def _keys(resource: str, contract: Contract) -> tuple[str, ...]:
    old, new = (keys.split() for keys in _SHAPES[resource])
    if contract is Contract.V2025_10:
        return tuple(old)
    gone = _GONE_IN_2026.get(resource, frozenset())
    traces = () if resource in _UNTRACED else _TRACES
    return (*(key for key in old if key not in gone), *new, *traces)


_KEYS = {(resource, contract): _keys(resource, contract) for resource in _SHAPES for contract in Contract}

_LAUNCHED = ("name", "run_id", "status", "create_time")

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "agents": {
        "metadata": {},
        "workflows": {},
        "metric_ids": [],
        "test_set_ids": [],
        "knowledge_base_ids": [],
        "attributes": {},
        "tags": [],
    },
    "test-sets": {"test_set_metadata": {}, "parameters": {}, "tags": []},
    "test-cases": {
        "expected_output_json": {},
        "input_type": "SCENARIO",
        "simulation_metadata_input": {},
        "metric_input": {},
    },
    "personas": {"interruption_rate": "NONE", "interruption_instructions_enabled": False, "tags": []},
    "run-templates": {
        "description": "",
        "metric_ids": [],
        "mutation_ids": [],
        "iteration_count": 1,
        "concurrency": 1,
        "sub_sample_size": 0,
        "metadata": {},
        "tags": [],
    },
    "runs": {"metadata": {}, "tags": []},
    "metrics": {},
}
"""What an answer says where nothing was given; null for all else."""


def kept_form(resource: str, contract: Contract, body: Mapping[str, Any]) -> dict[str, Any]:
    """A create body, or the changes of a PATCH, in the words in which they are kept."""
    fields = dict(body)
    if resource == "test-cases":
        _keep_expected(fields)
        _keep_turns(fields, contract)
    elif resource == "run-templates" and contract is Contract.V2025_10:
        for one, many in PLURALS.items():
            if one in fields:
                fields[many] = [fields.pop(one)]
    elif resource == "runs":
        fields["status"] = "IN QUEUE"
    return fields


def _keep_expected(fields: dict[str, Any]) -> None:
    """`expected_output_str` alone is wrapped into `expected_behaviors`; beside it, it is let go (create page)."""
    if "expected_output_str" in fields:
        text = fields.pop("expected_output_str")
        if fields.get("expected_behaviors") is None:
            fields["expected_behaviors"] = None if text is None else [text]


def _keep_turns(fields: dict[str, Any], contract: Contract) -> None:
    """Nested `script_turns` are lifted to the top. Under 2025-10 they are a part of the object, replaced with it."""
    nested = fields.get("simulation_metadata_input")
    if nested is None:
        return
    fields["simulation_metadata_input"] = {key: value for key, value in nested.items() if key != "script_turns"}
    turns = nested.get("script_turns")
    if contract is Contract.V2025_10 or (turns is not None and not fields.get("script_turns")):
        fields["script_turns"] = turns


def merged(resource: str, old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept after a PATCH, both in the words in which they are kept. Leaving SCRIPT clears the turns."""
    fields = {**old, **changes}
    leaves_script = old.get("input_type") == "SCRIPT" != fields.get("input_type")
    if resource == "test-cases" and leaves_script:
        fields["script_turns"] = None
    return fields


def contract_form(resource: str, contract: Contract, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept, in the words of a contract: a create body again."""
    body = dict(fields)
    if resource == "test-cases" and contract is Contract.V2025_10:
        body["expected_output_str"] = _one_text(body.get("expected_behaviors"))
        turns = body.pop("script_turns", None)
        if turns is not None:
            body["simulation_metadata_input"] = {**(body.get("simulation_metadata_input") or {}), "script_turns": turns}
    elif resource == "run-templates" and contract is Contract.V2025_10:
        for one, many in PLURALS.items():
            body[one] = body.pop(many)[0]
    elif resource == "runs":
        metadata = body.get("metadata") or {}
        body |= {"display_name": metadata.get("display_name"), "tags": metadata.get("tags")}
    return body


def _one_text(behaviors: list[str] | None) -> str | None:
    return "\n".join(behaviors) if behaviors else None


def answer(resource: str, contract: Contract, stored: Stored) -> dict[str, Any]:
    """A resource as GET, list, create and PATCH answer it, exactly with the keys of the contract."""
    given = contract_form(resource, contract, stored.fields)
    known = {
        **_DEFAULTS[resource],
        **{key: value for key, value in given.items() if value is not None},
        **_identity(resource, stored),
        **_times(stored),
    }
    return {key: known.get(key) for key in _KEYS[resource, contract]}


def launch_answer(stored: Stored) -> dict[str, Any]:
    """A run as its launch answers it (launch page); from then on it is IN QUEUE."""
    known = {**_identity("runs", stored), **_times(stored), "status": "PENDING"}
    return {key: known[key] for key in _LAUNCHED}


def _identity(resource: str, stored: Stored) -> dict[str, Any]:
    name = f"{resource}/{stored.id}"
    if resource == "personas":
        return {"id": stored.id, "resource_name": name}
    if resource == "runs":
        return {"run_id": stored.id, "name": name}
    return {"id": stored.id, "name": name}


def _times(stored: Stored) -> dict[str, str | None]:
    created = rfc3339(stored.created_us)
    updated = None if stored.updated_us is None else rfc3339(stored.updated_us)
    return {
        "create_time": created,
        "update_time": updated,
        "created_at": created,
        "created_by": _AUTHOR,
        "updated_at": updated or created,
        "updated_by": _AUTHOR,
    }


def rfc3339(moment_us: int) -> str:
    """Microseconds since 1970 as `2025-10-14T12:00:00.000000Z`."""
    text = (_EPOCH + timedelta(microseconds=moment_us)).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"


def own_key(resource: str, fields: Mapping[str, Any]) -> str | None:
    """What no other resource of the workspace may have: the slug of a test set, the `customer_agent_id` of an agent."""
    if resource == "test-sets":
        return str(fields["slug"])
    if resource == "agents":
        return str(fields["customer_agent_id"])
    return None


def with_made_keys(resource: str, id_: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A new resource's fields with the keys that the API makes itself: slug from the name, `customer_agent_id`."""
    if resource == "test-sets" and fields.get("slug") is None:
        fields["slug"] = _slug(fields["display_name"]) or f"test-set-{id_.lower()}"
    elif resource == "agents" and fields.get("customer_agent_id") is None:
        fields["customer_agent_id"] = id_
    return fields


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:100]

"""A table of request bodies, good and broken by exactly one rule, judged by the models and by `check` alike.

The vendor's client judges the same table in `test_resources.py`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
import pytest
from pydantic import BaseModel, ValidationError

from etl.batch import ROW, Batch, Origin
from etl.problems import Code, Severity
from etl.resources import RESOURCES, Contract, FieldSpec, Kind
from etl.resources.forms import KB, MB
from etl.validators import MakeBodies, check
from etl.validators.translation import translate

OLD, NEW = (Contract.V2025_10,), (Contract.V2026_10,)
BOTH = OLD + NEW

AGENT, AGENT_2, PERSONA = "gk3jK9mPq2xRt5vW8yZaBc", "aB1cD2eF3gH4iJ5kL6mN7o", "hL4kL0nQr3ySt6vX9zAcDd"
METRIC, TEST_SET, TEST_CASE = "iM5lM1oRs4zTu7wY0aBdEe", "aB1cD2eF", "abc123def456ghi789jklm"
MUTATION = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

ABSENT = object()

GOOD: dict[str, dict[Contract, dict[str, Any]]] = {
    "test-sets": {contract: {"display_name": "Billing"} for contract in BOTH},
    "personas": {contract: {"name": "Ana", "voice_name": "aria", "language_code": "en-US"} for contract in BOTH},
    "agents": {
        contract: {"display_name": "Support", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
        for contract in BOTH
    },
    "test-cases": {contract: {"input_str": "Ask for a refund", "test_set_id": TEST_SET} for contract in BOTH},
    "run-templates": {
        Contract.V2025_10: {
            "display_name": "Nightly",
            "agent_id": AGENT,
            "persona_id": PERSONA,
            "test_set_id": TEST_SET,
        },
        Contract.V2026_10: {
            "display_name": "Nightly",
            "agent_ids": [AGENT],
            "persona_ids": [PERSONA],
            "test_set_ids": [TEST_SET],
        },
    },
    "runs": {contract: {"agent_id": AGENT, "persona_id": PERSONA, "test_set_id": TEST_SET} for contract in BOTH},
}


class Case(NamedTuple):
    """A good body with one change, and what it breaks: a code and a field, or nothing."""

    resource: str
    contract: Contract
    changes: Mapping[str, Any]
    code: Code | None
    field: str | None
    lax: bool
    """True where the vendor's client has no such rule, or has it elsewhere than in its request models."""

    @property
    def body(self) -> dict[str, Any]:
        body = json.loads(json.dumps(GOOD[self.resource][self.contract]))
        for path, value in self.changes.items():
            *parents, last = path.split(".")
            holder = body
            for name in parents:
                holder = holder.setdefault(name, {})
            if value is ABSENT:
                del holder[last]
            else:
                holder[last] = value
        return body

    @property
    def name(self) -> str:
        shown = json.dumps(self.changes, default=lambda _: "absent")
        return f"{self.resource} {self.contract} {shown[:60]} {self.code or 'good'}"


def good(resource: str, contracts: tuple[Contract, ...], *bodies: Mapping[str, Any]) -> Iterator[Case]:
    for changes in bodies:
        for contract in contracts:
            yield Case(resource, contract, changes, None, None, lax=False)


def bad(
    resource: str,
    contracts: tuple[Contract, ...],
    code: Code,
    field: str,
    *bodies: Mapping[str, Any],
    lax: bool = False,
) -> Iterator[Case]:
    for changes in bodies:
        for contract in contracts:
            yield Case(resource, contract, changes, code, field, lax=lax)


def json_of(size: int) -> str:
    """JSON text of exactly so many bytes."""
    return json.dumps("x" * (size - 2))


def object_of(size: int) -> dict[str, str]:
    """A JSON object of exactly so many bytes."""
    return {"k": "x" * (size - len('{"k":""}'))}


def _test_cases() -> Iterator[Case]:
    name = "test-cases"
    yield from good(
        name,
        BOTH,
        {},
        {"input_str": "x"},
        {"input_str": "é" * 100_000},
        {"test_set_id": "........"},
        {"test_set_id": "ééééé日本語"},
        {"expected_behaviors": None},
        {"expected_behaviors": []},
        {"expected_behaviors": ["Greets", "", "Closes"]},
        {"expected_output_str": None},
        {"expected_output_str": "Sunny"},
        {"expected_output_json": {"a": [1, None, {"b": 1.0}]}},
        {"description": None},
        {"description": ""},
        {"user_notes": None},
        {"input_type": None},
        *({"input_type": word} for word in ("SCENARIO", "TRANSCRIPT", "IVR", "AUDIO", "MANUAL")),
        {"input_type": "SCRIPT", "simulation_metadata_input": {"script_turns": ["Hi", "Bye"]}},
        {"simulation_metadata_input": {"anything": {"goes": True}}},
        {"metric_input": {"expected_entities": ["weather"]}},
    )
    yield from good(
        name,
        NEW,
        {"expected_output_json": None},
        {"simulation_metadata_input": None},
        {"metric_input": None},
        {"input_type": "SCRIPT", "script_turns": ["Hi"]},
        {"input_type": "SCRIPT", "script_turns": [{"type": "text", "text": "Hi"}, {"type": "skip"}]},
        {"input_type": "SCRIPT", "script_turns": [{"type": "dtmf", "digits": "1234#*+(). -"}]},
        {"input_type": "SCRIPT", "simulation_metadata_input": {"script_turns": [{"type": "skip"}]}},
    )
    yield from bad(name, BOTH, Code.REQUIRED, "input_str", {"input_str": ABSENT}, lax=True)
    yield from bad(name, BOTH, Code.REQUIRED, "test_set_id", {"test_set_id": ABSENT}, lax=True)
    yield from bad(name, BOTH, Code.TOO_SHORT, "input_str", {"input_str": ""})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "input_str", {"input_str": 5}, {"input_str": ["x"]})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "input_str", {"input_str": None}, lax=True)
    yield from bad(name, BOTH, Code.TOO_SHORT, "test_set_id", {"test_set_id": ""}, {"test_set_id": "abc1234"})
    yield from bad(name, BOTH, Code.TOO_SHORT, "test_set_id", {"test_set_id": "日本語"}, {"test_set_id": "ééééééé"})
    yield from bad(name, BOTH, Code.TOO_LONG, "test_set_id", {"test_set_id": "abc123456"}, {"test_set_id": "é" * 9})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "test_set_id", {"test_set_id": 12345678})
    yield from bad(
        name,
        BOTH,
        Code.WRONG_TYPE,
        "expected_behaviors",
        {"expected_behaviors": "Greets"},
        {"expected_behaviors": ["Greets", 5]},
        {"expected_behaviors": [None]},
        {"expected_behaviors": {"0": "Greets"}},
    )
    yield from bad(name, BOTH, Code.WRONG_TYPE, "expected_output_str", {"expected_output_str": ["Sunny"]})
    yield from bad(
        name,
        BOTH,
        Code.WRONG_TYPE,
        "expected_output_json",
        {"expected_output_json": []},
        {"expected_output_json": "{}"},
    )
    yield from bad(name, OLD, Code.WRONG_TYPE, "expected_output_json", {"expected_output_json": None})
    yield from bad(name, OLD, Code.WRONG_TYPE, "metric_input", {"metric_input": None})
    yield from bad(name, OLD, Code.WRONG_TYPE, "simulation_metadata_input", {"simulation_metadata_input": None})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "description", {"description": {}})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "user_notes", {"user_notes": 1})
    yield from bad(
        name,
        BOTH,
        Code.NOT_AN_OPTION,
        "input_type",
        {"input_type": "scenario"},
        {"input_type": ""},
        {"input_type": "IVR_CRAWL"},
    )
    for contracts, field in ((OLD, "simulation_metadata_input.script_turns"), (NEW, "script_turns")):
        yield from bad(
            name,
            contracts,
            Code.MISSING_TURNS,
            field,
            {"input_type": "SCRIPT"},
            {"input_type": "SCRIPT", "simulation_metadata_input": {}},
            {"input_type": "SCRIPT", "simulation_metadata_input": {"script_turns": []}},
            {"input_type": "SCRIPT", "simulation_metadata_input": {"script_turns": None}},
            lax=True,
        )
    yield from bad(
        name,
        OLD,
        Code.WRONG_TYPE,
        "simulation_metadata_input.script_turns",
        {"simulation_metadata_input": {"script_turns": "Hi"}},
        {"simulation_metadata_input": {"script_turns": [{"type": "skip"}]}},
    )
    yield from bad(name, OLD, Code.UNKNOWN_FIELD, "script_turns", {"script_turns": ["Hi"]})
    yield from bad(name, BOTH, Code.UNKNOWN_FIELD, "metadata", {"metadata": {}}, lax=True)
    yield from bad(name, NEW, Code.TOO_SHORT, "script_turns", {"script_turns": [""]})
    yield from bad(name, NEW, Code.TOO_SHORT, "script_turns", {"script_turns": [{"type": "text", "text": ""}]})
    yield from bad(
        name, NEW, Code.REQUIRED, "script_turns", {"script_turns": [{"type": "text"}]}, {"script_turns": [{}]}
    )
    yield from bad(name, NEW, Code.WRONG_FORM, "script_turns", {"script_turns": [{"type": "dtmf", "digits": "A"}]})
    yield from bad(name, NEW, Code.NOT_AN_OPTION, "script_turns", {"script_turns": [{"type": "wait"}]})
    yield from bad(name, NEW, Code.WRONG_TYPE, "script_turns", {"script_turns": [5]})
    yield from bad(name, NEW, Code.WRONG_TYPE, "script_turns", {"script_turns": "Hi"}, lax=True)
    yield from bad(
        name, NEW, Code.UNKNOWN_FIELD, "script_turns", {"script_turns": [{"type": "skip", "x": 1}]}, lax=True
    )


def _test_sets() -> Iterator[Case]:
    name = "test-sets"
    yield from good(
        name,
        BOTH,
        {},
        {"display_name": "x" * 100},
        {"slug": "a"},
        {"slug": "a-b_9" * 20},
        {"slug": None, "description": None, "test_set_type": None, "test_set_metadata": None, "parameters": None},
        {"test_set_type": "x" * 50},
        {"parameters": {"name": ["Alice", "Bob"]}},
    )
    yield from good(name, NEW, {"tags": []}, {"tags": ["x"] * 50}, {"tags": None})
    yield from bad(name, BOTH, Code.REQUIRED, "display_name", {"display_name": ABSENT})
    yield from bad(name, BOTH, Code.TOO_SHORT, "display_name", {"display_name": ""})
    yield from bad(name, BOTH, Code.TOO_LONG, "display_name", {"display_name": "x" * 101})
    yield from bad(name, BOTH, Code.TOO_SHORT, "slug", {"slug": ""})
    yield from bad(name, BOTH, Code.TOO_LONG, "slug", {"slug": "a" * 101})
    yield from bad(name, BOTH, Code.WRONG_FORM, "slug", {"slug": "Billing"}, {"slug": "a b"}, {"slug": "é"})
    yield from bad(name, BOTH, Code.WRONG_FORM, "slug", {"slug": "a\n"}, lax=True)
    yield from bad(name, BOTH, Code.TOO_LONG, "test_set_type", {"test_set_type": "x" * 51})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "test_set_metadata", {"test_set_metadata": []})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "parameters", {"parameters": "{}"})
    yield from bad(name, OLD, Code.UNKNOWN_FIELD, "tags", {"tags": []})
    yield from bad(name, NEW, Code.WRONG_TYPE, "tags", {"tags": [1]})


def _personas() -> Iterator[Case]:
    name = "personas"
    yield from good(
        name,
        BOTH,
        {},
        {"name": "x" * 200},
        {"voice_volume": 0},
        {"voice_volume": 2.0},
        {"voice_speed": 0.25},
        {"wait_seconds": 0.1},
        {"wait_seconds": 2},
        {"background_sound_volume": 1e6},
        {"hold_music_timeout_seconds": 5},
        {"hold_music_timeout_seconds": 300},
        {"conversation_initiation": "wait_for_user"},
        {"interruption_rate": "NONE"},
        {"silent_mode": False},
        {"custom_persona_data": "x" * 16_383},
        {"initialization_parameters": {}},
        {"background_sound": "office", "persona_prompt": None},
        {"background_sound": "custom:surf-1"},
    )
    yield from good(name, NEW, {"tags": ["x" * 200] * 20})
    for field in ("name", "voice_name", "language_code"):
        yield from bad(name, BOTH, Code.REQUIRED, field, {field: ABSENT})
        yield from bad(name, BOTH, Code.WRONG_TYPE, field, {field: None})
    yield from bad(name, BOTH, Code.TOO_SHORT, "name", {"name": ""})
    yield from bad(name, BOTH, Code.TOO_LONG, "name", {"name": "x" * 201})
    yield from bad(name, BOTH, Code.OUT_OF_RANGE, "voice_volume", {"voice_volume": -0.1}, {"voice_volume": 2.01})
    yield from bad(name, BOTH, Code.OUT_OF_RANGE, "voice_speed", {"voice_speed": 0.24}, {"voice_speed": 3})
    yield from bad(name, BOTH, Code.OUT_OF_RANGE, "wait_seconds", {"wait_seconds": 0.09}, {"wait_seconds": 2.1})
    yield from bad(name, BOTH, Code.OUT_OF_RANGE, "background_sound_volume", {"background_sound_volume": -1})
    yield from bad(
        name,
        BOTH,
        Code.OUT_OF_RANGE,
        "hold_music_timeout_seconds",
        {"hold_music_timeout_seconds": 4.9},
        {"hold_music_timeout_seconds": 301},
    )
    yield from bad(name, BOTH, Code.NOT_A_NUMBER, "wait_seconds", {"wait_seconds": "1"}, {"wait_seconds": True})
    yield from bad(name, BOTH, Code.NOT_A_BOOLEAN, "silent_mode", {"silent_mode": "true"}, {"silent_mode": 1})
    yield from bad(name, BOTH, Code.NOT_AN_OPTION, "interruption_rate", {"interruption_rate": "low"})
    yield from bad(name, BOTH, Code.NOT_AN_OPTION, "conversation_initiation", {"conversation_initiation": "agent"})
    yield from bad(name, BOTH, Code.TOO_LONG, "custom_persona_data", {"custom_persona_data": "x" * 16_384})
    yield from bad(name, BOTH, Code.TOO_LONG, "background_sound", {"background_sound": "x" * 101})
    yield from bad(name, BOTH, Code.WRONG_FORM, "background_sound", {"background_sound": "beach"})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "initialization_parameters", {"initialization_parameters": []})
    yield from bad(name, OLD, Code.UNKNOWN_FIELD, "tags", {"tags": []})
    yield from bad(name, NEW, Code.TOO_MANY_ITEMS, "tags", {"tags": ["x"] * 21})
    yield from bad(name, NEW, Code.TOO_LONG, "tags", {"tags": ["x", "x" * 201]})


def _agents() -> Iterator[Case]:
    name = "agents"
    chat = {"model_type": "MODEL_TYPE_CHAT", "phone_number": ABSENT}
    chat_ok = {**chat, "metadata.chat_endpoint": "https://api.example.com/v1/chat"}
    socket = {"model_type": "MODEL_TYPE_WEBSOCKET", "phone_number": ABSENT, "metadata.initialization_json": "{}"}
    yield from good(
        name,
        BOTH,
        {},
        {"display_name": "x" * 200},
        {"phone_number": "sip:user@domain.com"},
        {"phone_number": "sips:user:pw@domain.com;transport=tls"},
        {"phone_number": "+123456789012345"},
        {"model_type": "MODEL_TYPE_SMS"},
        {
            "model_type": "MODEL_TYPE_OUTBOUND_VOICE",
            "phone_number": None,
            "endpoint": "https://api.yourcompany.com/triggers/voice-simulation",
        },
        {"endpoint": "http://localhost:8000/hook"},
        {"prompt": "x" * 50_000},
        {"prompt": None, "endpoint": None},
        chat_ok,
        {**chat_ok, "metadata.chat_endpoint": "http://93.184.216.34:8080/chat?x=1"},
        {**chat_ok, "metadata.chat_endpoint": "https://[2606:2800:220:1::1]/chat"},
        {**chat_ok, "metadata.response_format": "responses", "metadata.authorization_header": "Bearer sk-xxx"},
        {**chat_ok, "metadata.initialization_payload": json_of(16 * KB)},
        {**chat_ok, "metadata.initialization_payload": {"id": "{{sessionId}}"}},
        {**chat_ok, "metadata.custom_data": json_of(32 * KB)},
        {**chat_ok, "metadata.custom_persona_data": object_of(16 * KB)},
        {**chat_ok, "metadata.custom_headers": '{"X-Session": "{{sessionId}}", "X-N": {{n}}}'},
        {**chat_ok, "metadata.input_template": '{"messages": {{messages}}}'},
        {**chat_ok, "metadata.strip_message_timestamps": True, "metadata.persona_id": PERSONA},
        {**socket, "metadata.endpoint": "wss://voice.example.com/socket"},
        {"metadata": {"voice": "alloy", "model": "gpt-4o-realtime-preview"}},
        {"metadata": {"trigger_call_headers": "{}", "trigger_call_payload": "[]", "phone_number_key": "to"}},
        {"workflows": {"nodes": [], "edges": []}},
        {"metric_ids": [METRIC], "test_set_ids": []},
        {"test_set_ids": [TEST_SET]},
    )
    yield from good(name, OLD, {"test_set_ids": [AGENT]}, {"metadata": object_of(10 * MB)})
    yield from good(
        name,
        NEW,
        {"metadata": None, "workflows": None, "metric_ids": None, "test_set_ids": None},
        {"customer_agent_id": "crm-1", "language": "en", "attributes": {"a": 1}, "tags": ["x" * 200] * 20},
        {"model_type": "MODEL_TYPE_EMAIL", "phone_number": ABSENT},
        {"model_type": "MODEL_TYPE_OPENAI_REALTIME", "phone_number": ABSENT},
        {**socket, "metadata.endpoint": "wss://voice.example.com", "metadata.initialization_json": None},
        {
            "model_type": "MODEL_TYPE_LIVEKIT",
            "metadata": {"generate_token_endpoint": "https://a.example.com", "livekit_url": "wss://lk.example.com"},
        },
        {"model_type": "MODEL_TYPE_DAILY", "metadata": {"pipecat_api_key": "pk", "agent_name": "bot"}},
    )
    yield from bad(name, BOTH, Code.REQUIRED, "display_name", {"display_name": ABSENT})
    yield from bad(name, BOTH, Code.REQUIRED, "model_type", {"model_type": ABSENT})
    yield from bad(name, BOTH, Code.TOO_SHORT, "display_name", {"display_name": ""})
    yield from bad(name, BOTH, Code.TOO_LONG, "display_name", {"display_name": "x" * 201})
    yield from bad(name, BOTH, Code.NOT_AN_OPTION, "model_type", {"model_type": "VOICE"}, {"model_type": ""})
    yield from bad(name, OLD, Code.NOT_AN_OPTION, "model_type", {"model_type": "MODEL_TYPE_EMAIL"})
    yield from bad(
        name,
        BOTH,
        Code.WRONG_FORM,
        "phone_number",
        *(
            {"phone_number": number}
            for number in (
                "12345678901",
                "+0123456789",
                "+1",
                "+1234567890123456",
                "+1 234 567 8901",
                "+12345678901\n",
                "sip:domain.com",
                "tel:+12345678901",
                "",
            )
        ),
        lax=True,
    )
    yield from bad(name, BOTH, Code.TOO_LONG, "phone_number", {"phone_number": f"sip:{'x' * 190}@domain.com"})
    yield from bad(
        name,
        BOTH,
        Code.BAD_URL,
        "endpoint",
        {"endpoint": "api.yourcompany.com"},
        {"endpoint": "ftp://x.com"},
        {"endpoint": "https://"},
        {"endpoint": "https://a b.com"},
        {"endpoint": "https://x.com:99999"},
        lax=True,
    )
    yield from bad(name, BOTH, Code.TOO_LONG, "endpoint", {"endpoint": f"https://x.com/{'x' * 190}"})
    yield from bad(name, BOTH, Code.TOO_LONG, "prompt", {"prompt": "x" * 50_001})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "workflows", {"workflows": []})
    yield from bad(name, OLD, Code.WRONG_TYPE, "workflows", {"workflows": None})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "metadata", {"metadata": "{}"})
    yield from bad(name, OLD, Code.WRONG_TYPE, "metadata", {"metadata": None})
    yield from bad(name, BOTH, Code.TOO_LARGE, "metadata", {"metadata": object_of(10 * MB + 1)}, lax=True)
    yield from bad(name, BOTH, Code.TOO_LARGE, "workflows", {"workflows": object_of(10 * MB + 1)}, lax=True)
    yield from bad(name, BOTH, Code.WRONG_FORM, "metric_ids", {"metric_ids": [METRIC, "x"]}, lax=True)
    yield from bad(name, BOTH, Code.WRONG_FORM, "test_set_ids", {"test_set_ids": ["abc"]}, lax=True)
    yield from bad(name, NEW, Code.WRONG_FORM, "test_set_ids", {"test_set_ids": [AGENT]}, lax=True)
    yield from bad(name, BOTH, Code.UNKNOWN_FIELD, "active", {"active": True}, lax=True)
    yield from bad(name, OLD, Code.UNKNOWN_FIELD, "customer_agent_id", {"customer_agent_id": "crm-1"})
    yield from bad(name, NEW, Code.TOO_SHORT, "customer_agent_id", {"customer_agent_id": ""})
    yield from bad(name, NEW, Code.TOO_LONG, "customer_agent_id", {"customer_agent_id": "x" * 201})
    yield from bad(name, NEW, Code.TOO_LONG, "language", {"language": "x" * 201})
    yield from bad(name, NEW, Code.TOO_MANY_ITEMS, "tags", {"tags": ["x"] * 21})
    yield from bad(name, NEW, Code.TOO_SHORT, "tags", {"tags": [""]})
    yield from _conditions_of_agents(chat, socket)
    yield from _metadata_of_agents(chat_ok)


def _conditions_of_agents(chat: Mapping[str, Any], socket: Mapping[str, Any]) -> Iterator[Case]:
    name = "agents"
    outbound = {"model_type": "MODEL_TYPE_OUTBOUND_VOICE"}
    sms = {"model_type": "MODEL_TYPE_SMS"}
    yield from bad(
        name, BOTH, Code.REQUIRED, "phone_number", {"phone_number": ABSENT}, {"phone_number": None}, lax=True
    )
    yield from bad(name, BOTH, Code.REQUIRED, "phone_number", {**sms, "phone_number": ABSENT}, lax=True)
    yield from bad(name, BOTH, Code.WRONG_FORM, "phone_number", {**sms, "phone_number": "sip:a@b.com"}, lax=True)
    yield from bad(name, BOTH, Code.REQUIRED, "endpoint", outbound, {**outbound, "endpoint": None}, lax=True)
    yield from bad(
        name,
        BOTH,
        Code.REQUIRED,
        "metadata.chat_endpoint",
        chat,
        {**chat, "metadata": {}},
        {**chat, "metadata.chat_endpoint": None},
        lax=True,
    )
    yield from bad(name, BOTH, Code.REQUIRED, "metadata.endpoint", socket, lax=True)
    socket_ok = {**socket, "metadata.endpoint": "wss://voice.example.com"}
    del socket_ok["metadata.initialization_json"]
    yield from bad(name, OLD, Code.REQUIRED, "metadata.initialization_json", socket_ok)
    yield from bad(
        name,
        BOTH,
        Code.BAD_URL,
        "metadata.endpoint",
        {**socket, "metadata.endpoint": "ws://voice.example.com"},
        {**socket, "metadata.endpoint": "https://voice.example.com"},
        {**socket, "metadata.endpoint": "wss://127.0.0.1/socket"},
        lax=True,
    )
    livekit = {"model_type": "MODEL_TYPE_LIVEKIT", "phone_number": ABSENT}
    yield from bad(
        name,
        NEW,
        Code.REQUIRED,
        "metadata.livekit_url",
        {**livekit, "metadata": {"generate_token_endpoint": "https://a.example.com"}},
        lax=True,
    )
    yield from bad(
        name,
        NEW,
        Code.REQUIRED,
        "metadata.generate_token_endpoint",
        {**livekit, "metadata": {"livekit_url": "wss://a.example.com"}},
        lax=True,
    )
    daily = {"model_type": "MODEL_TYPE_DAILY", "phone_number": ABSENT}
    yield from bad(
        name, NEW, Code.REQUIRED, "metadata.agent_name", {**daily, "metadata": {"pipecat_api_key": "pk"}}, lax=True
    )
    yield from bad(
        name, NEW, Code.REQUIRED, "metadata.pipecat_api_key", {**daily, "metadata": {"agent_name": "a"}}, lax=True
    )


def _metadata_of_agents(chat_ok: Mapping[str, Any]) -> Iterator[Case]:
    broken: list[tuple[Code, str, Any]] = [
        *((Code.BAD_URL, "chat_endpoint", url) for url in PRIVATE_URLS),
        (Code.BAD_URL, "chat_endpoint", "wss://api.example.com"),
        (Code.BAD_URL, "chat_endpoint", ""),
        (Code.BAD_URL, "initialization_endpoint", "http://localhost/init"),
        (Code.TOO_LARGE, "initialization_payload", json_of(16 * KB + 1)),
        (Code.TOO_LARGE, "initialization_payload", object_of(16 * KB + 1)),
        (Code.MALFORMED_JSON, "initialization_payload", "{'a': 1}"),
        (Code.TOO_LARGE, "custom_data", json_of(32 * KB + 1)),
        (Code.MALFORMED_JSON, "custom_data", "plain"),
        (Code.MALFORMED_JSON, "custom_data", '{"n": NaN}'),
        (Code.WRONG_TYPE, "custom_data", 5),
        (Code.TOO_LARGE, "custom_persona_data", object_of(16 * KB + 1)),
        (Code.TOO_LARGE, "custom_headers", json_of(16 * KB + 1)),
        (Code.MALFORMED_JSON, "custom_headers", "X-Session: 1"),
        (Code.NOT_AN_OPTION, "response_format", "json"),
        (Code.MALFORMED_JSON, "input_template", '{"messages": }'),
        (Code.WRONG_TYPE, "input_template", 5),
        (Code.NOT_A_BOOLEAN, "strip_message_timestamps", "false"),
        (Code.WRONG_FORM, "persona_id", "persona-1"),
        (Code.MALFORMED_JSON, "trigger_call_headers", "X: 1"),
        (Code.WRONG_TYPE, "trigger_call_headers", {"X": "1"}),
        (Code.MALFORMED_JSON, "trigger_call_payload", "{"),
        (Code.WRONG_TYPE, "phone_number_key", 1),
        (Code.WRONG_TYPE, "authorization_header", {"Bearer": "x"}),
    ]
    for code, field, value in broken:
        yield from bad("agents", BOTH, code, f"metadata.{field}", {**chat_ok, f"metadata.{field}": value}, lax=True)


PRIVATE_URLS = (
    "http://localhost/chat",
    "http://LOCALHOST./chat",
    "http://api.localhost/chat",
    "http://127.0.0.1/chat",
    "http://127.1/chat",
    "http://2130706433/chat",
    "http://0x7f.1/chat",
    "http://0177.0.0.1/chat",
    "http://0/chat",
    "http://10.0.0.8/chat",
    "http://172.16.0.1/chat",
    "http://192.168.1.1/chat",
    "http://169.254.169.254/latest/meta-data",
    "http://100.64.0.1/chat",
    "http://224.0.0.1/chat",
    "http://[::1]/chat",
    "http://[::ffff:10.0.0.8]/chat",
    "http://[::127.0.0.1]/chat",
    "http://[64:ff9b::7f00:1]/chat",
    "http://[2002:7f00:1::]/chat",
    "http://[fe80::1%25eth0]/chat",
    "http://[fd00::1]/chat",
    "http://\uff11\uff12\uff17.0.0.1/chat",
    "http://user:pw@10.0.0.8/chat",
)


def _run_templates() -> Iterator[Case]:
    name = "run-templates"
    yield from good(
        name,
        BOTH,
        {},
        {"display_name": "x" * 200, "description": ""},
        {"metric_ids": [METRIC], "mutation_ids": [MUTATION]},
        {"metric_ids": [], "mutation_ids": [], "metadata": {}},
        {"iteration_count": 1, "concurrency": 1, "sub_sample_size": 0},
        {"iteration_count": 100, "concurrency": 50, "sub_sample_size": 10**9},
        {"sub_sample_seed": None},
        {"sub_sample_seed": -5},
        {"metadata": {"customer": {"campaign_id": "q4_2025"}}},
    )
    yield from good(
        name,
        NEW,
        {"agent_ids": [AGENT, AGENT_2], "test_case_ids": [TEST_CASE] * 100, "tags": ["nightly"]},
        {"metric_ids": None, "mutation_ids": None, "metadata": None, "test_case_ids": None, "tags": None},
    )
    yield from bad(name, BOTH, Code.REQUIRED, "display_name", {"display_name": ABSENT})
    yield from bad(name, BOTH, Code.TOO_SHORT, "display_name", {"display_name": ""})
    yield from bad(name, BOTH, Code.TOO_LONG, "display_name", {"display_name": "x" * 201})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "description", {"description": 5})
    for field, wrong in (("agent_id", "agent"), ("persona_id", f"{PERSONA}x"), ("test_set_id", "abc-1234")):
        yield from bad(name, OLD, Code.REQUIRED, field, {field: ABSENT})
        yield from bad(name, OLD, Code.WRONG_FORM, field, {field: wrong}, {field: ""})
        yield from bad(name, OLD, Code.WRONG_TYPE, field, {field: None})
        plural = f"{field}s"
        yield from bad(name, OLD, Code.UNKNOWN_FIELD, plural, {plural: []})
        yield from bad(name, NEW, Code.REQUIRED, plural, {plural: ABSENT})
        yield from bad(name, NEW, Code.TOO_FEW_ITEMS, plural, {plural: []})
        yield from bad(name, NEW, Code.WRONG_FORM, plural, {plural: [wrong]}, lax=True)
        yield from bad(name, NEW, Code.WRONG_TYPE, plural, {plural: AGENT})
        yield from bad(name, NEW, Code.UNKNOWN_FIELD, field, {field: AGENT}, lax=True)
    yield from bad(name, BOTH, Code.WRONG_FORM, "metric_ids", {"metric_ids": ["x"]}, lax=True)
    yield from bad(name, BOTH, Code.WRONG_FORM, "mutation_ids", {"mutation_ids": [METRIC]}, lax=True)
    yield from bad(name, OLD, Code.WRONG_TYPE, "metric_ids", {"metric_ids": None})
    yield from bad(name, BOTH, Code.OUT_OF_RANGE, "iteration_count", {"iteration_count": 0}, {"iteration_count": 101})
    yield from bad(name, BOTH, Code.OUT_OF_RANGE, "concurrency", {"concurrency": 0}, {"concurrency": 51})
    yield from bad(name, BOTH, Code.OUT_OF_RANGE, "sub_sample_size", {"sub_sample_size": -1})
    yield from bad(
        name,
        BOTH,
        Code.NOT_AN_INTEGER,
        "iteration_count",
        {"iteration_count": 1.0},
        {"iteration_count": "3"},
        {"iteration_count": True},
    )
    yield from bad(name, OLD, Code.NOT_AN_INTEGER, "iteration_count", {"iteration_count": None})
    yield from bad(name, BOTH, Code.NOT_AN_INTEGER, "sub_sample_seed", {"sub_sample_seed": "7"})
    yield from bad(name, BOTH, Code.WRONG_TYPE, "metadata", {"metadata": []})
    yield from bad(name, NEW, Code.TOO_FEW_ITEMS, "test_case_ids", {"test_case_ids": []})
    yield from bad(name, NEW, Code.TOO_MANY_ITEMS, "test_case_ids", {"test_case_ids": [TEST_CASE] * 101})
    yield from bad(name, BOTH, Code.UNKNOWN_FIELD, "sample", {"sample": 1}, lax=True)


def _runs() -> Iterator[Case]:
    name = "runs"
    yield from good(
        name,
        BOTH,
        {},
        {"agent_id": "." * 22, "persona_id": "é" * 22, "test_set_id": " " * 8},
        {"metric_ids": [METRIC], "persona_metrics": ["latency", "interruption_rate"]},
        {"persona_metrics": ["persona:latency"]},
        {"mutation_id": MUTATION},
        {"mutation_id": None, "mutation_ids": [MUTATION] * 100},
        {"mutation_id": MUTATION, "mutation_ids": []},
        {"options": {"iteration_count": 50, "concurrency": 100, "sub_sample_size": 0, "sub_sample_seed": 2**31 - 1}},
        {"options": {"test_case_ids": [TEST_CASE] * 100, "new": True}},
        {"metadata": {"customer": {"import": "1"}, "created_by": "qa", "tags": ["x" * 200] * 20, "more": 1}},
        {"metadata": {"display_name": "x" * 200}},
    )
    yield from good(name, NEW, {"options": None, "metadata": None, "metric_ids": None, "config_overrides": {"a": 1}})
    for field, length in (("agent_id", 22), ("persona_id", 22), ("test_set_id", 8)):
        yield from bad(name, BOTH, Code.REQUIRED, field, {field: ABSENT})
        yield from bad(name, BOTH, Code.TOO_SHORT, field, {field: "x" * (length - 1)})
        yield from bad(name, BOTH, Code.TOO_LONG, field, {field: "x" * (length + 1)})
    yield from bad(name, BOTH, Code.TOO_SHORT, "metric_ids", {"metric_ids": [METRIC, "x"]})
    yield from bad(name, OLD, Code.WRONG_TYPE, "metric_ids", {"metric_ids": None})
    yield from bad(name, BOTH, Code.TOO_SHORT, "mutation_id", {"mutation_id": METRIC})
    yield from bad(name, BOTH, Code.TOO_LONG, "mutation_ids", {"mutation_ids": [f"{MUTATION}x"]})
    yield from bad(name, BOTH, Code.TOO_MANY_ITEMS, "mutation_ids", {"mutation_ids": [MUTATION] * 101})
    yield from bad(
        name,
        BOTH,
        Code.MUTUALLY_EXCLUSIVE,
        "mutation_id",
        {"mutation_id": MUTATION, "mutation_ids": [MUTATION]},
        lax=True,
    )
    yield from bad(name, BOTH, Code.WRONG_TYPE, "persona_metrics", {"persona_metrics": [1]}, lax=True)
    yield from bad(name, OLD, Code.WRONG_TYPE, "options", {"options": None})
    yield from bad(name, OLD, Code.WRONG_TYPE, "metadata", {"metadata": None})
    yield from bad(name, OLD, Code.UNKNOWN_FIELD, "config_overrides", {"config_overrides": {}})
    limits: list[tuple[Code, str, Any]] = [
        (Code.OUT_OF_RANGE, "options.iteration_count", 51),
        (Code.OUT_OF_RANGE, "options.iteration_count", 0),
        (Code.OUT_OF_RANGE, "options.concurrency", 101),
        (Code.OUT_OF_RANGE, "options.sub_sample_size", -1),
        (Code.OUT_OF_RANGE, "options.sub_sample_seed", -1),
        (Code.OUT_OF_RANGE, "options.sub_sample_seed", 2**31),
        (Code.NOT_AN_INTEGER, "options.concurrency", 1.5),
        (Code.TOO_FEW_ITEMS, "options.test_case_ids", []),
        (Code.TOO_MANY_ITEMS, "options.test_case_ids", [TEST_CASE] * 101),
        (Code.TOO_LONG, "metadata.display_name", "x" * 201),
        (Code.TOO_MANY_ITEMS, "metadata.tags", ["x"] * 21),
        (Code.TOO_LONG, "metadata.tags", ["x" * 201]),
        (Code.WRONG_TYPE, "metadata.customer", "acme"),
    ]
    for code, field, value in limits:
        yield from bad(name, BOTH, code, field, {field: value})
    yield from bad(name, BOTH, Code.TOO_SHORT, "options.test_case_ids", {"options.test_case_ids": ["x"]}, lax=True)


TABLE = [*_test_sets(), *_personas(), *_agents(), *_test_cases(), *_run_templates(), *_runs()]


def faults_of(
    model: type[BaseModel], body: Mapping[str, Any], fields: Mapping[str, FieldSpec]
) -> list[tuple[Code, str | None]]:
    """What a model says about a body, as codes and fields."""
    try:
        model.model_validate_json(json.dumps(body))
    except ValidationError as error:
        return [(finding.code, finding.field) for finding in translate(error.errors(), fields)]
    return []


def cells_of(body: Mapping[str, Any], fields: Mapping[str, FieldSpec], *, split: bool) -> dict[str, Any] | None:
    """A body as the cells of a mapped row; None where a row cannot hold it. `split`: nested fields have own columns."""
    cells: dict[str, Any] = {}
    for path, value in _leaves(body, fields, "") if split else body.items():
        kind = fields[path].kind if path in fields else Kind.JSON
        if kind not in {Kind.TEXT, Kind.LIST}:
            cells[path] = json.dumps(value, ensure_ascii=False)
        elif isinstance(value, str if kind is Kind.TEXT else list) and all(
            item is None or isinstance(item, str) for item in value
        ):
            cells[path] = value
        else:
            return None
    return cells


def _leaves(body: Mapping[str, Any], fields: Mapping[str, FieldSpec], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value and any(known.startswith(f"{path}.") for known in fields):
            yield from _leaves(value, fields, f"{path}.")
        else:
            yield path, value


def batch_of(rows: Sequence[Mapping[str, Any]], fields: Mapping[str, FieldSpec]) -> Batch:
    """Mapped rows, numbered from 2, of a sheet whose columns are named as the fields."""
    paths = list(dict.fromkeys(path for row in rows for path in row))
    columns = {path: pl.Series([row.get(path) for row in rows], dtype=_dtype(fields.get(path))) for path in paths}
    frame = pl.DataFrame({ROW: pl.Series(range(2, len(rows) + 2), dtype=pl.Int64), **columns})
    origin = Origin("cases.xlsx", "Cases", "xlsx", tuple(paths), tuple(range(1, len(paths) + 1)), 1)
    return Batch(origin, frame, frame)


def _dtype(spec: FieldSpec | None) -> pl.DataType:
    return pl.List(pl.String) if spec is not None and spec.kind is Kind.LIST else pl.String()


def make_bodies(fields: Mapping[str, FieldSpec]) -> MakeBodies:
    """The least that a mapping does: cells to JSON text, dotted paths nested, null left out."""

    def body_of(cells: Mapping[str, Any]) -> str:
        body: dict[str, Any] = {}
        for path, cell in cells.items():
            if path == ROW or cell is None:
                continue
            *parents, last = path.split(".")
            holder = body
            for name in parents:
                holder = holder.setdefault(name, {})
            plain = path in fields and fields[path].kind in {Kind.TEXT, Kind.LIST}
            holder[last] = cell if plain else json.loads(cell)
        return json.dumps(body)

    return lambda frame: pl.Series([body_of(cells) for cells in frame.iter_rows(named=True)], dtype=pl.String)


def checked(resource: str, contract: Contract, batch: Batch, **options: bool) -> Batch:
    """The batch checked, with every column filling the field of its name."""
    fields = RESOURCES[resource].fields(contract)
    paths = [path for path in batch.frame.columns if path != ROW]
    in_use = {path: fields.get(path, FieldSpec(path, Kind.JSON)) for path in paths}
    columns = {path: (path,) for path in paths}
    return check(batch, RESOURCES[resource], contract, in_use, columns, make_bodies(in_use), **options)


def test_the_table_is_large_and_covers_every_resource_and_contract() -> None:
    assert len(TABLE) >= 300
    for resource in RESOURCES:
        for contract in Contract:
            codes = {case.code for case in TABLE if (case.resource, case.contract) == (resource, contract)}
            assert None in codes, f"no good body for {resource} {contract}"
            assert len(codes) >= 5, f"few broken rules for {resource} {contract}"


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_body_is_judged_by_its_model_as_the_pages_say(case: Case) -> None:
    resource = RESOURCES[case.resource]
    found = faults_of(resource.create[case.contract], case.body, resource.fields(case.contract))
    assert found == ([] if case.code is None else [(case.code, case.field)])


@pytest.mark.parametrize("split", [False, True], ids=["objects whole", "objects split"])
@pytest.mark.parametrize("contract", Contract)
@pytest.mark.parametrize("resource", RESOURCES)
def test_a_row_is_judged_as_its_body(resource: str, contract: Contract, split: bool) -> None:
    fields = RESOURCES[resource].fields(contract)
    cases = [case for case in TABLE if (case.resource, case.contract) == (resource, contract)]
    rows = [(case, cells) for case in cases if (cells := cells_of(case.body, fields, split=split)) is not None]
    assert len(rows) > len(cases) / 2
    batch = checked(resource, contract, batch_of([cells for _, cells in rows], fields))
    errors = batch.problems.filter(pl.col("severity") == Severity.ERROR)
    for number, (case, _) in enumerate(rows, start=2):
        found = errors.filter(pl.col("row") == number).select("code", "field").rows()
        assert found == ([] if case.code is None else [(case.code, case.field)]), case.name

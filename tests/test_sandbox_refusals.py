"""What the sandbox refuses, and in which words."""

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from etl.errors import ExitCode, UsageError
from etl.resources import RESOURCES, Contract
from etl.sandbox import Store, running_sandbox
from etl.sandbox.operations import Call, Operations
from tests.sandbox_talk import METRIC, Talk, fields_of, parents, talking


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with talking() as talk:
        yield talk


@pytest.fixture
async def talk_2026() -> AsyncIterator[Talk]:
    async with talking(Contract.V2026_10) as talk:
        yield talk


async def test_what_is_referred_to_must_exist(talk: Talk) -> None:
    refs = await parents(talk)
    nobody = "a" * 22
    for path, body, field in (
        ("/test-cases", {"input_str": "x", "test_set_id": "aaaaaaaa"}, "test_set_id"),
        ("/runs", refs | {"agent_id": nobody}, "agent_id"),
        ("/runs", refs | {"metric_ids": [METRIC, nobody]}, "metric_ids"),
        ("/runs", refs | {"options": {"test_case_ids": [nobody]}}, "options.test_case_ids"),
        ("/run-templates", refs | {"display_name": "T", "persona_id": nobody}, "persona_id"),
        (
            "/agents",
            {"display_name": "A", "model_type": "MODEL_TYPE_CHAT"}
            | {"metadata": {"chat_endpoint": "https://a.example/chat", "persona_id": nobody}},
            "metadata.persona_id",
        ),
    ):
        status, answer = await talk.say("POST", path, body)
        assert (status, answer["error"]["code"], fields_of(answer)) == (404, "NOT_FOUND", [field])
    status, answer = await talk.say("PATCH", f"/agents/{refs['agent_id']}", {"metric_ids": [nobody]})
    assert (status, fields_of(answer)) == (404, ["metric_ids"])
    assert talk.sandbox.store.all_bodies("runs") == []


async def test_slugs_are_unique_also_when_made_from_the_name(talk: Talk) -> None:
    made = await talk.make("/test-sets", {"display_name": "Card Disputes: März!"})
    assert made["slug"] == "card-disputes-marz"
    status, answer = await talk.say("POST", "/test-sets", {"display_name": "card disputes marz"})
    assert (status, answer["error"]["code"], fields_of(answer)) == (409, "CONFLICT", ["slug"])
    other = await talk.make("/test-sets", {"display_name": "Other"})
    status, answer = await talk.say("PATCH", f"/{other['name']}", {"slug": made["slug"]})
    assert (status, fields_of(answer)) == (409, ["slug"])
    assert (await talk.make("/test-sets", {"display_name": "日本"}))["slug"].startswith("test-set-")


async def test_customer_agent_ids_are_unique_and_default_to_the_id(talk_2026: Talk) -> None:
    agent = {"display_name": "A", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
    first = await talk_2026.make("/agents", agent)
    assert first["customer_agent_id"] == first["id"]
    await talk_2026.make("/agents", agent | {"customer_agent_id": "crm-1"})
    status, answer = await talk_2026.say("POST", "/agents", agent | {"customer_agent_id": "crm-1"})
    assert (status, fields_of(answer)) == (409, ["customer_agent_id"])
    status, _ = await talk_2026.say("PATCH", f"/agents/{first['id']}", {"customer_agent_id": "crm-1"})
    assert status == 409


async def test_bad_fields_are_named_by_their_paths(talk: Talk) -> None:
    bad = {
        "display_name": "",
        "model_type": "MODEL_TYPE_FAX",
        "metadata": {"chat_endpoint": "http://localhost/"},
        "metric_ids": [METRIC, "short"],
    }
    status, answer = await talk.say("POST", "/agents", bad)
    assert (status, answer["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert fields_of(answer) == ["display_name", "model_type", "metadata.chat_endpoint", "metric_ids"]
    assert answer["error"]["details"][3]["description"].startswith("item 2: ")
    _, answer = await talk.say("POST", "/agents", {"display_name": "A", "model_type": "MODEL_TYPE_CHAT"})
    assert fields_of(answer) == ["metadata.chat_endpoint"]


async def test_a_2025_body_lacks_the_lists_of_2026(talk_2026: Talk) -> None:
    refs = await parents(talk_2026)
    status, answer = await talk_2026.say("POST", "/run-templates", {"display_name": "T", **refs})
    assert (status, fields_of(answer)) == (400, ["agent_ids", "persona_ids", "test_set_ids"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"a": NaN}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(talk: Talk, body: bytes) -> None:
    status, answer = await talk.say("POST", "/test-sets", body)
    assert (status, answer["error"]["code"]) == (400, "INVALID_ARGUMENT")


async def test_half_a_character_is_refused_where_text_is_asked_for_and_kept_in_free_objects(talk: Talk) -> None:
    assert (await talk.say("POST", "/test-sets", rb'{"display_name": "\ud800"}'))[0] == 400
    body = rb'{"display_name": "Set", "test_set_metadata": {"odd": "\ud800"}}'
    status, answer = await talk.say("POST", "/test-sets", body)
    assert (status, answer["test_set"]["test_set_metadata"]) == (201, {"odd": "\ud800"})


async def test_a_body_of_22_mib_is_too_large_and_one_of_20_is_not(talk: Talk) -> None:
    agent = {"display_name": "A", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
    nearly_10 = {"blob": "x" * (10 * 1024 * 1024 - 100)}
    body = json.dumps(agent | {"metadata": nearly_10, "workflows": nearly_10}).encode()
    assert (await talk.say("POST", "/agents", body))[0] == 201
    assert (await talk.say("POST", "/agents", b" " * (22 * 1024 * 1024)))[0] == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/agents/", 404),
        ("GET", "/agents/%ED%A0%80", 404),
        ("GET", f"/agents/{'a' * 22}/versions", 404),
        ("PUT", "/agents", 405),
        ("DELETE", "/agents", 405),
        ("POST", f"/agents/{'a' * 22}", 405),
    ],
)
async def test_unknown_paths_and_wrong_methods_are_told_in_the_error_shape(
    talk: Talk, method: str, path: str, status: int
) -> None:
    found, answer = await talk.say(method, path)
    assert found == status
    assert set(answer["error"]) == {"code", "message", "details"}


async def test_a_wrong_key_gets_401_and_stores_nothing(talk: Talk) -> None:
    for key in ("", "wrong", "schlüssel"):
        async with talk.session.post(
            f"{talk.sandbox.base_url}/test-sets", json={"display_name": "Set"}, headers={"X-API-Key": key}
        ) as response:
            assert response.status == 401
            answer = await response.json()
            assert answer["error"]["code"] == "UNAUTHENTICATED"
            assert answer["error"]["details"] == []
    assert talk.sandbox.store.all_bodies("test-sets") == []


async def test_a_foreign_host_is_refused_whatever_its_key(talk: Talk) -> None:
    for host, status in (("evil.example", 403), ("127.0.0.1.evil.example:80", 403), ("", 403), ("LOCALHOST:1", 200)):
        async with talk.session.get(f"{talk.sandbox.base_url}/agents", headers={"Host": host}) as response:
            assert response.status == status
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_port_or_a_latency_that_cannot_be_had_is_a_usage_error(talk: Talk) -> None:
    taken = int(talk.sandbox.base_url.rpartition(":")[2].removesuffix("/v1"))
    for port in (taken, 70_000):
        with pytest.raises(UsageError, match=f"port {port}") as raised:
            async with running_sandbox(port=port):
                pass
        assert raised.value.exit_code is ExitCode.USAGE
    with pytest.raises(UsageError, match="latency"):
        async with running_sandbox(latency_s=-1):
            pass


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("contract", list(Contract))
@pytest.mark.parametrize("resource", list(RESOURCES))
def test_whatever_a_body_holds_it_is_answered_and_never_breaks_the_sandbox(resource: str, contract: Contract) -> None:
    fields = some.sampled_from([*RESOURCES[resource].create[contract].model_fields, "unknown"])
    operations = Operations(Store(None), contract)

    @settings(max_examples=40, deadline=None, database=None)
    @given(body=JSON | some.dictionaries(fields, JSON), method=some.sampled_from(["POST", "PATCH"]))
    def answers(body: object, method: str) -> None:
        path = f"/v1/{resource}" if method == "POST" else f"/v1/{resource}/{'a' * 22}"
        reply = operations.perform(Call(method, path, {}, json.dumps(body).encode(), ""))
        assert reply.status in {200, 201, 400, 404, 405, 409}
        json.loads(reply.payload)

    answers()

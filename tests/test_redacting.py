"""Secrets do not get into exports, by name or by look; what is no secret is not touched."""

import json
from typing import Any

import pytest

from etl.redacting import REDACTED, Redactor

CANARY = "canary7F3kQ9ZpXw2LmN8vTr5B"
SECRET: list[dict[str, Any]] = [
    {"metadata": {"authorization_header": f"Bearer {CANARY}"}},
    {"metadata": {"custom_headers": {"X-Api": CANARY}}},
    {"metadata": {"custom_headers": json.dumps({"X-Api": CANARY})}},
    {"metadata": {"pipecat_api_key": CANARY}},
    {"metadata": {"generate_token_headers": [{"name": "X", "value": CANARY}]}},
    {"metadata": {"trigger_call_headers": {"a": {"b": CANARY}}}},
    {"metadata": {"http_headers": CANARY}},
    {"metadata": {"apiKey": CANARY, "API-Key": CANARY}},
    {"metadata": {"client_secret": CANARY, "password": CANARY, "refreshToken": CANARY}},
    {"metadata": {"initialization_json": json.dumps({"token": CANARY})}},
    {"metadata": {"initialization_payload": '{"auth_token": "' + CANARY + '", broken'}},
    {"workflows": {"steps": [{"call": {"headers": {"Cookie": CANARY}}}]}},
    {"endpoint": f"https://user:{CANARY}@example.com/x"},
    {"endpoint": f"https://example.com/x?api_key={CANARY}&a=1"},
    {"prompt": f"Call with Bearer {CANARY} please"},
    {"prompt": f"the key is sk-proj-{CANARY}"},
    {"prompt": f"ghp_{CANARY}"},
    {"prompt": f"xoxb-{CANARY}"},
    {"prompt": f"eyJhbGciOiJI.eyJzdWIiOiIxMjM0.{CANARY}"},
    {"prompt": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----"},
    {"attributes": {"password": 12345678}},
]


@pytest.mark.parametrize("item", SECRET, ids=lambda item: json.dumps(item)[:50])
def test_a_secret_is_replaced_wherever_it_stands(item: dict[str, Any]) -> None:
    text = json.dumps(Redactor(b"seed").redact(item), ensure_ascii=False)
    assert CANARY not in text
    assert "12345678" not in text
    assert REDACTED in text


@pytest.mark.parametrize(
    "item",
    [
        {"input_str": "Tell me my password: hunter2. Then basic understanding of tokens."},
        {"input_str": '[{"role": "user", "content": "my password is gone"}]'},
        {"metadata": {"max_tokens": 400, "chat_endpoint": "https://api.example.com/chat?a=b"}},
        {"metadata": {"authorization_header": "", "custom_headers": {}, "http_headers": None}},
        {"metadata": {"input_template": '{"text": "{{latest_message}}"}'}},
        {"metric_ids": ["iM5lM1oRs4zTu7wY0aBdEe"], "display_name": "sk-learn", "tags": ["Bearer bonds"]},
    ],
)
def test_what_is_no_secret_is_left_alone(item: dict[str, Any]) -> None:
    assert Redactor(b"seed").redact(item) == item


def test_the_marker_shows_a_change_and_nothing_else() -> None:
    def marker(secret: str, seed: bytes = b"seed") -> str:
        return str(Redactor(seed).redact({"token": secret})["token"])

    assert marker("one") == marker("one")
    assert marker("one") != marker("two")
    assert marker("one") != marker("one", b"another")


def test_what_is_redacted_stays_as_it_is_when_it_is_redacted_again() -> None:
    redactor = Redactor(b"seed")
    for item in SECRET:
        once = redactor.redact(item)
        assert redactor.redact(once) == once

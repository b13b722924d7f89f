"""What came back from one request: an answer, or no answer and why. It must never know which library carried it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's reply. `body` is the parsed JSON, or None where the reply was empty, cut or no JSON.

    `headers` have lower-case names; `elapsed_s` is the time from asking for a connection to the last byte read.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    elapsed_s: float = 0.0

    @property
    def request_id(self) -> str | None:
        """The server's own name for the request, to quote to support."""
        return self.headers.get("x-request-id")


class Cause(StrEnum):
    """Why there is no answer."""

    CONNECT = "connect"
    """No connection: name not found, refused, no route, connect timeout."""
    TLS = "tls"
    """The certificate or the TLS protocol was not accepted."""
    TIMEOUT = "timeout"
    """The whole-request timeout ran out."""
    BROKEN = "broken"
    """The connection was reset or closed before the reply was complete."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No reply. `sent` is True as soon as a connection had been handed to the request: from then on the server may
    have acted. `explanation` is a sentence without secrets."""

    sent: bool
    cause: Cause
    explanation: str
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API's own words for a refusal: `{"error": {"code", "message", "details": [{"field", "description"}]}}`."""

    code: str
    message: str
    field: str | None = None
    fields: tuple[str, ...] = ()
    """All that it names, the first one with them."""


WORDS_LIMIT = 500
"""How many characters of a server's words are kept: an error body may echo what was sent."""


def refusal_of(answer: Answer) -> Refusal:
    """The refusal in an answer; where the body is not the API's error form, the bare status."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    if not isinstance(error, dict):
        return Refusal(
            "", f"HTTP {answer.status} without the API's error form: something between here and Coval replied"
        )
    details = error.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    words = [str(error.get("message") or ""), str(first.get("description") or "")]
    message = ": ".join(dict.fromkeys(word for word in words if word)) or f"HTTP {answer.status}"
    named = first.get("field")
    all_named = [one.get("field") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    fields = tuple(str(one) for one in all_named if one)
    return Refusal(str(error.get("code") or ""), message[:WORDS_LIMIT], str(named) if named else None, fields)

"""What goes back to a client: an answer, or a refusal in the API's one error shape.

It must never know how an answer travels, nor what is stored.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from etl.problems import Code

CODES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    409: "CONFLICT",
    412: "FAILED_PRECONDITION",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
}
"""The error code of each status; any other is INTERNAL. The API notes list all but that of 429, which the vendor's
client documents."""

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: a status, the bytes of its body, what they are, and further headers."""

    status: int
    payload: bytes = b""
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return self.status < 400


class RefusedError(Exception):
    """A request that the API refuses: a status, a sentence, and the fields (dotted paths) it is about."""

    def __init__(self, status: int, message: str, details: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = tuple(details)
        self.headers: dict[str, str] = {}


def json_reply(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, json.dumps(body, separators=(",", ":")).encode(), headers=headers or {})


def error_reply(refused: RefusedError) -> Reply:
    """A refusal in the documented shape: `{"error": {"code", "message", "details": [{"field", "description"}]}}`."""
    error = {
        "code": CODES.get(refused.status, "INTERNAL"),
        "message": refused.message,
        "details": [{"field": name, "description": text} for name, text in refused.details],
    }
    return json_reply(refused.status, {"error": error}, refused.headers)


def refusal_of(error: ValidationError, paths: Iterable[str]) -> RefusedError:
    """What a model found wrong, as a 400. `paths` are the body's fields; each fault is told of the nearest of them.

    An item of a list is told of the list (`metric_ids`, "item 2: …"), so that a detail always names a field.
    """
    known = frozenset(paths)
    found: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        path, text = _place(fault, known)
        texts = found.setdefault(path, [])
        if text not in texts:
            texts.append(text)
    details = [(path, "; ".join(texts)) for path, texts in found.items()]
    return RefusedError(400, "; ".join(f"{path}: {text}" if path else text for path, text in details), details)


def _place(fault: ErrorDetails, known: frozenset[str]) -> tuple[str, str]:
    location, text = fault["loc"], fault["msg"]
    if not location:
        if fault["type"] == Code.MISSING_TURNS:
            turns = (path for path in known if path.endswith("script_turns"))
            return min(turns, key=len), text
        return str(fault.get("ctx", {}).get("field", "")), text
    path = ""
    for part in location:
        if isinstance(part, int):
            return path, f"item {part + 1}: {text}"
        longer = f"{path}.{part}" if path else part
        if path and longer not in known:
            break
        path = longer
    return path, text

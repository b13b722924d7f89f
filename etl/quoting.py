"""How a found value or a number is shown to a person: cut to size, and never a secret.

It must never know what is wrong with the value.
"""

import json
import re
from typing import Any

VALUE_LIMIT = 200
"""How many characters of a found value a problem quotes."""
QUOTE_LIMIT = 60
"""How many of them a sentence quotes."""
HIDDEN = "«hidden»"

_SECRET = re.compile(r"authorization|header|api[ _-]?key|token|password|secret", re.IGNORECASE)
_QUOTES = "\\\\\"'`“”„‟«»‘’‚"  # noqa: RUF001  # all that is taken for a quote
_SECRET_KEY = re.compile(rf"^[\s\"'`]*[\[{{].*(?:{_SECRET.pattern})[\w -]*[{_QUOTES}]*\s*:", re.IGNORECASE | re.DOTALL)
"""A cell that is meant as JSON, however broken, and has such a key."""


def show_value(name: str | None, value: Any) -> str | None:
    """What a problem gives as `value`: text as it is, anything else as JSON; at most 200 characters.

    `name` is the field or the column that the value stands in: one that tells of a secret hides it.
    """
    if value is None:
        return None
    safe = _without_secrets(name, value)
    return shorten(safe if isinstance(safe, str) else _json(safe), VALUE_LIMIT)


def quote_value(name: str | None, value: Any) -> str:
    """A value inside a sentence: `"abc"`, `5`, `null`, and what is JSON already as it stands; at most 60 characters."""
    safe = _without_secrets(name, value)
    if not isinstance(safe, str):
        return shorten(_json(safe), QUOTE_LIMIT)
    if safe == HIDDEN:
        return HIDDEN
    if safe.lstrip()[:1] in {"{", "["}:
        return shorten(" ".join(safe.split()), QUOTE_LIMIT)
    return _json(shorten(safe, QUOTE_LIMIT))


def holds_secret(name: str | None, value: Any) -> bool:
    """Whether a value must not be shown or kept as it is: its name tells of a secret, or it is JSON with such a key."""
    safe: Any = _without_secrets(name, value)
    return bool(safe != value)


def _without_secrets(name: str | None, value: Any) -> Any:
    """The value with everything under a telling name hidden, also where it is JSON inside a string."""
    if name is not None and _SECRET.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _without_secrets(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(None, inner) for inner in value]
    if isinstance(value, str) and _SECRET_KEY.search(value):
        return HIDDEN
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def shorten(text: str, limit: int = QUOTE_LIMIT) -> str:
    """The text, or its beginning and an ellipsis: at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def count_words(number: int, noun: str) -> str:
    """`1 cell`, `2,000 cells`: a number of things whose plural only adds an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

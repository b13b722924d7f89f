"""How a found value is shown in a problem: cut to size, and never a secret.

Must never know what is wrong with the value.
"""

import json
import re
from typing import Any

from etl.problems import VALUE_LIMIT

HIDDEN = "«hidden»"

_SECRET = re.compile(r"authorization|header|api_key|token|password|secret", re.IGNORECASE)
_SECRET_IN_JSON = re.compile(rf"^\s*[\[{{].*(?:{_SECRET.pattern})", re.IGNORECASE | re.DOTALL)
_QUOTE_LIMIT = 60


def show_value(field: str | None, value: Any) -> str | None:
    """What a problem gives as `value`: text as it is, anything else as JSON; at most `VALUE_LIMIT` characters."""
    if value is None:
        return None
    safe = _without_secrets(field, value)
    return _cut(safe if isinstance(safe, str) else _json(safe), VALUE_LIMIT)


def quote_value(field: str | None, value: Any) -> str:
    """A value inside a sentence, as JSON: `"abc"`, `5`, `null`; at most 60 characters of it."""
    safe = _without_secrets(field, value)
    if safe == HIDDEN:
        return HIDDEN
    return _json(_cut(safe, _QUOTE_LIMIT)) if isinstance(safe, str) else _cut(_json(safe), _QUOTE_LIMIT)


def _without_secrets(field: str | None, value: Any) -> Any:
    """The value with everything under a telling name hidden, also where it is JSON inside a string."""
    if field is not None and _SECRET.search(field):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _without_secrets(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(None, inner) for inner in value]
    if isinstance(value, str) and _SECRET_IN_JSON.search(value):
        return HIDDEN
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

"""How a found value is shown in a problem: cut to size, and never a secret.

Must never know what is wrong with the value.
"""

import json
import re

from etl.problems import VALUE_LIMIT

HIDDEN = "«hidden»"

_SECRET = re.compile(r"authorization|header|api_?key|token|password|secret", re.IGNORECASE)
_SECRET_KEY = re.compile(rf"^\s*[\[{{].*(?:{_SECRET.pattern})[\w-]*[\"']?\s*:", re.IGNORECASE | re.DOTALL)
"""A cell that is meant as JSON, however broken, and has such a key."""
_QUOTE_LIMIT = 60


def show_value(field: str, value: str) -> str:
    """What a problem gives as `value`."""
    return HIDDEN if _is_secret(field, value) else _cut(value, VALUE_LIMIT)


def quote_value(field: str, value: str) -> str:
    """A value inside a sentence: `"abc"`; JSON as it stands: `["a", 5]`."""
    if _is_secret(field, value):
        return HIDDEN
    text = " ".join(value.split())
    shown = _cut(text, _QUOTE_LIMIT)
    return shown if text[:1] in {"{", "["} else json.dumps(shown, ensure_ascii=False)


def _is_secret(field: str, value: str) -> bool:
    """A secret's field, or JSON that holds such a field."""
    return bool(_SECRET.search(field) or _SECRET_KEY.search(value))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

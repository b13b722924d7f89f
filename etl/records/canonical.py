"""An item of the API as one line of JSON that is the same whenever the item is: key order, numbers, escapes.

It must never know what happens to the line.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from etl.errors import UnexpectedAnswerError
from etl.resources import RESOURCES
from etl.tables import string_text

EMPTY: tuple[object, ...] = (None, "")
"""What a blank cell stands for; that a key is absent is the third."""

_FIRST = ("resource", "id", "run_id", "name", "resource_name")
_LAST = ("status", "create_time", "update_time", "created_at", "created_by", "updated_at", "updated_by")

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode
"""Keys inside of objects are sorted: an API may store objects without an order."""


@cache
def _places(resource: str) -> Mapping[str, int]:
    known = RESOURCES.get(resource)
    models = known.create.values() if known else ()
    fields = dict.fromkeys(name for model in models for name in model.model_fields)
    first = ("resource", "id", "name") if resource == "personas" else _FIRST
    names = [*first, *(name for name in fields if name not in first and name not in _LAST)]
    return {name: place for place, name in enumerate(names)} | {name: 10_001 + at for at, name in enumerate(_LAST)}


def ordered_keys(resource: str, keys: Iterable[str]) -> list[str]:
    """The order in which an item's keys are written: ids, fields as the API's pages list them, unknown ones, times."""
    places = _places(resource)
    return sorted(keys, key=lambda key: (places.get(key, 10_000), key))


@cache
def columns_of(resource: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    """`ordered_keys`, remembered: items of one resource have the same keys as a rule."""
    return tuple(ordered_keys(resource, keys))


def line_of(resource: str, item: Mapping[str, Any]) -> str:
    """The item as one line of JSON, without a line break. Half a surrogate pair is still in it as it is.

    Raises UnexpectedAnswerError for a number that JSON cannot write.
    """
    try:
        members = (f"{string_text(key)}:{_value(item[key])}" for key in columns_of(resource, tuple(item)))
        return "{" + ",".join(members) + "}"
    except ValueError:
        raise UnexpectedAnswerError(f"A {resource} holds a number that is none: {item.get('id')}.") from None


def _value(value: Any) -> str:
    if isinstance(value, str):
        return string_text(value)
    return "null" if value is None else _json(value)


def cell_text(value: Any) -> str | None:
    """A value as the text of a cell: text as it is, anything else as JSON; None for a blank cell."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else _json(value)

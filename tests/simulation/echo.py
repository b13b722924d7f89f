"""What an API makes of a body when it gives it back: nulls for what is absent, other places for the same words.

It must never know who sent it. `content` is the judge's own reading of a body; it shares nothing with the writer's.
"""

import json
from collections.abc import Mapping
from typing import Any

from etl.resources import TEST_CASES, Resource
from tests.simulation.weather import Echo

_BLANKS: Mapping[str, Any] = {
    "expected_behaviors": [],
    "expected_output_json": {},
    "description": "",
    "simulation_metadata_input": {},
    "metric_input": {},
    "user_notes": "",
}


def echoed(body: Mapping[str, Any], echo: Echo, resource: Resource) -> dict[str, Any]:
    """The body as this API gives it back."""
    item = dict(body)
    if resource is TEST_CASES:
        _join(item, echo)
        _lift(item, echo)
        if echo.extras:
            item.setdefault("input_type", "SCENARIO")
        _fill(item, echo)
    for name in echo.omitted:
        item.pop(name, None)
    if echo.extras:
        item |= {"created_by": "somebody", "update_time": None}
    return item


def _join(item: dict[str, Any], echo: Echo) -> None:
    many, alone = item.get("expected_behaviors"), item.get("expected_output_str")
    if not echo.joined:
        return
    if not many and alone:
        item["expected_behaviors"] = [alone]
    elif many and len(many) == 1:
        item["expected_output_str"] = many[0]


def _lift(item: dict[str, Any], echo: Echo) -> None:
    inner = dict(item.get("simulation_metadata_input") or {})
    turns = item.get("script_turns") or inner.get("script_turns")
    if not turns or echo.lifted == "as sent":
        return
    item.pop("script_turns", None)
    inner.pop("script_turns", None)
    if echo.lifted in {"out", "both"}:
        item["script_turns"] = turns
    if echo.lifted in {"in", "both"}:
        inner["script_turns"] = turns
    item["simulation_metadata_input"] = inner


def _fill(item: dict[str, Any], echo: Echo) -> None:
    if echo.blanks == "dropped":
        for name in [name for name, value in item.items() if value in (None, "", [], {})]:
            del item[name]
    elif echo.blanks in {"null", "empty"}:
        for name, blank in _BLANKS.items():
            if item.get(name) in (None, "", [], {}):
                item[name] = None if echo.blanks == "null" else blank


def content(body: Mapping[str, Any]) -> str:
    """What a body says, in one form: two bodies that make the same resource have the same."""
    known = {name: value for name, value in body.items() if value not in (None, "", [], {})}
    alone = known.pop("expected_output_str", None)
    if alone is not None:
        known.setdefault("expected_behaviors", [alone])
    inner = dict(known.pop("simulation_metadata_input", {}))
    turns = inner.pop("script_turns", None)
    if turns:
        known.setdefault("script_turns", turns)
    if inner:
        known["simulation_metadata_input"] = inner
    if known.get("input_type") == "SCENARIO":
        del known["input_type"]
    return json.dumps(known, sort_keys=True)

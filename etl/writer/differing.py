"""What a row would change of something that is there: field by field, only what differs.

It must never know where the row comes from, nor send anything.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from etl.resources import Kind, Resource
from etl.resources.dialects import spelled_like
from etl.writer.likeness import SEVERAL_EXPECTED, Likeness
from etl.writer.marks import without_mark
from etl.writer.rows import Update

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_EMPTY_TEXTS: Mapping[Kind, str] = {Kind.TEXT: '""', Kind.LIST: "[]", Kind.OBJECT: "{}", Kind.JSON: "null"}


def update_of(
    given: bytes, item: Mapping[str, Any], resource: Resource, likeness: Likeness, parts: frozenset[str] = frozenset()
) -> Update:
    """What a body of given fields changes of an item, as the API may give it back.

    A field that says what is there already, in whatever form, is left out; so is one from which only the mark differs
    that an import has put there. `parts`: objects of which only some keys are
    given; the others stay, and the object is sent whole: right whether the API replaces objects or merges them.
    """
    spelled = spelled_like(resource.name, given, item)
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(spelled, type=dict[str, msgspec.Raw])
    before: dict[str, Any] = {}
    after: dict[str, str] = {}
    plain = {name: without_mark(resource, name, value) for name, value in item.items()}
    for name, raw in fields.items():
        text, old = bytes(raw).decode("utf-8", "surrogatepass"), item.get(name)
        if name in parts and isinstance(old, dict):
            text = json.dumps(_merged(old, json.loads(text)), ensure_ascii=False)
        if not any(_is_same(name, json.loads(text), one, likeness) for one in (plain, item)):
            before[name], after[name] = old, text
    return Update(str(item[resource.id_field]), before, after)


def _is_same(name: str, new: Any, item: Mapping[str, Any], likeness: Likeness) -> bool:
    found = likeness.given(item)
    if new in _EMPTY:
        return not found.keys() & {*likeness.given({name: "x"}), *_ALSO.get(name, ())}
    return all(found.get(known) == text for known, text in likeness.given({name: new}).items())


_ALSO: Mapping[str, tuple[str, ...]] = {
    "expected_behaviors": (SEVERAL_EXPECTED,),
    "expected_output_str": (SEVERAL_EXPECTED,),
    "simulation_metadata_input": ("script_turns",),
}
"""Where canonical content keeps some of a field under another name."""


def _merged(old: Any, new: Any) -> Any:
    """An object with the keys of another put in, at any depth."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}


def undone(update: Update, resource: Resource) -> bytes:
    """The body that puts back what was there before an update. What was absent is made empty."""
    kinds = {
        path: spec.kind for fields in (resource.fields(one) for one in resource.create) for path, spec in fields.items()
    }
    texts = {
        name: _EMPTY_TEXTS.get(kinds.get(name, Kind.JSON), "null")
        if value is None
        else json.dumps(value, ensure_ascii=False)
        for name, value in update.before.items()
    }
    return Update(update.resource_id, {}, texts).body

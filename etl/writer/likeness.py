"""Whether something that the API lists is what a row became: the fields that were sent, as the API may give them back.

It must never know the network, the ledger or a row's number.
"""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from etl.resources import Contract, Resource
from etl.resources.dialects import PLURALS

Fields = Mapping[str, str]
"""Canonical content: a field's name, and its value as JSON text; what is absent, null or empty is not there."""

_ESSENTIAL: Mapping[str, tuple[str, ...]] = {"test-cases": ("input_str", "test_set_id")}
"""The fields without which nothing can be known again (delivery page, "Reconciling"); else the name."""
SEVERAL_EXPECTED = "several expected_behaviors"
_EXPECTED = "expected_behaviors"
_OLD_EXPECTED = "expected_output_str"
"""Two ways to send the same. That one of them comes back says nothing about the other one, so that a row which was sent
with the old one alone has its name among its fields."""
_EMPTY: tuple[Any, ...] = (None, "", [], {})


Key = tuple[tuple[str, str], ...]
MOST_UNKNOWN = 6
"""Of so many fields at most it is tried whether they come back: each doubles the ways in which a row may look."""


class Likeness:
    """Compares what was sent with what is listed, for one resource.

    What the API does not give back, and what it adds by itself, is found out by `learn`, and leaves the comparison.
    """

    def __init__(self, resource: Resource, contract: Contract) -> None:
        self._resource = resource
        models = resource.create[contract].model_fields
        self._names = {info.alias or name for name, info in models.items()} | {
            *PLURALS.values(),
            "script_turns",
            SEVERAL_EXPECTED,
        }
        self._defaults = {
            info.alias or name: info.default
            for name, info in models.items()
            if not info.is_required() and isinstance(info.default, (str, int, float))
        }
        self._seen: set[str] = set()
        self._unseen: set[str] = set()
        self._added: dict[str, str] = {}

    @property
    def learned(self) -> bool:
        """Whether a resource of ours was looked at, so that it is known what comes back."""
        return bool(self._seen or self._unseen)

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields that do not come back as they were sent."""
        return tuple(sorted(self._unseen))

    @property
    def trusted(self) -> bool:
        """Whether the fields come back without which nothing can be known again."""
        essential = _ESSENTIAL.get(self._resource.name, (self._resource.label,))
        return self.learned and not self._unseen.intersection(essential)

    def fields(self, body: Mapping[str, Any]) -> Fields:
        """The canonical content of a request body or of an item: with what the API takes for what is absent."""
        fields = {**{name: _text(value) for name, value in self._defaults.items()}, **self.given(body)}
        if _has_old_only(body):
            fields[_OLD_EXPECTED] = _text(body[_OLD_EXPECTED])
        return fields

    def given(self, body: Mapping[str, Any]) -> Fields:
        """The canonical content of some fields of a body, or of an item."""
        known = dict(body)
        if self._resource.name == "test-cases":
            _join_expected(known)
            _lift_turns(known)
        elif self._resource.name == "run-templates":
            for one, many in PLURALS.items():
                _join_one(known, one, many)
        return {name: _text(value) for name, value in known.items() if value not in _EMPTY}

    def learn(self, sent: Mapping[str, Any], item: Mapping[str, Any]) -> None:
        """A row that is known to have become this item shows what comes back, and what the API adds by itself."""
        wanted, found = self.fields(sent), self.fields(item)
        for name, text in wanted.items():
            if name != _OLD_EXPECTED:
                came_back = found.get(name) == text
                (self._seen if came_back else self._unseen).add(_sent_as(name, wanted))
        new = found.keys() & self._names - wanted.keys() - {_OLD_EXPECTED}
        self._added |= {name: found[name] for name in new}

    def show(self, item: Mapping[str, Any]) -> None:
        """Something that is listed: whatever field it has does come back."""
        fields = self.fields(item)
        old = {_EXPECTED, _OLD_EXPECTED} if _OLD_EXPECTED in fields else set()
        self._seen |= fields.keys() - old - self._unseen

    def key(self, fields: Fields) -> Key:
        """What is compared of a row or of an item: equal for those that nobody could tell apart.

        What only one of them has tells them apart as well: a row without expectations is not one with some.
        """
        return tuple(
            sorted(
                (name, text)
                for name, text in fields.items()
                if name in self._names - {_OLD_EXPECTED} and name not in self._unseen and self._added.get(name) != text
            )
        )

    def keys(self, sent: Fields) -> Iterator[Key]:
        """The keys that the item of a row may have: a field of which nothing is known yet may come back, or not."""
        key = tuple(pair for pair in self.key(sent) if _sent_as(pair[0], sent) not in self._unseen)
        essential = _ESSENTIAL.get(self._resource.name, (self._resource.label,))
        known = self._seen.union(essential)
        unknown = [name for name, _ in key if _sent_as(name, sent) not in known][:MOST_UNKNOWN]
        for some in range(len(unknown) + 1):
            for dropped in combinations(unknown, some):
                yield tuple(pair for pair in key if pair[0] not in dropped)

    def resembles(self, sent: Fields, found: Fields) -> bool:
        """Whether it could be the same after changes that nobody told us of: the name, but for blanks and its form.

        What resembles a row without being the same proves neither that it was stored nor that it was not.
        """
        return self.name(sent) == self.name(found)

    def name(self, fields: Fields) -> str:
        """What people call it, but for blanks and its form; empty where it has no name."""
        return _loose(fields.get(self._resource.label, ""))


def version_of(item: Mapping[str, Any]) -> str | None:
    """When a resource was changed last, in the API's words."""
    found = item.get("update_time") or item.get("updated_at")
    return found if isinstance(found, str) else None


def _has_old_only(body: Mapping[str, Any]) -> bool:
    return body.get(_OLD_EXPECTED) not in _EMPTY and body.get(_EXPECTED) in _EMPTY


def _sent_as(name: str, sent: Fields) -> str:
    """The field by which a row said what is compared under this name."""
    return _OLD_EXPECTED if name == _EXPECTED and _OLD_EXPECTED in sent else name


def _join_expected(fields: dict[str, Any]) -> None:
    """`expected_output_str` is the same as a list of it (reference page "Create test case").

    Lists of several have a name of their own: an API that gives back the old field alone does not give them back.
    """
    alone = fields.pop("expected_output_str", None)
    if fields.get("expected_behaviors") in _EMPTY and alone not in _EMPTY:
        fields["expected_behaviors"] = [alone]
    several = fields.get("expected_behaviors")
    if isinstance(several, list) and len(several) > 1:
        fields[SEVERAL_EXPECTED] = fields.pop("expected_behaviors")


def _lift_turns(fields: dict[str, Any]) -> None:
    """Turns inside `simulation_metadata_input` are the same as turns beside it (API notes, 2026-10)."""
    inner = fields.get("simulation_metadata_input")
    if isinstance(inner, dict) and "script_turns" in inner:
        rest = {name: value for name, value in inner.items() if name != "script_turns"}
        if fields.get("script_turns") in _EMPTY:
            fields["script_turns"] = inner["script_turns"]
        fields["simulation_metadata_input"] = rest
    turns = fields.get("script_turns")
    if isinstance(turns, list):
        fields["script_turns"] = [_spoken(turn) for turn in turns]


def _spoken(turn: Any) -> Any:
    """A typed turn that is only text is the same as the text."""
    return turn.get("text") if isinstance(turn, dict) and turn.get("type") == "text" else turn


def _join_one(fields: dict[str, Any], one: str, many: str) -> None:
    alone = fields.pop(one, None)
    if fields.get(many) in _EMPTY and alone not in _EMPTY:
        fields[many] = [alone]


def _text(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Objects without their absent parts, and 1.0 as 1: JSON does not tell them apart."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _loose(text: str) -> str:
    value = json.loads(text) if text else ""
    return " ".join(unicodedata.normalize("NFKC", value if isinstance(value, str) else text).split()).casefold()

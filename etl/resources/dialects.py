"""What the two contracts call differently: one small table, from which everybody who speaks either is made.

It must never know columns, cells or HTTP. (API notes, "What changed from 2025-10 to 2026-10".)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etl.resources.contract import Contract


@dataclass(frozen=True, slots=True)
class Rename:
    """`old` is a field's name under 2025-10, `new` under 2026-10; dotted where it is inside an object."""

    old: str
    new: str
    plural: bool = False
    """The new field is a list of what the old one held."""

    def under(self, contract: Contract) -> str:
        """Its name under a contract."""
        return self.new if contract is Contract.V2026_10 else self.old


RENAMES: Mapping[str, tuple[Rename, ...]] = {
    "test-cases": (Rename("simulation_metadata_input.script_turns", "script_turns"),),
    "run-templates": (
        Rename("agent_id", "agent_ids", plural=True),
        Rename("persona_id", "persona_ids", plural=True),
        Rename("test_set_id", "test_set_ids", plural=True),
    ),
}
"""By resource. What became a list is refused under its other name; of the rest 2026-10 still takes the old place."""

_QUOTED: Mapping[str, tuple[bytes, ...]] = {
    resource: tuple(f'"{name.rpartition(".")[2]}"'.encode() for one in renames for name in (one.old, one.new))
    for resource, renames in RENAMES.items()
}
"""The last part of each name of the table, as it stands in JSON."""

PLURALS: Mapping[str, str] = {one.old: one.new for one in RENAMES["run-templates"] if one.plural}
"""The references of a run template: 2025-10 has one of each, 2026-10 lists."""

TURNS: Mapping[str, frozenset[str]] = {
    "test-cases": frozenset(name for one in RENAMES["test-cases"] for name in (one.old, one.new)),
}
"""Fields that hold turns: texts under 2025-10, and under 2026-10 also keys and silence."""

WRAPPED: Mapping[str, Mapping[str, str]] = {"test-cases": {"expected_output_str": "expected_behaviors"}}
"""Deprecated field → the list that it is wrapped into where that list is absent ("Create test case")."""

NEW_IN_ANSWERS = "created_at"
"""Everything answered under 2026-10 carries it, but for runs."""


def contract_of(item: Mapping[str, Any]) -> Contract:
    """The contract that an answered resource (not a run) is told in."""
    return Contract.V2026_10 if NEW_IN_ANSWERS in item else Contract.V2025_10


def other(contract: Contract) -> Contract:
    """The one that it is not."""
    return Contract.V2025_10 if contract is Contract.V2026_10 else Contract.V2026_10


def refused_names(resource: str, contract: Contract) -> frozenset[str]:
    """The fields that a contract wants and the other one refuses: an API that names one of them speaks it."""
    return frozenset(one.under(contract) for one in RENAMES.get(resource, ()) if one.plural)


def spelled_in(resource: str, body: bytes) -> Contract | None:
    """The contract that refuses the other one's form of a request body; None where it shows in nothing."""
    fields = json.loads(body)
    told = [contract for contract in Contract if not refused_names(resource, contract).isdisjoint(fields)]
    return told[0] if len(told) == 1 else None


def respelled(resource: str, body: Mapping[str, Any], contract: Contract) -> dict[str, Any] | None:
    """A request body of either contract in the words of `contract`; None where those cannot say it (a list of several).

    What is not in the table stays as it is.
    """
    fields = dict(body)
    for one in RENAMES.get(resource, ()):
        name, into = one.under(other(contract)), one.under(contract)
        found, value = _taken(fields, name)
        if not found:
            continue
        if one.plural and contract is Contract.V2026_10:
            value = [value]
        elif one.plural:
            if not isinstance(value, list) or len(value) != 1:
                return None
            value = value[0]
        parent, _, key = into.rpartition(".")
        holder = {**(fields.get(parent) or {})} if parent else fields
        holder.setdefault(key, value)
        if parent:
            fields[parent] = holder
    return fields


def _taken(fields: dict[str, Any], path: str) -> tuple[bool, Any]:
    """Take a field, perhaps inside an object, out of a body: whether it is there, and its value."""
    parent, _, key = path.rpartition(".")
    holder = fields.get(parent) if parent else fields
    if not isinstance(holder, dict) or key not in holder:
        return False, None
    if not parent:
        return True, fields.pop(key)
    rest = {name: value for name, value in holder.items() if name != key}
    if rest:
        fields[parent] = rest
    else:
        del fields[parent]
    return True, holder[key]


def spelled_like(resource: str, body: bytes, item: Mapping[str, Any]) -> bytes:
    """What is to be changed of an item, in the words in which the API answers it.

    A PATCH in the other contract's words may be taken without a word, and change nothing. What those words cannot say
    is given back as it is.
    """
    if not _is_told_by(resource, body):
        return body
    shown = [one for one in Contract if not refused_names(resource, one).isdisjoint(item)]
    fields = json.loads(body)
    wanted = respelled(resource, fields, shown[0] if len(shown) == 1 else contract_of(item))
    if wanted is None or wanted == fields:
        return body
    return json.dumps(wanted, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _is_told_by(resource: str, body: bytes) -> bool:
    """Whether a body may have a field of the table."""
    return any(quoted in body for quoted in _QUOTED.get(resource, ()))


def spelled_alike(resource: str, body: bytes) -> bytes:
    """A request body in a spelling that is the same under both contracts: by it a row is known again.

    A body without any field of the table is given back as it is.
    """
    if not _is_told_by(resource, body):
        return body
    fields = respelled(resource, json.loads(body), Contract.V2026_10)
    return json.dumps(fields, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")

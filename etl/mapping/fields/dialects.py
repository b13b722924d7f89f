"""The same thing under another name: how one mapping serves both contracts, and fields that the API merges itself.

The look-up in the table of `etl.resources.dialects`. Mapping files are written in the reference pages' words (contract
2025-10). Must never know columns or cells.
"""

from dataclasses import dataclass
from enum import StrEnum

from etl.resources import Contract, FieldSpec, Kind, Resource
from etl.resources.dialects import RENAMES, TURNS, WRAPPED


class Shape(StrEnum):
    """How a value changes on its way from the field that a mapping names to the field that is sent."""

    AS_IS = "as_is"
    ONE_TO_LIST = "one_to_list"
    """A text becomes a list of one item."""
    LIST_TO_ONE = "list_to_one"
    """A list of one item becomes that item; more items are a problem."""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A field whose text is a conversation where the field `type` has the word `word`."""

    path: str
    type: str
    word: str


TRANSCRIPTS: dict[str, Transcribed] = {"test-cases": Transcribed("input_str", "input_type", "TRANSCRIPT")}
"""Sent as a JSON array of messages (API notes; no page states its shape)."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a value goes under one contract.

    `spec` None: the contract has no such field. A value is made into the kind `via`, then brought into `shape`; where
    `via` is LIST and the field JSON, the list is sent as a JSON array.
    """

    path: str
    spec: FieldSpec | None
    via: Kind
    shape: Shape = Shape.AS_IS
    turns: bool = False
    """Whether it is one of `TURNS`."""


def find_target(resource: Resource, path: str, contract: Contract) -> Target:
    """The field that is sent for the field `path` of a mapping."""
    wrapped = WRAPPED.get(resource.name, {}).get(path)
    if wrapped is not None:
        return Target(wrapped, find_spec(resource, wrapped, contract), Kind.TEXT, Shape.ONE_TO_LIST)
    rename = next((known for known in RENAMES.get(resource.name, ()) if path in {known.old, known.new}), None)
    if rename is None:
        spec = find_spec(resource, path, contract)
        return Target(path, spec, spec.kind if spec else Kind.TEXT)
    sent = rename.under(contract)
    spec = find_spec(resource, sent, contract)
    if not rename.plural:
        turns = sent in TURNS.get(resource.name, ())
        return Target(sent, spec, resource.fields(Contract.V2025_10)[rename.old].kind, turns=turns)
    if path == rename.old:
        return Target(sent, spec, Kind.TEXT, Shape.AS_IS if sent == path else Shape.ONE_TO_LIST)
    return Target(sent, spec, Kind.LIST, Shape.AS_IS if sent == path else Shape.LIST_TO_ONE)


@dataclass(frozen=True, slots=True)
class Lift:
    """A key that moves out of an object given whole: `key` of the object `parent` is sent as the field `path`."""

    parent: str
    key: str
    path: str


def find_lifts(resource: Resource, contract: Contract) -> tuple[Lift, ...]:
    """What must move out of whole objects, where the newer contract renamed a field inside one."""
    moved = [one for one in RENAMES.get(resource.name, ()) if one.under(contract) != one.old]
    nested = [(one.old.rpartition("."), one.new) for one in moved]
    return tuple(Lift(parent, key, path) for (parent, _, key), path in nested if parent)


def find_spec(resource: Resource, path: str, contract: Contract) -> FieldSpec | None:
    """What a contract says of a field; a free key of an object is of kind JSON; None: there is no such field."""
    known = resource.fields(contract)
    if path in known:
        return known[path]
    parent = path
    while "." in parent:
        parent = parent.rpartition(".")[0]
        if parent in known:
            return FieldSpec(path, Kind.JSON, judged=True) if known[parent].kind is Kind.OBJECT else None
    return None


def declared_spec(resource: Resource, path: str) -> FieldSpec | None:
    """What the reference pages say of a field, or else what the newer contract says; None: neither knows it."""
    older = find_spec(resource, path, Contract.V2025_10)
    return older or find_spec(resource, path, Contract.V2026_10)

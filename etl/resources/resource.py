"""What a resource is: its words, its models for each contract, and the flat list of fields that rules are made from.

It must never know a particular resource.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.fields import FieldInfo

from etl.resources.contract import Contract


class Body(BaseModel):
    """A request body or a part of one: strict types, unknown fields refused, no numbers that JSON cannot write."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)
    __test__ = False


class OpenBody(BaseModel):
    """A part of a body in which the page lists some keys and allows others."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)
    __test__ = False


class Kind(StrEnum):
    """How a field's value is carried in a frame."""

    TEXT = "text"
    """String column, plain text."""
    LIST = "list"
    """List(String) column: a list of strings."""
    INTEGER = "integer"
    """String column holding a JSON integer."""
    NUMBER = "number"
    """String column holding a JSON number."""
    BOOLEAN = "boolean"
    """String column holding `true` or `false`."""
    OBJECT = "object"
    """String column holding a JSON object, as it was written."""
    JSON = "json"
    """String column holding any JSON value, as it was written."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a body, as the rules need it. `path` is dotted (`metadata.chat_endpoint`)."""

    path: str
    kind: Kind
    required: bool = False
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    options: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    item: "FieldSpec | None" = None
    judged: bool = False
    """True where the model checks more than this spec says (a URL's host, JSON inside a string, a size)."""
    free: bool = False
    """True for an object of which the model asks nothing but to be one."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that holds ids of another resource.

    `named`: people put names even into a column that is called like the field itself; else what stands there are ids.
    """

    path: str
    resource: str
    named: bool = False


@dataclass(frozen=True, slots=True)
class Unique:
    """A field that should be unlike in all items; `refused`: the API refuses the second one (API notes)."""

    path: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """The words of one resource. `path` is below the base URL, which ends in `/v1`."""

    name: str
    path: str
    singular: str
    plural: str
    label: str
    """The field that a person knows it by."""
    names: tuple[str, ...]
    """The fields by which others may call it, where its id is not known."""
    create: Mapping[Contract, type[Body]]
    update: Mapping[Contract, type[Body]]
    id_field: str = "id"
    id_length: int = 22
    created_status: int = 201
    page_size_max: int = 100
    references: tuple[Reference, ...] = ()
    unique: tuple[Unique, ...] = ()
    model_decides: bool = True
    """True where every row is put before the pydantic model as well (few rows, many conditions). False: the model sees
    only rows whose cells hold JSON objects or that a condition names, so that a million rows cost a second."""
    updatable: bool = True
    cleared_by_null: frozenset[str] = frozenset()
    """Fields of which a null in a PATCH is a value; elsewhere it means "no change"."""
    notes: Mapping[str, str] = field(default_factory=dict)

    def is_id(self, text: str) -> bool:
        """Whether a text has the form of this resource's ids: letters and digits, `id_length` of them."""
        return len(text) == self.id_length and text.isascii() and text.isalnum()

    def fields(self, contract: Contract) -> Mapping[str, FieldSpec]:
        """Every field of a create body by its dotted path, parents before children."""
        return _flatten(self.create[contract], "")

    def changeable(self, contract: Contract) -> Mapping[str, FieldSpec]:
        """Every field of an update body by its dotted path, parents before children."""
        return _flatten(self.update[contract], "")


@cache
def _flatten(model: type[BaseModel], prefix: str) -> Mapping[str, FieldSpec]:
    found: dict[str, FieldSpec] = {}
    for name, info in model.model_fields.items():
        path = f"{prefix}{info.alias or name}"
        found[path] = _spec(path, info)
        nested = nested_model(info)
        if nested is not None:
            found |= {child.path: child for child in _flatten(nested, f"{path}.").values()}
    return found


def nested_model(info: FieldInfo) -> type[BaseModel] | None:
    """The model that describes the object in a field; None for a field that holds no object, or a free one."""
    return next((part for part in _parts(info.annotation) if _is_model(part)), None)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _parts(annotation: Any) -> list[Any]:
    """The members of a union without None, Annotated unwrapped; the annotation itself where it is no union."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return [part for member in get_args(annotation) for part in _parts(member) if part is not type(None)]
    if hasattr(annotation, "__metadata__"):
        return _parts(annotation.__origin__)
    return [annotation]


def _constraints(annotation: Any) -> list[Any]:
    """Every `Annotated` constraint on an annotation, also on the non-None member of a union."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return [rule for member in get_args(annotation) for rule in _constraints(member)]
    if hasattr(annotation, "__metadata__"):
        return [*_constraints(annotation.__origin__), *annotation.__metadata__]
    return []


_KINDS: dict[Any, Kind] = {
    str: Kind.TEXT,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    bool: Kind.BOOLEAN,
    dict: Kind.OBJECT,
}


def _spec(path: str, info: FieldInfo) -> FieldSpec:
    parts = _parts(info.annotation)
    rules = [*_constraints(info.annotation), *info.metadata]
    main = parts[0] if len(parts) == 1 else None
    values: dict[str, Any] = {"path": path, "required": info.is_required()}
    base = get_origin(main) or main
    if base is Literal:
        return FieldSpec(kind=Kind.TEXT, options=tuple(get_args(main)), **values)
    if base is list:
        item = _item(path, get_args(main)[0])
        if item.kind is not Kind.TEXT:
            return FieldSpec(kind=Kind.JSON, judged=True, **values)
        limits = _limits(rules)
        return FieldSpec(
            kind=Kind.LIST,
            item=item,
            min_items=limits.pop("min_length", None),
            max_items=limits.pop("max_length", None),
            **values,
            **limits,
        )
    kind = Kind.OBJECT if _is_model(main) else _KINDS.get(base, Kind.JSON)
    limits = _limits(rules)
    if base is dict and get_args(main)[1:] == (Any,) and not limits:
        return FieldSpec(kind=kind, judged=True, free=True, **values)
    judged = kind in {Kind.OBJECT, Kind.JSON}
    return FieldSpec(kind=kind, **values, **({"judged": judged} | limits))


def _item(path: str, annotation: Any) -> FieldSpec:
    return _spec(f"{path}[]", FieldInfo.from_annotation(annotation))


def _limits(rules: list[Any]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for rule in rules:
        match rule:
            case MinLen(min_length):
                limits["min_length"] = min_length
            case MaxLen(max_length):
                limits["max_length"] = max_length
            case Ge(ge):
                limits["minimum"] = ge
            case Le(le):
                limits["maximum"] = le
            case StringConstraints():
                limits |= {
                    name: value
                    for name in ("min_length", "max_length", "pattern")
                    if (value := getattr(rule, name)) is not None
                }
            case FieldInfo():
                limits |= _limits(rule.metadata)
            case _:
                limits["judged"] = True
    return limits

"""The model explains: rows that columns cannot judge, put before the resource's pydantic model as request bodies.

Must never know the columns of the file, nor change a body that is sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import polars as pl
from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import ErrorDetails, from_json, to_json

from etl.batch import ROW
from etl.problems import Code
from etl.resources import FieldSpec, Kind
from etl.resources.resource import nested_model
from etl.validators.sentences import Finding
from etl.validators.translation import translate

_STAND_IN = "?"
"""Put where a condition asks for a value, to see what else is asked for."""

_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""The first half of a pair without the second, or the second without the first."""


def judge_rows(
    frame: pl.DataFrame,
    bodies: pl.Series,
    model: type[BaseModel],
    fields: Mapping[str, FieldSpec],
    in_use: Mapping[str, FieldSpec],
) -> Iterator[tuple[int, Finding]]:
    """Row numbers with what the model says about the bodies (JSON text, one a row of `frame`).

    `fields` are the model's own by dotted path, `in_use` those of the frame's columns.
    """
    for place, (row, body) in enumerate(zip(frame[ROW], bodies, strict=True)):
        errors = _errors(model, body)
        if errors and errors[0]["type"] == "json_invalid":
            broken = list(_broken_cells(frame.row(place, named=True), in_use)) or translate(errors, fields)
            yield from ((row, finding) for finding in broken)
        elif errors:
            yield from ((row, finding) for finding in _explain(model, body, errors, fields))


def judge_changes(
    wholes: Iterable[tuple[int, str, str]], model: type[BaseModel], fields: Mapping[str, FieldSpec]
) -> Iterator[tuple[int, Finding]]:
    """Row numbers with what the model says about bodies as they would be, and does not say about them as they are.

    `wholes`: row, body before, body after (JSON text).
    """
    for row, before, after in wholes:
        errors = _errors(model, after)
        known = {(error["type"], error["loc"]) for error in _errors(model, before)} if errors else set()
        new = [error for error in errors if (error["type"], error["loc"]) not in known]
        yield from ((row, finding) for finding in translate(new, fields))


def _errors(model: type[BaseModel], body: str | bytes) -> list[ErrorDetails]:
    try:
        model.model_validate_json(body)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _broken_cells(cells: Mapping[str, Any], in_use: Mapping[str, FieldSpec]) -> Iterator[Finding]:
    """The cells that keep a body from being JSON: an unpaired surrogate, a number of thousands of digits."""
    for path, spec in in_use.items():
        cell = cells.get(path)
        if isinstance(cell, str) and spec.kind is not Kind.TEXT:
            try:
                from_json(cell)
            except ValueError as error:
                half = _SURROGATE.search(cell)
                reason = (
                    f"holds {half[0]}, which is half of a character; write the whole one, or remove it"
                    if half
                    else f"cannot be sent as JSON: {error}; a very long number fits only as text, in quotes"
                )
                yield Finding(Code.MALFORMED_JSON, path, cell, spec, reason=reason)


def _explain(
    model: type[BaseModel], body: str, errors: list[ErrorDetails], fields: Mapping[str, FieldSpec]
) -> Iterator[Finding]:
    """Fields first, then what they require of each other.

    pydantic asks a model's conditions only when every field is good, and stops at the first that fails. So they are
    asked again with the bad fields excused and what was asked for put in, until nothing new comes.
    """
    spoiled: set[str | None] = set()
    for finding in translate([error for error in errors if error["loc"]], fields):
        spoiled.add(finding.field)
        yield finding
    mended: dict[str, Any] = from_json(body)
    while True:
        unmet = [error for error in _errors_excusing(spoiled, model, mended) if not error["loc"]]
        asked = next(translate(unmet, fields), None)
        if asked is None or asked.field in spoiled:
            return
        if asked.field is None:
            yield asked
            return
        yield replace(asked, found=_take(mended, asked.field))
        spoiled.add(asked.field)
        _put(mended, asked.field, _STAND_IN)


def _errors_excusing(spoiled: set[str | None], model: type[BaseModel], body: Mapping[str, Any]) -> list[ErrorDetails]:
    """The model's errors with the spoiled fields taken as they are; one that holds a whole object is left out."""
    kept = {
        name: value
        for name, value in body.items()
        if name not in spoiled or (name in model.model_fields and nested_model(model.model_fields[name]) is None)
    }
    return _errors(_excusing(model, frozenset(path for path in spoiled if path)), to_json(kept))


@lru_cache(maxsize=256)
def _excusing(model: type[BaseModel], spoiled: frozenset[str]) -> type[BaseModel]:
    """The model with the spoiled fields (dotted paths) taking anything."""
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        inside = frozenset(path.removeprefix(f"{name}.") for path in spoiled if path.startswith(f"{name}."))
        nested = nested_model(info)
        if nested is not None and inside and name not in spoiled:
            fields[name] = (_excusing(nested, inside) | None, None)
        elif nested is None and name in spoiled:
            fields[name] = (Any, None)
    return create_model(model.__name__, __base__=model, **fields)


def _take(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        inner = body.get(name)
        if not isinstance(inner, dict):
            inner = body[name] = {}
        body = inner
    body[last] = value

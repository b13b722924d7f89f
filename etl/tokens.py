"""Words in cells that say what a blank cell cannot: `<clear>` empties a field, `<null>` sets it to null.

Only rows that change something may have them. It must never know what is there to be changed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import polars as pl

from etl import mapping as maps
from etl import problems as problem
from etl.batch import ROW, Batch
from etl.mapping import CLEAR, NULL, Bound
from etl.problems import Code, Problem, Severity
from etl.resources import RESOURCES, Kind, Resource

_EMPTY: dict[Kind, str] = {Kind.TEXT: '""', Kind.LIST: "[]", Kind.OBJECT: "{}"}


@dataclass(slots=True)
class Tokens:
    """Row and field of each token, with the token."""

    found: dict[tuple[int, str], str] = field(default_factory=dict)

    def problems(self, batch: Batch, resource: Resource, bound: Bound) -> pl.DataFrame:
        """An error for each that says nothing to the API."""
        rows = set(batch.frame[ROW])
        return problem.frame_of(
            _problem(batch, bound, row, path, token)
            for (row, path), token in self.found.items()
            if row in rows and _value(resource, bound, path, token) is None
        )


def take_tokens(batch: Batch, bound: Bound) -> tuple[Batch, Tokens]:
    """The rows without the tokens in them, and the tokens. A cell that fills several fields means all of them."""
    tokens = Tokens()
    if batch.members is not None:
        return batch, tokens
    cleared = []
    for column in {name for columns in bound.columns.values() for name in columns}:
        if column not in batch.source.columns or batch.source.schema[column] != pl.String:
            continue
        said = batch.source[column].str.strip_chars()
        marked = said.is_in([CLEAR, NULL]).fill_null(value=False)
        if not marked.any():
            continue
        cleared.append(pl.when(~marked).then(pl.col(column)).alias(column))
        paths = [path for path, columns in bound.columns.items() if column in columns]
        for row, token in zip(batch.source[ROW].filter(marked), said.filter(marked), strict=True):
            tokens.found |= {(row, path): token for path in paths}
    if not cleared:
        return batch, tokens
    source = batch.source.with_columns(cleared)
    return replace(batch, source=source, frame=source), tokens


def given_bodies(frame: pl.DataFrame, bound: Bound, tokens: Tokens) -> Iterator[tuple[int, bytes, frozenset[str]]]:
    """Row, body of what it says (JSON), and the objects of which it says only some keys."""
    inner = {path.partition(".")[0] for path in bound.fields if "." in path}
    whole = frame.select(ROW, *(name for name in inner if name in frame.columns))
    resource = RESOURCES[bound.mapping.resource]
    for row, body in zip(whole.iter_rows(named=True), maps.bodies(frame, bound.fields), strict=True):
        parts = {name for name in inner if row.get(name) is None}
        own = [(path, token) for (number, path), token in tokens.found.items() if number == row[ROW]]
        text = body.encode("utf-8", "surrogatepass")
        for path, token in own:
            value = _value(resource, bound, path, token)
            text = _put(text, path, value) if value is not None else text
        yield row[ROW], text, frozenset(parts)


def _value(resource: Resource, bound: Bound, path: str, token: str) -> str | None:
    """The JSON that a token means for a field; None where the API has no such thing."""
    spec = bound.fields.get(path)
    nullable = path in resource.cleared_by_null or "." in path
    if token == NULL or spec is None or spec.kind not in _EMPTY:
        return "null" if nullable else None
    return _EMPTY[spec.kind]


def _put(body: bytes, path: str, value: str) -> bytes:
    fields: dict[str, Any] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    top, _, rest = path.partition(".")
    if not rest:
        fields[top] = msgspec.Raw(value.encode())
        return msgspec.json.encode(fields)
    whole = json.loads(bytes(fields[top])) if top in fields else {}
    inner = whole
    *parents, last = rest.split(".")
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[last] = json.loads(value)
    fields[top] = msgspec.Raw(json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return msgspec.json.encode(fields)


def _problem(batch: Batch, bound: Bound, row: int, path: str, token: str) -> Problem:
    column = next(iter(bound.columns.get(path, ())), None)
    spec = bound.fields.get(path)
    does = f"{CLEAR} empties it" if spec is not None and spec.kind in _EMPTY else "give a value"
    words = f"{path} cannot be {'null' if token == NULL else 'empty'}; {does}, and a blank cell leaves it as it is"
    return Problem(row, Severity.ERROR, Code.WRONG_TYPE, path, column, batch.origin.cell(column, row), token, words)

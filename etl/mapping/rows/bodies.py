"""Rows in the API's fields into request bodies, as JSON text, in columns.

Values are never read and written anew, so that a number keeps its digits and an object its order. Must never know what
a body is for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from etl.mapping.cells.jsoncells import encode, merge
from etl.resources import FieldSpec, Kind


@dataclass(slots=True)
class _Node:
    """A key of the body: its own column, if there is one, and the keys inside it."""

    spec: FieldSpec | None = None
    inside: dict[str, "_Node"] = field(default_factory=dict)


def bodies(frame: pl.DataFrame, fields: Mapping[str, FieldSpec]) -> pl.Series:
    """One JSON object a row (String, named `body`), in the order of the frame.

    Fields that are null are left out; dotted fields stand inside their objects, and an object of nothing but nulls is
    left out. Where a row has an object whole and a field inside it, they are merged; a key that both have keeps the
    value of the whole object.
    """
    root = _Node()
    for path, spec in fields.items():
        if path in frame.columns:
            node = root
            for key in path.split("."):
                node = node.inside.setdefault(key, _Node())
            node.spec = spec
    if not root.inside or not frame.height:
        return pl.Series("body", ["{}"] * frame.height, dtype=pl.String)
    return frame.select(pl.coalesce(_members(root), pl.lit("{}")).alias("body")).to_series()


def _members(node: _Node) -> pl.Expr:
    """The keys inside a node as a JSON object; null where all of them are."""
    parts = [
        pl.concat_str(pl.lit(json.dumps(key, ensure_ascii=False) + ":"), _value(child))
        for key, child in node.inside.items()
    ]
    joined = pl.concat_str(parts, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}")))


def _value(node: _Node) -> pl.Expr:
    if node.spec is None:
        return _members(node)
    own = pl.col(node.spec.path)
    if node.spec.kind in {Kind.TEXT, Kind.LIST}:
        own = encode(own)
    if not node.inside:
        return own
    inside = _members(node)
    both = pl.when(own.is_not_null() & inside.is_not_null()).then(pl.struct(own.alias("own"), inside.alias("inside")))
    return pl.coalesce(both.map_batches(_merge, return_dtype=pl.String, is_elementwise=True), own, inside)


def _merge(pairs: pl.Series) -> pl.Series:
    found = pairs.to_list()
    made = [None if pair is None or pair["own"] is None else merge(pair["own"], pair["inside"]) for pair in found]
    return pl.Series(pairs.name, made, dtype=pl.String)

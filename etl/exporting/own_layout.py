"""Rows in the columns of a mapping, so that the mapping reads them again. It must never know which file they go to."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from etl.errors import UsageError
from etl.exporting.gathering import Gathered
from etl.exporting.outputs import Rows
from etl.mapping import Mapping as ColumnMapping
from etl.mapping import load_mapping, unmap
from etl.records import Column, ColumnKind
from etl.resources import RESOURCES, Contract
from etl.tables import explain_failure, json_text

_AT_ONCE = 1_000
_DEPRECATED = {"expected_output_str": "expected_behaviors"}
"""Answered for old clients; the other field says the same."""


def mapping_for(resource: str, name: str) -> ColumnMapping:
    """The mapping that is named. Raises MappingError where there is none, UsageError for one of another resource."""
    mapping = load_mapping(name)
    if mapping.resource != resource:
        raise UsageError(f"The mapping {name} is for {mapping.resource}, not for {resource}.")
    return mapping


def laid_out(gathered: Gathered, mapping: ColumnMapping, contract: Contract | None, path: Path) -> tuple[Rows, int]:
    """The rows in a mapping's columns, by way of a file at `path`; and how many of them it cannot give back whole.

    Raises MappingError for a mapping that cannot be written backwards.
    """
    names: dict[str, None] = {}
    lost = 0
    items = gathered.items()
    with explain_failure(path), path.open("w", encoding="utf-8", errors="surrogatepass") as stream:
        while some := list(islice(items, _AT_ONCE)):
            known = contract or (Contract.V2026_10 if "created_at" in some[0] else Contract.V2025_10)
            bodies = [json_text(_body(gathered.resource, known, item)) for item in some]
            batch = unmap(mapping, known, bodies)
            lost += batch.problems["row"].n_unique()
            names |= dict.fromkeys(batch.origin.columns)
            cells = batch.source.select(batch.origin.columns).iter_rows(named=True)
            for item, row in zip(some, cells, strict=True):
                stream.write(json_text([item[RESOURCES[gathered.resource].id_field], row]) + "\n")
    columns = [Column(name, ColumnKind.TEXT) for name in names]

    def rows() -> Iterator[tuple[str, dict[str, Any]]]:
        with explain_failure(path), path.open(encoding="utf-8", errors="surrogatepass") as stream:
            yield from map(json.loads, stream)

    def lines() -> Iterator[bytes]:
        for _, row in rows():
            said = {name: row[name] for name in names if row.get(name) is not None}
            yield f"{json_text(said)}\n".encode("utf-8", "backslashreplace")

    def cells_of() -> Iterator[tuple[str, list[Any]]]:
        for id_, row in rows():
            yield id_, [row.get(name) for name in names]

    return Rows(gathered.resource, columns, lines, cells_of), lost


def _body(resource: str, contract: Contract, item: Mapping[str, Any]) -> dict[str, Any]:
    """What would have to be sent to make the item: without what the API gives itself."""
    fields = RESOURCES[resource].create[contract].model_fields
    body = {name: item[name] for name in fields if item.get(name) is not None}
    return {name: value for name, value in body.items() if _DEPRECATED.get(name) not in body}

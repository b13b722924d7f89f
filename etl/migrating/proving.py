"""What was moved, compared with what it was moved from: item by item, by its new id, field by field.

It must never change anything, nor fetch it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from etl.auditing import Difference, Matching, Side, Tallies, differences
from etl.migrating.ids import IdMap
from etl.migrating.spooling import old_id, read_items
from etl.resources import RESOURCES, Contract, Resource
from etl.writer import SEVERAL_EXPECTED, Likeness, without_mark

_EMPTY: tuple[Any, ...] = (None, "", [], {})


def compare(
    rows: Mapping[str, Path], targets: Mapping[str, Path], ids: IdMap, contract: Contract, tallies: Tallies
) -> Iterator[Difference]:
    """Every difference between what was to be moved (`rows`, as they were spooled) and what is there now (`targets`).

    Only what has a new id is compared; `removed` means that it is not there. `tallies` counts meanwhile.
    """
    wanted = {name: _new_ids(RESOURCES[name], path, ids) for name, path in rows.items()}
    a = Side("source", {name: _reader(_wanted, RESOURCES[name], path, ids, contract) for name, path in rows.items()})
    b = Side(
        "target",
        {name: _reader(_there, RESOURCES[name], path, wanted[name], contract) for name, path in targets.items()},
    )
    yield from differences(a, b, Matching(), tallies)


def _new_ids(resource: Resource, path: Path, ids: IdMap) -> set[str]:
    found = (ids.new_of(resource.name, old_id(resource, row)) for row in read_items(path))
    return {id_ for id_ in found if id_ is not None}


def _reader(read: Any, *given: Any) -> Any:
    return lambda: read(*given)


def _wanted(resource: Resource, path: Path, ids: IdMap, contract: Contract) -> Iterator[dict[str, Any]]:
    likeness = Likeness(resource, contract)
    for row in read_items(path):
        new = ids.new_of(resource.name, old_id(resource, row))
        if new is not None:
            yield {resource.id_field: new} | _content(resource, ids.relinked(resource, row), likeness)


def _there(resource: Resource, path: Path, wanted: set[str], contract: Contract) -> Iterator[dict[str, Any]]:
    likeness = Likeness(resource, contract)
    for item in read_items(path):
        if item[resource.id_field] in wanted:
            yield {resource.id_field: item[resource.id_field]} | _content(resource, item, likeness)


def _content(resource: Resource, item: Mapping[str, Any], likeness: Likeness) -> dict[str, Any]:
    """What a client says of an item, in one form for both contracts."""
    known = {name for model in resource.create.values() for name in model.model_fields}
    own = item[resource.id_field]
    said = {
        name: without_mark(resource, name, value)
        for name, value in item.items()
        if name in known and not (name == "customer_agent_id" and value == own)
    }
    fields = {name: json.loads(text) for name, text in likeness.given(said).items()}
    if SEVERAL_EXPECTED in fields:
        fields["expected_behaviors"] = fields.pop(SEVERAL_EXPECTED)
    return {name: value for name, value in fields.items() if value not in _EMPTY}

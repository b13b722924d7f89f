"""Marks: what names a resource of ours at the API beyond doubt, where a resource can carry such a name.

It must never know files or what an answer means.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from etl.ledger import RowKey
from etl.resources import AGENTS, RUN_TEMPLATES, RUNS, Resource

IMPORT_KEY = "coval_etl_import"
"""Where the mark stands: in `metadata` of run templates, in `metadata.customer` of runs."""

_PLACES: Mapping[str, tuple[str, ...]] = {
    RUN_TEMPLATES.name: ("metadata", IMPORT_KEY),
    RUNS.name: ("metadata", "customer", IMPORT_KEY),
}
_OWN: Mapping[str, str] = {AGENTS.name: "customer_agent_id", "test-sets": "slug"}
"""Names that the client may choose, and that the API keeps unique."""


def mark_for(job_id: str, key: RowKey) -> str:
    """The mark of a row in a job: 26 hexadecimal digits, the same however often the job is carried on."""
    return hashlib.sha256(f"{job_id}\0{key.table}\0{key.row}".encode()).hexdigest()[:26]


def marked(resource: Resource, body: bytes, job_id: str, key: RowKey) -> bytes:
    """The body with the row's mark in it, where the resource has a place for one; else the same body."""
    place = _PLACES.get(resource.name)
    if place is None:
        return body
    whole = json.loads(body)
    inner = whole
    for name in place[:-1]:
        inner[name] = dict(inner.get(name) or {})
        inner = inner[name]
    inner[place[-1]] = mark_for(job_id, key)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def without_mark(resource: Resource, field: str, value: Any) -> Any:
    """A field's value without the mark that an import may have put into it: what a person wrote."""
    place = _PLACES.get(resource.name)
    if place is None or place[0] != field:
        return value
    return _without(value, place[1:])


def _without(value: Any, place: tuple[str, ...]) -> Any:
    if not isinstance(value, Mapping) or place[0] not in value:
        return value
    if len(place) == 1:
        return {name: inner for name, inner in value.items() if name != place[0]}
    inner = _without(value[place[0]], place[1:])
    return {name: inner if name == place[0] else kept for name, kept in value.items() if name != place[0] or inner}


def mark_of(resource: Resource, item: Mapping[str, Any]) -> str | None:
    """The mark in a request body or in an item of a list; None where there is none."""
    found: Any = item
    for name in _PLACES.get(resource.name) or (_OWN.get(resource.name, ""),):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None

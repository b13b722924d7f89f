"""What was fetched becomes the rows of an import: old ids replaced by new ones, and what cannot move written down.

It must never send anything. Secrets are markers here, and stay so on disk.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.migrating.ids import IdMap
from etl.migrating.metrics import Metrics
from etl.resources import AGENTS, METRICS, MOVED_NAMES, REFERABLE, RESOURCES, RUN_TEMPLATES, TEST_CASES, Resource
from etl.tables import Dialect, NewFile, explain_failure, guard, json_text, write_delimited
from etl.writer import without_mark

STAYS: Mapping[str, str] = {
    "knowledge_base_ids": "the API lets nobody create or attach a knowledge base; do it in Coval's web pages",
    "mutation_ids": "the API neither lists mutations nor makes them; choose them again in Coval's web pages",
}
"""Fields that name what only its own organisation has."""
_LABEL_CHARACTERS = 120
Write = Callable[[Any], None]
"""Takes one value, and writes it as a line."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that does not move. `field` empty: the whole item; else what this field says of it."""

    resource: str
    id: str
    label: str
    field: str
    reason: str


@dataclass(slots=True)
class Spooled:
    """What is to be moved. By resource: `found` items at the source, `new` ones, `there`: those that were moved before.

    `old_ids`: of all that is moved now, or was before and is still among what was found. `left`: how much stays.
    """

    found: dict[str, int] = field(default_factory=dict)
    new: dict[str, int] = field(default_factory=dict)
    there: dict[str, int] = field(default_factory=dict)
    old_ids: dict[str, set[str]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)


class Spooler:
    """Writes the rows of one migration into a folder, resource after resource in the order of `RESOURCES`."""

    def __init__(self, folder: Path, ids: IdMap, metrics: Metrics) -> None:
        """`ids`: what was moved before and is still there, and metrics."""
        self._folder = folder
        self._ids = ids
        self._metrics = metrics
        self.spooled = Spooled()

    def spool(self, sources: Mapping[str, Path]) -> None:
        """Write the rows of every resource that was fetched (`sources`), and what stays. Raises StoppedError."""
        called = _cases_called(sources.get(RUN_TEMPLATES.name))
        with _lines_in(self._folder / "left.jsonl") as left:
            for name in (one for one in MOVED_NAMES if one in sources):
                with _lines_in(self._folder / f"{name}.jsonl") as rows:
                    for item in read_items(sources[name]):
                        self._take(RESOURCES[name], item, called, rows, left)

    def _take(self, resource: Resource, item: dict[str, Any], called: set[str], rows: Write, left: Write) -> None:
        name, old = resource.name, str(item[resource.id_field])
        spooled = self.spooled
        spooled.found[name] = spooled.found.get(name, 0) + 1
        spooled.old_ids.setdefault(name, set())
        kept, stays = self._without_what_stays(resource, item)
        label = str(item.get(resource.label) or "")[:_LABEL_CHARACTERS]
        for path, reason in stays:
            left([name, old, label, path, reason])
            spooled.left[name] += 1
        if any(not path for path, _ in stays):
            return
        new = self._ids.new_of(name, old)
        counted = spooled.new if new is None else spooled.there
        counted[name] = counted.get(name, 0) + 1
        spooled.old_ids[name].add(old)
        named = {"id": new, "moved_from": old if resource is not TEST_CASES or old in called else None}
        row = named | {key: value for key, value in kept.items() if key not in named}
        row[name_key(resource)] = f"{name}/{old}"
        rows(row)

    def _without_what_stays(
        self, resource: Resource, item: dict[str, Any]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The item as it can be made at the target, and what of it cannot: field (empty: all of it) and reason."""
        stays = [(key, reason) for key, reason in STAYS.items() if item.get(key)]
        kept = {key: without_mark(resource, key, value) for key, value in item.items() if key not in STAYS}
        if resource is AGENTS and kept.get("customer_agent_id") == item[resource.id_field]:
            del kept["customer_agent_id"]  # the API made it from the id, and makes another one
        if resource is RUN_TEMPLATES and not kept.get("test_case_ids"):
            kept.pop("test_case_ids", None)  # then nobody has to know what test cases are called
        for reference in resource.references:
            holder, key = _holder(kept, reference.path)
            wanted = holder.get(key) if holder else None
            missing = [one for one in _listed(wanted) if (why := self._why_missing(reference.resource, one))]
            if not missing or holder is None:
                continue
            why = self._why_missing(reference.resource, missing[0])
            if reference.resource != METRICS.name and resource is not AGENTS:
                return kept, [("", f"{reference.path} {missing[0]}: {why}")]
            stays += [(reference.path, f"{one}: {self._why_missing(reference.resource, one)}") for one in missing]
            if isinstance(wanted, list):
                holder[key] = [one for one in wanted if one not in missing]
            else:
                del holder[key]
        return self._ids.relinked(resource, kept), stays

    def _why_missing(self, resource: str, old: str) -> str:
        """Why a reference leads nowhere at the target; empty where it does not."""
        if resource == METRICS.name:
            return self._metrics.why_missing(old)
        if self._ids.new_of(resource, old) is not None or old in self.spooled.old_ids.get(resource, ()):
            return ""
        noun = REFERABLE[resource].singular.replace("_", " ")
        return f"that {noun} is not moved, and was not moved before"


def name_key(resource: Resource) -> str:
    """The key of a row that says which item it was: `agents/ID`."""
    return "resource_name" if resource.name == "personas" else "name"


def old_id(resource: Resource, row: Mapping[str, Any]) -> str:
    """The id that the item of a row has at the source."""
    return str(row[name_key(resource)]).rpartition("/")[2]


def read_items(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON Lines that we wrote."""
    with explain_failure(path), path.open("rb") as stream:
        yield from map(json.loads, stream)


def read_left(folder: Path) -> Iterator[Left]:
    """What stays, as it was written down."""
    path = folder / "left.jsonl"
    if path.exists():
        with path.open("rb") as stream:
            yield from (Left(*json.loads(line)) for line in stream)


def write_left(path: Path, left: Iterable[Left]) -> None:
    """`left-behind.csv`: what does not move, and why. Raises StoppedError."""
    file = NewFile(path)
    try:
        rows = ([guard(cell) for cell in (one.resource, one.id, one.label, one.field, one.reason)] for one in left)
        write_delimited(file, ("resource", "id", "label", "field", "reason"), rows, Dialect(encoding="utf-8-sig"))
        file.commit()
    finally:
        file.discard()


def _cases_called(templates: Path | None) -> set[str]:
    """The test cases that run templates name. Nothing else of the job refers to one."""
    if templates is None:
        return set()
    return {id_ for item in read_items(templates) for id_ in _listed(item.get("test_case_ids"))}


def _holder(item: dict[str, Any], path: str) -> tuple[dict[str, Any] | None, str]:
    """The object that a dotted path ends in, as a copy in its place, and the key in it."""
    parent, _, key = path.rpartition(".")
    if not parent:
        return item, key
    inner = item.get(parent)
    if not isinstance(inner, dict):
        return None, key
    item[parent] = dict(inner)
    return item[parent], key


def _listed(value: Any) -> list[str]:
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return [value] if isinstance(value, str) and value else []


@contextmanager
def _lines_in(path: Path) -> Iterator[Callable[[Any], None]]:
    """A file of JSON Lines that appears when all of them are written."""
    file = NewFile(path)
    try:
        yield lambda value: file.write(json_text(value).encode("utf-8", "backslashreplace") + b"\n")
        file.commit()
    finally:
        file.discard()

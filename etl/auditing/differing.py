"""In what two sides differ: what was added, removed and changed, field by field, with memory that does not grow.

It must never know where the sides come from, nor how differences are shown.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

from etl.auditing.sides import Item, Side
from etl.records import SortedLines, cell_text
from etl.resources import RESOURCES, Kind, Resource
from etl.tables import json_text
from etl.writer import without_mark

_TIMES = ("create_time", "update_time", "created_at", "created_by", "updated_at", "updated_by")
_OWN = frozenset(("id", "run_id", "resource_name", "resource", *_TIMES))
"""What the API gives itself: it differs between organisations."""
_CHOSEN = "customer_agent_id"
"""Chosen by a client, else made by the API from the id: one that looks like an id says nothing across organisations."""
_NAMED = ("test-sets", "agents", "personas", "run-templates")
"""What others refer to, and is known by its label instead of its id where two organisations are compared."""
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Matching:
    """How rows find each other: by id (`key` None), by a field, or by their whole content."""

    key: str | None = None
    content: bool = False
    ignore: frozenset[str] = frozenset()

    @property
    def across(self) -> bool:
        """Whether ids do not count."""
        return self.content or self.key is not None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field (dotted inside of objects) whose value is another one; None where it is blank or not there."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`change`: `added`, `removed` or `changed`. `key`: what it was matched by; `label`: what a person calls it."""

    resource: str
    change: str
    key: str
    label: str
    fields: tuple[FieldChange, ...] = ()


@dataclass(slots=True)
class Tally:
    """How many rows of a resource are the same, and how many are not."""

    same: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0


@dataclass(slots=True)
class Tallies:
    """By resource."""

    by_resource: dict[str, Tally] = field(default_factory=dict)

    @property
    def differ(self) -> bool:
        return any(one.added or one.removed or one.changed for one in self.by_resource.values())


def differences(a: Side, b: Side, matching: Matching, tallies: Tallies | None = None) -> Iterator[Difference]:
    """Every difference, resource by resource, in the order of the keys. `tallies` counts meanwhile."""
    counted = tallies if tallies is not None else Tallies()
    books = (_book(a, matching), _book(b, matching))
    exact = a.exact and b.exact
    for name in RESOURCES:
        if name not in a.rows and name not in b.rows:
            continue
        tally = counted.by_resource[name] = Tally()
        with tempfile.TemporaryDirectory(prefix="coval-etl-") as folder:
            old, new = (
                _sorted(side, RESOURCES[name], matching, book, Path(folder))
                for side, book in zip((a, b), books, strict=True)
            )
            for before, after in _pairs(old, new):
                found = _difference(RESOURCES[name], before, after, matching, exact=exact)
                if found is None:
                    tally.same += 1
                    continue
                setattr(tally, found.change, getattr(tally, found.change) + 1)
                yield found


def _book(side: Side, matching: Matching) -> dict[str, str]:
    """What stands for an id of this side, where ids do not count."""
    if not matching.across:
        return {}
    book = {}
    for name in _NAMED:
        if name in side.rows:
            for item in side.rows[name]():
                book[str(item.get("id"))] = f"{name}: {item.get(RESOURCES[name].label)}"
    return book


def _sorted(side: Side, resource: Resource, matching: Matching, book: Mapping[str, str], folder: Path) -> SortedLines:
    """`"key"⇥{…}`, in the order of the keys."""
    lines, booleans = SortedLines(folder), _booleans(resource)
    for item in side.rows[resource.name]() if resource.name in side.rows else ():
        kept = _comparable(item, resource, matching, book)
        if matching.content:
            text = json_text(_texts(kept, booleans))
            key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        else:
            key = cell_text(item.get(matching.key or resource.id_field)) or ""
        line = f"{json_text(key)}\t{json_text(kept)}\n"
        lines.add(line.encode("utf-8", "backslashreplace"))
    return lines


def _comparable(item: Item, resource: Resource, matching: Matching, book: Mapping[str, str]) -> Item:
    kept = {key: value for key, value in item.items() if key not in matching.ignore and key != "resource"}
    if not matching.across:
        return kept
    own_id = item.get(resource.id_field)
    unknown = {one.path for one in resource.references}
    return {
        key: named
        for key, value in kept.items()
        if key not in _OWN
        and value not in (own_id, f"{resource.name}/{own_id}")
        and not (key == _CHOSEN and resource.is_id(str(value)))
        and (named := _named(without_mark(resource, key, _read(value)), book, is_reference=key in unknown))
        is not _MISSING
    }


def _named(value: Any, book: Mapping[str, str], *, is_reference: bool) -> Any:
    """The value with labels in the place of ids; `_MISSING` for a reference whose name is not known."""
    if isinstance(value, str):
        return book.get(value, _MISSING if is_reference and value else value)
    if isinstance(value, list):
        named = [_named(one, book, is_reference=is_reference) for one in value]
        return _MISSING if _MISSING in named else named
    if isinstance(value, dict):
        return {key: _named(inner, book, is_reference=False) for key, inner in value.items()}
    return value


def _pairs(old: SortedLines, new: SortedLines) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Rows of equal keys, in their order; None where there is no other one."""

    def groups(lines: SortedLines) -> Iterator[tuple[bytes, list[bytes]]]:
        for key, same in groupby(lines, lambda line: line.split(b"\t", 1)[0]):
            yield key, list(same)

    left, right = groups(old), groups(new)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if a is not None and (b is None or a[0] < b[0]):
            yield from ((line, None) for line in a[1])
            a = next(left, None)
        elif b is not None and (a is None or b[0] < a[0]):
            yield from ((None, line) for line in b[1])
            b = next(right, None)
        elif a is not None and b is not None:
            yield from zip_longest(a[1], b[1])
            a, b = next(left, None), next(right, None)


def _difference(
    resource: Resource, before: bytes | None, after: bytes | None, matching: Matching, *, exact: bool
) -> Difference | None:
    if matching.content and before and after:
        return None
    if before is not None and before == after:
        return None
    old, new = (json.loads(line.split(b"\t", 1)[1]) if line else {} for line in (before, after))
    line = before or after or b'""\t'
    key = json.loads(line.split(b"\t", 1)[0])
    item = new or old
    label = str(item.get(resource.label) or item.get("name") or item.get("display_name") or key)
    if before is None or after is None:
        return Difference(resource.name, "added" if before is None else "removed", key, label)
    fields = tuple(_field_changes(old, new, "", exact=exact))
    return Difference(resource.name, "changed", key, label, fields) if fields else None


def _field_changes(old: Item, new: Item, path: str, *, exact: bool) -> Iterator[FieldChange]:
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        if exact and (key in old) != (key in new) and before is None and after is None:
            continue
        if not exact:
            before, after = _read(before), _read(after)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _field_changes(before, after, f"{path}{key}.", exact=exact)
        elif not _same(before, after, exact=exact):
            yield FieldChange(f"{path}{key}", _shown(before, exact=exact), _shown(after, exact=exact))


def _same(before: Any, after: Any, *, exact: bool) -> bool:
    if before == after and type(before) is type(after):
        return True
    if exact:
        return False
    old, new = cell_text(before), cell_text(after)
    if old == new:
        return True
    if isinstance(before, bool) or isinstance(after, bool):
        return str(old).lower() == str(new).lower()
    try:
        return (isinstance(before, float) or isinstance(after, float)) and float(str(old)) == float(str(new))
    except ValueError:
        return False


def _shown(value: Any, *, exact: bool) -> str | None:
    if exact and value == "":
        return '""'
    return cell_text(value)


def _read(value: Any) -> Any:
    """A cell that holds a list or an object, as such."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _texts(item: Item, booleans: frozenset[str]) -> list[tuple[str, str]]:
    """What is not blank, as text: the same whatever form it was read from. A workbook writes booleans in capitals."""
    texts = ((key, cell_text(_whole(_read(value)))) for key, value in item.items())
    return sorted(
        (key, text.lower() if key in booleans else text) for key, text in texts if text not in (None, "[]", "{}")
    )


def _booleans(resource: Resource) -> frozenset[str]:
    """The fields that hold true or false."""
    fields = (spec for contract in resource.create for spec in resource.fields(contract).values())
    return frozenset(spec.path for spec in fields if spec.kind is Kind.BOOLEAN)


def _whole(value: Any) -> Any:
    """1.0 as 1: a workbook does not tell them apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def counts_of(tallies: Tallies) -> dict[str, dict[str, int]]:
    """Plain numbers, for JSON."""
    return {
        name: {"same": one.same, "added": one.added, "removed": one.removed, "changed": one.changed}
        for name, one in tallies.by_resource.items()
    }

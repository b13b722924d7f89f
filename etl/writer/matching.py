"""Which rows in doubt are among the things that were listed: counts decide, since equal rows are interchangeable.

It must never know when anything was sent or listed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.ledger import RowKey
from etl.resources import Resource
from etl.writer.likeness import Fields, Likeness
from etl.writer.marks import mark_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row that is looked for: its body as it was sent, mark and all."""

    key: RowKey
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found. `found`: the item of each row that is there. `left`: the items that no row explains.

    `unclear`: rows of which some are there, but which ones cannot be told: they differ only in what does not come back.
    """

    found: Mapping[RowKey, Mapping[str, Any]]
    left: Sequence[Mapping[str, Any]]
    unclear: frozenset[RowKey] = frozenset()


def match(
    wanted: Sequence[Wanted], items: Sequence[Mapping[str, Any]], likeness: Likeness, resource: Resource
) -> Matches:
    """By mark where both have one, else by content as a multiset, unless what comes back is known not to tell enough.

    `items` newest first: of several that are alike the oldest are taken.
    """
    free = dict(enumerate(reversed(items)))
    found: dict[RowKey, Mapping[str, Any]] = {}
    by_mark = {mark: at for at, item in free.items() if (mark := mark_of(resource, item))}
    groups: dict[object, list[tuple[RowKey, Fields]]] = defaultdict(list)
    for one in wanted:
        mark = mark_of(resource, one.body)
        at = by_mark.pop(mark, None) if mark else None
        if at is None:
            fields = likeness.fields(one.body)
            groups[likeness.key(fields)].append((one.key, fields))
        else:
            found[one.key] = free.pop(at)
    if likeness.learned and not likeness.trusted:
        return Matches(found, list(free.values()))
    alike: dict[object, list[int]] = defaultdict(list)
    for at, item in free.items():
        if not _marked_otherwise(item, resource):
            alike[likeness.key(likeness.fields(item))].append(at)
    unclear: set[RowKey] = set()
    for key, rows in groups.items():
        there = alike.get(key, [])
        if there and any(fields != rows[0][1] for _, fields in rows):
            unclear.update(row for row, _ in rows)
            there = there[: len(rows)]
            for at in there:
                del free[at]
            continue
        for (row, _), at in zip(rows, there, strict=False):
            found[row] = free.pop(at)
    return Matches(found, list(free.values()), frozenset(unclear))


def _marked_otherwise(item: Mapping[str, Any], resource: Resource) -> bool:
    """Whether an item has a mark that no row looked for: it is another row's, or another job's."""
    return resource.name in {"runs", "run-templates"} and mark_of(resource, item) is not None

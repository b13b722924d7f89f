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
    """What was found. `found`: the item of each row that is there. `left`: the items that no row explains."""

    found: Mapping[RowKey, Mapping[str, Any]]
    left: Sequence[Mapping[str, Any]]


def match(
    wanted: Sequence[Wanted], items: Sequence[Mapping[str, Any]], likeness: Likeness, resource: Resource
) -> Matches:
    """By mark where both have one, else by content as a multiset; of rows with more fields first.

    `items` newest first: of several that are alike the oldest are taken.
    """
    free = dict(enumerate(reversed(items)))
    found: dict[RowKey, Mapping[str, Any]] = {}
    by_mark = {mark: at for at, item in free.items() if (mark := mark_of(resource, item))}
    unmarked = []
    for one in wanted:
        mark = mark_of(resource, one.body)
        at = by_mark.pop(mark, None) if mark else None
        if at is None:
            unmarked.append(one)
        else:
            found[one.key] = free.pop(at)
    contents = {at: likeness.fields(item) for at, item in free.items()}
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Wanted]] = defaultdict(list)
    for one in unmarked:
        groups[likeness.key(likeness.fields(one.body))].append(one)
    indexes: dict[tuple[str, ...], dict[tuple[str | None, ...], list[int]]] = {}
    for names, texts in sorted(groups, key=lambda key: -len(key[0])):
        index = indexes.setdefault(names, _index(contents, names))
        alike = [at for at in index.get(texts, []) if at in free and not _marked_otherwise(free[at], resource)]
        for one, at in zip(groups[names, texts], alike, strict=False):
            found[one.key] = free.pop(at)
    return Matches(found, list(free.values()))


def _index(contents: Mapping[int, Fields], names: tuple[str, ...]) -> dict[tuple[str | None, ...], list[int]]:
    index: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for at, fields in contents.items():
        index[tuple(fields.get(name) for name in names)].append(at)
    return index


def _marked_otherwise(item: Mapping[str, Any], resource: Resource) -> bool:
    """Whether an item has a mark that no row looked for: it is another row's, or another job's."""
    return resource.name in {"runs", "run-templates"} and mark_of(resource, item) is not None

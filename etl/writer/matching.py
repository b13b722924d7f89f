"""Which rows in doubt are among the things that were listed: counts decide, since equal rows are interchangeable.

It must never know when anything was sent or listed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.ledger import RowKey
from etl.resources import Resource
from etl.writer.likeness import Key, Likeness
from etl.writer.marks import mark_of

Content = tuple[tuple[str, str], ...]
"""All that a row says, in its canonical form."""


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
    found = _take_marked(wanted, free, resource)
    if likeness.learned and not likeness.trusted:
        return Matches(found, list(free.values()))
    groups: dict[Content, list[RowKey]] = defaultdict(list)
    for one in (one for one in wanted if one.key not in found):
        groups[tuple(sorted(likeness.fields(one.body).items()))].append(one.key)
    for item in free.values():
        likeness.show(item)
    alike: dict[Key, list[int]] = defaultdict(list)
    for at, item in free.items():
        if not _marked_otherwise(item, resource):
            alike[likeness.key(likeness.fields(item))].append(at)
    candidates = _candidates(groups, alike, likeness)
    unclear = {content for contents in candidates.values() if len(contents) > 1 for content in contents}
    for key, contents in candidates.items():
        if unclear.isdisjoint(contents):
            rows = [row for row in groups[contents[0]] if row not in found]
            found |= {row: free.pop(at) for row, at in zip(rows, alike[key], strict=False)}
        elif len(contents) > 1:
            for at in alike[key]:
                del free[at]
    return Matches(found, list(free.values()), frozenset(row for content in unclear for row in groups[content]))


def _candidates(
    groups: Mapping[Content, Sequence[RowKey]], alike: Mapping[Key, Sequence[int]], likeness: Likeness
) -> Mapping[Key, Sequence[Content]]:
    """For each way in which items look, the different rows that they may be."""
    found: dict[Key, list[Content]] = defaultdict(list)
    for content in groups:
        for key in dict.fromkeys(likeness.keys(dict(content))):
            if key in alike:
                found[key].append(content)
    return found


def _take_marked(
    wanted: Sequence[Wanted], free: dict[int, Mapping[str, Any]], resource: Resource
) -> dict[RowKey, Mapping[str, Any]]:
    """The items that have the mark of a row; they are free no longer."""
    by_mark = {mark: at for at, item in free.items() if (mark := mark_of(resource, item))}
    found = {}
    for one in wanted:
        mark = mark_of(resource, one.body)
        at = by_mark.pop(mark, None) if mark else None
        if at is not None:
            found[one.key] = free.pop(at)
    return found


def _marked_otherwise(item: Mapping[str, Any], resource: Resource) -> bool:
    """Whether an item has a mark that no row looked for: it is another row's, or another job's."""
    return resource.name in {"runs", "run-templates"} and mark_of(resource, item) is not None

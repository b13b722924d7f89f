"""What a bound mapping uses of columns of which it takes only some of the inside. Must never know a row."""

from collections.abc import Iterable

from etl.mapping.cells.keys import Keys, tree_of
from etl.mapping.cells.ways import Input, Part, Way
from etl.mapping.rows.feeds import Feed


def keys_in_use(feeds: Iterable[Feed], others: Iterable[Input]) -> dict[str, Keys]:
    """Of the columns that are never used whole: which keys are. `others` are what is used beside the fields."""
    ways: dict[str, list[tuple[Part, ...]]] = {}
    for feed in feeds:
        for leaf in feed.leaves:
            for one in leaf.inputs:
                ways.setdefault(one.column, []).extend(leaf.ways_from(one, feed))
    for one in others:
        ways.setdefault(one.column, []).append(one.way.parts if one.way else ())
    found = {column: tree_of(parts) for column, parts in ways.items() if parts}
    return {column: keys for column, keys in found.items() if not keys.whole}


def ways_in_use(inputs: Iterable[Input], ignored: set[str]) -> dict[str, tuple[Way, ...]]:
    """Of the columns that are never used whole, and of which nothing is ignored: the ways."""
    found: dict[str, list[Way | None]] = {}
    for one in inputs:
        found.setdefault(one.column, []).append(one.way)
    return {
        column: tuple(way for way in ways if way is not None)
        for column, ways in found.items()
        if None not in ways and column not in ignored
    }

"""What `keep` lets go: kinds of values that a field leaves out, and that no other field takes from the same place.

Must never know a row.
"""

from collections.abc import Callable, Collection, Sequence

import polars as pl

from etl.mapping.cells.ways import Input
from etl.mapping.rows.feeds import Feed
from etl.mapping.steps import KINDS, Keep

_AS_IT_IS = frozenset({"strip", "nfc", "lower", "upper", "blank_to_null", "drop_empty"})
"""Steps that leave the kind of a value as it is."""


class Keeping:
    """All `keep` steps of a mapping that look at what stands in the file."""

    def __init__(self, leaves: Sequence[Feed], told: Collection[str]) -> None:
        self._leaves = leaves
        self._told: set[str | Input] = {*told}
        """Columns, and places inside columns, of which nothing more is to be said."""

    def let_go(self, feed: Feed) -> Callable[[pl.Series], pl.Series] | None:
        """What is said of cells, or lists, that the feed's `keep` leaves out; None where nothing is, or it is said."""
        kept = kept_first(feed)
        if kept is None:
            return None
        if feed.numbered:
            return kept.let_go(KINDS.difference(kept.kinds), feed.subject)
        (place,) = feed.inputs
        if place in self._told or place.column in self._told:
            return None
        gone = KINDS.difference(*(_kinds_taken(leaf, place) for leaf in self._leaves))
        self._told |= {place} if gone else set()
        return kept.let_go(gone, feed.subject) if gone else None


def kept_first(feed: Feed) -> Keep | None:
    """The step of a feed that asks what kind of value stands in the file."""
    for step in feed.rule.steps if feed.is_from_columns else ():
        if isinstance(step, Keep):
            return step
        if step.step not in _AS_IT_IS:
            return None
    return None


def _kinds_taken(leaf: Feed, place: Input) -> Collection[str]:
    """The kinds of values at a place that a feed takes something of."""
    same = [one for one in leaf.inputs if one.column == place.column]
    if place not in same:
        inside = place.way is None and any(one.way is not None for one in same)
        whole = place.way is not None and any(one.way is None for one in same)
        return KINDS - {"text"} if inside else KINDS if whole and kept_first(leaf) is None else ()
    kept = kept_first(leaf)
    return KINDS if kept is None else kept.kinds

"""Which columns the items of a resource have, and of which kind: seen once through, then the same for every format.

It must never know how a format spells a cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from etl.records.canonical import cell_text, ordered_keys

_INT64 = 1 << 63


class ColumnKind(StrEnum):
    """What a column holds, blank cells apart."""

    TEXT = "text"
    INTEGER = "integer"
    """Whole numbers of at most 64 bits."""
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"
    """JSON text: lists, objects, or values of several kinds (texts in quotes then)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, called by the item's key."""

    name: str
    kind: ColumnKind

    def cell(self, value: Any) -> Any:
        """The value as the column holds it: `str`, `int`, `float`, `bool`, or None for a blank cell."""
        if value is None:
            return None
        if self.kind is ColumnKind.TEXT:
            return value or None
        if self.kind is ColumnKind.JSON:
            return cell_text([value])[1:-1]  # type: ignore[index]  # never blank, and a text in quotes
        return float(value) if self.kind is ColumnKind.NUMBER else value


class Layout:
    """The columns of a resource, found by looking at every item: `see` them all, then ask for `columns`."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._kinds: dict[str, set[ColumnKind]] = {}

    def see(self, item: Mapping[str, Any]) -> None:
        """One more item."""
        for key, value in item.items():
            kinds = self._kinds.get(key)
            if kinds is None:
                kinds = self._kinds[key] = set()
            if value is not None:
                kinds.add(_kind_of(value))

    def columns(self, chosen: Sequence[str] | None = None) -> list[Column]:
        """Every column, or those chosen, in that order; one that no item has is blank text."""
        names = ordered_keys(self._resource, self._kinds) if chosen is None else chosen
        return [Column(name, _joined(self._kinds.get(name, set()))) for name in names]


def _kind_of(value: Any) -> ColumnKind:
    match value:
        case str():
            return ColumnKind.TEXT
        case bool():
            return ColumnKind.BOOLEAN
        case int() if -_INT64 <= value < _INT64:
            return ColumnKind.INTEGER
        case float():
            return ColumnKind.NUMBER
        case _:
            return ColumnKind.JSON


def _joined(kinds: set[ColumnKind]) -> ColumnKind:
    if len(kinds) == 1:
        return next(iter(kinds))
    # Not numbers of both kinds: a large integer would lose digits.
    return ColumnKind.JSON if kinds else ColumnKind.TEXT

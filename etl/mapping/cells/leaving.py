"""What ways into JSON leave behind, and nobody would miss: items that none goes to, values that none can go into.

Must never know which field a value is for.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from etl.mapping.cells.decoded import UnsureError, decode, is_all_taken
from etl.mapping.cells.ways import Part, Way, follow, is_nothing, is_sound, members_in, pieces_in, says, shown


class Left(NamedTuple):
    """What ways into a cell leave behind: `value`, of which none takes anything, or a number of `items`."""

    value: str | None = None
    items: int = 0


def left_by(cell: str, ways: Sequence[Way]) -> Left | None:
    """What ways into a cell leave behind; None where they take what is there.

    Only the shape matters: keys that no way names are not asked for (`keys_left` does), nor is an object without any
    key that one names.
    """
    with suppress(UnsureError):
        if is_all_taken(decode(cell), [way.parts for way in ways]):
            return None
    return slowly_left_by(cell, ways)


def slowly_left_by(cell: str, ways: Sequence[Way]) -> Left | None:
    """The same by what is written."""
    parts = [way.parts for way in ways]
    raw = cell.strip().encode()
    members = members_in(raw) if raw[:1] == b"{" else None
    if members is not None and not any(part[0].only or part[0].key in members for part in parts):
        return None
    items, value = _left(raw, parts)
    if items or value is not None:
        return Left(None if value is None else shown(value), items)
    if any(next(follow(raw, part), None) is not None for part in parts):
        return None
    return None if _is_empty(raw) else Left(cell)


def _left(raw: bytes, ways: Sequence[tuple[Part, ...]]) -> tuple[int, bytes | None]:
    """How many items of arrays no way takes, and the first value that no way can go into."""
    if not all(ways) or _is_empty(raw):
        return 0, None
    members = members_in(raw)
    items = None if members is not None else pieces_in(raw)
    inside = members is not None and any(_goes_by_key(parts[0]) for parts in ways)
    if not inside and (items is None or all(_goes_by_key(parts[0]) for parts in ways)):
        return 0, (raw if is_sound(raw) else None)
    number, value = 0, None
    for inner, taken in _followers(members, items or [], ways):
        found = _left(inner, taken) if taken else (int(not _is_empty(inner)), None)
        number, value = number + found[0], value if value is not None else found[1]
    return number, value


def _followers(
    members: dict[str, msgspec.Raw] | None, items: list[bytes], ways: Sequence[tuple[Part, ...]]
) -> Iterator[tuple[bytes, list[tuple[Part, ...]]]]:
    """What stands inside, each with the rests of the ways that go into it: of an object only what some way takes."""
    for key, raw in (members or {}).items():
        alone = len(members or ()) == 1
        if rests := [rest for first, *rest in ways if (first.only and alone) or (first.key == key and not first.every)]:
            yield bytes(raw), [tuple(rest) for rest in rests]
    for place, item in enumerate(items):
        yield item, [tuple(rest) for first, *rest in ways if _takes(first, place, item)]


def _is_empty(raw: bytes, depth: int = 9) -> bool:
    """Whether nothing is said, also inside; what stands deeper than `depth` counts as something."""
    raw = raw.strip()
    if is_nothing(raw) or not raw:
        return True
    members = members_in(raw) if raw[:1] == b"{" else None
    inside = [bytes(one) for one in members.values()] if members is not None else None
    inside = pieces_in(raw) if raw[:1] == b"[" else inside
    return inside is not None and depth > 0 and all(_is_empty(one, depth - 1) for one in inside)


def _goes_by_key(part: Part) -> bool:
    return part.place is None and not part.every


def _takes(part: Part, place: int, item: bytes) -> bool:
    """Whether a way goes to an item of an array."""
    return (part.every and (part.key is None or says(item, part.key, part.equals))) or part.place == place

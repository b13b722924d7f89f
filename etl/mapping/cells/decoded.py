"""Ways through JSON that was decoded at once: several times as quick as going through it as it is written.

Where only the written form can tell, `UnsureError` is raised, and whoever asked goes the slow way. Must never know
which field a value is for.
"""

from collections.abc import Iterator, Sequence, Sized
from typing import Any

import msgspec

from etl.mapping.cells.ways import Part

_ANY = msgspec.json.Decoder()


class UnsureError(Exception):
    """The decoded value does not tell: a number is to be shown, or the cell is odd."""


def decode(cell: str) -> Any:
    """The value of a cell. Raises UnsureError where it is no JSON, or JSON that cannot be held."""
    try:
        return _ANY.decode(cell)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise UnsureError from None


def is_all_taken(value: Any, ways: Sequence[tuple[Part, ...]]) -> bool:
    """Whether ways take all there is, as far as its shape goes; False also where that is not sure."""
    try:
        if not _is_taken(value, ways):
            return False
        return any(next(_ends(value, parts), None) is not None for parts in ways) or _is_empty(value)
    except UnsureError:
        return False


def _ends(value: Any, parts: Sequence[Part]) -> Iterator[Any]:
    if not parts:
        if value is not None:
            yield value
        return
    part, rest = parts[0], parts[1:]
    if part.every or part.place is not None:
        for place, item in enumerate(value if isinstance(value, list) else ()):
            if _takes(part, place, item):
                yield from _ends(item, rest)
    elif isinstance(value, dict):
        inside = [*value.values()] if part.only else [value.get(part.key)]
        if len(inside) == 1 and inside[0] is not None:
            yield from _ends(inside[0], rest)


def _is_taken(value: Any, ways: Sequence[tuple[Part, ...]]) -> bool:
    """Whether every item of an array is taken by some way, and every way fits the shape of what it goes into."""
    if not all(ways) or _is_empty(value):
        return True
    by_key = [parts[0].place is None and not parts[0].every for parts in ways]
    if isinstance(value, dict):
        return any(by_key) and all(
            _is_taken(inner, rests) for key, inner in value.items() if (rests := _rests(ways, key, value))
        )
    if not isinstance(value, list) or all(by_key):
        return False
    for place, item in enumerate(value):
        rests = [parts[1:] for parts in ways if _takes(parts[0], place, item)]
        if not (_is_taken(item, rests) if rests else _is_empty(item)):
            return False
    return True


def _rests(ways: Sequence[tuple[Part, ...]], key: str, among: Sized) -> list[tuple[Part, ...]]:
    """What is left of the ways that go to the value of a key, the only one `among` the keys or not."""
    alone = len(among) == 1
    return [parts[1:] for parts in ways if (parts[0].only and alone) or (parts[0].key == key and not parts[0].every)]


def _takes(part: Part, place: int, item: Any) -> bool:
    """Whether a way goes to an item of an array."""
    if not part.every:
        return part.place == place
    if part.key is None:
        return True
    if not isinstance(item, dict) or part.key not in item:
        return False
    found = item[part.key]
    if not isinstance(found, str):
        raise UnsureError
    return found == part.equals


def _is_empty(value: Any, depth: int = 9) -> bool:
    """Whether nothing is said, also inside; what stands deeper than `depth` counts as something."""
    if value is None or value == "":
        return True
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return not value or (depth > 0 and all(_is_empty(one, depth - 1) for one in inside))

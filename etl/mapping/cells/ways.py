"""Ways into JSON: `vars.question` and `checks[operator=includes].criteria` name what stands inside a cell.

Values keep the form they have in the file: a text is read, everything else stays the JSON that was written. Must never
know which field a value is for.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import and_
from typing import NamedTuple

import msgspec
import polars as pl

from etl.mapping.cells.series import only_where

_STEP = re.compile(r"""\.([^.\[\]"]+)|\[("(?:[^"\\]|\\.)*")\]|\[\]|\[(\d{1,6})\]|\[([^\]=\d][^\]=]*)=([^\]]*)\]""")
_HEAD = re.compile(r"[^.\[]+")
_TYPES = {"{": "object", "[": "array", "t": "boolean", "f": "boolean", '"': "string", "n": "null"}
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a way: into a `key` (`*`: the `only` one), to the item at `place`, or to `every` item (where `key` is
    `equals`).
    """

    key: str | None = None
    place: int | None = None
    every: bool = False
    equals: str | None = None
    only: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """The way from the value of a column to a value inside it. `text` as it was written, behind the column's name."""

    text: str
    parts: tuple[Part, ...]

    @property
    def is_plural(self) -> bool:
        """Whether it leads to several values."""
        return any(part.every for part in self.parts)

    @property
    def key(self) -> str | None:
        """The key of the outermost object that it goes into."""
        return self.parts[0].key


class Input(NamedTuple):
    """A column of the file, or what stands inside its JSON at the end of a way."""

    column: str
    way: Way | None = None

    def __str__(self) -> str:
        return self.column + (self.way.text if self.way else "")


@lru_cache(maxsize=4096)
def parse_name(name: str) -> tuple[str, Way] | None:
    """A name that leads into a column: `vars.question` is `vars` and the way to `question`. None for a plain name."""
    head = _HEAD.match(name)
    if head is None or head.end() == len(name):
        return None
    way = parse_way(name[head.end() :])
    return (head[0], way) if way else None


def parse_way(text: str) -> Way | None:
    """A way as it is written; None for what is none.

    `.key` and `["odd.key"]` go into an object, `.*` into one that has a single key, `[0]` to an item, `[]` to every
    item, `[key=value]` to some.
    """
    parts: list[Part] = []
    place = 0
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            return None
        key, quoted, number, where, equals = found.groups()
        if number is not None:
            parts.append(Part(place=int(number)))
        elif key is None and quoted is None:
            parts.append(Part(every=True, key=where, equals=equals))
        elif key == "*":
            parts.append(Part(only=True))
        else:
            parts.append(Part(key=key if quoted is None else _TEXT.decode(quoted)))
        place = found.end()
    return Way(text, tuple(parts)) if parts else None


def reach(cells: pl.Series, way: Way) -> tuple[pl.Series, pl.Series]:
    """What stands at the end of a way in each cell, and its JSON type (String, null for a text), for one value each.

    Null where the cell is no JSON, the way leads nowhere, or to `null`.
    """
    found = [None if cell is None else next(_follow(cell.encode(), way.parts), None) for cell in _with_keys(cells, way)]
    values = [None if raw is None else shown(raw) for raw in found]
    types = [None if raw is None or (type_ := type_of(raw)) == "string" else type_ for raw in found]
    return pl.Series(cells.name, values, dtype=pl.String), pl.Series(cells.name, types, dtype=pl.String)


def reach_all(cells: pl.Series, way: Way) -> pl.Series:
    """What stands at all ends of a way in each cell (List(String)), in order; null where there is none."""
    found = [
        None if cell is None else [shown(raw) for raw in _follow(cell.encode(), way.parts)] or None
        for cell in _with_keys(cells, way)
    ]
    return pl.Series(cells.name, found, dtype=pl.List(pl.String))


def _with_keys(cells: pl.Series, way: Way) -> pl.Series:
    """The cells that hold every key of a way somewhere; null for the others: most rows have little of what may be."""
    keys = [*dict.fromkeys(part.key for part in way.parts if part.key is not None)]
    return only_where(cells, may_hold(cells, keys)) if keys else cells


def may_hold(cells: pl.Series, keys: Iterable[str]) -> pl.Series:
    """Which cells have all of some keys written in them somewhere."""
    there = [cells.str.contains(json.dumps(key, ensure_ascii=False), literal=True) for key in keys]
    escaped = cells.str.contains("\\u", literal=True)  # any letter of a key may be written so
    return (reduce(and_, there) | escaped).fill_null(value=False)


def items_of(cell: str) -> list[bytes] | None:
    """The items of a cell that is a JSON array, a lone object as one item; None for any other cell."""
    raw = cell.strip().encode()
    if raw[:1] == b"{":
        return [raw] if members_in(raw) is not None else None
    return pieces_in(raw)


class Left(NamedTuple):
    """What ways into a cell leave behind: `value`, of which none takes anything, or a number of `items`."""

    value: str | None = None
    items: int = 0


def left_by(cell: str, ways: Sequence[Way]) -> Left | None:
    """What ways into a cell leave behind; None where they take what is there.

    Only the shape matters: keys that no way names are not asked for (`keys_left` does), nor is an object without any
    key that one names.
    """
    raw = cell.strip().encode()
    parts = [way.parts for way in ways]
    members = members_in(raw) if raw[:1] == b"{" else None
    if members is not None and not any(part[0].only or part[0].key in members for part in parts):
        return None
    items, value = _left(raw, parts)
    if items or value is not None:
        return Left(None if value is None else shown(value), items)
    if any(next(_follow(raw, part), None) is not None for part in parts):
        return None
    return None if _is_empty(raw) else Left(cell)


def look(raw: bytes, way: Way) -> str | None:
    """What stands at the end of a way in a JSON value."""
    found = next(_follow(raw, way.parts), None)
    return None if found is None else shown(found)


def look_at(members: Mapping[str, msgspec.Raw], keys: Mapping[str, str]) -> dict[str, str | None]:
    """What stands in a JSON object under some keys, by the names of these: the same as a way of one key each."""
    found: dict[str, str | None] = {}
    for name, key in keys.items():
        value = bytes(members[key]) if key in members else b"null"
        try:
            found[name] = None if value == b"null" else shown(value)
        except (msgspec.MsgspecError, UnicodeError):  # half a surrogate pair
            found[name] = None
    return found


def objects_of(cell: str) -> list[dict[str, msgspec.Raw]] | None:
    """The members of each object of a cell that is a JSON array of nothing else, or a lone object; None otherwise."""
    try:
        return _OBJECTS.decode(cell) if cell.lstrip()[:1] == "[" else [_OBJECT.decode(cell)]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def type_of(raw: bytes) -> str:
    """`string`, `number`, `boolean`, `array`, `object` or `null`."""
    return _TYPES.get(chr(raw[0]), "number")


def shown(raw: bytes) -> str:
    """A JSON value as text: a string is read, anything else stays as it is written."""
    return _TEXT.decode(raw) if raw[:1] == b'"' else raw.decode()


_NOTHING = frozenset({b"null", b'""', b"{}", b"[]"})


def is_nothing(raw: bytes) -> bool:
    """Whether a JSON value says nothing: null, or empty."""
    return raw.strip() in _NOTHING


def _follow(raw: bytes, parts: tuple[Part, ...]) -> Iterator[bytes]:
    """The values at the ends of a way that are not null."""
    if not parts:
        if raw.strip() != b"null" and _is_sound(raw):
            yield raw.strip()
        return
    part, rest = parts[0], parts[1:]
    if part.every:
        for item in pieces_in(raw) or ():
            if part.key is None or _says(item, part.key, part.equals):
                yield from _follow(item, rest)
    elif part.place is not None:
        items = pieces_in(raw) or []
        if part.place < len(items):
            yield from _follow(items[part.place], rest)
    else:
        for member in _of_key(members_in(raw) or {}, part):
            yield from _follow(bytes(member), rest)


def _left(raw: bytes, ways: Sequence[tuple[Part, ...]]) -> tuple[int, bytes | None]:
    """How many items of arrays no way takes, and the first value that no way can go into."""
    if not all(ways) or _is_empty(raw):
        return 0, None
    members = members_in(raw)
    items = None if members is not None else pieces_in(raw)
    inside = members is not None and any(_goes_by_key(parts[0]) for parts in ways)
    if not inside and (items is None or all(_goes_by_key(parts[0]) for parts in ways)):
        return 0, (raw if _is_sound(raw) else None)
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
    if raw in _NOTHING or not raw:
        return True
    members = members_in(raw) if raw[:1] == b"{" else None
    inside = [bytes(one) for one in members.values()] if members is not None else None
    inside = pieces_in(raw) if raw[:1] == b"[" else inside
    return inside is not None and depth > 0 and all(_is_empty(one, depth - 1) for one in inside)


def _goes_by_key(part: Part) -> bool:
    return part.place is None and not part.every


def _takes(part: Part, place: int, item: bytes) -> bool:
    """Whether a way goes to an item of an array."""
    return (part.every and (part.key is None or _says(item, part.key, part.equals))) or part.place == place


def _of_key(members: dict[str, msgspec.Raw], part: Part) -> list[msgspec.Raw]:
    """The value of a key, or of the only one; nothing where there is none."""
    if part.only:
        return [*members.values()] if len(members) == 1 else []
    return [members[part.key]] if part.key in members else []


def _says(item: bytes, key: str, wanted: str | None) -> bool:
    member = (members_in(item) or {}).get(key)
    return member is not None and _is_sound(bytes(member)) and shown(bytes(member)) == wanted


def members_in(raw: bytes) -> dict[str, msgspec.Raw] | None:
    """The values of a JSON object by key; None for anything else."""
    try:
        return _OBJECT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def pieces_in(raw: bytes) -> list[bytes] | None:
    """The items of a JSON array; None for anything else."""
    try:
        return [bytes(item) for item in _ARRAY.decode(raw)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _is_sound(raw: bytes) -> bool:
    """Whether a value can be shown: a string may hold half a surrogate pair, which no text can."""
    if raw[:1] != b'"':
        return True
    try:
        _TEXT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True

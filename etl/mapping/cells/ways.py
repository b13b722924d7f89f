"""Ways into JSON: `vars.question` and `checks[operator=includes].criteria` name what stands inside a cell.

Values keep the form they have in the file: a text is read, everything else stays the JSON that was written. Must never
know which field a value is for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import msgspec
import polars as pl

_STEP = re.compile(r"""\.([^.\[\]"]+)|\[("(?:[^"\\]|\\.)*")\]|\[\]|\[(\d{1,6})\]|\[([^\]=\d][^\]=]*)=([^\]]*)\]""")
_HEAD = re.compile(r"[^.\[]+")
_TYPES = {"{": "object", "[": "array", "t": "boolean", "f": "boolean", '"': "string", "n": "null"}
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
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
    found = [None if cell is None else next(_follow(cell.encode(), way.parts), None) for cell in cells]
    values = [None if raw is None else shown(raw) for raw in found]
    types = [None if raw is None or (type_ := type_of(raw)) == "string" else type_ for raw in found]
    return pl.Series(cells.name, values, dtype=pl.String), pl.Series(cells.name, types, dtype=pl.String)


def reach_all(cells: pl.Series, way: Way) -> pl.Series:
    """What stands at all ends of a way in each cell (List(String)), in order; null where there is none."""
    found = [
        None if cell is None else [shown(raw) for raw in _follow(cell.encode(), way.parts)] or None for cell in cells
    ]
    return pl.Series(cells.name, found, dtype=pl.List(pl.String))


def keys_of(cell: str) -> list[str]:
    """The keys of a cell that is a JSON object which have a value that says anything; none of any other cell."""
    return [key for key, raw in (_members(cell.encode()) or {}).items() if bytes(raw) not in _NOTHING]


def items_of(cell: str) -> list[bytes] | None:
    """The items of a cell that is a JSON array, a lone object as one item; None for any other cell."""
    raw = cell.strip().encode()
    if raw[:1] == b"{":
        return [raw] if _members(raw) is not None else None
    return _items(raw)


def look(raw: bytes, way: Way) -> str | None:
    """What stands at the end of a way in a JSON value."""
    found = next(_follow(raw, way.parts), None)
    return None if found is None else shown(found)


def type_of(raw: bytes) -> str:
    """`string`, `number`, `boolean`, `array`, `object` or `null`."""
    return _TYPES.get(chr(raw[0]), "number")


def shown(raw: bytes) -> str:
    """A JSON value as text: a string is read, anything else stays as it is written."""
    return _TEXT.decode(raw) if raw[:1] == b'"' else raw.decode()


_NOTHING = frozenset({b"null", b'""', b"{}", b"[]"})


def _follow(raw: bytes, parts: tuple[Part, ...]) -> Iterator[bytes]:
    """The values at the ends of a way that are not null."""
    if not parts:
        if raw.strip() != b"null" and _is_sound(raw):
            yield raw.strip()
        return
    part, rest = parts[0], parts[1:]
    if part.every:
        for item in _items(raw) or ():
            if part.key is None or _says(item, part.key, part.equals):
                yield from _follow(item, rest)
    elif part.place is not None:
        items = _items(raw) or []
        if part.place < len(items):
            yield from _follow(items[part.place], rest)
    else:
        for member in _of_key(_members(raw) or {}, part):
            yield from _follow(bytes(member), rest)


def _of_key(members: dict[str, msgspec.Raw], part: Part) -> list[msgspec.Raw]:
    """The value of a key, or of the only one; nothing where there is none."""
    if part.only:
        return [*members.values()] if len(members) == 1 else []
    return [members[part.key]] if part.key in members else []


def _says(item: bytes, key: str, wanted: str | None) -> bool:
    member = (_members(item) or {}).get(key)
    return member is not None and _is_sound(bytes(member)) and shown(bytes(member)) == wanted


def _members(raw: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _OBJECT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _items(raw: bytes) -> list[bytes] | None:
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

"""Ways into JSON: `vars.question` and `checks[operator=includes].criteria` name what stands inside a cell.

Values keep the form they have in the file: a text is read, everything else stays the JSON that was written. Must never
know which field a value is for.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import msgspec

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


def items_of(cell: str) -> list[bytes] | None:
    """The items of a cell that is a JSON array, a lone object as one item; None for any other cell."""
    raw = cell.strip().encode()
    if raw[:1] == b"{":
        return [raw] if members_in(raw) is not None else None
    return pieces_in(raw)


def look(raw: bytes, way: Way) -> str | None:
    """What stands at the end of a way in a JSON value."""
    found = next(follow(raw, way.parts), None)
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


def follow(raw: bytes, parts: tuple[Part, ...]) -> Iterator[bytes]:
    """The values at the ends of a way that are not null."""
    if not parts:
        if raw.strip() != b"null" and is_sound(raw):
            yield raw.strip()
        return
    part, rest = parts[0], parts[1:]
    if part.every:
        for item in pieces_in(raw) or ():
            if part.key is None or says(item, part.key, part.equals):
                yield from follow(item, rest)
    elif part.place is not None:
        items = pieces_in(raw) or []
        if part.place < len(items):
            yield from follow(items[part.place], rest)
    else:
        for member in of_key(members_in(raw) or {}, part):
            yield from follow(bytes(member), rest)


def of_key(members: Mapping[str, msgspec.Raw], part: Part) -> list[msgspec.Raw]:
    """The value of a key, or of the only one; nothing where there is none."""
    if part.only:
        return [*members.values()] if len(members) == 1 else []
    return [members[part.key]] if part.key is not None and part.key in members else []


def says(item: bytes, key: str, wanted: str | None) -> bool:
    member = (members_in(item) or {}).get(key)
    return member is not None and is_sound(bytes(member)) and shown(bytes(member)) == wanted


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


def is_sound(raw: bytes) -> bool:
    """Whether a value can be shown: a string may hold half a surrogate pair, which no text can."""
    if raw[:1] != b'"':
        return True
    try:
        _TEXT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True

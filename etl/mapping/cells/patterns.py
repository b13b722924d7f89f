"""Patterns with names in braces: `{First} {Last}`, filled from columns or from the keys of an object.

Must never know what the names stand for. `{{` and `}}` stand for braces themselves.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from pydantic_core import PydanticCustomError

from etl.mapping.cells.ways import Way, items_of, look, look_at, objects_of, parse_way, shown

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

Piece = tuple[str, str | None]
"""A text as it is, and the name that follows it (None at the end)."""


@lru_cache(maxsize=256)
def parse_pattern(pattern: str) -> tuple[Piece, ...]:
    """The pieces of a pattern. Raises ValueError for a brace alone or without a name."""
    pieces: list[Piece] = []
    text = ""
    place = 0
    for found in _PIECE.finditer(pattern):
        text += pattern[place : found.start()]
        place = found.end()
        if found[0] in {"{{", "}}"}:
            text += found[0][0]
        elif (found[1] or "").strip():
            pieces.append((text, found[1].strip()))
            text = ""
        else:
            raise ValueError(found[0])
    return (*pieces, (text + pattern[place:], None))


def names_in(pattern: str) -> list[str]:
    """The names that stand in braces."""
    return [name for _, name in parse_pattern(pattern) if name is not None]


def known_pattern(pattern: str) -> str:
    """A pattern that has at least one name, as pydantic asks for it."""
    try:
        names = names_in(pattern)
    except ValueError:
        names = []
    if not names:
        raise PydanticCustomError(
            "mapping", "a pattern has names in braces; write it like {example}", {"example": '"{First} {Last}"'}
        )
    return pattern


def said_of_each(pattern: str, cell: str) -> list[str] | None:
    """What a pattern says of each object of a cell that is a JSON array; None where it is none of objects and texts."""
    texts = _texts_of_each(pattern, cell)
    if texts is not None:
        return texts
    keys = _plain_keys(pattern)
    objects = objects_of(cell) if keys is not None else None
    if keys is not None and objects is not None:
        return [_filled(pattern, look_at(one, keys)) for one in objects]
    items = items_of(cell)
    if items is None:
        return None
    said: list[str] = []
    for item in items:
        if item[:1] == b"{":
            said.append(_say(pattern, item))
        elif item[:1] == b'"':
            said.append(shown(item))
        else:
            return None
    return said


def _texts_of_each(pattern: str, cell: str) -> list[str] | None:
    """The same where all that the pattern names are texts or not there, as mostly; None where that is not so."""
    decoder = _decoder_of(pattern)
    try:
        objects = decoder.decode(cell) if decoder is not None and cell[:1] == "[" else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return None if objects is None else [_joined(pattern, msgspec.structs.astuple(one)) for one in objects]


def _joined(pattern: str, values: Sequence[str | list[str]]) -> str:
    """The values of the names in a pattern, in their order, between its texts."""
    said = [
        text + (_shown(value) if isinstance(value, str) else ", ".join(f'"{item}"' for item in value))
        for (text, _), value in zip(parse_pattern(pattern), values, strict=False)
    ]
    return "".join(said) + parse_pattern(pattern)[-1][0]


@lru_cache(maxsize=256)
def _decoder_of(pattern: str) -> msgspec.json.Decoder[list[Any]] | None:
    """Of arrays of objects in which each name of a pattern stands for a text, or for texts, or is not there."""
    keys = _plain_keys(pattern)
    names = names_in(pattern)
    if keys is None or len(set(keys.values())) < len(names):
        return None
    some = Annotated[list[str], msgspec.Meta(min_length=1)]
    fields = [(f"name_{place}", str | some, "") for place, _ in enumerate(names)]
    try:
        form = msgspec.defstruct("Named", fields, rename={f"name_{at}": keys[name] for at, name in enumerate(names)})
    except ValueError:  # a key that has quotes or control characters
        return None
    return msgspec.json.Decoder(list[form])  # type: ignore[valid-type]  # made here


def _say(pattern: str, item: bytes) -> str:
    return _filled(pattern, {name: look(item, way_to(name)) for name in names_in(pattern)})


def _filled(pattern: str, found: Mapping[str, str | None]) -> str:
    """A pattern with what was found under its names."""
    return "".join([text + _shown(found[name] or "") if name else text for text, name in parse_pattern(pattern)])


@lru_cache(maxsize=256)
def _plain_keys(pattern: str) -> dict[str, str] | None:
    """The key that each name of a pattern stands for; None where one leads further in."""
    ways = {name: way_to(name).parts for name in names_in(pattern)}
    keys = {name: parts[0].key for name, parts in ways.items() if len(parts) == 1}
    return {name: key for name, key in keys.items() if key is not None} if len(keys) == len(ways) else None


def _shown(value: str) -> str:
    """A value inside a sentence: of an array of texts the texts, `"one", "two"`."""
    items = items_of(value) if value[:1] == "[" else None
    if not items or any(one[:1] != b'"' for one in items):
        return value
    return ", ".join(f'"{shown(one)}"' for one in items)


@lru_cache(maxsize=256)
def way_to(name: str) -> Way:
    """The way that a name in braces stands for."""
    way = parse_way(f".{name}")
    return way if way is not None else Way(name, ())

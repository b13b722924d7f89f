"""What was changed within a text, word by word. It must never know how a change is shown."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 4_000
"""Longer texts are compared line by line: the time grows with the square."""
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


class Piece(NamedTuple):
    """A part of a text. `change`: ` ` it is in both, `-` only before, `+` only after."""

    change: str
    text: str


def inline(before: str, after: str) -> list[Piece]:
    """Both texts as pieces, in their order: those without `+` are the one, those without `-` the other."""
    split = _LINES if len(before) + len(after) > 8 * _MOST_WORDS else _WORDS
    old, new = split.findall(before), split.findall(after)
    return list(_pieces(old, new))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    if len(old) + len(new) > _MOST_WORDS:
        yield Piece("-", "".join(old))
        yield Piece("+", "".join(new))
        return
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece(" ", "".join(old[a:b]))
            continue
        if b > a:
            yield Piece("-", "".join(old[a:b]))
        if d > c:
            yield Piece("+", "".join(new[c:d]))

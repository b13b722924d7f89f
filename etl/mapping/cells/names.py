"""Names as people write them: when two are the same, and which one was meant.

Column names match ignoring case, spaces, `_`, `-`, accents and punctuation. This file must never know what a name maps
to.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

NEAR = 87.0
"""rapidfuzz's WRatio from which two names may be one with a typing error: two letters exchanged in eight."""
LEAD = 5.0
"""How much nearer than the runner-up the nearest name must be, so that a tie is never decided by chance."""
_LETTERS_PER_SLIP = 6
"""One slip for so many letters: WRatio alone says 90 of `Input` and `Input type`, and 89 of `Test case` and
`Test case ID`."""
_MOST_SLIPS = 2
"""However long the names: more is another word (`Expected output text` and `Expected output intent`)."""
_SHORTEST = 5
"""Letters below which a slip cannot be told from another word (`Site`, `Suite`)."""

_BRACKETS = re.compile(r"[(\[\uff08\uff3b\u3010].*?[)\]\uff09\uff3d\u3011]")


@lru_cache(maxsize=20_000)
def fold(name: str) -> str:
    """A name without case, accents and everything but letters and digits: `Órder No.` becomes `orderno`."""
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", name) if not "\u0300" <= mark <= "\u036f")
    return "".join(letter for letter in unicodedata.normalize("NFKC", bare).casefold() if letter.isalnum())


CLEAR = "<clear>"
"""The word in a cell that empties a field of something that is there."""
NULL = "<null>"
"""The word in a cell that sets a field to null."""


def likeness(one: str, other: str) -> float:
    """How surely two folded names are one with a typing error: 0, or 87 to 100. Another number is another name."""
    if abs(len(one) - len(other)) > _MOST_SLIPS:  # most pairs: a wide table has millions
        return 0.0
    shorter = min(len(one), len(other))
    slips = min(max(1, shorter // _LETTERS_PER_SLIP), _MOST_SLIPS)
    if shorter < _SHORTEST or abs(len(one) - len(other)) > slips or _digits(one) != _digits(other):
        return 0.0
    if OSA.distance(one, other) > slips:
        return 0.0
    score = fuzz.WRatio(one, other)
    return score if score >= NEAR else 0.0


def _digits(name: str) -> str:
    return "".join(letter for letter in name if letter.isdigit())


def number_in(name: str) -> int:
    """The last number in a name, 0 where there is none: 3 of `Turn 3`."""
    return int(([*re.findall(r"\d+", name)] or ["0"])[-1])


def suggest(word: str, words: Iterable[str]) -> str:
    """` (did you mean X?)` where one of the words is near, else nothing; to be put at the end of a sentence."""
    known = list(words)
    found = process.extractOne(
        fold(word), [fold(known_word) for known_word in known], scorer=fuzz.ratio, score_cutoff=65
    )
    return f" (did you mean {known[found[2]]}?)" if found else ""


def spelled(words: Sequence[str], limit: int = 12) -> str:
    """Words as a list in a sentence, cut after `limit`."""
    shown = ", ".join(words[:limit])
    return f"{shown} and {len(words) - limit} more" if len(words) > limit else shown


@lru_cache(maxsize=20_000)
def parts_of(name: str) -> tuple[str, ...]:
    """What a name of several parts may be short for, the likeliest first.

    `Expected result (as agreed)` without what is in brackets, the end of `Test script - Step`, the sides of
    `Input / action`.
    """
    bare = _BRACKETS.sub(" ", name).strip()
    *before, last = re.split(r"\s[-\u2013\u2014:>]+\s", bare)
    sides = [side.strip() for side in re.split(r"\s*[/\u30fb\uff0f]\s*", last)]
    found = [bare, *([last.strip()] if before else []), *(sides if len(sides) > 1 else [])]
    return tuple(part for part in dict.fromkeys(found) if part and part != name)

"""Names as people write them: when two are the same, and which one was meant.

Column names match ignoring case, spaces, `_`, `-`, accents and punctuation. This file must never know what a name maps
to.
"""

import unicodedata
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process

NEAR = 88.0
"""rapidfuzz's WRatio from which two names may be one with a typo; measured on real headers."""
LEAD = 5.0
"""How much nearer than the runner-up the nearest name must be, so that a tie is never decided by chance."""
_TYPO = 84.0
"""Plain similarity that a typo keeps. WRatio alone also says 90 of `Input` and `Input type`."""
_SHORTEST = 5
"""Letters below which a typo cannot be told from another word (`Site`, `Suite`)."""


def fold(name: str) -> str:
    """A name without case, accents and everything but letters and digits: `Órder No.` becomes `orderno`."""
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", name) if not "\u0300" <= mark <= "\u036f")
    return "".join(letter for letter in unicodedata.normalize("NFKC", bare).casefold() if letter.isalnum())


def likeness(one: str, other: str) -> float:
    """How surely two folded names are one with a typo: 0, or 88 to 100."""
    if min(len(one), len(other)) < _SHORTEST or fuzz.ratio(one, other) < _TYPO:
        return 0.0
    score = fuzz.WRatio(one, other)
    return score if score >= NEAR else 0.0


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

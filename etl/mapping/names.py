"""Names as people write them: when two are the same, and which one was meant.

Column names match ignoring case, spaces, `_`, `-`, accents and punctuation. This file must never know what a name maps
to.
"""

import unicodedata
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

NEAR = 87.0
"""rapidfuzz's WRatio from which two names may be one with a typing error: two letters exchanged in eight."""
LEAD = 5.0
"""How much nearer than the runner-up the nearest name must be, so that a tie is never decided by chance."""
_LETTERS_PER_SLIP = 6
"""One slip for so many letters: WRatio alone says 90 of `Input` and `Input type`, and 89 of `Test case` and
`Test case ID`."""
_SHORTEST = 5
"""Letters below which a slip cannot be told from another word (`Site`, `Suite`)."""


def fold(name: str) -> str:
    """A name without case, accents and everything but letters and digits: `Órder No.` becomes `orderno`."""
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", name) if not "\u0300" <= mark <= "\u036f")
    return "".join(letter for letter in unicodedata.normalize("NFKC", bare).casefold() if letter.isalnum())


def likeness(one: str, other: str) -> float:
    """How surely two folded names are one with a typing error: 0, or 87 to 100. Another number is another name."""
    shorter = min(len(one), len(other))
    if shorter < _SHORTEST or _digits(one) != _digits(other):
        return 0.0
    if OSA.distance(one, other) > max(1, shorter // _LETTERS_PER_SLIP):
        return 0.0
    score = fuzz.WRatio(one, other)
    return score if score >= NEAR else 0.0


def _digits(name: str) -> str:
    return "".join(letter for letter in name if letter.isdigit())


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

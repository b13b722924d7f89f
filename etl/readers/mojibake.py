"""Mojibake: UTF-8 that was read as Windows-1252, Latin-1 or Mac Roman (`CafÃ©`), and the text that it was.

It must never take real words for it: a text counts only where all of it is UTF-8 again once written as the other
encoding, where what comes out are characters that people write, and where no other reading is as likely (`AMANHÃ…`).
"""

import re
from itertools import pairwise
from typing import NamedTuple

_MOST_ROUNDS = 3
"""Text may have gone through it more than once (`CafÃƒÂ©`)."""
_LEADS = (*range(0xC2, 0xC7), 0xC8, *range(0xCB, 0xD2), *range(0xD7, 0xDA), *range(0xE0, 0xF1))
"""First bytes of the characters in `_WRITTEN`, in UTF-8."""
_WRITTEN = re.compile(
    "[\x80-\u017f\u0192\u02c6\u02c7\u02d8-\u02dd\uf8ff\u01a0\u01a1\u01af\u01b0\u0218-\u021b\u0300-\u036f\u0386-\u03ff\u0400-\u045f\u0490-\u0493\u05d0-\u05ea\u060c-\u06ff"
    "\u0900-\u0dff\u0e00-\u0eff\u1e00-\u1eff\u2000-\u2bff\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3\ufb00-\ufb06\ufe0f\ufeff"
    "\uff00-\uffef\U0001f000-\U0001faff]"
)
_WITHOUT_LATIN = re.compile("[\u0386-\u1cff\u3040-\ud7ff\uff21-\uffef]")
"""Letters of other scripts: one alone is chance, they come as words."""
_FIRST_SEEN = "\xa0"
"""Control characters come before it: they are written only in text that was damaged twice."""
_ENDS = frozenset("\xa0»”’…›™®“‘–—«‹")  # noqa: RUF001  # these are meant
"""What may follow a real word's last letter."""
_SUMS = frozenset("πΩ∞∂∑∏∫∆")
_HARD_SPACE_LEAD = "Â"
"""No word ends in it, and hard spaces, degrees and pounds make it."""


class _Encoding(NamedTuple):
    """An encoding that UTF-8 may have been taken for: its bytes by character, and the shape of one UTF-8 character."""

    name: str
    byte_of: dict[str, int]
    character: re.Pattern[str]


def _encoding(name: str, codec: str) -> _Encoding:
    """Bytes that `codec` leaves open are control characters, as everywhere but in Python; so Latin-1 is in it too."""
    byte_of = {chr(byte): byte for byte in range(0xA0)} if codec == "cp1252" else {}
    for byte in range(0x100):
        character = bytes([byte]).decode(codec, "replace")
        if character != "\ufffd":
            byte_of[character] = byte
    two, three, four = (_class_of(byte_of, range(*ends)) for ends in ((0xC2, 0xE0), (0xE0, 0xF0), (0xF0, 0xF5)))
    rest = _class_of(byte_of, range(0x80, 0xC0))
    return _Encoding(name, byte_of, re.compile(f"{two}{rest}|{three}{rest}{{2}}|{four}{rest}{{3}}"))


def _class_of(byte_of: dict[str, int], wanted: range | tuple[int, ...]) -> str:
    return "[" + "".join(re.escape(character) for character, byte in byte_of.items() if byte in wanted) + "]"


_ENCODINGS = (_encoding("Windows-1252", "cp1252"), _encoding("Mac Roman", "mac_roman"))
SUSPECT = "|".join(_class_of(one.byte_of, _LEADS) + _class_of(one.byte_of, range(0x80, 0xC0)) for one in _ENCODINGS)
"""A regular expression without which no text is mojibake: the first two characters of a character."""


class Repair(NamedTuple):
    """What a text was, what it had been taken for, and from where on it differs (from 0, in both)."""

    text: str
    taken_for: str
    place: int


def repair(text: str) -> Repair | None:
    """The text before the damage; None where nothing speaks for damage."""
    found: Repair | None = None
    for _ in range(_MOST_ROUNDS):
        better = next(filter(None, (_undone(found.text if found else text, one) for one in _ENCODINGS)), None)
        if better is None:
            break
        found = better._replace(place=min(found.place, better.place)) if found else better
    return found


def _undone(text: str, encoding: _Encoding) -> Repair | None:
    try:
        whole = bytes(map(encoding.byte_of.__getitem__, text)).decode()
    except (KeyError, UnicodeDecodeError):
        return None
    found = list(encoding.character.finditer(text))
    meant = [bytes(map(encoding.byte_of.__getitem__, one[0])).decode() for one in found]
    if not all(map(_WRITTEN.fullmatch, meant)):
        return None
    evidence = any(_is_sign(text, one, character) for one, character in zip(found, meant, strict=True))
    if not evidence and not any(_are_letters(*pair) for pair in pairwise(zip(found, meant, strict=True))):
        return None
    return Repair(whole, encoding.name, found[0].start())


def _is_sign(text: str, found: re.Match[str], meant: str) -> bool:
    """Whether nobody would write these characters: not the end of a word and a quotation mark, no formula."""
    if _WITHOUT_LATIN.match(meant) or meant < _FIRST_SEEN:
        return False
    lead, rest = found[0][0], set(found[0][1:])
    before, after = text[: found.start()][-1:], text[found.end() :][:1]
    if rest <= _SUMS:
        return before.isalpha()
    if not lead.isalpha() or lead == _HARD_SPACE_LEAD or not rest <= _ENDS:
        return True
    return after.isalpha() or (before.islower() and lead.isupper())


def _are_letters(one: tuple[re.Match[str], str], other: tuple[re.Match[str], str]) -> bool:
    """Whether two characters stand side by side and are letters of another script."""
    (first, left), (second, right) = one, other
    return first.end() == second.start() and bool(_WITHOUT_LATIN.match(left) and _WITHOUT_LATIN.match(right))

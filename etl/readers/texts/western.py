"""Western: whether bytes that are no UTF-8 can only be Windows-1252. Where they may be anything else, they are not.

It must never know a file or a codec beyond the one it judges, and it takes no likelihood for evidence: a letter counts
only where the neighbouring code pages have the same one, or words of a language that uses it stand in the same lines;
a sign only where people write it. Czech, Polish, Turkish, Baltic and Russian text, and text of DOS and old Macs, reads
as words with the wrong letters, or as signs where none belong.
"""

# ruff: noqa: RUF001  (signs that look alike are what this file is about)

import re

_RIVALS = ("cp1250", "cp1254", "cp1257")
"""Central European, Turkish, Baltic: each differs from Windows-1252 in some letters only."""


def _same_everywhere() -> frozenset[str]:
    letters = (bytes([byte]) for byte in range(0xC0, 0x100))
    return frozenset(
        letter.decode("cp1252")
        for letter in letters
        if {letter.decode(codec, "replace") for codec in _RIVALS} == {letter.decode("cp1252")}
    )


_SAFE = _same_everywhere() - frozenset("×÷")
"""`ä ö ü ß é ó` and their capitals: whatever Windows wrote them, they are these."""
_LANGUAGES = (
    ("àâçèêëîïôùûœæÿÀÂÇÈÊËÎÏÔÙÛŒÆŸ", "la le les des du et une est ne pas pour vous ça été dans avec sur qui mon votre"),
    ("áíñúüªº¿¡çàèòïÁÍÑÚÇÀÈÒÏ", "la el los las que por con una para del como quiero está favor"),
    ("ãõâêôáíúçàªºÃÕÂÊÔÁÍÚÇÀ", "que não há para com uma dos mais foi tem você quero obrigado por favor"),
    ("àèìòùíúîÀÈÌÒÙÍÚªº", "la il che di non per una con sono della vorrei mio grazie gli"),
    ("åæøèàÅÆØÈÀ", "og det av som til med jeg ikke och att är på inte har vil kan ja ei että"),
    ("ëïèêûîôáíúâËÏÈÊ", "het een niet van voor met ik wil de mijn"),
)
"""What each language writes besides, and words of it that no rival's language and no English has (two are wanted)."""
_TELLING = tuple((frozenset(letters), frozenset(words.split())) for letters, words in _LANGUAGES)
_WORDS_WANTED = 2
_ENOUGH_LINES = 20_000
"""Lines with such letters or signs: those behind them say nothing new."""

_LETTER = r"[^\W\d_]"
_PLACED = re.compile(
    rf"(?<={_LETTER})’(?={_LETTER})|(?<=[sSxXzZ])’(?!\w)|(?<!\w)‘(?=\w)|(?<=[.,!?])’(?!\w)"
    rf"|(?<!\w)[“„«‚](?=\S)|(?<=\S)[“”»](?!\w)"
    rf"|(?<!{_LETTER})[–—•·±×÷](?!{_LETTER})|(?<=\S)…(?!\w)"
    rf"|(?<!{_LETTER})€(?!{_LETTER})|£(?=\d)|(?<=\d)£|(?<=\w)™|(?<=\d)°|°(?=[CF]\b)|(?<!\w)§+(?=\s?\d)"
    r"|(?<![A-Za-zÀ-ÿ])(?<=m)[²³]|(?<=\bm)[²³]|(?<=\b[ckd]m)[²³]|(?<=\d)[ªº½¼¾²³]|(?<!\w)[½¼¾¿¡]|\xa0|[©®]"
)
"""Signs where people write them."""
_SIGN = re.compile(r"[^\x00-\x7fÀ-ÖØ-öø-ÿŠšŽžŒœŸ]")
_SHOUTED_INSIDE = re.compile(r"[a-zß-öø-ÿ][À-ÖØ-Þ]|[À-ÖØ-Þ][a-z][A-Z]")
"""A capital behind a small letter: there, the byte is another letter of another code page."""
_WORD = re.compile(rf"{_LETTER}+")


class WesternEvidence:
    """Judges a text line by line; `holds` is asked at its end."""

    def __init__(self) -> None:
        self._letters: set[str] = set()
        self._words: set[str] = set()
        self._quotes = 0
        self._misplaced = False
        self._seen = 0

    def see(self, lines: str) -> None:
        """Take in whole lines, decoded as Windows-1252; those without any letter or sign of it say nothing."""
        for line in lines.splitlines():
            if line.isascii() or self._misplaced or self._seen > _ENOUGH_LINES:
                continue
            self._seen += 1
            signs = _SIGN.sub("", _PLACED.sub("", line))
            self._misplaced = len(signs) < len(_PLACED.sub("", line)) or bool(_SHOUTED_INSIDE.search(line))
            self._quotes += line.count("“") + line.count("„") - line.count("”")
            self._letters.update(char for char in line if (not char.isascii() and char.isalpha()) or char in "¿¡")
            self._words.update(word.lower() for word in _WORD.findall(line))

    def holds(self) -> bool:
        """Whether the text can only be Windows-1252."""
        if self._misplaced or self._quotes < 0:
            return False
        rest = self._letters - _SAFE
        return not rest or any(
            rest <= letters and len(words & self._words) >= _WORDS_WANTED for letters, words in _TELLING
        )

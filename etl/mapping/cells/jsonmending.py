"""Mending JSON: what was probably meant by a cell that is nearly JSON, and what is wrong with it, in words.

It must never be taken for reading: what it makes is shown to a person, who decides. Everything else in the cell, white
space and the spelling of numbers too, stays as it is written.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from etl.quoting import HIDDEN, VALUE_LIMIT, show_value

TRY = "; try `"
"""Begins what a sentence offers; where the value is a secret, the sentence ends before it."""
_LONGEST = 100_000
"""Longer cells are not mended: nobody would copy the result from a sentence."""
_DEEPEST = 50
_EXCERPT = 60

_CLOSERS = (
    {'"': '"', "«": "»", "»": "«"}
    | dict.fromkeys("“”„‟", '“”"')
    | dict.fromkeys("'`\u2018\u2019\u201a", "'\u2018\u2019")
)
"""What a text that begins with one of these may end with."""
_QUOTES = "".join(_CLOSERS)
_SPACE = re.compile(r"[ \t\r\n]+")
_ODD_SPACE = re.compile("[\xa0\u2000-\u200b\u2060\u3000\ufeff]+")
_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_KEY = re.compile(r"[^\W\d][\w$-]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])", re.ASCII)
_WORD = re.compile(r"[+-]?[A-Za-z]+(?![\w.])")
_WORDS = {"true": "true", "false": "false", "null": "null"}
_PYTHON = {"True": "true", "False": "false", "None": "null", "TRUE": "true", "FALSE": "false", "NULL": "null"}
_NO_NUMBERS = frozenset({"NaN", "nan", "Infinity", "inf", "undefined"})
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_PYTHON_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|U000([01][0-9a-fA-F]{4}))")
_ITEM = re.compile(rf"[{_QUOTES}\[\]{{}}()\d-]|//|/\*|#|$|(?:true|false|null|True|False|None|NaN)\b|[^\W\d][\w$-]*\s*:")
_CONTROL = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_CLOSING = "]}) \t\r\n"


class Mended(NamedTuple):
    """A JSON text, and what was wrong with the one that it was made of."""

    text: str
    faults: tuple[str, ...]


def advise(text: str, is_wanted: Callable[[str], bool]) -> str:
    """What is wrong in a cell, and what would do, to be put after where it is no JSON; empty where nobody can tell.

    Of a text that may be secret only the kind of fault is told.
    """
    mended = mend(text)
    if mended is None:
        return ""
    faults = " and ".join(mended.faults)
    if not is_wanted(mended.text) or HIDDEN in {show_value(None, text), show_value(None, mended.text)}:
        return f" ({faults})"
    return f" ({faults}){TRY}{_shown(text, mended.text)}`"


def mend(text: str) -> Mended | None:
    """What was probably meant; None where that cannot be said. The result may still name a key twice."""
    if len(text) > _LONGEST:
        return None
    for one, faults in _undoubled(text):
        mender = _Mender(one, faults)
        try:
            return mender.mend()
        except _LostError:
            continue
    return None


def _undoubled(text: str) -> list[tuple[str, list[str]]]:
    """The text without what CSV adds to quotes, where it looks so; and the text."""
    plain = text.strip()
    fault = "doubled quotes, as CSV writes them"
    found: list[tuple[str, list[str]]] = []
    if '""' in plain and plain[:1] == '"' == plain[-1:]:
        found.append((plain[1:-1].replace('""', '"'), [fault]))
    if re.match(r'[\[{]\s*""[^",\]}]', plain):
        found.append((plain.replace('""', '"'), [fault]))
    return [*found, (text, [])]


def _shown(text: str, mended: str) -> str:
    """The mended text in one line; of a long one what stands round the first change."""
    if len(mended) <= VALUE_LIMIT:
        return re.sub(r"\s*\n\s*", " ", mended)
    same = next((at for at, pair in enumerate(zip(text, mended, strict=False)) if len({*pair}) > 1), len(mended) - 1)
    start = max(0, same - _EXCERPT // 2)
    end = start + _EXCERPT
    shown = re.sub(r"\s*\n\s*", " ", mended[start:end])
    return f"{'…' if start else ''}{shown}{'…' if end < len(mended) else ''}"


class _LostError(ValueError):
    """Nobody can tell what was meant."""


class _Mender:
    """Reads a text that is nearly JSON from its beginning to its end, and writes JSON."""

    def __init__(self, text: str, faults: list[str]) -> None:
        self._text = text
        self._at = 0
        self._made: list[str] = []
        self._faults = dict.fromkeys(faults)
        self._depth = 0

    def mend(self) -> Mended:
        """The whole text."""
        self._skip()
        self._value()
        self._skip()
        if self._at < len(self._text) or not self._faults:
            raise _LostError
        return Mended("".join(self._made).strip(), tuple(self._faults))

    def _fault(self, words: str) -> None:
        self._faults[words] = None

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _skip(self) -> None:
        while True:
            if space := self._take(_SPACE):
                self._made.append(space)
            elif self._take(_ODD_SPACE):
                self._made.append(" ")
                self._fault("a space that is not JSON's")
            elif self._take(_COMMENT):
                self._fault("a comment")
            else:
                return

    def _value(self) -> None:
        sign = self._next()
        if sign in {"{", "[", "("}:
            self._container(sign)
        elif sign and sign in _QUOTES:
            self._string(is_key=False)
        elif number := self._take(_NUMBER):
            self._made.append(number)
        else:
            self._word(self._take(_WORD))

    def _word(self, word: str) -> None:
        if word in _PYTHON:
            self._fault(f"{word} instead of {_PYTHON[word]}")
        elif word.lstrip("+-") in _NO_NUMBERS:
            self._fault(f"{word}, which JSON does not have")
        elif word not in _WORDS:
            raise _LostError
        self._made.append(_WORDS.get(word) or _PYTHON.get(word) or "null")

    def _container(self, sign: str) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _LostError
        if sign == "(":
            self._fault("round brackets instead of square ones")
        written = "{" if sign == "{" else "["
        closer, made = {"{": ("}", "}"), "[": ("]", "]"), "(": (")", "]")}[sign]
        self._made.append(written)
        self._at += 1
        self._items(closer, is_object=written == "{")
        self._made.append(made)
        self._depth -= 1

    def _items(self, closer: str, *, is_object: bool) -> None:
        """All up to the closing bracket, and that."""
        comma: int | None = None
        ended: int | None = None
        while True:
            self._skip()
            sign = self._next()
            if sign in {"", "}", "]", ")"}:
                break
            if ended is not None and comma is None:
                self._made.insert(ended, ",")
                self._fault("a comma is missing")
            if is_object:
                self._member()
            self._value()
            ended, comma = len(self._made), None
            self._skip()
            if self._next() == ",":
                comma = len(self._made)
                self._made.append(",")
                self._at += 1
        if comma is not None:
            del self._made[comma]
            self._fault("a comma after the last item")
        if sign == closer:
            self._at += 1
        else:
            self._fault(f"the closing {closer} is missing")

    def _member(self) -> None:
        """A key and its colon."""
        sign = self._next()
        if sign in _QUOTES:
            self._string(is_key=True)
        elif key := self._take(_KEY):
            self._made.append(f'"{key}"')
            self._fault("a key without quotes")
        else:
            raise _LostError
        self._skip()
        if self._next() != ":":
            raise _LostError
        self._made.append(":")
        self._at += 1
        self._skip()

    def _string(self, *, is_key: bool) -> None:
        opener = self._next()
        if "'" in _CLOSERS[opener]:
            self._fault("single quotes instead of double ones")
        elif opener != '"':
            self._fault(f"{opener} instead of straight quotes")
        self._at += 1
        self._made.append('"')
        inner = self._text_inside(_CLOSERS[opener], is_key=is_key)
        self._made.append('"')
        if inner:
            self._fault('a quote inside a text, which JSON writes as \\"' if inner == '"' else "a quote inside a text")

    def _text_inside(self, closers: str, *, is_key: bool) -> str:
        """All up to the closing quote, and that; returned is a quote that was found inside and closed nothing."""
        plain = re.compile(rf'[^"\\\x00-\x1f{re.escape(closers)}]+')
        inner = ""
        began = len(self._made)
        while self._at < len(self._text):
            if run := self._take(plain):
                self._made.append(run)
                continue
            sign = self._next()
            if sign == "\\":
                self._escape()
                continue
            if sign in closers and self._closes(is_key=is_key):
                self._at += 1
                return inner
            self._at += 1
            if sign == '"' and self._next() == '"' and '"' in closers:
                self._at += 1
                self._fault("doubled quotes, as CSV writes them")
            elif sign in closers:
                inner = sign
            self._made.append(self._written(sign))
        return self._unclosed(began, inner, is_key=is_key)

    def _written(self, sign: str) -> str:
        if sign == '"':
            return '\\"'
        if sign >= " ":
            return sign
        self._fault(
            "a line break inside a text, which JSON writes as \\n" if sign in "\r\n" else "a raw tab or the like"
        )
        return _CONTROL.get(sign) or f"\\u{ord(sign):04x}"

    def _unclosed(self, began: int, inner: str, *, is_key: bool) -> str:
        """The text has ended inside a string: brackets at its end are meant as brackets."""
        if inner or is_key:
            raise _LostError
        whole = "".join(self._made[began:])
        brackets = self._text[len(self._text.rstrip(_CLOSING)) :]
        if brackets and not whole.endswith(brackets):  # line breaks between them were written as escapes
            raise _LostError
        self._made[began:] = [whole.removesuffix(brackets)]
        self._at -= len(brackets)
        self._fault("a closing quote is missing")
        return ""

    def _escape(self) -> None:
        if kept := self._take(_ESCAPE):
            self._made.append(kept)
        elif found := _PYTHON_ESCAPE.match(self._text, self._at):
            self._at = found.end()
            character = chr(int(found[1] or found[2], 16))
            self._made.append(character if character >= "\x7f" else f"\\u{ord(character):04x}")
            self._fault("an escape that is Python's")
        elif self._text[self._at + 1 : self._at + 2] == "'":
            self._at += 2
            self._made.append("'")
        else:
            self._at += 1
            self._made.append("\\\\")
            self._fault("a backslash that is not doubled")

    def _closes(self, *, is_key: bool) -> bool:
        """Whether what follows the quote here is what follows a text."""
        rest = self._text[self._at + 1 : self._at + 200]
        after = rest.lstrip()
        if is_key:
            return after.startswith(":")
        if not after or after[0] in "]})":
            return True
        if after[0] == ",":
            return bool(_ITEM.match(after[1:].lstrip()))
        return after != rest and after[0] in _QUOTES

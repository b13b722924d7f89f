"""Number formats: what the format code of a cell makes of a number.

It must never know a number: the code alone says whether a person sees a date, and how many zeros are put in front.
"""

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from openpyxl.styles.numbers import BUILTIN_FORMATS


class Shape(Enum):
    """What a number format makes of a number."""

    NUMBER = auto()
    DATE = auto()
    TIME = auto()
    DATE_AND_TIME = auto()
    DURATION = auto()


_MOMENTS = frozenset({Shape.DATE, Shape.TIME, Shape.DATE_AND_TIME})
MOST_FORMAT_CHARACTERS = 1_000
"""How much of a code is looked at; spreadsheet programs stop at 255."""

_SIGN = re.compile(
    r'"[^"]*"?|\\.|_.|\*.'  # literal text
    r"|\[[^\]]*\]?"  # colour, condition, locale, elapsed time
    r"|am/pm|a/p|上午/下午|午前/午後|오전/오후"
    r"|general|standard|e[+-]|.",
    re.DOTALL,
)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]")
_CONDITION = re.compile(r"\[[<>=]")
_CLOCK = frozenset({"h", "s", "am/pm", "a/p", "上午/下午", "午前/午後", "오전/오후"})
_NUMERIC = frozenset("0#?@")
_SHIFTING = frozenset(".,%/") | {"e+", "e-"}
"""What makes the zeros of a code mean something else than leading zeros."""
_EAST_ASIAN = {
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy/m/d"),
    **dict.fromkeys((*range(32, 36), 55, 56), "h:mm"),
}
"""Built-in formats of Chinese, Japanese, Korean and Thai Excel, which files name without spelling out."""


class _Section(NamedTuple):
    """One of the parts of a code that `;` separates: it is for positive numbers, or those of its condition."""

    shape: Shape | None
    """None: nothing but literal text, whatever the number."""
    zeros: int
    conditional: bool


@lru_cache(maxsize=4096)
def shape_of(number_format: str) -> Shape:
    """The shape that a format code gives: `yyyy-mm-dd -> DATE`, `[h]:mm -> DURATION`, `0 "days" -> NUMBER`.

    Of several sections the one for positive numbers counts; where conditions choose among them, a section for dates
    beside one for times gives dates and times.
    """
    first, *others = _read_sections(number_format)
    if not first.conditional:
        return first.shape or Shape.NUMBER
    shapes = [section.shape for section in (first, *others[:2]) if section.shape is not None]
    if len(set(shapes)) > 1 and _MOMENTS.issuperset(shapes):
        return Shape.DATE_AND_TIME
    return shapes[0] if shapes else Shape.NUMBER


@lru_cache(maxsize=4096)
def shown_digits(number_format: str) -> int:
    """How many digits a format shows of a whole number at least, with zeros in front: `00000 -> 5`, `0 -> 1`."""
    return _read_sections(number_format)[0].zeros


def builtin_format(number: int) -> str:
    """The code of a format that a workbook names by number only."""
    return str(_EAST_ASIAN.get(number) or BUILTIN_FORMATS.get(number, "General"))


def _read_sections(code: str) -> list[_Section]:
    sections: list[list[str]] = [[]]
    for sign in _SIGN.findall(code[:MOST_FORMAT_CHARACTERS].lower()):
        if sign == ";":
            sections.append([])
        else:
            sections[-1].append(sign)
    return [_read_section(signs) for signs in sections]


def _read_section(signs: list[str]) -> _Section:
    kinds = set(signs)
    conditional = any(_CONDITION.match(sign) for sign in signs)
    if any(_ELAPSED.fullmatch(sign) for sign in signs):
        return _Section(Shape.DURATION, 0, conditional)
    if "general" in kinds or "standard" in kinds:
        return _Section(Shape.NUMBER, 0, conditional)
    clock = not kinds.isdisjoint(_CLOCK)
    numeric = not kinds.isdisjoint(_NUMERIC)
    day = not kinds.isdisjoint("yd") or ("m" in kinds and not clock) or (not numeric and not kinds.isdisjoint("eg"))
    if day:
        return _Section(Shape.DATE_AND_TIME if clock else Shape.DATE, 0, conditional)
    if clock:
        return _Section(Shape.TIME, 0, conditional)
    zeros = signs.count("0") if kinds.isdisjoint(_SHIFTING) else 0
    return _Section(Shape.NUMBER if numeric else None, zeros, conditional)

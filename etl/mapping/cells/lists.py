"""One text into several: lines, bulleted and numbered lists, separators.

Functions on whole columns. Must never know which field the items are for.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from json import dumps

import polars as pl

from etl.mapping.cells.jsoncells import read_texts
from etl.mapping.cells.series import found_in, only_where
from etl.quoting import QUOTE_LIMIT

NEWLINE, BULLET, NUMBERED = "newline", "bullet", "numbered"
NAMED = (NEWLINE, BULLET, NUMBERED)
"""Separators that have a name; every other one is written as it is."""

LOOKS_LIKE_JSON = r"""^\s*\[\s*(?:["'{\[]|\]\s*$|(?:-?\d[\d.eE+-]*|true|false|null)\s*(?:,[^\[\]]*)?\]\s*$)"""
"""A cell that is meant as a JSON array, though it may be a broken one. `[Optional] Greets` is not."""

SEPARATOR = "\x1e"
"""Stands between items while a text is being cut: the ASCII record separator, which no cell should hold."""

_DASHES, _DOTS = "-*\u2013\u2014·", "•‣◦▪▫●○►"
_BULLET_SIGNS = _DASHES + _DOTS
_BULLETS = rf"(?m)^[ \t]*[{_DASHES}][ \t]+|[ \t]*[{_DOTS}][ \t]*"
"""Marks that prose does not use stand for an item anywhere; a dash only at the start of a line, before a space."""
_FIRST_NUMBER = r"(?m)^[ \t]*\(?1[.)][ \t]+\S"
_NUMBERS = r"(?m)^[ \t]*\(?\d{1,3}[.)][ \t]+"
_CONTINUATION = r"[ \t]*(?:\r\n|\r|\n)[ \t]+"
"""A line that is indented and starts no item goes on with the item before it."""
_LINE_END = r"\r\n|\r|\n"
COMMAS = ",\uff0c\u3001"
_SENTENCE = (
    rf"[{COMMAS}]\s*(?i:and|or|but|then|so|if|unless|which|who|that|because|while|when|before|after|not|y|o|pero|et|ou|mais|und"
    r"|oder|aber|dann|e|mas)\b|\S\s\S.*[.!?\x{3002}\x{FF01}\x{FF1F}]\s*$|[.!?]\s+\p{Lu}"
)
"""A comma before a word that goes on with a sentence, or the end of one."""


def split_texts(texts: pl.Series, on: Sequence[str]) -> pl.Series:
    """Texts as lists, cut at `on`: names of `NAMED`, or separators as they are written. Blank items are left out."""
    if not found_in(texts, _divided_by(tuple(on))).any():
        return drop_blank(wrap(texts))
    if BULLET in on:
        texts = _replaced(texts, _BULLETS, SEPARATOR, found_in(texts, _BULLETS))
    if NUMBERED in on and (likely := texts.str.contains_any(["1.", "1)"]).fill_null(value=False)).any():
        texts = _replaced(texts, _NUMBERS, SEPARATOR, likely & found_in(only_where(texts, likely), _FIRST_NUMBER))
    marked = texts.str.contains(SEPARATOR, literal=True).fill_null(value=False)
    texts = _replaced(texts, _CONTINUATION, " ", marked)
    marks = [mark for mark in on if mark not in NAMED and texts.str.contains(mark, literal=True).any()]
    patterns = [_LINE_END] * (NEWLINE in on) + [re.escape(mark) for mark in marks]
    if patterns == [_LINE_END] and not marked.any() and not texts.str.contains("\r", literal=True).any():
        return drop_blank(texts.str.split("\n"))
    if patterns:
        texts = texts.str.replace_all("|".join(patterns), SEPARATOR)
    return drop_blank(texts.str.split(SEPARATOR))


@cache
def _divided_by(on: tuple[str, ...]) -> str:
    """A pattern without which no text is cut: a sign of every separator, so that it is looked for once."""
    signs = {"\n", "\r", SEPARATOR, *(mark[0] for mark in on if mark not in NAMED)}
    if BULLET in on:
        signs |= set(_BULLET_SIGNS)
    numbers = "|1[.)]" if NUMBERED in on else ""
    return "".join(["[", *(rf"\x{{{ord(sign):X}}}" for sign in sorted(signs)), "]", numbers])


def _replaced(texts: pl.Series, pattern: str, to: str, where: pl.Series) -> pl.Series:
    """The texts with all matches replaced in those of `where`: a pattern is costly, and few texts need it."""
    if not where.any():
        return texts
    return texts.scatter(where.arg_true(), texts.filter(where).str.replace_all(pattern, to))


def split_or_read(texts: pl.Series, on: Sequence[str]) -> pl.Series:
    """As `split_texts`, but what looks like a JSON array is read as one: null where it is none of texts."""
    return _read_or(texts, lambda others: split_texts(others, on))


def cut_sentences(texts: pl.Series, on: Sequence[str], *, json: bool) -> pl.Series:
    """Which texts that read like sentences `split_texts` cuts at commas, in words (String); null for the others."""
    asked = found_in(texts, rf"[{COMMAS}]") & found_in(texts, _SENTENCE)
    if json:
        asked &= ~found_in(texts, LOOKS_LIKE_JSON)
    pieces = split_texts(only_where(texts, asked), on)
    said = [
        None if items is None or text is None or len(items) < 2 else _say_cut(text, len(items))
        for text, items in zip(texts, pieces, strict=True)
    ]
    return pl.Series(texts.name, said, dtype=pl.String)


def _say_cut(text: str, pieces: int) -> str:
    shown = " ".join(text.split())
    whole = f": {dumps([shown], ensure_ascii=False)}" if len(shown) <= QUOTE_LIMIT else ""
    said = f"is cut at its commas into {pieces}, though it reads like a sentence"
    return f"{said}; write a JSON array to keep it whole{whole}"


def wrap_or_read(texts: pl.Series) -> pl.Series:
    """A JSON array of texts as a list, null where it is none of texts; any other text as a list of one item."""
    return _read_or(texts, wrap)


def wrap(texts: pl.Series) -> pl.Series:
    """Each text as a list of one item."""
    wrapped = pl.when(pl.col("text").is_not_null()).then(pl.concat_list("text"))
    return texts.alias("text").to_frame().select(wrapped.alias(texts.name)).to_series()


def drop_blank(items: pl.Series) -> pl.Series:
    """Lists without the items that are empty or only white space."""
    return items.list.filter(pl.element().str.strip_chars() != "")


def drop_empty(items: pl.Series) -> pl.Series:
    """As `drop_blank`; a list of nothing else becomes null, one that had no item stays."""
    kept = drop_blank(items)
    return only_where(kept, ((kept.list.len() > 0) | (items.list.len() == 0)).fill_null(value=False))


def _read_or(texts: pl.Series, split: Callable[[pl.Series], pl.Series]) -> pl.Series:
    arrays = found_in(texts, LOOKS_LIKE_JSON)
    if not arrays.any():
        return split(texts)
    return read_texts(only_where(texts, arrays)).zip_with(arrays, split(only_where(texts, ~arrays)))

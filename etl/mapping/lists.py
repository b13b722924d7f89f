"""One text into several: lines, bulleted and numbered lists, separators, and the lines of a script.

Expressions over whole columns. Must never know which field the items are for.
"""

import re
from collections.abc import Sequence

import polars as pl

NEWLINE, BULLET, NUMBERED = "newline", "bullet", "numbered"
NAMED = (NEWLINE, BULLET, NUMBERED)
"""Separators that have a name; every other one is written as it is."""

LOOKS_LIKE_JSON = r"""^\s*\[\s*(?:["'{\[]|\]\s*$|(?:-?\d[\d.eE+-]*|true|false|null)\s*(?:,[^\[\]]*)?\]\s*$)"""
"""A cell that is meant as a JSON array, though it may be a broken one. `[Optional] Greets` is not."""

_SEPARATOR = "\x1e"
"""Stands between items while a text is being cut: the ASCII record separator, which no cell should hold."""

_BULLETS = r"(?m)^[ \t]*[-*\x{2013}\x{2014}·][ \t]+|[ \t]*[•‣◦▪▫●○►][ \t]*"
"""Marks that prose does not use stand for an item anywhere; a dash only at the start of a line, before a space."""
_FIRST_NUMBER = r"(?m)^[ \t]*\(?1[.)][ \t]+\S"
_NUMBERS = r"(?m)^[ \t]*\(?\d{1,3}[.)][ \t]+"
_CONTINUATION = r"[ \t]*(?:\r\n|\r|\n)[ \t]+"
"""A line that is indented and starts no item goes on with the item before it."""
_LINE_END = r"\r\n|\r|\n"

_PERSONA = "caller|customer|user|persona|human"
_AGENT = "agent|assistant|bot"
_LABELLED = rf"(?im)^[ \t]*(?:\(?\d{{1,3}}[.)][ \t]+|[-*•][ \t]+)?({_PERSONA}|{_AGENT})[ \t]*[:\x{{FF1A}}][ \t]*"
_STARTS_LABELLED = rf"(?i)^\s*(?:\(?\d{{1,3}}[.)][ \t]+|[-*•][ \t]+)?(?:{_PERSONA}|{_AGENT})[ \t]*[:\x{{FF1A}}]"
_AGENT_LINE = rf"(?i)^\s*(?:{_AGENT})[ \t]*[:\x{{FF1A}}]"
_PERSONA_LABEL = rf"(?i)^\s*(?:{_PERSONA})[ \t]*[:\x{{FF1A}}]\s*"


def split_text(text: pl.Expr, on: Sequence[str]) -> pl.Expr:
    """A text as a list, cut at `on`: names of `NAMED`, or separators as they are written. Blank items are left out."""
    if BULLET in on:
        text = text.str.replace_all(_BULLETS, _SEPARATOR)
    if NUMBERED in on:
        text = (
            pl.when(text.str.contains(_FIRST_NUMBER)).then(text.str.replace_all(_NUMBERS, _SEPARATOR)).otherwise(text)
        )
    if BULLET in on or NUMBERED in on:
        joined = text.str.replace_all(_CONTINUATION, " ")
        text = pl.when(text.str.contains(_SEPARATOR, literal=True)).then(joined).otherwise(text)
    patterns = [_LINE_END] * (NEWLINE in on) + [re.escape(mark) for mark in on if mark not in NAMED]
    if patterns:
        text = text.str.replace_all("|".join(patterns), _SEPARATOR)
    return drop_blank(text.str.split(_SEPARATOR))


def drop_blank(items: pl.Expr) -> pl.Expr:
    """A list without the items that are empty or only white space."""
    return items.list.filter(pl.element().str.strip_chars() != "")


def read_turns(text: pl.Expr) -> pl.Expr:
    """The persona's lines of a script: a line each, or separated by `|`, numbered, bulleted, with speakers or without.

    Where the first line names a speaker, a line without one goes on with the line before. Lines of the agent are left
    out; the list is then empty where nobody else speaks.
    """
    lines = pl.when(text.str.contains(r"[\r\n]")).then(text).otherwise(text.str.replace_all("|", "\n", literal=True))
    labelled = lines.str.replace_all(_LABELLED, _SEPARATOR + "${1}: ").str.split(_SEPARATOR)
    labelled = labelled.list.eval(pl.element().str.replace_all(r"\s*[\r\n]+\s*", " "))
    plain = split_text(lines, NAMED)
    return persona_lines(pl.when(lines.str.contains(_STARTS_LABELLED)).then(labelled).otherwise(plain))


def persona_lines(items: pl.Expr) -> pl.Expr:
    """Script lines without those of the agent, without speaker labels, without blank ones."""
    spoken = items.list.filter(~pl.element().str.contains(_AGENT_LINE))
    return drop_blank(spoken.list.eval(pl.element().str.replace(_PERSONA_LABEL, "").str.strip_chars()))

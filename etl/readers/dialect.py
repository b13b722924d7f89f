"""Dialect: what separates the cells and ends the lines of a delimited file, counted in its first 64 KB.

It must never know what the columns are called or mean.
"""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass

from etl.errors import FileError, UsageError

DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SPELLED = {"\\t": "\t", "tab": "\t"}
_SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?(?:\r\n|\r|\n|$)', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_CLEAR_SHARE = 0.5
"""At least so many of the records must have the same number of cells."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """`sep_line`: the file begins with Excel's own `sep=;` line, which no spreadsheet program shows as a row."""

    delimiter: str
    line_end: str
    sep_line: bool


@dataclass(frozen=True, slots=True)
class _Score:
    delimiter: str
    share: float
    """The part of the records that have the commonest number of cells."""
    width: int
    """That number."""
    prose: bool
    """Mostly followed by a space, as a comma in a sentence is."""
    opens_alone: bool
    """The first record has one cell only."""
    sound: bool
    """Quotes open and close where cells do."""


def sniff_dialect(sample: str, *, whole: bool, wanted: str | None, label: str) -> Dialect:
    """The dialect of a text by its start; `whole` says that the sample is all of it.

    Raises FileError where two readings are equally good, UsageError for a `wanted` delimiter that cannot be one.
    """
    told = _SEP_LINE.match(sample)
    if wanted is not None:
        delimiter = _checked(wanted)
    elif told:
        delimiter = told.group(1)
    else:
        delimiter = _most_consistent(sample, whole=whole, label=label)
    return Dialect(delimiter, _line_end(sample), told is not None)


def _checked(wanted: str) -> str:
    delimiter = _SPELLED.get(wanted.lower(), wanted)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise UsageError(f"{wanted!r} cannot separate cells.", "Give one character, for example --delimiter ';'")
    return delimiter


def _most_consistent(sample: str, *, whole: bool, label: str) -> str:
    scores = [_score(sample, delimiter, whole=whole) for delimiter in DELIMITERS]
    if any(score.sound for score in scores):
        scores = [score for score in scores if score.sound]
    scores = [score for score in scores if score.width > 1]
    if not scores:
        return ","  # one column: nothing is separated, and a stray comma will be named as a ragged row
    best = max(scores, key=lambda score: (score.share, not score.prose, score.width))
    rivals = [
        score
        for score in scores
        if score is not best and (score.share, score.prose, score.width) == (best.share, best.prose, best.width)
    ]
    if rivals or best.share < _CLEAR_SHARE or (best.prose and best.opens_alone):
        found = " or ".join(_NAMES[score.delimiter] for score in [best, *rivals])
        found = found if rivals else f"{found}, or nothing"
        raise FileError(
            f"{label}: it is not certain what separates the columns ({found}?).",
            "Say it with --delimiter, for example --delimiter ';' or --delimiter tab",
        )
    return best.delimiter


def _score(sample: str, delimiter: str, *, whole: bool) -> _Score:
    widths: list[int] = []
    sound = True
    try:
        records = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True)
        widths.extend(len(record) for record in records if any(cell.strip() for cell in record))
    except csv.Error as error:
        sound = not whole and "unexpected end" in str(error)
    else:
        if not whole and len(widths) > 1:
            widths.pop()  # the sample ends within this record
    if not widths:
        return _Score(delimiter, 0, 0, prose=False, opens_alone=False, sound=sound)
    width, count = max(Counter(widths).items(), key=lambda found: (found[1], found[0]))
    bare = _QUOTED.sub('""', sample)
    prose = 2 * bare.count(f"{delimiter} ") > bare.count(delimiter)
    return _Score(delimiter, count / len(widths), width, prose=prose, opens_alone=widths[0] == 1, sound=sound)


def _line_end(sample: str) -> str:
    bare = _QUOTED.sub("", sample)
    windows = bare.count("\r\n")
    ends = {"\n": bare.count("\n") - windows, "\r\n": windows, "\r": bare.count("\r") - windows}
    return max(ends, key=lambda end: ends[end])

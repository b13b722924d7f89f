"""Marking: what is said of a row and of a cell in an annotated workbook.

This file must never know how it is stored.
"""

import re
from collections.abc import Iterable, Sequence

from etl.problems import Problem, Severity
from etl.report.outcome import TO_LOOK_AT, Outcome, Result
from etl.tables.marked import Level

STATUS_CHARACTERS = 2_000
"""Of a status: whole sentences; all of them are in the list of problems."""

_ADDRESS = re.compile(r"(?:.*!)?([A-Z]{1,3})([1-9]\d{0,6})", re.DOTALL)
_ENDS = (".", "?", "!", "…")
"""Behind these a sentence needs no full stop; the words of an API may end in any of them."""
_WORDS = {
    Outcome.WOULD_CREATE: "would be created",
    Outcome.WOULD_UPDATE: "would be updated",
    Outcome.PENDING: "pending: not stored yet",
    Outcome.IN_DOUBT: "in doubt: it may have been stored",
}
_LEVELS = {Severity.ERROR.value: Level.ERROR, Severity.WARNING.value: Level.WARNING}


def status_of(result: Result, found: Iterable[Problem]) -> tuple[Level, str]:
    """The status of a row: its outcome in words, and what is wrong with it, in one line."""
    ordered = sorted(found, key=lambda one: one.severity != Severity.ERROR)
    sentences = [sentence_of(one) for one in ordered]
    words = _WORDS.get(result.outcome, result.outcome.value)
    if result.resource_id is not None:
        words = f"{words}, id {result.resource_id}"
    if not sentences and result.outcome in TO_LOOK_AT and result.http_status:
        sentences = [f"The API answered {result.http_status}."]
    level = Level.NONE
    if result.outcome in TO_LOOK_AT:
        level = Level.ERROR
    elif sentences and result.outcome is not Outcome.SKIPPED:
        level = Level.WARNING
    return level, _line(words, sentences if result.outcome is not Outcome.SKIPPED else ())


def sentence_of(found: Problem) -> str:
    """`Error in D17: …`."""
    place = place_of(found)
    where = f" in {found.cell.rpartition('!')[2]}" if place and found.cell else ""
    words = " ".join(found.message.split())
    end = "" if words.endswith(_ENDS) else "."
    return f"{found.severity.capitalize()}{where}: {words}{end}"


def level_of(found: Problem) -> Level:
    """How loud a problem is."""
    return _LEVELS.get(found.severity, Level.WARNING)


def place_of(found: Problem) -> tuple[int, int] | None:
    """The row and the 1-based column of the cell where it was found; None where cells have no address."""
    address = _ADDRESS.fullmatch(found.cell or "")
    if address is None:
        return None
    column = 0
    for letter in address[1]:
        column = column * 26 + ord(letter) - 64
    return int(address[2]), column


def _line(words: str, sentences: Sequence[str]) -> str:
    text = words
    for number, sentence in enumerate(sentences):
        longer = f"{text}. {sentence}" if number == 0 else f"{text} {sentence}"
        if len(longer) > STATUS_CHARACTERS:
            return f"{text}. ({len(sentences) - number} more: see the sheet of problems.)"
        text = longer
    return text

"""Quotes: how the cells of one record were written, where csv only tells what they hold.

It must never decide what a cell holds: it finds the quote that opened, and quotes that stand where none should.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_OPENS = re.compile(r'"[^\s"]')


class WrittenCell(NamedTuple):
    """A cell as it stands in the text, quotes included. `sound`: its quotes open and close where the cell does."""

    start: int
    text: str
    sound: bool


def written_cells(record: str, delimiter: str) -> Iterator[WrittenCell]:
    """The cells of a record's text, up to the first that is not sound."""
    record = record.rstrip("\r\n")
    at = 0
    while at <= len(record):
        if record[at : at + 1] == '"':
            end = _after_quotes(record, at)
            sound = end is not None and record[end : end + 1] in {delimiter, ""}
        else:
            found = record.find(delimiter, at)
            end, sound = (found if found >= 0 else len(record)), True
        yield WrittenCell(at, record[at:end], sound)
        if end is None or not sound:
            return
        at = end + 1


def find_open_quote(record: str, delimiter: str) -> int:
    """Where, in a record that csv refused, the cell begins whose quotes do not fit."""
    cell = next((cell for cell in written_cells(record, delimiter) if not cell.sound), None)
    return cell.start if cell else max(len(record) - 1, 0)


def has_stray_quotes(record: str, delimiter: str) -> bool:
    """Whether a quote opens in the middle of a cell and closes at the end of a later one.

    Then the separators between them were meant as text, or one before the quote is missing: the number of cells may
    be right and every one of them wrong. A sign for inches, before a space or at an end, stays what it is.
    """
    opened = False
    for cell in written_cells(record, delimiter):
        if cell.text.startswith('"') or cell.text.count('"') % 2 == 0:
            continue
        if opened and cell.text.rstrip(" ").endswith('"'):
            return True
        opened = opened or _OPENS.search(cell.text) is not None
    return False


def _after_quotes(record: str, opened: int) -> int | None:
    """Where the text goes on after a cell in quotes; None where they never close."""
    at = record.find('"', opened + 1)
    while at >= 0 and record[at + 1 : at + 2] == '"':
        at = record.find('"', at + 2)
    return at + 1 if at >= 0 else None

"""Quotes: how the cells of one record were written, where csv only tells what they hold.

It must never decide what a cell holds: it finds the quote that opened, and quotes that stand where none should.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from etl.readers.delimited.dialect import Dialect


class WrittenCell(NamedTuple):
    """A cell as it stands in the text, quotes included. `sound`: its quotes open and close where the cell does."""

    start: int
    text: str
    sound: bool


def written_cells(record: str, dialect: Dialect) -> Iterator[WrittenCell]:
    """The cells of a record's text, up to the first that is not sound."""
    record = record.rstrip("\r\n")
    bare, quoted = _patterns(dialect)
    at = 0
    while at <= len(record):
        if dialect.quote and record[at : at + 1] == dialect.quote:
            found = quoted.match(record, at)
            end = found.end() if found else None
            sound = end is not None and record[end : end + 1] in {dialect.delimiter, ""}
        else:
            found = bare.match(record, at)
            end, sound = (found.end() if found else len(record)), True
        yield WrittenCell(at, record[at:end], sound)
        if end is None or not sound:
            return
        at = end + 1


def find_open_quote(record: str, dialect: Dialect) -> int:
    """Where, in a record that csv refused, the cell begins whose quotes do not fit."""
    cell = next((cell for cell in written_cells(record, dialect) if not cell.sound), None)
    return cell.start if cell else max(len(record) - 1, 0)


def has_stray_quotes(record: str, dialect: Dialect) -> bool:
    """Whether a quote opens in the middle of a cell and closes at the end of a later one.

    Then the separators between them were meant as text, or one before the quote is missing: the number of cells may
    be right and every one of them wrong. A sign for inches, before a space or at an end, stays what it is; so does an
    apostrophe, after a letter.
    """
    quote, escape = dialect.quote, dialect.escape
    opens = _opening(quote)
    opened = False
    for cell in written_cells(record, dialect):
        text = cell.text.replace(escape * 2, "").replace(escape + quote, "") if escape else cell.text
        if text.startswith(quote) or text.count(quote) % 2 == 0:
            continue
        if opened and text.rstrip(" ").endswith(quote):
            return True
        opened = opened or opens.search(text) is not None
    return False


@cache
def _patterns(dialect: Dialect) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A cell without quotes, and one in quotes up to the quote that closes it."""
    quote, escape, delimiter = (re.escape(sign) for sign in (dialect.quote, dialect.escape, dialect.delimiter))
    escaped = rf"|{escape}[\s\S]|{escape}" if escape else ""
    bare = re.compile(rf"(?:[^{delimiter}{escape}]++{escaped})*+")
    return bare, re.compile(rf"{quote}(?:[^{quote}{escape}]++|{quote * 2}{escaped})*+{quote}" if quote else "")


@cache
def _opening(quote: str) -> re.Pattern[str]:
    before = r"(?<![^\W\d_])" if quote == "'" else ""
    return re.compile(rf"{before}{re.escape(quote)}[^\s{re.escape(quote)}]")

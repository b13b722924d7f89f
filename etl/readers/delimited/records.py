"""Records: delimited text read one record at a time, exactly as Python's csv reads it, or refused where it cannot be.

It must never know which record is the header, nor repair anything. It is the judge over the fast way (`split`).
"""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from etl.errors import FileError
from etl.readers.delimited.dialect import Dialect
from etl.readers.delimited.quotes import find_open_quote, has_stray_quotes
from etl.readers.texts.blocks import LINE_CHARACTERS, Lines

CELL_CHARACTERS = 32_000_000
"""A longer cell is taken for a quote that never closes."""


STRAY = "a quote opens in the middle of a cell and closes in another: a separator before it is missing"
SPANNING = (
    "its quotes enclose {} lines, each of which looks like a record: if quotes are plain text here, say --quote none; "
    "if they enclose cells, --quote '{}'"
)


class Record(NamedTuple):
    """A record: its number, its cells, and what is wrong with its quotes, as a sentence (empty: nothing).

    `text`: where something is, the record as it is written, without its end.
    """

    row: int
    cells: list[str]
    fault: str = ""
    text: str = ""


class Records:
    """The records of a text, one by one. `row` is the number of the last, `line` that of its last physical line."""

    def __init__(self, lines: Lines, dialect: Dialect, label: str) -> None:
        self.row = 0
        self.line = 0
        self.lines = lines
        self._dialect = dialect
        self._label = label
        self._held: list[str] = []
        csv.field_size_limit(CELL_CHARACTERS)  # the limit is the process's, 131,072 unless told
        self._reader = _csv_reader(self._spelled() if dialect.escape else self, dialect)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line, for csv, which takes as many as the record in hand needs."""
        line = self.lines.read()
        if not line:
            raise StopIteration
        self._held.append(line)
        if len(line) > LINE_CHARACTERS:
            number = self.line + len(self._held)
            raise FileError(
                f"{self._label}: line {number} is longer than {LINE_CHARACTERS:,} characters.",
                "Look for a quote in it that never closes, or a line end that is missing.",
            )
        return line

    def read(self) -> Record | None:
        """The next record; None: there is none. Raises FileError where quotes do not fit, naming the line."""
        self._held.clear()
        try:
            cells = next(self._reader, None)
        except csv.Error as error:
            raise self._explain(error) from error
        if cells is None:
            return None
        self.row += 1
        self.line += len(self._held)
        fault = self._fault(cells)
        return Record(self.row, cells, fault, "".join(self._held).rstrip("\r\n") if fault else "")

    def _fault(self, cells: list[str]) -> str:
        dialect, held = self._dialect, self._held
        if not dialect.quote:
            return ""
        if dialect.quote in "".join(cells) and has_stray_quotes("".join(held), dialect):
            return STRAY
        if len(held) > 1 and dialect.doubts_quotes and len(cells) > 1:
            alike = all(line.count(dialect.delimiter) == len(cells) - 1 for line in held)
            return SPANNING.format(len(held), dialect.quote) if alike else ""
        return ""

    def step_over(self, records: int, lines: int) -> None:
        """Count records that were read elsewhere."""
        self.row += records
        self.line += lines

    def skip_line(self) -> None:
        """Step over a line that is no record."""
        self._held.clear()
        next(self, None)
        self.line += 1

    def _spelled(self) -> Iterator[str]:
        """The lines with an escape doubled where it stands before nothing special: csv would drop it."""
        dialect = self._dialect
        escape = re.escape(dialect.escape)
        special = re.escape(dialect.quote + dialect.escape + dialect.delimiter)
        pattern = re.compile(rf"({escape}(?:[{special}\n]|\r(?!\n)))|{escape}")
        return (pattern.sub(lambda found: found[1] or dialect.escape * 2, line) for line in self)

    def _explain(self, error: csv.Error) -> FileError:
        """Where the quote opened that csv could not make sense of."""
        line = self.line + _line_of(self._held, find_open_quote("".join(self._held), self._dialect))
        last = self.line + len(self._held)
        quote = self._dialect.quote
        inside = f"a quote inside a quoted cell is written {self._dialect.escape or quote}{quote}"
        if "end of data" in str(error) or "field limit" in str(error):
            return FileError(
                f"{self._label}: the quote that opens in line {line} never closes.",
                f"Close it; {inside}. If quotes are plain text here: --quote none",
            )
        return FileError(
            f"{self._label}: in line {last}, text follows the quote that closes a cell (opened in line {line}).",
            f"{inside.capitalize()}. If it is written another way here: --escape CHAR, or --quote none",
        )


def _csv_reader(lines: Iterator[str], dialect: Dialect) -> Iterator[list[str]]:
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        escapechar=dialect.escape or None,
        strict=True,
    )


def _line_of(lines: Sequence[str], offset: int) -> int:
    """The number, from 1, of the line that holds the character at `offset`."""
    for number, line in enumerate(lines, 1):
        offset -= len(line)
        if offset < 0:
            return number
    return len(lines)

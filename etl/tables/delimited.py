"""Delimited text: cells come back from a CSV reader exactly as they were given.

This file must never know which program opens the file: it guards nothing against formulas.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from etl.tables.files import NewFile
from etl.tables.limits import DoesNotFitError

_ROWS_A_WRITE = 1_000
_USUAL_DELIMITERS = frozenset(",;\t|")
"""Any other is announced in a first line `sep=^`, as spreadsheet programs do: few programs would find it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How delimited text is spelled. `encoding` is a Python codec; `utf-8-sig` and `utf-16` begin with a mark.

    `quote` empty: cells are never quoted; `escape` empty: a quote inside a quoted cell is written twice.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\n"
    quote: str = '"'
    escape: str = ""


def write_delimited(
    file: NewFile, columns: Sequence[str], rows: Iterable[Sequence[str | None]], dialect: Dialect
) -> None:
    """Write a header and rows; a row may have more or fewer cells than the header. None is an empty cell.

    Raises DoesNotFitError for text that the encoding or the dialect cannot spell, StoppedError where the file cannot
    be written.
    """
    encoder = codecs.getincrementalencoder(dialect.encoding)()
    announced = [] if dialect.delimiter in _USUAL_DELIMITERS else [f"sep={dialect.delimiter}{dialect.line_end}"]
    lines = chain(announced, map(_speller(dialect), chain([columns], rows)))
    try:
        while text := "".join(islice(lines, _ROWS_A_WRITE)):
            file.write(encoder.encode(text))
        file.write(encoder.encode("", final=True))
    except UnicodeEncodeError as error:
        found = error.object[error.start]
        raise DoesNotFitError(f"{found!r} cannot be written in {dialect.encoding}") from error


def _speller(dialect: Dialect) -> Callable[[Sequence[str | None]], str]:
    """A function from a row to its line."""
    spell_cell = _quoting(dialect) if dialect.quote else _bare(dialect)

    def spell_row(row: Sequence[str | None]) -> str:
        line = dialect.delimiter.join(map(spell_cell, row))
        # A row of one blank cell would be a blank line, which readers skip.
        return (line or dialect.quote * 2) + dialect.line_end

    return spell_row


def _quoting(dialect: Dialect) -> Callable[[str | None], str]:
    """Cells are quoted only where they must be."""
    quote, escape = dialect.quote, dialect.escape
    special = re.compile(rf"[\r\n{re.escape(quote + escape + dialect.delimiter)}]").search
    inside = re.compile(rf"[{re.escape(quote + escape)}]")

    def spell_cell(cell: str | None) -> str:
        if not cell:
            return ""
        # Outer blanks must be quoted as well: some readers strip them from bare cells.
        if not (special(cell) or cell[0].isspace() or cell[-1].isspace()):
            return cell
        return quote + inside.sub(lambda found: (escape or quote) + found[0], cell) + quote

    return spell_cell


def _bare(dialect: Dialect) -> Callable[[str | None], str]:
    """Cells are never quoted: what separates cells and rows cannot stand in them, but for what an escape allows."""
    escape, delimiter = dialect.escape, dialect.delimiter
    special = re.compile(rf"[\r\n{'' if escape else re.escape(delimiter)}]").search
    inside = re.compile(rf"[{re.escape(escape + delimiter)}]")

    def spell_cell(cell: str | None) -> str:
        if not cell:
            return ""
        if found := special(cell):
            raise DoesNotFitError(f"{found[0]!r} cannot stand in a cell without quotes")
        return inside.sub(lambda found: escape + found[0], cell) if escape else cell

    return spell_cell

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


@dataclass(frozen=True, slots=True)
class Dialect:
    """How delimited text is spelled. `encoding` is a Python codec; `utf-8-sig` and `utf-16` begin with a mark."""

    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\n"


def write_delimited(
    file: NewFile, columns: Sequence[str], rows: Iterable[Sequence[str | None]], dialect: Dialect
) -> None:
    """Write a header and rows; a row may have more or fewer cells than the header. None is an empty cell.

    Raises DoesNotFitError for text that the encoding cannot spell, StoppedError where the file cannot be written.
    """
    encoder = codecs.getincrementalencoder(dialect.encoding)()
    lines = map(_speller(dialect), chain([columns], rows))
    try:
        while text := "".join(islice(lines, _ROWS_A_WRITE)):
            file.write(encoder.encode(text))
        file.write(encoder.encode("", final=True))
    except UnicodeEncodeError as error:
        found = error.object[error.start]
        raise DoesNotFitError(f"{found!r} cannot be written in {dialect.encoding}") from error


def _speller(dialect: Dialect) -> Callable[[Sequence[str | None]], str]:
    """A function from a row to its line. Cells are quoted only where they must be."""
    special = re.compile(rf'["\r\n{re.escape(dialect.delimiter)}]').search

    def spell_cell(cell: str | None) -> str:
        if not cell:
            return ""
        # Outer blanks must be quoted as well: some readers strip them from bare cells.
        if not (special(cell) or cell[0].isspace() or cell[-1].isspace()):
            return cell
        doubled = cell.replace('"', '""')
        return f'"{doubled}"'

    def spell_row(row: Sequence[str | None]) -> str:
        line = dialect.delimiter.join(map(spell_cell, row))
        # A row of one blank cell would be a blank line, which readers skip.
        return (line or '""') + dialect.line_end

    return spell_row

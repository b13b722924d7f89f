"""Misfit: what is wrong with the shape of a record, as a sentence; and that sentence known again in rejects.

It must never mend a record, nor take a sentence of ours for a value.

A person who mends a short record of rejects may add what was missing behind our sentence, which then stands where a
value should be, in a record that has as many cells as its header.
"""

import re
from collections.abc import Sequence

import polars as pl

from etl.batch import ERROR_COLUMN, column_letters
from etl.quoting import count_words
from etl.readers.delimited.records import SPANNING, STRAY, Record
from etl.readers.header import Header

_ASTRAY = "the sentence of an earlier import stands in column "
_OWN = "|".join(
    (
        _ASTRAY,
        r"the record has \d[\d,]* cells?, the header has \d[\d,]*: ",
        re.escape(STRAY),
        re.escape(SPANNING.partition("{}")[0]) + r"\d[\d,]* lines, each of which looks like a record: ",
    )
)
_OWN_START = rf"^(?:{_OWN})"
"""Only the sentences of records whose cells are not where the header's names are; before them stands nothing."""


def find_misfit(record: Record, header: Header, width: int) -> str | None:
    """What is wrong with the shape of a record that should have `width` cells, as a sentence; None: nothing."""
    cells = record.cells
    if record.fault:
        return record.fault
    if (at := _find_own(cells, header, width)) is not None:
        name = dict(zip(header.positions, header.names, strict=True)).get(at + 1)
        where = f"{column_letters(at + 1)} ({name})" if name else column_letters(at + 1)
        return (
            f"{_ASTRAY}{where}, where a value should be: add what was missing before it, so that it stands under "
            f"{ERROR_COLUMN}, or remove it"
        )
    if len(cells) != width:
        advice = (
            "put quotes round a cell that holds the separator, or remove what is too much"
            if len(cells) > width
            else "add the missing separators, and put quotes round a cell that holds a line break"
        )
        return f"the record has {count_words(len(cells), 'cell')}, the header has {width:,}: {advice}"
    for at in unnamed_cells(header, width):
        if cells[at]:
            return f"column {column_letters(at + 1)} holds data but has no name in the header (row {header.row})"
    return None


def without_sentences(cells: Sequence[str], header: Header) -> list[str]:
    """The cells, empty where they hold a sentence of ours."""
    return ["" if header.ignored and _is_own(cell) else cell for cell in cells]


def misfits_in_columns(header: Header, width: int) -> list[pl.Expr]:
    """Where, in a frame of `width` cells by position from "0", `find_misfit` may find something: in any of these."""
    found = [pl.col(str(at)).is_not_null() for at in unnamed_cells(header, width)]
    if header.ignored:
        found += [pl.col(str(at - 1)).str.contains(_OWN_START).fill_null(value=False) for at in header.positions]
    return found


def unnamed_cells(header: Header, width: int) -> list[int]:
    """The cells, from 0, that belong to no column."""
    return [at for at in range(width) if at + 1 not in header.positions and at + 1 not in header.ignored]


def _find_own(cells: Sequence[str], header: Header, width: int) -> int | None:
    """The first cell, from 0, that holds a sentence of ours and is not where rejects have it.

    That is under our column; in a record that is as short as it was, at its end.
    """
    if not header.ignored:
        return None
    last = len(cells) - 1 if len(cells) < width else None
    return next(
        (at for at, cell in enumerate(cells) if at + 1 not in header.ignored and at != last and _is_own(cell)), None
    )


def _is_own(cell: str) -> bool:
    return re.match(_OWN_START, cell) is not None

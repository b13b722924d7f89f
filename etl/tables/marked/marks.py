"""Marks: what is to be seen in a workbook that was not there before. This file must never know how it is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class UnmarkableError(ValueError):
    """The workbook has a form into which nothing can be spliced safely; the message says which, as a clause."""


class Level(StrEnum):
    """How loud a mark is."""

    ERROR = "error"
    WARNING = "warning"
    NONE = "none"


class Flag(NamedTuple):
    """A cell to fill and to comment. `column` and `row` count from 1."""

    row: int
    column: int
    level: Level
    text: str


class Finding(NamedTuple):
    """A line of the list of problems: its words, and the place that it links to.

    `shown` is what the place is called. `column` counts from 1; None: the status of the row.
    """

    level: Level
    code: str
    sheet: str
    shown: str
    row: int
    column: int | None
    value: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class SheetMarks:
    """The marks of one sheet. `header_row` is where the status column gets its name (0: there is none, and no status
    column), `columns` the 1-based numbers of
    the table's columns, `statuses` the text and the level for each row.
    """

    sheet: str
    header_row: int
    columns: Sequence[int]
    flags: Sequence[Flag]
    statuses: Mapping[int, tuple[Level, str]]


@dataclass(frozen=True, slots=True)
class Names:
    """What our own things in a workbook are called. `status` names the column, `listing` the sheet; `list_mark` tells
    our sheet from another of that name.
    """

    status: str
    list_mark: str
    listing: str = "Problems"
    author: str = "coval-etl"

"""Damage: what spreadsheet programs are known to do to ids and phone numbers, seen in the cells afterwards.

It must never change a cell, nor call anything an error: the text is what the file says, and only a person knows what
was meant. Which columns are looked at is told by their names alone.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Origin
from etl.problems import Code, Problem, Severity
from etl.quoting import show_value

_ID_WORDS = re.compile(
    "ids?|no|nr|num|number|nummer|numero|code|sku|order|account|case|ticket|ref|reference|invoice|zip|plz|postal"
    "|postcode|serial|iban|key|customer"
)
_PHONE_WORDS = re.compile("phone|telephone|tel|telefon|telefono|mobile|mobil|handy|fax|msisdn|whatsapp|caller")
_WORD = re.compile(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-z])")

_SCIENTIFIC = r"^[+-]?\d(?:[.,]\d+)?[eE]\+\d{2,3}$"
_WITHOUT_PLUS = r"^[1-9]\d{10,14}$"
"""As long as a number with its country code; shorter ones, and those with a leading zero, may be local."""
_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DATE = rf"^(?:\d{{4}}-\d\d-\d\d(?:T[\d:.]+)?|\d{{1,2}}-{_MONTH}(?:-\d{{2,4}})?|{_MONTH}-\d{{1,4}})$"
_RARE = 0.5
"""Dates are damage only where less than this part of a column's cells are dates."""


class _Sign(NamedTuple):
    """A pattern of damaged cells, and what to say after the column's name and the cell."""

    code: Code
    pattern: str
    rare: bool
    words: str


_OF_IDS = (
    _Sign(
        Code.SCIENTIFIC_NUMBER,
        _SCIENTIFIC,
        rare=False,
        words="as a spreadsheet shows a long number, and its last digits are lost; format the column as text and type"
        " or paste the digits again",
    ),
    _Sign(
        Code.DATE_FOR_ID,
        _DATE,
        rare=True,
        words="a date among cells that are none, as a spreadsheet makes of an id such as 3-4; format the column as text"
        " and type the id again",
    ),
)
_OF_PHONES = (
    _OF_IDS[0],
    _Sign(
        Code.PHONE_WITHOUT_PLUS,
        _WITHOUT_PLUS,
        rare=False,
        words="a phone number without its +, which no number cell keeps; write it as text, beginning with +",
    ),
)


def find_damage(frame: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    """A warning for each cell, of columns named like ids or phone numbers, that shows signs of damage."""
    found = [one for column in origin.columns for one in _damage_in(frame, origin, column)]
    return problem.frame_of(found)


def _damage_in(frame: pl.DataFrame, origin: Origin, column: str) -> Iterator[Problem]:
    cells = frame.get_column(column)
    filled = cells.len() - cells.null_count()
    for sign in _signs_of(column) if filled else ():
        hit = cells.str.contains(sign.pattern).fill_null(value=False)
        hits = hit.sum()
        if not hits or (sign.rare and hits >= _RARE * filled):
            continue
        for row, text in zip(frame.get_column(ROW).filter(hit), cells.filter(hit), strict=True):
            message = f"{column} holds {text}, {sign.words}"
            shown = show_value(column, text)
            yield Problem(row, Severity.WARNING, sign.code, None, column, origin.cell(column, row), shown, message)


def _signs_of(column: str) -> tuple[_Sign, ...]:
    """`Customer phone`, `orderNo`, `case_id`: what cells of such columns are looked through for."""
    words = {word.lower() for word in _WORD.findall(column)}
    if any(map(_PHONE_WORDS.fullmatch, words)):
        return _OF_PHONES
    return _OF_IDS if any(map(_ID_WORDS.fullmatch, words)) else ()

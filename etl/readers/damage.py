"""Damage: what spreadsheet programs are known to do to ids, phone numbers and long texts, seen in the cells afterwards.

It must never change a cell, nor call anything an error: the text is what the file says, and only a person knows what
was meant. Which columns are looked at is told by their names, and what is odd in one by its other cells in the batch.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Origin
from etl.problems import Code, Severity
from etl.quoting import HIDDEN, quote_value, show_value
from etl.readers.assembly import spoken
from etl.readers.mojibake import SUSPECT, repair

_ID_WORDS = re.compile(
    "ids?|no|nr|num|number|nummer|numero|code|sku|order|account|case|ticket|ref|reference|invoice|serial|iban|key"
    "|customer"
)
_POSTAL_WORDS = re.compile("zip|zipcode|plz|postal|postcode|postleitzahl")
_PHONE_WORDS = re.compile("phone|telephone|tel|telefon|telefono|mobile|mobil|handy|fax|msisdn|whatsapp|caller")
_WORD = re.compile(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-z])")

_SCIENTIFIC = r"^[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}$"
_WITHOUT_PLUS = r"^[1-9][0-9]{9,14}$"
"""As long as a phone number with its country code."""
_SURELY_ABROAD = 11
"""Shorter ones may be local: they lack a `+` only where others of their column have one."""
_MONTH = "(?i:jan|feb|mar|mrz|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)"
_ISO_DATE = "[0-9]{4}-[0-9][0-9]-[0-9][0-9](?:T[0-9:.]+)?"
_DATE = rf"^(?:{_ISO_DATE}|[0-9]{{1,2}}(?:-|\. ?){_MONTH}(?:-[0-9]{{2,4}})?|{_MONTH}[- ][0-9]{{1,4}})$"
_RARE = 0.5
"""Dates are damage only where less than this part of a column's cells are dates; so are ids without their zeros."""
_FEW = 0.2
"""Short postal codes are damage only where at most this part of a column's cells are short."""
_POSTAL_DIGITS = 5
_CELL_CHARACTERS = 32_767
"""What a cell of a spreadsheet holds; longer texts are cut off there."""
_BEFORE = 20
"""How many characters before the first wrong one a sentence quotes."""


class _Sign(NamedTuple):
    """A sign of damage: a pattern without which no column shows it, the cells that do, what to say after the cell."""

    code: Code
    pattern: str
    hit: Callable[[pl.Series], pl.Series]
    words: str


def _scientific(cells: pl.Series) -> pl.Series:
    return cells.str.contains(_SCIENTIFIC)


def _rare_dates(cells: pl.Series) -> pl.Series:
    hit = cells.str.contains(_DATE)
    return hit & (hit.sum() < _RARE * cells.count())


def _without_plus(cells: pl.Series) -> pl.Series:
    abroad = cells.str.len_bytes() >= _SURELY_ABROAD
    return cells.str.contains(_WITHOUT_PLUS) & (abroad | bool(cells.str.starts_with("+").any()))


def _short_of_zeros(cells: pl.Series) -> pl.Series:
    """Among numbers of which most have one length, and some begin with zeros: those that are shorter."""
    lengths = cells.str.len_bytes()
    usual = pl.Series([lengths.max()], dtype=lengths.dtype)
    short = lengths < usual
    return short & bool(cells.str.contains(r"^[0-9]+$").all() and short.sum() < _RARE * cells.count())


def _short_codes(cells: pl.Series) -> pl.Series:
    """Among postal codes of five digits: those of three or four, where they are few."""
    short = cells.str.len_bytes() < _POSTAL_DIGITS
    return short & bool(cells.str.contains(r"^[0-9]{3,5}$").all() and short.sum() <= _FEW * cells.count())


_SCIENTIFIC_NUMBER = _Sign(
    Code.SCIENTIFIC_NUMBER,
    _SCIENTIFIC,
    _scientific,
    "as a spreadsheet shows a long number, and its last digits are lost; format the column as text and type or paste "
    "the digits again",
)
_DATE_FOR_ID = _Sign(
    Code.DATE_FOR_ID,
    _DATE,
    _rare_dates,
    "a date among cells that are none, as a spreadsheet makes of an id such as 3-4; format the column as text and type "
    "the id again",
)
_PHONE_WITHOUT_PLUS = _Sign(
    Code.PHONE_WITHOUT_PLUS,
    _WITHOUT_PLUS,
    _without_plus,
    "a phone number without its +, which no number cell keeps; write it as text, beginning with +",
)
_LOST_ZEROS = _Sign(
    Code.LOST_ZEROS,
    r"^0[0-9]{2,}$",
    _short_of_zeros,
    "fewer digits than other cells, as where a spreadsheet drops zeros in front; format the column as text and type "
    "it again",
)
_SIGNS = {
    _PHONE_WORDS: (_SCIENTIFIC_NUMBER, _PHONE_WITHOUT_PLUS),
    _POSTAL_WORDS: (
        _SCIENTIFIC_NUMBER,
        _DATE_FOR_ID,
        _LOST_ZEROS._replace(pattern=r"^[1-9][0-9]{2,3}$", hit=_short_codes),
    ),
    _ID_WORDS: (_SCIENTIFIC_NUMBER, _DATE_FOR_ID, _LOST_ZEROS),
}
"""By the words in a column's name: what its cells are looked through for."""


def find_damage(frame: pl.DataFrame, origin: Origin, *, is_ascii: bool = False) -> pl.DataFrame:
    """A warning for each cell that shows signs of what spreadsheets do: ids and phone numbers by the column's name, any
    other text by its length and its characters. `is_ascii`: all cells are known to be.
    """
    columns = [column for column in origin.columns if _signs_of(column)]
    longest = (pl.col(column).str.len_bytes().max().alias(f"longest {column}") for column in origin.columns)
    odd = (pl.col(column).str.contains(_any_of(column)).any().alias(f"odd {column}") for column in columns)
    seen = frame.select(*longest, *odd).row(0, named=True)
    found = [] if is_ascii else [find_mojibake(frame, origin)]
    for column in origin.columns:
        if (seen[f"longest {column}"] or 0) >= _CELL_CHARACTERS:
            found.append(_cut_texts(frame, origin, column))
        if seen.get(f"odd {column}"):
            found += _damage_in(frame, origin, column)
    return problem.joined(found)


def find_mojibake(frame: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    """A warning for each cell whose text was read in another encoding than it was written in, before it came here."""
    suspect = frame.select(pl.col(column).str.contains(SUSPECT).any() for column in origin.columns).row(0)
    hits = (column for column, hit in zip(origin.columns, suspect, strict=True) if hit)
    return problem.joined([_mojibake(frame, origin, column) for column in hits])


@lru_cache(maxsize=4096)
def _signs_of(column: str) -> tuple[_Sign, ...]:
    """`Customer phone`, `orderNo`, `case_id`: what the cells of such columns are looked through for."""
    words = {word.lower() for word in _WORD.findall(column)}
    return next((signs for pattern, signs in _SIGNS.items() if any(map(pattern.fullmatch, words))), ())


@lru_cache(maxsize=4096)
def _any_of(column: str) -> str:
    """One pattern for all signs: most columns show none, and are looked through once."""
    return "|".join(sign.pattern for sign in _signs_of(column))


def _damage_in(frame: pl.DataFrame, origin: Origin, column: str) -> Iterator[pl.DataFrame]:
    cells = frame.get_column(column)
    secret = show_value(column, "x") != "x"
    shown = pl.lit(show_value(column, "x")) if secret else pl.col(column)
    for sign in _signs_of(column):
        if not cells.str.contains(sign.pattern).any():
            continue
        hit = sign.hit(cells).fill_null(value=False)
        message = pl.concat_str(pl.lit(f"{spoken(column)} holds "), shown, pl.lit(f", {sign.words}"))
        yield _warnings(frame.filter(hit), origin, column, sign.code, shown, message)


def _cut_texts(frame: pl.DataFrame, origin: Origin, column: str) -> pl.DataFrame:
    cut = frame.filter(pl.col(column).str.len_chars() == _CELL_CHARACTERS)
    words = f"has exactly {_CELL_CHARACTERS:,} characters, where spreadsheets cut text off; compare it with its source"
    return _warnings(
        cut.with_columns(pl.Series("shown", [show_value(column, text) for text in cut[column]], dtype=pl.String)),
        origin,
        column,
        Code.CUT_TEXT,
        pl.col("shown"),
        pl.lit(f"{spoken(column)} {words}"),
    )


def _mojibake(frame: pl.DataFrame, origin: Origin, column: str) -> pl.DataFrame:
    suspects = frame.filter(pl.col(column).str.contains(SUSPECT)).select(ROW, column)
    told: list[tuple[int, str | None, str]] = []
    for row, text in suspects.iter_rows():
        repaired = repair(text)
        if repaired is not None:
            shown = show_value(column, text)
            holds, was = (
                HIDDEN if shown == HIDDEN else quote_value(column, _from(one, repaired.place))
                for one in (text, repaired.text)
            )
            words = f"{spoken(column)} holds {holds}, UTF-8 that was read as {repaired.taken_for}; it was {was}; "
            told.append((row, shown, f"{words}paste it again, or export the file again as UTF-8"))
    schema = {ROW: pl.Int64, "shown": pl.String, "words": pl.String}
    rows = pl.DataFrame(told, schema=schema, orient="row")
    return _warnings(rows, origin, column, Code.MOJIBAKE, pl.col("shown"), pl.col("words"))


def _from(text: str, place: int) -> str:
    """The text from a little before a place on."""
    start = max(0, place - _BEFORE)
    return f"…{text[start:]}" if start else text


def _warnings(
    rows: pl.DataFrame, origin: Origin, column: str, code: Code, value: pl.Expr, message: pl.Expr
) -> pl.DataFrame:
    """A warning for each row, in columns: a file may have as many as rows."""
    address = origin.cell(column, 0)
    told = {
        "row": pl.col(ROW),
        "severity": pl.lit(Severity.WARNING.value),
        "code": pl.lit(code.value),
        "field": pl.lit(None, dtype=pl.String),
        "column": pl.lit(column),
        "cell": pl.lit(address and address[:-1], dtype=pl.String) + pl.col(ROW).cast(pl.String),
        "value": value,
        "message": message,
    }
    return rows.select(told[name].alias(name) for name in problem.SCHEMA)

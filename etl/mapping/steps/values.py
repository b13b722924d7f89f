"""Steps that read a value out of a text: JSON, numbers, true and false, dates.

They must never guess: what can be read in two ways is a problem.
"""

from collections.abc import Callable
from typing import Literal

import polars as pl
from pydantic import field_validator
from pydantic_core import PydanticCustomError

from etl.mapping.cells import jsoncells
from etl.mapping.cells.jsoncells import Mistake
from etl.mapping.cells.series import only_where
from etl.mapping.steps.step import Form, Step
from etl.problems import Code

_FIRST_YEAR = 1000
"""`14.10.25` is not a day of the year 25."""


class Json(Step):
    """The cell must be JSON; it is sent as it is written."""

    step: Literal["json"] = "json"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return jsoncells.kept_if(text, jsoncells.is_json)

    def _explain(self, found: str, /) -> Mistake:
        return jsoncells.explain_json(found)


class Integer(Step):
    """A whole number: `5`, and `5.0` as spreadsheets write it. `5.5` is a problem."""

    step: Literal["integer"] = "integer"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        whole = text.str.strip_chars().str.extract(r"^\+?(-?[0-9]+)(?:\.0*)?$", 1)
        return whole.str.replace(r"^(-?)0+([0-9])", "${1}${2}").str.replace(r"^-0$", "0")

    def _explain(self, _: str, /) -> Mistake:
        return Code.NOT_AN_INTEGER, "a whole number such as 5"


class Number(Step):
    """A number with a decimal point: `5`, `0.5`, `.5`, `1e3`."""

    step: Literal["number"] = "number"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        number = text.str.strip_chars().str.extract(r"^\+?(-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)$", 1)
        number = number.str.replace(r"^(-?)\.", "${1}0.").str.replace(r"\.([eE]|$)", "${1}")
        number = number.str.replace(r"^(-?)0+([0-9])", "${1}${2}")
        return pl.when(number.cast(pl.Float64, strict=False).is_finite()).then(number)

    def _explain(self, found: str, /) -> Mistake:
        advice = "; write it with a decimal point" if "," in found else ""
        return Code.NOT_A_NUMBER, f"a number such as 0.5{advice}"


class Boolean(Step):
    """`true`, `yes` and `1`, `false`, `no` and `0`, in any case."""

    step: Literal["boolean"] = "boolean"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        words = {"true": "true", "yes": "true", "1": "true", "1.0": "true"}
        words |= {"false": "false", "no": "false", "0": "false", "0.0": "false"}
        return text.str.strip_chars().str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)

    def _explain(self, _: str, /) -> Mistake:
        return Code.NOT_A_BOOLEAN, "true or false"


class Date(Step):
    """A date as `2025-10-14`: from that, with a time behind it, from `14.10.2025`, or from the `format` given.

    A time of day, other than midnight, is left out with a warning.
    Without a format, `10/11/2025` is a problem: nobody can tell the month.
    """

    step: Literal["date"] = "date"
    can_fail = True
    shorthand = "format"

    format: str | None = None

    @field_validator("format")
    @classmethod
    def _usable(cls, pattern: str | None) -> str | None:
        parts = ("%Y", "%m", "%d")
        if pattern is not None and not all(part in pattern for part in parts):
            raise PydanticCustomError("mapping", "a date format names year, month and day; write it like %d/%m/%Y", {})
        return pattern

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        day = text.str.strip_chars()
        if self.format is None:
            day = day.str.replace(r"[T ]\d{1,2}:\d{2}.*$", "")
        forms = [self.format] if self.format else ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"]
        read = pl.coalesce(day.str.to_date(pattern, strict=False) for pattern in forms)
        return pl.when(read.dt.year() >= _FIRST_YEAR).then(read.dt.to_string("%Y-%m-%d"))

    def _lost(self, _form: Form, /) -> Callable[[pl.Series], pl.Series] | None:
        return None if self.format is not None else _times_of_day

    def _explain(self, found: str, /) -> Mistake:
        if self.format is not None:
            return Code.WRONG_FORM, f"a date written as {self.format}"
        advice = ", or name the order in the mapping: date: {format: %d/%m/%Y}" if "/" in found else ""
        return Code.WRONG_FORM, f"a date such as 2025-10-14{advice}"


def _times_of_day(cells: pl.Series) -> pl.Series:
    """The time behind each date, in words (String); null where there is none, or it is midnight."""
    time = cells.str.extract(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[T ]+(\d{1,2}:\d{2}.*?)\s*$", 1)
    midnight = time.str.contains(r"^0{1,2}:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?$").fill_null(value=False)
    return only_where("the time of day " + time, ~midnight).alias(cells.name)

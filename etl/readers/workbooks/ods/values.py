"""OpenDocument values: what a cell's attributes and text say, as the text that a person would call its content.

It must never know where a cell stands. Numbers and times go through `cell_values`, so that a workbook says the same in
every format; dates are written out in the document already.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from etl.errors import FileError
from etl.problems import Code
from etl.readers.assembly import SPREADSHEET_ERRORS
from etl.readers.workbooks.cell_values import CellReader, Fault, StoredCell, Value
from etl.readers.workbooks.number_formats import Shape
from etl.readers.workbooks.ods.index import OFFICE, TABLE
from etl.readers.workbooks.ods.styles import NumberFormat, Styles

_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
VALUE_TYPE, FORMULA = f"{OFFICE} value-type", f"{TABLE} formula"
"""The attributes without which a cell holds nothing but its text."""
_CALC_TYPE = f"{_CALC} value-type"
_NUMBER, _BOOLEAN, _STRING = f"{OFFICE} value", f"{OFFICE} boolean-value", f"{OFFICE} string-value"
_STYLE = f"{TABLE} style-name"
_DATE, _TIME = f"{OFFICE} date-value", f"{OFFICE} time-value"

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d):(\d\d):(\d\d(?:\.\d+)?))?", re.ASCII)
_DURATION = re.compile(r"(-?)P(?:(\d{1,7})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d+)?)S)?)?", re.ASCII)
_ERROR_SHOWN = re.compile(r"#\w[\w/ ]*[!?]|#N/A|\w+:5\d\d")
"""What a cell shows where a formula has failed: `#DIV/0!`, `Err:502`."""
_MOST_DIGITS = 16
_DIGITS = (*range(_MOST_DIGITS + 1), *(0 for _ in Shape))
_SHAPES = (*(Shape.NUMBER for _ in range(_MOST_DIGITS + 1)), *Shape)
"""The cell styles that are made up for `CellReader`: numbers by the digits that they show, then every shape."""
_STYLES = {shape: number for number, shape in enumerate(_SHAPES)}
_TRUTHS = {"TRUE": "1", "FALSE": "0"}
"""How LibreOffice shows and stores what a formula has found true or false."""
_NO_DAY = "1899-12-30"
"""Day 0: what a time of day is stored as in a cell that shows days."""
_DAY_MS = 86_400_000


class OdsValues:
    """Reads the values of one workbook's cells."""

    def __init__(self, styles: Styles, label: str) -> None:
        self._styles = styles
        self._label = label
        self._reader = CellReader((), _SHAPES, from_1904=False, uncalculated=False, label=label, digits=_DIGITS)

    def read(self, attributes: Mapping[str, str], text: str | None, default_style: Callable[[], str]) -> Value:
        """The text of a cell (None: empty) and what is wrong with it.

        `text` is what the cell shows (None: nothing), `default_style` gives the name of the style that holds where the
        cell names none. Raises FileError for a type of value that the standard does not have.
        """
        kind = attributes.get(VALUE_TYPE)
        if attributes.get(_CALC_TYPE) == "error":
            return self._stored("e", text or "#ERROR!")
        if kind == "string":
            return self._text(attributes.get(_STRING, text))
        formula = FORMULA in attributes
        if formula and kind == "float" and _shows_error(text):
            return self._stored("e", text)
        match kind:
            case "float" | "percentage" | "currency":
                value = self._number(attributes.get(_NUMBER), text, self._format(attributes, default_style).digits)
            case "date":
                value = self._date(attributes.get(_DATE), text, self._format(attributes, default_style).shape)
            case "time":
                value = self._time(attributes.get(_TIME), text, self._format(attributes, default_style).shape)
            case "boolean":
                value = ("TRUE" if attributes.get(_BOOLEAN) == "true" else "FALSE"), None
            case None | "void" if formula and text is None:
                value = self._stored("n", None, formula=True)
            case None | "void":
                value = self._text(text)
            case _:
                raise FileError(f"{self._label} is damaged: a cell has a value of the type {kind[:20]!r}.")
        return value

    def _format(self, attributes: Mapping[str, str], default_style: Callable[[], str]) -> NumberFormat:
        return self._styles.number_format(attributes.get(_STYLE) or default_style())

    def _stored(self, kind: str, text: str | None, style: int = 0, *, formula: bool = False) -> Value:
        return self._reader.read(StoredCell(kind, text, style, formula))

    def _number(self, stored: str | None, text: str | None, digits: int) -> Value:
        if stored is None:
            return _untold(text)
        if text in _TRUTHS and _TRUTHS[text] == stored:
            return text, None
        return self._stored("n", stored, min(digits, _MOST_DIGITS))

    def _text(self, text: str | None) -> Value:
        if text in SPREADSHEET_ERRORS:  # typed as text, or written so by a program
            return self._stored("e", text)
        return text or None, None

    def _date(self, stored: str | None, text: str | None, shape: Shape | None) -> Value:
        found = _MOMENT.fullmatch(stored or "")
        if stored is None or found is None:
            return _untold(stored or text)
        day, hours, minutes, seconds = found.groups()
        try:
            moment = datetime.fromisoformat(f"{day}T{hours or '00'}:{minutes or '00'}:00")
        except ValueError:
            return _untold(stored)
        moment += timedelta(milliseconds=round(float(seconds or 0) * 1000))
        clock = moment.time().isoformat("milliseconds" if moment.microsecond else "seconds")
        shape = shape or (Shape.DATE if hours is None else Shape.DATE_AND_TIME)
        if day == _NO_DAY and hours is not None:
            return clock, None
        if shape is Shape.DATE and clock == "00:00:00":
            return moment.date().isoformat(), None
        return f"{moment.date().isoformat()}T{clock}", None

    def _time(self, stored: str | None, text: str | None, shape: Shape | None) -> Value:
        found = _DURATION.fullmatch(stored or "")
        if stored is None or found is None:
            return _untold(stored or text)
        sign, days, hours, minutes, seconds = found.groups()
        whole = (int(days or 0) * 24 + int(hours or 0)) * 60 + int(minutes or 0)
        elapsed_ms = whole * 60_000 + round(float(seconds or 0) * 1000)
        if shape is not Shape.DURATION and (sign or (shape is None and elapsed_ms >= _DAY_MS)):
            shape = Shape.DURATION
        return self._stored("n", f"{sign}{elapsed_ms / _DAY_MS!r}", _STYLES[shape or Shape.TIME])


def _shows_error(text: str | None) -> bool:
    return text is not None and _ERROR_SHOWN.fullmatch(text) is not None


def _untold(shown: str | None) -> Value:
    """A cell that says it holds a number, a date or a time, and does not say which."""
    return shown, Fault(
        Code.ERROR_CELL, "is stored as a number, a date or a time, but does not say which; type it again"
    )

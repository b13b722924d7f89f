"""Cell values: what a workbook stores in a cell, as the text that a person would call its content.

It must never know where a cell stands. Numbers keep every digit; dates come as ISO text by the cell's format; what the
workbook itself has lost (errors, formulas without results, digits past the fifteenth) is a fault.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from etl.errors import FileError
from etl.problems import Code, Severity
from etl.readers.assembly import SPREADSHEET_ERRORS, error_message
from etl.readers.workbooks.number_formats import Shape, builtin_format, shape_of

__all__ = ["CellReader", "Fault", "Shape", "StoredCell", "Value", "builtin_format", "shape_of"]


class Fault(NamedTuple):
    """What is wrong with a cell. A warning where its value is certain, but may not be what a person means by it."""

    code: Code
    message: str
    severity: Severity = Severity.ERROR


class StoredCell(NamedTuple):
    """A cell as its element says: type (`n` where none is given), text of its value, format, whether a formula."""

    kind: str
    text: str | None
    style: int
    formula: bool


Value = tuple[str | None, Fault | None]

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_PLACE = re.compile(r"\s*\d{1,10}\s*", re.ASCII)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SAFE_WHOLE = 10**15
_FROM_1900 = datetime.fromisoformat("1899-12-30")
_FROM_1904 = datetime.fromisoformat("1904-01-01")
_DAYS_UNTIL_1904 = (_FROM_1904 - _FROM_1900).days
_LEAP_DAY = 60
"""Excel counts a 29 February 1900 that never was: days from 1 to 59 are one off, day 60 is no date."""
_MOST_DAYS = 1e7
"""Of a duration; numbers beyond are no durations, and lose their seconds."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads the cells of one workbook.

    `strings` is its table of texts, `shapes` the shape of each cell style, `from_1904` its calendar, `uncalculated`
    whether it asks to be calculated when opened, so that a cached 0 may be a program's stand-in for a result, `digits`
    how many digits of a whole number each cell style shows at least (none: what they show is not looked at).
    """

    strings: Sequence[str]
    shapes: Sequence[Shape]
    from_1904: bool
    uncalculated: bool
    label: str
    digits: Sequence[int] = ()

    def read(self, cell: StoredCell) -> Value:
        """The text of a cell (None: empty) and what is wrong with it. Raises FileError where references are damaged."""
        text = cell.text
        if cell.formula and self._lacks_result(cell):
            return None, Fault(
                Code.FORMULA_WITHOUT_VALUE,
                "holds a formula without a result; open the workbook in a spreadsheet program, save it, and try again",
            )
        if not text:
            return None, None
        value: Value
        match cell.kind:
            case "n":
                value = self._read_number(text, cell.style)
            case "s":
                value = _unescaped(self._shared(text))
            case "b":
                value = ("FALSE" if text.strip() in {"0", "false"} else "TRUE"), None
            case "e":
                value = _error(text)
            case "d":
                value = _iso_text(text, self._shape(cell.style)), None
            case _:  # text beside the cell: `inlineStr`, and `str` for what a formula gave
                value = _unescaped(text)
        return value

    def _lacks_result(self, cell: StoredCell) -> bool:
        if cell.text is None or cell.text == "":
            return cell.kind != "str" or cell.text is None
        return self.uncalculated and cell.kind == "n" and cell.text == "0"

    def _shared(self, text: str) -> str:
        if _PLACE.fullmatch(text):
            try:
                return self.strings[int(text)]
            except IndexError:
                pass
        raise FileError(f"{self.label} is damaged: a cell names text {text[:20]}, which the workbook does not hold.")

    def _shape(self, style: int) -> Shape:
        if not self.shapes:
            return Shape.NUMBER
        if style < len(self.shapes):
            return self.shapes[style]
        raise FileError(f"{self.label} is damaged: a cell has the style {style}, which the workbook does not hold.")

    def _read_number(self, text: str, style: int) -> Value:
        if not _NUMBER.fullmatch(text.strip()):
            return text, Fault(Code.ERROR_CELL, f"is stored as a number, but is none: {text[:40]}")
        shape = self._shape(style)
        if shape is Shape.NUMBER:
            return _number_text(text.strip(), self.digits[style] if self.digits else 0)
        value = float(text)
        if shape is Shape.DURATION:
            if abs(value) > _MOST_DAYS:
                return text, _misformatted("duration", text)
            return _duration_text(value), None
        moment = self._moment(value, shape)
        if moment is None:
            return text, _misformatted("date", text)
        return _moment_text(moment, shape, dayless=value < 1 and (shape is Shape.TIME or not self.from_1904)), None

    def _moment(self, serial: float, shape: Shape) -> datetime | None:
        """The moment that a serial number means, to the millisecond; None where it is no date."""
        if not self.from_1904 and ((serial < 1 and shape is Shape.DATE) or _LEAP_DAY <= serial < _LEAP_DAY + 1):
            return None
        span = serial_span_ms(from_1904=self.from_1904)
        if not 0 <= serial < span / DAY_MS:
            return None
        passed = round((serial + (not self.from_1904 and 1 <= serial < _LEAP_DAY)) * DAY_MS)
        return serial_start(from_1904=self.from_1904) + timedelta(milliseconds=passed) if passed < span else None


def serial_start(*, from_1904: bool) -> datetime:
    """The day that serial numbers count from; from 1900 on it holds for those past the leap day that never was."""
    return _FROM_1904 if from_1904 else _FROM_1900


def serial_span_ms(*, from_1904: bool) -> int:
    """How many milliseconds there are from that day to the end of the year 9999."""
    return (2_958_466 - (_DAYS_UNTIL_1904 if from_1904 else 0)) * DAY_MS


def _misformatted(what: str, text: str) -> Fault:
    return Fault(Code.ERROR_CELL, f"is formatted as a {what}, but {text[:40]} is no {what}; correct the cell")


def _number_text(text: str, digits: int) -> Value:
    """A number with all its digits: whole ones without a point, others in the shortest form of the same double.

    `digits` is how many its format shows at least.
    """
    if text.lstrip("+-").isdigit() and len(text) <= 16:
        whole = int(text)
        if abs(whole) < _SAFE_WHOLE:
            return _whole_text(whole, digits)
    value = float(text)
    if abs(value) >= _SAFE_WHOLE:
        return text, Fault(
            Code.LOSSY_NUMBER,
            f"is stored as the number {text[:40]}, of which a spreadsheet keeps 15 digits; type it again as text",
        )
    return _whole_text(int(value), digits) if value.is_integer() else (repr(value), None)


def _whole_text(whole: int, digits: int) -> Value:
    text = str(whole)
    if len(text.lstrip("-")) >= digits or digits < 2:
        return text, None
    return text, Fault(
        Code.LOSSY_NUMBER,
        f"is stored as the number {text}, and only its format shows it with {digits} digits; "
        "type it again as text if the zeros belong to it",
        Severity.WARNING,
    )


def _duration_text(days: float) -> str:
    """`25:30:00`: hours without bound, minutes, seconds; milliseconds only where there are any."""
    milliseconds = round(abs(days) * 86_400_000)
    seconds, rest = divmod(milliseconds, 1000)
    sign = "-" if days < 0 and milliseconds else ""
    clock = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}.{rest:03}" if rest else clock


def _moment_text(moment: datetime, shape: Shape, *, dayless: bool) -> str:
    """ISO text: the day alone at midnight in a format without a clock, the clock alone where there is no day."""
    clock = moment.time().isoformat("milliseconds" if moment.microsecond else "seconds")
    if dayless:
        return clock
    if shape is Shape.DATE and clock == "00:00:00":
        return moment.date().isoformat()
    return f"{moment.date().isoformat()}T{clock}"


def _iso_text(text: str, shape: Shape) -> str:
    """A date that is stored as ISO text already."""
    return text.removesuffix("T00:00:00") if shape is Shape.DATE else text


def _error(text: str) -> Value:
    return text, Fault(Code.ERROR_CELL, error_message(text))


def _unescaped(text: str) -> Value:
    """Text with `_x000D_` and its like decoded; halves of characters stay escaped and are a fault."""
    if text in SPREADSHEET_ERRORS:  # typed as text, or written so by a program
        return _error(text)
    if "_x" not in text:
        return text or None, None
    decoded = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    if not _SURROGATE.search(decoded):
        return decoded, None
    try:
        return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le"), None
    except UnicodeDecodeError:
        return text, Fault(Code.CONTROL_CHARACTER, "holds half a character (a lone surrogate); type the text again")

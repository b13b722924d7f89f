"""Cell values: what a workbook stores in a cell, as the text that a person would call its content.

It must never know where a cell stands. Numbers keep every digit; dates come as ISO text by the cell's format; what the
workbook itself has lost (errors, formulas without results, digits past the fifteenth) is a fault.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from openpyxl.styles.numbers import BUILTIN_FORMATS

from etl.errors import FileError
from etl.problems import Code
from etl.readers.assembly import SPREADSHEET_ERRORS, error_message


class Shape(Enum):
    """What a number format makes of a number."""

    NUMBER = auto()
    DATE = auto()
    TIME = auto()
    DATE_AND_TIME = auto()
    DURATION = auto()


class Fault(NamedTuple):
    """What is wrong with a cell."""

    code: Code
    message: str


class StoredCell(NamedTuple):
    """A cell as its element says: type (`n` where none is given), text of its value, format, whether a formula."""

    kind: str
    text: str | None
    style: int
    formula: bool


Value = tuple[str | None, Fault | None]

_LITERALS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]')
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]")
_HALF_DAY = re.compile(r"am/pm|a/p")
_EXPONENT = re.compile(r"e[+-]")
_EAST_ASIAN = {
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy/m/d"),
    **dict.fromkeys((*range(32, 36), 55, 56), "h:mm"),
}
"""Built-in formats of Chinese, Japanese, Korean and Thai Excel, which files name without spelling out."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SAFE_WHOLE = 10**15
_FROM_1900 = datetime.fromisoformat("1899-12-30")
_FROM_1904 = datetime.fromisoformat("1904-01-01")
_LAST_DAY = 2_958_466
"""One past 9999-12-31, as Excel counts days."""
_LEAP_DAY = 60
"""Excel counts a 29 February 1900 that never was: days from 1 to 59 are one off, day 60 is no date."""


@lru_cache(maxsize=4096)
def shape_of(number_format: str) -> Shape:
    """The shape that a format code gives, by its first section: `yyyy-mm-dd -> DATE`, `[h]:mm -> DURATION`."""
    code = _LITERALS.sub("", number_format.partition(";")[0].lower())
    if _ELAPSED.search(code):
        return Shape.DURATION
    clock = bool(_HALF_DAY.search(code))
    code = _EXPONENT.sub("", _HALF_DAY.sub("", code))
    if code.strip() in {"general", "standard"}:
        return Shape.NUMBER
    clock = clock or "h" in code or "s" in code
    day = "y" in code or "d" in code or ("m" in code and not clock)
    if day:
        return Shape.DATE_AND_TIME if clock else Shape.DATE
    return Shape.TIME if clock else Shape.NUMBER


def builtin_format(number: int) -> str:
    """The code of a format that a workbook names by number only."""
    return str(_EAST_ASIAN.get(number) or BUILTIN_FORMATS.get(number, "General"))


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads the cells of one workbook.

    `strings` is its table of texts, `shapes` the shape of each cell style, `from_1904` its calendar, `uncalculated`
    whether it asks to be calculated when opened, so that a cached 0 may be a program's stand-in for a result.
    """

    strings: Sequence[str]
    shapes: Sequence[Shape]
    from_1904: bool
    uncalculated: bool
    label: str

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
        try:
            number = int(text)
            if number >= 0:
                return self.strings[number]
        except (ValueError, IndexError):
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
            return _number_text(text.strip())
        if shape is Shape.DURATION:
            return _duration_text(float(text)), None
        moment = self._moment(float(text), shape)
        if moment is None:
            return text, Fault(Code.ERROR_CELL, f"is formatted as a date, but {text} is no date; correct the cell")
        return _moment_text(
            moment, shape, dayless=float(text) < 1 and (shape is Shape.TIME or not self.from_1904)
        ), None

    def _moment(self, serial: float, shape: Shape) -> datetime | None:
        """The moment that a serial number means, to the millisecond; None where it is no date."""
        if not 0 <= serial < _LAST_DAY:
            return None
        if not self.from_1904:
            if (serial < 1 and shape is Shape.DATE) or _LEAP_DAY <= serial < _LEAP_DAY + 1:
                return None
            serial += 1 <= serial < _LEAP_DAY
        return (_FROM_1904 if self.from_1904 else _FROM_1900) + timedelta(milliseconds=round(serial * 86_400_000))


def _number_text(text: str) -> Value:
    """A number with all its digits: whole ones without a point, others in the shortest form of the same double."""
    if text.lstrip("+-").isdigit() and len(text) <= 16:
        whole = int(text)
        if abs(whole) < _SAFE_WHOLE:
            return str(whole), None
    value = float(text)
    if abs(value) >= _SAFE_WHOLE:
        return text, Fault(
            Code.LOSSY_NUMBER,
            f"is stored as the number {text}, of which a spreadsheet keeps 15 digits; type it again as text",
        )
    return (str(int(value)) if value.is_integer() else repr(value)), None


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

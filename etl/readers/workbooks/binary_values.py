"""Binary values: numbers, texts and errors as the binary workbooks (.xls, .xlsb) store them, both alike.

It must never know where a cell stands, nor the records around it. What a number means by its format is for
`cell_values`, so that a workbook says the same in every format.
"""

import re
import struct
from functools import lru_cache

from etl.problems import Code
from etl.readers.assembly import SPREADSHEET_ERRORS
from etl.readers.workbooks.cell_values import CellReader, Fault, StoredCell, Value

_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
    0x2C: "#SPILL!",
    0x2D: "#CONNECT!",
    0x2E: "#BLOCKED!",
    0x2F: "#UNKNOWN!",
    0x30: "#FIELD!",
    0x31: "#CALC!",
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE, _HUNDREDTHS = 0x02, 0x01
_REMEMBERED = 1 << 16
_WRITTEN_OUT = 1e16
"""Whole numbers from here on are written with an exponent, as Excel does."""


class DamagedRecordsError(ValueError):
    """A record is not what its place or its number asks for; the argument says how."""


class HollowRecordsError(ValueError):
    """A sheet has millions of records and hardly any that hold something."""


class BinaryCells:
    """The values of one workbook's cells. Each method gives the text (None: empty) and what is wrong with it."""

    def __init__(self, reader: CellReader) -> None:
        self._reader = reader
        self.number = lru_cache(maxsize=_REMEMBERED)(self._number)
        """As `_number`; columns of numbers hold the same ones again and again."""
        self._halved: set[str] = set()
        """Texts that had halves of characters, as stored."""

    def _number(self, value: float, style: int, *, formula: bool = False) -> Value:
        """A number in a cell of a style; dates and times by its format."""
        return self._reader.read(StoredCell("n", _digits(value), style, formula))

    def text(self, text: str) -> Value:
        """A text; halves of characters (lone surrogates) become `\\ud800` and a fault."""
        if text in SPREADSHEET_ERRORS:  # typed as text, or written so by a program
            return self._failed(text)
        if text.isascii() and not self._halved:
            return text or None, None
        stored = self.storable(text)
        if stored in self._halved:
            return stored, Fault(
                Code.CONTROL_CHARACTER, "holds half a character (a lone surrogate); type the text again"
            )
        return text or None, None

    def storable(self, text: str) -> str:
        """A text as a column can hold it; `text` knows it again if it had halves of characters."""
        if _SURROGATE.search(text) is None:
            return text
        stored = text.encode("utf-8", "backslashreplace").decode()
        self._halved.add(stored)
        return stored

    def boolean(self, value: int) -> Value:
        """`TRUE` or `FALSE`."""
        return ("TRUE" if value else "FALSE"), None

    def error(self, code: int) -> Value:
        """A spreadsheet error by its number."""
        return self._failed(_ERRORS.get(code, f"#ERROR{code}!"))

    def no_result(self) -> Value:
        """What is said of a formula whose result the workbook does not hold."""
        return self._reader.read(StoredCell("n", None, 0, formula=True))

    def _failed(self, text: str) -> Value:
        return self._reader.read(StoredCell("e", text, 0, formula=False))


def packed_number(bits: int) -> float:
    """The number that 32 bits stand for (`RK`): a whole one or the upper half of a double, perhaps in hundredths."""
    value: float
    if bits & _WHOLE:
        value = (bits >> 2) - ((bits & 0x80000000) >> 1)
    else:
        (value,) = struct.unpack("<d", struct.pack("<II", 0, bits & 0xFFFFFFFC))
    return value / 100 if bits & _HUNDREDTHS else value


def _digits(value: float) -> str:
    """A number as an .xlsx workbook would hold it."""
    if float(value).is_integer() and abs(value) < _WRITTEN_OUT:
        return str(int(value))
    return repr(float(value)).replace("e", "E")

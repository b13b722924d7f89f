"""OpenDocument styles: which sheets are hidden, and what cells make of a number: a day, a clock, leading zeros.

It must never know sheets or cells, only the names of the styles that they refer to.
"""

from collections.abc import Iterable
from typing import NamedTuple

from etl.readers.workbooks.number_formats import Shape
from etl.readers.workbooks.ods.index import OFFICE, TABLE
from etl.readers.workbooks.xml_stream import UnsafeXmlError, XmlFeed, open_parser

_STYLE = "urn:oasis:names:tc:opendocument:xmlns:style:1.0"
_NUMBER = "urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0"

_CLOCK = frozenset({"hours", "minutes", "seconds", "am-pm"})
_DAY = frozenset({"year", "month", "day", "day-of-week", "week-of-year", "quarter", "era"})
_MOMENTS = frozenset({"date-style", "time-style"})
_NUMBERS = frozenset({"number-style", "currency-style"})
_MOST_PARENTS = 20
_MOST_STYLES = 100_000


class NumberFormat(NamedTuple):
    """What a cell makes of a number: its shape (None: the format says nothing), how many digits it shows at least."""

    shape: Shape | None
    digits: int


_NO_FORMAT = NumberFormat(None, 0)


class Styles:
    """The styles of a document, by their names. Those of its content win over those it shares."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        """Styles of sheets that are not shown."""
        self.formats: dict[str, NumberFormat | str] = {}
        """Of each number format what it makes of a number, or the format that it uses for those above 0."""
        self.cells: dict[str, tuple[str, str]] = {}
        """Of each style of cells its parent and its number format."""
        self._known: dict[str, NumberFormat] = {}

    def read(self, pieces: Iterable[bytes], *, shared: bool) -> None:
        """Take the styles of a part, or of its beginning. Of a shared part only those with a name of their own count.

        The others are for page headers. Raises ExpatError, UnsafeXmlError.
        """
        collector = _Collector(self, shared=shared)
        xml = XmlFeed(open_parser(collector.start, collector.end))
        for piece in pieces:
            xml.feed(piece)
            if max(len(self.cells), len(self.formats)) > _MOST_STYLES:
                raise UnsafeXmlError(f"it has more than {_MOST_STYLES:,} styles")

    def number_format(self, name: str) -> NumberFormat:
        """What cells of a style make of a number."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._find(name)
        return found

    def _find(self, name: str) -> NumberFormat:
        number_format: NumberFormat | str | None = None
        for _ in range(_MOST_PARENTS):
            if number_format or name not in self.cells:
                break
            name, number_format = self.cells[name]
        for _ in range(_MOST_PARENTS):
            if not isinstance(number_format, str):
                return number_format or _NO_FORMAT
            number_format = self.formats.get(number_format)
        return _NO_FORMAT


class _Collector:
    """Turns the events of the XML parser into styles."""

    def __init__(self, styles: Styles, *, shared: bool) -> None:
        self._styles = styles
        self._passed_over = f"{OFFICE} automatic-styles" if shared else ""
        self._passing = False
        self._sheet_style = ""
        self._format = ""
        """The name of the number format that is being read."""
        self._is_elapsed = False
        self._pieces: set[str] = set()
        self._digits = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._passing or name == self._passed_over:
            self._passing = True
            return
        namespace, _, local = name.rpartition(" ")
        if namespace == _NUMBER:
            self._start_number(local, attributes)
        elif name == f"{_STYLE} style":
            self._start_style(attributes)
        elif name == f"{_STYLE} table-properties" and attributes.get(f"{TABLE} display") == "false":
            self._styles.hidden.add(self._sheet_style)
        elif name == f"{_STYLE} map" and self._format:
            self._styles.formats.setdefault(self._format, attributes.get(f"{_STYLE} apply-style-name", ""))

    def end(self, name: str) -> None:
        if name == self._passed_over:
            self._passing = False
        namespace, _, local = name.rpartition(" ")
        if namespace == _NUMBER and local.endswith("-style"):
            if self._format and local in _MOMENTS:
                self._styles.formats[self._format] = NumberFormat(self._shape(), 0)
            elif self._format and local in _NUMBERS:
                self._styles.formats.setdefault(self._format, NumberFormat(None, self._digits))
            self._format = ""

    def _start_style(self, attributes: dict[str, str]) -> None:
        style = attributes.get(f"{_STYLE} name", "")
        self._sheet_style = ""
        match attributes.get(f"{_STYLE} family"):
            case "table":
                self._sheet_style = style
            case "table-cell":
                parent = attributes.get(f"{_STYLE} parent-style-name", "")
                self._styles.cells[style] = (parent, attributes.get(f"{_STYLE} data-style-name", ""))
            case _:
                pass

    def _start_number(self, local: str, attributes: dict[str, str]) -> None:
        if local.endswith("-style"):
            self._format = attributes.get(f"{_STYLE} name", "")
            self._is_elapsed = attributes.get(f"{_NUMBER} truncate-on-overflow") == "false"
            self._pieces, self._digits = set(), 0
            return
        self._pieces.add(local)
        digits = attributes.get(f"{_NUMBER} min-integer-digits", "")
        if local == "number" and attributes.get(f"{_NUMBER} decimal-places", "0") == "0" and digits.isdecimal():
            self._digits = int(digits[:3])

    def _shape(self) -> Shape:
        if self._is_elapsed:
            return Shape.DURATION
        if self._pieces & _DAY:
            return Shape.DATE_AND_TIME if self._pieces & _CLOCK else Shape.DATE
        return Shape.TIME

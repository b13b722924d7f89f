"""OpenDocument sheet: the rows of one sheet, streamed, and the areas that are merged in it.

It must never know which row is the header. What stands for many equal rows or cells is spread out as it is read, and
only as far as an honest sheet needs. White space in texts is kept as LibreOffice writes and shows it, not joined as
the standard has it for prose.
"""

from collections.abc import Callable, Generator, Iterable, Iterator

from etl.errors import FileError
from etl.readers.workbooks import hollow
from etl.readers.workbooks.grid import Area, Cell, Row
from etl.readers.workbooks.ods.index import OFFICE, TABLE
from etl.readers.workbooks.ods.values import FORMULA, VALUE_TYPE, OdsValues
from etl.readers.workbooks.plain_rows import MOST_ROWS, MOST_SHEET_COLUMNS
from etl.readers.workbooks.unseen import SheetFacts, refuse_many_areas
from etl.readers.workbooks.xml_stream import MOST_DEPTH, UnsafeXmlError, feed, open_parser, refuse_depth, refuse_length

_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_REPEATED_COLUMNS, _REPEATED_ROWS = f"{TABLE} number-columns-repeated", f"{TABLE} number-rows-repeated"
_SPANNED_COLUMNS, _SPANNED_ROWS = f"{TABLE} number-columns-spanned", f"{TABLE} number-rows-spanned"
_DEFAULT_STYLE, _VISIBILITY = f"{TABLE} default-cell-style-name", f"{TABLE} visibility"
_SPACES = f"{_TEXT} c"

_FREE_REPEATS = 1_000_000
_MOST_REPEATS = 100
"""So many cells may stand for each that is stored, once there are more than `_FREE_REPEATS` of them."""
_MOST_SPACES = 32_767
"""One element may stand for so many, and so many more for each cell that is stored."""
_MOST_PARAGRAPHS = 1_000_000
"""Of one cell."""
_MOST_ELEMENTS = 1_200_000
"""Where hardly one in a hundred is a cell that holds something. A million empty rows at the end are not looked at."""
_FILTERED, _COLLAPSED = "filter", "collapse"
_TRANSPARENT = frozenset(
    f"{TABLE} {name}"
    for name in (
        "table",
        "table-columns",
        "table-header-columns",
        "table-column-group",
        "table-rows",
        "table-header-rows",
        "table-row-group",
    )
)
"""What rows and columns may stand in."""
_HINTS = frozenset({f"{_TEXT} ruby-text", f"{_TEXT} note"})
"""Text that is not the cell's own."""


def read_ods_rows(pieces: Iterable[bytes], values: OdsValues, label: str, *, is_whole: bool) -> Generator[Row]:
    """The rows that hold anything, rising, from the bytes of one sheet inside the document's first and last tag.

    `is_whole`: they are all of it, not only its rows up to the last one that holds anything. Raises FileError where it
    contradicts itself or stands for more cells than an honest sheet would.
    """
    collector = _Collector(values, label)
    parser = open_parser(collector.start, collector.end, collector.text.append)
    for _ in feed(parser, pieces, is_whole=is_whole):
        yield from collector.take()
    collector.refuse_open_row()


def scan_ods_sheet(pieces: Iterable[bytes], values: OdsValues, label: str, noted: int) -> SheetFacts:
    """What is true of all of a sheet.

    `noted` is how often a cell says that it spans rows or columns, a row or column that it is hidden; behind the last
    of them nothing is read.
    """
    collector = _Collector(values, label)
    for _ in feed(open_parser(collector.start, collector.end, collector.text.append), pieces) if noted else ():
        for _ in collector.take():
            pass
        refuse_many_areas(collector.areas, label)
        if collector.noted >= noted:
            break
    return SheetFacts(
        sorted(collector.areas), collector.hidden_rows, collector.hidden_columns, filtered=collector.is_filtered
    )


class _Collector:
    """Turns the events of the XML parser into rows."""

    def __init__(self, values: OdsValues, label: str) -> None:
        self.text: list[str] = []
        """The pieces of text since the last paragraph began; the parser appends to it."""
        self.areas: list[Area] = []
        self.hidden_rows = 0
        self.hidden_columns: list[tuple[int, int]] = []
        self.is_filtered = False
        self.noted = 0
        """How often something was found that goes into `SheetFacts`."""
        self._values = values
        self._label = label
        self._done: list[tuple[int, int, list[Cell]]] = []
        """Rows: the number of the first, how many are equal, their cells."""
        self._default_styles: list[tuple[int, str]] = []
        """By columns: the last one, the style."""
        self._column_styles: dict[int, str] = {}
        """The same by the number of the column, of those that were asked for."""
        self._row = 1
        self._row_repeat = 1
        self._row_style = ""
        self._row_visibility: str | None = None
        self._column = 1
        self._cells: list[Cell] = []
        self._stored = 0
        self._repeated = 0
        self._spaces = 0
        self._begun = 0
        """How many elements have begun."""
        self._attributes: dict[str, str] | None = None
        """Those of the cell that is being read."""
        self._paragraphs: list[str] = []
        self._depth = 0
        self._passed_over = 0
        """How deep the element begins that is passed over, since it is none of the cell's text."""
        self._kept = 0
        """How much text there was before it."""
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            f"{TABLE} table-column": self._start_column,
            f"{TABLE} table-row": self._start_row,
            f"{TABLE} table-cell": self._start_cell,
            f"{TABLE} covered-table-cell": self._start_cell,
            f"{_TEXT} p": self._start_paragraph,
            f"{_TEXT} h": self._start_paragraph,
            f"{_TEXT} s": self._add_spaces,
            f"{_TEXT} tab": lambda _: self.text.append("\t"),
            f"{_TEXT} line-break": lambda _: self.text.append("\n"),
        }
        self._ends: dict[str, Callable[[], None]] = {
            f"{TABLE} table-row": self._end_row,
            f"{TABLE} table-cell": self._end_cell,
            f"{TABLE} covered-table-cell": self._end_cell,
            f"{_TEXT} p": self._end_paragraph,
            f"{_TEXT} h": self._end_paragraph,
        }

    def take(self) -> Iterator[Row]:
        """The rows completed since the last call."""
        refuse_length(self.text)
        refuse_length(self._paragraphs)
        if len(self._paragraphs) > _MOST_PARAGRAPHS:
            raise UnsafeXmlError(f"row {self._row} has more elements than values")
        if hollow.is_too_hollow(self._begun, self._stored, _MOST_ELEMENTS):
            raise hollow.hollow_error(self._label)
        done, self._done = self._done, []
        for first, count, cells in done:
            for row in range(first, first + count):
                yield row, cells

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._begun += 1
        self._depth += 1
        if self._depth > MOST_DEPTH:
            refuse_depth(self._depth)
        if self._passed_over:
            return
        action = self._starts.get(name)
        if action is not None:
            action(attributes)
        elif not self._is_transparent(name):
            self._passed_over = self._depth
            self._kept = len(self.text)

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._passed_over:
            if self._depth < self._passed_over:
                self._passed_over = 0
                del self.text[self._kept :]
            return
        action = self._ends.get(name)
        if action is not None:
            action()

    def _is_transparent(self, name: str) -> bool:
        """Whether the content of an element counts although the element itself does not."""
        if self._attributes is not None:
            return name.startswith(_TEXT) and name not in _HINTS
        return name in _TRANSPARENT or name.startswith(OFFICE)

    def _start_column(self, attributes: dict[str, str]) -> None:
        first = self._default_styles[-1][0] + 1 if self._default_styles else 1
        if first > MOST_SHEET_COLUMNS:
            return
        last = first - 1 + self._count(attributes, _REPEATED_COLUMNS)
        self._default_styles.append((last, attributes.get(_DEFAULT_STYLE, "")))
        if attributes.get(_VISIBILITY) in {_COLLAPSED, _FILTERED}:
            self.noted += 1
            self.hidden_columns.append((first, min(last, MOST_SHEET_COLUMNS)))

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._row_repeat = self._count(attributes, _REPEATED_ROWS)
        self._row_style = attributes.get(_DEFAULT_STYLE, "")
        self._row_visibility = attributes.get(_VISIBILITY)
        self._column, self._cells = 1, []

    def _end_row(self) -> None:
        if self._cells:
            if self._row + self._row_repeat - 1 > MOST_ROWS or self._column - 1 > MOST_SHEET_COLUMNS:
                raise self._damaged(f"a row has more than {MOST_SHEET_COLUMNS:,} columns, or there are too many rows")
            self._spread(len(self._cells) * (self._row_repeat - 1))
            self._done.append((self._row, self._row_repeat, self._cells))
        if self._row_visibility in {_COLLAPSED, _FILTERED}:
            self.noted += 1
            self.hidden_rows += self._row_repeat if self._cells else 0
            self.is_filtered = self.is_filtered or self._row_visibility == _FILTERED
        self._row += self._row_repeat
        self._cells = []

    def refuse_open_row(self) -> None:
        """Raises FileError where a row that holds something has not ended."""
        if self._cells:
            raise self._damaged(f"row {self._row} has no end")

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._attributes = attributes
        self._paragraphs.clear()

    def _end_cell(self) -> None:
        attributes = self._attributes or {}
        self._attributes = None
        repeat = self._count(attributes, _REPEATED_COLUMNS) if _REPEATED_COLUMNS in attributes else 1
        if _SPANNED_COLUMNS in attributes or _SPANNED_ROWS in attributes:
            self._merge(attributes)
        text = "\n".join(self._paragraphs) if self._paragraphs else None
        if text is not None or VALUE_TYPE in attributes or FORMULA in attributes:
            value, fault = self._values.read(attributes, text, self._default_style)
            if value is not None or fault is not None:
                self._stored += 1
                self._cells.append(Cell(self._column, value, fault))
                if repeat > 1:
                    self._repeat(repeat)
        self._column += repeat

    def _repeat(self, count: int) -> None:
        """The last cell stands for so many."""
        if self._column + count - 1 > MOST_SHEET_COLUMNS:
            raise self._damaged(f"row {self._row} has more than {MOST_SHEET_COLUMNS:,} columns")
        self._spread(count - 1)
        cell = self._cells[-1]
        self._cells += [cell._replace(column=self._column + at) for at in range(1, count)]

    def _default_style(self) -> str:
        """The name of the style of cells in this row and column that have none of their own."""
        if self._row_style:
            return self._row_style
        style = self._column_styles.get(self._column)
        if style is None:
            style = next((style for last, style in self._default_styles if self._column <= last), "")
            self._column_styles[self._column] = style
        return style

    def _start_paragraph(self, _: dict[str, str]) -> None:
        self.text.clear()

    def _end_paragraph(self) -> None:
        self._paragraphs.append("".join(self.text))

    def _add_spaces(self, attributes: dict[str, str]) -> None:
        count = self._count(attributes, _SPACES)
        self._spaces += count
        if count > _MOST_SPACES or self._spaces > _MOST_SPACES * (self._stored + 100):
            raise self._hostile("more spaces")
        self.text.append(" " * count)

    def _merge(self, attributes: dict[str, str]) -> None:
        columns, rows = self._count(attributes, _SPANNED_COLUMNS), self._count(attributes, _SPANNED_ROWS)
        self.noted += (_SPANNED_COLUMNS in attributes) + (_SPANNED_ROWS in attributes)
        if (columns, rows) != (1, 1):
            self.areas.append(Area(self._row, self._column, self._row + rows - 1, self._column + columns - 1))

    def _spread(self, more: int) -> None:
        self._repeated += more
        if self._repeated > _FREE_REPEATS and self._repeated > _MOST_REPEATS * self._stored:
            raise self._hostile("more cells")

    def _count(self, attributes: dict[str, str], name: str) -> int:
        text = attributes.get(name, "1")
        if not (text.isascii() and text.isdecimal()) or len(text) > 9 or text.strip("0") == "":
            raise self._damaged(f"{text[:20]!r} stands where a number belongs")
        return int(text)

    def _damaged(self, why: str) -> FileError:
        return FileError(f"{self._label} is damaged: {why}.", "Open it in a spreadsheet program and save it.")

    def _hostile(self, what: str) -> FileError:
        return FileError(
            f"{self._label} is refused: its row {self._row} stands for {what} than an honest sheet has.",
            "Delete the rows and columns that only repeat others.",
        )

"""Layout: what a worksheet's part looks like, found in one pass: where things stand, how wide and high they are.

It must never know what is to be marked.
"""

import re
from dataclasses import dataclass, field

from etl.tables.limits import COLUMN_LIMIT
from etl.tables.marked.splices import tag_at, walk

DEFAULT_WIDTH = 8.43
DEFAULT_HEIGHT = 15.0
"""Of a column in characters, of a row in points, where a sheet says nothing."""

_BEHIND_NOTES = frozenset(
    {"legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "webPublishItems", "tableParts", "extLst"}
)
"""What stands behind `legacyDrawing` (ECMA-376, part 1, 18.3.1.99); an `AlternateContent` holds one of them."""
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")


@dataclass(frozen=True, slots=True)
class Columns:
    """A `col` element: the columns that it is about, and where it stands."""

    first: int
    last: int
    attributes: dict[str, str]
    start: int
    end: int


@dataclass(slots=True)
class Layout:
    """Where the parts of a sheet stand, in bytes. `rightmost`: the last column that holds anything from the header on.

    `status` is the column that an earlier report has written, `notes` the reference to the boxes of the notes.
    """

    prefix: str = ""
    dimension: tuple[int, int, str] | None = None
    columns: list[Columns] = field(default_factory=list)
    columns_end: int = 0
    data_start: int = 0
    notes_at: int = 0
    notes: str | None = None
    rightmost: int = 0
    status: int | None = None
    default_width: float = DEFAULT_WIDTH
    heights: dict[int, float] = field(default_factory=dict)

    def width(self, column: int) -> float:
        """Of a column, in characters."""
        found = next((one for one in self.columns if one.first <= column <= one.last), None)
        if found is None:
            return self.default_width
        hidden = found.attributes.get("hidden") in {"1", "true"}
        return 0.0 if hidden else _number(found.attributes.get("width"), self.default_width)

    def style(self, column: int) -> int:
        """The style of a column's empty cells."""
        found = next((one for one in self.columns if one.first <= column <= one.last), None)
        return int(found.attributes.get("style", "0")) if found else 0


def read_layout(data: bytes, header_row: int, status_name: str, status_texts: frozenset[bytes]) -> Layout:
    """Look a part through. `status_texts`: the numbers of the shared texts that are `status_name`."""
    layout = Layout()
    _Scan(data, layout, header_row, status_name.encode(), status_texts).run()
    return layout


def place_of(reference: str) -> tuple[int, int] | None:
    """`D17 -> (17, 4)`."""
    found = _PLACE.fullmatch(reference)
    return (int(found[2]), column_of(found[1])) if found else None


def column_of(letters: str) -> int:
    """`AA -> 27`."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


class _Scan:
    def __init__(
        self, data: bytes, layout: Layout, header_row: int, status_name: bytes, status_texts: frozenset[bytes]
    ) -> None:
        self._data = data
        self._layout = layout
        self._header_row = header_row
        self._status_name = status_name
        self._status_texts = status_texts
        self._depth = 0
        self._row = self._column = 0
        self._cell_start = 0
        self._names = dict.fromkeys(("row", "c", "col"), "")

    def run(self) -> None:
        self._parser = walk(self._data, self._start, self._end)
        self._parser.Parse(self._data, True)  # noqa: FBT003

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 4 and name == self._names["c"]:
            self._open_cell(attributes)
        elif self._depth == 3 and name == self._names["row"]:
            self._open_row(attributes)
        elif self._depth == 1:
            self._layout.prefix = name[: name.find(":") + 1]
            self._names = {local: self._layout.prefix + local for local in self._names}
        elif self._depth == 2:
            self._open_section(name, attributes)
        elif self._depth == 3 and name == self._names["col"]:
            self._open_columns(attributes)
        elif self._depth == 3 and name == f"{self._layout.prefix}mergeCell":
            self._see_merge(attributes.get("ref", ""))

    def _end(self, name: str) -> None:
        at = self._parser.CurrentByteIndex
        if self._depth == 4 and name == self._names["c"]:
            if self._row >= self._header_row:
                self._close_cell(at)
        elif self._depth == 2 and name == f"{self._layout.prefix}cols":
            self._layout.columns_end = at
        elif self._depth == 1 and not self._layout.notes_at:
            self._layout.notes_at = at
        self._depth -= 1

    def _open_section(self, name: str, attributes: dict[str, str]) -> None:
        layout, at = self._layout, self._parser.CurrentByteIndex
        local = name.removeprefix(layout.prefix)
        match local:
            case "dimension":
                layout.dimension = (at, tag_at(self._data, at)[0], attributes.get("ref", ""))
            case "sheetFormatPr":
                base = _number(attributes.get("baseColWidth"), 8.0) + 0.43
                layout.default_width = _number(attributes.get("defaultColWidth"), base)
            case "sheetData":
                layout.data_start = at
            case "legacyDrawing":
                layout.notes = next((one for key, one in attributes.items() if key.endswith(":id")), None)
        if local not in _BEHIND_NOTES and not local.endswith(":AlternateContent"):
            layout.notes_at = 0
        elif not layout.notes_at:
            layout.notes_at = at

    def _open_columns(self, attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        first, last = int(attributes["min"]), int(attributes["max"])
        self._layout.columns.append(Columns(first, last, attributes, at, tag_at(self._data, at)[0]))

    def _open_row(self, attributes: dict[str, str]) -> None:
        self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
        self._column = 0
        if attributes.get("hidden") in {"1", "true"}:
            self._layout.heights[self._row] = 0.0
        elif "ht" in attributes:
            self._layout.heights[self._row] = _number(attributes["ht"], DEFAULT_HEIGHT)

    def _open_cell(self, attributes: dict[str, str]) -> None:
        self._cell_start = self._parser.CurrentByteIndex
        place = place_of(attributes["r"]) if "r" in attributes else None
        self._column = place[1] if place else self._column + 1

    def _close_cell(self, at: int) -> None:
        # An empty cell `<c r="A1"/>` ends where its tag does; one with a style only holds nothing.
        if not self._data.startswith(b"</", at):
            return
        if self._row == self._header_row and self._is_status(self._data[self._cell_start : at]):
            self._layout.status = self._column
        self._layout.rightmost = max(self._layout.rightmost, self._column)

    def _is_status(self, cell: bytes) -> bool:
        if self._status_name in cell:
            return True
        found = re.search(rb"<(?:\w+:)?v>(\d+)</", cell)
        return found is not None and found[1] in self._status_texts and b't="s"' in cell.partition(b">")[0]

    def _see_merge(self, reference: str) -> None:
        place = place_of(reference.rpartition(":")[2])
        if place and place[0] >= self._header_row and place[1] < COLUMN_LIMIT:
            self._layout.rightmost = max(self._layout.rightmost, place[1])


def _number(text: str | None, otherwise: float) -> float:
    try:
        return float(text) if text else otherwise
    except ValueError:
        return otherwise

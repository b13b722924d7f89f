"""Sheet: the rows of one worksheet part, streamed, and the areas that are merged in it.

It must never know which row is the header. Cells that hold nothing are left out, so a sheet whose cells lie far apart,
or are only coloured, costs nothing.
"""

import re
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache

from etl.errors import FileError
from etl.readers.cell_values import CellReader, StoredCell
from etl.readers.grid import Area, Cell, Row
from etl.readers.xml_stream import feed, open_parser

MOST_ROWS = 1_048_576
MOST_SHEET_COLUMNS = 16_384
"""The size of a sheet; a cell beyond is damage."""
MOST_MERGES = 50_000

_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Za-z0-9:$]+)[\"']")
_AREA = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})", re.IGNORECASE)
_LONGEST_TAG_BYTES = 200


def read_rows(chunks: Iterable[bytes], reader: CellReader) -> Generator[Row]:
    """The rows that hold anything, rising. Raises FileError where the part contradicts itself."""
    collector = _Collector(reader)
    parser = open_parser(collector.start, collector.end, collector.text.append)
    for _ in feed(parser, chunks):
        yield from collector.take()


def read_merged_areas(chunks: Iterable[bytes], label: str) -> list[Area]:
    """The merged areas of more than one cell, by their first row.

    Their list stands behind the rows that it is needed for, hence a pass of its own. Raises
    FileError for more than `MOST_MERGES`.
    """
    areas: list[Area] = []
    tail = b""
    for chunk in chunks:
        text = tail + chunk
        end = 0
        for found in _MERGE.finditer(text):
            end = found.end()
            areas += _area(found.group(1).decode("ascii"))
        if len(areas) > MOST_MERGES:
            raise FileError(f"{label} has more than {MOST_MERGES:,} merged areas.", "Unmerge them.")
        tail = text[max(end, len(text) - _LONGEST_TAG_BYTES) :]
    return sorted(areas)


def _area(text: str) -> list[Area]:
    found = _AREA.fullmatch(text)
    if found is None:
        return []
    left, top, right, bottom = found.groups()
    area = Area(int(top), column_number(left.upper()), int(bottom), column_number(right.upper()))
    return [area] if (area.top, area.left) != (area.bottom, area.right) else []


@lru_cache(maxsize=MOST_SHEET_COLUMNS)
def column_number(letters: str) -> int:
    """`A -> 1`, `AA -> 27`."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


class _Collector:
    """Turns the events of the XML parser into rows."""

    def __init__(self, reader: CellReader) -> None:
        self.text: list[str] = []
        """The pieces of text since the last value began; the parser appends to it."""
        self._reader = reader
        self._done: list[Row] = []
        self._row = 0
        self._column = 0
        self._cells: dict[int, Cell] = {}
        self._kind = "n"
        self._style = 0
        self._value: str | None = None
        self._inline: str | None = None
        self._formula = False
        self._phonetic = False
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {}
        self._ends: dict[str, Callable[[], None]] = {}

    def take(self) -> list[Row]:
        """The rows completed since the last call."""
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._starts:
            self._watch(name.rpartition(" ")[0])
        action = self._starts.get(name)
        if action is not None:
            action(attributes)

    def end(self, name: str) -> None:
        action = self._ends.get(name)
        if action is not None:
            action()

    def _watch(self, namespace: str) -> None:
        """Listen to the elements of the root's own namespace: Transitional and Strict workbooks differ in it."""
        begin, stop = f"{namespace} ".lstrip(), self._ends
        self._starts = {
            f"{begin}row": self._start_row,
            f"{begin}c": self._start_cell,
            f"{begin}f": self._start_formula,
            f"{begin}v": self._start_text,
            f"{begin}t": self._start_text,
            f"{begin}rPh": self._start_phonetic,
        }
        stop[f"{begin}row"] = self._end_row
        stop[f"{begin}c"] = self._end_cell
        stop[f"{begin}v"] = self._end_value
        stop[f"{begin}t"] = self._end_text
        stop[f"{begin}rPh"] = self._end_phonetic

    def _start_row(self, attributes: dict[str, str]) -> None:
        row = self._whole(attributes["r"]) if "r" in attributes else self._row + 1
        if not self._row < row <= MOST_ROWS:
            raise self._damaged(f"row {row} follows row {self._row}")
        self._row, self._column, self._cells = row, 0, {}

    def _end_row(self) -> None:
        if self._cells:
            self._done.append((self._row, list(self._cells.values())))

    def _start_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        if reference is None:
            self._column += 1
        else:
            letters = reference.rstrip("0123456789")
            self._column = column_number(letters.upper())
            if reference != f"{letters}{self._row}" or not letters.isalpha():
                raise self._damaged(f"row {self._row} holds a cell called {reference[:20]}")
        if not 1 <= self._column <= MOST_SHEET_COLUMNS or self._column in self._cells:
            raise self._damaged(f"row {self._row} holds a cell twice, or one outside the sheet")
        self._kind = attributes.get("t", "n")
        style = attributes.get("s")
        self._style = self._whole(style) if style else 0
        self._value = None
        self._inline = None
        self._formula = False

    def _end_cell(self) -> None:
        if self._kind == "inlineStr" and self._inline is not None:
            self._value = self._inline
        if self._value is None and not self._formula:
            return
        text, fault = self._reader.read(StoredCell(self._kind, self._value, self._style, self._formula))
        if text is not None or fault is not None:
            self._cells[self._column] = Cell(self._column, text, fault)

    def _start_formula(self, _: dict[str, str]) -> None:
        self._formula = True

    def _start_text(self, _: dict[str, str]) -> None:
        self.text.clear()

    def _end_value(self) -> None:
        self._value = "".join(self.text)

    def _end_text(self) -> None:
        if not self._phonetic:
            self._inline = (self._inline or "") + "".join(self.text)

    def _start_phonetic(self, _: dict[str, str]) -> None:
        self._phonetic = True

    def _end_phonetic(self) -> None:
        self._phonetic = False

    def _whole(self, text: str) -> int:
        try:
            return int(text)
        except ValueError as error:
            raise self._damaged(f"{text[:20]!r} stands where a number belongs") from error

    def _damaged(self, why: str) -> FileError:
        return FileError(f"{self._reader.label} is damaged: {why}.", "Open it in a spreadsheet program and save it.")

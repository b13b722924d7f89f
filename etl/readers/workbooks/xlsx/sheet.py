"""Sheet: the rows of one worksheet part, streamed.

It must never know which row is the header. Cells that hold nothing are left out, so a sheet whose cells lie far apart,
or are only coloured, costs nothing. Rows of a plain form are read in columns, all others element by element; the
second way is the one that says what a sheet means, the first must say the same.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import lru_cache

from etl.errors import FileError
from etl.readers.workbooks import hollow
from etl.readers.workbooks.cell_values import CellReader, StoredCell
from etl.readers.workbooks.merged import MOST_MERGES
from etl.readers.workbooks.plain_rows import MOST_ROWS, MOST_SHEET_COLUMNS, read_plain_rows
from etl.readers.workbooks.plain_tags import PlainTags
from etl.readers.workbooks.stretch import Cell, Row, Stretch, stretch_of
from etl.readers.workbooks.xlsx.cell_columns import ColumnReader
from etl.readers.workbooks.xml_list import BLOCK_BYTES, ItemList, read_list
from etl.readers.workbooks.xml_stream import MOST_DEPTH, XmlFeed, feed, open_parser, refuse_depth, refuse_length

__all__ = ["MOST_MERGES", "MOST_ROWS", "MOST_SHEET_COLUMNS", "column_number", "read_rows", "read_stretches"]

_MOST_LETTERS = 3
_WHOLE = re.compile(r"\s*\d{1,10}\s*", re.ASCII)
_CELL_BYTES = 25
"""What a cell that names a text takes in the part."""
_MOST_UNPACKED_BYTES = 1 << 25
_LEAST_BLOCK_BYTES = 1 << 16
_ROWS = ItemList(item="row ", name="sheetData")


def read_stretches(chunks: Iterable[bytes], columns: ColumnReader, end: int | None = None) -> Generator[Stretch]:
    """The rows that hold anything, rising. Raises FileError where the part contradicts itself.

    `end`: the byte from which on no cell holds anything, between two rows or in an empty one.
    """
    collector = _Collector(columns.reader)
    parser = open_parser(collector.start, collector.end, collector.text.append)
    tags = PlainTags()
    tags.listen(parser)

    def prove(content: bytes, prefix: str) -> Stretch | None:
        stored = read_plain_rows(content, prefix, tags, collector.row)
        if stored is None:
            return None
        collector.row = stored.last_row
        return columns.read(stored)

    weight = columns.texts.unpacked_bytes
    block_bytes = max(_LEAST_BLOCK_BYTES, _MOST_UNPACKED_BYTES // weight * _CELL_BYTES) if weight else BLOCK_BYTES
    block_bytes = min(block_bytes, BLOCK_BYTES)
    if end is None:
        yield from read_list(chunks, _ROWS, XmlFeed(parser), collector, prove, block_bytes)
        return
    yield from read_list(_until(end, chunks), _ROWS, XmlFeed(parser, is_whole=False), collector, prove, block_bytes)
    collector.refuse_open_row()


def read_rows(chunks: Iterable[bytes], reader: CellReader) -> Generator[Row]:
    """The same rows, all of them element by element."""
    collector = _Collector(reader)
    parser = open_parser(collector.start, collector.end, collector.text.append)
    for _ in feed(parser, chunks):
        yield from collector.take_rows()


def _until(end: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[:end]
        end -= len(chunk)
        if end <= 0:
            break


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
        self.row = 0
        """The number of the last row."""
        self._reader = reader
        self._done: list[Row] = []
        self._depth = 0
        self._list = ""
        self._list_depth = 0
        """How deep the list of rows is open; 0 where it is not."""
        self._column = 0
        self._cells: dict[int, Cell] = {}
        self._kind = "n"
        self._style = 0
        self._value: str | None = None
        self._hollow = self._filled = 0
        """How many cells hold nothing, and something."""
        self._runs: list[str] = []
        self._formula = False
        self._phonetic = False
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {}
        self._ends: dict[str, Callable[[], None]] = {}

    @property
    def between_items(self) -> bool:
        return self._depth == self._list_depth > 0

    def take(self) -> Stretch | None:
        """The same as `take_rows`, as a stretch."""
        rows = self.take_rows()
        return stretch_of(rows) if rows else None

    def take_rows(self) -> list[Row]:
        """The rows completed since the last call."""
        refuse_length(self.text)
        refuse_length(self._runs)
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if not self._starts:
            self._watch(name.rpartition(" ")[0])
        action = self._starts.get(name)
        if action is not None:
            action(attributes)
        elif name == self._list:
            self._list_depth = self._depth
        if self._depth > MOST_DEPTH:
            refuse_depth(self._depth)

    def end(self, name: str) -> None:
        if self._depth == self._list_depth:
            self._list_depth = 0
        self._depth -= 1
        action = self._ends.get(name)
        if action is not None:
            action()

    def _watch(self, namespace: str) -> None:
        """Listen to the elements of the root's own namespace: Transitional and Strict workbooks differ in it."""
        begin, stop = f"{namespace} ".lstrip(), self._ends
        self._list = f"{begin}sheetData"
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
        row = self._whole(attributes["r"]) if "r" in attributes else self.row + 1
        if not self.row < row <= MOST_ROWS:
            raise self._damaged(f"row {row} follows row {self.row}")
        self.row, self._column, self._cells = row, 0, {}

    def _end_row(self) -> None:
        if self._cells:
            self._done.append((self.row, list(self._cells.values())))
            self._cells = {}

    def refuse_open_row(self) -> None:
        """Raises FileError where a row that holds something has not ended."""
        if self._cells:
            raise self._damaged(f"row {self.row} has no end")

    def _start_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        if reference is None:
            self._column += 1
        else:
            letters = reference.rstrip("0123456789")
            if reference != f"{letters}{self.row}" or not letters.isalpha() or len(letters) > _MOST_LETTERS:
                raise self._damaged(f"row {self.row} holds a cell called {reference[:20]}")
            self._column = column_number(letters.upper())
        if not 1 <= self._column <= MOST_SHEET_COLUMNS or self._column in self._cells:
            raise self._damaged(f"row {self.row} holds a cell twice, or one outside the sheet")
        self._kind = attributes.get("t", "n")
        style = attributes.get("s")
        self._style = self._whole(style) if style else 0
        self._value = None
        self._runs = []
        self._formula = False

    def _end_cell(self) -> None:
        if self._kind == "inlineStr" and self._runs:
            self._value = "".join(self._runs)
        if self._value is None and not self._formula:
            self._hollow += 1
            if hollow.is_too_hollow(self._hollow, self._filled, hollow.MOST_CELLS):
                raise hollow.hollow_error(self._reader.label)
            return
        self._filled += 1
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
            self._runs.append("".join(self.text))

    def _start_phonetic(self, _: dict[str, str]) -> None:
        self._phonetic = True

    def _end_phonetic(self) -> None:
        self._phonetic = False

    def _whole(self, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise self._damaged(f"{text[:20]!r} stands where a number belongs")
        return int(text)

    def _damaged(self, why: str) -> FileError:
        return FileError(f"{self._reader.label} is damaged: {why}.", "Open it in a spreadsheet program and save it.")

"""Sheet: the part of a worksheet with cells filled and a status column put at its end.

It must never know what the marks say.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

from etl.tables.limits import COLUMN_LIMIT
from etl.tables.marked.layout import Columns, Layout, place_of
from etl.tables.marked.marks import Level, SheetMarks, UnmarkableError
from etl.tables.marked.splices import Edit, cell_text, put_in, quoted, spliced, tag_at, tag_with, walk
from etl.tables.marked.styles import Styles

STATUS_WIDTH = 60
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def letters_of(column: int) -> str:
    """`27 -> AA`."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def text_cell(prefix: str, reference: str, style: int, text: str) -> str:
    """A cell that holds text, and can be nothing else."""
    p = prefix
    return (
        f'<{p}c r="{reference}" s="{style}" t="inlineStr"><{p}is><{p}t xml:space="preserve">{cell_text(text)}'
        f"</{p}t></{p}is></{p}c>"
    )


def status_column(layout: Layout, marks: SheetMarks) -> int:
    """Where the status goes: into the column of an earlier report, else right of all that is there."""
    column = layout.status or max(layout.rightmost, *marks.columns) + 1
    if column > COLUMN_LIMIT:
        raise UnmarkableError("its last column is in use, so that there is no room for the status")
    return column


def mark_sheet(
    data: bytes, layout: Layout, marks: SheetMarks, styles: Styles, status_name: str, notes: str | None
) -> bytes:
    """The part with all marks. `notes`: the reference to the boxes of the notes, where it has none yet."""
    column = status_column(layout, marks)
    edits = [*_Marker(data, layout, marks, styles, status_name, column).run()]
    if marks.header_row:
        edits += _widen(data, layout, column)
    if layout.dimension and marks.header_row:
        start, end, reference = layout.dimension
        edits.append(Edit(start, end, tag_with(data, start, end, {"ref": _stretched(reference, column)})))
    if notes is not None:
        tag = f'<{layout.prefix}legacyDrawing xmlns:r="{_RELATIONS}" r:id="{quoted(notes)}"/>'
        edits.append(put_in(layout.notes_at, tag))
    return spliced(data, edits)


class _Marker:
    """Goes through the rows. Makes an edit for each cell that is marked, whether it is there or not."""

    def __init__(
        self, data: bytes, layout: Layout, marks: SheetMarks, styles: Styles, status_name: str, status: int
    ) -> None:
        self._data = data
        self._layout = layout
        self._marks = marks
        self._styles = styles
        self._status_name = status_name
        self._status = status
        self._levels: dict[int, dict[int, Level]] = defaultdict(dict)
        for flag in marks.flags:
            known = self._levels[flag.row].get(flag.column)
            self._levels[flag.row][flag.column] = flag.level if known is not Level.ERROR else known
        self._edits: list[Edit] = []
        self._depth = self._row = self._column = 0
        self._row_start = self._row_style = self._cell_start = 0
        self._row_name = f"{layout.prefix}row"
        self._cell_name = f"{layout.prefix}c"
        self._due: list[int] = []
        """The columns of this row that are marked and have not come yet, the next one last."""
        self._header_style = 0

    def run(self) -> list[Edit]:
        self._parser = walk(self._data, self._start, self._end)
        self._parser.Parse(self._data, True)  # noqa: FBT003
        return self._edits

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 4 and name == self._cell_name:
            self._open_cell(attributes)
        elif self._depth == 3 and name == self._row_name:
            self._open_row(attributes)

    def _end(self, name: str) -> None:
        if self._depth == 4 and name == self._cell_name and self._column == self._status and self._has_status():
            self._replace_cell()
        elif self._depth == 3 and name == self._row_name:
            self._close_row()
        self._depth -= 1

    def _open_row(self, attributes: dict[str, str]) -> None:
        self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
        self._column = 0
        self._row_start = self._parser.CurrentByteIndex
        is_formatted = attributes.get("customFormat") in {"1", "true"}
        self._row_style = int(attributes.get("s", "0")) if is_formatted else -1
        self._due = sorted(self._levels.get(self._row, ()), reverse=True)
        if self._has_status():
            self._due = sorted({*self._due, self._status}, reverse=True)

    def _open_cell(self, attributes: dict[str, str]) -> None:
        place = place_of(attributes["r"]) if "r" in attributes else None
        self._column = place[1] if place else self._column + 1
        at = self._cell_start = self._parser.CurrentByteIndex
        style = int(attributes.get("s", "0"))
        if self._row == self._marks.header_row and self._column in self._marks.columns:
            self._header_style = style
        while self._due and self._due[-1] < self._column:
            self._edits.append(put_in(at, self._cell(self._due.pop())))
        if self._column == self._status and self._has_status():
            self._due.pop()  # the whole cell is replaced at its end
        elif self._due and self._due[-1] == self._column:
            self._due.pop()
            self._restyle(at, self._styles.filled(style, self._levels[self._row][self._column]))
        elif self._styles.is_ours(style):
            self._restyle(at, self._styles.filled(style, Level.NONE))

    def _restyle(self, at: int, style: int) -> None:
        end, _ = tag_at(self._data, at)
        self._edits.append(Edit(at, end, tag_with(self._data, at, end, {"s": str(style)})))

    def _replace_cell(self) -> None:
        at = self._parser.CurrentByteIndex
        is_tag = self._data.startswith(b"</", at) and not tag_at(self._data, self._cell_start)[1]
        end = self._data.index(b">", at) + 1 if is_tag else tag_at(self._data, self._cell_start)[0]
        self._edits.append(Edit(self._cell_start, end, self._cell(self._status).encode()))

    def _close_row(self) -> None:
        start, at = self._row_start, self._parser.CurrentByteIndex
        inside, is_empty = tag_at(self._data, start)
        missing = "".join(self._cell(column) for column in reversed(self._due))
        if not missing and not self._has_status():
            return
        opened = tag_with(self._data, start, inside, {"spans": None})
        if is_empty:
            opened = opened[:-2].rstrip() + f">{missing}</{self._row_name}>".encode()
        elif missing:
            self._edits.append(put_in(at, missing))
        self._edits.append(Edit(start, inside, opened))

    def _has_status(self) -> bool:
        header = self._marks.header_row
        return header > 0 and (self._row in self._marks.statuses or self._row == header)

    def _cell(self, column: int) -> str:
        reference = f"{letters_of(column)}{self._row}"
        if column == self._status:
            if self._row == self._marks.header_row:
                return text_cell(self._layout.prefix, reference, self._header_style, self._status_name)
            level, text = self._marks.statuses[self._row]
            return text_cell(self._layout.prefix, reference, self._styles.text(level, wrapped=True), text)
        base = self._row_style if self._row_style >= 0 else self._layout.style(column)
        style = self._styles.filled(base, self._levels[self._row][column])
        return f'<{self._layout.prefix}c r="{reference}" s="{style}"/>'


def _widen(data: bytes, layout: Layout, column: int) -> Iterator[Edit]:
    """Give the status column its width, and leave all others theirs."""
    p = layout.prefix
    ours = f'<{p}col min="{column}" max="{column}" width="{STATUS_WIDTH}" customWidth="1"/>'
    if not layout.columns:
        if layout.columns_end == 0:
            yield put_in(layout.data_start, f"<{p}cols>{ours}</{p}cols>")
        return
    for found in layout.columns:
        if found.first <= column <= found.last:
            yield Edit(found.start, found.end, _divided(data, found, column, ours))
            return
    after = next((found for found in layout.columns if found.first > column), None)
    yield put_in(after.start if after else layout.columns_end, ours)


def _divided(data: bytes, found: Columns, column: int, ours: str) -> bytes:
    def part(first: int, last: int) -> bytes:
        if first > last:
            return b""
        return tag_with(data, found.start, found.end, {"min": str(first), "max": str(last)})

    return part(found.first, column - 1) + ours.encode() + part(column + 1, found.last)


def _stretched(reference: str, column: int) -> str:
    """`A1:C9` as far as the column."""
    first, _, last = reference.rpartition(":")
    place = place_of(last)
    if place is None or place[1] >= column:
        return reference
    return f"{first or last}:{letters_of(column)}{place[0]}"


def grouped_texts(marks: SheetMarks) -> dict[tuple[int, int], list[str]]:
    """The sentences of each flagged cell, by row and column, in order."""
    ordered = sorted(marks.flags, key=lambda flag: (flag.row, flag.column, flag.level is not Level.ERROR))
    return {
        place: [flag.text for flag in flags]
        for place, flags in groupby(ordered, key=lambda flag: (flag.row, flag.column))
    }

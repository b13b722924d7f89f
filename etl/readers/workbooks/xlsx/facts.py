"""Facts: what is true of a whole worksheet part, and written behind its rows or on each of them.

It must never know a cell: the bytes are looked through for a few tags, much faster than the part can be read.
"""

import re
from collections.abc import Iterable, Iterator

from etl.readers.workbooks.hollow import Hollow, Signs
from etl.readers.workbooks.merged import Area
from etl.readers.workbooks.unseen import SheetFacts, refuse_many_areas
from etl.readers.workbooks.xlsx.sheet import column_number

_HIDDEN = (b'hidden="1"', b'hidden="true"', b"hidden='")
_ROW = re.compile(rb"<(?:\w+:)?row\s[^<>]*?\bhidden\s*=\s*[\"'](?:1|true)[\"'][^<>]*(?<!/)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\s[^<>]*?\bhidden\s*=\s*[\"'](?:1|true)[\"'][^<>]*>")
_SPAN = re.compile(rb"\b(min|max)\s*=\s*[\"'](\d{1,5})[\"']")
_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^<>]*?\bref\s*=\s*[\"']([A-Za-z0-9:$]+)[\"']")
_AREA = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})", re.IGNORECASE)
_LONGEST_TAG_BYTES = 1 << 12
SIGNS = Signs(
    values=(b"</v", b"</t", b"<f", b":v", b":t", b":f"),
    cells=(b"<c", b":c"),
    rows=(b"<row", b"</row", b":row"),
    most_bytes=3 << 28,
)
"""A value, a text or a formula, each also under a prefix. All rows of a sheet, 35 columns wide, are about as long."""


def scan_sheet(chunks: Iterable[bytes], label: str) -> SheetFacts:
    """Look a part through. Raises FileError for more than `MOST_MERGES` merged areas, and for a hollow part."""
    areas: list[Area] = []
    columns: list[tuple[int, int]] = []
    hidden_rows = 0
    filtered = False
    hollow = Hollow(SIGNS, label)
    for text in _whole_tags(chunks):
        hollow.see(text)
        if b"n" not in text and b"m" not in text:
            continue  # so none of what follows, and many times as fast
        if b"hidden=" in text and any(sign in text for sign in _HIDDEN):
            hidden_rows += sum(1 for _ in _ROW.finditer(text))
            columns += [_span(found.group()) for found in _COLUMN.finditer(text)]
        if b"mergeCell " in text:
            areas += [area for found in _MERGE.finditer(text) for area in _area(found.group(1).decode("ascii"))]
            refuse_many_areas(areas, label)
        filtered = filtered or b"filterColumn " in text
    return SheetFacts(sorted(areas), hidden_rows, columns, filtered, hollow.end)


def _whole_tags(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut before a tag begins."""
    tail = b""
    for chunk in chunks:
        text = tail + chunk
        end = text.rfind(b"<", max(0, len(text) - _LONGEST_TAG_BYTES))
        end = len(text) if end < 0 else end
        yield text[:end]
        tail = text[end:]
    yield tail


def _span(tag: bytes) -> tuple[int, int]:
    ends = {name: int(number) for name, number in _SPAN.findall(tag)}
    return ends.get(b"min", 0), ends.get(b"max", 0)


def _area(text: str) -> list[Area]:
    found = _AREA.fullmatch(text)
    if found is None:
        return []
    left, top, right, bottom = found.groups()
    area = Area(int(top), column_number(left.upper()), int(bottom), column_number(right.upper()))
    return [area] if (area.top, area.left) != (area.bottom, area.right) else []

"""Notes: the comments of a sheet, with ours put to them or behind what a person has written.

It must never know which cells are coloured. A note is two things: its text in one part, its box, in VML, in another.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from etl.tables.marked.layout import DEFAULT_HEIGHT, Layout, place_of
from etl.tables.marked.sheet import letters_of
from etl.tables.marked.splices import Edit, Element, cell_text, put_in, read_element, spliced

NOTE_CHARACTERS = 4_000
"""What a note shows at most; whole sentences, and where the rest is."""
_OURS = "\n— coval-etl —\n"
"""Between what a person has written in a note and what we add."""
_BLOCK = 1_024
"""Numbers of boxes come in blocks; each block belongs to one sheet."""
_LINE_CHARACTERS = 44
_WIDTH_PX, _LINE_PX, _MOST_PX = 320, 17, 420

_NEW_COMMENTS = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<comments xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><authors></authors>'
    b"<commentList></commentList></comments>"
)
_NEW_BOXES = (
    b'<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" '
    b'xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data=""/>'
    b'</o:shapelayout><v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" '
    b'path="m,l,21600r21600,l21600,xe"><v:stroke joinstyle="miter"/><v:path gradientshapeok="t" '
    b'o:connecttype="rect"/></v:shapetype></xml>'
)
_IDMAP = re.compile(rb"""(<o:idmap\b[^>]*\bdata\s*=\s*["'])([\d,\s]*)(["'])""")
_BOX = re.compile(rb"<v:shape\b(?!type).*?</v:shape>", re.DOTALL)
_BOX_ROW = re.compile(rb"<x:Row>\s*(\d+)\s*</x:Row>")
_BOX_COLUMN = re.compile(rb"<x:Column>\s*(\d+)\s*</x:Column>")

Place = tuple[int, int]


class Notes:
    """The comments of one sheet: both parts as they are, None where there are none yet."""

    def __init__(self, comments: bytes | None, boxes: bytes | None, author: str) -> None:
        self._comments = comments or _NEW_COMMENTS
        self._boxes = boxes or _NEW_BOXES
        self._author = author

    def blocks(self) -> list[int]:
        """The blocks of numbers that its boxes have."""
        found = _IDMAP.search(self._boxes)
        return [int(number) for number in found[2].split(b",") if number.strip()] if found else []

    def write(self, texts: Mapping[Place, Sequence[str]], layout: Layout, first_block: int) -> tuple[bytes, bytes]:
        """Both parts with a note for each cell of `texts`, by row and column. Boxes are numbered from a free block on.

        What we wrote in an earlier report is taken back.
        """
        root = read_element(self._comments)
        authors, listing = root.first("authors"), root.first("commentList")
        if authors is None or listing is None:
            return self._comments, self._boxes
        names = [self._comments[one.inside : one.close].decode("utf-8", "replace") for one in authors.all("author")]
        own = {str(number) for number, name in enumerate(names) if name == self._author}
        p = root.prefix
        edits = [authors.last_put_in(self._comments, f"<{p}author>{self._author}</{p}author>")]
        there: set[Place] = set()
        gone: set[Place] = set()
        for comment in listing.all("comment"):
            place = place_of(comment.attributes.get("ref", ""))
            if place is None:
                continue
            if comment.attributes.get("authorId") in own:
                edits.append(Edit(comment.start, comment.end, b""))
                gone.add(place)
                continue
            there.add(place)
            edits += _appended(self._comments, comment, texts.get(place, ()))
        new = sorted(place for place in texts if place not in there)
        added = "".join(_comment(p, place, texts[place], len(names)) for place in new)
        edits.append(listing.last_put_in(self._comments, added))
        boxes = _with_boxes(_without_boxes(self._boxes, gone), new, texts, layout, first_block)
        return spliced(self._comments, edits), boxes


def note_text(sentences: Iterable[str]) -> str:
    """What a note says: whole sentences, as many as it holds, and where the others are."""
    said: list[str] = []
    left = 0
    room = NOTE_CHARACTERS
    for sentence in sentences:
        if left == 0 and (len(sentence) <= room or not said):
            # One sentence alone may be longer than a note is good for, and still be shorter than one can be.
            said.append(sentence if len(sentence) <= NOTE_CHARACTERS else "")
            room -= len(sentence)
        else:
            left += 1
    shown = [one for one in said if one]
    left += len(said) - len(shown)
    more = f"({left} more on the sheet of problems.)" if shown else "See the sheet of problems."
    return "\n".join([*shown, more] if left else shown)


def _comment(prefix: str, place: Place, sentences: Sequence[str], author: int) -> str:
    p, (row, column) = prefix, place
    return (
        f'<{p}comment ref="{letters_of(column)}{row}" authorId="{author}"><{p}text><{p}t xml:space="preserve">'
        f"{cell_text(note_text(sentences))}</{p}t></{p}text></{p}comment>"
    )


def _appended(data: bytes, comment: Element, sentences: Sequence[str]) -> list[Edit]:
    """Behind the last words of a person's note; what an earlier report has put there is replaced."""
    ours = cell_text(_OURS + note_text(sentences)).encode() if sentences else b""
    text = comment.first("text")
    runs = [child for run in ([text, *text.all("r")] if text else []) for child in run.all("t")]
    last = runs[-1] if runs else None
    if text is None or last is None or last.is_empty:
        p = comment.prefix
        put = f'<{p}r><{p}t xml:space="preserve">{ours.decode()}</{p}t></{p}r>'
        return [text.last_put_in(data, put)] if text is not None and ours else []
    said = data[last.inside : last.close]
    kept, found, _ = said.replace(b"\r\n", b"\n").replace(b"_x000A_", b"\n").partition(cell_text(_OURS).encode())
    return [Edit(last.inside, last.close, (kept if found else said) + ours)] if ours or found else []


def _without_boxes(boxes: bytes, gone: set[Place]) -> bytes:
    def left(found: re.Match[bytes]) -> bytes:
        row, column = _BOX_ROW.search(found[0]), _BOX_COLUMN.search(found[0])
        is_gone = row and column and (int(row[1]) + 1, int(column[1]) + 1) in gone and b"Note" in found[0]
        return b"" if is_gone else found[0]

    return _BOX.sub(left, boxes) if gone else boxes


def _with_boxes(
    boxes: bytes, places: Sequence[Place], texts: Mapping[Place, Sequence[str]], layout: Layout, first_block: int
) -> bytes:
    if not places:
        return boxes
    blocks = range(first_block, first_block + -(-len(places) // (_BLOCK - 1)))
    listed = ",".join(map(str, blocks)).encode()
    boxes = _IDMAP.sub(
        lambda found: found[1] + found[2] + (b"," if found[2].strip() else b"") + listed + found[3], boxes
    )
    end = boxes.rindex(b"</xml>")
    shapes = (
        _box(place, _BLOCK * (first_block + at // (_BLOCK - 1)) + 1 + at % (_BLOCK - 1), texts[place], layout)
        for at, place in enumerate(places)
    )
    return spliced(boxes, [put_in(end, "".join(shapes))])


def _box(place: Place, number: int, sentences: Sequence[str], layout: Layout) -> str:
    row, column = place
    lines = sum(1 + len(line) // _LINE_CHARACTERS for line in note_text(sentences).split("\n"))
    left, left_px, right, right_px = _columns(layout, column + 1, 12, _WIDTH_PX)
    height = min(_LINE_PX * lines + 12, _MOST_PX)
    top, top_px, bottom, bottom_px = _rows(layout, max(row - 1, 1), 6, height)
    return (
        f'<v:shape id="_x0000_s{number}" type="#_x0000_t202" style="position:absolute;visibility:hidden" '
        'fillcolor="#ffffe1" o:insetmode="auto"><v:fill color2="#ffffe1"/><v:shadow on="t" color="black" '
        'obscured="t"/><v:path o:connecttype="none"/><v:textbox style="mso-direction-alt:auto">'
        '<div style="text-align:left"></div></v:textbox><x:ClientData ObjectType="Note"><x:MoveWithCells/>'
        f"<x:SizeWithCells/><x:Anchor>{left}, {left_px}, {top}, {top_px}, {right}, {right_px}, {bottom}, {bottom_px}"
        f"</x:Anchor><x:AutoFill>False</x:AutoFill><x:Row>{row - 1}</x:Row><x:Column>{column - 1}</x:Column>"
        "</x:ClientData></v:shape>"
    )


def _columns(layout: Layout, first: int, offset: int, width: int) -> tuple[int, int, int, int]:
    """From a column on, so many pixels: both ends as a box has them, counted from 0."""
    at, end = first, offset + width
    while (here := int(layout.width(at) * 7 + 5)) < end and at < first + 40:
        at, end = at + 1, end - here
    return first - 1, offset, at - 1, min(end, here)


def _rows(layout: Layout, first: int, offset: int, height: int) -> tuple[int, int, int, int]:
    at, end = first, offset + height
    while (here := int(layout.heights.get(at, DEFAULT_HEIGHT) * 4 / 3)) < end and at < first + 60:
        at, end = at + 1, end - here
    return first - 1, offset, at - 1, min(end, here)

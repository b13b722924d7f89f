"""Splices: where elements stand in the bytes of an XML part, and the part with a few bytes changed, all others kept.

It must never know what a part is for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from etl.tables.marked.marks import UnmarkableError

_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*(/?)>""")
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_ELEMENTS = 1_000_000

Start = Callable[[str, dict[str, str]], object]
End = Callable[[str], object]


class Edit(NamedTuple):
    """The bytes from `start` to `end` become `text`; where both are equal, it is put in."""

    start: int
    end: int
    text: bytes


def put_in(at: int, text: str) -> Edit:
    """Text between two bytes."""
    return Edit(at, at, text.encode())


def spliced(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The data with all edits made. Raises UnmarkableError where two of them meet."""
    pieces: list[bytes] = []
    at = 0
    for start, end, text in sorted(edits, key=lambda edit: edit[:2]):
        if start < at:
            raise UnmarkableError("its parts are written in an unusual way")
        pieces += (data[at:start], text)
        at = end
    pieces.append(data[at:])
    return b"".join(pieces)


def walk(data: bytes, start: Start, end: End) -> expat.XMLParserType:
    """A parser, ready to go through the data with `parser.Parse(data, True)`; names come as they are written.

    In both functions `parser.CurrentByteIndex` is where the tag begins; at the end of `<a/>`, where it ends.
    """
    if b"\0" in data[:4] or data.startswith((b"\xfe\xff", b"\xff\xfe")):
        raise UnmarkableError("its parts are written in UTF-16")
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.XmlDeclHandler = _refuse_encoding
    return parser


def tag_at(data: bytes, at: int) -> tuple[int, bool]:
    """Where the tag that begins at `at` ends, and whether its element is empty."""
    found = _TAG.match(data, at)
    if found is None:
        raise UnmarkableError("its parts are written in an unusual way")
    return found.end(), found[1] == b"/"


def tag_with(data: bytes, start: int, end: int, changes: Mapping[str, str | None]) -> bytes:
    """A start tag with attributes set, or removed (None)."""
    tag = data[start:end]
    for name, value in changes.items():
        tag = re.sub(rb"""\s+%s\s*=\s*(?:"[^"]*"|'[^']*')""" % re.escape(name.encode()), b"", tag)
        if value is not None:
            close = len(tag) - (2 if tag.endswith(b"/>") else 1)
            tag = tag[:close].rstrip() + f' {name}="{quoted(value)}"'.encode() + tag[close:]
    return tag


@dataclass(slots=True)
class Element:
    """An element and where it stands: from `start` to `end`, its content from `inside` to `close`."""

    name: str
    attributes: dict[str, str]
    start: int
    inside: int
    close: int = 0
    end: int = 0
    children: list["Element"] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """`x:` of `x:row`, as the elements of the same namespace are written."""
        return self.name[: self.name.find(":") + 1]

    @property
    def local(self) -> str:
        """`row` of `x:row`."""
        return self.name.rpartition(":")[2]

    @property
    def is_empty(self) -> bool:
        """Whether it is written `<a/>`."""
        return self.close == self.end

    def all(self, local: str) -> Iterator["Element"]:
        """The children of that name, of the same namespace."""
        return (child for child in self.children if child.name == self.prefix + local)

    def first(self, local: str) -> "Element | None":
        """The first of them."""
        return next(self.all(local), None)

    def last_put_in(self, data: bytes, text: str) -> Edit:
        """The edit that puts text behind its last child."""
        if not self.is_empty:
            return put_in(self.close, text)
        opened = data[self.start : self.end].rstrip()[:-2].rstrip()
        return Edit(self.start, self.end, opened + f">{text}</{self.name}>".encode())


def read_element(data: bytes) -> Element:
    """The root of a part without cells, with all below it."""
    root = Element("", {}, 0, 0)
    opened = [root]
    seen = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal seen
        seen += 1
        if seen > _MOST_ELEMENTS:
            raise UnmarkableError("its parts have too many elements")
        at = parser.CurrentByteIndex
        element = Element(name, attributes, at, tag_at(data, at)[0])
        opened[-1].children.append(element)
        opened.append(element)

    def end(_name: str) -> None:
        element = opened.pop()
        element.close = parser.CurrentByteIndex
        is_tag = data.startswith(b"</", element.close) and element.close >= element.inside
        is_empty = tag_at(data, element.start)[1]
        element.close = element.close if is_tag and not is_empty else element.inside
        element.end = element.inside if is_empty else data.index(b">", element.close) + 1

    parser = walk(data, start, end)
    parser.Parse(data, True)  # noqa: FBT003 - the library's own signature
    return root.children[0]


def quoted(text: str) -> str:
    """Text as it stands in an attribute or between tags."""
    plain = "".join(character for character in text if character in "\t\n" or character >= " ")
    plain = plain.encode("utf-8", "replace").decode()
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def cell_text(text: str) -> str:
    """Text as it stands in a cell or a comment: what XML cannot hold is written `_xHHHH_`, as Excel does."""
    plain = _ESCAPE.sub(lambda found: "".join(f"_x{ord(one):04X}_" for one in found[0]), text)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _refuse_document_type(*_: object) -> None:
    raise UnmarkableError("one of its parts declares a document type")


def _refuse_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if (encoding or "utf-8").lower() not in {"utf-8", "us-ascii"}:
        raise UnmarkableError(f"its parts are written in {encoding}")

"""XML stream: expat, fed in pieces, with document types, endless tags and deep nesting refused.

It must never know what a part of a workbook is for.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

MOST_DEPTH = 100
"""How deep elements may be nested. Workbooks need about 12."""
MOST_TEXT_CHARACTERS = 10_000_000
"""In one element: 20 million would take more than half a gigabyte. Spreadsheet programs stop at 32,767; test cases of
other programs have been seen with megabytes.
"""
_MOST_PIECES = 100_000
"""How many runs or lines such a text may consist of."""
_MOST_TAG_BYTES = 1 << 22

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


class UnsafeXmlError(ValueError):
    """The part has what makes a parser use time or memory without bound, or an encoding that is not allowed."""


class Tag(NamedTuple):
    """An element without its namespace: its parent's name, its own, its attributes by local name."""

    parent: str
    name: str
    attributes: Mapping[str, str]


def open_parser(start: Start, end: End, text: Callable[[str], object] | None = None) -> expat.XMLParserType:
    """A parser that gives names as `namespace local`. It raises UnsafeXmlError."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.XmlDeclHandler = _read_encoding
    if text is not None:
        parser.CharacterDataHandler = text
    return parser


def feed(parser: expat.XMLParserType, chunks: Iterable[bytes], *, is_whole: bool = True) -> Iterator[None]:
    """Parse piece by piece; yields after each, so that what was found can be taken away.

    `is_whole`: the bytes are all of a part, not only its beginning.
    """
    xml = XmlFeed(parser, is_whole=is_whole)
    for chunk in chunks:
        xml.feed(chunk)
        yield
    xml.close()
    yield


class XmlFeed:
    """A parser and the bytes on their way to it. Its methods raise UnsafeXmlError and expat's own error."""

    def __init__(self, parser: expat.XMLParserType, *, is_whole: bool = True) -> None:
        """`is_whole`: the bytes are all of a part, not only its beginning."""
        self._is_whole = is_whole
        self.is_utf8 = True
        """Whether its bytes are UTF-8, for all that it says."""
        self._parser = parser
        self._parser.XmlDeclHandler = self._see_declaration
        self._fed = 0

    def feed(self, chunk: bytes) -> None:
        """Parse a piece."""
        if not self._fed and (b"\0" in chunk[:4] or chunk.startswith((b"\xfe\xff", b"\xff\xfe"))):
            raise UnsafeXmlError("a part is UTF-16")
        self._parser.Parse(chunk)
        self._fed += len(chunk)
        if self._fed - self._parser.CurrentByteIndex > _MOST_TAG_BYTES + len(chunk):
            raise UnsafeXmlError(f"a part has a tag or a comment of more than {_MOST_TAG_BYTES:,} bytes")

    def close(self) -> None:
        """Nothing more comes."""
        is_final = True
        if self._is_whole:
            self._parser.Parse(b"", is_final)

    def _see_declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.is_utf8 = _read_encoding(version, encoding, standalone) == "utf-8"


def refuse_depth(depth: int) -> None:
    """Raises UnsafeXmlError for elements that are nested deeper than any program writes."""
    if depth > MOST_DEPTH:
        raise UnsafeXmlError(f"a part nests elements more than {MOST_DEPTH} deep")


def refuse_length(pieces: list[str]) -> None:
    """Raises UnsafeXmlError for a text, as collected piece by piece, that is longer than any cell."""
    if len(pieces) > _MOST_PIECES:
        raise UnsafeXmlError(f"a cell holds a text of more than {_MOST_PIECES:,} pieces")
    if sum(map(len, pieces)) > MOST_TEXT_CHARACTERS:
        raise UnsafeXmlError(f"a cell holds more than {MOST_TEXT_CHARACTERS:,} characters")


def local_name(name: str) -> str:
    """`http://… row -> row`."""
    return name.rpartition(" ")[2]


def read_tags(chunks: Iterable[bytes]) -> Generator[Tag]:
    """Every element of a part that is of its root's namespace, in document order, text left out.

    Extensions (`x15:workbookPr`) have namespaces of their own, and must not be taken for what they extend.
    """
    tags: list[Tag] = []
    parents: list[str] = []
    root = ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal root
        namespace, _, local = name.rpartition(" ")
        root = root if parents else namespace
        if namespace == root:
            parent = parents[-1] if parents else ""
            tags.append(Tag(parent, local, {local_name(key): value for key, value in attributes.items()}))
        parents.append(local)
        refuse_depth(len(parents))

    def end(_: str) -> None:
        parents.pop()

    for _ in feed(open_parser(start, end), chunks):
        yield from tags
        tags.clear()


def _refuse_document_type(*_: object) -> None:
    raise UnsafeXmlError("a part declares a document type")


def _read_encoding(_version: str, encoding: str | None, _standalone: int) -> str:
    name = (encoding or "utf-8").lower()
    if name not in {"utf-8", "us-ascii", "iso-8859-1"}:
        raise UnsafeXmlError(f"a part declares the encoding {name[:20]}")
    return name

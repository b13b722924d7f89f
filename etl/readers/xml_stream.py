"""XML stream: expat, fed in pieces, with document types refused.

It must never know what a part of a workbook is for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


class UnsafeXmlError(ValueError):
    """The part has a document type, whose entities could grow without bound, or an encoding that is not allowed."""


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
    parser.XmlDeclHandler = _refuse_encoding
    if text is not None:
        parser.CharacterDataHandler = text
    return parser


def feed(parser: expat.XMLParserType, chunks: Iterable[bytes]) -> Iterator[None]:
    """Parse piece by piece; yields after each, so that what was found can be taken away."""
    for number, chunk in enumerate(chunks):
        if number == 0 and (b"\0" in chunk[:4] or chunk.startswith((b"\xfe\xff", b"\xff\xfe"))):
            raise UnsafeXmlError("a part is UTF-16")
        parser.Parse(chunk)
        yield
    is_final = True
    parser.Parse(b"", is_final)
    yield


def local_name(name: str) -> str:
    """`http://… row -> row`."""
    return name.rpartition(" ")[2]


def read_tags(chunks: Iterable[bytes]) -> list[Tag]:
    """Every element of a small part that is of its root's namespace, in document order, text left out.

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

    def end(_: str) -> None:
        parents.pop()

    for _ in feed(open_parser(start, end), chunks):
        pass
    return tags


def _refuse_document_type(*_: object) -> None:
    raise UnsafeXmlError("a part declares a document type")


def _refuse_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii"}:
        raise UnsafeXmlError(f"a part declares the encoding {encoding[:20]}")

"""XML stream: expat, fed in pieces, with document types refused.

It must never know what a part of a workbook is for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


class UnsafeXmlError(ValueError):
    """The part has a document type: entities could make it grow without bound or read other files."""


class Tag(NamedTuple):
    """An element without its namespace: its parent's name, its own, its attributes by local name."""

    parent: str
    name: str
    attributes: Mapping[str, str]


def open_parser(start: Start, end: End, text: Callable[[str], object] | None = None) -> expat.XMLParserType:
    """A parser that gives names as `namespace local`. It raises UnsafeXmlError for a document type."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    if text is not None:
        parser.CharacterDataHandler = text
    return parser


def feed(parser: expat.XMLParserType, chunks: Iterable[bytes]) -> Iterator[None]:
    """Parse piece by piece; yields after each, so that what was found can be taken away."""
    for chunk in chunks:
        parser.Parse(chunk)
        yield
    is_final = True
    parser.Parse(b"", is_final)
    yield


def local_name(name: str) -> str:
    """`http://… row -> row`."""
    return name.rpartition(" ")[2]


def read_tags(chunks: Iterable[bytes]) -> list[Tag]:
    """Every element of a small part, in document order, text left out."""
    tags: list[Tag] = []
    parents = [""]

    def start(name: str, attributes: dict[str, str]) -> None:
        tags.append(Tag(parents[-1], local_name(name), {local_name(key): value for key, value in attributes.items()}))
        parents.append(tags[-1].name)

    def end(_: str) -> None:
        parents.pop()

    for _ in feed(open_parser(start, end), chunks):
        pass
    return tags


def _refuse_document_type(*_: object) -> None:
    raise UnsafeXmlError("it declares a document type")

"""XML list: a part that is mostly one long list of elements, read in blocks, as fast as they are proven harmless.

It must never know what the elements mean. Blocks are taken out of the stream between elements: one that its reader can
prove to be of a plain form never sees the XML parser, all other bytes do, so that both ways say the same.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from etl.readers.workbooks.xml_stream import XmlFeed

_FIRST_BYTES = 1 << 18
"""Of the first block: often only the first elements are looked at."""
BLOCK_BYTES = 1 << 22
_MOST_BYTES = 1 << 23
"""An element that is longer is not waited for: the parser refuses texts that are too long."""
_TAG_BYTES = 1 << 10
_FED_BYTES = 1 << 16
"""What the parser gets at a time: what it finds there is in memory at once."""

Found = TypeVar("Found")
Found_co = TypeVar("Found_co", covariant=True)


class ItemList(NamedTuple):
    """How elements of a list begin, as their programs write it, and the list's own name: `row ` and `sheetData`."""

    item: str
    name: str


class Listener(Protocol[Found_co]):
    """What listens to the parser."""

    @property
    def between_items(self) -> bool:
        """Whether the list is open, and none of its elements."""

    def take(self) -> Found_co | None:
        """What was found since the last call."""


def read_list(
    chunks: Iterable[bytes],
    items: ItemList,
    xml: XmlFeed,
    listener: Listener[Found],
    prove: Callable[[bytes, str], Found | None],
    block_bytes: int = BLOCK_BYTES,
) -> Generator[Found]:
    """What is in a part, piece by piece.

    `prove` gets whole elements, about `block_bytes` at a time, and the prefix of their names (`x:`), and gives what is
    in them, or None where they are not of the form that it can prove.
    """
    is_plain = True
    last = b""
    for whole, content, prefix in cut_blocks(chunks, items, block_bytes):
        provable = whole and is_plain and xml.is_utf8 and listener.between_items
        found = prove(content, prefix) if provable else None
        if found is not None:
            yield found
            continue
        is_plain = is_plain and not _hides(last + content)
        last = content[-1:]
        for start in range(0, len(content), _FED_BYTES):
            xml.feed(content[start : start + _FED_BYTES])
            if (found := listener.take()) is not None:
                yield found
    xml.close()
    if (found := listener.take()) is not None:
        yield found


def _hides(content: bytes) -> bool:
    """Whether there are comments or sections that could hold what looks like elements."""
    return b"<!" in content or b"<?" in content.removeprefix(b"\xef\xbb\xbf").removeprefix(b"<?xml")


class Piece(NamedTuple):
    """Bytes that follow those of the last piece. `whole`: they begin where an element of the list seems to begin, and
    end where another one does or the list ends.
    """

    whole: bool
    content: bytes
    prefix: str


def cut_blocks(chunks: Iterable[bytes], items: ItemList, block_bytes: int) -> Iterator[Piece]:
    """All bytes of a part, in order; whole elements in blocks of about `block_bytes`, but for the first."""
    cutter = _Cutter(items, block_bytes)
    for chunk in chunks:
        yield from cutter.take(chunk)
    yield from cutter.rest()


class _Cutter:
    def __init__(self, items: ItemList, block_bytes: int) -> None:
        self._items = items
        self._block_bytes = block_bytes
        self._first = re.compile(rf"<((?:[A-Za-z_][\w.-]*:)?){items.item}".encode())
        self._held = bytearray()
        """What has come and not been given."""
        self._prefix = ""
        self._opening = b""
        self._closing = b""
        self._inside = False
        """Whether `held` begins with an element of the list."""
        self._ended = False
        self._size = min(_FIRST_BYTES, block_bytes)

    def take(self, chunk: bytes) -> Iterator[Piece]:
        if self._ended:
            yield Piece(whole=False, content=chunk, prefix="")
            return
        self._held += chunk
        if not self._inside:
            yield from self._seek()
        while self._inside and len(self._held) >= self._size:
            at = self._held.rfind(self._opening)
            end = self._held.find(self._closing, at)
            if end >= 0:
                yield from self._end(end)
            elif at > 0:
                yield self._give(at, whole=True)
                self._size = self._block_bytes
            elif len(self._held) > _MOST_BYTES:
                self._inside = False
                yield self._give(len(self._held), whole=False)
            else:
                break

    def rest(self) -> Iterator[Piece]:
        end = self._held.find(self._closing) if self._inside else -1
        if end >= 0:
            yield from self._end(end)
        elif self._held:
            yield self._give(len(self._held), whole=False)

    def _seek(self) -> Iterator[Piece]:
        """Give everything up to the next element of the list."""
        if self._opening:
            at = self._held.find(self._opening)
        else:
            found = self._first.search(self._held)
            at = found.start() if found else -1
            if found:
                self._opening = found.group()
                self._prefix = found.group(1).decode()
                self._closing = f"</{self._prefix}{self._items.name}>".encode()
        self._inside = at >= 0
        until = at if self._inside else len(self._held) - _TAG_BYTES
        if until > 0:
            yield self._give(until, whole=False)

    def _end(self, end: int) -> Iterator[Piece]:
        self._ended, self._inside = True, False
        if end:
            yield self._give(end, whole=True)
        yield self._give(len(self._held), whole=False)

    def _give(self, size: int, *, whole: bool) -> Piece:
        content = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        return Piece(whole, content, self._prefix)

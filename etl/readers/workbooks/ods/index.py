"""OpenDocument index: where the sheets stand in the one long document that holds them all.

It must never know what is in a sheet. The document is only searched for tags, not parsed, so that a sheet can be read
without parsing those before it; what a search could mistake (comments, namespaces declared twice) is passed over or
refused.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from etl.readers.workbooks.hollow import Hollow, Signs
from etl.readers.workbooks.xml_stream import UnsafeXmlError, open_parser, refuse_depth

OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"

_MOST_PROLOG_BYTES = 1 << 26
"""What may stand before the first sheet: styles and macros."""
_MOST_SHEETS = 10_000
_LONGEST_TAG_BYTES = 1 << 20
_LONGEST_TOKEN_BYTES = 200

_NOTED = (b"s-spanned", b'="collapse"', b'="filter"')
"""By these a cell spans rows or columns, and rows and columns are hidden."""
_SIGNS = Signs(
    values=(b"-type", b"<p", b":p", b"<h", b":h", b"formula"), cells=(b"-cell",), rows=(b"-row>",), most_bytes=1 << 28
)
"""The type of a value, a paragraph or a heading under any prefix, a formula. Six million cells without a style."""
_REST_OF_TAG = re.compile(rb"(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_NAMESPACE = re.compile(
    rb"\sxmlns(?::(?P<prefix>[\w.-]{0,50}))?\s{0,9}=\s{0,9}(?:\"(?P<uri>[^\"]{0,99})\"|'(?P<uri_too>[^']{0,99})')"
)
_PASSED_OVER = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}


class DamagedDocumentError(ValueError):
    """The document is not what it should be; the argument says how."""


class _RootFoundError(Exception):
    """Ends a parser that has seen enough."""


class Span(NamedTuple):
    """A sheet: where its element begins and ends in the document, its attributes."""

    start: int
    end: int
    attributes: dict[str, str]
    filled_end: int | None
    """The byte from which on no cell holds anything, where that leaves much out."""
    noted: int
    """How often at most a cell says that it spans rows or columns, a row or a column that it is hidden."""


@dataclass(frozen=True, slots=True)
class Index:
    """`root` is the first tag of the document, which declares its namespaces, with what says how the document is
    encoded; `prolog` is all before the first sheet.
    """

    root: bytes
    prolog: bytes
    sheets: list[Span]

    @property
    def end(self) -> bytes:
        """The tag that closes `root`."""
        tag = self.root.rpartition(b"?>")[2]
        return b"</" + re.split(rb"[\s/>]", tag[1:], maxsplit=1)[0] + b">"


def find_sheets(pieces: Iterable[bytes], label: str) -> Index:
    """Look through a document. Raises DamagedDocumentError, UnsafeXmlError, ExpatError, FileError for hollow sheets."""
    search = _Search(label)
    for piece in pieces:
        search.feed(piece)
    return search.finish()


def cut(pieces: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """The bytes of a document from `start` to `end`."""
    at = 0
    for piece in pieces:
        if at >= end:
            return
        part = piece[max(0, start - at) : end - at]
        at += len(piece)
        if part:
            yield part


class _Search:
    """Follows a document piece by piece."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._hollow = Hollow(_SIGNS, label)
        self._text = b""
        """What has come and is not done with."""
        self._passed = 0
        """How many bytes of the document stand before it."""
        self._prolog = b""
        self._root = b""
        self._tokens: re.Pattern[bytes] | None = None
        self._meanings: dict[str, str] = {}
        """The namespace of each prefix."""
        self._until = b""
        """What ends the comment in which the search stands."""
        self._open: list[bytes] = []
        """The elements around the place of the search, as far as they matter."""
        self._begun = 0
        self._attributes: dict[str, str] = {}
        self._noted = 0
        self._counted = 0
        """Up to where in `_text` what is noted is counted."""
        self._sheets: list[Span] = []
        self._has_spreadsheet = False

    def feed(self, piece: bytes) -> None:
        self._text += piece
        if not self._has_begun_a_sheet():
            self._prolog += piece
            if len(self._prolog) > _MOST_PROLOG_BYTES:
                raise DamagedDocumentError(f"no sheet stands within its first {_MOST_PROLOG_BYTES >> 20} MB")
        done = 0
        if self._tokens is None:
            done = self._find_root()
        if self._tokens is not None:
            begin = done
            done = self._walk(self._tokens, done)
            self._look_for_namespaces(begin, done)
            self._count(done)
            self._counted = 0
        self._passed += done
        self._text = self._text[done:]
        if len(self._text) > _LONGEST_TAG_BYTES + len(piece):
            raise DamagedDocumentError("a tag has no end")

    def finish(self) -> Index:
        if not self._has_spreadsheet:
            raise DamagedDocumentError("it holds no spreadsheet")
        if self._open or self._until:
            raise DamagedDocumentError("it breaks off")
        start = self._sheets[0].start if self._sheets else len(self._prolog)
        return Index(self._root, self._prolog[:start], self._sheets)

    def _has_begun_a_sheet(self) -> bool:
        return bool(self._sheets) or b"table" in self._open

    def _find_root(self) -> int:
        """Find the first tag and the prefixes it gives to the namespaces; what stands before it is passed over."""
        if b"\0" in self._text[:4] or self._text.startswith((b"\xfe\xff", b"\xff\xfe")):
            raise UnsafeXmlError("its content is UTF-16")
        places: list[int] = []

        def start(*_: object) -> None:
            places.append(parser.CurrentByteIndex)
            raise _RootFoundError

        parser = open_parser(start, lambda _: None)
        parser.StartNamespaceDeclHandler = lambda prefix, uri: self._meanings.setdefault(prefix or "", uri)
        with suppress(_RootFoundError):
            parser.Parse(self._text)
        if not places:
            return 0
        rest = _REST_OF_TAG.match(self._text, places[0] + 1)
        if rest is None:
            raise DamagedDocumentError("its first tag has no end")
        self._root = self._text[: places[0]].partition(b"?>")[0]
        self._root = (self._root + b"?>" if b"<?xml" in self._root else b"") + self._text[places[0] : rest.end()]
        self._tokens = _tokens(self._prefixes(TABLE), self._prefixes(OFFICE))
        return rest.end()

    def _prefixes(self, namespace: str) -> list[str]:
        return [prefix for prefix, meaning in self._meanings.items() if meaning == namespace]

    def _walk(self, tokens: re.Pattern[bytes], at: int) -> int:
        """Go from token to token. Returns how far the text is done with."""
        text = self._text
        while True:
            if self._until:
                end = text.find(self._until, at)
                if end < 0:
                    return max(at, len(text) - len(self._until))
                at = end + len(self._until)
                self._until = b""
            found = tokens.search(text, at)
            if found is None:
                return max(at, len(text) - _LONGEST_TOKEN_BYTES)
            if found.group() in _PASSED_OVER:
                self._until = _PASSED_OVER[found.group()]
                at = found.end()
                continue
            rest = _REST_OF_TAG.match(text, found.end())
            if rest is None:
                return found.start()
            at = rest.end()
            self._note(found, text[found.start() : at], at)

    def _look_for_namespaces(self, begin: int, done: int) -> None:
        """Documents inside this one declare their namespaces again; a prefix must not change its meaning."""
        for found in (
            _NAMESPACE.finditer(self._text, begin, done + _LONGEST_TOKEN_BYTES) if b"xmlns" in self._text else ()
        ):
            meant = self._meanings.get((found["prefix"] or b"").decode())
            stated = (found["uri"] or found["uri_too"] or b"").decode()
            if meant != stated and (meant in {TABLE, OFFICE} or stated in {TABLE, OFFICE}):
                raise UnsafeXmlError("its content gives a prefix two meanings")

    def _count(self, end: int) -> None:
        """Count what is noted of a sheet and begins before `end`."""
        self._hollow.see(self._text[self._counted : end], self._text[end : end + _LONGEST_TOKEN_BYTES])
        for sign in _NOTED:
            self._noted += self._text.count(sign, self._counted, end + len(sign) - 1)
        self._counted = end

    def _note(self, found: re.Match[bytes], tag: bytes, end: int) -> None:
        name = found["name"]
        if not found["closing"]:
            if name == b"table" and self._open == [b"spreadsheet"]:
                self._count(found.start())
                self._begun, self._noted, self._hollow = self._passed + found.start(), 0, Hollow(_SIGNS, self._label)
                self._attributes = _attributes(self._root, tag)
            self._has_spreadsheet = self._has_spreadsheet or name == b"spreadsheet"
            self._open.append(name)
            refuse_depth(len(self._open))
        if found["closing"] or tag.endswith(b"/>"):
            if not self._open or self._open.pop() != name:
                raise DamagedDocumentError("its tags do not match")
            if name == b"table" and self._open == [b"spreadsheet"]:
                self._count(end)
                filled_end = self._begun + self._hollow.end if self._hollow.end is not None else None
                self._sheets.append(Span(self._begun, self._passed + end, self._attributes, filled_end, self._noted))
                if len(self._sheets) > _MOST_SHEETS:
                    raise DamagedDocumentError(f"it has more than {_MOST_SHEETS:,} sheets")


def _tokens(tables: list[str], offices: list[str]) -> re.Pattern[bytes]:
    """What is searched for, by the prefixes that the root declares."""
    pattern = (
        rf"<(?:!--|!\[CDATA\[|\?|(?P<closing>/?)"
        rf"(?:{_any_of(tables)}(?=table[\s/>]|dde-links[\s/>]|tracked-changes[\s/>])|"
        rf"{_any_of(offices)}(?=spreadsheet[\s/>]))(?P<name>[a-z-]+))"
    )
    return re.compile(pattern.encode())


def _any_of(prefixes: list[str]) -> str:
    """A pattern for any of some prefixes with its colon; for none of them, one that nothing matches."""
    return "(?:" + "|".join(re.escape(f"{one}:" if one else "") for one in prefixes) + ")" if prefixes else "(?!)"


def _attributes(root: bytes, tag: bytes) -> dict[str, str]:
    """The attributes of a tag by `namespace local`."""
    seen: list[dict[str, str]] = []
    open_parser(lambda _, attributes: seen.append(attributes), lambda _: None).Parse(root + tag)
    return seen[-1]

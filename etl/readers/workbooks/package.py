"""Package: the zip archive that a workbook is, checked before anything in it is believed.

It must never know sheets or cells, and never inflates more than the archive has declared and the checks have allowed.
"""

import codecs
import posixpath
import re
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from etl.errors import FileError
from etl.readers.sources.archive import DAMAGE, SAVE_ANEW, words_of
from etl.readers.sources.source import Source
from etl.readers.workbooks.xml_stream import Tag, UnsafeXmlError, read_tags

MOST_PARTS = 10_000
"""Each picture of a sheet is one."""
MOST_RELATIONS = 50_000
"""Of one part, links to places outside not counted."""
MOST_RATIO = 200
"""Inflated to compressed size of a part over `SMALL_PART_BYTES`. Honest sheets reach about 40, prompts that differ by
a number only 140, a bomb 1,000."""
MOST_LARGE_RATIO = 100
"""The same of a part over `LARGE_PART_BYTES`, and of all parts together."""
SMALL_PART_BYTES = 1 << 20
LARGE_PART_BYTES = 1 << 29
MOST_INDEX_BYTES = 1 << 26
"""Of a part that lists sheets, relations or styles. One with all the styles that are possible has 20 MB."""
_MOST_DIRECTORY_BYTES = 1 << 22
"""Of the archive's list of its parts, which zipfile reads whole and turns into objects before anything is checked."""
_PROLOG_BYTES = 1 << 12
_CHUNK_BYTES = 1 << 18
_XML = (".xml", ".rels")
_DECLARATION = 100
"""How many characters at most an XML declaration has."""
_UTF16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
_ENCODING = re.compile(r"""(<\?xml[^>]*?)\s+encoding\s*=\s*["'][Uu][Tt][Ff]-?16[^"']*["']""")

_OTHERS = (
    ("mimetype", "an OpenDocument file"),
    ("xl/workbook.bin", "a binary workbook (.xlsb)"),
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a presentation"),
    ("index/document.iwa", "a document of Apple iWork"),
)


class Relation(NamedTuple):
    """A part that another refers to: the reference's id, the last word of its type (`worksheet`), the part's name."""

    id: str
    kind: str
    target: str


class Package:
    """A workbook's archive. Part names are looked up without regard to case, as the standard asks."""

    def __init__(self, archive: zipfile.ZipFile, label: str) -> None:
        self._archive = archive
        self._parts = {_plain(info.filename): info for info in archive.infolist() if not info.filename.endswith("/")}
        self.label = label

    def __contains__(self, part: str) -> bool:
        return _plain(part) in self._parts

    @property
    def is_open(self) -> bool:
        """Whether its parts can be read."""
        return self._archive.fp is not None

    def size(self, part: str) -> int:
        """How many bytes a part inflates to; 0 when there is no such part."""
        info = self._parts.get(_plain(part))
        return info.file_size if info is not None else 0

    def ratio(self, part: str) -> float:
        """Inflated to compressed size of a part; 0 when there is no such part."""
        info = self._parts.get(_plain(part))
        return info.file_size / max(1, info.compress_size) if info is not None else 0

    def stream(self, part: str) -> Generator[bytes]:
        """The inflated bytes of a part, in pieces. Raises FileError when there is no such part."""
        info = self._parts.get(_plain(part))
        if info is None:
            raise FileError(
                f"{self.label} is damaged: its part {part[:80]} is missing.",
                "Open it in a spreadsheet program and save it.",
            )
        with self._archive.open(info) as stream:
            pieces = iter(partial(stream.read, _CHUNK_BYTES), b"")
            yield from as_utf8(pieces) if _plain(part).endswith(_XML) else pieces

    def tags(self, part: str) -> Iterator[Tag]:
        """The elements of a part without cells. Raises FileError for one that is too large for that."""
        if self.size(part) > MOST_INDEX_BYTES:
            raise FileError(f"{self.label} is refused: its part {part[:80]} has {self.size(part):,} bytes.", SAVE_ANEW)
        return read_tags(self.stream(part))

    def relations(self, part: str) -> list[Relation]:
        """What a part refers to inside the package; `""` for the package itself."""
        folder, name = posixpath.split(part)
        listing = posixpath.join(folder, "_rels", f"{name}.rels")
        if listing not in self:
            return []
        found = [
            Relation(
                tag.attributes.get("Id", ""), tag.attributes.get("Type", "").rpartition("/")[2], _join(folder, tag)
            )
            for tag in islice(self.tags(listing), MOST_RELATIONS + 2)
            if tag.name == "Relationship" and tag.attributes.get("TargetMode") != "External"
        ]
        if len(found) > MOST_RELATIONS:
            raise FileError(f"{self.label} is refused: its part {part[:80]} refers to too many others.", SAVE_ANEW)
        return found

    def workbook_part(self) -> str:
        """The name of the part that lists the sheets. Raises FileError for an archive that is no workbook."""
        part = next((one.target for one in self.relations("") if one.kind == "officeDocument"), None)
        for name, what in _OTHERS:
            if name in self and (part is None or _plain(part) == name):
                raise FileError(f"{self.label} is {what}, which is not read.", "Open it and save it as .xlsx.")
        if part is None:
            raise FileError(f"{self.label} is a zip archive, not an Excel workbook.", "Unpack it, then give the file.")
        return part


@contextmanager
def open_package(source: Source, *, checked: bool = False) -> Iterator[Package]:
    """The archive, after the pre-flight. Raises FileError for damage of any kind met before it is closed.

    Refused: too many parts, two parts of one name, parts that inflate too much, a password, a document type. `checked`:
    it has passed already; the source itself refuses a file that has changed since.
    """
    try:
        with source.open() as stream, zipfile.ZipFile(_SmallReads(stream)) as archive:
            if not checked:
                _refuse_hostile(archive, source.size_bytes, source.label)
            yield Package(archive, source.label)
    except expat.ExpatError as error:
        raise FileError(f"{source.label} is damaged: broken XML ({error}).", "Open and save it again.") from error
    except UnsafeXmlError as error:
        raise FileError(
            f"{source.label} is refused: {error}, which no spreadsheet program writes.", SAVE_ANEW
        ) from error
    except DAMAGE as error:
        raise FileError(
            f"{source.label} is damaged: {words_of(error)}.", "Open it in a spreadsheet program and save it."
        ) from error


@contextmanager
def reopen_package(source: Source, package: Package) -> Iterator[Package]:
    """An archive that was open before: the same while it still is, else opened again.

    A workbook of a thousand sheets is opened for each of them, and looking at its thousand parts takes long.
    """
    if package.is_open:
        yield package
        return
    with open_package(source, checked=True) as opened:
        yield opened


class _SmallReads:
    """A stream for zipfile that does not let it believe any size."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell
        self.seekable = stream.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _MOST_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its list of parts claims to have {size:,} bytes")
        return self._stream.read(size)


def _refuse_hostile(archive: zipfile.ZipFile, archive_bytes: int, label: str) -> None:
    parts = archive.infolist()
    if len(parts) > MOST_PARTS:
        raise FileError(
            f"{label} is refused: it has {len(parts):,} parts, a workbook has at most {MOST_PARTS:,}.", SAVE_ANEW
        )
    names = [_plain(part.filename) for part in parts]
    if len(set(names)) < len(names):
        raise FileError(
            f"{label} is refused: two of its parts have the same name, so programs see different data.", SAVE_ANEW
        )
    if any(part.flag_bits & 0x1 for part in parts):
        raise FileError(f"{label} is protected with a password.", "Save a copy without the password.")
    if sum(part.compress_size for part in parts) > archive_bytes:
        raise FileError(
            f"{label} is refused: its parts claim to be larger than the file, as where they overlap.", SAVE_ANEW
        )
    for part in parts:
        _refuse_swollen(label, f"its part {part.filename[:80]}", part.file_size, part.compress_size)
    _refuse_swollen(label, "it", sum(part.file_size for part in parts), archive_bytes)
    for part in parts:
        if part.filename.lower().endswith(_XML):
            with archive.open(part) as inflated:
                if b"<!DOCTYPE" in inflated.read(_PROLOG_BYTES):
                    raise UnsafeXmlError(f"{part.filename[:80]} declares a document type")


def _refuse_swollen(label: str, what: str, inflated: int, compressed: int) -> None:
    ratio = MOST_LARGE_RATIO if inflated > LARGE_PART_BYTES else MOST_RATIO
    if inflated > max(SMALL_PART_BYTES, ratio * compressed):
        raise FileError(
            f"{label} is refused: {what} inflates from {compressed:,} to {inflated:,} bytes, as in a file made to "
            "exhaust memory.",
            SAVE_ANEW,
        )


def as_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The text of a part as UTF-8: some programs write UTF-16, which has to say so by its first bytes."""
    first = next(pieces, b"")
    encoding = _UTF16.get(first[:2])
    if encoding is None:
        yield first
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    text = decoder.decode(first)
    yield (_ENCODING.sub(r"\1", text[:_DECLARATION], count=1) + text[_DECLARATION:]).encode()
    for piece in pieces:
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def _join(folder: str, tag: Tag) -> str:
    target = tag.attributes.get("Target", "").replace("\\", "/")
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))

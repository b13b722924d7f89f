"""Archive: what a zip file holds, told by the names in it: a workbook, another document, or files.

It must never inflate a whole member, nor believe a directory that is too large to be honest.
"""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from etl.errors import FileError
from etl.formats import Format
from etl.quoting import shorten
from etl.readers.sources.source import Source

ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""How zip files begin: with a member, empty, as a part of several."""
SAVE_ANEW = "If you trust it, open it in the program that it comes from and save it anew."
"""What would do for an archive that no honest program writes."""
MOST_DIRECTORY_BYTES = 8 << 20
"""The list of names. Some 80,000 files have room in it."""
ENCRYPTED = 0x1
"""The bit of a member's flags that says it needs a password."""
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    NotImplementedError,
    ValueError,
    OverflowError,
)
"""What Python's zipfile is known to raise for archives that are not as they claim."""

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_BYTES = 20
_FARTHEST_END = _END_64.size + _LOCATOR_BYTES + _END.size + 0xFFFF
"""The records at the end are followed by a comment of at most 65,535 bytes."""
_TYPE_BYTES = 256
_MOST_SAID = 160
_NO_END = "File is not a zip file"
"""What zipfile says where it finds no list of parts at the end. That the file begins like an archive is known here."""

_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_OPEN_DOCUMENTS = {"text": "a text document", "presentation": "a presentation", "graphics": "a drawing"}
_OTHERS = (
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a presentation"),
    ("visio/document.xml", "a Visio drawing"),
    ("index/document.iwa", "a document of Apple's Numbers, Pages or Keynote"),
    ("index.zip", "a document of Apple's Numbers, Pages or Keynote"),
    ("index.apxl", "a document of Apple's Keynote"),
    ("androidmanifest.xml", "an Android program"),
    ("meta-inf/manifest.mf", "a Java program"),
)


class Contents(NamedTuple):
    """What a zip file is: a workbook of `format`, or something else, in words, or (neither) an archive of files.

    `evidence` is the clause that says why.
    """

    format: Format | None = None
    what: str = ""
    evidence: str = ""


@contextmanager
def open_archive(source: Source) -> Iterator[zipfile.ZipFile]:
    """The archive. Raises FileError for damage of any kind met before it is closed, and for a directory too large."""
    try:
        with source.open() as stream:
            _refuse_large_directory(source)
            with zipfile.ZipFile(stream) as archive:
                yield archive
    except DAMAGE as error:
        hint = "Copy or download it again; or open it in the program that it is for, and save it."
        raise FileError(f"{source.label} is damaged: {words_of(error)}.", hint) from error


def inflated_bytes(source: Source) -> int:
    """How many bytes a source is once its parts are inflated, by its list of them; its own size where it is no zip."""
    if not source.head.startswith(ZIP):
        return source.size_bytes
    with open_archive(source) as archive:
        return sum(part.file_size for part in archive.infolist())


def words_of(damage: Exception) -> str:
    """What a library says of an archive, as a clause. It may quote all that a damaged name runs into."""
    if str(damage) == _NO_END:
        return "its end is missing"
    return shorten(str(damage).rstrip(".") or "it breaks off", _MOST_SAID)


def tell_contents(archive: zipfile.ZipFile) -> Contents:
    """Whether an archive is a workbook, another document, or just files."""
    names = {plain_name(name): name for name in archive.namelist()}
    if "mimetype" in names:
        told = _tell_mimetype(archive, names["mimetype"])
        if told is not None:
            return told
    if {"content.xml", "meta-inf/manifest.xml"} <= names.keys():
        return Contents("ods", evidence="a zip archive with the parts of an OpenDocument file")
    for name, what in _OTHERS:
        if name in names:
            return Contents(what=what, evidence=f"a zip archive with {name}")
    return _tell_office(names)


def plain_name(name: str) -> str:
    """A part's name as programs compare it: without regard to case, backslashes and a leading slash."""
    return name.replace("\\", "/").lstrip("/").lower()


def _tell_office(names: Collection[str]) -> Contents:
    for name, format_ in (("xl/workbook.bin", "xlsb"), ("xl/workbook.xml", "xlsx")):
        if name in names:
            return Contents(format_, evidence=f"a zip archive with {name}")  # type: ignore[arg-type]  # both are formats
    if "[content_types].xml" in names or "_rels/.rels" in names:
        return Contents("xlsx", evidence="a zip archive with the parts of an Office file")
    return Contents()


def _tell_mimetype(archive: zipfile.ZipFile, name: str) -> Contents | None:
    """What the part says of which OpenDocument keeps its type in. None: nothing that is known."""
    if archive.getinfo(name).flag_bits & ENCRYPTED:
        return None
    with archive.open(name) as stream:
        mime = stream.read(_TYPE_BYTES).decode("ascii", "replace").strip()
    if mime == "application/epub+zip":
        return Contents(what="an electronic book", evidence="its own type")
    if not mime.startswith(_OPEN_DOCUMENT):
        return None
    kind = mime.removeprefix(_OPEN_DOCUMENT).removesuffix("-template").removesuffix("-flat-xml")
    if kind == "spreadsheet":
        return Contents("ods", evidence="a zip archive that says it is an OpenDocument spreadsheet")
    words = _OPEN_DOCUMENTS.get(kind, "an OpenDocument file that is no spreadsheet")
    return Contents(what=f"{words} of LibreOffice or OpenOffice", evidence="its own type")


def _refuse_large_directory(source: Source) -> None:
    size = _directory_bytes(source)
    if size > MOST_DIRECTORY_BYTES:
        raise FileError(
            f"{source.label} is refused: the list of what is in it has {size:,} bytes, as in a file made to exhaust "
            "memory.",
            SAVE_ANEW,
        )


def _directory_bytes(source: Source) -> int:
    """The size of the list of names, as the record at the end of the archive says; 0 where there is none.

    Looked for where Python's zipfile looks: a directory that it would not read cannot hurt.
    """
    with source.open() as stream:
        stream.seek(max(0, source.size_bytes - _FARTHEST_END))
        tail = stream.read(_FARTHEST_END)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return 0
    large = max(0, at - _LOCATOR_BYTES - _END_64.size)
    if tail.startswith(b"PK\x06\x06", large) and tail.startswith(b"PK\x06\x07", at - _LOCATOR_BYTES):
        return int(_END_64.unpack_from(tail, large)[8])
    return int(_END.unpack_from(tail, at)[5])

"""XLS globals: what an old Excel workbook says before its sheets: their list, its texts, styles, calendar, code page.

It must never know the cells. The layout is that of Microsoft's [MS-XLS].
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from etl.errors import FileError
from etl.readers.sources.archive import SAVE_ANEW
from etl.readers.workbooks.binary_values import DamagedRecordsError
from etl.readers.workbooks.xls.records import BEGIN, CONTINUE, END, Record, Texts
from etl.readers.workbooks.xls.text import page_name

_UNICODE, _BYTES = 0x600, 0x500
"""Versions: Excel 97 to 2003, Excel 5 and 95."""
_THE_WORKBOOK = 0x05
_LEAST_CELL_BYTES = 14
"""A cell that names a text has so many."""
_FEW_TEXTS = 100_000
_MOST_LISTED = 100_000


class _Kind:
    """The records that are listened to."""

    PASSWORD = 0x2F
    CODE_PAGE = 0x42
    CALENDAR = 0x22
    CALCULATED_BY = 0x1C1
    SHEET = 0x85
    FONT = 0x31
    FORMAT = 0x41E
    STYLE = 0xE0
    STRINGS = 0xFC


@dataclass(frozen=True, slots=True)
class StoredSheet:
    """A sheet in the list: where it begins, how visible and of which kind it is, its name as stored."""

    start: int
    visibility: int
    kind: int
    name: bytes


@dataclass(slots=True)
class XlsGlobals:
    """What the workbook says before its sheets."""

    unicode: bool
    """Whether its texts are Unicode; else their bytes are of a code page."""
    page: str | None = None
    from_1904: bool = False
    calculated: bool = False
    """Whether a program that calculates has put its name to the results; Excel does since 2002."""
    sheets: list[StoredSheet] = field(default_factory=list)
    scripts: list[int] = field(default_factory=list)
    """Of each font, the script it is for."""
    formats: dict[int, str] = field(default_factory=dict)
    styles: list[tuple[int, int]] = field(default_factory=list)
    """Of each style, its font and its format."""
    strings: list[str] = field(default_factory=list)
    """The texts that cells name by number."""

    def style_scripts(self) -> list[int]:
        """Of each style, the script of its font. No font has the number 4."""
        fonts = [font - (font > 4) for font, _ in self.styles]
        return [self.scripts[font] if font < len(self.scripts) else 1 for font in fonts]


def read_globals(records: Iterator[Record], stream_bytes: int, label: str) -> XlsGlobals:
    """Read up to the end of the workbook's own records.

    Raises DamagedRecordsError; FileError for a password, for a version before Excel 5, and for a list of texts that no
    cells could ever name, as in a file made to exhaust memory.
    """
    found = _open(records, label)
    texts: list[bytes] = []
    before = 0
    for kind, body in records:
        if kind == CONTINUE:
            if before == _Kind.STRINGS:
                texts.append(body)
            continue
        before = kind
        if kind == END:
            break
        if kind == _Kind.PASSWORD:
            raise FileError(f"{label} is protected with a password.", "Save a copy without the password.")
        if kind == _Kind.STRINGS:
            texts.append(body)
        else:
            _note(found, kind, body)
            if len(found.sheets) + len(found.scripts) + len(found.formats) + len(found.styles) > _MOST_LISTED:
                raise DamagedRecordsError(f"it lists more than {_MOST_LISTED:,} sheets, fonts or styles")
    else:
        raise DamagedRecordsError("its list of sheets has no end")
    found.strings = _read_strings(texts, stream_bytes, label) if texts else []
    return found


def _open(records: Iterator[Record], label: str) -> XlsGlobals:
    kind, body = next(records, (0, b""))
    version = int.from_bytes(body[:2], "little") if kind == BEGIN else 0
    if version not in {_UNICODE, _BYTES}:
        raise FileError(f"{label} is a workbook of a version before Excel 5.", "Open it and save it as .xlsx.")
    if body[2:4] != _THE_WORKBOOK.to_bytes(2, "little"):
        raise DamagedRecordsError("it does not begin with its list of sheets")
    return XlsGlobals(unicode=version == _UNICODE)


def _note(found: XlsGlobals, kind: int, body: bytes) -> None:
    """Keep what a record says."""
    match kind:
        case _Kind.CODE_PAGE:
            found.page = page_name(int.from_bytes(body[:2], "little"))
        case _Kind.CALENDAR:
            found.from_1904 = body[:1] == b"\x01"
        case _Kind.CALCULATED_BY:
            found.calculated = True
        case _Kind.SHEET:
            start, visibility, sheet = struct.unpack_from("<IBB", body)
            found.sheets.append(StoredSheet(start, visibility & 3, sheet, body[6:]))
        case _Kind.FONT:
            found.scripts.append(struct.unpack_from("<12xB", body)[0])
        case _Kind.FORMAT:
            number, length = struct.unpack_from("<HB", body)
            found.formats[number] = Texts([body], 2).read() if found.unicode else body[3 : 3 + length].decode("latin-1")
        case _Kind.STYLE:
            font, format_ = struct.unpack_from("<HH", body)
            found.styles.append((font, format_))
        case _:
            pass


def _read_strings(bodies: list[bytes], stream_bytes: int, label: str) -> list[str]:
    """All texts there are; how many there should be is wrong in files of some programs."""
    texts = Texts(bodies, 8)
    strings: list[str] = []
    while texts.more():
        strings.append(texts.read())
        if len(strings) > _FEW_TEXTS and len(strings) * _LEAST_CELL_BYTES > stream_bytes:
            raise FileError(f"{label} is refused: it lists more texts than its cells could ever name.", SAVE_ANEW)
    return strings

"""Small writers for the workbook formats that no library here writes: .xls (BIFF8), .xlsb (BIFF12) and .ods.

They write texts only, each exactly as given; other programs (xlrd, calamine, an office) agree on what they hold.
"""

import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

Cells = Sequence[str | None]

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def numbered(lines: Iterable[Cells]) -> tuple[list[str], list[list[tuple[int, int]]]]:
    """The distinct texts, and each line as (column from 0, number of its text)."""
    texts: dict[str, int] = {}
    rows = [
        [(column, texts.setdefault(cell, len(texts))) for column, cell in enumerate(line) if cell is not None]
        for line in lines
    ]
    return list(texts), rows


# .xls: records of BIFF8 in a stream of an OLE compound file


def _record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


_MOST_BODY_BYTES = 8224


def _shared_strings(texts: Sequence[str]) -> bytes:
    """SST and its CONTINUE records: a text may go on in the next record, its first three bytes may not be parted."""
    bodies = [bytearray(struct.pack("<II", len(texts), len(texts)))]
    for text in texts:
        units = text.encode("utf-16-le")
        if len(bodies[-1]) + 5 > _MOST_BODY_BYTES:
            bodies.append(bytearray())
        bodies[-1] += struct.pack("<HB", len(units) // 2, 1)
        while units:
            room = (_MOST_BODY_BYTES - len(bodies[-1])) // 2 * 2
            if not room:
                bodies.append(bytearray(b"\x01"))  # the text goes on, two bytes a character
                continue
            bodies[-1] += units[:room]
            units = units[room:]
    return b"".join(_record(0x3C if at else 0xFC, bytes(body)) for at, body in enumerate(bodies))


def xls_stream(lines: Iterable[Cells], sheet: str) -> bytes:
    """The `Workbook` stream of a workbook with one sheet."""
    texts, rows = numbered(lines)
    name = sheet.encode("utf-16-le")
    head = _record(0x809, struct.pack("<HHHHII", 0x600, 5, 0x0DBB, 0x07CC, 0, 6)) + _record(0x42, b"\xb0\x04")
    head += _record(0x3D, struct.pack("<9H", 0, 0, 0x4000, 0x2000, 0x38, 0, 0, 1, 600))  # a window
    font = struct.pack("<5H4BBB", 200, 0, 0x7FFF, 400, 0, 0, 0, 0, 0, 5, 0) + b"Arial"
    head += _record(0x31, font) * 4
    cell_format = struct.pack("<3H4BIIH", 0, 0, 0xFFF5, 0x20, 0, 0, 0, 0, 0, 0x20C0)
    head += _record(0xE0, cell_format) * 15 + _record(0xE0, cell_format[:4] + b"\x01\x00" + cell_format[6:])
    tail = _shared_strings(texts) + _record(0x0A)
    at = len(head) + 4 + 8 + len(name) + len(tail)
    head += _record(0x85, struct.pack("<IBBBB", at, 0, 0, len(name) // 2, 1) + name) + tail
    width = max((column for row in rows for column, _ in row), default=0) + 1
    body = [_record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0x0DBB, 0x07CC, 0, 6))]
    body.append(_record(0x200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0)))
    body += [
        _record(0xFD, struct.pack("<HHHI", number, column, 15, text))
        for number, row in enumerate(rows)
        for column, text in row
    ]
    body.append(_record(0x23E, struct.pack("<HHHIHHI", 0x6B6, 0, 0, 0x40, 0, 0, 0)))
    return head + b"".join(body) + _record(0x0A)


_SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def ole_file(name: str, stream: bytes) -> bytes:
    """A compound file with one stream, long enough (4,096 bytes) to stand in sectors of its own, small or large."""
    stream = stream.ljust(4096, b"\0")
    sector, shift = (_SECTOR, 9) if len(stream) < 109 * 127 * _SECTOR else (8 * _SECTOR, 12)
    stream += bytes(-len(stream) % sector)
    count = len(stream) // sector
    tables = 1
    while count + 1 + tables > tables * (sector // 4):
        tables += 1
    if tables > 109:
        raise ValueError("too long for a compound file without an index of its tables")
    chain = [*range(1, count), _END, _END, *[_FAT] * tables]
    chain += [_FREE] * (tables * (sector // 4) - len(chain))
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH6x", 0x3E, 3 + (shift > 9), 0xFFFE, shift, 6)
    )
    header += struct.pack("<9I", int(shift > 9), tables, count, 0, 4096, _END, 0, _END, 0)
    places = [*range(count + 1, count + 1 + tables)]
    header += struct.pack("<109I", *places, *[_FREE] * (109 - tables))

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = title.encode("utf-16-le")
        links = struct.pack("<HBBIII", len(text) + 2, kind, 1, _FREE, _FREE, child)
        return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)

    unused = bytes(68) + struct.pack("<III", _FREE, _FREE, _FREE) + bytes(48)
    header = header.ljust(sector, b"\0")
    folder = entry("Root Entry", 5, 1, _END, 0) + entry(name, 2, _FREE, 0, len(stream)) + unused * (sector // 128 - 2)
    return header + stream + folder + struct.pack(f"<{len(chain)}I", *chain)


def write_xls(path: Path, lines: Iterable[Cells], sheet: str = "Cases") -> Path:
    path.write_bytes(ole_file("Workbook", xls_stream(lines, sheet)))
    return path


# .xlsb: records of BIFF12 in the parts of a zip archive


def binary_record(kind: int, body: bytes = b"") -> bytes:
    """A record of BIFF12: kind and length are numbers of seven bits a byte."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length = len(body)
    while True:
        head += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return head + body


def wide_string(text: str) -> bytes:
    units = text.encode("utf-16-le")
    return struct.pack("<I", len(units) // 2) + units


def xlsb_parts(lines: Iterable[Cells], sheet: str) -> dict[str, bytes]:
    texts, rows = numbered(lines)
    width = max((column for row in rows for column, _ in row), default=0)
    body = [binary_record(129), binary_record(148, struct.pack("<IIII", 0, max(len(rows) - 1, 0), 0, width))]
    body.append(binary_record(145))
    for number, row in enumerate(rows):
        span = struct.pack("<III", 1, row[0][0], row[-1][0]) if row else struct.pack("<I", 0)
        body.append(binary_record(0, struct.pack("<IIHBBB", number, 0, 300, 0, 0, 0) + span))
        body += [binary_record(7, struct.pack("<III", column, 0, text)) for column, text in row]
    body += [binary_record(146), binary_record(130)]
    shared = [binary_record(159, struct.pack("<II", len(texts), len(texts)))]
    shared += [binary_record(19, b"\0" + wide_string(text)) for text in texts]
    shared.append(binary_record(160))
    book = binary_record(156, struct.pack("<II", 0, 1) + wide_string("rId1") + wide_string(sheet))
    book = binary_record(131) + binary_record(143) + book + binary_record(144) + binary_record(132)
    kind = "application/vnd.ms-excel"
    types = {
        "xl/workbook.bin": f"{kind}.sheet.binary.macroEnabled.main",
        "xl/worksheets/sheet1.bin": f"{kind}.worksheet",
        "xl/sharedStrings.bin": f"{kind}.sharedStrings",
    }
    overrides = "".join(f'<Override PartName="/{part}" ContentType="{what}"/>' for part, what in types.items())
    rels = f'<Relationships xmlns="{_PACKAGE}/relationships">'
    return {
        "[Content_Types].xml": (
            f'<?xml version="1.0" encoding="UTF-8"?><Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f"{overrides}</Types>"
        ).encode(),
        "_rels/.rels": (
            f'{rels}<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.bin"/></Relationships>'
        ).encode(),
        "xl/workbook.bin": book,
        "xl/_rels/workbook.bin.rels": (
            f'{rels}<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.bin"/>'
            f'<Relationship Id="rId2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.bin"/></Relationships>'
        ).encode(),
        "xl/worksheets/sheet1.bin": b"".join(body),
        "xl/sharedStrings.bin": b"".join(shared),
    }


def write_xlsb(path: Path, lines: Iterable[Cells], sheet: str = "Cases") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in xlsb_parts(lines, sheet).items():
            archive.writestr(name, content)
    return path


# .ods: one XML document in a zip archive

_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_ODS = "application/vnd.oasis.opendocument.spreadsheet"


def ods_content(lines: Iterable[Cells], sheet: str) -> Iterator[str]:
    """`content.xml`, in pieces."""
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="{_OASIS}:office:1.0" '
        f'xmlns:table="{_OASIS}:table:1.0" xmlns:text="{_OASIS}:text:1.0" office:version="1.2"><office:body>'
        f"<office:spreadsheet><table:table table:name={quoteattr(sheet)}>"
    )
    for line in lines:
        yield f"<table:table-row>{''.join(map(_ods_cell, line))}</table:table-row>"
    yield "</table:table></office:spreadsheet></office:body></office:document-content>"


def _ods_cell(cell: str | None) -> str:
    if cell is None:
        return "<table:table-cell/>"
    paragraphs = "".join(f"<text:p>{_ods_text(line)}</text:p>" for line in cell.split("\n"))
    return f'<table:table-cell office:value-type="string">{paragraphs}</table:table-cell>'


def _ods_text(line: str) -> str:
    """Blanks at the ends and in a row are elements, as the format has it."""
    pieces = escape(line, {"\t": "<text:tab/>", "\r": "&#13;"})
    return pieces.replace(" ", "<text:s/>")


def write_ods(path: Path, lines: Iterable[Cells], sheet: str = "Cases") -> Path:
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<manifest:manifest xmlns:manifest="{_OASIS}:manifest:1.0" manifest:version="1.2">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODS}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", _ODS, zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", "".join(ods_content(lines, sheet)))
    return path

"""Workbook: all marks put into a copy of a workbook, and a sheet that lists them.

It must never know where the marks come from.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from etl.tables.files import NewFile
from etl.tables.marked.layout import Layout, read_layout
from etl.tables.marked.listing import filtered_area, listing_sheet
from etl.tables.marked.marks import Finding, Names, SheetMarks, UnmarkableError
from etl.tables.marked.notes import Notes
from etl.tables.marked.parts import Parts, target_of
from etl.tables.marked.sheet import grouped_texts, mark_sheet, status_column
from etl.tables.marked.splices import Edit, Element, put_in, quoted, read_element, spliced
from etl.tables.marked.styles import Styles

MOST_NOTES = 20_000
"""More boxes than this make spreadsheet programs slow; the cells are coloured and listed all the same."""

_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml."
_SUFFIXES = {
    f"{_MAIN}sheet.main+xml": "xlsx",
    f"{_MAIN}template.main+xml": "xltx",
    "application/vnd.ms-excel.sheet.macroEnabled.main+xml": "xlsm",
    "application/vnd.ms-excel.template.macroEnabled.main+xml": "xltm",
}
SUFFIXES = tuple(_SUFFIXES.values())
"""What a marked workbook may end with: programs refuse one whose ending is not that of what it holds."""
_VML = "application/vnd.openxmlformats-officedocument.vmlDrawing"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STRICT = b"http://purl.oclc.org/ooxml/"
_SHARED = re.compile(rb"<(?:\w+:)?si\b[^>]*?(?:/>|>(.*?)</(?:\w+:)?si>)", re.DOTALL)
_TEXT = re.compile(rb"<(?:\w+:)?t\b[^>]*>([^<]*)</")
_BROKEN = (
    expat.ExpatError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    IndexError,
    NotImplementedError,
    UnicodeError,
    RecursionError,
)


class _Listed(NamedTuple):
    name: str
    id: int
    part: str


def suffix_of(stream: BinaryIO) -> str:
    """What a marked copy has to end with. Raises UnmarkableError."""
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = Parts(archive)
            return _suffix(parts, _main_part(parts))
    except _BROKEN as error:
        raise UnmarkableError("its parts are written in an unusual way") from error


def mark_workbook(
    file: NewFile, source: BinaryIO, marks: Sequence[SheetMarks], findings: Sequence[Finding], names: Names
) -> bool:
    """Write a copy of `source` with all marks; whether every flagged cell has its note.

    Raises UnmarkableError where that cannot be done without loss, StoppedError where the file cannot be written.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            parts = Parts(archive)
            has_all = _mark(parts, marks, findings, names)
            parts.pack(file)
    except UnmarkableError:
        raise
    except (*_BROKEN, ValueError) as error:
        raise UnmarkableError("its parts are written in an unusual way") from error
    return has_all


def _mark(parts: Parts, marks: Sequence[SheetMarks], findings: Sequence[Finding], names: Names) -> bool:
    main = _main_part(parts)
    _suffix(parts, main)
    data = parts.read(main)
    if _STRICT in data[:4096]:
        raise UnmarkableError("it is a Strict Open XML workbook")
    if any(name.startswith("_xmlsignatures/") for name in parts.names()):
        raise UnmarkableError("it is signed, and a changed copy would break the signature")
    root = read_element(data)
    listed = _sheets(parts, main, root)
    styles_part = parts.related(main, "styles")
    if styles_part is None:
        raise UnmarkableError("it has no styles")
    styles = Styles(parts.read(styles_part))
    texts = _status_texts(parts, main, names.status)
    room = MOST_NOTES
    statuses: dict[str, int] = {}
    has_all = True
    for one in marks:
        found = next((sheet for sheet in listed if sheet.name == one.sheet), None)
        if found is None:
            raise UnmarkableError(f"it has no sheet {one.sheet!r}")
        sheet = parts.read(found.part)
        layout = read_layout(sheet, one.header_row, names.status, texts)
        statuses[one.sheet] = status_column(layout, one) if one.header_row else 1
        notes = dict(list(grouped_texts(one).items())[:room])
        has_all = has_all and len(notes) == len(grouped_texts(one))
        room -= len(notes)
        reference = _write_notes(parts, found.part, notes, layout, names)
        parts.write(found.part, mark_sheet(sheet, layout, one, styles, names.status, reference))
    _write_listing(parts, main, listed, findings, statuses, styles, names)
    parts.write(styles_part, styles.written())
    return has_all


def _main_part(parts: Parts) -> str:
    main = parts.related("", "officeDocument")
    if main is None:
        raise UnmarkableError("it is a Strict Open XML workbook")
    return main


def _suffix(parts: Parts, main: str) -> str:
    found = _SUFFIXES.get(parts.content_type(main))
    if found is None:
        raise UnmarkableError("it does not say what kind of workbook it is")
    return found


def _sheets(parts: Parts, main: str, root: Element) -> list[_Listed]:
    listing = root.first("sheets")
    targets = {one.attributes.get("Id", ""): target_of(main, one) for one in parts.relations(main)}
    found = []
    for one in listing.all("sheet") if listing else ():
        reference = next((value for key, value in one.attributes.items() if key.endswith(":id")), "")
        part = targets.get(reference, "")
        found.append(_Listed(one.attributes.get("name", ""), int(one.attributes.get("sheetId", "0")), part))
    return found


def _status_texts(parts: Parts, main: str, status: str) -> frozenset[bytes]:
    """The numbers of the shared texts that are the name of the status column."""
    part = parts.related(main, "sharedStrings")
    if part is None or part not in parts:
        return frozenset()
    data = parts.read(part)
    if status.encode() not in data:
        return frozenset()
    texts = (b"".join(_TEXT.findall(found[1] or b"")) for found in _SHARED.finditer(data))
    return frozenset(str(number).encode() for number, text in enumerate(texts) if text == status.encode())


def _write_notes(
    parts: Parts, sheet: str, texts: dict[tuple[int, int], list[str]], layout: Layout, names: Names
) -> str | None:
    """The notes of a sheet; a reference to their boxes, where the sheet had none."""
    comments = parts.related(sheet, "comments")
    boxes = next(
        (target_of(sheet, one) for one in parts.relations(sheet) if one.attributes.get("Id") == layout.notes), None
    )
    if not texts and comments is None:
        return None
    notes = Notes(parts.read(comments) if comments else None, parts.read(boxes) if boxes else None, names.author)
    written, shapes = notes.write(texts, layout, _free_block(parts))
    if comments is None:
        comments = parts.free_name("xl/comments{}.xml")
        parts.relate(sheet, "comments", comments)
        parts.declare(comments, f"{_MAIN}comments+xml")
    parts.write(comments, written)
    is_new = boxes is None
    if boxes is None:
        boxes = parts.free_name("xl/drawings/vmlDrawing{}.vml")
        parts.declare_ending("vml", _VML)
    parts.write(boxes, shapes)
    return parts.relate(sheet, "vmlDrawing", boxes) if is_new else None


def _free_block(parts: Parts) -> int:
    """The first number that no sheet's boxes have, nor any after it."""
    taken = [0]
    for name in parts.names():
        if name.endswith(".vml"):
            taken += Notes(None, parts.read(name), "").blocks()
    return max(taken) + 1


def _write_listing(
    parts: Parts,
    main: str,
    listed: Sequence[_Listed],
    findings: Sequence[Finding],
    statuses: Mapping[str, int],
    styles: Styles,
    names: Names,
) -> None:
    data = parts.read(main)
    root = read_element(data)
    content = listing_sheet(findings, statuses, styles, names.list_mark)
    earlier = _earlier_listing(root, names.list_mark)
    if earlier is not None and earlier < len(listed):
        parts.write(listed[earlier].part, content)
        parts.write(main, spliced(data, _renewed(root, earlier, filtered_area(findings, listed[earlier].name))))
        return
    part = parts.free_name("xl/worksheets/sheet{}.xml")
    reference = parts.relate(main, "worksheet", part)
    parts.declare(part, f"{_MAIN}worksheet+xml")
    parts.write(part, content)
    name = _free_sheet(names.listing, [sheet.name for sheet in listed])
    number = max((sheet.id for sheet in listed), default=0) + 1
    p = root.prefix
    sheets = root.first("sheets")
    if sheets is None:
        raise UnmarkableError("it lists no sheets")
    sheet = f'<{p}sheet xmlns:r="{_RELATIONS}" name="{quoted(name)}" sheetId="{number}" r:id="{reference}"/>'
    area = filtered_area(findings, name)
    own = (
        f'<{p}definedName name="{names.list_mark}" localSheetId="{len(listed)}" hidden="1">{quoted(area)}'
        f'</{p}definedName><{p}definedName name="_xlnm._FilterDatabase" localSheetId="{len(listed)}" hidden="1">'
        f"{quoted(area)}</{p}definedName>"
    )
    defined = root.first("definedNames")
    edits: list[Edit] = [sheets.last_put_in(data, sheet)]
    if defined is not None:
        edits.append(defined.last_put_in(data, own))
    else:
        before = [one for local in ("sheets", "functionGroups", "externalReferences") for one in root.all(local)]
        edits.append(put_in(max(one.end for one in before), f"<{p}definedNames>{own}</{p}definedNames>"))
    parts.write(main, spliced(data, edits))


def _earlier_listing(root: Element, mark: str) -> int | None:
    """The place of the sheet that an earlier report has put there."""
    defined = root.first("definedNames")
    for one in defined.all("definedName") if defined else ():
        if one.attributes.get("name") == mark and one.attributes.get("localSheetId", "").isdecimal():
            return int(one.attributes["localSheetId"])
    return None


def _renewed(root: Element, sheet: int, area: str) -> Iterator[Edit]:
    """The area of our own sheet, in the names that stand for it."""
    defined = root.first("definedNames")
    for one in defined.all("definedName") if defined else ():
        if one.attributes.get("localSheetId") == str(sheet) and not one.is_empty:
            yield Edit(one.inside, one.close, quoted(area).encode())


def _free_sheet(name: str, taken: Sequence[str]) -> str:
    lowered = {one.lower() for one in taken}
    number = 1
    free = name
    while free.lower() in lowered:
        number += 1
        free = f"{name} ({number})"
    return free

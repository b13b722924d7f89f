"""OpenDocument: the visible sheets of an .ods file as tables, each cell as the file itself stores it.

It must never know what a sheet is about. The document is read directly: calamine, the library at hand, gives errors and
cells without a result as empty text or zero, and takes drawings for text.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain
from typing import BinaryIO
from xml.parsers import expat

from etl.errors import FileError
from etl.readers.options import ReadOptions
from etl.readers.sources.archive import SAVE_ANEW
from etl.readers.sources.source import Source
from etl.readers.survey import Skipped
from etl.readers.workbooks.grid import Area, GridTable, Row, open_grid
from etl.readers.workbooks.ods.index import TABLE, DamagedDocumentError, Index, Span, cut, find_sheets
from etl.readers.workbooks.ods.sheet import read_ods_rows, scan_ods_sheet
from etl.readers.workbooks.ods.styles import Styles
from etl.readers.workbooks.ods.values import OdsValues
from etl.readers.workbooks.package import Package, open_package
from etl.readers.workbooks.sheets import ListedSheet, Visibility, open_sheets
from etl.readers.workbooks.unseen import SheetFacts, unseen
from etl.readers.workbooks.xml_stream import UnsafeXmlError, feed, local_name, open_parser

GLANCED_BYTES = 16 << 20
"""A larger sheet is not passed over where only its beginning is wanted."""
_MOST_LISTED_BYTES = 1 << 25
"""Of the styles that the document shares, and of the list of its parts."""
_MOST_PASSED_BYTES = 4 << 30
"""To open a sheet those before it are passed over."""
_CONTENT, _STYLES, _MANIFEST = "content.xml", "styles.xml", "META-INF/manifest.xml"
_PIECE_BYTES = 1 << 18


def survey_ods(source: Source, options: ReadOptions) -> tuple[tuple[GridTable, ...], tuple[Skipped, ...]]:
    """The tables of a document and the sheets left out. Looks through all of it once, for its sheets.

    Raises FileError: damaged, hostile, locked, no spreadsheet, no such sheet, no sheet with a header.
    """
    with _open_document(source) as document:
        index = find_sheets(document.content(), source.label)
        styles = Styles()
        styles.read(document.shared_styles(), shared=True)
        styles.read([index.prolog], shared=False)
    values = OdsValues(styles, source.label)
    listed = [_listed(sheet, styles) for sheet in index.sheets]
    if not options.sheet and sum(sheet.start for sheet in index.sheets) > _MOST_PASSED_BYTES:
        raise FileError(
            f"{source.label} has {len(listed):,} sheets one behind the other in {index.sheets[-1].end >> 20:,} MB.",
            "Name the one to read with --sheet.",
        )

    def open_one(at: int) -> GridTable:
        return _open_sheet(source, index, at, values, options)

    return open_sheets(source.label, listed, options.sheet, open_one)


class _Document:
    """An opened document: one file, or the parts of a package."""

    def __init__(self, content: Callable[[], Iterator[bytes]], package: Package | None) -> None:
        self.content = content
        """Its bytes from the start, in pieces."""
        self._package = package

    def shared_styles(self) -> Iterator[bytes]:
        """The bytes of the part with the named styles, if there is one."""
        if self._package is not None and _STYLES in self._package:
            yield from _short_part(self._package, _STYLES)


@contextmanager
def _open_document(source: Source) -> Iterator[_Document]:
    """Raises FileError for damage of any kind met before it is closed."""
    try:
        if source.head.startswith(b"PK"):
            with open_package(source) as package:
                _refuse_locked(package)
                yield _Document(lambda: package.stream(_CONTENT), package)
        else:
            with source.open() as stream:
                yield _Document(lambda: _pieces(stream), None)
    except DamagedDocumentError as error:
        raise _damaged(source.label, str(error)) from error
    except expat.ExpatError as error:
        raise _damaged(source.label, f"broken XML ({error})") from error
    except UnsafeXmlError as error:
        raise FileError(
            f"{source.label} is refused: {error}, which no spreadsheet program writes.", SAVE_ANEW
        ) from error


def _short_part(package: Package, part: str) -> Iterator[bytes]:
    if package.size(part) > _MOST_LISTED_BYTES:
        raise FileError(
            f"{package.label} is refused: its part {part[:80]} has {package.size(part):,} bytes.", SAVE_ANEW
        )
    return package.stream(part)


def _damaged(label: str, why: str) -> FileError:
    return FileError(f"{label} is damaged: {why}.", "Open it in a spreadsheet program and save it.")


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _refuse_locked(package: Package) -> None:
    """Refuse (FileError) a document whose parts are encrypted, as its list of parts says."""
    found: list[str] = []

    def start(name: str, _: dict[str, str]) -> None:
        if local_name(name) == "encryption-data":
            found.append(name)

    for _ in feed(open_parser(start, lambda _: None), _short_part(package, _MANIFEST)) if _MANIFEST in package else ():
        if found:
            raise FileError(f"{package.label} is protected with a password.", "Save a copy without the password.")


def _listed(sheet: Span, styles: Styles) -> ListedSheet:
    is_hidden = sheet.attributes.get(f"{TABLE} style-name", "") in styles.hidden
    name = sheet.attributes.get(f"{TABLE} name", "")
    return ListedSheet(name, Visibility.HIDDEN if is_hidden else Visibility.VISIBLE)


def _open_sheet(source: Source, index: Index, at: int, values: OdsValues, options: ReadOptions) -> GridTable:
    sheet = index.sheets[at]

    @contextmanager
    def pieces(end: int) -> Iterator[Iterator[bytes]]:
        """The bytes of the sheet up to one of them, behind the first tag of the document."""
        with _open_document(source) as document:
            yield chain(
                [index.root], cut(document.content(), sheet.start, end), [index.end] if end == sheet.end else []
            )

    def rows() -> Generator[Row]:
        end = sheet.filled_end or sheet.end
        with (
            pieces(end) as found,
            closing(read_ods_rows(found, values, source.label, is_whole=end == sheet.end)) as rows,
        ):
            yield from rows

    def scan() -> SheetFacts:
        with pieces(sheet.end) as found:
            return scan_ods_sheet(found, values, source.label, sheet.noted)

    is_known = not options.glance or sheet.end - sheet.start <= GLANCED_BYTES
    facts = scan() if is_known else None

    def areas() -> Sequence[Area]:
        return (facts or scan()).areas

    decisions = unseen(facts) if facts is not None else []
    name = sheet.attributes.get(f"{TABLE} name", "")
    return open_grid(source.file, name, "ods", rows, areas, replace(options, glance=not is_known), decisions)

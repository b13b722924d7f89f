"""Listing: our own sheet, a line for each problem with a link to its cell.

It must never know how problems are found.
"""

from collections.abc import Mapping, Sequence

from etl.tables.limits import CELL_LIMIT, ROW_LIMIT
from etl.tables.marked.marks import Finding, Level
from etl.tables.marked.sheet import letters_of, text_cell
from etl.tables.marked.splices import quoted
from etl.tables.marked.styles import Styles

COLUMNS = ("Severity", "Code", "Sheet", "Cell", "Value", "What is wrong, and what would do")
_WIDTHS = (11, 22, 20, 10, 40, 100)
LINE_HEIGHT, LINES_SHOWN = 15, 12
"""Of a row, in points, and how many lines of a long text it shows."""
LINES_LIMIT = 100_000
MOST_LINKS = 65_000
"""Excel follows 65,530 in a sheet ("Excel specifications and limits")."""
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def listing_sheet(findings: Sequence[Finding], statuses: Mapping[str, int], styles: Styles, list_mark: str) -> bytes:
    """The part of the sheet, errors first.

    `statuses` are the columns, by sheet, that a link leads to where a row as a whole is meant.
    """
    header = [*COLUMNS, list_mark]
    bold = styles.text(font="bold")
    rows = [_row(1, [(name, bold) for name in header])]
    links: list[str] = []
    worst_first = sorted(findings, key=lambda one: one.level is not Level.ERROR)
    shown = worst_first[:LINES_LIMIT]
    for number, one in enumerate(shown, 2):
        cells, target = _cells(one, statuses.get(one.sheet, 1), styles, is_linked=len(links) < MOST_LINKS)
        rows.append(_row(number, cells))
        if len(links) < MOST_LINKS:
            place = "'" + one.sheet.replace("'", "''") + f"'!{target}"
            links.append(f'<hyperlink ref="D{number}" location="{quoted(place)}" display="{quoted(cells[3][0])}"/>')
    if len(shown) < len(findings):
        more = f"{len(findings) - len(shown):,} more are in results.jsonl."
        rows.append(_row(len(shown) + 2, [("", 0)] * 5 + [(more, styles.text(wrapped=True))]))
    last = min(len(rows), ROW_LIMIT)
    widths = "".join(
        f'<col min="{at}" max="{at}" width="{width}" customWidth="1"/>' for at, width in enumerate(_WIDTHS, 1)
    )
    mark = len(header)
    hidden = f'<col min="{mark}" max="{mark}" width="9" hidden="1" customWidth="1"/>'
    area = f"A1:{letters_of(len(COLUMNS))}{max(last, 2)}"
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{_MAIN}">'
        '<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><cols>{widths}{hidden}</cols><sheetData>{"".join(rows)}</sheetData>'
        f'<autoFilter ref="{area}"/>{_section("hyperlinks", links)}'
        '<pageSetup orientation="landscape" fitToHeight="0"/></worksheet>'
    ).encode()


def filtered_area(findings: Sequence[Finding], name: str) -> str:
    """The area that the sheet's filter is about, as a name in the workbook refers to it."""
    last = max(2, min(len(findings), LINES_LIMIT) + 1 + (len(findings) > LINES_LIMIT))
    return "'" + name.replace("'", "''") + f"'!$A$1:${letters_of(len(COLUMNS))}${last}"


def _cells(one: Finding, status: int, styles: Styles, *, is_linked: bool) -> tuple[list[tuple[str, int]], str]:
    target = f"{letters_of(one.column or status)}{max(one.row, 1)}"
    level = one.level if one.level is not Level.NONE else Level.WARNING
    plain, wrapped = styles.text(), styles.text(wrapped=True)
    value = one.value or ""
    if _units(value) > CELL_LIMIT:
        value = f"({len(value):,} characters; all of them are in the cell)"
    sentence = one.sentence
    if _units(sentence) > CELL_LIMIT:
        sentence = f"(A sentence of {len(sentence):,} characters: see results.jsonl, {one.shown}.)"
    cells = [
        (level.value, styles.text(level)),
        (one.code, plain),
        (one.sheet, plain),
        (one.shown, styles.text(font="link") if is_linked else plain),
        (value, wrapped),
        (sentence, wrapped),
    ]
    return cells, target


def _row(number: int, cells: Sequence[tuple[str, int]]) -> str:
    written = (
        text_cell("", f"{letters_of(column)}{number}", style, text)
        for column, (text, style) in enumerate(cells, 1)
        if text
    )
    widths = zip(cells, _WIDTHS, strict=False)
    lines = max(sum(1 + len(line) // width for line in text.split("\n")) for (text, _), width in widths)
    height = LINE_HEIGHT * min(lines, LINES_SHOWN)
    return f'<row r="{number}" ht="{height}" customHeight="1">{"".join(written)}</row>'


def _section(name: str, items: Sequence[str]) -> str:
    return f"<{name}>{''.join(items)}</{name}>" if items else ""


def _units(text: str) -> int:
    return len(text) if len(text) * 2 <= CELL_LIMIT else len(text.encode("utf-16-le", "surrogatepass")) // 2

"""The workbook `support_calls.xlsx`: two sheets of cases under titles, a sheet of lists, a hidden one.

It must never know how a row is judged; see `sample_rows.py`.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import xlsxwriter
from sample_rows import Case, Line, body_of_case, numbered, read_source, write_list, write_turns
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

HEADERS = {
    "Cases": [
        "Case ID", "Scenario", "Expected Output", "Type", "Script",
        "Customer phone", "Order / account no", "Last reviewed", "Owner", "Notes",
    ],
    "Escalations": [
        "Type", "Case ID", "Owner", "Scenario", "Script",
        "Expected Output", "Notes", "Order / account no", "Customer phone", "Last reviewed",
    ],
}  # fmt: skip
WIDTHS = {"Case ID": 9, "Scenario": 46, "Expected Output": 62, "Type": 12, "Script": 44, "Customer phone": 16}
WIDTHS |= {"Order / account no": 14, "Last reviewed": 13, "Owner": 17, "Notes": 30}
LINE_HEIGHT = 15
"""Points."""
OWNERS = ("Priya Raman", "Dean O'Hara", "Tomás Iglesias", "Ingeborg Dahl", "Marta Nowak")
PHONES = (447_700_900_100, 442_079_460_300, 12_025_550_110, 493_023_125_010)
"""Beginnings of the ranges that the regulators keep free for film and print."""


@dataclass(frozen=True, slots=True)
class Book:
    """A workbook being written: its sheets and cell formats by name."""

    sheets: Mapping[str, Worksheet]
    formats: Mapping[str, Format]


def bank_cases() -> list[dict[str, Any]]:
    """The sections of `support_calls.toml` as one list, with the case ids that the bank gives: 00101, 00102, 00201."""
    found = []
    for number, section in enumerate(read_source("support_calls")["section"], 1):
        for place, case in enumerate(section["case"], 1):
            blank = {"blank_before": True} if place == 1 and section.get("blank_before") else {}
            found.append(case | blank | {"id": f"{number:03d}{place:02d}"})
    return found


def clerical(case: Case, place: int) -> dict[str, Any]:
    """The columns that nobody imports: made up from the case's place, the same on each run."""
    owner = next((name for name in OWNERS if name.startswith(case.get("owner", "-"))), OWNERS[place * 7 // 5 % 5])
    digest = int(hashlib.sha256(case["id"].encode()).hexdigest()[:8], 16)
    return {
        "Case ID": case["id"],
        "Owner": owner,
        "Customer phone": None if place % 9 == 4 else PHONES[place % 4] + digest % 80,
        "Order / account no": f"{digest % 900_000 + 1_000:08d}",
        "Last reviewed": None if place % 13 == 7 else date(2025, 10, 31) - timedelta(days=digest % 290),
    }


def sheet_lines(book: Book, name: str, cases: Sequence[Case], first_row: int) -> list[Line]:
    """Writes the cases of a sheet below its header, and says where each stands."""
    sheet, header = book.sheets[name], HEADERS[name]
    for column, title in enumerate(header):
        sheet.set_column(column, column, WIDTHS[title])
        sheet.write_string(first_row - 2, column, title, book.formats["header"])
    lines = []
    for place, (row, case) in enumerate(numbered(cases, first_row)):
        cells = clerical(case, place) | {
            "Scenario": case.get("scenario"),
            "Expected Output": write_list(case.get("expect", ()), place),
            "Type": case.get("type", "Scenario"),
            "Script": write_turns(case, place),
            "Notes": case.get("notes"),
        }
        tallest = max(shown_lines(str(cells[title] or ""), WIDTHS[title]) for title in header)
        sheet.set_row(row - 1, LINE_HEIGHT * tallest)
        for column, title in enumerate(header):
            write_cell(sheet, (row - 1, column), case.get("cells", {}).get(title, cells[title]), case, book.formats)
        lines.append(Line(row, case, body_of_case({"type": "Scenario"} | case), name))
    furnish(sheet, header, (first_row, lines[-1].row), book.formats["text"])
    return lines


def furnish(sheet: Worksheet, header: Sequence[str], rows: tuple[int, int], empty: Format) -> None:
    """What a person adds to a list: a filter, a frozen header, choices for the type, some empty rows below."""
    first, last = rows
    for row in range(last, last + 5):
        for column in range(len(header)):
            sheet.write_blank(row, column, None, empty)
    sheet.set_row(first - 2, 2 * LINE_HEIGHT)
    sheet.autofilter(first - 2, 0, last - 1, len(header) - 1)
    sheet.freeze_panes(first - 1, 2)
    choices = {"validate": "list", "source": "=Lists!$A$2:$A$4", "error_type": "warning"}
    sheet.data_validation(first - 1, header.index("Type"), last + 4, header.index("Type"), choices)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(first - 2)


def shown_lines(text: str, width: int) -> int:
    """How many lines a wrapped text takes in a column `width` characters wide."""
    return sum(1 + len(line) // width for line in text.split("\n"))


def write_cell(sheet: Worksheet, at: tuple[int, int], value: Any, case: Case, formats: Mapping[str, Format]) -> None:
    """One cell as its author's program stored it: text, number, date, formula with or without a result."""
    row, column = at
    match value:
        case None | "":
            sheet.write_blank(row, column, None, formats["text"])
        case {"formula": formula}:
            written = formula.replace("{row}", str(row + 1)).replace("{previous}", str(row))
            sheet.write_formula(row, column, written, formats["text"], value.get("shows", ""))
        case {"number": number}:
            sheet.write_number(row, column, number, formats["text"])
        case int():
            sheet.write_number(row, column, value, formats["phone"])
        case date():
            sheet.write_datetime(row, column, value, formats["date"])
        case str() if case.get("bold") and case["bold"] in value:
            before, word, after = value.partition(case["bold"])
            sheet.write_rich_string(row, column, before, formats["bold"], word, after, formats["text"])
        case _:
            sheet.write_string(row, column, value, formats["text"])


def add_formats(file: xlsxwriter.Workbook) -> dict[str, Format]:
    """The looks of the workbook."""
    cell = {"valign": "top", "text_wrap": True, "border": 1, "border_color": "#D9D9D9"}
    return {
        "title": file.add_format({"bold": True, "font_size": 16, "font_color": "#1F3864", "valign": "vcenter"}),
        "note": file.add_format({"italic": True, "font_color": "#7F7F7F"}),
        "header": file.add_format(
            {"bold": True, "bg_color": "#1F3864", "font_color": "white", "border": 1, "text_wrap": True}
        ),
        "text": file.add_format(cell),
        "date": file.add_format(cell | {"num_format": "dd.mm.yyyy"}),
        "phone": file.add_format(cell | {"num_format": "0"}),
        "bold": file.add_format({"bold": True}),
    }


def build_workbook() -> tuple[bytes, list[Line]]:
    """`support_calls.xlsx` and its rows."""
    made = io.BytesIO()
    file = xlsxwriter.Workbook(made, {"in_memory": True})
    created = datetime(2025, 11, 3, 9, 12, tzinfo=UTC)
    file.set_properties({"title": "Voice assistant test cases", "author": "Priya Raman", "created": created})
    book = Book({name: file.add_worksheet(name) for name in (*HEADERS, "Lists", "old 2023")}, add_formats(file))
    add_titles(book)
    lines = sheet_lines(book, "Cases", bank_cases(), first_row=5)
    escalations = [
        case | {"id": f"E{place:04d}"} for place, case in enumerate(read_source("support_escalations")["case"], 1)
    ]
    lines += sheet_lines(book, "Escalations", escalations, first_row=4)
    add_side_sheets(book)
    file.close()
    return with_fixed_zip(made.getvalue()), lines


def add_titles(book: Book) -> None:
    """What stands above the headers."""
    cases, escalations = (book.sheets[name] for name in HEADERS)
    cases.merge_range("A1:J1", "Nordhaven Bank · voice assistant “Mira” · regression test cases", book.formats["title"])
    cases.set_row(0, 28)
    note = "Please do not sort. Behaviours: one per line. Scripts: caller's lines only. Questions: Priya, ext. 417"
    cases.write_string("A2", note, book.formats["note"])
    escalations.write_string("A1", "Escalations: must reach a person", book.formats["title"])
    escalations.set_row(0, 24)


def add_side_sheets(book: Book) -> None:
    """The look-up lists, and a hidden sheet with the cases of two years ago."""
    lists, old = book.sheets["Lists"], book.sheets["old 2023"]
    columns = {
        "Allowed types": ("Scenario", "Script", "Transcript"),
        "Owners": OWNERS,
        "Queues": ("CARDS", "FRAUD-1", "LENDING", "ESC-2", "VIP"),
    }
    for column, (title, values) in enumerate(columns.items()):
        lists.set_column(column, column, 18)
        lists.write_string(0, column, title, book.formats["header"])
        for row, value in enumerate(values, 1):
            lists.write_string(row, column, value)
    for row, cells in enumerate(read_source("support_old")["rows"]):
        old.write_row(row, 0, cells, book.formats["header" if row == 0 else "text"])
    old.set_column(1, 2, 50)
    old.hide()


def with_fixed_zip(workbook: bytes) -> bytes:
    """The same workbook with its parts stored at a fixed time and not compressed: no zlib makes it differ."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_STORED) as target:
        for part in parts.infolist():
            entry = zipfile.ZipInfo(part.filename, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o600 << 16
            target.writestr(entry, parts.read(part))
    return fixed.getvalue()

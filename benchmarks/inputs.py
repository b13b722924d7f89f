"""Inputs: the files that every side reads, the same ones each time.

It must never know who reads them.
"""

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

COLUMNS = ("input_str", "expected_behaviors", "test_set_id", "input_type", "description", "user_notes")
_WORDS = (
    "the",
    "agent",
    "should",
    "greet",
    "caller",
    "by",
    "name",
    "and",
    "ask",
    "order",
    "number",
    "refund",
    "please",
)


def cases(rows: int, bad: float) -> Iterator[tuple[str, ...]]:
    """Test cases of about 140 bytes; `bad` of them have no input, or a type that there is not."""
    chance = random.Random(3)  # noqa: S311  # the same file each time
    for row in range(rows):
        is_bad = chance.random() < bad
        yield (
            "" if is_bad and row % 2 else f"{' '.join(chance.choices(_WORDS, k=12))}, {row}",
            f"Says {row} and confirms",
            "aB1cD2eF",
            "SCENARYO" if is_bad and not row % 2 else "SCENARIO",
            f"Case {row}",
            "note, with comma" if row % 11 == 0 else "checked",
        )


def write_csv(path: Path, rows: int, bad: float) -> None:
    """Delimited text as Excel writes it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(cases(rows, bad))


def write_jsonl(path: Path, rows: int, bad: float) -> None:
    """One object a line, with a list and an object in it."""
    with path.open("w", encoding="utf-8") as file:
        for row, (text, behavior, test_set, kind, description, notes) in enumerate(cases(rows, bad)):
            record = {
                "input_str": text,
                "expected_behaviors": [behavior, "Is polite"],
                "test_set_id": test_set,
                "input_type": kind,
                "description": description,
                "user_notes": notes,
                "metric_input": {"order": row, "share": 0.5, "tags": ["a", "b"]},
            }
            file.write(json.dumps(record) + "\n")


def write_xlsx(path: Path, rows: int, bad: float) -> None:
    """A workbook of one sheet, all cells text."""
    import xlsxwriter

    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Cases")
        sheet.write_row(0, 0, COLUMNS)
        for at, cells in enumerate(cases(rows, bad), 1):
            for column, cell in enumerate(cells):
                sheet.write_string(at, column, cell)


WRITERS = {"csv": write_csv, "jsonl": write_jsonl, "xlsx": write_xlsx}

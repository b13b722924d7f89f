"""The results as a table, for people who filter and count in a spreadsheet: one row for each row of the sources.

This file must never know where the results came from but for `results.jsonl`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etl.formats import ReportFormat
from etl.tables import Dialect, NewFile, Sheet, guard, write_delimited, write_workbook

COLUMNS = ("file", "sheet", "row", "status", "resource", "id", "attempts", "http_status", "codes", "problems")
"""As in `results.jsonl`; `codes` and `problems` have a line for each problem."""


PRUNED_COLUMNS = ("status", "resource", "id", "name", "file", "sheet", "row", "job", "message")
"""As in `pruned.jsonl`."""


def write_listing(
    file: NewFile, results: NewFile, form: ReportFormat, pruned: Sequence[Mapping[str, object]] = ()
) -> None:
    """Write `results.jsonl` as a table. `form`: `csv` or `xlsx`. `pruned`: what the sources no longer have, which a
    workbook has on a sheet of its own.

    In CSV what a spreadsheet program would take for a formula has a `'` in front. Raises DoesNotFitError where a
    workbook does not hold so many rows, StoppedError where the file cannot be written.
    """
    rows = map(_row_of, map(json.loads, results.lines()))
    if form == "xlsx":
        sheets = [Sheet("Results", COLUMNS, rows)]
        if pruned:
            cells = ([_cell(one[name]) for name in PRUNED_COLUMNS] for one in pruned)
            sheets.append(Sheet("No longer in the file", PRUNED_COLUMNS, cells))
        write_workbook(file, sheets)
    else:
        # The mark at the beginning is how a spreadsheet program knows UTF-8.
        write_delimited(file, COLUMNS, _guarded(rows), Dialect("utf-8-sig", line_end="\r\n"))


def _row_of(line: dict[str, Any]) -> list[str | None]:
    issues = line["issues"]
    told = {
        **line,
        "codes": "\n".join(issue["code"] for issue in issues),
        "problems": "\n".join(map(_sentence, issues)),
    }
    return [_cell(told[name]) for name in COLUMNS]


def _cell(value: object) -> str | None:
    return None if value is None else _spellable(str(value))


def _sentence(issue: dict[str, Any]) -> str:
    """`error in B4: the cell is empty`."""
    place = issue["cell"] or issue["column"] or issue["field"]
    return f"{issue['severity']}{f' in {place}' if place else ''}: {issue['message']}"


def _spellable(text: str) -> str:
    """Half a surrogate pair is what no table can spell."""
    return text.encode("utf-8", "backslashreplace").decode()


def _guarded(rows: Iterator[list[str | None]]) -> Iterator[list[str | None]]:
    return ([guard(cell) for cell in row] for row in rows)

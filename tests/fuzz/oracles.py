"""Oracles: what Python's own csv and json make of a damaged file that a reader has read without a word.

They are slow, hold everything in memory and know nothing of problems; where they agree, no cell is silently wrong.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from etl.batch import RAW, ROW, TYPES, Origin, Table
from etl.readers.delimited.table import DelimitedTable

_BLANKS = " \t\r\n\xa0"


def check_rows(content: bytes, table: Table, rows: pl.DataFrame, bad: set[int]) -> None:
    """Assert that every row is as the oracle of its format has it, and none is missing.

    `content` is what was unpacked; `rows` are all of them as read; `bad` the numbers of those that carry a problem.
    """
    origin = table.origin
    if isinstance(table, DelimitedTable):
        _check_csv(content, table, rows)
    elif origin.format in _ORACLES and rows.height:
        _ORACLES[origin.format](content, origin, rows, bad)


def _check_csv(content: bytes, table: DelimitedTable, rows: pl.DataFrame) -> None:
    origin, dialect = table.origin, table.dialect
    if dialect.escape:
        return  # csv's escape is another: it stands before any sign, not before quotes only
    text = content.decode(origin.dialect["encoding"]).removeprefix("\ufeff")
    if dialect.sep_line:
        text = re.sub(r"\A[^\r\n]*(?:\r\n|\r|\n|\Z)", "", text)
    csv.field_size_limit(1 << 30)
    quoting = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    lines = io.StringIO(text, newline="")
    records = list(
        csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote or None, quoting=quoting, strict=True)
    )
    wanted = [
        number
        for number, record in enumerate(records, 1)
        if number > (origin.header_row or 0) and any(cell.strip(_BLANKS) for cell in record)
    ]
    assert rows[ROW].to_list() == wanted, f"csv finds the rows {wanted[:20]}…, read were {rows[ROW].to_list()[:20]}…"
    for row in rows.select(ROW, *origin.columns).iter_rows():
        record = records[row[0] - 1]
        cells = [record[at - 1] or None if at <= len(record) else None for at in origin.positions]
        assert list(row[1:]) == cells, f"row {row[0]}: csv finds {cells!r:.300}, read was {row[1:]!r:.300}"


def _check_json_lines(content: bytes, origin: Origin, rows: pl.DataFrame, bad: set[int]) -> None:
    """A byte that is not UTF-8 costs its line, no other one: it must be told of there."""
    text = content.decode(origin.dialect["encoding"], "surrogateescape").removeprefix("\ufeff")
    lines = re.split(r"\r\n|\r|\n", text)
    torn = {number for number, line in enumerate(lines, 1) if re.search("[\udc80-\udcff]", line)}
    assert torn <= bad, f"the lines {sorted(torn - bad)[:20]} are not UTF-8, and nothing is said of it"
    wanted = [number for number, line in enumerate(lines, 1) if line.strip(" \t")]
    assert rows[ROW].to_list() == wanted, f"lines with text are {wanted[:20]}…, read were {rows[ROW].to_list()[:20]}…"
    _check_records([(number, lines[number - 1]) for number in wanted], origin, rows, bad)


def _check_json(content: bytes, origin: Origin, rows: pl.DataFrame, bad: set[int]) -> None:
    """What was taken for the rows is not known here: an array in the document must be it, or the document one row."""
    document = json.loads(
        content.decode(origin.dialect.get("encoding", "utf-8-sig")), parse_float=_Number, parse_int=_Number
    )
    arrays = [document] if isinstance(document, list) else [one for one in document.values() if isinstance(one, list)]
    arrays += [[document]] if isinstance(document, dict) else []
    fitting = [array for array in arrays if len(array) == rows.height]
    assert fitting, f"{rows.height} rows were read, the arrays have {[len(array) for array in arrays]}"
    faults = [list(_other_rows(rows, array, bad)) for array in fitting]
    assert not all(faults), faults[0][0]


def _other_rows(rows: pl.DataFrame, array: list[Any], bad: set[int]) -> Iterator[str]:
    for (number, raw), wanted in zip(rows.select(ROW, RAW).iter_rows(), array, strict=True):
        if number not in bad and _parsed(raw) != wanted:
            yield f"row {number}: json finds {wanted!r:.300}, read was {raw!r:.300}"


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=_Number, parse_int=_Number)


def _check_records(lines: Sequence[tuple[int, str]], origin: Origin, rows: pl.DataFrame, bad: set[int]) -> None:
    for (number, line), row in zip(lines, rows.iter_rows(named=True), strict=True):
        if number in bad or "_coval_etl_" in line:
            continue
        wanted = _parsed(line)
        types = json.loads(row[TYPES] or "{}")
        assert _parsed(row[RAW]) == wanted, f"line {number}: json finds {wanted!r:.300}, kept was {row[RAW]!r:.300}"
        for key in origin.columns:
            cell = row[key]
            if key not in wanted:
                assert cell is None, f"line {number} has no {key!r}, read was {cell!r:.300}"
            elif types.get(key) is None:
                assert cell == wanted[key], f"line {number}: json finds {wanted[key]!r:.300}, read was {cell!r:.300}"
                assert not isinstance(wanted[key], _Number)
            else:
                assert _parsed(cell) == wanted[key], (
                    f"line {number}: json finds {wanted[key]!r:.300}, read was {cell!r:.300}"
                )


_ORACLES: dict[str, Callable[[bytes, Origin, pl.DataFrame, set[int]], None]] = {
    "jsonl": _check_json_lines,
    "json": _check_json,
}

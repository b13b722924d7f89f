"""Delimited text: CSV and its relatives, read as a stream, every cell exactly as it stands.

It must never know what a column means, and never repairs: a record with too many or too few cells is a problem on its
row, a quote that does not close is where reading stops.

Row numbers count records, as a spreadsheet program does: the first is 1, titles and blank ones count, a record with
line breaks inside quotes is one. A `sep=` line is not a record.
"""

import csv
import json
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TextIO

import polars as pl

from etl.batch import RAW, Batch, Decision, Origin, column_letters
from etl.errors import FileError
from etl.problems import Code, Problem
from etl.readers.assembly import BLANKS, SAMPLE_ROWS, assemble, cell_problem, error_texts, in_batches
from etl.readers.dialect import Dialect, sniff_dialect
from etl.readers.encoding import decide_encoding, decode_head, open_text
from etl.readers.header import SEARCHED_ROWS, Header, find_header, header_decision
from etl.readers.options import ReadOptions
from etl.readers.quotes import find_open_quote, has_stray_quotes
from etl.readers.source import Source

CELL_CHARACTERS = 32_000_000
"""A longer cell is taken for a quote that never closes."""
_HEAD_RECORDS = 10_000
"""The header and the sample must be found among so many records, blank ones counted."""


class Record(NamedTuple):
    """A record: its number, its cells, and whether quotes stand in it where none should."""

    row: int
    cells: list[str]
    stray_quotes: bool


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """A delimited file as the one table that it is. `width` is the number of cells that every record must have."""

    origin: Origin
    sample: pl.DataFrame
    decisions: tuple[Decision, ...]
    source: Source
    dialect: Dialect
    header: Header
    width: int

    def batches(self) -> Iterator[Batch]:
        """All rows; each call reads the file again. Raises FileError for a quote that does not close."""
        with closing(_read_records(self.source, self.origin.dialect["encoding"], self.dialect)) as records:
            rows = (record for record in records if record.row > self.header.row and not _is_blank(record.cells))
            for held in in_batches(rows, lambda record: sum(map(len, record.cells))):
                yield _assemble(self.origin, self.header, self.width, held)


def survey_delimited(source: Source, options: ReadOptions) -> DelimitedTable:
    """The table of a delimited file. Reads the file once for its encoding, then its beginning.

    Raises FileError: undecodable, no certain delimiter, no certain header, a quote that does not close.
    """
    header_row = options.header_row
    codec = decide_encoding(source, options.encoding, western=True)
    whole = len(source.head) == source.size_bytes
    dialect = sniff_dialect(decode_head(source, codec), whole=whole, wanted=options.delimiter, label=source.label)
    head = _read_head(source, codec, dialect, header_row)
    if not head:
        raise FileError(f"{source.label} holds no rows: every line is blank.")
    lines = [(row, {at: cell for at, cell in enumerate(cells, 1) if cell.strip(BLANKS)}) for row, cells, _ in head]
    header = find_header(lines, header_row, source.label, {record.row: len(record.cells) for record in head})
    titles = next(record.cells for record in head if record.row == header.row)
    rows = [record for record in head if record.row > header.row][:SAMPLE_ROWS]
    width = _usual_width(max(header.positions), len(titles), rows)
    origin = Origin(
        source.file,
        None,
        "csv",
        header.names,
        header.positions,
        header.row,
        {"encoding": codec, "delimiter": dialect.delimiter, "line_end": dialect.line_end},
    )
    sample = _assemble(origin, header, width, rows).source
    decisions = (header_decision(header, header_row),)
    return DelimitedTable(origin, sample, decisions, source, dialect, header, width)


def _usual_width(named: int, titles: int, rows: Sequence[Record]) -> int:
    """How many cells every record must have: as the header, whose last cells may be empty and left out below.

    One number and no range: a record that is one cell short or long may have all its cells in the wrong columns.
    """
    lengths = Counter(len(record.cells) for record in rows)
    usual = lengths.most_common(1)[0][0] if lengths else titles
    return usual if named <= usual <= titles else titles


def _read_head(source: Source, codec: str, dialect: Dialect, header_row: int | None) -> list[Record]:
    """The first records that hold anything: enough to find the header and to fill the sample."""
    first = header_row or 0
    head: list[Record] = []
    with closing(_read_records(source, codec, dialect)) as records:
        for record in islice(records, first + _HEAD_RECORDS):
            if not _is_blank(record.cells):
                head.append(record)
            if record.row > first and len(head) >= SEARCHED_ROWS + SAMPLE_ROWS:
                break
    return head


def _is_blank(cells: Sequence[str]) -> bool:
    return not any(cell.strip(BLANKS) for cell in cells)


def _assemble(origin: Origin, header: Header, width: int, records: Sequence[Record]) -> Batch:
    """Rows of the table's columns. A record that does not fit fills its columns as far as it goes and is kept whole."""
    unnamed = [at for at in range(width) if at + 1 not in header.positions and at + 1 not in header.ignored]
    rows: list[int] = []
    raws: list[str | None] = []
    filled: list[list[str]] = []
    found: list[Problem] = []
    for record in records:
        row, cells, _ = record
        fault = _misfit(record, width, unnamed, header)
        if fault is not None:
            found.append(cell_problem(origin, row, None, Code.RAGGED_ROW, fault, None))
        rows.append(row)
        raws.append(None if fault is None else json.dumps(cells, ensure_ascii=False))
        filled.append(cells if len(cells) == width else (cells + [""] * (width - len(cells)))[:width])
    by_column = list(zip(*filled, strict=True)) if filled else [()] * width
    columns = [[cell or None for cell in by_column[position - 1]] for position in header.positions]
    batch = assemble(origin, rows, {RAW: raws}, columns, found)
    return batch.with_problems(error_texts(batch.source, origin))


def _misfit(record: Record, width: int, unnamed: Sequence[int], header: Header) -> str | None:
    """What is wrong with a record's shape, as a sentence."""
    cells = record.cells
    if record.stray_quotes:
        return "a quote opens in the middle of a cell and closes in another: a separator before it is missing"
    if len(cells) != width:
        advice = (
            "put quotes round a cell that holds the separator, or remove what is too much"
            if len(cells) > width
            else "add the missing separators, and put quotes round a cell that holds a line break"
        )
        return f"the record has {len(cells)} cells, the header has {width}: {advice}"
    for at in unnamed:
        if cells[at]:
            return f"column {column_letters(at + 1)} holds data but has no name in the header (row {header.row})"
    return None


class _Lines:
    """The physical lines of a text, remembering those of the record in hand, so that an open quote can be named."""

    def __init__(self, text: TextIO, label: str) -> None:
        self._text = text
        self._label = label
        self._held: list[str] = []
        self._before = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(CELL_CHARACTERS)
        if not line:
            raise StopIteration
        if not self._before and not self._held:
            line = line.removeprefix("\ufeff")
        self._held.append(line)
        return line

    def start_record(self) -> None:
        self._before += len(self._held)
        self._held.clear()

    def record(self) -> str:
        """The text of the record in hand."""
        return "".join(self._held)

    def explain(self, error: csv.Error, delimiter: str) -> FileError:
        """Where the quote opened that csv could not make sense of."""
        line = self._before + _line_of(self._held, find_open_quote(self.record(), delimiter))
        last = self._before + len(self._held)
        if "end of data" in str(error) or "field limit" in str(error):
            return FileError(
                f"{self._label}: the quote that opens in line {line} never closes.",
                'Close it; a quote inside a quoted cell is written twice: "".',
            )
        return FileError(
            f"{self._label}: in line {last}, text follows the quote that closes a cell (opened in line {line}).",
            'A quote inside a quoted cell is written twice: "".',
        )


def _line_of(lines: Sequence[str], offset: int) -> int:
    """The number, from 1, of the line that holds the character at `offset`."""
    for number, line in enumerate(lines, 1):
        offset -= len(line)
        if offset < 0:
            return number
    return len(lines)


def _read_records(source: Source, codec: str, dialect: Dialect) -> Generator[Record]:
    """Every record with its number. The one place that knows which library splits the text."""
    csv.field_size_limit(CELL_CHARACTERS)  # the limit is the process's, 131,072 unless told
    with open_text(source, codec, newline="") as text:
        lines = _Lines(text, source.label)
        if dialect.sep_line:
            next(lines)
        reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        number = 0
        while True:
            lines.start_record()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise lines.explain(error, dialect.delimiter) from error
            if cells is None:
                return
            number += 1
            stray = '"' in "".join(cells) and has_stray_quotes(lines.record(), dialect.delimiter)
            yield Record(number, cells, stray)

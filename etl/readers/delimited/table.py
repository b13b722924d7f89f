"""Delimited text: CSV and its relatives, read as a stream, every cell exactly as it stands.

It must never know what a column means, and never repairs: a record with too many or too few cells is a problem on its
row, a quote that does not close is where reading stops.

Row numbers count records, as a spreadsheet program does: the first is 1, titles and blank ones count, a record with
line breaks inside quotes is one. A `sep=` line is not a record.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import polars as pl

from etl.batch import RAW, ROW, Batch, Decision, Origin
from etl.errors import FileError
from etl.problems import Code, Problem, joined
from etl.readers.assembly import BATCH_ROWS, BLANKS, SAMPLE_ROWS, assemble, cell_problem, error_texts
from etl.readers.damage import find_damage
from etl.readers.delimited.dialect import Dialect, told_dialect
from etl.readers.delimited.misfit import find_misfit, misfits_in_columns, without_sentences
from etl.readers.delimited.records import Record
from etl.readers.delimited.sniff_dialect import sniff_dialect
from etl.readers.delimited.split import Part, open_records, read_parts
from etl.readers.header import SEARCHED_ROWS, Header, find_header, header_decision
from etl.readers.options import ReadOptions
from etl.readers.sources.source import Source
from etl.readers.texts.ahead import read_ahead
from etl.readers.texts.blocks import Utf8Blocks
from etl.readers.texts.encoding import decode_head, find_encoding

_HEAD_RECORDS = 10_000
"""The header and the sample must be found among so many records, blank ones counted."""
_BLANK_START = f"^[{BLANKS}]"


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
        parts = read_parts(self.source, self.origin.dialect["encoding"], self.dialect, self.width, self.header.row)
        with closing(read_ahead(parts)) as ahead:
            for part in ahead:
                yield from self._batches(part)

    def _batches(self, part: Part) -> Iterator[Batch]:
        records = [record for record in part.records if not _is_blank(record.cells)]
        if part.frame is None:
            if records:
                yield _assemble(self.origin, self.header, self.width, records)
            return
        rows = _without_blank(part.frame)
        if suspects := misfits_in_columns(self.header, self.width):
            held = pl.any_horizontal(suspects)
            odd = rows.filter(held).iter_rows()
            records += [Record(row, [cell or "" for cell in cells]) for row, *cells in odd]
            rows = rows.filter(~held)
        frame = rows.select(
            ROW,
            pl.lit(None, dtype=pl.String).alias(RAW),
            *(
                pl.col(str(at - 1)).alias(name)
                for at, name in zip(self.header.positions, self.header.names, strict=True)
            ),
        )
        problems = joined([error_texts(frame, self.origin), find_damage(frame, self.origin, is_ascii=part.is_ascii)])
        if records:
            others = _assemble(self.origin, self.header, self.width, records)
            frame = pl.concat([frame, others.source]).sort(ROW)
            problems = joined([problems, others.problems])
        yield from _in_slices(Batch(self.origin, frame, frame, problems))


def _in_slices(batch: Batch) -> Iterator[Batch]:
    for frame in batch.source.iter_slices(BATCH_ROWS):
        problems = batch.problems
        if problems.height:
            problems = problems.filter(pl.col("row").is_between(frame[ROW][0], frame[ROW][-1]))
        yield Batch(batch.origin, frame, frame, problems)


def _without_blank(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that hold anything. Few rows begin with a blank cell, and only those are looked at whole."""
    suspects = rows.filter(pl.col("0").is_null() | pl.col("0").str.contains(_BLANK_START))
    if suspects.is_empty():
        return rows
    blank = pl.all().exclude(ROW).str.strip_chars(BLANKS).fill_null("") == ""
    blanks = suspects.filter(pl.all_horizontal(blank))[ROW]
    return rows.filter(~pl.col(ROW).is_in(blanks.implode())) if blanks.len() else rows


def survey_delimited(source: Source, options: ReadOptions) -> DelimitedTable:
    """The table of a delimited file. Reads the file once for its encoding, then its beginning.

    Raises FileError: undecodable, no certain delimiter, no certain header, a quote that does not close.
    """
    header_row = options.header_row
    codec, encoding = find_encoding(source, options.encoding, western=True, glance=options.glance)
    whole = len(source.head) == source.size_bytes
    told = told_dialect(options)
    dialect, signs = sniff_dialect(decode_head(source, codec), whole=whole, told=told, label=source.label)
    head = _read_head(source, codec, dialect, header_row)
    if not head:
        raise FileError(f"{source.label} holds no rows: every line is blank.", "Name another file.")
    lines = [(row, {at: cell for at, cell in enumerate(cells, 1) if cell.strip(BLANKS)}) for row, cells, *_ in head]
    widths = {record.row: len(record.cells) for record in head}
    header = find_header(lines, header_row, source.label, widths, options.columns)
    rows = [record for record in head if record.row > header.row][:SAMPLE_ROWS]
    width = _width(header, widths, rows)
    origin = Origin(
        source.file,
        None,
        "csv",
        header.names,
        header.positions,
        header.row or None,
        {"encoding": codec, **told.spelled_like(dialect)},
    )
    sample = _assemble(origin, header, width, rows).source
    decisions = (encoding, *signs, header_decision(header, header_row, options.columns))
    return DelimitedTable(origin, sample, decisions, source, dialect, header, width)


def _width(header: Header, widths: Mapping[int, int], rows: Sequence[Record]) -> int:
    """How many cells every record must have: as the header, whose last cells may be empty and left out below.

    One number and no range: a record that is one cell short or long may have all its cells in the wrong columns. Of
    rejects, every record has the header's: one that was too short then is too short now, and its last cell is our
    sentence.
    """
    named = max(header.positions)
    titles = widths[header.row] if header.row else max(named, *widths.values())
    if header.ignored:
        return titles
    lengths = Counter(len(record.cells) for record in rows)
    usual = lengths.most_common(1)[0][0] if lengths else titles
    return usual if named <= usual <= titles else titles


def _read_head(source: Source, codec: str, dialect: Dialect, header_row: int | None) -> list[Record]:
    """The first records that hold anything: enough to find the header and to fill the sample."""
    first = header_row or 0
    head: list[Record] = []
    with Utf8Blocks(source, codec) as blocks:
        records = open_records(blocks, dialect, source.label)
        for record in islice(iter(records.read, None), first + _HEAD_RECORDS):
            if not _is_blank(record.cells):
                head.append(record)
            if record.row > first and len(head) >= SEARCHED_ROWS + SAMPLE_ROWS:
                break
    return head


def _is_blank(cells: Sequence[str]) -> bool:
    return not any(cell.strip(BLANKS) for cell in cells)


def _assemble(origin: Origin, header: Header, width: int, records: Sequence[Record]) -> Batch:
    """Rows of the table's columns. A record that does not fit fills its columns as far as it goes and is kept whole.

    Rejects are written from what is kept, and must not fit either, as often as they are read: so the last cell of
    rejects, our sentence, is left out, and a record with faulty quotes, which writing would mend, is kept as one cell.
    """
    end = -1 if width in header.ignored else None
    rows: list[int] = []
    raws: list[str | None] = []
    filled: list[list[str]] = []
    found: list[Problem] = []
    for record in records:
        row, cells, *_ = record
        fault = find_misfit(record, header, width)
        if fault is not None:
            found.append(cell_problem(origin, row, None, Code.RAGGED_ROW, fault, None))
            cells = cells[:end]
        kept = [record.text] if record.text and width > 1 else cells
        rows.append(row)
        raws.append(None if fault is None else json.dumps(kept, ensure_ascii=False))
        shown = cells if fault is None else without_sentences(cells, header)
        filled.append(shown if len(shown) == width else (shown + [""] * (width - len(shown)))[:width])
    by_column = list(zip(*filled, strict=True)) if filled else [()] * width
    columns = [[cell or None for cell in by_column[position - 1]] for position in header.positions]
    batch = assemble(origin, rows, {RAW: raws}, columns, found)
    return batch.with_problems(error_texts(batch.source, origin), find_damage(batch.source, origin))

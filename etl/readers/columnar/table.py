"""Columnar: Parquet and Arrow files as tables, every value as text that says exactly what is stored.

It must never change a value to make it fit: what JSON cannot say (NaN, bytes that are no text, a day in the year
20,000) is a problem on its row.

Rows are numbered from 1.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import msgspec
import polars as pl

from etl.batch import TYPES, Batch, Certainty, Decision, Origin
from etl.formats import RecordFormat
from etl.problems import Code, Problem
from etl.readers.assembly import SAMPLE_ROWS, assemble, cell_problem, spoken
from etl.readers.columnar.typed_text import Flaw
from etl.readers.confined import Limits, Plain, confined
from etl.readers.damage import find_mojibake
from etl.readers.options import ReadOptions
from etl.readers.sources.source import Source

_LIMITS = Limits(start_bytes=1 << 30, cpu_s=5)
"""The rows of the first page of every column, decoded, are there before the first piece; of 1,000 columns too."""
_FEW_BYTES = 4 << 20
_FLAWS = {
    Flaw.NOT_FINITE: (Code.MALFORMED_JSON, "holds NaN or Infinity, which JSON does not have; leave the value out"),
    Flaw.NOT_TEXT: (Code.CONTROL_CHARACTER, "holds bytes that are no text (UTF-8); write it as text, or leave it out"),
    Flaw.NOT_A_DATE: (Code.ERROR_CELL, "holds a date or time that no calendar has; correct it, or leave it out"),
    Flaw.CONTROL_INSIDE: (Code.CONTROL_CHARACTER, "holds a control character inside; remove it"),
    Flaw.KEY_TWICE: (Code.DUPLICATE_KEY, "holds a map with one key twice; keep one"),
}


class _Piece(msgspec.Struct):
    """What `typed_rows` yields."""

    frame: bytes
    columns: list[str] = []
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class ColumnarTable:
    """A Parquet or Arrow file as the one table that it is."""

    origin: Origin
    sample: pl.DataFrame
    decisions: tuple[Decision, ...]
    source: Source
    whole: bytes | None
    """All rows in words, where they are few: they need not be read twice."""

    def batches(self) -> Iterator[Batch]:
        """All rows; each call reads the file again. Raises FileError where it is damaged."""
        row = 1
        with closing(self._frames()) as frames:
            for frame in frames:
                batch = _batch(self.origin, frame, row)
                if len(batch):
                    yield batch
                row += len(batch)

    def _frames(self) -> Generator[bytes]:
        if self.whole is None:
            with closing(_read(self.source, self.origin.format)) as pieces:
                yield from (piece.frame for piece in pieces)
        else:
            self.source.refuse_change()
            yield self.whole


def survey_parquet(source: Source, _: ReadOptions) -> ColumnarTable:
    """The table of a Parquet file. Reads its description, and enough of it for the first rows.

    Raises FileError: damaged, encrypted, values that have no text, columns without a name of their own.
    """
    return _survey(source, "parquet")


def survey_arrow(source: Source, _: ReadOptions) -> ColumnarTable:
    """The table of an Arrow file (Feather) or stream; as `survey_parquet`."""
    return _survey(source, "arrow")


def _survey(source: Source, format_: RecordFormat) -> ColumnarTable:
    with closing(_read(source, format_)) as pieces:
        first = next(pieces)
        whole = len(first.frame) <= _FEW_BYTES and next(pieces, None) is None
    origin = Origin(source.file, None, format_, tuple(first.columns))
    decisions = []
    if first.rows is not None:
        decisions.append(Decision("rows", f"{first.rows:,}", "the file says so itself", Certainty.CERTAIN))
    sample = _batch(origin, first.frame, 1).source.head(SAMPLE_ROWS)
    return ColumnarTable(origin, sample, tuple(decisions), source, first.frame if whole else None)


def _read(source: Source, format_: str) -> Generator[_Piece]:
    """The file in words, piece by piece; there is always a first. A child process does the reading."""
    arguments: dict[str, Plain] = {"format_": format_, "label": source.label}
    function = "etl.readers.columnar.typed_rows:read_rows"
    with closing(confined(function, source.path, arguments, source.label, _LIMITS)) as chunks:
        for chunk in chunks:
            yield msgspec.convert(chunk, _Piece)
    source.refuse_change()


def _batch(origin: Origin, words: bytes, first: int) -> Batch:
    """A batch of the rows from number `first` on."""
    frame = pl.read_ipc_stream(words)
    rows = pl.int_range(first, first + frame.height, eager=True)
    texts = [frame.get_column(str(at)) for at in range(len(origin.columns))]
    batch = assemble(origin, rows, {TYPES: frame.get_column(TYPES)}, texts, _problems(origin, frame, rows))
    return batch.with_problems(find_mojibake(batch.source, origin))


def _problems(origin: Origin, frame: pl.DataFrame, rows: pl.Series) -> Iterator[Problem]:
    for at, name in enumerate(origin.columns):
        if f"flaw {at}" not in frame.columns:
            continue
        flaws = frame.get_column(f"flaw {at}")
        for row, flaw in zip(rows.filter(flaws.is_not_null()), flaws.drop_nulls(), strict=True):
            code, message = _FLAWS[Flaw(flaw)]
            yield cell_problem(origin, row, name, code, f"{spoken(name)} {message}", None)

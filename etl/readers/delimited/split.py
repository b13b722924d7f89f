"""Split: the fast way through delimited text, a block at a time, and only where it is proven to be the exact way.

It must never split what it has not proven: the records of a block are written again and compared with it (`proof`),
or held against the grammar of the dialect (one regular expression for records of exactly so many cells), and what fits
neither goes to `records`, which is slow and always right.

Proven are records of the expected number of cells, each bare (no quote, no line break) or in quotes from end to end,
without control characters. A record that csv would read, but that is none of these (ragged, a sign for inches), is
handed to `records` alone; from anything else on, the rest of the block is.
"""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import polars as pl

from etl.batch import ROW
from etl.errors import FileError
from etl.readers.assembly import BATCH_ROWS, in_batches
from etl.readers.delimited.dialect import Dialect
from etl.readers.delimited.proof import Rewriter, Signs, signs_of
from etl.readers.delimited.records import Record, Records
from etl.readers.sources.source import Source
from etl.readers.texts.blocks import Lines, Utf8Blocks
from etl.readers.texts.encoding import as_text

BLOCK_BYTES = 6 << 20
"""So much is proven and split at once."""
LINES_BYTES = 1 << 20
"""So much is taken at once for reading line by line."""
MOST_CELLS = 400
"""The grammar of wider records grows too large to be fast."""
_MARKS = "\x01\x02\x03"
"""One of them stands, alone in its record, for a record that is read elsewhere: control characters are never proven."""
_UNPROVEN = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\x{FEFF}"
"""Control characters, which are problems, and the byte order mark, which polars removes from the start of a text."""


class Part(NamedTuple):
    """Some of the records, in order by number: `frame` has `_row` and the cells by position, from "0" (null: empty),
    or is None; `records` are those that `records` has read, perhaps in between. `is_ascii`: all of them surely are."""

    frame: pl.DataFrame | None
    records: list[Record]
    is_ascii: bool = False


@dataclass(frozen=True, slots=True)
class Proven:
    """The start of a block: `length` bytes, `count` records, which are in `part`, on `lines` physical lines."""

    part: Part
    count: int
    lines: int
    length: int


class Grammar:
    """The records of one dialect with one number of cells. A context manager: it has a thread of its own."""

    def __init__(self, dialect: Dialect, width: int, label: str) -> None:
        self.dialect = dialect
        self._width = width
        self._label = label
        one = f"{_record(dialect, width)}\r?\n"
        self._whole = rf"\A(?:{one})+\z"
        self._pieces = rf"(?:{one})+|{_any_record(dialect)}\r?\n|(?s:.+)"
        self._sound = rf"\A(?:(?:{one})+|{_any_record(dialect)}\r?\n)\z"
        mark = next(sign for sign in _MARKS if sign not in {dialect.delimiter, dialect.quote})
        self._is_marked = pl.col("0").eq_missing(mark)
        self._marked = pl.Series([mark + dialect.delimiter * (width - 1) + "\n"])
        self._rewriter = Rewriter(dialect)
        self._prover = ThreadPoolExecutor(1, "etl-prove")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._prover.shutdown()

    def split(self, block: bytes, row: int) -> Proven | None:
        """The records at the start of a block of whole lines, numbered from `row`; None: nothing is proven."""
        if self.dialect.escape and self.dialect.escape.encode() in block:
            return None
        signs = signs_of(block)
        if signs.ends * self._width > len(block):
            return None  # mostly blank lines, each of which would cost a row
        text = as_text(block)
        if text is None:
            return None  # not UTF-8: who reads it line by line will say where
        return self._split_written(block, signs, row) or self._split_matched(block, text, signs, row)

    def _split_written(self, block: bytes, signs: Signs, row: int) -> Proven | None:
        """Proven by writing the records again. Where a record on several lines may be several, that shows nothing."""
        if not self._rewriter.can_show(signs):
            return None
        frame = self._parse(block, signs.ends, row)
        if frame is None or (self.dialect.doubts_quotes and frame.height != signs.ends):
            return None
        if not self._rewriter.shows(frame.drop(ROW), block, signs):
            return None
        return Proven(Part(frame, [], signs.is_ascii), frame.height, signs.ends, len(block))

    def _split_matched(self, block: bytes, text: pl.Series, signs: Signs, row: int) -> Proven | None:
        """Proven by the grammar, in pieces where the whole does not match it."""
        proof = self._prover.submit(text.str.contains, self._whole)
        frame = self._parse(block, signs.ends, row)  # on the other core, and for nothing where the proof fails
        if not proof.result()[0]:
            return self._split_pieces(text, row)
        if frame is None:
            return None
        lines = _count_lines(block, signs.ends)
        return Proven(Part(frame, [], signs.is_ascii), frame.height, lines, len(block))

    def _split_pieces(self, text: pl.Series, row: int) -> Proven | None:
        """Runs of proven records are split together; a record between them leaves its mark, so that numbers stay."""
        pieces = text.str.extract_all(self._pieces).explode()
        if not pieces[-1:].str.contains(self._sound)[0]:
            pieces = pieces[:-1]
        is_run = pieces.str.contains(self._whole)
        others = pieces.filter(~is_run)
        if not pieces.len() or others.len() > BATCH_ROWS:
            return None
        runs = "".join(pieces.zip_with(is_run, self._marked)).encode()
        frame = self._parse(runs, runs.count(b"\n"), row)
        if frame is None:
            return None
        records = self._read("".join(others), frame.filter(self._is_marked)[ROW])
        whole = "".join(pieces).encode()
        lines = _count_lines(whole, whole.count(b"\n"))
        return Proven(Part(frame.filter(~self._is_marked), records), frame.height, lines, len(whole))

    def _parse(self, proven: bytes, ends: int, row: int) -> pl.DataFrame | None:
        """Proven records, with `ends` line feeds, as a frame; None where polars makes other rows of them than they are.

        So it should never be; it is checked because a row more or less would go unnoticed.
        """
        try:
            frame = pl.read_csv(
                proven,
                has_header=False,
                separator=self.dialect.delimiter,
                quote_char=self.dialect.quote or None,
                schema={str(at): pl.String for at in range(self._width)},
                null_values=[""],
                infer_schema=False,
            )
        except pl.exceptions.PolarsError:
            return None
        if frame.height != ends:
            inside = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True).sum())
            if frame.height + frame.select(inside).item() != ends:
                return None
        return frame.with_row_index(ROW, row).with_columns(pl.col(ROW).cast(pl.Int64))

    def _read(self, text: str, numbers: Iterable[int]) -> list[Record]:
        lines = Lines(None, 0)
        lines.give(text.encode())
        records = Records(lines, self.dialect, self._label)
        return [record._replace(row=row) for row in numbers if (record := records.read()) is not None]


def can_prove(dialect: Dialect, width: int) -> bool:
    """Whether there is a grammar for it: polars knows only signs of one byte."""
    return width <= MOST_CELLS and dialect.delimiter.isascii() and dialect.quote.isascii()


def read_parts(source: Source, codec: str, dialect: Dialect, width: int, after: int) -> Generator[Part]:
    """The records of a file after the one numbered `after`, blank ones too; fast where `width` cells are proven.

    Raises FileError for a byte that is no text and for quotes that do not fit, naming the line.
    """
    with Utf8Blocks(source, codec) as blocks:
        records = open_records(blocks, dialect, source.label)
        while records.row < after and records.read():
            pass
        if can_prove(dialect, width):
            with Grammar(dialect, width, source.label) as grammar:
                yield from _read_blocks(blocks, records, grammar)
        yield from _read_exactly(records, None)


def open_records(blocks: Utf8Blocks, dialect: Dialect, label: str) -> Records:
    """The records of a text from its start."""
    records = Records(Lines(blocks, LINES_BYTES), dialect, label)
    if dialect.sep_line:
        records.skip_line()
    return records


def _read_blocks(blocks: Utf8Blocks, records: Records, grammar: Grammar) -> Generator[Part]:
    """Block by block up to the last whole line of the text; what is behind it is left to `records`."""
    ahead = records.lines.rest()
    while True:
        data = blocks.read(BLOCK_BYTES)
        ahead += data
        end = _last_end(ahead, grammar.dialect.quote.encode())
        if not (data or end):
            records.lines.give(ahead)
            return
        done = 0
        if end and (proven := grammar.split(ahead[:end], records.row + 1)) is not None:
            yield proven.part
            done = proven.length
            records.step_over(proven.count, proven.lines)
        if done < end or not end:
            records.lines.give(ahead[done:])
            yield from _read_exactly(records, len(ahead[done:end].decode(errors="replace")) or 1)
            ahead = records.lines.rest()
        else:
            ahead = ahead[end:]


def _read_exactly(records: Records, characters: int | None) -> Generator[Part]:
    """Record by record, to the end of the text or until so many characters are behind.

    What stands before the place where reading stops is still handed on.
    """
    stopped: list[FileError] = []

    def read() -> Iterator[Record]:
        try:
            while (characters is None or records.lines.taken < characters) and (record := records.read()):
                yield record
        except FileError as error:
            stopped.append(error)

    for held in in_batches(read(), lambda record: sum(map(len, record.cells))):
        yield Part(None, held)
    if stopped:
        raise stopped[0]


def _last_end(text: bytes, quote: bytes) -> int:
    """Where the last line ends that is not inside quotes, if quotes come in pairs: a guess, which need not be right."""
    end = text.rfind(b"\n") + 1
    if not quote or not end:
        return end
    is_open = text.count(quote, 0, end) % 2 == 1
    at = end
    while is_open and at > len(text) // 2:
        opening = text.rfind(quote, 0, at)
        at = text.rfind(b"\n", 0, opening) + 1
        is_open = text.count(quote, at, opening) % 2 == 1
    return at if at > len(text) // 2 else end


def _count_lines(text: bytes, ends: int) -> int:
    """How many physical lines a text of whole lines has that holds so many line feeds."""
    return ends + text.count(b"\r") - text.count(b"\r\n") if b"\r" in text else ends


def _record(dialect: Dialect, width: int) -> str:
    """A record of so many cells without its end, or nothing."""
    quote, delimiter = _spelled(dialect.quote), _spelled(dialect.delimiter)
    cell = rf"[^{quote}{delimiter}\r\n{_UNPROVEN}]*"
    if dialect.quote:
        # Where a record on several lines may be several, a quoted cell holds line breaks or delimiters, never both.
        without = [r"\r\n", delimiter] if dialect.doubts_quotes else [""]
        inside = (rf"{quote}(?:[^{quote}{_UNPROVEN}{sign}]|{quote}{quote})*{quote}" for sign in without)
        cell = rf"(?:{cell}|{'|'.join(inside)})"
    return rf"(?:{cell}(?:{delimiter}{cell}){{{width - 1}}})?"


def _any_record(dialect: Dialect) -> str:
    """Whatever csv reads as one record, without its end."""
    quote, delimiter = _spelled(dialect.quote), _spelled(dialect.delimiter)
    cell = rf"[^{delimiter}\r\n]*"
    if dialect.quote:
        cell = rf"(?:(?:[^{quote}{delimiter}\r\n]{cell})?|{quote}(?:[^{quote}]|{quote}{quote})*{quote})"
    return rf"{cell}(?:{delimiter}{cell})*"


def _spelled(sign: str) -> str:
    return rf"\x{{{ord(sign):X}}}" if sign else ""

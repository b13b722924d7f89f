"""Parquet: a file cut into parts that are small enough to decode, each a Parquet file of its own.

It must never decode a value: that is for polars. But polars decodes a whole row group, and believes what a footer
says, so the pages are cut out here, by their own headers, and get a footer that says only what was found.
"""

import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO, NamedTuple

import polars as pl

from etl.readers.assembly import BATCH_ROWS
from etl.readers.columnar.arrow_schema import Hint, read_hints
from etl.readers.columnar.parquet_schema import read_schema
from etl.readers.columnar.physical import Column, DamagedError, NotReadError, checked, decoding
from etl.readers.columnar.thrift import Record, RecordWriter, read_record

PART_BYTES = 64 << 20
"""A row group that weighs no more, decoded, is one part."""
_RUN_PARTS = 8
"""Else the pages of one column are taken together up to this part of that weight."""
MOST_PAGE_BYTES = 128 << 20
"""A page that weighs more is not decoded; usual are 1 MB."""
MOST_COLUMN_BYTES = 256 << 20
"""Nested columns whose pages do not say how many rows they hold are decoded by the row group; up to this weight."""
_MOST_FOOTER_BYTES = 64 << 20
_MOST_HEADER_BYTES = 16 << 20
_MOST_ROWS_A_BYTE = 50
"""More rows a byte of the file than this, beyond a million, are no table that anybody has written."""
MOST_HELD_BYTES = 384 << 20
"""What the parts of all columns that are decoded at one time may weigh."""
_MAGIC, _ENCRYPTED_MAGIC = b"PAR1", b"PARE"
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_ENCRYPTION = 8
"""The field of a footer that tells how columns are encrypted."""
_CRYPTO = 8
"""The same of a column."""
_LZO = 3
_MOST_PAGES = 1_000
"""Of a column in a row group that is one part: to look for more takes time."""
_SMALLER = "Write it with smaller row groups, or as CSV."


class _Page(NamedTuple):
    """A page: where it lies in the file, header and all, what it weighs decoded, and what it holds."""

    start: int
    header: int
    size: int
    weight: int
    values: int
    rows: int | None
    dictionary: bool
    checksum: int | None


class _Chunk(NamedTuple):
    """One leaf in one row group."""

    leaf: int
    values: int
    start: int
    codec: int
    encodings: tuple[int, ...]
    pages_at: tuple[int, int]
    """Where the list of its pages lies, and how long it is; zeros where there is none."""


@dataclass(slots=True)
class _Part:
    """Pages that hold the same rows of some leaves."""

    rows: int
    chunks: Sequence[_Chunk]
    """All of the row group, or those of the one column that is meant."""
    pages: dict[int, list[_Page]] = field(default_factory=dict)
    weight: int = 0

    def add(self, leaf: int, page: _Page) -> None:
        self.pages.setdefault(leaf, []).append(page)
        self.weight += page.weight


class _Bytes:
    """Bytes to be written behind each other."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []

    def put(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.size += len(piece)

    def joined(self) -> bytes:
        return b"".join(self._pieces)


class ParquetFile:
    """A Parquet file, open. Frames have the columns `0`, `1`, … with the values as they are stored."""

    def __init__(self, stream: BinaryIO, size_bytes: int, part_bytes: int = PART_BYTES) -> None:
        """`part_bytes`: a row group of this weight is decoded whole. Raises DamagedError, NotReadError."""
        self._stream = stream
        self._part_bytes = part_bytes
        self._size = size_bytes
        footer = self._read_footer()
        self._schema = read_schema(footer.records(2), _hints(footer))
        self.rows = footer.number(3)
        """How many rows the file says it has."""
        self._groups = footer.records(4)
        if sum(group.number(3) for group in self._groups) != self.rows or self.rows < 0:
            raise DamagedError("its row groups do not hold as many rows as it says")
        if self.rows > max(1_000_000, _MOST_ROWS_A_BYTE * size_bytes):
            raise NotReadError(f"says that it holds {self.rows:,} rows in {size_bytes:,} bytes", _SMALLER)

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._schema.columns

    def empty(self) -> pl.DataFrame:
        """A frame without rows."""
        return self._decode([], range(len(self.columns)))

    def frames(self) -> Generator[pl.DataFrame]:
        """All rows, in order, in frames of a bounded weight. Raises DamagedError, NotReadError."""
        everything = range(len(self.columns))
        held: list[_Part] = []
        weight = height = 0
        for group in self._groups:
            rows, chunks = group.number(3), self._chunks(group)
            part = self._whole(rows, chunks)
            if held and (part is None or weight + part.weight > self._part_bytes or height + rows > BATCH_ROWS):
                yield self._decode(held, everything)
                held, weight, height = [], 0, 0
            if part is None:
                yield from self._by_column(rows, chunks)
            elif rows:
                held.append(part)
                weight, height = weight + part.weight, height + rows
        if held:
            yield self._decode(held, everything)

    def _read_footer(self) -> Record:
        tail = self._read(max(self._size - 8, 0), 8)
        if tail[4:] == _ENCRYPTED_MAGIC:
            raise NotReadError("is encrypted", "Write it without encryption.")
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length + 12 > self._size:
            raise DamagedError("it does not end as a Parquet file does: part of it is missing")
        if length > _MOST_FOOTER_BYTES:
            raise NotReadError(f"has a description of {length:,} bytes", _SMALLER)
        try:
            footer, _ = read_record(self._read(self._size - 8 - length, length))
        except EOFError as error:
            raise DamagedError("its description ends too early") from error
        if _ENCRYPTION in footer:
            raise NotReadError("is encrypted", "Write it without encryption.")
        return footer

    def _chunks(self, group: Record) -> list[_Chunk]:
        found = group.records(1)
        if len(found) != len(self._schema.leaves):
            raise DamagedError("a row group does not hold its columns")
        return [self._chunk(leaf, one, group.number(3)) for leaf, one in enumerate(found)]

    def _chunk(self, leaf: int, told: Record, rows: int) -> _Chunk:
        if _CRYPTO in told:
            raise NotReadError("has encrypted columns", "Write it without encryption.")
        if told.data(1):
            raise NotReadError("keeps values in other files", "Write it as one file.")
        facts = told.record(3)
        values, codec = facts.number(5), facts.number(4)
        if codec == _LZO:
            raise NotReadError("is compressed with LZO", "Write it with another compression, such as zstd.")
        if rows < 0 or (values != rows and not self._schema.leaves[leaf].repeated) or values < 0:
            raise DamagedError("a column does not hold as many values as there are rows")
        start = facts.number(9)
        dictionary = facts.number(11, 0)  # some writers say 0 where there is none, others leave it out where there is
        start = min(start, dictionary) if dictionary > 0 else start
        index = (told.number(4, 0), told.number(5, 0))
        return _Chunk(leaf, values, start, codec, tuple(facts.numbers(2)), index)

    def _whole(self, rows: int, chunks: Sequence[_Chunk]) -> _Part | None:
        """A row group as one part; None where it is too heavy."""
        part = _Part(rows, chunks)
        for chunk in chunks:
            for page in self._pages(chunk, rows):
                part.add(chunk.leaf, page)
                if part.weight > self._part_bytes or len(part.pages[chunk.leaf]) > _MOST_PAGES:
                    return None
        return part

    def _by_column(self, rows: int, chunks: Sequence[_Chunk]) -> Iterator[pl.DataFrame]:
        """The rows of a heavy row group, each column decoded by itself, some pages at a time."""
        columns = range(len(self.columns))
        streams = [self._column_parts(column, rows, chunks) for column in columns]
        nothing = self.empty().get_columns()
        held = list(nothing)
        weights = [0] * len(columns)
        while rows:
            for column in columns:
                while not len(held[column]):
                    part = next(streams[column], None)
                    if part is None:
                        raise DamagedError(f"its column {self.columns[column].name!r} holds too few rows")
                    weights[column] = part.weight
                    if sum(weights) > MOST_HELD_BYTES:
                        raise NotReadError("has a row group that is too large to be read in parts", _SMALLER)
                    held[column] = self._decode([part], [column]).to_series()
            height = min(map(len, held))
            frame = pl.DataFrame([one.head(height) for one in held])
            # An empty slice would hold on to what it was cut from.
            held = [one.slice(height) if len(one) > height else none for one, none in zip(held, nothing, strict=True)]
            rows -= height
            yield frame
            del frame

    def _column_parts(self, column: int, rows: int, chunks: Sequence[_Chunk]) -> Iterator[_Part]:
        own = [chunk for chunk in chunks if self._schema.leaves[chunk.leaf].column == column]
        if len(own) > 1:
            yield self._whole_column(column, rows, own)
            return
        (chunk,) = own
        part = _Part(0, own)
        dictionary: list[_Page] = []
        most = 0  # the first page alone is enough for a preview
        for page in self._pages(chunk, rows):
            if page.rows is None:
                yield self._whole_column(column, rows, own)
                return
            if page.dictionary:
                dictionary = [page]
                continue
            if not part.pages:
                part.pages[chunk.leaf] = list(dictionary)
            part.add(chunk.leaf, page)
            part.rows += page.rows
            if part.weight >= most:
                yield part
                part = _Part(0, own)
                most = self._part_bytes // _RUN_PARTS + sum(page.weight for page in dictionary) // 4
        if part.rows:
            yield part

    def _whole_column(self, column: int, rows: int, chunks: Sequence[_Chunk]) -> _Part:
        part = _Part(rows, chunks)
        for chunk in chunks:
            for page in self._pages(chunk, rows):
                part.add(chunk.leaf, page)
                if part.weight > MOST_COLUMN_BYTES:
                    name = self.columns[column].name
                    raise NotReadError(f"holds too much of the column {name!r} in one row group", _SMALLER)
        return part

    def _pages(self, chunk: _Chunk, rows: int) -> Iterator[_Page]:
        """The pages of a chunk, by their headers. `rows`: of its row group."""
        repeated, width = self._schema.leaves[chunk.leaf].repeated, self._schema.leaves[chunk.leaf].width
        rows_at = self._rows_at(chunk, rows) if repeated else {}
        at, left = chunk.start, chunk.values
        while left:
            header, length = self._header(at)
            kind, size = header.number(1), header.number(3)
            start, at = at, at + length + size
            if size < 0 or at > self._size:
                raise DamagedError("a page ends behind the end of the file")
            told = header.record({_DATA: 5, _DICTIONARY: 7, _DATA_2: 8}.get(kind, 0))
            values = told.number(1, 0)
            weight = header.number(2) + width * values
            if not 0 <= values <= weight or (kind in {_DATA, _DATA_2} and values > left):
                raise DamagedError("a page holds more values than its column")
            if weight > MOST_PAGE_BYTES:
                raise NotReadError(f"has a page of {weight:,} bytes", _SMALLER)
            if kind not in {_DATA, _DICTIONARY, _DATA_2}:
                continue
            held = told.number(3) if kind == _DATA_2 else rows_at.get(start)
            checksum = header.number(4) & 0xFFFFFFFF if 4 in header else None
            yield _Page(
                start, length, size, weight, values, held if repeated else values, kind == _DICTIONARY, checksum
            )
            left -= 0 if kind == _DICTIONARY else values

    def _rows_at(self, chunk: _Chunk, rows: int) -> dict[int, int]:
        """How many rows the page at a position holds, where the file has a list of that."""
        at, length = chunk.pages_at
        if at <= 0 or not 0 < length <= _MOST_HEADER_BYTES:
            return {}
        try:
            index, _ = read_record(self._read(at, length))
        except EOFError as error:
            raise DamagedError("a list of pages ends too early") from error
        places = index.records(1)
        firsts = [*(place.number(3) for place in places), rows]
        if firsts[0] != 0 or any(last < first for first, last in pairwise(firsts)):
            raise DamagedError("a list of pages contradicts itself")
        return {place.number(1): last - first for place, (first, last) in zip(places, pairwise(firsts), strict=True)}

    def _header(self, at: int) -> tuple[Record, int]:
        """The header of a page, and its length."""
        window = 256
        while True:
            data = self._read(at, window)
            try:
                return read_record(data)
            except EOFError as error:
                if len(data) < window or window >= _MOST_HEADER_BYTES:
                    raise DamagedError("the header of a page ends too early") from error
            window *= 16

    def _read(self, at: int, size: int) -> bytes:
        if not 0 <= at <= self._size:
            raise DamagedError("its description points out of the file")
        self._stream.seek(at)
        return self._stream.read(size)

    def _decode(self, parts: Sequence[_Part], columns: Sequence[int]) -> pl.DataFrame:
        """The rows of some parts. The one place where polars reads Parquet."""
        names = [str(column) for column in columns]
        data = self._file_of(parts, columns)
        with decoding():
            frame = pl.read_parquet(
                BytesIO(data), columns=names, use_statistics=False, hive_partitioning=False, glob=False
            )
        return checked(frame, [self.columns[column] for column in columns], sum(part.rows for part in parts))

    def _file_of(self, parts: Sequence[_Part], columns: Sequence[int]) -> bytes:
        """A Parquet file of some columns of some parts."""
        out = _Bytes()
        out.put(_MAGIC)
        groups = []
        for part in parts:
            chunks = [self._put_chunk(out, chunk, part.pages.get(chunk.leaf, [])) for chunk in part.chunks]
            group = RecordWriter().records(1, chunks).number(2, 0, wide=True).number(3, part.rows, wide=True)
            groups.append(group.done())
        footer = RecordWriter().number(1, 2).records(2, self._schema.written(columns))
        footer.number(3, sum(part.rows for part in parts), wide=True).records(4, groups)
        data = footer.done()
        out.put(data + len(data).to_bytes(4, "little") + _MAGIC)
        return out.joined()

    def _put_chunk(self, out: _Bytes, chunk: _Chunk, pages: Sequence[_Page]) -> bytes:
        """Write the pages of a leaf; its description."""
        start = out.size
        first = start
        for page in pages:
            if page.dictionary:
                first += page.header + page.size
            out.put(self._page_bytes(page))
        leaf = self._schema.leaves[chunk.leaf]
        values = sum(page.values for page in pages if not page.dictionary)
        facts = RecordWriter().number(1, leaf.type).numbers(2, chunk.encodings).texts(3, leaf.path)
        facts.number(4, chunk.codec).number(5, values, wide=True)
        facts.number(6, out.size - start, wide=True).number(7, out.size - start, wide=True).number(9, first, wide=True)
        if first > start:
            facts.number(11, start, wide=True)
        return RecordWriter().number(2, 0, wide=True).record(3, facts).done()

    def _page_bytes(self, page: _Page) -> bytes:
        data = self._read(page.start, page.header + page.size)
        if page.checksum is not None and zlib.crc32(data[page.header :]) != page.checksum:
            raise DamagedError(f"the page at byte {page.start:,} has changed since it was written")
        return data


def _hints(footer: Record) -> list[Hint]:
    """What Arrow has added about the leaves; nothing where it was not there."""
    found = [one.data(2) for one in footer.records(5) if one.data(1) == b"ARROW:schema"]
    if not found:
        return []
    try:
        return read_hints(b64decode(found[0], validate=True))
    except Base64Error as error:
        raise DamagedError("its Arrow schema is no Base64") from error

"""Arrow: an Arrow file or stream cut into parts that are small enough to decode, each a stream of its own.

It must never decode a value: that is for polars. But polars maps a whole file into memory, reads a whole stream, and
believes the lengths that it finds, so the messages are cut out here, one after the other, their lengths checked.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import polars as pl

from etl.readers.assembly import BATCH_ROWS
from etl.readers.columnar.arrow_schema import read_schema
from etl.readers.columnar.flatbuffer import Table, read_table
from etl.readers.columnar.physical import Column, DamagedError, NotReadError, checked, decoding

RUN_BYTES = 8 << 20
"""Record batches are decoded together up to this weight."""
MOST_BATCH_BYTES = 512 << 20
"""A record batch that weighs more, decoded, is not read; usual are 64,000 rows."""
_MOST_DESCRIPTION_BYTES = 64 << 20
_VALUE_BYTES = 16
"""What a decoded value takes beside its own bytes."""
_MAGIC = b"ARROW1"
_CONTINUES = b"\xff\xff\xff\xff"
_END = _CONTINUES + bytes(4)
_SCHEMA, _DICTIONARY, _ROWS = 1, 2, 3
"""Kinds of messages."""
_PLACE = "qiiq"
"""Where a message is: its position, the lengths of its own bytes and of its body."""
_SMALLER = "Write it with smaller record batches, or as CSV."


@dataclass(frozen=True, slots=True)
class _Message:
    """A message: its kind, its own bytes, and where its body lies."""

    kind: int
    header: Table
    data: bytes
    body: int
    size: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A message with rows, or with the words of a dictionary."""

    message: _Message
    rows: int
    weight: int


class ArrowFile:
    """An Arrow file or stream, open. Frames have the columns `0`, `1`, … with the values as they are stored."""

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        """Raises DamagedError, NotReadError."""
        self._stream = stream
        self._size = size_bytes
        self._places: list[tuple[int, ...]] | None = None
        schema = self._read_footer() if self._read(0, len(_MAGIC)) == _MAGIC else self._first_schema()
        if schema is None:
            raise DamagedError("it has no schema")
        self._schema = read_schema(schema)
        self.rows: int | None = None
        """How many rows there are is only known when all have been read."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._schema.columns

    def empty(self) -> pl.DataFrame:
        """A frame without rows."""
        return self._decode({}, [])

    def frames(self) -> Generator[pl.DataFrame]:
        """All rows, in order, in frames of a bounded weight. Raises DamagedError, NotReadError."""
        words: dict[int, list[_Part]] = {}
        held: list[_Part] = []
        weight = height = 0
        for message in self._messages():
            if held and (message.kind == _DICTIONARY or weight >= RUN_BYTES or height >= BATCH_ROWS):
                yield self._decode(words, held)
                held, weight, height = [], 0, 0
            if message.kind == _ROWS:
                held.append(part := self._part(message, message.header))
                weight, height = weight + part.weight, height + part.rows
            elif message.kind == _DICTIONARY:
                self._learn(words, message)
        if held:
            yield self._decode(words, held)

    def _read_footer(self) -> Table | None:
        """The schema of a file; its footer says where the messages are, dictionaries first."""
        tail = self._read(self._size - 10, 10)
        length = int.from_bytes(tail[:4], "little", signed=True)
        if tail[4:] != _MAGIC or not 0 < length <= self._size - 18:
            raise DamagedError("it does not end as an Arrow file does: part of it is missing")
        if length > _MOST_DESCRIPTION_BYTES:
            raise NotReadError(f"has a description of {length:,} bytes", _SMALLER)
        footer = read_table(self._read(self._size - 10 - length, length))
        self._places = [*footer.rows(2, _PLACE), *footer.rows(3, _PLACE)]
        return footer.table(1)

    def _first_schema(self) -> Table | None:
        first = next(self._messages(), None)
        return first.header if first is not None and first.kind == _SCHEMA else None

    def _messages(self) -> Iterator[_Message]:
        if self._places is not None:
            for place in self._places:
                found = self._message(place[0])
                if found is None or found.kind == _SCHEMA:
                    raise DamagedError("its list of record batches points to something else")
                yield found
            return
        at = 0
        while at < self._size:
            found = self._message(at)
            if found is None:
                return
            yield found
            at = found.body + found.size

    def _message(self, at: int) -> _Message | None:
        """The message at a position; None where the end of a stream is marked."""
        head = self._read(at, 8)
        start, length = (8, head[4:]) if head[:4] == _CONTINUES else (4, head[:4])
        size = int.from_bytes(length, "little", signed=True)
        if len(length) < 4 or size < 0 or at + start + size > self._size:
            raise DamagedError("it ends in the middle of a message")
        if not size:
            return None
        if size > _MOST_DESCRIPTION_BYTES:
            raise NotReadError(f"has a description of {size:,} bytes", _SMALLER)
        data = self._read(at + start, size)
        told, body = read_table(data), at + start + size
        length_, header = told.number(3, "q"), told.table(2)
        if header is None or not 0 <= length_ <= self._size - body:
            raise DamagedError("it ends in the middle of a record batch")
        return _Message(told.number(1, "B"), header, data, body, length_)

    def _learn(self, words: dict[int, list[_Part]], message: _Message) -> None:
        """Keep the words of a dictionary for the rows that follow: new ones, or more of them."""
        data = message.header.table(1)
        if data is None:
            raise DamagedError("a dictionary has no words")
        more = message.header.number(2, "?")
        name = message.header.number(0, "q")
        words[name] = [*(words.get(name, []) if more else []), self._part(message, data)]

    def _part(self, message: _Message, batch: Table) -> _Part:
        """What a record batch holds, by its own description; its buffers lie inside the message."""
        rows, nodes, buffers = batch.number(0, "q"), batch.rows(1, "qq"), batch.rows(2, "qq")
        squeezed = batch.table(3) is not None
        weight = (rows + sum(length for length, _ in nodes)) * _VALUE_BYTES
        for at, size in buffers:
            if at < 0 or size < 0 or at + size > message.size:
                raise DamagedError("a record batch points out of itself")
            weight += self._unpacked(message.body + at, size) if squeezed and size else size
        views = sum(count for (count,) in batch.rows(4, "q"))
        if rows < 0 or any(length < 0 for length, _ in nodes) or not 0 <= views <= len(buffers):
            raise DamagedError("a record batch contradicts itself")
        if weight > MOST_BATCH_BYTES:
            raise NotReadError(f"has a record batch of {weight:,} bytes", _SMALLER)
        return _Part(message, rows, weight)

    def _unpacked(self, at: int, size: int) -> int:
        """How long a compressed buffer is: it says so itself; -1 stands for one that is not compressed."""
        told = int.from_bytes(self._read(at, 8), "little", signed=True)
        if told < -1:
            raise DamagedError("a record batch holds a buffer of fewer than no bytes")
        return size if told == -1 else told

    def _read(self, at: int, size: int) -> bytes:
        if not 0 <= at <= self._size:
            raise DamagedError("its description points out of the file")
        self._stream.seek(at)
        return self._stream.read(size)

    def _decode(self, words: Mapping[int, Sequence[_Part]], parts: Sequence[_Part]) -> pl.DataFrame:
        """The rows of some record batches. The one place where polars reads Arrow."""
        messages = [part.message for parts_ in (*words.values(), parts) for part in parts_]
        with decoding():
            frame = pl.read_ipc_stream(BytesIO(self._stream_of(messages)))
        return checked(frame, self.columns, sum(part.rows for part in parts))

    def _stream_of(self, messages: Sequence[_Message]) -> bytes:
        pieces = [self._schema.message]
        for message in messages:
            pieces += [_CONTINUES, len(message.data).to_bytes(4, "little"), message.data]
            pieces.append(self._read(message.body, message.size))
        return b"".join([*pieces, _END])

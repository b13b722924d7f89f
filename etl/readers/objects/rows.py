"""Objects: what every format of records shares: texts that hold one object each become rows.

It must never know where the texts came from, nor what a key means, and never lets one bad record spoil the others.
"""

import json
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from etl import problems as problem
from etl.batch import ERROR_COLUMN, LINE_KEY, RAW, ROW, TYPES, Batch, Decision, Origin
from etl.errors import FileError
from etl.problems import Code, Problem
from etl.readers.assembly import BATCH_CHARACTERS, BATCH_ROWS, SAMPLE_ROWS, assemble_frame, cell_problem
from etl.readers.damage import find_mojibake
from etl.readers.header import MOST_COLUMNS
from etl.readers.objects import json_slices as slices
from etl.readers.objects.json_slices import Column, Slices
from etl.readers.objects.json_text import Fault, Member, ObjectReader, What, is_encodable

_BATCH_BYTES = BATCH_CHARACTERS // 2
"""Of texts: their values are held once more, in columns."""
_BATCH_CELLS = 2_000_000
"""Cells take memory also where the key is absent."""
_BLANKS = b" \t"
_HEAD_BYTES = 16_000_000
"""A sample has no more rows once they are so many bytes."""
_LARGE_BYTES = 100_000
"""A larger text is looked at in the fast way first, which takes time to set up, but little memory."""


class Block(NamedTuple):
    """Some texts of one object each, as UTF-8 without line breaks, and their row numbers. Blank ones are no rows."""

    numbers: Sequence[int]
    texts: Sequence[bytes]


class Head(NamedTuple):
    """A block that grows."""

    numbers: list[int]
    texts: list[bytes]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the exact reader has it. `values` are JSON texts by key, empty for one that is no whole text."""

    number: int
    text: str
    values: dict[str, str]
    types: dict[str, str]
    faults: tuple[Fault, ...]

    @property
    def is_object(self) -> bool:
        return all(fault.code != Code.MALFORMED_JSON for fault in self.faults)


class RecordReader:
    """Reads records exactly, one by one. `what` sentences call them."""

    def __init__(self, what: What) -> None:
        self.objects = ObjectReader(what)

    def read(self, number: int, text: str) -> Record:
        """The record in a text. What is wrong with it is in its faults."""
        parsed = self.objects.read(text)
        inner = _text_inside(parsed.members)
        if inner is not None:
            text, parsed = inner, self.objects.read(inner)
        members: dict[str, Member] = {}
        for member in parsed.members:
            if is_encodable(member.key):
                members.setdefault(member.key, member)
        unwanted = members.pop(ERROR_COLUMN, None)
        values = {key: text[one.value : one.end] if is_encodable(one.text) else "" for key, one in members.items()}
        types = {key: one.type for key, one in members.items() if one.type != "string"}
        if unwanted is not None:
            text = _cut_out(text, parsed.members, unwanted)
        return Record(number, text, values, types, parsed.faults)


def _text_inside(members: Sequence[Member]) -> str | None:
    """The text that a rejected record carries, where this is one."""
    if len(members) > 2 or not {member.key for member in members} <= {LINE_KEY, ERROR_COLUMN}:
        return None
    inner = [member.text for member in members if member.key == LINE_KEY and member.type == "string"]
    return inner[0] if inner and is_encodable(inner[0]) else None


def _cut_out(text: str, members: Sequence[Member], unwanted: Member) -> str:
    """The text without one member: what a program wrote into it is not part of the record."""
    at = members.index(unwanted)
    if at + 1 < len(members):
        return text[: unwanted.start] + text[members[at + 1].start :]
    before = members[at - 1].end if at else unwanted.start
    return text[:before] + text[unwanted.end :]


class KeySurvey:
    """Which keys the records of a source have: block after block is shown to it."""

    def __init__(self, label: str, what: What) -> None:
        self.what = what
        self.columns: dict[str, None] = {}
        """In the order in which they were first seen."""
        self.head = Head([], [])
        """The first records, as many as a sample has."""
        self.complaint = ""
        """Why the first record without keys has none."""
        self._label = label
        self._head_bytes = 0
        self._reader = RecordReader(what)
        self._cut = slices.cutter(())
        self._fitted = 0

    def take(self, block: Block) -> None:
        """Look through more records. Raises FileError for too many different keys."""
        self._keep_head(block)
        self._refit()
        try:
            deque(map(self._cut, block.texts), maxlen=0)
        except slices.REFUSALS:
            for number, text in zip(*block, strict=True):
                self._take_one(number, text)

    def forget_head(self) -> None:
        """Let go of the first records: nobody will ask for the table."""
        self.head = Head([], [])

    def _take_one(self, number: int, text: bytes) -> None:
        try:
            self._cut(text)
        except slices.REFUSALS:
            if _is_text(text):
                self._learn(number, text)

    def _learn(self, number: int, text: bytes) -> None:
        keys: Iterable[str] | None = None
        if len(text) > _LARGE_BYTES:
            keys = slices.keys_of(text, self._reader.objects)
        if keys is None or {LINE_KEY, ERROR_COLUMN}.intersection(keys):
            record = self._reader.read(number, text.decode())
            keys = record.values
            if not keys and not self.complaint:
                why = record.faults[0].message if record.faults else "it has no keys"
                self.complaint = f"{self.what.name} {number}: {why}"
        self.columns.update(dict.fromkeys(key for key in keys if key not in self.columns))
        if len(self.columns) > 2 * self._fitted:
            self._refit()
        if len(self.columns) > MOST_COLUMNS:
            raise FileError(
                f"{self._label} has more than {MOST_COLUMNS:,} different keys by {self.what.name} {number}."
            )

    def _refit(self) -> None:
        """Have all known keys cut; this takes its time, so it is not done for each new one."""
        if len(self.columns) > self._fitted:
            self._fitted = len(self.columns)
            self._cut = slices.cutter(tuple(self.columns))

    def _keep_head(self, block: Block) -> None:
        for number, text in zip(*block, strict=True):
            if len(self.head.texts) == SAMPLE_ROWS or self._head_bytes > _HEAD_BYTES:
                return
            if _is_text(text):
                self.head.numbers.append(number)
                self.head.texts.append(text)
                self._head_bytes += len(text)


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """Records as a table. `open_blocks` gives them from the first to the last, each time it is called."""

    origin: Origin
    sample: pl.DataFrame
    decisions: tuple[Decision, ...]
    what: What
    open_blocks: Callable[[], Generator[Block]] = field(repr=False)

    def batches(self) -> Iterator[Batch]:
        """All rows; each call reads the source again."""
        assembly = BatchMaker(self.origin, self.what)
        with closing(self.open_blocks()) as blocks:
            for block in _regrouped(blocks, len(self.origin.columns)):
                batch = assembly.make(block)
                if batch is not None:
                    yield batch


def _regrouped(blocks: Iterable[Block], width: int) -> Iterator[Block]:
    """The same records in blocks as large as a batch; `width`: how many columns they become."""
    room = min(BATCH_ROWS, max(_BATCH_CELLS // width, 1))
    numbers: list[int] = []
    texts: list[bytes] = []
    weight = 0
    for block in blocks:
        numbers += block.numbers
        texts += block.texts
        weight += sum(map(len, block.texts))
        while len(texts) >= room:
            yield Block(numbers[:room], texts[:room])
            numbers, texts = numbers[room:], texts[room:]
            weight = sum(map(len, texts))
        if weight >= _BATCH_BYTES:
            yield Block(numbers, texts)
            numbers, texts, weight = [], [], 0
    if texts:
        yield Block(numbers, texts)


class BatchMaker:
    """Makes batches of records, in columns where that is proven exact, one by one where it is not."""

    def __init__(self, origin: Origin, what: What) -> None:
        self._origin = origin
        self._reader = RecordReader(what)
        self._cut = slices.cutter(origin.columns)

    def make(self, block: Block) -> Batch | None:
        """The batch of a block; None where all its texts are blank. Keys that are no column are left out."""
        numbers, texts = block
        rows = slices.cut_all(self._cut, texts)
        if any(row is None for row in rows):
            held = [one for one in zip(numbers, texts, rows, strict=True) if one[2] is not None or _is_text(one[1])]
            if not held:
                return None
            numbers, texts, rows = (list(part) for part in zip(*held, strict=True))
        places = [at for at, row in enumerate(rows) if row is not None]
        cut = [row for row in rows if row is not None]
        columns = slices.columns_of(cut, len(self._origin.columns))
        doubtful = {places[at] for at in self._doubtful([texts[at] for at in places], cut, columns)}
        odd = {
            at: self._reader.read(numbers[at], texts[at].decode())
            for at, row in enumerate(rows)
            if row is None or at in doubtful
        }
        if odd:
            whole = (self._slices(odd[at]) if at in odd else row for at, row in enumerate(rows))
            columns = slices.columns_of([row for row in whole if row is not None], len(self._origin.columns))
        return self._assemble(numbers, texts, columns, odd)

    def _slices(self, record: Record) -> Slices:
        return tuple(record.values.get(name, "").encode() for name in self._origin.columns)

    def _doubtful(self, texts: Sequence[bytes], rows: Sequence[Slices], columns: Sequence[Column]) -> set[int]:
        """Rows, from 0, that only the exact reader can judge."""
        found = set(slices.find_hiding(texts, rows, columns))
        for column in columns:
            found.update(column.find_faulty(self._reader.objects))
        return found

    def _assemble(
        self, numbers: Sequence[int], texts: Sequence[bytes], columns: Sequence[Column], odd: dict[int, Record]
    ) -> Batch:
        names = self._origin.columns
        raw = list(texts)
        types = slices.types_of(dict(zip(names, columns, strict=True)), len(texts))
        if odd:
            for at, record in odd.items():
                raw[at] = record.text.encode()
            types = types.scatter(list(odd), [_types(record) for record in odd.values()])
        frame = pl.DataFrame(
            [
                pl.Series(ROW, numbers, dtype=pl.Int64),
                pl.Series(RAW, raw, dtype=pl.Binary).cast(pl.String),
                types.alias(TYPES),
                *(column.texts().alias(name) for name, column in zip(names, columns, strict=True)),
            ]
        )
        found = [self._problem(record, fault) for record in odd.values() for fault in record.faults]
        if all(column.is_clean for column in columns):
            batch = Batch(self._origin, frame, frame, problem.frame_of(found))  # no control characters to look for
        else:
            batch = assemble_frame(self._origin, frame, found)
        return batch.with_problems(find_mojibake(frame, self._origin))

    def _problem(self, record: Record, fault: Fault) -> Problem:
        column = fault.key if fault.key in self._origin.columns else None
        return cell_problem(self._origin, record.number, column, fault.code, fault.message, None)


def _is_text(text: bytes) -> bool:
    return bool(text.strip(_BLANKS))


def _types(record: Record) -> str | None:
    """The types of the values that are no strings; None where the text is no object."""
    return json.dumps(record.types, ensure_ascii=False) if record.is_object else None

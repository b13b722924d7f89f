"""JSON Lines: one object a line, every value exactly as it was written.

It must never let one bad line spoil the others, nor know what a key means.

Rows are numbered by line. The columns are the union of the keys of all lines, so the file is read through once before
the first batch: this doubles the time of reading and costs no memory.
"""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import polars as pl

from etl.batch import ERROR_COLUMN, LINE_KEY, RAW, TYPES, Batch, Decision, Origin
from etl.errors import FileError
from etl.problems import Code, Problem
from etl.readers.assembly import SAMPLE_ROWS, assemble, cell_problem, in_batches
from etl.readers.encoding import decide_encoding, open_text
from etl.readers.header import MOST_COLUMNS, refuse_odd_names
from etl.readers.json_text import Fault, Member, ObjectReader, is_encodable
from etl.readers.options import ReadOptions
from etl.readers.source import Source

LINE_CHARACTERS = 64_000_000
"""A longer line is not read."""


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    line: str
    members: dict[str, Member]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class JsonLinesTable:
    """A JSON Lines file as the one table that it is."""

    origin: Origin
    sample: pl.DataFrame
    decisions: tuple[Decision, ...]
    source: Source

    def batches(self) -> Iterator[Batch]:
        """All rows; each call reads the file again. Raises FileError for a line over `LINE_CHARACTERS`."""
        with closing(_read_rows(self.source, self.origin.dialect["encoding"])) as rows:
            for held in in_batches(rows, lambda row: 2 * len(row.line)):
                yield _assemble(self.origin, held)


def survey_json_lines(source: Source, options: ReadOptions) -> JsonLinesTable:
    """The table of a JSON Lines file. Reads the file through, twice (encoding, keys).

    Raises FileError: undecodable, no line that is an object, too many different keys.
    """
    codec = decide_encoding(source, options.encoding, western=False)
    columns: dict[str, None] = {}
    head: list[_Row] = []
    first_fault: tuple[int, str] | None = None
    with closing(_read_rows(source, codec)) as rows:
        for row in rows:
            columns.update(dict.fromkeys(row.members))
            if len(head) < SAMPLE_ROWS:
                head.append(row)
            if first_fault is None and row.faults:
                first_fault = (row.number, row.faults[0].message)
            if len(columns) > MOST_COLUMNS:
                raise FileError(f"{source.label} has more than {MOST_COLUMNS:,} different keys by line {row.number}.")
    if not columns:
        line, why = first_fault or (1, "has no keys")
        raise FileError(f"{source.label}: no line holds a JSON object with keys (line {line} {why}).")
    refuse_odd_names(columns, source.label)
    origin = Origin(source.file, None, "jsonl", tuple(columns), dialect={"encoding": codec, "line_end": "\n"})
    return JsonLinesTable(origin, _assemble(origin, head).source, (), source)


def _read_rows(source: Source, codec: str) -> Generator[_Row]:
    reader = ObjectReader()
    # Universal newlines: CR LF and lone CR end a line too; inside a JSON string none of them can stand unescaped.
    with open_text(source, codec, newline=None) as text:
        number = 0
        while line := text.readline(LINE_CHARACTERS):
            number += 1
            if len(line) == LINE_CHARACTERS:
                raise FileError(f"{source.label}: line {number} is longer than {LINE_CHARACTERS:,} characters.")
            line = line.removesuffix("\n")
            if number == 1:
                line = line.removeprefix("\ufeff")
            if line.strip(" \t"):
                yield _read_row(reader, number, line)


def _read_row(reader: ObjectReader, number: int, line: str) -> _Row:
    parsed = reader.read(line)
    inner = _line_inside(parsed.members)
    if inner is not None:
        line, parsed = inner, reader.read(inner)
    members: dict[str, Member] = {}
    for member in parsed.members:
        if is_encodable(member.key):
            members.setdefault(member.key, member)
    if ERROR_COLUMN in members:
        line = _cut_out(line, parsed.members, members.pop(ERROR_COLUMN))
    return _Row(number, line, members, parsed.faults)


def _line_inside(members: Sequence[Member]) -> str | None:
    """The line that a rejected record carries, where this is one."""
    if len(members) > 2 or not {member.key for member in members} <= {LINE_KEY, ERROR_COLUMN}:
        return None
    inner = [member.text for member in members if member.key == LINE_KEY and member.type == "string"]
    return inner[0] if inner and is_encodable(inner[0]) else None


def _cut_out(line: str, members: Sequence[Member], unwanted: Member) -> str:
    """The line without one member: what a program wrote into it is not part of the record."""
    at = members.index(unwanted)
    if at + 1 < len(members):
        return line[: unwanted.start] + line[members[at + 1].start :]
    before = members[at - 1].end if at else unwanted.start
    return line[:before] + line[unwanted.end :]


def _assemble(origin: Origin, rows: Sequence[_Row]) -> Batch:
    columns = [[_text(row.members.get(name)) for row in rows] for name in origin.columns]
    own: dict[str, Sequence[str | None]] = {RAW: [row.line for row in rows], TYPES: [_types(row) for row in rows]}
    found = [_problem(origin, row, fault) for row in rows for fault in row.faults]
    return assemble(origin, [row.number for row in rows], own, columns, found)


def _text(member: Member | None) -> str | None:
    return member.text if member is not None and is_encodable(member.text) else None


def _types(row: _Row) -> str | None:
    """The types of the values that are no strings; None where the line is no object."""
    if any(fault.code == Code.MALFORMED_JSON for fault in row.faults):
        return None
    types = {key: member.type for key, member in row.members.items() if member.type != "string"}
    return json.dumps(types, ensure_ascii=False)


def _problem(origin: Origin, row: _Row, fault: Fault) -> Problem:
    column = fault.key if fault.key in origin.columns else None
    return cell_problem(origin, row.number, column, fault.code, fault.message, None)

"""What the tests of Parquet and Arrow share: files that the library at hand does not write, made byte by byte."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from etl.readers.columnar.flatbuffer import Field, Number, write_table
from etl.readers.columnar.thrift import RecordWriter

REQUIRED, OPTIONAL, REPEATED = range(3)
BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTES, FIXED = range(8)


class Leaf(NamedTuple):
    """A column of values in a Parquet file: where it lies, what is stored, PLAIN, and the levels before it."""

    path: tuple[str, ...]
    type: int
    data: bytes
    values: int
    levels: bytes = b""
    said_values: int | None = None
    codec: int = 0


def element(
    name: str,
    *,
    type_: int | None = None,
    length: int | None = None,
    repetition: int = REQUIRED,
    children: int | None = None,
    converted: int | None = None,
    digits: tuple[int, int] | None = None,
    logical: RecordWriter | None = None,
) -> bytes:
    """A SchemaElement."""
    out = RecordWriter()
    if type_ is not None:
        out.number(1, type_)
    if length is not None:
        out.number(2, length)
    out.number(3, repetition).data(4, name.encode())
    if children is not None:
        out.number(5, children)
    if converted is not None:
        out.number(6, converted)
    if digits is not None:
        out.number(7, digits[0]).number(8, digits[1])
    if logical is not None:
        out.record(10, logical)
    return out.done()


def parquet(
    path: Path,
    schema: Sequence[bytes],
    leaves: Sequence[Leaf],
    rows: int,
    *,
    said_rows: int | None = None,
    checksum: int | None = None,
    encrypted: bool = False,
) -> Path:
    """A Parquet file of one row group, a page a column."""
    out, chunks = bytearray(b"PAR1"), []
    for leaf in leaves:
        start = len(out)
        said = leaf.values if leaf.said_values is None else leaf.said_values
        body = leaf.levels + leaf.data
        page = RecordWriter().number(1, said).number(2, 0).number(3, 3).number(4, 3)
        header = RecordWriter().number(1, 0).number(2, len(body)).number(3, len(body))
        if checksum is not None:
            header.number(4, checksum - (1 << 32 if checksum >= 1 << 31 else 0))
        out += header.record(5, page).done() + body
        facts = RecordWriter().number(1, leaf.type).numbers(2, [0]).texts(3, [one.encode() for one in leaf.path])
        facts.number(4, leaf.codec).number(5, said, wide=True).number(6, len(out) - start, wide=True)
        facts.number(7, len(out) - start, wide=True).number(9, start, wide=True)
        chunks.append(RecordWriter().number(2, start, wide=True).record(3, facts).done())
    said = rows if said_rows is None else said_rows
    group = RecordWriter().records(1, chunks).number(2, len(out), wide=True).number(3, said, wide=True).done()
    root = RecordWriter().data(4, b"schema").number(5, len({leaf.path[0] for leaf in leaves})).done()
    footer = RecordWriter().number(1, 1).records(2, [root, *schema]).number(3, said, wide=True).records(4, [group])
    if encrypted:
        footer.record(8, RecordWriter())
    data = footer.done()
    path.write_bytes(bytes(out) + data + len(data).to_bytes(4, "little") + b"PAR1")
    return path


def field(name: str, kind: int, type_: Field = (), children: Sequence[Field] = (), dictionary: Field = None) -> Field:
    """A Field of an Arrow schema."""
    return (name, Number("?", 1), Number("B", kind), type_, dictionary, list(children), None)


def message(kind: int, header: Field, body: bytes = b"") -> bytes:
    """A message of an Arrow stream."""
    data = write_table((Number("h", 4), Number("B", kind), header, Number("q", len(body))))
    return b"\xff\xff\xff\xff" + len(data).to_bytes(4, "little") + data + body

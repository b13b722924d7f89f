"""XLSB records: a part of a binary workbook as records, and the texts in them.

It must never know sheets or cells. The layout is that of Microsoft's [MS-XLSB]; a record is a number that says what it
is, the number of its bytes (both seven bits to the byte), and those bytes.
"""

from collections.abc import Iterable, Iterator

from etl.readers.workbooks.binary_values import DamagedRecordsError

Record = tuple[int, bytes]

_MOST_BYTES = 1 << 24
_MOST_IDLE = 12_000_000
"""So many records may follow each other without a value: a million rows of ten coloured cells have fewer."""
_VALUES = frozenset((*range(2, 12), *range(13, 20), 62))
"""The records of values, in cells and in the list of texts."""
_NO_TEXT = 0xFFFFFFFF


def read_records(pieces: Iterable[bytes]) -> Iterator[Record]:
    """The records of a part. Raises DamagedRecordsError where it breaks off, and where too many hold nothing."""
    rest = b""
    idle = 0
    for piece in pieces:
        rest += piece
        at, end = 0, len(rest)
        while at < end:
            start = at
            try:
                kind = rest[at]
                at += 1
                if kind & 0x80:
                    kind = kind & 0x7F | rest[at] << 7
                    at += 1
                size = rest[at]
                at += 1
                if size & 0x80:
                    size, at = _long_size(rest, at - 1)
            except IndexError:
                at = start
                break
            if at + size > end:
                at = start
                break
            yield kind, rest[at : at + size]
            at += size
            idle = 0 if kind in _VALUES else idle + 1
            if idle > _MOST_IDLE:
                raise DamagedRecordsError(f"more than {_MOST_IDLE:,} records hold nothing")
        rest = rest[at:]
    if rest:
        raise DamagedRecordsError("its records break off")


def wide_text(body: bytes, at: int) -> tuple[str, int]:
    """The text at an offset, lone surrogates kept, and the offset behind it."""
    start = at + 4
    length = int.from_bytes(body[at:start], "little")
    if length == _NO_TEXT:
        return "", start
    end = start + 2 * length
    if start > len(body) or end > len(body):
        raise DamagedRecordsError("a text breaks off")
    return body[start:end].decode("utf-16-le", "surrogatepass"), end


def _long_size(content: bytes, at: int) -> tuple[int, int]:
    """A size of more than one byte, and the offset behind it."""
    size = 0
    for shift in (0, 7, 14, 21):
        byte = content[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    if size > _MOST_BYTES:
        raise DamagedRecordsError(f"a record has {size:,} bytes")
    return size, at

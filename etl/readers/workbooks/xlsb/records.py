"""XLSB records: a part of a binary workbook as records, and the texts in them.

It must never know sheets or cells. The layout is that of Microsoft's [MS-XLSB]; a record is a number that says what it
is, the number of its bytes (both seven bits to the byte), and those bytes.
"""

import re
from collections.abc import Iterable, Iterator

from etl.readers.workbooks import hollow
from etl.readers.workbooks.binary_values import DamagedRecordsError, HollowRecordsError

Record = tuple[int, bytes]

_MOST_BYTES = 1 << 24
ROW, END_ROWS = 0, 146
RICH_TEXT = 62
BLANK, SHORT_BLANK = 1, 12
"""A cell that holds nothing, and one without a column of its own: it stands beside the one before it."""
SHORT_BLANKS = -1
"""No record of the format: that so many short blanks follow each other, four bytes."""
VALUES = frozenset((*range(2, 12), *range(13, 20), RICH_TEXT))
"""The records of values, in cells and in the list of texts."""
_BLANKS = {
    BLANK: re.compile(rb"(?:\x01\x08.{8})+", re.DOTALL),
    SHORT_BLANK: re.compile(rb"(?:\x0c\x04.{4})+", re.DOTALL),
}
"""How many of them one behind the other are written. They are passed over together: sheets may have millions.

Not possessive (`++`): Python before 3.11.5 matches the wrong place where what is repeated is itself a repetition
(gh-106052).
"""
_SHORT_BLANK_BYTES = 6
_IN_ROWS = frozenset((ROW, BLANK, SHORT_BLANK))
_SHOWN = b"".join(b"%c-%c" % (at, at + 15) for at in range(0, 256, 32)).replace(b"[", rb"\[").replace(b"]", rb"\]")
"""The flags of a row that is not hidden."""
_MOST_SPANS = 13
"""A row says in so many pieces at most where its cells stand, where its size takes one byte."""
_EMPTY_ROWS = re.compile(
    rb"(?:\x00(?:"
    + b"|".join(rb"\x%02x.{11}[%b].{%d}" % (17 + 8 * spans, _SHOWN, 5 + 8 * spans) for spans in range(_MOST_SPANS + 1))
    + rb")(?:\x01\x08.{8})*(?:\x0c\x04.{4})*(?=\x00)){8,}",
    re.DOTALL,
)
"""Many rows that are not hidden and hold nothing, before another row."""
_NO_TEXT = 0xFFFFFFFF


def read_records(pieces: Iterable[bytes]) -> Iterator[Record]:  # noqa: C901  # a call for each record takes its time
    """The records of a part, without long runs of rows that hold nothing; of blank cells one behind the other the
    first, and the last or how many there were.

    Raises DamagedRecordsError where it breaks off, HollowRecordsError where too many hold nothing.
    """
    rest = b""
    idle = filled = seen = passed = 0
    for piece in pieces:
        rest += piece
        seen += len(piece)
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
            if kind in VALUES:
                filled += 1
                continue
            idle += 1
            if kind in _IN_ROWS:
                more, stop = _pass_over(kind, rest, at)
                passed += stop - at
                at = stop
                if more is not None:
                    yield more
        if hollow.is_too_hollow(idle, filled, hollow.MOST_RECORDS) or hollow.is_too_long(passed, seen):
            raise HollowRecordsError
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


def _pass_over(kind: int, content: bytes, at: int) -> tuple[Record | None, int]:
    """What stands for the blank cells that follow in the same row; where they and empty rows behind them end."""
    found = None
    blanks = _BLANKS[kind].match(content, at) if kind in _BLANKS else None
    if blanks is not None:
        start, at = blanks.span()
        count = (at - start) // _SHORT_BLANK_BYTES
        found = (BLANK, content[at - 8 : at]) if kind == BLANK else (SHORT_BLANKS, count.to_bytes(4, "little"))
    rows = _EMPTY_ROWS.match(content, at)
    return found, at if rows is None else rows.end()


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

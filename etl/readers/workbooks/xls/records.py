"""XLS records: the stream of an old Excel workbook as records, and the texts that run over several of them.

It must never know sheets or cells. The layout is that of Microsoft's [MS-XLS]; a record is a number that says what it
is, the number of its bytes (both two bytes wide), and those bytes.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Sequence

from etl.readers.workbooks import hollow
from etl.readers.workbooks.binary_values import DamagedRecordsError, HollowRecordsError

BEGIN, END = 0x809, 0x0A
"""Between them stand the records of the workbook, of a sheet, of a chart."""
CONTINUE = 0x3C
"""More bytes of the record before."""
_MOST_BYTES = 8224
"""No record has more."""
CELLS = frozenset((0x204, 0xD6, 0xFD, 0x203, 0x27E, 0xBD, 0x205, 0x06, 0x206, 0x406))
"""The records of cells that may hold something."""
_BLANK = 0x201
_BLANKS = re.compile(rb"(?:\x01\x02\x06\x00.{6})+", re.DOTALL)
"""Cells that hold nothing, one behind the other. They are passed over together: sheets may have millions."""
_BLANK_BYTES = 6
_WORKSHEET = 0x10
_HEAD = struct.Struct("<HH")
_WIDE, _WITH_HINTS, _RICH = 0x01, 0x04, 0x08

Record = tuple[int, bytes]


def read_records(pieces: Iterable[bytes]) -> Iterator[Record]:
    """The records of a stream, up to its end; of blank cells one behind the other the first and the last.

    Raises DamagedRecordsError where it breaks off inside a record, HollowRecordsError where too many hold nothing.
    """
    rest = b""
    idle = filled = seen = passed = 0
    for piece in pieces:
        rest += piece
        seen += len(piece)
        at, end = 0, len(rest)
        while at + 4 <= end:
            kind, size = _HEAD.unpack_from(rest, at)
            stop = at + 4 + size
            if size > _MOST_BYTES:
                raise DamagedRecordsError(f"a record has {size:,} bytes")
            if stop > end:
                break
            yield kind, rest[at + 4 : stop]
            at = stop
            if kind in CELLS:
                filled += 1
                continue
            idle += 1
            more = _BLANKS.match(rest, at) if kind == _BLANK else None
            if more is not None:
                yield kind, more.group()[-_BLANK_BYTES:]
                passed += more.end() - at
                at = more.end()
        if hollow.is_too_hollow(idle, filled, hollow.MOST_RECORDS) or hollow.is_too_long(passed, seen):
            raise HollowRecordsError
        rest = rest[at:]
    if rest.strip(b"\0"):
        raise DamagedRecordsError("its records break off")


def sheet_records(records: Iterable[Record]) -> Iterator[Record]:
    """The records of a sheet itself, from its beginning to its end, without those of the charts that stand in it."""
    depth = 0
    for kind, body in records:
        if kind == BEGIN:
            depth += 1
            if depth == 1 and (len(body) < 4 or body[2] | body[3] << 8 != _WORKSHEET):
                raise DamagedRecordsError("a sheet does not begin where it should")
        elif depth == 0:
            raise DamagedRecordsError("a sheet does not begin where it should")
        elif kind == END:
            depth -= 1
            if depth == 0:
                return
        elif depth == 1:
            yield kind, body
    raise DamagedRecordsError("a sheet has no end")


class Texts:
    """Reads texts one after another from a record and those that continue it."""

    def __init__(self, bodies: Sequence[bytes], at: int) -> None:
        """Begins at an offset of the first body."""
        self._bodies = bodies
        self._number = 0
        self._at = at

    def more(self) -> bool:
        """Whether another text follows."""
        here = self._bodies[self._number][self._at :] if self._number == len(self._bodies) - 1 else b"more"
        return bool(here.strip(b"\0")) or len(here) >= 3

    def read(self) -> str:
        """The next text. Runs of rich text and phonetic hints are passed over. Raises DamagedRecordsError."""
        if self._at >= len(self._bodies[self._number]):
            self._turn()
        body = self._bodies[self._number]
        if self._at + 3 > len(body):
            raise DamagedRecordsError("the beginning of a text is missing")
        length, flags = body[self._at] | body[self._at + 1] << 8, body[self._at + 2]
        self._at += 3
        passed = 0
        if flags & _RICH:
            passed = 4 * self._number_of_bytes(2)
        if flags & _WITH_HINTS:
            passed += self._number_of_bytes(4)
        text = self._characters(length, wide=bool(flags & _WIDE))
        self._pass(passed)
        return text

    def _number_of_bytes(self, width: int) -> int:
        digits = self._bodies[self._number][self._at : self._at + width]
        if len(digits) < width:
            raise DamagedRecordsError("the beginning of a text is missing")
        self._at += width
        return int.from_bytes(digits, "little")

    def _characters(self, length: int, *, wide: bool) -> str:
        """`length` halves of UTF-16; after each border between records a byte says how wide they are from there on."""
        parts: list[str] = []
        while True:
            body = self._bodies[self._number]
            width = 2 if wide else 1
            count = min(length, (len(body) - self._at) // width)
            end = self._at + count * width
            parts.append(body[self._at : end].decode("utf-16-le" if wide else "latin-1", "surrogatepass"))
            self._at = end
            length -= count
            if not length:
                break
            if self._at < len(body):
                raise DamagedRecordsError("half a character stands at the end of a record")
            self._turn()
            wide = bool(self._bodies[self._number][0] & _WIDE)
            self._at = 1
        return parts[0] if len(parts) == 1 else _whole("".join(parts))

    def _pass(self, count: int) -> None:
        while count:
            here = min(count, len(self._bodies[self._number]) - self._at)
            self._at += here
            count -= here
            if count:
                self._turn()

    def _turn(self) -> None:
        self._number += 1
        self._at = 0
        if self._number >= len(self._bodies) or not self._bodies[self._number]:
            raise DamagedRecordsError("a text breaks off")


def _whole(text: str) -> str:
    """Text whose characters beyond the first 65,536 were halved by a border."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

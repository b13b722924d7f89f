"""Compound: the streams inside an OLE compound file, which is what an old Excel workbook is.

It must never know what a stream holds. Sectors are followed as the tables in the file say, and a chain that goes in
circles, leaves the file or ends too early is damage. The layout is that of Microsoft's [MS-CFB].
"""

import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from etl.errors import FileError
from etl.readers.sources.source import Source

_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER_BYTES = 512
_LAST_SECTOR = 0xFFFFFFFA
"""Higher numbers have meanings of their own: the end of a chain, a free sector."""
_NO_ENTRY = 0xFFFFFFFF
_ENTRY_BYTES = 128
_HEADER_LISTS = 109
"""So many parts of its table a file names in its first sector."""
_STREAM, _ROOT = 2, 5
_PIECE_BYTES = 1 << 18

Run = tuple[int, int]
"""Where bytes stand in the file: offset and number."""


class _Entry(NamedTuple):
    name: str
    kind: int
    links: tuple[int, int, int]
    """The entries to its left and right, and the first inside it."""
    first_sector: int
    size: int


class CompoundFile:
    """An opened compound file: its streams at the top level, by name."""

    def __init__(self, file: BinaryIO, size: int, label: str) -> None:
        """Reads the tables. Raises FileError: damaged."""
        self.label = label
        self._file = file
        self._size = size
        header = self._read(0, _HEADER_BYTES)
        shift, mini_shift = struct.unpack_from("<HH", header, 30)
        if not header.startswith(_MAGIC) or shift not in {9, 12} or mini_shift != 6:
            raise self._damaged("its first bytes are not those of such a file")
        self._sector_bytes: int = 1 << shift
        self._mini_bytes: int = 1 << mini_shift
        directory, self._cutoff, mini_table = struct.unpack_from("<I4xII", header, 48)
        self._table = self._read_table(header)
        entries = self._read_entries(directory)
        self._streams = {
            entry.name.lower(): entry for entry in self._top_level(entries) if entry.kind == _STREAM and entry.name
        }
        root = entries[0]
        self._mini_table = self._numbers(self._runs(mini_table, None)) if root.size else array("I")
        self._mini_stream = self._runs(root.first_sector, root.size) if root.size else []

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._streams

    def size(self, name: str) -> int:
        """The number of bytes in a stream."""
        return self._streams[name.lower()].size

    def stream(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of a stream from an offset on, in pieces. Raises FileError: damaged."""
        entry = self._streams[name.lower()]
        small = entry.size < self._cutoff
        runs = self._mini_runs(entry) if small else self._runs(entry.first_sector, entry.size)
        for offset, size in runs:
            skipped = min(start, size)
            start -= skipped
            at, end = offset + skipped, offset + size
            while at < end:
                piece = self._read(at, min(_PIECE_BYTES, end - at))
                at += len(piece)
                yield piece

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        content = self._file.read(size)
        if len(content) < size:
            raise self._damaged("it breaks off")
        return content

    def _read_table(self, header: bytes) -> "array[int]":
        """Of every sector the one that follows it."""
        (next_list,) = struct.unpack_from("<I", header, 68)
        sectors = list(struct.unpack_from(f"<{_HEADER_LISTS}I", header, 76))
        most = self._size // self._sector_bytes + 1
        seen: set[int] = set()
        while next_list < _LAST_SECTOR:
            if next_list in seen or len(seen) > most:
                raise self._damaged("its tables go in circles")
            seen.add(next_list)
            numbers = self._numbers([(self._offset(next_list), self._sector_bytes)])
            next_list = numbers.pop()
            sectors += numbers
        sectors = [sector for sector in sectors if sector < _LAST_SECTOR]
        if len(sectors) > most * 4 // self._sector_bytes + _HEADER_LISTS:
            raise self._damaged("its tables are larger than it is itself")
        return self._numbers([(self._offset(sector), self._sector_bytes) for sector in sectors])

    def _numbers(self, runs: Sequence[Run]) -> "array[int]":
        numbers = array("I")
        for offset, size in runs:
            content = self._read(offset, size)
            numbers.extend(struct.unpack(f"<{size // 4}I", content))
        return numbers

    def _offset(self, sector: int) -> int:
        offset = (sector + 1) * self._sector_bytes
        if offset >= self._size:
            raise self._damaged(f"it has no sector {sector}")
        return offset

    def _runs(self, sector: int, size: int | None) -> list[Run]:
        """Where the bytes of a chain stand: `size` of them, or all (None); neighbours are one run."""
        chain = self._chain(sector, self._table, None if size is None else -(-size // self._sector_bytes))
        return _joined([self._offset(one) for one in chain], self._sector_bytes, size)

    def _mini_runs(self, entry: _Entry) -> list[Run]:
        """The same for a small stream: its sectors are parts of the root's stream."""
        chain = self._chain(entry.first_sector, self._mini_table, -(-entry.size // self._mini_bytes))
        return _joined([self._mini_offset(one) for one in chain], self._mini_bytes, entry.size)

    def _mini_offset(self, sector: int) -> int:
        at = sector * self._mini_bytes
        for offset, size in self._mini_stream:
            if at + self._mini_bytes <= size:
                return offset + at
            at -= size
        raise self._damaged("a stream leaves the file")

    def _chain(self, sector: int, table: "array[int]", needed: int | None) -> list[int]:
        chain: list[int] = []
        seen = bytearray(len(table))
        while sector < _LAST_SECTOR and (needed is None or len(chain) < needed):
            if sector >= len(table) or seen[sector]:
                raise self._damaged("a chain of sectors goes in circles or leaves the file")
            seen[sector] = 1
            chain.append(sector)
            sector = table[sector]
        if needed is not None and len(chain) < needed:
            raise self._damaged("a stream breaks off")
        return chain

    def _read_entries(self, sector: int) -> list[_Entry]:
        content = b"".join(self._read(offset, size) for offset, size in self._runs(sector, None))
        entries = [_entry(content[at : at + _ENTRY_BYTES]) for at in range(0, len(content), _ENTRY_BYTES)]
        if not entries or entries[0].kind != _ROOT:
            raise self._damaged("it has no directory")
        return entries

    def _top_level(self, entries: Sequence[_Entry]) -> Iterator[_Entry]:
        """What stands in the root itself; documents embedded in this one have folders of their own."""
        waiting = [entries[0].links[2]]
        seen: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number == _NO_ENTRY or number in seen:
                continue
            if number >= len(entries):
                raise self._damaged(f"its directory has no entry {number}")
            seen.add(number)
            waiting += entries[number].links[:2]
            yield entries[number]

    def _damaged(self, why: str) -> FileError:
        return FileError(f"{self.label} is damaged: {why}.", "Open it in a spreadsheet program and save it as .xlsx.")


@contextmanager
def open_compound(source: Source) -> Iterator[CompoundFile]:
    """The compound file that a source is. Raises FileError: damaged."""
    with source.open() as file:
        yield CompoundFile(file, source.size_bytes, source.label)


def _entry(content: bytes) -> _Entry:
    name_bytes, kind = struct.unpack_from("<HB", content, 64)
    name = content[: max(0, min(name_bytes, 64) - 2)].decode("utf-16-le", "replace")
    links = struct.unpack_from("<3I", content, 68)
    first_sector, size = struct.unpack_from("<II", content, 116)  # the size's upper half is rubbish in old files
    return _Entry(name, kind, links, first_sector, size)


def _joined(places: Sequence[int], step: int, size: int | None) -> list[Run]:
    """Runs of `step` bytes each as few runs as can be, cut to `size` bytes in all."""
    runs: list[Run] = []
    for place in places:
        if runs and sum(runs[-1]) == place:
            runs[-1] = (runs[-1][0], runs[-1][1] + step)
        else:
            runs.append((place, step))
    surplus = len(places) * step - size if size is not None else 0
    if runs and surplus:
        runs[-1] = (runs[-1][0], runs[-1][1] - surplus)
    return runs

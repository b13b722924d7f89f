"""Unpack: the content of a compressed file, or of one member of a zip archive, in a private copy.

It must never know what the content means, and never goes by a name: the first bytes tell how a file is packed.
"""

import bz2
import lzma
import shlex
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO, Protocol

from etl.batch import Certainty, Decision
from etl.errors import FileError, UsageError
from etl.readers.sources.archive import ENCRYPTED, ZIP, Contents, open_archive, tell_contents
from etl.readers.sources.source import Source, found, nearest
from etl.readers.sources.spool import Spool

FREE_BYTES = 256 << 20
"""So much is unpacked whatever its ratio. Even a file of a few bytes may grow to it in honesty."""
MOST_RATIO = 200
"""Unpacked to packed bytes beyond that. Honest tables reach 5 to 50, bombs 1,000 and more."""
MANY_STREAMS = 20_000
SMALL_STREAM_BYTES = 1_000
"""More streams than that, with less in each on the average, are made to take time, not to hold rows."""
_MEMORY_BYTES = 256 << 20
"""What unpacking xz may take: `xz -9` asks for 65 MB."""
_IN_BYTES = 1 << 15
"""Read at once. Small, because what follows a stream is copied, and a file may hold many short ones."""
_OUT_BYTES = 1 << 20
_SHOWN_MEMBERS = 8
_RUBBISH = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
"""What operating systems put beside the files of a folder."""
PACKED = frozenset({".gz", ".gzip", ".zst", ".zstd", ".bz2", ".bz", ".xz", ".zip"})


class _Decoder(Protocol):
    """What unpacks one stream, as Python's own do it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _GzipDecoder:
    """zlib, which checks a member's checksum and length itself, in the shape of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not (self._full or self._inner.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        piece = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._full = len(piece) == max_length  # more may wait inside although all input was taken
        return piece


@dataclass(frozen=True, slots=True)
class _Packing:
    """A way to compress. `command` unpacks it; `padding` is what may stand between and after streams."""

    name: str
    command: str
    new_decoder: Callable[[], _Decoder]
    failures: tuple[type[Exception], ...]
    padding: bytes = b""


def unpack(source: Source, member: str | None = None, fallback: str | None = None) -> Source:
    """The content of a packed file; the source itself where nothing is packed in it. Workbooks are not unpacked.

    `member` chooses a file of a zip archive, else `fallback` does, where it is one. Raises FileError: several members
    and none chosen, damaged, cut off, something behind its end, packed twice, made to exhaust the disk, no room;
    UsageError for a `member` of no archive.
    """
    packing = _packing_of(source.head)
    if packing is not None:
        _refuse_member(source, member)
        return _unpack_streams(source, packing)
    if source.head.startswith(ZIP):
        with open_archive(source) as archive:
            if tell_contents(archive) == Contents():
                return _unpack_member(source, archive, member, fallback)
    _refuse_member(source, member)
    return source


def _packing_of(head: bytes) -> _Packing | None:
    if head.startswith(b"\x1f\x8b\x08"):
        return _Packing("gzip", "gunzip", _GzipDecoder, (zlib.error,), padding=b"\0")
    if head.startswith(b"BZh") and head[4:10] in {b"1AY&SY", b"\x17rE8P\x90"}:  # a block, or the end of an empty file
        return _Packing("bzip2", "bunzip2", bz2.BZ2Decompressor, (OSError, ValueError))
    if head.startswith(b"\xfd7zXZ\x00"):
        return _Packing("xz", "unxz", _new_xz_decoder, (lzma.LZMAError,), padding=b"\0")
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return _zstandard()
    return None


def _new_xz_decoder() -> _Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY_BYTES)


def _zstandard() -> _Packing:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return _Packing("Zstandard", "unzstd --long=31", zstd.ZstdDecompressor, (zstd.ZstdError,))


def _unpack_streams(source: Source, packing: _Packing) -> Source:
    with Spool(source.label) as spool:
        with source.open() as stream:
            for piece in _pieces(stream, packing, source):
                spool.write(piece)
                _refuse_bomb(source, spool.size_bytes, stream.tell(), f"{packing.command} FILE")
        own = PurePath(source.name)
        name = own.stem if own.suffix.lower() in PACKED else own.name
        sizes = f"{_size(source.size_bytes)} unpacked to {_size(spool.size_bytes)}"
        evidence = "it begins as such files do, and is whole"
        decision = Decision("compression", f"{packing.name}, {sizes}", evidence, Certainty.CERTAIN)
        return _as_unpacked(source, spool, source.label, name, decision)


def _pieces(stream: BinaryIO, packing: _Packing, source: Source) -> Iterator[bytes]:
    """The content of all streams of a file, one after the other, in pieces of at most `_OUT_BYTES`."""
    begins = True
    unpacked = streams = 0
    data = stream.read(_IN_BYTES)
    while data:
        decoder = packing.new_decoder()
        try:
            while not decoder.eof:
                if decoder.needs_input and not data:
                    data = stream.read(_IN_BYTES) or _cut_off(source, packing, begins=begins)
                piece = decoder.decompress(data, _OUT_BYTES)
                data = b""
                begins = begins or bool(piece)
                unpacked += len(piece)
                yield piece
        except packing.failures as error:
            raise _undecodable(source, packing, error, begins=begins) from error
        begins = False
        streams += 1
        _refuse_splinters(source, unpacked, streams, packing)
        data = decoder.unused_data or stream.read(_IN_BYTES)
        while packing.padding and data and not (data := data.lstrip(packing.padding)):
            data = stream.read(_IN_BYTES)


def _refuse_splinters(source: Source, unpacked: int, streams: int, packing: _Packing) -> None:
    if streams > MANY_STREAMS and unpacked < SMALL_STREAM_BYTES * streams:
        raise FileError(
            f"{source.label} is refused: it is made of more than {MANY_STREAMS:,} compressed pieces with next to "
            "nothing in them.",
            f"If it is meant to be so, unpack it yourself: {packing.command} FILE",
        )


def _cut_off(source: Source, packing: _Packing, *, begins: bool) -> bytes:
    if not begins:
        raise _followed(source, packing)
    raise FileError(f"{source.label} is cut off: its {packing.name} data has no end.", "Copy or download it again.")


def _undecodable(source: Source, packing: _Packing, error: Exception, *, begins: bool) -> FileError:
    """What is said of data that the decoder refuses. `begins`: in the first stream, or past the start of another."""
    if not begins:
        return _followed(source, packing)
    return FileError(
        f"{source.label} is damaged: its {packing.name} data cannot be unpacked ({error}).",
        f"Copy or download it again. If other programs can unpack it: {packing.command} FILE",
    )


def _followed(source: Source, packing: _Packing) -> FileError:
    return FileError(
        f"{source.label} is damaged: something that is not {packing.name} data follows the end of the {packing.name} "
        "data in it.",
        f"Copy or download it again, or unpack it yourself and look at its end: {packing.command} FILE",
    )


def _unpack_member(source: Source, archive: zipfile.ZipFile, told: str | None, fallback: str | None) -> Source:
    members = [info for info in archive.infolist() if not _is_rubbish(info.filename)]
    info = _chosen(source, members, told or fallback)
    if info.flag_bits & ENCRYPTED:
        raise FileError(f"{source.label} is protected with a password.", "Unpack it, then give the file in it.")
    packed = min(info.compress_size, source.size_bytes)
    label = f"{source.label} ({info.filename})"
    _refuse_bomb(source, info.file_size, packed, "unzip FILE")  # no more than the declared size is ever inflated
    with Spool(label) as spool:
        with archive.open(info) as stream:
            while piece := stream.read(_OUT_BYTES):
                spool.write(piece)
        if spool.size_bytes != info.file_size:
            raise FileError(f"{label} is damaged: it is not as long as the archive says.", "Copy or download it again.")
        which = "" if len(members) == 1 else f" of {len(members)} files"
        decision = Decision(
            "compression",
            f"zip, {info.filename}{which}, {_size(packed)} unpacked to {_size(info.file_size)}",
            "said with --member" if told else "said in the mapping" if fallback else "the only file in the archive",
            Certainty.TOLD if told or fallback else Certainty.CERTAIN,
        )
        return _as_unpacked(source, spool, label, PurePath(info.filename.replace("\\", "/")).name, decision)


def _is_rubbish(name: str) -> bool:
    """Whether this is a folder, or a file that an operating system put beside the others."""
    *folders, own = name.replace("\\", "/").split("/")
    return not own or "__MACOSX" in folders or own.startswith("._") or own.lower() in _RUBBISH


def _chosen(source: Source, members: Sequence[zipfile.ZipInfo], wanted: str | None) -> zipfile.ZipInfo:
    if not members:
        raise FileError(f"{source.label} is a zip archive without a file in it.", "Name another file.")
    names = [info.filename for info in members]
    if wanted is None and len(members) > 1:
        more = f" and {len(names) - _SHOWN_MEMBERS:,} more" if len(names) > _SHOWN_MEMBERS else ""
        raise FileError(
            f"{source.label} is a zip archive of {len(names):,} files: {', '.join(names[:_SHOWN_MEMBERS])}{more}.",
            f"Choose one with --member, for example --member {shlex.quote(names[0])}",
        )
    if wanted is None:
        return members[0]
    fitting = [info for info in members if info.filename == wanted]
    fitting = fitting or [info for info in members if PurePath(info.filename).name == wanted]
    if not fitting:
        near = nearest(wanted, names)
        hint = f"Did you mean {near}?" if near else f"In it are: {', '.join(names[:_SHOWN_MEMBERS])}"
        raise FileError(f"{source.label} has no file {wanted!r} in it.", hint)
    if len(fitting) > 1:
        raise FileError(
            f"{source.label} has {len(fitting)} files called {wanted!r} in it.",
            "Say which with its folder, or unpack it and give the file.",
        )
    return fitting[0]


def _refuse_member(source: Source, member: str | None) -> None:
    if member is not None and not source.is_rejects:
        raise UsageError(f"{source.label} is no zip archive of files.", "Leave out --member.")


def _refuse_bomb(source: Source, unpacked: int, packed: int, command: str) -> None:
    if unpacked > max(FREE_BYTES, MOST_RATIO * packed):
        raise FileError(
            f"{source.label} is refused: {_size(packed)} of it unpack to {_size(unpacked)} or more, as in a file made "
            "to fill the disk.",
            f"If it is meant to be so large, unpack it yourself: {command}",
        )


def _as_unpacked(source: Source, spool: Spool, label: str, name: str, decision: Decision) -> Source:
    """The source of what was unpacked. Raises FileError for a content that is packed again."""
    inner = found(source.file, label, name, spool.seal().path, spool=spool, packed=source)
    inner.decisions = (*source.decisions, decision)
    again = _packed_again(inner)
    if again:
        raise FileError(f"{label} is packed twice: its content is {again} data.", "Unpack it once, then give the file.")
    return inner


def _packed_again(inner: Source) -> str:
    packing = _packing_of(inner.head)
    if packing is not None:
        return packing.name
    if inner.head.startswith(ZIP):
        with open_archive(inner) as archive:
            return "zip" if tell_contents(archive) == Contents() else ""
    return ""


def _size(count: int) -> str:
    """`12 MB`: as a person would say it."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}" if count < 10 * unit else f"{count // unit:,} {name}"
    return f"{count} bytes"

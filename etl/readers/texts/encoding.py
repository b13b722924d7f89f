"""Encoding: which characters the bytes of a text file are, with evidence, or a question.

It must never know what the text says beyond which letters occur, and it never replaces a byte it cannot read.

The ladder: a byte order mark decides; else UTF-16, where every second byte is zero and all of it is text; else UTF-8,
strictly, over the whole file; else, for delimited text only, Windows-1252 where nothing in the file speaks against
it; else the user is asked. At a glance, the beginning stands for the whole file.
"""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from etl.batch import Certainty, Decision
from etl.errors import FileError, UsageError
from etl.readers.sources.source import Source
from etl.readers.texts.code_pages import likely_names
from etl.readers.texts.western import WesternEvidence

_CHUNK_BYTES = 1 << 20
_GLANCED_BYTES = 8 << 20
"""At a glance, Windows-1252 is concluded from so much."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WITH_MARK = {
    "utf-8": "utf-8-sig",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    "utf-32-le": "utf-32",
    "utf-32-be": "utf-32",
}
_NOT_CHARSETS = frozenset(
    {
        "unicode-escape",
        "unicode_escape",
        "raw-unicode-escape",
        "raw_unicode_escape",
        "idna",
        "punycode",
        "undefined",
        "utf-7",
    }
)
"""Python's codecs that are no character sets, or can smuggle in half characters."""

_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_UTF8_PAIR = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")
_WESTERN = bytes(byte for byte in range(256) if byte not in b"\x81\x8d\x8f\x90\x9d")
"""Bytes that mean something in Windows-1252."""
_SPOKEN = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
}
_GUESSED_BYTES = 1 << 15
"""So much before and behind a byte that cannot be read is looked at for a hint."""
_WIDE_BYTES = 8
"""Less is no evidence."""
_LATIN_SHARE, _WIDE_SHARE = 0.6, 0.02
"""At least this part of the pairs of bytes has a zero: where the letters are Latin, where they are not."""
_NO_TEXT = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]")
"""Bytes that do not stand in plain English text."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """The first byte that cannot be read; `offset` from 0. `is_cut`: the file ends within a character."""

    offset: int
    value: int | None
    is_cut: bool


class UndecodableError(FileError):
    """A file that `codec` cannot read from its first byte to its last; `line` is the first that it cannot."""

    def __init__(self, message: str, hint: str, codec: str, line: int) -> None:
        super().__init__(message, hint)
        self.codec = codec
        self.line = line


def find_encoding(source: Source, wanted: str | None, *, western: bool, glance: bool = False) -> tuple[str, Decision]:
    """The codec that reads the whole file, byte order mark removed, and why it is this one.

    `western` allows Windows-1252 to be concluded; `glance`: only the beginning is looked at. Raises FileError naming
    line and byte where the text cannot be read, UsageError for an encoding that does not exist. Reads the file once
    (twice for Windows-1252), at a glance hardly at all.
    """
    marked = next((codec for mark, codec in _MARKS if source.head.startswith(mark)), None)
    if wanted:
        codec = _known(wanted, marked)
        return _proven(source, codec, "said with --encoding", Certainty.TOLD, glance=glance)
    if marked:
        return _proven(source, marked, "byte order mark", Certainty.CERTAIN, glance=glance)
    if wide := unmarked_utf16(source.head):
        return _proven(source, wide, "every character of it has two bytes", Certainty.LIKELY, glance=glance)
    _refuse_zeros(source)
    fault = _first_fault(source, "utf-8", glance=glance)
    if fault is None:
        why = f"the first {len(source.head):,} bytes are valid" if glance else "every byte is valid UTF-8"
        whole = not glance or len(source.head) == source.size_bytes
        return "utf-8", _decision("utf-8", why, Certainty.CERTAIN if whole else Certainty.LIKELY)
    if western and not fault.is_cut and _looks_western(source, _GLANCED_BYTES if glance else source.size_bytes):
        why = "the bytes fit Windows-1252 and no other Western reading"
        return "cp1252", _decision("cp1252", why, Certainty.LIKELY)
    raise _undecodable(source, "utf-8", fault)


def undecodable(source: Source, codec: str) -> FileError:
    """What to say of a file that turned out not to be what its codec reads: names the line and the byte."""
    fault = _first_fault(source, codec, glance=False)
    if fault is None:
        return FileError(f"{source.label} has changed.", "Start again when it is no longer written to.")
    return _undecodable(source, codec, fault)


def as_text(data: bytes) -> pl.Series | None:
    """UTF-8 as one text (String, length 1); None where it is not valid. Several times as fast as `bytes.decode`."""
    try:
        return pl.Series([data], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return None


def open_text(source: Source, codec: str, newline: str | None) -> io.TextIOWrapper:
    """The text from its start; `newline` as in `open`."""
    return io.TextIOWrapper(source.open(), encoding=codec, errors="strict", newline=newline)


def decode_head(source: Source, codec: str) -> str:
    """The start of the text, up to the last whole character of the head."""
    return codecs.getincrementaldecoder(codec)("ignore").decode(source.head)


def _known(wanted: str, marked: str | None) -> str:
    try:
        codec = codecs.lookup(wanted).name
        b"".decode(codec)  # of bytes to bytes, or text to text: no encoding
        "".encode(codec)
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"{wanted!r} is no encoding.", "Known are utf-8, utf-16, cp1252, latin-1 and others."
        ) from error
    if codec in _NOT_CHARSETS:
        raise UsageError(f"{wanted!r} is not the encoding of a text file.", "Known are utf-8, utf-16, cp1252, latin-1.")
    return marked if marked is not None and _WITH_MARK.get(codec, codec) == marked else codec


def _decision(codec: str, evidence: str, certainty: Certainty) -> Decision:
    return Decision("encoding", _SPOKEN.get(codec, codec), evidence, certainty)


def _proven(source: Source, codec: str, evidence: str, certainty: Certainty, *, glance: bool) -> tuple[str, Decision]:
    fault = _first_fault(source, codec, glance=glance)
    if fault is not None:
        raise _undecodable(source, codec, fault)
    return codec, _decision(codec, evidence, certainty)


def unmarked_utf16(head: bytes) -> str | None:
    """The codec of UTF-16 without a mark: zero bytes on one side only, and often, and all of the beginning printable.

    NUL bytes decode as UTF-8, but where every second byte is one, that is not what the file says. Text that is not
    Latin has them in its spaces and line ends only: there the bytes must not be English text either.
    """
    sample = head[: len(head) // 2 * 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    zeros = max(even, odd)
    if len(sample) < _WIDE_BYTES or min(even, odd) or 2 * zeros < _WIDE_SHARE * len(sample):
        return None
    codec = "utf-16-le" if odd else "utf-16-be"
    text = codecs.getincrementaldecoder(codec)("replace").decode(sample)
    if 2 * zeros < _LATIN_SHARE * len(sample) and not ("\n" in text and _NO_TEXT.search(sample)):
        return None
    return codec if all(char.isprintable() or char in "\t\r\n" for char in text) else None


def _refuse_zeros(source: Source) -> None:
    """Refuse (FileError) what may be UTF-16, or no text at all."""
    head = source.head
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 5 * (even + odd) < len(head):
        return
    if min(even, odd) * 10 < max(even, odd):
        codec = "utf-16-le" if odd > even else "utf-16-be"
        raise FileError(f"{source.label} looks like UTF-16 without a byte order mark.", f"If it is: --encoding {codec}")
    raise FileError(f"{source.label} is not text: a large part of it is NUL bytes.", "Save it as text anew.")


def _chunks(source: Source, limit: int) -> Iterator[bytes]:
    with source.open() as stream:
        while limit > 0 and (chunk := stream.read(min(_CHUNK_BYTES, limit))):
            yield chunk
            limit -= len(chunk)


def _first_fault(source: Source, codec: str, *, glance: bool) -> _Fault | None:
    """The first byte that the codec cannot read; at a glance, among the first."""
    part = glance and len(source.head) < source.size_bytes
    decoder = codecs.getincrementaldecoder(codec)("strict")
    read = 0
    try:
        for chunk in [source.head] if part else _chunks(source, source.size_bytes):
            read += len(chunk)
            if codec != "utf-8" or decoder.getstate()[0] or as_text(chunk) is None:
                decoder.decode(chunk)
        decoder.decode(b"", final=not part)
    except UnicodeDecodeError as error:
        is_cut = error.reason == "unexpected end of data"
        return _Fault(read - len(error.object) + error.start, error.object[error.start], is_cut)
    except UnicodeError:  # UTF-16 or UTF-32 asked for, and no mark to say which
        return _Fault(0, None, is_cut=False)
    return None


def _undecodable(source: Source, codec: str, fault: _Fault) -> FileError:
    if fault.value is None:
        return FileError(f"{source.label} has no byte order mark.", f"Say --encoding {codec}-le or {codec}-be.")
    name = "UTF-8" if codec in {"utf-8", "utf-8-sig"} else codec
    line = _line_at(source, codec, fault.offset)
    return UndecodableError(
        f"{source.label} is not {name}: line {line} holds the byte 0x{fault.value:02X} "
        f"(byte {fault.offset + 1} of the file).",
        _encoding_hint(source, name, fault),
        codec,
        line,
    )


def _encoding_hint(source: Source, name: str, fault: _Fault) -> str:
    """What would do: another encoding, by the names that are most likely, or mending the line."""
    if fault.is_cut:
        return "The file ends in the middle of a character: part of it may be missing."
    with source.open() as stream:
        stream.seek(max(fault.offset - _GUESSED_BYTES, 0))
        before, behind = stream.read(min(fault.offset, _GUESSED_BYTES)), stream.read(_GUESSED_BYTES)
    if name == "UTF-8" and not before.isascii():
        return "What stands before it is UTF-8: mend that line, or say what all of it is with --encoding."
    lines = (before.rpartition(b"\n")[2] + behind).rpartition(b"\n")
    names = likely_names(lines[0] or lines[2])
    likely = f", most likely {' or '.join(names)}" if names else ""
    return f"Say what it is with --encoding{likely}."


def _line_at(source: Source, codec: str, offset: int) -> int:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)("replace"), translate=True)
    line = 1
    try:
        for chunk in _chunks(source, offset):
            line += decoder.decode(chunk).count("\n")
        return line + decoder.decode(b"", final=True).count("\n")
    except UnicodeError:  # UTF-16 was said, and there is no mark to say which
        return line


def _looks_western(source: Source, limit: int) -> bool:
    """Whether Windows-1252 is the one reading, as far as the evidence of the lines goes.

    Pairs of bytes that are UTF-8 mean a damaged UTF-8 file; and where high bytes mostly come in twos and more, it may
    be Chinese or Cyrillic.
    """
    evidence = WesternEvidence()
    runs = alone = 0
    tail = rest = b""
    for chunk in _chunks(source, limit):
        window = tail + chunk
        tail = chunk[-2:]
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if window.isascii() and whole.isascii() and b"\0" not in window:
            continue
        if b"\0" in window or chunk.translate(None, _WESTERN) or _UTF8_PAIR.search(window):
            return False
        evidence.see((whole + end).decode("cp1252"))
        lengths = [len(run) for run in _HIGH_RUN.findall(chunk)]
        runs, alone = runs + len(lengths), alone + lengths.count(1)
    evidence.see(rest.decode("cp1252"))
    return 2 * alone >= runs and evidence.holds()

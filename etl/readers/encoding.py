"""Encoding: which characters the bytes of a text file are, with evidence, or a question.

It must never know what the text says beyond which letters occur, and it never replaces a byte it cannot read.

The ladder: a byte order mark decides; else UTF-8, strictly, over the whole file; else, for delimited text only,
Windows-1252 where nothing in the file speaks against it; else the user is asked.
"""

import codecs
import io
import re
from dataclasses import dataclass

from etl.errors import FileError, UsageError
from etl.readers.source import Source

_CHUNK_BYTES = 1 << 20

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

_ALIKE = frozenset("ÁÂÄÇÉËÍÎÓÔÖÚÜÝßáâäçéëíîóôöúüýŠšŽž")
"""Letters whose byte means the same in Windows-1250 (Central European) and Windows-1252 (Western)."""
_LANGUAGES = tuple(
    frozenset(letters)
    for letters in (
        "àèêùûïœæÿñÀÈÊÙÛÏŒÆŸ",  # French
        "ñÑªº¿¡ïÏàèòÀÈÒ",  # Spanish, Catalan
        "ãõàêÃÕÀÊªº",  # Portuguese
        "àèìòùÀÈÌÒÙª°º",  # Italian
        "åæøÅÆØèàê",  # Danish, Norwegian, Swedish, Finnish
    )
)
_SIGNS = bytes.fromhex(
    "80 82 84 85 91 93 94 95 96 97 99 a1 a3 a7 a9 aa ab ae b0 b1 b2 b3 b4 b6 b9 ba bb bc bd be bf d7 f7"
)
"""Euro, quotes, dashes, bullet, paragraph, degree, powers, fractions and the like, as Windows-1252 bytes."""
_APOSTROPHE_DOT_AND_SPACE = bytes.fromhex("92 b7 a0")
_PUNCTUATION = frozenset((_SIGNS + _APOSTROPHE_DOT_AND_SPACE).decode("cp1252")) - frozenset("¡¿ªº")
"""The signs of every Western language; those of Spanish and its neighbours stand with their letters."""
_INSIDE_A_WORD = re.compile(rf"[^\W\d_][{_SIGNS.decode('cp1252')}][^\W\d_]")
"""Signs that no one writes between two letters: there, the byte is a letter of another code page."""
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_UTF8_PAIR = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")


@dataclass(frozen=True, slots=True)
class _Fault:
    """The first byte that cannot be read; `offset` from 0."""

    offset: int
    value: int | None


def decide_encoding(source: Source, wanted: str | None, *, western: bool) -> str:
    """The codec that reads the whole file, byte order mark removed.

    `western` allows Windows-1252 to be concluded. Raises FileError naming line and byte where the text cannot be read,
    UsageError for an encoding that does not exist. Reads the file once (twice for Windows-1252).
    """
    marked = next((codec for mark, codec in _MARKS if source.head.startswith(mark)), None)
    codec = _known(wanted, marked) if wanted else marked or "utf-8"
    if not wanted and not marked:
        _refuse_unmarked_utf16(source)
    fault = _first_fault(source, codec)
    if fault is None:
        return codec
    if codec == "utf-8" and not wanted and western and _looks_western(source):
        return "cp1252"
    raise _undecodable(source, codec, fault)


def open_text(source: Source, codec: str, newline: str | None) -> io.TextIOWrapper:
    """The text from its start; `newline` as in `open`."""
    return io.TextIOWrapper(source.open(), encoding=codec, errors="strict", newline=newline)


def decode_head(source: Source, codec: str) -> str:
    """The start of the text, up to the last whole character of the head."""
    return codecs.getincrementaldecoder(codec)("ignore").decode(source.head)


def _known(wanted: str, marked: str | None) -> str:
    try:
        codec = codecs.lookup(wanted).name
        "".encode(codec)
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"{wanted!r} is no encoding.", "Known are utf-8, utf-16, cp1252, latin-1 and others."
        ) from error
    if codec in _NOT_CHARSETS:
        raise UsageError(f"{wanted!r} is not the encoding of a text file.", "Known are utf-8, utf-16, cp1252, latin-1.")
    return marked if marked is not None and _WITH_MARK.get(codec, codec) == marked else codec


def _refuse_unmarked_utf16(source: Source) -> None:
    """NUL bytes decode as UTF-8; where every second byte is one, that is not what the file says."""
    sample = source.head[: len(source.head) // 2 * 2]
    if sample.count(0) * 5 < len(sample) or not sample:
        return
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if min(even, odd) * 10 < max(even, odd):
        guess = "utf-16-le" if odd > even else "utf-16-be"
        raise FileError(f"{source.label} looks like UTF-16 without a byte order mark.", f"If it is: --encoding {guess}")
    raise FileError(f"{source.label} is not text: a large part of it is NUL bytes.")


def _first_fault(source: Source, codec: str) -> _Fault | None:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    fed = 0
    with source.open() as stream:
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            fed += len(chunk)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return _Fault(fed - len(error.object) + error.start, error.object[error.start])
            except UnicodeError:  # UTF-16 or UTF-32 asked for, and no mark to say which
                return _Fault(0, None)
            if not chunk:
                return None


def _undecodable(source: Source, codec: str, fault: _Fault) -> FileError:
    if fault.value is None:
        return FileError(f"{source.label} has no byte order mark.", f"Say --encoding {codec}-le or {codec}-be.")
    name = "UTF-8" if codec in {"utf-8", "utf-8-sig"} else codec
    line = _line_at(source, codec, fault.offset)
    return FileError(
        f"{source.label} is not {name}: line {line} holds the byte 0x{fault.value:02X} "
        f"(byte {fault.offset + 1} of the file).",
        "Say what it is with --encoding, for example --encoding cp1252 for a file from Windows in Western Europe.",
    )


def _line_at(source: Source, codec: str, offset: int) -> int:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)("replace"), translate=True)
    line, left = 1, offset
    with source.open() as stream:
        while left and (chunk := stream.read(min(left, _CHUNK_BYTES))):
            line += decoder.decode(chunk).count("\n")
            left -= len(chunk)
    return line + decoder.decode(b"", final=True).count("\n")


def _looks_western(source: Source) -> bool:
    """Whether Windows-1252 is the one reading: every sign has its place, every letter fits one Western language.

    Letters on which the neighbouring code pages agree cannot be wrong; the others must all be of one language, or the
    file may just as well be Czech, Polish or Turkish. Pairs of bytes that are UTF-8 mean a damaged UTF-8 file; and
    where they mostly come in twos and more, it may be Chinese or Cyrillic.
    """
    decoder = codecs.getincrementaldecoder("cp1252")("strict")
    letters: set[str] = set()
    runs = alone = 0
    tail = ""
    with source.open() as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            try:
                text = tail + decoder.decode(chunk)
            except UnicodeDecodeError:
                return False
            if _UTF8_PAIR.search(chunk) or _INSIDE_A_WORD.search(text):
                return False
            letters.update(char for char in set(text) if char > "\x7f")
            lengths = [len(run) for run in _HIGH_RUN.findall(chunk)]
            runs, alone = runs + len(lengths), alone + lengths.count(1)
            tail = text[-2:]
    rest = letters - _ALIKE
    return 2 * alone >= runs and any(rest <= language | _PUNCTUATION for language in _LANGUAGES)

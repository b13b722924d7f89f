"""Sniff: which format a file has, by its content, then by its name.

It must never trust a name over the content, and never hand a compressed or binary file on as text.
"""

import codecs
import json
import re

from etl.batch import Certainty, Decision
from etl.errors import FileError, UsageError
from etl.formats import FORMATS
from etl.readers.encoding import decode_head
from etl.readers.source import Source

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""The name of the stream in which a password-protected .xlsx lies, in the directory of its OLE file."""

_COMPRESSED = (
    (b"\x1f\x8b", "compressed with gzip", "gunzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unzstd"),
    (b"\xfd7zXZ\x00", "compressed with xz", "unxz"),
    (b"BZh", "compressed with bzip2", "bunzip2"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x"),
    (b"Rar!\x1a\x07", "a RAR archive", "unrar x"),
)
_BINARY = (
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"%PDF-", "a PDF document"),
    (b"Obj\x01", "an Avro file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"{\\rtf", "a Rich Text document"),
)
_MARKUP = re.compile(r"<(?:!doctype|\?xml|html|head|body|table|meta|style|script|!--)", re.IGNORECASE)
_DELIMITED_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".psv"})
_TEXT_SUFFIXES = frozenset({"", ".txt", ".dat"})
_LINES_SUFFIXES = frozenset({".jsonl", ".ndjson", ".ldjson"})
_READ = "Read are CSV (any separator), JSON Lines and Excel workbooks (.xlsx)."


def sniff_format(source: Source, wanted: str | None) -> tuple[str, Decision]:
    """One of `FORMATS`, and why.

    Raises FileError for a content that none of them is, UsageError for an unknown `wanted`.
    """
    found = _sniff(source, wanted)
    if wanted is not None:
        return found, Decision("format", found, "said with --format", Certainty.TOLD)
    return found, Decision("format", found, "the content looks like it", Certainty.LIKELY)


def _sniff(source: Source, wanted: str | None) -> str:
    if wanted is not None and wanted not in FORMATS:
        raise UsageError(f"The format {wanted!r} is not known.", f"Use one of {', '.join(FORMATS)}.")
    _refuse_binary(source)
    if source.head.startswith(_ZIP):
        if wanted not in {None, "xlsx"}:
            raise FileError(
                f"{source.label} is a zip file or a workbook, not {_spoken(wanted)}.", "Leave out --format."
            )
        return "xlsx"
    text = _head_text(source)
    if not text.strip("\ufeff \t\r\n") and len(source.head) == source.size_bytes:
        raise FileError(f"{source.label} is empty.")
    if wanted == "xlsx":
        raise FileError(f"{source.label} is text, not an Excel workbook.", "Leave out --format, or save it as .xlsx.")
    _refuse_markup(source, text)
    return wanted or _text_format(source, text.lstrip("\ufeff \t\r\n"))


def _spoken(format_: str | None) -> str:
    return "JSON Lines" if format_ == "jsonl" else "CSV"


def _refuse_binary(source: Source) -> None:
    for magic, what, command in _COMPRESSED:
        if source.head.startswith(magic):
            raise FileError(f"{source.label} is {what}.", f"Unpack it first: {command} FILE")
    for magic, what in _BINARY:
        if source.head.startswith(magic):
            raise FileError(f"{source.label} is {what}.", _READ)
    if source.head.startswith(_OLE):
        with source.open() as stream:
            locked = _ENCRYPTED in stream.read(1 << 24)
        if locked:
            raise FileError(f"{source.label} is protected with a password.", "Save a copy without the password.")
        raise FileError(
            f"{source.label} is a workbook in the old format of Excel 97-2003.", "Open it and save it as .xlsx."
        )


def _head_text(source: Source) -> str:
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if source.head.startswith(mark):
            return decode_head(source, codec)
    return decode_head(source, "utf-8")


def _refuse_markup(source: Source, text: str) -> None:
    if not _MARKUP.match(text.lstrip("\ufeff \t\r\n")):
        return
    named = " although its name says it is a workbook" if source.suffix in {".xls", ".xlsx", ".xlsm"} else ""
    raise FileError(f"{source.label} is HTML or XML{named}.", "Open it in a spreadsheet program and save it as .xlsx.")


def _text_format(source: Source, start: str) -> str:
    suffix = source.suffix
    if suffix in _LINES_SUFFIXES or (start.startswith("{") and _is_object(start)):
        return "jsonl"
    if suffix in _DELIMITED_SUFFIXES:
        return "csv"
    if start.startswith("{"):
        raise FileError(
            f"{source.label} is not JSON Lines: its first line is no whole JSON object.",
            "Write one object a line: jq -c . FILE (or say --format jsonl if only that line is bad).",
        )
    if suffix == ".json" or re.match(r"\[\s*[\[{\"\]]", start):
        raise FileError(f"{source.label} is one JSON document, not JSON Lines.", "One object a line: jq -c '.[]' FILE")
    if suffix in _TEXT_SUFFIXES:
        return "csv"
    raise _wrong_suffix(source)


def _is_object(start: str) -> bool:
    """Whether the first line is a JSON object, as far as the head shows it."""
    line, _, rest = start.replace("\r", "\n").partition("\n")
    try:
        return isinstance(json.loads(line, parse_int=str, parse_constant=str), dict)
    except json.JSONDecodeError:
        return not rest and len(start) > 10_000 and re.match(r'\{\s*"', line) is not None
    except RecursionError:
        return True


def _wrong_suffix(source: Source) -> FileError:
    if source.suffix in {".xls", ".xlsx", ".xlsm", ".xlsb", ".ods"}:
        return FileError(
            f"{source.label} is text, although its name says it is a workbook.", "If it is delimited text: --format csv"
        )
    return FileError(f"The format of {source.label} is not known.", f"{_READ} If it is delimited text: --format csv")

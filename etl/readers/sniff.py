"""Sniff: which format a file has, by its content, then by its name.

It must never trust a name over a content that is certain, and never hands a file on as what it is not: what no reader
reads is refused with what it is.
"""

from pathlib import Path

from etl.batch import Certainty, Decision
from etl.errors import FileError, UsageError
from etl.formats import FORMATS, Format
from etl.readers.options import ReadOptions
from etl.readers.sniff_text import Finding, tell_text
from etl.readers.sources.archive import ZIP, open_archive, tell_contents
from etl.readers.sources.compound import open_compound
from etl.readers.sources.source import Source
from etl.readers.sources.unpack import PACKED

SPOKEN: dict[str, str] = {
    "csv": "CSV",
    "xlsx": "an Excel workbook",
    "xls": "an Excel workbook of the old format (.xls)",
    "xlsb": "a binary Excel workbook (.xlsb)",
    "ods": "an OpenDocument spreadsheet (.ods)",
    "jsonl": "JSON Lines",
    "json": "a JSON document",
    "yaml": "YAML",
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
}
"""The formats in words."""
READ = (
    "Read are CSV (any separator), JSON Lines, JSON, YAML, workbooks (.xlsx, .xls, .xlsb, .ods), Parquet and Arrow, "
    "also compressed."
)

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TEXTS = frozenset({"csv", "jsonl", "json", "yaml"})
_ENDINGS: dict[str, tuple[str, ...]] = {
    "csv": (".csv", ".tsv", ".tab", ".psv", ".txt", ".dat"),
    "xlsx": (".xlsx", ".xlsm", ".xltx", ".xltm"),
    "xls": (".xls", ".xlt"),
    "xlsb": (".xlsb",),
    "ods": (".ods", ".ots", ".fods"),
    "jsonl": (".jsonl", ".ndjson", ".ldjson", ".jsonlines"),
    "json": (".json",),
    "yaml": (".yaml", ".yml"),
    "parquet": (".parquet", ".pq", ".parq"),
    "arrow": (".arrow", ".arrows", ".feather", ".ipc"),
}
"""The endings of names that go with a format."""
_ANYTHING = frozenset({".txt", ".dat"})
"""Endings of tables, and of much else."""


def is_named_like_a_table(path: Path) -> bool:
    """Whether the ending of a name says that the file is surely one of the formats that are read, also compressed."""
    known = {ending for endings in _ENDINGS.values() for ending in endings} - _ANYTHING
    endings = [ending.lower() for ending in path.suffixes]
    return any(ending in known for ending in (endings[-2:] if endings[-1:] and endings[-1] in PACKED else endings[-1:]))


_MAGIC = (
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "a Rich Text document"),
    (b"Obj\x01", "an Avro file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive (unpack it: 7z x FILE)"),
    (b"Rar!\x1a\x07", "a RAR archive (unpack it: unrar x FILE)"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4 (unpack it: unlz4 FILE)"),
    (b"LZIP\x01", "compressed with lzip (unpack it: lzip -d FILE)"),
    (b"\x1f\x9d", "compressed with compress (unpack it: uncompress FILE)"),
    (b"\x1f\x8b", "compressed with an unknown kind of gzip"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF87a", "a picture"),
    (b"GIF89a", "a picture"),
    (b"II*\x00", "a picture"),
    (b"MM\x00*", "a picture"),
    (b"ID3\x02", "a sound file"),
    (b"ID3\x03", "a sound file"),
    (b"ID3\x04", "a sound file"),
    (b"OggS\x00", "a sound file"),
    (b"fLaC\x00", "a sound file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"\x80\x04\x95", "a Python pickle, which may hold a program"),
    (b"\x80\x05\x95", "a Python pickle, which may hold a program"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"\x09\x00\x04\x00", "a worksheet of Excel 2"),
    (b"\x09\x02\x06\x00", "a worksheet of Excel 3"),
    (b"\x09\x04\x06\x00", "a worksheet of Excel 4"),
    (b"\x09\x08\x08\x00", "a worksheet of Excel 5 outside its file"),
    (b"\x09\x08\x10\x00", "a worksheet of Excel 97 outside its file"),
    (b"\x00\x00\x02\x00", "a worksheet of Lotus 1-2-3 or Quattro Pro"),
    (b"\x00\x00\x1a\x00", "a worksheet of Lotus 1-2-3"),
)
"""First bytes that no text and no format that is read begins with."""
_OLD_OFFICE = (
    ("WordDocument", "a Word document of the old format (.doc)"),
    ("PowerPoint Document", "a presentation of the old format (.ppt)"),
    ("VisioDocument", "a Visio drawing"),
    ("__properties_version1.0", "an Outlook message"),
)


def sniff_format(source: Source, told: ReadOptions, fallback: ReadOptions) -> tuple[Format, Decision]:
    """One of `FORMATS`, and why. `told` by the user, `fallback` by a mapping: their `format` and `encoding` count.

    Raises FileError for a content that none of them is, or not the one that was told; UsageError for an unknown one.
    """
    wanted = told.format or fallback.format
    by_whom = "--format" if told.format else "`format` in the mapping"
    if wanted is not None and wanted not in FORMATS:
        raise UsageError(f"The format {wanted!r} is not known.", f"Use one of {', '.join(FORMATS)}.")
    found = _tell_binary(source) or tell_text(source, told.encoding or fallback.encoding)
    if wanted is not None:
        _refuse_other(source, found, wanted, by_whom)
        evidence = f"said with {by_whom}" if told.format else "said in the mapping"
        return wanted, Decision("format", wanted, evidence, Certainty.TOLD)
    if found.format is None:
        raise found.refusal or _unknown(source)
    return found.format, Decision("format", found.format, _with_name(source, found), found.certainty)


def _with_name(source: Source, found: Finding) -> str:
    """The evidence, and a word on a name that says something else."""
    own = [format_ for format_, endings in _ENDINGS.items() if source.suffix in endings]
    if not own or found.format in own:
        return found.evidence
    return f"{found.evidence}, although its name ends in {source.suffix}"


def _refuse_other(source: Source, found: Finding, wanted: str, by_whom: str) -> None:
    """Raise where the content is certainly not what it was said to be."""
    if found.format is None and wanted in _TEXTS:
        return
    if found.format == wanted or (found.format in _TEXTS and wanted in _TEXTS and not _contradicts(found, wanted)):
        return
    what = "text" if found.format is None or found.format == "csv" else SPOKEN[found.format]
    raise FileError(f"{source.label} is {what}, not {SPOKEN[wanted]}.", f"Leave out {by_whom}.")


def _contradicts(found: Finding, wanted: str) -> bool:
    """Whether a text that is certainly JSON cannot be meant as `wanted`. Every JSON document is YAML, too."""
    if found.certainty is not Certainty.CERTAIN or wanted == "yaml":
        return False
    return found.format == "json" or (found.format == "jsonl" and wanted == "csv")


def _tell_binary(source: Source) -> Finding | None:
    """What the first bytes (and the last) say; None for text. Raises FileError for what is not read."""
    head = source.head
    if head.startswith(ZIP):
        return _tell_zip(source)
    if head.startswith(_OLE):
        return _tell_ole(source)
    columns = _tell_columns(source)
    if columns is not None:
        return columns
    what = next((what for magic, what in _MAGIC if head.startswith(magic)), None)
    what = what or _tell_container(head)
    if what is not None:
        raise FileError(f"{source.label} is {what}.", READ)
    return None


def _tell_container(head: bytes) -> str | None:
    """Files whose mark is not their first bytes."""
    if head[257:262] == b"ustar":
        return "a tar archive (unpack it: tar -xf FILE)"
    if head[:4] in {b"RIFF", b"FORM"} and head[8:12] in {b"WAVE", b"AVI ", b"WEBP", b"AIFF"}:
        return "a picture" if head[8:12] == b"WEBP" else "a sound or video file"
    return "a sound or video file" if head[4:8] == b"ftyp" else None


def _tell_zip(source: Source) -> Finding:
    with open_archive(source) as archive:
        contents = tell_contents(archive)
    if contents.format is None:
        hint = "Export it as .xlsx or .csv." if "Numbers" in contents.what else READ
        raise FileError(f"{source.label} is {contents.what or 'a zip archive of files'}.", hint)
    return Finding(contents.format, contents.evidence, Certainty.CERTAIN)


def _tell_ole(source: Source) -> Finding:
    with open_compound(source) as streams:
        if "Workbook" in streams or "Book" in streams:
            return Finding("xls", "an old Office file with a workbook in it", Certainty.CERTAIN)
        if "EncryptedPackage" in streams:
            raise FileError(f"{source.label} is protected with a password.", "Save a copy without the password.")
        what = next((what for name, what in _OLD_OFFICE if name in streams), "an old Office file without a workbook")
    raise FileError(f"{source.label} is {what}.", READ)


def _tell_columns(source: Source) -> Finding | None:
    """Parquet and Arrow. Their marks are letters, so that a text could begin with them: the end has to agree."""
    head = source.head
    if head.startswith(b"\xff\xff\xff\xff") and _is_arrow_stream(source):
        return Finding("arrow", "it begins as an Arrow stream", Certainty.CERTAIN)
    mark = next((mark for mark in (b"PAR1", b"PARE", b"ARROW1", b"FEA1") if head.startswith(mark)), None)
    if mark is None:
        return None
    with source.open() as stream:
        stream.seek(max(0, source.size_bytes - len(mark)))
        whole = stream.read() == mark and source.size_bytes >= 2 * len(mark)
    if not whole and b"\0" not in head:
        return None
    what = {b"PAR1": "a Parquet file", b"ARROW1": "an Arrow file"}.get(mark)
    if what is None:
        kind = "an encrypted Parquet file" if mark == b"PARE" else "a Feather file of version 1"
        raise FileError(f"{source.label} is {kind}, which is not read.", READ)
    if not whole:
        raise FileError(f"{source.label} is cut off: it begins as {what} and does not end as one.", "Copy it again.")
    return Finding("parquet" if mark == b"PAR1" else "arrow", f"it begins and ends as {what}", Certainty.CERTAIN)


def _is_arrow_stream(source: Source) -> bool:
    """Whether a first message of a credible length follows the mark."""
    length = int.from_bytes(source.head[4:8], "little")
    return 0 < length < source.size_bytes and length % 8 == 0


def _unknown(source: Source) -> FileError:
    return FileError(f"The format of {source.label} is not known.", f"{READ} If it is delimited text: --format csv")

"""Sniff text: which text format the beginning of a file shows: delimited, JSON Lines, JSON, YAML, or one not read.

It must never conclude more than the beginning shows: what another reading could explain as well is only likely.
"""

import codecs
import io
import json
import re
from typing import Any, NamedTuple

from etl.batch import Certainty
from etl.errors import FileError
from etl.formats import Format
from etl.readers.sources.source import Source
from etl.readers.texts.encoding import decode_head, unmarked_utf16

_BLANK = "\ufeff \t\r\n"
_MARKUP_CHARACTERS = 1 << 13
_LINE_CHARACTERS = 8 << 20
"""How far the end of the first line is looked for where a file begins with one long line."""
_FEW_CONTROLS, _MOST_CONTROLS = 8, 0.1
"""More control characters, and a larger share of them, is no text. Fewer are for the readers to name."""
_CONTROLS = dict.fromkeys({*range(32), 127} - {*b"\t\n\v\f\r\x1b", 1, 2, 26, 28, 29, 30, 31})
"""Those that texts do not consist of. Not the ones that some use to separate cells, colour words or end a file."""

_BY_ENDING: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".psv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ldjson": "jsonl",
    ".jsonlines": "jsonl",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
}
_TELLS_NOTHING = frozenset({"", ".txt", ".dat", ".text"})
_NO_TEXT = {
    **dict.fromkeys((".xls", ".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".ods"), "a workbook"),
    **dict.fromkeys((".parquet", ".pq", ".arrow", ".arrows", ".feather", ".ipc"), "a columnar file"),
}
"""Endings of names that promise something else than text."""
_SEPARATED = re.compile(r"[^\n]*([\t;,|])[^\n]*(?:\n+[^\n]*\1|\s*\Z)")
"""Two lines that hold the same separator, or the only one. Web pages that "export to Excel" write such text as `.xls`,
and spreadsheet programs open it; as `.xlsx` they do not."""

_HTML = re.compile(
    r"(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype\s+html|(?:html|head|body|table|meta|style|script|div)\b)"
)
_XML = re.compile(
    r"<(?:\?xml|!doctype|!--|[\w:.-]+\s[^<>]*\bxmlns|[\w:.-]+(?:\s[^<>]*)?> *(?:\n\s*)?<.*?</)", re.DOTALL
)
"""Not every `<`: some tables have a header such as `<TICKER>,<DATE>`."""
_SHEET_XML = "urn:schemas-microsoft-com:office:spreadsheet"
_FLAT_ODS = "urn:oasis:names:tc:opendocument:xmlns:office"
_FLAT_SHEETS = re.compile(r"""[\s:]mimetype\s*=\s*["']application/vnd\.oasis\.opendocument\.spreadsheet\b""")
_OTHERS = (
    (re.compile(r"ID;P[A-Z0-9]*(?:;[A-Z]+)*\r?[\r\n][A-Z]{1,4};"), "a workbook in the SYLK format (.slk)"),
    (re.compile(r"TABLE\r?[\r\n]0,1\r?[\r\n]"), "a sheet in the DIF format"),
    (re.compile(r"socialcalc:version:"), "a sheet of SocialCalc or EtherCalc"),
    (re.compile(r"(?:[\w-]+:[^\r\n]*\r?\n)*MIME-Version:", re.IGNORECASE), "a web archive or an e-mail"),
)
_YAML_LINE = re.compile(r"\s*$|\s*#|---|%YAML|\s+\S|- |[\w$.\"'-][\w$.\"' -]*:(?:\s|$)")
"""A line of a block document: blank, a comment, a mark, deeper, an item, a key."""
_YAML_ITEM = re.compile(r"\s*- +(?:[\w$.-]+|\"[^\"]*\"|'[^']*') *:(?:\s|$)")
"""A list's item that is a map."""
_YAML_LINES = 200


class Finding(NamedTuple):
    """What a content is, and a clause that says why. Where `format` is None, `refusal` says why it is not read."""

    format: Format | None
    evidence: str
    certainty: Certainty
    refusal: FileError | None = None


def tell_text(source: Source, encoding: str | None) -> Finding:
    """The format of a text, as its beginning and its name show it; `encoding` as the user said it.

    Raises FileError for an empty file, for what is no text, and for texts that no reader reads whatever they are said
    to be: HTML, XML, old exchange formats.
    """
    codec, text = _beginning(source, encoding)
    _refuse_binary(source, text)
    whole = len(source.head) == source.size_bytes
    if not text and whole:
        raise FileError(f"{source.label} is empty.", "Save or download it again, or name another file.")
    if _is_flat_spreadsheet(text):
        return Finding("ods", "it says that it is an OpenDocument spreadsheet in one file", Certainty.CERTAIN)
    _refuse_markup(source, text)
    for pattern, what in _OTHERS:
        if pattern.match(text):
            raise FileError(f"{source.label} is {what}.", "Open it in a spreadsheet program and save it as .xlsx.")
    named = _BY_ENDING.get(source.suffix)
    found = None
    if named != "yaml":  # whatever JSON it may look like, it is YAML too
        found = _tell_json(source, codec, text, named, whole=whole)
    if found is None and _is_yaml(text, whole=whole):
        found = Finding("yaml", "its lines are those of a YAML document", Certainty.LIKELY)
    return _weigh(source, text, found, named)


def _weigh(source: Source, text: str, found: Finding | None, named: Format | None) -> Finding:
    """The content where it is certain, else the name, else what the content is like."""
    if found is not None and (found.certainty is Certainty.CERTAIN or named is None):
        return found
    if named is not None:
        return _named(source, found, named)
    if source.suffix == ".xls" and _SEPARATED.match(text):
        return Finding("csv", "its first lines are delimited text", Certainty.LIKELY)
    if source.suffix in _NO_TEXT:
        words = f"{source.label} is text, although its name says it is {_NO_TEXT[source.suffix]}."
        return _refused(FileError(words, "If it is delimited text: --format csv"))
    if source.suffix in _TELLS_NOTHING:
        return Finding("csv", "it is text, and neither JSON nor YAML", Certainty.LIKELY)
    return _refused(None)


def _named(source: Source, found: Finding | None, named: Format) -> Finding:
    if named == "csv":
        return Finding("csv", f"it is text, and its name ends in {source.suffix}", Certainty.CERTAIN)
    if found is not None and found.format == named:
        return Finding(named, f"{found.evidence}, and its name ends in {source.suffix}", Certainty.CERTAIN)
    return Finding(named, f"its name ends in {source.suffix}", Certainty.LIKELY)


def _refused(refusal: FileError | None) -> Finding:
    return Finding(None, "", Certainty.LIKELY, refusal)


def _beginning(source: Source, encoding: str | None) -> tuple[str, str]:
    """How to look at the beginning, and what is seen: whether all of it can be read so is for the readers."""
    codec = _codec_of(source.head, encoding)
    try:
        b"".decode(codec)
        text = decode_head(source, codec)
    except (LookupError, ValueError):  # of no text file, or no encoding at all: the reader says so
        codec, text = "utf-8", decode_head(source, "utf-8")
    return codec, text.replace("\r\n", "\n").replace("\r", "\n").lstrip(_BLANK)


def _codec_of(head: bytes, encoding: str | None) -> str:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if wide := unmarked_utf16(head):
        return wide
    even, odd = head[::2].count(0), head[1::2].count(0)
    if (even + odd) * 5 >= len(head) and min(even, odd) * 10 < max(even, odd):  # every second byte of Latin letters
        return "utf-16-le" if odd > even else "utf-16-be"
    return encoding or "utf-8"


def _refuse_binary(source: Source, text: str) -> None:
    controls = len(text) - len(text.translate(_CONTROLS))
    if controls > max(_FEW_CONTROLS, _MOST_CONTROLS * len(text)):
        raise FileError(
            f"{source.label} is not text, nor any other format that is read: {controls:,} of its first {len(text):,} "
            "characters are control characters.",
            "Save it as .csv or .xlsx in the program that it comes from.",
        )


def _is_flat_spreadsheet(text: str) -> bool:
    start = text[:_MARKUP_CHARACTERS].lower()
    return start.startswith("<") and _FLAT_ODS in start and _FLAT_SHEETS.search(start) is not None


def _refuse_markup(source: Source, text: str) -> None:
    start = text[:_MARKUP_CHARACTERS].lower()
    named = " although its name says it is a workbook" if _NO_TEXT.get(source.suffix) == "a workbook" else ""
    if not start.startswith("<"):
        return
    if _HTML.match(start):
        what = "HTML (a web page)"
    elif _SHEET_XML in start:
        what = "a workbook in the XML format of Excel 2003"
    elif _FLAT_ODS in start:
        what = "a flat OpenDocument file"
    elif _XML.match(start):
        what = "XML"
    else:
        return
    raise FileError(f"{source.label} is {what}{named}.", "Open it in a spreadsheet program and save it as .xlsx.")


def _is_yaml(text: str, *, whole: bool) -> bool:
    """Whether every line is one of a YAML document, and one of them is an item that CSV would not have."""
    lines = text.split("\n")[:_YAML_LINES]
    lines = lines if whole and len(lines) < _YAML_LINES else lines[:-1]
    return all(map(_YAML_LINE.match, lines)) and (
        any(map(_YAML_ITEM.match, lines)) or any(line == "---" or line.startswith("%YAML") for line in lines[:1])
    )


def _tell_json(source: Source, codec: str, text: str, named: Format | None, *, whole: bool) -> Finding | None:
    """JSON, one document or one a line; None for a text that does not begin as either."""
    if re.match(r'\{\s*["}]', text):
        return _tell_object(source, codec, text, named, whole=whole)
    if re.match(r'\[\s*[\[{"\]]', text):
        return _tell_array(text, whole=whole)
    return None


def _tell_object(source: Source, codec: str, text: str, named: Format | None, *, whole: bool) -> Finding:
    value, end = _first_value(text)
    if end is None:
        return _tell_broken_object(source, codec, text, whole=whole)
    rest = text[end:].lstrip()
    if "\n" in text[:end]:
        sure = Certainty.LIKELY if rest else Certainty.CERTAIN
        return Finding("json", "it begins with a JSON object over several lines", sure)
    if rest or not whole:
        sure = Certainty.CERTAIN if rest.startswith("{") else Certainty.LIKELY
        return Finding("jsonl", "its first line is a JSON object", sure)
    if named != "csv" and sum(map(_holds_records, value.values())) == 1:
        return Finding("json", "it is a JSON object that holds one list of objects", Certainty.LIKELY)
    sure = Certainty.CERTAIN if named == "csv" else Certainty.LIKELY  # one record, or a document that holds none
    return Finding("jsonl", "it is a JSON object on one line", sure)


def _holds_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _tell_broken_object(source: Source, codec: str, text: str, *, whole: bool) -> Finding:
    """An object that is not whole: by a mistake in it, or because the head ends before it does."""
    first, ended, rest = text.partition("\n")
    if not ended and not whole:
        return _tell_long_line(source, codec)
    if not ended or (first.rstrip().endswith("}") and rest.lstrip().startswith("{")):
        return Finding("jsonl", "its lines begin as JSON objects do", Certainty.LIKELY)
    return Finding("json", "it begins as a JSON object over several lines", Certainty.LIKELY)


def _tell_long_line(source: Source, codec: str) -> Finding:
    with io.TextIOWrapper(source.open(), encoding=codec, errors="replace") as stream:
        line = stream.readline(_LINE_CHARACTERS)
        rest = stream.read(_LINE_CHARACTERS >> 8).lstrip() if line.endswith("\n") else ""
    if len(line) == _LINE_CHARACTERS:
        return Finding("json", "it begins as a JSON object on a very long line", Certainty.LIKELY)
    sure = Certainty.CERTAIN if rest.startswith("{") and _first_value(line.strip(_BLANK))[1] else Certainty.LIKELY
    return Finding("jsonl", "its first line is a JSON object", sure)


def _tell_array(text: str, *, whole: bool) -> Finding | None:
    _, end = _first_value(text)
    rest = text[end:].lstrip() if end is not None else ""
    if rest.startswith("["):
        return Finding("jsonl", "its first line is a JSON array", Certainty.LIKELY)
    if end is not None and not rest:
        return Finding("json", "it is a JSON array", Certainty.CERTAIN)
    if re.match(r'\[\s*\{\s*"', text):
        return Finding("json", "it begins as a JSON array of objects", Certainty.CERTAIN)
    if end is None and not whole:
        return Finding("json", "it begins as a JSON array", Certainty.LIKELY)
    return None


def _first_value(text: str) -> tuple[Any, int | None]:
    """The JSON value that the text begins with, and where it ends; None where it is not whole or not JSON."""
    try:
        return json.JSONDecoder(parse_int=str, parse_float=str).raw_decode(text)
    except (ValueError, RecursionError):
        return None, None

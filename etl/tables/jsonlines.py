"""JSON Lines: one JSON text a line. This file must never know what the texts say."""

import codecs
import json
from collections.abc import Container, Iterable, Sequence
from itertools import islice
from json.encoder import encode_basestring

from etl.tables.files import NewFile

_LINES_A_WRITE = 1_000

json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as compact JSON text."""

string_text = encode_basestring
"""A string as JSON text, many times faster than `json_text` would."""


def write_lines(file: NewFile, lines: Iterable[str], encoding: str = "utf-8") -> None:
    """Append JSON texts, each without a line break in it. `encoding`: a Python codec that can spell them.

    Raises StoppedError where the file cannot be written.
    """
    # Half a surrogate pair is what no encoding can spell, and `\ud800` is how JSON spells it.
    encoder = codecs.getincrementalencoder(encoding)("backslashreplace")
    remaining = iter(lines)
    while chunk := list(islice(remaining, _LINES_A_WRITE)):
        file.write(encoder.encode("\n".join(chunk) + "\n"))


def object_text(columns: Sequence[str], cells: Sequence[str | None], written: Container[str] = ()) -> str:
    """A row as a JSON object of strings; a blank cell has no key. The cells of `written` columns are JSON already."""
    members = (
        f"{string_text(column)}:{cell if column in written else string_text(cell)}"
        for column, cell in zip(columns, cells, strict=True)
        if cell is not None
    )
    return "{" + ",".join(members) + "}"

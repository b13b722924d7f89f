"""JSON Lines: one JSON text a line, in UTF-8. This file must never know what the texts say."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from json.encoder import encode_basestring

from etl.tables.files import NewFile

_LINES_A_WRITE = 1_000

json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as compact JSON text."""

string_text = encode_basestring
"""A string as JSON text, many times faster than `json_text` would."""


def write_lines(file: NewFile, lines: Iterable[str]) -> None:
    """Append JSON texts, each without a line break in it. Raises StoppedError where the file cannot be written."""
    remaining = iter(lines)
    while chunk := list(islice(remaining, _LINES_A_WRITE)):
        text = "\n".join(chunk) + "\n"
        # Half a surrogate pair is all that UTF-8 cannot spell, and `\ud800` is how JSON spells it.
        file.write(text.encode("utf-8", "backslashreplace"))


def object_text(columns: Sequence[str], cells: Sequence[str | None]) -> str:
    """A row as a JSON object of strings; a blank cell has no key."""
    return json_text({column: cell for column, cell in zip(columns, cells, strict=True) if cell is not None})

"""A JSON object's text with our error in it, and not one other character changed.

This file must never know what the object means.
"""

import json
import re
from typing import NamedTuple

from etl.batch import ERROR_COLUMN, LINE_KEY
from etl.tables import json_text, string_text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


# Values are only stepped over. Numbers stay text, because `int` refuses more than 4,300 digits.
_decode = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant).raw_decode
_blank = re.compile(r"[ \t\n\r]*")


class _Shape(NamedTuple):
    """Where things are in an object's text: its closing brace, and the values that our key already has."""

    is_empty: bool
    brace: int
    errors: tuple[tuple[int, int], ...]


def splice_error(line: str, error: str) -> str:
    """The object in `line` with `error` under our key: before the closing brace, or in place of an earlier error.

    A line that is no JSON object is wrapped into one that holds it as text.
    """
    try:
        shape = _shape_of(line)
    except (ValueError, RecursionError):
        return json_text({ERROR_COLUMN: error, LINE_KEY: line})
    if not shape.errors:
        comma = "" if shape.is_empty else ", "
        return f"{line[: shape.brace]}{comma}{string_text(ERROR_COLUMN)}: {string_text(error)}{line[shape.brace :]}"
    for start, end in reversed(shape.errors):
        line = line[:start] + string_text(error) + line[end:]
    return line


def _shape_of(text: str) -> _Shape:
    """Step over an object's members. Raises ValueError where the text is no object, RecursionError where it is deep."""
    position = _past(text, _expect(text, _past(text, 0), "{"))
    if text[position : position + 1] == "}":
        return _ended(text, position, [], is_empty=True)
    errors: list[tuple[int, int]] = []
    while True:
        _expect(text, position, '"')
        key, position = _decode(text, position)
        start = _past(text, _expect(text, _past(text, position), ":"))
        _, end = _decode(text, start)
        if key == ERROR_COLUMN:
            errors.append((start, end))
        position = _past(text, end)
        if text[position : position + 1] == "}":
            return _ended(text, position, errors, is_empty=False)
        position = _past(text, _expect(text, position, ","))


def _ended(text: str, brace: int, errors: list[tuple[int, int]], *, is_empty: bool) -> _Shape:
    if _past(text, brace + 1) != len(text):
        raise ValueError("there is text after the object")
    return _Shape(is_empty, brace, tuple(errors))


def _past(text: str, position: int) -> int:
    """The first position from `position` on that is not blank."""
    found = _blank.match(text, position)
    return found.end() if found else position


def _expect(text: str, position: int, character: str) -> int:
    if text[position : position + 1] != character:
        raise ValueError(f"{character} expected")
    return position + 1

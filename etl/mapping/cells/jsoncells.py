"""JSON inside a cell: read strictly, explained in words, and merged without touching how a number or a text is written.

Python, one cell at a time: only cells that should be JSON come here. Must never know fields or columns.
"""

import json
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from etl.mapping.cells.jsonmending import advise
from etl.mapping.cells.series import by_cell, found_in, only_where
from etl.problems import Code

Mistake = tuple[Code, str]
"""What is wrong with a cell: the code, and the end of a sentence that begins with what the field takes."""

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = r"\\u[dD][89a-fA-F]"
_TEXT = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_ARRAY_OF_TEXTS = r"^S\[S(?:TS(?:,STS)*)?\]S$".replace("S", r"[ \t\n\r]*").replace("T", _TEXT)
"""JSON's own grammar of an array of strings."""


class DuplicateKeyError(ValueError):
    """A JSON object names a key twice. The argument is the key."""


def read_strictly(text: str) -> Any:
    """The value of a JSON text, numbers all read as 0. Raises ValueError, DuplicateKeyError or RecursionError."""
    return _STRICT.decode(text)


def is_json(text: str) -> bool:
    """Whether the whole text is one JSON value, no key named twice."""
    return _flat_members(text) is not None or _is_read(text) is not None


def is_object(text: str) -> bool:
    """Whether the whole text is one JSON object, no key named twice."""
    return text.lstrip(" \t\n\r")[:1] == "{" and is_json(text)


def is_texts(text: str) -> bool:
    """Whether the whole text is a JSON array of strings, none of them with half a surrogate pair."""
    read = _is_read(text)
    return (
        read is not None and isinstance(read[0], list) and all(isinstance(i, str) and _is_unicode(i) for i in read[0])
    )


def read_texts(cells: pl.Series) -> pl.Series:
    """The items of cells that are JSON arrays of strings (List(String)); null for the others.

    In columns: a regular expression knows such an array, but for surrogate pairs.
    """
    arrays = only_where(cells, found_in(cells, _ARRAY_OF_TEXTS))
    odd = found_in(arrays, _SURROGATE)
    if odd.any():
        sound = [not strange or is_texts(cell) for cell, strange in zip(arrays, odd, strict=True)]
        arrays = only_where(arrays, pl.Series(sound))
    return arrays.str.json_decode(pl.List(pl.String))


def explain_json(text: str) -> Mistake:
    """Why `is_json` says no, and what was probably meant."""
    return _explain(text, is_json)


def _explain(text: str, is_wanted: Callable[[str], bool]) -> Mistake:
    try:
        read_strictly(text)
    except DuplicateKeyError as error:
        return Code.DUPLICATE_KEY, f'JSON in which each key stands once; "{error}" stands twice'
    except json.JSONDecodeError as error:
        said = f"JSON, and this is not: {_said_simply(error)} at {_place(text, error)}"
        return Code.MALFORMED_JSON, said + advise(text, is_wanted)
    except (ValueError, RecursionError):
        words = "JSON that is not nested too deeply and has no NaN or Infinity"
        return Code.MALFORMED_JSON, words + advise(text, is_wanted)
    return Code.MALFORMED_JSON, "JSON whose \\ud800 escapes come in pairs"


def explain_object(text: str) -> Mistake:
    """Why `is_object` says no."""
    wanted = 'a JSON object, such as {"key": "value"}'
    read = _is_read(text)
    if read is not None:
        return Code.WRONG_TYPE, f"{wanted}, and this is {_kind(read[0])}"
    if not text.lstrip(' \t\r\n"').startswith("{"):
        return Code.WRONG_TYPE, f"{wanted}, and this is a text"
    code, end = _explain(text, is_object)
    return code, f"{wanted}; it must be {end}"


def explain_texts(text: str) -> Mistake:
    """Why `read_texts` gave null."""
    wanted = 'a JSON array of texts, such as ["one", "two"]'
    read = _is_read(text)
    if read is None:
        code, end = _explain(text, is_texts)
        return code, f"{wanted}; it must be {end}"
    value = read[0]
    if not isinstance(value, list):
        return Code.WRONG_TYPE, f"{wanted}, and this is {_kind(value)}"
    odd = next((place for place, item in enumerate(value, 1) if not isinstance(item, str)), None)
    if odd is None:
        return explain_json(text)
    return Code.WRONG_TYPE, f"{wanted}, and item {odd} is {_kind(value[odd - 1])}"


def members(text: str) -> dict[str, str]:
    """The keys of a JSON object with the text of each value, exactly as written. `text` must be a JSON object."""
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        return {key: bytes(value).decode() for key, value in _OBJECT.decode(text.encode()).items()}
    found: dict[str, str] = {}
    place = _after_space(text, text.index("{") + 1)
    while text[place] != "}":
        key, place = _STRICT.raw_decode(text, place)
        place = _after_space(text, _after_space(text, place) + 1)
        _, end = _STRICT.raw_decode(text, place)
        found[key] = text[place:end]
        place = _after_space(text, end)
        if text[place] == ",":
            place = _after_space(text, place + 1)
    return found


def merge(own: str, extra: str) -> str:
    """Two JSON objects as one. Where both have a key, objects are merged in turn; else `own` wins."""
    if not own.startswith("{"):
        return own
    merged = members(own)
    for key, value in members(extra).items():
        mine = merged.get(key)
        if mine is None:
            merged[key] = value
        elif value.startswith("{"):
            merged[key] = merge(mine, value)
    return _written(merged)


def take_out(text: str, key: str) -> tuple[str | None, str | None]:
    """A JSON object without a key, and the text of that key's value; None for what is not there, or null, or empty."""
    rest = members(text) if text.startswith("{") else {}
    if key not in rest:
        return text, None
    value = rest.pop(key)
    return _written(rest) if rest else None, None if value == "null" else value


def put_in(text: str, key: str, value: str) -> str:
    """A JSON object in which a key that it has gets another value, a JSON text, in its old place."""
    found = members(text) if text.startswith("{") else {}
    return _written({**found, key: value}) if key in found else text


def cut_out(text: str, keys: Collection[str]) -> str | None:
    """A JSON object without some keys, `*` being an only key; None where nothing is left. Other cells as they are."""
    found = _flat_members(text)
    if found is None:
        read = _is_read(text) if text.lstrip(" \t\n\r")[:1] == "{" else None
        if read is None:
            return text
        found = members(text)
    only = {*found} if "*" in keys and len(found) == 1 else set()
    rest = {key: value for key, value in found.items() if key not in keys and key not in only}
    return _written(rest) if rest else None


def _written(keys: dict[str, str]) -> str:
    return "{" + ",".join(f"{_quoted_key(key)}:{value}" for key, value in keys.items()) + "}"


def quoted(text: str) -> str:
    """A text as JSON; half a surrogate pair, which no file can hold, stays an escape."""
    return json.dumps(text, ensure_ascii=not _is_unicode(text))


_quoted_key = lru_cache(maxsize=1024)(quoted)
"""Keys come again in every row."""


def look_up(text: str, keys: tuple[str, ...]) -> str | None:
    """The text of the value that stands in a JSON object under nested keys; a value in the way counts as found."""
    for key in keys:
        if not text.startswith("{"):
            return text
        found = members(text).get(key)
        if found is None:
            return None
        text = found
    return text


def encode(value: pl.Expr) -> pl.Expr:
    """A text or a list of texts as JSON; null stays null."""
    whole = pl.struct(value.alias("v")).struct.json_encode()
    return pl.when(value.is_not_null()).then(whole.str.strip_prefix('{"v":').str.strip_suffix("}"))


def kept_if(value: pl.Expr, holds: Callable[[str], bool]) -> pl.Expr:
    """The cells for which `holds` says yes, without white space around them; null for the others."""

    def kept(cell: str) -> str | None:
        trimmed = cell.strip(" \t\n\r")
        return trimmed if holds(trimmed) else None

    return by_cell(value, kept, pl.String)


def _flat_members(text: str) -> dict[str, str] | None:
    """As `members`, for an object that certainly names no key twice: it has as many keys as colons; None for others."""
    if not text.startswith("{"):
        return None
    try:
        found = _OBJECT.decode(text.encode())
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return {key: bytes(value).decode() for key, value in found.items()} if len(found) == text.count(":") else None


def _is_read(text: str) -> tuple[Any] | None:
    try:
        return (read_strictly(text),)
    except (ValueError, RecursionError):
        return None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKeyError(key)
            seen.add(key)
    return made


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _as_zero(_: str) -> int:
    return 0


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", str: "a text", list: "an array", dict: "an object"}
    return "null" if value is None else names[type(value)]


def _place(text: str, error: json.JSONDecodeError) -> str:
    several = "\n" in text.strip()
    return f"line {error.lineno}, column {error.colno}" if several else f"character {error.pos + 1}"


def _said_simply(error: json.JSONDecodeError) -> str:
    """Python's own phrase as part of a sentence: "expecting ',' delimiter"."""
    return (error.msg[:1].lower() + error.msg[1:]).removesuffix(" at")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant, parse_int=_as_zero, parse_float=_as_zero
)

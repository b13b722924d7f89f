"""JSON slices: many objects at once cut into columns, each value as it was written, and proof that nothing was hidden.

It must never hand out a value that it has not proven: a text that is not cut cleanly goes to the exact reader
(`json_text`), which is slow and always right.

The cutting is msgspec's. It refuses what strict JSON forbids, but of a key that is there twice it hands out the last
value only, and it looks neither at the range of a number nor at how deep things lie. Hence the proof: every key takes
two quotation marks, so a text that holds more of them than its keys and values account for hides a member.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
import polars as pl
from msgspec import Raw

from etl.batch import ERROR_COLUMN, LINE_KEY
from etl.readers.assembly import C1_BYTE
from etl.readers.header import MOST_COLUMNS
from etl.readers.objects.json_text import MOST_NESTED, ObjectReader

Slices = tuple[bytes | Raw, ...]
"""The JSON text of one object's values, in the order of the columns; empty where the key is absent."""
Cut = Callable[[bytes], Any]
"""Cuts an object into a struct of slices. Raises one of `REFUSALS`."""

REFUSALS = (msgspec.MsgspecError, RecursionError)
"""What says that a text is for the exact reader."""

_NO_FIELD = re.compile(r'["\\\x00-\x1f]')
"""Keys that msgspec does not take for a field."""
_CELL_END = b"\x1f"
"""Stands between slices: JSON has no such character unescaped."""
_QUOTE = b'"'
_HUGE = "[0-9][eE][-+]?[0-9]{3}"
_LONG = "[0-9]{200}"
"""A number out of range has an exponent of three digits, or hundreds of digits before the point."""
_CONTROL = r"\\u(?:00[0189]|007[fF])|\\[bf]"
_PORTION_BYTES = 1_000_000
"""So much is cut into its parts at a time; a part may be two bytes and takes more than a hundred of memory."""
_TYPES = {"n": "null", "t": "boolean", "f": "boolean", "[": "array", "{": "object"}

_slices_of: Callable[[Any], Slices] = msgspec.structs.astuple
_cut_object = msgspec.json.Decoder(dict[str, Raw]).decode
_cut_value = msgspec.json.Decoder(dict[str, Raw] | list[Raw]).decode
_decode_strings = msgspec.json.Decoder(list[str]).decode


@lru_cache(maxsize=4)
def cutter(columns: tuple[str, ...]) -> Cut:
    """What cuts objects that have these keys and no others, in any order, each absent or there."""
    if any(_NO_FIELD.search(name) or name in {LINE_KEY, ERROR_COLUMN} for name in columns):
        return _refuse
    names = {f"field_{at}": name for at, name in enumerate(columns)}
    fields = [(field, Raw, Raw(b"")) for field in names]
    struct = msgspec.defstruct("Slices", fields, rename=names, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(struct).decode


def _refuse(_: bytes) -> Any:
    raise msgspec.DecodeError


def cut_all(cut: Cut, texts: Sequence[bytes]) -> list[Slices | None]:
    """The slices of each text; None for one that is refused."""
    try:
        return list(map(_slices_of, map(cut, texts)))
    except REFUSALS:
        return [_cut_one(cut, text) for text in texts]


def _cut_one(cut: Cut, text: bytes) -> Slices | None:
    try:
        return _slices_of(cut(text))
    except REFUSALS:
        return None


class Column:
    """The slices of one key, from the first row to the last (String, null where the key is absent)."""

    def __init__(self, values: pl.Series) -> None:
        self.values = values
        self._strings = values.str.starts_with('"')
        self._all_strings = bool(self._strings.all())
        self.is_plain = not (_any(values, "\\") or _any(values, "\x7f"))
        """No value has an escape or the control character DEL; all others but C1 are escaped."""

    @property
    def is_clean(self) -> bool:
        """No value can hold a control character."""
        return self.is_plain and not self.values.cast(pl.Binary).bin.contains(C1_BYTE).any()

    @property
    def keys(self) -> int:
        """How many rows have the key."""
        return self.values.len() - self.values.null_count()

    @property
    def quotes(self) -> int:
        """The quotation marks in all values."""
        if self._all_strings and self.is_plain:
            return 2 * self.keys
        return int(self.values.str.count_matches('"', literal=True).sum())

    def texts(self) -> pl.Series:
        """Strings decoded, other values as their JSON text."""
        if not self._strings.any():
            return self.values
        texts = self.values.str.strip_chars('"')  # a string without escapes has no quotation marks but its own
        if not self.is_plain:
            escaped = (self._strings & self.values.str.contains("\\", literal=True)).fill_null(value=False)
            decoded = _decode_strings("[" + ",".join(self.values.filter(escaped)) + "]")
            texts = texts.scatter(escaped.arg_true(), decoded)
        return texts

    def types(self) -> pl.Series | str | None:
        """The types of the values (null for a string), one word where it is the same for all, None for all strings."""
        if self._all_strings:
            return None
        starts = self.values.str.head(1)
        types = {start: _type_of(start) for start in starts.unique()}
        alike = set(types.values())
        return alike.pop() if len(alike) == 1 else starts.replace_strict(types, return_dtype=pl.String)

    def find_faulty(self, reader: ObjectReader) -> Iterator[int]:
        """The rows, from 0, where a value that is no string has a fault: a key twice, a number out of range."""
        if self._all_strings:
            return
        others = self.values.filter(~self._strings).unique()
        doubted = self._is_doubtful(others)
        objects = others.filter(~doubted & others.str.contains("{", literal=True))
        doubtful = [others.filter(doubted)]
        doubtful += [objects] if any(map(_hides_key, _portions(objects))) else []
        faulty = [one for one in pl.concat(doubtful) if reader.read(f'{{"a":{one}}}').faults]
        if faulty:
            yield from self.values.is_in(faulty).arg_true()

    def _is_doubtful(self, values: pl.Series) -> pl.Series:
        pattern = [_HUGE]
        if not self.is_plain:
            pattern.append(_CONTROL)
        lengths = values.str.len_bytes()
        if (lengths >= 200).any():
            pattern.append(_LONG)
        doubtful = values.str.contains("|".join(pattern))
        opened = values.str.count_matches("{", literal=True) + values.str.count_matches("[", literal=True)
        return doubtful | (opened >= MOST_NESTED) | (lengths > _PORTION_BYTES)


def _any(values: pl.Series, text: str) -> bool:
    return bool(values.str.contains(text, literal=True).any())


def _type_of(start: str | None) -> str | None:
    return None if start is None or start == '"' else _TYPES.get(start, "number")


def columns_of(rows: Sequence[Slices], width: int) -> list[Column]:
    """The slices of all rows as `width` columns."""
    if not rows:
        return [Column(pl.Series(dtype=pl.String))] * width
    text = _CELL_END + (b"\n" + _CELL_END).join(map(_CELL_END.join, rows))  # no line begins with a cell: none is blank
    frame = pl.read_csv(text, has_header=False, separator="\x1f", quote_char=None, infer_schema=False)
    return [Column(values) for values in frame.get_columns()[1:]]


def keys_of(text: bytes, reader: ObjectReader) -> tuple[str, ...] | None:
    """The keys of an object that is proven to be one without a fault; None: only the exact reader can judge."""
    try:
        keys = tuple(_cut_object(text))
        if len(keys) > MOST_COLUMNS:
            return None
        row = _slices_of(cutter(keys)(text))
    except REFUSALS:
        return None
    columns = columns_of([row], len(keys))
    if find_hiding([text], [row], columns) or any(True for column in columns for _ in column.find_faulty(reader)):
        return None
    return keys


def find_hiding(texts: Sequence[bytes], rows: Sequence[Slices], columns: Sequence[Column]) -> list[int]:
    """The rows, from 0, whose text holds more keys than were handed out."""
    held = b"".join(texts).count(_QUOTE)
    if held == sum(column.quotes + 2 * column.keys for column in columns):
        return []  # no row can hold fewer than were handed out, so each holds just as many
    return [at for at, text in enumerate(texts) if text.count(_QUOTE) != _quotes_of(rows[at])]


def _quotes_of(row: Slices) -> int:
    values = [value for one in row if (value := bytes(one))]
    return sum(2 + value.count(_QUOTE) for value in values)


def _portions(values: pl.Series) -> Iterator[list[bytes]]:
    """The values, so many at a time that what they consist of does not fill the memory."""
    portion: list[bytes] = []
    weight = 0
    for value in values.cast(pl.Binary).to_list():
        portion.append(value)
        weight += len(value)
        if weight >= _PORTION_BYTES:
            yield portion
            portion, weight = [], 0
    yield portion


def _hides_key(values: Sequence[bytes]) -> bool:
    """Whether any object in these objects and arrays, at any depth, may name a key twice."""
    while values:
        cut = [_cut_value(value) for value in values]
        keys = sum(len(one) for one in cut if isinstance(one, dict))
        inner = b"\n".join(chain.from_iterable(one.values() if isinstance(one, dict) else one for one in cut))
        if b"".join(values).count(_QUOTE) != 2 * keys + inner.count(_QUOTE):
            return True
        values = [one for one in inner.split(b"\n") if one[:1] in b"[{" and b"{" in one] if b"{" in inner else []
    return False


def types_of(columns: dict[str, Column], height: int) -> pl.Series:
    """For each row a JSON object {key: type} of the keys whose value is no string."""
    found = {name: types for name, column in columns.items() if (types := column.types()) is not None}
    pieces = [f'{json.dumps(name, ensure_ascii=False)}: "' + types + '"' for name, types in found.items()]
    if all(isinstance(piece, str) for piece in pieces):
        return pl.Series(["{" + ", ".join(map(str, pieces)) + "}"], dtype=pl.String).new_from_index(0, height)
    texts = [pl.lit(piece) if isinstance(piece, str) else piece for piece in pieces]
    return pl.select("{" + pl.concat_str(texts, separator=", ", ignore_nulls=True) + "}").to_series()

"""JSON text: the members of one object, each value as it was written.

It must never turn a value into a Python one and back: `1.0`, big integers, key order and spacing survive because the
text is sliced, not rewritten. What strict JSON forbids (duplicate keys, NaN, trailing text) is a fault, never ignored.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf
from typing import NamedTuple, NoReturn

from etl.problems import Code
from etl.readers.assembly import CONTROL

MOST_NESTED = 64
"""Objects and arrays within each other, the line's own object counted."""

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN_KEY = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
_SIGN = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[{\]}]', re.DOTALL)
_CONTROL = re.compile(CONTROL)
_BYTE = re.compile(r"\\x([0-9a-fA-F]{2})")
"""How a byte that is not UTF-8 is shown in a line; in JSON that is never anything."""
_NO_TEXT = "the byte 0x{} is not UTF-8, or \\x is written where JSON has no such escape"
_MAY_BE_CONTROL = re.compile(r"\\[ubf]")
"""How half and control characters are written inside a value: as escapes. One that is not is seen in the column."""
_TYPES = {"n": "null", "t": "boolean", "f": "boolean", "[": "array", "{": "object"}


class What(NamedTuple):
    """How sentences call a text that is to hold one object, and what else they say of it."""

    name: str
    object: str = "a JSON object"
    beginning: str = "it must begin with {"
    """Why a text that begins with another sign holds none."""
    form: str = "{…}"
    """How a person writes one."""


LINE = What("line")
RECORD = What("record")
ITEM = What("item", "a map", "it is a list or a single value", "- key: value")


class Member(NamedTuple):
    """A key and its value: `text` is plain for a string, else the JSON text.

    `start` and `end` enclose the member in its line, `value` is where the value begins.
    """

    key: str
    text: str
    type: str
    start: int
    value: int
    end: int


class Fault(NamedTuple):
    """What is wrong; `key` is the top-level key it is about, if it is about one."""

    code: Code
    key: str | None
    message: str


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """The members in the order written, keys that come twice included, and every fault. No members: no JSON object."""

    members: tuple[Member, ...] = ()
    faults: tuple[Fault, ...] = ()


class _NotAnObjectError(ValueError):
    """The line is not one strict JSON object; the argument says why, `at` where (from 0)."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


class ObjectReader:
    """Reads texts that hold one JSON object each; `what` sentences call them. Not to be shared between threads."""

    def __init__(self, what: What = LINE) -> None:
        self._what = what
        self._twice: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._take_pairs,
            parse_int=_check_number,
            parse_float=_check_number,
            parse_constant=_refuse_constant,
        )

    def read(self, line: str) -> ParsedLine:
        """The object of a line. What is wrong with it is in `faults`; nothing is raised."""
        try:
            members, faults = self._read_members(line)
        except _NotAnObjectError as error:
            message = f"the {self._what.name} is not {self._what.object}: {error} (character {error.at + 1})"
            return ParsedLine(faults=(Fault(Code.MALFORMED_JSON, None, message),))
        return ParsedLine(tuple(members), tuple(faults))

    def _read_members(self, line: str) -> tuple[list[Member], list[Fault]]:
        _refuse_depth(line)
        at = _skip_space(line, 0)
        if line[at : at + 1] != "{":
            raise _NotAnObjectError(self._what.beginning, at)
        members: list[Member] = []
        faults: list[Fault] = []
        escaped = _MAY_BE_CONTROL.search(line) is not None
        at = _skip_space(line, at + 1)
        sign = line[at : at + 1]
        if sign == "}":
            at = _skip_space(line, at + 1)
        while sign != "}":
            member, value = self._read_member(line, at)
            members.append(member)
            if self._twice:
                faults += [_duplicate(member.key, inner) for inner in self._twice]
            if escaped:
                faults += _character_faults(member, value)
            sign, at = _read_sign(line, member.end)
        if at < len(line):
            raise _NotAnObjectError("text follows the object", at)
        keys = [member.key for member in members]
        if len(set(keys)) < len(keys):
            faults += [_duplicate(key) for key, count in Counter(keys).items() if count > 1]
        return members, faults

    def _read_member(self, line: str, start: int) -> tuple[Member, object]:
        """A member and its decoded value."""
        plain = _PLAIN_KEY.match(line, start)
        key, at = (plain.group(1), plain.end()) if plain else self._read_key(line, start)
        self._twice.clear()
        value, end = self._decode(line, at)
        if isinstance(value, str):
            return Member(key, value, "string", start, at, end), value
        return Member(key, line[at:end], _TYPES.get(line[at], "number"), start, at, end), value

    def _read_key(self, line: str, start: int) -> tuple[str, int]:
        """A key that is escaped or wrong, and where its value begins."""
        if line[start : start + 1] != '"':
            raise _NotAnObjectError("a key in double quotes is missing", start)
        key, at = self._decode(line, start)
        at = _skip_space(line, at)
        if line[at : at + 1] != ":":
            raise _NotAnObjectError("':' is missing", at)
        return str(key), _skip_space(line, at + 1)

    def _decode(self, line: str, at: int) -> tuple[object, int]:
        try:
            return self._decoder.raw_decode(line, at)
        except json.JSONDecodeError as error:
            byte = _BYTE.search(line, max(error.pos - 1, 0), error.pos + 5)
            why = _NO_TEXT.format(byte.group(1).upper()) if byte else error.msg[:1].lower() + error.msg[1:]
            raise _NotAnObjectError(why, byte.start() if byte else error.pos) from error
        except _RefusedValueError as error:
            raise _NotAnObjectError(str(error), at) from error

    def _take_pairs(self, pairs: list[tuple[str, object]]) -> list[object]:
        """An object inside a value: only its strings are looked at later, and whether a key is there twice."""
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            self._twice += sorted({key for key in keys if keys.count(key) > 1})
        return [part for pair in pairs for part in pair]


class _RefusedValueError(ValueError):
    """A value that strict JSON does not have, or that no double holds."""


def _check_number(text: str) -> None:
    if isinf(float(text)):
        raise _RefusedValueError(f"the number {text[:20]} is out of range")


def _refuse_constant(text: str) -> NoReturn:
    raise _RefusedValueError(f"JSON has no {text}")


def _refuse_depth(line: str) -> None:
    if line.count("{") + line.count("[") <= MOST_NESTED:
        return
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(line):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found.group(), 0)
        if depth > MOST_NESTED:
            raise _NotAnObjectError(f"more than {MOST_NESTED} objects and arrays lie within each other", found.start())


def _skip_space(line: str, at: int) -> int:
    found = _SPACE.match(line, at)
    return found.end() if found else at


def _read_sign(line: str, at: int) -> tuple[str, int]:
    """The sign after a value, `,` or `}`, and where the text after it goes on."""
    found = _SIGN.match(line, at)
    if found is None:
        at = _skip_space(line, at)
        raise _NotAnObjectError("',' or '}' is missing" if line[at:] else "it ends too early", at)
    return found.group(1), found.end()


def _duplicate(key: str, inner: str | None = None) -> Fault:
    where = f"the key {key!r}" if inner is None else f"the key {inner!r} inside {key}"
    return Fault(Code.DUPLICATE_KEY, key, f"{where} is there twice; keep one")


def _character_faults(member: Member, value: object) -> Iterator[Fault]:
    """Half characters anywhere, and control characters where no column shows them: inside objects and arrays."""
    if not is_encodable(member.key):
        yield Fault(Code.CONTROL_CHARACTER, None, "a key holds half a character (a lone surrogate such as \\ud800)")
        return
    texts = list(_strings(value))
    if not all(map(is_encodable, texts)):
        message = f"{member.key} holds half a character (a lone surrogate such as \\ud800)"
        yield Fault(Code.CONTROL_CHARACTER, member.key, message)
    if not isinstance(value, str) and not _CONTROL.search(member.text) and any(map(_CONTROL.search, texts)):
        yield Fault(Code.CONTROL_CHARACTER, member.key, f"{member.key} holds a control character inside; remove it")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def is_encodable(text: str) -> bool:
    """Whether a text is whole characters: lone surrogates are not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

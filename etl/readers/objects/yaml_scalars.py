"""YAML scalars: one text of a YAML file, however it is written, and what it is as JSON.

It must never change a text: only what JSON would write with the very same signs is taken for a number.

Sources: YAML 1.2.2, chapters 7.3 (quoted and plain), 8.1 (literal and folded) and 10.3 (the core schema).
"""

import json
import re
from math import isinf

from etl.readers.objects.yaml_lines import BLANK, TAB_REFUSED, Cursor

_encode = json.encoder.encode_basestring  # as `dumps` without `ensure_ascii`, many times faster

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_BRACKETS = frozenset(",[]{}")
_FLOW_END = re.compile(r"[,\[\]{}]|:(?=[ \t,\[\]{}]|$)|(?<=[ \t])#|$")
_DOUBLE_END = re.compile(r'\\.|"')
_SINGLE_END = re.compile(r"''|'")
_HEADER = re.compile(r"[|>](?:([1-9])([-+]?)|([-+])([1-9])?)?")

_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_HALF = re.compile("[\ud800-\udfff]")


def json_of_text(text: str) -> str:
    """A string as JSON text."""
    if _HALF.search(text):  # JSON's way to write a character in two halves; a half alone stays one
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return json.dumps(text)
    return _encode(text)


def json_of_plain(text: str) -> str:
    """A plain text as JSON: `null`, `true`, a number that JSON writes alike; else a string (`007`, `yes`, `0x1F`)."""
    if text in _NULLS:
        return "null"
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _NUMBER.fullmatch(text) and not isinf(float(text)):
        return text
    return json_of_text(text)


def plain_end(line: str, at: int) -> int:
    """Where a plain text outside brackets ends that begins at a place of a line: before ': ', ' #' or the end."""
    end = len(line)
    if "#" in line:
        for sign in (" #", "\t#"):
            found = line.find(sign, at, end)
            end = found if found >= 0 else end
    colon = line.find(": ", at, end)
    if "\t" in line and (found := line.find(":\t", at, end)) >= 0 and not 0 <= colon < found:
        colon = found
    end = at + len(line[at : end if colon < 0 else colon].rstrip(BLANK))
    if colon < 0 and end > at and line[end - 1] == ":":
        end = at + len(line[at : end - 1].rstrip(BLANK))
    return end


def flow_end(line: str, at: int) -> int:
    """Where on a line, from a place inside it, a plain text inside brackets ends."""
    return _FLOW_END.search(line, at).start()  # type: ignore[union-attr]  # every line has an end


def begins_plain(line: str, at: int, *, in_brackets: bool = False) -> bool:
    """Whether a plain text can begin at a place of a line."""
    if line[at] not in _INDICATORS:
        return True
    follows = line[at + 1 : at + 2]
    return line[at] in "-?:" and bool(follows) and follows not in BLANK and not (in_brackets and follows in _BRACKETS)


def read_plain(cursor: Cursor, parent: int) -> str:
    """A plain text outside brackets, with the lines on which it goes on: those indented by more than `parent`."""
    if not begins_plain(cursor.line, cursor.at):
        raise cursor.refuse(f"a text cannot begin with {cursor.line[cursor.at]!r}; put it in quotes")
    parts = [_plain_on_line(cursor)]
    blanks = 0
    while not _ends_plain(cursor) and cursor.advance():
        stripped = cursor.line.strip(BLANK)
        if stripped and (cursor.spaces() <= parent or stripped[0] == "#"):
            break
        cursor.skip_blanks()
        if stripped:
            parts += ["\n" * blanks or " ", _plain_on_line(cursor)]
        blanks = 0 if stripped else blanks + 1
    return "".join(parts)


def _plain_on_line(cursor: Cursor) -> str:
    begin, cursor.at = cursor.at, plain_end(cursor.line, cursor.at)
    return cursor.line[begin : cursor.at]


def read_flow_key(cursor: Cursor) -> str:
    """A plain text inside brackets, on one line."""
    if not begins_plain(cursor.line, cursor.at, in_brackets=True):
        raise cursor.refuse(f"a text cannot begin with {cursor.line[cursor.at]!r}; put it in quotes")
    return _flow_plain_on_line(cursor, cursor.at + 1)


def read_flow_plain(cursor: Cursor) -> str:
    """A plain text inside brackets, with the lines on which it goes on: up to a comma, a bracket or a comment."""
    parts = [read_flow_key(cursor)]
    blanks = 0
    while _is_at_line_end(cursor) and (line := cursor.peek_line()) is not None:
        stripped = line.strip(BLANK)
        if stripped[:1] in {"#", ":", *_BRACKETS}:
            break
        cursor.advance()
        cursor.skip_blanks()
        if stripped:
            parts += ["\n" * blanks or " ", _flow_plain_on_line(cursor, cursor.at)]
        blanks = 0 if stripped else blanks + 1
    return "".join(parts)


def _is_at_line_end(cursor: Cursor) -> bool:
    cursor.skip_blanks()
    return cursor.at == len(cursor.line)


def _flow_plain_on_line(cursor: Cursor, least: int) -> str:
    begin = cursor.at
    cursor.at = flow_end(cursor.line, least)
    return cursor.line[begin : cursor.at].rstrip(BLANK)


def _ends_plain(cursor: Cursor) -> bool:
    """Whether a plain text ends with this line: in a comment. Refuses a text that is followed by ': '."""
    cursor.skip_blanks()
    if cursor.at == len(cursor.line):
        return False
    if cursor.line[cursor.at] == "#":
        return True
    raise cursor.refuse("': ' stands inside a text; put the text in quotes")


def quoted_end(line: str, at: int, quote: str) -> int:
    """Where on a line, from a place inside the quotes, a text in quotes ends: its last quote; -1: not on this line."""
    ends = (_DOUBLE_END if quote == '"' else _SINGLE_END).finditer(line, at)
    return next((found.start() for found in ends if found.group() == quote), -1)


def read_quoted(cursor: Cursor, parent: int) -> str:
    """A text in single or double quotes; the lines on which it goes on are indented by more than `parent`."""
    quote = cursor.line[cursor.at]
    decode = _decode_double if quote == '"' else _decode_single
    start = (cursor.number, cursor.at)
    begin = cursor.at + 1
    end = quoted_end(cursor.line, begin, quote)
    parts: list[str] = []
    while end < 0:
        end = begin + len(cursor.line[begin:].rstrip(BLANK))
        escaped = False
        if quote == '"' and _backslashes(cursor.line[begin:end]) % 2:
            escaped = end == len(cursor.line)
            end += not escaped  # the blank after a backslash is text
        parts.append(decode(cursor, begin, end - escaped))
        blanks = _next_quoted_line(cursor, parent, start)
        parts.append("\n" * blanks if blanks or escaped else " ")  # after a backslash the line end is no text
        begin = cursor.at
        end = quoted_end(cursor.line, begin, quote)
    cursor.at = end + 1
    return "".join([*parts, decode(cursor, begin, end)])


def _backslashes(text: str) -> int:
    return len(text) - len(text.rstrip("\\"))


def _next_quoted_line(cursor: Cursor, parent: int, start: tuple[int, int]) -> int:
    """Go to the next line that is not blank; how many are."""
    blanks = 0
    while cursor.advance():
        cursor.skip_blanks()
        if cursor.at < len(cursor.line):
            if cursor.spaces() <= parent:
                raise cursor.refuse(f"the text in quotes that begins in line {start[0]} goes on, but is not indented")
            return blanks
        blanks += 1
    raise cursor.refuse("the text in quotes that begins here never ends", *start)


def _decode_single(cursor: Cursor, begin: int, end: int) -> str:
    return cursor.line[begin:end].replace("''", "'")


def _decode_double(cursor: Cursor, begin: int, end: int) -> str:
    text = cursor.line[begin:end]
    if "\\" not in text:
        return text

    def decode(found: re.Match[str]) -> str:
        hexadecimal = found[1] or found[2] or found[3]
        if hexadecimal is None and found[4] in _ESCAPES:
            return _ESCAPES[found[4]]
        if hexadecimal is None or int(hexadecimal, 16) > 0x10FFFF:
            raise cursor.refuse(f"YAML has no escape {found.group()!r}", at=begin + found.start())
        return chr(int(hexadecimal, 16))

    return _ESCAPE.sub(decode, text)


def read_block(cursor: Cursor, parent: int) -> str:
    """A literal (`|`) or folded (`>`) text, whose lines are indented by more than `parent`.

    The cursor is left at the end of its last line.
    """
    header = _HEADER.match(cursor.line, cursor.at)
    assert header is not None  # noqa: S101  # the caller saw its sign
    is_folded = header.group()[0] == ">"
    digit, chomping = header[1] or header[4], header[2] or header[3] or ""
    cursor.at = header.end()
    cursor.end_line()
    lines = _block_lines(cursor, parent, max(parent, 0) + int(digit) if digit else None)
    blanks = 0
    while lines and not lines[-1]:
        lines.pop()
        blanks += 1
    text = _folded(lines) if is_folded else "\n".join(lines)
    if chomping == "+":
        return text + "\n" * (blanks + bool(lines))
    return text + "\n" if lines and not chomping else text


def _block_lines(cursor: Cursor, parent: int, indent: int | None) -> list[str]:
    """The lines of a literal or folded text without their indentation; blank ones are empty."""
    lines: list[str] = []
    widest = 0
    while (line := cursor.peek_line()) is not None:
        content = line.lstrip(" ")
        spaces = len(line) - len(content)
        if content and (spaces <= parent if indent is None else spaces < indent):
            if content.strip(BLANK):
                break
            cursor.advance()
            raise cursor.refuse(TAB_REFUSED)
        if not content:
            widest = max(widest, spaces)
        elif indent is None:
            indent = spaces
            if widest > indent:
                cursor.advance()
                raise cursor.refuse("a blank line above is indented more than the text")
        lines.append(line[indent:] if indent is not None else "")
        cursor.advance()
    cursor.at = len(cursor.line)
    return lines


def _folded(lines: list[str]) -> str:
    """Lines joined by spaces, but for blank lines and around lines that begin with a blank."""
    parts: list[str] = []
    blanks = 0
    before: str | None = None
    for line in lines:
        if not line:
            blanks += 1
            continue
        if before is None:
            parts.append("\n" * blanks)
        elif line[0] in BLANK or before[0] in BLANK:
            parts.append("\n" * (blanks + 1))
        else:
            parts.append("\n" * blanks or " ")
        parts.append(line)
        before, blanks = line, 0
    return "".join(parts)

"""JSON document: stepped through, whatever its size; only the value in hand, and a little more, is in memory.

It must never know what the values mean, and takes no text for JSON that strict JSON would not bound alike: what cannot
be bounded stops the reading with its line and column, what is wrong inside a bounded value is left to `json_text`.
"""

import codecs
import json
import re
from collections.abc import Generator

import msgspec
from msgspec import Raw

from etl.errors import FileError
from etl.readers.objects.document import Documents, Items, Keys, Step, survey_document
from etl.readers.objects.file import ObjectFile
from etl.readers.objects.json_text import RECORD
from etl.readers.objects.rows import ObjectTable
from etl.readers.options import ReadOptions
from etl.readers.sources.source import Source
from etl.readers.texts.blocks import Utf8Blocks

VALUE_CHARACTERS = 20_000_000
"""A longer value is not read, unless it is stepped into: it may take 20 times the memory."""
_PIECE_BYTES = 1 << 20
_LEAST_WINDOW = 1 << 14
_TRIES = 8
"""After so many vain looks for many values at a time, they are read one by one."""
_MANY = 1_000
_NEAR_END = 16
"""An error so near the end of what has been read may go away with more text: an escape or a word that is cut."""

_BLANKS = " \t\r\n"
_SPACE = re.compile(r"[ \t\n\r]*")
_INDENT = re.compile(rb"[\r\n][ \t\r\n]*")
_FIRST_KEY = re.compile(r'\{[ \t\n\r]*"[^"\\]{0,200}"')
_WORDS = {
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Expecting ':' delimiter": "':' is missing",
    "Expecting ',' delimiter": "',' or a closing bracket is missing",
    "Invalid control character at": "a line break or another control character stands inside a string",
    "Unterminated string starting at": "the string that begins here never ends",
    "Invalid \\escape": "JSON has no such escape",
    "Invalid \\uXXXX escape": "four hexadecimal digits must follow \\u",
}
_OTHER_WORDS = {
    "True": "JSON writes true",
    "False": "JSON writes false",
    "None": "JSON writes null",
    "undefined": "JSON writes null",
    "//": "JSON has no comments",
    "/*": "JSON has no comments",
    "#": "JSON has no comments",
    "'": "JSON writes strings in double quotes",
}
_decode = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode
"""Bounds values. NaN and huge numbers are bounded too: a fault of theirs is one of the row, not of the document."""
_cut_list = msgspec.json.Decoder(list[Raw]).decode


def survey_json(source: Source, options: ReadOptions) -> ObjectTable:
    """The table of a JSON document. Reads it through, twice (encoding, keys), unless for a glance.

    Raises FileError: undecodable, no JSON, several lists that could be meant or none, no record with keys.
    """
    return survey_document(Documents(ObjectFile.decide(source, "json", options), JsonDocument, RECORD), options)


class JsonDocument:
    """The text of a document and a place in it. `label` is what sentences call the file."""

    def __init__(self, blocks: Utf8Blocks, label: str) -> None:
        self._blocks = blocks
        self._label = label
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._text = ""
        self._at = 0
        self._ended = False
        self._line = 1
        self._column = 1
        self.read_bytes = 0
        """How much of the file has been looked at."""

    def open(self, *, stepping: bool) -> Step:
        """Open the value at the place; without `stepping` it is stepped over. Raises FileError where there is none."""
        sign = self.peek()
        if stepping and sign == "[":
            return Items(self.elements())
        if stepping and sign == "{":
            return Keys(self.keys(), self.open)
        self.value()
        return None

    def whole(self) -> bytes:
        """The text of the value at the place, which nothing follows, on one line."""
        _, text = self.value()
        self.end()
        return one_line(text.encode())

    def peek(self) -> str:
        """The next sign that is no blank; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # matches everywhere
            if self._at < len(self._text) or not self._pull(_PIECE_BYTES):
                return self._text[self._at : self._at + 1]

    def take(self, signs: str) -> str:
        """Step over the next sign, one of `signs`. Raises FileError for any other."""
        found = self.peek()
        if not found or found not in signs:
            wanted = " or ".join(f"'{sign}'" for sign in signs)
            raise self._explain(f"{wanted} is missing", self._at)
        self._at += 1
        return found

    def value(self) -> tuple[object, str]:
        """Step over a value: the value, with its numbers as text, and its own text."""
        self.peek()
        size = _PIECE_BYTES
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except json.JSONDecodeError as error:
                offset = error.pos - self._at
                if not self._may_go_on(error) or not self._pull_for_value(size):
                    raise self._explain(error.msg, self._at + offset) from error
            except RecursionError as error:
                raise self.refuse("too many lists and objects lie within each other here") from error
            else:
                if end < len(self._text) or not self._pull_for_value(size):
                    return value, self._step(end - self._at)
            size *= 2

    def keys(self) -> Generator[str]:
        """Step through an object: each key; its value is to be stepped over before the next is asked for."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise self._explain("Expecting property name enclosed in double quotes", self._at)
            key, _ = self.value()
            self.take(":")
            yield str(key)
            if self.take(",}") == "}":
                return

    def end(self) -> None:
        """Raise FileError where anything but blanks follows."""
        sign = self.peek()
        if sign in {"[", "{"}:
            line, _ = self._place(self._at)
            raise FileError(
                f"{self._label} is not one JSON document: another begins in line {line}.",
                "If each line is an object: --format jsonl. Else write one object a line: jq -c . FILE",
            )
        if sign:
            raise self._not_json("text follows the document", self._at)

    def elements(self) -> Generator[list[bytes]]:
        """Step through a list, its opening bracket first: its values' texts, each on one line, some at a time."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        held: list[bytes] = []
        tries, window = _TRIES, _LEAST_WINDOW
        ended = False
        while not ended:
            many = self._many_elements(window) if tries and self.peek() == "{" else []
            window = min(2 * window, _PIECE_BYTES)
            if not many:
                tries -= bool(tries)
                many = [self.value()[1].encode()]
            held += map(one_line, many)
            ended = self.take(",]") == "]"
            if ended or len(held) >= _MANY:
                yield held
                held = []

    def _many_elements(self, window: int) -> list[bytes]:
        """The values up to the last one that begins as the first does, which is left for later; none: no such place.

        Such a place may lie inside a value or a string. That it does not is proven: the text before it is a list.
        """
        while len(self._text) - self._at < window and self._pull(_PIECE_BYTES):
            pass
        first = _FIRST_KEY.match(self._text, self._at)
        last = self._text.rfind(first.group(), self._at, self._at + window) if first else -1
        text = self._text[self._at : max(last, self._at)].rstrip(_BLANKS)
        if not text.endswith(","):
            return []
        try:
            values = _cut_list(f"[{text[:-1]}]")
        except (msgspec.MsgspecError, RecursionError):
            return []
        self._step(len(text) - 1)
        return [bytes(value) for value in values]

    def refuse(self, why: str) -> FileError:
        """The error that what is JSON at this place is not read, and why."""
        line, column = self._place(self._at)
        return FileError(f"{self._label}: line {line}, column {column}: {why}.")

    def _step(self, length: int) -> str:
        text = self._text[self._at : self._at + length]
        self._at += length
        return text

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _NEAR_END

    def _pull_for_value(self, size: int) -> bool:
        if len(self._text) - self._at > VALUE_CHARACTERS:
            raise self.refuse(f"the value that begins here is longer than {VALUE_CHARACTERS:,} characters")
        return self._pull(size)

    def _pull(self, size: int) -> bool:
        """Have more text; false at the end of the document. What is before the place is forgotten."""
        if self._ended:
            return False
        self._line, self._column = self._place(self._at)
        data = self._blocks.read(size)
        self.read_bytes += len(data)
        self._ended = not data
        try:
            self._text = self._text[self._at :] + self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise self._blocks.refuse() from error
        self._at = 0
        return not self._ended

    def _place(self, at: int) -> tuple[int, int]:
        """Line and column, from 1, of a position in the text at hand."""
        text = self._text
        ends = text.count("\n", 0, at) + text.count("\r", 0, at) - text.count("\r\n", 0, at + 1)
        if not ends:
            return self._line, self._column + at
        return self._line + ends, at - max(text.rfind("\n", 0, at), text.rfind("\r", 0, at))

    def _explain(self, message: str, at: int) -> FileError:
        """The error for what Python's decoder found, in our words."""
        message = message.partition(": ")[0]
        after = self._text[at:].lstrip(_BLANKS)
        if message.startswith(("Unterminated", "Invalid control")) or after:
            why = _WORDS.get(message) or (_missing_value(after) if message == "Expecting value" else message)
            if after[:1] in {"]", "}"} and self._text[:at].rstrip(_BLANKS).endswith(","):
                why = f"a comma stands before the closing {after[0]!r}"
        else:
            why = "the document ends too early"
        return self._not_json(why, at)

    def _not_json(self, why: str, at: int) -> FileError:
        line, column = self._place(at)
        hint = "Mend that place, or write the file anew with the program that made it."
        return FileError(f"{self._label} is not JSON: line {line}, column {column}: {why}.", hint)


def _missing_value(after: str) -> str:
    known = next((f" ({words})" for start, words in _OTHER_WORDS.items() if after.startswith(start)), "")
    return f"a value is missing before {after[0]!r}{known}" if after else "a value is missing"


def one_line(text: bytes) -> bytes:
    """A value's text without line breaks: where it has some, it is spaced as on one line, and not otherwise changed."""
    if b"\n" not in text and b"\r" not in text:
        return text
    try:
        return msgspec.json.format(text, indent=0)
    except (msgspec.MsgspecError, RecursionError):  # strict JSON bounds it, and yet has no such value: NaN
        return _INDENT.sub(b" ", text)

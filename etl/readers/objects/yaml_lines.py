"""YAML lines: the lines of a YAML text and a place in them, and the words for what is wrong there.

It must never know what a line means beyond blanks, comments and the marks between documents.
"""

import codecs
import io
import re

from etl.errors import FileError
from etl.readers.texts.blocks import Utf8Blocks

LINE_CHARACTERS = 20_000_000
"""A longer line is not read."""
_PIECE_BYTES = 1 << 18

BLANK = " \t"
TAB_REFUSED = "a tab stands where a line is indented; YAML indents by spaces"
_SPACES = re.compile(r" *")
_BLANKS = re.compile(r"[ \t]*")
_DOUBTFUL = re.compile("[\x85\u2028\u2029]")
"""Line ends for YAML 1.1 and the programs that write it, text for YAML 1.2."""
_MARK = re.compile(r"(---|\.\.\.)(?=[ \t]|$)")


class Cursor:
    """A place in a YAML text: `line` is the physical line it is in, `at` the character, from 0.

    A line that marks the end of the document, or begins another, is never entered: the text ends before it.
    """

    def __init__(self, blocks: Utf8Blocks, label: str) -> None:
        self.label = label
        self.line = ""
        self.at = 0
        self.number = 0
        self.ended = False
        self.read_bytes = 0
        """How much of the file has been looked at."""
        self.mark = ""
        """What ended the document: `---`, `...`, or the end of the file."""
        self._blocks = blocks
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("strict"), translate=True)
        self._lines: list[str] = []
        self._next = 0
        self._rest = ""
        self._exhausted = False
        self._is_doubtful = False

    def advance(self) -> bool:
        """Go to the beginning of the next line; false at the end of the document."""
        if self.ended or not self._has_line():
            self.ended = True
            self.line, self.at = "", 0
            return False
        line = self._lines[self._next]
        self.number += 1
        self._next += 1
        self.at = 0
        if line[:3] in {"---", "..."} and (found := _MARK.match(line)):
            self.ended, self.mark, self.line = True, found[1], ""
            self._next -= 1
            self.number -= 1
            return False
        self.line = line
        if self._is_doubtful and (found := _DOUBTFUL.search(line)):
            sign = f"U+{ord(found.group()):04X}"
            why = f"{sign} ends a line for some programs and not for others; write it as an escape, in double quotes"
            raise self.refuse(why, at=found.start())
        return True

    def peek_line(self) -> str | None:
        """The next line; None at the end of the document."""
        if self.ended or not self._has_line():
            return None
        line = self._lines[self._next]
        return None if line[:3] in {"---", "..."} and _MARK.match(line) else line

    def pass_mark(self) -> str:
        """Step over the mark that the document ended before: what follows on its line, comments left out."""
        self._next += 1
        self.number += 1
        self.line, self.at = self._lines[self._next - 1], 3
        self.ended = False
        self.skip_blanks()
        return "" if self.at_end_of_line() else self.line[self.at :]

    def spaces(self) -> int:
        """How many spaces the line begins with."""
        return _SPACES.match(self.line).end()  # type: ignore[union-attr]  # matches everywhere

    def skip_blanks(self) -> None:
        """Step over spaces and tabs."""
        if self.line[self.at : self.at + 1] in {" ", "\t"}:
            self.at = _BLANKS.match(self.line, self.at).end()  # type: ignore[union-attr]  # matches everywhere

    def at_end_of_line(self) -> bool:
        """Whether only blanks and perhaps a comment are left on the line. Steps over the blanks."""
        self.skip_blanks()
        if self.at == len(self.line):
            return True
        return self.line[self.at] == "#" and (not self.at or self.line[self.at - 1] in BLANK)

    def next_content(self) -> int:
        """Go to the next content, on this line or a later one; its column from 0, or -1 at the end of the document."""
        while self.ended or self.at_end_of_line():
            if not self.advance():
                return -1
        if "\t" in self.line[: self.at] and not self.line[: self.at].strip(BLANK):
            raise self.refuse(TAB_REFUSED)
        return self.at

    def end_line(self) -> None:
        """Refuse what follows on the line."""
        if not self.at_end_of_line():
            what = "a comment needs a space before its #" if self.line[self.at] == "#" else "more text follows here"
            raise self.refuse(f"{what}; a text that holds signs of YAML goes in quotes")

    def refuse(self, why: str, number: int | None = None, at: int | None = None) -> FileError:
        """The error for something wrong at the place, or at another."""
        line = self.number if number is None else number
        column = (self.at if at is None else at) + 1
        return FileError(f"{self.label}: line {max(line, 1)}, column {column}: {why}.")

    def _has_line(self) -> bool:
        """Whether there is a line more; has it at hand."""
        while self._next >= len(self._lines):
            if self._exhausted:
                return False
            data = self._blocks.read(_PIECE_BYTES)
            self.read_bytes += len(data)
            self._exhausted = not data
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise self._blocks.refuse() from error
            self._is_doubtful = self._is_doubtful or _DOUBTFUL.search(text) is not None
            self._lines, self._next = text.split("\n"), 0
            self._lines[0] = self._rest + self._lines[0]
            if not self._exhausted or not self._lines[-1]:
                self._rest = self._lines.pop()
            if len(self._rest) > LINE_CHARACTERS:
                raise self.refuse(f"the next line is longer than {LINE_CHARACTERS:,} characters")
        return True

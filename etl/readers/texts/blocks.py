"""Blocks: the text of a file as UTF-8, piece by piece, and its lines where they are needed one by one.

It must never know what separates or encloses cells.
"""

import codecs
import io
from types import TracebackType
from typing import Self

from etl.errors import FileError
from etl.readers.sources.source import Source
from etl.readers.texts.encoding import undecodable

LINE_CHARACTERS = 32_000_000
"""A longer line is not read."""


class Utf8Blocks:
    """The text of a file from its start as UTF-8, byte order mark removed. A context manager: it holds the file open.

    A file that is UTF-8 is handed on as it is, unchecked.
    """

    def __init__(self, source: Source, codec: str) -> None:
        self._source = source
        self._codec = codec
        self._stream = source.open()
        marked = codec in {"utf-8", "utf-8-sig"}
        self._decoder = None if marked else codecs.getincrementaldecoder(codec)("strict")
        # One more mark than the codec removes is one that a program has put before another's.
        self._marks = 2 if codec == "utf-8-sig" else 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        """About `size` bytes more, perhaps with part of a character at the end; none: the text is at its end.

        Raises FileError for a byte that the codec cannot read.
        """
        text = self._decoded(size)
        if self._marks:
            while len(text) < self._marks * len(codecs.BOM_UTF8) and (more := self._decoded(size)):
                text += more
            for _ in range(self._marks):
                text = text.removeprefix(codecs.BOM_UTF8)
            self._marks = 0
            text = text or self._decoded(size)
        return text

    def refuse(self) -> FileError:
        """What to say of bytes that turned out not to be text."""
        return undecodable(self._source, self._codec)

    def _decoded(self, size: int) -> bytes:
        while data := self._stream.read(size):
            if self._decoder is None:
                return data
            if text := self._decode(data):
                return text
        return b"" if self._decoder is None else self._decode(b"")

    def _decode(self, data: bytes) -> bytes:
        assert self._decoder is not None  # noqa: S101  # only called where there is one
        try:
            return self._decoder.decode(data, final=not data).encode()
        except UnicodeDecodeError as error:
            raise self.refuse() from error


class Lines:
    """The physical lines of a text, however they end. Text is given in pieces; what is not yet read can be had back."""

    def __init__(self, blocks: Utf8Blocks | None, size: int) -> None:
        self._blocks = blocks
        self._size = size
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._text = ""
        self._ahead = io.StringIO()
        self._fault = b""
        """What follows the text ahead and begins with a byte that is not UTF-8."""
        self.taken = 0
        """How many characters have been read since text was last given."""

    def give(self, text: bytes) -> None:
        """Read on in this text, then in the blocks that follow."""
        self._decoder.reset()
        self._fault = b""
        self._text = self._decoded(text)
        self._ahead = io.StringIO(self._text, newline="")
        self.taken = 0

    def rest(self) -> bytes:
        """What was given, or pulled from the blocks, and not read."""
        undecoded, _ = self._decoder.getstate()
        return self._text[self._ahead.tell() :].encode() + undecoded + self._fault

    def read(self) -> str:
        """The next line with its end; empty: there is none. One over `LINE_CHARACTERS` is cut, never much later.

        Raises FileError for bytes that are not UTF-8, where they are met.
        """
        line = self._ahead.readline()
        while not line.endswith("\n") and self._ahead.tell() == len(self._text) and self._pull(line):
            line = self._ahead.readline()
        self.taken += len(line)
        return line

    def _pull(self, line: str) -> bool:
        """Put more text behind a line that may go on; false at the end of the text."""
        if self._blocks is None or len(line) > LINE_CHARACTERS:
            return False
        if self._fault:
            raise self._blocks.refuse()
        data = self._blocks.read(self._size)
        text = self._decoded(data, final=not data)
        if not data and not self._fault:
            return False
        self._text = line + text
        self._ahead = io.StringIO(self._text, newline="")
        return True

    def _decoded(self, data: bytes, *, final: bool = False) -> str:
        """As much as is text; the rest is kept."""
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            self._decoder.reset()
            self._fault = error.object[error.start :]
            return error.object[: error.start].decode()

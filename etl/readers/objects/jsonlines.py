"""JSON Lines: one object a line, every value exactly as it was written.

It must never let one bad line spoil the others, nor know what a key means.

Rows are numbered by line. The columns are the union of the keys of all lines, so the file is read through once before
the first batch, which costs no memory; for a glance, the keys of the first lines are all that there are.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial

from etl.errors import FileError
from etl.readers.objects.file import ObjectFile
from etl.readers.objects.json_text import LINE
from etl.readers.objects.rows import Block, KeySurvey, ObjectTable
from etl.readers.options import ReadOptions
from etl.readers.sources.source import Source
from etl.readers.texts.blocks import Utf8Blocks
from etl.readers.texts.encoding import as_text

LINE_BYTES = 20_000_000
"""A longer line is not read: where it must be read exactly, it may take 20 times the memory."""
_PIECE_BYTES = 1 << 20
_ESCAPED = re.compile(r"(\\*)([\udc80-\udcff])")
"""A byte as `surrogateescape` gives it, and the backslashes before it."""
_GLANCE_LINES = 1_000
"""How many lines are looked at for a preview."""


def survey_json_lines(source: Source, options: ReadOptions) -> ObjectTable:
    """The table of a JSON Lines file. Reads the file through, twice (encoding, keys), unless for a glance.

    Raises FileError: undecodable, no line that is an object, too many different keys.
    """
    file = ObjectFile.decide(source, "jsonl", options)
    survey = KeySurvey(source.label, LINE)
    with closing(_read_blocks(file)) as blocks:
        for block in blocks:
            survey.take(block)
            if options.glance and survey.columns and block.numbers[-1] >= _GLANCE_LINES:
                break
    return file.table(survey, (), partial(_read_blocks, file))


def _read_blocks(file: ObjectFile) -> Generator[Block]:
    """The lines of a file, about a megabyte at a time."""
    number = 1
    held: list[bytes] = []
    weight = 0
    with file.open() as text:
        for piece in _unified(text):
            first, end, rest = piece.partition(b"\n")
            held.append(first)
            weight += len(first)
            if weight > LINE_BYTES:
                raise FileError(
                    f"{file.source.label}: line {number} is longer than {LINE_BYTES:,} bytes.",
                    "Each object must be a line of its own. If the file is one JSON document: --format json",
                )
            if end:
                lines = [b"".join(held), *rest.split(b"\n")]
                held = [lines.pop()]
                weight = len(held[0])
                yield _block(file, number, lines)
                number += len(lines)
        if weight:
            yield _block(file, number, [b"".join(held)])


def _block(file: ObjectFile, number: int, lines: list[bytes]) -> Block:
    if not file.is_proven and as_text(b"\n".join(lines)) is None:
        lines = [line if as_text(line) is not None else _shown(line) for line in lines]
    return Block(range(number, number + len(lines)), lines)


def _shown(line: bytes) -> bytes:
    r"""A line with each byte that is not UTF-8 written as `\xF6`, behind so many backslashes that it is no JSON."""
    text = line.decode("utf-8", "surrogateescape")
    return _ESCAPED.sub(lambda found: found[1] + "\\" * (1 + len(found[1]) % 2) + _spelled(found[2]), text).encode()


def _spelled(byte: str) -> str:
    return f"x{ord(byte) - 0xDC00:02X}"


def _unified(text: Utf8Blocks) -> Iterator[bytes]:
    """A text with every line end as a line feed; inside a JSON string no line end can stand unescaped."""
    held = b""
    while piece := text.read(_PIECE_BYTES):
        piece = held + piece
        if b"\r" in piece:
            held = b"\r" if piece.endswith(b"\r") else b""  # CR LF may be cut in two
            piece = piece[: len(piece) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            held = b""
        yield piece
    if held:
        yield b"\n"

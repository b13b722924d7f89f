"""Proof: that polars has split a block of delimited text as the text says, shown by writing what it made of it again.

It must never know what a cell means, nor mend anything: what is not shown here may still be right, and is for others.

Text that is written by the rules has one reading only. So cells that, written by the rules, give the same bytes are the
cells of the text. That holds whatever the parser does, and costs half of what matching the text with its grammar does;
but only for text that is written as a program writes it: every line end alike, and in quotes either all cells or those
that need it.
"""

import io
from typing import Literal, NamedTuple

import polars as pl

from etl.readers.delimited.dialect import Dialect

_PATIENCE = 3
"""So many blocks in a row that could not be shown: the file is written in another way, and no more are tried."""
_DELETE, _ASCII_END = 0x7F, 0x80
_C1, _C1_END = 0xC2, 0xA0
"""The first byte of U+0080 to U+00BF in UTF-8; the second is the character's own number, for C1 below this."""
_MARK = b"\xef\xbb\xbf"

_WRITTEN_ROWS = 50_000

Style = Literal["necessary", "always"]
"""Which cells are in quotes."""


class Signs(NamedTuple):
    """What stands in a block of UTF-8, by its bytes."""

    ends: int
    """Line feeds."""
    returns: int
    """Carriage returns."""
    has_lone_return: bool
    """One that no line feed follows."""
    has_control: bool
    """A control character, other than tab and line ends, or a byte order mark: nothing that is ever proven."""
    is_ascii: bool


def signs_of(block: bytes) -> Signs:
    """Look through a block, as whole columns of bytes: several times as fast as `bytes.count`."""
    column = pl.Series([block], dtype=pl.Binary).cast(pl.List(pl.UInt8)).explode()
    ends, returns = _count(column, "\n"), _count(column, "\r")
    low, highest = int((column < ord(" ")).sum()), column.max()
    is_ascii = not isinstance(highest, int) or highest < _ASCII_END
    has_control = low != ends + returns and low != ends + returns + _count(column, "\t")
    has_control |= highest == _DELETE if is_ascii else _has_odd(column) or _MARK in block
    is_lone = bool(returns) and ((column == ord("\r")) & (column.shift(-1, fill_value=0) != ord("\n"))).any()
    return Signs(ends, returns, is_lone, has_control, is_ascii)


def _count(column: pl.Series, sign: str) -> int:
    return int((column == ord(sign)).sum())


def _has_odd(column: pl.Series) -> bool:
    """Whether there is DEL, or a control character above it (C1)."""
    of_c1 = (column == _C1) & (column.shift(-1, fill_value=0) < _C1_END)
    return bool((column == _DELETE).any() or of_c1.any())


class Rewriter:
    """Writes frames as one dialect says, and compares. It learns from the blocks before which cells are in quotes."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._style: Style = "necessary"
        self._misses = 0 if dialect.quote else _PATIENCE

    def can_show(self, signs: Signs) -> bool:
        """Whether it is worth trying, and nothing stands there that is refused."""
        return self._misses < _PATIENCE and not (signs.has_lone_return or signs.has_control)

    def shows(self, frame: pl.DataFrame, block: bytes, signs: Signs) -> bool:
        """Whether the cells of `frame` (null: empty), written, are the block. False says nothing against them."""
        line_end = "\r\n" if signs.returns else "\n"
        other: Style = "always" if self._style == "necessary" else "necessary"
        for style in (self._style, other):
            if self._written(frame, style, line_end) == block:
                self._style, self._misses = style, 0
                return True
        self._misses += 1
        return False

    def _written(self, frame: pl.DataFrame, style: Style, line_end: str) -> bytes:
        file = io.BytesIO()
        frame.write_csv(
            file,
            include_header=False,
            separator=self._dialect.delimiter,
            quote_char=self._dialect.quote,
            quote_style=style,
            line_terminator=line_end,
            batch_size=_WRITTEN_ROWS,
        )
        return file.getvalue()

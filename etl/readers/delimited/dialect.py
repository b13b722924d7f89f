"""Dialect: what separates the cells, encloses them and ends the lines of a delimited file.

It must never know how that was found out.
"""

from typing import NamedTuple

from etl.errors import UsageError
from etl.readers.options import ReadOptions

NO_QUOTE = "none"
"""What a user says where quotes are plain text."""
_SPELLED = {"\\t": "\t", "tab": "\t"}
_NAMES = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "bar",
    ":": "colon",
    "^": "caret",
    "~": "tilde",
    " ": "space",
    '"': "double quote",
    "'": "single quote",
    "\\": "backslash",
    "\n": "LF",
    "\r\n": "CRLF",
    "\r": "CR",
    "": NO_QUOTE,
}


class Dialect(NamedTuple):
    """`sep_line`: the file begins with Excel's own `sep=;` line, which no spreadsheet program shows as a row."""

    delimiter: str
    quote: str
    """Empty: cells are never in quotes."""
    escape: str
    """Stands before a quote that is meant as text; empty: such a quote is written twice."""
    line_end: str
    sep_line: bool
    quote_is_told: bool = False

    @property
    def doubts_quotes(self) -> bool:
        """Whether a record on several lines may be several: nobody said what quotes are, and with such delimiters
        they are often plain text."""
        return bool(self.quote) and not self.quote_is_told and self.delimiter != ","


class Told(NamedTuple):
    """What the user says of a dialect; None: nothing. `quote` and `escape` empty: there is none."""

    delimiter: str | None
    quote: str | None
    escape: str | None

    def spelled_like(self, dialect: Dialect) -> dict[str, str]:
        """How rows are written so that the same command reads them back, as in `Origin.dialect`.

        What was told is told again. What was found out about quotes need not show in a few rows: those are written in
        the usual way, which is found out just as well.
        """
        return {
            "delimiter": dialect.delimiter,
            "quote": '"' if self.quote is None else self.quote,
            "escape": self.escape or "",
            "line_end": dialect.line_end,
        }


def told_dialect(options: ReadOptions) -> Told:
    """What the options say. Raises UsageError for signs that cannot be what they are said to be."""
    told = Told(
        _sign(options.delimiter, "separate cells", "--delimiter ';' or --delimiter tab", none=False),
        _sign(options.quote, "enclose cells", '--quote "\'" or --quote none', none=True),
        _sign(options.escape, "stand before a quote", "--escape '\\'", none=True),
    )
    if told.delimiter and told.delimiter in {told.quote, told.escape}:
        raise UsageError(
            f"{told.delimiter!r} cannot both separate cells and stand inside them.", "Leave out one of them."
        )
    if told.quote and told.quote == told.escape:
        return told._replace(escape="")  # a quote before a quote is what is always read
    return told


def sign_name(sign: str) -> str:
    """`comma`, `U+001F`: a sign as a person would say it."""
    return _NAMES.get(sign) or (sign if sign.isprintable() else f"U+{ord(sign):04X}")


def _sign(wanted: str | None, purpose: str, example: str, *, none: bool) -> str | None:
    if wanted is None:
        return None
    if none and wanted.lower() == NO_QUOTE:
        return ""
    sign = _SPELLED.get(wanted.lower(), wanted)
    if len(sign) != 1 or sign in "\r\n\0":
        raise UsageError(f"{wanted!r} cannot {purpose}.", f"Give one character, for example {example}")
    return sign

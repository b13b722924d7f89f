"""Dialect: what separates the cells, encloses them and ends the lines of a delimited file.

It must never know how that was found out.
"""

from typing import NamedTuple

from etl.errors import UsageError
from etl.readers.options import ReadOptions

NO_QUOTE = "none"
"""What a user says where quotes are plain text."""
_USUAL_QUOTE = '"'
_LINE_ENDS = frozenset({"\r", "\n", "\r\n", "\\r", "\\n", "\\r\\n", "\v", "\f", "\x85", "\u2028", "\u2029"})
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
    _refuse_clash(told)
    if told.quote and told.quote == told.escape:
        return told._replace(escape="")  # a quote before a quote is what is always read
    return told


def sign_name(sign: str) -> str:
    """`comma`, `U+001F`: a sign as a person would say it."""
    return _NAMES.get(sign) or (sign if sign.isprintable() else f"U+{ord(sign):04X}")


def _refuse_clash(told: Told) -> None:
    """Refuse (UsageError) a sign that separates cells and is also said, or usual, for something else."""
    sign = told.delimiter
    if not sign:
        return
    shown = repr(sign)
    if sign == told.quote:
        raise UsageError(
            f"{shown} cannot both separate cells (--delimiter) and enclose them (--quote).",
            "Leave out one of them, or give it another sign.",
        )
    if sign == told.escape:
        raise UsageError(
            f"{shown} cannot both separate cells (--delimiter) and stand before a quote inside them (--escape).",
            "Leave out one of them, or give it another sign.",
        )
    if sign == _USUAL_QUOTE and told.quote is None:
        raise UsageError(
            f"{shown} encloses cells unless it is said to be plain text: it cannot also separate them.",
            f"Give another --delimiter. If {shown} does separate cells here, say also --quote none",
        )


def _sign(wanted: str | None, purpose: str, example: str, *, none: bool) -> str | None:
    if wanted is None:
        return None
    if none and wanted.lower() == NO_QUOTE:
        return ""
    sign = _SPELLED.get(wanted.lower(), wanted)
    why = _unfit(sign) or ("a blank" if none and sign.isspace() else "")
    if why:
        raise UsageError(f"{wanted!r} cannot {purpose}: it is {why}.", f"Give one character, for example {example}")
    return sign


def _unfit(sign: str) -> str:
    """What keeps a text from being a sign of a dialect; empty: nothing."""
    if not sign:
        return "empty"
    if sign in _LINE_ENDS:
        return "a line break, which ends records"
    if len(sign) > 1:
        return f"{len(sign)} characters"
    if sign in "\0\ufeff":
        return "no sign of a text"
    if sign.isascii() and sign.isalnum():  # others, such as the thorn, do separate cells in some programs' files
        return f"a {'letter' if sign.isalpha() else 'digit'}, of which cells are made"
    return ""

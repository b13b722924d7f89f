"""Plain text: character data of XML, as many texts at once as there are cells in a block.

It must never know what the texts are for.
"""

from xml.parsers import expat

import polars as pl

CHARACTERS = r"[^<>\x00-\x08\x0B\x0C\x0E-\x1F\x{FFFE}\x{FFFF}]*"
"""Any text without markup, as a pattern of polars: what XML does not allow is not in it. A `>` may stand in XML's text,
but programs escape it, and so `]]>` need not be looked for."""

_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_ESCAPED = r"^(?:[^&]|&(?:amp|lt|gt|quot|apos);)*$"


def decoded(content: bytes) -> pl.Series | None:
    """A block as a series of one text, line ends as XML has them; None where it is not UTF-8."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        return pl.Series([content], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return None


def is_well_formed(texts: pl.Series) -> bool:
    """Whether every `&` begins one of the five entities that XML knows."""
    hot = texts.filter(texts.str.contains("&", literal=True))
    return hot.is_empty() or bool(hot.str.contains(_ESCAPED).all())


def unescaped(texts: pl.Series) -> pl.Series | None:
    """The texts with entities and character references replaced; None where one is not well-formed."""
    hot = texts.str.contains("&", literal=True).fill_null(value=False)
    if not hot.any():
        return texts
    if not texts.filter(hot).str.contains(_ESCAPED).all():
        return _parsed(texts, hot)
    return texts.str.replace_many(list(_ENTITIES), list(_ENTITIES.values()))


def _parsed(texts: pl.Series, hot: pl.Series) -> pl.Series | None:
    """The same, by the parser: there are references by number."""
    unique = texts.filter(hot).unique()
    found: list[str] = []
    pieces: list[str] = []

    def end(_: str) -> None:
        found.append("".join(pieces))
        pieces.clear()

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.CharacterDataHandler = pieces.append
    parser.EndElementHandler = end
    try:
        parser.Parse(f"<r><t>{'</t><t>'.join(unique)}</t></r>".encode())
        parser.Parse(b"", True)  # noqa: FBT003  # expat's own signature
    except expat.ExpatError:
        return None
    return texts.replace(unique, found[:-1])

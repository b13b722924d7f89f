"""Transcripts: a labelled conversation as the JSON array of messages that stands for it.

Functions on whole columns. Must never know columns of a file, nor what other texts a transcript may be.
"""

import polars as pl

from etl.mapping.cells.jsoncells import Mistake, encode
from etl.mapping.cells.lists import LOOKS_LIKE_JSON
from etl.mapping.cells.series import found_in, only_where
from etl.mapping.cells.speakers import (
    AGENT,
    AGENT_WORDS,
    OTHER,
    OTHER_WORDS,
    PERSONA,
    SYSTEM_WORDS,
    Voices,
    broken,
    read_labelled,
    unknown_speakers,
)
from etl.problems import Code
from etl.quoting import quote_value

_VOICES = Voices(agent=AGENT_WORDS, other=f"{OTHER_WORDS}|{SYSTEM_WORDS}")
"""In a transcript the system may be an IVR or a prompt: nobody can tell."""
_ROLES = {PERSONA: "user", AGENT: "assistant"}


def as_messages(texts: pl.Series) -> pl.Series:
    """Labelled texts as JSON arrays of `{role, content}` (String), null where a line is neither the user's nor the
    assistant's, or of a speaker nobody knows; other texts as they are.
    """
    lines = _lines(texts)
    labelled = lines.is_not_null()
    if not labelled.any():
        return texts
    text = pl.element()
    role = text.str.head(1).replace_strict(_ROLES, default=None, return_dtype=pl.String)
    said = encode(text.str.slice(1))
    message = pl.concat_str(pl.lit('{"role":"'), role, pl.lit('","content":'), said, pl.lit("}"))
    whole = lines.list.eval(pl.when(role.is_not_null()).then(message)).list.join(",", ignore_nulls=False)
    array = whole.to_frame("all").select(pl.concat_str(pl.lit("["), pl.col("all"), pl.lit("]"))).to_series()
    array = only_where(array, unknown_speakers(only_where(texts, labelled), _VOICES).is_null())
    return array.zip_with(labelled, texts).alias(texts.name)


def explain(found: str) -> Mistake:
    """Why `as_messages` gave null."""
    lines = _lines(pl.Series([found])).to_list()[0] or []
    other = next(((n, line) for n, line in enumerate(lines, 1) if line.startswith(OTHER)), None)
    if other is None:
        unknown = unknown_speakers(pl.Series([found]), _VOICES)[0]
        takes = "what the user and the assistant say"
        return Code.WRONG_FORM, f"{takes}: {unknown}; write Caller or Agent, or put it on the line it belongs to"
    number, line = other
    wanted = 'what the user and the assistant say; leave the line out, or write [{"role": "user", "content": "Hi"}]'
    return Code.WRONG_FORM, f"{wanted}: line {number} is of neither of them ({quote_value(None, line[1:])})"


def _lines(texts: pl.Series) -> pl.Series:
    """The lines of labelled texts with who speaks as first character; null for other texts, and where none is said."""
    lines = broken(texts)
    labelled = found_in(lines, _VOICES.starts) & ~found_in(texts, LOOKS_LIKE_JSON)
    lines = read_labelled(only_where(lines, labelled), _VOICES)
    spoken = lines.list.eval(pl.element().str.contains(f"^[{PERSONA}{AGENT}]")).list.any()
    return only_where(lines, spoken.fill_null(value=False))

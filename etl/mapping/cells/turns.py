"""The turns of a script: the persona's lines, among them keys to press and silence, and the agent's lines beside them.

A list of turns is a list of texts; one that begins with `MARK` is no speech: what follows says, as it was written,
which keys are pressed (`[DTMF 123#]`), that nothing is said (`[silence]`), or is an entry of the API's as JSON.
Functions on whole columns. Must never know which field or contract the turns are for.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from etl.mapping.cells.jsoncells import (
    Mistake,
    encode,
    explain_json,
    explain_texts,
    is_json,
    is_texts,
    read_strictly,
    read_texts,
)
from etl.mapping.cells.lists import LOOKS_LIKE_JSON, SEPARATOR, drop_blank
from etl.mapping.cells.series import found_in, lists_of, only_where
from etl.mapping.cells.speakers import (
    AGENT,
    AGENT_WORDS,
    IN_SCRIPTS,
    OTHER,
    OTHER_WORDS,
    PERSONA,
    PERSONA_WORDS,
    SYSTEM_WORDS,
    by_speaker,
    lines_of,
    read_lines,
    unknown_speakers,
)
from etl.mapping.cells.ways import items_of
from etl.problems import Code
from etl.quoting import shorten

MARK = "\x1f"
"""Before a turn that is no speech: the ASCII unit separator, which no cell should hold."""

_EXACT, _ENTRY = "E", "T"
"""Lines of the persona in a JSON array: a text that is taken as it is, and an entry of the API's."""

_JSON = rf"{LOOKS_LIKE_JSON}|^\s*\[\s*(?:-?\d[\d.eE+-]*|true|false|null)\s*(?:,[^\[\]]*)?$"
"""A cell that is meant as a JSON array, though its end may be missing."""
_KEYS = r"([+(]*[0-9#*](?:[0-9#*+(). \-]*[0-9#*])?)"
_INSIDE = (
    rf"(?i)([\[({{][ \t]*(?:dtmf|keypad)[ \t]*[:=]?[ \t]*{_KEYS}[ \t]*[\])}}]"
    rf"|<dtmf>[ \t]*{_KEYS}[ \t]*</dtmf>"
    rf"|<dtmf[ \t]+[a-z]+[ \t]*=[ \t]*[\"']{_KEYS}[\"'][ \t]*/?>(?:[ \t]*</dtmf>)?)"
)
"""Keys to press, wherever they stand in a turn."""
_WHOLE = (
    rf"(?i)^[ \t]*([\[({{]?[ \t]*(?:press(?:es|ed)?|keypad|dtmf)[ \t]*[:=]?[ \t]*[\"']?{_KEYS}[\"']?"
    r"[ \t]*[\])}]?)[ \t]*[.!]?[ \t]*$"
)
"""Keys to press, where the turn is nothing else: `press 1` may be spoken inside a sentence."""
_STARRED = (
    r"(?i)^[ \t]*(\*[ \t]*(?:press(?:es|ed)?|keypad|dtmf)[ \t]*[:=]?[ \t]*([0-9#](?:[0-9#* -]*[0-9#])?)[ \t]*\*)"
    r"[ \t]*[.!]?[ \t]*$"
)
"""The same between stars, which are then no keys."""
_TIME = r"\d{1,4}(?:[.,]\d{1,3})?[ \t-]*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b"
_QUIET_WORDS = r"silence|silent|stays silent|pause|pauses|skip|waits?|no response|no input|says nothing"
_SILENCE = (
    rf"(?i)^[ \t]*([\[({{*][ \t]*(?:{_TIME}[ \t]+(?:of[ \t]+)?)?(?:long |short )?(?:{_QUIET_WORDS})"
    rf"(?:[ \t]*[:=]?[ \t]*(?:for[ \t]+)?(?:{_TIME}|\d{{1,4}}))?[ \t]*[\])}}*]"
    r"|<(?:silence|pause|skip|break)(?:[ \t]+[a-z]+[ \t]*=[ \t]*[\"'][^\"'<>]{0,20}[\"'])*[ \t]*/>"
    r"|<(silence|pause|skip)>[ \t]*</(?:silence|pause|skip)>)[ \t]*[.]?[ \t]*$"
)
_ALONE = "|".join(pattern.replace("(?i)^", "").removesuffix("$") for pattern in (_WHOLE, _STARRED, _SILENCE))
_ALONE = f"(?i:{_ALONE})"
"""A line that is nothing but keys or silence does not go on with the line before."""
_DIRECTION = r"^\s*(?:\[[^\[\]]+\]|\*[^*]+\*)[ \t]*[.]?\s*$"
"""A turn in brackets or stars: rather what is done than what is said."""

_KEYPAD, _SKIP, _TEXT = "dtmf", "skip", "text"
_QUIET = re.compile(rf'{_SILENCE.replace("^", f"^{MARK}", 1)}|"{_SKIP}"')
_ROLE_KEYS, _TEXT_KEYS = ("role", "speaker", "from"), ("content", "text", "message", "value", "utterance")
_HAS_ROLES = rf'"(?:{"|".join(_ROLE_KEYS)})"\s*:'
_ROLES = ((PERSONA, PERSONA_WORDS), (AGENT, f"{AGENT_WORDS}|gpt|model"), (OTHER, f"{OTHER_WORDS}|{SYSTEM_WORDS}|note"))
"""Who speaks, by the role that a JSON object gives. There the system is no voice: it says what the agent is told."""
_SHOWN_CHARACTERS = 60
_SHOWN_LINES = 3


def read_turns(texts: pl.Series) -> pl.Series:
    """The persona's turns of scripts; null where only others speak, and for JSON that says no turns.

    A JSON array of texts is taken as it is; one of `{role, content}` objects or of the API's entries is read.
    """
    arrays = found_in(texts, _JSON)
    exact = read_texts(only_where(texts, arrays))
    rest = only_where(texts, exact.is_null())
    return exact.zip_with(exact.is_not_null(), _persona(_spoken(rest)))


def persona_turns(items: pl.Series) -> pl.Series:
    """As `read_turns`, for lists whose items are a line each."""
    return _persona(by_speaker(items))


def read_agent_lines(texts: pl.Series) -> pl.Series:
    """The agent's lines of scripts; null where there are none."""
    return _null_if_none(lines_of(_spoken(_if_agent(texts)), AGENT))


def agent_lines(items: pl.Series) -> pl.Series:
    """As `read_agent_lines`, for lists whose items are a line each."""
    return _null_if_none(lines_of(by_speaker(items), AGENT))


def left_out(cells: pl.Series, *, agent: bool) -> pl.Series:
    """Which lines `read_turns` (for texts) and `persona_turns` (for lists) leave out or take for others, in words.

    Null where none; and where no line of the persona is left either, which is a problem of its own. `agent`: the
    agent's lines count too.
    """
    listed = cells.dtype == pl.List(pl.String)
    spoken = by_speaker(cells) if listed else _spoken(_if_agent(cells))
    own = spoken.list.eval(pl.element().str.contains(f"^[{PERSONA}{_EXACT}{_ENTRY}]")).list.any()
    spoken = only_where(spoken, own.fill_null(value=False))
    said = [
        _in_words(lines_of(spoken, AGENT), "the agent's lines are not sent: ", "; map them with the step agent_lines"),
        _in_words(lines_of(spoken, OTHER), "lines of neither caller nor agent are not sent: ", ""),
        *([] if listed else [taken_for_others(cells)]),
        *_as_written(cells if listed else only_where(cells, found_in(cells, r"[\[*<]|\([^()]*\d")), listed=listed),
    ]
    found = pl.DataFrame([one.alias(str(number)) for number, one in enumerate(said[0 if agent else 1 :])])
    whole = found.select(pl.concat_str(pl.all(), separator="; ", ignore_nulls=True).alias("said")).to_series()
    return whole.set(whole == "", None)


def taken_for_others(texts: pl.Series) -> pl.Series:
    """Which lines of scripts have a speaker nobody knows, in words (String); null where none."""
    return unknown_speakers(texts) + "; it was taken for a part of the line before; write Caller or Agent"


def _as_written(cells: pl.Series, *, listed: bool) -> list[pl.Series]:
    """Turns that are read aloud though they look like directions, and silences that lose how long they are."""
    said = lines_of(by_speaker(cells) if listed else _spoken(cells), PERSONA)
    line = pl.element()
    keys_or_silence = pl.any_horizontal(line.str.contains(pattern) for pattern in (_WHOLE, _STARRED, _INSIDE, _SILENCE))
    aloud = said.list.eval(line.filter(line.str.contains(_DIRECTION) & ~keys_or_silence))
    timed = said.list.eval(line.filter(line.str.contains(_SILENCE) & line.str.contains(r"\d")))
    return [
        _in_words(aloud, "turns in brackets or stars are read aloud: ", "; write [silence], [DTMF 1] or what is said"),
        _in_words(timed, "the length of a silence is not sent: ", ""),
    ]


def explain_turns(found: str) -> Mistake:
    """Why `read_turns` gave null."""
    if found_in(pl.Series([found]), _JSON)[0] and not is_json(found):
        return explain_texts(found)
    if found.lstrip()[:1] in {"[", "{"} and is_json(found) and not is_texts(found):
        return _explain_entries(found)
    return Code.MISSING_TURNS, "what the caller says, line by line, and here only the agent speaks"


def unmarked(turns: pl.Expr) -> pl.Expr:
    """Turns as they were written, speech or not."""
    return turns.list.eval(pl.element().str.strip_prefix(MARK))


def as_entries(turns: pl.Series) -> pl.Series:
    """Turns as a JSON array (String): speech is a text, keys and silence are the API's entries."""
    text = pl.element()
    rest = text.str.strip_prefix(MARK)
    keys = pl.coalesce(rest.str.extract(pattern, group) for pattern, group in _KEY_GROUPS)
    pressed = pl.concat_str(pl.lit(f'{{"type":"{_KEYPAD}","digits":"'), keys, pl.lit('"}'))
    entry = (
        pl.when(rest.str.starts_with("{") & rest.str.ends_with("}") & rest.str.contains('"', literal=True))
        .then(rest)
        .when(rest.str.contains(_SILENCE))
        .then(pl.lit(f'{{"type":"{_SKIP}"}}'))
        .when(keys.is_not_null())
        .then(pressed)
        .otherwise(encode(rest))
    )
    marked = _marked(turns)
    made = turns.to_frame("turns").select(encode(pl.col("turns"))).to_series()
    if marked.any():
        items = only_where(turns, marked).list.eval(
            pl.when(text.str.starts_with(MARK)).then(entry).otherwise(encode(text))
        )
        whole = items.to_frame("turns").select(pl.concat_str(pl.lit("["), pl.col("turns").list.join(","), pl.lit("]")))
        made = whole.to_series().zip_with(marked, made)
    return made.alias(turns.name)


def as_speech(turns: pl.Series) -> pl.Series:
    """Turns as texts; null where one of them is no speech."""
    marked = _marked(turns)
    if not marked.any():
        return turns
    made = [None if items is None else _speech(items) for items in only_where(turns, marked)]
    return lists_of(turns.name, made).zip_with(marked, turns)


def no_speech(turns: pl.Series) -> pl.Series:
    """Which turns are no speech, in words (String): `turn 2 is keys to press ([DTMF 1])`; null where all are."""
    said = [None if items is None else _not_spoken(items) for items in only_where(turns, _marked(turns))]
    return pl.Series(turns.name, said, dtype=pl.String)


_KEY_GROUPS = ((_STARRED, 2), (_WHOLE, 2), (_INSIDE, 2), (_INSIDE, 3), (_INSIDE, 4))


def _marked(turns: pl.Series) -> pl.Series:
    return turns.list.eval(pl.element().str.starts_with(MARK)).list.any().fill_null(value=False)


def _speech(items: list[str]) -> list[str] | None:
    spoken = [_text_of(item[1:]) if item.startswith(MARK) else item for item in items]
    return None if None in spoken else [text for text in spoken if text is not None]


def _text_of(written: str) -> str | None:
    """The text of an entry that is only that."""
    entry = read_strictly(written) if written.startswith("{") and is_json(written) else {}
    text = entry.get("text") if entry.get("type") == _TEXT else None
    return text if isinstance(text, str) and entry.keys() == {"type", "text"} else None


def _not_spoken(items: list[str]) -> str | None:
    odd = [
        f"turn {number} is {'silence' if _QUIET.search(item) else 'keys to press'}"
        f" ({shorten(item[1:], _SHOWN_CHARACTERS)})"
        for number, item in enumerate(items, start=1)
        if item.startswith(MARK) and _text_of(item[1:]) is None
    ]
    more = f" and {len(odd) - _SHOWN_LINES} more" if len(odd) > _SHOWN_LINES else ""
    return ", ".join(odd[:_SHOWN_LINES]) + more or None


def _spoken(texts: pl.Series) -> pl.Series:
    """The lines of scripts with who speaks as first character; null for JSON that says no turns."""
    arrays = found_in(texts, _JSON) | found_in(texts, r'^\s*\{\s*"')
    if not arrays.any():
        return read_lines(texts, alone=_ALONE)
    objects = only_where(texts, arrays)
    sound = pl.Series(
        [cell is not None and (cell.lstrip()[0] == "[" or is_json(cell)) for cell in objects], dtype=pl.Boolean
    )
    entries = [_entries(cell) if is_sound else None for cell, is_sound in zip(objects, sound, strict=True)]
    read = lists_of(texts.name, entries)
    return read.zip_with(sound, read_lines(only_where(texts, ~sound), alone=_ALONE))


def _entries(cell: str) -> list[str] | None:
    """The lines of a JSON array of texts and objects, an object alone counting as one; null for anything else."""
    try:
        value = read_strictly(cell)
    except (ValueError, RecursionError):
        return None
    items = value if isinstance(value, list) else [value]
    try:
        raws = items_of(cell) or []
    except msgspec.MsgspecError:
        return None
    lines = [_entry(item, raw) for item, raw in zip(items, raws, strict=False)]
    if len(lines) != len(items) or any(line is None for line in lines):
        return None
    return [line for line in lines if line]


def _entry(item: Any, raw: bytes) -> str | None:
    """One item as a line; empty where it says nothing; None where it is none."""
    if isinstance(item, str):
        return None if _has_half_pair(item) else _EXACT + item
    if not isinstance(item, dict):
        return None
    role = next((item[key] for key in _ROLE_KEYS if key in item), None)
    if role is None:
        return _ENTRY + raw.decode() if item.get("type") in {_KEYPAD, _SKIP, _TEXT} else None
    who = _who(str(role).strip())
    text = _said(next((item[key] for key in _TEXT_KEYS if key in item), None))
    if who is None or text is None or _has_half_pair(text):
        return None
    return who + text.strip() if text.strip() else ""


@lru_cache(maxsize=256)
def _who(role: str) -> str | None:
    return next((who for who, words in _ROLES if re.fullmatch(words, role, re.IGNORECASE)), None)


def _said(content: Any) -> str | None:
    """The text of a message: plain, in parts, or none at all (a call of a tool)."""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        return " ".join(texts) if len(texts) == len(parts) else None
    return "" if content is None else content if isinstance(content, str) else None


def _has_half_pair(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)


def _explain_entries(found: str) -> Mistake:
    value = read_strictly(found)
    items = value if isinstance(value, list) else [value]
    raws = items_of(found) or []
    if len(raws) != len(items):
        return explain_json(found)
    place = next(
        (place for place, (item, raw) in enumerate(zip(items, raws, strict=False)) if _entry(item, raw) is None), None
    )
    if place is None:
        return Code.MISSING_TURNS, "what the caller says, turn by turn, and here only the agent speaks"
    if not isinstance(items[place], dict):
        return explain_texts(found)
    if any(isinstance(inner, str) and _has_half_pair(inner) for inner in items[place].values()):
        return explain_json(found)
    wanted = 'texts, {"role": "user", "content": "Hi"} or {"type": "dtmf", "digits": "1"}'
    return Code.WRONG_TYPE, f"a JSON array of {wanted}, and item {place + 1} is an object of another kind"


def _persona(spoken: pl.Series) -> pl.Series:
    """The persona's turns among the lines; what is no speech is marked, and a turn of both is cut."""
    lines = spoken.list.filter(pl.element().str.contains(f"^[{PERSONA}{_EXACT}{_ENTRY}]"))
    line = pl.element()
    text = line.str.slice(1)
    spotted = (
        pl.when(text.str.contains(_WHOLE) | text.str.contains(_STARRED))
        .then(pl.concat_str(pl.lit(MARK), text.str.strip_chars()))
        .when(text.str.contains(_SILENCE))
        .then(pl.concat_str(pl.lit(MARK), text.str.strip_chars()))
        .otherwise(text.str.replace_all(rf"{_INSIDE}[ \t]*[.,;!]?", f"{SEPARATOR}{MARK}${{1}}{SEPARATOR}"))
    )
    turns = lines.list.eval(
        pl.when(line.str.starts_with(PERSONA))
        .then(spotted)
        .when(line.str.starts_with(_ENTRY))
        .then(pl.concat_str(pl.lit(MARK), text))
        .otherwise(text)
    )
    mixed = turns.list.eval(pl.element().str.contains(SEPARATOR, literal=True)).list.any().fill_null(value=False)
    if mixed.any():
        pieces = only_where(turns, mixed).list.join(SEPARATOR).str.split(SEPARATOR)
        turns = drop_blank(pieces.list.eval(pl.element().str.strip_chars(" \t\r\n"))).zip_with(mixed, turns)
    return _null_if_none(turns)


def _if_agent(texts: pl.Series) -> pl.Series:
    """The texts in which somebody beside the persona may speak. A JSON array of texts is all the persona's."""
    arrays = found_in(texts, _JSON) | found_in(texts, r'^\s*\{\s*"')
    return only_where(texts, (found_in(texts, IN_SCRIPTS.has_agent) & ~arrays) | (found_in(texts, _HAS_ROLES) & arrays))


def _in_words(lines: pl.Series, before: str, after: str) -> pl.Series:
    quoted = pl.concat_str(pl.lit('"'), pl.element().str.head(_SHOWN_CHARACTERS), pl.lit('"'))
    shown = lines.list.head(_SHOWN_LINES).list.eval(quoted).list.join(", ")
    count = lines.list.len().cast(pl.Int64) - _SHOWN_LINES
    said = pl.DataFrame([shown.alias("shown"), count.alias("more")]).select(
        pl.when(pl.col("shown") != "").then(
            pl.concat_str(
                pl.lit(before),
                pl.col("shown"),
                pl.when(pl.col("more") > 0).then(pl.format(" and {} more", "more")).otherwise(pl.lit("")),
                pl.lit(after),
            )
        )
    )
    return said.to_series()


def _null_if_none(lines: pl.Series) -> pl.Series:
    return only_where(lines, (lines.list.len() > 0).fill_null(value=False))

"""Who says what: the labels of a written conversation (`Caller:`, `**Agent:**`, `[Kunde]`), and its lines by speaker.

Functions on whole columns. Must never know what becomes of the lines.
"""

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from etl.mapping.cells.lists import NAMED, SEPARATOR, drop_blank, split_texts
from etl.mapping.cells.series import found_in, only_where

PERSONA, AGENT, OTHER = "P", "A", "O"
"""The first character of a line says who speaks: the persona, the agent, or what is neither (a tool, a note)."""

PERSONA_WORDS = (
    "caller|customer|user|end[ -]?user|persona|human|client|kunde|kundin|anrufer|anruferin|nutzer|nutzerin|"
    "cliente|"  # codespell:ignore cliente
    "benutzer|benutzerin|appelant|appelante|utilisateur|utilisatrice|usuario|usuaria|usuário|usuária|llamante|"
    "utilizador|chamador|utente|chiamante|klant|beller|gebruiker|顧客|お客様|お客さま|客|ユーザー|ユーザ|発信者|利用者"
)
AGENT_WORDS = (
    "agent|assistant|bot|chat ?bot|voice ?bot|ai|ivr|(?:ai|voice|virtual|support|phone|human) (?:agent|assistant)|"
    "ivr system|operator|representative|agente|agentin|assistentin|assistente|mitarbeiter|mitarbeiterin|"
    "assistent|"  # codespell:ignore assistent
    "assistante|conseiller|conseillère|op[ée]rateur|op[ée]ratrice|asistente|operador|operadora|operatore|atendente|"
    "エージェント|アシスタント|ボット|オペレーター|オペレータ|担当者|係員"
)
SYSTEM_WORDS = "system|système|sistema|システム"
OTHER_WORDS = "tool|tools|tool[ _-]?call|tool[ _-]?result|function|developer"

_COLON = r"[:\x{FF1A}]"
_BEFORE = (
    r"[ \t]*(?:\(?\d{1,3}[.)][ \t]+|[-*•\x{2013}\x{2014}][ \t]+)?"
    r"(?:[\[(]?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?[\])]?[ \t]*[-\x{2013}]?[ \t]*)?"
)
"""A number, a bullet or a time may stand before a label."""
_BETWEEN = r"[ \t]+(?:/{1,2}|\|{1,2}|->|→|[-\x{2013}\x{2014}•·])[ \t]+|[ \t]*;[ \t]*"
"""What stands between the lines of a conversation on one line. It must be followed by a label."""
_SENTENCE_END = (
    r"""(?:[^\s\d]|\d{4}|[^\s\d(][ \t]?\d{1,3})[.!?\x{2026}][\"'\x{201D}\x{2019})]*[ \t]+"""
    r"|[\x{3002}\x{FF01}\x{FF1F}][ \t]*"
)
"""A number alone before the full stop is that of a list."""
_NUMBERING = r"(?im)^[ \t]*(?:turn|step|line|schritt|étape|paso)[ \t]+#?\d{1,3}[ \t]*[:\x{FF1A}.)][ \t]*"
_UNKNOWN = (
    rf"(?m)^{_BEFORE}[*_]{{0,3}}\[?([\p{{Lu}}\p{{Lo}}][\p{{L}}\p{{M}}'\x{{2019}}.-]{{0,24}}"
    r"(?:[ \t][\p{L}\p{N}][\p{L}\p{M}\p{N}'\x{2019}.-]{0,23})?)(?:[ \t]*\([^()\r\n]{1,40}\))?\]?"
    rf"[*_]{{0,3}}[ \t]*{_COLON}(?:[^/\d]|$)"
)
"""What looks like a label: one word or two, and no time (`10:30`) nor address (`https://`)."""
_KEYS = r"(?im)^[ \t]*(?:dtmf|keypad)[ \t]*:"
_LONGEST_LABEL = 25
_SHOWN_LABELS = 3


def _label(words: str, *, boxed: bool = True) -> str:
    """A label in any of its forms: `Caller:`, `Caller 2 (angry):`, `**Caller:**`, `**Caller**:`, `[Caller]`."""
    who = rf"(?:{words})(?:[ \t]+#?\d{{1,2}})?(?:[ \t]*\([^()\r\n]{{1,40}}\))?"
    forms = [
        rf"{who}[ \t]*{_COLON}",
        rf"[*_]{{1,3}}{who}[ \t]*(?:{_COLON}[ \t]*[*_]{{1,3}}|[*_]{{1,3}}[ \t]*{_COLON})",
    ]
    if boxed:
        forms.append(rf"\[{who}\](?:[ \t]*{_COLON})?")
    return f"(?:{'|'.join(forms)})"


@dataclass(frozen=True)
class Voices:
    """The words for the persona, for the agent, and for what is neither, as alternatives of a regular expression."""

    persona: str = PERSONA_WORDS
    agent: str = f"{AGENT_WORDS}|{SYSTEM_WORDS}"
    other: str = OTHER_WORDS

    @cached_property
    def _any(self) -> str:
        return f"{self.persona}|{self.agent}|{self.other}"

    @cached_property
    def starts(self) -> str:
        """A text whose first line has a label."""
        return rf"(?i)^\s*{_BEFORE}{_label(self._any)}"

    @cached_property
    def has_agent(self) -> str:
        """A text in which the agent, or what is neither, may speak."""
        return rf"(?i){_label(f'{self.agent}|{self.other}')}"

    def at_line(self, words: str) -> str:
        """A label at the beginning of a line, with what stands before it and white space behind it."""
        return rf"(?im)^{_BEFORE}{_label(words)}[ \t]*"

    @cached_property
    def inside(self) -> tuple[str, str]:
        """A label in the middle of a line: behind a sign, and behind the end of a sentence."""
        return (
            rf"(?i)(?:{_BETWEEN})({_label(self._any)})",
            rf"(?i)({_SENTENCE_END})({_label(self._any, boxed=False)})",
        )


IN_SCRIPTS = Voices()
"""In a script the system is the one that is called: an IVR."""


def broken(texts: pl.Series) -> pl.Series:
    """Texts with a line for each part between `|`, and without `Turn 1:` where every line has such a number."""
    one_line = ~found_in(texts, r"[\r\n]")
    lines = texts.str.replace_all("|", "\n", literal=True).zip_with(one_line, texts)
    numbered = found_in(lines, _NUMBERING)
    if not numbered.any():
        return lines
    likely = only_where(lines, numbered)
    every = (likely.str.count_matches(_NUMBERING) == likely.str.count_matches(r"(?m)^[^\S\n]*\S")).fill_null(
        value=False
    )
    return likely.str.replace_all(_NUMBERING, "").zip_with(every, lines)


def read_lines(texts: pl.Series, voices: Voices = IN_SCRIPTS, alone: str | None = None) -> pl.Series:
    """The lines of texts, each with its speaker as the first character, without labels and blank lines (List(String)).

    A line each, or `|` between them; numbered, bulleted; with labels or without. Where the first line has a label,
    also ` / ` and the like before a label, and a line without one goes on with the line before; else every line is the
    persona's that no label gives to the agent. `alone` is what a line of the persona's does not go on with: a line that
    matches it as a whole stands for itself.
    """
    lines = broken(texts)
    labelled = found_in(lines, voices.starts)
    spoken = _by_item(split_texts(only_where(lines, ~labelled), NAMED), voices)
    if labelled.any():
        spoken = read_labelled(only_where(lines, labelled), voices, alone).zip_with(labelled, spoken)
    return spoken


def read_labelled(texts: pl.Series, voices: Voices, alone: str | None = None) -> pl.Series:
    """As `read_lines`, for texts whose first line has a label."""
    lines = _at_labels(texts, voices).str.split(SEPARATOR)
    line = pl.element()
    if alone is not None and found_in(texts, rf"\n{alone}").any():
        own = line.str.replace_all(rf"(?m)\n({alone})[ \t\r]*$", f"{SEPARATOR}{PERSONA}${{1}}{SEPARATOR}{PERSONA}")
        cut = lines.list.eval(pl.when(line.str.starts_with(PERSONA)).then(own).otherwise(line))
        lines = cut.list.join(SEPARATOR).str.split(SEPARATOR)
    who, said = line.str.head(1), line.str.slice(1)
    said = said.str.replace_all(r"\s*[\r\n]+\s*", " ").str.strip_chars()
    return _not_blank(lines.list.eval(pl.concat_str(who, said)))


def unknown_speakers(texts: pl.Series, voices: Voices = IN_SCRIPTS) -> pl.Series:
    """Which lines have a label that nobody knows, in words (String): they count as a part of the line before.

    For texts whose first line has a label, and null for others: `Reason:` may stand in any text.
    """
    lines = broken(texts)
    labelled = found_in(lines, voices.starts)
    if not labelled.any():
        return pl.Series(texts.name, [None] * len(texts), dtype=pl.String)
    marked = _at_labels(only_where(lines, labelled), voices).str.replace_all(_KEYS, "")
    label = pl.element().str.extract(_UNKNOWN, 1)
    labels = marked.str.extract_all(_UNKNOWN).list.eval(label.filter(label.str.len_chars() <= _LONGEST_LABEL))
    labels = labels.list.unique(maintain_order=True)
    said = [_not_known(found) if found else None for found in labels.to_list()]
    return pl.Series(texts.name, said, dtype=pl.String)


def _not_known(labels: list[str]) -> str:
    shown = ", ".join(f'"{label}: …"' for label in labels[:_SHOWN_LABELS])
    more = f" and {len(labels) - _SHOWN_LABELS} more" if len(labels) > _SHOWN_LABELS else ""
    start = "the line" if len(labels) == 1 else "each of the lines"
    return f"{start} {shown}{more} has a speaker that is not known"


def _at_labels(texts: pl.Series, voices: Voices) -> pl.Series:
    """Labelled texts with a separator and who speaks in place of each label."""
    behind_sign, behind_sentence = voices.inside
    texts = texts.str.replace_all(behind_sign, "\n${1}").str.replace_all(behind_sentence, "${1}\n${2}")
    for who, words in ((OTHER, voices.other), (AGENT, voices.agent), (PERSONA, voices.persona)):
        texts = texts.str.replace_all(voices.at_line(words), SEPARATOR + who)
    return texts


def by_speaker(items: pl.Series, voices: Voices = IN_SCRIPTS) -> pl.Series:
    """Items that are a line each, with the speaker as first character; without a label it is the persona."""
    return _by_item(drop_blank(items), voices)


def lines_of(spoken: pl.Series, who: str) -> pl.Series:
    """What one of the speakers says, in order."""
    return spoken.list.filter(pl.element().str.starts_with(who)).list.eval(pl.element().str.slice(1))


def _by_item(items: pl.Series, voices: Voices) -> pl.Series:
    agent, persona = voices.at_line(voices.agent), voices.at_line(voices.persona)
    text = pl.element()
    own = pl.concat_str(pl.lit(PERSONA), text.str.replace(_at_start(persona), "").str.strip_chars())
    theirs = pl.concat_str(pl.lit(AGENT), text.str.replace(_at_start(agent), "").str.strip_chars())
    return _not_blank(items.list.eval(pl.when(text.str.contains(_at_start(agent))).then(theirs).otherwise(own)))


def _at_start(pattern: str) -> str:
    return pattern.replace("(?im)^", r"(?i)^\s*", 1)


def _not_blank(lines: pl.Series) -> pl.Series:
    """Without the lines that are nothing but their speaker."""
    return lines.list.filter(pl.element().str.len_chars() > 1)

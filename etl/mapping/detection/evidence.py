"""What the values of a column say about a field: that they are of its kind, or of another.

Must never know what the column is called.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from etl.mapping.cells.names import CLEAR, NULL, fold, likeness
from etl.mapping.language.spec import Rule
from etl.resources import FieldSpec, Kind

MOSTLY = 0.9
"""The share of the values from which a form is the column's."""


class Weight(StrEnum):
    """Whether values speak for a field."""

    FOR = "for"
    AGAINST = "against"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the values are, in a few words (`22-character ids`), and what that means for the field."""

    weight: Weight
    words: str = ""


NOTHING = Finding(Weight.NEITHER)

_FORMS: dict[str, re.Pattern[str]] = {
    "22-character ids": re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{22}"),
    "26-character ids": re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{26}"),
    "UUIDs": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "dates": re.compile(
        r"[0-9]{4}[-/.\u5e74][0-9]{1,2}[-/.\u6708][0-9]{1,2}\u65e5?([T ][0-9:.]+(Z|[+-][0-9:]+)?)?"
        r"|[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{2,4}"
    ),
    "phone numbers": re.compile(r"\+[0-9][0-9 ().\-/]{6,}|\(?0[0-9][0-9 ().\-/]{6,}|sips?:\S+@\S+", re.IGNORECASE),
    "numbers": re.compile(r"[-+]?[0-9]+([.,][0-9]+)*\s*%?"),
    "URLs": re.compile(r"(https?|wss?)://\S+", re.IGNORECASE),
    "e-mail addresses": re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+"),
    "true or false": re.compile(r"true|false", re.IGNORECASE),
    "codes": re.compile(r"[A-Za-z]{1,10}([-_.][A-Za-z0-9]{1,8}){0,3}[-_.#]?[0-9]{1,6}(\.[0-9]{1,3})*"),
    "messages with roles": re.compile(r"\s*\[\s*\{.*\"role\"\s*:.*\}\s*\]\s*", re.DOTALL),
    "JSON objects": re.compile(r"\s*\{.*\}\s*", re.DOTALL),
    "JSON arrays": re.compile(r"\s*\[.*\]\s*", re.DOTALL),
    "numbered turns": re.compile(r"\s*1[.):]\s.*\n\s*2[.):]\s.*", re.DOTALL),
}
"""Forms that tell what a value is, the narrower before the wider."""

_NO_SENTENCES = frozenset(
    {
        "22-character ids",
        "26-character ids",
        "UUIDs",
        "dates",
        "numbers",
        "phone numbers",
        "URLs",
        "e-mail addresses",
        "true or false",
        "codes",
    }
)
"""What no one says, expects or describes."""
_NO_NAMES = _NO_SENTENCES - {"numbers", "codes"} | {"JSON objects", "JSON arrays"}

_SENTENCES = frozenset(
    {
        "input_str",
        "expected_behaviors",
        "expected_output_str",
        "description",
        "script_turns",
        "user_notes",
        "prompt",
        "persona_prompt",
    }
)
_NAMES = frozenset({"display_name", "name", "voice_name", "language", "language_code"})


def form_of(values: Sequence[str]) -> str | None:
    """The form that nearly all values have; None where they have none, or there are no values."""
    for words, shape in _FORMS.items():
        if values and sum(shape.fullmatch(value.strip()) is not None for value in values) >= MOSTLY * len(values):
            return words
    return None


def weigh(values: Sequence[str], spec: FieldSpec, rule: Rule) -> Finding:
    """What values, none of them blank, say about the field. A few mistakes do not speak against it: rules find them."""
    if not values:
        return NOTHING
    form = form_of(values)
    key = spec.path.rpartition(".")[2]
    if words := _words(spec, rule):
        return _by_words(values, words)
    if key in _SENTENCES:
        return _sentences(values, form, key)
    if key in _NAMES:
        return Finding(Weight.AGAINST, form) if form in _NO_NAMES else NOTHING
    return _by_kind(values, form, spec, key, by_name=rule.lookup is not None)


def _sentences(values: Sequence[str], form: str | None, key: str) -> Finding:
    if form in _NO_SENTENCES or (form == "messages with roles" and key != "input_str"):
        return Finding(Weight.AGAINST, _shown(form, values))
    if form == "numbered turns" or (form == "JSON arrays" and key in {"expected_behaviors", "script_turns"}):
        return Finding(Weight.FOR, form)
    return NOTHING


def _words(spec: FieldSpec, rule: Rule) -> set[str]:
    """The words that the field takes, folded; none where it takes any text."""
    choices = re.fullmatch(r"\^\((?!\?)(.+)\)\$", spec.pattern or "")
    options = spec.options or tuple((choices[1] if choices else "").split("|"))
    known = {fold(word) for word in options if word} - {""}
    shared = _shared_beginning(known)
    if not known:
        return set()
    return known | {word[len(shared) :] for word in known} | {fold(str(word)) for word in rule.map_ or {}}


def _shared_beginning(words: set[str]) -> str:
    """`modeltype` of MODEL_TYPE_VOICE and MODEL_TYPE_CHAT: people leave it out."""
    first, last = min(words, default=""), max(words, default="")
    length = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), 0)
    return first[:length] if len(words) > 1 and length > 3 else ""


def _by_words(values: Sequence[str], words: set[str]) -> Finding:
    folded = {fold(value) for value in values}
    if any(value in words or any(likeness(value, word) for word in words) for value in folded):
        return Finding(Weight.FOR, "words that the API knows")
    return Finding(Weight.AGAINST, _shown("other words", values))


def _by_kind(values: Sequence[str], form: str | None, spec: FieldSpec, key: str, *, by_name: bool) -> Finding:
    """Fields of a form of their own: none of the values has it, or they have it. `by_name`: names do as well as ids."""
    item = spec.item or spec
    wanted, shape = "", re.compile("")
    if key == "phone_number":
        wanted, shape = "phone numbers", re.compile(r"[+0-9(][0-9 ().\-/]{4,}|sips?:.*", re.IGNORECASE)
    elif key.endswith(("endpoint", "_url")):
        wanted, shape = "URLs", re.compile(r".*(://|\{\{|\.[a-z]{2,}).*", re.DOTALL)
    elif not by_name and (length := _id_length(item)):
        wanted, shape = f"{length}-character ids", re.compile(rf".*[A-Za-z0-9]{{{length}}}.*", re.DOTALL)
    elif spec.kind in {Kind.INTEGER, Kind.NUMBER}:
        wanted, shape = "numbers", re.compile(r"\D{0,3}[0-9][0-9.,]*\D{0,12}")
    elif spec.kind is Kind.BOOLEAN:
        wanted, shape = "true or false", re.compile(r"\S{1,8}")
    elif spec.kind is Kind.OBJECT:
        wanted, shape = "JSON objects", re.compile(r"\s*\{.*", re.DOTALL)
    if not wanted:
        return NOTHING
    if any(shape.fullmatch(value.strip()) for value in values):
        return Finding(Weight.FOR, wanted) if form == wanted else NOTHING
    return Finding(Weight.AGAINST, _shown(form or f"no {wanted}", values))


def _id_length(spec: FieldSpec) -> int | None:
    if spec.kind is not Kind.TEXT:
        return None
    if spec.pattern and (found := re.fullmatch(r"\^\[A-Za-z0-9\]\{(\d+)\}\$", spec.pattern)):
        return int(found[1])
    return spec.min_length if spec.min_length == spec.max_length else None


def _shown(words: str, values: Sequence[str]) -> str:
    """`codes such as TC-001`."""
    first = " ".join(values[0].split())
    return f"{words} such as {first}" if len(first) <= 24 else words


def values_by_column(sample: Mapping[str, Sequence[str | None]]) -> dict[str, list[str]]:
    """The values of each column that are not blank."""
    return {column: [cell for cell in cells if cell and cell.strip()] for column, cells in sample.items()}


def telling(values: Sequence[str]) -> list[str]:
    """Those that say what a column holds; not those that say what becomes of a field."""
    return [value for value in values if value.strip() not in {CLEAR, NULL}]

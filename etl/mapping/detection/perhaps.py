"""Columns that nothing uses, though they may well be what a field that matters is waiting for.

Names that are nearly right are a question, not an answer: a person says. Must never know how the question is put.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Mapping as Pairs

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from etl.mapping.cells.names import fold
from etl.mapping.cells.speakers import AGENT_WORDS, PERSONA_WORDS, SYSTEM_WORDS
from etl.mapping.detection.columns import Use
from etl.mapping.detection.evidence import MOSTLY, Weight, form_of, weigh
from etl.mapping.fields.dialects import declared_spec
from etl.mapping.language.spec import Mapping, Rule
from etl.resources import RESOURCES
from etl.resources.dialects import WRAPPED

_WITHOUT_IT_USELESS = {"test-cases": frozenset({"expected_behaviors"})}
"""Fields that the API can do without and people cannot: a test case without them checks nothing."""
_NEAR = 80.0
"""rapidfuzz's ratio of two folded names from which one may be meant for the other."""
_ALIKE = 5
"""So many letters at the beginning make two words one: `responds`, `response`."""
_WORD = re.compile(r"[A-Z]?[a-z\u00df-\u024f]+|[A-Z\u00c0-\u00de]+|[^\W\d_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
_HAPPENED = re.compile(
    r"actual|obtained|observed|obtenid|obtid|obtenu|constat|tats(ä|ae)chlich|ist-|\u5b9f\u969b|\u5b9f\u7e3e|real\b",
    re.IGNORECASE,
)
"""What came out when somebody tried: not what should."""
_WORDS_OF_A_SENTENCE = 3
_LETTERS_OF_A_SENTENCE = 8
"""In scripts that write no spaces between words."""


def perhaps(
    mapping: Mapping, paths: Collection[str], free: Sequence[str], values: Pairs[str, Sequence[str]]
) -> dict[str, Use]:
    """By column, of those that nothing uses (`free`): the field that it may be meant for. `paths` are filled already.

    Only fields without which a row is of no use, and only columns that hold sentences, as far as values are known.
    """
    if mapping.source.requires is not None or mapping.source.header is not None:
        return {}
    found: dict[str, Use] = {}
    for path in _awaited(mapping, paths):
        rule, words = mapping.fields[path], _telling_words(mapping, path)
        for column in free:
            if column not in found and (why := _why(column, rule, words)) and _may_hold(mapping, path, values, column):
                found[column] = Use(path, why, 0.5)
    return found


def who_speaks(mapping: Mapping, free: Sequence[str], values: Pairs[str, Sequence[str]]) -> str | None:
    """The column that says of each row whether the persona or the agent speaks: such rows are turns, not records."""
    if mapping.resource != "test-cases" or mapping.source.requires is not None or mapping.source.group_by is not None:
        return None
    for column in free:
        known = [value.strip().lower() for value in values.get(column, ())]
        personas = sum(re.fullmatch(PERSONA_WORDS, value) is not None for value in known)
        agents = sum(re.fullmatch(f"{AGENT_WORDS}|{SYSTEM_WORDS}", value) is not None for value in known)
        if personas and agents and personas + agents >= MOSTLY * len(known):
            return column
    return None


def _awaited(mapping: Mapping, paths: Collection[str]) -> Iterator[str]:
    """The fields that matter and have no column."""
    resource = RESOURCES[mapping.resource]
    filled = {WRAPPED.get(mapping.resource, {}).get(path, path) for path in paths}
    for path, rule in mapping.fields.items():
        spec = declared_spec(resource, path)
        matters = (spec is not None and spec.required) or path in _WITHOUT_IT_USELESS.get(mapping.resource, ())
        if matters and rule.from_one_of and path not in filled and not rule.lookup:
            yield path


def _why(column: str, rule: Rule, words: Collection[str]) -> str:
    if _HAPPENED.search(column):
        return ""
    name = fold(column)
    near = max(rule.names, key=lambda one: fuzz.ratio(name, fold(one)))
    if fuzz.ratio(name, fold(near)) >= _NEAR:
        return f"nearly {near}"
    word = next((one for one in _words_of(column) if any(_is_one(one, other) for other in words)), "")
    return f"{word} in its name" if word else ""


def _telling_words(mapping: Mapping, path: str) -> frozenset[str]:
    """Words in the names of a field, and in those of no other."""
    same = {other for other, into in WRAPPED.get(mapping.resource, {}).items() if into == path}
    others = [rule for other, rule in mapping.fields.items() if other not in {path, *same}]
    elsewhere = {word for rule in others for name in rule.names for word in _words_of(name)}
    counted = Counter(word for name in mapping.fields[path].names for word in set(_words_of(name)))
    return frozenset(word for word, count in counted.items() if word not in elsewhere and (count > 1 or len(word) > 4))


def _words_of(name: str) -> Iterator[str]:
    """The words of a name, folded; of scripts without spaces, every two letters."""
    for word in _WORD.findall(_CJK.sub(" ", name)):
        if len(word) > 3:
            yield fold(word)
    for run in _CJK.findall(name):
        yield from (run[at : at + 2] for at in range(len(run) - 1))


def _is_one(word: str, other: str) -> bool:
    if word == other:
        return True
    shorter = min(len(word), len(other))
    if shorter <= _ALIKE:
        return shorter == _ALIKE and OSA.distance(word, other) <= 1
    return word[: _ALIKE + 1] == other[: _ALIKE + 1] or OSA.distance(word, other) <= shorter // 5


def _may_hold(mapping: Mapping, path: str, values: Pairs[str, Sequence[str]], column: str) -> bool:
    """Whether the values are sentences, or none are known."""
    known = values.get(column, ())
    spec = declared_spec(RESOURCES[mapping.resource], path)
    if not known or spec is None:
        return True
    if weigh(known, spec, mapping.fields[path]).weight is Weight.AGAINST:
        return False
    return form_of(known) is not None or 2 * sum(map(_is_sentence, known)) >= len(known)


def _is_sentence(value: str) -> bool:
    unspaced = _CJK.search(value) is not None and len(value) >= _LETTERS_OF_A_SENTENCE
    return unspaced or len(value.split()) >= _WORDS_OF_A_SENTENCE

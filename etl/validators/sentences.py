"""What is wrong, in words: one sentence a finding, saying what was found and what would do.

Rules and the model's verdicts speak through this one table, so that a limit reads the same wherever it was noticed.
Must never know how a finding was made, nor the file it came from.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, process

from etl.problems import Code
from etl.quoting import quote_value
from etl.resources import FieldSpec
from etl.resources.forms import pattern_in_words

_NEAR = 70
"""How like an option (0 to 100) a found word must be to be taken for a slip of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one field of a row.

    `spec` holds the limits that were broken. `item` is the 0-based place in a list, `part` a key inside that item.
    `reason` is the model's own predicate ("should be …") and `condition` its whole sentence, where it has them;
    `wanted` says in words which kinds of value the field takes.
    """

    code: Code
    field: str | None
    found: Any
    spec: FieldSpec
    item: int | None = None
    part: str | None = None
    reason: str = ""
    condition: str = ""
    wanted: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`metric_ids item 2`: what the sentence is about."""
        item = "" if self.item is None else f" item {self.item + 1}"
        part = f": {self.part}" if self.part else ""
        return f"{self.field or 'the row'}{item}{part}"

    @property
    def quoted(self) -> str:
        """The found value, safe to print."""
        return quote_value(f"{self.field}.{self.part}", self.found)


def put_in_words(finding: Finding, owner: str) -> str:
    """The sentence for a finding; `owner` is the resource in the singular, as `test case`."""
    if finding.condition:
        missing = ", which is missing" if finding.code is Code.REQUIRED else ""
        return f"{finding.condition.removesuffix('.')}{missing}."
    if finding.code is Code.REQUIRED:
        whose = (
            f"every {owner} needs it" if finding.item is None and "." not in (finding.field or "") else "it is needed"
        )
        return f"{finding.name} is missing; {whose}."
    return _SENTENCES.get(finding.code, _by_reason)(finding)


def nearest(word: str, options: Sequence[str]) -> str | None:
    """The option that a mistyped word most likely means, if one is near enough."""
    match = process.extractOne(word, options, scorer=fuzz.WRatio, processor=_plain, score_cutoff=_NEAR)
    return match[0] if match else None


def _plain(word: str) -> str:
    return re.sub(r"[\W_]+", " ", word).strip().lower()


def _too_short(finding: Finding) -> str:
    return _size(finding, "character", finding.spec.min_length, finding.spec.max_length, "at least")


def _too_long(finding: Finding) -> str:
    return _size(finding, "character", finding.spec.max_length, finding.spec.min_length, "at most")


def _too_few_items(finding: Finding) -> str:
    return _size(finding, "item", finding.spec.min_items, finding.spec.max_items, "at least")


def _too_many_items(finding: Finding) -> str:
    return _size(finding, "item", finding.spec.max_items, finding.spec.min_items, "at most")


def _size(finding: Finding, unit: str, limit: int | None, other_limit: int | None, bound: str) -> str:
    if limit is None or not isinstance(finding.found, str | list):
        return _by_reason(finding)
    count = len(finding.found)
    found = f"{finding.name} has {_counted(count, unit)}" if count else f"{finding.name} is empty"
    enough = f"{limit:,}" if count else _counted(limit, unit)
    if limit == other_limit:
        return f"{found}; exactly {enough} {'is' if limit == 1 else 'are'} needed."
    if bound == "at most":
        return f"{found}; at most {enough} {'fits' if limit == 1 else 'fit'}."
    return f"{found}; at least {enough} {'is' if limit == 1 else 'are'} needed."


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def _not_an_option(finding: Finding) -> str:
    if not finding.spec.options:
        return _by_reason(finding)
    near = nearest(finding.found, finding.spec.options) if isinstance(finding.found, str) else None
    hint = f" (did you mean {near}?)" if near else ""
    return f"{finding.name} is {finding.quoted}; use one of {', '.join(finding.spec.options)}{hint}."


def _wrong_form(finding: Finding) -> str:
    if finding.reason:
        return f"{finding.name} is {finding.quoted}; it {finding.reason}."
    return f"{finding.name} is {finding.quoted}; it should be {pattern_in_words(finding.spec.pattern or '')}."


def _out_of_range(finding: Finding) -> str:
    match finding.spec.minimum, finding.spec.maximum:
        case None, None:
            return _by_reason(finding)
        case low, None:
            fits = f"at least {low:,}"
        case None, high:
            fits = f"at most {high:,}"
        case low, high:
            fits = f"between {low:,} and {high:,}"
    return f"{finding.name} is {finding.quoted}; it must be {fits}."


def _wrong_type(finding: Finding) -> str:
    if not finding.wanted:
        return _by_reason(finding)
    return f"{finding.name} is {finding.quoted}; {' or '.join(finding.wanted)} is needed."


def _unknown_field(finding: Finding) -> str:
    return f"{finding.name} is no field that the API knows here; leave it out."


def _by_reason(finding: Finding) -> str:
    return f"{finding.name} {finding.reason.removesuffix('.') or 'is not accepted'}."


_SENTENCES: Mapping[Code, Callable[[Finding], str]] = {
    Code.TOO_SHORT: _too_short,
    Code.TOO_LONG: _too_long,
    Code.TOO_FEW_ITEMS: _too_few_items,
    Code.TOO_MANY_ITEMS: _too_many_items,
    Code.NOT_AN_OPTION: _not_an_option,
    Code.WRONG_FORM: _wrong_form,
    Code.BAD_URL: _wrong_form,
    Code.OUT_OF_RANGE: _out_of_range,
    Code.WRONG_TYPE: _wrong_type,
    Code.NOT_AN_INTEGER: _wrong_type,
    Code.NOT_A_NUMBER: _wrong_type,
    Code.NOT_A_BOOLEAN: _wrong_type,
    Code.UNKNOWN_FIELD: _unknown_field,
}

"""Which columns of a table fill which fields of a mapping, by name.

Must never know what is in the columns.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etl.mapping.names import LEAD, fold, likeness
from etl.mapping.spec import Rule


@dataclass(frozen=True, slots=True)
class Match:
    """The columns of one field: single ones in order of preference, and those numbered by `from_pattern`."""

    single: tuple[str, ...] = ()
    numbered: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.single, *self.numbered)


def match_columns(rules: Mapping[str, Rule], columns: Sequence[str]) -> dict[str, Match]:
    """The columns of every field (`rules` by dotted path) that has any.

    `from` and `from_pattern` take what they name. `from_one_of` takes one column that nothing else uses: the exact
    names of all fields come first, then names with a typing error, where one field is clearly nearest.
    """
    folded = {column: fold(column) for column in columns}
    named = {path: Match(_named(rule, columns, folded), _numbered(rule, folded)) for path, rule in rules.items()}
    used = {column for match in named.values() for column in match.columns}
    chosen: dict[str, str] = {}
    for path, rule in rules.items():
        free = [column for column in columns if column not in used]
        found = next(iter(_find(rule.from_one_of or [], free, folded)), None)
        if found is not None:
            chosen[path] = found
            used.add(found)
    waiting = {path: rule for path, rule in rules.items() if rule.from_one_of and path not in chosen}
    chosen |= _nearest(waiting, [column for column in columns if column not in used], folded)
    singles = {path: (chosen[path],) if path in chosen else match.single for path, match in named.items()}
    matches = {path: Match(singles[path], match.numbered) for path, match in named.items()}
    return {path: match for path, match in matches.items() if match.columns}


def _named(rule: Rule, columns: Sequence[str], folded: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_find(rule.from_ or [], columns, folded)))


def _find(names: Sequence[str], columns: Sequence[str], folded: dict[str, str]) -> Iterable[str]:
    """For each name its column: the one that is written alike, or else the first that is the same when folded."""
    for name in names:
        wanted = fold(name)
        alike = [column for column in columns if folded[column] == wanted and (wanted or column == name)]
        if alike:
            yield name if name in alike else alike[0]


def _numbered(rule: Rule, folded: dict[str, str]) -> tuple[str, ...]:
    for pattern in rule.from_pattern or ():
        before, _, after = pattern.partition("{n}")
        shape = re.compile(rf"{re.escape(fold(before))}([0-9]{{1,4}}){re.escape(fold(after))}")
        found = [(int(match[1]), column) for column, name in folded.items() if (match := shape.fullmatch(name))]
        if found:
            return tuple(column for _, column in sorted(found))
    return ()


def _nearest(rules: dict[str, Rule], columns: Sequence[str], folded: dict[str, str]) -> dict[str, str]:
    """Fields and columns whose names differ by a typing error only; where two fields are about as near, neither."""
    chosen: dict[str, str] = {}
    for column in columns:
        scores = {
            path: max(likeness(folded[column], fold(name)) for name in rule.from_one_of or [""])
            for path, rule in rules.items()
            if path not in chosen
        }
        best, *others = sorted(scores, key=scores.__getitem__, reverse=True) or [""]
        if best and scores[best] and all(scores[best] - scores[other] >= LEAD for other in others[:1]):
            chosen[best] = column
    return chosen

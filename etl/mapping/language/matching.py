"""Which columns of a table fill which fields of a mapping, by name.

Must never know what is in the columns.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from etl.mapping.cells.names import LEAD, fold, likeness
from etl.mapping.cells.patterns import names_in
from etl.mapping.cells.ways import Input, parse_name
from etl.mapping.language.spec import Rule


@dataclass(frozen=True, slots=True)
class Match:
    """What fills one field: columns, or what is inside them, in order of preference; those that `from_pattern` numbers;
    the names of its template with what they stand for.
    """

    single: tuple[Input, ...] = ()
    numbered: tuple[str, ...] = ()
    named: tuple[tuple[str, Input], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is used."""
        inputs = (*self.single, *(one for _, one in self.named))
        return tuple(dict.fromkeys([*(one.column for one in inputs), *self.numbered]))


def match_columns(rules: Mapping[str, Rule], columns: Sequence[str]) -> dict[str, Match]:
    """The columns of every field (`rules` by dotted path) that has any.

    `from`, `from_pattern` and `template` take what they name, also inside JSON (`vars.question`). `from_one_of` takes
    one column that nothing else uses: the exact names of all fields come first, then names with a typing error, where
    one field is clearly nearest.
    """
    folded = {column: fold(column) for column in columns}
    named = {path: _named(rule, columns, folded) for path, rule in rules.items()}
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
    matches = {
        path: replace(match, single=(Input(chosen[path]),)) if path in chosen else match
        for path, match in named.items()
    }
    return {path: match for path, match in matches.items() if match.columns}


def find_input(name: str, columns: Sequence[str]) -> Input | None:
    """The column of a name, or the place inside a column that it leads to; None where there is no such column."""
    folded = {column: fold(column) for column in columns}
    return next(iter(_inputs([name], columns, folded)), None)


def _named(rule: Rule, columns: Sequence[str], folded: dict[str, str]) -> Match:
    pieces = names_in(rule.template) if rule.template else []
    if rule.collect is not None:
        pieces = [*(rule.collect.values() if isinstance(rule.collect, dict) else [rule.collect])]
    known = [(name, one) for name in pieces for one in _inputs([name], columns, folded)]
    for part in rule.all_of or ():
        inner = _named(part, columns, folded)
        known += [(one.column, one) for one in (*inner.single, *map(Input, inner.columns))]
    single = tuple(dict.fromkeys(_inputs(rule.from_ or [], columns, folded)))
    return Match(single, _numbered(rule, folded), tuple(known))


def _inputs(names: Sequence[str], columns: Sequence[str], folded: dict[str, str]) -> Iterable[Input]:
    """For each name its column, or else the way into the column that it begins with."""
    for name in names:
        inside = parse_name(name)
        # `vars.*` and `checks[]` are the same as their column when folded
        plain = inside is None or name in columns or fold(inside[1].text) != ""
        whole = next(iter(_find([name] if plain else [], columns, folded)), None)
        if whole is not None:
            yield Input(whole)
        elif inside is not None:
            head = next(iter(_find([inside[0]], columns, folded)), None)
            if head is not None:
                yield Input(head, inside[1])


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
            path: max((likeness(folded[column], fold(name)), fold(name)) for name in rule.from_one_of or [""])
            for path, rule in rules.items()
            if path not in chosen
        }
        best, *others = sorted(scores, key=lambda path: scores[path][0], reverse=True) or [""]
        # the same name in two fields is no tie: as with names that are exact, the first field has it
        others = [other for other in others if scores[other] != scores[best]]
        if best and scores[best][0] and all(scores[best][0] - scores[other][0] >= LEAD for other in others[:1]):
            chosen[best] = column
    return chosen

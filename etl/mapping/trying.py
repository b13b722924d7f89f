"""A mapping held against a table, for whoever writes it: what it names and the table lacks, what it leaves over.

Must never raise for what it finds: every finding is a sentence or a name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from etl.batch import Origin
from etl.errors import MappingError
from etl.mapping.detection.guessing import Guess, guess
from etl.mapping.language.linting import Fault
from etl.mapping.language.matching import find_input
from etl.mapping.language.spec import Mapping, Rule
from etl.mapping.rows.binding import Bound, bind
from etl.resources import Contract

_PLACED = re.compile(r".*?:(\d+):(\d+): (.*)", re.DOTALL)
"""A sentence of binding, with the place that it begins with."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a mapping and a table. With `faults` the table cannot be read so."""

    faults: tuple[Fault, ...]
    used: tuple[str, ...]
    missing: dict[str, tuple[str, ...]]
    """Fields that no column fills, and the names that would."""
    unused: tuple[str, ...]
    """Columns that become nothing, and of which `lost` and `ignored` say nothing."""


def try_mapping(mapping: Mapping, origin: Origin, sample: pl.DataFrame, contract: Contract) -> Trial:
    """Bind a mapping to a table, and say what is missing and what is left over. `sample` are its first rows."""
    (found,) = guess(origin, sample, candidates=[mapping])
    settled = found.settled
    faults = tuple(dict.fromkeys(_faults(settled, origin, contract)))
    if faults:
        return Trial(faults, (), {}, ())
    bound = bind(settled, origin, contract)
    fed = {id(feed.rule) for feed in bound.feeds if feed.inputs}
    missing = {
        path: _names(rule)
        for path, rule in mapping.fields.items()
        if rule.takes_columns and id(settled.fields.get(path)) not in fed
    }
    used = _used(bound)
    return Trial((), tuple(column for column in origin.columns if column in used), missing, bound.unmapped)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a column whose name led to no field: a word or two, why, and the field that it is sent in."""

    words: str
    why: str
    field: str | None = None


def fates(found: Guess, origin: Origin) -> dict[str, Fate]:
    """What a mapping does with the columns that its fields do not take by name; nothing is said of those it drops."""
    bound = _bound(found, origin)
    if bound is None:
        return {}
    made: dict[str, Fate] = {}
    for path, columns in bound.columns.items():
        made |= dict.fromkeys(columns, Fate("sent", f"with what no field is for, in {path}", path))
    made |= {one.column: Fate("not sent", reason) for one, reason in bound.lost.items()}
    made |= dict.fromkeys(bound.known_as, Fate("names rows", "other rows of the import may call the row by it"))
    for name, reason in bound.mapping.ignored.items():
        column = find_input(name, origin.columns)
        made |= {column.column: Fate("left out", reason)} if column else {}
    for name in _named_in_conditions(bound):
        made.setdefault(name, Fate("looked at", "a condition of the mapping names it"))
    if bound.grouping is not None:
        made |= dict.fromkeys(bound.grouping.by, Fate("groups rows", "rows of one record have it in common"))
        if bound.grouping.order is not None:
            made[bound.grouping.order] = Fate("orders rows", "it numbers the rows of a record")
    return {column: fate for column, fate in made.items() if column not in found.uses}


def _bound(found: Guess, origin: Origin) -> Bound | None:
    for contract in Contract:
        try:
            return bind(found.settled, origin, contract)
        except MappingError:
            continue
    return None


def _used(bound: Bound) -> set[str]:
    grouped = {*bound.grouping.by, bound.grouping.order} if bound.grouping else set()
    named = {*grouped, *_named_in_conditions(bound), *bound.known_as, *(one.column for one in bound.lost)}
    return {column for columns in (*bound.columns.values(), named) for column in columns if column}


def _named_in_conditions(bound: Bound) -> list[str]:
    conditions = [*([bound.where] if bound.where is not None else []), *(condition for _, condition in bound.rules)]
    return [name for condition in conditions for name in condition.meta.root_names()]


def _faults(mapping: Mapping, origin: Origin, contract: Contract) -> Iterator[Fault]:
    """What binding refuses: each field by itself, so that one fault does not hide the next, then the whole."""
    alone = [{path: rule} for path, rule in mapping.fields.items()]
    parts = [mapping.model_copy(update={"fields": fields, "unmapped": "ignore"}) for fields in alone]
    for part in (*parts, mapping):
        try:
            bind(part, origin, contract)
        except MappingError as error:
            placed = _PLACED.fullmatch(error.message)
            yield Fault(int(placed[1]), int(placed[2]), placed[3]) if placed else Fault(1, 1, error.message)


def _names(rule: Rule) -> tuple[str, ...]:
    collected = rule.collect.values() if isinstance(rule.collect, dict) else [rule.collect] if rule.collect else []
    listed = (*(rule.from_ or ()), *(rule.from_one_of or ()), *(rule.from_pattern or ()), *collected)
    return (*listed, *([rule.template] if rule.template else []))

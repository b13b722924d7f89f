"""A mapping held against a table, for whoever writes it: what it names and the table lacks, what it leaves over.

Must never raise for what it finds: every finding is a sentence or a name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from etl.batch import Origin
from etl.errors import MappingError
from etl.mapping.detection.guessing import guess
from etl.mapping.language.linting import Fault
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


def _used(bound: Bound) -> set[str]:
    grouped = {*bound.grouping.by, bound.grouping.order} if bound.grouping else set()
    return {column for columns in (*bound.columns.values(), grouped) for column in columns if column}


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

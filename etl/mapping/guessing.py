"""Which mapping a table was made for, and how sure that is.

Must never know how a mapping is applied.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from etl.batch import ERROR_COLUMN, OWN_COLUMNS, Origin
from etl.mapping.matching import match_columns
from etl.mapping.names import fold, likeness
from etl.mapping.presets import presets
from etl.mapping.spec import Mapping
from etl.mapping.ways import parse_name, reach_all
from etl.resources import RESOURCES, Contract

FITS = 0.5
"""The score from which a mapping may be taken: everything it requires has a column."""

SURE = 1.0
"""The score of a mapping that is made for one format, and knows it by its header."""

_COMMON = frozenset(
    fold(name)
    for name in ("id", "name", "title", "type", "description", "notes", "comments", "language", "tags", "metadata")
)
"""Names that stand in tables of every kind: with nothing else, they say nothing about what the table is."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A mapping, how well it fits (0 to 1; below `FITS` it does not), and the field of each column that it uses."""

    mapping: Mapping
    score: float
    columns: dict[str, str]

    def likeness(self, column: str) -> float:
        """How like the column's name is to one that the mapping knows for its field: 1 written alike, 0 unused."""
        if column not in self.columns:
            return 0.0
        rule = self.mapping.fields[self.columns[column]]
        known = [fold(name) for name in (*(rule.from_ or ()), *(rule.from_one_of or ()))]
        exact = fold(column) in known or rule.from_pattern is not None
        return 1.0 if exact else max((likeness(fold(column), name) for name in known), default=0.0) / 100


def guess(
    origin: Origin, sample: pl.DataFrame, resource: str | None = None, candidates: Iterable[Mapping] | None = None
) -> list[Guess]:
    """How well mappings fit a table, best first; equal scores are equally good.

    `sample` are the table's first rows: a column without any value counts as absent. `resource` leaves only mappings
    for it, and lets a table of common names alone (`Name`, `Description`) fit. `candidates` are mappings that somebody
    chose: they need not be particular about format and header. Without them, all ready-made ones are considered.
    """
    columns = [column for column in origin.columns if _holds_data(column, sample)]
    chosen = None if candidates is None else list(candidates)
    found = [
        _judge(
            mapping, origin, columns, sample, told=resource is not None or chosen is not None, free=chosen is not None
        )
        for mapping in (presets() if chosen is None else chosen)
        if resource is None or mapping.resource == resource
    ]
    return sorted(found, key=lambda one: (-one.score, one.mapping.name))


def _holds_data(column: str, sample: pl.DataFrame) -> bool:
    if column == ERROR_COLUMN or column in OWN_COLUMNS:
        return False
    if column not in sample.columns or not sample.height:
        return True
    return bool((sample[column].str.strip_chars() != "").any())


def _judge(
    mapping: Mapping, origin: Origin, columns: list[str], sample: pl.DataFrame, *, told: bool, free: bool
) -> Guess:
    """`free`: the mapping need not be particular about format, header and what must be there."""
    matches = match_columns(mapping.fields, columns)
    found = {column: path for path, match in matches.items() for column in match.columns}
    uses = {column: found[column] for column in columns if column in found}
    share = len(uses) / len(columns) if columns else 0.0
    needs_columns = any(rule.takes_columns for rule in mapping.fields.values())
    is_for = _is_for(mapping, origin, columns, chosen=free) and (free or _has_required(mapping, columns, sample))
    if not is_for or (needs_columns and not uses):
        return Guess(mapping, 0.0, uses)
    demanded = [path for path, rule in mapping.fields.items() if rule.required and rule.takes_columns]
    lacking = sum(path not in matches for path in demanded)
    telling = told or any(fold(column) not in _COMMON for column in uses)
    if lacking or not telling:
        return Guess(mapping, round(0.45 * share / (1 + lacking), 3), uses)
    return Guess(mapping, _score(mapping, set(uses.values()), share), uses)


def _score(mapping: Mapping, used: set[str], share: float) -> float:
    """From 0.5 to 1: the share of the columns used, and how many of the API's required fields the columns fill.

    What a command line often gives (`--test-set`, `--set agent_id=…`) weighs little.
    """
    if mapping.source.header is not None or mapping.source.requires is not None:
        return SURE
    fields = RESOURCES[mapping.resource].fields(Contract.V2025_10)
    known = [path for path, spec in fields.items() if spec.required and "." not in path]
    filled = sum(path in used for path in known) / len(known) if known else 1.0
    return round(min(0.5 + 0.4 * share + 0.08 * filled, 0.98), 3)


def _is_for(mapping: Mapping, origin: Origin, columns: list[str], *, chosen: bool) -> bool:
    """Whether a mapping that is particular about sheet, format and header considers the table at all."""
    source = mapping.source
    if source.sheet is not None and origin.sheet is not None and fold(source.sheet) != fold(origin.sheet):
        return False
    if chosen:
        return True
    known = {fold(name) for name in source.header or columns}
    narrow = source.header is None or len(columns) > 1
    return origin.format in source.formats and narrow and all(fold(column) in known for column in columns)


def _has_required(mapping: Mapping, columns: list[str], sample: pl.DataFrame) -> bool:
    """Whether the table has what a mapping `requires`, of each entry one name: names are told apart by every letter."""
    return all(
        any(_is_there(name, columns, sample) for name in alternatives) for alternatives in mapping.source.requires or []
    )


def _is_there(name: str, columns: list[str], sample: pl.DataFrame) -> bool:
    """A column, columns that begin alike (`__expected*`), or a way that leads somewhere in the sample."""
    if name in columns or (name.endswith("*") and any(column.startswith(name[:-1]) for column in columns)):
        return True
    inside = parse_name(name)
    if inside is None or inside[0] not in columns or inside[0] not in sample.columns:
        return False
    return reach_all(sample[inside[0]], inside[1]).null_count() < sample.height

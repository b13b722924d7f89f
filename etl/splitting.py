"""Tables whose rows say themselves what they are (`{"resource": "agents", …}`) become a table for each resource.

It must never know what a column means to the API.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from etl import problems as problem
from etl.batch import KIND, RAW, ROW, TYPES, Batch, Decision, Origin, Table
from etl.formats import RECORD_FORMATS
from etl.problems import Code, Problem, Severity
from etl.quoting import quote_value
from etl.resources import RESOURCES

SAMPLED = 200
"""So many rows of each part are looked at to choose its mapping, as many as of any other table."""
MOSTLY = 0.5
"""The share of the sampled rows that must say what they are. Else the key means something else."""

_WORDS = {
    word.replace("-", "_"): resource.name
    for resource in RESOURCES.values()
    for word in (resource.name, resource.singular, resource.plural)
}


def split(table: Table) -> list[Table]:
    """The table itself, or what it is made of, in dependency order of the resources. Reads it through where its rows
    say what they are; raises FileError where that fails.
    """
    if table.origin.format not in RECORD_FORMATS or KIND not in table.origin.columns:
        return [table]
    said = table.sample[KIND].drop_nulls()
    known = sum(_meant(word) is not None for word in said.cast(pl.String))
    if not known or known < len(said) * MOSTLY:
        return [table]
    return list(_parts_of(table))


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows of a table that are of one resource; see `Table`. `odd`: also those of which nobody can tell."""

    whole: Table
    origin: Origin
    sample: pl.DataFrame
    resource: str
    odd: bool

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return self.whole.decisions

    def batches(self) -> Iterator[Batch]:
        for batch in self.whole.batches():
            words = _words_of(batch.source)
            wanted = words == self.resource
            rows = batch.source[ROW].filter(wanted | words.is_null() if self.odd else wanted)
            if not len(rows):
                continue
            taken = batch.take(rows)
            kept = [name for name in (ROW, RAW, TYPES, *self.origin.columns) if name in taken.source.columns]
            source = taken.source.select(kept)
            part = replace(taken, origin=self.origin, source=source, frame=source)
            yield part.with_problems(_unclear(batch, words)) if self.odd else part


def _parts_of(table: Table) -> Iterator[Table]:
    samples: dict[str, list[pl.DataFrame]] = {}
    filled: dict[str, set[str]] = {}
    for batch in table.batches():
        words = _words_of(batch.source)
        for resource in words.drop_nulls().unique(maintain_order=True):
            rows = batch.source.filter(words == resource)
            known = samples.setdefault(resource, [])
            if sum(one.height for one in known) < SAMPLED:
                known.append(rows.head(SAMPLED))
            some = rows.select(pl.col(table.origin.columns).is_not_null().any()).row(0, named=True)
            filled.setdefault(resource, set()).update(name for name, is_there in some.items() if is_there)
    found = [name for name in RESOURCES if name in samples]
    for name in found:
        columns = tuple(column for column in table.origin.columns if column in filled[name])
        sample = pl.concat(samples[name]).head(SAMPLED).select(pl.col(columns))
        yield _Part(table, replace(table.origin, columns=columns, part=name), sample, name, name == found[0])


def _words_of(source: pl.DataFrame) -> pl.Series:
    """What each row says it is, as the name of a resource; null where that is nothing known."""
    if KIND not in source.columns:
        return pl.repeat(None, source.height, dtype=pl.String, eager=True)
    said = source[KIND].cast(pl.String)
    known: Mapping[str, str] = {word: name for word in said.unique().drop_nulls() if (name := _meant(word))}
    return said.replace_strict(known, default=None, return_dtype=pl.String)


def _meant(word: str) -> str | None:
    return _WORDS.get(word.strip().lower().replace("-", "_").replace(" ", "_"))


def _unclear(batch: Batch, words: pl.Series) -> pl.DataFrame:
    """An error for each row that does not say what it is, and of which nothing worse is known."""
    bad = problem.rows_with_errors(batch.problems)
    rows = batch.source.filter(words.is_null() & ~batch.source[ROW].is_in(bad.implode()))
    said = rows[KIND].cast(pl.String) if KIND in rows.columns else [None] * rows.height
    return problem.frame_of(_of_no_resource(row, word) for row, word in zip(rows[ROW], said, strict=True))


def _of_no_resource(row: int, word: str | None) -> Problem:
    found = "nothing" if word is None else quote_value(KIND, word)
    words = f"{KIND} is {found}; it takes {_listed(RESOURCES)}"
    return Problem(row, Severity.ERROR, Code.NOT_AN_OPTION, None, None, None, word, words)


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"

"""Tables in which secrets are markers, read with the secrets in their places: in memory, never on disk.

Ids inside of objects become those of what the same job has made by then. It must never know what a column means.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from etl.batch import OWN_COLUMNS, TYPES, Batch, Decision, Origin, Table
from etl.inputs import Inputs
from etl.redacting import REDACTED, Secrets

_ID = re.compile(r'"([0-9A-Za-z]{22})"')
"""A long id in JSON. The short one of a test set might be a word."""
_WRITTEN = frozenset({"object", "array"})
"""Types of cells that hold JSON; all others hold a text as it is."""


@dataclass(frozen=True, slots=True)
class _Filled:
    """A table of one resource; see `Table`. What a report gives back (`_raw`) keeps its markers."""

    table: Table
    origin: Origin
    secrets: Secrets
    born: Callable[[], Mapping[str, str]]

    @property
    def sample(self) -> pl.DataFrame:
        return self.table.sample

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return self.table.decisions

    def batches(self) -> Iterator[Batch]:
        for batch in self.table.batches():
            source = self._linked(self._filled(batch.source))
            yield replace(batch, origin=self.origin, source=source, frame=source)

    def _filled(self, source: pl.DataFrame) -> pl.DataFrame:
        names = [name for name in source.columns if name not in OWN_COLUMNS and source.schema[name] == pl.String]
        marked = [name for name in names if source[name].str.contains(REDACTED, literal=True).any()]
        if not marked:
            return source
        types = source[TYPES].to_list() if TYPES in source.columns else [None] * source.height
        known = [json.loads(one) if one else {} for one in types]
        return source.with_columns(
            pl.Series(
                name,
                [self._cell(cell, own.get(name)) for cell, own in zip(source[name], known, strict=True)],
                dtype=pl.String,
            )
            for name in marked
        )

    def _linked(self, source: pl.DataFrame) -> pl.DataFrame:
        """Ids inside of objects replaced by those of what was made from them. References are looked up later."""
        if TYPES not in source.columns or not (born := self.born()):
            return source
        nested = [
            name for name in source.columns if name not in OWN_COLUMNS and source[name].str.starts_with("{").any()
        ]

        def changed(name: str) -> pl.Series:
            cells = (
                cell if cell is None else _ID.sub(lambda found: f'"{born.get(found[1], found[1])}"', cell)
                for cell in source[name]
            )
            return pl.Series(name, cells, dtype=pl.String)

        return source.with_columns(changed(name) for name in nested if source[name].str.contains(_ID.pattern).any())

    def _cell(self, cell: str | None, type_: str | None) -> str | None:
        if cell is None or REDACTED not in cell:
            return cell
        if type_ in _WRITTEN:
            return json.dumps(self.secrets.put_back(json.loads(cell)), ensure_ascii=False)
        found = self.secrets.put_back(cell)
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def filled(inputs: Inputs, secrets: Secrets, born: Callable[[], Mapping[str, str]]) -> None:
    """Have the tables of these inputs, one for each resource and called so, read with their secrets.

    `born`: the new ids, by old ones, of what the job has made so far.
    """
    inputs.surveys = tuple(
        replace(
            survey,
            tables=tuple(
                _Filled(table, replace(table.origin, part=survey.file.partition(".")[0]), secrets, born)
                for table in survey.tables
            ),
        )
        for survey in inputs.surveys
    )

"""Repeats: rows that say what an earlier row of the job has said, whole or in a field that should be unlike all others.

Must never hold the rows themselves: 128 bits of each are kept.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Batch
from etl.problems import Code, Problem, Severity
from etl.quoting import quote_value, show_value
from etl.resources import Resource, Unique
from etl.validators.places import Places
from etl.validators.seen import MARK, PLACE, PROOF, Seen

_SEEDS = (7_049, 104_729)
"""Two hashes of what a row says, which are the same in every run."""
_NAMED = 3
"""So many fields that say something else are named."""


class Repeats:
    """What the rows of one resource have said so far. A context manager: leaving it removes what it put on disk.

    Two rows are taken to say the same where 128 bits of it are equal: among ten million rows that are not, that happens
    by chance less than once in 10^24 times.
    """

    def __init__(self, resource: Resource, *, strict: bool = False) -> None:
        """`strict`: repeated rows are errors, not warnings."""
        self._resource = resource
        self._severity = Severity.ERROR if strict else Severity.WARNING
        self._spill: tempfile.TemporaryDirectory[str] | None = None
        self._whole = Seen(self._folder)
        self._keys = {unique.path: Seen(self._folder) for unique in resource.unique}
        self._values = {unique.path: Seen(self._folder) for unique in resource.unique}
        """What was said of each key, field by field."""
        self._places = Places()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for seen in (self._whole, *self._keys.values(), *self._values.values()):
            seen.close()
        if self._spill is not None:
            self._spill.cleanup()

    def look_at(self, batch: Batch, columns: dict[str, tuple[str, ...]], *, skipped: pl.Series) -> Batch:
        """The same rows with a problem on each that repeats an earlier one; `skipped` rows count for nothing.

        `columns` are the source columns that fill each field.
        """
        rows = batch.frame.filter(~skipped)
        fields = [name for name in rows.columns if name != ROW]
        start = self._places.start(batch.origin)
        if not fields or not rows.height:
            return batch
        found = list(self._repeated_rows(rows, fields, start))
        whole = {one.row for one in found}
        for unique in self._resource.unique:
            if unique.path in fields:
                column = next(iter(columns.get(unique.path, ())), None)
                severity = Severity.ERROR if unique.refused else self._severity
                for row, value, place, others in self._repeated_keys(rows, unique.path, fields, start):
                    if row not in whole or unique.refused:
                        sentence = self._say_key(unique, value, self._places.say(place, start), others)
                        cell, shown = batch.origin.cell(column, row), show_value(unique.path, value)
                        code = Code.REPEATED_KEY.value
                        found.append(Problem(row, severity.value, code, unique.path, column, cell, shown, sentence))
        return batch.with_problems(problem.frame_of(found)) if found else batch

    def _repeated_keys(
        self, rows: pl.DataFrame, path: str, fields: Sequence[str], start: int
    ) -> Iterator[tuple[int, str, int, list[str]]]:
        """Rows with a key that an earlier row has: number, key, place of the first, fields with another value there."""
        cells = rows.filter(pl.col(path).is_not_null())
        told = cells.select(ROW, path, place=self._keys[path].add(_marks(cells, [path], start)))
        others: dict[tuple[int, int], list[str]] = {}
        for name in fields:
            if name != path:
                filled = cells.filter(pl.col(name).is_not_null())
                of_field = filled.select(ROW, path, name, field=pl.lit(name))
                had = self._values[path].add(_marks(of_field, [path, "field"], start))
                same = self._values[path].add(_marks(of_field, [path, "field", name], start))
                for row, place in (
                    filled.select(ROW, had=had).filter(had.is_not_null() & had.ne_missing(same)).iter_rows()
                ):
                    others.setdefault((row, place), []).append(name)
        for row, key, place in told.filter(pl.col("place").is_not_null()).iter_rows():
            yield row, key, place, others.get((row, place), [])

    def _repeated_rows(self, rows: pl.DataFrame, fields: Sequence[str], start: int) -> Iterator[Problem]:
        noun = self._resource.singular.replace("_", " ")
        earlier = self._whole.add(_marks(rows, fields, start))
        for row, place in rows.select(ROW, place=earlier).filter(pl.col("place").is_not_null()).iter_rows():
            sentence = f"the same {noun} as in {self._places.say(place, start)}; both are sent, each once"
            yield Problem(row, self._severity.value, Code.REPEATED_ROW.value, None, None, None, None, sentence)

    def _say_key(self, unique: Unique, key: str, where: str, others: Sequence[str]) -> str:
        end = "the API takes each only once" if unique.refused else "it will be hard to tell them apart"
        said = " and ".join([*others[:_NAMED], *([f"{len(others) - _NAMED} more"] if len(others) > _NAMED else [])])
        conflict = f", with another {said}" if others else ""
        return f"{unique.path} is {quote_value(unique.path, key)} in {where} too{conflict}; {end}"

    def _folder(self) -> Path:
        if self._spill is None:
            self._spill = tempfile.TemporaryDirectory(prefix="coval-etl-", ignore_cleanup_errors=True)
        return Path(self._spill.name)


def _marks(rows: pl.DataFrame, fields: Sequence[str], start: int) -> pl.DataFrame:
    """What rows say in some fields, as marks."""
    said = rows.select(fields)
    mark, proof = (said.hash_rows(seed) for seed in _SEEDS)
    return pl.DataFrame({MARK: mark, PROOF: proof, PLACE: rows[ROW] + start})

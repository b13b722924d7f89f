"""Rows that make one record together: gathered from batches of rows into batches of records.

Only rows that stand together are gathered, so that memory stays flat however long the file is. Must never know what the
cells mean. No row is dropped: a record carries all of its rows, in `Batch.members`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from etl import problems as problem
from etl.batch import MEMBERS, RAW, RECORD, ROW, TYPES, Batch, Origin
from etl.errors import FileError
from etl.mapping.rows.absence import without_nulls
from etl.problems import Code, Problem, Severity
from etl.quoting import quote_value, show_value

MOST_MEMBERS = 50_000
"""Rows of one record: more are a mistake, and would have to be held in memory."""

_SEPARATOR = "\x1f"
_INTEGER = r"^\s*([0-9]{1,9})(?:\.0*)?\s*$"


@dataclass(frozen=True, slots=True)
class Grouping:
    """How rows are gathered: by which columns, in the order of which one; `singles` are columns of which a record has
    one value.
    """

    by: tuple[str, ...]
    order: str | None
    singles: tuple[str, ...]


def gather(grouping: Grouping, batches: Iterable[Batch], wanted: pl.Expr | None = None) -> Iterator[Batch]:
    """The records of a table, in the order of their first rows.

    Rows for which `wanted` does not hold give nothing to their record; one of nothing but such rows is their first.

    Rows whose `by` columns are all blank belong to the row before them. In a record each column has its first value
    that is not blank, and `_rows` all rows in order. Raises FileError for a record of more than `MOST_MEMBERS` rows.
    """
    gathering = _Gathering(grouping, wanted)
    for batch in batches:
        yield from gathering.take(batch)
    yield from gathering.end()


@dataclass(slots=True)
class _Gathering:
    """What is kept from batch to batch: the last record, which may go on, and where each key stood."""

    grouping: Grouping
    wanted: pl.Expr | None
    _open: Batch | None = None
    _seen: dict[int, int] = field(default_factory=dict)
    """The first row of each key, by its hash."""

    def take(self, batch: Batch) -> Iterator[Batch]:
        if not len(batch):
            return
        held = batch if self._open is None else _joined(self._open, batch)
        keys = _keys(without_nulls(held.source), self.grouping.by)
        starts = (keys.ne_missing(keys.shift()) | keys.is_null()).to_list()
        starts[0] = True
        last = len(starts) - 1 - starts[::-1].index(True)
        self._open = _rows_of(held, last, len(held))
        if len(self._open) > MOST_MEMBERS:
            row = self._open.source[ROW][0]
            raise FileError(
                f"{batch.origin.file}: from row {row} on, more than {MOST_MEMBERS:,} rows belong to one record.",
                f"Check the column {self.grouping.by[0]}, by which the mapping groups rows.",
            )
        if last:
            yield self._records(_rows_of(held, 0, last), keys[:last], pl.Series(starts[:last]))

    def end(self) -> Iterator[Batch]:
        if self._open is not None:
            keys = _keys(without_nulls(self._open.source), self.grouping.by)
            starts = pl.Series([True] + [False] * (len(self._open) - 1))
            yield self._records(self._open, keys, starts)

    def _records(self, rows: Batch, keys: pl.Series, starts: pl.Series) -> Batch:
        """Whole records: each begins where `starts` is true."""
        first = pl.when(starts).then(rows.source[ROW]).otherwise(None).alias(RECORD)
        members = rows.source.with_columns(first).with_columns(pl.col(RECORD).forward_fill())
        taken = self._taken(without_nulls(members))
        ordered, found = self._ordered(rows.origin, taken)
        found += self._split(rows.origin, members, keys, starts)
        found += self._conflicts(rows.origin, taken)
        own = rows.problems.rename({"row": ROW}).join(members.select(ROW, RECORD), on=ROW, maintain_order="left")
        own = own.with_columns(row=pl.col(RECORD).fill_null(pl.col(ROW))).select(*problem.SCHEMA)
        source = ordered.group_by(RECORD, maintain_order=True).agg(*self._first_values(ordered))
        source = source.rename({RECORD: ROW}).sort(ROW)
        problems = problem.joined([own, problem.frame_of(found)])
        return Batch(rows.origin, source, source, problems, members)

    def _taken(self, members: pl.DataFrame) -> pl.DataFrame:
        """The rows that are wanted, and the first of each record that has none."""
        if self.wanted is None:
            return members
        whole = members.with_columns(self.wanted.alias("_wanted"))
        none = ~pl.col("_wanted").any().over(RECORD) & (pl.col(ROW) == pl.col(RECORD))
        return whole.filter(pl.col("_wanted") | none).drop("_wanted")

    def _first_values(self, members: pl.DataFrame) -> Iterator[pl.Expr]:
        columns = [name for name in members.columns if name not in {ROW, RAW, TYPES, RECORD}]
        for name in columns:
            filled = pl.col(name).filter(pl.col(name).str.strip_chars() != "")
            yield pl.coalesce(filled.first(), pl.col(name).first()).alias(name)
        if TYPES in members.columns:
            yield self._types(columns)
        yield pl.struct(ROW, *columns).alias(MEMBERS)

    def _types(self, columns: Sequence[str]) -> pl.Expr:
        """The JSON type of each first value, from the row that it stands in."""
        known = pl.col(TYPES).str.json_decode(pl.Struct(dict.fromkeys(columns, pl.String)))
        firsts = [
            known.struct.field(name).filter(pl.col(name).str.strip_chars() != "").first().alias(name)
            for name in columns
        ]
        return pl.struct(firsts).struct.json_encode().alias(TYPES)

    def _ordered(self, origin: Origin, members: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
        """The rows of each record in the order of their numbers. Only the first rows may be without one: they speak of
        the whole record.
        """
        name = self.grouping.order
        if name is None:
            return members, []
        number = pl.col(name).str.extract(_INTEGER, 1).cast(pl.Int64)
        blank = pl.col(name).str.strip_chars().fill_null("") == ""
        numbered = members.with_columns(number.alias("_turn"))
        found = [
            _problem(origin, record, row, name, text, Severity.ERROR, Code.NOT_AN_INTEGER,
                     f"{name} is {quote_value(name, text)} in row {row}; it takes a whole number such as 5")
            for record, row, text in numbered.filter(pl.col("_turn").is_null() & ~blank)
            .select(RECORD, ROW, name).iter_rows()
        ]  # fmt: skip
        late = blank & pl.col("_turn").is_not_null().cum_sum().over(RECORD).gt(0)
        for record, row in numbered.filter(late).select(RECORD, ROW).iter_rows():
            sentence = f"{name} is empty in row {row}, and rows of the same record before it have a number; give it one"
            found.append(_problem(origin, record, row, name, "", Severity.ERROR, Code.NOT_AN_INTEGER, sentence))
        ordered = numbered.sort(RECORD, "_turn", nulls_last=False, maintain_order=True)
        before = pl.col("_turn").shift().over(RECORD)
        step = (
            pl.when(before.is_null() & (pl.col("_turn") > 1)).then(pl.col("_turn")).otherwise(pl.col("_turn") - before)
        )
        steps = ordered.with_columns(step=step).filter(step != 1).select(RECORD, ROW, "_turn", "step")
        for record, row, turn, by in steps.iter_rows():
            said = f"{turn} stands twice" if by == 0 else f"goes from {turn - by} to {turn}"
            said = said if by != turn else f"begins with {turn}"
            sentence = f"{name} {said} (row {row}); the rows are sent in the order of their numbers"
            found.append(_problem(origin, record, row, name, str(turn), Severity.WARNING, Code.TURN_GAP, sentence))
        return ordered.drop("_turn"), found

    def _split(self, origin: Origin, members: pl.DataFrame, keys: pl.Series, starts: pl.Series) -> list[Problem]:
        """Records whose key stood further up already."""
        found = []
        firsts = members.select(ROW, key=keys).filter(starts & keys.is_not_null())
        for row, key in firsts.iter_rows():
            before = self._seen.setdefault(hash(key), row)
            if before != row:
                name = self.grouping.by[0]
                shown = key.replace(_SEPARATOR, ", ")
                sentence = (
                    f"{name} {quote_value(name, shown)} stands in row {before} already, and other rows come between; "
                    f"sort the file by {name}, so that the rows of a record stand together"
                )
                found.append(_problem(origin, row, row, name, shown, Severity.ERROR, Code.SPLIT_GROUP, sentence))
        return found

    def _conflicts(self, origin: Origin, members: pl.DataFrame) -> list[Problem]:
        """Columns of which a record has one value, and its rows have several."""
        found = []
        for name in self.grouping.singles:
            filled = members.filter(pl.col(name).str.strip_chars() != "").select(RECORD, ROW, name)
            other = pl.col(name) != pl.col(name).first().over(RECORD)
            for record, row, text in filled.filter(other).unique(RECORD, keep="first", maintain_order=True).iter_rows():
                sentence = (
                    f"{name} is {quote_value(name, text)} in row {row}, and a row of the same record before it says "
                    "something else; the first is sent"
                )
                found.append(
                    _problem(origin, record, row, name, text, Severity.WARNING, Code.CONFLICTING_FIELDS, sentence)
                )
        return found


def _problem(
    origin: Origin, record: int, row: int, column: str, text: str, severity: Severity, code: Code, sentence: str
) -> Problem:
    cell = origin.cell(column, row)
    return Problem(record, severity.value, code.value, None, column, cell, show_value(column, text), sentence)


def _keys(source: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """What rows of one record have in common; null for rows at the top that have nothing."""
    cells = [pl.col(name).str.strip_chars().fill_null("") for name in by]
    whole = pl.concat_str(cells, separator=_SEPARATOR)
    blank = pl.all_horizontal(cell == "" for cell in cells)
    return source.select(key=pl.when(~blank).then(whole).forward_fill())["key"]


def _rows_of(batch: Batch, start: int, end: int) -> Batch:
    source = batch.source[start:end]
    return replace(
        batch, source=source, frame=source, problems=batch.problems.filter(pl.col("row").is_in(source[ROW].implode()))
    )


def _joined(held: Batch, following: Batch) -> Batch:
    source = pl.concat([held.source, following.source], how="diagonal")
    return replace(following, source=source, frame=source, problems=problem.joined([held.problems, following.problems]))

"""Rows as read into rows in the API's fields. No row is dropped; what is wrong with a cell is a problem.

Must never know whether a value is one that the API takes: that is for the rules.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from etl import problems as problem
from etl.batch import GUARD_COLUMN, ROW, Batch
from etl.mapping.cells.jsoncells import put_in, quoted, take_out
from etl.mapping.cells.reaching import reach_all_each, reach_each
from etl.mapping.cells.series import found_in, only_where
from etl.mapping.cells.transcripts import as_messages
from etl.mapping.cells.ways import Input, Way
from etl.mapping.fields.dialects import TRANSCRIPTS, Lift
from etl.mapping.rows.absence import json_types, without_nulls
from etl.mapping.rows.binding import Bound
from etl.mapping.rows.finding import Finder
from etl.mapping.rows.planning import Plan
from etl.tables import unguarded


def apply(bound: Bound, batch: Batch) -> Batch:
    """The same rows as a frame in the API's fields: `_row` and one column for each of `bound.fields`.

    Reads `batch.source`. Problems are added with field, column, cell and value; a cell with a problem is null in the
    frame. Cells that an export has guarded against formulas are read without their guard. Raises nothing for a cell.
    """
    if GUARD_COLUMN not in batch.origin.columns:
        return _apply(bound, batch)
    texts = [pl.Series(name, unguarded(batch.source[name])) for name in batch.origin.mapped_columns]
    plain = replace(batch, source=batch.source.with_columns(texts))
    return replace(_apply(bound, plain), source=batch.source)


def _apply(bound: Bound, batch: Batch) -> Batch:
    types = json_types(batch.source)
    plan = bound.plan(typed=types is not None)
    whole = plan.expressions or bound.rules or any(feed.numbered for feed in bound.feeds)
    cells = without_nulls(batch.source) if whole else batch.source
    working = _working_frame(plan, batch.source, types)
    if plan.expressions:
        working = working.hstack(cells.select(plan.expressions))
    for layer in plan.layers:
        working = working.with_columns(layer)
    frame = working.select(ROW, *plan.outputs)
    found = Finder(bound, batch, working)
    frame, untold = _transcribe(_with_names_inside(frame, bound), bound)
    problems = [
        *found.mistakes(plan.checks),
        *found.miscast(cells),
        *found.losses(plan.losses),
        *found.untold(untold),
        *found.lost(batch.source),
        *found.unused_keys(batch.source),
        *found.left_behind(batch.source),
        *found.gaps(cells),
        *found.own_rules(cells),
        *found.uncollected(batch),
        *found.rivals(plan.rivalries),
        *found.unknown_fields(plan.refused),
        *found.lacking(plan.demanded),
        *found.covered_keys(frame),
    ]
    for lift in bound.lifts:
        frame = _lift(frame, lift)
    mapped = batch.with_frame(frame)
    return mapped.with_problems(problem.frame_of(problems)) if problems else mapped


def _working_frame(plan: Plan, source: pl.DataFrame, types: pl.Series | None) -> pl.DataFrame:
    """What the plan works on, under names of its own: a header may be `*`, or `^a$`, or the same as a field.

    A `null` of JSON Lines is absent: it has neither cell nor type.
    """
    absent = pl.Series([None] * source.height, dtype=pl.String)
    wanted = dict.fromkeys(one.column for one in plan.inputs)
    cells = {column: source[column] if column in source.columns else absent for column in wanted}
    kinds: dict[str, pl.Series] = {}
    if types is not None:
        known = types.str.json_decode(pl.Struct(dict.fromkeys(wanted, pl.String)))
        for column in wanted:
            kind = known.struct.field(column)
            null = found_in(kind, "^null$")
            cells[column] = only_where(cells[column], ~null)
            kinds[column] = only_where(kind, ~null)
    inside = _reached(plan, cells)
    columns = [source[ROW]]
    for one, name in plan.inputs.items():
        value, kind = inside[one] if one.way is not None else (cells[one.column], kinds.get(one.column, absent))
        columns.append(value.alias(name))
        if one in plan.types:
            columns.append(kind.alias(plan.types[one]))
    return pl.DataFrame(columns)


def _reached(plan: Plan, cells: Mapping[str, pl.Series]) -> dict[Input, tuple[pl.Series, pl.Series]]:
    """What stands at the ends of ways into columns: a text each, or a list, and what types texts are of."""
    ways: dict[str, list[Way]] = {}
    for one in plan.inputs:
        if one.way is not None:
            ways.setdefault(one.column, []).append(one.way)
    found: dict[Input, tuple[pl.Series, pl.Series]] = {}
    for column, several in ways.items():
        texts = reach_each(cells[column], [way for way in several if not way.is_plural])
        found |= {Input(column, way): both for way, both in texts.items()}
        lists = reach_all_each(cells[column], [way for way in several if way.is_plural])
        found |= {Input(column, way): (value, value) for way, value in lists.items()}
    return found


def _lift(frame: pl.DataFrame, lift: Lift) -> pl.DataFrame:
    """Rows whose object has the key send it as a field of its own; an object of nothing else is left out."""
    if lift.path not in frame.columns:
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(lift.path))
    rows = found_in(frame[lift.parent], re.escape(quoted(lift.key)))
    if not rows.any():
        return frame
    cut = [
        take_out(whole, lift.key) if holds else (whole, None)
        for whole, holds in zip(frame[lift.parent], rows, strict=True)
    ]
    rest = pl.Series(lift.parent, [whole for whole, _ in cut], dtype=pl.String)
    taken = pl.Series("taken", [value for _, value in cut], dtype=pl.String)
    return frame.with_columns(rest, pl.coalesce(taken, pl.col(lift.path)).alias(lift.path))


def _with_names_inside(frame: pl.DataFrame, bound: Bound) -> pl.DataFrame:
    """Names that were looked up inside of an object that is given whole: it holds the ids instead."""
    for path in bound.lookups:
        parent, _, key = path.rpartition(".")
        if parent not in frame.columns or frame.schema[path] != pl.String:
            continue
        if not {*bound.columns[path]} <= {*bound.columns[parent]}:  # another column says it
            continue
        wholes, ids = frame[parent], frame[path]
        if (wholes.is_not_null() & ids.is_not_null()).any():
            changed = [
                whole if whole is None or id_ is None else put_in(whole, key, quoted(id_))
                for whole, id_ in zip(wholes, ids, strict=True)
            ]
            frame = frame.with_columns(pl.Series(parent, changed, dtype=pl.String))
    return frame


def _transcribe(frame: pl.DataFrame, bound: Bound) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Labelled transcripts become messages; and the rows whose transcript cannot, with its text as `found`."""
    where = TRANSCRIPTS.get(bound.mapping.resource)
    if where is None or not {where.path, where.type} <= set(frame.columns):
        return frame, frame.clear()
    words = frame[where.type].unique()  # few, and quicker to look at than the rows
    spelled = words.filter(words.str.strip_chars().str.to_uppercase() == where.word)
    if spelled.is_empty():
        return frame, frame.clear()
    rows = frame[where.type].is_in(spelled.implode()).fill_null(value=False)
    texts = frame[where.path]
    messages = as_messages(only_where(texts, rows)).zip_with(rows, texts)
    odd = frame.select(ROW, texts.alias("found")).filter(texts.is_not_null() & messages.is_null())
    return frame.with_columns(messages.alias(where.path)), odd

"""`coval-etl preview`: the request bodies that a file becomes. It must never send one."""

import json
from collections.abc import Sequence
from itertools import chain, islice

import polars as pl

from etl.batch import ROW, TYPES
from etl.checking import Fitted, body_maker, check_rows
from etl.cli.fitting import fit
from etl.cli.options import (
    Checking,
    Opening,
    Output,
    Reading,
)
from etl.cli.saying import write_out
from etl.cli.screen import Screen
from etl.inputs import open_inputs
from etl.readers import Survey
from etl.report import ProblemGroup, ProblemGroups
from etl.resources import Contract
from etl.tables import object_text

GLANCED_ROWS = 200
"""For so many rows only the beginning of a file is looked at, however long it is."""


def run(
    *,
    files: tuple[str, ...],
    opening: Opening,
    reading: Reading,
    checking: Checking,
    output: Output,
    raw: bool,
    all_rows: bool,
) -> None:
    """Show the request bodies that the mapping makes, as JSON Lines."""
    count = reading.limit if reading.limit is not None else (None if all_rows else 10)
    contract = checking.known_contract() or Contract.V2025_10
    glance = count is not None and count <= GLANCED_ROWS
    with open_inputs(files, opening.options(glance=glance), reading.mapping) as inputs:
        if raw:
            Screen(output).show_problems(_show_rows(inputs.surveys, count))
            return
        fitted = fit(inputs, opening, reading, checking, output, contract)
        Screen(output).say_what_is_read(fitted, inputs.left_out)
        _show_bodies(fitted, contract, reading.where, count)


def _show_rows(surveys: Sequence[Survey], count: int | None) -> tuple[ProblemGroup, ...]:
    """Each row with its number; values of record formats in the form in which the file has them.

    Returns what is wrong with the rows that were shown.
    """
    problems = ProblemGroups()
    left = count
    for batch in (batch for survey in surveys for table in survey.tables for batch in table.batches()):
        rows = batch.source if left is None else batch.source.head(left)
        problems.add(batch.origin.file, batch.problems.filter(pl.col("row").is_in(rows[ROW].implode())))
        for row in rows.iter_rows(named=True):
            written = {ROW, *json.loads(row.get(TYPES) or "{}")}
            names = (ROW, *batch.origin.columns)
            cells = [str(row[ROW]), *(row[name] for name in batch.origin.columns)]
            if not write_out(object_text(names, cells, written) + "\n"):
                return ()
        if left is not None and (left := left - rows.height) <= 0:
            break
    return problems.worst_first()


def _show_bodies(fitted: Sequence[Fitted], contract: Contract, where: str | None, count: int | None) -> None:
    checked = check_rows(fitted, contract, where=where, limit=count, assume_test_set=True)
    bodies = chain.from_iterable(body_maker(one.fitted.bound)(one.batch.frame.filter(~one.skipped)) for one in checked)
    for body in islice(bodies, count):
        if not write_out(f"{body}\n"):
            return

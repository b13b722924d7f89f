"""Wanted rows: those for which conditions hold. Where a CAST cannot tell, the row is kept, with an error.

Must never know what a row is for, nor what becomes of those that are not wanted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Batch
from etl.expressions import Cast, compile_condition, find_casts, find_unclear
from etl.mapping.rows.absence import without_nulls
from etl.problems import Code, Problem, Severity
from etl.quoting import HIDDEN, quote_value, show_value


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition over the columns of a frame as read. `said` is what sentences call it, such as `--where`.

    `holds` and `unclear` are Boolean expressions without nulls; `casts` those that may make it unclear.
    """

    said: str
    holds: pl.Expr
    unclear: pl.Expr | None
    casts: tuple[Cast, ...]


def condition_of(said: str, text: str, columns: Sequence[str]) -> Condition:
    """A condition as it is written. Raises ExpressionError."""
    return Condition(said, compile_condition(text, columns), find_unclear(text, columns), find_casts(text, columns))


def wanted_by(conditions: Iterable[Condition]) -> pl.Expr | None:
    """The rows of which all conditions hold, or none is known not to; None where there is no condition."""
    kept = [one.holds if one.unclear is None else one.holds | one.unclear for one in conditions]
    return pl.all_horizontal(kept) if kept else None


def tell_unclear(batch: Batch, conditions: Sequence[Condition]) -> Batch:
    """The same rows; those of which a condition cannot be told have an error that names the cell."""
    wanted = wanted_by(conditions)
    found = [
        problem
        for one in conditions
        if one.unclear is not None and wanted is not None
        for problem in _unclear(batch, without_nulls(batch.source).filter(wanted & one.unclear), one)
    ]
    return batch.with_problems(problem.frame_of(found)) if found else batch


def _unclear(batch: Batch, rows: pl.DataFrame, condition: Condition) -> Iterator[Problem]:
    for cast in condition.casts if rows.height else ():
        code = Code.NOT_AN_INTEGER if cast.whole else Code.NOT_A_NUMBER
        takes = "a whole number such as 5" if cast.whole else "a number such as 0.5"
        for row, found in rows.filter(cast.failed).select(ROW, cast.operand.alias("found")).iter_rows():
            name = cast.column or "the value"
            shown = HIDDEN if show_value(name, found) == HIDDEN else quote_value(name, found)
            sentence = (
                f"{name} is {shown}, and the CAST of {condition.said} takes {takes}, so nobody can tell whether the row"
                " is wanted; correct the cell, or write TRY_CAST, for which it counts as empty"
            )
            cell = batch.origin.cell(cast.column, row) if cast.column else None
            yield Problem(
                row, Severity.ERROR.value, code.value, None, cast.column, cell, show_value(name, found), sentence
            )

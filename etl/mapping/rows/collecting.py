"""Collecting: what stands in all rows of a record, as one list or one JSON array.

Must never know which rows make a record: `gathering` has put them into `_rows`.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from etl.batch import MEMBERS
from etl.mapping.cells.jsoncells import encode


def collect_texts(column: str, only: Mapping[str, Sequence[str]]) -> pl.Expr:
    """The cells of a column that are not blank, in the order of the rows (List(String)); null where there are none.

    `only`: of the rows that have one of these words in these columns, in any case.
    """
    texts = _rows(only).list.eval(_not_blank(column)).list.drop_nulls()
    return pl.when(texts.list.len() > 0).then(texts)


def collect_objects(columns: Mapping[str, str], only: Mapping[str, Sequence[str]]) -> pl.Expr:
    """A JSON array with an object for each row (String): by key, the cell of a column that is not blank."""
    parts = [
        pl.concat_str(encode(pl.lit(key)), pl.lit(":"), encode(_not_blank(column))) for key, column in columns.items()
    ]
    members = pl.concat_str(parts, separator=",", ignore_nulls=True)
    item = pl.when(members != "").then(pl.concat_str(pl.lit("{"), members, pl.lit("}")))
    items = _rows(only).list.eval(item).list.drop_nulls()
    return pl.when(items.list.len() > 0).then(pl.concat_str(pl.lit("["), items.list.join(","), pl.lit("]")))


def spoken_by(only: Mapping[str, Sequence[str]]) -> pl.Expr:
    """Whether a row of a record, as it was read, is one that `only` names."""
    conditions = [
        pl.col(column).str.strip_chars().str.to_lowercase().is_in([word.strip().lower() for word in words])
        for column, words in only.items()
    ]
    return pl.all_horizontal([pl.lit(value=True), *conditions]).fill_null(value=False)


def _rows(only: Mapping[str, Sequence[str]]) -> pl.Expr:
    rows = pl.col(MEMBERS)
    for column, words in only.items():
        wanted = [word.strip().lower() for word in words]
        rows = rows.list.filter(pl.element().struct.field(column).str.strip_chars().str.to_lowercase().is_in(wanted))
    return rows


def _not_blank(column: str) -> pl.Expr:
    cell = pl.element().struct.field(column)
    return pl.when(cell.str.strip_chars() != "").then(cell)

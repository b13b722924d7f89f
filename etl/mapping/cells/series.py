"""Functions on whole columns as polars expressions.

An expression that uses a part of itself twice computes it twice; a function on a Series computes it once. Must never
know what the cells mean.
"""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

DType = pl.DataType | type[pl.DataType]


def by_column(value: pl.Expr, function: Callable[[pl.Series], pl.Series], dtype: DType) -> pl.Expr:
    """An expression that calls `function` with the whole column. It must give as many cells, of `dtype`."""
    return value.map_batches(function, return_dtype=dtype, is_elementwise=True)


def by_cell(value: pl.Expr, function: Callable[[str], Any], dtype: DType) -> pl.Expr:
    """An expression that calls `function` for every cell that is not null. Slow: for few cells, or odd ones."""

    def run(column: pl.Series) -> pl.Series:
        if column.null_count() == len(column):
            return pl.Series(column.name, [None] * len(column), dtype=dtype)
        made = [None if cell is None else function(cell) for cell in column.to_list()]
        return lists_of(column.name, made) if dtype == pl.List(pl.String) else pl.Series(column.name, made, dtype=dtype)

    return by_column(value, run, dtype)


def lists_of(name: str, made: Sequence[Sequence[str] | None]) -> pl.Series:
    """Lists of texts as a column (List(String)). As `pl.Series`, which takes eight times as long for them."""
    texts = pl.Series("items", [text for one in made if one for text in one], dtype=pl.String)
    places = pl.Series("place", [place for place, one in enumerate(made) if one for _ in one], dtype=pl.UInt32)
    lists = pl.DataFrame([places, texts]).group_by("place", maintain_order=True).agg("items")
    every = pl.int_range(len(made), dtype=pl.UInt32, eager=True).alias("place")
    some = pl.Series("some", [one is not None for one in made], dtype=pl.Boolean)
    found = pl.DataFrame([every, some]).join(lists, on="place", how="left", maintain_order="left")
    return found.select(pl.when("some").then(pl.col("items").fill_null([])).alias(name)).to_series()


def found_in(texts: pl.Series, pattern: str) -> pl.Series:
    """Which texts a regular expression finds something in; never null."""
    return texts.str.contains(pattern).fill_null(value=False)


def only_where(values: pl.Series, mask: pl.Series) -> pl.Series:
    """The values where the mask is true; null elsewhere."""
    return values.set(~mask, None)

"""What is absent from a row though its cell has a text: the `null` of record formats, which readers keep as written.

Must never know what the columns mean.
"""

import polars as pl

from etl.batch import OWN_COLUMNS, RECORD, ROW, TYPES
from etl.mapping.cells.series import found_in, only_where


def json_types(source: pl.DataFrame) -> pl.Series | None:
    """The `_types` column where any row has an entry."""
    if TYPES not in source.columns or not (source[TYPES].drop_nulls() != "{}").any():
        return None
    return source[TYPES]


def without_nulls(source: pl.DataFrame) -> pl.DataFrame:
    """The frame as conditions and expressions see it: a `null` of JSON is no text."""
    types = json_types(source)
    if types is None or not found_in(types, '"null"').any():
        return source
    columns = [name for name in source.columns if name not in {*OWN_COLUMNS, ROW, RECORD}]
    known = types.str.json_decode(pl.Struct(dict.fromkeys(columns, pl.String)))
    nulls = {name: found_in(known.struct.field(name), "^null$") for name in columns}
    return source.with_columns(only_where(source[name], ~null) for name, null in nulls.items() if null.any())

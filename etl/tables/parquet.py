"""Parquet: typed columns, written in pieces, so that memory does not grow with the rows.

This file must never know what the columns are about.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from etl.errors import StoppedError
from etl.tables.files import NewFile, explain_failure

_ROWS_A_PIECE = 5_000
_ROWS_A_GROUP = 50_000
_COPY_BYTES = 1 << 20


_KINDS: Mapping[type, type[pl.DataType]] = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}


def write_parquet(file: NewFile, columns: Sequence[str], kinds: Sequence[type], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of `columns`, each of its kind (str, int, float, bool); the same rows give the same bytes.

    Raises StoppedError where the file cannot be written.
    """
    schema = {name: _KINDS[kind] for name, kind in zip(columns, kinds, strict=True)}
    remaining = iter(rows)

    from polars.io.plugins import register_io_source

    def pieces(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        del with_columns, predicate, n_rows, batch_size  # a sink asks for all there is
        while piece := list(islice(remaining, _ROWS_A_PIECE)):
            yield pl.DataFrame(piece, schema=schema, orient="row")

    with explain_failure(file.path), tempfile.TemporaryDirectory(prefix=".coval-etl-", dir=file.path.parent) as folder:
        made = Path(folder) / "rows.parquet"
        source = register_io_source(io_source=pieces, schema=schema, is_pure=True)
        try:
            source.sink_parquet(made, row_group_size=_ROWS_A_GROUP, compression="zstd")
        except pl.exceptions.ComputeError as error:
            raise StoppedError(f"{file.path} cannot be written: {error}.") from error
        with made.open("rb") as stream:
            while chunk := stream.read(_COPY_BYTES):
                file.write(chunk)

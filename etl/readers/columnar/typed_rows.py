"""Typed rows: the rows of a Parquet or Arrow file in words, piece by piece. Runs in a child process of its own.

It must never be run in ours: the library that decodes the values may crash over a damaged file. It knows neither
batches nor problems; its pieces are bytes, so that they can be handed over.
"""

import json
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Protocol

import polars as pl

from etl.batch import ERROR_COLUMN, TYPES
from etl.errors import FileError
from etl.readers.assembly import BATCH_CHARACTERS, BATCH_ROWS
from etl.readers.columnar.arrow import ArrowFile
from etl.readers.columnar.parquet import ParquetFile
from etl.readers.columnar.physical import Column, DamagedError, NotReadError
from etl.readers.columnar.typed_text import json_type, tell, weigh
from etl.readers.header import MOST_COLUMNS, refuse_odd_names

MOST_ROW_CHARACTERS = 64_000_000
"""A heavier row is not read."""
_MOST_CHARACTERS_A_BYTE = 2_000
"""More characters a byte of the file than this, beyond a thousand million, are made to keep a computer busy."""


class _File(Protocol):
    """A file of typed columns: what it holds, and its rows in frames of stored values, named `0`, `1`, …"""

    @property
    def rows(self) -> int | None: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...

    def empty(self) -> pl.DataFrame: ...

    def frames(self) -> Generator[pl.DataFrame]: ...


def read_rows(path: str, format_: str, label: str) -> Iterator[dict[str, object]]:
    """The rows of a file: dicts with a `frame` (bytes), the first one also with `columns` (names) and `rows` (a count).

    A frame is an Arrow stream: `_types`, the cells of the columns as `0`, `1`, …, and for those in which values have a
    flaw, what flaw: `flaw 0`, …. Raises FileError, with `label` as the file's name.
    """
    try:
        with Path(path).open("rb") as stream:
            size = Path(path).stat().st_size
            file: _File = ParquetFile(stream, size) if format_ == "parquet" else ArrowFile(stream, size)
            yield from _read(file, label, size)
    except DamagedError as error:
        raise FileError(f"{label} is damaged: {error}.", "Write it again, or as CSV.") from error
    except NotReadError as error:
        raise FileError(f"{label} {error}.", error.hint) from error


def _read(file: _File, label: str, size_bytes: int) -> Iterator[dict[str, object]]:
    columns = [column for column in file.columns if column.name != ERROR_COLUMN]
    places = [str(at) for at, column in enumerate(file.columns) if column.name != ERROR_COLUMN]
    _refuse_names([column.name for column in columns], label)
    head: dict[str, object] = {"columns": [column.name for column in columns], "rows": file.rows}
    weight = 0
    with closing(file.frames()) as frames:
        for piece in _pieces(frames, file.columns):
            weight += weigh(piece.get_columns(), [column.meaning for column in file.columns])
            if weight > max(1_000_000_000, _MOST_CHARACTERS_A_BYTE * size_bytes):
                raise NotReadError(
                    f"unpacks to more than {_MOST_CHARACTERS_A_BYTE:,} times its size", "Write it as CSV."
                )
            yield {**head, "frame": _frame(piece.select(places), columns)}
            head = {}
    if head:
        yield {**head, "frame": _frame(file.empty().select(places), columns)}


def _refuse_names(names: Sequence[str], label: str) -> None:
    if not names:
        raise FileError(f"{label} has no columns.")
    if len(names) > MOST_COLUMNS:
        raise FileError(f"{label} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read.")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise FileError(f"{label}: {count} columns have the same name {name!r}.", "Give each its own name.")
    refuse_odd_names(names, label)


def _pieces(frames: Iterator[pl.DataFrame], columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
    """The same rows in frames of `BATCH_ROWS`, fewer where they are heavy."""
    held: list[pl.DataFrame] = []
    height = row = 0
    for frame in frames:
        held.append(frame)
        height += frame.height
        del frame
        while height >= BATCH_ROWS:
            piece, held = _taken(held)
            yield from _halved(piece, columns, row)
            height -= piece.height
            row += piece.height
            del piece
    if height:
        yield from _halved(pl.concat(held), columns, row)


def _taken(held: Sequence[pl.DataFrame]) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The first `BATCH_ROWS` rows, and the rest."""
    whole = pl.concat(held)
    # An empty slice would hold on to what it was cut from.
    return whole.head(BATCH_ROWS), [whole.slice(BATCH_ROWS)] if whole.height > BATCH_ROWS else []


def _halved(frame: pl.DataFrame, columns: Sequence[Column], row: int) -> Iterator[pl.DataFrame]:
    """A frame as it is, or cut in halves until none is heavy. `row`: how many rows stand before it."""
    weight = weigh(frame.get_columns(), [column.meaning for column in columns])
    if weight <= BATCH_CHARACTERS or (frame.height == 1 and weight <= MOST_ROW_CHARACTERS):
        yield frame
    elif frame.height == 1:
        raise NotReadError(f"has more than {MOST_ROW_CHARACTERS:,} characters in row {row + 1}")
    else:
        half = frame.height // 2
        yield from _halved(frame.head(half), columns, row)
        yield from _halved(frame.slice(half), columns, row + half)


def _frame(stored: pl.DataFrame, columns: Sequence[Column]) -> bytes:
    """The rows in words, as `read_rows` describes them."""
    told = tell(stored.get_columns(), [column.meaning for column in columns])
    texts = [one.texts for one in told]
    flaws = [one.flaws.alias(f"flaw {at}") for at, one in enumerate(told) if one.flaws is not None]
    cells = [text.alias(str(at)) for at, text in enumerate(texts)]
    out = BytesIO()
    # The oldest form holds only the characters of its own rows; views would drag along all that they were cut from.
    pl.DataFrame([_types(texts, columns), *cells, *flaws]).write_ipc_stream(out, compat_level=pl.CompatLevel.oldest())
    return out.getvalue()


def _types(texts: Sequence[pl.Series], columns: Sequence[Column]) -> pl.Series:
    """The types of the values that are no strings, a JSON object a row."""
    parts = []
    for text, column in zip(texts, columns, strict=True):
        type_ = json_type(column.meaning)
        if type_ is not None:
            part = pl.lit(f'{json.dumps(column.name, ensure_ascii=False)}: "{type_}"')
            parts.append(pl.when(pl.lit(text).is_not_null()).then(part) if text.null_count() else part)
    inside = pl.concat_str(*parts, separator=", ", ignore_nulls=True) if parts else pl.lit("")
    whole = pl.concat_str(pl.lit("{"), inside, pl.lit("}"))
    return pl.select(pl.repeat(1, len(texts[0])), whole.alias(TYPES)).get_column(TYPES)

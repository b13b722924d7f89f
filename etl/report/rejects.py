"""The rows to mend, in their source's own format and columns, as they were read.

This file must never know how rows are sent, and changes no cell.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import polars as pl

from etl.batch import ERROR_COLUMN, LINE_KEY, RAW, ROW, TYPES, Batch, Origin
from etl.formats import RECORD_FORMATS, WORKBOOK_FORMATS
from etl.report.folder import ReportFolder
from etl.report.names import Place, name_of_file, name_of_table
from etl.report.splice import splice_error
from etl.report.spool import Cells, Spool
from etl.tables import (
    Dialect,
    DoesNotFitError,
    NewFile,
    Sheet,
    json_text,
    object_text,
    write_delimited,
    write_lines,
    write_workbook,
)


class Rejects:
    """Keeps rows while a job runs, and writes one file a source at its end: only then is it known what holds them."""

    def __init__(self, folder: ReportFolder, places: Sequence[Place]) -> None:
        self._folder = folder
        self._places = places
        self._origins: dict[int, Origin] = {}
        self._spool = Spool(folder.path)

    def add(self, table: int, batch: Batch, errors: Mapping[int, str]) -> None:
        """Keep the rows of a batch that `errors` names, each with its sentence. Raises StoppedError."""
        if not errors:
            return
        origin = self._origins.setdefault(table, batch.origin)
        read = batch.source if batch.members is None else batch.members
        rows = read.filter(pl.col(ROW).is_in(list(errors)))
        sentences = [_spellable(errors[row], origin) for row in rows[ROW]]
        if origin.format in RECORD_FORMATS:
            self._spool.append(table, map(_line_as_read, _lines(rows, origin.columns), sentences))
        else:
            raws = rows[RAW].to_list() if RAW in rows.columns else [None] * rows.height
            cells = (_placed(origin, row) for row in rows.select(origin.columns).iter_rows())
            self._spool.append(table, map(_cells_as_read, raws, cells, sentences))

    def write(self) -> tuple[str, ...]:
        """Write the files; sentences about those that are not in their source's format. Raises StoppedError."""
        files: dict[str, list[int]] = {}
        for table in self._spool.tables():
            files.setdefault(self._places[table][0], []).append(table)
        notes = []
        for file, tables in files.items():
            own = self._origins[tables[0]].format
            form = _written_form(own)
            try:
                self._write_alike(file, tables, form)
                if form != own:
                    notes.append(f"The rejects of {file} are written as {_SPOKEN[form]}: {own} cannot be written.")
            except DoesNotFitError as reason:
                notes.append(f"The rejects of {file} are written as JSON Lines: {reason}.")
                self._write_objects(file, tables)
        return tuple(notes)

    def close(self) -> None:
        """Let go of the rows. Never raises."""
        self._spool.close()

    def _write_alike(self, name: str, tables: Sequence[int], form: str) -> None:
        """One file for all tables of a source. Raises DoesNotFitError, and has left nothing behind then."""
        file = self._folder.new_file(f"{name_of_file(self._places, name)}.{form}")
        try:
            self._fill(file, tables, form)
        except DoesNotFitError:
            self._folder.drop_file(file)
            raise

    def _fill(self, file: NewFile, tables: Sequence[int], form: str) -> None:
        """Several tables are sheets, or the kinds of rows of a file of records; delimited text has one."""
        origin = self._origins[tables[0]]
        rows = chain.from_iterable(map(self._spool.rows, tables))
        if form == "xlsx":
            write_workbook(file, [self._sheet(table) for table in tables])
        elif form == "csv":
            write_delimited(file, _with_error(origin), rows, _dialect(origin))
        else:
            lines = (line for row in rows if (line := row[0]) is not None)
            write_lines(file, lines, origin.dialect.get("encoding", "utf-8"))
        file.seal()

    def _sheet(self, table: int) -> Sheet:
        origin = self._origins[table]
        return Sheet(origin.sheet or "Sheet1", _with_error(origin), self._spool.rows(table))

    def _write_objects(self, name: str, tables: Sequence[int]) -> None:
        """JSON Lines, a file for each table: sheets need not have the same columns."""
        for table in tables:
            alone = len(tables) == 1
            stem = name_of_file(self._places, name) if alone else name_of_table(self._places, table)
            file = self._folder.new_file(f"{stem}.jsonl")
            columns = _with_error(self._origins[table])
            write_lines(file, (_object_of(columns, row) for row in self._spool.rows(table)))
            file.seal()


def _written_form(format_: str) -> str:
    """The source's own format, or the one nearest to it that is written: any spreadsheet program opens XLSX."""
    if format_ in WORKBOOK_FORMATS:
        return "xlsx"
    return "jsonl" if format_ in RECORD_FORMATS else format_


_SPOKEN = {"xlsx": "a workbook (.xlsx)", "jsonl": "JSON Lines"}


def _lines(rows: pl.DataFrame, columns: Sequence[str]) -> Iterator[str]:
    """Record formats: each row's own text, or, where the reader kept none, its object from cells and types."""
    for row in rows.iter_rows(named=True):
        raw = row.get(RAW)
        if raw is None:
            raw = object_text(columns, [row[name] for name in columns], json.loads(row.get(TYPES) or "{}"))
        yield raw


def _line_as_read(raw: str, error: str) -> Cells:
    """Record formats: the object on its line, with the error in it."""
    return [splice_error(raw.rstrip("\r\n"), error)]


def _cells_as_read(raw: str | None, cells: Cells, error: str) -> Cells:
    """The cells, then the error; a ragged record keeps exactly the cells it had, so that it is as ragged as before."""
    return [*(cells if raw is None else json.loads(raw)), error]


def _object_of(columns: Sequence[str], row: Cells) -> str:
    if len(row) == len(columns):
        return object_text(columns, row)
    return json_text({ERROR_COLUMN: row[-1], LINE_KEY: json_text(row[:-1])})


def _with_error(origin: Origin) -> list[str]:
    return [*(name or "" for name in _placed(origin, origin.columns)), ERROR_COLUMN]


def _placed(origin: Origin, cells: Sequence[str | None]) -> Cells:
    """Cells where they stood in the file: beside a column without a name, a ragged record would else lose its shape."""
    if origin.format != "csv" or not origin.positions:
        return list(cells)
    row: Cells = [None] * max(origin.positions)
    for position, cell in zip(origin.positions, cells, strict=True):
        row[position - 1] = cell
    return row


def _dialect(origin: Origin) -> Dialect:
    found = origin.dialect
    quote, escape = found.get("quote", '"'), found.get("escape", "")
    return Dialect(found["encoding"], found["delimiter"], found["line_end"], quote, escape)


def _spellable(error: str, origin: Origin) -> str:
    """Our own sentence in letters that the source's encoding has: it must not decide over the format of the rows."""
    encoding = origin.dialect.get("encoding", "utf-8")
    return error.encode(encoding, "replace").decode(encoding)

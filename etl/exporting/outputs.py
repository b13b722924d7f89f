"""The files of an export: which there are, and each written from the same rows.

It must never know where rows come from, nor change what they say.
"""

import glob
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from etl.batch import GUARD_COLUMN
from etl.errors import UsageError
from etl.records import MANIFEST, Column, ColumnKind, FileEntry, cell_text, cut_cells, hash_cells, hash_line, sha256_of
from etl.tables import (
    CELL_LIMIT,
    Dialect,
    NewFile,
    TypedSheet,
    guard,
    json_text,
    partial_names,
    write_delimited,
    write_lines,
    write_parquet,
    write_typed_workbook,
)

WORKBOOK = "export.xlsx"
HASHES = "hashes.txt"
TEXTS = "texts.jsonl"
_CSV = Dialect(encoding="utf-8-sig")
"""With a mark: Excel takes UTF-8 without one for the machine's code page."""


class Form(StrEnum):
    """What `--out` asks for, by its suffix."""

    LINES = ".jsonl"
    CSV = ".csv"
    WORKBOOK = ".xlsx"
    PARQUET = ".parquet"
    FOLDER = ""


def form_of(out: Path, resources: Sequence[str]) -> Form:
    """The form of a file by its suffix, or a folder. Raises UsageError for another suffix, and for several resources in
    a form that holds one."""
    suffix = out.suffix.lower().replace(".ndjson", ".jsonl")
    if out.is_dir() or suffix == "":
        return Form.FOLDER
    try:
        form = Form(suffix)
    except ValueError:
        words = f"{out.name} ends in no form that can be written."
        raise UsageError(words, "Use .jsonl, .csv, .xlsx, .parquet, or a folder's name.") from None
    if form in {Form.CSV, Form.PARQUET} and len(resources) > 1:
        raise UsageError(
            f"{len(resources)} resources do not go into one {suffix} file: their columns differ.",
            "Use .jsonl, .xlsx or a folder, or export them one by one.",
        )
    return form


@dataclass(slots=True)
class Rows:
    """A resource's rows as they are to be written. `lines`: exact JSON, one line each with its line end; `cells`: the
    same as a table's rows; both can be read any number of times. `hashes`: a line for each row, `SHA-256  resource/id`.
    """

    resource: str
    columns: Sequence[Column]
    lines: Callable[[], Iterator[bytes]]
    cells: Callable[[], Iterator[tuple[str, list[Any]]]]
    """Id and cells, in the order of `columns`."""


@dataclass(slots=True)
class Outputs:
    """Writes everything under passing names, then lets it appear, the manifest last."""

    out: Path
    form: Form
    _files: list[tuple[NewFile, str]] = field(default_factory=list)
    _texts: NewFile | None = None

    def write(self, parts: Sequence[Rows]) -> None:
        """Every file that the form asks for. Raises StoppedError where one cannot be written."""
        match self.form:
            case Form.LINES:
                self._write_lines(self.out, parts)
            case Form.CSV:
                self._write_csv(self.out, parts[0])
            case Form.WORKBOOK:
                self._write_workbook(self.out, parts)
            case Form.PARQUET:
                self._write_parquet(self.out, parts[0])
            case Form.FOLDER:
                for one in parts:
                    self._write_lines(self.out / f"{one.resource}.jsonl", [one])
                    self._write_csv(self.out / f"{one.resource}.csv", one)
                    self._write_parquet(self.out / f"{one.resource}.parquet", one)
                self._write_workbook(self.out / WORKBOOK, parts)
        self._write_hashes(parts)

    def entries(self) -> tuple[FileEntry, ...]:
        """What the manifest says of the files. They are complete."""
        found = []
        for file, holds in self._files:
            file.seal()
            size, digest = sha256_of(file.partial)
            found.append(FileEntry(file.path.name, holds, size, digest))
        return tuple(sorted(found, key=lambda one: one.name))

    def commit(self, manifest: Path, text: str) -> None:
        """Let everything appear under its name, the manifest last: a set of files without one is not complete."""
        last = self._new(manifest, "manifest")
        last.write(text.encode())
        manifest.unlink(missing_ok=True)
        for file, _ in self._files:
            file.commit()
        self._remove_older({file.path for file, _ in self._files})

    def discard(self) -> None:
        """Take back what has not appeared. Never raises."""
        for file, _ in self._files:
            file.discard()

    def beside(self, ending: str) -> Path:
        """Where what belongs to the export goes: in the folder, or beside the file under its name."""
        return self.out / ending if self.form is Form.FOLDER else self.out.with_name(f"{self.out.name}.{ending}")

    def _new(self, path: Path, holds: str) -> NewFile:
        for left in path.parent.glob(partial_names(glob.escape(path.name))):
            left.unlink(missing_ok=True)  # by a process that died: the workplace is ours alone
        file = NewFile(path)
        self._files.append((file, holds))
        return file

    def _remove_older(self, written: set[Path]) -> None:
        """What an earlier export to the same place had, and this one has not."""
        for ending in (TEXTS, f"{MANIFEST}.sig", f"{MANIFEST}.minisig"):
            path = self.beside(ending)
            if path not in written:
                path.unlink(missing_ok=True)

    def _write_lines(self, path: Path, parts: Sequence[Rows]) -> None:
        file = self._new(path, "rows")
        for one in parts:
            for line in one.lines():
                file.write(line)

    def _write_csv(self, path: Path, rows: Rows) -> None:
        names = [guard(column.name) for column in rows.columns]
        cells = (
            [*(guard(cell_text(cell)) for cell in self._fitting(rows, id_, cells, None)), None]
            for id_, cells in rows.cells()
        )
        write_delimited(self._new(path, "rows"), [*(name or "" for name in names), GUARD_COLUMN], cells, _CSV)

    def _write_workbook(self, path: Path, parts: Sequence[Rows]) -> None:
        def sheet(one: Rows) -> TypedSheet:
            rows = (self._fitting(one, id_, cells, CELL_LIMIT) for id_, cells in one.cells())
            return TypedSheet(one.resource, [column.name for column in one.columns], rows)

        write_typed_workbook(self._new(path, "rows"), map(sheet, parts))

    def _write_parquet(self, path: Path, rows: Rows) -> None:
        names = [column.name for column in rows.columns]
        kinds = [column.kind for column in rows.columns]
        cells = (self._fitting(rows, id_, cells, None) for id_, cells in rows.cells())
        write_parquet(self._new(path, "rows"), names, [_PARQUET[kind] for kind in kinds], cells)

    def _write_hashes(self, parts: Sequence[Rows]) -> None:
        file = self._new(self.beside(HASHES), "hashes")
        exact = self.form in {Form.LINES, Form.FOLDER}
        limit = CELL_LIMIT if self.form is Form.WORKBOOK else None
        for one in parts:
            if exact:
                ids = (id_ for id_, _ in one.cells())
                lines = (f"{hash_line(line)}  {one.resource}/{id_}" for line, id_ in zip(one.lines(), ids, strict=True))
            else:
                lines = (
                    f"{hash_cells(map(cell_text, cut_cells(cells, limit)))}  {one.resource}/{id_}"
                    for id_, cells in one.cells()
                )
            write_lines(file, lines)

    def _fitting(self, rows: Rows, id_: str, cells: Sequence[Any], limit: int | None) -> list[Any]:
        """The cells; a text that the form cannot hold is kept beside the file, and its place taken by a marker."""
        found = cut_cells(cells, limit)
        if self.form is not Form.FOLDER:  # there JSON Lines hold everything
            for column, cell, kept in zip(rows.columns, cells, found, strict=True):
                if cell is not kept:
                    self._texts = self._texts or self._new(self.beside(TEXTS), "texts")
                    whole = {"resource": rows.resource, "id": id_, "field": column.name, "text": cell}
                    write_lines(self._texts, [json_text(whole)])
        return found


_PARQUET = {
    ColumnKind.TEXT: str,
    ColumnKind.JSON: str,
    ColumnKind.INTEGER: int,
    ColumnKind.NUMBER: float,
    ColumnKind.BOOLEAN: bool,
}

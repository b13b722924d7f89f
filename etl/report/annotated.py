"""Annotated: a copy of each workbook with its problems in it, for the person whose workbook it is.

It must never know how rows are sent, and never stops a job: where the copy cannot be written, a note says why.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import polars as pl

from etl.batch import ERROR_COLUMN, LIST_COLUMN, RECORD, ROW, Batch, Origin, column_letters
from etl.errors import EtlError
from etl.formats import WORKBOOK_FORMATS
from etl.problems import Problem
from etl.report.folder import ReportFolder
from etl.report.marking import level_of, place_of, sentence_of, status_of
from etl.report.names import ANNOTATED, name_of_file
from etl.report.outcome import Outcome, Result
from etl.report.spool import Cells, Spool
from etl.report.summary import Source
from etl.tables import DoesNotFitError, NewFile, Sheet, allowed_names, write_workbook
from etl.tables.limits import CELL_LIMIT
from etl.tables.marked import Finding, Flag, Level, Names, SheetMarks, UnmarkableError, mark_workbook, suffix_of

MOST_CELLS = 1_000_000
"""A larger workbook is not copied: only its flagged rows are written."""
MOST_FLAGGED_ROWS = 20_000
"""So many rows, of each sheet of a workbook that is not copied."""

_NAMES = Names(status=ERROR_COLUMN, list_mark=LIST_COLUMN)
_STATUSES, _PROBLEMS, _ROWS = range(3)


@dataclass(slots=True)
class _Kept:
    """What is known of one table beside what is on disk."""

    origin: Origin
    flagged_rows: int = 0
    left_out: int = 0
    """Flagged rows beyond `MOST_FLAGGED_ROWS`."""
    heading: list[Problem] = field(default_factory=list)
    """Problems of the table as a whole."""


class Annotated:
    """Keeps what became of the rows of workbooks, and writes a copy of each at the end."""

    def __init__(self, folder: ReportFolder, sources: Sequence[Source]) -> None:
        self._folder = folder
        self._sources = sources
        self._places = [(source.file, source.sheet) for source in sources]
        self._kept: dict[int, _Kept] = {}
        self._cells: dict[str, int] = defaultdict(int)
        self._spool = Spool(folder.path)
        self._notes: list[str] = []
        self._paths: list[Path] = []

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the copies will be."""
        return tuple(self._paths)

    def note(self, table: int, origin: Origin, problems: Sequence[Problem]) -> None:
        """Problems of a table as a whole."""
        if origin.format in WORKBOOK_FORMATS:
            self._of(table, origin).heading += problems

    def add(self, table: int, batch: Batch, results: Sequence[Result], issues: Mapping[int, Sequence[Problem]]) -> None:
        """What became of the rows of a batch; `issues` by row. Raises StoppedError where there is no room."""
        if batch.origin.format not in WORKBOOK_FORMATS:
            return
        kept = self._of(table, batch.origin)
        read = batch.source if batch.members is None else batch.members
        self._cells[batch.origin.file] += read.height * len(batch.origin.columns)
        statuses = {result.row: status_of(result, issues.get(result.row, ())) for result in results}
        told = [result.row for result in results if result.outcome is not Outcome.SKIPPED and issues.get(result.row)]
        records = read[ROW if batch.members is None else RECORD].to_list()
        if self._cells[batch.origin.file] <= MOST_CELLS:
            pairs = zip(read[ROW], records, strict=True)
            self._keep(table, _STATUSES, [[str(row), *statuses[record]] for row, record in pairs])
        if told:
            self._keep_flagged(table, kept, batch, set(told), statuses)
        self._keep(table, _PROBLEMS, [[str(one.row), *one[1:]] for row in told for one in issues[row]])

    def _keep_flagged(
        self, table: int, kept: _Kept, batch: Batch, told: set[int], statuses: Mapping[int, tuple[Level, str]]
    ) -> None:
        """The cells of the rows with problems, for a copy of them only."""
        read, record = (batch.source, ROW) if batch.members is None else (batch.members, RECORD)
        flagged = read.filter(pl.col(record).is_in(list(told)))
        rows = flagged.head(MOST_FLAGGED_ROWS - kept.flagged_rows)
        kept.flagged_rows += rows.height
        kept.left_out += flagged.height - rows.height
        cells = rows.select(pl.col(ROW).alias("\0row"), pl.col(record).alias("\0record"), *batch.origin.columns)
        self._keep(table, _ROWS, [[str(row), *statuses[of], *texts] for row, of, *texts in cells.iter_rows()])

    def write(self) -> tuple[str, ...]:
        """Write the copies; sentences about those that are not whole. Never raises: a copy is an extra."""
        files: dict[str, list[int]] = defaultdict(list)
        for table in sorted(self._kept):
            files[self._sources[table].file].append(table)
        for name, tables in files.items():
            try:
                self._write_one(name, tables)
            except (EtlError, DoesNotFitError, UnmarkableError, OSError) as error:
                reason = error.message if isinstance(error, EtlError) else str(error)
                self._notes.append(f"No annotated copy of {name} was written: {reason.rstrip('.')}.")
        return tuple(self._notes)

    def close(self) -> None:
        """Let go of what was kept. Never raises."""
        self._spool.close()

    def _of(self, table: int, origin: Origin) -> _Kept:
        return self._kept.setdefault(table, _Kept(origin))

    def _keep(self, table: int, kind: int, rows: list[Cells]) -> None:
        if rows:
            self._spool.append(3 * table + kind, rows)

    def _rows(self, table: int, kind: int) -> Iterator[Cells]:
        return self._spool.rows(3 * table + kind)

    def _write_one(self, name: str, tables: Sequence[int]) -> None:
        reason = self._why_not(name, tables)
        open_source = self._sources[tables[0]].open
        if reason is None and open_source is not None:
            try:
                self._write_copy(name, tables, open_source)
            except UnmarkableError as error:
                reason = str(error)
            else:
                return
        if any(self._kept[table].flagged_rows for table in tables):
            self._write_flagged(name, tables)
            self._notes.append(f"The annotated copy of {name} has its flagged rows only: {reason}.")

    def _why_not(self, name: str, tables: Sequence[int]) -> str | None:
        """Why a workbook is not copied, as a clause."""
        form = self._kept[tables[0]].origin.format
        if form != "xlsx":
            return f"{form} cannot be written"
        if self._cells[name] > MOST_CELLS:
            return f"it has more than {MOST_CELLS:,} cells"
        return "it is no longer at hand" if self._sources[tables[0]].open is None else None

    def _write_copy(self, name: str, tables: Sequence[int], open_source: Callable[[], BinaryIO]) -> None:
        with open_source() as stream:
            suffix = suffix_of(stream)
        marks = [self._marks(table) for table in tables]
        findings = [_finding(one, self._kept[table].origin) for table in tables for one in self._problems(table)]
        with open_source() as stream:
            self._fill(name, suffix, partial(_mark, stream, marks, findings))

    def _write_flagged(self, name: str, tables: Sequence[int]) -> None:
        """A new workbook with the rows that have problems, as text, and the same marks in it."""
        flagged = [table for table in tables if self._kept[table].flagged_rows]
        names = list(allowed_names(self._kept[table].origin.sheet or "Sheet1" for table in flagged))
        rows = {table: [int(row[0] or 0) for row in self._rows(table, _ROWS)] for table in flagged}
        sheets = [
            Sheet(sheet, self._kept[table].origin.columns, self._fitting(table))
            for sheet, table in zip(names, flagged, strict=True)
        ]
        moved = [
            _Moved(sheet, self._kept[table].origin, {row: at for at, row in enumerate(rows[table], 2)})
            for sheet, table in zip(names, flagged, strict=True)
        ]
        marks = [self._moved_marks(table, one) for table, one in zip(flagged, moved, strict=True)]
        findings = [
            one.finding(problem) for table, one in zip(flagged, moved, strict=True) for problem in self._problems(table)
        ]
        with TemporaryDirectory(prefix="coval-etl-") as folder:
            plain = NewFile(Path(folder) / "flagged.xlsx")
            write_workbook(plain, sheets)
            plain.commit()
            with plain.path.open("rb") as stream:
                self._fill(name, "xlsx", partial(_mark, stream, marks, findings))
        if left_out := sum(self._kept[table].left_out for table in tables):
            self._notes.append(f"The annotated copy of {name} leaves out {left_out:,} more rows with problems.")

    def _fill(self, name: str, suffix: str, mark: Callable[[NewFile], bool]) -> None:
        file = self._folder.new_file(f"{name_of_file(self._places, name, ANNOTATED)}.{suffix}")
        try:
            has_all = mark(file)
            file.seal()
        except BaseException:
            self._folder.drop_file(file)
            raise
        self._paths.append(file.path)
        if not has_all:
            self._notes.append(
                f"The annotated copy of {name} has more flagged cells than notes; all are on its sheet of problems."
            )

    def _problems(self, table: int) -> Iterator[Problem]:
        yield from self._kept[table].heading
        for row, *texts in self._rows(table, _PROBLEMS):
            yield Problem._make((int(row or 0), *texts))

    def _marks(self, table: int) -> SheetMarks:
        origin = self._kept[table].origin
        header = origin.header_row or 0
        statuses = {
            int(row or 0): (Level(level or ""), text or "") for row, level, text in self._rows(table, _STATUSES)
        }
        flags = [_flag(one, origin, *place) for one in self._problems(table) if (place := place_of(one))]
        return SheetMarks(origin.sheet or "", header, origin.positions, flags, statuses if header else {})

    def _moved_marks(self, table: int, moved: "_Moved") -> SheetMarks:
        flags = [_flag(one, moved.origin, *place) for one in self._problems(table) if (place := moved.place(one))]
        statuses = {
            moved.rows[int(row or 0)]: (Level(level or ""), f"row {row}: {text}")
            for row, level, text, *_ in self._rows(table, _ROWS)
        }
        return SheetMarks(moved.sheet, 1, range(1, len(moved.origin.columns) + 1), flags, statuses)

    def _fitting(self, table: int) -> Iterator[Cells]:
        """The cells of the flagged rows; a text that no cell holds is named, not cut."""
        for row, _, _, *texts in self._rows(table, _ROWS):
            yield [
                f"({len(text):,} characters: see row {row} of the file)"
                if text and len(text) * 2 > CELL_LIMIT
                else text
                for text in texts
            ]


@dataclass(frozen=True, slots=True)
class _Moved:
    """Where rows are found that were written anew: `rows` by the number that they had."""

    sheet: str
    origin: Origin
    rows: Mapping[int, int]

    def place(self, found: Problem) -> tuple[int, int] | None:
        place = place_of(found)
        if place is None or place[1] not in self.origin.positions:
            return None
        row = 1 if place[0] == self.origin.header_row else self.rows.get(place[0])
        return None if row is None else (row, self.origin.positions.index(place[1]) + 1)

    def finding(self, found: Problem) -> Finding:
        place = self.place(found) or (self.rows.get(found.row, 1), None)
        return _finding(found, self.origin)._replace(sheet=self.sheet, row=place[0], column=place[1])


def _mark(stream: BinaryIO, marks: Sequence[SheetMarks], findings: Sequence[Finding], file: NewFile) -> bool:
    return mark_workbook(file, stream, marks, findings, _NAMES)


def _flag(found: Problem, origin: Origin, row: int, column: int) -> Flag:
    # The colour of a header is its own: what is said there is about the whole column, and a note says it.
    level = Level.NONE if found.row == origin.header_row else level_of(found)
    return Flag(row, column, level, sentence_of(found._replace(cell=None)))


def _finding(found: Problem, origin: Origin) -> Finding:
    place = place_of(found)
    whole = f"row {found.row}" if found.row else "the table"
    shown = f"{column_letters(place[1])}{place[0]}" if place else whole
    row, column = place or (found.row, None)
    return Finding(level_of(found), found.code, origin.sheet or "", shown, row, column, found.value, found.message)

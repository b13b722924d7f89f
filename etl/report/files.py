"""The report on disk: each row is handed to the files that are wanted, and they appear together.

This file must never know how rows are counted.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from etl.batch import Batch, Origin
from etl.errors import EtlError
from etl.formats import ReportFormat
from etl.problems import Problem, Severity
from etl.report.annotated import Annotated
from etl.report.folder import LISTINGS, PAGE, PRUNED, RESULTS, ReportFolder
from etl.report.leftovers import Pruned
from etl.report.listing import write_listing
from etl.report.outcome import TO_MEND, Result
from etl.report.rejects import Rejects
from etl.report.results import Results, members_of
from etl.report.summary import Source, Summary
from etl.report.timeline import Timeline
from etl.tables import DoesNotFitError

SENTENCE_LIMIT = 2_000
"""How many characters of error a reject carries; `results.jsonl` has all."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """How the report of a job is written again. `earlier`: the folder of the one before, whose charts the page keeps
    where `close` is given none (None: there is none). `only`: the formats that are written, into the report of this
    job where the folder holds it, whose other files stay (None: the usual formats, all anew).
    """

    earlier: Path | None = None
    only: Collection[ReportFormat] | None = None


class Files:
    """The report on disk."""

    def __init__(
        self,
        folder: Path,
        sources: Sequence[Source],
        flags: Sequence[str],
        job: str | None,
        rewriting: Rewriting,
    ) -> None:
        """`flags`: see `Report`. Raises UsageError where the folder cannot be used."""
        self._flags = flags
        self._earlier = rewriting.earlier
        places = [(source.file, source.sheet) for source in sources]
        self._sources = sources
        self._pruned: Sequence[Mapping[str, object]] = ()
        self._folder = ReportFolder(folder, places, job, rewriting.only)
        self._rejects = Rejects(self._folder, places)
        self._annotated = Annotated(self._folder, sources)
        try:
            self._results = Results(self._folder)
        except EtlError:
            self._folder.discard()
            raise

    def note(self, table: int, origin: Origin, problems: Sequence[Problem]) -> None:
        """Problems of a table as a whole."""
        if self._folder.wants("annotated"):
            self._annotated.note(table, origin, problems)

    def add_lines(
        self, table: int, batch: Batch, results: Sequence[Result], problems: pl.DataFrame, later: Collection[int]
    ) -> None:
        """The lines of rows; those of `later` are told by `add_late_line`."""
        resource, issues = self._sources[table].resource, _issues_of(problems)
        self._results.add(table, batch.origin, resource, results, issues, members_of(batch), later)

    def add_late_line(self, table: int, batch: Batch, result: Result, problems: pl.DataFrame) -> None:
        """The line of a row that was left for later."""
        resource, issues = self._sources[table].resource, _issues_of(problems)
        self._results.add_late(table, batch.origin, resource, result, issues, members_of(batch))

    def add(self, table: int, batch: Batch, results: Sequence[Result], problems: pl.DataFrame) -> None:
        """Rows whose cells are known, for the files that show cells."""
        issues, members = _issues_of(problems), members_of(batch)
        if self._folder.wants("annotated"):
            self._annotated.add(table, batch, results, issues)
        if not self._folder.wants("rejects"):
            return
        errors = {
            result.row: _sentence_of(result, issues.get(result.row, []))
            for result in results
            if result.outcome in TO_MEND
        }
        if batch.members is not None:
            errors = {row: errors[record] for record, rows in members.items() if record in errors for row in rows}
        self._rejects.add(table, batch, errors)

    def add_pruned(self, pruned: Pruned) -> None:
        """What the sources no longer have."""
        self._pruned = pruned.told
        if self._folder.wants("jsonl"):
            self._folder.new_file(PRUNED).write(pruned.lines)

    def complete(self, summary: Summary, timeline: Timeline | None, runs: Mapping[str, str]) -> Summary:
        """All is told: write what comes at the end, and let it appear. Raises StoppedError."""
        self._results.complete(runs)
        notes = (*self._rejects.write(), *self._annotated.write())
        others = {*(self._folder.path / name for name in (RESULTS, PRUNED)), *self._annotated.paths}
        written = set(self._folder.begun) - others
        rejects = tuple(path for path in self._folder.begun if path in written)
        summary = replace(
            summary, folder=self._folder.path, notes=notes, rejects=rejects, annotated=self._annotated.paths
        )
        if self._folder.wants("html"):
            summary = self._with_page(summary, timeline)
        summary = self._with_listings(summary)
        if not self._folder.wants("jsonl"):
            self._folder.drop_file(self._results.file)
        text = json.dumps(summary.to_json(), indent=2, ensure_ascii=False)
        # A file's name may hold bytes that are no text; Python carries them as half surrogate pairs.
        self._folder.summary.write(f"{text}\n".encode("utf-8", "backslashreplace"))
        self._folder.commit()
        return summary

    def _with_listings(self, summary: Summary) -> Summary:
        """The results as tables; where one does not hold them, a note says why."""
        notes, listings = list(summary.notes), []
        for form, name in LISTINGS.items():
            if self._folder.wants(form):
                file = self._folder.new_file(name)
                try:
                    write_listing(file, self._results.file, form, self._pruned)
                    listings.append(file.path)
                except DoesNotFitError as reason:
                    self._folder.drop_file(file)
                    notes.append(f"No {name} was written: {reason}.")
        return replace(summary, notes=tuple(notes), listings=tuple(listings))

    def _with_page(self, summary: Summary, timeline: Timeline | None) -> Summary:
        """The page, as the annotated copy, is an extra: where it cannot be written, a note says why."""
        from etl.report.page import chart_in, chart_of, write_page  # what they need takes a while to load

        file = self._folder.new_file(PAGE)
        try:
            kept = chart_in(self._earlier / PAGE) if self._earlier is not None else None
            chart = kept if timeline is None else chart_of(timeline)
            write_page(file, summary, self._results.file, self._flags, chart, self._pruned)
            file.seal()
        except (EtlError, OSError) as error:
            self._folder.drop_file(file)
            reason = error.message if isinstance(error, EtlError) else str(error)
            return replace(summary, notes=(*summary.notes, f"No {PAGE} was written: {reason.rstrip('.')}."))
        return replace(summary, page=file.path)

    def discard(self) -> None:
        """Take back what was not committed. Never raises."""
        self._rejects.close()
        self._annotated.close()
        self._folder.discard()


def _issues_of(problems: pl.DataFrame) -> dict[int, list[Problem]]:
    issues: dict[int, list[Problem]] = {}
    for found in map(Problem._make, problems.iter_rows()):
        issues.setdefault(found.row, []).append(found)
    return issues


def _sentence_of(result: Result, found: Sequence[Problem]) -> str:
    """Why a row must be mended: its errors, else whatever is known, in one line."""
    errors = [one.message for one in found if one.severity == Severity.ERROR] or [one.message for one in found]
    text = " ".join("; ".join(dict.fromkeys(errors)).split())
    if not text:
        text = f"the API answered {result.http_status}" if result.http_status else "no reason is known"
    # This cell is ours, unlike the others: it must never be taken for a formula.
    text = f"error: {text}" if text[0] in "=+-@" else text
    return text if len(text) <= SENTENCE_LIMIT else f"{text[: SENTENCE_LIMIT - 1]}…"

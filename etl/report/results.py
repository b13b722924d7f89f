"""`results.jsonl`: one line a row, what became of it and why. This file must never know who sent it."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

from etl.batch import RECORD, ROW, Batch, Origin
from etl.errors import EtlError
from etl.problems import Problem
from etl.quoting import show_value
from etl.report.folder import RESULTS, ReportFolder
from etl.report.outcome import Result
from etl.resources import RUNS
from etl.tables import NewFile, json_text, string_text, write_lines


class Results:
    """The file: lines in the order of the rows, also of those whose result is told late."""

    def __init__(self, folder: ReportFolder) -> None:
        """Raises StoppedError, UsageError."""
        self._folder = folder
        self._file = folder.new_file(RESULTS)
        self._late: dict[tuple[int, int], str | None] = {}

    @property
    def file(self) -> NewFile:
        """The file: whole after `complete`."""
        return self._file

    def add(
        self,
        table: int,
        origin: Origin,
        resource: str,
        results: Sequence[Result],
        issues: Mapping[int, Sequence[Problem]],
        members: Mapping[int, Sequence[int]],
        later: Collection[int] = (),
    ) -> None:
        """The lines of rows of one table; those of `later` are told by `add_late`."""
        lines = _lines(origin, resource, results, issues, members)
        for row in later:
            self._late[table, row] = None
        pairs = zip(results, lines, strict=True)
        write_lines(self._file, (f"{_MARK}{table},{one.row}" if one.row in later else line for one, line in pairs))

    def add_late(
        self,
        table: int,
        origin: Origin,
        resource: str,
        result: Result,
        issues: Mapping[int, Sequence[Problem]],
        members: Mapping[int, Sequence[int]],
    ) -> None:
        """The line of a row that was left for later."""
        self._late[table, result.row] = next(iter(_lines(origin, resource, [result], issues, members)))

    def complete(self, runs: Mapping[str, str]) -> None:
        """All is told: every line is put into its place. Raises EtlError (a bug of ours) where one is not there.

        `runs`: the status of each run that was followed, by its id.
        """
        if not self._late and not runs:
            return
        before, self._file = self._file, self._folder.new_file(RESULTS)
        for line in before.lines():
            whole = self._in_place(line) if line.startswith(_MARK.encode()) else line
            self._file.write(_with_status(whole, runs) if runs else whole)
        self._folder.drop_file(before)

    def _in_place(self, mark: bytes) -> bytes:
        table, row = map(int, mark[len(_MARK) :].split(b","))
        line = self._late[table, row]
        if line is None:
            raise EtlError(f"Nobody told what became of row {row} of table {table}.")
        return f"{line}\n".encode("utf-8", "backslashreplace")


_MARK = "later:"
"""No line of JSON begins so."""


def _lines(
    origin: Origin,
    resource: str,
    results: Sequence[Result],
    issues: Mapping[int, Sequence[Problem]],
    members: Mapping[int, Sequence[int]],
) -> Iterator[str]:
    """The lines of rows of one table, in their order; `issues` by row number (product page, "The report folder").

    `members`: the rows of each record that is made of several.
    """
    place = f'{{"file":{string_text(origin.file)},"sheet":{_text_or_null(origin.sheet)},"row":'
    kind = f'"resource":{string_text(resource)},"id":'
    for result in results:
        found = issues.get(result.row)
        told = json_text([_issue(problem) for problem in found]) if found else "[]"
        yield (
            f'{place}{result.row},{_rows(members.get(result.row))}"status":"{result.outcome}",{kind}{_text_or_null(result.resource_id)},'
            f'"attempts":{result.attempts},"http_status":{result.http_status or "null"},'
            f'{_changes(result)}"issues":{told}}}'
        )


def _with_status(line: bytes, runs: Mapping[str, str]) -> bytes:
    """The line of a run that was followed says where it is (product page: `"run": {"status"}`, before the issues)."""
    whole = json.loads(line)
    status = runs.get(whole["id"]) if whole["resource"] == RUNS.name else None
    if status is None:
        return line
    issues = whole.pop("issues")
    text = json_text({**whole, "run": {"status": status}, "issues": issues})
    return f"{text}\n".encode("utf-8", "backslashreplace")


def members_of(batch: Batch) -> dict[int, list[int]]:
    """The rows of each record, by the row number of the first; none where each row is a record."""
    if batch.members is None:
        return {}
    return dict(batch.members.group_by(RECORD, maintain_order=True).agg(ROW).iter_rows())


def _rows(members: Sequence[int] | None) -> str:
    return "" if members is None or len(members) == 1 else f'"rows":{json_text(list(members))},'


def _changes(result: Result) -> str:
    """`"changes":{"prompt":["before","after"]},`, each value as a problem would show it."""
    if not result.changes:
        return ""
    shown = {
        name: [show_value(name, before), show_value(name, json.loads(after))]
        for name, (before, after) in result.changes.items()
    }
    return f'"changes":{json_text(shown)},'


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else string_text(text)


def _issue(problem: Problem) -> dict[str, object]:
    issue = problem._asdict()
    del issue["row"]
    return issue

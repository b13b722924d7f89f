"""`results.jsonl`: one line a row, what became of it and why. This file must never know who sent it."""

from collections.abc import Iterator, Mapping, Sequence

from etl.batch import RECORD, ROW, Batch, Origin
from etl.problems import Problem
from etl.report.outcome import Result
from etl.tables import json_text, string_text


def result_lines(
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
            f'"attempts":{result.attempts},"http_status":{result.http_status or "null"},"issues":{told}}}'
        )


def members_of(batch: Batch) -> dict[int, list[int]]:
    """The rows of each record, by the row number of the first; none where each row is a record."""
    if batch.members is None:
        return {}
    return dict(batch.members.group_by(RECORD, maintain_order=True).agg(ROW).iter_rows())


def _rows(members: Sequence[int] | None) -> str:
    return "" if members is None or len(members) == 1 else f'"rows":{json_text(list(members))},'


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else string_text(text)


def _issue(problem: Problem) -> dict[str, object]:
    issue = problem._asdict()
    del issue["row"]
    return issue

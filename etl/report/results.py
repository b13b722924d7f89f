"""`results.jsonl`: one line a row, what became of it and why. This file must never know who sent it."""

from collections.abc import Iterator, Mapping, Sequence

from etl.batch import Origin
from etl.problems import Problem
from etl.report.outcome import Result
from etl.tables import json_text, string_text


def result_lines(
    origin: Origin, resource: str, results: Sequence[Result], issues: Mapping[int, Sequence[Problem]]
) -> Iterator[str]:
    """The lines of rows of one table, in their order; `issues` by row number (product page, "The report folder")."""
    place = f'{{"file":{string_text(origin.file)},"sheet":{_text_or_null(origin.sheet)},"row":'
    kind = f'"resource":{string_text(resource)},"id":'
    for result in results:
        found = issues.get(result.row)
        told = json_text([_issue(problem) for problem in found]) if found else "[]"
        yield (
            f'{place}{result.row},"status":"{result.outcome}",{kind}{_text_or_null(result.resource_id)},'
            f'"attempts":{result.attempts},"http_status":{result.http_status or "null"},"issues":{told}}}'
        )


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else string_text(text)


def _issue(problem: Problem) -> dict[str, object]:
    issue = problem._asdict()
    del issue["row"]
    return issue

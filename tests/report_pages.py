"""Reports of invented jobs, of any size and with the worst that a cell may hold, for tests that open their page.

It must never know what is tested with them.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Batch, Origin
from etl.errors import EtlError
from etl.problems import Code, Problem, Severity
from etl.report import OF_IMPORT, Kind, Outcome, Report, Requests, Result, Source, Summary, Timeline

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JOB = "20260301-120000-9f3a"
UTF8 = {"encoding": "utf-8", "delimiter": ",", "line_end": "\n"}
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "a\u2028b\u2029c",
    "\u202egnp.exe\u202c",
    "nul \x00 and \x1b[31m",
    "{{ 7*7 }} {% raw %}",
    "<!--<script>",
    "' onmouseover='document.title=\"owned\"",
    "javascript:document.title='owned'",
    "مرحبا",
    "x" * 5_000,
    "\\u003c/script\\u003e",
    "]]></style><svg onload=document.title='owned'>",
)


def missing(row: int) -> Problem:
    words = "input_str is missing; every test case needs it."
    return Problem(row, Severity.ERROR, Code.REQUIRED, "input_str", "Scenario", f"A{row}", None, words)


def refused(row: int, words: str = "it is too long", **more: str | None) -> Problem:
    known = {"field": "expected_output_str", "column": "Expected", "cell": f"B{row}", "value": "refund in 3 days"}
    told = {**known, **more}
    return Problem(
        row, Severity.ERROR, Code.API_REFUSED, told["field"], told["column"], told["cell"], told["value"],
        f"The API refused it (422): {words}",
    )  # fmt: skip


def batch_of(origin: Origin, rows: Sequence[int], issues: Sequence[Problem]) -> Batch:
    cells: dict[str, list[str]] = {column: [f"{column} {row}" for row in rows] for column in origin.columns}
    frame = pl.DataFrame({ROW: rows, **cells}, schema={ROW: pl.Int64, **dict.fromkeys(origin.columns, pl.String)})
    return Batch(origin, frame, frame, problem.frame_of(issues))


def invented_job(folder: Path, count: int, *, stopped: EtlError | None = None, flags: Sequence[str] = ()) -> Summary:
    """Of each hundred rows the first is rejected, the second refused, the third in doubt, the fourth warned of."""
    origin = Origin("cases.csv", None, "csv", ("Scenario", "Expected"), dialect=UTF8, positions=(1, 2))
    timeline, chance = Timeline(), random.Random(1)
    sources = [Source("cases.csv", None, "test-cases", "ab" * 32)]
    with Report(
        folder, job=JOB, command="import", contract="2026-10", sources=sources, outcomes=OF_IMPORT, flags=flags
    ) as report:
        for first in range(2, count + 2, 1000):
            rows = range(first, min(first + 1000, count + 2))
            issues, results = [], []
            for row in rows:
                place = (row - 2) % 100
                if place == 0:
                    issues.append(missing(row))
                    results.append(Result(row, Outcome.REJECTED))
                elif place == 1:
                    results.append(Result(row, Outcome.FAILED, None, 1, 422, (refused(row),)))
                elif place == 2:
                    results.append(Result(row, Outcome.IN_DOUBT, None, 2))
                else:
                    if place == 3:
                        words = "Scenario looks damaged."
                        issues.append(missing(row)._replace(severity=Severity.WARNING, message=words, value="cafÃ©"))
                    results.append(Result(row, Outcome.CREATED, f"tc_{row:08}", 1, 201))
                kind = Kind.REFUSED if place == 1 else Kind.AGAIN if row % 50 == 7 else Kind.STORED
                timeline.add(row * 0.01, chance.lognormvariate(-3, 0.5), kind)
            report.add(batch_of(origin, rows, issues), results)
        return report.close(
            read=count,
            started=START,
            finished=START + timedelta(seconds=count * 0.01),
            requests=Requests(count, 20, 1, {201: count}),
            stopped=stopped,
            timeline=timeline,
        )


def hostile_job(folder: Path) -> Summary:
    """Whatever a page could take for markup, in every place that a user or the API can write into."""
    columns = tuple(f"{text[:40]} {number}" for number, text in enumerate(HOSTILE))
    sheet = "Sh<b>eet\u2028</script>"
    name = "a\"b'<i>&amp; \u202eslx.csv"
    origin = Origin(name, sheet, "csv", columns, dialect=UTF8, positions=tuple(range(1, len(columns) + 1)))
    rows = range(2, 2 + len(HOSTILE))
    results = []
    for number, (row, text) in enumerate(zip(rows, HOSTILE, strict=True)):
        found = refused(row, text, field=text[:30], column=columns[number], cell=f"{sheet}!A{row}", value=text)
        results.append(Result(row, Outcome.FAILED, text[:20], 1, 422, (found,)))
    source = Source(name, sheet, "test-cases", "cd" * 32)
    flags = ("--test-set", "</script>; rm -rf '$HOME'\u202e")
    with Report(
        folder, job=JOB, command="import", contract="2026-10", sources=[source], outcomes=OF_IMPORT, flags=flags
    ) as report:
        report.add(batch_of(origin, rows, []), results)
        return report.close(
            read=len(rows),
            started=START,
            finished=START + timedelta(seconds=2),
            stopped=EtlError("The API said </script><img src=x onerror=\"document.title='owned'\">."),
        )

"""The report accounts for every row once, and its rejects hold exactly the rows to mend, as they were read."""

import csv
import io
import json
import os
import stat
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from etl import problems as problem
from etl.batch import ERROR_COLUMN, LINE_KEY, RAW, ROW, Batch, Origin
from etl.errors import EtlError, ExitCode, KeyRefusedError, StoppedError, UsageError
from etl.problems import Code, Problem, Severity
from etl.report import (
    OF_DRY_RUN,
    OF_IMPORT,
    OF_VALIDATE,
    Outcome,
    ProblemGroups,
    Report,
    Requests,
    Result,
    Source,
    Summary,
)
from etl.report.files import SENTENCE_LIMIT
from etl.report.groups import EXAMPLES, GROUP_LIMIT
from etl.report.names import name_of_file, name_of_table
from etl.report.splice import splice_error

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UTF8 = {"encoding": "utf-8", "delimiter": ",", "line_end": "\n"}
TO_MEND = {Outcome.REJECTED, Outcome.FAILED}

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
characters = st.characters(exclude_categories=["Cs"])
cells = (
    st.none() | st.sampled_from([" a", '"', "a\nb", "\r\n", ",", ";", "=1+1", "007"]) | st.text(characters, min_size=1)
)


def origin_of(file: str, columns: Sequence[str] = ("a", "b"), **facts: object) -> Origin:
    form = Path(file).suffix[1:]
    known = {"sheet": None, "format": form, "columns": tuple(columns), "dialect": UTF8 if form != "xlsx" else {}}
    return Origin(file, **{**known, **facts})


def batch_of(
    origin: Origin,
    rows: Sequence[Sequence[str | None]],
    *,
    first: int = 2,
    raws: Sequence[str | None] | None = None,
    problems: Sequence[Problem] = (),
) -> Batch:
    columns = {name: [row[i] for row in rows] for i, name in enumerate(origin.columns)}
    own = {ROW: range(first, first + len(rows)), **({RAW: raws} if raws else {})}
    source = pl.DataFrame(own | columns, schema=dict.fromkeys([*own, *columns], pl.String) | {ROW: pl.Int64})
    return Batch(origin, source, source, problem.frame_of(problems))


def batch_of_lines(file: str, lines: Sequence[str]) -> Batch:
    return batch_of(origin_of(file, ()), [()] * len(lines), first=1, raws=lines)


def error(row: int, message: str = "it is wrong", **facts: str) -> Problem:
    return wrong(Severity.ERROR, row, message, **facts)


def wrong(severity: Severity, row: int, message: str, **facts: str) -> Problem:
    known = {"code": Code.REQUIRED, "field": None, "column": None, "cell": None, "value": None}
    return Problem(row=row, severity=severity, message=message, **(known | facts))


def results_for(batch: Batch, outcomes: Sequence[Outcome]) -> list[Result]:
    return [Result(row, outcome) for row, outcome in zip(batch.source[ROW], outcomes, strict=True)]


def report_on(folder: Path | None, *sources: Source, outcomes: Sequence[Outcome] = OF_IMPORT) -> Report:
    return Report(folder, job="J1", command="import", contract="2025-10", sources=sources, outcomes=outcomes)


def reject_all(folder: Path, *batches: Batch) -> Summary:
    """A report in which every row of the batches is rejected."""
    sources = dict.fromkeys(Source(batch.origin.file, batch.origin.sheet, "test-cases") for batch in batches)
    with report_on(folder, *sources) as report:
        for batch in batches:
            report.add(batch, results_for(batch, [Outcome.REJECTED] * len(batch)))
        read = sum(len(batch) for batch in batches)
        return report.close(read=read, started=START, finished=START)


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def lines_in(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def csv_in(path: Path, encoding: str = "utf-8", delimiter: str = ",") -> list[list[str]]:
    text = io.StringIO(path.read_bytes().decode(encoding), newline="")
    return list(csv.reader(text, delimiter=delimiter, strict=True))


class TestEveryRowIsAccountedFor:
    @in_one_folder
    @given(batches=st.lists(st.lists(st.sampled_from(OF_IMPORT), max_size=6), max_size=4))
    def test_counts_add_up_results_name_each_row_once_and_rejects_the_bad_ones(
        self, tmp_path: Path, batches: list[list[Outcome]]
    ) -> None:
        origin = origin_of("cases.csv", ["a"])
        outcomes = [outcome for batch in batches for outcome in batch]
        with report_on(tmp_path / "r", Source("cases.csv", None, "test-cases")) as report:
            first = 2
            for batch_outcomes in batches:
                batch = batch_of(origin, [[f"cell {first + n}"] for n in range(len(batch_outcomes))], first=first)
                report.add(batch, results_for(batch, batch_outcomes))
                first += len(batch)
            summary = report.close(read=len(outcomes), started=START, finished=START)
        rows = json.loads((tmp_path / "r" / "summary.json").read_text())["rows"]
        assert rows == summary.rows == {"read": len(outcomes)} | {one: outcomes.count(one) for one in OF_IMPORT}
        assert sum(rows.values()) == 2 * rows["read"]
        told = [(line["row"], line["status"]) for line in lines_in(tmp_path / "r" / "results.jsonl")]
        assert told == [(row, outcome.value) for row, outcome in enumerate(outcomes, 2)]
        bad = [f"cell {row}" for row, outcome in enumerate(outcomes, 2) if outcome in TO_MEND]
        assert (tmp_path / "r" / "rejects.csv").exists() == bool(bad)
        if bad:
            assert [row[0] for row in csv_in(tmp_path / "r" / "rejects.csv")[1:]] == bad

    def test_rows_without_an_outcome_are_a_bug_of_ours_and_nothing_is_left(self, tmp_path: Path) -> None:
        with (
            report_on(tmp_path / "r", Source("a.csv", None, "agents")) as report,
            pytest.raises(EtlError, match="7 rows were read, but 0 have an outcome") as raised,
        ):
            report.close(read=7, started=START, finished=START)
        assert raised.value.exit_code is ExitCode.BUG
        assert list(tmp_path.iterdir()) == []

    def test_results_of_other_rows_a_row_twice_an_unknown_table_or_outcome_are_bugs_of_ours(self) -> None:
        batch = batch_of(origin_of("a.csv"), [["1", "2"], ["3", "4"]])
        report = report_on(None, Source("a.csv", None, "agents"))
        with pytest.raises(EtlError, match="not those of its rows"):
            report.add(batch, [Result(2, Outcome.CREATED)])
        with pytest.raises(EtlError, match="import has no outcome valid"):
            report.add_checked(batch, Outcome.VALID)
        report.add(batch, results_for(batch, [Outcome.CREATED] * 2))
        with pytest.raises(EtlError, match=r"Row 2 of a\.csv came twice or out of order"):
            report.add(batch, results_for(batch, [Outcome.CREATED] * 2))
        with pytest.raises(EtlError, match=r"b\.csv is not among the sources"):
            report.add(batch_of(origin_of("b.csv"), []), [])

    @pytest.mark.parametrize("asked", [True, False])
    @given(data=st.data())
    @in_one_folder
    def test_checked_rows_count_alike_with_and_without_a_folder(
        self, tmp_path: Path, asked: bool, data: st.DataObject
    ) -> None:
        bad = data.draw(st.lists(st.booleans(), min_size=1, max_size=6))
        left_out = data.draw(st.lists(st.booleans(), min_size=len(bad), max_size=len(bad)))
        found = [error(row) for row, is_bad in enumerate(bad, 2) if is_bad]
        batch = batch_of(origin_of("a.csv", ["a"]), [["x"]] * len(bad), problems=found)
        folder = tmp_path / "r" if asked else None
        with report_on(folder, Source("a.csv", None, "agents"), outcomes=OF_VALIDATE) as report:
            report.add_checked(batch, Outcome.VALID, skipped=pl.Series(left_out))
            summary = report.close(read=len(bad), started=START, finished=START)
        rejected = sum(one and not skipped for one, skipped in zip(bad, left_out, strict=True))
        expected = {"read": len(bad), "valid": len(bad) - sum(left_out) - rejected, "rejected": rejected}
        assert summary.rows == (expected | {"skipped": sum(left_out)} if any(left_out) else expected)
        assert sum(group.rows for group in summary.problems) == rejected
        assert summary.exit_code == (ExitCode.PROBLEMS if rejected else ExitCode.DONE)


class TestSummary:
    def test_has_exactly_the_keys_of_the_product_page_in_their_order(self, tmp_path: Path) -> None:
        batch = batch_of(origin_of("a.xlsx", sheet="Cases"), [["1", None]])
        with report_on(tmp_path / "r", Source("a.xlsx", "Cases", "test-cases", "ab" * 32)) as report:
            report.add(batch, [Result(2, Outcome.CREATED, "id", 1, 201)])
            report.close(
                read=1,
                started=START.astimezone(timezone(timedelta(hours=2))),
                finished=START + timedelta(seconds=2, microseconds=345_678),
                requests=Requests(sent=3, retried=2, by_status={503: 1, 201: 1}),
            )
        text = (tmp_path / "r" / "summary.json").read_text()
        assert json.dumps(json.loads(text)) == json.dumps(
            {
                "job": "J1",
                "command": "import",
                "resource": "test-cases",
                "contract": "2025-10",
                "sources": [{"file": "a.xlsx", "sheet": "Cases", "sha256": "ab" * 32, "rows": 1}],
                "rows": {
                    "read": 1,
                    "created": 1,
                    "updated": 0,
                    "unchanged": 0,
                    "rejected": 0,
                    "failed": 0,
                    "skipped": 0,
                    "pending": 0,
                    "in_doubt": 0,
                },
                "requests": {"sent": 3, "retried": 2, "reconciled": 0, "by_status": {"201": 1, "503": 1}},
                "started": "2026-03-01T12:00:00.000Z",
                "finished": "2026-03-01T12:00:02.345Z",
                "elapsed_s": 2.345,
                "rows_per_s": 0.4,
                "exit_code": 0,
                "stopped_because": None,
            }
        )

    def test_counts_by_resource_only_where_there_are_several(self) -> None:
        agents = batch_of(origin_of("a.csv"), [["1", "2"]])
        cases = batch_of(origin_of("b.csv"), [["1", "2"], ["3", "4"]])
        report = report_on(None, Source("a.csv", None, "agents"), Source("b.csv", None, "test-cases"))
        report.add(agents, results_for(agents, [Outcome.CREATED]))
        report.add(cases, results_for(cases, [Outcome.CREATED, Outcome.FAILED]))
        told = report.close(read=3, started=START, finished=START).to_json()
        assert list(told)[:4] == ["job", "command", "resource", "by_resource"]
        assert told["resource"] == "mixed"
        by_resource = told["by_resource"]
        assert isinstance(by_resource, dict)
        assert [(name, counts["read"], counts["failed"]) for name, counts in by_resource.items()] == [
            ("agents", 1, 0),
            ("test-cases", 2, 1),
        ]

    @pytest.mark.parametrize(
        ("outcomes", "good", "keys"),
        [
            (OF_VALIDATE, Outcome.VALID, ["read", "valid", "rejected"]),
            (OF_DRY_RUN, Outcome.WOULD_CREATE, ["read", "would_create", "would_update", "unchanged", "rejected"]),
        ],
    )
    def test_counts_the_outcomes_of_the_command(
        self, outcomes: Sequence[Outcome], good: Outcome, keys: list[str]
    ) -> None:
        report = report_on(None, Source("a.csv", None, "agents"), outcomes=outcomes)
        report.add_checked(batch_of(origin_of("a.csv"), [["1", "2"]]), good)
        summary = report.close(read=1, started=START, finished=START)
        assert list(summary.rows) == keys
        assert summary.rows[good] == 1

    @pytest.mark.parametrize(
        ("outcome", "stopped", "exit_code"),
        [
            (Outcome.CREATED, None, 0),
            (Outcome.SKIPPED, None, 0),
            (Outcome.REJECTED, None, 1),
            (Outcome.FAILED, None, 1),
            (Outcome.IN_DOUBT, None, 1),
            (Outcome.FAILED, StoppedError("The disk is full."), 4),
            (Outcome.PENDING, KeyRefusedError("The API refused the key."), 3),
        ],
    )
    def test_the_exit_code_follows_from_the_rows_and_the_reason_to_stop(
        self, outcome: Outcome, stopped: EtlError | None, exit_code: int
    ) -> None:
        report = report_on(None, Source("a.csv", None, "agents"))
        batch = batch_of(origin_of("a.csv"), [["1", "2"]])
        report.add(batch, results_for(batch, [outcome]))
        told = report.close(read=1, started=START, finished=START, stopped=stopped).to_json()
        assert (told["exit_code"], told["stopped_because"]) == (exit_code, stopped.message if stopped else None)


class TestResults:
    def test_a_line_has_exactly_the_keys_of_the_product_page(self, tmp_path: Path) -> None:
        checked = Problem(4, "warning", "metric_prefix", "f", "b", "Cases!B4", "v", "Found by the checks.")
        sent = Problem(4, "error", "api_refused", None, None, None, None, 'The API says "no" to é.')
        batch = batch_of(origin_of("a.xlsx", sheet="Cases"), [["1", "2"]], first=4, problems=[checked])
        with report_on(tmp_path / "r", Source("a.xlsx", "Cases", "test-cases")) as report:
            report.add(batch, [Result(4, Outcome.FAILED, None, 2, 400, (sent,))])
            report.close(read=1, started=START, finished=START)
        [line] = lines_in(tmp_path / "r" / "results.jsonl")
        assert json.dumps(line) == json.dumps(
            {
                "file": "a.xlsx",
                "sheet": "Cases",
                "row": 4,
                "status": "failed",
                "resource": "test-cases",
                "id": None,
                "attempts": 2,
                "http_status": 400,
                "issues": [
                    {key: value for key, value in one._asdict().items() if key != "row"} for one in (checked, sent)
                ],
            }
        )

    @in_one_folder
    @given(
        file=st.text(st.characters(exclude_characters="\0"), min_size=1),
        resource_id=st.none() | st.text(),
        message=st.text(characters),
    )
    @example(file="\ud800", resource_id=None, message="")
    def test_any_text_makes_one_line_of_json(
        self, tmp_path: Path, file: str, resource_id: str | None, message: str
    ) -> None:
        batch = batch_of(origin_of(file, format="csv"), [["1", "2"]], problems=[error(2, message)])
        with report_on(tmp_path / "r", Source(file, None, "agents")) as report:
            report.add(batch, [Result(2, Outcome.CREATED, resource_id)])
            report.close(read=1, started=START, finished=START)
        [line] = lines_in(tmp_path / "r" / "results.jsonl")
        assert (line["file"], line["id"]) == (file, resource_id)
        assert [issue["message"] for issue in line["issues"]] == [message]

    def test_text_that_is_no_text_harms_nothing(self, tmp_path: Path) -> None:
        half = "\udce9"
        batch = batch_of(origin_of(f"{half}.csv"), [["1", "2"]])
        with report_on(tmp_path / "r", Source(f"{half}.csv", None, "agents")) as report:
            report.add(batch, [Result(2, Outcome.FAILED, half, problems=(error(2, f"The API says {half}"),))])
            report.close(read=1, started=START, finished=START)
        [line] = lines_in(tmp_path / "r" / "results.jsonl")
        assert (line["file"], line["id"]) == (f"{half}.csv", half)
        assert csv_in(tmp_path / "r" / "rejects.csv")[1] == ["1", "2", "The API says ?"]
        assert json.loads((tmp_path / "r" / "summary.json").read_text())["sources"][0]["file"] == f"{half}.csv"


class TestRejectsOfDelimitedText:
    @in_one_folder
    @given(
        rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=4),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        delimiter=st.sampled_from(list(",;\t|")),
        line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    )
    def test_cells_come_back_as_they_were_read_in_the_same_dialect(
        self, tmp_path: Path, rows: list[tuple[str | None, str | None]], encoding: str, delimiter: str, line_end: str
    ) -> None:
        dialect = {"encoding": encoding, "delimiter": delimiter, "line_end": line_end}
        found = [error(row, f"row {row} is wrong") for row in range(2, 2 + len(rows))]
        reject_all(tmp_path / "r", batch_of(origin_of("a.csv", ["x", "y z"], dialect=dialect), rows, problems=found))
        read = csv_in(tmp_path / "r" / "rejects.csv", encoding, delimiter)
        assert read[0] == ["x", "y z", ERROR_COLUMN]
        assert read[1:] == [[x or "", y or "", f"row {row} is wrong"] for row, (x, y) in enumerate(rows, 2)]
        assert (tmp_path / "r" / "rejects.csv").read_bytes().decode(encoding).endswith(line_end)

    def test_ragged_records_stay_as_ragged_as_they_were(self, tmp_path: Path) -> None:
        raws = [None, '["1"]', '["1","2","3, or 4"]']
        batch = batch_of(origin_of("a.csv"), [["1", "2"], ["1", None], ["1", "2"]], raws=raws)
        reject_all(tmp_path / "r", batch)
        assert csv_in(tmp_path / "r" / "rejects.csv") == [
            ["a", "b", ERROR_COLUMN],
            ["1", "2", "no reason is known"],
            ["1", "no reason is known"],
            ["1", "2", "3, or 4", "no reason is known"],
        ]

    def test_columns_without_a_name_keep_their_place_so_that_ragged_records_stay_ragged(self, tmp_path: Path) -> None:
        batch = batch_of(origin_of("a.csv", positions=(1, 3)), [["1", "2"], ["1", None]], raws=[None, '["1",""]'])
        reject_all(tmp_path / "r", batch)
        assert csv_in(tmp_path / "r" / "rejects.csv") == [
            ["a", "", "b", ERROR_COLUMN],
            ["1", "", "2", "no reason is known"],
            ["1", "", "no reason is known"],
        ]

    def test_our_sentence_bends_to_the_encoding_the_cells_never_do(self, tmp_path: Path) -> None:
        dialect = {"encoding": "cp1252", "delimiter": ";", "line_end": "\r\n"}
        origin = origin_of("a.csv", ["a"], dialect=dialect)
        summary = reject_all(tmp_path / "r", batch_of(origin, [["€ é"]], problems=[error(2, "≤ 5; «x»")]))
        assert (summary.rejects, summary.notes) == ((tmp_path / "r" / "rejects.csv",), ())
        assert (tmp_path / "r" / "rejects.csv").read_bytes() == (
            b'a;_coval_etl_error\r\n\x80 \xe9;"? 5; \xabx\xbb"\r\n'
        )
        summary = reject_all(tmp_path / "s", batch_of(origin, [["漢"], ["b"]]))
        assert summary.notes == ("The rejects of a.csv are written as JSON Lines: '漢' cannot be written in cp1252.",)
        assert [line["a"] for line in lines_in(tmp_path / "s" / "rejects.jsonl")] == ["漢", "b"]
        assert "rejects.csv" not in files_in(tmp_path / "s")

    def test_a_ragged_record_is_kept_whole_where_it_must_become_json(self, tmp_path: Path) -> None:
        dialect = UTF8 | {"encoding": "ascii"}
        batch = batch_of(origin_of("a.csv", dialect=dialect), [["é", "2"]], raws=['["é","2","3"]'])
        reject_all(tmp_path / "r", batch)
        [line] = lines_in(tmp_path / "r" / "rejects.jsonl")
        assert line == {ERROR_COLUMN: "no reason is known", LINE_KEY: '["é","2","3"]'}


class TestSentences:
    @pytest.mark.parametrize(
        ("problems", "status", "sentence"),
        [
            ([error(2, "one."), error(2, "two\n  lines"), error(2, "one.")], None, "one.; two lines"),
            ([wrong(Severity.WARNING, 2, "odd"), error(2, "wrong")], None, "wrong"),
            ([wrong(Severity.WARNING, 2, "odd")], None, "odd"),
            ([], 400, "the API answered 400"),
            ([], None, "no reason is known"),
            ([error(2, "=cmd() is unknown")], None, "error: =cmd() is unknown"),
            ([error(2, "x" * 3_000)], None, "x" * (SENTENCE_LIMIT - 1) + "…"),
        ],
    )
    def test_a_reject_says_why(
        self, tmp_path: Path, problems: list[Problem], status: int | None, sentence: str
    ) -> None:
        batch = batch_of(origin_of("a.csv", ["a"]), [["x"]], problems=problems)
        with report_on(tmp_path / "r", Source("a.csv", None, "agents")) as report:
            report.add(batch, [Result(2, Outcome.FAILED, http_status=status)])
            report.close(read=1, started=START, finished=START)
        assert csv_in(tmp_path / "r" / "rejects.csv")[1] == ["x", sentence]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(st.text() | st.sampled_from(["}", '"', "a{", ERROR_COLUMN]), json_values, max_size=4)
blanks = st.text(" \t", max_size=2)


class TestSplice:
    @given(
        json_objects,
        st.text(),
        st.booleans(),
        st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "  :")]),
        blanks,
        blanks,
    )
    def test_changes_nothing_but_our_own_key(
        self, content: dict[str, object], error: str, ascii_only: bool, marks: tuple[str, str], before: str, after: str
    ) -> None:
        text = json.dumps(content, ensure_ascii=ascii_only, separators=marks)
        line = f"{before}{text[:-1]}{after}}}{before}"
        spliced = splice_error(line, error)
        assert json.loads(spliced) == content | {ERROR_COLUMN: error}
        assert list(json.loads(spliced)) == list(content | {ERROR_COLUMN: error})
        if ERROR_COLUMN not in content:
            assert spliced.startswith(f"{before}{text[:-1]}{after}")
            assert spliced.endswith(f"}}{before}")
            assert splice_error(spliced, "another") == splice_error(line, "another")

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "   ",
            "{",
            '{"a"',
            '{"a":',
            '{"a":1',
            '{"a":1,',
            '{"a":1,}',
            '{"a" 1}',
            "{1:2}",
            '{"a":1}}',
            '{"a":1} {"b":2}',
            "[1]",
            "5",
            "null",
            "{'a': 1}",
            '{"a":NaN}',
            '{"a":-Infinity}',
            '{"a":' + "[" * 100_000,
            '{"a":' + '{"a":' * 100_000,
        ],
    )
    def test_a_line_that_is_no_object_is_kept_as_text(self, line: str) -> None:
        assert json.loads(splice_error(line, "é")) == {ERROR_COLUMN: "é", LINE_KEY: line}

    @pytest.mark.parametrize(
        ("line", "spliced"),
        [
            ("{}", '{"_coval_etl_error": "e"}'),
            ("{ }", '{ "_coval_etl_error": "e"}'),
            ('{"a":1.0,"b":1E5}', '{"a":1.0,"b":1E5, "_coval_etl_error": "e"}'),
            ('{"_coval_etl_error" : null,"b":1}', '{"_coval_etl_error" : "e","b":1}'),
            ('{"a":{"_coval_etl_error":1}}', '{"a":{"_coval_etl_error":1}, "_coval_etl_error": "e"}'),
            ('{"\\u005fcoval_etl_error":[1]}', '{"\\u005fcoval_etl_error":"e"}'),
            ('{"a":1,"a":2}', '{"a":1,"a":2, "_coval_etl_error": "e"}'),
            ('{"n":' + "9" * 5_000 + "}", '{"n":' + "9" * 5_000 + ', "_coval_etl_error": "e"}'),
        ],
    )
    def test_known_lines(self, line: str, spliced: str) -> None:
        assert splice_error(line, "e") == spliced


class TestRejectsOfJsonLines:
    def test_are_the_lines_as_they_were_with_the_error_in_them(self, tmp_path: Path) -> None:
        lines = ['{"a": 1.0,  "b": {"c": "}"}}\r', "not json", '{"_coval_etl_error": "old", "a": "é"}']
        reject_all(tmp_path / "r", batch_of_lines("a.jsonl", lines))
        assert (tmp_path / "r" / "rejects.jsonl").read_text().split("\n") == [
            '{"a": 1.0,  "b": {"c": "}"}, "_coval_etl_error": "no reason is known"}',
            '{"_coval_etl_error":"no reason is known","_coval_etl_line":"not json"}',
            '{"_coval_etl_error": "no reason is known", "a": "é"}',
            "",
        ]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
    def test_are_in_the_encoding_of_the_source(self, tmp_path: Path, encoding: str) -> None:
        batch = batch_of(origin_of("a.jsonl", (), dialect={"encoding": encoding}), [()] * 2, raws=['{"a": "é"}', "é"])
        reject_all(tmp_path / "r", batch)
        text = (tmp_path / "r" / "rejects.jsonl").read_bytes().decode(encoding)
        assert [json.loads(line).get("a") for line in text.splitlines()] == ["é", None]


class TestRejectsOfWorkbooks:
    def test_have_the_same_sheets_and_text_that_computes_nothing(self, tmp_path: Path) -> None:
        cases = batch_of(origin_of("a.xlsx", sheet="Cases"), [["=1+1", "007"], ["@x", None]])
        empty = batch_of(origin_of("a.xlsx", sheet="Fine"), [])
        calls = batch_of(origin_of("a.xlsx", ["c"], sheet="Übung"), [["+1"]], first=5)
        reject_all(tmp_path / "r", cases, empty, calls)
        book = openpyxl.load_workbook(tmp_path / "r" / "rejects.xlsx")
        assert book.sheetnames == ["Cases", "Übung"]
        read = {sheet.title: [[cell.value for cell in row] for row in sheet] for sheet in book}
        why = "no reason is known"
        assert read == {
            "Cases": [["a", "b", ERROR_COLUMN], ["=1+1", "007", why], ["@x", None, why]],
            "Übung": [["c", ERROR_COLUMN], ["+1", why]],
        }
        assert {cell.data_type for sheet in book for row in sheet for cell in row if cell.value} == {"s"}

    def test_become_json_lines_where_a_cell_is_too_long_and_say_so(self, tmp_path: Path) -> None:
        batch = batch_of(origin_of("a.xlsx", sheet="Cases"), [["x" * 40_000, None], ["1", "2"]])
        assert reject_all(tmp_path / "r", batch).notes == (
            "The rejects of a.xlsx are written as JSON Lines: sheet Cases has a cell of more than 32,767 characters.",
        )
        assert files_in(tmp_path / "r") == ["rejects.jsonl", "report.html", "results.jsonl", "summary.json"]
        assert lines_in(tmp_path / "r" / "rejects.jsonl") == [
            {"a": "x" * 40_000, ERROR_COLUMN: "no reason is known"},
            {"a": "1", "b": "2", ERROR_COLUMN: "no reason is known"},
        ]

    def test_sheets_that_become_json_lines_do_not_share_a_file(self, tmp_path: Path) -> None:
        long = batch_of(origin_of("my a.xlsx", sheet="Cases"), [["x" * 40_000, None]])
        short = batch_of(origin_of("my a.xlsx", ["c"], sheet="B/C"), [["1"]])
        reject_all(tmp_path / "r", long, short)
        assert [name for name in files_in(tmp_path / "r") if "rejects" in name] == [
            "rejects/1-my a-Cases.jsonl",
            "rejects/2-my a-B_C.jsonl",
        ]


class TestRejectsOfSeveralSources:
    def test_each_file_gets_its_own_in_its_own_format_even_when_tables_take_turns(self, tmp_path: Path) -> None:
        one = batch_of(origin_of("in/a.xlsx", sheet="One"), [["1", "2"]])
        other = batch_of(origin_of("in/b.csv"), [["3", "4"]])
        two = batch_of(origin_of("in/a.xlsx", sheet="Two"), [["5", "6"]])
        more = batch_of(origin_of("in/b.csv"), [["7", "8"]], first=3)
        reject_all(tmp_path / "r", one, other, two, more, batch_of_lines("c.jsonl", ["{}"]))
        assert [name for name in files_in(tmp_path / "r") if "rejects" in name] == [
            "rejects/1-a.xlsx",
            "rejects/2-b.csv",
            "rejects/4-c.jsonl",
        ]
        assert [row[0] for row in csv_in(tmp_path / "r" / "rejects" / "2-b.csv")] == ["a", "3", "7"]

    def test_a_format_that_cannot_be_written_becomes_json_lines(self, tmp_path: Path) -> None:
        summary = reject_all(tmp_path / "r", batch_of(origin_of("a.parquet"), [["1", None]]))
        assert summary.notes == ("The rejects of a.parquet are written as JSON Lines: parquet cannot be written.",)
        assert lines_in(tmp_path / "r" / "rejects.jsonl") == [{"a": "1", ERROR_COLUMN: "no reason is known"}]

    @pytest.mark.parametrize(
        ("file", "name"),
        [
            ("cases.csv", "cases"),
            ("/tmp/x/My cases (2).v2.csv.gz", "My cases (2).v2"),
            (r"C:\data\cases.xlsx", "cases"),
            ("../../etc/passwd", "passwd"),
            ("..", "input"),
            ("-", "-"),
            ("a\x00b\nc\u202e.csv", "a_b_c_"),
            (".hidden.csv", "hidden"),
            ("https://host/x/cases.csv?sig=SECRET#part", "cases"),
            ("https://user:SECRET@host/", "input"),
            ("é" * 200 + ".csv", "é" * 80),
            ("漢" * 200 + ".csv", "漢" * 53),
            ("\udce9.csv", "_"),
        ],
    )
    def test_names_are_harmless(self, file: str, name: str) -> None:
        assert name_of_file([("a", None), (file, None)], file) == f"rejects/2-{name}"

    @given(st.text(), st.text())
    def test_any_name_is_one_short_part_of_a_path(self, file: str, sheet: str) -> None:
        assume(file != "a")
        places = [("a", None), (file, sheet)]
        for name in (name_of_file(places, file), name_of_table(places, 1)):
            folder, _, last = name.partition("/")
            assert folder == "rejects"
            assert last.startswith("2-")
            assert not {"/", "\\", ":", "\0"} & set(last)
            assert last.isprintable()
            assert len(last) <= 82
            assert len(f"{last}.jsonl".encode()) < 200


class TestFolder:
    CASES = origin_of("cases.csv", ["a"])
    SOURCE = Source("cases.csv", None, "test-cases")

    def write(self, folder: Path, *outcomes: Outcome) -> None:
        batch = batch_of(self.CASES, [["x"]] * len(outcomes))
        with report_on(folder, self.SOURCE) as report:
            report.add(batch, results_for(batch, outcomes))
            report.close(read=len(outcomes), started=START, finished=START)

    def test_is_private_as_is_every_file_in_it(self, tmp_path: Path) -> None:
        reject_all(tmp_path / "r", *(batch_of(origin_of(name), [["1", "2"]]) for name in ("a.csv", "b.csv")))
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "r", *(tmp_path / "r").rglob("*")]}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
        assert len(modes) == 7

    def test_shows_nothing_before_it_is_complete(self, tmp_path: Path) -> None:
        batch = batch_of(self.CASES, [["x"]])
        with report_on(tmp_path / "r", self.SOURCE) as report:
            report.add(batch, results_for(batch, [Outcome.REJECTED]))
            assert all(name.startswith(".coval-etl-") for name in files_in(tmp_path / "r"))
        assert list(tmp_path.iterdir()) == []

    def test_a_second_report_replaces_the_first_and_its_rejects(self, tmp_path: Path) -> None:
        self.write(tmp_path / "r", Outcome.REJECTED)
        (tmp_path / "r" / "rejects-mine.csv").write_text("theirs")
        self.write(tmp_path / "r", Outcome.CREATED)
        assert files_in(tmp_path / "r") == ["rejects-mine.csv", "report.html", "results.jsonl", "summary.json"]
        assert lines_in(tmp_path / "r" / "results.jsonl")[0]["status"] == "created"

    def test_a_second_report_removes_what_only_the_first_one_had(self, tmp_path: Path) -> None:
        folder = tmp_path / "r"
        reject_all(folder, *(batch_of(origin_of(name), [["1", "2"]]) for name in ("a.csv", "b.csv")))
        (folder / "rejects" / "1-mine.csv").write_text("theirs")
        self.write(folder, Outcome.REJECTED)
        assert files_in(folder) == ["rejects.csv", "rejects/1-mine.csv", "report.html", "results.jsonl", "summary.json"]

    def test_a_report_that_was_given_up_leaves_the_earlier_one_alone(self, tmp_path: Path) -> None:
        self.write(tmp_path / "r", Outcome.REJECTED)
        before = {name: (tmp_path / "r" / name).read_bytes() for name in files_in(tmp_path / "r")}
        batch = batch_of(self.CASES, [["y"]])
        with report_on(tmp_path / "r", self.SOURCE) as report:
            report.add(batch, results_for(batch, [Outcome.FAILED]))
        assert {name: (tmp_path / "r" / name).read_bytes() for name in files_in(tmp_path / "r")} == before

    def test_what_a_killed_job_left_is_ours_and_is_cleared(self, tmp_path: Path) -> None:
        report = report_on(tmp_path / "r", self.SOURCE)
        assert len(files_in(tmp_path / "r")) == 2
        self.write(tmp_path / "r", Outcome.CREATED)
        assert files_in(tmp_path / "r") == ["report.html", "results.jsonl", "summary.json"]
        report.__exit__(None, None, None)

    def test_an_empty_folder_is_used_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "r").mkdir(mode=0o755)
        self.write(tmp_path / "r", Outcome.CREATED)
        assert files_in(tmp_path / "r") == ["report.html", "results.jsonl", "summary.json"]

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("notes.txt", "theirs"),
            ("results.jsonl", "{}"),
            ("summary.json", "{}"),
            ("summary.json", "not json"),
            ("summary.json", '["job"]'),
            (".coval-etl-other.csv-1.partial", ""),
        ],
    )
    def test_a_folder_with_something_else_is_refused_untouched(self, tmp_path: Path, name: str, content: str) -> None:
        (tmp_path / name).write_text(content)
        with pytest.raises(UsageError, match="holds something else than a report"):
            report_on(tmp_path, self.SOURCE)
        assert (tmp_path / name).read_text() == content
        assert files_in(tmp_path) == [name]

    def test_a_link_to_a_folder_or_a_file_in_its_place_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        (tmp_path / "file").touch()
        for name in ("link", "dangling", "file"):
            with pytest.raises(UsageError, match=f"{name} is not a folder"):
                report_on(tmp_path / name, self.SOURCE)
        assert list((tmp_path / "real").iterdir()) == []

    @pytest.mark.parametrize("name", ["results.jsonl", "rejects"])
    def test_a_link_inside_is_refused_and_never_written_through(self, tmp_path: Path, name: str) -> None:
        self.write(tmp_path / "r", Outcome.CREATED)
        (tmp_path / "r" / name).unlink(missing_ok=True)
        (tmp_path / "r" / name).symlink_to(tmp_path / "target")
        with pytest.raises(UsageError, match=f"{name} is "):
            report_on(tmp_path / "r", self.SOURCE)
        assert not (tmp_path / "target").exists()
        assert not list((tmp_path / "r").glob(".coval-etl-*"))

    def test_a_summary_that_is_a_link_makes_no_folder_ours(self, tmp_path: Path) -> None:
        self.write(tmp_path / "r", Outcome.CREATED)
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / "summary.json").symlink_to(tmp_path / "r" / "summary.json")
        with pytest.raises(UsageError, match="holds something else"):
            report_on(tmp_path / "s", self.SOURCE)

    def test_rejects_that_are_being_read_are_not_replaced(self, tmp_path: Path) -> None:
        self.write(tmp_path / "r", Outcome.REJECTED)
        file = str(tmp_path / "r" / "rejects.csv")
        with pytest.raises(UsageError, match=r"would replace .*rejects\.csv, which is being read"):
            report_on(tmp_path / "r", Source(file, None, "test-cases"))

    def test_rejects_that_somebody_mended_are_not_replaced(self, tmp_path: Path) -> None:
        self.write(tmp_path / "r", Outcome.REJECTED)
        later_s = (tmp_path / "r" / "summary.json").stat().st_mtime + 60
        os.utime(tmp_path / "r" / "rejects.csv", (later_s, later_s))
        with pytest.raises(UsageError, match=r"rejects\.csv was changed since that report was written"):
            report_on(tmp_path / "r", self.SOURCE)

    def test_a_folder_that_cannot_be_made_is_a_usage_error_naming_it(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UsageError, match="file/r cannot be written"):
            report_on(tmp_path / "file" / "r", self.SOURCE)

    def test_no_folder_writes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        batch = batch_of(self.CASES, [["x"]])
        with report_on(None, self.SOURCE) as report:
            report.add(batch, results_for(batch, [Outcome.REJECTED]))
            assert report.counts == {Outcome.REJECTED: 1}
            assert report.close(read=1, started=START, finished=START).folder is None
        assert list(tmp_path.iterdir()) == []


class TestProblemGroups:
    def test_the_same_problem_is_one_group_errors_and_many_rows_first(self) -> None:
        groups = ProblemGroups()
        few = [error(row, f"m{row}", code=Code.TOO_LONG, field="f", cell=f"A{row}", value="v") for row in (2, 2, 3)]
        many = [error(row, code=Code.REQUIRED, field="g", column="G") for row in range(2, 9)]
        odd = [wrong(Severity.WARNING, row, "odd") for row in range(2, 99)]
        groups.add("a.csv", problem.frame_of([*odd, *few]))
        groups.add("a.csv", problem.NONE)
        groups.add("b.csv", problem.frame_of([*many, error(9, "m9", code=Code.TOO_LONG, field="f")]))
        told = groups.worst_first()
        assert [(group.severity, group.code, group.field, group.column, group.rows) for group in told] == [
            ("error", "required", "g", "G", 7),
            ("error", "too_long", "f", None, 3),
            ("warning", "required", None, None, 97),
        ]
        assert [(one.file, one.row, one.cell, one.value, one.message) for one in told[1].examples] == [
            ("a.csv", 2, "A2", "v", "m2"),
            ("a.csv", 2, "A2", "v", "m2"),
            ("a.csv", 3, "A3", "v", "m3"),
        ]

    @settings(deadline=None)
    @given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("fgh")), max_size=8), max_size=4))
    def test_batch_by_batch_counts_as_all_at_once(self, batches: list[list[tuple[int, str]]]) -> None:
        groups = ProblemGroups()
        pairs = []
        for number, batch in enumerate(batches):
            found = [(10 * number + row, field) for row, field in batch]
            groups.add("a.csv", problem.frame_of(error(row, field=field) for row, field in found))
            pairs += found
        expected = Counter(field for _, field in set(pairs))
        assert {group.field: group.rows for group in groups.worst_first()} == expected
        assert all(len(group.examples) <= EXAMPLES for group in groups.worst_first())

    def test_memory_does_not_grow_with_the_names_that_a_file_makes_up(self) -> None:
        groups = ProblemGroups()
        for batch in range(4):
            rows = range(batch * 1_000, batch * 1_000 + 1_000)
            groups.add("a.jsonl", problem.frame_of(error(row, field=f"key {row}") for row in rows))
        told = groups.worst_first()
        assert len(told) == GROUP_LIMIT + 1
        assert (told[0].field, told[0].rows) == (None, 4_000 - GROUP_LIMIT)
        assert sum(group.rows for group in told) == 4_000

    def test_problems_of_a_whole_table_are_grouped_with_those_of_its_rows(self) -> None:
        report = report_on(None, Source("a.csv", None, "agents"))
        report.note(origin_of("a.csv"), [wrong(Severity.WARNING, 1, "not used", code=Code.UNMAPPED_COLUMN)])
        summary = report.close(read=0, started=START, finished=START)
        assert [(group.code, group.rows) for group in summary.problems] == [("unmapped_column", 1)]

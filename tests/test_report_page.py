"""The page says what the counts say, holds what it can, runs nothing but its own script, and stays small."""

import base64
import gzip
import hashlib
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from etl.errors import ExitCode, StoppedError
from etl.report import OF_IMPORT, OF_VALIDATE, Kind, Outcome, Summary, Timeline
from etl.report.page.chosen import ISSUES_SHOWN, LONG_LINE, Rank, choose, shown_line
from etl.report.page.steps import steps_of
from etl.report.page.words import Tone, verdict_of
from etl.report.page.writing import SCRIPTS, STYLES, spoken_share, spoken_time
from etl.report.timeline import INTERVALS
from tests.command import ROOT, SAMPLES, etl
from tests.report_pages import HOSTILE, JOB, hostile_job, invented_job

PAGE = ROOT / "etl" / "report" / "page"


def page_of(summary: Summary) -> str:
    assert summary.page is not None, summary.notes
    return summary.page.read_text(encoding="utf-8")


def rows_in(page: str) -> list[dict[str, object]]:
    packed = re.search(r'<script type="text/plain" id="packed">(.*?)</script>', page, re.DOTALL)
    assert packed is not None
    return [json.loads(line) for line in gzip.decompress(base64.b64decode(packed[1])).splitlines()]


def counted(job: str | None = JOB, stopped: str | None = None, command: str = "import", **rows: int) -> Summary:
    """A summary of so many rows."""
    outcomes = OF_IMPORT if command == "import" else OF_VALIDATE
    counts = {"read": sum(rows.values())} | {outcome.value: rows.get(outcome.value, 0) for outcome in outcomes} | rows
    bad = {"rejected", "failed", "in_doubt"} & rows.keys()
    from tests.report_pages import START

    return Summary(
        job=job, command=command, contract="2026-10", sources=(), source_rows=(), rows=counts, by_resource={},
        requests=None, started=START, finished=START, exit_code=ExitCode.PROBLEMS if bad else ExitCode.DONE,
        stopped_because=stopped, problems=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("summary", "sentence"),
    [
        (counted(created=3), "All 3 rows were created."),
        (counted(created=1), "The only row was created."),
        (counted(created=1200, rejected=40), "1,200 of 1,240 rows were created."),
        (counted(created=1, rejected=1), "1 of 2 rows was created."),
        (counted(created=5, unchanged=7, failed=1), "5 of 13 rows were created, 7 unchanged."),
        (counted(unchanged=7), "All 7 rows are unchanged."),
        (counted(rejected=2, failed=1), "None of 3 rows was created."),
        (counted(failed=2), "All 2 rows failed."),
        (counted(created=2, pending=8, stopped="Ctrl-C."), "Stopped before the end: 2 of 10 rows were created."),
        (counted(None, valid=4, command="validate"), "All 4 rows are valid."),
        (counted(None, valid=4, rejected=1, command="validate"), "4 of 5 rows are valid."),
        (counted(None, would_create=4, rejected=1), "4 of 5 rows would be created."),
        (counted(), "No rows were read."),
    ],
)
def test_the_outcome_is_one_true_sentence(summary: Summary, sentence: str) -> None:
    assert verdict_of(summary).sentence == sentence


def test_what_is_not_well_is_said_beside_it() -> None:
    verdict = verdict_of(counted(created=90, rejected=4, failed=1, in_doubt=2, pending=3, stopped="The disk is full."))
    assert verdict.more[0] == "The disk is full."
    assert "4 rows were rejected by the checks and not sent." in verdict.more
    assert "1 row was refused by the API." in verdict.more
    assert any(words.startswith("2 rows are in doubt") for words in verdict.more)
    assert "3 rows are not stored yet." in verdict.more
    assert verdict.tone is Tone.STOPPED
    assert verdict_of(counted(created=3, rejected=1)).tone is Tone.MIXED
    assert verdict_of(counted(created=3)).tone is Tone.GOOD


def test_a_dry_run_says_that_nothing_was_sent() -> None:
    assert "This was a dry run: nothing was sent." in verdict_of(counted(None, would_create=4)).more


@pytest.mark.parametrize(
    ("part", "said"), [(1, "< 0.1 %"), (9_999, "> 99.9 %"), (10_000, "100 %"), (5_000, "50 %"), (12, "0.1 %")]
)
def test_a_share_is_never_rounded_to_none_or_all(part: int, said: str) -> None:
    assert spoken_share(part, 10_000) == said


def test_time_is_spoken_in_words() -> None:
    assert [spoken_time(s) for s in (0.44, 125, 12_000)] == ["0.4 s", "2 min 5 s", "3 h 20 min"]


def test_the_next_commands_are_those_that_the_outcome_asks_for(tmp_path: Path) -> None:
    def commands(summary: Summary, *flags: str) -> list[str]:
        return [step.command for step in steps_of(summary, flags)]

    assert commands(counted(created=1)) == [f"coval-etl rollback {JOB}"]
    assert commands(counted(pending=1)) == [f"coval-etl resume {JOB}"]
    doubts = commands(counted(in_doubt=1))
    assert doubts[0] == f"coval-etl resume {JOB}"
    assert doubts[1:] == [f"coval-etl resume {JOB} --accept-in-doubt", f"coval-etl resume {JOB} --resend-in-doubt"]
    mended = replace(counted(rejected=1), rejects=(Path("report/rejects.csv"),))
    assert commands(mended, "--test-set", "My cases") == ["coval-etl import report/rejects.csv --test-set 'My cases'"]
    checked = replace(counted(None, command="validate", rejected=1), rejects=(Path("r/rejects.csv"),))
    assert commands(checked) == ["coval-etl validate r/rejects.csv"]


def test_a_page_runs_only_its_own_script_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    page = page_of(invented_job(tmp_path / "r", 300))
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    told = policy[1].replace("&#39;", "'")
    assert told.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in told
    assert "http" not in told
    for kind, policy_name in (("script", "script-src"), ("style", "style-src")):
        for text in re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in told.split(policy_name)[1].split(";")[0]
    assert len(re.findall(r"<script>", page)) == len(SCRIPTS)
    assert len(re.findall(r"<style>", page)) == len(STYLES)
    assert " style=" not in page.split("<body>")[1].split("<script")[0]
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_no_text_of_a_user_is_ever_markup(tmp_path: Path) -> None:
    page = page_of(hostile_job(tmp_path / "r"))
    body = page[page.index("<body>") : page.index('<script type="application/json"')]
    assert "<img" not in body
    assert "<b>no" not in body
    assert "\u202e" not in page
    assert "\u2028" not in page
    assert "\x00" not in page
    facts = page[page.index('id="facts">') :].split("</script>")[0]
    assert "<" not in facts.split(">", 1)[1]
    ids = [row["id"] for row in rows_in(page)]
    assert ids == [text[:20] for text in HOSTILE]


def test_the_page_of_a_small_job_is_small(tmp_path: Path) -> None:
    said = etl(tmp_path, "validate", SAMPLES / "support_calls.xlsx", "--report", "r")
    assert "report.html" in said.err
    assert (tmp_path / "r" / "report.html").stat().st_size < 250_000


def test_the_page_of_a_dry_run_has_the_rows_that_would_be_created(tmp_path: Path) -> None:
    etl(
        tmp_path, "import", SAMPLES / "delivery_cases.csv", "--sandbox", "--test-set", "A", "--create-missing",
        "--dry-run", "--report", "r",
    )  # fmt: skip
    page = (tmp_path / "r" / "report.html").read_text()
    assert "would be created" in page
    assert "This was a dry run: nothing was sent." in page
    assert {row["status"] for row in rows_in(page)} <= {"would_create", "rejected"}


def test_the_page_of_an_import_and_of_its_resumption_knows_the_command_for_the_rejects(tmp_path: Path) -> None:
    etl(
        tmp_path, "import", SAMPLES / "support_calls.xlsx", "--sandbox", "--test-set", "My calls", "--create-missing",
        "--report", "r",
    )  # fmt: skip
    page = (tmp_path / "r" / "report.html").read_text()
    wanted = "coval-etl import r/rejects.xlsx --test-set &#39;My calls&#39; --create-missing --sandbox"
    assert wanted in page
    again = etl(tmp_path, "resume", json.loads((tmp_path / "r" / "summary.json").read_text())["job"])
    assert again.code == 1, again
    assert wanted in (tmp_path / "r" / "report.html").read_text()


def test_a_page_of_an_earlier_report_goes_where_none_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invented_job(tmp_path / "r", 10)

    def full(*_: object) -> None:
        raise StoppedError("No space left.")

    monkeypatch.setattr("etl.report.page.write_page", full)
    summary = invented_job(tmp_path / "r", 10)
    assert summary.page is None
    assert summary.notes[-1] == "No report.html was written: No space left."
    assert not (tmp_path / "r" / "report.html").exists()
    assert (tmp_path / "r" / "summary.json").exists()


def line_of(row: int, status: str, *messages: str, size: int = 1) -> bytes:
    issues = [{"severity": "error", "message": message * size} for message in messages]
    told = {"file": "a", "sheet": None, "row": row, "status": status, "id": None, "issues": issues}
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def test_problems_come_first_and_what_is_left_out_is_counted() -> None:
    lines = [line_of(row, "created") for row in range(50)]
    lines += [line_of(50, "created", "look"), line_of(51, "pending"), line_of(52, "rejected", "bad")]
    lines += [line_of(53, "failed", "bad"), line_of(54, "in_doubt")]
    chosen = choose(lines, most_rows=6)
    whole = b"".join(lines)
    rows = [json.loads(whole[at : at + size])["row"] for at, size in chosen.places]
    assert rows == [52, 53, 54, 51, 50, 0]
    assert chosen.left_out == (0, 0, 0, 49)
    assert choose(lines, most_rows=2).left_out[Rank.PROBLEM] == 1


def test_a_status_in_a_text_is_not_taken_for_the_row_s() -> None:
    line = line_of(1, "created", '"status":"rejected"').replace(b'"file":"a"', b'"file":"\\"status\\":\\"failed\\""')
    assert choose([line]).left_out == (0, 0, 0, 0)
    assert choose([line_of(0, "rejected"), line], most_rows=1).left_out == (0, 0, 1, 0)


def test_long_rows_are_shortened_and_all_of_them_have_a_bound() -> None:
    line = line_of(1, "rejected", *"abcdefghijklmnop", size=20_000)
    short = shown_line(line)
    assert len(short) < LONG_LINE * 2
    row = json.loads(short)
    assert len(row["issues"]) == ISSUES_SHOWN
    assert row["more_issues"] == 16 - ISSUES_SHOWN
    many = [line_of(row, "rejected", "x" * 1_000) for row in range(100)]
    assert len(choose(many, most_bytes=20_000).places) < 20


def test_what_the_page_leaves_out_is_said_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.report.page.chosen.choose.__defaults__", (50, 1 << 20), raising=False)
    page = page_of(invented_job(tmp_path / "r", 1_000))
    assert "This page holds 50 of 1,000 rows: all with problems, and the first of the others." in page
    assert len(rows_in(page)) == 50


def test_a_timeline_s_memory_does_not_grow_and_nothing_is_lost() -> None:
    timeline = Timeline()
    for number in range(20_000):
        timeline.add(number * 7.0, 0.05, Kind.STORED if number % 4 else Kind.AGAIN)
    counts = timeline.counts(Kind.STORED)
    assert len(counts) <= INTERVALS
    assert sum(counts) == 15_000
    assert sum(timeline.counts(Kind.AGAIN)) == 5_000
    assert timeline.width_s * len(counts) == pytest.approx(140_000, rel=0.02)


@pytest.mark.parametrize("seconds", [0.0006, 0.003, 0.05, 1.0, 29.0, 100.0])
def test_a_percentile_is_near_what_was_measured(seconds: float) -> None:
    timeline = Timeline()
    for number in range(100):
        timeline.add(1.0, seconds if number < 95 else seconds * 1.5, Kind.STORED)
    whole = timeline.whole()
    assert whole is not None
    assert whole.p50_s == pytest.approx(seconds, rel=0.06)
    assert whole.p99_s >= whole.p90_s >= whole.p50_s


def test_what_is_copied_into_the_page_is_what_was_published() -> None:
    known = tomllib.loads((PAGE / "vendor" / "vendor.toml").read_text())
    files = {name: digest for library in known.values() for name, digest in library["files"].items()}
    there = {path.name for path in (PAGE / "vendor").iterdir()} - {"vendor.toml"}
    assert there == files.keys()
    for name, digest in files.items():
        assert hashlib.sha256((PAGE / "vendor" / name).read_bytes()).hexdigest() == digest, name
    assert all(library["licence"] and library["version"] for library in known.values())


def test_the_licence_of_what_is_copied_is_in_the_page(tmp_path: Path) -> None:
    assert "Copyright (c) 2022 Leon Sorokin" in page_of(invented_job(tmp_path / "r", 10))


def test_every_file_of_the_page_is_small_enough_to_read() -> None:
    for path in PAGE.iterdir():
        if path.is_file():
            assert len(path.read_text().splitlines()) <= 400, path.name
            assert path.suffix != ".js" or "</script" not in path.read_text()


def test_every_outcome_has_words_and_a_colour() -> None:
    from etl.report.page.words import SPOKEN

    css = (PAGE / "page.css").read_text()
    assert set(SPOKEN) == set(Outcome)
    assert all(f".is-{outcome.value} " in css for outcome in Outcome)

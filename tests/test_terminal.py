"""What a person sees while a job runs, how wide their terminal ever is; what a log and a program get instead."""

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from etl.api import Waiting
from etl.cli.bar import LiveLines
from etl.importing import Progress
from tests.command import ROOT, etl
from tests.crooked_api import SILENT, WELL
from tests.forking import Forker
from tests.quick_command import Home, at_home, forker, refused, texts
from tests.terminals import at_terminal

__all__ = ["forker"]

NOW = Progress(
    rows=2_000_000,
    settled=1_234_567,
    created=1_234_500,
    bad=67,
    in_flight=16,
    retried=12,
    in_doubt=3,
    looks_in_s=42.0,
    waiting=Waiting("the API asked for a pause [so it said]", 30.0),
)


def drawn(progress: Progress, columns: int) -> list[str]:
    lines = LiveLines()
    lines.show(progress)
    out = io.StringIO()
    Console(file=out, width=columns, color_system=None, soft_wrap=True).print(lines)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("columns", [20, 40, 80, 120, 200])
def test_all_is_shown_at_any_width(columns: int) -> None:
    lines = drawn(NOW, columns)
    assert max(map(len, lines)) <= columns
    words = " ".join(" ".join(lines).replace("━", "").split())
    for fact in (
        "1,234,567 of 2,000,000 rows",
        "67 bad",
        "rows/s",
        "16 in flight",
        "12 sent again",
        "3 in doubt",
        "30 s",
    ):
        assert fact in words, words
    assert "[so it said]" in words


def test_where_the_number_of_rows_is_not_known_none_is_made_up() -> None:
    (line,) = drawn(Progress(rows=None, settled=5, created=5, bad=0, in_flight=1, retried=0), 100)
    assert "5 rows, 5 created, 0 bad" in line
    assert "left" not in line


async def test_a_log_gets_plain_lines(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(30))
        child = await home.start(*home.importing("cases.csv"), constants={"etl.cli.bar:PLAIN_EVERY_S": 0.0})
        ended = await child.wait()
    lines = [line for line in ended.err.splitlines() if line.startswith("Sending  ")]
    assert lines
    assert all(" rows" in line and "rows/s" in line and "in flight" in line for line in lines)
    assert "\x1b" not in ended.err


def own(home: Home) -> dict[str, str]:
    return home.environment | {"TERM": "xterm", "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}


async def test_a_person_sees_how_far_it_is_and_can_stop_it(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", ["caller 1", "caller 2", "silence"])
        home.api.fate = lambda body, _times: SILENT if body["input_str"] == "silence" else WELL
        command = [sys.executable, "-P", "-m", "etl", *home.importing("cases.csv")]

        def watch() -> tuple[str, int]:
            with at_terminal(command, tmp_path, own(home), columns=40) as terminal:
                terminal.wait_for("of 3 rows")
                terminal.wait_for("1 in flight")
                terminal.type("\x03")
                terminal.wait_for("Stopped: ")
                code = terminal.wait()
                return terminal.text, code

        shown, code = await asyncio.to_thread(watch)
    assert code == 4
    assert "coval-etl resume" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(("answer", "code", "rows"), [("y\n", 0, 3), ("n\n", 4, 1), ("\x03", 4, 1)])
async def test_nothing_is_drawn_over_a_question(
    answer: str, code: int, rows: int, forker: Forker, tmp_path: Path
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", ["caller 1", "caller 2", "caller 3"])
        command = [sys.executable, "-P", "-m", "etl", *home.importing("cases.csv", "--canary", "1")]

        def watch() -> tuple[bool, str, int]:
            with at_terminal(command, tmp_path, own(home)) as terminal:
                terminal.wait_for("Send the others? [y/N]: ")
                quiet = terminal.is_quiet(0.6)
                terminal.type(answer)
                code = terminal.wait()
                return quiet, terminal.text, code

        quiet, shown, ended = await asyncio.to_thread(watch)
        stored = len(home.api.posts)
    assert quiet, shown
    assert (ended, stored) == (code, rows), shown
    assert "Traceback" not in shown
    assert ("coval-etl resume" in shown) is (code == 4)


@pytest.mark.parametrize(
    ("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(tmp_path: Path, more: dict[str, str], coloured: bool) -> None:
    (tmp_path / "c.csv").write_text("input_str,input_type\nhello,NOISE\n")
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "etl", "validate", "c.csv", "--test-set", "abc12345"]
    with at_terminal(command, tmp_path, environment | more) as terminal:
        assert terminal.wait() == 1
    assert ("\x1b[31m" in terminal.shown) is coloured


async def test_verbose_says_each_request_with_the_apis_name_for_it(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(3))
        said = await home.etl(*home.importing("cases.csv", "-v", "--json"))
        quiet = await home.etl(*home.importing("cases.csv", "--again", "--quiet"))
    assert said.code == 0
    lines = [line for line in said.err.splitlines() if line.startswith("POST ")]
    assert len(lines) == 3
    assert all("/test-cases" in line and " 201, request " in line for line in lines)
    assert said.json["rows"]["created"] == 3
    assert quiet.err == ""


ONE_DOCUMENT = [
    ("inspect", "cases.csv"),
    ("validate", "cases.csv"),
    ("validate", "none.csv"),
    ("import", "cases.csv", "--sandbox", "--test-set", "x", "--create-missing"),
    ("import", "cases.csv", "--sandbox", "--test-set", "x", "--create-missing", "--dry-run"),
    ("import", "cases.csv"),
    ("resume",),
    ("resume", "1234"),
    ("jobs",),
    ("jobs", "prune"),
    ("rollback", "1234"),
    ("mappings", "list"),
    ("mappings", "show", "agents"),
    ("mappings", "show", "agnts"),
    ("mappings", "check", "agents"),
    ("doctor", "--base-url", "http://127.0.0.1:1"),
    ("doctor", "--bse-url", "http://127.0.0.1:1"),
    ("frobnicate",),
]


@pytest.mark.parametrize("arguments", ONE_DOCUMENT, ids=" ".join)
async def test_with_json_stdout_is_one_document_whatever_happens(
    forker: Forker, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(3))
        said = await home.etl(*arguments, "--json", COVAL_API_KEY="", COVAL_BASE_URL="")
    document = json.loads(said.out)
    if "error" in document:
        assert set(document["error"]) == {"code", "message", "hint"}
        assert document["exit_code"] == said.code != 0


async def test_a_rollback_that_is_only_looked_at_gives_a_document_too(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(3))
        assert (await home.etl(*home.importing("cases.csv"))).code == 0
        (job,) = await home.jobs()
        said = await home.etl("rollback", job["job"], "--dry-run", "--json")
        assert said.json == {"job": job["job"], "would_delete": {"test-cases": 3}, "would_restore": {}}
        wrong = job["job"][:-1] + ("0" if job["job"][-1] != "0" else "1")
        refused(await home.etl("rollback", wrong), f"Did you mean {job['job']}?")


def test_a_wrong_name_gets_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("input_str,Status\nhello,x\n")
    for arguments, meant in {
        ("validate", "c.csv", "--resource", "agnts"): "Did you mean agents?",
        ("validate", "c.csv", "--resorce", "agents"): "--resource",
        ("validate", "c.csv", "--where", "Staus = 'x'"): "Status",
        ("validate", "c.csv", "--mapping", "test-case"): "did you mean test-cases?",
        ("validate", "c.csv", "--set", "inptu_str=x"): "did you mean input_str?",
        ("mappings", "lst"): "list",
        ("imprt",): "Did you mean import?",
    }.items():
        said = etl(tmp_path, *arguments)
        assert said.code == 2
        assert meant in said.err, (arguments, said.err)


def test_what_stands_in_a_name_is_no_markup(tmp_path: Path) -> None:
    (tmp_path / "a[red]b.csv").write_text("input_str\nhello\n")
    said = etl(tmp_path, "validate", "a[red]b.csv", "--test-set", "abc12345")
    assert "a[red]b.csv" in said.err

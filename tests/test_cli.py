"""The command line: what is typed, what is said, how it ends. Bad input gets one clear sentence and its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.command import ROOT, SAMPLES, Said, etl

CASES = "input_str,expected_behaviors\nWhere is my parcel?,Names the day\nCancel my order,Confirms\n"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    file = tmp_path / "cases.csv"
    file.write_text(CASES)
    return file


def test_the_version_is_said() -> None:
    said = etl(ROOT, "--version")
    assert (said.code, said.out) == (0, f"coval-etl {version()}\n")


def version() -> str:
    found = re.search(r'__version__ = "(.+)"', (ROOT / "etl" / "version.py").read_text())
    assert found is not None
    return found[1]


def test_the_help_teaches_a_first_walk(tmp_path: Path) -> None:
    said = etl(tmp_path, "--help")
    assert said.code == 0
    for word in ("validate", "preview", "import", "sandbox", "mappings", "--test-set", "COVAL_API_KEY", "rejects"):
        assert word in said.out


@pytest.mark.parametrize("command", ["import", "validate", "preview", "sandbox", "mappings"])
def test_every_command_has_its_help(tmp_path: Path, command: str) -> None:
    said = etl(tmp_path, command, "--help")
    assert said.code == 0
    assert "Usage" in said.out


def refused(said: Said, code: int, *words: str) -> None:
    """One sentence on stderr, no traceback, the right code."""
    assert said.code == code, said.err
    assert "Traceback" not in said.err + said.out
    assert said.err.startswith("Error: ") or "\nError: " in said.err
    for word in words:
        assert word in said.err, said.err


@pytest.mark.parametrize("command", ["import", "validate", "preview"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, cases: Path, command: str) -> None:
    sandbox = ["--sandbox", "--test-set", "x", "--create-missing"] if command == "import" else []
    refused(etl(tmp_path, command, "case.csv", *sandbox), 2, "case.csv", "cases.csv")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    refused(etl(tmp_path, "validate", "empty.csv"), 2, "empty.csv")


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    refused(etl(tmp_path, "validate", "picture.png"), 2, "picture.png")


def test_a_mapping_with_a_typo_is_refused_with_file_and_line(tmp_path: Path, cases: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nname: mine\nresource: test-cases\nfields:\n  input_str:\n    form: Input\n"
    )
    refused(etl(tmp_path, "validate", cases, "--mapping", "mine.yaml"), 2, "mine.yaml:6", "from")


def test_a_mapping_that_does_not_exist_is_refused(tmp_path: Path, cases: Path) -> None:
    refused(etl(tmp_path, "validate", cases, "--mapping", "test-case"), 2, "test-case", "test-cases")


def test_columns_that_no_mapping_fits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,warehouse,quantity\n1,Berlin,5\n2,Rome,6\n")
    refused(etl(tmp_path, "validate", "stock.csv"), 2, "stock.csv", "--mapping")


def test_an_api_that_cannot_be_reached_is_said(tmp_path: Path, cases: Path) -> None:
    said = etl(
        tmp_path, "import", cases, "--test-set", "abc12345", "--base-url", "http://127.0.0.1:1/v1", COVAL_API_KEY="k"
    )
    refused(said, 5, "No connection")


def test_without_a_key_nothing_is_tried(tmp_path: Path, cases: Path) -> None:
    refused(etl(tmp_path, "import", cases, "--test-set", "abc12345"), 2, "COVAL_API_KEY", "--sandbox")


def test_a_refused_key_is_said_and_shown_nowhere(tmp_path: Path, cases: Path) -> None:
    with running_sandbox_process(tmp_path) as (url, _):
        said = etl(tmp_path, "import", cases, "--test-set", "abc12345", "--base-url", url, COVAL_API_KEY="canary-4711")
    refused(said, 3, "key")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"canary-4711" not in written + said.out.encode() + said.err.encode()


def test_test_cases_without_a_test_set_are_refused_by_import(tmp_path: Path, cases: Path) -> None:
    refused(etl(tmp_path, "import", cases, "--sandbox"), 2, "test set", "--test-set")


def test_a_test_set_that_does_not_exist_is_refused_unless_it_may_be_created(tmp_path: Path, cases: Path) -> None:
    refused(etl(tmp_path, "import", cases, "--sandbox", "--test-set", "Nope"), 2, "Nope", "--create-missing")
    assert etl(tmp_path, "import", cases, "--sandbox", "--test-set", "Nope", "--create-missing").code == 0
    assert etl(tmp_path, "import", cases, "--sandbox", "--test-set", "Nope", "--again").code == 0


def test_sandbox_and_base_url_exclude_each_other(tmp_path: Path, cases: Path) -> None:
    refused(
        etl(tmp_path, "import", cases, "--sandbox", "--base-url", "https://x/v1", "--test-set", "x"), 2, "--base-url"
    )


def test_an_unknown_command_gets_the_nearest(tmp_path: Path) -> None:
    refused(etl(tmp_path, "imprt"), 2, "Did you mean import?")


def test_an_unknown_option_is_bad_usage(tmp_path: Path, cases: Path) -> None:
    refused(etl(tmp_path, "validate", cases, "--resorce", "agents"), 2, "--resorce")


def test_runs_are_not_launched_without_a_yes(tmp_path: Path) -> None:
    with running_sandbox_process(tmp_path) as (url, key):
        said = etl(tmp_path, "import", SAMPLES / "runs.jsonl", "--base-url", url, COVAL_API_KEY=key)
    refused(said, 2, "--yes")


def test_json_gives_one_document_also_when_it_fails(tmp_path: Path, cases: Path) -> None:
    good = etl(tmp_path, "validate", cases, "--json")
    assert good.json["rows"] == {"read": 2, "valid": 2, "rejected": 0}
    bad = etl(tmp_path, "validate", "none.csv", "--json")
    assert set(bad.json) == {"error", "exit_code"}
    assert set(bad.json["error"]) == {"code", "message", "hint"}
    assert bad.json["exit_code"] == bad.code == 2


def test_quiet_says_nothing_when_all_is_well(tmp_path: Path, cases: Path) -> None:
    said = etl(tmp_path, "validate", cases, "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_preview_shows_the_bodies_as_json_lines(tmp_path: Path, cases: Path) -> None:
    said = etl(tmp_path, "preview", cases, "--test-set", "abc12345")
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {"input_str": "Where is my parcel?", "expected_behaviors": ["Names the day"], "test_set_id": "abc12345"},
        {"input_str": "Cancel my order", "expected_behaviors": ["Confirms"], "test_set_id": "abc12345"},
    ]
    raw = etl(tmp_path, "preview", cases, "--raw", "--limit", 1)
    assert json.loads(raw.out) == {"_row": 2, "input_str": "Where is my parcel?", "expected_behaviors": "Names the day"}


def test_the_name_of_a_test_set_does_not_spoil_what_is_checked_here(tmp_path: Path, cases: Path) -> None:
    assert etl(tmp_path, "validate", cases, "--test-set", "Support calls", "--json").json["rows"]["valid"] == 2


def test_preview_shows_ten_rows_unless_told(tmp_path: Path) -> None:
    (tmp_path / "many.csv").write_text("input_str\n" + "".join(f"call {n}\n" for n in range(25)))
    assert len(etl(tmp_path, "preview", "many.csv").out.splitlines()) == 10
    assert len(etl(tmp_path, "preview", "many.csv", "--limit", 3).out.splitlines()) == 3
    assert len(etl(tmp_path, "preview", "many.csv", "--all").out.splitlines()) == 25


def test_rows_come_from_standard_input(tmp_path: Path) -> None:
    said = etl(tmp_path, "validate", "-", "--format", "csv", "--json", stdin=CASES.encode())
    assert said.json["rows"]["valid"] == 2


def test_mappings_are_listed(tmp_path: Path) -> None:
    said = etl(tmp_path, "mappings", "list", "--json")
    assert {entry["resource"] for entry in said.json} == {
        "test-cases",
        "test-sets",
        "agents",
        "personas",
        "run-templates",
        "runs",
    }


def test_a_dry_run_sends_nothing_and_says_what_it_would_do(tmp_path: Path, cases: Path) -> None:
    said = etl(tmp_path, "import", cases, "--sandbox", "--test-set", "New", "--create-missing", "--dry-run", "--json")
    assert said.json["rows"]["would_create"] == 2
    assert said.json["requests"]["sent"] == 0
    refused(etl(tmp_path, "import", cases, "--sandbox", "--test-set", "New"), 2, "New")


def test_all_or_nothing_sends_nothing_when_a_row_is_bad(tmp_path: Path) -> None:
    (tmp_path / "mixed.csv").write_text("input_str,input_type\ngood,SCENARIO\nbad,NOISE\n")
    said = etl(
        tmp_path,
        "import",
        "mixed.csv",
        "--sandbox",
        "--test-set",
        "x",
        "--create-missing",
        "--all-or-nothing",
        "--json",
    )
    assert said.code == 1
    assert (said.json["rows"]["skipped"], said.json["rows"]["rejected"]) == (1, 1)
    assert said.json["requests"]["sent"] == 0


def test_where_and_limit_leave_rows_out_on_purpose(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(
        "input_str,Status\n" + "".join(f"call {n},{'Ready' if n % 2 else 'Draft'}\n" for n in range(10))
    )
    said = etl(tmp_path, "validate", "c.csv", "--where", "Status = 'Ready'", "--limit", 3, "--json")
    assert said.json["rows"] == {"read": 10, "valid": 3, "rejected": 0, "skipped": 7}


def test_a_first_try_with_a_limit_is_carried_on_by_the_whole(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("input_str\n" + "".join(f"call {n}\n" for n in range(10)))
    command = ("import", "c.csv", "--sandbox", "--test-set", "Calls", "--create-missing", "--json")
    assert etl(tmp_path, *command, "--limit", 3).json["rows"]["created"] == 3
    rows = etl(tmp_path, *command).json["rows"]
    assert (rows["created"], rows["unchanged"]) == (7, 3)


def test_files_are_known_again_in_any_order(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text("input_str\n" + "".join(f"{name} {n}\n" for n in range(4)))
    target = ("--sandbox", "--test-set", "Calls", "--create-missing", "--json")
    assert etl(tmp_path, "import", "one.csv", "two.csv", *target).json["rows"]["created"] == 8
    assert etl(tmp_path, "import", "two.csv", "one.csv", *target).json["rows"]["unchanged"] == 8
    assert etl(tmp_path, "import", "one.csv", *target).json["rows"]["unchanged"] == 4


def test_rows_that_the_api_no_longer_has_are_created_again(tmp_path: Path) -> None:
    command = ("import", SAMPLES / "agents.jsonl", "--sandbox", "--json")
    assert etl(tmp_path, *command).json["rows"]["created"] == 5
    for data in (tmp_path / "state" / "coval-etl").glob("sandbox.db*"):
        data.unlink()
    assert etl(tmp_path, *command).json["rows"]["created"] == 5
    assert etl(tmp_path, *command).json["rows"]["unchanged"] == 5


def test_a_report_folder_that_cannot_be_used_is_refused_before_anything_is_made(tmp_path: Path, cases: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "theirs.txt").write_text("theirs")
    command = ("import", cases, "--sandbox", "--test-set", "New")
    refused(etl(tmp_path, *command, "--create-missing", "--report", "taken"), 2, "taken")
    refused(etl(tmp_path, *command), 2, "no test set")


def test_an_answer_that_nobody_reads_changes_nothing(tmp_path: Path, cases: Path) -> None:
    command = f"{sys.executable} -m etl import {cases} --sandbox --test-set x --create-missing --json"
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "PATH": os.defpath}
    for sink, code in (("| true", 0), ("> /dev/full", 4), (">&-", 4)):
        script = f"{command} --again {sink}; echo code ${{PIPESTATUS[0]}} >&2"
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        assert f"code {code}" in done.stderr, (sink, done.stderr)


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--max-errors", "0.5"), ("--max-errors", "101%"), ("--workspace", "a\r\nX-Y: 1"), ("--ledger", ".")],
)
def test_a_flag_that_cannot_be_is_bad_usage(tmp_path: Path, cases: Path, flag: str, value: str) -> None:
    command = ("import", cases, "--base-url", "http://127.0.0.1:1/v1", "--test-set", "abc12345", flag, value)
    if flag == "--ledger":
        command = ("import", cases, "--sandbox", "--test-set", "x", "--create-missing", flag, value)
    refused(etl(tmp_path, *command, COVAL_API_KEY="k"), 2)


def test_the_base_url_of_the_environment_does_not_stand_in_the_way_of_a_rehearsal(tmp_path: Path, cases: Path) -> None:
    command = ("import", cases, "--sandbox", "--test-set", "x", "--create-missing")
    assert etl(tmp_path, *command, COVAL_BASE_URL="https://api.coval.dev/v1").code == 0


def test_max_errors_stops_before_anything_is_sent_when_the_check_has_found_too_many(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("input_str,input_type\n" + "a,NOISE\n" * 3 + "b,SCENARIO\n" * 7)
    command = ("import", "c.csv", "--sandbox", "--test-set", "x", "--create-missing", "--json")
    said = etl(tmp_path, *command, "--max-errors", "20%")
    assert said.code == 4
    assert (said.json["requests"]["sent"], said.json["rows"]["pending"]) == (0, 7)
    assert etl(tmp_path, *command, "--max-errors", "30%").code == 1


def test_validate_says_once_that_import_needs_a_test_set(tmp_path: Path, cases: Path) -> None:
    assert etl(tmp_path, "validate", cases).err.count("No test set is given") == 1
    assert "No test set" not in etl(tmp_path, "validate", cases, "--test-set", "abc12345").err


def test_typed_again_the_rows_that_were_created_are_left_alone(tmp_path: Path, cases: Path) -> None:
    command = ("import", cases, "--sandbox", "--test-set", "Calls", "--create-missing", "--json")
    first, second, third = (etl(tmp_path, *command) for _ in range(3))
    assert first.json["rows"]["created"] == 2
    for later in (second, third):
        assert later.json["rows"]["unchanged"] == 2
        assert later.json["requests"]["sent"] == 0
    assert etl(tmp_path, *command, "--again").json["rows"]["created"] == 2


def test_mended_rejects_are_imported_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("Input;Type\nWhere is it?;Scenario\nCancel it;Skript\n;Scenario\n")
    target = ("--sandbox", "--test-set", "Calls", "--create-missing", "--json")
    first = etl(tmp_path, "import", "c.csv", *target, "--report", "one")
    assert (first.json["rows"]["created"], first.json["rows"]["rejected"]) == (1, 2)
    rejects = tmp_path / "one" / "rejects.csv"
    rejects.write_text(rejects.read_text().replace("Skript", "Scenario").replace("\n;", "\nI want a refund;"))
    second = etl(tmp_path, "import", rejects, *target, "--report", "two")
    assert (second.json["rows"]["created"], second.json["rows"]["rejected"]) == (2, 0)


def test_a_workbooks_rejects_are_a_workbook(tmp_path: Path) -> None:
    said = etl(
        tmp_path,
        *("import", SAMPLES / "support_calls.xlsx", "--sandbox", "--test-set", "x", "--create-missing"),
        *("--report", "r", "--json"),
    )
    book = load_workbook(tmp_path / "r" / "rejects.xlsx")
    rows = sum(sheet.max_row - 1 for sheet in book)
    assert rows == said.json["rows"]["rejected"]
    assert {sheet.cell(1, sheet.max_column).value for sheet in book} == {"_coval_etl_error"}


class running_sandbox_process:  # noqa: N801  (used as a function: `with running_sandbox_process(...) as (url, key)`)
    """`coval-etl sandbox` in a process of its own."""

    def __init__(self, folder: Path, *more: str) -> None:
        self._command = [sys.executable, "-m", "etl", "sandbox", *more]
        self._folder = folder

    def __enter__(self) -> tuple[str, str]:
        environment = {"HOME": str(self._folder), "PATH": os.defpath}
        self._process = subprocess.Popen(
            self._command, cwd=self._folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline())
        return said["base_url"], said["api_key"]

    def __exit__(self, *_error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)

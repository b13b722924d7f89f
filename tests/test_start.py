"""Start-up: what is asked for often loads little. Nothing here is timed: what is loaded is counted."""

import subprocess
import sys
from pathlib import Path

import pytest

from etl.cli.entry import COMMANDS
from etl.resources import RESOURCE_NAMES, RESOURCES
from tests.command import ROOT

HEAVY = {
    "polars",
    "pydantic",
    "aiohttp",
    "sqlalchemy",
    "openpyxl",
    "rapidfuzz",
    "sqlglot",
    "ruamel",
    "asyncio",
    "xlsxwriter",
    "alembic",
    "jinja2",
    "yaml",
    "python_calamine",
    "opentelemetry",
}


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    code = (
        "import sys\n"
        "from etl.cli import main\n"
        f"sys.argv = ['coval-etl', *{list(arguments)!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "sys.stderr.write(' '.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout
    return set(done.stderr.split())


def test_the_version_is_said_without_loading_the_command_line() -> None:
    loaded = loaded_by("--version")
    assert {name for name in loaded if name.startswith("etl")} == {"etl", "etl.cli", "etl.version"}
    assert loaded.isdisjoint({"click", "rich", *HEAVY})
    empty = subprocess.run(
        [sys.executable, "-c", "import sys; print(len(sys.modules))"], capture_output=True, text=True, check=True
    )
    assert len(loaded) < int(empty.stdout) + 40


def test_the_help_loads_no_command() -> None:
    loaded = loaded_by("--help")
    assert loaded.isdisjoint(HEAVY)
    assert {name for name in loaded if name.startswith("etl.")} == {
        "etl.cli",
        "etl.cli.entry",
        "etl.errors",
        "etl.version",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_nothing_of_what_does_its_work(command: str) -> None:
    loaded = loaded_by(command, "--help")
    assert loaded.isdisjoint(HEAVY - {"asyncio"})  # the sandbox's flags are beside its server's signals
    assert not {name for name in loaded if name.startswith(("etl.cli.work.", "etl.readers", "etl.ledger", "etl.api"))}


@pytest.mark.parametrize("typed", ["imp", "import --mo", "export --no", "resume --accept", "import --mode up"])
def test_completing_what_is_no_name_of_the_users_loads_little(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = typed.split()
    monkeypatch.setenv("_COVAL_ETL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"coval-etl {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    assert loaded_by().isdisjoint(HEAVY)


def test_checking_loads_nothing_that_sends(tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    file.write_text("Input,Expected behaviors\nWhere is my order?,Asks for the number\n")
    loaded = loaded_by("validate", str(file), "--json")
    assert loaded.isdisjoint({"aiohttp", "sqlalchemy", "alembic", "etl.ledger", "etl.writer"})


def test_the_names_of_resources_are_those_of_the_resources() -> None:
    assert tuple(RESOURCES) == RESOURCE_NAMES


@pytest.mark.parametrize("argument", ["--version", "--help"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_where_nothing_can_be_written_that_is_said(tmp_path: Path, argument: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "etl", argument],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr.startswith("Error: Standard output cannot be written: No space left on device.")
    assert len(done.stderr.splitlines()) == 2

"""The house: the fences hold and bite, and the words in the docs are those of the code."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from etl.errors import EtlError, ExitCode, severest
from etl.problems import Code

ROOT = Path(__file__).resolve().parent.parent
ROOMS = sorted(path for path in (ROOT / "etl").rglob("*.py") if "_mappings" not in path.parts)
REFUSED_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "handler"}


def run_fences(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def copied_house(folder: Path) -> Path:
    shutil.copytree(ROOT / "etl", folder / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("etl/batch.py", "from etl.readers import open_source"),
        ("etl/mapping/__init__.py", "import etl.validators"),
        ("etl/report/__init__.py", "import rich"),
        ("etl/writer/pace.py", "import aiohttp"),
        ("etl/checking.py", "import sqlite3"),
        ("etl/api/answers.py", "import openpyxl"),
        ("etl/validators/__init__.py", "import sqlglot"),
        ("etl/quoting.py", "import aiohttp"),
        ("etl/readers/workbooks/xlsx/workbook.py", "import aiohttp"),
        ("etl/a_room_without_a_floor.py", ""),
    ],
)
def test_a_fence_bites(tmp_path: Path, file: str, line: str) -> None:
    house = copied_house(tmp_path)
    path = house / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    result = run_fences(house)
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout + result.stderr or "exhaustive" in result.stdout + result.stderr


def test_the_fences_hold(tmp_path: Path) -> None:
    result = run_fences(copied_house(tmp_path))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is_for_and_is_small_enough_to_read(path: Path) -> None:
    text = path.read_text()
    assert text.startswith('"""'), "the first line says what the room is for"
    assert len(text.splitlines()) <= 400
    assert path.stem not in REFUSED_NAMES
    head = text.split('"""')[1].lower()
    assert "never" in head or path.name in {"__init__.py", "version.py"}, "the next says what it must never know"


def test_every_fence_stands_round_every_room_but_its_doors() -> None:
    doors = {
        "click": {"etl.cli"},
        "opentelemetry": {"etl.cli"},
        "aiohttp": {"etl.api", "etl.sandbox"},
        "sqlglot": {"etl.expressions"},
        "openpyxl": {"etl.readers", "etl.tables", "etl.report"},
        "sqlalchemy": {"etl.ledger", "etl.sandbox"},
        "jinja2": {"etl.report"},
    }
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for library, own in doors.items():
        (fence,) = [one for one in contracts if library in one.get("forbidden_modules", ())]
        assert fence["source_modules"] == ["etl"], fence["name"]
        through = {arrow.split(" -> ")[0].removesuffix(".**") for arrow in fence["ignore_imports"]}
        assert through == own, fence["name"]


def test_only_the_command_line_reads_the_environment_prints_or_exits() -> None:
    reads = re.compile(r"os\.environ|os\.getenv|\bprint\(|sys\.exit|sys\.argv|sys\.stdout")
    offenders = [
        str(path.relative_to(ROOT))
        for path in ROOMS
        if "cli" not in path.parts and reads.search(re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL))
    ]
    assert offenders == []


def test_every_exit_code_is_in_the_readme() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE)}
    assert listed == {int(code) for code in ExitCode}


def test_every_problem_code_is_in_the_docs_and_every_code_in_the_docs_exists() -> None:
    headings = re.findall(r"^#+ `(\w+)`", (ROOT / "docs" / "problems.md").read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(Code)


def test_every_error_has_a_code_and_an_exit_code() -> None:
    def tree(kind: type[EtlError]) -> list[type[EtlError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    kinds = [kind for kind in tree(EtlError) if kind.__module__ == EtlError.__module__]  # rooms refine, under one code
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert {kind.exit_code for kind in kinds} >= {ExitCode.USAGE, ExitCode.KEY_REFUSED, ExitCode.STOPPED, ExitCode.BUG}


def test_the_severest_exit_code_wins() -> None:
    order = [70, 3, 5, 4, 2, 1, 0]
    for place, code in enumerate(order):
        assert severest(ExitCode(other) for other in order[place:]) == code
    assert severest([]) == 0

"""The project's own habits: one version, one set of checks, a workflow that runs what it says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from etl import __version__
from tests.command import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_version_is_written_in_one_place() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "etl/version.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    written = [path for path in (ROOT / "etl").rglob("*.py") if f'"{__version__}"' in path.read_text(encoding="utf-8")]
    assert written == [ROOT / "etl" / "version.py"]


def test_pre_commit_checks_what_make_check_checks() -> None:
    (recipe,) = re.findall(r"^check:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    made = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    assert [
        hook["entry"] for repository in read(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]
    ] == made


def test_the_workflow_runs_targets_that_exist_on_every_python_that_is_claimed() -> None:
    jobs = read(".github/workflows/check.yml")["jobs"]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    typed = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    asked = {target for line in typed for target in re.findall(r"\bmake ([a-z-]+)", line)}
    assert asked <= targets
    assert {"check", "docs", "release"} <= asked
    matrix = jobs["test"]["strategy"]["matrix"]
    claimed = {name.rsplit(" ", 1)[1] for name in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", name)}
    assert claimed <= set(matrix["python"])
    assert {"lowest-direct", "highest"} <= {one["dependencies"] for one in matrix["include"]}
    oldest = min(matrix["python"], key=lambda version: int(version.split(".")[1]))
    assert PROJECT["project"]["requires-python"] == f">={oldest}"


def test_the_forms_for_issues_can_be_read() -> None:
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        read_form = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert form.name == "config.yml" or {"name", "description", "body"} <= read_form.keys()
        assert Path(ROOT / "SECURITY.md").exists()

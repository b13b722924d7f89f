"""The wheel: built, installed into an environment of its own, and used for an import, as a stranger would."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.command import ROOT, SAMPLES


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_the_mappings_and_nothing_that_is_not_the_program(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {Path(name).name for name in names if name.startswith("etl/_mappings/")}
    assert shipped == {path.name for path in (ROOT / "mappings").glob("*.yaml")}
    assert "etl/py.typed" in names
    page = ROOT / "etl" / "report" / "page"
    parts = {str(path.relative_to(ROOT)) for path in page.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert parts <= set(names), "the page of a report, with the licence of what is copied into it"
    assert {name.split("/")[0] for name in names} == {"etl", wheel.name.split("-py3")[0] + ".dist-info"}


def test_the_installed_wheel_imports_a_workbook(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    # The libraries come from this environment (nothing is downloaded); the package itself from the wheel alone.
    site = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    command = [tmp_path / "venv" / "bin" / "coval-etl", "import", SAMPLES / "support_calls.xlsx", "--sandbox"]
    command += ["--test-set", "Calls", "--create-missing", "--report", "report"]
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "PATH": os.defpath}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "report" / "summary.json").exists()
    where = subprocess.run(
        [python, "-c", "import etl; print(etl.__file__)"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert where.stdout.startswith(str(site))

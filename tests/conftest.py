"""What several rooms' tests share: a running sandbox, and homes that no test leaves anything in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from etl.api import Api, Target
from etl.resources import Contract
from etl.sandbox import RunningSandbox, running_sandbox

KEY = "test-key-0123456789"


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own state folder and an environment without keys, proxies or colours."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for name in (
        "COVAL_API_KEY",
        "COVAL_BASE_URL",
        "COVAL_ETL_LEDGER",
        "COVAL_PROFILE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return home


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    """A sandbox in memory under 2025-10."""
    async with running_sandbox(contract=Contract.V2025_10, key=KEY) as running:
        yield running


@pytest.fixture
async def api(sandbox: RunningSandbox) -> AsyncIterator[Api]:
    """A session with that sandbox."""
    async with Api(Target(sandbox.base_url, sandbox.key)) as session:
        yield session


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what this machine could not run: a skipped test is not a passed one."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("LEFT OUT", sep="!", yellow=True, bold=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[2] if report.longrepr else ''}")

"""Secrets stay where they belong: planted ones are looked for in everything that an import leaves behind."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from etl.errors import EtlError
from etl.ledger import open_ledger
from etl.sandbox import parse_faults, running_sandbox
from tests.command import ROOT, etl
from tests.forking import Call, Forker, shared

KEY = "canary-KEY-71f0c2d9ab"
IN_A_CELL = "Bearer canary-CELL-5d2e8817"
BY_A_FLAG = "Bearer canary-FLAG-90ac3f16"
OF_THE_PROXY = "canary-PROXY-44be07d1"
OF_THE_DATABASE = "canary-DATABASE-c81d6e02"


@pytest.fixture(scope="module")
def forker() -> Forker:
    return shared()


def write_agents(folder: Path, *, bad: bool = False) -> None:
    cells = {"authorization_header": IN_A_CELL}
    lines = [
        {"display_name": f"Agent {n}", "model_type": "MODEL_TYPE_VOICE", "phone_number": f"+1234567890{n}"}
        | {"metadata": cells}
        for n in range(3)
    ]
    if bad:
        lines[2]["phone_number"] = "none"
    (folder / "agents.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def found_in(folder: Path, secret: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """The files below a folder that hold a secret, but for those that are expected to."""
    return [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and file.name not in but and secret.encode() in file.read_bytes()
    ]


def environment(folder: Path, base_url: str) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "COVAL_API_KEY": KEY,
        "COVAL_BASE_URL": base_url,
        "LANG": "C.UTF-8",
    }


def facts_of(pid: int) -> tuple[str, str]:
    """The command line of a process, and its limits, as everybody on the machine can see them."""
    here = Path(f"/proc/{pid}")
    return (here / "cmdline").read_text(), (here / "limits").read_text()


@pytest.mark.parametrize("crash", ["answered:2", "report-written", ""])
async def test_nothing_that_an_import_leaves_holds_the_key_or_a_secret_of_a_cell(
    forker: Forker, tmp_path: Path, crash: str
) -> None:
    write_agents(tmp_path)
    given = ("--set", f'metadata.trigger_call_headers={{"Authorization": "{BY_A_FLAG}"}}')
    arguments = ("import", "agents.jsonl", "--resource", "agents", "--report", "report", "--settle", "0.5", *given)
    faults = parse_faults("500after:0.3,429none:0.2", seed=1)
    async with running_sandbox(key=KEY, faults=faults) as sandbox:
        own = environment(tmp_path, sandbox.base_url)
        ended = await forker.run(Call(arguments, tmp_path, own | ({"COVAL_ETL_CRASH_AT": crash} if crash else {})))
        assert ended.code == (-9 if crash else 0), ended.err
        for secret in (KEY, BY_A_FLAG, IN_A_CELL):
            assert found_in(tmp_path, secret, but=("agents.jsonl",)) == []
        if crash:
            ended = await forker.run(Call(("resume", "--settle", "0.5", given[0], given[1]), tmp_path, own))
            assert ended.code == 0, ended.err
        sent = sandbox.store.all_bodies("agents")
    assert len(sent) == 3
    assert all(BY_A_FLAG in json.dumps(body) and IN_A_CELL in json.dumps(body) for body in sent)
    for secret in (KEY, BY_A_FLAG, IN_A_CELL):
        assert found_in(tmp_path, secret, but=("agents.jsonl",)) == []


async def test_the_rejects_hold_the_rows_as_they_were_and_nothing_else_does(forker: Forker, tmp_path: Path) -> None:
    write_agents(tmp_path, bad=True)
    async with running_sandbox(key=KEY) as sandbox:
        arguments = ("import", "agents.jsonl", "--resource", "agents", "--report", "report")
        ended = await forker.run(Call(arguments, tmp_path, environment(tmp_path, sandbox.base_url)))
    assert ended.code == 1, ended.err
    assert found_in(tmp_path, IN_A_CELL, but=("agents.jsonl",)) == ["report/rejects.jsonl"]
    assert (tmp_path / "report" / "rejects.jsonl").stat().st_mode & 0o077 == 0 or (
        tmp_path / "report"
    ).stat().st_mode & 0o077 == 0
    assert found_in(tmp_path, KEY) == []


async def test_a_key_that_is_refused_is_not_said(forker: Forker, tmp_path: Path) -> None:
    write_agents(tmp_path)
    async with running_sandbox(key="another") as sandbox:
        arguments = ("import", "agents.jsonl", "--resource", "agents")
        ended = await forker.run(Call(arguments, tmp_path, environment(tmp_path, sandbox.base_url)))
    assert ended.code == 3, ended.err
    assert found_in(tmp_path, KEY) == []


async def test_a_password_of_a_proxy_or_of_a_database_is_not_said(forker: Forker, tmp_path: Path) -> None:
    write_agents(tmp_path)
    own = environment(tmp_path, "https://coval.invalid/v1") | {
        "HTTPS_PROXY": f"http://me:{OF_THE_PROXY}@127.0.0.1:9",
    }
    started = await forker.start(Call(("import", "agents.jsonl", "--resource", "agents"), tmp_path, own))
    await asyncio.sleep(2)
    started.signal(2)
    ended = await started.wait()
    assert ended.code in {4, 5}, ended.err
    database = f"postgresql://me:{OF_THE_DATABASE}@127.0.0.1:9/none"
    async with running_sandbox(key=KEY) as sandbox:
        arguments = ("import", "agents.jsonl", "--resource", "agents", "--ledger", database)
        ended = await forker.run(Call(arguments, tmp_path, environment(tmp_path, sandbox.base_url)))
    assert ended.code in {2, 4}, ended.err
    assert found_in(tmp_path, OF_THE_PROXY) == []
    assert found_in(tmp_path, OF_THE_DATABASE) == []
    with pytest.raises(EtlError) as caught:
        open_ledger(database)
    assert OF_THE_DATABASE not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


def test_a_crash_file_holds_no_secret(tmp_path: Path) -> None:
    """An installation that is broken on purpose: what it would say holds the key."""
    write_agents(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os\n"
        "import etl.cli.target as target\n"
        "def broken(*_arguments, **_named):\n"
        "    secret = os.environ['COVAL_API_KEY']\n"
        "    raise RuntimeError('the key is ' + secret)\n"
        "target.normalise_base_url = broken\n"
    )
    url, path = "http://127.0.0.1:9/v1", f"{broken}:{ROOT}"
    agents = ("import", "agents.jsonl", "--resource", "agents")
    said = etl(tmp_path, *agents, COVAL_API_KEY=KEY, COVAL_BASE_URL=url, PYTHONPATH=path)
    assert said.code == 70, said.err
    (crash,) = tmp_path.glob("coval-etl-crash-*.txt")
    for text in (crash.read_text(), said.out, said.err):
        assert KEY not in text
        assert IN_A_CELL not in text
    assert "RuntimeError" in crash.read_text()


async def test_a_key_from_the_environment_is_on_no_command_line_and_no_core_is_written(
    forker: Forker, tmp_path: Path
) -> None:
    write_agents(tmp_path)
    async with running_sandbox(key=KEY, latency_s=0.5) as sandbox:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "etl", "import", "agents.jsonl", "--resource", "agents"),
            cwd=tmp_path,
            env=environment(tmp_path, sandbox.base_url) | {"PYTHONPATH": str(ROOT), "PATH": os.defpath},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        while not sandbox.store.all_bodies("agents"):  # noqa: ASYNC110  (another process makes it so)
            await asyncio.sleep(0.05)
        line, limits = facts_of(process.pid)
        assert KEY not in line
        (core,) = [one for one in limits.splitlines() if one.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"]
        assert await process.wait() == 0

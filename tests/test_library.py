"""The library: the same job from a program, with the names that `import etl` gives."""

import asyncio
import re
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

import etl
from etl.ledger import open_sqlite
from etl.resources import TEST_CASES, TEST_SETS
from etl.sandbox import RunningSandbox
from tests.command import ROOT


def test_every_public_name_can_be_had() -> None:
    for name in etl.__all__:
        assert getattr(etl, name) is not None
    with pytest.raises(AttributeError):
        _ = etl.no_such_name  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import etl, sys; print(sorted({'polars', 'pydantic', 'aiohttp', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_program_imports_a_file(sandbox: RunningSandbox, tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    file.write_text("input_str,input_type\nWhere is my parcel?,scenario\nCancel it,NOISE\n")
    job = etl.ImportJob(target=sandbox.base_url, test_set="Calls", create_missing=True)
    ledger = open_sqlite(tmp_path / "ledger.db")
    with etl.open_inputs([str(file)]) as inputs:
        async with etl.Api(etl.Target(sandbox.base_url, sandbox.key)) as api:
            importer = etl.Importer(job, inputs, api)
            contract, fitted = await importer.prepare()
            summary = await importer.run(contract, fitted, ledger, folder=None)
    ledger.close()
    assert summary.rows == {
        "read": 2,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "rejected": 1,
        "failed": 0,
        "skipped": 0,
        "pending": 0,
        "in_doubt": 0,
    }
    (body,) = sandbox.store.all_bodies("test-cases")
    assert (body["input_str"], body["input_type"]) == ("Where is my parcel?", "SCENARIO")


BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), flags=re.DOTALL)


@pytest.fixture
def schedulers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the examples take from schedulers: decorators, which leave a function what it is."""

    def plain(function: object = None, **_: object) -> object:
        return function if function is not None else plain

    for name, decorators in (("airflow.sdk", ("task",)), ("dagster", ("asset",)), ("prefect", ("flow", "task"))):
        module = types.ModuleType(name)
        for decorator in decorators:
            setattr(module, decorator, plain)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "airflow", types.ModuleType("airflow"))


@pytest.mark.usefixtures("schedulers")
async def test_the_examples_for_schedulers_run(sandbox: RunningSandbox, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("Input,Expected\nWhere is my parcel?,Looks it up\nCancel it,Cancels\n")
    (tmp_path / "bad.csv").write_text("input_str,input_type\nHello,NOISE\n")
    airflow, dagster, prefect = ({}, {}, {})  # type: tuple[dict[str, Any], ...]
    for block, names in zip(BLOCKS[1:], (airflow, dagster, prefect), strict=True):
        exec(compile(block, "docs/library.md", "exec"), names)  # what the page shows
    file, where, key = str(tmp_path / "cases.csv"), sandbox.base_url, sandbox.key
    first = await asyncio.to_thread(airflow["import_cases"], file, where, key, str(tmp_path))
    again = await asyncio.to_thread(airflow["import_cases"], file, where, key, str(tmp_path))
    assert (first["created"], again["unchanged"]) == (2, 2)
    assert dagster["validated_cases"](file) == 2
    with pytest.raises(ValueError, match="1 bad rows: input_type"):
        dagster["validated_cases"](str(tmp_path / "bad.csv"))
    assert await prefect["nightly"]([file], where, key, str(tmp_path / "other.db")) == 2


async def test_the_first_example_runs(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text("Input,Expected\nWhere is my parcel?,Looks it up\n")
    code = BLOCKS[0].replace("https://api.coval.dev/v1", sandbox.base_url)
    await asyncio.to_thread(exec, compile(code, "docs/library.md", "exec"), {"key": sandbox.key})
    assert capsys.readouterr().out == "1 valid, 0 not\n1 created\n"


async def test_what_is_exported_is_read_again(sandbox: RunningSandbox, tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("Test set name,Description\nOne,a\nTwo,b\n")
    target = etl.Target(sandbox.base_url, sandbox.key)
    await etl.import_async([tmp_path / "sets.csv"], target, ledger=tmp_path / "ledger.db")
    job = etl.ExportJob(resources=("test-sets",), out=tmp_path / "out.csv")
    await etl.export_async(job, target)
    names = [name for batch in etl.read(tmp_path / "out.csv") for name in batch.source["display_name"]]
    assert sorted(names) == ["One", "Two"]


async def test_a_program_plans_and_then_does_exactly_that(sandbox: RunningSandbox, tmp_path: Path) -> None:
    file, plan, ledger = tmp_path / "sets.csv", tmp_path / "plan.jsonl", tmp_path / "ledger.db"
    file.write_text("Test set name,Description\nOne,a\nTwo,b\n")
    target = etl.Target(sandbox.base_url, sandbox.key)
    job = etl.ImportJob(mode="upsert", key="display_name", prune=True)
    dry = await etl.plan_async([file], target, ledger=ledger, job=job, plan=plan)
    assert (dry.rows["would_create"], ledger.exists()) == (2, False)
    done = await etl.import_async([file], target, ledger=ledger, job=job, plan=plan)
    assert done.rows["created"] == 2
    with pytest.raises(etl.EtlError, match="plan") as stale:
        await etl.import_async([file], target, ledger=ledger, job=job, plan=plan)
    assert stale.value.exit_code == 4
    file.write_text("Test set name,Description\nOne,new\n")
    with pytest.raises(etl.EtlError) as unasked:
        await etl.import_async([file], target, ledger=ledger, job=job)
    assert unasked.value.exit_code == 2
    asked: list[str] = []
    said = await etl.import_async([file], target, ledger=ledger, job=job, confirm=lambda one: not asked.append(one))
    assert (said.rows["updated"], dict(said.pruned or {})) == (1, {"deleted": 1, "gone": 0, "kept": 0})
    assert "would be deleted" in asked[0]


KILLED = """
import sys
import etl
from etl import crashpoints
file, ledger, url, key, point = sys.argv[1:]
crashpoints.arm(point)
job = etl.ImportJob(test_set="Nightly", create_missing=True, settle_s=0.2, concurrency=1)
etl.import_files([file], etl.Target(url, key), ledger=ledger, job=job)
"""


@pytest.mark.parametrize("point", ["handed-over:2", "answered:2", "outcome-recorded:2", "test-set-created"])
async def test_a_task_that_was_killed_is_carried_on_by_its_repetition(
    sandbox: RunningSandbox, tmp_path: Path, point: str
) -> None:
    file, ledger, report = tmp_path / "cases.csv", tmp_path / "ledger.db", tmp_path / "report"
    file.write_text("Input,Expected\nOne,a\nTwo,b\nThree,c\n")
    words = (file, ledger, sandbox.base_url, sandbox.key, point)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, *map(str, words), cwd=ROOT)
    assert await killed.wait() == -signal.SIGKILL
    job = etl.ImportJob(test_set="Nightly", create_missing=True, settle_s=0.2, concurrency=1)
    target = etl.Target(sandbox.base_url, sandbox.key)
    summary = await etl.import_async([file], target, ledger=ledger, job=job, report=report)
    assert summary.rows["created"] + summary.rows["unchanged"] == 3, summary.rows
    async with etl.Api(target) as api:
        cases = [case["input_str"] async for case in api.list(TEST_CASES)]
        sets = [one async for one in api.list(TEST_SETS)]
    assert (sorted(cases), len(sets)) == (["One", "Three", "Two"], 1)
    again = await etl.import_async([file], target, ledger=ledger, job=job, report=report)
    assert again.rows["unchanged"] == 3

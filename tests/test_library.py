"""The library: the same job from a program, with the names that `import etl` gives."""

import subprocess
import sys
from pathlib import Path

import pytest

import etl
from etl.ledger import open_sqlite
from etl.sandbox import RunningSandbox


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

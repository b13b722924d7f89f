"""`validate --online`: what rows refer to is asked for, and what does not exist is named, before anything is sent."""

import asyncio
import json
from pathlib import Path

import pytest

from etl.api import Api, Target
from etl.checking import check_rows, choose_mappings
from etl.errors import KeyRefusedError
from etl.inputs import open_inputs
from etl.references import References, with_names
from etl.resources import Contract
from etl.sandbox import RunningSandbox
from tests.command import etl
from tests.sandbox_talk import METRIC, parents, talking

ONLINE = ("--online", "--sandbox", "--json")


def test_a_test_set_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("display_name\nReturns\n")
    assert etl(tmp_path, "import", "sets.csv", "--sandbox", "--json", "--resource", "test-sets").code == 0
    (tmp_path / "cases.csv").write_text("input_str,test_set_id\na,returns\nb,Retuns\nc,Zz9Zz9Zz\n")
    offline = etl(tmp_path, "validate", "cases.csv", "--json")
    assert offline.json["rows"]["valid"] == 3
    said = etl(tmp_path, "validate", "cases.csv", *ONLINE, "--report", "r")
    assert said.code == 1
    assert said.json["rows"] == {"read": 3, "valid": 1, "rejected": 2}
    lines = [json.loads(line) for line in (tmp_path / "r" / "results.jsonl").read_text().splitlines()]
    assert [[issue["code"] for issue in line["issues"]] for line in lines] == [[], ["unknown_name"], ["unknown_name"]]


async def test_each_id_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with talking() as talk:
        known, contract = await parents(talk), Contract.V2025_10
        rows = [
            {"display_name": f"T{number}", "agent_id": known["agent_id"], "persona_id": known["persona_id"],
             "test_set_id": known["test_set_id"], "metric_ids": [METRIC]}
            for number in range(5)
        ]  # fmt: skip
        rows[1]["agent_id"] = "a" * 22
        rows[3]["metric_ids"] = [METRIC, "b" * 22]
        rows[4]["persona_id"] = "not an id"
        await asyncio.to_thread(Path("templates.jsonl").write_text, "".join(f"{json.dumps(row)}\n" for row in rows))
        asked: list[str] = []
        async with Api(Target(talk.sandbox.base_url, talk.sandbox.key)) as api:
            get = api.get

            async def counting(path: str, *more: object) -> object:
                asked.append(path)
                return await get(path, *more)  # type: ignore[arg-type]

            monkeypatch.setattr(api, "get", counting)
            with open_inputs(("templates.jsonl",)) as inputs:
                fitted = await with_names(api, contract, choose_mappings(inputs, contract, resource="run-templates"))
                references = References(api)
                (checked,) = [await references.look_at(one) for one in check_rows(fitted, contract)]
                again = await references.look_at(checked)
        assert len(asked) == len(set(asked)) == 6, "agent, persona, test set, metric, and the two that are not there"
        found = checked.batch.problems.filter(checked.batch.problems["code"] == "missing_parent")
        assert found.select("row", "field").rows() == [(2, "agent_id"), (4, "metric_ids")]
        assert again.batch.problems.equals(checked.batch.problems), "rows with errors are not asked about again"


async def test_a_refused_key_is_said(sandbox: RunningSandbox, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("input_str,test_set_id\na,Zz9Zz9Zz\n")
    flags = ("--online", "--base-url", sandbox.base_url, "--json")
    said = await asyncio.to_thread(etl, tmp_path, "validate", "cases.csv", *flags, COVAL_API_KEY="wrong")
    assert said.code == KeyRefusedError.exit_code, said.err

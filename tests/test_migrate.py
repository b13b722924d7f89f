"""An organisation is copied into another one: every id replaced, nothing twice, nothing secret on disk, and proved."""

import csv
from pathlib import Path

import pytest

from etl.resources import Contract
from tests.sandboxed_command import started
from tests.two_organisations import PATHS, SECRET, everything, fill, two

__all__ = ["started"]


@pytest.mark.parametrize("contract", list(Contract))
async def test_an_organisation_is_copied_and_every_id_is_another(contract: Contract, tmp_path: Path) -> None:
    async with two(tmp_path, contract) as both:
        old = await fill(both.source, contract)
        said = await both.migrate("--yes", "--report", "r")
        again = await both.migrate("--yes", "--report", "r2")
        moved = await everything(both.target)
        kept = await everything(both.source)
    assert (said.code, said.json["rows"]["created"]) == (0, 27), said.err + said.out
    assert said.json["compared"] == {
        name: {"same": len(old[name]), "added": 0, "removed": 0, "changed": 0} for name in PATHS
    }
    assert (again.code, again.json["requests"]["sent"]) == (0, 0), again.err + again.out
    assert again.json["rows"]["unchanged"] == 27
    with (tmp_path / "r" / "id-map.csv").open(newline="") as file:
        ids = {row["old_id"]: row["new_id"] for row in csv.DictReader(file)}
    assert {id_ for of in old.values() for id_ in of} == ids.keys()
    assert all({item["id"] for item in moved[name]} == {ids[id_] for id_ in old[name]} for name in PATHS)
    chat = next(one for one in moved["agents"] if one["display_name"] == "Chat bot")
    assert chat["metadata"]["authorization_header"] == SECRET
    assert chat["metadata"]["custom_headers"] == {"X-Api-Key": "k-123456", "X-Team": "ops"}
    assert chat["metadata"]["persona_id"] == ids[old["personas"][1]]
    assert chat["test_set_ids"] == [ids[one] for one in old["test-sets"]]
    (template,) = moved["run-templates"]
    (before,) = kept["run-templates"]
    for name in ("agent_id", "agent_ids", "persona_id", "persona_ids", "test_set_id", "test_set_ids", "test_case_ids"):
        assert template.get(name) == _replaced(before.get(name), ids), name
    assert SECRET.encode() not in both.on_disk()
    assert b"k-123456" not in both.on_disk()


def _replaced(value: object, ids: dict[str, str]) -> object:
    if isinstance(value, list):
        return [ids[one] for one in value]
    return ids[value] if isinstance(value, str) else value

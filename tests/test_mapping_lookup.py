"""Names in cells become ids: found once, in any case, created where that is allowed, and a problem where not clear."""

import json
from pathlib import Path

import pytest

from etl.batch import Batch
from etl.mapping import Mapping as MappingFile
from etl.mapping import NameBook, bind
from etl.resources import Contract
from tests.command import etl
from tests.mapping_talk import Mapped, batch_of, json_batch, mapping_of

SETS = {
    "aaaaaaaa": ["Returns", "returns"],
    "bbbbbbbb": ["Billing", "bills"],
    "cccccccc": ["Twice"],
    "dddddddd": ["Twice"],
}
BOOK = NameBook.of("test set", SETS.items())
CASES = "input_str,Suite\nHello,Returns\nBye,returns \nYo,Billing\nHm,\n"


def made(mapping: MappingFile, batch: Batch) -> Mapped:
    return Mapped(bind(mapping, batch.origin, Contract.V2025_10, None, {"test-sets": BOOK}), batch)


@pytest.mark.parametrize(
    ("cell", "id_"),
    [("Returns", "a"), ("RETURNS", "a"), ("  billing ", "b"), ("bills", "b"), ("cccccccc", "c")],
)  # fmt: skip
def test_a_name_becomes_its_id(cell: str, id_: str, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "test_set_id: {from: Suite, lookup: test-sets}")
    assert made(mapping, batch_of({"Suite": [cell]})).bodies == [{"test_set_id": id_ * 8}]


def test_a_name_that_is_not_clear_is_a_problem(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "test_set_id: {from: Suite, lookup: test-sets}")
    result = made(mapping, batch_of({"Suite": ["Twice", "Retuns", "", None]}))
    assert result.codes == ["ambiguous_name", "unknown_name"]
    messages = result.batch.problems["message"].to_list()
    assert messages[0].endswith("and 2 have this name: cccccccc, dddddddd; give the id")
    assert "(did you mean Returns?)" in messages[1]
    assert result.bodies == [{}, {}, {}, {}]


def test_names_in_lists_are_looked_up_too(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, 'agent_ids: {from: Agents, lookup: agents, steps: [{split: [","]}, strip]}', resource="run-templates"
    )
    book = NameBook.of("agent", [("a" * 22, ["Support"]), ("b" * 22, ["Sales"])])
    for batch in (
        batch_of({"Agents": ["support, Sales", "Support, Nobody"]}),
        json_batch({"Agents": ["Support", "sales"]}),
    ):
        bound = bind(mapping, batch.origin, Contract.V2026_10, None, {"agents": book})
        result = Mapped(bound, batch)
        assert result.bodies[0] == {"agent_ids": ["a" * 22, "b" * 22]}
    bound = bind(mapping, batch_of({"Agents": ["x"]}).origin, Contract.V2026_10, None, {"agents": book})
    assert Mapped(bound, batch_of({"Agents": ["Support, Nobody"]})).codes == ["unknown_name"]


def test_without_the_api_names_stay_and_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(CASES)
    said = etl(tmp_path, "validate", "cases.csv", "--json")
    assert said.json["rows"] == {"read": 4, "valid": 4, "rejected": 0}
    bodies = etl(tmp_path, "preview", "cases.csv").out.splitlines()
    assert json.loads(bodies[0])["test_set_id"] == "Returns"


def test_missing_test_sets_are_created_once_and_found_again(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(CASES)
    first = etl(tmp_path, "import", "cases.csv", "--sandbox", "--json")
    assert first.json["rows"]["rejected"] == 4
    dry = etl(tmp_path, "import", "cases.csv", "--sandbox", "--create-missing", "--dry-run", "--json")
    assert dry.json["rows"]["would_create"] == 3
    done = etl(tmp_path, "import", "cases.csv", "--sandbox", "--create-missing", "--json", "--report", "r")
    assert done.json["rows"]["created"] == 3
    assert done.json["rows"]["rejected"] == 1
    again = etl(tmp_path, "import", "cases.csv", "--sandbox", "--json")
    assert again.json["rows"]["unchanged"] == 3
    (tmp_path / "more.csv").write_text("input_str,Suite\nNew,RETURNS\nNewer,Billing\n")
    assert etl(tmp_path, "import", "more.csv", "--sandbox", "--json").json["rows"]["created"] == 2

"""Records made of several rows: gathered whole however the file is cut, in order, and never at the cost of a row."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.batch import RECORD, ROW, Batch
from etl.errors import FileError, MappingError
from etl.mapping import bind, gather
from etl.mapping.rows.gathering import MOST_MEMBERS, Grouping
from etl.resources import Contract
from tests.command import etl
from tests.mapping_talk import batch_of, mapped, mapping_of

TABLE = """\
Case ID,Scenario,Turn,Speaker,Utterance
A1,Refund,1,Caller,I want a refund
A1,Refund,2,Agent,Sure
,,3,caller,Order 55
A2,Late,1,Caller,Where is it?
A2,Other,3,Agent,On its way
A1,Refund,9,Caller,again
A3,Odd,x,Caller,hm
A3,Odd,2,Agent,ok
"""
MAPPING = """\
version: 1
name: calls
resource: test-cases
source: {group_by: case id, order_by: turn}
fields:
  input_str: {from: Scenario}
  input_type: {value: SCRIPT}
  simulation_metadata_input.script_turns: {collect: Utterance, only: {Speaker: [caller, user]}}
  expected_behaviors: {collect: Utterance, only: {Speaker: agent}}
  metric_input.talk: {collect: {role: Speaker, content: Utterance}}
"""
MORE = "source: {group_by: Case, order_by: Turn}\n"


def cut(batch: Batch, sizes: list[int]) -> list[Batch]:
    """The same rows in batches of these sizes, and the rest."""
    parts, at = [], 0
    for size in [*sizes, len(batch)]:
        source = batch.source[at : at + size]
        parts.append(replace(batch, source=source, frame=source))
        at += size
    return parts


@given(keys=st.lists(st.sampled_from(["a", "b", "", None, " "]), min_size=1, max_size=12),
       sizes=st.lists(st.integers(0, 4), max_size=6))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_however_the_file_is_cut_the_records_are_the_same(keys: list[str | None], sizes: list[int]) -> None:
    batch = batch_of({"Case": keys, "Line": [f"line {number}" for number in range(len(keys))]})
    grouping = Grouping(("Case",), None, ())
    whole = list(gather(grouping, [batch]))
    parts = list(gather(grouping, cut(batch, sizes)))
    assert pl.concat(one.source for one in whole).equals(pl.concat(one.source for one in parts))
    assert [row for one in parts for row in one.problems.rows()] == [
        row for one in whole for row in one.problems.rows()
    ]
    members = pl.concat(one.members for one in parts if one.members is not None)
    assert members[ROW].to_list() == batch.source[ROW].to_list(), "no row is lost, none comes twice"
    assert sum(one.rows_read for one in parts) == len(keys)
    assert [int(one.weights().sum()) for one in parts] == [one.rows_read for one in parts]
    expected, last = [], None
    stripped = [(key or "").strip() or None for key in keys]
    for row, key in zip(batch.source[ROW], stripped, strict=True):
        if expected and ((key is None and last is not None) or (key is not None and key == last)):
            expected[-1].append(row)
        else:
            expected.append([row])
            last = key
    assert [rows for (rows,) in members.group_by(RECORD, maintain_order=True).agg(ROW).select(ROW).rows()] == expected


def test_a_collected_column_is_a_list_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "expected_behaviors: {collect: Line, steps: [strip]}", more=MORE)
    batch = batch_of({"Case": ["a", "a", "a", "b"], "Turn": ["2", "1.0", "3", None], "Line": [" two", "one", " ", "x"]})
    bound = bind(mapping, batch.origin, Contract.V2025_10)
    assert bound.grouping is not None
    batches = list(gather(bound.grouping, [batch]))
    bodies = [body for one in batches for body in mapped(mapping, one).bodies]
    assert bodies == [{"expected_behaviors": ["one", "two"]}, {"expected_behaviors": ["x"]}]
    assert bound.unmapped == ()


def test_a_table_need_not_have_every_column_of_groups(tmp_path: Path) -> None:
    more = "source: {group_by: [Identity, Case]}\nunmapped: {into: metric_input.source}\n"
    mapping = mapping_of(tmp_path, "expected_behaviors: {collect: Line}", more=more)
    batch = batch_of({"Case": ["a", None, "b"], "Line": ["one", "two", "x"], "Tone": ["calm", "loud", None]})
    bound = bind(mapping, batch.origin, Contract.V2025_10)
    assert bound.grouping is not None
    assert bound.grouping.by == ("Case",)
    [made] = [mapped(mapping, one) for one in [next(iter(gather(bound.grouping, [batch])))]]
    assert made.bodies[0] == {"expected_behaviors": ["one", "two"], "metric_input": {"source": {"Tone": "calm"}}}
    assert made.codes == ["conflicting_fields"]


def test_a_record_of_too_many_rows_is_refused() -> None:
    batch = batch_of({"Case": ["a"] + [None] * MOST_MEMBERS})
    with pytest.raises(FileError, match="from row 2 on, more than 50,000 rows belong to one record"):
        list(gather(Grouping(("Case",), None, ()), [batch]))


@pytest.mark.parametrize(
    ("fields", "more", "said"),
    [
        ("expected_behaviors: {collect: Line}", "", "add source: {group_by: COLUMN}"),
        ("expected_behaviors: {from: Line, only: {A: b}}", MORE, "add collect: COLUMN"),
        ("expected_behaviors: {collect: Line, from: Line}", MORE, "keep one of them"),
    ],
)
def test_what_is_wrong_is_said(fields: str, more: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"mine\.yaml:\d+:\d+: ") as caught:
        mapping_of(tmp_path, fields, more=more)
    assert said in str(caught.value)


def test_a_column_of_groups_must_be_there(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Line}", more="source: {group_by: Cases}\n")
    with pytest.raises(MappingError, match=r"has no column Cases \(did you mean Case\?\)"):
        bind(mapping, batch_of({"Case": ["a"], "Line": ["b"]}).origin, Contract.V2025_10)


def test_the_whole_way(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text(TABLE)
    (tmp_path / "calls.yaml").write_text(MAPPING)
    flags = ("--mapping", "calls.yaml", "--test-set", "abc12345")
    first = json.loads(etl(tmp_path, "preview", "calls.csv", *flags, "--limit", "1").out)
    assert first["simulation_metadata_input"]["script_turns"] == ["I want a refund", "Order 55"]
    assert first["expected_behaviors"] == ["Sure"]
    assert first["metric_input"]["talk"][1] == {"role": "Agent", "content": "Sure"}
    said = etl(tmp_path, "validate", "calls.csv", *flags, "--json", "--report", "report")
    assert said.json["rows"] == {"read": 8, "valid": 5, "rejected": 3}
    lines = [json.loads(line) for line in (tmp_path / "report" / "results.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == [2, 5, 7, 8]
    assert [line.get("rows") for line in lines] == [[2, 3, 4], [5, 6], None, [8, 9]]
    codes = [[issue["code"] for issue in line["issues"]] for line in lines]
    assert codes == [
        [],
        ["turn_gap", "conflicting_fields"],
        ["turn_gap", "split_group"],
        ["not_an_integer", "turn_gap"],
    ]
    rejects = (tmp_path / "report" / "rejects.csv").read_text().splitlines()
    assert [line.partition(",Odd")[0].partition(",Refund")[0] for line in rejects[1:]] == ["A1", "A3", "A3"]
    done = etl(tmp_path, "import", "calls.csv", "--mapping", "calls.yaml", "--sandbox", "--test-set", "T",
               "--create-missing", "--json")  # fmt: skip
    assert done.json["rows"]["created"] == 5
    assert done.json["requests"]["by_status"] == {"201": 2}


SPOKEN = """\
Case,Title,No,Who,Says
1,Refund,1,User,My money!
1,Refund,2,Agent,Which order?
1,Refund,3,Supervisor,Stop
2,Hours,2,User,Open?
2,Hours,,User,Hello?
"""


def spoken(folder: Path, where: str = "") -> list[str]:
    (folder / "calls.csv").write_text(SPOKEN)
    (folder / "calls.yaml").write_text(
        f"version: 1\nname: c\nresource: test-cases\nsource: {{group_by: Case, order_by: 'No'{where}}}\nfields:\n"
        "  input_str: {from: Title}\n  expected_behaviors: {collect: Says, only: {Who: agent}}\n"
        "  metric_input.said: {collect: Says, only: {Who: [user]}}\n"
    )
    return ["calls.csv", "--mapping", "calls.yaml", "--test-set", "aB1cD2eF"]


def test_words_that_no_field_collects_and_rows_without_a_number_are_said(tmp_path: Path) -> None:
    said = etl(tmp_path, "validate", *spoken(tmp_path), "--json", "--report", "r")
    assert said.json["rows"] == {"read": 5, "valid": 3, "rejected": 2}
    lines = [json.loads(line) for line in (tmp_path / "r" / "results.jsonl").read_text().splitlines()]
    issues = [[(issue["code"], issue["cell"]) for issue in line["issues"]] for line in lines]
    assert issues == [[("not_convertible", "E4")], [("not_an_integer", "C6"), ("turn_gap", "C5")]]
    assert "begins with 2" in lines[1]["issues"][1]["message"]


def test_a_condition_holds_for_rows_and_not_for_records(tmp_path: Path) -> None:
    typed = spoken(tmp_path, where=", where: \"Who <> 'Agent' AND Who <> 'Supervisor'\"")
    bodies = [json.loads(line) for line in etl(tmp_path, "preview", *typed).out.splitlines()]
    assert bodies[0] == {"input_str": "Refund", "test_set_id": "aB1cD2eF", "metric_input": {"said": ["My money!"]}}
    typed = spoken(tmp_path, where=", where: \"Who = 'Agent'\"")
    said = etl(tmp_path, "validate", *typed, "--json")
    assert said.json["rows"] == {"read": 5, "valid": 3, "rejected": 0, "skipped": 2}

"""Both directions: what is written in a mapping's columns is read as the same body again, or is named."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import MappingError
from etl.mapping import apply, bind, bodies, load_mapping, unmap
from etl.problems import Code
from etl.readers import open_source
from etl.resources import Contract
from tests.mapping_talk import mapping_of

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
CLEAN = TEXT.map(str.strip).filter(bool)
NOTATION = st.sampled_from(
    ["Caller: Hi", "Agent: Hello", "Anna: Hi",
     "[silence]", "[DTMF 1#]", "press 1", "<dtmf>2</dtmf>", "*waits*", "1. Hi",
     "- Hi", "Hi | Bye", "Hi / Agent: Hello", "Turn 1: Hi", '["Hi"]', '{"role": "user"}', "10:30 Caller: Hi", "a\nb"]
)  # fmt: skip
"""Turns that would be read as something else if they stood in a cell by themselves."""
CASE = st.fixed_dictionaries(
    {"input_str": CLEAN, "test_set_id": st.just("aB1cD2eF")},
    optional={
        "expected_behaviors": st.lists(CLEAN, min_size=1, max_size=4),
        "expected_output_json": st.dictionaries(TEXT, st.integers() | st.floats(allow_nan=False, allow_infinity=False)),
        "description": CLEAN,
        "input_type": st.sampled_from(["SCENARIO", "SCRIPT", "TRANSCRIPT"]),
        "simulation_metadata_input": st.fixed_dictionaries({}, optional={
            "script_turns": st.lists(CLEAN | NOTATION, min_size=1, max_size=3), "voice": CLEAN}).filter(bool),
        "metric_input": st.dictionaries(CLEAN, CLEAN | st.integers() | st.lists(st.booleans()), min_size=1, max_size=3),
        "user_notes": CLEAN,
    },
)  # fmt: skip


def there_and_back(name: str, contract: Contract, texts: list[str]) -> tuple[list[Any], list[int]]:
    """The bodies that a CSV file of the unmapped rows gives, read by the reader, and the rows that have problems."""
    mapping = load_mapping(name)
    batch = unmap(mapping, contract, texts)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(batch.origin.columns)
    writer.writerows(batch.source.select(batch.origin.columns).iter_rows())
    path = Path("cases.csv")
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    made = []
    with open_source(str(path)) as survey:
        bound = bind(mapping, survey.tables[0].origin, contract)
        for one in survey.tables[0].batches():
            made.extend(bodies(apply(bound, one).frame, bound.fields).to_list())
    return made, batch.problems["row"].to_list()


@given(cases=st.lists(CASE, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_every_case_comes_back_through_a_file_or_is_named(
    cases: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = [json.dumps(case, ensure_ascii=False) for case in cases]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.getbasetemp())
        made, named = there_and_back("test-cases", Contract.V2025_10, texts)
    for row, (case, body) in enumerate(zip(cases, made, strict=True), 1):
        if row not in named:
            assert json.loads(body) == case
    assert named == []


def test_lists_are_written_line_by_line_where_they_come_back(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In}\nexpected_behaviors: {from: [Expected, E], steps: [split]}")
    texts = [
        '{"input_str":"a","expected_behaviors":["Greets","Asks, politely"]}',
        '{"input_str":"b","expected_behaviors":["One\\nof two lines","1. numbered"]}',
        '{"input_str":"c"}',
    ]
    batch = unmap(mapping, Contract.V2025_10, texts)
    assert batch.origin.columns == ("In", "Expected")
    assert batch.source["Expected"].to_list() == [
        "Greets\nAsks, politely",
        '["One\\nof two lines","1. numbered"]',
        None,
    ]
    assert batch.problems.is_empty()


def test_words_numbers_and_numbered_columns_go_back(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "input_type: {from: Type, map: {call script: SCRIPT}}\n"
        "metric_input.order: {from: Order No, steps: [integer]}\n"
        "simulation_metadata_input.script_turns: {from_pattern: 'Turn {n}', steps: [turns]}",
    )
    text = (
        '{"input_type":"SCRIPT","metric_input":{"order":12},"simulation_metadata_input":{"script_turns":["Hi","Bye"]}}'
    )
    for contract in Contract:
        body = (
            text
            if contract is Contract.V2025_10
            else '{"input_type":"SCRIPT","metric_input":{"order":12},"script_turns":["Hi","Bye"]}'
        )
        batch = unmap(mapping, contract, [body])
        assert batch.source.rows() == [(1, "call script", "12", "Hi", "Bye")]
        assert batch.problems.is_empty()


def test_what_has_no_column_or_is_changed_is_said(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In, steps: [strip]}")
    batch = unmap(
        mapping, Contract.V2025_10, ['{"input_str":"a","user_notes":"x"}', '{"input_str":" a"}', '{"input_str":"a"}']
    )
    assert batch.problems["row"].to_list() == [1, 2]
    assert set(batch.problems["code"]) == {Code.NOT_CONVERTIBLE}
    assert "no column for user_notes" in batch.problems["message"][0]


def test_a_mapping_of_groups_has_no_way_back(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In}", more="source: {group_by: Case}\n")
    with pytest.raises(MappingError, match="cannot be written backwards"):
        unmap(mapping, Contract.V2025_10, ["{}"])

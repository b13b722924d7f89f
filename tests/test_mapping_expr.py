"""Expressions of a mapping: what a CAST cannot read is a problem of the row, and a `null` of JSON is no text."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import polars as pl

from etl.batch import Batch
from etl.mapping import bind, gather
from etl.problems import Code
from etl.resources import Contract
from tests.command import etl
from tests.mapping_talk import batch_of, json_batch, mapped, mapping_of


def test_a_cast_that_fails_is_an_error_that_names_the_cell(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, "input_str: {from: Prompt}\nmetric_input.p: {expr: 'CAST(Priority AS INT) + CAST(Weight AS DOUBLE)'}"
    )
    made = mapped(mapping, batch_of({"Prompt": ["a", "b", "c"], "Priority": ["3", "high", None], "Weight": ["1"] * 3}))
    (problem,) = made.problems
    assert (problem["row"], problem["severity"], problem["code"]) == (3, "error", Code.NOT_AN_INTEGER)
    assert (problem["field"], problem["column"], problem["cell"]) == ("metric_input.p", "Priority", "B3")
    assert problem["value"] == "high"
    assert problem["message"] == (
        'Priority is "high", and the CAST for metric_input.p takes a whole number such as 5; correct the cell, or write'
        " TRY_CAST, for which it counts as empty"
    )
    weighed = batch_of({"Prompt": ["a"], "Priority": ["3"], "Weight": ["heavy"]})
    assert mapped(mapping, weighed).codes == [Code.NOT_A_NUMBER]


def test_a_cast_that_another_value_covers_is_an_error_and_try_cast_is_none(tmp_path: Path) -> None:
    cells = batch_of({"Prompt": ["a"], "Priority": ["high"]})
    for expr, codes in (
        ("CASE WHEN CAST(Priority AS INT) > 2 THEN 'urgent' ELSE 'later' END", [Code.NOT_AN_INTEGER]),
        ("CASE WHEN TRY_CAST(Priority AS INT) > 2 THEN 'urgent' ELSE 'later' END", []),
        ("CASE WHEN Priority = 'high' THEN 'urgent' WHEN CAST(Priority AS INT) > 2 THEN 'urgent' END", []),
    ):
        mapping = mapping_of(tmp_path, f'input_str: {{from: Prompt}}\nuser_notes: {{expr: "{expr}"}}')
        assert mapped(mapping, cells).codes == codes


def test_a_secret_that_is_cast_stays_hidden(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Prompt}\nmetric_input.p: {expr: 'CAST(\"API key\" AS INT)'}")
    (problem,) = mapped(mapping, batch_of({"Prompt": ["a"], "API key": ["sk-123"]})).problems
    assert "sk-123" not in str(problem)


def test_a_null_of_json_is_no_text_for_expressions_and_rules(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "input_str: {from: Prompt}\nuser_notes: {expr: \"COALESCE(Note, 'none')\"}",
        more="rules: [{expr: \"Note = ''\", message: no notes please}]\n",
    )
    made = mapped(mapping, json_batch({"Prompt": "a", "Note": None}, {"Prompt": "b", "Note": "null"}))
    assert [body["user_notes"] for body in made.bodies] == ["none", "null"]
    assert [(problem["row"], problem["code"]) for problem in made.problems] == [(2, Code.CUSTOM_RULE)]


def test_a_null_of_json_is_no_value_of_a_record_of_several_rows(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "input_str: {from: Prompt}\nexpected_behaviors: {collect: Says}",
        more="source: {group_by: Case}\n",
    )
    batch = json_batch(
        {"Case": "1", "Prompt": None, "Says": None},
        {"Case": None, "Prompt": "Late", "Says": "x"},
        {"Case": "2", "Prompt": "b", "Says": "null"},
    )
    bound = bind(mapping, batch.origin, Contract.V2025_10)
    assert bound.grouping is not None
    records = pooled(gather(bound.grouping, [batch]))
    made = mapped(mapping, records)
    assert made.bodies == [
        {"input_str": "Late", "expected_behaviors": ["x"]},
        {"input_str": "b", "expected_behaviors": ["null"]},
    ]


def test_a_null_of_json_is_null_for_where(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text('{"input_str":"a","user_notes":null}\n{"input_str":"b","user_notes":"x"}\n')
    shown = etl(tmp_path, "preview", "cases.jsonl", "--where", "user_notes IS NOT NULL")
    assert shown.out == '{"input_str":"b","user_notes":"x"}\n'


def pooled(batches: Iterable[Batch]) -> Batch:
    """Several batches of records as one."""
    found = [*batches]
    source = pl.concat([one.source for one in found])
    return replace(found[0], source=source, frame=source)

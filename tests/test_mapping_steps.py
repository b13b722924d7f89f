"""Every step, on the cells it is for and on those it cannot change."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.mapping.cells import lists
from etl.mapping.cells.jsoncells import is_texts, read_texts
from etl.mapping.steps import STEPS, Form, Step
from etl.resources import Contract
from tests.mapping_talk import batch_of, mapped, mapping_of

LIST, TEXT = "expected_behaviors", "description"

EXAMPLES: list[tuple[str, str, str | None, Any]] = [
    # field, steps, cell, what is sent (None: nothing)
    (TEXT, "[strip]", "  Hi\u00a0there \n", "Hi\u00a0there"),
    (TEXT, "[strip]", None, None),
    (TEXT, "[lower]", "ÄRGER", "ärger"),
    (TEXT, "[upper]", "straße", "STRASSE"),
    (TEXT, "[nfc]", "Cafe\u0301", "Caf\u00e9"),
    (TEXT, r"[{replace: {pattern: '\s+', with: ' '}}]", "a  b\n c", "a b c"),
    (TEXT, r"[{replace: {pattern: '(\w+)@\w+', with: '$1s'}}]", "ann@x", "anns"),
    (TEXT, "[{rewrite: [{match: 'is (.*)', to: '$1!'}, {match: '.*', to: other}]}]", "is it", "it!"),
    (LIST, "[lines, {rewrite: [{match: 'not: (.*)', to: 'Never $1'}]}]", "not: a\nb", ["Never a", "b"]),
    (LIST, "[{each: '{k}={v.w}'}]", '[{"k": "a", "v": {"w": 1.0}}, "b", {}]', ["a=1.0", "b", "="]),
    (TEXT, "[{keep: text}]", "[Optional] Greets", "[Optional] Greets"),
    (TEXT, "[{keep: text}]", ' {"a": 1}', None),
    (TEXT, "[{keep: [object, array]}]", '[{"a": 1.0}]', '[{"a": 1.0}]'),
    (LIST, "[lines, {keep: text}]", '{"a": 1}\nb', ["b"]),
    (TEXT, "[{without: [a, b]}]", '{"a": 1, "c": 1.50, "b": null}', '{"c":1.50}'),
    (TEXT, "[{without: '*'}]", '{"c": 1}', None),
    (TEXT, "[{without: [a, '*']}]", '{"c": 1, "d": 2}', '{"c":1,"d":2}'),
    (TEXT, "[{without: a}]", "no object", "no object"),
    (LIST, "[{each: 'any of {v}'}]", '[{"v": ["caf\\u00e9", "b"]}, {"v": [1]}]', ['any of "café", "b"', "any of [1]"]),
    (TEXT, "[blank_to_null]", " \t\n", None),
    (TEXT, "[blank_to_null]", " x ", " x "),
    (TEXT, "[strip, blank_to_null]", "   ", None),
    (LIST, "[lines]", "one\r\ntwo\n\n  \rthree", ["one", "two", "three"]),
    (LIST, "[lines, strip, upper]", " one \n two ", ["ONE", "TWO"]),
    (LIST, "[split]", "Greets\nAsks, politely; waits", ["Greets", "Asks, politely; waits"]),
    (LIST, "[split]", "- Greets\n- Asks\n  for the name\n- Waits", ["Greets", "Asks for the name", "Waits"]),
    (LIST, "[split]", "• Greets • Asks • Waits", ["Greets", "Asks", "Waits"]),
    (LIST, "[split]", "1. Greets\n2) Asks\n(3) Waits", ["Greets", "Asks", "Waits"]),
    (LIST, "[split]", "The agent should:\n* greet\n* ask", ["The agent should:", "greet", "ask"]),
    (LIST, "[split]", "24. December is closed\n1.5 hours", ["24. December is closed", "1.5 hours"]),
    (LIST, "[split]", "Says -5 degrees - not more", ["Says -5 degrees - not more"]),
    (LIST, "[split]", "[Optional] Greets", ["[Optional] Greets"]),
    (LIST, "[split]", '["Greets, politely", "Asks"]', ["Greets, politely", "Asks"]),
    (LIST, "[split]", ' [ "a\\n\\u00e9" ,"\\ud83d\\ude00" ] ', ["a\né", "😀"]),
    (LIST, "[split]", "[]", []),
    (LIST, '[{split: {on: ["|"]}}, strip]', "a\nb | c", ["a\nb", "c"]),
    (LIST, '[{split: "|"}, strip]', "a | | b", ["a", "b"]),
    (LIST, '[{split: [newline, ";"]}, strip]', "a; b\nc, d", ["a", "b", "c, d"]),
    (LIST, '[{split: [","]}, strip]', "a, b", ["a", "b"]),
    (LIST, '[{split: {json: false, on: [","]}}]', '["a","b"]', ['["a"', '"b"]']),
    (LIST, '[{split: ["."]}, strip]', "a. b", ["a", "b"]),
    (LIST, "[split, drop_empty]", '["", " ", "a"]', ["a"]),
    (LIST, "[split, drop_empty]", '["", " "]', None),
    (LIST, "[split, drop_empty]", "[]", []),
    (LIST, "[split]", "  \n ", None),
    (LIST, "[agent_lines]", "Caller: Hi\nAgent: Hello", ["Hello"]),
    (LIST, "[agent_lines]", "Hi\nBye", None),
    (TEXT, "[transcript]", "User: Hi", '[{"role":"user","content":"Hi"}]'),
    (LIST, "[wrap]", "one\ntwo", ["one\ntwo"]),
    (LIST, "[wrap]", None, None),
    (LIST, "[]", "one\ntwo", ["one\ntwo"]),
    (LIST, "[]", '["one", "two"]', ["one", "two"]),
    (LIST, "[json]", '["one", "two"]', ["one", "two"]),
    (TEXT, "[lines, join]", "a\r\nb", "a\nb"),
    (TEXT, '[lines, {join: ", "}]', "a\nb", "a, b"),
    (TEXT, "[lines, {join: {separator: ' / '}}]", "a\nb", "a / b"),
    (TEXT, "[date]", "2025-10-14", "2025-10-14"),
    (TEXT, "[date]", "2025-10-14 00:00:00", "2025-10-14"),
    (TEXT, "[date]", "2025-10-14T09:30:00Z", "2025-10-14"),
    (TEXT, "[date]", " 14.10.2025 ", "2025-10-14"),
    (TEXT, "[date]", "2025/1/5", "2025-01-05"),
    (TEXT, '[{date: "%d/%m/%Y"}]', "10/11/2025", "2025-11-10"),
    (TEXT, "[{date: {format: '%m/%d/%Y'}}]", "10/11/2025", "2025-10-11"),
    (TEXT, "[]", "14.10.2025", "14.10.2025"),
    ("metric_input", "[json]", ' {"b": 1.0, "a": [1e400]} ', {"b": 1.0, "a": [float("inf")]}),
    ("metric_input", "[]", '{"b":1}', {"b": 1}),
    ("metric_input.n", "[integer]", "007", 7),
    ("metric_input.n", "[integer]", "5.0", 5),
    ("metric_input.n", "[integer]", " -12 ", -12),
    ("metric_input.n", "[integer]", "+3.", 3),
    ("metric_input.n", "[integer]", "-0", 0),
    ("metric_input.n", "[number]", ".5", 0.5),
    ("metric_input.n", "[number]", "+5.", 5),
    ("metric_input.n", "[number]", "1.50", 1.5),
    ("metric_input.n", "[number]", "-00.5e-3", -0.0005),
    ("metric_input.n", "[boolean]", "Yes", True),
    ("metric_input.n", "[boolean]", "0", False),
    ("metric_input.n", "[boolean]", " TRUE ", True),
    ("metric_input.n", "[]", "00123", "00123"),
    ("metric_input.n", "[json]", "00123e", ...),
    ("metric_input.n", "[lines]", "a\nb", ["a", "b"]),
    ("metric_input.n", "[number]", "  ", None),
]


def put_at(path: str, value: Any) -> Any:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize(("field", "steps", "cell", "sent"), [one for one in EXAMPLES if one[3] is not ...])
def test_a_step_changes_a_cell(field: str, steps: str, cell: str | None, sent: Any, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, f"input_str: {{from: In}}\n{field}: {{from: It, steps: {steps}}}")
    made = mapped(mapping, batch_of({"In": ["x", "x", "x"], "It": [None, cell, None]}))
    body = {"input_str": "x"} | ({} if sent is None else put_at(field, sent))
    assert made.bodies == [{"input_str": "x"}, body, {"input_str": "x"}]
    left = ("{keep" in steps and (sent is None or "lines" in steps)) or (steps == "[date]" and "T09" in str(cell))
    assert made.codes == (["not_convertible"] if left else [])  # no other field takes it


MISTAKES = [
    # field, steps, cell, code, the message after the column's name and the cell
    (LIST, "[split]", '["a", "b"', "malformed_json", "takes a JSON array of texts, such as"),
    (LIST, "[split]", "['a', 'b']", "malformed_json", "this is not: expecting value at character 2"),
    (LIST, "[split]", '["a", 5]', "wrong_type", "and item 2 is a number"),
    (LIST, "[split]", "[1, 2]", "wrong_type", "and item 1 is a number"),
    (LIST, "[split]", '[{"role": "user"}]', "wrong_type", "and item 1 is an object"),
    (LIST, "[split]", '["\\ud800"]', "malformed_json", "escapes come in pairs"),
    (LIST, "[json]", '{"a": 1}', "wrong_type", "and this is an object"),
    (LIST, "[]", '["a", null]', "wrong_type", "and item 2 is null"),
    ("metric_input", "[json]", '{"a": 1', "malformed_json", "this is not: expecting ',' delimiter at character 8"),
    ("metric_input", "[]", '{"a": NaN}', "malformed_json", "it must be JSON that is not nested too deeply"),
    ("metric_input", "[]", '{"a": 1, "a": 2}', "duplicate_key", 'in which each key stands once; "a" stands twice'),
    ("metric_input", "[]", '{"x": {"\\u0061": 1, "a": 2}}', "duplicate_key", '"a" stands twice'),
    ("metric_input", "[]", "[1]", "wrong_type", "and this is an array"),
    ("metric_input", "[]", "none", "wrong_type", "and this is a text"),
    ("metric_input", "[]", "[" * 100_000, "wrong_type", "a JSON object"),
    ("metric_input.n", "[json]", "maybe", "malformed_json", "takes JSON, and this is not"),
    ("metric_input.n", "[integer]", "5.5", "not_an_integer", "takes a whole number such as 5"),
    ("metric_input.n", "[integer]", "٣", "not_an_integer", "takes a whole number such as 5"),
    ("metric_input.n", "[integer]", "1,000", "not_an_integer", "takes a whole number such as 5"),
    ("metric_input.n", "[number]", "1,5", "not_a_number", "takes a number such as 0.5; write it with a decimal point"),
    ("metric_input.n", "[number]", "5 %", "not_a_number", "takes a number such as 0.5"),
    ("metric_input.n", "[number]", "NaN", "not_a_number", "takes a number such as 0.5"),
    ("metric_input.n", "[boolean]", "maybe", "not_a_boolean", "takes true or false"),
    (TEXT, "[date]", "10/11/2025", "wrong_form", "or name the order in the mapping: date: {format: %d/%m/%Y}"),
    (TEXT, "[date]", "soon", "wrong_form", "takes a date such as 2025-10-14"),
    (TEXT, "[date]", "31.02.2025", "wrong_form", "takes a date such as 2025-10-14"),
    (TEXT, "[date]", "14.10.25", "wrong_form", "takes a date such as 2025-10-14"),
    (TEXT, '[{date: "%d/%m/%Y"}]', "2025-10-14", "wrong_form", "takes a date written as %d/%m/%Y"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "steps", "cell", "code", "said"), MISTAKES)
def test_a_cell_that_a_step_cannot_change_is_a_problem_and_spoils_no_other_row(
    field: str, steps: str, cell: str, code: str, said: str, tmp_path: Path
) -> None:
    mapping = mapping_of(tmp_path, f"input_str: {{from: In}}\n{field}: {{from: The column, steps: {steps}}}")
    made = mapped(mapping, batch_of({"In": ["x", "x", "x"], "The column": [None, cell, "  "]}))
    assert made.bodies == [{"input_str": "x"}] * 3
    [problem] = made.problems
    assert problem["code"] == code
    assert problem["severity"] == "error"
    assert (problem["row"], problem["field"], problem["column"], problem["cell"]) == (3, field, "The column", "B3")
    assert problem["value"] == cell if len(cell) < 200 else len(problem["value"]) == 200
    assert problem["message"].startswith("The column is ")
    assert said in problem["message"]
    assert len(problem["message"]) < 400


SCRIPTS = [
    ("Hi\nYes, 123.\nBye", ["Hi", "Yes, 123.", "Bye"]),
    ("Hi | Yes | Bye", ["Hi", "Yes", "Bye"]),
    ("1. Hi\n2. Yes\n3. Bye", ["Hi", "Yes", "Bye"]),
    ("- Hi\n- Yes", ["Hi", "Yes"]),
    ('["Hi", "Caller: yes"]', ["Hi", "Caller: yes"]),
    ("Caller: Hi\nAgent: Hello\nCaller: Bye", ["Hi", "Bye"]),
    ("CUSTOMER : Hi\nassistant: Hello\nUser: Bye", ["Hi", "Bye"]),
    ("Caller: Hi | Bot: Hello | Caller: Bye", ["Hi", "Bye"]),
    ("1. Caller: Hi\n2. Agent: Hello\n3. Caller: Bye", ["Hi", "Bye"]),
    ("Caller: Hi,\n  it's me\nAgent: Hello,\nhow can I help?\nCaller: Bye", ["Hi, it's me", "Bye"]),
    ("Hi\nAgent: Hello\nBye", ["Hi", "Bye"]),
    ("Hi, the customer: John Smith\nBye", ["Hi, the customer: John Smith", "Bye"]),
    ("Just one line", ["Just one line"]),
    (None, None),
    ("  \n ", None),
]


@pytest.mark.parametrize(("cell", "turns"), SCRIPTS)
@pytest.mark.parametrize("contract", Contract)
def test_turns_are_the_callers_lines(
    cell: str | None, turns: list[str] | None, contract: Contract, tmp_path: Path
) -> None:
    mapping = mapping_of(tmp_path, "simulation_metadata_input.script_turns: {from: Script, steps: [turns]}")
    made = mapped(mapping, batch_of({"Script": [cell, "Hi"]}), contract)
    path = "simulation_metadata_input.script_turns" if contract is Contract.V2025_10 else "script_turns"
    assert made.bodies == [{} if turns is None else put_at(path, turns), put_at(path, ["Hi"])]
    assert set(made.codes) <= {"not_convertible"}  # the agent's lines: see test_mapping_turns


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("Agent: Hello", "missing_turns"),
        ("Agent: Hello\nhow are you", "missing_turns"),
        ('["Hi", 5]', "wrong_type"),
        ('["Hi"', "malformed_json"),
    ],
)
def test_a_script_without_the_callers_lines_is_a_problem(cell: str, code: str, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "simulation_metadata_input.script_turns: {from: Script, steps: [turns]}")
    made = mapped(mapping, batch_of({"Script": [cell]}))
    assert made.codes == [code]
    assert made.bodies == [{}]


def test_numbered_columns_become_a_list_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, 'simulation_metadata_input.script_turns: {from_pattern: ["Turn {n}", "Line {n}"], steps: [turns]}'
    )
    batch = batch_of(
        {
            "turn_10": ["ten", None, None],
            "Turn 2": [None, "Agent: no", None],
            "TURN-1": ["Caller: one", "Agent: no", None],
            "Turn x": ["", "", ""],
        }
    )
    made = mapped(mapping, batch)
    assert made.bodies == [{"simulation_metadata_input": {"script_turns": ["one", "ten"]}}, {}, {}]
    assert made.codes == ["turn_gap", "turn_gap", "missing_turns"]
    assert made.bound.columns["simulation_metadata_input.script_turns"] == ("TURN-1", "Turn 2", "turn_10")


def test_every_step_has_an_example_here() -> None:
    shown = " ".join(steps for _, steps, _, _ in EXAMPLES) + " turns"
    assert all(step in shown for step in STEPS)


@given(items=st.lists(st.text(st.characters(codec="utf-8")), max_size=5), ascii_=st.booleans(), indent=st.booleans())
@settings(max_examples=200, deadline=None)
def test_an_array_of_texts_is_read_exactly(items: list[str], ascii_: bool, indent: bool) -> None:
    text = json.dumps(items, ensure_ascii=ascii_, indent=2 if indent else None)
    assert read_texts(pl.Series([None, text, text + "x"], dtype=pl.String)).to_list() == [None, items, None]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(text=st.text(st.sampled_from('[]",\\ u0d8a\n\t1{}:\x00é'), max_size=30) | JSON.map(json.dumps))
@settings(max_examples=400, deadline=None)
def test_the_fast_way_and_the_strict_parser_agree_on_what_is_an_array_of_texts(text: str) -> None:
    assert read_texts(pl.Series([text]))[0] is not None if is_texts(text) else read_texts(pl.Series([text]))[0] is None


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1e"), min_size=1).filter(str.strip), min_size=1)
)
@settings(max_examples=100, deadline=None)
def test_splitting_loses_nothing_but_separators_and_white_space(items: list[str]) -> None:
    [made] = lists.split_texts(pl.Series(["|".join(items)]), ("|",)).to_list()
    assert "".join(made) == "".join(part for part in "|".join(items).split("|") if part.strip())


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_writes_what_it_promises(step: type[Step]) -> None:
    promised = {"_on_text"} if step.takes & {Form.TEXT, Form.JSON} else set()
    promised |= {"_on_items"} if Form.LIST in step.takes else set()
    promised |= {"_explain"} if step.can_fail else set()
    written = {name for name in ("_on_text", "_on_items", "_explain") if getattr(step, name) is not getattr(Step, name)}
    assert written == promised

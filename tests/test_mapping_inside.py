"""What is inside JSON: ways into it, `each`, `rewrite`, templates, what is lost, and what nothing uses."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from etl.errors import MappingError
from etl.mapping.cells.reaching import reach, reach_all
from etl.mapping.cells.ways import parse_name, parse_way
from tests.mapping_talk import batch_of, json_batch, mapped, mapping_of

REWRITE = r"""
expected_behaviors:
  from: assert
  steps:
    - each: "{type}: {value}"
    - rewrite:
        - {match: "llm-rubric: (.*)", to: "$1"}
        - {match: "not-i?contains: (.*)", to: "Does not say: $1"}
        - {match: "(?:javascript|python): .*", lost: "code cannot be judged from a conversation"}
"""


def of(folder: Path, fields: str, *, more: str = "") -> Any:
    (folder / "mine.yaml").write_text(f"version: 1\nname: mine\nresource: test-cases\n{more}fields:\n{fields}")
    from etl.mapping import load_mapping

    return load_mapping(str(folder / "mine.yaml"))


def indented(fields: str) -> str:
    return "".join(f"  {line}\n" for line in fields.strip().splitlines())


@pytest.mark.parametrize(
    ("name", "column", "way"),
    [
        ("vars.question", "vars", ".question"),
        ("messages[role=user].content", "messages", "[role=user].content"),
        ("checks[].criteria", "checks", "[].criteria"),
        ('a["odd.key"][2].b', "a", '["odd.key"][2].b'),
    ],
)
def test_a_name_may_lead_into_a_column(name: str, column: str, way: str) -> None:
    found = parse_name(name)
    assert found is not None
    assert (found[0], found[1].text) == (column, way)


@pytest.mark.parametrize("name", ["Order No.", "plain", "(a) b", "a[", "a]b", ".a", "a..b", "a[]]"])
def test_other_names_do_not(name: str) -> None:
    assert parse_name(name) is None


def test_values_keep_the_form_they_have() -> None:
    cells = pl.Series(
        [
            *('{"a":{"b":1.0}}', '{"a":{"b":12345678901234567890}}', '{"a":{"b":"007"}}', '{"a":{"b":null}}', "text"),
            *(None, '{"a":{"b":"\\ud800"}}', '{"a":[1, 2.50]}'),
        ]
    )
    way = parse_way(".a.b")
    assert way is not None
    values, types = reach(cells, way)
    assert values.to_list() == ["1.0", "12345678901234567890", "007", None, None, None, None, None]
    assert types.to_list() == ["number", "number", None, None, None, None, None, None]
    every = parse_way(".a[]")
    assert every is not None
    assert reach_all(cells, every).to_list()[-1] == ["1", "2.50"]


def test_the_first_way_that_has_a_value_wins(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: [vars.question, vars.prompt, input]}")
    made = mapped(mapping, json_batch({"vars": {"question": "Hi"}}, {"vars": {"prompt": "Ho"}}, {"input": "Hu"}))
    assert made.bodies == [{"input_str": "Hi"}, {"input_str": "Ho"}, {"input_str": "Hu"}]
    assert made.codes == []


def test_a_column_of_that_very_name_wins_over_the_way(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "metric_input.channel: {from: metadata.channel}")
    assert mapped(mapping, batch_of({"metadata.channel": ["voice"]})).bodies == [{"metric_input": {"channel": "voice"}}]
    inside = batch_of({"metadata": ['{"channel": "voice"}']})
    assert mapped(mapping, inside).bodies == [{"metric_input": {"channel": "voice"}}]


def test_a_value_of_another_type_is_a_problem(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: vars.question}")
    made = mapped(mapping, json_batch({"vars": {"question": 5}}))
    assert made.codes == ["wrong_type"]
    assert made.batch.problems["message"][0].startswith("vars.question is 5; input_str takes text")


def test_assertions_become_behaviours_and_what_cannot_is_said(tmp_path: Path) -> None:
    mapping = of(tmp_path, indented(REWRITE))
    checks = [
        {"type": "llm-rubric", "value": "Greets"},
        {"type": "not-contains", "value": "fee"},
        {"type": "javascript", "value": "output.length < 9"},
        "Stays polite",
    ]
    made = mapped(mapping, json_batch({"assert": checks}, {"assert": checks[2:3]}, {"assert": []}))
    assert made.bodies[0] == {"expected_behaviors": ["Greets", "Does not say: fee", "Stays polite"]}
    assert made.bodies[1:] == [{}, {"expected_behaviors": []}]
    assert made.codes == ["not_convertible", "not_convertible"]
    assert '"javascript: output.length < 9" (code cannot be judged' in made.batch.problems["message"][0]


def test_what_is_no_array_of_objects_is_a_problem(tmp_path: Path) -> None:
    mapping = of(tmp_path, indented(REWRITE))
    assert mapped(mapping, json_batch({"assert": [1, 2]}, {"assert": 7})).codes == ["wrong_type", "wrong_type"]
    assert mapped(mapping, batch_of({"assert": ["{broken"]})).codes == ["malformed_json"]


def test_each_field_takes_its_kind_of_json(tmp_path: Path) -> None:
    fields = """
expected_behaviors: {from: [out.answer, out], steps: [{keep: [text, array]}]}
expected_output_json: {from: out, steps: [{keep: object}, {without: answer}]}
"""
    mapping = of(tmp_path, indented(fields))
    values = ["Yes", {"answer": "Yes", "n": 1.50}, ["a", "b"], 7, True, {"answer": "No"}, None]
    made = mapped(mapping, json_batch(*({"out": value} for value in values)))
    assert made.codes == []
    assert made.bodies == [
        {"expected_behaviors": ["Yes"]},
        {"expected_behaviors": ["Yes"], "expected_output_json": {"n": 1.5}},
        {"expected_behaviors": ["a", "b"]},
        {"expected_behaviors": ["7"]},
        {"expected_behaviors": ["true"]},
        {"expected_behaviors": ["No"]},
        {},
    ]


def test_a_star_leads_to_an_only_value(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, 'input_str: {from: [vars.question, "vars.*"]}')
    rows = [{"vars": {"topic": "Hi"}}, {"vars": {"question": "Ho", "n": 1}}, {"vars": {"a": "1", "b": "2"}}]
    made = mapped(mapping, json_batch(*rows))
    assert made.bodies == [{"input_str": "Hi"}, {"input_str": "Ho"}, {}]
    assert made.messages == [
        "vars also has the key n, which nothing uses; map it, or say lost",
        'vars has a value that no field takes: {"a": "1", "b": "2"}',
    ]


def test_a_rewriting_may_lose_a_part(tmp_path: Path) -> None:
    rule = r"{match: 'similar\((.*)\): (.*)', to: 'Says about: $2', lost: there are no thresholds}"
    mapping = mapping_of(tmp_path, f"description: {{from: A, steps: [{{rewrite: [{rule}]}}]}}")
    made = mapped(mapping, batch_of({"A": ["similar(0.8): yes", "no"]}))
    assert made.bodies == [{"description": "Says about: yes"}, {"description": "no"}]
    assert made.codes == ["not_convertible"]
    assert '"similar(0.8): yes" (there are no thresholds)' in made.messages[0]


def test_a_template_is_filled_from_columns(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, 'description: {template: "{First} {Last} ({meta.tone})", steps: [strip]}')
    rows = {"first": ["Ada", None, " "], "LAST": ["Byron", "X", None], "meta": ['{"tone": "calm"}', None, None]}
    made = mapped(mapping, batch_of(rows))
    assert made.bodies == [{"description": "Ada Byron (calm)"}, {"description": "X ()"}, {}]


def test_what_the_api_has_nothing_for_is_said_where_a_row_has_it(tmp_path: Path) -> None:
    more = "lost: {Threshold: the judge has none, meta.seed: there are no seeds}\n"
    mapping = mapping_of(tmp_path, "input_str: {from: Input}", more=more)
    rows = {"Input": ["a", "b"], "Threshold": ["0.8", ""], "meta": [None, '{"seed": 7}']}
    made = mapped(mapping, batch_of(rows))
    assert made.codes == ["not_convertible", "not_convertible"]
    assert made.batch.problems["message"].to_list() == [
        "Threshold has a value that is not sent: the judge has none",
        "meta.seed has a value that is not sent: there are no seeds",
    ]
    assert made.bound.unmapped == ()


def test_what_is_lost_may_be_named_by_its_beginning(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}", more='lost: {"__config:*": there are none}\n')
    made = mapped(mapping, batch_of({"Input": ["a"], "__config:a": ["1"], "__config:b": ["2"]}))
    assert made.codes == ["not_convertible", "not_convertible"]
    assert made.bound.unmapped == ()


def test_nothing_is_said_of_what_is_ignored(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}", more="ignored: {id: the API gives its own}\n")
    made = mapped(mapping, batch_of({"Input": ["a"], "ID": ["1"], "Date": ["x"]}))
    assert made.codes == []
    assert made.bound.unmapped == ("Date",)


def test_keys_that_nothing_uses_are_said(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: vars.question}")
    made = mapped(mapping, json_batch({"vars": {"question": "Hi", "tone": "calm", "n": None}}))
    assert made.codes == ["unused_key"]
    assert "vars also has the key tone" in made.batch.problems["message"][0]
    silent = mapping_of(tmp_path, "input_str: {from: vars.question}", more="unmapped: ignore\n")
    assert mapped(silent, json_batch({"vars": {"question": "Hi", "tone": "calm"}})).codes == []


def test_other_columns_may_go_into_an_object(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}", more="unmapped: {into: metric_input.source}\n")
    made = mapped(mapping, json_batch({"Input": "a", "Order": "007", "n": 1.50, "x": None}, {"Input": "b"}))
    assert made.bodies == [
        {"input_str": "a", "metric_input": {"source": {"Order": "007", "n": 1.5}}},
        {"input_str": "b"},
    ]
    assert '"n":1.5' in json.dumps(made.bodies[0], separators=(",", ":"))
    assert made.bound.unmapped == ()


@pytest.mark.parametrize(
    ("fields", "more", "said"),
    [
        ("input_str: {from: A}", "unmapped: {into: input_str}", "input_str cannot hold the other columns"),
        ("input_str: {from: A}", "unmapped: {in: x}", "or {into: metric_input.source}"),
        ("input_str: {template: Hello}", "", "a pattern has names in braces"),
        ("input_str: {from: A, template: '{B}'}", "", "input_str has from, template; keep one of them"),
        ("input_str: {from: A, steps: [{replace: {pattern: '('}}]}", "", "the pattern ( cannot be used"),
        ("input_str: {from: A, steps: [{rewrite: [{match: a}]}]}", "", "one of to and lost"),
        ("input_str: {from: A, steps: [{rewrite: [{match: a, too: b}]}]}", "", '"too" in an entry of rewrite'),
        ("script_turns: {from: A}\nsimulation_metadata_input.script_turns: {from: B}", "", "are the same field"),
        ("? {a: 1}\n: {from: A}", "", "a key should be text"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(fields: str, more: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"mine\.yaml:\d+:\d+: ") as caught:
        of(tmp_path, indented(fields), more=f"{more}\n" if more else "")
    assert said in str(caught.value)


def test_a_list_may_come_from_several_places(tmp_path: Path) -> None:
    fields = """
expected_behaviors:
  all_of:
    - {from: checks, steps: [{each: "{operator}: {criteria}"}, {rewrite: [{match: "includes: (.*)", to: "Says $1"}]}]}
    - {from: [answer, "golden"]}
    - {from: "turns[].calls[]", steps: [{each: "Calls {name}"}]}
  steps: [strip, drop_empty]
"""
    mapping = of(tmp_path, indented(fields))
    rows = [
        {"checks": [{"operator": "includes", "criteria": "hello"}], "answer": " yes", "golden": None},
        {
            "golden": "no",
            "turns": [{"calls": [{"name": "a"}, {"name": "b"}]}, {"calls": []}, {"calls": [{"name": "c"}]}],
        },
        {"answer": "", "checks": []},
        {},
    ]
    made = mapped(mapping, json_batch(*rows))
    assert made.codes == []
    assert made.bodies == [
        {"expected_behaviors": ["Says hello", "yes"]},
        {"expected_behaviors": ["no", "Calls a", "Calls b", "Calls c"]},
        {"expected_behaviors": []},
        {},
    ]


def test_several_places_make_a_text_too(tmp_path: Path) -> None:
    fields = """
input_str:
  all_of: [{from: role}, {from: rules, steps: [{each: "When {when}: {say}"}]}, {from: "said[by=user].text"}]
  steps: [drop_empty, {join: " / "}]
metric_input.all: {all_of: [{from: role}, {from: "said[].text"}]}
"""
    mapping = of(tmp_path, indented(fields))
    said = [{"by": "user", "text": "Hi"}, {"by": "agent", "text": "Ho"}, {"by": "user", "text": "Bye"}]
    made = mapped(mapping, json_batch({"role": "A caller", "rules": [{"when": "asked", "say": "yes"}]}, {"said": said}))
    assert made.codes == []
    assert made.bodies == [
        {"input_str": "A caller / When asked: yes", "metric_input": {"all": ["A caller"]}},
        {"input_str": "Hi / Bye", "metric_input": {"all": ["Hi", "Ho", "Bye"]}},
    ]


def test_what_cannot_be_read_is_a_problem_of_its_own_source(tmp_path: Path) -> None:
    mapping = of(tmp_path, indented("expected_behaviors: {all_of: [{from: A}, {from: B, steps: [{each: '{x}'}]}]}"))
    made = mapped(mapping, json_batch({"A": {"x": 1}, "B": [1]}, {"A": "a", "B": [{"x": 1}]}))
    assert [(problem["column"], problem["code"]) for problem in made.problems] == [
        ("A", "wrong_type"),
        ("B", "wrong_type"),
    ]
    assert made.bodies == [{}, {"expected_behaviors": ["a", "1"]}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("input_str: {all_of: [{from: A}]}", "input_str takes text, and the steps leave a list; add the step join"),
        ("expected_behaviors: {all_of: [{from: A, map: {a: b}}]}", "a source of all_of has map"),
        ("expected_behaviors: {all_of: [{from: A}], from: B}", "expected_behaviors has from, all_of"),
        ("expected_behaviors: {all_of: [{steps: [strip]}]}", "nothing says where expected_behaviors comes from"),
        ("expected_behaviors: {all_of: [{from: A, steps: [drop_empty]}]}", "does not work on text"),
    ],
)
def test_what_is_wrong_with_several_sources_is_said(fields: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"mine\.yaml:\d+:\d+: ") as caught:
        of(tmp_path, indented(fields))
    assert said in str(caught.value)


WAYS = """
description: {from: vars.a}
user_notes: {from: "notes[0]"}
expected_behaviors: {from: "checks[type=must].text"}
"""


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"vars": {"a": "x"}, "notes": ["n"], "checks": [{"type": "must", "text": "t"}]}, []),
        ({"vars": None, "notes": [], "checks": ""}, []),
        ({"vars": {"a": None}, "notes": ["n", None], "checks": [{}]}, []),
        ({"vars": "text"}, ['vars has a value that no field takes: "text"']),
        ({"vars": ["x"]}, ['vars has a value that no field takes: ["x"]']),
        ({"notes": "nolist"}, ['notes has a value that no field takes: "nolist"']),
        ({"notes": ["a", "b", "c"]}, ["notes has 2 items that no field takes"]),
        ({"checks": "text"}, ['checks has a value that no field takes: "text"']),
        ({"checks": [{"type": "may", "text": "t"}]}, ["checks has 1 item that no field takes"]),
        (
            {"checks": [{"type": "must", "text": "t"}, {"type": "may"}, "other"]},
            ["checks has 2 items that no field takes"],
        ),
        ({"checks": [{"type": "must", "body": "t"}]}, ["checks has a value that no field takes: "]),
    ],
)
def test_what_no_way_takes_is_said(record: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    whole = {"vars": None, "notes": None, "checks": None} | record
    made = mapped(of(tmp_path, indented(WAYS)), json_batch(whole))
    assert made.codes == ["not_convertible"] * len(said)
    assert all(found.startswith(wanted) for found, wanted in zip(made.messages, said, strict=True))


def test_what_ways_leave_behind_deeper_inside_is_said(tmp_path: Path) -> None:
    fields = """
description: {from: vars.a.b}
expected_behaviors: {from: "vars.list[0]"}
user_notes: {from: "vars.only.*"}
"""
    mapping = of(tmp_path, indented(fields))
    made = mapped(mapping, json_batch({"vars": {"a": "text", "list": ["x", "y"], "only": {"z": "n"}}}))
    assert made.bodies == [{"expected_behaviors": ["x"], "user_notes": "n"}]
    assert made.messages == ['vars has 1 item that no field takes, and a value that no field takes: "text"']
    assert mapped(mapping, json_batch({"vars": {"a": {"b": "x"}}})).problems == []
    assert mapped(mapping, json_batch({"vars": {"a": {"c": "x"}}})).codes == ["not_convertible"]


def test_a_secret_that_no_way_takes_stays_hidden(tmp_path: Path) -> None:
    mapping = of(tmp_path, indented("description: {from: vars.token.name}\nuser_notes: {from: vars.a}"))
    made = mapped(mapping, json_batch({"vars": {"token": "s3cret", "a": "x"}}))
    assert made.codes == ["not_convertible"]
    assert "s3cret" not in str(made.problems)


def test_unused_keys_are_named_beside_other_columns_with_ways(tmp_path: Path) -> None:
    made = mapped(of(tmp_path, indented(WAYS)), json_batch({"vars": {"a": "x", "b": "LOST"}, "notes": ["a"]}))
    assert made.codes == ["unused_key"]
    assert made.messages[0].startswith("vars also has the key b")


def test_what_is_used_whole_lost_or_ignored_leaves_nothing_behind(tmp_path: Path) -> None:
    record = {"q": "Hi", "vars": "text"}
    fields = "input_str: {from: q}\ndescription: {from: vars.a}\n"
    whole = of(tmp_path, indented(f"{fields}user_notes: {{from: vars}}"))
    assert mapped(whole, json_batch(record)).problems == []
    ignored = of(tmp_path, indented(fields), more="ignored: {vars: no use}\n")
    assert mapped(ignored, json_batch(record)).problems == []
    lost = of(tmp_path, indented(fields), more="lost: {vars: nothing for it}\n")
    assert mapped(lost, json_batch(record)).messages == ["vars has a value that is not sent: nothing for it"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", ["an object that no field takes", "an array that no field takes"]),
        ("expected_output_json: {from: out, steps: [{keep: object}]}", ["an array that no field takes"]),
        ("user_notes: {from: out.a}", []),
        ("metric_input.whole: {from: out}", []),
    ],
)
def test_kinds_that_no_field_keeps_are_said(more: str, said: list[str], tmp_path: Path) -> None:
    mapping = of(tmp_path, indented(f"description: {{from: out, steps: [{{keep: text}}]}}\n{more}"))
    made = mapped(mapping, json_batch({"out": "x"}, {"out": 5}, {"out": {}}, {"out": {"a": "1"}}, {"out": ["b"]}))
    assert [body.get("description") for body in made.bodies] == ["x", "5", None, None, None]
    assert made.codes == ["not_convertible"] * len(said)
    assert all(wanted in found for found, wanted in zip(made.messages, said, strict=True))


def test_kinds_that_are_lost_or_ignored_are_not_said_again(tmp_path: Path) -> None:
    fields = indented("description: {from: out, steps: [{keep: text}]}")
    batch = json_batch({"out": {"a": 1}})
    assert mapped(of(tmp_path, fields, more="ignored: {out: no use}\n"), batch).problems == []
    lost = mapped(of(tmp_path, fields, more="lost: {out.a: nothing for it}\n"), batch)
    assert lost.messages == ["out.a has a value that is not sent: nothing for it"]


def test_a_key_that_is_written_with_escapes_is_found(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, 'input_str: {from: vars.ask}\nexpected_behaviors: {from: "vars.list[is=x].t"}')
    escaped = r'{"\u0061sk": "Hi", "list": [{"i\u0073": "x", "t": "A"}]}'
    cells = [escaped, '{"ask": "Ho", "list": [{"is": "y", "t": "B"}]}']
    made = mapped(mapping, batch_of({"vars": cells}))
    assert made.bodies == [{"input_str": "Hi", "expected_behaviors": ["A"]}, {"input_str": "Ho"}]

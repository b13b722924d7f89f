"""YAML: what it says as JSON text, or a refusal that names the place. ruamel.yaml writes and reads beside ours."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from etl.batch import Batch, Certainty
from etl.errors import FileError
from etl.readers import ReadOptions, open_source
from etl.readers.objects import yaml_nodes
from tests.reading_talk import cells, found, read, refusal

OPTIONS = ReadOptions(format="yaml")


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "cases.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return path


def read_text(folder: Path, text: str | bytes, records: str | None = None) -> Batch:
    (batch,) = read(written(folder, text), ReadOptions(format="yaml", records=records))
    return batch


def value_of(folder: Path, text: str) -> Any:
    """The value of the key `a` of the one row, its numbers as text."""
    (raw,) = read_text(folder, text).source["_raw"]
    return json.loads(raw, parse_int=lambda number: ("number", number), parse_float=lambda number: ("number", number))[
        "a"
    ]


PROMPTFOO = """\
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: Support calls
prompts:
  - 'Answer {{input}}'
  - {id: second, raw: "Be brief: {{input}}"}
providers: [echo]
defaultTest:
  assert: []
tests:
  - description: greets
    vars:
      input: "Hello: you"
      id: 007
    assert:
      - type: contains
        value: 'it''s'
      - type: llm-rubric
        value: >-
          The agent
          is polite
  - vars: {input: http://x.y/z?a=b#c, locale: en-US}
"""


class TestRows:
    def test_are_the_items_of_a_list(self, tmp_path: Path) -> None:
        batch = read_text(tmp_path, "# cases\n---\n- id: 007\n  n: 1.0\n\n-\n  n: [1, {k: null}]\n...\n# end\n")
        assert batch.origin.columns == ("id", "n")
        assert cells([batch]) == [("007", "1.0"), (None, '[1, {"k": null}]')]
        assert batch.source["_row"].to_list() == [1, 2]
        assert batch.source["_raw"].to_list() == ['{"id": "007", "n": 1.0}', '{"n": [1, {"k": null}]}']
        assert batch.source["_types"].to_list() == ['{"n": "number"}', '{"n": "array"}']

    def test_are_the_tests_of_promptfoo(self, tmp_path: Path) -> None:
        path = written(tmp_path, PROMPTFOO)
        with open_source(str(path), OPTIONS) as survey:
            (table,) = survey.tables
            (batch,) = table.batches()
        made = {one.subject: one for one in table.decisions}["records"]
        assert (made.value, made.certainty) == ("tests", Certainty.LIKELY)
        assert batch.origin.columns == ("description", "vars", "assert")
        first, second = batch.source.select(batch.origin.columns).iter_rows()
        assert first == (
            "greets",
            '{"input": "Hello: you", "id": "007"}',
            '[{"type": "contains", "value": "it\'s"}, {"type": "llm-rubric", "value": "The agent is polite"}]',
        )
        assert second == (None, '{"input": "http://x.y/z?a=b#c", "locale": "en-US"}', None)

    def test_may_be_told(self, tmp_path: Path) -> None:
        assert cells([read_text(tmp_path, "x:\n  y:\n  - a: b\nz: [{a: c}]\n", "x.y")]) == [("b",)]
        assert cells([read_text(tmp_path, "a: b\nz: [{a: c}]\n", ".")]) == [("b", '[{"a": "c"}]')]

    @pytest.mark.parametrize(
        ("item", "code", "message"),
        [
            ("a: 1\n  a: 2", "duplicate_key", "the key 'a' is there twice"),
            ("a: {k: 1, k: 2}", "duplicate_key", "the key 'k' inside a is there twice"),
            ('a: "\\x07"', "control_character", "U+0007"),
            ("a: b\x00c", "control_character", "U+0000"),
            ('a: "\\ud800"', "control_character", "half a character"),
            ("text", "malformed_json", "the item is not a map"),
            ("- x", "malformed_json", "the item is not a map"),
            ("", "malformed_json", "the item is not a map"),
            ("a: " + "[" * 66 + "]" * 66, "malformed_json", "more than 64"),
        ],
    )
    def test_with_a_fault_are_a_problem_there_alone(self, tmp_path: Path, item: str, code: str, message: str) -> None:
        batch = read_text(tmp_path, f"- a: before\n- {item}\n- a: after\n")
        assert [(row, kind) for row, kind, _ in found([batch])] == [(2, code)]
        assert message in batch.problems["message"][0]
        assert batch.source["a"].to_list()[::2] == ["before", "after"]


class TestValues:
    @pytest.mark.parametrize(
        "text", ["0", "1", "-1", "10", "1.0", "0.50", "1e5", "1E+2", "-0.0", "123456789012345678901234567890"]
    )
    def test_that_json_writes_alike_are_numbers(self, tmp_path: Path, text: str) -> None:
        assert value_of(tmp_path, f"- a: {text}\n") == ("number", text)

    @pytest.mark.parametrize(
        "text",
        [
            "007", "0x1F", "0o17", "1_000", "+1", ".5", "5.", ".inf", "-.inf", ".nan", "1e400", "yes", "no", "on",
            "2024-01-02", "10:30", "2024-01-02T10:30:00Z", "12e03x", "\u0661", "NaN", "nil", "None", "TrUe", "=", "a-b",
            ":a", "?a", "a:b", "a#b", "http://x/y?z#w", "a, b", "a]b", "it's", 'say "x"', "C:\\new", "…",
        ],
    )  # fmt: skip
    def test_that_json_does_not_write_alike_stay_text(self, tmp_path: Path, text: str) -> None:
        assert value_of(tmp_path, f"- a: {text}\n") == text

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("# c", None),
            ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
            ("!!str 1", "1"), ("!!str", ""), ("! 1", "1"), ('"1"', "1"), ("'null'", "null"), ('"true"', "true"),
        ],
    )  # fmt: skip
    def test_of_the_core_schema(self, tmp_path: Path, text: str, value: object) -> None:
        got = value_of(tmp_path, f"- a: {text}\n")
        assert (got, type(got)) == (value, type(value))

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("plain text # c", "plain text"),
            ("plain\n    goes on # c", "plain goes on"),
            ("\n    plain\n\n    goes on\n   ", "plain\ngoes on"),
            ("one\n    - two", "one - two"),
            (r'"a\tb\x41\u00e9\U0001F600\/\"\\\N\_\L\P\e\0"', 'a\tbAé😀/"\\\x85\xa0\u2028\u2029\x1b\0'),
            (r'"\ud83d\ude00"', "😀"),
            ('"a  \n\n\n     b\\\n     c\\ \n    d"', "a\n\nbc  d"),
            ("'it''s \n    ''so'''", "it's 'so'"),
            ("|\n    a\n\n      b # no comment\n    c\n", "a\n\n  b # no comment\nc\n"),
            ("|-\n    a\n\n", "a"),
            ("|+\n    a\n\n", "a\n\n\n"),
            ("|2 # c\n      a\n", "  a\n"),
            ("|\n", ""),
            ("|\n    a", "a\n"),
            (">\n    a\n    b\n\n    c\n      d\n      e\n    f\n", "a b\n\nc\n  d\n  e\nf\n".replace("\n\nc", "\nc")),
            (">-\n\n    a\n\n\n    b\n", "\na\n\nb"),
            ("[]", []),
            ("{}", {}),
            ("[a, 'b', \"c\", [d], {e: f}, g: h,]", ["a", "b", "c", ["d"], {"e": "f"}, {"g": "h"}]),
            ("[a b\n  c, # c\n\n  d]", ["a b c", "d"]),
            ('{a: 1, "b":x, c: , d: [e],}', {"a": ("number", "1"), "b": "x", "c": None, "d": ["e"]}),
            ("{\n\tx: y\n}", {"x": "y"}),
            (
                "\n    - b\n    -\n      - c\n    - - d\n      - e: f\n        g: h\n",
                ["b", ["c"], ["d", {"e": "f", "g": "h"}]],
            ),
            ("\n  - b\n  - c\n", ["b", "c"]),
            ("\n    'x y' : 1\n    \"z\":\n    k#l: m\n", {"x y": ("number", "1"), "z": None, "k#l": "m"}),
        ],
        ids=range(25),
    )
    def test_are_what_yaml_says(self, tmp_path: Path, text: str, value: object) -> None:
        assert value_of(tmp_path, f"- a: {text}\n") == value

    def test_may_stand_between_lines_that_end_in_any_way(self, tmp_path: Path) -> None:
        text = "- a: |\r\n    x\r\n    y\r\n- a: b\r  c: d\n"
        assert cells([read_text(tmp_path, text)]) == [("x\ny\n", None), ("b", "d")]

    def test_may_come_in_any_encoding(self, tmp_path: Path) -> None:
        for codec in ("utf-8", "utf-16-le", "utf-16-be"):
            assert cells([read_text(tmp_path, "\ufeff- a: größe\n".encode(codec))]) == [("größe",)]


class TestAliases:
    def test_stand_for_copies(self, tmp_path: Path) -> None:
        text = "base: &b {x: 1, y: [2]}\ntests:\n- a: *b\n- a: &t text\n- a: *t\n- &row\n  a: 5\n- *row\n"
        assert cells([read_text(tmp_path, text)]) == [('{"x": 1, "y": [2]}',), ("text",), ("text",), ("5",), ("5",)]

    def test_may_be_merged_and_own_keys_win(self, tmp_path: Path) -> None:
        text = (
            "one: &1\n  a: 1\n  b: 1\ntwo: &2 {b: 2, c: 2}\ntests:\n- <<: *1\n  b: own\n- <<: [*1, *2]\n- '<<': text\n"
        )
        raws = read_text(tmp_path, text).source["_raw"].to_list()
        assert raws == ['{"a": 1, "b": "own"}', '{"a": 1, "b": 1, "c": 2}', '{"<<": "text"}']

    def test_may_not_stand_for_too_much(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bomb = "a0: &a0 [x]\n" + "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 40))
        monkeypatch.setattr(yaml_nodes, "NODE_CHARACTERS", 100_000)
        assert "has more than 100,000 characters" in refusal(written(tmp_path, bomb), OPTIONS).message
        monkeypatch.setattr(yaml_nodes, "_MOST_COPIED", 10_000)
        rows = f"b: &b {'x' * 1_000}\nrows:\n" + "- a: *b\n" * 50
        assert (
            "line 12, column 6: the aliases up to here stand for more"
            in refusal(written(tmp_path, rows), OPTIONS).message
        )
        monkeypatch.setattr(yaml_nodes, "_MOST_KEPT", 500)
        assert "behind anchors (&) has more than 500" in refusal(written(tmp_path, rows), OPTIONS).message

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("- a: *x\n", "line 1, column 6: this alias (*) names no anchor"),
            ("- a: &x [*x]\n", "line 1, column 10: this alias (*) names no anchor"),
            ("- a: &x 1\n  b: &y *x\n", "line 2, column 9: an alias (*) has no anchor"),
            ("- &x a: 1\n", "stands on a line of its own"),
            ("- a: & x\n", "an anchor is one name"),
            ("- <<: 3\n", "'<<' takes over the keys of a map"),
            ("x: &x {a: 1}\n<<: *x\nrows: [{a: 1}]\n", "'<<' is not followed here"),
        ],
        ids=range(7),
    )
    def test_that_stand_for_nothing_certain_are_refused(self, tmp_path: Path, text: str, why: str) -> None:
        assert why in refusal(written(tmp_path, text), OPTIONS).message


class TestADocument:
    @pytest.mark.parametrize(
        ("text", "where", "why"),
        [
            ("- a: b: c\n", (1, 6), "a text with ': ' goes in quotes"),
            ("- a: b\n   c: d\n", (2, 5), "': ' stands inside a text"),
            ("- a: b\n c: d\n", (2, 2), "indented more than what it seems to belong to"),
            ("- a: b # c\n    d\n", (2, 5), "indented more than what it seems to belong to"),
            ("a:\n  - b\n - c\n", (3, 2), "indented more than"),
            ("- a: 1\n  b\n", (2, 3), "a key and its ':' are missing here"),
            ("a: 1\n- b\n", (2, 1), "a key and its ':' are missing here"),
            ("- a\nb: 1\n", (2, 1), "this line belongs to nothing above it"),
            ("- a: 1\n\tb: 2\n", (2, 2), "a tab"),
            ("- a:\n\t- b\n", (2, 2), "a tab"),
            ("-\ta: b\n", (1, 3), "a tab"),
            ("- a: |\n\tx\n", (2, 2), "a tab"),
            ("- a: |\n\t\n", (2, 1), "a tab"),
            ("- a: |\n      \n    x\n", (3, 1), "a blank line above is indented more"),
            ("- a: |x\n", (1, 7), "more text follows"),
            ('- a: "x\n', (1, 6), "never ends"),
            ("- a: 'x\n  y'\n", (2, 3), "that begins in line 1 goes on, but is not indented"),
            ('- a: "\\q"\n', (1, 7), "YAML has no escape '\\\\q'"),
            ('- a: "\\U00110000"\n', (1, 7), "YAML has no escape"),
            ('- a: "x" y\n', (1, 10), "more text follows"),
            ('- a: "x"#c\n', (1, 9), "a comment needs a space"),
            ("- a: [1, 2\n", (1, 6), "the bracket that opens here is never closed"),
            ("- a: [1, 2\n---\n", (1, 6), "the bracket that opens here is never closed"),
            ("- a: {b: '1'\n- c\n", (2, 1), "',' or '}' is missing before '-'"),
            ("- a: [1,, 2]\n", (1, 9), "a value is missing before ','"),
            ("- a: [1] 2\n", (1, 10), "more text follows"),
            ("- {a:1}\n", (1, 7), "the key 'a:1' has no value"),
            ("- {a: 1, b}\n", (1, 11), "the key 'b' has no value"),
            ("- [a]: b\n", (1, 6), "more text follows"),
            ("- ? a\n  : b\n", (1, 3), "keys that begin with '? '"),
            ("- a: !include x\n", (1, 6), "the tag !include is not followed"),
            ("- a: !!python/object:os.system x\n", (1, 6), "the tag !!python/object:os.system is not followed"),
            ("- a: @x\n", (1, 6), "a text cannot begin with '@'"),
            ("- a: %x\n", (1, 6), "a text cannot begin with '%'"),
            ("- a: {{x}}\n", (1, 7), "a text cannot begin with '{'"),
            ("- a: - b\n", (1, 6), "begins on the line below its key"),
            ("%TAG ! x\n---\n- a: 1\n", (1, 1), "only %YAML is read"),
            ("--- [x]\n", (1, 5), "on a line of its own"),
            ("- a: x\u2028y\n", (1, 7), "U+2028 ends a line for some programs"),
            ("- a: 'x\x85y'\n", (1, 8), "U+0085 ends a line for some programs"),
            ("- " * 100 + "a\n", (1, 147), "more than 72 lists and maps"),
            ("[" * 100_000, (1, 74), "more than 72 lists and maps"),
            ("a: 1\na: 2\nb: []\n", (2, 3), "the key 'a' is there twice"),
        ],
        ids=range(43),
    )
    def test_that_is_not_certain_is_refused_with_the_place(
        self, tmp_path: Path, text: str, where: tuple[int, int], why: str
    ) -> None:
        message = refusal(written(tmp_path, text), OPTIONS).message
        assert why in message
        assert f"line {where[0]}, column {where[1]}: " in message

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("- a: 1\n---\n- a: 2\n", "holds several documents: another begins in line 2"),
            ("- a: 1\n...\n- a: 2\n", "holds several documents: another begins in line 3"),
            ("---\n...\n", "holds no rows"),
            ("# only\n", "holds no rows"),
            ("[]\n", "holds no rows: the list is empty"),
            ("tests: []\n", "holds no rows: the list 'tests' is empty"),
            ("tests: file://x.csv\nprompts: [{a: 1}]\n", "'tests' is no list here"),
            ("just text\n", "is a single value"),
            ("- a\n- b\n", "the list holds texts, not objects"),
            ("x: [{a: 1}]\ny: [{b: 1}]\n", "holds several lists of objects: x, y."),
        ],
        ids=range(10),
    )
    def test_without_one_list_of_maps_is_refused(self, tmp_path: Path, text: str, why: str) -> None:
        assert why in refusal(written(tmp_path, text), OPTIONS).message

    @pytest.mark.parametrize("version", ["%YAML 1.1", "%YAML 1.2 # c", "%YAML 1.3"])
    def test_of_any_version_is_read_as_1_2(self, tmp_path: Path, version: str) -> None:
        assert cells([read_text(tmp_path, f"{version}\n---\n- a: yes\n")]) == [("yes",)]

    def test_may_be_large(self, tmp_path: Path) -> None:
        text = "tests:\n" + "".join(f"- id: {at}\n  text: |\n    line {at}\n\n    end\n" for at in range(5_000))
        batch = read_text(tmp_path, text)
        assert batch.source["id"].to_list() == [str(at) for at in range(5_000)]
        assert batch.source["text"][4_999] == "line 4999\n\nend\n"


# What others write.

TEXTS = [
    "", "a", "x y", "- a", "a: b", "#c", "a #c", '"q"', "it's", "\n", "a\nb", "  lead", "trail  ", "tab\tx", "é😀",
    "007", "null", "~", "1", "1.0", "-", "?", "[x]", "{x}", "%d", "@a", "`", "!t", "&a", "*a", "|", ">", "a:", "::",
    "long " * 30, "one\n\n  two\nlast\n", "\n\n", "a\r\nb", "\x07", "\x7f", "<<", "=", "\n lead", "0x1F", "1e5", "http://x",
    "2024-01-01", "x\n\n", " ", "\ufeff", "---", "--- a\n--- b", "a\n---\nb",
]  # fmt: skip
STRINGS = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)
KEYS = STRINGS.filter(lambda key: len(key) < 100 and "\n" not in key)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-1e9, 1e9) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(
    st.dictionaries(KEYS.filter(lambda key: key not in {"", "*"} and key[:1] not in "^_"), VALUES, min_size=1),
    min_size=1,
    max_size=3,
)


def numbers_as_text(value: object) -> Any:
    return json.loads(json.dumps(value), parse_int=str, parse_float=str)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, indent=st.sampled_from([None, 1, "\t"]), escaped=st.booleans())
def test_json_is_yaml(tmp_path: Path, rows: list[dict[str, Any]], indent: int | str | None, escaped: bool) -> None:
    batch = read_text(tmp_path, json.dumps(rows, indent=indent, ensure_ascii=escaped))
    assert [json.loads(raw, parse_int=str, parse_float=str) for raw in batch.source["_raw"]] == numbers_as_text(rows)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS, flow=st.sampled_from([False, None, True]), width=st.sampled_from([30, 80, 4096]), offset=st.booleans()
)
def test_what_ruamel_writes_is_read_back(
    tmp_path: Path, rows: list[dict[str, Any]], flow: bool | None, width: int, offset: bool
) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = flow
    yaml.width = width
    if offset:
        yaml.indent(mapping=4, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(rows, stream)
    if "? " in stream.getvalue():
        return  # a key that it writes in a way that is not read
    batch = read_text(tmp_path, stream.getvalue())
    got = [json.loads(raw, parse_int=float, parse_float=float) for raw in batch.source["_raw"]]
    assert got == json.loads(json.dumps(rows), parse_int=float, parse_float=float)


PIECES = st.sampled_from([
    "a: 1", "- a: x", "  b: y", "  - c", "- ", "-", "    d", "k:", "  k: |", "  k: >-", "    text", '  q: "open',
    "  f: [1,", "  2]", "  m: {x: 1}", "# c", "", "  ", "---", "...", "  x: &a b", "  y: *a", "  <<: {z: 1}", "a: b: c",
    "  ? k", "\tt", "  s: 'it''s'", "  ]",
])  # fmt: skip


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")  # of the other reader; it is legal
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(PIECES, min_size=1, max_size=8))
def test_any_lines_are_read_as_ruamel_reads_them_or_refused(tmp_path: Path, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    path = written(tmp_path, text)
    try:
        with open_source(str(path), ReadOptions(format="yaml", records=".")) as survey:
            raws = [raw for batch in survey.tables[0].batches() for raw in batch.source["_raw"]]
    except FileError:
        return
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        wanted = yaml.load(text)
    except YAMLError:
        return  # a tab after a text
    got = [json.loads(raw, object_pairs_hook=lambda pairs: dict(reversed(pairs))) for raw in raws]
    assert (got if isinstance(wanted, list) else got[0]) == wanted

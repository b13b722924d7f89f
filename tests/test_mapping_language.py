"""The mapping file: what is accepted, and what is said, at which line and column, about what is not."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.batch import Origin
from etl.errors import ExitCode, MappingError, UsageError
from etl.mapping import bind, load_mapping, presets
from etl.mapping.language.linting import lint
from etl.mapping.steps import STEPS
from etl.resources import RESOURCES, Contract
from tests.mapping_talk import batch_of, mapped, mapping_of

GOOD = """\
version: 1
name: support-suite
resource: test-cases
description: The suite of the support desk.
source: {sheet: Cases, header_row: auto, where: "Status = 'Ready'"}
fields:
  input_str:            {from: [Input, Prompt, Scenario], steps: [strip], required: true}
  expected_behaviors:
    from: [Expected Behaviors, Expected Output, expected_output_str]
    steps: [{split: {json: true, on: [newline, bullet, "|"]}}, strip, drop_empty]
  input_type:           {from: Type, map: {script: SCRIPT, call script: SCRIPT}, default: SCENARIO}
  simulation_metadata_input.script_turns: {from_pattern: "Turn {n}", steps: [turns]}
  metric_input.order_id: {from: Order No}
  description:          {expr: "UPPER(Title)"}
  user_notes:           {value: Imported}
unmapped: warn
"""


def said_of(text: str, folder: Path) -> str:
    file = folder / "cases.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError) as refused:
        load_mapping(str(file))
    assert refused.value.exit_code == ExitCode.USAGE
    assert refused.value.message.startswith(f"{file}:")
    assert "pydantic" not in refused.value.message.lower()
    return refused.value.message.removeprefix(f"{file}:")


def test_the_mapping_of_the_design_page_loads(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(GOOD, encoding="utf-8")
    mapping = load_mapping(str(file))
    assert mapping.name == "support-suite"
    assert mapping.source.sheet == "Cases"
    assert mapping.fields["input_str"].from_ == ["Input", "Prompt", "Scenario"]
    assert mapping.at("fields", "input_type", "map") == f"{file}:11:38"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unmapped: warn", "unmaped: warn", '16:1: unknown key "unmaped" in a mapping (did you mean unmapped?); use'),
        ("version: 1\n", "", "1:1: the key version is missing; add version: 1"),
        ("version: 1", "version: 2", "1:1: version cannot be 2; use 1"),
        ("name: support-suite", "name: Support Suite", "2:1: name consists of small letters, digits, - and _"),
        ("test-cases", "test-case", '3:1: unknown resource "test-case" (did you mean test-cases?); use one of'),
        ("header_row: auto", "header_row: 0", "5:24: header_row is the number of the header's row, from 1, or auto"),
        ("Status = 'Ready'", "Status = Ready'", "5:42: `Status = Ready'` is not a SQL expression"),
        ("Status = 'Ready'", "SUM(Status) > '1'", "5:42: SUM is not allowed in an expression; use ABS,"),
        ("input_str:   ", "input_string:", '7:3: test-cases have no field "input_string" (did you mean input_str?)'),
        ("metric_input.order_id", "metrics_input.order_id", "13:3: test-cases have no field"),
        ("metric_input.order_id", "input_str.order_id", "13:3: input_str is no object, so it has no order_id; map"),
        ("metric_input.order_id", "12", "13:3: a key should be text; put it in quotes"),
        ("steps: [strip]", "stps: [strip]", '7:59: unknown key "stps" in this place (did you mean steps?)'),
        ("steps: [strip]", "steps: strip", "7:59: steps should be a list"),
        ("steps: [strip]", "steps: [stripp]", '7:67: unknown step "stripp" (did you mean strip?); use one of strip,'),
        ("steps: [strip]", "steps: [[strip]]", "7:67: a step is a word such as strip, or {split: {on: [newline]}}"),
        ("steps: [strip]", "steps: [{strip: 3}]", "7:67: strip has no such option; write it alone: - strip"),
        ("steps: [strip]", "steps: [lines]", "7:3: input_str takes text, and the steps leave a list; add"),
        ("steps: [strip]", "steps: [drop_empty]", "7:67: the step drop_empty does not work on text; put"),
        ("steps: [turns]", "steps: [strip, split]", "12:85: the step split does not work on a list"),
        ("steps: [strip]", "steps: [{date: '%d/%m'}]", "7:68: a date format names year, month and day"),
        ("json: true", "jsn: true", '10:22: unknown key "jsn" in the step split (did you mean json?); use one of'),
        ("json: true", "json: maybe", "10:22: json should be true or false"),
        ("bullet,", "bullets,", '10:48: "bullets" is not a separator; use newline, bullet, numbered, or a sign'),
        ("required: true", "required: yes", "7:75: required should be true or false"),
        ("default: SCENARIO", "default: 5", "11:82: input_type takes text, and default is 5; put it in quotes"),
        ("value: Imported", "value: 2025-10-14", "15:26: user_notes takes text, and value is of another kind"),
        ("value: Imported", "value: x, steps: [strip]", "15:36: steps do not apply to value"),
        ("{value: Imported}", "{}", "15:3: nothing says where user_notes comes from; add from: COLUMN"),
        ("{value: Imported}", "Imported", "15:3: user_notes should be keys and values"),
        ("{value: Imported}", "", "15:3: user_notes should be keys and values"),
        ("from: Order No", "from: Order No, value: 3", "13:43: metric_input.order_id has from, value; keep one"),
        ("from: Order No", "from: 3", "13:27: from should be a list, such as [one, two], or one text in quotes"),
        ("from: Order No", "from: []", "13:27: from should be more than nothing"),
        ("from: Order No", 'from: ""', "13:27: from should be more than nothing"),
        ("from: Order No", "from: A, from_one_of: B", "13:36: metric_input.order_id has from, from_one_of; keep one"),
        ("from: Order No", "expr: A, from_pattern: B", "13:27: metric_input.order_id has from_pattern, expr"),
        ("steps: [turns]", "from: Script, steps: [split]", "12:92: the step split does not work on a list"),
        ("Turn {n}", "Turn", '12:44: from_pattern needs one {n}; write it like "Turn {n}"'),
        ("map: {script: SCRIPT, call script: SCRIPT}", "map: {}", "11:38: map should be more than nothing"),
        ("from: Type, map", "from: Type, steps: [lines], map", "11:54: map works on text, and the steps leave a list"),
        ("script: SCRIPT,", "script: [SCRIPT],", "11:44: map has a word of the file on the left"),
        ("UPPER(Title)", "(SELECT a FROM read_csv('/etc/passwd'))", "14:26: SUBQUERY is not allowed"),
        ("unmapped: warn", "unmapped: maybe", "16:1: unmapped cannot be 'maybe'; use 'warn', 'ignore' or 'error'"),
        ("unmapped: warn", "unmapped: warn\nunmapped: warn", '17:1: the key "unmapped" stands here twice; remove one'),
        ("  user_notes:  ", "  input_str:  ", '15:3: the key "input_str" stands here twice; remove one'),
        ("unmapped: warn", "unmapped: [warn", "17:1: this is not YAML; check the indentation"),
        ("unmapped: warn", "unmapped: &it warn", "16:11: anchors (&name) are not allowed; remove it"),
        ("unmapped: warn", "unmapped: *it", "16:11: aliases (*name) are not allowed; write the value out"),
        ("unmapped: warn", "unmapped: !!python/name:os.system warn", "16:11: tags (!name) are not allowed; remove it"),
        ("unmapped: warn", "---\na: 1", "16:1: a second document begins here"),
        ("unmapped: warn", "\tunmapped: warn", "16:1: this is not YAML"),
        ("unmapped: warn", "unmapped: warn\x07", "16:1: a character here cannot stand in YAML; remove it"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_the_fix(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in GOOD
    assert said_of(GOOD.replace(old, new, 1), tmp_path).startswith(said)


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "just words"])
def test_a_file_that_is_no_mapping_at_all(text: str, tmp_path: Path) -> None:
    assert said_of(text, tmp_path) == "1:1: a mapping file consists of keys and values; begin with version: 1"


def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("version: 1\nname: suite\n# für uns\n".encode("latin-1"))
    with pytest.raises(MappingError, match=r"latin\.yaml:3: the file is not UTF-8 text; save it as UTF-8"):
        load_mapping(str(file))


def test_a_folder_is_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="cannot be read"):
        load_mapping(str(tmp_path))


def test_depth_and_size_are_bounded(tmp_path: Path) -> None:
    assert "nested more than" in said_of(f"a: {'[' * 500}{']' * 500}\n", tmp_path)
    assert "a mapping has at most" in said_of("# " + "x" * 1_000_000, tmp_path)


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_text("\ufeff" + GOOD, encoding="utf-8")
    assert load_mapping(str(file)).name == "support-suite"


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(GOOD.replace("strip", "stripp").replace("json: true", "jsn: true"), encoding="utf-8")
    with pytest.raises(MappingError) as refused:
        load_mapping(str(file))
    assert refused.value.message.startswith(f"{file}:7:")
    assert refused.value.hint == "2 more in this file"


@pytest.mark.parametrize("name", ["test-caes", "x" * 5000, "a\0b", ""])
def test_an_unknown_name_lists_the_ready_made_mappings(name: str) -> None:
    with pytest.raises(MappingError) as refused:
        load_mapping(name)
    assert "coval-upload" in refused.value.hint or "cannot be read" in refused.value.message


def test_a_file_that_is_not_there_is_no_reason_to_list_the_ready_made_ones() -> None:
    with pytest.raises(MappingError, match=r"There is no mapping file missing\.yaml") as refused:
        load_mapping("missing.yaml")
    assert "--write-mapping" in refused.value.hint


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(MappingError, match=r"did you mean test-cases\?"):
        load_mapping("test-caes")


def test_words_that_yaml_1_1_would_change_stay_words(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "language_code: {from: Language, map: {no: nb-NO, yes: en-GB}}", resource="personas")
    assert mapping.fields["language_code"].map_ == {"no": "nb-NO", "yes": "en-GB"}


@given(
    at=st.integers(0, len(GOOD)),
    cut=st.integers(0, 30),
    put=st.sampled_from(["", "[", "{", ":", "- ", "\n", "&a ", "'"]),
)
@settings(max_examples=200, deadline=None)
def test_however_a_mapping_is_broken_the_fault_has_a_place_and_a_sentence(at: int, cut: int, put: str) -> None:
    mapping, faults = lint(GOOD[:at] + put + GOOD[at + cut :], "cases.yaml")
    assert (mapping is None) == bool(faults)
    for fault in faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert fault.sentence
        assert "pydantic" not in fault.sentence.lower()
        assert "Traceback" not in fault.sentence


# --- binding: what is wrong with a mapping for a certain table


def table(*columns: str) -> Origin:
    return Origin("calls.csv", None, "csv", columns, tuple(range(1, len(columns) + 1)), 1)


def test_a_required_field_without_a_column_is_named_with_its_line(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: [Input, Prompt], required: true}")
    with pytest.raises(MappingError) as refused:
        bind(mapping, table("Frage", "Antwort"), Contract.V2025_10)
    assert refused.value.message == (
        f"{tmp_path}/mine.yaml:5:3: input_str needs a column; the mapping knows Input, Prompt, and calls.csv has Frage,"
        " Antwort: add the column's name to the mapping, or --set input_str=VALUE"
    )
    assert bind(mapping, table("Frage"), Contract.V2025_10, {"input_str": "Hello"}).fields


def test_a_misspelled_column_is_named_with_line_and_column(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}\ndescription: {from: [Titel, Descripton]}")
    with pytest.raises(MappingError) as refused:
        bind(mapping, table("Input", "Description"), Contract.V2025_10)
    message = f"{tmp_path}/mine.yaml:6:31: calls.csv has no column Descripton; did you mean Description?"
    assert refused.value.message == message


def test_an_optional_column_may_be_absent(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}\nuser_notes: {from: Remarks}")
    assert list(bind(mapping, table("Input"), Contract.V2025_10).fields) == ["input_str"]


def test_an_expression_over_an_unknown_column_is_named_with_its_place(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, 'input_str: {expr: "UPPER(Titel)"}')
    with pytest.raises(MappingError, match=r'mine\.yaml:5:15: there is no column "Titel"; the columns are Input'):
        bind(mapping, table("Input"), Contract.V2025_10)
    mapping = mapping_of(tmp_path, "input_str: {from: Input}", more="source: {where: Status = 'Ready'}\n")
    with pytest.raises(MappingError, match=r'mine\.yaml:4:10: there is no column "Status"'):
        bind(mapping, table("Input"), Contract.V2025_10)


def test_left_over_columns_are_an_error_where_the_mapping_says_so(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}", more="unmapped: error\n")
    with pytest.raises(
        MappingError, match=r"mine\.yaml:4:1: nothing uses the columns Owner, Date of calls\.csv; map them"
    ):
        bind(mapping, table("Input", "Owner", "Date", "_coval_etl_error"), Contract.V2025_10)
    mapping = mapping_of(tmp_path, "input_str: {from: Input}", more="unmapped: ignore\n")
    assert bind(mapping, table("Input", "Owner"), Contract.V2025_10).unmapped == ()


def test_a_fixed_value_that_the_contract_has_no_field_for_is_an_error(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "display_name: {from: Name}\ntags: {value: [a]}", resource="test-sets")
    assert bind(mapping, table("Name"), Contract.V2026_10).fields["tags"]
    with pytest.raises(MappingError, match=r"mine\.yaml:6:10: contract 2025-10 does not take this for tags"):
        bind(mapping, table("Name"), Contract.V2025_10)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"inputt_str": "x"}, "test-cases have no field inputt_str (did you mean input_str?)"),
        ({"input_str.x": "x"}, "test-cases have no field input_str.x"),
        ({"metric_input": "[1]"}, "metric_input takes a JSON object"),
        ({"metric_input": "{"}, "metric_input takes a JSON object"),
        ({"expected_behaviors": "[1]"}, "expected_behaviors takes a JSON array of texts"),
        ({"script_turns": '["a", 1]'}, "script_turns takes a JSON array of texts"),
    ],
)
def test_a_set_that_does_not_fit_is_bad_usage(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        bind(load_mapping("test-cases"), table("Input"), Contract.V2025_10, given)
    assert said in refused.value.message


def test_a_set_value_is_typed_by_its_field_and_beats_the_column() -> None:
    batch = batch_of({"Input": ["Hi"], "Type": ["Script"], "Test set": ["Smoke"]})
    given = {
        "test_set_id": "aB1cD2eF",
        "input_type": "transcript",
        "expected_behaviors": "Greets, politely",
        "metric_input": '{"a": 1.0}',
        "metric_input.order": "00123",
    }
    made = mapped(load_mapping("test-cases"), batch, overrides=given)
    assert made.bodies == [
        {
            "input_str": "Hi",
            "test_set_id": "aB1cD2eF",
            "expected_behaviors": ["Greets, politely"],
            "input_type": "TRANSCRIPT",
            "metric_input": {"a": 1.0, "order": "00123"},
        }
    ]
    assert made.bound.unmapped == ("Type", "Test set")


def test_the_ready_made_mappings_load_and_every_resource_has_one() -> None:
    found = {mapping.name: mapping.resource for mapping in presets()}
    assert set(found.values()) == set(RESOURCES)
    assert {"coval-upload", "coval-cli", *RESOURCES} <= set(found)
    assert all(mapping.description for mapping in presets())
    assert all(load_mapping(name).name == name for name in found)


def test_every_step_says_what_it_does() -> None:
    assert len({step.__doc__ for step in STEPS.values()} - {None}) == len(STEPS)

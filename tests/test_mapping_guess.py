"""Detection: which ready-made mapping a table was made for, by its header; and what each of them makes of a row."""

from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from etl.batch import ROW, Origin
from etl.mapping import FITS, Guess, Mapping, bind, guess, load_mapping
from etl.resources import Contract
from tests.mapping_talk import batch_of, json_batch, mapped, mapping_of


def guesses(
    *columns: str,
    format_: str = "csv",
    resource: str | None = None,
    sheet: str | None = None,
    candidates: list[Mapping] | None = None,
) -> list[Guess]:
    origin = Origin("table", sheet, format_, columns, tuple(range(1, len(columns) + 1)), 1)
    sample = pl.DataFrame(schema={ROW: pl.Int64, **dict.fromkeys(columns, pl.String)})
    return guess(origin, sample, resource, candidates)


HEADERS: list[tuple[str, str, dict[str, str]]] = [
    # the mapping, the header, the column of each field
    (
        "test-cases",
        "Case ID|Scenario|Expected Output|Type|Script|Customer phone|Order / account no|Last reviewed|Owner|Notes",
        {
            "input_str": "Scenario",
            "expected_behaviors": "Expected Output",
            "input_type": "Type",
            "simulation_metadata_input.script_turns": "Script",
            "user_notes": "Notes",
        },
    ),
    (
        "test-cases",
        "Testfall|Input|Expected Behaviors|Type|Script Turns|Ø Dauer (min)|Notes",
        {
            "input_str": "Input",
            "expected_behaviors": "Expected Behaviors",
            "simulation_metadata_input.script_turns": "Script Turns",
        },
    ),
    ("test-cases", "question|expected_answer", {"input_str": "question", "expected_behaviors": "expected_answer"}),
    ("agentforce", "Utterance|Expected Topic|Expected Actions", {"input_str": "Utterance"}),
    (
        "vals-ai",
        "Test Id|Test Input|Right Answer|Tags",
        {"input_str": "Test Input", "expected_behaviors": "Right Answer"},
    ),
    (
        "test-cases",
        "Title|Caller says|Success criteria|Comments|Priority",
        {
            "description": "Title",
            "input_str": "Caller says",
            "expected_behaviors": "Success criteria",
            "user_notes": "Comments",
        },
    ),
    (
        "test-cases",
        "Suite|Test case|Prompt|Expected Result|Turn 1|Turn 2|Turn 3",
        {
            "test_set_id": "Suite",
            "description": "Test case",
            "input_str": "Prompt",
            "expected_behaviors": "Expected Result",
        },
    ),
    ("test-cases", "Test Case ID|Test Case|Expected Result", {"input_str": "Test Case"}),
    (
        "test-cases",
        "Test Case ID|Test Case|Steps|Expected Result",
        {"input_str": "Steps", "description": "Test Case"},
    ),
    ("test-cases", "PROMPT|Expcted Behaviours|Descripton", {"expected_behaviors": "Expcted Behaviours"}),
    (
        "test-cases",
        "input_str|test_set_id|expected_behaviors|input_type|simulation_metadata_input|metric_input|user_notes",
        {"test_set_id": "test_set_id", "simulation_metadata_input": "simulation_metadata_input"},
    ),
    (
        "agents",
        "Agent name|Model type|Phone number|Endpoint|Chat endpoint|WebSocket endpoint|Metadata|Owner",
        {
            "display_name": "Agent name",
            "endpoint": "Endpoint",
            "metadata.endpoint": "WebSocket endpoint",
            "metadata.chat_endpoint": "Chat endpoint",
            "metadata": "Metadata",
        },
    ),
    ("agents", "display_name|model_type|phone_number|prompt|metadata|workflows|metric_ids|test_set_ids", {}),
    ("agents", "Name|Channel|Phone|System prompt|Webhook URL", {"model_type": "Channel", "endpoint": "Webhook URL"}),
    (
        "personas",
        "Name|Voice|Language|Persona prompt|Background sound|Voice speed|Wait seconds|Multi-language STT",
        {
            "name": "Name",
            "voice_name": "Voice",
            "language_code": "Language",
            "multi_language_stt": "Multi-language STT",
        },
    ),
    ("test-sets", "Name|Slug|Description|Test set type", {"display_name": "Name", "test_set_type": "Test set type"}),
    ("test-sets", "Test suite|Description", {"display_name": "Test suite"}),
    (
        "run-templates",
        "Template name|Agent ID|Persona ID|Test set ID|Metric IDs|Iteration count|Concurrency|Sub sample seed",
        {"agent_id": "Agent ID", "metric_ids": "Metric IDs", "sub_sample_seed": "Sub sample seed"},
    ),
    ("runs", "agent_id|persona_id|test_set_id|metric_ids|persona_metrics|mutation_ids|options|metadata", {}),
    (
        "run-templates",
        "display_name|agent_ids|persona_ids|test_set_ids|metric_ids|iteration_count|concurrency|tags",
        {"agent_ids": "agent_ids", "tags": "tags"},
    ),
    ("runs", "Agent|Persona|Suite|Iterations", {"options.iteration_count": "Iterations", "test_set_id": "Suite"}),
    ("coval-upload", "Input|expected_behaviors|INPUT_TYPE|metadata|agent_ids", {"input_str": "Input"}),
]


@pytest.mark.parametrize(("name", "header", "columns"), HEADERS)
def test_a_header_is_recognised(name: str, header: str, columns: dict[str, str]) -> None:
    best, second, *_ = guesses(*header.split("|"))
    assert best.mapping.name == name
    assert best.score >= FITS
    assert best.score > second.score
    assert columns.items() <= {path: column for column, path in best.columns.items()}.items()


@pytest.mark.parametrize(
    "header",
    [
        "Notes",
        "Allowed types|Owners|Queues",
        "Allowed types|Owners|Name",
        "Name|Description|Type",
        "Type|Title|Tags",
        "README|About this workbook",
        "Name|E-mail|Phone",
        "id|Date|Amount",
        "Input type|Channel|Priority",
        "1|2|3",
    ],
)
def test_a_table_of_something_else_does_not_fit(header: str) -> None:
    assert all(one.score < FITS for one in guesses(*header.split("|")))


def test_common_names_are_enough_when_the_resource_is_told() -> None:
    best, *_ = guesses("Name", "Description", resource="test-sets")
    assert best.score >= FITS


def test_a_missing_test_set_or_agent_lowers_the_score_only_a_little() -> None:
    [without] = [one for one in guesses("Template name", "Iterations") if one.mapping.name == "run-templates"]
    [whole] = [
        one
        for one in guesses("Template name", "Iterations", "Agent ID", "Persona ID", "Test set ID")
        if one.mapping.name == "run-templates"
    ]
    assert FITS < without.score < whole.score < without.score + 0.1


def test_an_id_is_taken_for_nothing_else() -> None:
    best = guesses("Test Case ID", "Scenario", "Expected Result")[0]
    assert best.columns == {"Scenario": "input_str", "Expected Result": "expected_behaviors"}


def of_values(columns: Pairs[str, Sequence[str | None]], **more: Any) -> list[Guess]:
    batch = batch_of(columns)
    return guess(batch.origin, batch.source, **more)


def test_a_column_without_data_counts_as_absent_unless_its_name_is_known_exactly() -> None:
    assert of_values({"Scenaro": [" "], "Expected": ["it says so"], "Owner": ["y"]})[0].score < FITS
    exact = of_values({"Scenario": [" "], "Expected": ["it says so"], "Owner": ["y"]})[0]
    assert (exact.score >= FITS, exact.columns["Scenario"]) == (True, "input_str")
    best = of_values({"input_str": [None], "notes": ["b"]})[0]
    assert best.columns == {"input_str": "input_str", "notes": "user_notes"}
    assert best.score >= FITS


def test_a_column_with_data_comes_before_an_empty_one() -> None:
    best = of_values({"Scenario": [None], "Test case": ["Cancel my order"], "Expected": ["it says so"]})[0]
    assert best.columns["Test case"] == "input_str"


class TestValues:
    """What the values say of a column whose name is known."""

    @pytest.mark.parametrize(
        ("column", "values", "words"),
        [
            ("Type", ["Functional", "Regression"], "other words such as Functional"),
            ("Expected", ["12", "7.5"], "numbers such as 12"),
            ("Test case", ["TC-001", "TC-002"], "codes such as TC-001"),
            ("Remarks", ["2025-01-01", "2025-02-01"], "dates such as 2025-01-01"),
            ("Dialogue", ['[{"role": "user", "content": "Hi"}]'] * 2, "messages with roles"),
        ],
    )
    def test_speak_against_a_field(self, column: str, values: list[str], words: str) -> None:
        best = of_values({"Scenario": ["Cancel it", "Move it"], column: values})[0]
        assert column not in best.columns
        assert best.doubts[column].evidence.endswith(f"but holds {words}")
        assert "Scenario" in best.columns

    @pytest.mark.parametrize("values", [["Scenario", "Regression"], ["Scenaro", "Scenaro"], ["script", None]])
    def test_with_a_word_of_the_field_only_its_rules_judge(self, values: list[str]) -> None:
        best = of_values({"Scenario": ["Cancel it", "Move it"], "Type": values})[0]
        assert best.columns["Type"] == "input_type"

    def test_never_speak_against_the_fields_own_name_or_a_mapping_that_was_named(self) -> None:
        cells = {"input_str": ["1", "2"], "Type": ["Functional", "Regression"]}
        assert of_values(cells)[0].columns == {"input_str": "input_str"}
        named = of_values(cells, candidates=[load_mapping("test-cases")])[0]
        assert named.columns == {"input_str": "input_str", "Type": "input_type"}

    def test_free_the_name_for_the_next_column(self) -> None:
        best = of_values({"Schritt": ["1", "2"], "Aktion": ["Anrufen", "Kündigen"], "Erwartung": ["a", "b"]})[0]
        assert best.columns == {"Aktion": "input_str", "Erwartung": "expected_behaviors"}

    def test_do_not_speak_against_a_field_whose_rows_came_back(self) -> None:
        cells = {"Scenario": ["Move it"], "Type": ["SONG"], "_coval_etl_error": ['input_type is "SONG"; use one of …']}
        assert of_values(cells)[0].columns["Type"] == "input_type"
        assert "Type" not in of_values(cells | {"_coval_etl_error": ["Something else."]})[0].columns

    def test_tell_agents_from_runs(self) -> None:
        ids = ["gk3jK9mPq2xRt5vW8yZaBc", "gk3jK9mPq2xRt5vW8yZaBd"]
        best = of_values({"Agent": ids, "Persona": ids, "Test suite": ["aB1cD2eF", "aB1cD2eG"]})[0]
        assert best.mapping.name == "runs"
        assert best.uses["Agent"].evidence == "named Agent"
        none = of_values({"Agent": ["Andy", "Scout"], "Channel": ["#popsclaw", "#land-ops"], "Domain": ["a", "b"]})
        assert all(one.score < FITS for one in none)

    def test_confirm(self) -> None:
        best = of_values(
            {
                "Agent name": ["Desk", "Shop"],
                "Channel": ["Voice", "sms"],
                "Phone": ["+14155550100", "+14155550101"],
                "Webhook": ["https://a.example/x", "https://a.example/y"],
                "Settings": ['{"a": 1}', "{}"],
            }
        )[0]
        assert {column: use.evidence.partition("; ")[2] for column, use in best.uses.items()} == {
            "Agent name": "",
            "Channel": "words that the API knows",
            "Phone": "phone numbers",
            "Webhook": "URLs",
            "Settings": "JSON objects",
        }


class TestEvidence:
    """Why a column is used, and how sure that is."""

    @pytest.mark.parametrize(
        ("column", "evidence", "confidence"),
        [
            ("input_str", "same name", 1.0),
            ("Scenario", "named Scenario", 1.0),
            ("Scenario (as called in)", "Scenario in its name", 0.9),
            ("Chapter 2 - Scenario", "Scenario in its name", 0.9),
        ],
    )
    def test_says_which_name_it_was(self, column: str, evidence: str, confidence: float) -> None:
        use = guesses(column, "Expected")[0].uses[column]
        assert (use.path, use.evidence, use.confidence) == ("input_str", evidence, confidence)

    def test_a_typing_error_is_less_sure(self) -> None:
        use = guesses("Scenario", "Expcted Behaviours")[0].uses["Expcted Behaviours"]
        assert use.evidence == "named like expected_behaviours"
        assert 0.87 <= use.confidence < 1

    def test_two_parts_that_are_one_name_are_neither(self) -> None:
        best = guesses("Result (Expected)", "Script - Steps", "Other - Steps", "Question", resource="test-cases")[0]
        assert best.columns == {"Question": "input_str"}


def test_a_settled_mapping_takes_the_same_columns() -> None:
    batch = batch_of({"Frage": ["Wo?"], "Type": ["Functional"], "Antwort": ["Dort"], "Turn 1": ["a"], "Turn 2": ["b"]})
    best = guess(batch.origin, batch.source)[0]
    bound = bind(best.settled, batch.origin, Contract.V2025_10)
    assert bound.unmapped == ("Type",)
    assert bound.columns["input_str"] == ("Frage",)
    assert bound.columns["simulation_metadata_input.script_turns"] == ("Turn 1", "Turn 2")


def test_two_mappings_that_fit_equally_are_both_shown(tmp_path: Path) -> None:
    mine = mapping_of(tmp_path, "input_str: {from: Frage, required: true}")
    other = mine.model_copy(update={"name": "other"})
    first, second = guesses("Frage", candidates=[other, mine])
    assert first.score == second.score >= FITS
    assert [first.mapping.name, second.mapping.name] == ["mine", "other"]


def test_the_vendors_formats_need_exactly_their_header() -> None:
    def score(name: str, *columns: str, format_: str) -> float:
        return next(one.score for one in guesses(*columns, format_=format_) if one.mapping.name == name)

    assert score("coval-cli", "input_str", "expected_output_str", "description", format_="jsonl") == 1
    assert score("coval-cli", "input_str", "expected_output_str", "input_type", format_="jsonl") == 0
    assert score("coval-cli", "input_str", "expected_output_str", "description", format_="csv") == 0
    assert score("coval-upload", "input", "expected_behaviors", format_="xlsx") == 1
    assert score("coval-upload", "input", "expected_behaviors", "Owner", format_="csv") == 0
    assert score("coval-upload", "input", "expected_behaviors", format_="jsonl") == 0


def test_a_mapping_that_somebody_chose_is_not_particular_about_the_header() -> None:
    [chosen] = guesses("input", "expected_behaviors", "Owner", candidates=[load_mapping("coval-upload")])
    assert chosen.score >= FITS


def test_a_mapping_for_one_sheet_considers_no_other(tmp_path: Path) -> None:
    mine = mapping_of(tmp_path, "input_str: {from: Frage}", more="source: {sheet: Fälle}\n")
    assert guesses("Frage", format_="xlsx", sheet="faelle", candidates=[mine])[0].score == 0
    assert guesses("Frage", format_="xlsx", sheet="FALLE", candidates=[mine])[0].score >= FITS


@pytest.mark.parametrize(
    ("requires", "fits"),
    [
        ("[Frage]", True),
        ("[frage]", False),
        ("[Frage, [x, y]]", False),
        ('[["z", "Fra*"]]', True),
        ("['Rollen[].role']", True),
        ("['Rollen[].name']", False),
        ("[Frage], excludes: [x]", True),
        ("[Frage], excludes: [x, 'Rollen[].role']", False),
    ],
)
def test_a_mapping_may_require_columns_and_what_is_in_them(
    requires: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = mapping_of(tmp_path, "input_str: {from: Frage}", more=f"source: {{requires: {requires}}}\n")
    monkeypatch.setattr("etl.mapping.detection.guessing.presets", lambda: (mine,))
    origin = Origin("table", None, "csv", ("Frage", "Rollen"), (1, 2), 1)
    sample = pl.DataFrame({ROW: [2, 3], "Frage": ["x", "y"], "Rollen": [None, '[{"role": "user"}]']})
    assert guess(origin, sample)[0].score == (1.0 if fits else 0.0)
    assert guess(origin, sample, candidates=[mine])[0].score >= FITS


def test_a_mapping_without_columns_fits_any_table(tmp_path: Path) -> None:
    mine = mapping_of(tmp_path, 'input_str: {expr: "UPPER(Frage)"}')
    assert guesses("Frage", candidates=[mine])[0].score >= FITS


def test_what_is_left_over_is_named_once() -> None:
    made = bind(
        load_mapping("test-cases"),
        batch_of({"Case ID": [None], "Input": ["x"], "Date": [None], "_coval_etl_error": ["y"]}).origin,
        Contract.V2025_10,
    )
    assert made.unmapped == ("Case ID", "Date")


# --- the vendor's own formats, by their own rules


def test_the_upload_format_cuts_at_commas_and_the_json_array_does_not() -> None:
    batch = batch_of(
        {
            "Input": ["Dispute a $45.99 charge", "b", "c", "d"],
            "expected_behaviors": [
                '["Verifies identity","Opens a dispute, gives a case number"]',
                "Verifies identity, Opens a dispute, gives a case number",
                "Only one",
                None,
            ],
            "input_type": ["scenario", "Transcript", None, "x"],
            "metadata": ['{"ticket": "X-001"}', None, "not json", None],
            "agent_ids": ['["gk3jK9mPq2xRt5vW8yZaBc"]', None, None, None],
        }
    )
    made = mapped(load_mapping("coval-upload"), batch)
    assert made.bodies == [
        {
            "input_str": "Dispute a $45.99 charge",
            "expected_behaviors": ["Verifies identity", "Opens a dispute, gives a case number"],
            "input_type": "SCENARIO",
            "metric_input": {"ticket": "X-001"},
        },
        {
            "input_str": "b",
            "expected_behaviors": ["Verifies identity", "Opens a dispute", "gives a case number"],
            "input_type": "TRANSCRIPT",
        },
        {"input_str": "c", "expected_behaviors": ["Only one"]},
        {"input_str": "d", "input_type": "x"},
    ]
    assert made.codes == ["wrong_type"]
    assert made.bound.unmapped == ("agent_ids",)


def test_the_command_lines_format_is_taken_as_it_is() -> None:
    batch = json_batch(
        {"input_str": " Hi ", "expected_output_str": "Greets, politely.\nAsks.", "description": "d"},
        {"input_str": "b"},
    )
    assert mapped(load_mapping("coval-cli"), batch).bodies == [
        {"input_str": " Hi ", "expected_behaviors": ["Greets, politely.\nAsks."], "description": "d"},
        {"input_str": "b"},
    ]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("voice", "MODEL_TYPE_VOICE"),
        ("Inbound voice", "MODEL_TYPE_VOICE"),
        ("PHONE", "MODEL_TYPE_VOICE"),
        ("outbound", "MODEL_TYPE_OUTBOUND_VOICE"),
        ("Chat", "MODEL_TYPE_CHAT"),
        ("SMS", "MODEL_TYPE_SMS"),
        ("web-socket", "MODEL_TYPE_WEBSOCKET"),
        ("model type sms", "MODEL_TYPE_SMS"),
        ("MODEL_TYPE_EMAIL", "MODEL_TYPE_EMAIL"),
    ],
)
def test_words_for_model_types(word: str, meant: str) -> None:
    made = mapped(load_mapping("agents"), batch_of({"Name": ["n"], "Type": [word]}), Contract.V2026_10)
    assert made.bodies == [{"display_name": "n", "model_type": meant}]
    assert made.problems == []


def test_a_word_for_no_model_type_is_a_problem() -> None:
    made = mapped(load_mapping("agents"), batch_of({"Name": ["n"], "Type": ["Fax"]}), Contract.V2026_10)
    assert made.codes == ["unknown_value"]

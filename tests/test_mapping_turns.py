"""Scripts and transcripts as people write them: cell to turns, under both contracts, and as the sandbox takes them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import mapping as maps
from etl.mapping import bind, gather
from etl.mapping.cells import turns
from etl.mapping.cells.transcripts import as_messages
from etl.problems import Code
from etl.resources import TEST_CASES, Contract
from etl.validators import check
from tests.mapping_talk import Mapped, batch_of, json_batch, mapped, mapping_of
from tests.sandbox_talk import talking

OLD, NEW = Contract.V2025_10, Contract.V2026_10
TURNS = "simulation_metadata_input.script_turns: {from: Script, steps: [turns]}"


def keys(digits: str) -> dict[str, str]:
    return {"type": "dtmf", "digits": digits}


SKIP = {"type": "skip"}

SPOKEN: list[tuple[str, list[str]]] = [
    # speech alone: the same under both contracts
    ("Hi", ["Hi"]),
    ("Hi\nYes, 123.\r\nBye", ["Hi", "Yes, 123.", "Bye"]),
    ("Hi | Yes | Bye", ["Hi", "Yes", "Bye"]),
    ("1. Hi\n2. Yes\n3. Bye", ["Hi", "Yes", "Bye"]),
    ("(1) Hi\n(2) Bye", ["Hi", "Bye"]),
    ("- Hi\n- Yes", ["Hi", "Yes"]),
    ("• Hi • Yes", ["Hi", "Yes"]),
    ('["Hi", "Caller: yes"]', ["Hi", "Caller: yes"]),
    ('["Hi", "[DTMF 1]", "press 1", "[silence]"]', ["Hi", "[DTMF 1]", "press 1", "[silence]"]),
    ('["Hi", ""]', ["Hi", ""]),
    ("[]", []),
    ("Caller: Hi\nCaller: Bye", ["Hi", "Bye"]),
    ("CUSTOMER : Hi\nUser: Bye", ["Hi", "Bye"]),
    ("**Caller:** Hi\n**Caller**: Bye", ["Hi", "Bye"]),
    ("*Caller:* Hi\n__Caller:__ Bye", ["Hi", "Bye"]),
    ("[Caller] Hi\n[Caller]: Bye", ["Hi", "Bye"]),
    ("[00:01] Caller: Hi\n[00:09] Caller: Bye", ["Hi", "Bye"]),
    ("00:00:01 Caller: Hi\n00:00:09.250 Caller: Bye", ["Hi", "Bye"]),
    ("Caller (angry): Hi\nCaller 2: Bye", ["Hi", "Bye"]),
    ("Kunde: Hallo\nAnruferin: Ja", ["Hallo", "Ja"]),
    ("Client : Bonjour\nAppelant : Oui", ["Bonjour", "Oui"]),
    ("Cliente: Hola\nUsuario: Sí", ["Hola", "Sí"]),
    ("Usuário: Olá", ["Olá"]),
    ("Klant: Hallo", ["Hallo"]),
    ("お客様\uff1aこんにちは\nユーザー:はい", ["こんにちは", "はい"]),
    ("Human: Hi\nPersona: Bye", ["Hi", "Bye"]),
    ("Caller: Hi,\n  it's me\nCaller: Bye", ["Hi, it's me", "Bye"]),
    ("Caller: Hi / Caller: Bye", ["Hi", "Bye"]),
    ("Caller: A / B, please", ["A / B, please"]),
    ("Either / or", ["Either / or"]),
    ("Hi, the customer: John Smith\nBye", ["Hi, the customer: John Smith", "Bye"]),
    ("[Optional] Greets", ["[Optional] Greets"]),
    ("Please press 1 for sales", ["Please press 1 for sales"]),
    ("I pressed 1 and nothing happened", ["I pressed 1 and nothing happened"]),
    ("press 1 or 2", ["press 1 or 2"]),
    ("Silence", ["Silence"]),
    ("Well, [pause] I think so", ["Well, [pause] I think so"]),
    ("{{name}} here", ["{{name}} here"]),
    ('[{"role": "user", "content": "Hi"}, {"role": "user", "content": " Bye "}]', ["Hi", "Bye"]),
    ('[{"speaker": "Caller", "text": "Hi"}]', ["Hi"]),
    ('[{"from": "human", "value": "Hi"}]', ["Hi"]),
    ('[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]', ["Hi"]),
    ('{"role": "user", "content": "Hi"}', ["Hi"]),
    ('["Hi", {"role": "user", "content": "Bye"}]', ["Hi", "Bye"]),
    ("Turn 1: hi\nTurn 2: bye", ["hi", "bye"]),
    ("Step 1: hi | Step 2: bye", ["hi", "bye"]),
    ("Turn 1: Caller: hi\n\nTurn 2: Caller: bye", ["hi", "bye"]),
    ("Turn 1: hi\nbye", ["Turn 1: hi", "bye"]),
    ("Caller: at\n10:30 or\nHttps://example.com\nand so on: yes", ["at 10:30 or Https://example.com and so on: yes"]),
]

WITH_AGENT: list[tuple[str, list[str], list[str]]] = [
    # cell, the persona's turns, the agent's lines
    ("Caller: Hi\nAgent: Hello\nCaller: Bye", ["Hi", "Bye"], ["Hello"]),
    ("CUSTOMER : Hi\nassistant: Hello\nUser: Bye", ["Hi", "Bye"], ["Hello"]),
    ("Caller: Hi | Bot: Hello | Caller: Bye", ["Hi", "Bye"], ["Hello"]),
    ("Caller: Hi / Agent: Hello / Caller: Bye", ["Hi", "Bye"], ["Hello"]),
    ("Caller: Hi // AI: Hello; Caller: Bye", ["Hi", "Bye"], ["Hello"]),
    ("Caller: Hi -> Agent: Hello -> Caller: Bye", ["Hi", "Bye"], ["Hello"]),
    ("Caller: Hi. Agent: Hello! Caller: Bye.", ["Hi.", "Bye."], ["Hello!"]),
    ("**Caller:** Hi\n**Agent:** Hello\n**Caller:** Bye", ["Hi", "Bye"], ["Hello"]),
    ("**Caller:** Hi / **Agent:** Hello", ["Hi"], ["Hello"]),
    ("[Caller] Hi\n[Agent] Hello", ["Hi"], ["Hello"]),
    ("1. Caller: Hi\n2. Agent: Hello\n3. Caller: Bye", ["Hi", "Bye"], ["Hello"]),
    ("- Caller: Hi\n- IVR: Hello\n- Caller: Bye", ["Hi", "Bye"], ["Hello"]),
    (
        "Caller: Hi,\n  it's me\nAgent: Hello,\nhow can I help?\nCaller: Bye",
        ["Hi, it's me", "Bye"],
        ["Hello, how can I help?"],
    ),
    ("Hi\nAgent: Hello\nBye", ["Hi", "Bye"], ["Hello"]),
    ("Kunde: Hallo\nMitarbeiter: Guten Tag", ["Hallo"], ["Guten Tag"]),
    ("Client : Bonjour\nConseillère : Bonjour !", ["Bonjour"], ["Bonjour !"]),
    ("Usuario: Hola\nAsistente: Buenas", ["Hola"], ["Buenas"]),
    ("お客様\uff1aはい\nエージェント\uff1aどうぞ", ["はい"], ["どうぞ"]),
    ("System: Welcome\nCaller: Hi", ["Hi"], ["Welcome"]),
    ("Virtual agent: Hello\nUser: Hi\nOperator: One moment", ["Hi"], ["Hello", "One moment"]),
    ('[{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Hi"}]', ["Hi"], ["Hello"]),
    ('[{"speaker": "Agent", "text": "Hello"}, {"speaker": "caller", "text": "Hi"}]', ["Hi"], ["Hello"]),
]

TYPED: list[tuple[str, list[Any]]] = [
    # under 2026-10 these turns, under 2025-10 a problem
    ("[DTMF 123#]", [keys("123#")]),
    ("[dtmf: 1]", [keys("1")]),
    ("[DTMF:*9]", [keys("*9")]),
    ("(DTMF 1)", [keys("1")]),
    ("<dtmf>1</dtmf>", [keys("1")]),
    ('<dtmf digits="12"/>', [keys("12")]),
    ("press 1", [keys("1")]),
    ("Press 1.", [keys("1")]),
    ("presses 12#", [keys("12#")]),
    ("(presses 2)", [keys("2")]),
    ("[press 3]", [keys("3")]),
    ("pressed #", [keys("#")]),
    ("keypad: 123#", [keys("123#")]),
    ("DTMF: 1", [keys("1")]),
    ("[DTMF +1 (555) 010-0199]", [keys("+1 (555) 010-0199")]),
    ("Hi\n[DTMF 1]\nBye", ["Hi", keys("1"), "Bye"]),
    ("Hi | press 1 | [silence] | Bye", ["Hi", keys("1"), SKIP, "Bye"]),
    ("1. Hi\n2. press 1\n3. [silence]", ["Hi", keys("1"), SKIP]),
    ("Caller: Hi\nCaller: [DTMF 1]", ["Hi", keys("1")]),
    ("[Caller] press 5", [keys("5")]),
    ("My PIN is [DTMF 1234]", ["My PIN is", keys("1234")]),
    ("My PIN is [DTMF 1234].", ["My PIN is", keys("1234")]),
    ("It is <dtmf>12</dtmf> and then [DTMF 3#], thanks", ["It is", keys("12"), "and then", keys("3#"), "thanks"]),
    ("[silence]", [SKIP]),
    ("(silence)", [SKIP]),
    ("[Pause]", [SKIP]),
    ("[skip]", [SKIP]),
    ("<silence/>", [SKIP]),
    ("*silence*", [SKIP]),
    ("[waits]", [SKIP]),
    ("<break/>", [SKIP]),
    ("*presses 2*", [keys("2")]),
    ("press 2*", [keys("2*")]),
    ("Caller: press 1\n(silence)", [keys("1"), SKIP]),
    ("Caller: Hi\r\n[pause]\r\npress 1\r\nand go\r\non", ["Hi", SKIP, keys("1"), "and go on"]),
    ("Caller: Hi\nCaller: (silence)", ["Hi", SKIP]),
    ('["Hi", {"type": "dtmf", "digits": "1"}]', ["Hi", keys("1")]),
    ('[{"type": "skip"}, {"type": "text", "text": "Hi"}]', [SKIP, {"type": "text", "text": "Hi"}]),
    ('[{"role": "user", "content": "[DTMF 7]"}, {"type": "skip"}]', [keys("7"), SKIP]),
]


def read(cell: str | None, contract: Contract, folder: Path) -> tuple[Any, Mapped]:
    made = mapped(mapping_of(folder, TURNS), batch_of({"Script": [cell, "Hi"]}), contract)
    first, other = ((body.get("simulation_metadata_input", body)).get("script_turns") for body in made.bodies)
    assert other == ["Hi"]
    return first, made


@pytest.mark.parametrize(("cell", "said"), SPOKEN)
@pytest.mark.parametrize("contract", Contract)
def test_what_the_caller_says_is_the_same_under_both_contracts(
    cell: str, said: list[str], contract: Contract, tmp_path: Path
) -> None:
    found, made = read(cell, contract, tmp_path)
    assert found == said
    assert made.problems == []


@pytest.mark.parametrize(("cell", "said", "theirs"), WITH_AGENT)
@pytest.mark.parametrize("contract", Contract)
def test_the_agents_lines_are_never_dropped_in_silence(
    cell: str, said: list[str], theirs: list[str], contract: Contract, tmp_path: Path
) -> None:
    found, made = read(cell, contract, tmp_path)
    assert found == said
    [problem] = made.problems
    assert (problem["code"], problem["severity"], problem["row"]) == (Code.NOT_CONVERTIBLE, "warning", 2)
    quoted = ", ".join(f'"{line}"' for line in theirs)
    assert problem["message"] == (
        "Script has what cannot be converted: the agent's lines are not sent: "
        f"{quoted}; map them with the step agent_lines"
    )
    both = mapping_of(tmp_path, f"{TURNS}\nexpected_behaviors: {{from: Script, steps: [agent_lines]}}")
    made = mapped(both, batch_of({"Script": [cell, "Hi"]}), contract)
    assert made.problems == []
    assert [body.get("expected_behaviors") for body in made.bodies] == [theirs, None]


@pytest.mark.parametrize(("cell", "entries"), TYPED)
def test_keys_and_silence_are_typed_turns_under_2026_10_and_a_problem_with_advice_before(
    cell: str, entries: list[Any], tmp_path: Path
) -> None:
    found, made = read(cell, NEW, tmp_path)
    assert found == entries
    assert made.problems == []
    found, made = read(cell, OLD, tmp_path)
    assert found is None
    [problem] = made.problems
    assert (problem["code"], problem["severity"], problem["cell"]) == (Code.NOT_IN_CONTRACT, "error", "A2")
    place = next(place for place, entry in enumerate(entries, 1) if not isinstance(entry, str) and "text" not in entry)
    what = "silence" if entries[place - 1] == SKIP else "keys to press"
    assert problem["message"].startswith(f"Script: turn {place} is {what} (")
    assert problem["message"].endswith(
        ", and contract 2025-10 has spoken lines only; write it as speech, or use --contract 2026-10"
    )


def test_a_problem_names_the_notation_and_the_turn(tmp_path: Path) -> None:
    _, made = read("Hi | (presses 2) | Yes | <silence/>", OLD, tmp_path)
    assert "turn 2 is keys to press ((presses 2)), turn 4 is silence (<silence/>)" in made.messages[0]
    _, made = read(" | ".join(["press 1"] * 5), OLD, tmp_path)
    assert "turn 3 is keys to press (press 1) and 2 more, and" in made.messages[0]


def test_entries_of_text_alone_are_speech_under_2025_10(tmp_path: Path) -> None:
    found, made = read('["Hi", {"type": "text", "text": "Bye"}]', OLD, tmp_path)
    assert (found, made.problems) == (["Hi", "Bye"], [])


@pytest.mark.parametrize(
    ("cell", "code", "said"),
    [
        ("Agent: Hello", Code.MISSING_TURNS, "only the agent speaks"),
        ("[Agent] Hello", Code.MISSING_TURNS, "only the agent speaks"),
        ("Agent: Hello / Bot: Yes", Code.MISSING_TURNS, "only the agent speaks"),
        ('[{"role": "assistant", "content": "Hello"}]', Code.MISSING_TURNS, "only the agent speaks"),
        ('["Hi", 5]', Code.WRONG_TYPE, "item 2 is a number"),
        ('["Hi"', Code.MALFORMED_JSON, "this is not"),
        ("[1,2", Code.MALFORMED_JSON, "this is not"),
        ('[1, "Hi"', Code.MALFORMED_JSON, "this is not"),
        ('[{"role": "user"}, {"a": 1}]', Code.WRONG_TYPE, "item 2 is an object of another kind"),
        ('[{"role": "pilot", "content": "Hi"}]', Code.WRONG_TYPE, "item 1 is an object of another kind"),
        ('{"a": 1}', Code.WRONG_TYPE, "item 1 is an object of another kind"),
        ('[{"role": "user", "role": "x", "content": "Hi"}]', Code.DUPLICATE_KEY, '"role" stands twice'),
        ('["a", "\\ud800"]', Code.MALFORMED_JSON, "come in pairs"),
        ('[{"role": "user", "content": "\\ud800"}]', Code.MALFORMED_JSON, "come in pairs"),
    ],
)
@pytest.mark.parametrize("contract", Contract)
def test_a_script_that_says_nothing_is_one_problem(
    cell: str, code: Code, said: str, contract: Contract, tmp_path: Path
) -> None:
    found, made = read(cell, contract, tmp_path)
    assert found is None
    assert made.codes == [code]
    assert said in made.messages[0]


def test_who_is_neither_caller_nor_agent_is_said_even_where_the_agent_is_sent(tmp_path: Path) -> None:
    both = mapping_of(tmp_path, f"{TURNS}\nexpected_behaviors: {{from: Script, steps: [agent_lines]}}")
    cells = [
        "Caller: Hi\nTool: {balance: 5}\nAgent: Five",
        '[{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hi"}]',
    ]
    made = mapped(both, batch_of({"Script": cells}))
    assert [body["simulation_metadata_input"]["script_turns"] for body in made.bodies] == [["Hi"], ["Hi"]]
    assert made.codes == [Code.NOT_CONVERTIBLE] * 2
    assert made.messages[0].endswith('lines of neither caller nor agent are not sent: "{balance: 5}"')


UNKNOWN = [
    ("Kunde: Hallo\nAgent: Guten Tag\nAnna: Wer?", 'the line "Anna: …" has'),
    ("Caller: Hi | Agent: Hello | Mr. Smith: Stop", 'the line "Mr. Smith: …" has'),
    ("Caller: Hi\nAgent: Hello\n[00:09] **Anna (loud):** Stop", 'the line "Anna: …" has'),
    ("Caller: Hi\nAgent: Hello\nSpeaker 3: A\nAnna\uff1aB\nAnna: C", 'each of the lines "Speaker 3: …", "Anna: …" has'),
]


@pytest.mark.parametrize(("cell", "said"), UNKNOWN)
@pytest.mark.parametrize("contract", Contract)
def test_a_speaker_nobody_knows_is_never_taken_for_another_in_silence(
    cell: str, said: str, contract: Contract, tmp_path: Path
) -> None:
    theirs = "expected_behaviors: {from: Script, steps: [agent_lines]}"
    for fields in (f"{TURNS}\n{theirs}", theirs):
        made = mapped(mapping_of(tmp_path, fields), batch_of({"Script": [cell, "Caller: Hi\nAgent: Hello"]}), contract)
        [problem] = made.problems
        assert (problem["code"], problem["severity"], problem["row"]) == (Code.NOT_CONVERTIBLE, "warning", 2)
        assert said in problem["message"]
        assert problem["message"].endswith("it was taken for a part of the line before; write Caller or Agent")
    _, made = read(cell, contract, tmp_path)
    assert said in made.messages[0]
    assert made.messages[0].count("; map them with the step agent_lines; ") == 1


@pytest.mark.parametrize(
    "fields", ["input_str: {from: In}\ninput_type: {value: TRANSCRIPT}", "input_str: {from: In, steps: [transcript]}"]
)
def test_a_transcript_with_a_speaker_nobody_knows_is_a_problem(fields: str, tmp_path: Path) -> None:
    cells: list[str | None] = ["Client: Bonjour\nAgent: Salut\nSuperviseur: stop", "Caller: Hi\nat 10:30"]
    made = mapped(mapping_of(tmp_path, fields), batch_of({"In": cells}))
    assert "input_str" not in made.bodies[0]
    assert "input_str" in made.bodies[1]
    [problem] = made.problems
    assert (problem["code"], problem["severity"], problem["cell"]) == (Code.WRONG_FORM, "error", "A2")
    assert 'the line "Superviseur: …" has a speaker that is not known; write Caller or Agent' in problem["message"]


@pytest.mark.parametrize(
    "cell",
    [
        "[wait 5 seconds]",
        "[silence 5s]",
        "[silence: 5]",
        "[pause 3s]",
        "(waits for 2.5 sec)",
        "[5 seconds of silence]",
        '<break time="3s"/>',
        "*pause 3s*",
    ],
)
def test_a_silence_is_sent_without_its_length_and_that_is_said(cell: str, tmp_path: Path) -> None:
    for script in (cell, f"Caller: Hi\nCaller: {cell}", f"Caller: Hi\n{cell}"):
        found, made = read(script, NEW, tmp_path)
        assert found == (["Hi", SKIP] if "Hi" in script else [SKIP])
        assert [(one["code"], one["severity"]) for one in made.problems] == [(Code.NOT_CONVERTIBLE, "warning")]
        assert made.messages[0].endswith(f'the length of a silence is not sent: "{cell}"')
        found, made = read(script, OLD, tmp_path)
        assert found is None
        assert Code.NOT_IN_CONTRACT in made.codes


@pytest.mark.parametrize("cell", ["[hold]", "*sighs*", "[hangs up]."])
@pytest.mark.parametrize("contract", Contract)
def test_a_direction_that_would_be_read_aloud_is_a_warning(cell: str, contract: Contract, tmp_path: Path) -> None:
    found, made = read(f"Hi\n{cell}", contract, tmp_path)
    assert found == ["Hi", cell]
    assert [(one["code"], one["severity"]) for one in made.problems] == [(Code.NOT_CONVERTIBLE, "warning")]
    assert f'turns in brackets or stars are read aloud: "{cell}"' in made.messages[0]


@pytest.mark.parametrize("contract", Contract)
def test_typed_arrays_of_json_lines_are_read_too(contract: Contract, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"Script": ["Hi", "Caller: yes", "[DTMF 1]"]},
        {"Script": [{"role": "user", "content": "Hi"}]},
        {"Script": "Caller: Hi"},
        {"Script": []},
        {"Script": None},
    ]
    made = mapped(mapping_of(tmp_path, TURNS), json_batch(*records), contract)
    found = [body.get("simulation_metadata_input", body).get("script_turns") for body in made.bodies]
    assert found == [["Hi", "Caller: yes", "[DTMF 1]"], ["Hi"], ["Hi"], [], None]
    assert made.problems == []
    for wrong in (5, True, ["Hi", 5], {"a": 1}):
        made = mapped(mapping_of(tmp_path, TURNS), json_batch({"Script": wrong}), OLD)
        assert made.codes == [Code.WRONG_TYPE]


def test_columns_of_turns_may_hold_keys_and_agents(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path, 'simulation_metadata_input.script_turns: {from_pattern: ["Turn {n}"], steps: [turns]}'
    )
    batch = batch_of({"Turn 1": ["Hi", "Hi"], "Turn 2": ["Agent: Hello", None], "Turn 3": ["PIN [DTMF 12]", "press 1"]})
    made = mapped(mapping, batch, NEW)
    assert made.bodies == [{"script_turns": ["Hi", "PIN", keys("12")]}, {"script_turns": ["Hi", keys("1")]}]
    assert made.codes == [Code.NOT_CONVERTIBLE, Code.TURN_GAP]
    codes = [Code.NOT_CONVERTIBLE, Code.NOT_IN_CONTRACT, Code.NOT_IN_CONTRACT, Code.TURN_GAP]
    assert mapped(mapping, batch, OLD).codes == codes


def test_turns_of_several_columns_are_one_script(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """simulation_metadata_input.script_turns: {all_of: [{from: A, steps: [turns]}, {from: B, steps: [turns]}]}
        expected_behaviors: {from: B, steps: [agent_lines]}""",
    )
    batch = batch_of({"A": ["Hi | press 1", None, "Hi"], "B": ["Bye\nAgent: OK", "User: Yes", None]})
    made = mapped(mapping, batch, NEW)
    assert [body["script_turns"] for body in made.bodies] == [["Hi", keys("1"), "Bye"], ["Yes"], ["Hi"]]
    assert made.problems == []
    made = mapped(mapping, batch, OLD)
    assert [body.get("simulation_metadata_input") for body in made.bodies] == [
        None,
        {"script_turns": ["Yes"]},
        {"script_turns": ["Hi"]},
    ]
    assert made.codes == [Code.NOT_IN_CONTRACT]
    typed = json_batch({"A": ["Hi", keys("1")], "B": ["Bye"]})
    assert mapped(mapping, typed, NEW).bodies == [{"script_turns": ["Hi", keys("1"), "Bye"]}]


@pytest.mark.parametrize("contract", Contract)
def test_other_fields_get_keys_and_silence_as_they_were_written(contract: Contract, tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """input_str: {from: Script, steps: [turns, {join: " / "}]}
        expected_behaviors: {from: Script, steps: [turns]}
        metric_input.script: {from: Script, steps: [turns, upper]}""",
    )
    made = mapped(mapping, batch_of({"Script": ["Hi\n[dtmf 1]\n(silence)"]}), contract)
    assert made.bodies == [
        {
            "input_str": "Hi / [dtmf 1] / (silence)",
            "expected_behaviors": ["Hi", "[dtmf 1]", "(silence)"],
            "metric_input": {"script": ["HI", "[DTMF 1]", "(SILENCE)"]},
        }
    ]
    assert made.problems == []


@pytest.mark.parametrize(
    "source",
    ["collect: {role: Speaker, content: Text}", "collect: Text, only: {Speaker: caller}"],
)
def test_rows_of_one_record_are_one_script(source: str, tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        f"simulation_metadata_input.script_turns: {{{source}, steps: [turns]}}",
        more="source: {group_by: Case}\n",
    )
    columns = {
        "Case": ["a", "a", "a", "b"],
        "Speaker": ["Caller", "Agent", "Caller", "Caller"],
        "Text": ["Hi", "Hello", "press 1", "Bye"],
    }
    batch = batch_of(columns)
    grouping = bind(mapping, batch.origin, NEW).grouping
    assert grouping is not None
    gathered = list(gather(grouping, [batch]))
    newer = [body["script_turns"] for one in gathered for body in mapped(mapping, one, NEW).bodies]
    assert newer == [["Hi", keys("1")], ["Bye"]]
    older = [mapped(mapping, one, OLD) for one in gathered]
    assert [body for made in older for body in made.bodies] == [
        {},
        {"simulation_metadata_input": {"script_turns": ["Bye"]}},
    ]
    assert Code.NOT_IN_CONTRACT in [code for made in older for code in made.codes]


PERSONA_LABELS = ["Caller: ", "Customer:", "**User:** ", "[Persona] ", "Kunde: ", "Client : ", "USER (angry): "]
AGENT_LABELS = ["Agent: ", "Bot:", "**Assistant:** ", "[AI] ", "IVR: ", "Conseiller : "]
LINE = (
    st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs"]), min_size=1, max_size=12)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: bool(text) and not text.isdigit())
)
LABELLED = st.lists(
    st.tuples(st.booleans(), st.sampled_from(PERSONA_LABELS), st.sampled_from(AGENT_LABELS), LINE),
    min_size=1,
    max_size=6,
)


@given(lines=LABELLED, between=st.sampled_from(["\n", "\r\n", " / ", " | ", "\n\n"]))
@settings(max_examples=300, deadline=None)
def test_labelled_lines_give_back_what_each_side_said(lines: list[tuple[bool, str, str, str]], between: str) -> None:
    cell = between.join((own if is_own else other) + text for is_own, own, other, text in lines)
    mine = [text for is_own, _, _, text in lines if is_own]
    theirs = [text for is_own, _, _, text in lines if not is_own]
    assert turns.read_turns(pl.Series([None, cell])).to_list() == [None, mine or None]
    assert turns.read_agent_lines(pl.Series([None, cell])).to_list() == [None, theirs or None]
    messages = json.loads(as_messages(pl.Series([cell]))[0])
    assert messages == [{"role": "user" if is_own else "assistant", "content": text} for is_own, _, _, text in lines]


@given(st.lists(st.text(st.sampled_from('ab:[]{}()|/"\n <>*-1#.,DTMFpress \x1e\x1f'), max_size=40), max_size=8))
@settings(max_examples=300, deadline=None)
def test_no_cell_is_too_odd_and_no_cell_changes_another(cells: list[str]) -> None:
    column = pl.Series("cells", cells, dtype=pl.String)
    together = turns.read_turns(column)
    assert together.to_list() == [turns.read_turns(pl.Series([cell])).to_list()[0] for cell in cells]
    for entries in turns.as_entries(together).drop_nulls():
        json.loads(entries)
    assert len(turns.left_out(column, agent=True)) == len(cells)
    as_messages(column)


MESSAGES = [
    ("Caller: Hi\nAgent: Hello", [("user", "Hi"), ("assistant", "Hello")]),
    ("Agent: Hello. Caller: Hi.", [("assistant", "Hello."), ("user", "Hi.")]),
    ("Agent: Hello / Caller: Hi", [("assistant", "Hello"), ("user", "Hi")]),
    ("**User:** Hi\nmore\n**Bot:** Yes", [("user", "Hi more"), ("assistant", "Yes")]),
    ('[00:01] Kunde: Ja "gut"\n[00:02] Agent: Schön', [("user", 'Ja "gut"'), ("assistant", "Schön")]),
]


@pytest.mark.parametrize(("cell", "messages"), MESSAGES)
@pytest.mark.parametrize("word", ["TRANSCRIPT", "transcript", " Transcript "])
def test_a_labelled_transcript_is_sent_as_messages(
    cell: str, messages: list[tuple[str, str]], word: str, tmp_path: Path
) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In}\ninput_type: {from: Type, steps: [strip]}")
    made = mapped(mapping, batch_of({"In": [cell, cell, None], "Type": [word, "SCENARIO", word]}))
    assert json.loads(made.bodies[0]["input_str"]) == [{"role": who, "content": text} for who, text in messages]
    assert made.bodies[1]["input_str"] == cell
    assert "input_str" not in made.bodies[2]
    assert made.problems == []
    step = mapping_of(tmp_path, "input_str: {from: In, steps: [transcript]}")
    explicit = mapped(step, batch_of({"In": [cell]}))
    assert explicit.bodies[0]["input_str"] == made.bodies[0]["input_str"]


@pytest.mark.parametrize(
    "cell",
    [
        '[ {"role": "user",  "content": "Hi"} ]',
        '[{"role": "tool", "content": "5"}]',
        "Just a text",
        "A call.\nCaller: Hi",
        "Caller:",
        "System: be kind",
        '{"messages": []}',
    ],
)
def test_other_transcripts_stay_as_they_are(cell: str, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In}\ninput_type: {value: TRANSCRIPT}")
    made = mapped(mapping, batch_of({"In": [cell]}))
    assert made.bodies == [{"input_str": cell, "input_type": "TRANSCRIPT"}]
    assert made.problems == []


@pytest.mark.parametrize(
    "fields", ["input_str: {from: In}\ninput_type: {value: TRANSCRIPT}", "input_str: {from: In, steps: [transcript]}"]
)
def test_a_transcript_of_others_than_user_and_assistant_is_a_problem(fields: str, tmp_path: Path) -> None:
    made = mapped(mapping_of(tmp_path, fields), batch_of({"In": ["Caller: Hi\nTool: 5\nAgent: Five", "Caller: Hi"]}))
    assert "input_str" not in made.bodies[0]
    [problem] = made.problems
    assert (problem["code"], problem["severity"], problem["cell"]) == (Code.WRONG_FORM, "error", "A2")
    assert 'line 2 is of neither of them ("5")' in problem["message"]


def checked(
    fields: str, columns: dict[str, list[str | None]], contract: Contract, folder: Path
) -> list[dict[str, Any]]:
    made = mapped(mapping_of(folder, fields), batch_of(columns), contract)
    bound = made.bound
    batch = check(
        made.batch,
        TEST_CASES,
        contract,
        bound.fields,
        bound.columns,
        lambda frame: maps.bodies(frame, bound.fields),
        assume_test_set=True,
    )
    return batch.problems.sort("row").rows(named=True)


SCRIPT = f"input_str: {{value: Call}}\ninput_type: {{value: SCRIPT}}\n{TURNS}"


@pytest.mark.parametrize("contract", Contract)
def test_a_script_without_turns_is_one_problem(contract: Contract, tmp_path: Path) -> None:
    cells = [None, "  ", "[]", "Agent: Hello", '[{"role": "assistant", "content": "Hello"}]', "Hi"]
    found = checked(SCRIPT, {"Script": cells}, contract, tmp_path)
    assert [(problem["row"], problem["code"], problem["severity"]) for problem in found] == [
        (row, "missing_turns", "error") for row in range(2, 7)
    ]


@pytest.mark.parametrize("contract", Contract)
def test_keys_that_would_be_read_aloud_are_a_warning(contract: Contract, tmp_path: Path) -> None:
    cells: list[str | None] = ["Then dtmf:1 please", '["Hi", "[DTMF 12#]"]', "Is dtmf on?", "press 1 for sales"]
    found = checked(SCRIPT, {"Script": cells}, contract, tmp_path)
    assert [(one["row"], one["code"], one["severity"]) for one in found] == [
        (2, "spoken_keys", "warning"),
        (3, "spoken_keys", "warning"),
    ]
    assert "script_turns item 2 is [DTMF 12#], which is read aloud" in found[1]["message"]
    assert '"digits": "12#"' in found[1]["message"]


@pytest.mark.parametrize("contract", Contract)
def test_keys_and_silence_are_one_problem_or_none(contract: Contract, tmp_path: Path) -> None:
    cells: list[str | None] = [cell for cell, _ in TYPED]
    found = checked(SCRIPT, {"Script": cells}, contract, tmp_path)
    assert [one["code"] for one in found] == (["not_in_contract"] * len(cells) if contract is OLD else [])


@pytest.mark.parametrize("contract", Contract)
async def test_the_sandbox_takes_every_body_without_a_problem(contract: Contract, tmp_path: Path) -> None:
    cells = [cell for cell, *_ in (*SPOKEN, *WITH_AGENT, *TYPED) if cell not in {"[]", '["Hi", ""]'}]
    made = mapped(mapping_of(tmp_path, SCRIPT), batch_of({"Script": cells}), contract)
    wrong = {problem["row"] for problem in made.problems if problem["severity"] == "error"}
    good = [body for row, body in enumerate(made.bodies, start=2) if row not in wrong]
    assert len(good) == len(cells) - (len(TYPED) if contract is OLD else 0)
    async with talking(contract) as talk:
        test_set = (await talk.make("/test-sets", {"display_name": "Set"}))["id"]
        for body in good:
            kept = await talk.make("/test-cases", {**body, "test_set_id": test_set})
            answered = kept["simulation_metadata_input"] if contract is OLD else kept
            assert answered["script_turns"] == body.get("simulation_metadata_input", body)["script_turns"]

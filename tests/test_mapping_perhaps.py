"""Columns of which detection is not sure: near names are taken, likely ones are asked for, none is dropped unasked."""

import json
from pathlib import Path

import polars as pl
import pytest

from etl.batch import ROW, Origin
from etl.choosing import only_one
from etl.errors import MappingError
from etl.mapping import FITS, Guess, guess
from tests.command import etl
from tests.real_headers import LATER, LIST, real_tables, sample_of

TURNS = "simulation_metadata_input.script_turns"
SAYS, SHOULD = "Where is my order and when does it come?", "Asks for the order number first"


def guessed(columns: dict[str, str], **given: str) -> Guess:
    names = tuple(columns)
    origin = Origin("cases.csv", None, "csv", names, tuple(range(1, len(names) + 1)), 1)
    frame = pl.DataFrame({ROW: [2]} | {name: [cell or None] for name, cell in columns.items()})
    return guess(origin, frame.cast(dict.fromkeys(names, pl.String)), given=tuple(given))[0]


def test_two_slips_in_two_names_are_no_tie() -> None:
    found = guessed({"Promt": SAYS, "Expcted Output": SHOULD})
    assert found.columns == {"Promt": "input_str", "Expcted Output": "expected_behaviors"}
    assert not found.perhaps


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ("Agent responds", "agent in its name"),
        ("Expected Output Slot 1", "nearly Expected outputs"),
        ("Anna should", "should in its name"),
        ("What we expect", "expect in its name"),
        ("Respuesta del agente", "respuesta in its name"),
        ("期待される応答", "nearly 期待される回答"),
        ("期待内容の詳細説明", "期待 in its name"),
    ],
)
def test_a_column_that_may_be_what_is_expected_is_asked_for(column: str, why: str) -> None:
    found = guessed({"Customer says": SAYS, column: SHOULD})
    assert found.score >= FITS
    assert {name: (use.path, use.evidence) for name, use in found.perhaps.items()} == {
        column: ("expected_behaviors", why)
    }


@pytest.mark.parametrize(
    "columns",
    [
        {"Prompt": SAYS, "Actual result": SHOULD},  # what came out is not what should
        {"Prompt": SAYS, "Agent": "Ann"},  # no sentence
        {"Prompt": SAYS, "Agent ID": "gk3jK9mPq2xRt5vW8yZaBc"},
        {"Prompt": SAYS, "Target date": "2026-01-01"},
        {"Prompt": SAYS, "Owner": "Somebody who likes sentences"},
        {"Prompt": SAYS, "Expected": SHOULD, "Agent responds": SHOULD},  # there is one already
        {"Prompt": SAYS, "expected_output_str": SHOULD, "Agent responds": SHOULD},
    ],
)
def test_what_cannot_be_it_is_not_asked_for(columns: dict[str, str]) -> None:
    assert not guessed(columns).perhaps


def test_a_value_for_all_rows_and_a_mapping_that_was_named_need_no_question(tmp_path: Path) -> None:
    columns = {"Customer says": SAYS, "Agent responds": SHOULD}
    assert not guessed(columns, expected_behaviors="Is polite").perhaps
    (tmp_path / "cases.csv").write_text(f"Customer says,Agent responds\n{SAYS},{SHOULD}\n")
    assert etl(tmp_path, "preview", "cases.csv", "--mapping", "test-cases").code == 0


def test_without_a_terminal_the_job_stops_and_names_the_column(tmp_path: Path) -> None:
    (tmp_path / "my cases.csv").write_text(f"Customer says,Agent responds\n{SAYS},{SHOULD}\n")
    said = etl(tmp_path, "import", "my cases.csv", "--sandbox", "--test-set", "abc12345")
    assert (said.code, said.out) == (2, "")
    flat = " ".join(said.err.split())
    assert "nothing fills expected_behaviors, and the column 'Agent responds' (agent in its name) may be" in flat
    assert "coval-etl inspect 'my cases.csv' --write-mapping my.yaml" in flat
    assert "--mapping test-cases" in flat


class _Table:
    origin = Origin("cases.csv", None, "csv", ("Customer says", "Agent responds"), (1, 2), 1)


def test_a_person_says_whether_the_column_is_meant() -> None:
    found = guessed({"Customer says": SAYS, "Agent responds": SHOULD})
    offered: list[dict[str, str]] = []

    def choose_first(_: str, guesses: list[Guess]) -> Guess:
        offered.extend(one.columns for one in guesses)
        return guesses[0]

    chosen = only_one(_Table(), [found], choose_first)  # type: ignore[arg-type]  # only its origin is asked for
    assert offered == [
        {"Agent responds": "expected_behaviors", "Customer says": "input_str"},
        {"Customer says": "input_str"},
    ]
    assert chosen.settled.fields["expected_behaviors"].from_ == ["Agent responds"]
    with pytest.raises(MappingError, match="may be meant for it"):
        only_one(_Table(), [found], None)  # type: ignore[arg-type]


def test_a_table_that_lacks_what_every_row_needs_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_text(f"Expected result,Owner\n{SHOULD},Ann\n")
    said = etl(tmp_path, "validate", "songs.csv")
    flat = " ".join(said.err.split())
    assert said.code == 2
    assert "As test-cases, Expected result would become expected_behaviors; no column is known for input_str" in flat
    assert "nobody can tell whether it is 'Owner'" in flat
    assert "coval-etl inspect songs.csv --write-mapping my.yaml" in flat


def test_hardly_any_real_table_needs_the_question_and_most_questions_are_right() -> None:
    asked, right, tables = 0, 0, 0
    for file in (LIST, LATER):
        for table in real_tables(file):
            names = tuple(header.name for header in table.headers)
            best = guess(Origin(table.name, None, "csv", names, (), 1), sample_of(table))[0]
            tables += best.score >= FITS
            expected = {header.name: header.expected for header in table.headers}
            meant = [expected[column] == use.path for column, use in best.perhaps.items() if best.score >= FITS]
            asked, right = asked + bool(meant), right + any(meant)
    assert tables > 150
    assert asked <= 0.04 * tables, "a question that is rarely needed annoys"
    assert right >= 2


def test_inspect_says_what_a_column_may_be(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(f"Customer says,Agent responds\n{SAYS},{SHOULD}\n")
    shown = etl(tmp_path, "inspect", "cases.csv", COLUMNS="160").out
    assert "not used  may be expected_behaviors: agent in its name" in shown
    (table,) = json.loads(etl(tmp_path, "inspect", "cases.csv", "--json").out)["tables"]
    assert table["columns"][1]["field"] is None
    assert table["columns"][1]["evidence"] == "may be expected_behaviors: agent in its name"


@pytest.mark.parametrize(
    ("header", "mapping", "taken"),
    [
        ({"Agent name": "Desk", "Model": "voice", "Phone": "+4930123456"}, "agents", {"Model": "model_type"}),
        (
            {"Escenario": SAYS, "Guión": "Cliente: Hola"},
            "test-cases",
            {"Guión": "simulation_metadata_input.script_turns"},
        ),
    ],
)
def test_names_that_were_once_taken_for_something_else(
    header: dict[str, str], mapping: str, taken: dict[str, str]
) -> None:
    found = guessed(header)
    assert found.mapping.name == mapping
    assert found.columns.items() >= taken.items()


@pytest.mark.parametrize(("who", "turns"), [(("Caller", "Agent"), True), (("Ann", "Ben"), False)])
def test_rows_that_look_like_turns_are_asked_about(tmp_path: Path, who: tuple[str, str], *, turns: bool) -> None:
    (tmp_path / "rows.csv").write_text(
        f"Case ID,Turn No,Speaker,Utterance\n1,1,{who[0]},Where is it?\n1,2,{who[1]},Which order?\n"
    )
    said = etl(tmp_path, "preview", "rows.csv")
    assert said.code == (2 if turns else 0)
    assert ("each row looks like one turn of a conversation, for 'Speaker' says who speaks" in said.err) is turns
    assert etl(tmp_path, "preview", "rows.csv", "--mapping", "test-cases").code == 0


def test_what_is_advised_for_numbered_turns_without_an_input_works(tmp_path: Path) -> None:
    (tmp_path / "turns.csv").write_text("Turn 1,Turn 2,Expected\nHello,I want a table,Greets\n")
    advice = "--resource test-cases --set input_str="
    assert advice in " ".join(etl(tmp_path, "preview", "turns.csv").err.split())
    said = etl(tmp_path, "preview", "turns.csv", *advice.removesuffix("input_str=").split(), "input_str=Books a table")
    assert said.code == 0, said
    assert '"script_turns":["Hello","I want a table"]' in said.out

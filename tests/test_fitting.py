"""Where it is not clear which mapping is meant: a question at a terminal, the nearest mappings elsewhere."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import etl

ID = "gk3jK9mPq2xRt5vW8yZaBc"
BOTH = f"Agent,Persona,Test suite,Name\n{ID},{ID},aB1cD2eF,Nightly\n"
NEARLY = "Title,Expected result,Owner\nCancel,It is cancelled,Ann\n"


def at_a_terminal(folder: Path, *arguments: str, answer: str) -> subprocess.CompletedProcess[str]:
    """The command with a person at its standard input, who types one line."""
    mine, theirs = pty.openpty()
    try:
        os.write(mine, f"{answer}\n".encode())
        return subprocess.run(
            [sys.executable, "-m", "etl", *arguments],
            cwd=folder,
            env={"HOME": str(folder), "PATH": os.defpath, "LANG": "C.UTF-8"},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(mine)
        os.close(theirs)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    (tmp_path / "both.csv").write_text(BOTH)
    return tmp_path


def test_two_mappings_that_fit_equally_are_named(both: Path) -> None:
    for more in ([], ["--json"]):
        said = etl(both, "validate", "both.csv", *more)
        assert said.code == 2
        assert "the mappings run-templates and runs fit equally well" in said.err
    table = etl(both, "inspect", "both.csv", "--json").json["tables"][0]
    assert table["fit_equally"] == ["run-templates", "runs"]
    assert "These mappings fit equally well: run-templates, runs" in etl(both, "inspect", "both.csv").out
    assert etl(both, "validate", "both.csv", "--mapping", "runs").code == 0


@pytest.mark.parametrize("command", [["validate"], ["import", "--sandbox", "--dry-run"]])
@pytest.mark.parametrize(("answer", "taken"), [("1", "run-templates"), ("2", "runs")])
def test_at_a_terminal_it_is_asked(both: Path, command: list[str], answer: str, taken: str) -> None:
    said = at_a_terminal(both, *command, "both.csv", answer=answer)
    assert "1  run-templates  98%  Agent becomes agent_id, Persona becomes persona_id" in said.stderr
    assert f"mapping {taken}" in said.stderr
    assert said.returncode in {0, 1}


def test_no_answer_is_a_refusal(both: Path) -> None:
    said = at_a_terminal(both, "validate", "both.csv", answer="")
    assert said.returncode == 2
    assert "fit equally well" in said.stderr


def test_with_json_nothing_is_asked(both: Path) -> None:
    said = at_a_terminal(both, "validate", "both.csv", "--json", answer="1")
    assert said.returncode == 2
    assert "Which one" not in said.stderr + said.stdout


def test_where_none_fits_the_nearest_are_offered(tmp_path: Path) -> None:
    (tmp_path / "nearly.csv").write_text(NEARLY)
    said = etl(tmp_path, "validate", "nearly.csv")
    assert said.code == 2
    assert "no mapping fits the columns 'Title', 'Expected result', 'Owner' (nearest: test-cases" in said.err
    said = at_a_terminal(tmp_path, "validate", "nearly.csv", answer="1").stderr
    assert "1  test-cases" in said
    assert "Title becomes description, Expected result becomes expected_behaviors" in said
    assert "input_str needs a column" in said


def test_a_value_for_all_rows_is_as_good_as_a_column(tmp_path: Path) -> None:
    (tmp_path / "agents.csv").write_text("Agent name,Phone\nDesk,+14155550100\n")
    assert etl(tmp_path, "validate", "agents.csv").code == 2
    assert etl(tmp_path, "validate", "agents.csv", "--set", "model_type=MODEL_TYPE_VOICE").code == 0


def test_a_required_column_that_is_empty_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("input_str,notes\n,b\n")
    said = etl(tmp_path, "validate", "cases.csv")
    assert said.code == 1
    assert "input_str" in said.err
    assert "no mapping fits" not in said.err


def test_a_column_left_out_for_its_values_is_said_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("Scenario,Type\nCancel it,Functional\nMove it,Regression\n")
    said = etl(tmp_path, "validate", "cases.csv")
    assert said.code == 0
    assert "Type" in said.err
    facts = etl(tmp_path, "inspect", "cases.csv", "--json").json["tables"][0]["columns"]
    assert [(one["field"], one["confidence"], one["evidence"]) for one in facts] == [
        ("input_str", 1.0, "named Scenario"),
        (None, None, "named Type, but holds other words such as Functional"),
    ]
    assert "not used  named Type, but holds" in etl(tmp_path, "inspect", "cases.csv", COLUMNS="140").out
    assert etl(tmp_path, "validate", "cases.csv", "--mapping", "test-cases").code == 1

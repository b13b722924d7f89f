"""What a step cuts or leaves out of a text is said: sentences at their commas, the time of a date."""

from pathlib import Path

import pytest

from etl.problems import Code
from tests.command import etl
from tests.mapping_talk import batch_of, mapped, mapping_of


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("Asks for the number, then says when it comes", True),
        ("Greets, and asks for a name", True),
        ("If there is a delay, says sorry.", True),
        ("Saluda, y pide el número", True),
        ("Verifies identity, Says the balance", False),
        ("greets,asks,thanks", False),
        ("Stays polite.", False),
        ('["Asks, then thanks."]', False),
        (None, False),
    ],
)
def test_a_sentence_that_is_cut_at_its_commas_is_a_warning(tmp_path: Path, cell: str | None, said: bool) -> None:
    mapping = mapping_of(
        tmp_path, 'input_str: {from: In}\nexpected_behaviors: {from: E, steps: [{split: ","}, strip, drop_empty]}'
    )
    made = mapped(mapping, batch_of({"In": ["a"], "E": [cell]}))
    assert made.codes == ([Code.CUT_SENTENCE] if said else [])
    assert all("write a JSON array to keep it whole" in message for message in made.messages)
    assert all((one["severity"], one["cell"]) == ("warning", "B2") for one in made.problems)


def test_no_other_separator_says_anything(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In}\nexpected_behaviors: {from: E, steps: [split]}")
    assert mapped(mapping, batch_of({"In": ["a"], "E": ["Greets, then asks.\nThanks, and ends."]})).codes == []


def test_the_format_of_covals_own_page_says_so_too(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text('Input,Expected_Behaviors\nHi,"Asks for the number, then thanks."\n')
    said = " ".join(etl(tmp_path, "validate", "cases.csv").err.split())
    assert "is cut at its commas into 2, though it reads like a sentence" in said
    assert 'to keep it whole: ["Asks for the number, then thanks."]' in said


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2025-10-14T10:30:00Z", "10:30:00Z"),
        ("14.10.2025 9:05", "9:05"),
        ("2025-10-14 00:00:00", None),
        ("2025-10-14", None),
    ],
)
def test_a_time_of_day_that_date_leaves_out_is_said(tmp_path: Path, cell: str, time: str | None) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: In}\nmetric_input.due: {from: Due, steps: [date]}")
    made = mapped(mapping, batch_of({"In": ["a"], "Due": [cell]}))
    assert made.bodies[0]["metric_input"] == {"due": "2025-10-14"}
    assert made.codes == ([Code.NOT_CONVERTIBLE] if time else [])
    assert all(f"the time of day {time}" in message for message in made.messages)

"""What is wrong with a mapping and shows only beside a table, or beside the API's words."""

from pathlib import Path

import pytest

from etl.errors import MappingError
from etl.mapping import bind
from etl.resources import Contract
from tests.mapping_talk import batch_of, mapped, mapping_of


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (
            "input_type: {value: SCENARIOO}",
            r":5:16: input_type cannot be SCENARIOO \(did you mean SCENARIO\?\); use one of",
        ),
        ("input_type: {from: K, default: SCRIP}", r":5:25: input_type cannot be SCRIP \(did you mean SCRIPT\?\)"),
        ("input_type: {from: K, map: {talk: SCENARI}}", r":5:31: input_type cannot be SCENARI \(did you mean SCENARIO"),
    ],
)
def test_a_word_that_the_api_does_not_have_is_a_mistake(field: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=said):
        mapping_of(tmp_path, field)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("user_notes: {template: 'Owner {Ownr}'}", r"has no column Ownr \(did you mean Owner\?\)"),
        ("expected_behaviors: {from_pattern: 'Chek {n}'}", r"has no column Chek \{n\} \(did you mean Check\?\)"),
    ],
)
def test_a_name_that_is_nearly_a_column_is_a_mistake(field: str, said: str, tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, f"input_str: {{from: Prompt}}\n{field}")
    table = batch_of({"Prompt": ["a"], "Owner": ["b"], "Check 1": ["c"], "Check 2": ["d"]})
    with pytest.raises(MappingError, match=said):
        bind(mapping, table.origin, Contract.V2025_10)


def test_a_word_that_map_does_not_know_is_named_with_what_it_knows(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_type: {from: Kind, map: {talk: SCENARIO, read: SCRIPT}}")
    made = mapped(mapping, batch_of({"Kind": ["Talk", "Tlak", "transcript", None]}))
    assert made.bodies == [{"input_type": "SCENARIO"}, {}, {"input_type": "TRANSCRIPT"}, {}]
    (message,) = made.batch.problems["message"]
    assert message.startswith('Kind is "Tlak"; input_type takes talk, read, SCENARIO')
    assert "did you mean talk?" in message


def test_a_number_that_no_double_holds_is_a_problem(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "metric_input.n: {from: N, steps: [number]}")
    assert mapped(mapping, batch_of({"N": ["1e400", "1e300"]})).codes == ["not_a_number"]

"""A mapping's own rules: what must be true of every row, in the user's words."""

from pathlib import Path

import pytest

from etl.errors import MappingError
from tests.mapping_talk import batch_of, mapped, mapping_of

RULES = """\
rules:
  - {expr: "Deadline <> ''", message: every case needs a deadline}
  - {expr: "LENGTH(Title) < 5", field: description, message: keep titles short, severity: warning}
"""


def test_a_row_that_breaks_a_rule_has_a_problem(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "input_str: {from: Input}\ndescription: {from: Title}", more=RULES)
    rows = {"Input": ["a", "b", "c"], "Title": ["ok", "too long", None], "Deadline": ["x", "", None]}
    made = mapped(mapping, batch_of(rows))
    found = made.batch.problems.select("row", "severity", "code", "field", "column", "cell", "message").rows()
    assert found == [
        (3, "error", "custom_rule", None, "Deadline", "C3", "every case needs a deadline"),
        (3, "warning", "custom_rule", "description", "Title", "B3", "keep titles short"),
        (4, "error", "custom_rule", None, "Deadline", "C4", "every case needs a deadline"),
    ]
    assert made.bound.unmapped == (), "a column that a rule reads is used"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{expr: 'Deadline <', message: x}", "rules"),
        ("{expr: '1 = 1', message: x, field: inputstr}", "did you mean input_str"),
        ("{expr: '1 = 1', message: ''}", "message should be more than nothing"),
        ("{expr: '1 = 1', msg: x}", "the key message is missing"),
        ("{expr: '1 = 1', message: x, more: y}", "unknown key"),
        ("{expr: '1 = 1', message: x, severity: fatal}", "severity cannot be"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(rule: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"mine\.yaml:4:\d+: ") as caught:
        mapping_of(tmp_path, "input_str: {from: Input}", more=f"rules: [{rule}]\n")
    assert said in str(caught.value) or said == "rules"

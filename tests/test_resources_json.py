"""JSON inside a text: what is wrong with it is said in plain words, at the place that a person counts."""

from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from etl.resources.forms import json_text

PLAIN = TypeAdapter(Annotated[str, json_text()])
TEMPLATE = TypeAdapter(Annotated[str, json_text(templates=True)])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a" 1}', "a colon is missing at character 6"),
        ('{"a": 1', "a comma or a closing bracket is missing at character 8"),
        ('{"a": }', "a value is missing: a text in double quotes, a number, true, false, null, { or [ at character 7"),
        ("{'a': 1}", "a key in double quotes is missing at character 2"),
        ('{"a": 1} x', "there is more behind the end of the JSON at character 10"),
        ('{"a": "b}', "the closing quote of a text is missing, which begins at character 7"),
        ('{"a":\n "b\n"}', "a line break or another control character stands inside a text at line 2, character 4"),
        (r'{"a": "\d"}', "a backslash stands before what needs none at character 8"),
        (r'{"a": "\u12"}', r"four digits are missing behind \u at character 9"),
        ('{"a": NaN}', "NaN is no JSON value"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_fault_is_said_in_plain_words(text: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PLAIN.validate_python(text)
    assert caught.value.errors()[0]["msg"] == f"should be JSON text: {says}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": {{messages}}, "b": "{{sessionId}}", c: 1}', "a key in double quotes is missing at character 43"),
        ("{{messages}} {{messages}}", "there is more behind the end of the JSON at character 14"),
        (
            '{"a": x, "b": "{{sessionId}}"}',
            "a value is missing: a text in double quotes, a number, true, false, null, { or [ at character 7",
        ),
    ],
)
def test_variables_count_as_they_are_written(text: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TEMPLATE.validate_python(text)
    assert caught.value.errors()[0]["msg"] == f"should be JSON text: {says}"

"""Documents in which something stands beside the list of records: it is named, for nobody reads it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import etl

CASES = [{"input_str": "Hi", "expected_behaviors": ["Greets"]}]


@pytest.mark.parametrize(
    ("document", "flags", "said"),
    [
        ({"cases": CASES, "common_expectations": ["x"], "title": "T"}, (), "common_expectations, title beside cases"),
        (
            {"a": {"cases": CASES, "b": {"c": [1]}}, "d": 1},
            ("--records", "a.cases"),
            "a.b, d beside a.cases",
        ),
        ({"cases": CASES, "next_page_token": None, "total_count": 1}, (), ""),
        ({"cases": CASES}, (), ""),
        (CASES, (), ""),
    ],
)
def test_keys_beside_the_records_are_named_once(
    tmp_path: Path, document: Any, flags: tuple[str, ...], said: str
) -> None:
    (tmp_path / "cases.json").write_text(json.dumps(document))
    result = etl(tmp_path, "validate", "cases.json", *flags, COLUMNS="160")
    assert result.code == 0
    flat = " ".join(result.err.split())
    assert ("only the records are read" in flat) is bool(said)
    assert said in flat
    shown = etl(tmp_path, "inspect", "cases.json", *flags, COLUMNS="160").out
    assert (" not read " in shown) is bool(said)


def test_what_a_configuration_of_promptfoo_has_for_all_its_tests_is_named(tmp_path: Path) -> None:
    (tmp_path / "promptfooconfig.yaml").write_text(
        "prompts: [p.txt]\nproviders: [openai:gpt-4]\n"
        "defaultTest:\n  assert: [{type: llm-rubric, value: Is polite}]\n"
        "tests:\n  - vars: {question: Hi}\n    assert: [{type: contains, value: Hello}]\n"
    )
    flat = " ".join(etl(tmp_path, "validate", "promptfooconfig.yaml", COLUMNS="160").err.split())
    assert "The document has prompts, providers, defaultTest beside tests: only the records are read" in flat

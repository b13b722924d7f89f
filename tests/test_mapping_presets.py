"""The ready-made mappings: linted here, because the command reads them quickly and looks for no mistakes.

A test must never know what a mapping is for: that is the business of the tests of formats.
"""

from pathlib import Path

import pytest

from etl.mapping.language import quickyaml
from etl.mapping.language.linting import lint
from etl.mapping.language.quickyaml import read_sound
from etl.mapping.language.yamlfile import plain, read_yaml
from tests.command import ROOT

FILES = sorted((ROOT / "mappings").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_ready_made_mapping_has_no_fault_and_is_read_quickly_as_it_is_read_slowly(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    slow, faults = lint(text, file.name)
    assert faults == []
    quick = read_sound(text, file.name)
    assert slow is not None
    assert quick is not None
    assert quick.name == file.stem
    assert quick.model_dump() == slow.model_dump()
    for path, rule in slow.fields.items():
        assert quick.fields[path].model_fields_set == rule.model_fields_set
        assert quick.at("fields", path) == slow.at("fields", path)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a: yes",
            "a: no",
            "a: on",
            "a: off",
            "a: y",
            "on: [on]",
            "a: true",
            "a: False",
            "a: null",
            "a: ~",
            "a:",
            "a: ''",
        ),
        *("a: 0", "a: 12", "a: -3", "a: 1.5", "a: -0.25", "a: '12'", "a: 1:30", "a: 12:30:45"),
    ],
)
def test_plain_words_and_numbers_mean_the_same_to_both_readers(text: str) -> None:
    quick = quickyaml.yaml.load(text, quickyaml._Loader)
    slow = plain(read_yaml(text))
    assert quick == slow
    assert [type(value) for value in quick.values()] == [type(value) for value in slow.values()]


@pytest.mark.parametrize("text", ["a: [", "version: 1", "- a", "", "version: 1\nname: x\nresource: runs\nfields: 3"])
def test_what_is_not_sound_after_all_is_left_to_the_linter(text: str) -> None:
    assert read_sound(text, "broken.yaml") is None

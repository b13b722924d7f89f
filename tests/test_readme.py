"""The README: what it tells people to type works, in the order in which it is told."""

import json
import re
import shlex
from pathlib import Path

from tests.command import ROOT, SAMPLES, etl

ORGANISATION_NEEDED = {"run_templates.csv", "runs.jsonl"}
"""These samples name agents and personas by id, which only the tests' own sandbox knows."""


def commands(page: Path) -> list[list[str]]:
    """Every `coval-etl …` of a page: in a console block, or in a table."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^\$ coval-etl (.+)$", text, flags=re.MULTILINE) + re.findall(r"`coval-etl ([^`]+)`", text)
    return [shlex.split(line) for line in found]


def test_the_mapping_of_the_readme_reads_what_it_says(tmp_path: Path) -> None:
    (written,) = re.findall(r"```yaml\n(.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "my.yaml").write_text(written, encoding="utf-8")
    (tmp_path / "own.csv").write_text(
        "What the customer says,The agent must,Kind,Lines\n"
        '"Hi, it is late",Says sorry,talk,\nBook me in,Asks for a date,read out,Hello|A table for two\n'
    )
    said = etl(tmp_path, "preview", "own.csv", "--mapping", "my.yaml", "--test-set", "abc12345")
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {
            "input_str": "Hi, it is late",
            "expected_behaviors": ["Says sorry"],
            "input_type": "SCENARIO",
            "user_notes": "imported in spring",
            "test_set_id": "abc12345",
        },
        {
            "input_str": "Book me in",
            "expected_behaviors": ["Asks for a date"],
            "input_type": "SCRIPT",
            "simulation_metadata_input": {"script_turns": ["Hello", "A table for two"]},
            "user_notes": "imported in spring",
            "test_set_id": "abc12345",
        },
    ]


def test_every_import_of_the_samples_page_works_as_a_rehearsal(tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(SAMPLES)
    typed = [words for words in commands(SAMPLES / "README.md") if words[0] == "import"]
    assert len(typed) == 11
    for words in typed:
        if Path(words[1]).name in ORGANISATION_NEEDED:
            continue
        rehearsed = [*words, "--sandbox", *(("--create-missing",) if "--test-set" in words else ())]
        said = etl(tmp_path, *rehearsed)
        assert said.code in {0, 1}, (words, said.err)
        assert "created" in said.err

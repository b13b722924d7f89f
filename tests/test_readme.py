"""The README: what it tells people to type works, in the order in which it is told."""

import re
import shlex
from pathlib import Path

from tests.command import ROOT, SAMPLES, etl

PAGES = (ROOT / "README.md", SAMPLES / "README.md")
ORGANISATION_NEEDED = {"run_templates.csv", "runs.jsonl"}
"""These samples name agents and personas by id, which only the tests' own sandbox knows."""


def commands(page: Path) -> list[list[str]]:
    """Every `coval-etl …` of a page: in a console block, or in a table."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^\$ coval-etl (.+)$", text, flags=re.MULTILINE) + re.findall(r"`coval-etl ([^`]+)`", text)
    return [shlex.split(line) for line in found]


def test_every_command_of_the_readme_works(tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(SAMPLES)
    typed = commands(ROOT / "README.md")
    assert {"validate", "preview", "import", "mappings"} <= {words[0] for words in typed}
    for words in typed:
        said = etl(tmp_path, *words)
        assert said.code in {0, 1}, (words, said.err)


def test_every_import_of_the_samples_page_works_as_a_rehearsal(tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(SAMPLES)
    typed = [words for words in commands(SAMPLES / "README.md") if words[0] == "import"]
    assert len(typed) == 10
    for words in typed:
        if Path(words[1]).name in ORGANISATION_NEEDED:
            continue
        rehearsed = [*words, "--sandbox", *(("--create-missing",) if "--test-set" in words else ())]
        said = etl(tmp_path, *rehearsed)
        assert said.code in {0, 1}, (words, said.err)
        assert "created" in said.err

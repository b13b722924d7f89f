"""README and docs: commands are run as they are told, and say what is shown; every link leads somewhere."""

import re
from pathlib import Path

import pytest

from etl.sandbox import RunningSandbox
from tests.command import ROOT, SAMPLES
from tests.forking import Forker
from tests.pages import Given, agree, complaints, steps, unknown_options
from tests.quick_command import forker  # noqa: F401  # a fixture
from tools.describe_commands import PAGE, reference

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
RUN = [page for page in PAGES if "```console" in page.read_text(encoding="utf-8")]
LOOKED_AT = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", SAMPLES / "README.md"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=named)
async def test_what_a_page_tells_to_type_does_what_it_shows(
    page: Path,
    tmp_path: Path,
    forker: Forker,  # noqa: F811
    sandbox: RunningSandbox,
) -> None:
    found = await complaints(named(page), page.read_text(encoding="utf-8"), tmp_path, forker, sandbox)  # noqa: ASYNC240  # small
    assert found == [], "\n\n".join(found)


@pytest.mark.parametrize("page", LOOKED_AT, ids=named)
def test_a_page_names_only_commands_and_options_that_exist(page: Path) -> None:
    assert unknown_options(page.read_text(encoding="utf-8")) == []


def test_the_readme_runs_its_commands() -> None:
    typed = [step for step in steps((ROOT / "README.md").read_text(encoding="utf-8")) if not isinstance(step, Given)]
    assert {"inspect", "validate", "preview", "import", "jobs", "export"} <= {one.command.split()[1] for one in typed}
    targets = {one.command.split()[1] for one in typed if one.command.startswith("make ")}
    assert all(f"\n{target}:" in (ROOT / "Makefile").read_text() for target in targets)


def anchors(page: Path) -> set[str]:
    """The places in a page that a link can lead to, as GitHub and the site name them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LOOKED_AT, ids=named)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, place = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (place and place not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_reference_of_commands_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m tools.describe_commands"


@pytest.mark.parametrize(
    ("shown", "said", "agrees"),
    [
        (["a", "b"], "a\nb", True),
        (["a", "…", "d"], "a\nb\nc\nd", True),
        (["a", "…", "d"], "a\nd", False),
        (["2 of … rows"], "2 of 40 rows", True),
        (["2 of … rows"], "2 of\n40 rows", False),
        (["a"], "a\nb", False),
        (["Job 20200101-000000-0000"], "Job 20261123-101500-4f2a", True),
    ],
)
def test_what_is_shown_agrees_with_what_is_said(shown: list[str], said: str, *, agrees: bool) -> None:
    assert agree(shown, said) is agrees


def test_an_option_that_does_not_exist_is_found_wherever_it_stands() -> None:
    text = "`coval-etl jobs --al`, `coval-etl jobs --all | head`\n"
    text += "```yaml\n- run: coval-etl import x.csv \\\n  --sandbocks\n```"
    assert unknown_options(text) == ["coval-etl jobs --al", "coval-etl import --sandbocks"]

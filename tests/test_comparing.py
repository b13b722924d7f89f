"""What is said of a source that was changed since a job began: which rows, in one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forking import Forker, shared
from tests.quick_command import at_home, refused, texts

Change = Callable[[list[str]], list[str]]
"""From the texts of the file to those that it has afterwards."""

CHANGES: dict[str, tuple[Change, str]] = {
    "one row": (lambda rows: [*rows[:3], "other", *rows[4:]], "row 5 differs."),
    "two rows": (lambda rows: [*rows[:3], "other", "another", *rows[5:]], "row 5 and 1 other differ."),
    "three rows": (lambda rows: ["a", "b", "c", *rows[3:]], "row 2 and 2 others differ."),
    "one was put first": (lambda rows: ["new", *rows], "1 row was added."),
    "two were put in the middle": (lambda rows: [*rows[:4], "new", "newer", *rows[4:]], "2 rows were added."),
    "one was put in, another mended": (
        lambda rows: ["mended", *rows[1:4], "new", *rows[4:]],
        "row 2 differs, 1 row was added.",
    ),
    "one was taken out": (lambda rows: rows[1:], "1 row is missing."),
    "only the first two are left": (lambda rows: rows[:2], "6 rows are missing."),
    "two changed places": (lambda rows: [rows[1], rows[0], *rows[2:]], "2 rows stand elsewhere."),
    "what comes after them": (lambda rows: [*rows, "new"], "none of the 8 rows that it had begun to send differs."),
}


@pytest.fixture(scope="module")
def forker() -> Forker:
    return shared()


@pytest.mark.parametrize("name", CHANGES)
async def test_a_changed_source_is_refused_with_the_rows_that_changed(
    forker: Forker, tmp_path: Path, name: str
) -> None:
    change, words = CHANGES[name]
    rows = [f"caller number {number}" for number in range(8)]
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", rows)
        await home.killed(*home.importing("cases.csv"), at="resource-done")
        home.write("cases.csv", change(rows))
        said = await home.etl("resume")
        refused(said, "cases.csv was changed since job", "began:")
        assert words in " ".join(said.err.split())
        assert len(home.api.posts) == 8


async def test_a_row_that_is_no_row_any_more_differs(forker: Forker, tmp_path: Path) -> None:
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(6))
        await home.killed(*home.importing("cases.csv"), at="resource-done")
        home.write("cases.csv", ["x" * 200_000, *texts(6)[1:]])
        said = await home.etl("resume")
    refused(said, "row 2 differs")


async def test_a_mapping_that_makes_something_else_is_refused_with_the_rows_that_differ(
    forker: Forker, tmp_path: Path
) -> None:
    mapping = "version: 1\nname: mine\nresource: test-cases\nfields:\n  input_str:\n    from: {}\n"
    async with at_home(tmp_path, forker) as home:
        (tmp_path / "cases.csv").write_text("question,other\n" + "".join(f"q{n},{n or 'q0'}\n" for n in range(4)))
        (tmp_path / "mine.yaml").write_text(mapping.format("question"))
        await home.killed(*home.importing("cases.csv", "--mapping", "mine.yaml"), at="resource-done")
        (tmp_path / "mine.yaml").write_text(mapping.format("other"))
        said = await home.etl("resume")
    refused(said, "makes something else of cases.csv", "row 3 and 2 others differ")

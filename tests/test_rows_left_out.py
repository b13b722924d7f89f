"""Rows that `where` or a limit leave out: nothing is created for them, and nothing that they have is taken."""

import json
from pathlib import Path

import pytest

from tests.forking import Forker
from tests.quick_command import at_home, forker  # noqa: F401  # a fixture

CASES = "Prompt,Suite,Status\nBook a table,Calls,Draft\nCancel it,Smoke,Ready\nOpen today?,Night,Draft\n"


@pytest.mark.parametrize(
    ("mapping", "flags", "expected"),
    [
        ("", ("--where", "Status = 'Ready'"), {"Calls", "Smoke"}),
        ("source: {where: \"Status = 'Ready'\"}\n", (), {"Calls", "Smoke"}),
        ("", ("--limit", "2"), {"Calls", "Smoke"}),
        ("", (), {"Calls", "Smoke", "Night"}),
    ],
)
async def test_no_test_set_is_created_for_them(
    tmp_path: Path,
    forker: Forker,  # noqa: F811
    mapping: str,
    flags: tuple[str, ...],
    expected: set[str],
) -> None:
    (tmp_path / "cases.csv").write_text(CASES)
    (tmp_path / "own.yaml").write_text(
        f"version: 1\nname: own\nresource: test-cases\n{mapping}fields:\n"
        "  input_str: {from: Prompt}\n  test_set_id: {from: Suite, lookup: test-sets}\n"
    )
    async with at_home(tmp_path, forker) as home:
        command = ("import", "cases.csv", "--mapping", "own.yaml", "--create-missing", "--settle", "0.2", *flags)
        said = await home.etl(*command)
        assert said.code == 0, said
        assert {one["display_name"] for one in home.api.stored("test-sets")} == expected


async def test_of_a_record_only_the_rows_that_are_taken_say_what_it_changes(
    tmp_path: Path,
    forker: Forker,  # noqa: F811
) -> None:
    (tmp_path / "own.yaml").write_text(
        "version: 1\nname: own\nresource: test-sets\nsource: {group_by: Group}\nfields:\n"
        "  display_name: {from: Name}\n  description: {from: Prompt}\n"
    )
    rows = "Group,Name,Prompt,Status\n1,Old name,Says nothing,Draft\n1,Ann,Asks twice,Ready\n"
    (tmp_path / "sets.csv").write_text(rows)
    async with at_home(tmp_path, forker) as home:
        home.api.make("test-sets", {"display_name": "Ann", "description": "Asks once"})
        command = ("import", "sets.csv", "--mapping", "own.yaml", "--mode", "update", "--key", "display_name", "--yes")
        said = await home.etl(*command, "--where", "Status = 'Ready'", "--json")
        assert said.code == 0, said
        assert json.loads(said.out)["rows"]["updated"] == 2, said

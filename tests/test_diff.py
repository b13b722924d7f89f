"""Diff: added, removed, changed, in every form, by id, by a key, by content across organisations."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.api import Api, Target
from etl.auditing import inline
from etl.resources import TEST_CASES
from tests.crooked_api import KEY
from tests.quick_command import Home, at_home, forker, refused
from tests.test_export import fill, lines_of

__all__ = ["forker"]


async def two_exports(home: Home, form: str) -> None:
    """Between them one is added, one removed, one changed."""
    fill(home, ["=one", "two", "Where is my parcel today?", "four\nlines"])
    assert (await home.etl("export", "test-cases", "--out", f"a{form}")).code == 0
    async with Api(Target(home.api.url, KEY)) as api:
        ids = {item["input_str"]: item["id"] async for item in api.list(TEST_CASES)}
        edit = {"input_str": "Where was my parcel?", "metric_input": {"a": {"b": 1}}}
        path = f"/test-cases/{ids['Where is my parcel today?']}"
        await api.patch(path, json.dumps(edit).encode(), lambda _now: True)
        await api.delete(f"/test-cases/{ids['two']}")
    home.api.make("test-cases", {"input_str": "five", "test_set_id": home.test_set})
    assert (await home.etl("export", "test-cases", "--out", f"b{form}")).code == 0


@pytest.mark.parametrize("form", ["", ".jsonl", ".csv", ".xlsx", ".parquet"])
async def test_what_was_added_removed_and_changed_is_said(tmp_path: Path, forker: Any, form: str) -> None:
    async with at_home(tmp_path, forker) as home:
        await two_exports(home, form)
        same = await home.etl("diff", f"a{form}", f"a{form}")
        assert same.code == 0, same.out + same.err
        said = await home.etl("diff", f"a{form}", f"b{form}", "--json", "--ignore", "update_time")
        assert said.code == 1, said.err
        assert said.json["resources"]["test-cases"] == {"same": 2, "added": 1, "removed": 1, "changed": 1}
        (changed,) = [one for one in said.json["differences"] if one["change"] == "changed"]
        assert {one["field"]: (one["before"], one["after"]) for one in changed["fields"]} == {
            "input_str": ("Where is my parcel today?", "Where was my parcel?"),
            "metric_input.a": (None, '{"b":1}'),
        }
        shown = await home.etl("diff", f"a{form}", f"b{form}")
        assert "Where [-is-]{+was+} my parcel" in shown.out
        live = await home.etl("diff", f"b{form}", "api:")
        assert live.code == 0, live.out + live.err


async def test_forms_of_one_export_are_the_same(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, ["=one", "'two", "y" * 40_000, "nul\x00", "1e5", "TRUE"])
        for form in ("csv", "xlsx", "parquet", "jsonl"):
            assert (await home.etl("export", "test-cases", "--out", f"a.{form}")).code == 0
        for form in ("csv", "xlsx", "parquet"):
            said = await home.etl("diff", "a.jsonl", f"a.{form}")
            assert said.code == 0, said.out


@pytest.mark.parametrize("flags", [("--content",), ("--key", "input_str")])
async def test_two_organisations_are_compared_without_their_ids(
    tmp_path: Path, forker: Any, flags: tuple[str, ...]
) -> None:
    for name in ("one", "two"):
        async with at_home(tmp_path, forker) as home:
            fill(home, ["a", "b", "c"] if name == "one" else ["c", "a", "b"])
            said = await home.etl("export", "test-sets", "test-cases", "--out", name)
            assert said.code == 0, said.err
    key = ("--key", "input_str") if "--key" in flags else flags
    said = await home.etl("diff", "one", "two", *key, "--json")
    assert said.json["resources"]["test-cases"] == {"same": 3, "added": 0, "removed": 0, "changed": 0}, said.out
    assert (await home.etl("diff", "one", "two")).code == 1


@pytest.mark.parametrize("form", ["jsonl", "csv", "xlsx", "html"])
async def test_differences_go_into_a_file(tmp_path: Path, forker: Any, form: str) -> None:
    async with at_home(tmp_path, forker) as home:
        await two_exports(home, ".jsonl")
        said = await home.etl("diff", "a.jsonl", "b.jsonl", "--out", f"d.{form}")
        assert said.code == 1, said.err
    file = tmp_path / f"d.{form}"
    if form == "jsonl":
        assert sorted(one["change"] for one in lines_of(file)) == ["added", "changed", "removed"]
    elif form == "html":
        assert "<del>is</del><ins>was</ins>" in file.read_text("utf-8")
        assert "http" not in file.read_text("utf-8")
        assert "prefers-color-scheme: dark" in file.read_text("utf-8")
    else:
        assert file.stat().st_size > 100


async def test_what_cannot_be_compared_is_said(tmp_path: Path, forker: Any) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "b.jsonl").write_text("no json\n")
    (tmp_path / "empty").mkdir()
    async with at_home(tmp_path, forker) as home:
        refused(await home.etl("diff", "api:", "api:"), "export")
        refused(await home.etl("diff", "nothing", "a.jsonl"), "nothing")
        refused(await home.etl("diff", "a.jsonl", "a.jsonl"), "a.jsonl")
        refused(await home.etl("diff", "b.jsonl", "b.jsonl"), "b.jsonl, line 1")
        refused(await home.etl("diff", "empty", "empty"), "empty")
        refused(await home.etl("diff", "a.jsonl", "a.jsonl", "--out", "d.doc"), ".html")


WORDS = st.lists(st.sampled_from(["a", "b", " ", "\n", "word", ",", "é"]), max_size=30).map("".join)


@given(WORDS, WORDS)
def test_the_pieces_are_both_texts(before: str, after: str) -> None:
    pieces = inline(before, after)
    assert "".join(piece.text for piece in pieces if piece.change != "+") == before
    assert "".join(piece.text for piece in pieces if piece.change != "-") == after


def test_nothing_is_repeated_in_a_pair_of_equal_texts() -> None:
    assert json.dumps(inline("a b", "a b")) == '[[" ", "a b"]]'

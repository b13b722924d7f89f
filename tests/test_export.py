"""Export: whole, the same bytes for the same data, nothing lost, carried on after a kill, no secrets."""

import csv
import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from openpyxl.utils.escape import unescape

from etl.api import Api, Target
from etl.errors import UnexpectedAnswerError
from etl.exporting import Exporter, ExportJob, resources_named
from etl.resources import RESOURCES, Contract
from etl.tables import NewFile, TypedSheet, write_typed_workbook
from tests.crooked_api import KEY
from tests.quick_command import Home, at_home, forker, refused
from tests.shifting_api import ShiftingApi, case, shifting_api

__all__ = ["forker"]
AWKWARD = [
    "=1+1", "'quoted", "+1 (2) 3", "two\nlines", "two\r\nlines", " blanks ", "_x000D_", "nul\x00 bell\x07 \x0b",
    "\ufffe\uffff", "😀" * 20_000, "y" * 40_000, "«quotes»", '"', "a,b;c\td", "007", "1e5", "TRUE",
]  # fmt: skip
SECRET = "canary7F3kQ9ZpXw2LmN8vTr5B"


def fill(home: Home, texts: list[str] = AWKWARD) -> None:
    """An organisation with something of everything."""
    chat = {"chat_endpoint": "https://api.example.com/chat", "authorization_header": f"Bearer {SECRET}"}
    agent = home.api.make("agents", {"display_name": "=Chat", "model_type": "MODEL_TYPE_CHAT", "metadata": chat})
    persona = home.api.make("personas", {"name": "P", "voice_name": "aria", "language_code": "en", "voice_speed": 1.1})
    references = {"agent_id": agent, "persona_id": persona, "test_set_id": home.test_set}
    home.api.make("run-templates", {"display_name": "T", "iteration_count": 3, **references})
    home.api.make("runs", references)
    for number, text in enumerate(texts):
        odd = {"b": 1.5, "a": [1, 12345678901234567890123, None, True], "é": {}} if number == 3 else {}
        body = {"input_str": text, "test_set_id": home.test_set, "expected_behaviors": ["Says", text]}
        home.api.make("test-cases", body | {"expected_output_json": odd})


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def work_left(folder: Path) -> list[Path]:
    return list(folder.rglob(".coval-etl-*"))


def hashes(folder: Path) -> Mapping[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("manifest.json")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


async def test_every_form_holds_everything_and_the_same_data_gives_the_same_bytes(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home)
        for folder in ("one", "two"):
            for out in ("all.jsonl", "all.xlsx", "all"):
                said = await home.etl("export", "all", "--out", f"{folder}/{out}", "--json")
                assert said.code == 0, said.err
            for out in ("cases.csv", "cases.parquet", "cases.jsonl", "cases.xlsx"):
                assert (await home.etl("export", "test-cases", "--out", f"{folder}/{out}")).code == 0
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert SECRET.encode() not in home.everything_written()

    one = tmp_path / "one"
    exact = lines_of(one / "cases.jsonl")
    assert [item["input_str"] for item in exact] == AWKWARD
    assert exact[3]["expected_output_json"] == {"a": [1, 12345678901234567890123, None, True], "b": 1.5, "é": {}}
    assert [item["resource"] for item in lines_of(one / "all.jsonl")][:3] == ["test-sets", "personas", "agents"]
    assert {"manifest.json", "hashes.txt", "export.xlsx", "agents.jsonl", "runs.csv"} <= {
        path.name for path in (one / "all").iterdir()
    }
    for name, read in (("cases.csv", read_csv), ("cases.parquet", read_parquet), ("cases.xlsx", read_workbook)):
        told = lines_of(one / f"{name}.texts.jsonl") if name == "cases.xlsx" else []
        beside = {line["id"]: line["text"] for line in told if line["field"] == "input_str"}
        found = [
            beside[row["id"]] if "«elsewhere:" in row["input_str"] else row["input_str"] for row in read(one / name)
        ]
        assert found == AWKWARD, name


def read_csv(path: Path) -> list[dict[str, Any]]:
    from etl.tables import unguard

    text = path.read_bytes().decode("utf-8-sig")
    csv.field_size_limit(1 << 20)
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    return [{name: unguard(cell) for name, cell in row.items()} for row in rows]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    return pl.read_parquet(path).to_dicts()


def read_workbook(path: Path) -> list[dict[str, Any]]:
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        header, *rows = book["test-cases"].iter_rows(values_only=True)
    return [
        {str(name): unescape(cell) if isinstance(cell, str) else cell for name, cell in zip(header, row, strict=True)}
        for row in rows
    ]


def test_a_text_wider_than_its_column_is_shown_on_several_lines_unless_it_is_very_long(tmp_path: Path) -> None:
    rows = [["short", "Where is my parcel, and who has signed for it? " * 3, "x" * 3_000]]
    file = NewFile(tmp_path / "a.xlsx")
    write_typed_workbook(file, [TypedSheet("cases", ["a", "b", "c"], rows)])
    file.commit()
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["cases"]
    assert [bool(sheet[f"{column}2"].alignment.wrap_text) for column in "ABC"] == [False, True, False]
    assert [sheet[f"{column}2"].value for column in "ABC"] == rows[0]


async def test_a_workbook_has_typed_cells_a_frozen_header_and_no_formula(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, ["=1+1"])
        assert (await home.etl("export", "all", "--out", "all.xlsx")).code == 0
    book = openpyxl.load_workbook(tmp_path / "all.xlsx")
    assert book.sheetnames == list(RESOURCES)
    templates = book["run-templates"]
    names = [cell.value for cell in templates[1]]
    assert templates.cell(2, names.index("iteration_count") + 1).value == 3
    assert templates.freeze_panes == "A2"
    assert templates.column_dimensions["A"].width > 20
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds


@pytest.mark.parametrize(
    "point", ["export-page:2", "export-listed", "export-gathered", "export-written", "export-appeared"]
)
async def test_a_killed_export_is_carried_on_to_the_same_bytes(tmp_path: Path, forker: Any, point: str) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, [f"caller {number}" for number in range(250)])
        export = ("export", "all", "--out", "all")
        await home.killed(*export, at=point)
        assert not (tmp_path / "all" / "manifest.json").exists() or point == "export-appeared"
        again = await home.etl(*export, "--json")
        assert again.code == 0, again.err
        assert again.json["carried_on"]
        assert (await home.etl("export", "all", "--out", "fresh")).code == 0
        assert hashes(tmp_path / "all") == hashes(tmp_path / "fresh")
        assert not work_left(tmp_path)


async def test_what_was_fetched_before_a_kill_is_not_fetched_again(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, [f"caller {number}" for number in range(450)])
        await home.killed("export", "test-cases", "--out", "a.jsonl", at="export-page:7")
        before = home.api.lists
        assert (await home.etl("export", "test-cases", "--out", "a.jsonl")).code == 0
        assert home.api.lists - before <= 4
        assert len(lines_of(tmp_path / "a.jsonl")) == 450


async def exported(api: ShiftingApi, out: Path) -> tuple[list[dict[str, Any]], Any]:
    async with Api(Target(api.url, KEY)) as session:
        done = await Exporter(ExportJob(("test-cases",), out, "here"), session).run()
    return lines_of(out), done


async def test_pages_that_shift_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    async with shifting_api(1_000) as api:

        def work_goes_on(page: int) -> None:
            if page in {3, 6, 9}:
                del api.items[10]
                api.items.append(case(2_000 + page))

        api.between = work_goes_on
        items, done = await exported(api, tmp_path / "a.jsonl")
        assert [item["id"] for item in items if item["id"] < f"{1_000:022d}"] == [one["id"] for one in api.items][:997]
        assert len({item["id"] for item in items}) == len(items)
        assert done.fetched["test-cases"].asked >= 3
        assert done.manifest.resources[0].count == len(items)


async def test_what_no_encoding_can_spell_is_not_lost(tmp_path: Path) -> None:
    async with shifting_api(0) as api:
        api.items = [case(0, "half \ud800 pair"), case(1, "\\\udfff")]
        items, _ = await exported(api, tmp_path / "a.jsonl")
        assert [item["input_str"] for item in items] == ["half \ud800 pair", "\\\udfff"]
        for name in ("a.csv", "a.xlsx", "a.parquet"):
            async with Api(Target(api.url, KEY)) as session:
                await Exporter(ExportJob(("test-cases",), tmp_path / name, "here"), session).run()
            kept = [line["text"] for line in lines_of(tmp_path / f"{name}.texts.jsonl")]
            assert kept == ["half \ud800 pair", "\\\udfff"], name


async def test_what_was_changed_meanwhile_is_written_as_it_is_at_the_end(tmp_path: Path) -> None:
    async with shifting_api(300) as api:

        def somebody_edits(page: int) -> None:
            if page == 5:
                api.items[0] = api.items[0] | {"input_str": "new", "update_time": "2026-10-02T00:00:00Z"}

        api.between = somebody_edits
        items, _ = await exported(api, tmp_path / "a.jsonl")
        assert items[0]["input_str"] == "new"


async def test_a_page_token_that_has_expired_begins_the_list_anew(tmp_path: Path, forker: Any) -> None:
    async with shifting_api(450) as api, at_home(tmp_path, forker) as home:
        url = {"COVAL_BASE_URL": api.url}
        said = await home.etl("export", "test-cases", "--out", "a.jsonl", COVAL_ETL_CRASH_AT="export-page:4", **url)
        assert said.code == -9
        stale = iter([True, True])
        api.between = lambda _page: setattr(api, "stale_tokens", next(stale, False))
        assert (await home.etl("export", "test-cases", "--out", "a.jsonl", **url)).code == 0
        assert len(lines_of(tmp_path / "a.jsonl")) == 450


async def test_a_list_that_fails_leaves_no_file(tmp_path: Path) -> None:
    async with shifting_api(300) as api:
        api.stale_tokens = True
        with pytest.raises(UnexpectedAnswerError, match="expired"):
            await exported(api, tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()


@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx", "parquet"])
async def test_an_export_is_read_again_as_it_was(tmp_path: Path, forker: Any, form: str) -> None:
    texts = ["=1+1", "'quoted", "'=1", "+1 555", "two\nlines", "@home", "'", "Where is my parcel?"]
    async with at_home(tmp_path, forker) as home:
        fill(home, texts)
        assert (await home.etl("export", "test-cases", "--out", f"a.{form}")).code == 0
        said = await home.etl("preview", f"a.{form}", "--all")
        assert [json.loads(line)["input_str"] for line in said.out.splitlines()] == texts
        assert json.loads(said.out.splitlines()[0])["expected_behaviors"] == ["Says", "=1+1"]


async def test_a_redacted_secret_is_never_sent(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, [])
        assert (await home.etl("export", "agents", "--out", "a.csv")).code == 0
        said = await home.etl("import", "a.csv", "--report", "r")
        assert said.code == 1, said.err
        _, results = home.report("r")
        assert [issue["code"] for issue in results[0]["issues"]] == ["redacted_secret"]
        assert len(home.api.stored("agents")) == 1


async def test_secrets_are_written_only_on_demand(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, [])
        refused(await home.etl("export", "agents", "--out", "a.jsonl", "--no-redact"), "secrets", "--yes")
        assert (await home.etl("export", "agents", "--out", "a.jsonl", "--no-redact", "--yes")).code == 0
        assert lines_of(tmp_path / "a.jsonl")[0]["metadata"]["authorization_header"] == f"Bearer {SECRET}"


async def test_what_is_asked_for_is_what_is_written(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, ["one", "two"])
        other = home.api.make("test-sets", {"display_name": "Other"})
        home.api.make("test-cases", {"input_str": "three", "test_set_id": other})

        async def inputs(*flags: str) -> list[str]:
            said = await home.etl("export", "test-cases", "--out", "a.jsonl", "--restart", *flags)
            assert said.code == 0, said.err
            return [item["input_str"] for item in lines_of(tmp_path / "a.jsonl")]

        assert await inputs("--test-set", "Other") == ["three"]
        assert await inputs("--filter", f"test_set_id={home.test_set}") == ["one", "two"]
        assert await inputs("--since", "2099-01-01") == []
        assert await inputs("--since", "2020-01-01") == ["one", "two", "three"]
        assert await inputs("--columns", "input_str") == ["one", "two", "three"]
        both = await home.etl("export", "test-sets", "test-cases", "--test-set", "Other", "--out", "b.jsonl")
        assert both.code == 0, both.err
        assert [item["resource"] for item in lines_of(tmp_path / "b.jsonl")] == ["test-sets", "test-cases"]
        csv_ = await home.etl("export", "test-cases", "--out", "c.csv", "--columns", "input_str,id")
        assert csv_.code == 0, csv_.err
        assert list(read_csv(tmp_path / "c.csv")[0]) == ["input_str", "id", "_coval_etl_guarded"]


async def test_the_columns_of_a_mapping_are_read_by_it_again(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        fill(home, ["=one", "two"])
        said = await home.etl("export", "test-cases", "--out", "a.csv", "--mapping", "test-cases")
        assert said.code == 0, said.err
        read = await home.etl("preview", "a.csv", "--all", "--mapping", "test-cases")
        assert [json.loads(line)["input_str"] for line in read.out.splitlines()] == ["=one", "two"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "test-case", "--out", "a.csv"), ["test-case", "test-cases"]),
        (("export", "all", "--out", "a.csv"), [".csv", ".xlsx"]),
        (("export", "agents", "--out", "a.doc"), ["a.doc", ".jsonl"]),
        (("export", "agents", "--out", "theirs.csv"), ["theirs.csv", "no export has made"]),
        (("export", "agents", "personas", "--out", "a.jsonl", "--filter", "x=1"), ["--filter"]),
        (("export", "agents", "--out", "a.jsonl", "--test-set", "Calls"), ["--test-set"]),
        (("export", "test-cases", "--out", "a.jsonl", "--test-set", "Nothing"), ["Nothing"]),
        (("export", "agents", "--out", "a.jsonl", "--since", "soon"), ["soon"]),
        (("export", "agents", "--out", "a.jsonl", "--columns", "nam"), ["nam", "display_name"]),
        (("export", "agents", "--out", "a.csv", "--mapping", "test-cases"), ["test-cases"]),
        (("export", "agents", "--out", "a.csv", "--sign", "nokey"), ["nokey"]),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_sentence(
    tmp_path: Path, forker: Any, arguments: tuple[str, ...], words: list[str]
) -> None:
    (tmp_path / "theirs.csv").write_text("mine")
    async with at_home(tmp_path, forker) as home:
        fill(home, [])
        refused(await home.etl(*arguments), *words)
    assert (tmp_path / "theirs.csv").read_text() == "mine"


def test_resources_are_taken_in_the_order_in_which_they_refer() -> None:
    assert resources_named(["all"]) == tuple(RESOURCES)
    assert resources_named(["test-cases", "test-sets"]) == ("test-sets", "test-cases")


@pytest.mark.parametrize("contract", list(Contract))
async def test_fields_that_nobody_knows_yet_are_kept_and_said_when_they_cannot_be_sent(
    tmp_path: Path, forker: Any, contract: Contract
) -> None:
    new = {"deep": [1, 12345678901234567890123, None], "word": "=x"}
    async with at_home(tmp_path, forker, contract=contract) as home:
        home.api.make("test-cases", {"input_str": "Hello", "test_set_id": home.test_set})
        home.api.shown = lambda item: item | {"brand_new": new}
        for out in ("a.jsonl", "a.csv", "a.xlsx", "a.parquet"):
            assert (await home.etl("export", "test-cases", "--out", out)).code == 0
        home.api.shown = lambda item: item
        again = await home.etl(*home.importing("a.jsonl"), "--json")
    assert [item["brand_new"] for item in lines_of(tmp_path / "a.jsonl")] == [new]
    for name, read in (("a.csv", read_csv), ("a.parquet", read_parquet), ("a.xlsx", read_workbook)):
        assert [json.loads(row["brand_new"]) for row in read(tmp_path / name)] == [new], name
    assert again.code == 0, again.err
    assert "brand_new" in again.json["sources"][0]["unused_columns"]

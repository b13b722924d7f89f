"""Verify: whatever is changed in an export is caught, and named; who signed is told."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.quick_command import Home, at_home, forker, refused
from tests.test_export import fill, lines_of

__all__ = ["forker"]
TEXTS = ["=1+1", "Where is my parcel?", "two\nlines", "Cancel my order", "y" * 40_000]


async def exported(home: Home, out: str, *more: str) -> Path:
    fill(home, TEXTS)
    said = await home.etl("export", "all" if "." not in out or "xlsx" in out else "test-cases", "--out", out, *more)
    assert said.code == 0, said.err
    return home.folder / out


@pytest.mark.parametrize("out", ["all", "a.jsonl", "a.csv", "a.xlsx", "a.parquet"])
async def test_an_export_that_nobody_touched_holds(tmp_path: Path, forker: Any, out: str) -> None:
    async with at_home(tmp_path, forker) as home:
        await exported(home, out)
        said = await home.etl("verify", out, "--json")
        assert said.code == 0, said.out
        root = said.json["merkle_root"]
        assert (await home.etl("verify", out, "--root", root)).code == 0
        assert (await home.etl("verify", out, "--root", "0" * 64)).code == 1


@pytest.mark.parametrize("name", ["test-cases.jsonl", "test-cases.csv"])
async def test_a_changed_row_is_named(tmp_path: Path, forker: Any, name: str) -> None:
    async with at_home(tmp_path, forker) as home:
        file = await exported(home, "all") / name
        (row,) = [line for line in lines_of(file.with_suffix(".jsonl")) if line["input_str"] == TEXTS[1]]
        file.write_text(file.read_text("utf-8").replace("Where is my", "Where was my", 1), "utf-8")
        said = await home.etl("verify", "all", "--json")
        assert said.code == 1
        (finding,) = said.json["findings"]
        assert (finding["what"], finding["name"]) == ("changed", name)
        (named,) = finding["rows"]
        assert named == f"changed test-cases/{row['id']}"


async def test_a_removed_row_and_an_added_one_are_named(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        file = await exported(home, "a.jsonl")
        first, *others = file.read_text("utf-8").splitlines()
        made_up = json.dumps(json.loads(first) | {"id": "made-up"})
        file.write_text("\n".join([*others, made_up]) + "\n", "utf-8")
        said = await home.etl("verify", "a.jsonl", "--json")
        assert said.json["findings"][0]["rows"] == [
            "added test-cases/made-up", f"removed test-cases/{json.loads(first)['id']}"
        ]  # fmt: skip


async def test_a_cell_changed_in_a_workbook_is_named(tmp_path: Path, forker: Any) -> None:
    import openpyxl

    async with at_home(tmp_path, forker) as home:
        file = await exported(home, "a.xlsx")
        book = openpyxl.load_workbook(file)
        names = [cell.value for cell in book["test-cases"][1]]
        cell = book["test-cases"].cell(3, names.index("input_str") + 1)
        assert cell.value == "Where is my parcel?"
        cell.value = "Where was my parcel?"
        id_ = book["test-cases"].cell(3, 1).value
        book.save(file)
        said = await home.etl("verify", "a.xlsx", "--json")
        assert said.code == 1
        assert said.json["findings"][0]["rows"] == [f"changed test-cases/{id_}"]


async def test_files_that_are_missing_or_strange_are_named(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        folder = await exported(home, "all")
        (folder / "runs.csv").unlink()
        (folder / "notes.txt").write_text("mine")
        said = await home.etl("verify", "all", "--json")
        assert [(one["what"], one["name"]) for one in said.json["findings"]] == [
            ("missing", "runs.csv"), ("added", "notes.txt")
        ]  # fmt: skip


async def test_a_manifest_that_was_written_anew_does_not_fit_its_rows(tmp_path: Path, forker: Any) -> None:
    import hashlib

    async with at_home(tmp_path, forker) as home:
        file = await exported(home, "a.jsonl")
        before = file.read_bytes()
        file.write_bytes(before.replace(b"Where is my", b"Where was my", 1))
        manifest = tmp_path / "a.jsonl.manifest.json"
        text = manifest.read_text()
        for old, new in ((hashlib.sha256(before), hashlib.sha256(file.read_bytes())),):
            text = text.replace(old.hexdigest(), new.hexdigest())
        manifest.write_text(text)
        said = await home.etl("verify", "a.jsonl")
        assert said.code == 1
        assert "root" in said.err
        manifest.write_text(text.replace('"count": 5', '"count": 4'))
        refused(await home.etl("verify", "a.jsonl"), "does not agree with itself")


def make_keys(folder: Path) -> None:
    for name in ("key", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen on this machine")
async def test_a_signature_says_who_and_covers_everything(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        make_keys(tmp_path)
        path = {"PATH": os.environ["PATH"]}
        fill(home, TEXTS)
        assert (await home.etl("export", "test-cases", "--out", "a.csv", "--sign", "key", **path)).code == 0
        assert (await home.etl("verify", "a.csv", "--public-key", "key.pub", **path)).code == 0
        assert (await home.etl("verify", "a.csv", **path)).code == 0
        other = await home.etl("verify", "a.csv", "--public-key", "other.pub", **path)
        assert other.code == 1
        assert "another key" in other.err
        manifest = tmp_path / "a.csv.manifest.json"
        manifest.write_text(manifest.read_text().replace('"workspace": null', '"workspace": "x"'))
        tampered = await home.etl("verify", "a.csv", **path)
        assert tampered.code == 1
        assert "signature" in tampered.err


def minisign(folder: Path, *arguments: str) -> int:
    return subprocess.run(["minisign", *arguments], cwd=folder, check=False, capture_output=True).returncode


@pytest.mark.skipif(shutil.which("minisign") is None, reason="there is no minisign on this machine: make setup-ci")
async def test_a_minisign_signature_is_made_and_checked_by_minisign_itself(tmp_path: Path, forker: Any) -> None:
    async with at_home(tmp_path, forker) as home:
        for name in ("own", "other"):
            assert minisign(tmp_path, "-G", "-W", "-p", f"{name}.pub", "-s", f"{name}.key") == 0
        path = {"PATH": os.environ["PATH"]}
        fill(home, TEXTS)
        made = await home.etl("export", "test-cases", "--out", "a.csv", "--sign", "own.key", **path)
        good = await home.etl("verify", "a.csv", "--public-key", "own.pub", **path)
        nobody = await home.etl("verify", "a.csv", **path)
        other = await home.etl("verify", "a.csv", "--public-key", "other.pub", **path)
        assert minisign(tmp_path, "-V", "-p", "own.pub", "-m", "a.csv.manifest.json") == 0
        manifest = tmp_path / "a.csv.manifest.json"
        manifest.write_text(manifest.read_text().replace('"workspace": null', '"workspace": "x"'))
        tampered = await home.etl("verify", "a.csv", "--public-key", "own.pub", **path)
    assert (made.code, good.code, nobody.code) == (0, 0, 0), made.err + good.err
    assert "only its public key can check" in nobody.err
    assert (other.code, tampered.code) == (1, 1), other.err + tampered.err
    assert "signature" in tampered.err


async def test_without_a_manifest_nothing_is_said_to_hold(tmp_path: Path, forker: Any) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    async with at_home(tmp_path, forker) as home:
        refused(await home.etl("verify", "a.csv"), "manifest")
        refused(await home.etl("verify", "nothing"), "manifest")

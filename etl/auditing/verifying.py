"""Whether an export is still what its manifest says, without the API; and if not, which rows are not.

It must never know how an export was made.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.auditing.sides import open_side, rows_of_tables
from etl.errors import FileError
from etl.records import (
    Column,
    ColumnKind,
    FileEntry,
    Manifest,
    MerkleTree,
    Signature,
    cell_text,
    cut_cells,
    hash_cells,
    hash_line,
    manifest_path,
    sha256_of,
    signature_of,
)
from etl.resources import RESOURCES
from etl.tables import CELL_LIMIT

HASHES = "hashes.txt"
"""In a folder; beside a file it has the file's name in front."""
_SHOWN = 50
"""So many rows are named."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the manifest says. `what`: `changed`, `missing`, `added` or `wrong`; `rows`: a part of
    what was changed in the file, each `changed`, `removed` or `added` and its `resource/id`."""

    what: str
    name: str
    why: str
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Verdict:
    """What a check found."""

    manifest: Manifest
    path: Path
    signature: Signature | None
    findings: list[Finding] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        signature = self.signature
        return {
            "manifest": str(self.path),
            "merkle_root": self.manifest.root,
            "holds": self.holds,
            "rows": {one.name: one.count for one in self.manifest.resources},
            "signature": signature and {"good": signature.good, "by": signature.by, "trusted": signature.trusted},
            "findings": [
                {"what": one.what, "name": one.name, "why": one.why, "rows": [" ".join(row) for row in one.rows]}
                for one in self.findings
            ],
            "exit_code": 0 if self.holds else 1,
        }


def verify(path: Path, root: str | None = None, public_key: Path | None = None) -> Verdict:
    """Check an export (or its manifest) offline. `root`: the root that was kept elsewhere; `public_key`: who signed.

    Raises FileError where there is no manifest, UsageError where a signature cannot be checked here.
    """
    beside = path if path.name.endswith("manifest.json") else manifest_path(path)
    if not beside.is_file():
        raise FileError(f"There is no {beside}: without its manifest an export cannot be verified.")
    manifest = Manifest.read(beside)
    verdict = Verdict(manifest, beside, signature_of(beside, public_key))
    if root is not None and root.lower() != manifest.root:
        verdict.findings.append(
            Finding("wrong", beside.name, f"its root is {manifest.root}, not the one that was kept")
        )
    _judge_signature(verdict, public_key)
    folder = beside.parent
    changed = [finding for entry in manifest.files if (finding := _file_finding(folder, entry, manifest))]
    verdict.findings += changed
    if beside.name == "manifest.json":
        verdict.findings += _strangers(folder, manifest, beside)
    if not changed:
        verdict.findings += _wrong_roots(folder, manifest)
    return verdict


def _judge_signature(verdict: Verdict, public_key: Path | None) -> None:
    signature, name = verdict.signature, verdict.path.name
    if signature is None:
        if public_key is not None:
            verdict.findings.append(Finding("missing", name, "it is not signed"))
    elif not signature.good and (signature.trusted is not None or not signature.by.startswith("a minisign")):
        verdict.findings.append(Finding("wrong", name, f"its signature does not fit: {signature.by}"))
    elif signature.trusted is False:
        verdict.findings.append(Finding("wrong", name, f"it was signed by another key: {signature.by}"))


def _file_finding(folder: Path, entry: FileEntry, manifest: Manifest) -> Finding | None:
    path = folder / entry.name
    if "/" in entry.name or "\\" in entry.name:
        return Finding("wrong", entry.name, "a file of an export has no folder in its name")
    if not path.is_file():
        return Finding("missing", entry.name, "it is not there")
    size, digest = sha256_of(path)
    if digest == entry.sha256:
        return None
    why = f"{size:,} bytes instead of {entry.size_bytes:,}" if size != entry.size_bytes else "other bytes"
    return Finding("changed", entry.name, why, _changed_rows(path, entry, manifest))


def _strangers(folder: Path, manifest: Manifest, beside: Path) -> Iterator[Finding]:
    known = {entry.name for entry in manifest.files} | {beside.name, f"{beside.name}.sig", f"{beside.name}.minisig"}
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            yield Finding("added", path.name, "the manifest does not know it")


def _wrong_roots(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Files that fit their hashes, of which the roots do not: the manifest itself was written anew."""
    exact = [entry.name for entry in manifest.files if entry.holds == "rows" and entry.name.endswith(".jsonl")]
    if manifest.about.get("filters", {}).get("mapping"):
        return  # these lines are the mapping's, not the API's
    in_folder = any(entry.name == HASHES for entry in manifest.files)
    trees = {one.name: MerkleTree() for one in manifest.resources}
    for name in exact:
        only = Path(name).stem if len(exact) > 1 or in_folder else manifest.resources[0].name
        for resource, _, leaf in _leaves_of_lines(folder / name, only):
            if resource in trees:
                trees[resource].add(bytes.fromhex(leaf))
    for one in manifest.resources if exact else ():
        if (trees[one.name].count, trees[one.name].root()) != (one.count, one.root):
            yield Finding("wrong", one.name, f"its {one.count:,} rows do not have the root that the manifest gives")


def _changed_rows(path: Path, entry: FileEntry, manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """Which rows of a file are not those that were hashed, where the list of hashes is whole."""
    lists = [one for one in manifest.files if one.holds == "hashes"]
    hashes = path.parent / lists[0].name if lists else None
    if entry.holds != "rows" or hashes is None or not hashes.is_file() or sha256_of(hashes)[1] != lists[0].sha256:
        return ()
    in_folder = hashes.name == HASHES
    own = (path.stem,) if in_folder and path.stem in RESOURCES else tuple(one.name for one in manifest.resources)
    try:
        found = list(_leaves(path, own, manifest))
    except FileError as error:
        return (("unreadable", error.message),)
    wanted = dict(_expected(hashes, path, manifest, own))
    rows: list[tuple[str, str]] = []
    seen = set()
    for resource, id_, leaf in found:
        name = f"{resource}/{id_}"
        seen.add(name)
        if wanted.get(name) != leaf:
            rows.append(("changed" if name in wanted else "added", name))
    rows += [("removed", name) for name in wanted if name not in seen]
    if len(rows) > _SHOWN:
        rows[_SHOWN:] = [("more", f"rows: {len(rows) - _SHOWN:,} others")]
    return tuple(rows) if rows else (("moved", "the rows are the same, in another order or form"),)


def _expected(hashes: Path, path: Path, manifest: Manifest, own: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Name and hash of each row that the file should have; `own`: the resources that it holds."""
    if path.suffix != ".jsonl" and hashes.name == HASHES:
        yield from _from_lines(path, manifest, own)  # in a folder the tables are made from the JSON Lines
        return
    with hashes.open(encoding="utf-8") as lines:
        for line in lines:
            leaf, _, name = line.rstrip("\n").partition("  ")
            if name.split("/")[0] in own:
                yield name, leaf


def _from_lines(path: Path, manifest: Manifest, own: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    side = open_side(path.parent)
    limit = CELL_LIMIT if path.suffix == ".xlsx" else None
    for one in manifest.resources:
        chosen = manifest.about.get("filters", {}).get("columns") or one.columns
        columns = [Column(name, ColumnKind(one.columns[name])) for name in chosen if name in one.columns]
        for item in side.rows[one.name]() if one.name in own and one.name in side.rows else ():
            cells = cut_cells([column.cell(item.get(column.name)) for column in columns], limit)
            yield f"{one.name}/{item[RESOURCES[one.name].id_field]}", hash_cells(map(cell_text, cells))


def _leaves(path: Path, own: tuple[str, ...], manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Resource, id and hash of each row that the file has."""
    if path.suffix == ".jsonl":
        yield from _leaves_of_lines(path, own[0])
        return
    kinds = {one.name: one.columns for one in manifest.resources}
    for resource, read in rows_of_tables(path, own[0], resolve=False).items():
        known = kinds.get(resource, {})
        for item in read():
            leaf = hash_cells(_as_written(cell, known.get(name)) for name, cell in item.items())
            yield resource, str(item.get(RESOURCES[resource].id_field)), leaf


def _as_written(cell: str | None, kind: str | None) -> str | None:
    """A typed cell as JSON has it: a workbook shows TRUE and may show 1 for 1.0."""
    if cell and kind == ColumnKind.BOOLEAN:
        return cell.lower()
    if cell and kind == ColumnKind.NUMBER:
        try:
            return cell_text(float(cell))
        except ValueError:
            return cell
    return cell or None


def _leaves_of_lines(path: Path, only: str) -> Iterator[tuple[str, str, str]]:
    with path.open("rb") as stream:
        for line in stream:
            try:
                item = json.loads(line)
                resource = str(item.get("resource", only))
                yield resource, str(item.get(RESOURCES[resource].id_field)), hash_line(line)
            except (ValueError, AttributeError, KeyError, RecursionError):
                yield only, f"(no row: {line[:40]!r})", ""

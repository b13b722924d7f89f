"""One side of a comparison: the rows of an export, whatever its form, resource by resource.

It must never know what they are compared with.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from etl.batch import GUARD_COLUMN, Batch
from etl.errors import FileError
from etl.readers import open_source
from etl.records import Manifest, manifest_path
from etl.redacting import ELSEWHERE
from etl.resources import RESOURCES
from etl.tables import unguarded

Item = dict[str, Any]
Read = Callable[[], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Side:
    """`rows`: for each resource, its rows, any number of times. `exact`: their values are those of JSON, not cells."""

    name: str
    rows: Mapping[str, Read]
    manifest: Manifest | None = None
    exact: bool = True
    notes: tuple[str, ...] = field(default=())


def open_side(path: Path) -> Side:
    """An export in any of its forms, with or without its manifest. Raises FileError for what is none."""
    beside = manifest_path(path)
    manifest = Manifest.read(beside) if beside.is_file() else None
    if path.is_dir():
        rows = {
            name: partial(_lines, path / f"{name}.jsonl") for name in RESOURCES if (path / f"{name}.jsonl").is_file()
        }
        if not rows:
            raise FileError(f"{path} holds no export: there is no test-cases.jsonl or the like in it.")
        return Side(str(path), rows, manifest)
    if not path.is_file():
        raise FileError(f"There is no {path}.", "Name an export, or api: for what the API has now.")
    only = manifest.resources[0].name if manifest and len(manifest.resources) == 1 else None
    if path.suffix in {".jsonl", ".ndjson"}:
        return Side(str(path), _of_lines(path, manifest, only), manifest)
    return Side(str(path), rows_of_tables(path, only), manifest, exact=False)


def _of_lines(path: Path, manifest: Manifest | None, only: str | None) -> dict[str, Read]:
    if only is not None:
        return {only: partial(_lines, path)}
    names = [one.name for one in manifest.resources] if manifest else None
    if names is None:
        found = {_resource_of(item, path) for item in _lines(path)}
        names = [name for name in RESOURCES if name in found]

    def of(name: str) -> Iterator[Item]:
        for item in _lines(path):
            if _resource_of(item, path) == name:
                item.pop("resource", None)
                yield item

    return {name: partial(of, name) for name in names}


def _lines(path: Path) -> Iterator[Item]:
    """Raises FileError for a line that is no JSON object."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                item = json.loads(line)
                if not isinstance(item, dict):
                    raise FileError(f"{path}, line {number} is no JSON object.")
                yield item
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise FileError(f"{path}, line {number} is no JSON.") from None


def _resource_of(item: Mapping[str, Any], path: Path) -> str:
    """What an item is: it says so, or its full name does (`test-cases/ID`)."""
    said = item.get("resource")
    if isinstance(said, str) and said in RESOURCES:
        return said
    for key in ("name", "resource_name"):
        name = str(item.get(key, "")).split("/")[0]
        if name in RESOURCES:
            return name
    if {"model_type", "display_name"} <= item.keys():
        return "agents"
    raise FileError(f"{path} does not say which resource it holds, and its manifest is not beside it.")


def rows_of_tables(path: Path, only: str | None, *, resolve: bool = True) -> dict[str, Read]:
    """A table for each resource; a workbook's sheets are called by them. `resolve`: take texts that stand elsewhere."""
    found: dict[str, list[str | None]] = {}
    with open_source(str(path)) as survey:
        for table in survey.tables:
            sheet = table.origin.sheet
            name = (sheet or "").split(" (")[0]
            if name not in RESOURCES:
                first = next(iter(table.sample.iter_rows(named=True)), {})
                name = only or _resource_of({key: cell or "" for key, cell in first.items()}, path)
            found.setdefault(name, []).append(sheet)
    return {name: partial(_cells, path, tuple(sheets), resolve=resolve) for name, sheets in found.items()}


def _cells(path: Path, sheets: tuple[str | None, ...], *, resolve: bool) -> Iterator[Item]:
    texts = _texts_beside(path) if resolve else {}
    with open_source(str(path)) as survey:
        for table in survey.tables:
            if table.origin.sheet not in sheets:
                continue
            for batch in table.batches():
                yield from _rows(batch, texts)


def _rows(batch: Batch, texts: Mapping[tuple[str, str], str]) -> Iterator[Item]:
    names = [name for name in batch.origin.columns if name != GUARD_COLUMN]
    frame = batch.source.select(names)
    if GUARD_COLUMN in batch.origin.columns:
        frame = frame.with_columns([unguarded(frame[name]) for name in names])
    for row in frame.iter_rows(named=True):
        id_ = str(row.get("id") or row.get("run_id"))
        yield {
            name: texts.get((id_, name), cell) if isinstance(cell, str) and cell.startswith(ELSEWHERE) else cell
            for name, cell in row.items()
        }


def _texts_beside(path: Path) -> dict[tuple[str, str], str]:
    beside = path.with_name(f"{path.name}.texts.jsonl")
    return {(line["id"], line["field"]): line["text"] for line in _lines(beside)} if beside.is_file() else {}

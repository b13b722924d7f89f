"""How the mapping tests make tables and mappings: a few lines of YAML, a few columns of cells."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from etl.batch import ROW, TYPES, Batch, Origin
from etl.mapping import Bound, apply, bind, bodies, load_mapping
from etl.mapping import Mapping as MappingFile
from etl.resources import Contract

Cells = Sequence[str | None]


def mapping_of(folder: Path, fields: str, *, resource: str = "test-cases", more: str = "") -> MappingFile:
    """A mapping file with these `fields` (YAML, one field a line), written, read and checked."""
    lines = "".join(f"  {line.strip()}\n" for line in fields.strip().splitlines())
    file = folder / "mine.yaml"
    file.write_text(f"version: 1\nname: mine\nresource: {resource}\n{more}fields:\n{lines}", encoding="utf-8")
    return load_mapping(str(file))


def batch_of(columns: Mapping[str, Cells], *, format_: str = "csv", sheet: str | None = None) -> Batch:
    """A batch as a CSV reader makes it: the header in row 1."""
    height = len(next(iter(columns.values())))
    positions = tuple(range(1, len(columns) + 1))
    origin = Origin("cases.csv", sheet, format_, tuple(columns), positions, 1)
    source = pl.DataFrame(
        {ROW: list(range(2, height + 2))} | {name: list(cells) for name, cells in columns.items()},
        schema={ROW: pl.Int64, **dict.fromkeys(columns, pl.String)},
    )
    return Batch(origin, source, source)


def json_batch(*records: Mapping[str, Any]) -> Batch:
    """A batch as the reader of JSON Lines makes it: strings as plain text, all else as JSON text with its type."""
    keys = tuple(dict.fromkeys(key for record in records for key in record))
    kinds = {bool: "boolean", int: "number", float: "number", list: "array", dict: "object", type(None): "null"}
    rows: dict[str, list[Any]] = {ROW: list(range(1, len(records) + 1)), TYPES: []}
    for record in records:
        types = {key: kinds[type(value)] for key, value in record.items() if not isinstance(value, str)}
        rows[TYPES].append(json.dumps(types))
        for key in keys:
            value = record.get(key)
            text = value if isinstance(value, str) else json.dumps(value)
            rows.setdefault(key, []).append(text if key in record else None)
    source = pl.DataFrame(rows, schema={ROW: pl.Int64, TYPES: pl.String, **dict.fromkeys(keys, pl.String)})
    return Batch(Origin("cases.jsonl", None, "jsonl", keys), source, source)


class Mapped:
    """What a mapping made of a batch."""

    def __init__(self, bound: Bound, batch: Batch) -> None:
        self.bound = bound
        self.batch = apply(bound, batch)
        self.bodies: list[Any] = [json.loads(text) for text in bodies(self.batch.frame, bound.fields)]
        self.problems = self.batch.problems.rows(named=True)

    @property
    def codes(self) -> list[str]:
        return [problem["code"] for problem in self.problems]

    @property
    def messages(self) -> list[str]:
        return [problem["message"] for problem in self.problems]


def mapped(
    mapping: MappingFile,
    batch: Batch,
    contract: Contract = Contract.V2025_10,
    overrides: Mapping[str, str] | None = None,
) -> Mapped:
    """Bound, applied, made into bodies."""
    return Mapped(bind(mapping, batch.origin, contract, overrides or {}), batch)

# ruff: noqa: T201  # what a side found is printed
"""Sides: one way each of reading a file of test cases and counting the bad rows, run as a process of its own.

`python -m benchmarks.sides NAME FILE` prints `{"rows", "bad", "versions"}`. It must never know what the others take.

All that judge are given the limits of the same four fields; each in its own words, as its manual shows it.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

TYPES = ("SCENARIO", "TRANSCRIPT", "IVR", "AUDIO", "MANUAL", "SCRIPT")
TEST_SET = r"^[A-Za-z0-9]{8}$"
CHUNK_ROWS = 50_000


class Found(NamedTuple):
    """What a side found; `bad` None: it judges nothing, or only the structure."""

    rows: int
    bad: int | None


def polars_scan(path: str) -> Found:
    """Bare: every column of every row, in batches, nothing asked."""
    import polars as pl

    if path.endswith(".jsonl"):
        frames = pl.scan_ndjson(path, infer_schema_length=1000).collect_batches(chunk_size=CHUNK_ROWS)
    else:
        frames = pl.scan_csv(path, infer_schema=False).collect_batches(chunk_size=CHUNK_ROWS)
    return Found(sum(frame.height for frame in frames), None)


def dataframely(path: str) -> Found:
    """A schema with named rules, the frame in memory."""
    import dataframely as dy
    import polars as pl

    class Cases(dy.Schema):
        input_str = dy.String(min_length=1)
        expected_behaviors = dy.String(nullable=True)
        test_set_id = dy.String(regex=TEST_SET)
        input_type = dy.String(nullable=True, regex=f"^({'|'.join(TYPES)})$")
        description = dy.String(nullable=True)
        user_notes = dy.String(nullable=True)

    frame = pl.read_csv(path, infer_schema=False)
    good, _ = Cases.filter(frame)
    return Found(frame.height, frame.height - good.height)


def pandera(path: str) -> Found:
    """A schema of polars checks, all failures collected, the frame in memory."""
    import pandera.polars as pa
    import polars as pl
    from pandera.errors import SchemaErrors

    schema = pa.DataFrameSchema(
        {
            "input_str": pa.Column(str, pa.Check.str_length(min_value=1)),
            "test_set_id": pa.Column(str, pa.Check.str_matches(TEST_SET)),
            "input_type": pa.Column(str, pa.Check.isin(TYPES), nullable=True),
        }
    )
    frame = pl.read_csv(path, infer_schema=False)
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        return Found(frame.height, error.failure_cases["index"].n_unique())
    return Found(frame.height, 0)


def pydantic(path: str) -> Found:
    """A model for each row."""
    from typing import Annotated, Literal

    from pydantic import BaseModel, ConfigDict, Field, ValidationError

    class Case(BaseModel):
        model_config = ConfigDict(extra="ignore")

        input_str: Annotated[str, Field(min_length=1)]
        expected_behaviors: str | list[str] | None = None
        test_set_id: Annotated[str, Field(pattern=TEST_SET)]
        input_type: Literal["SCENARIO", "TRANSCRIPT", "IVR", "AUDIO", "MANUAL", "SCRIPT"] | None = None
        description: str | None = None
        user_notes: str | None = None
        metric_input: dict[str, Any] | None = None

    rows = bad = 0
    for record in _records(path):
        rows += 1
        try:
            Case.model_validate(record)
        except ValidationError:
            bad += 1
    return Found(rows, bad)


def frictionless(path: str) -> Found:
    """A table schema with constraints."""
    from frictionless import Checklist, Resource, Schema, system

    schema = Schema.from_descriptor(
        {
            "fields": [
                {"name": "input_str", "type": "string", "constraints": {"required": True}},
                {"name": "expected_behaviors", "type": "string"},
                {"name": "test_set_id", "type": "string", "constraints": {"pattern": TEST_SET}},
                {"name": "input_type", "type": "string", "constraints": {"enum": list(TYPES)}},
                {"name": "description", "type": "string"},
                {"name": "user_notes", "type": "string"},
            ]
        }
    )
    with system.use_context(trusted=True):
        report = Resource(path=path, schema=schema).validate(Checklist(), limit_errors=10_000_000)
    task = report.tasks[0]
    return Found(task.stats["rows"], len({error.row_number for error in task.errors}))


def csvclean(path: str) -> Found:
    """csvkit's look at the structure alone: the cells are not judged."""
    import contextlib
    import io

    from csvkit.utilities.csvclean import CSVClean

    counted = _Counting()
    with contextlib.redirect_stderr(io.StringIO()):
        CSVClean([path, "--length-mismatch"], counted).run()
    return Found(counted.lines - 1, None)


class _Counting:
    """Takes text and counts its lines."""

    lines = 0

    def write(self, text: str) -> None:
        self.lines += text.count("\n")

    def flush(self) -> None:
        """There is nothing to write out."""


def stdlib_json(path: str) -> Found:
    """Bare: a line, an object, nothing asked."""
    return Found(sum(1 for _ in _records(path)), None)


def orjson(path: str) -> Found:
    """Bare: as `json`, with the fastest parser."""
    from pydantic_core import from_json

    with open(path, "rb") as file:  # noqa: PTH123  # as short as it gets
        return Found(sum(1 for line in file if from_json(line) is not None), None)


def calamine(path: str) -> Found:
    """Bare: every cell of the sheet as a value."""
    from python_calamine import CalamineWorkbook

    return Found(len(CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()) - 1, None)


def openpyxl(path: str) -> Found:
    """Bare: every cell of the sheet as a value, row by row."""
    from openpyxl import load_workbook

    sheet = load_workbook(path, read_only=True).worksheets[0]
    return Found(sum(1 for _ in sheet.iter_rows(values_only=True)) - 1, None)


def pandas(path: str) -> Found:
    """A frame in memory, by way of openpyxl."""
    import pandas as pd

    return Found(len(pd.read_excel(path, dtype=str)), None)


def _records(path: str) -> Iterator[dict[str, Any]]:
    with open(path, newline="", encoding="utf-8") as file:  # noqa: PTH123
        yield from map(json.loads, file) if path.endswith(".jsonl") else csv.DictReader(file)


SIDES: dict[str, tuple[Callable[[str], Found], tuple[str, ...]]] = {
    "polars scan": (polars_scan, ("polars",)),
    "dataframely": (dataframely, ("dataframely", "polars")),
    "pandera": (pandera, ("pandera", "polars")),
    "pydantic per row": (pydantic, ("pydantic",)),
    "frictionless": (frictionless, ("frictionless",)),
    "csvclean": (csvclean, ("csvkit",)),
    "json": (stdlib_json, ()),
    "from_json": (orjson, ("pydantic-core",)),
    "calamine": (calamine, ("python-calamine",)),
    "openpyxl": (openpyxl, ("openpyxl",)),
    "pandas": (pandas, ("pandas", "openpyxl")),
}
"""Every side by its name, with the packages whose versions are told."""


def main(name: str, path: str) -> None:
    """Run one side."""
    side, packages = SIDES[name]
    found = side(path)
    versions = {package: version(package) for package in packages} | {"python": sys.version.split()[0]}
    print(json.dumps({"rows": found.rows, "bad": found.bad, "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])

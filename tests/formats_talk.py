"""What the formats' tests say of a sample: its mapping, and for each row the body, or what is wrong, and the warnings.

python -m tests.formats_talk FILE… prints the lines that samples/formats/expected should hold, to be read by a person.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from etl.batch import ROW
from etl.checking import Fitted, body_maker, check_rows, choose_mappings
from etl.inputs import open_inputs
from etl.problems import Severity
from etl.resources import Contract

FORMATS = Path(__file__).resolve().parent.parent / "samples" / "formats"


def read_sample(file: Path, contract: Contract = Contract.V2025_10) -> tuple[str, list[dict[str, Any]]]:
    """The mapping that detection alone picks, and a line for each row: `row`, `body` or `codes`, and `warnings`."""
    with open_inputs([str(file)]) as inputs:
        [fitted] = choose_mappings(inputs, contract)
        return fitted.bound.mapping.name, [*_lines(fitted, contract)]


def _lines(fitted: Fitted, contract: Contract) -> Iterator[dict[str, Any]]:
    make = body_maker(fitted.bound)
    for checked in check_rows([fitted], contract, assume_test_set=True):
        frame, problems = checked.batch.frame, checked.batch.problems
        for row, body in zip(frame[ROW], make(frame), strict=True):
            own = problems.filter(pl.col("row") == row).rows(named=True)
            errors = [one["code"] for one in own if one["severity"] == Severity.ERROR.value]
            warned = [f"{one['code']}: {one['message']}" for one in own if one["severity"] == Severity.WARNING.value]
            line = {"row": row, "codes": errors} if errors else {"row": row, "body": json.loads(body)}
            yield {**line, "warnings": warned} if warned else line


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for said in read_sample(Path(name))[1]:
            print(json.dumps(said, ensure_ascii=False))

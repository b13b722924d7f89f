# ruff: noqa: T201  # what was measured is printed
"""What mapping costs beside reading: `python -m benchmarks.mapping [NAMES…]` maps samples of formats, multiplied.

Each file is read, and read and mapped, in turns, in this process; figures are processor time of all its threads. It
must never know a format: a sample is detected like any other file, and its records are repeated with other words.
"""

import argparse
import csv
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from etl.checking import Fitted, choose_mappings, records
from etl.inputs import open_inputs
from etl.mapping import apply
from etl.resources import Contract

SAMPLES = Path(__file__).resolve().parent.parent / "samples" / "formats"
SUFFIXES = (".csv", ".json", ".jsonl")


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m benchmarks.mapping", description=__doc__)
    words.add_argument("names", nargs="*", help="files of samples/formats (all that are CSV, JSON or JSON Lines)")
    words.add_argument("--rows", type=int, default=200_000)
    words.add_argument("--rounds", type=int, default=3)
    asked = words.parse_args()
    found = [path for path in sorted(SAMPLES.iterdir()) if path.suffix in SUFFIXES]
    print(f"{'file':34} {'rows':>9} {'reading s':>10} {'mapping s':>10} {'mapping / reading':>18}")
    with tempfile.TemporaryDirectory(prefix="coval-etl-measure-") as folder:
        for sample in [SAMPLES / name for name in asked.names] or found:
            path = Path(folder) / sample.name
            multiply(sample, path, asked.rows)
            rows, reading, mapping = measure(path, asked.rounds)
            print(
                f"{sample.name:34} {rows:>9,} {reading:>10.2f} {mapping:>10.2f} {mapping / reading:>18.2f}", flush=True
            )
            path.unlink()


def measure(path: Path, rounds: int) -> tuple[int, float, float]:
    """The rows of a file, and medians of what reading took and of what mapping added, in seconds of the processor."""
    with open_inputs([str(path)], None, None) as inputs:
        (fitted,) = choose_mappings(inputs, Contract.V2026_10)
        rows = read(fitted)
        pairs = [(_cpu_s(read, fitted), _cpu_s(read_and_map, fitted)) for _ in range(rounds)]
    reading = statistics.median(first for first, _ in pairs)
    return rows, reading, statistics.median(second - first for first, second in pairs)


def read(fitted: Fitted) -> int:
    """Read a table through; its rows."""
    return sum(len(batch) for batch in fitted.table.batches())


def read_and_map(fitted: Fitted) -> int:
    """Read a table through and map all of it; its records."""
    return sum(len(apply(fitted.bound, batch)) for batch in records(fitted))


def _cpu_s(work: Callable[[Fitted], int], fitted: Fitted) -> float:
    started = time.process_time()
    work(fitted)
    return time.process_time() - started


def multiply(sample: Path, path: Path, rows: int) -> None:
    """The records of a sample again and again, the text in each with its number behind it."""
    if sample.suffix == ".csv":
        with sample.open(newline="", encoding="utf-8") as file:
            head, *lines = csv.reader(file)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows(islice(_again(lines), rows))
    elif sample.suffix == ".jsonl":
        found = [json.loads(line) for line in sample.read_text(encoding="utf-8").splitlines() if line.strip()]
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in islice(_again(found), rows))
    else:
        whole = json.loads(sample.read_text(encoding="utf-8"))
        key = None if isinstance(whole, list) else next(key for key, value in whole.items() if isinstance(value, list))
        found = list(islice(_again(whole if key is None else whole[key]), rows))
        path.write_text(
            json.dumps(found if key is None else whole | {key: found}, ensure_ascii=False), encoding="utf-8"
        )


def _again(found: list[Any]) -> Iterator[Any]:
    number = 0
    while True:
        for one in found:
            yield _with_number(one, number)
        number += 1


def _with_number(value: Any, number: int) -> Any:
    """A sentence gets the number behind it; words of a format, numbers and names stay what they are."""
    if isinstance(value, dict):
        return {key: _with_number(inner, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_number(inner, number) for inner in value]
    return f"{value} {number}" if isinstance(value, str) and " " in value and value[0] not in "[{" else value


if __name__ == "__main__":
    main()

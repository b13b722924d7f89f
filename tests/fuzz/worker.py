"""Worker: reads one file after another and says how each ended. A process of its own, because it may die of one.

Each line of standard input is a JSON object {"path", "options"}; each line of standard output is the verdict on it.
"""

import gc
import json
import os
import resource
import sys
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from etl.batch import OWN_COLUMNS, ROW, Batch, Table
from etl.errors import EtlError
from etl.readers import ReadOptions, open_source
from etl.readers.assembly import BATCH_ROWS, SAMPLE_ROWS
from etl.readers.sources.source import Source
from tests.fuzz.oracles import check_rows

MOST_SENTENCE = 700


def read_through(path: str, options: dict[str, Any]) -> dict[str, Any]:
    """Survey and read a file: {"rows", "problems"}, {"refused"} or {"wrong": why}."""
    try:
        with open_source(path, ReadOptions(**options)) as survey:
            rows = problems = 0
            for table in survey.tables:
                seen, bad = _read_table(table, survey.source)
                rows, problems = rows + seen, problems + bad
    except EtlError as error:
        fault = _fault_of_sentence(error, path)
        return {"wrong": fault} if fault else {"refused": error.message.replace(path, "FILE")}
    except AssertionError:
        return {"wrong": traceback.format_exc(limit=-2)}
    except BaseException:  # noqa: BLE001  # polars' panics are no Exceptions; everything else is what is looked for
        return {"wrong": traceback.format_exc()}
    return {"rows": rows, "problems": problems}


def _read_table(table: Table, source: Source) -> tuple[int, int]:
    """How many rows and problems a table gives; what every table promises is asserted."""
    columns = list(table.origin.columns)
    assert columns, "a table without columns"
    assert len(set(columns)) == len(columns), "columns of the same name"
    assert not OWN_COLUMNS & set(columns), "a column of our own name"
    rows = problems = last = 0
    frames: list[pl.DataFrame] = []
    bad: set[int] = set()
    for batch in table.batches():
        _check_batch(batch, table, columns, last)
        last = batch.source[ROW][-1]
        frames.append(batch.source)
        bad |= set(batch.problems["row"])
        rows, problems = rows + len(batch), problems + batch.problems.height
    sample = table.sample
    assert sample.height == min(rows, SAMPLE_ROWS), f"a sample of {sample.height} of {rows} rows"
    if frames:
        first = pl.concat(frames).head(SAMPLE_ROWS)
        own = [name for name in (ROW, *columns) if name in sample.columns]
        assert sample.select(own).equals(first.select(own)), "the sample is not how the rows begin"
        with source.open() as stream:
            content = stream.read()
        check_rows(content, table, pl.concat(frames), bad)
    return rows, problems


def _check_batch(batch: Batch, table: Table, columns: list[str], last: int) -> None:
    assert 0 < len(batch) <= BATCH_ROWS, f"a batch of {len(batch)} rows"
    assert batch.origin == table.origin, "a batch of another origin"
    assert [name for name in batch.source.columns if name not in OWN_COLUMNS] == columns, "other columns"
    numbers = batch.source[ROW]
    assert numbers.null_count() == 0, "a row without a number"
    assert numbers[0] > last, "row numbers that do not rise"
    assert (numbers.diff().drop_nulls() > 0).all(), "row numbers that do not rise"
    assert set(batch.source.drop(ROW).dtypes) <= {pl.String}, "cells that are no text"
    assert set(batch.problems["row"]) <= set(numbers), "a problem on a row that is not there"
    _check_sentences(batch.problems["message"])


def _check_sentences(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        assert sentence, "a problem without a message"
        assert len(sentence) <= MOST_SENTENCE, f"a message of {len(sentence)} characters: {sentence[:200]!r}"


def _fault_of_sentence(error: EtlError, path: str) -> str | None:
    """What is wrong with the words of a refusal."""
    message = error.message.replace(path, "FILE")
    if not message or "FILE" not in message:
        return f"the refusal does not name the file: {message!r}"
    if not message.endswith((".", "?")):
        return f"the refusal is no sentence: {message!r}"
    if len(message) > MOST_SENTENCE or len(error.hint) > MOST_SENTENCE:
        return f"the refusal is too long: {message!r}"
    return None


def _processor_seconds() -> float:
    """What this process and those that it has waited for have used."""
    return sum(os.times()[:4])


def _peak_mb() -> int:
    """The most that this process or one that it started has held.

    The system's own count for a process begins with what its parent held, and a test run may hold much.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status = Path("/proc/self/status")
    if not status.exists():
        return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024
    own = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return max(children, own) // 1024


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    spools = Path(tempfile.gettempdir())
    late: list[str] = []
    sys.unraisablehook = lambda found: late.append(f"{found.exc_value!r} in {found.object!r}")
    for line in sys.stdin:
        case = json.loads(line)
        before, started = set(spools.iterdir()), _processor_seconds()
        verdict = read_through(case["path"], case["options"])
        gc.collect()
        left = {one.name for one in set(spools.iterdir()) - before}
        if left:
            verdict = {"wrong": f"left in the folder for temporary files: {sorted(left)}"}
        if late:
            verdict = {"wrong": f"an exception where none can be raised: {late.pop()}"}
        print(json.dumps(verdict | {"seconds": _processor_seconds() - started, "peak_mb": _peak_mb()}), file=answers)


if __name__ == "__main__":
    main()

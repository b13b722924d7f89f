# ruff: noqa: INP001, T201  # a script
"""Measure the readers on large files: peak memory, time and processor time of `coval-etl` in a process of its own.

A tool for developers, no test: `python tools/measure_readers.py [--rows 500000 5000000] [--json] [NAMES…]`. It never
touches anything but its own folder, which it removes. It must stay small itself: a child begins as large as whoever
starts it, so files are written by a process of their own.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("id", "input", "expected_behaviors", "notes")
WORDS = ("the", "agent", "should", "greet", "caller", "by", "name", "and", "ask", "order", "number", "größe", "👍")


@dataclass(frozen=True, slots=True)
class Figure:
    """What one command took."""

    file: str
    rows: int
    size_mb: float
    command: str
    seconds: float
    cpu_seconds: float
    peak_mb: int
    rows_per_s: int
    exit_code: int


def _texts(count: int) -> Iterator[list[str]]:
    """Rows of about 300 bytes; the same ones each time."""
    chance = random.Random(3)  # noqa: S311
    lines = [" ".join(chance.choices(WORDS, k=14)) for _ in range(997)]
    for row in range(count):
        yield [
            f"{row:07}",
            f"{lines[row % 997]}, {row}",
            f'Says "hello"; {lines[row * 7 % 997]}',
            lines[row * 13 % 997] if row % 3 else "",
        ]


def _write_csv(path: Path, rows: int) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_texts(rows))


def _write_json_lines(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in _texts(rows):
            file.write(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n")


def _write_parquet(path: Path, rows: int) -> None:
    """By way of CSV, so that no more than a row group is ever held."""
    import polars as pl

    helper = path.with_suffix(".csv")
    _write_csv(helper, rows)
    pl.scan_csv(helper, infer_schema=False).sink_parquet(path, row_group_size=100_000)
    helper.unlink()


def _write_json(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for at, row in enumerate(_texts(rows)):
            file.write((",\n" if at else "") + json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False))
        file.write("]")


def _write_xlsx(width: int) -> Callable[[Path, int], None]:
    def write(path: Path, rows: int) -> None:
        import xlsxwriter

        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet = book.add_worksheet("Cases")
            sheet.write_row(0, 0, [*COLUMNS, *(f"more {at}" for at in range(width - 4))])
            for at, row in enumerate(_texts(rows), 1):
                for column, text in enumerate(row):
                    sheet.write_string(at, column, text[:60])
                for column in range(4, width):
                    sheet.write_number(at, column, at * column)

    return write


FILES: dict[str, tuple[str, Callable[[Path, int], None], int | None]] = {
    "csv": ("cases.csv", _write_csv, None),
    "jsonl": ("cases.jsonl", _write_json_lines, None),
    "parquet": ("cases.parquet", _write_parquet, None),
    "json": ("cases.json", _write_json, None),
    "xlsx": ("cases.xlsx", _write_xlsx(8), 100_000),
    "big-xlsx": ("big.xlsx", _write_xlsx(10), 1_000_000),
}
"""By name: the file, its writer, and how many rows it has (None: as told)."""

COMMANDS = {
    "preview": ("preview", "--raw"),
    "validate": ("validate", "--resource", "test-cases", "--quiet"),
    "read": None,
}
"""What is run on each; `read` is the readers alone."""

READ = """
import sys
from etl.readers import open_source
with open_source(sys.argv[1]) as survey:
    print(sum(len(batch) for table in survey.tables for batch in table.batches()))
"""


def measure(path: Path, rows: int, command: str) -> Figure:
    words = COMMANDS[command]
    line = [sys.executable, "-c", READ, str(path)]
    if words is not None:
        line = [sys.executable, "-m", "etl", words[0], str(path), *words[1:]]
    started = time.monotonic()
    with (path.parent / "out").open("wb") as out, (path.parent / "err").open("wb") as err:
        process = subprocess.Popen(line, cwd=ROOT, stdout=out, stderr=err, env=os.environ | {"HOME": str(path.parent)})  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, 1}:
        print((path.parent / "err").read_text()[-2000:], file=sys.stderr)
    size = path.stat().st_size / 1e6
    return Figure(
        path.name,
        rows,
        round(size, 1),
        command,
        round(seconds, 2),
        round(usage.ru_utime + usage.ru_stime, 2),
        usage.ru_maxrss // 1024,
        int(rows / seconds),
        code,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(FILES)} (all)")
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 5_000_000])
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", nargs=3, metavar=("NAME", "FILE", "ROWS"), help="write a file, and measure nothing")
    told = parser.parse_args()
    if told.write:
        name, path, rows = told.write
        FILES[name][1](Path(path), int(rows))
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="coval-etl-measure-") as folder:
        for name in told.names or FILES:
            file, _, own = FILES[name]
            for rows in [own] if own else told.rows:
                path = Path(folder) / file
                line = [sys.executable, __file__, "--write", name, str(path), str(rows)]
                subprocess.run(line, check=True)  # noqa: S603  (itself)
                for command in told.commands:
                    figure = measure(path, rows, command)
                    figures.append(figure)
                    if not told.json:
                        print(
                            f"{figure.file:14} {rows:>9,} rows {figure.size_mb:>8,.1f} MB  {command:9} "
                            f"{figure.seconds:>8.2f} s  {figure.cpu_seconds:>8.2f} s CPU  {figure.peak_mb:>6,} MB  "
                            f"{figure.rows_per_s:>9,} rows/s  "
                            f"exit {figure.exit_code}",
                            flush=True,
                        )
                path.unlink()
    if told.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()

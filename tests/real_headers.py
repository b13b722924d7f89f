"""The frozen list of real headers, and what the detection makes of it. It must never be changed to suit the detection.

python -m tests.real_headers [tuned|unseen|all]
"""

import csv
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl

from etl.batch import ROW, Origin
from etl.mapping import FITS, guess

LIST = Path(__file__).resolve().parent / "headers" / "real_headers.csv"
LATER = LIST.with_name("later_headers.csv")
"""Gathered when the tuning was over, and measured once: what the detection makes of headers that nobody had seen."""
_UNKNOWN = ("As a tester would write it", "Something else that a tester would write")


@dataclass(frozen=True, slots=True)
class Header:
    """A column: its name, the field it should fill (`-`: none), values where they are known."""

    name: str
    expected: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RealTable:
    """Columns that stand together, and what their rows are (`-`: nothing that can be imported)."""

    name: str
    language: str
    resource: str
    headers: tuple[Header, ...]

    @property
    def half(self) -> str:
        """`tuned` or `unseen`, by a hash of the name: the second was not looked at while tuning."""
        return "tuned" if hashlib.sha256(self.name.encode()).digest()[0] % 2 else "unseen"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detection made of one column."""

    table: RealTable
    header: Header
    found: str

    @property
    def right(self) -> bool:
        return self.found == self.header.expected


def real_tables(file: Path = LIST) -> Iterator[RealTable]:
    with file.open(encoding="utf-8", newline="") as opened:
        for name, rows in groupby(csv.DictReader(opened), key=lambda row: row["table"]):
            found = list(rows)
            headers = [Header(row["header"], row["expected"], tuple(row["samples"].splitlines())) for row in found]
            yield RealTable(name, found[0]["language"], found[0]["resource"], tuple(headers))


def judge(tables: Iterable[RealTable]) -> list[Verdict]:
    """Every column, by the mapping that an import would take without being told anything."""
    return [verdict for table in tables for verdict in _judge(table)]


def _judge(table: RealTable) -> Iterator[Verdict]:
    names = tuple(header.name for header in table.headers)
    origin = Origin(table.name, None, "csv", names, tuple(range(1, len(names) + 1)), 1)
    best = guess(origin, sample_of(table))[0]
    taken = best.columns if best.score >= FITS and best.mapping.resource == table.resource else {}
    wrongly = best.score >= FITS and best.mapping.resource != table.resource
    for header in table.headers:
        yield Verdict(table, header, best.columns.get(header.name, "-") if wrongly else taken.get(header.name, "-"))


def sample_of(table: RealTable) -> pl.DataFrame:
    """Rows of the known values; a column without any has text that says nothing. No rows where none is known."""
    if not any(header.samples for header in table.headers):
        return pl.DataFrame({ROW: []} | {header.name: [] for header in table.headers}).cast({ROW: pl.Int64})
    values = {header.name: (*(header.samples or _UNKNOWN), None, None)[:2] for header in table.headers}
    return pl.DataFrame({ROW: [2, 3]} | {name: list(found) for name, found in values.items()})


def share(verdicts: list[Verdict]) -> float:
    return sum(one.right for one in verdicts) / len(verdicts)


def main() -> None:
    """Print the misses and the share of columns that are right."""
    half = sys.argv[1] if len(sys.argv) > 1 else "all"
    tables = real_tables(LATER if half == "later" else LIST)
    verdicts = judge(table for table in tables if half in {"all", "later", table.half})
    for one in verdicts:
        if not one.right:
            sys.stdout.write(f"{one.table.name}: {one.header.name!r} is {one.header.expected}, found {one.found}\n")
    filled = [one for one in verdicts if one.header.expected != "-"]
    free = [one for one in verdicts if one.header.expected == "-"]
    abroad = [one for one in verdicts if one.table.language != "en"]
    sys.stdout.write(
        f"{half}: {len(verdicts)} columns, {share(verdicts):.1%} right; of {len(filled)} with a field "
        f"{share(filled):.1%}, of {len(free)} without {share(free):.1%}, in other languages {share(abroad):.1%}\n"
    )


if __name__ == "__main__":
    main()

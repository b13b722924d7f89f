# ruff: noqa: T201, RUF001  # the table is printed, with signs for times and to
"""Sending and exporting beside peers: `python -m benchmarks.sending [upload] [latency] [hidden] [export]`.

It must never import what is measured: every side is a process of its own, and so is the API (`answering`), a new one
for each run. All sides take turns. Each also sends a few rows, which is its start-up; rates are those of the others,
by the clock, because sending is waiting. Slow sides get a part of the rows.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.inputs import COLUMNS, cases
from benchmarks.measuring import Figure, measure

ROOT = Path(__file__).resolve().parent.parent
OURS = "coval-etl"
TEST_SET = "aB1cD2eF"
FEW_ROWS = 200
PAGE_ROWS = 100
"""What the API gives at most."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sides that do the same, each with the part of the rows that it is given; `bare` is compared with."""

    rows: int
    latency_s: float
    concurrency: int
    bare: str
    target: float
    """At least so many times the rate of the bare side."""
    sides: dict[str, float]
    is_export: bool = False


COMPARISONS = {
    "upload": Comparison(
        20_000,
        0.0,
        64,
        "aiohttp",
        0.8,
        {"aiohttp": 1, OURS: 1, "httpx": 0.1, "coval-sdk in threads": 0.1, "coval-sdk, one by one": 0.1},
    ),
    "latency": Comparison(20_000, 0.05, 64, "aiohttp", 0.95, {"aiohttp": 1, OURS: 1}),
    "hidden": Comparison(200_000, 0.0, 64, "delivery alone", 0.95, {"delivery alone": 1, OURS: 1}),
    "export": Comparison(200_000, 0.02, 1, "the limit", 0.9, {OURS: 1}, is_export=True),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a side: what it took, and what the API says of it."""

    figure: Figure
    posts: int
    served_s: float
    """Median time from a request to its answer, in the API."""


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending", description="Ours beside peers, in turns.")
    parser.add_argument("kinds", nargs="*", choices=[[], *COMPARISONS], default=[])
    parser.add_argument("--rows", type=int, help="instead of those of each comparison")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where all figures go")
    asked = parser.parse_args()
    results = {}
    for kind in asked.kinds or COMPARISONS:
        results[kind] = compare(kind, asked.rows or COMPARISONS[kind].rows, asked.rounds)
        print(table(kind, results[kind]), flush=True)
    if asked.json:
        about = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "cpus": os.cpu_count()}
        asked.json.write_text(json.dumps(about | {"comparisons": results}, indent=1) + "\n")


def compare(kind: str, rows: int, rounds: int) -> list[dict[str, Any]]:
    """All sides, taking turns; who is first changes from round to round."""
    comparison = COMPARISONS[kind]
    found: dict[str, list[tuple[Run, Run]]] = defaultdict(list)
    names = list(comparison.sides)
    counts = {name: int(rows * part) for name, part in comparison.sides.items()}
    with tempfile.TemporaryDirectory(prefix="coval-etl-benchmarks-") as folder:
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                home = Path(folder) / f"{number}-{names.index(name)}"
                many = run(comparison, name, counts[name], home / "many")
                few = run(comparison, name, FEW_ROWS, home / "few")
                found[name].append((many, few))
            print(f"{kind}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    rates = {name: [_rate(pair, counts[name]) for pair in pairs] for name, pairs in found.items()}
    limits = [_limit(comparison, many) for many, _ in found[OURS]]
    bare = rates.get(comparison.bare, limits)
    return [
        {
            "side": name,
            "rows": counts[name],
            "rows_per_s": _spread(rates[name]),
            "times_bare": _spread([one / other for one, other in zip(rates[name], bare, strict=True)]),
            "times_limit": _spread([one / other for one, other in zip(rates[name], limits, strict=True)]),
            "start_up_s": _spread([few.figure.wall_s for _, few in pairs]),
            "cpu_us_a_row": _spread([_cpu_us(pair, counts[name]) for pair in pairs]),
            "peak_mb": _spread([many.figure.peak_mb for many, _ in pairs]),
            "versions": pairs[0][0].figure.said.get("versions", {}),
        }
        for name, pairs in found.items()
    ]


def run(comparison: Comparison, name: str, rows: int, home: Path) -> Run:
    """One side, once, against an API of its own. Raises RuntimeError where not every row was sent, each once."""
    home.mkdir(parents=True)
    listed = rows if comparison.is_export else 0
    with serving(comparison.latency_s, listed) as url:
        environment = {"PATH": os.defpath, "COVAL_API_KEY": "key-of-a-benchmark"}
        environment |= dict.fromkeys(["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "TMPDIR"], str(home))
        figure = measure(_command(comparison, name, rows, home, url), environment)
        with urllib.request.urlopen(f"{url}/stats") as answer:  # noqa: S310  # our own
            told = json.load(answer)
    if not comparison.is_export and told["posts"] != rows:
        raise RuntimeError(f"{name}: {told['posts']} requests for {rows} rows")
    return Run(figure, told["posts"], told["median_s"])


def _command(comparison: Comparison, name: str, rows: int, home: Path, url: str) -> Sequence[str]:
    python, concurrency = sys.executable, str(comparison.concurrency)
    if comparison.is_export:
        file = home / "cases.jsonl"
        where = ["--out", str(file), "--base-url", f"{url}/v1", "--contract", "2025-10"]
        return [python, "-I", "-m", "etl", "export", "test-cases", *where, "--json"]
    if name == OURS:
        file = home / "cases.csv"
        with file.open("w", newline="", encoding="utf-8") as text:
            csv.writer(text).writerows([COLUMNS, *cases(rows, 0.0)])
        how = ["--concurrency", concurrency, "--contract", "2025-10", "--settle", "1", "--yes", "--json"]
        where = ["--base-url", f"{url}/v1", "--report", str(home / "report")]
        return [python, "-I", "-m", "etl", "import", str(file), "--resource", "test-cases", *where, *how]
    file = home / "bodies.jsonl"
    with file.open("w", encoding="utf-8") as text:
        for values in cases(rows, 0.0):
            body: dict[str, object] = dict(zip(COLUMNS, values, strict=True))
            text.write(json.dumps(body | {"expected_behaviors": [body["expected_behaviors"]]}) + "\n")
    words = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from benchmarks.senders import main; main(*sys.argv[1:])"
    return [python, "-I", "-c", words, name, str(file), url, concurrency]


@contextmanager
def serving(latency_s: float, listed: int) -> Iterator[str]:
    """An API of its own; gives its address."""
    command = [sys.executable, "-m", "benchmarks.answering", str(latency_s), str(listed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: S603  # our own
        assert process.stdout is not None  # noqa: S101  # asked for
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def _rate(pair: tuple[Run, Run], rows: int) -> float:
    """Rows a second, of those beyond the few."""
    return (rows - FEW_ROWS) / max(pair[0].figure.wall_s - pair[1].figure.wall_s, 1e-3)


def _cpu_us(pair: tuple[Run, Run], rows: int) -> float:
    return (pair[0].figure.cpu_s - pair[1].figure.cpu_s) / (rows - FEW_ROWS) * 1e6


def _limit(comparison: Comparison, run: Run) -> float:
    """The most rows a second that so many connections allow, by the API's own time for each (Little's law)."""
    rows = PAGE_ROWS if comparison.is_export else 1
    return comparison.concurrency * rows / max(run.served_s, 1e-6)


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least, most."""
    return {"median": round(median(values), 3), "least": round(min(values), 3), "most": round(max(values), 3)}


def table(kind: str, lines: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    comparison = COMPARISONS[kind]
    heads = ("side", "rows", "rows/s (least–most)", "× bare (least–most)", "× limit", "CPU µs/row", "start-up s", "MB")
    found = [
        f"\n### {kind}: beside {comparison.bare}, target ≥ {comparison.target} ×\n",
        f"| {' | '.join(heads)} |",
        f"| --- {'| ---: ' * (len(heads) - 1)}|",
    ]
    for line in lines:
        rate, ratio = line["rows_per_s"], line["times_bare"]
        found.append(
            f"| {line['side']} | {line['rows']:,} "
            f"| {rate['median']:,.0f} ({rate['least']:,.0f}–{rate['most']:,.0f}) "
            f"| {ratio['median']:.2f} ({ratio['least']:.2f}–{ratio['most']:.2f}) "
            f"| {line['times_limit']['median']:.2f} | {line['cpu_us_a_row']['median']:.0f} "
            f"| {line['start_up_s']['median']:.2f} | {line['peak_mb']['median']:.0f} |"
        )
    versions = {name: number for line in lines for name, number in line["versions"].items()}
    return "\n".join([*found, "\n" + ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))])


if __name__ == "__main__":
    main()

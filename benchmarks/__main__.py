# ruff: noqa: T201, RUF001  # the table is printed, with signs for times and to
"""Run the comparisons: `python -m benchmarks [csv] [jsonl] [xlsx] [--rows N] [--rounds N] [--json FILE]`.

It must never import what is measured: it starts every side as a process of its own (see `measuring`).

All sides of a comparison take turns, `--rounds` times. Slow ones get a part of the rows. Each also reads a file of a
few rows, which is its start-up; rates are those of the rows alone. Shown are medians, and the least and the most.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.inputs import WRITERS
from benchmarks.measuring import Figure, measure

OURS = "coval-etl validate"
FEW_ROWS = 20
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sides that read one kind of file, each with the part of the rows that it is given; `bare` is compared with."""

    kind: str
    rows: int
    bare: str
    target: float
    """At most so many times the processor time of the bare side, by the row."""
    sides: dict[str, float]


COMPARISONS = {
    "csv": Comparison(
        "csv",
        1_000_000,
        "polars scan",
        2.5,
        {
            "polars scan": 1,
            OURS: 1,
            "dataframely": 1,
            "pandera": 1,
            "pydantic per row": 0.2,
            "frictionless": 0.05,
            "csvclean": 0.1,
        },
    ),
    "jsonl": Comparison(
        "jsonl",
        500_000,
        "from_json",
        3,
        {"from_json": 1, OURS: 1, "polars scan": 1, "json": 1, "pydantic per row": 0.2},
    ),
    "xlsx": Comparison("xlsx", 100_000, "calamine", 2.5, {"calamine": 1, OURS: 1, "openpyxl": 0.2, "pandas": 0.2}),
}


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ours beside peers, taking turns.")
    parser.add_argument("kinds", nargs="*", choices=[[], *COMPARISONS], default=[])
    parser.add_argument("--rows", type=int, help="instead of those of each comparison")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bad", type=float, default=0.01, help="share of bad rows (default: 0.01)")
    parser.add_argument("--json", type=Path, help="where all figures go")
    asked = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="coval-etl-benchmarks-") as folder:
        for kind in asked.kinds or COMPARISONS:
            figures = run(COMPARISONS[kind], Path(folder), asked.rows, asked.rounds, asked.bad)
            results[kind] = summary(COMPARISONS[kind], figures)
            print(table(COMPARISONS[kind], results[kind]), flush=True)
    if asked.json:
        about = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpus": os.cpu_count(),
            "machine": os.uname()[4],
        }
        asked.json.write_text(json.dumps(about | {"comparisons": results}, indent=1) + "\n")


Figures = dict[str, list[tuple[Figure, Figure]]]
"""Of each side, of each round: the file, and a file of a few rows."""


def run(comparison: Comparison, folder: Path, rows: int | None, rounds: int, bad: float) -> Figures:
    """All sides, taking turns; who is first changes from round to round."""
    counts = {name: int((rows or comparison.rows) * part) for name, part in comparison.sides.items()}
    files = {}
    for count in {FEW_ROWS, *counts.values()}:
        files[count] = folder / f"{count}.{comparison.kind}"
        _apart(WRITERS[comparison.kind].__name__, files[count], count, bad)
    home = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "PATH": os.defpath}
    figures: Figures = defaultdict(list)
    names = list(counts)
    for number in range(rounds + 1):  # the first one warms the disk, and does not count
        for name in names[number % len(names) :] + names[: number % len(names)]:
            pair = [measure(_command(name, files[count]), home, (0, 1)) for count in (counts[name], FEW_ROWS)]
            if number:
                figures[name].append((pair[0], pair[1]))
        print(f"{comparison.kind}: round {number} of {rounds}", file=sys.stderr, flush=True)
    for path in files.values():
        path.unlink()
    return figures


def _apart(writer: str, path: Path, rows: int, bad: float) -> None:
    """Write a file in a process of its own: what it needs must not be in ours."""
    words = (
        f"from benchmarks.inputs import {writer} as write, Path; write(Path({str(path)!r}), {rows}, {bad}); print(1)"
    )
    measure([sys.executable, "-c", words], dict(os.environ) | {"PYTHONPATH": str(ROOT)})


def _command(name: str, file: Path) -> list[str]:
    if name == OURS:
        return [sys.executable, "-I", "-m", "etl", "validate", str(file), "--resource", "test-cases", "--json"]
    words = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from benchmarks.sides import main; main(*sys.argv[1:])"
    return [sys.executable, "-I", "-c", words, name, str(file)]


def summary(comparison: Comparison, figures: Figures) -> list[dict[str, Any]]:
    """What is shown of each side, and all that was measured. Ratios are taken round by round."""
    lines = []
    for name, pairs in figures.items():
        said = pairs[0][0].said
        if name == OURS:
            said = {"rows": said["rows"]["read"], "bad": said["rows"]["rejected"], "versions": {}}
        share = comparison.sides[name] / comparison.sides[comparison.bare]
        net = [_net(pair) / share for pair in pairs]
        bare = [_net(pair) for pair in figures[comparison.bare]]
        lines.append(
            {
                "side": name,
                "rows": said["rows"],
                "bad": said["bad"],
                "wall_s": _spread([pair[0].wall_s for pair in pairs]),
                "cpu_s": _spread([pair[0].cpu_s for pair in pairs]),
                "start_up_cpu_s": _spread([pair[1].cpu_s for pair in pairs]),
                "rows_per_cpu_s": _spread([said["rows"] / _net(pair) for pair in pairs]),
                "times_bare": _spread([one / other for one, other in zip(net, bare, strict=True)]),
                "times_bare_whole_process": _spread(
                    [
                        one[0].cpu_s / share / other[0].cpu_s
                        for one, other in zip(pairs, figures[comparison.bare], strict=True)
                    ]
                ),
                "peak_mb": _spread([pair[0].peak_mb for pair in pairs]),
                "versions": said["versions"],
            }
        )
    return lines


def _net(pair: tuple[Figure, Figure]) -> float:
    """Processor time of the rows alone."""
    return max(pair[0].cpu_s - pair[1].cpu_s, 1e-3)


def _spread(values: list[float]) -> dict[str, float]:
    """Median, least, most."""
    return {"median": round(median(values), 3), "least": round(min(values), 3), "most": round(max(values), 3)}


def table(comparison: Comparison, lines: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    heads = ("side", "rows", "bad", "CPU s (least–most)", "start-up s", "rows per CPU s")
    ratios = ("× bare, rows alone (least–most)", "× bare, whole process", "wall s", "peak MB")
    found = [
        f"\n### {comparison.kind}: beside {comparison.bare}, target ≤ {comparison.target} ×\n",
        f"| {' | '.join(heads + ratios)} |",
        f"| --- {'| ---: ' * (len(heads + ratios) - 1)}|",
    ]
    for line in lines:
        cpu, ratio = line["cpu_s"], line["times_bare"]
        found.append(
            f"| {line['side']} | {line['rows']:,} | {'' if line['bad'] is None else format(line['bad'], ',')} "
            f"| {cpu['median']:.2f} ({cpu['least']:.2f}–{cpu['most']:.2f}) | {line['start_up_cpu_s']['median']:.2f} "
            f"| {line['rows_per_cpu_s']['median']:,.0f} "
            f"| {ratio['median']:.2f} ({ratio['least']:.2f}–{ratio['most']:.2f}) "
            f"| {line['times_bare_whole_process']['median']:.2f} | {line['wall_s']['median']:.2f} "
            f"| {line['peak_mb']['median']:.0f} |"
        )
    versions = {name: number for line in lines for name, number in line["versions"].items()}
    return "\n".join([*found, "\n" + ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))])


if __name__ == "__main__":
    main()

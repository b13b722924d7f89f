"""`python -m tests.fuzz`: hunt for files that no reader ends well with; what is found is kept in .fuzz/."""

import argparse
import json
import secrets
import sys
import tempfile
from pathlib import Path

from tests.fuzz.hunt import Tally, Worker, hunt, keep, make_smaller
from tests.fuzz.seeds import SUFFIXES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[*SUFFIXES, []], help="which to fuzz (all)")
    parser.add_argument("--seconds", type=float, default=600, help="for each kind (600)")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="to do the same again")
    parser.add_argument("--refusals", action="store_true", help="show the commonest refusals too")
    parser.add_argument("--again", type=Path, metavar="FILE", help="read a file that was kept once more")
    told = parser.parse_args()
    if told.again:
        return read_again(told.again)
    tallies = []
    for kind in told.kinds or SUFFIXES:
        tally = hunt(kind, told.seed, told.seconds)
        tallies.append(tally)
        show(tally, refusals=told.refusals)
    return 1 if any(tally.findings for tally in tallies) else 0


def show(tally: Tally, *, refusals: bool) -> None:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in tally.outcomes.most_common())
    print(
        f"{tally.kind:8} seed {tally.seed}: {tally.cases:,} files ({counts}), "
        f"slowest {tally.slowest_seconds:.1f} s, at most {tally.peak_mb} MB",
        flush=True,
    )
    if refusals:
        for sentence, count in tally.refusals.most_common(60):
            print(f"    {count:5} {sentence}")
    for finding in tally.findings:
        path = keep(make_smaller(finding))
        print(f"  {path}  {finding.options}\n    {finding.why.strip()[-1500:]}\n", flush=True)


def read_again(path: Path) -> int:
    note = path.with_name(f"{path.name}.txt")
    options = json.loads(note.read_text().splitlines()[0]) if note.exists() else {}
    with tempfile.TemporaryDirectory(prefix="coval-etl-fuzz-") as name, Worker(Path(name)) as worker:
        verdict = worker.read(path.resolve(), options)
    print(verdict.get("wrong") or verdict)
    return 1 if "wrong" in verdict else 0


if __name__ == "__main__":
    sys.exit(main())

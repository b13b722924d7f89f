"""`python -m tests.simulation`: run many simulated jobs, or one of them again, and say what came of them.

It must never pass over a job that went wrong: then it ends with 1.
"""

import argparse
import sys
import time
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.job import Job
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.stateful import Game
from tests.simulation.tally import Tally, run_in_parts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100_000, help="how many jobs (100000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (0)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--settle", type=float, help="wait so long, whatever this API needs: what then goes wrong?")
    parser.add_argument("--stormy", type=float, help="so large a share of all requests goes wrong")
    parser.add_argument("--games", type=int, default=0, help="play so many games of 50 moves as well (0)")
    parser.add_argument("--again", type=int, metavar="SEED", help="run one job and show its history")
    told = parser.parse_args()
    if told.again is not None:
        return show(draw_plan(told.again, settle_s=told.settle, stormy=told.stormy))
    draw = partial(draw_plan, settle_s=told.settle, stormy=told.stormy)
    until_s = time.monotonic() + told.seconds
    tally, named = Tally(), set[int]()
    for tally in run_in_parts(range(told.first, told.first + told.seeds), draw):
        print(f"\r{tally.jobs:,} jobs, {len(tally.failing)} failing", end="", file=sys.stderr, flush=True)
        for seed in tally.failing.keys() - named:  # at once: whoever stops it knows what was found
            print(f"\nseed {seed}: {tally.failing[seed][0][:300]}", file=sys.stderr, flush=True)
        named |= tally.failing.keys()
        if time.monotonic() > until_s:
            break
    print(file=sys.stderr)
    print("\n".join(tally.table()), flush=True)
    if told.games:
        play(told.games)
    return 1 if tally.failing else 0


def play(games: int) -> None:
    """Games by chance; raises what is wrong with the shortest one that fails."""
    rules = settings(
        max_examples=games,
        stateful_step_count=50,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Game, settings=rules)
    print(f"{games:>12,} games of 50 moves: nothing lost, nothing doubled")


def show(plan: Plan) -> int:
    """One job, with everything that the server saw."""
    record = Job(plan).run()
    print(plan.resource.name, plan.contract, f"settle {plan.settle_s} s, {plan.concurrency} at once")
    print(plan.weather)
    for life in plan.lives:
        print(life)
    for row, body in enumerate(plan.bodies, start=1):
        print(f"row {row}: {body} -> {record.told.get(row)}")
    for one in record.server.attempts:
        item = one.item and (one.item.id, round(one.item.committed_s, 2), round(one.item.visible_s, 2))
        row = len(one.text) - len(one.text.rstrip())
        print(f"{one.handed_s:10.2f} {one.process} row {row or '?'} {one.fault} {one.status} {item}")
    wrong = record.judge().wrong
    print("\n".join([*record.stops, *wrong]) or "nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

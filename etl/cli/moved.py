"""What a person reads of a migration: the plan, what stays behind, and whether both sides are equal.

It must never decide anything.
"""

import json
from typing import Any

from etl.auditing import Difference, counts_of
from etl.cli.options import Output
from etl.cli.saying import visible, write_out
from etl.cli.screen import Screen
from etl.migrating import Left, Moved, Plan
from etl.resources import MOVED_NAMES


def say_plan(plan: Plan, ends: tuple[str, str], screen: Screen) -> None:
    """What is about to be done. `ends`: from where, to where."""
    screen.say(f"From {ends[0]} to {ends[1]}:")
    for name in MOVED_NAMES:
        if name in plan.new or name in plan.there:
            known = f", {plan.there[name]:,} moved before" if name in plan.there else ""
            count, words = plan.new.get(name, 0), name.replace("-", " ")
            screen.say(f"{count:>9,} new {words.removesuffix('s') if count == 1 else words}{known}")
    for line in plan.changes.splitlines():
        screen.say(f"          {line}")
    _say_left(plan, screen)


def _say_left(plan: Plan, screen: Screen) -> None:
    if plan.left:
        screen.say(f"{plan.left:>9,} cannot move:")
    for one in plan.first_left:
        screen.say(f"          {_left_line(one)}")
    if plan.left > len(plan.first_left):
        screen.say(f"          … and {plan.left - len(plan.first_left):,} more")


def _left_line(one: Left) -> str:
    what = f"{one.resource} {one.id} ({visible(one.label)})"
    return f"{what}: {f'{one.field}: ' if one.field else ''}{one.reason}"


def say_moved(moved: Moved, ends: tuple[str, str], screen: Screen, output: Output, *, dry_run: bool) -> None:
    """What became of it: rows, what stays, whether both sides are equal, where it is all written."""
    if output.as_json:
        write_out(json.dumps(_as_json(moved, ends), ensure_ascii=False, indent=2) + "\n")
        return
    if dry_run:
        say_plan(moved.plan, ends, screen)
    elif not moved.shown:
        _say_left(moved.plan, screen)
    if moved.summary is None:
        screen.say("There is nothing to move.")
        _say_stays(moved, screen)
        return
    screen.show_outcome(moved.summary, moved.stopped)
    if not dry_run:
        _say_proof(moved, screen)
        if moved.id_map is not None:
            screen.say(f"New ids  {visible(str(moved.id_map))}")
        _say_stays(moved, screen)


def _say_stays(moved: Moved, screen: Screen) -> None:
    """Where it is written what cannot move."""
    if moved.plan.left and moved.left_behind is not None:
        screen.say(f"Stays    {visible(str(moved.left_behind))}: {moved.plan.left:,} things that cannot move")


def _say_proof(moved: Moved, screen: Screen) -> None:
    """Whether both sides are equal, as far as was to be moved."""
    if moved.tallies is None:
        screen.say("Not compared: the migration has not come to its end.")
        return
    for name, tally in moved.tallies.by_resource.items():
        wrong = [
            f"{count:,} {words}"
            for count, words in ((tally.changed, "differ"), (tally.removed, "are not there"))
            if count
        ]
        screen.say(f"Compared {name}: {', '.join([f'{tally.same:,} the same', *wrong])}")
    for one in moved.differences:
        screen.say(f"          {_difference_line(one)}")
    if moved.tallies.differ and moved.differing is not None:
        screen.say(f"          all of them: {visible(str(moved.differing))}")


def _difference_line(one: Difference) -> str:
    fields = ", ".join(change.field for change in one.fields)
    return f"{one.change:8} {one.resource} {one.key} {visible(one.label[:60])}{f': {fields}' if fields else ''}"


def _as_json(moved: Moved, ends: tuple[str, str]) -> dict[str, Any]:
    plan = moved.plan
    counts = counts_of(moved.tallies) if moved.tallies else None
    return {
        "from": ends[0],
        "to": ends[1],
        "new": dict(plan.new),
        "moved_before": dict(plan.there),
        "left_behind": plan.left,
        "left_behind_file": str(moved.left_behind) if moved.left_behind else None,
        **({"rows": {"read": 0}} if moved.summary is None else moved.summary.to_json()),
        "compared": counts,
        "id_map": str(moved.id_map) if moved.id_map else None,
        "carried_on": moved.carried_on,
        "exit_code": int(moved.exit_code),
    }

"""How far a job is: a live line where somebody watches, plain lines where a log is written. It must never decide."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from etl.cli.saying import visible
from etl.resources.runs import ENDED
from etl.settling import Progress

PLAIN_EVERY_S = 10.0
"""How often a line is written where there is no terminal."""
MEASURED_S = 10.0
"""The rate is that of so many seconds."""


@contextmanager
def live_bar(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A bar with rows, what became of them, rows a second, requests in flight, doubts, waits and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("[green]{task.fields[created]:,} created[/] [red]{task.fields[bad]:,} bad[/]"),
        TextColumn("[dim]{task.fields[pace]}[/]"),
        TimeRemainingColumn(),
        TextColumn("[yellow]{task.fields[waiting]}[/]"),
    )
    rate = _Rate()
    with Bar(*columns, console=console, transient=True, refresh_per_second=8) as bar:
        task = bar.add_task("Sending ", total=None, created=0, bad=0, pace="", waiting="")

        def show(progress: Progress) -> None:
            if progress.runs is not None:
                ended, all_runs = _ended(progress.runs)
                bar.update(task, description="Watching", total=all_runs, completed=ended, pace=_where(progress.runs))
                return
            bar.update(
                task,
                total=progress.rows,
                completed=progress.settled,
                created=progress.created,
                bad=progress.bad,
                pace=_pace(progress, rate.of(progress.settled)),
                waiting=_waiting(progress),
            )

        yield show


@contextmanager
def plain_lines(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A line now and then: for logs, and for jobs that run at night."""
    rate = _Rate()
    last_s = time.monotonic()
    watched: Mapping[str, int] = {}

    def show(progress: Progress) -> None:
        nonlocal last_s, watched
        now_s = time.monotonic()
        if progress.runs is not None:
            if progress.runs != watched:
                ended, all_runs = _ended(progress.runs)
                words = f"Watching  {ended:,} of {all_runs:,} runs have ended: {_where(progress.runs)}"
                console.print(words, highlight=False)
            watched = progress.runs
            return
        per_s = rate.of(progress.settled)
        if now_s - last_s < PLAIN_EVERY_S:
            return
        last_s = now_s
        rows = f"{progress.settled:,} of {progress.rows:,} rows" if progress.rows else f"{progress.settled:,} rows"
        parts = [rows, f"{progress.created:,} created", f"{progress.bad:,} bad", _pace(progress, per_s)]
        parts += [_left(progress, per_s), _waiting(progress)]
        console.print(f"Sending  {', '.join(part for part in parts if part)}", highlight=False)

    yield show


@dataclass(slots=True)
class _Rate:
    """Rows a second, of late."""

    seen: deque[tuple[float, int]] = field(default_factory=deque)

    def of(self, settled: int) -> float:
        now_s = time.monotonic()
        self.seen.append((now_s, settled))
        while self.seen[0][0] < now_s - MEASURED_S:
            self.seen.popleft()
        since_s, before = self.seen[0]
        return (settled - before) / (now_s - since_s) if now_s > since_s else 0.0


def _ended(runs: Mapping[str, int]) -> tuple[int, int]:
    """How many have ended, and how many there are."""
    return sum(count for status, count in runs.items() if status in ENDED), sum(runs.values())


def _where(runs: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {visible(status)}" for status, count in runs.items())


def _pace(progress: Progress, per_s: float) -> str:
    parts = [f"{per_s:,.0f}/s", f"{progress.in_flight} in flight"]
    if progress.retried:
        parts.append(f"{progress.retried:,} again")
    if progress.in_doubt:
        looks = "" if progress.looks_in_s is None else f", looked for in {progress.looks_in_s:.0f} s"
        parts.append(f"{progress.in_doubt:,} in doubt{looks}")
    return ", ".join(parts)


def _left(progress: Progress, per_s: float) -> str:
    if not progress.rows or per_s <= 0:
        return ""
    left_s = (progress.rows - progress.settled) / per_s
    return f"about {left_s / 60:.0f} min left" if left_s >= 90 else f"about {left_s:.0f} s left"


def _waiting(progress: Progress) -> str:
    if progress.waiting is None:
        return ""
    why, seconds = progress.waiting
    until = "" if seconds is None else f", {seconds:.0f} s left"
    return f"waiting: {visible(why)}{until}"

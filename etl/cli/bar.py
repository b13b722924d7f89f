"""How far a job is: a live line where somebody watches, plain lines where a log is written. It must never decide."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etl.cli.saying import visible
from etl.resources.runs import ENDED
from etl.settling import Progress

PLAIN_EVERY_S = 10.0
"""How often a line is written where there is no terminal."""
BESIDE = 70
"""Columns from which words stand beside a bar; a narrower terminal has the words alone."""
MEASURED_S = 10.0
"""The rate is that of so many seconds."""


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


@contextmanager
def live_bar(console: Console) -> "Iterator[LiveBar]":
    """A bar with rows, what became of them, rows a second, requests in flight, doubts, waits and the time left."""
    shown = LiveLines()
    with Live(console=console, get_renderable=lambda: shown, transient=True, refresh_per_second=8) as live:
        yield LiveBar(live, shown)


@dataclass(frozen=True, slots=True)
class LiveBar:
    """Called with how it stands."""

    _live: Live
    _lines: "LiveLines"

    def __call__(self, progress: Progress) -> None:
        self._lines.show(progress)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nothing is drawn, so that a question can be read and answered."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()


@dataclass(slots=True)
class LiveLines:
    """How it stands now, in as many lines as the terminal's width needs: nothing is cut off."""

    progress: Progress | None = None
    per_s: float = 0.0
    _rate: _Rate = field(default_factory=_Rate)

    def show(self, progress: Progress) -> None:
        """Take in how it stands."""
        self.progress, self.per_s = progress, self._rate.of(progress.settled)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.progress is not None:
            # Whatever else the console leaves to the terminal: here it must not, or the rest is cut off.
            wrapping = options.update(no_wrap=False, overflow="fold")
            yield from console.render(self._line(self.progress, options.max_width), wrapping)

    def _line(self, now: Progress, columns: int) -> RenderableType:
        done, total = now.settled, now.rows
        words, parts = "Sending", _facts(now, self.per_s)
        if now.runs is not None:
            (done, total), words = _ended(now.runs), "Watching"
            parts = [(f"{done:,} of {total:,} runs have ended", ""), (_where(now.runs), "dim")]
        line = Text()
        for part, style in parts:
            line.append(", " if line else "").append(part, style)
        if columns < BESIDE:
            return Text(f"{words}  ") + line
        table = Table.grid(padding=(0, 2))
        table.add_row(words, ProgressBar(total, done, width=24, pulse=total is None), line)
        return table


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
                console.print(Text(f"Watching  {ended:,} of {all_runs:,} runs have ended: {_where(progress.runs)}"))
            watched = progress.runs
            return
        per_s = rate.of(progress.settled)
        if now_s - last_s < PLAIN_EVERY_S:
            return
        last_s = now_s
        console.print(Text(f"Sending  {', '.join(part for part, _ in _facts(progress, per_s))}"))

    yield show


def _ended(runs: Mapping[str, int]) -> tuple[int, int]:
    """How many have ended, and how many there are."""
    return sum(count for status, count in runs.items() if status in ENDED), sum(runs.values())


def _where(runs: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {visible(status)}" for status, count in runs.items())


def _facts(progress: Progress, per_s: float) -> list[tuple[str, str]]:
    """What there is to say of a job that sends, each with its style."""
    rows = f"{progress.settled:,} of {progress.rows:,} rows" if progress.rows else f"{progress.settled:,} rows"
    parts = [
        (rows, ""),
        (f"{progress.created:,} created", "green"),
        (f"{progress.bad:,} bad", "red" * bool(progress.bad)),
    ]
    parts += [(f"{per_s:,.0f} rows/s", "dim"), (f"{progress.in_flight} in flight", "dim")]
    if progress.retried:
        parts.append((f"{progress.retried:,} sent again", "dim"))
    if progress.in_doubt:
        looks = "" if progress.looks_in_s is None else f" (looked for in {progress.looks_in_s:.0f} s)"
        parts.append((f"{progress.in_doubt:,} in doubt{looks}", "yellow"))
    parts += [(_left(progress, per_s), ""), (_waiting(progress), "yellow")]
    return [(part, style) for part, style in parts if part]


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

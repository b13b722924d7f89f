"""The live progress line. It must never be shown where nobody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from etl.importing import Progress


@contextmanager
def live_bar(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A bar with rows, created, bad, in flight, retried and the time left."""
    columns = (
        TextColumn("Sending "),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("[green]{task.fields[created]:,} created[/] [red]{task.fields[bad]:,} bad[/]"),
        TextColumn("[dim]{task.fields[in_flight]} in flight, {task.fields[retried]} again[/]"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True, refresh_per_second=8) as bar:
        task = bar.add_task("sending", total=None, created=0, bad=0, in_flight=0, retried=0)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.rows,
                completed=progress.settled,
                created=progress.created,
                bad=progress.bad,
                in_flight=progress.in_flight,
                retried=progress.retried,
            )

        yield show

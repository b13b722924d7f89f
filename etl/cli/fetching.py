"""Which test sets a fetch means, and a line that counts what came. It must never fetch a row itself."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from etl.api import Api
from etl.cli.options import Output
from etl.errors import UsageError
from etl.exporting import Progress
from etl.resources import TEST_SETS


async def ids_of_test_sets(api: Api, words: tuple[str, ...]) -> tuple[str, ...]:
    """Test sets by id or by name. Raises UsageError for one that is not there, or of which there are several."""
    if not words:
        return ()
    known = [item async for item in api.list(TEST_SETS)]
    found = []
    for word in words:
        matches = [one["id"] for one in known if word == one["id"]]
        matches = matches or [one["id"] for one in known if word == one.get("display_name")]
        if len(matches) != 1:
            many = f"{len(matches)} test sets are called" if matches else "There is no test set"
            raise UsageError(f"{many} {word!r}.", "Give its id." if matches else "")
        found.append(matches[0])
    return tuple(dict.fromkeys(found))


class Counting:
    """A line on a terminal that counts what is fetched, drawn from the first item to `pause`; nothing elsewhere."""

    def __init__(self, output: Output) -> None:
        console = Console(file=sys.stderr, no_color=output.plain, highlight=False)
        shown = console.is_terminal and not (output.quiet or output.as_json)
        self._status = console.status("Fetching") if shown else None

    def show(self, progress: Progress) -> None:
        """Draw how far it is."""
        if self._status is not None:
            self._status.update(f"Fetching  {progress.count:,} items")
            self._status.start()

    def pause(self) -> None:
        """Take the line away, so that a question or a bar can stand there."""
        if self._status is not None:
            self._status.stop()


@contextmanager
def counting(output: Output) -> Iterator[Counting]:
    """A line that is gone at the end."""
    line = Counting(output)
    try:
        yield line
    finally:
        line.pause()

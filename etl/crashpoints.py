"""Named moments of a job at which a test has the process killed or stopped: what happens next must still be right.

Nothing happens unless a test arms one. This file must never do anything but die, or stop.
"""

import os
import signal
from collections import Counter
from typing import Final

POINTS: Final = (
    "ledger-created",
    "schema-migrating",
    "job-opened",
    "tables-held",
    "baseline-page",
    "baseline-kept",
    "before-intent",
    "intent-recorded",
    "handed-over",
    "answered",
    "before-outcome",
    "outcome-recorded",
    "waiting-for-the-gate",
    "before-listing",
    "listing-page",
    "listed",
    "adopting",
    "absent-once",
    "proved-absent",
    "test-set-created",
    "resource-done",
    "rows-done",
    "report-written",
    "job-closed",
    "before-delete",
    "deleted",
    "deletion-recorded",
)
"""Every point, in the order in which a job passes them."""
POINTS_OF_EXPORTS: Final = ("export-page", "export-listed", "export-gathered", "export-written", "export-appeared")
"""The same for an export."""
POINTS_OF_MIGRATIONS: Final = (
    "migrate-fetched",
    "migrate-spooled",
    "migrate-begun",
    "migrate-sent",
    "migrate-ids-kept",
)
"""The same for a migration, around the job that it is."""

_armed: tuple[str, int, signal.Signals] | None = None
_passed: Counter[str] = Counter()


def arm(point: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Die at a point, or stop there (SIGSTOP): `NAME`, or `NAME:N` for its Nth pass. Raises ValueError for an unknown
    one."""
    global _armed  # noqa: PLW0603  (one process dies once)
    name, _, times = point.partition(":")
    if name not in POINTS + POINTS_OF_EXPORTS + POINTS_OF_MIGRATIONS:
        raise ValueError(f"there is no crash point {name!r}")
    _armed = (name, int(times or 1), number)


def reach(point: str) -> None:
    """The job has come to a point."""
    if _armed is None or _armed[0] != point:
        return
    _passed[point] += 1
    if _passed[point] == _armed[1]:
        os.kill(os.getpid(), _armed[2])

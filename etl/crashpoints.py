"""Named moments of a job at which a test has the process killed: what happens next must still be right.

Nothing happens unless a test arms one. This file must never do anything but die.
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
)
"""Every point, in the order in which a job passes them."""

_armed: tuple[str, int] | None = None
_passed: Counter[str] = Counter()


def arm(point: str) -> None:
    """Die with SIGKILL at a point: `NAME`, or `NAME:N` for its Nth pass. Raises ValueError for an unknown one."""
    global _armed  # noqa: PLW0603  (one process dies once)
    name, _, times = point.partition(":")
    if name not in POINTS:
        raise ValueError(f"there is no crash point {name!r}")
    _armed = (name, int(times or 1))


def reach(point: str) -> None:
    """The job has come to a point."""
    if _armed is None or _armed[0] != point:
        return
    _passed[point] += 1
    if _passed[point] == _armed[1]:
        os.kill(os.getpid(), signal.SIGKILL)

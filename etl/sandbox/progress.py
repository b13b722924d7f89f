"""How runs of the sandbox go on, and how many simulations its queue takes.

It must never know sockets. Time is a clock that a test may push on; runs change when somebody asks, not by timers.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from etl.resources import RUNS, TEST_CASES
from etl.resources.runs import Status
from etl.resources.simulations import simulations_of
from etl.sandbox.replies import RefusedError
from etl.sandbox.store import Room, Search, Store, Stored

QUEUE_SHARE = 1 / 3
"""A run waits for a third of its time, and is in progress for the rest."""
RETRY_AFTER_S = 1

_OPEN = Search(
    "json_extract(fields, '$.status') IN (?, ?)",
    (Status.QUEUED, Status.GOING),
    "created_us",
    descending=False,
    after=None,
    limit=-1,
)


class Progress:
    """Runs over time."""

    def __init__(
        self,
        store: Store,
        run_seconds: float | None = None,
        queue_limit: int | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`run_seconds`: so long a run takes (None: it stays in the queue). `queue_limit`: so many simulations may be
        queued or in progress; a launch that would exceed it is answered 429.
        """
        self._store = store
        self._run_seconds = run_seconds
        self._queue_limit = queue_limit
        self._now_s = now_s
        self._ahead_s = 0.0

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._ahead_s += seconds

    def go_on(self, workspace: str) -> None:
        """Bring every run to where it is by now."""
        if self._run_seconds is None:
            return
        for run in self.open_runs(workspace):
            status = self._status_of(run)
            if status != run.fields["status"]:
                self._store.replace(run, {**run.fields, "status": status}, None)

    def admit(self, workspace: str, body: Mapping[str, Any]) -> None:
        """Raises RefusedError (429) where a launch would overfill the queue."""
        if self._queue_limit is None:
            return
        queued = sum(self._simulations(workspace, run.fields) for run in self.open_runs(workspace))
        if queued + self._simulations(workspace, body) > self._queue_limit:
            words = f"the organisation's queue holds {queued} simulations; its limit is {self._queue_limit}"
            refused = RefusedError(429, words)
            refused.headers["Retry-After"] = str(RETRY_AFTER_S)
            raise refused

    def open_runs(self, workspace: str) -> list[Stored]:
        """The runs that were in the queue or in progress when somebody asked last."""
        return [run for _, run in self._store.page(Room(workspace, RUNS.name), _OPEN)]

    def _simulations(self, workspace: str, fields: Mapping[str, Any]) -> int:
        cases = self._store.count_of_test_set(Room(workspace, TEST_CASES.name), str(fields.get("test_set_id")))
        return simulations_of(fields).of(cases)

    def _status_of(self, run: Stored) -> Status:
        run_seconds = self._run_seconds or 0.0
        age_s = self._now_s() + self._ahead_s - run.created_us / 1e6
        if age_s < run_seconds * QUEUE_SHARE:
            return Status.QUEUED
        return Status.GOING if age_s < run_seconds else Status.COMPLETED

"""No connection can be made: one probe at a time, ever more rarely, until one comes through or patience ends.

It must never know who waits, or what is sent.
"""

from etl.api.clock import BACKOFF_CAP_S, Clock

PROBE_BASE_S = 0.5
FIRST_PROBES = 6
FIRST_PATIENCE_S = 30.0
"""Patience with an address that never answered in this job: six tries in 9 to 15 s; fewer where each takes long."""
PATIENCE_S = 300.0
"""Patience with an API that did answer in this job, from the first connection that failed."""


class Outage:
    """Up until a connection fails, down until something is answered. Times are the clock's monotonic seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_s: float | None = None
        self._ever_up = False
        self._failures = 0
        self._probe_at_s = 0.0
        self.explanation = ""
        """Why the last connection failed."""

    @property
    def down(self) -> bool:
        """Whether the last connection failed, and nothing was answered since."""
        return self._since_s is not None

    def wait_s(self) -> float:
        """Seconds until the next probe may go; 0 while up."""
        return 0.0 if self._since_s is None else max(0.0, self._probe_at_s - self._clock.monotonic_s())

    def failed(self, started_s: float, explanation: str) -> None:
        """A connection that was asked for at `started_s` could not be made.

        Those that were asked for together fail together: they count as one.
        """
        self.explanation = explanation
        now_s = self._clock.monotonic_s()
        if self._since_s is None:
            self._since_s = now_s
        elif started_s < self._probe_at_s:
            return
        self._failures += 1
        wait_s = min(BACKOFF_CAP_S, PROBE_BASE_S * float(2 ** min(self._failures - 1, 16)))
        self._probe_at_s = now_s + wait_s * (0.6 + 0.4 * self._clock.random())

    def answered(self) -> None:
        """The server has been reached."""
        self._ever_up = True
        self._since_s = None
        self._failures = 0
        self._probe_at_s = 0.0

    def hopeless(self) -> bool:
        """Whether patience has ended."""
        if self._since_s is None:
            return False
        down_s = self._clock.monotonic_s() - self._since_s
        if self._ever_up:
            return down_s >= PATIENCE_S
        return self._failures >= FIRST_PROBES or down_s >= FIRST_PATIENCE_S

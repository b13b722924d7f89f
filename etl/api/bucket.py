"""A rate, held by tokens: each request takes one, and they come back one after the other.

It must never know which rate is right, nor who sends.
"""

import math
from collections import deque

BURST_S = 0.05
LEAST_BURST = 1.25
"""How many requests a rate lets through at once after a pause: 50 ms of it, or one and a quarter."""
WHOLE = 1 - 1e-6
"""Time comes in fractions that do not add up to a whole token."""
MEASURED_S = 1.0


class Bucket:
    """One at first. Times are monotonic seconds, rates are requests per second."""

    def __init__(self, now_s: float) -> None:
        self._left = 1.0
        self._filled_s = now_s
        self._taken_s: deque[float] = deque()

    def wait_s(self, now_s: float, rate: float, count: int = 1) -> float:
        """Seconds until so many may be taken."""
        if rate == math.inf:
            self._left = 1.0
        else:
            most = max(LEAST_BURST, rate * BURST_S)
            self._left = min(most, self._left + max(0.0, now_s - self._filled_s) * rate)
        self._filled_s = max(now_s, self._filled_s)
        return 0.0 if rate == math.inf or self._left >= count * WHOLE else (count - self._left) / rate

    def take(self, now_s: float) -> None:
        """One request goes."""
        self._left -= 1
        self._taken_s.append(now_s)
        while self._taken_s[0] < now_s - MEASURED_S:
            self._taken_s.popleft()

    def begin_anew(self, at_s: float) -> None:
        """Nothing goes before then, and then one."""
        self._filled_s, self._left = at_s, 1.0

    def taken_per_s(self, now_s: float) -> float:
        """Requests a second of late, one at least."""
        return max(1, len([one for one in self._taken_s if one > now_s - MEASURED_S])) / MEASURED_S

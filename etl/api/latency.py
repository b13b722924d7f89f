"""Whether answers take so much longer than before that more in flight only means more in a queue.

It must never know what was asked.
"""

import statistics
from collections import deque

SAMPLES = 10
MEDIANS = 200
"""How many medians are remembered: the best of them is what the API can do; an API that became slow is forgiven."""
GOOD = 1.5
FACTOR = 3.0
SLACK_S = 0.2
"""Three times as long, and longer by a fifth of a second: below that it is noise."""


class Latency:
    """Medians of answers that took their time in the same window."""

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._medians: deque[tuple[float, float]] = deque(maxlen=MEDIANS)

    def collapsed(self, elapsed_s: float, window: float) -> bool:
        """Take one answer's time, seen with so many in flight at most. True where the window has grown too large.

        Only growth can be too much: a slow API at the window that it was fast with is slow for its own reasons.
        """
        self._samples.append(elapsed_s)
        if len(self._samples) < max(SAMPLES, int(window)):
            return False
        median_s = statistics.median(self._samples)
        self._samples.clear()
        self._medians.append((median_s, window))
        best_s, _ = min(self._medians)
        good_window = max(one for when_s, one in self._medians if when_s <= GOOD * best_s)
        return window > good_window and median_s > max(FACTOR * best_s, best_s + SLACK_S)

    def forget(self) -> None:
        """Begin a new median: the window has changed at once."""
        self._samples.clear()

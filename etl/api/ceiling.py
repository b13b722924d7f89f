"""The rate that an API allows, learned from its refusals. It must never know who sends, or how many are in flight.

A window alone cannot hold a rate: two requests in flight are 4 a second with one API and 400 with another. After a
refusal the truth lies between what was accepted on average and what was sent last, and the rate comes back to the
latter along a cubic (as TCP's CUBIC does): soon near it, long at it, then beyond it, slowly at first.
"""

import math

SEARCH_DOUBLING_S = 2.0
"""After the first refusal nothing is known but that a burst was too much: the rate doubles until the second one."""
LEAST_CUT = 0.9
DEEP_CUT = 0.6
DEEPEST_CUT = 0.1
SHORTEST_MEASURE_S = 1.0
LONG_MEASURE_S = 10.0
"""What was accepted in less than a second says nothing about a rate, and what was accepted in ten says most."""
SHORTEST_RETURN_S = 30.0
LONGEST_RETURN_S = 120.0
RETURN_REQUESTS = 300
RETURN_WAITS = 30
"""The rate is back where it was refused after 30 s, or 300 requests, or 30 times the wait that the refusal cost."""
MOST_CERTAIN = 8
NEWS = 1.2
"""What is refused again is asked for half as often, until a fifth more was let through: then the limit was lifted."""
LIFTED_DOUBLING_S = 10.0


class Ceiling:
    """None at first. Times are monotonic seconds, rates are requests per second."""

    def __init__(self) -> None:
        self._bottom = math.inf
        self._top = math.inf
        self._from_s = 0.0
        self._return_s = SHORTEST_RETURN_S
        self._certainty = 1
        self._searching = False
        self._refused_at_s: float | None = None
        self._accepted = 0

    def rate_at(self, now_s: float) -> float:
        """What may be sent now; infinite until something was refused."""
        if self._bottom == math.inf:
            return math.inf
        running_s = max(0.0, now_s - self._from_s)
        if self._searching:
            return self._bottom * math.exp2(min(running_s / SEARCH_DOUBLING_S, 64.0))
        rate = self._top + (self._top - self._bottom) * (running_s / self._return_s - 1) ** 3
        if rate <= NEWS * self._top:
            return rate
        lifted_s = self._return_s * (1 + ((NEWS - 1) * self._top / (self._top - self._bottom)) ** (1 / 3))
        return NEWS * self._top * math.exp2(min((running_s - lifted_s) / LIFTED_DOUBLING_S, 64.0))

    def accepted(self) -> None:
        """A request was not refused."""
        self._accepted += 1

    def refused(self, now_s: float, sent_per_s: float) -> None:
        """A refusal after something was accepted: the first one of those that were in flight together."""
        top = min(self.rate_at(now_s), sent_per_s)
        self._certainty = min(MOST_CERTAIN, 2 * self._certainty) if top < NEWS * self._top < math.inf else 1
        since_s = now_s - self._refused_at_s if self._refused_at_s is not None else 0.0
        accepted_per_s = self._accepted / since_s if since_s >= SHORTEST_MEASURE_S else 0.0
        self._searching = self._refused_at_s is None
        self._top = top
        deepest = DEEPEST_CUT if since_s >= LONG_MEASURE_S else DEEP_CUT
        self._bottom = min(max(accepted_per_s, deepest * top), LEAST_CUT * top)
        self._refused_at_s = now_s
        self._accepted = 0

    def reopened(self, at_s: float) -> None:
        """What was refused may be sent again from then on: the rate comes back from there."""
        wait_s = at_s - (self._refused_at_s or at_s)
        self._from_s = at_s
        slowest_s = max(SHORTEST_RETURN_S, RETURN_REQUESTS / self._top, RETURN_WAITS * wait_s)
        self._return_s = min(LONGEST_RETURN_S, self._certainty * slowest_s)

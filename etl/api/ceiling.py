"""The rate that an API allows, learned from its refusals. It must never know who sends, or how many are in flight.

A window alone cannot hold a rate: two requests in flight are 4 a second with one API and 400 with another. After a
refusal the truth lies between what was accepted on average and what was sent last, and the rate comes back to the
latter along a cubic (as TCP's CUBIC does): soon near it, long at it, then beyond it, slowly at first.
"""

import math
from collections import deque
from statistics import median

SEARCH_DOUBLING_S = 2.0
"""After the first refusal nothing is known but that a burst was too much: the rate doubles until the second one."""
LEAST_CUT = 0.9
DEEP_CUT = 0.75
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
LOOKED_AT = 8
TRIAL_AFTER = 8
AGAIN_AFTER = 2
NO_SIGN = 8.0
"""Some APIs, and what stands before them, refuse one request in fifty whatever the pace; going slower gains nothing.
That shows only where it is tried: after eight refusals, when as many rows went through between two of them as always,
at a much higher rate. Were an eighth as many let through, the rate was what they were refused for, and the next trial
waits twice as long."""


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
        self._gaps: deque[int] = deque(maxlen=LOOKED_AT)
        self._waits_s: deque[float] = deque(maxlen=LOOKED_AT)
        self._before: tuple[float, float] | None = None
        self._trial_after = TRIAL_AFTER
        self._trial_in = TRIAL_AFTER
        self._surprises = 0

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
        gap = self._accepted
        if self._before is not None and self._is_noise(gap):
            self._hold(self._worthwhile_per_s())
        else:
            self._learn(min(self.rate_at(now_s), sent_per_s), now_s)
            self._begin_trial()
        self._gaps.append(gap)
        self._refused_at_s = now_s
        self._accepted = 0

    def _learn(self, top: float, now_s: float) -> None:
        """The truth lies between what was accepted and what was refused."""
        if self._before is not None:
            top, self._before = min(top, self._before[0]), None
        self._certainty = min(MOST_CERTAIN, 2 * self._certainty) if top < NEWS * self._top < math.inf else 1
        since_s = now_s - self._refused_at_s if self._refused_at_s is not None else 0.0
        accepted_per_s = self._accepted / since_s if since_s >= SHORTEST_MEASURE_S else 0.0
        self._searching = self._refused_at_s is None
        self._top = top
        deepest = DEEPEST_CUT if since_s >= LONG_MEASURE_S else DEEP_CUT
        self._bottom = min(max(accepted_per_s, deepest * top), LEAST_CUT * top)

    def _begin_trial(self) -> None:
        """Try whether it is the rate at all that is refused, now and then."""
        self._trial_in -= 1
        if self._trial_in > 0 or len(self._gaps) < LOOKED_AT:
            return
        worthwhile = self._worthwhile_per_s()
        self._trial_after *= 2
        self._trial_in = self._trial_after
        if worthwhile > 2 * self._top:
            self._before, self._surprises = (self._top, self._bottom), 0
            self._hold(worthwhile)

    def _is_noise(self, gap: int) -> bool:
        """Whether about as many were let through as at lower rates. Chance has short gaps too: one surprise is forgiven
        to a trial, two to a rate that has held."""
        if NO_SIGN * gap >= median(self._gaps):
            self._trial_after = self._trial_in = AGAIN_AFTER
            self._surprises = -1
            return True
        self._surprises += 1
        return self._surprises <= 1

    def _hold(self, rate_per_s: float) -> None:
        self._top = self._bottom = rate_per_s
        self._searching = False

    def _worthwhile_per_s(self) -> float:
        """A higher rate gains little: most of the time goes into the waits that refusals cost."""
        wait_s = sum(self._waits_s) / len(self._waits_s) if self._waits_s else 1.0
        return 2 * median(self._gaps) / max(wait_s, 0.1)

    def reopened(self, at_s: float) -> None:
        """What was refused may be sent again from then on: the rate comes back from there."""
        wait_s = at_s - (self._refused_at_s or at_s)
        self._waits_s.append(wait_s)
        self._from_s = at_s
        slowest_s = max(SHORTEST_RETURN_S, RETURN_REQUESTS / self._top, RETURN_WAITS * wait_s)
        self._return_s = min(LONGEST_RETURN_S, self._certainty * slowest_s)

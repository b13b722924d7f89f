"""Whether requests are refused by chance, whatever the pace. It must never know who sends, or at what rate.

Some APIs, and what stands before them, refuse one request in five at any pace. To slow down and to wait gains nothing
there, and costs a second or more for each. The difference shows only where it is tried: after a few refusals none is
heeded for a while. If they were for the rate, they now come one after the other; if they come by chance, as many of a
hundred are refused as before. What decides is Page's CUSUM. A refusal that names a time to wait is always heeded.
"""

import math

TRIAL_AFTER = 5
AGAIN_AFTER = 2
FAILED = 2
HELD = 8
"""So many refusals are heeded before the first trial, twice as many after each that failed, and two after one
that held: in which eight were refused before it leaned the other way."""
MOST_REFUSED = 1 / 2
"""An API that refuses more of them means it."""
WORSE = 0.25
"""Not chance is: of what was let through before, a quarter is refused as well."""
CERTAIN = 6.0
"""Once what is seen is e^6 times likelier if it is not chance, a trial is over: after two refusals running where they
were rare, nine where every fifth was refused."""
REMEMBERED = 1000


class Chance:
    """Heeds refusals at first. `unheeded`: they come by chance, or it is being tried whether they do. `held`: in the
    last trial that is over they did, for a while."""

    def __init__(self) -> None:
        self.unheeded = False
        self.held = False
        self._accepted = 0
        self._refused = 0
        self._trial_after = TRIAL_AFTER
        self._trial_in = TRIAL_AFTER
        self._tried_accepted = 0
        self._tried_refused = 0
        self._running = 0
        self._against = 0.0
        self._by_accepted = 0.0
        self._by_refused = 0.0

    def accepted(self, *, anew: bool) -> None:
        """A request was not refused. `anew`: it was sent after the last refusal that was heeded."""
        if not self.unheeded:
            self._accepted += anew
            self._forget()
            return
        self._tried_accepted += 1
        self._against += self._by_accepted
        if self._against <= 0:
            self._against, self._running = 0.0, 0

    def refused(self, *, anew: bool) -> bool:
        """A refusal that names no time to wait. Whether it is to be heeded. `anew`: it was sent after
        the last one that was."""
        if self.unheeded:
            self._tried_refused += 1
            self._running += 1
            self._against += self._by_refused
            if self._against >= CERTAIN:
                self.heed()
            return not self.unheeded
        self._refused += anew
        self._forget()
        self._trial_in -= anew
        if anew and self._trial_in <= 0 and self._share() <= MOST_REFUSED:
            self._try()
        return not self.unheeded

    def heed(self) -> None:
        """Refusals are heeded again: there were too many, or the API names a time to wait."""
        if not self.unheeded:
            return
        self.unheeded = False
        by_chance = self._tried_refused - self._running
        self.held = by_chance >= HELD
        if self.held:
            self._accepted += self._tried_accepted
            self._refused += by_chance
            self._trial_after = AGAIN_AFTER
        else:
            self._trial_after = FAILED * max(TRIAL_AFTER, self._trial_after)
        self._trial_in = self._trial_after

    def _share(self) -> float:
        return self._refused / (self._refused + self._accepted)

    def _try(self) -> None:
        # Few refusals measure a share badly: one standard deviation more of them is no surprise.
        before = min(MOST_REFUSED, self._share() * (1 + 1 / math.sqrt(self._refused)))
        worse = before + WORSE * (1 - before)
        self._by_refused = math.log(worse / before)
        self._by_accepted = math.log((1 - worse) / (1 - before))
        self._tried_accepted = self._tried_refused = self._running = 0
        self._against, self.unheeded = 0.0, True

    def _forget(self) -> None:
        if self._refused + self._accepted > REMEMBERED:
            self._refused, self._accepted = self._refused // 2, self._accepted // 2

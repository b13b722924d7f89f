"""How many repeats a job may afford. It must never know what is repeated, or when."""

from enum import StrEnum

TOKENS = 500
FOR_WRITING = 250
"""So much reads leave to writing: they can wait for better times, and it may have to be done again when those come."""


class Repeat(StrEnum):
    """Why a request is sent again."""

    TRANSIENT = "transient"
    """After a failure that is thought to pass."""
    THROTTLE = "throttle"
    """After having been told to wait."""


COSTS = {Repeat.TRANSIENT: 14, Repeat.THROTTLE: 5}
"""Tokens for one repeat; a success gives one back (the failure model: the 2026 mode of AWS's clients)."""


class Budget:
    """One for a job: repeats are affordable while most requests succeed.

    Whoever repeats pays. What was never sent costs nothing: `Pace` lets a single request probe an outage.
    """

    def __init__(self, tokens: int = TOKENS) -> None:
        self._most = tokens
        self._left = tokens

    @property
    def left(self) -> int:
        """Tokens that are left."""
        return self._left

    def spend(self, repeat: Repeat, reserve: int = 0) -> bool:
        """Pay for one repeat; False, and nothing paid, where it is not affordable. `reserve` is left for others."""
        if self._left - reserve < COSTS[repeat]:
            return False
        self._left -= COSTS[repeat]
        return True

    def earn(self) -> None:
        """One success."""
        self._left = min(self._most, self._left + 1)

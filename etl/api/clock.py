"""Time and chance, so that tests and the simulator can give their own. It must never know what is waited for."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 20.0


def _boottime_s() -> float:
    # A request that was under way when the lid was closed is as old as it looks to the server.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic_s` never goes back, and goes on while the machine sleeps; `now` is the time of day; `random` gives 0
    to below 1."""

    monotonic_s: Callable[[], float] = _boottime_s
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    def backoff_s(self, attempt: int, base_s: float = BACKOFF_BASE_S) -> float:
        """Full jitter: anything from 0 to base times 2^(attempt-1), at most 20 s. `attempt` counts from 1."""
        return self.random() * min(BACKOFF_CAP_S, base_s * float(2 ** min(attempt - 1, 16)))

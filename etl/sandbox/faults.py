"""Faults on request: what can go wrong between a client and the API, and how often it shall.

It must never know what a request asks for.
"""

import difflib
import math
import random
from dataclasses import dataclass
from enum import Enum, auto

from etl.errors import UsageError


class Effect(Enum):
    """Whether the request takes effect although it fails."""

    NEVER = auto()
    NOW = auto()
    LATE = auto()
    """After the answer, by `Faults.late_commit_s`."""


class Shown(Enum):
    """What the client gets to see."""

    ERROR = auto()
    """An error in the API's shape."""
    PAGE = auto()
    """An HTML error page, as a proxy makes it."""
    RESET = auto()
    """The connection is reset (TCP RST) without an answer."""
    SILENCE = auto()
    """No answer until the client goes away."""
    TRICKLE = auto()
    """The right answer, byte by byte, over `Faults.slow_s`."""
    HALF = auto()
    """The first half of the right answer, with the right status: broken JSON."""


class RetryAfter(Enum):
    """How a 429 says when to come back."""

    UNSAID = auto()
    SECONDS = auto()
    DATE = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault."""

    name: str
    shown: Shown
    status: int = 0
    effect: Effect = Effect.NEVER
    retry_after: RetryAfter = RetryAfter.UNSAID

    @property
    def on_reads(self) -> bool:
        """Whether it makes sense for a GET: faults about what was stored do not."""
        return self.effect is Effect.NEVER or self.shown in {Shown.TRICKLE, Shown.HALF}


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("429", Shown.ERROR, 429, retry_after=RetryAfter.SECONDS),
        Fault("429date", Shown.ERROR, 429, retry_after=RetryAfter.DATE),
        Fault("429none", Shown.ERROR, 429),
        Fault("500", Shown.ERROR, 500),
        Fault("502", Shown.ERROR, 502),
        Fault("503", Shown.ERROR, 503),
        Fault("504", Shown.ERROR, 504),
        Fault("html502", Shown.PAGE, 502),
        Fault("500after", Shown.ERROR, 500, Effect.NOW),
        Fault("502after", Shown.ERROR, 502, Effect.NOW),
        Fault("504after", Shown.ERROR, 504, Effect.NOW),
        Fault("reset", Shown.RESET),
        Fault("resetafter", Shown.RESET, effect=Effect.NOW),
        Fault("latecommit", Shown.ERROR, 504, Effect.LATE),
        Fault("hang", Shown.SILENCE),
        Fault("hangafter", Shown.SILENCE, effect=Effect.NOW),
        Fault("slow", Shown.TRICKLE, effect=Effect.NOW),
        Fault("garbage", Shown.HALF, effect=Effect.NOW),
    )
}
"""The closed list (product page, `--sandbox`). The plain ones strike before the request has any effect."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults strike how often (probabilities of 0 to 1 that sum to at most 1), and their times in seconds.

    With a `seed`, the same requests in the same order meet the same faults.
    """

    chances: tuple[tuple[Fault, float], ...] = ()
    seed: int | None = None
    late_commit_s: float = 1.5
    slow_s: float = 2.0


NO_FAULTS = Faults()


def parse_faults(text: str, *, seed: int | None = None, late_commit_s: float = 1.5, slow_s: float = 2.0) -> Faults:
    """Faults as `NAME:PROBABILITY`, several separated by commas: `429:0.05,resetafter:0.01`; blank text: none.

    Raises UsageError for an unknown name (listing all), a probability that is none, and a sum above 1.
    """
    chances: dict[str, tuple[Fault, float]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, probability = (piece.strip() for piece in part.partition(":"))
        if name in chances:
            raise UsageError(f"fault {name} is given twice")
        chances[name] = (_fault(name), _probability(name, probability))
    total = math.fsum(probability for _, probability in chances.values())
    if total > 1:
        raise UsageError(f"the probabilities of the faults sum to {total:g}; they may sum to 1")
    return Faults(tuple(chances.values()), seed, late_commit_s, slow_s)


def _fault(name: str) -> Fault:
    if name not in FAULTS:
        near = difflib.get_close_matches(name, FAULTS, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(f'"{name}" is not a fault{meant}; use one of {", ".join(FAULTS)}')
    return FAULTS[name]


def _probability(name: str, text: str) -> float:
    try:
        probability = float(text)
    except ValueError:
        probability = math.nan
    if not 0 <= probability <= 1:
        raise UsageError(f'fault {name} needs a probability of 0 to 1, such as {name}:0.05; found "{text}"')
    return probability


class Dice:
    """Draws, for one request after another, the fault that strikes it."""

    def __init__(self, faults: Faults) -> None:
        self._chances = faults.chances
        self._random = random.Random(faults.seed)  # noqa: S311 (faults must repeat; they guard nothing)

    def draw(self, *, reading: bool) -> Fault | None:
        """The fault for the next request; None for none. A read is spared what makes no sense for it."""
        if not self._chances:
            return None
        mark = self._random.random()
        for fault, probability in self._chances:
            if mark < probability:
                return None if reading and not fault.on_reads else fault
            mark -= probability
        return None

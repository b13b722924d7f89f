"""Timeline: how many requests were answered when, how, and how fast, in a bounded number of intervals.

It must never know a request, a row or a clock: it is told moments in seconds, of any clock that only goes on.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

INTERVALS = 240
"""At most so many intervals are kept; when the time no longer fits, two become one."""
FIRST_WIDTH_S = 0.1
BUCKETS = 144
_PER_OCTAVE = 8
_LEAST_S = 0.0005
"""Times from half a millisecond to two minutes in steps of 9 %: a percentile is within 5 % of what it was."""


class Kind(StrEnum):
    """What came of one request."""

    STORED = "stored"
    REFUSED = "refused"
    AGAIN = "again"
    """It had no effect and was sent again: told to wait, overloaded, not arrived."""
    UNCLEAR = "unclear"
    """It may have had an effect: the row was in doubt."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How long answers took, in seconds: half of them, nine of ten, 99 of 100 at most so long."""

    p50_s: float
    p90_s: float
    p99_s: float


@dataclass(slots=True)
class _Interval:
    counts: "array[int]" = field(default_factory=lambda: array("Q", [0] * len(Kind)))
    times: "array[int]" = field(default_factory=lambda: array("Q", [0] * BUCKETS))

    def swallow(self, other: "_Interval") -> None:
        for mine, theirs in ((self.counts, other.counts), (self.times, other.times)):
            for number, count in enumerate(theirs):
                mine[number] += count


class Timeline:
    """Collects requests as they end; its memory does not grow (under 300 kB)."""

    def __init__(self) -> None:
        self._from_s: float | None = None
        self._width_s = FIRST_WIDTH_S
        self._intervals: list[_Interval] = []

    @property
    def width_s(self) -> float:
        """How long an interval is now, in seconds."""
        return self._width_s

    def add(self, ended_s: float, elapsed_s: float, kind: Kind) -> None:
        """A request that ended at `ended_s` and took `elapsed_s`. They may be told a little out of order."""
        if self._from_s is None:
            self._from_s = ended_s - elapsed_s
        at_s = max(0.0, ended_s - self._from_s)
        while at_s >= INTERVALS * self._width_s:
            self._widen()
        number = int(at_s / self._width_s)
        while len(self._intervals) <= number:
            self._intervals.append(_Interval())
        interval = self._intervals[number]
        interval.counts[_KINDS.index(kind)] += 1
        interval.times[_bucket(elapsed_s)] += 1

    def counts(self, kind: Kind) -> list[int]:
        """Requests of a kind, one number an interval."""
        return [interval.counts[_KINDS.index(kind)] for interval in self._intervals]

    def percentiles(self) -> list[Percentiles | None]:
        """How long answers took in each interval; None where there were none."""
        return [_percentiles(interval.times) for interval in self._intervals]

    def whole(self) -> Percentiles | None:
        """How long answers took in all; None where there were none."""
        return _percentiles([sum(column) for column in zip(*(one.times for one in self._intervals), strict=True)])

    def _widen(self) -> None:
        self._width_s *= 2
        halved = self._intervals[::2]
        for kept, other in zip(halved, self._intervals[1::2], strict=False):
            kept.swallow(other)
        self._intervals = halved


_KINDS = list(Kind)


def _bucket(elapsed_s: float) -> int:
    steps = math.log2(max(elapsed_s, _LEAST_S) / _LEAST_S) * _PER_OCTAVE
    return min(BUCKETS - 1, int(steps))


def _time_of(bucket: int) -> float:
    """The middle of a bucket, in seconds."""
    return float(_LEAST_S * 2 ** ((bucket + 0.5) / _PER_OCTAVE))


def _percentiles(times: Iterable[int]) -> Percentiles | None:
    counted: Sequence[int] = list(times)
    total = sum(counted)
    if not total:
        return None
    return Percentiles(*(_at_share(counted, total, share) for share in (0.5, 0.9, 0.99)))


def _at_share(counted: Sequence[int], total: int, share: float) -> float:
    wanted, seen = math.ceil(share * total), 0
    for bucket, count in enumerate(counted):
        seen += count
        if seen >= wanted:
            return _time_of(bucket)
    raise AssertionError("a share of a whole is within it")

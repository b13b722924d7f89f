"""The numbers behind the charts over time. This file must never know how they are drawn."""

import json
import re
from pathlib import Path
from typing import Any

from etl.report.timeline import Kind, Percentiles, Timeline

Chart = dict[str, Any]
_FACTS = re.compile(r'<script type="application/json" id="facts">(.*?)</script>', re.DOTALL)

LEAST_POINTS = 5
"""A job of fewer intervals has no course over time."""


def chart_of(timeline: Timeline) -> Chart | None:
    """One number an interval: requests by kind, and percentiles in milliseconds (None: no answer). None: too short."""
    counts = {kind.value: timeline.counts(kind) for kind in Kind}
    percentiles = timeline.percentiles()
    if sum(one is not None for one in percentiles) < LEAST_POINTS:
        return None
    return {
        "width_s": timeline.width_s,
        "counts": counts,
        "p50_ms": [_ms(one.p50_s if one else None) for one in percentiles],
        "p90_ms": [_ms(one.p90_s if one else None) for one in percentiles],
        "p99_ms": [_ms(one.p99_s if one else None) for one in percentiles],
        "whole": _whole(timeline.whole()),
    }


def chart_in(page: Path) -> Chart | None:
    """The numbers that an earlier page drew; None where there is no such page."""
    try:
        text = page.read_text(encoding="utf-8")
        found = _FACTS.search(text)
        chart = json.loads(found[1]).get("chart") if found else None
    except (OSError, ValueError):
        return None
    return chart if isinstance(chart, dict) else None


def _whole(one: Percentiles | None) -> list[float] | None:
    return None if one is None else [_spelt(one.p50_s), _spelt(one.p90_s), _spelt(one.p99_s)]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else _spelt(seconds)


def _spelt(seconds: float) -> float:
    """Milliseconds in three digits: there is no more to know."""
    return float(f"{seconds * 1000:.3g}")

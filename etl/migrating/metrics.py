"""Metrics are made by nobody here: those of the target are found by the names that they have at the source.

It must never know who refers to a metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from etl.api import Api
from etl.resources import METRICS


@dataclass(frozen=True, slots=True)
class Metrics:
    """`new`: the target's metric for each of the source's. `reasons`: why others have none; `otherwise`: the rest."""

    new: Mapping[str, str]
    otherwise: str
    reasons: Mapping[str, str] = field(default_factory=dict)

    def why_missing(self, old: str) -> str:
        """Why the target has no such metric; empty where it has."""
        return "" if old in self.new else self.reasons.get(old, self.otherwise)


async def metrics_of(api: Api) -> dict[str, str]:
    """The names of an organisation's metrics by their ids. Raises what `Api.list` raises."""
    found = {}
    async for item in api.list(METRICS):
        found[str(item["id"])] = next((str(item[key]) for key in METRICS.names if item.get(key)), "")
    return found


def matched(source: Mapping[str, str] | None, target: Mapping[str, str]) -> Metrics:
    """The metrics of two organisations, names by ids, matched by name without regard to case. `source` None: its names
    are not known, and only equal ids are the same."""
    if source is None:
        return Metrics({id_: id_ for id_ in target}, "the target has no such metric, and an export does not name it")
    by_name: dict[str, list[str]] = {}
    for id_, name in target.items():
        by_name.setdefault(_fold(name), []).append(id_)
    new, reasons = {}, {}
    for old, name in source.items():
        found = by_name.get(_fold(name), [])
        if len(found) == 1:
            new[old] = found[0]
        else:
            has = f"{len(found)} metrics" if found else "no metric"
            reasons[old] = f"the target has {has} called {name!r}"
    return Metrics(new, "the source has no such metric any more", reasons)


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()

"""The judge: the server's history against the rows that were wanted and what was said of them.

The words are Jepsen's: lost, doubled, unexpected, recovered. It must never ask the writer or its ledger what it thinks;
it knows what was wanted, what was told, and what exists.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etl.report import Outcome
from tests.simulation.echo import content
from tests.simulation.server import Server

MARK = "coval_etl_import"
"""What the writer adds to a body, so that it knows it again; it is no part of a row."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of a row in the end."""

    outcome: Outcome
    id: str | None = None
    words: str = ""
    accepted: bool = False
    """Created because a person said so, under an id that is not known."""


@dataclass(slots=True)
class Judgement:
    """What is wrong, in words; each list is empty where nothing is."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrongly_adopted: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)
    manners: list[str] = field(default_factory=list)
    """Too much in flight, or sent before it was allowed."""

    @property
    def wrong(self) -> list[str]:
        """Everything, each with its kind."""
        kinds = ("lost", "doubled", "wrongly_adopted", "unexpected", "unaccounted", "manners")
        return [f"{kind}: {words}" for kind in kinds for words in getattr(self, kind)]


def judge(
    wanted: Mapping[int, Mapping[str, Any]],
    told: Mapping[int, Told],
    server: Server,
    *,
    concurrency: int,
) -> Judgement:
    """`wanted`: the body of each row."""
    found = Judgement()
    server.finish()
    if set(wanted) != set(told):
        missing = sorted(set(wanted) ^ set(told))
        found.unaccounted.append(f"rows {missing} were not told of, or do not exist")
    contents = {row: _content(body) for row, body in wanted.items()}
    _judge_ids(contents, told, server, found)
    _judge_counts(contents, told, server, found)
    _judge_effects(contents, server, found)
    for name, traffic in server.traffic.items():
        if traffic.most_in_flight > concurrency:
            found.manners.append(f"{name} had {traffic.most_in_flight} requests in flight, {concurrency} were allowed")
        if traffic.sent_early:
            found.manners.append(f"{name} sent {traffic.sent_early} requests before Retry-After was over")
    return found


def _judge_ids(contents: Mapping[int, str], told: Mapping[int, Told], server: Server, found: Judgement) -> None:
    """Every id that was told is that of something of ours, with the content of its row, and of one row only."""
    items = {item.id: item for item in server.items}
    rows_by_id: dict[str, list[int]] = {}
    for row, one in told.items():
        if one.outcome is not Outcome.CREATED or one.accepted:
            continue
        item = items.get(one.id or "")
        rows_by_id.setdefault(one.id or "", []).append(row)
        if item is None:
            found.lost.append(f"row {row} was told to be {one.id}, which does not exist")
        elif item.maker == "others":
            found.wrongly_adopted.append(f"row {row} was told to be {one.id}, which somebody else made")
        elif _content(item.body) != contents.get(row):
            found.wrongly_adopted.append(f"row {row} was told to be {one.id}, which says {_content(item.body)}")
    for id_, rows in rows_by_id.items():
        if len(rows) > 1:
            found.wrongly_adopted.append(f"rows {rows} were all told to be {id_}")


def _judge_counts(contents: Mapping[int, str], told: Mapping[int, Told], server: Server, found: Judgement) -> None:
    """Equal rows are interchangeable: of each content there are as many as were told, and no more than may be."""
    ours = Counter(_content(item.body) for item in server.items if item.maker != "others")
    stored: Counter[str] = Counter()
    perhaps: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for row, one in told.items():
        where = {Outcome.CREATED: stored, Outcome.IN_DOUBT: perhaps}.get(one.outcome, others)
        where[contents[row]] += 1
    for words in sorted(set(ours) | set(contents.values())):
        there, known, possible = ours[words], stored[words], stored[words] + perhaps[words]
        if words not in contents.values():
            found.unexpected.append(f"{there} of {words}, which no row says")
        elif there < known:
            found.lost.append(f"{known - there} of {words}: {known} told, {there} there")
        elif there > possible + others[words]:
            found.doubled.append(f"{there} of {words}: {known} told, {perhaps[words]} in doubt")
        elif there > possible:
            found.unexpected.append(f"{there - possible} of {words}, told to be failed or pending")


def doubled_so_far(wanted: Mapping[int, Mapping[str, Any]], server: Server) -> list[str]:
    """What took effect too often, at any moment of a job."""
    found = Judgement()
    _judge_effects({row: _content(body) for row, body in wanted.items()}, server, found)
    return found.doubled


def truly_stored(
    wanted: Mapping[int, Mapping[str, Any]], told: Mapping[int, Told], server: Server
) -> tuple[bool, bool]:
    """Whether all rows in doubt are there, and whether none is: what a person finds who looks."""
    there = Counter(_content(item.body) for item in server.items if item.maker != "others")
    doubts: Counter[str] = Counter()
    for row, one in told.items():
        where = doubts if one.outcome is Outcome.IN_DOUBT else there
        where[_content(wanted[row])] += 1 if where is doubts else -(one.outcome is Outcome.CREATED)
    return all(there[words] >= count for words, count in doubts.items()), not any(there[words] > 0 for words in doubts)


def _judge_effects(contents: Mapping[int, str], server: Server, found: Judgement) -> None:
    """Of each content no more requests took effect than there are rows that say it, whatever was told or deleted."""
    rows = Counter(contents.values())
    made = Counter(_content(one.body) for one in server.attempts if one.item is not None)
    for words, times in sorted(made.items()):
        if words in rows and times > rows[words]:
            found.doubled.append(f"{words} took effect {times} times for {rows[words]} rows")


def _content(body: Mapping[str, Any]) -> str:
    return content(_without_mark(body))


def _without_mark(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as the row had it."""
    bare = dict(body)
    for path in (("metadata",), ("metadata", "customer")):
        _drop(bare, path)
    return bare


def _drop(body: dict[str, Any], path: Sequence[str]) -> None:
    inner = body.get(path[0])
    if not isinstance(inner, dict):
        return
    inner = dict(inner)
    if len(path) > 1:
        _drop(inner, path[1:])
    inner.pop(MARK, None)
    if inner:
        body[path[0]] = inner
    else:
        body.pop(path[0], None)

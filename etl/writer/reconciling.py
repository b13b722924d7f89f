"""Reconciling: rows in doubt are looked for at the API, and each is found, proved absent, or left to a person.

It must never send a row, and never believes that something is absent because it was not seen once.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from etl.api import Api, Clock
from etl.crashpoints import reach
from etl.ledger import RowKey
from etl.resources import RUNS, Contract, Resource
from etl.writer.likeness import Likeness, version_of
from etl.writer.marks import mark_of
from etl.writer.matching import Matches, Wanted, match
from etl.writer.rows import Delivered, Outgoing
from etl.writer.scopes import Scope, Scopes, scope_of

SPARE_SAMPLES = 3
"""So many more rows of an earlier run are read where what the first one became is gone, or was changed since."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """What was sent, and what it became. `version`: as the API told it then; None: nobody can have changed it since."""

    body: bytes
    id: str
    version: str | None = None


@dataclass(slots=True, eq=False)
class Doubt:
    """A row of which it is not known whether it was stored.

    `sent_s`: the last moment at which it can have been on its way; `first_s`: the first one, None where another run
    sent it. `stored`: the API said so, but not under which id. `instead`: what becomes of it where it is not found
    (after a 409); None: it is sent again. `body`: as it was sent, its mark in it.
    """

    row: Outgoing
    body: bytes
    attempts: int
    sent_s: float
    first_s: float | None
    words: str
    http_status: int | None = None
    stored: bool = False
    instead: Delivered | None = None
    absent_s: float | None = None

    def due_s(self, settle_s: float) -> float:
        """When looking for it can tell that it is absent."""
        return settle_s + max(self.sent_s, self.absent_s if self.absent_s is not None else float("-inf"))


class Finding(Enum):
    """What looking for a row told."""

    FOUND = auto()
    ABSENT = auto()
    """Proved: two complete lists, a settle apart, do not have it."""
    UNKNOWN = auto()
    """It cannot be known; a person decides."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A doubt that is over. `item`: what was found. `words`: why it cannot be known."""

    doubt: Doubt
    finding: Finding
    item: Mapping[str, Any] | None = None
    words: str = ""


class Reconciler:
    """The doubts of one delivery."""

    def __init__(
        self, api: Api, scopes: Scopes, resource: Resource, contract: Contract, settle_s: float, clock: Clock
    ) -> None:
        """`settle_s`: after so long a request has taken effect or never will, and a list shows what exists."""
        self._api = api
        self._scopes = scopes
        self._resource = resource
        self._clock = clock
        self._settle_s = settle_s
        self._doubts: list[Doubt] = []
        self._given_up: list[Doubt] = []
        self._samples: list[_Sample] = []
        self._spare: deque[_Sample] = deque(maxlen=SPARE_SAMPLES)
        self._sampled: set[str] = set()
        self._unsampled = {name: f'"{name}"'.encode() for name in resource.create[contract].model_fields}
        self.likeness = Likeness(resource, contract)

    @property
    def open(self) -> int:
        """How many rows are in doubt now."""
        return len(self._doubts)

    def add(self, doubt: Doubt) -> None:
        """One more row in doubt."""
        self._doubts.append(doubt)

    def has_all(self, keys: Iterable[RowKey]) -> bool:
        """Whether all these rows are in doubt here, or were left to a person."""
        return {doubt.row.key for doubt in (*self._doubts, *self._given_up)}.issuperset(keys)

    def tells_apart(self, rows: Iterable[bytes]) -> bool:
        """Whether nothing that comes of these bodies, which are on their way, can be taken for a row in doubt: it is
        known that names come back, and they have others."""
        if not self.likeness.trusted:
            return False
        doubtful = {self._name_of(doubt.body) for doubt in (*self._doubts, *self._given_up)}
        names = {self._name_of(body) for body in rows}
        return "" not in names | doubtful and names.isdisjoint(doubtful)

    def _name_of(self, body: bytes) -> str:
        return self.likeness.name(self.likeness.fields(json.loads(body)))

    def close(self) -> list[Doubt]:
        """The doubts that are left; there will be no more looking."""
        left, self._doubts = self._doubts, []
        return left

    def next_s(self) -> float | None:
        """When it is worth looking again (by the clock's seconds); None where nothing is in doubt."""
        return max((doubt.due_s(self._settle_s) for doubt in self._doubts), default=None)

    def remember(self, body: bytes, id_: str) -> bool:
        """A row that is known to have become this resource shows what comes back. Whether it shows something new."""
        return self._remember(_Sample(body, id_))

    def remember_from_before(self, body: bytes, id_: str, version: str | None) -> None:
        """The same of a row that an earlier run created. What somebody changed since its `version` shows nothing."""
        sample = _Sample(body, id_, version)
        if not self._remember(sample):
            self._spare.append(sample)

    def _remember(self, sample: _Sample) -> bool:
        body = sample.body
        names = [name for name, quoted in self._unsampled.items() if quoted in body]
        if not names and self._sampled:
            return False  # nearly all rows: they are not even looked into
        fields: dict[str, Any] = json.loads(body)
        for name in names:
            if fields.get(name):
                del self._unsampled[name]
        new = self.likeness.fields(fields).keys() - self._sampled
        if new:
            self._sampled |= new
            self._samples.append(sample)
        return bool(new)

    async def learn(self) -> None:
        """Look at the resources that were remembered, once. Raises what `Api.get` raises."""
        for sample in list(self._samples):
            if await self._learn_from(sample) and sample in self._samples:
                self._samples.remove(sample)
        while self._samples and self._spare and not self.likeness.learned:
            await self._learn_from(self._spare.popleft())

    async def _learn_from(self, sample: _Sample) -> bool:
        """Whether it is there as it was made, and has shown what comes back."""
        answer = await self._api.get(f"{self._resource.path}/{sample.id}")
        item = answer.body.get(self._resource.singular) if isinstance(answer.body, dict) else None
        if answer.status != 200 or not isinstance(item, dict) or sample.version not in {None, version_of(item)}:
            return False
        self.likeness.learn(json.loads(sample.body), item)
        return True

    async def look(self) -> list[Verdict]:
        """List every scope in which something is in doubt; what is known now.

        Nothing of this job may be in flight. Raises what `Api.get` raises: what is in doubt stays so then.
        """
        await self.learn()
        groups: dict[str, list[Doubt]] = defaultdict(list)
        for doubt in self._doubts:
            groups[scope_of(self._resource, doubt.row).name].append(doubt)
        verdicts: list[Verdict] = []
        for doubts in groups.values():
            verdicts += await self._look_at(scope_of(self._resource, doubts[0].row), doubts)
        over = {id(verdict.doubt) for verdict in verdicts}
        self._given_up += [verdict.doubt for verdict in verdicts if verdict.finding is Finding.UNKNOWN]
        self._doubts = [doubt for doubt in self._doubts if id(doubt) not in over]
        return verdicts

    async def _look_at(self, scope: Scope, doubts: Sequence[Doubt]) -> list[Verdict]:
        started_s = self._clock.monotonic_s()
        firsts = [doubt.first_s for doubt in doubts]
        known = [first for first in firsts if first is not None]
        age_s = started_s - min(known) if len(known) == len(firsts) else None
        listing = await self._scopes.list_new(scope, age_s)
        if listing is None:
            words = "It is not known what was there before the import, so what is there now cannot be told apart."
            return [Verdict(doubt, Finding.UNKNOWN, None, words) for doubt in doubts]
        # Of rows that are alike, those come first of which it is known that they are there.
        first = sorted(doubts, key=lambda doubt: not doubt.stored)
        # Rows that were left to a person may be what is there all the same: nobody else is to be taken for them.
        given_up = [doubt for doubt in self._given_up if scope_of(self._resource, doubt.row).name == scope.name]
        wanted = [Wanted(doubt.row.key, json.loads(doubt.body)) for doubt in (*first, *given_up)]
        matches = match(wanted, listing.items, self.likeness, self._resource)
        verdicts = []
        for doubt in doubts:
            item = matches.found.get(doubt.row.key)
            if item is not None:
                verdicts.append(Verdict(doubt, Finding.FOUND, item))
            elif started_s < doubt.due_s(self._settle_s):
                continue
            elif doubt.absent_s is None:
                doubt.absent_s = started_s
                reach("absent-once")
            else:
                words = self._why_unknown(doubt, matches)
                verdicts.append(Verdict(doubt, Finding.UNKNOWN if words else Finding.ABSENT, None, words))
        return verdicts

    def _why_unknown(self, doubt: Doubt, matches: Matches) -> str:
        """Why a row that two complete lists do not have may be there all the same; empty: it is not."""
        if doubt.stored:
            return "The API said that it was stored, but two complete lists do not have it."
        if doubt.row.key in matches.unclear:
            missing = ", ".join(self.likeness.missing)
            return f"Some rows that differ only in {missing} are there, but the API does not give that back."
        if self._resource is RUNS:
            return "Two complete lists do not have it, but a run is never launched again by itself."
        return self._may_be_among(doubt, matches.left) if matches.left else ""

    def _may_be_among(self, doubt: Doubt, left: Sequence[Mapping[str, Any]]) -> str:
        """Why one of the items that no row explains may be this row; empty: none is."""
        if not self.likeness.learned:
            return "There is something that nobody is known to have made, and no row of the import to compare it with."
        if not self.likeness.trusted:
            missing = ", ".join(self.likeness.missing)
            return f"The API does not give back {missing} as it was sent, so rows cannot be told apart."
        body = json.loads(doubt.body)
        sent, mark = self.likeness.fields(body), mark_of(self._resource, body)
        for item in left:
            other = mark_of(self._resource, item)
            told_apart = mark is not None and other is not None and other != mark
            if not told_apart and self.likeness.resembles(sent, self.likeness.fields(item)):
                return f"{item.get(self._resource.id_field)} is much like it, but not the same."
        return ""

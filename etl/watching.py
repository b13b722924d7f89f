"""Runs after their launch: where each of them is, asked for politely and in as few requests as will do.

It must never launch, change or delete a run, nor know rows and files.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from etl.api import Api, refusal_of
from etl.errors import EtlError, UnexpectedAnswerError, UnreachableError
from etl.resources import RUNS
from etl.resources.runs import ENDED, Status

FIRST_LOOK_S = 2.0
LONGEST_LOOK_S = 60.0
SLOWER = 1.5
"""The time between two looks grows by this factor while nothing changes, and is halved when something does."""
CLOCK_MARGIN_S = 600.0
"""A list is not read further back than this before the oldest run that is looked for."""
PATIENCE_S = 300.0
"""So long the API may fail to tell where runs are."""


def status_of(item: Mapping[str, Any]) -> str:
    """The status in an answer, in one spelling; a word that no page knows stays as it is."""
    return str(item.get("status") or Status.PENDING).replace("_", " ").upper()


class Runs:
    """The runs that are followed."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._statuses: dict[str, str] = {}
        self._created: dict[str, datetime] = {}
        self._seen: set[str] = set()
        self._missed: set[str] = set()
        self._list_costs = 1
        """Requests that the last look by listing took."""
        self._wait_s = FIRST_LOOK_S

    @property
    def statuses(self) -> Mapping[str, str]:
        """Each run's status by its id, as it was last heard of."""
        return self._statuses

    @property
    def by_status(self) -> Mapping[str, int]:
        """How many runs are where: in the order of a run's life, statuses that no page knows last."""
        counts = Counter(self._statuses.values())
        known = {status.value: counts.pop(status.value) for status in Status if counts[status.value]}
        return known | dict(counts)

    @property
    def open(self) -> list[str]:
        """The ids of those that have not ended."""
        return [id_ for id_, status in self._statuses.items() if status not in ENDED]

    @property
    def next_look_s(self) -> float:
        """Seconds to wait before the next look."""
        return self._wait_s

    def add(self, ids: Iterable[str]) -> None:
        """Follow these too."""
        for id_ in ids:
            self._statuses.setdefault(id_, Status.PENDING)
        self._wait_s = FIRST_LOOK_S

    async def look(self) -> bool:
        """Ask where the open ones are; whether any has moved. Raises what `Api.get` raises."""
        before = dict(self._statuses)
        wanted = set(self.open)
        if len(wanted) > self._list_costs:
            left, pages = await self._list(wanted)
            self._list_costs = pages + len(left)
        else:
            left = wanted
        for id_ in sorted(left):
            await self._get(id_)
        moved = self._statuses != before
        self._wait_s = max(FIRST_LOOK_S, self._wait_s / 2) if moved else min(LONGEST_LOOK_S, self._wait_s * SLOWER)
        return moved

    async def _list(self, wanted: set[str]) -> tuple[set[str], int]:
        """Read the list, the newest first; those that it did not show, and how many pages were read.

        It is left as soon as it has cost as many requests as asking for each of the rest will.
        """
        left, pages = set(wanted), 0
        known = [self._created[id_].timestamp() for id_ in wanted if id_ in self._created]
        oldest_s = min(known) - CLOCK_MARGIN_S if len(known) == len(wanted) else None
        async for page in self._api.pages(RUNS):
            pages += 1
            for item in page.items:
                if (id_ := str(item.get(RUNS.id_field))) in wanted:
                    self._hear(id_, item)
                    left.discard(id_)
            last = _created(page.items[-1]) if page.items else None
            past = oldest_s is not None and last is not None and last.timestamp() < oldest_s
            if past or pages >= len(left):
                break
        return left, pages

    async def _get(self, id_: str) -> None:
        answer = await self._api.get(f"{RUNS.path}/{id_}")
        item = answer.body.get(RUNS.singular) if isinstance(answer.body, dict) else None
        if answer.status == 404 and refusal_of(answer).code:
            if id_ in self._seen or id_ in self._missed:  # a run that was launched just now may not show yet
                self._statuses[id_] = Status.DELETED
            self._missed.add(id_)
        elif isinstance(item, dict):
            self._hear(id_, item)
        else:
            raise UnexpectedAnswerError(f"GET {RUNS.path}/{id_} did not answer a run.")

    def _hear(self, id_: str, item: Mapping[str, Any]) -> None:
        self._statuses[id_] = status_of(item)
        self._seen.add(id_)
        moment = _created(item)
        if moment is not None:
            self._created[id_] = moment


class Follower:
    """Looks at runs again and again, at the pace of a session."""

    def __init__(self, api: Api, runs: Runs) -> None:
        self.runs = runs
        self.looks_at_s: float | None = None
        """When it looks next, in seconds of the pace's clock; None while it does not wait."""
        self._pace = api.pace
        self._failing_since_s: float | None = None

    async def wait_and_look(self) -> None:
        """Wait until it is time, and look; no longer than until the pace is closed.

        Raises what `Runs.look` raises; an API that cannot be reached, or answers something else, only when that has
        gone on for `PATIENCE_S`.
        """
        self.looks_at_s = self._pace.clock.monotonic_s() + self.runs.next_look_s
        try:
            await self._pace.pause(self.runs.next_look_s)
            if not self._pace.closed:
                await self.look()
        finally:
            self.looks_at_s = None

    async def look(self) -> None:
        """Look now. Raises as `wait_and_look`."""
        try:
            await self.runs.look()
            self._failing_since_s = None
        except (UnreachableError, UnexpectedAnswerError):
            now_s = self._pace.clock.monotonic_s()
            self._failing_since_s = now_s if self._failing_since_s is None else self._failing_since_s
            if self._pace.gave_up is not None or now_s - self._failing_since_s > PATIENCE_S:
                raise

    async def follow(self, observe: Callable[[], None]) -> EtlError | None:
        """Look until every run has ended, or the pace is closed. Why it gave up before, if it did."""
        try:
            await self.look()
            observe()
            while self.runs.open and not self._pace.closed:
                await self.wait_and_look()
                observe()
        except EtlError as error:
            return error
        return None


def _created(item: Mapping[str, Any]) -> datetime | None:
    text = item.get("create_time")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment

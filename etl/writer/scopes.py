"""Where rows go, as far as one listing shows it: a test set for test cases, else the whole resource.

It must never know which rows are in doubt.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.api import Api, Page
from etl.crashpoints import reach
from etl.ledger import Baseline, Journal
from etl.resources import TEST_CASES, Resource
from etl.writer.rows import Outgoing

OVERLAP = timedelta(minutes=15)
"""How far a baseline goes back behind the newest resource: what became visible late must not be taken for ours."""
STOP_BEFORE = timedelta(minutes=10)
"""How far a listing goes back behind the newest resource of the baseline."""
CLOCK_MARGIN = timedelta(minutes=2)
"""How far a listing goes back behind the moment at which a row was sent: clocks of servers differ a little."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is listed at once."""

    resource: Resource
    test_set_id: str | None = None

    @property
    def name(self) -> str:
        """As the ledger keeps it."""
        return f"{self.resource.name}?{self.test_set_id or ''}"

    @property
    def query(self) -> dict[str, str]:
        return {"filter": f"test_set_id={self.test_set_id}"} if self.test_set_id else {}


def scope_of(resource: Resource, row: Outgoing) -> Scope:
    """The scope that a row goes into."""
    return Scope(resource, dict(row.parents).get("test_set_id") if resource is TEST_CASES else None)


@dataclass(slots=True)
class Listing:
    """A complete look at a scope: what may be ours, which is neither in the baseline nor the ledger's.

    `items` are in the order of the list. `pages`: how many requests it took.
    """

    items: list[Mapping[str, Any]] = field(default_factory=list)
    pages: int = 0


class Scopes:
    """Lists scopes, and keeps what was in each before the first row was sent."""

    def __init__(self, api: Api, journal: Journal) -> None:
        self._api = api
        self._journal = journal

    async def keep_baseline(self, scope: Scope) -> None:
        """List what is in a scope and keep it, unless that was done: before the first row is sent into it.

        Only as far back as a later listing may look. Raises what `Api.list` raises, and LedgerError.
        """
        if await self._journal.baseline(scope.name) is not None:
            return
        ids: list[str] = []
        newest: datetime | None = None
        async for page, in_order in self._pages(scope):
            reach("baseline-page")
            ids += [_id(scope, item) for item in page.items]
            moments = [moment for item in page.items if (moment := _created(item)) is not None]
            newest = newest or (moments[0] if moments else None)
            if newest and moments and in_order and moments[-1] < newest - OVERLAP:
                break
        since = (newest - STOP_BEFORE).isoformat() if newest else None
        await self._journal.keep_baseline(scope.name, Baseline(ids, since))
        reach("baseline-kept")

    async def list_new(self, scope: Scope, age_s: float | None) -> Listing | None:
        """What is in a scope that may be ours; None where it is not known what was there before.

        `age_s`: nothing older than so many seconds is wanted (None: all). Raises what `Api.list` raises.
        """
        baseline = await self._journal.baseline(scope.name)
        if baseline is None:
            return None
        since = covered = datetime.fromisoformat(baseline.since) if baseline.since else None
        found = Listing()
        before, seen = frozenset(baseline.ids), set[str]()
        reach("before-listing")
        async for page, in_order in self._pages(scope):
            reach("listing-page")
            found.pages += 1
            if found.pages == 1 and age_s is not None and page.date is not None:
                wanted = page.date - timedelta(seconds=age_s) - CLOCK_MARGIN
                since = wanted if since is None else max(since, wanted)
            fresh = {id_: item for item in page.items if (id_ := _id(scope, item)) not in seen}
            seen.update(fresh)
            known = before | await self._journal.owned(fresh.keys())
            # A page may go back further than the baseline does: what is that old was there before, and is nobody's.
            found.items += [item for id_, item in fresh.items() if id_ not in known and not _is_older(item, covered)]
            last = _created(page.items[-1]) if page.items else None
            if since and last and in_order and last < since:
                break
        reach("listed")
        return found

    async def _pages(self, scope: Scope) -> AsyncIterator[tuple[Page, bool]]:
        """The pages of a list, each with whether all items up to it came newest first: only then may one stop early."""
        before: datetime | None = None
        in_order = True
        async for page in self._api.pages(scope.resource, scope.query):
            for item in page.items:
                moment = _created(item)
                in_order = in_order and moment is not None and (before is None or moment <= before)
                before = moment
            yield page, in_order


def _id(scope: Scope, item: Mapping[str, Any]) -> str:
    return str(item.get(scope.resource.id_field))


def _is_older(item: Mapping[str, Any], than: datetime | None) -> bool:
    created = _created(item)
    return than is not None and created is not None and created < than


def _created(item: Mapping[str, Any]) -> datetime | None:
    """When an item was created, by the API's clock; None where it does not say."""
    text = item.get("create_time") or item.get("created_at")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment

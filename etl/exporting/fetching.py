"""A resource, fetched whole: listed twice, in both orders; what only one of the lists has is asked for by its id.

Lists shift while people work: what is deleted moves later items onto pages that were read already. An item that one
list loses this way, the other one has. It must never know what becomes of the items.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from etl.api import Api
from etl.crashpoints import reach
from etl.errors import UnexpectedAnswerError
from etl.exporting.lanes import Lane
from etl.records import SortedLines, line_of
from etl.resources import RUN_TEMPLATES, Resource
from etl.tables import string_text

_UNORDERED = frozenset({RUN_TEMPLATES.name})
"""Their list has neither filter nor order (API notes): it is read twice, one time after the other."""
_GONE = b"-"
_ASKED_AT_ONCE = 100
_SPELLED_AT_ONCE = 10
Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class Fetched:
    """What came of it. `count`: items; `twice`: how often one came again; `asked`: how many were asked for by their id,
    because the two lists did not agree; `gone`: how many of these were deleted meanwhile."""

    count: int = 0
    twice: int = 0
    asked: int = 0
    gone: int = 0


@dataclass(slots=True)
class Fetch:
    """One resource on its way into `folder`, which may hold what a process that died had fetched.

    `filters`: one list each (None: without a filter). `change`: what is done to an item before it touches the disk.
    `observe` is told of every page how many items it has.
    """

    api: Api
    resource: Resource
    folder: Path
    filters: tuple[str | None, ...] = (None,)
    change: Change = lambda item: item
    observe: Callable[[int], None] = lambda _count: None
    fetched: Fetched = field(default_factory=Fetched)
    _lanes: list[tuple[Lane, Lane]] = field(default_factory=list)

    async def list_all(self) -> None:
        """Read both lists to their ends. Raises as `Api.pages`."""
        for number in range(len(self.filters)):
            stem = f"{self.resource.name}.{number}"
            self._lanes.append((Lane(self.folder / f"{stem}.up"), Lane(self.folder / f"{stem}.down")))
        work = [self._both(up, down, filter_) for (up, down), filter_ in zip(self._lanes, self.filters, strict=True)]
        try:
            await all_or_none(*work)
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        for up, down in self._lanes:
            up.close()
            down.close()

    async def settle(self, scratch: Path) -> Iterator[bytes]:
        """Each item once as a line of JSON (with its line end), by time of creation, then id.

        Asks for what only one list has. Raises as `Api.get`.
        """
        listed, counted, asked = (SortedLines(scratch) for _ in range(3))
        for up, down in self._lanes:
            for line in up.lines():
                listed.add(line)
            for line in down.lines():
                counted.add(line)
        doubtful = _doubtful(_merged(listed, counted))
        async for line in self._ask(doubtful):
            asked.add(line)
        self._close()
        return self._items(_merged(listed, asked))

    async def _both(self, up: Lane, down: Lane, filter_: str | None) -> None:
        query = {"filter": filter_} if filter_ else {}
        if self.resource.name in _UNORDERED:
            await self._list(up, query, self._whole)
            await self._list(down, query, self._brief)
            return
        await all_or_none(
            self._list(up, query | {"order_by": "create_time"}, self._whole),
            self._list(down, query | {"order_by": "-create_time"}, self._brief),
        )

    async def _list(self, lane: Lane, query: Mapping[str, str], spell: Callable[[dict[str, Any]], bytes]) -> None:
        if spell == self._whole:
            self.observe(lane.count)
        if lane.is_done:
            return
        began_at = lane.token
        try:
            await self._pages(lane, query, spell)
        except UnexpectedAnswerError:
            if began_at is None or lane.token != began_at:
                raise
            lane.begin_again()  # a page token does not live for ever
            await self._pages(lane, query, spell)

    async def _pages(self, lane: Lane, query: Mapping[str, str], spell: Callable[[dict[str, Any]], bytes]) -> None:
        """The next page is on its way while this one is spelled: its token is known as soon as this one is here."""
        token = {"page_token": lane.token} if lane.token else {}
        async with aclosing(self.api.pages(self.resource, {**query, **token})) as pages:
            following = asyncio.ensure_future(anext(pages, None))
            try:
                while (page := await following) is not None:
                    following = asyncio.ensure_future(anext(pages, None))
                    lines: list[bytes] = []
                    for first in range(0, len(page.items), _SPELLED_AT_ONCE):
                        await asyncio.sleep(0)  # requests leave, and answers to others are taken
                        lines += map(spell, page.items[first : first + _SPELLED_AT_ONCE])
                    lane.add(lines, page.next_token)
                    reach("export-page")
                    if spell == self._whole:
                        self.observe(len(page.items))
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    def _whole(self, item: dict[str, Any]) -> bytes:
        """`"create time"⇥"id"⇥"update time"⇥{…}`: as text, in the order that is wanted."""
        head = "\t".join(map(string_text, self._marks(item)))
        return f"{head}\t{line_of(self.resource.name, self.change(item))}\n".encode("utf-8", "backslashreplace")

    def _brief(self, item: dict[str, Any]) -> bytes:
        return ("\t".join(map(string_text, self._marks(item))) + "\n").encode("utf-8", "backslashreplace")

    def _marks(self, item: Mapping[str, Any]) -> tuple[str, str, str]:
        id_ = item.get(self.resource.id_field)
        if not isinstance(id_, str):
            raise UnexpectedAnswerError(f"GET {self.resource.path} answered an item without {self.resource.id_field}.")
        created, updated = (
            next((str(item[key]) for key in keys if item.get(key)), "")
            for keys in (("create_time", "created_at"), ("update_time", "updated_at"))
        )
        return created, id_, updated

    async def _ask(self, doubtful: Iterator[tuple[bytes, str]]) -> AsyncIterator[bytes]:
        """What the API says now of each of these."""
        while some := [one for one, _ in zip(doubtful, range(_ASKED_AT_ONCE), strict=False)]:
            for line in await all_or_none(*(self._ask_one(head, id_) for head, id_ in some)):
                yield line

    async def _ask_one(self, head: bytes, id_: str) -> bytes:
        self.fetched.asked += 1
        answer = await self.api.get(f"{self.resource.path}/{id_}")
        if answer.status == 404:
            self.fetched.gone += 1
            return head + b"\t~\t" + _GONE + b"\n"
        item = answer.body.get(self.resource.singular) if isinstance(answer.body, dict) else None
        if not isinstance(item, dict) or item.get(self.resource.id_field) != id_:
            raise UnexpectedAnswerError(f"GET {self.resource.path}/{id_} did not answer that {self.resource.singular}.")
        line = self._whole(item).split(b"\t", 3)[3]
        return head + b"\t~\t" + line

    def _items(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for head, same in groupby(lines, _head):
            found = list(same)
            # What was asked for by its id has the mark "~" and comes last; else the newest form of it does.
            latest = found[-1].split(b"\t", 3)[3]
            self.fetched.twice += max(0, sum(not line.startswith(b"~", len(head) + 1) for line in found) - 1)
            if latest != _GONE + b"\n":
                self.fetched.count += 1
                yield latest


def _merged(*sorted_lines: SortedLines) -> Iterator[bytes]:
    import heapq

    return heapq.merge(*sorted_lines)


def _head(line: bytes) -> bytes:
    """Time of creation and id."""
    return b"\t".join(line.split(b"\t", 2)[:2])


def _doubtful(lines: Iterator[bytes]) -> Iterator[tuple[bytes, str]]:
    """Items of which the two lists do not say the same: there or not, changed when."""
    for head, same in groupby(lines, _head):
        updates: tuple[set[bytes], set[bytes]] = (set(), set())
        for line in same:
            parts = line.rstrip(b"\n").split(b"\t", 3)
            updates[len(parts) == 4].add(parts[2])
        if updates[0] != updates[1]:
            yield head, json.loads(head.split(b"\t", 1)[1])


async def all_or_none(*work: Any) -> list[Any]:
    """What all of them give; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

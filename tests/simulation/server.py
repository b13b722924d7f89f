"""A model of the API: it commits, loses answers, commits late, shows late, and remembers everything for the judge.

It must never know what a client means to do; the client never sees its history. What a request does is decided when
the last byte of it has arrived, and happens whether or not anybody still waits for the answer.
"""

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

from etl.api import Answer, NoAnswer
from etl.api.answers import Cause
from etl.resources import Contract, Resource
from tests.simulation.echo import echoed
from tests.simulation.loop import Process, current_process
from tests.simulation.weather import Weather

EPOCH = datetime(2026, 11, 22, 4, 15, tzinfo=UTC)
REFUSED_WORD = "refuse me"
"""Every body with this word in it is answered 400."""
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Item:
    """A resource that exists. `maker`: the name of a process of ours, or `others`."""

    id: str
    body: dict[str, Any]
    maker: str
    created: datetime
    committed_s: float
    visible_s: float
    order: int
    deleted: bool = False


@dataclass(slots=True)
class Attempt:
    """One POST in the server's history. `item` is what it made; `heard`: whether its answer was read by somebody."""

    number: int
    process: str
    path: str
    text: bytes
    body: dict[str, Any]
    handed_s: float
    fault: str | None
    item: Item | None = None
    heard: bool = False
    status: int | None = None


@dataclass(slots=True)
class Traffic:
    """What a process sends: how much at once, and whether it waits as long as it was told."""

    in_flight: int = 0
    most_in_flight: int = 0
    gate_s: float = 0.0
    sent_early: int = 0


@dataclass(slots=True)
class _Effect:
    attempt: Attempt
    process: Process | None
    late_s: float
    done: bool = False
    refusal: "tuple[int, str] | None" = None
    orphaned: bool = False


class Server:
    """See the file. `transport` for each process is the server itself: who asks is known from the loop."""

    def __init__(
        self,
        weather: Weather,
        seed: int | str,
        resource: Resource,
        contract: Contract,
        now_s: Callable[[], float],
    ) -> None:
        self.weather = weather
        self.resource = resource
        self.attempts: list[Attempt] = []
        self.items: list[Item] = []
        self.faults: Counter[str] = Counter()
        self.traffic: dict[str, Traffic] = {}
        self.requests = 0
        self._contract = contract
        self._now_s = now_s
        self._random = Random(f"server {seed}")
        self._effects: list[tuple[float, int, _Effect]] = []
        self._deleted = 0
        self._ids = 0

    # What the driver and the judge do.

    def add(self, body: Mapping[str, Any], maker: str, *, ago_s: float = 3600.0) -> Item:
        """Something that exists already, and is shown."""
        item = self._make(dict(body), maker, self._now_s() - ago_s)
        item.visible_s = float("-inf")
        return item

    def intrude(self, body: Mapping[str, Any]) -> Item:
        """Somebody else makes the same now."""
        return self._make(dict(body), "others", self._now_s())

    def finish(self) -> None:
        """Let everything happen that was still to happen."""
        self._apply(float("inf"))

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.weather = self.weather.calm()

    @property
    def digest(self) -> str:
        """The whole history, to be compared with that of another run."""
        return json.dumps(
            [
                [one.number, one.process, one.text.decode(), one.handed_s, one.fault, one.status, one.heard]
                + ([one.item.id, one.item.committed_s] if one.item else [])
                for one in self.attempts
            ]
        )

    # What a client does.

    async def request(
        self, method: str, path: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """One request, once, through whatever weather there is."""
        process = current_process()
        name = process.name if process else "?"
        traffic = self.traffic.setdefault(name, Traffic())
        traffic.in_flight += 1
        traffic.most_in_flight = max(traffic.most_in_flight, traffic.in_flight)
        traffic.sent_early += self._now_s() < traffic.gate_s - 1e-6
        self.requests += 1
        started_s = self._now_s()
        try:
            if method == "POST":
                outcome = await self._post(path, body or b"", process, name)
            else:
                outcome = await self._get(path, dict(query or {}))
        finally:
            traffic.in_flight -= 1
        self._note_gate(outcome, traffic)
        return replace(outcome, elapsed_s=self._now_s() - started_s)

    async def _post(self, path: str, text: bytes, process: Process | None, name: str) -> Answer | NoAnswer:
        fault = self._draw(self.weather.post)
        if fault in {"refused", "connect-timeout"}:
            return await self._not_connected(fault)
        suspensions = process.suspensions if process else 0
        await self._pass(0.5)
        if process is not None and process.suspensions != suspensions:
            return NoAnswer(False, Cause.CONNECT, "No connection within the timeout.")
        attempt = Attempt(len(self.attempts), name, path, text, json.loads(text), self._now_s(), fault)
        self.attempts.append(attempt)
        await self._pass(0.5)
        if process is not None and process.suspensions != suspensions:
            return NoAnswer(True, Cause.BROKEN, "The server did not wait for a request that did not come.")
        # The last byte has arrived: from here on it happens, or not, whoever waits.
        kind, _, when = (fault or "").partition("-")
        takes_s = self._latency_s()
        effect = None
        if when != "before" and kind not in {"429", "401"}:
            effect = _Effect(attempt, process, self._random.uniform(0.0, self.weather.late_s))
            gone_s = self.weather.timeout_s if kind == "timeout" else takes_s
            at_s = self._now_s() + (takes_s * self._random.random() if when != "late" else gone_s + effect.late_s)
            heapq.heappush(self._effects, (at_s, attempt.number, effect))
        outcome = await self._reply(fault or "", takes_s, effect)
        attempt.heard = process is None or process.alive
        attempt.status = outcome.status if isinstance(outcome, Answer) else None
        return outcome

    async def _reply(self, fault: str, takes_s: float, effect: _Effect | None) -> Answer | NoAnswer:
        kind, _, form = fault.partition("-")
        if kind == "timeout":
            await asyncio.sleep(self.weather.timeout_s)
            return NoAnswer(True, Cause.TIMEOUT, "No answer in time.")
        await asyncio.sleep(takes_s)
        if kind == "reset":
            return NoAnswer(True, Cause.BROKEN, "The connection broke.")
        if kind == "redirect" or kind.startswith(("4", "5")):
            return self._refusal(kind, form)
        self._apply(self._now_s())
        if effect is None:
            raise AssertionError(f"no effect and no fault: {kind!r}")
        if effect.refusal is not None:
            return self._error(*effect.refusal)
        if not effect.done or effect.attempt.item is None:
            raise AssertionError("answered before it took effect")
        if kind == "201":
            return self._half_said(form)
        shown = self._shown(effect.attempt.item)
        return self._answer(self.resource.created_status, {self.resource.singular: shown})

    def _refusal(self, kind: str, form: str) -> Answer:
        if kind == "redirect":
            return self._answer(307, None, {"location": "https://elsewhere.example/v1"})
        if kind != "429":
            return self._error(int(kind), "the server is not well")
        headers: dict[str, str] = {}
        wait_s = self._random.choice((1, 2, 7, 30))
        if form == "seconds":
            headers["retry-after"] = str(wait_s)
        elif form == "date":
            until = self._clock() + timedelta(seconds=wait_s)
            headers["retry-after"] = format_datetime(until.replace(microsecond=0), usegmt=True)
        return self._error(429, "slow down", headers)

    def _half_said(self, form: str) -> Answer:
        bodies: dict[str, Any] = {
            "garbage": {"ok": True},
            "no-id": {self.resource.singular: {"status": "created"}},
        }
        return self._answer(self.resource.created_status, bodies.get(form))

    def _draw(self, chances: Mapping[str, float]) -> str | None:
        """The fault that this request meets, if any."""
        now_s = self._now_s()
        outage = next((one for one in self.weather.outages if one.from_s <= now_s < one.to_s), None)
        left = self._random.random()
        fault = None
        if outage is not None:
            fault = outage.kind
        else:
            for kind, chance in chances.items():
                left -= chance
                if left < 0:
                    fault = kind
                    break
        if fault is not None:
            self.faults[fault] += 1
        return fault

    async def _not_connected(self, fault: str) -> NoAnswer:
        await asyncio.sleep(0.01 if fault == "refused" else 10.0)
        return NoAnswer(False, Cause.CONNECT, "No connection could be made.")

    # What happens.

    def _apply(self, until_s: float) -> None:
        """Everything takes effect whose time has come. What its sender left alone by dying comes later."""
        for place, (_, number, effect) in enumerate(self._effects):
            died_s = effect.process.died_at_s if effect.process else None
            if died_s is not None and not effect.orphaned:
                effect.orphaned = True
                self._effects[place] = (died_s + effect.late_s, number, effect)
        heapq.heapify(self._effects)
        while self._effects and self._effects[0][0] <= until_s:
            at_s, _, effect = heapq.heappop(self._effects)
            self._commit(effect, at_s)

    def _commit(self, effect: _Effect, at_s: float) -> None:
        body = effect.attempt.body
        effect.done = True
        if REFUSED_WORD in effect.attempt.text.decode():
            effect.refusal = (400, "that is not allowed")
            return
        name = body.get("customer_agent_id")
        if name and any(item.body.get("customer_agent_id") == name for item in self.items if not item.deleted):
            effect.refusal = (409, "customer_agent_id is taken")
            return
        stamp_s = effect.attempt.handed_s if self.weather.stamped == "arrival" else at_s
        item = self._make(body, effect.attempt.process, stamp_s)
        item.committed_s = at_s
        item.visible_s = at_s + self._random.uniform(0.0, self.weather.lag_s)
        effect.attempt.item = item

    def _make(self, body: dict[str, Any], maker: str, stamp_s: float) -> Item:
        self._ids += 1
        chooser = Random(f"id {self._ids} {self._random.random()}")
        id_ = "".join(chooser.choice(_ALPHABET) for _ in range(self.resource.id_length))
        created = self._clock(stamp_s)
        if self.weather.coarse_time:
            created = created.replace(microsecond=0)
        now_s = self._now_s()
        visible_s = now_s + self._random.uniform(0.0, self.weather.lag_s)
        item = Item(id_, body, maker, created, now_s, visible_s, self._ids)
        self.items.append(item)
        return item

    # What is shown.

    async def _get(self, path: str, query: dict[str, str]) -> Answer | NoAnswer:  # noqa: PLR0911  (one for each end)
        fault = self._draw(self.weather.get)
        if fault in {"refused", "connect-timeout"}:
            return await self._not_connected(fault)
        await self._pass(1.0)
        kind, _, form = (fault or "").partition("-")
        if kind == "timeout":
            await asyncio.sleep(self.weather.timeout_s)
            return NoAnswer(True, Cause.TIMEOUT, "No answer in time.")
        if kind == "reset":
            return NoAnswer(True, Cause.BROKEN, "The connection broke.")
        if kind.startswith(("4", "5")):
            return self._refusal(kind, form)
        self._apply(self._now_s())
        if path != self.resource.path:
            return self._get_one(path.removeprefix(f"{self.resource.path}/"))
        if kind == "token" and "page_token" in query:
            return self._error(400, "page_token: is not known any more")
        page = self._page(query)
        await self._pass(0.5)
        return self._answer(200, None if kind == "cut" else page)

    def _get_one(self, id_: str) -> Answer:
        now_s = self._now_s()
        found = next((item for item in self.items if item.id == id_ and not item.deleted), None)
        if found is None or found.visible_s > now_s:
            return self._error(404, "there is no such thing")
        return self._answer(200, {self.resource.singular: self._shown(found)})

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of the list, newest first. A token is a place or the last id; what comes in between moves the rest."""
        token = json.loads(query["page_token"]) if query.get("page_token") else {}
        if token:
            self._delete_something()
        behind_s = token.get("behind", self._random.uniform(0.0, self.weather.lag_s) if self.weather.flapping else None)
        scope = query.get("filter", "").removeprefix("test_set_id=").strip('"') or None
        now_s = self._now_s()
        shown = [
            item
            for item in self.items
            if not item.deleted
            and (item.visible_s <= now_s if behind_s is None else item.committed_s + behind_s <= now_s or _old(item))
            and (scope is None or item.body.get("test_set_id") == scope)
        ]
        shown.sort(key=lambda item: (item.created, item.order), reverse=True)
        size = min(int(query.get("page_size", "50")), self.weather.page_most)
        start = int(token.get("start", 0))
        if "after" in token:
            after = (token["after"], token["order"])
            start = sum((item.created.isoformat(), item.order) >= tuple(after) for item in shown)
        part = shown[start : start + size]
        page: dict[str, Any] = {self.resource.plural: [self._shown(item) for item in part]}
        if start + size < len(shown):
            following: dict[str, Any] = {"start": start + size}
            if self.weather.paging == "key":
                following = {"after": part[-1].created.isoformat(), "order": part[-1].order}
            page["next_page_token"] = json.dumps(following | ({} if behind_s is None else {"behind": behind_s}))
        return page

    def _delete_something(self) -> None:
        """Now and then somebody deletes something while a list is read: what follows it moves up by one."""
        old = [item for item in self.items if item.maker == "others" and not item.deleted]
        if (
            old
            and self.attempts
            and self._deleted < self.weather.deletions
            and self._random.random() < self.weather.deletion
        ):
            self._deleted += 1
            self.faults["deleted-by-others"] += 1
            max(old, key=lambda item: (item.created, item.order)).deleted = True

    def _shown(self, item: Item) -> dict[str, Any]:
        stamp = "created_at" if self._contract is Contract.V2026_10 else "create_time"
        return {
            self.resource.id_field: item.id,
            stamp: item.created.isoformat().replace("+00:00", "Z"),
        } | echoed(item.body, self.weather.echo, self.resource)

    # Small things.

    def _latency_s(self) -> float:
        return self._random.uniform(*self.weather.latency_s)

    async def _pass(self, share: float) -> None:
        await asyncio.sleep(share * self._latency_s())

    def _clock(self, at_s: float | None = None) -> datetime:
        """The server's own time of day."""
        return EPOCH + timedelta(seconds=(self._now_s() if at_s is None else at_s) + self.weather.skew_s)

    def _answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        own = {"date": format_datetime(self._clock().replace(microsecond=0), usegmt=True)}
        return Answer(status, body, own | dict(headers or {}))

    def _error(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self._answer(status, {"error": {"code": "E", "message": words, "details": []}}, headers)

    def _note_gate(self, outcome: Answer | NoAnswer, traffic: Traffic) -> None:
        if not isinstance(outcome, Answer) or outcome.status != 429:
            return
        text = outcome.headers.get("retry-after", "")
        if text.isdigit():
            traffic.gate_s = max(traffic.gate_s, self._now_s() + float(text))
        elif text:
            until = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
            traffic.gate_s = max(traffic.gate_s, (until - EPOCH).total_seconds() - self.weather.skew_s)


def _old(item: Item) -> bool:
    return item.visible_s == float("-inf")

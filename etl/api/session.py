"""The session: requests, once or as often as it takes, at the pace of the job. It must never know what a row is.

`request` sends once, unpaced, and says what came of it. What can be repeated without harm is repeated here, by the
table of `policy`, within the pace and its budget: `get`, `list`, `pages`, `delete`, `patch`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from etl.api.answers import Answer, NoAnswer, refusal_of
from etl.api.budget import FOR_WRITING, Repeat
from etl.api.pace import Pace
from etl.api.policy import MAX_ATTEMPTS, Meaning, meaning_of
from etl.api.retry_after import http_date
from etl.api.transport import HttpTransport, Target, Transport
from etl.errors import (
    EtlError,
    KeyRefusedError,
    RefusedError,
    StoppedError,
    TlsError,
    UnexpectedAnswerError,
    UnreachableError,
)
from etl.resources import Resource

UNUSABLE_ATTEMPTS = 3
"""How often a 2xx without JSON is asked for: it is rarely a matter of time."""
MAX_PAGES = 1_000_000
Tell = Callable[[str, str, Answer | NoAnswer], None]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `date` is when the API answered, by its own clock; None where it did not say.

    `next_token` asks for the page behind it, as `page_token` of a query; None: it is the last one.
    """

    items: list[dict[str, Any]]
    date: datetime | None
    next_token: str | None = None


class Api:
    """An open session. Use it as an async context manager."""

    def __init__(
        self,
        target: Target,
        connections: int = 16,
        *,
        transport: Transport | None = None,
        pace: Pace | None = None,
        tell: Tell | None = None,
    ) -> None:
        """`connections`: how many may be open at once. `pace`: the job's, which all reads go through.

        `tell` is called after each request with its method, path and outcome.
        """
        self._tell = tell
        self.target = target
        self.pace = pace or Pace(connections)
        self._network = HttpTransport(target, connections) if transport is None else None
        self._transport: Transport | None = transport or self._network

    async def __aenter__(self) -> Self:
        if self._network is not None:
            await self._network.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._network is not None:
            await self._network.__aexit__(kind, error, trace)

    async def request(
        self, method: str, path: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """One request, once and at once: never repeated, never redirected, not paced. `body` is JSON.

        Raises UsageError for a bad URL.
        """
        if self._transport is None:
            raise RuntimeError("an Api has a transport")
        outcome = await self._transport.request(method, path, body, query)
        if self._tell is not None:
            self._tell(method, path, outcome)
        return outcome

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """A GET, asked for again where that may help. The answer is 2xx with a JSON body, or 404.

        Raises KeyRefusedError (401), UnreachableError, TlsError, StoppedError (told to wait too long, or too many
        repeats), UnexpectedAnswerError (anything else).
        """
        outcome, meaning = await self._repeat("GET", path, query=query)
        if meaning in {Meaning.DONE, Meaning.GONE} and isinstance(outcome, Answer):
            return outcome
        raise _error(outcome, meaning, f"GET {path}")

    async def delete(self, path: str) -> Answer:
        """A DELETE, tried until it is known that the resource is gone. The answer is 2xx, or 404 in the API's own form.

        Raises as `get`; a refusal (409: it is in use) is a RefusedError with the API's words. Where an outcome is not
        clear and cannot be looked at either, that is an UnexpectedAnswerError.
        """

        async def gone() -> Answer | None:
            found = await self.get(path)
            return found if found.status == 404 else None

        return await self._until("DELETE", path, None, gone)

    async def patch(self, path: str, body: bytes, landed: Callable[[Any], bool]) -> Answer:
        """A PATCH with absolute values, tried until it is known to have taken effect. The answer is 2xx with JSON.

        `landed` is given the JSON of a GET of the same path, wherever an outcome is not clear, and says whether the
        values are there; if not, they are sent again. Raises as `delete`.
        """

        async def there() -> Answer | None:
            found = await self.get(path)
            return found if found.status != 404 and landed(found.body) else None

        return await self._until("PATCH", path, body, there)

    async def list(self, resource: Resource, query: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list once, page by page. Raises as `pages`: one that ends without an error is complete."""
        seen: set[str] = set()
        async for page in self.pages(resource, query):
            for item in page.items:
                id_ = item.get(resource.id_field)
                if not isinstance(id_, str) or id_ not in seen:
                    yield item
                if isinstance(id_, str):
                    seen.add(id_)

    async def pages(self, resource: Resource, query: Mapping[str, str] | None = None) -> AsyncGenerator[Page]:
        """A list page by page; whoever has seen enough may stop. An item may come twice where the list shifts.

        Raises as `get`, and UnexpectedAnswerError for a list that is none, has no end, or repeats a page token: a
        listing that raises is not complete. (A 400 to a page token that has expired is one of these.)
        """
        asked = {"page_size": str(resource.page_size_max)} | dict(query or {})
        what = f"GET {resource.path}"
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            answer = await self.get(resource.path, asked)
            items = _items(answer, resource, int(asked["page_size"]))
            token = answer.body.get("next_page_token") or None
            if not isinstance(token, str | None):
                raise UnexpectedAnswerError(f"{what} gave a page token that is no text.")
            yield Page(items, http_date(answer.headers.get("date", "")), token)
            if token is None:
                return
            if token in seen:
                raise UnexpectedAnswerError(f"{what} gave the same page token twice.")
            seen.add(token)
            asked["page_token"] = token
        raise UnexpectedAnswerError(f"{what} has not ended after {MAX_PAGES} pages.")

    async def _until(self, method: str, path: str, body: bytes | None, look: Callable[[], Any]) -> Answer:
        """Try what changes something until it is clear; `look` reads whether it has happened already."""
        what = f"{method} {path}"
        for attempt in range(1, MAX_ATTEMPTS + 1):
            outcome, meaning = await self._repeat(method, path, body)
            if isinstance(outcome, Answer) and (meaning is Meaning.DONE or _is_gone(outcome, meaning)):
                return outcome
            if meaning in {Meaning.READ_BACK, Meaning.CONFLICT}:
                try:
                    found = await look()
                except RefusedError as error:  # the look was refused, not what was sent
                    words = f"What became of {what} cannot be seen: {error.message}"
                    raise UnexpectedAnswerError(words) from None
                if isinstance(found, Answer):
                    return found
            if meaning is not Meaning.READ_BACK or attempt == MAX_ATTEMPTS:
                break
            self._spend(Repeat.TRANSIENT)
            await self.pace.clock.sleep(self.pace.clock.backoff_s(attempt))
        raise _error(outcome, meaning, what)

    async def _repeat(
        self, method: str, path: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> tuple[Answer | NoAnswer, Meaning]:
        """One request, again while that is free of harm and may help. Raises what the pace gave up with."""
        attempts = 0
        while True:
            outcome = await self._paced(method, path, body, query)
            meaning = meaning_of(method, outcome, usable=_usable(method, outcome))
            if meaning is Meaning.WAIT:
                self._spend(Repeat.THROTTLE)
                continue
            if meaning is not Meaning.AGAIN:
                return outcome, meaning
            if isinstance(outcome, NoAnswer) and not outcome.sent:
                continue
            attempts += 1
            unusable = isinstance(outcome, Answer) and outcome.status < 300
            if attempts >= (UNUSABLE_ATTEMPTS if unusable else MAX_ATTEMPTS):
                return outcome, meaning
            if not self.pace.budget.spend(Repeat.TRANSIENT, FOR_WRITING):
                return outcome, meaning  # whoever asked may have more patience
            await self.pace.clock.sleep(self.pace.clock.backoff_s(attempts))

    async def _paced(
        self, method: str, path: str, body: bytes | None, query: Mapping[str, str] | None
    ) -> Answer | NoAnswer:
        place = await self.pace.enter(read=True)
        if place is None:
            raise self.pace.gave_up or StoppedError("Nothing more is to be sent.")
        outcome: Answer | NoAnswer | None = None
        try:
            outcome = await self.request(method, path, body, query)
        finally:
            self.pace.leave(place, outcome)
        return outcome

    def _spend(self, repeat: Repeat) -> None:
        if not self.pace.budget.spend(repeat):
            raise StoppedError("Too many requests had to be repeated.", "Carry on later.")


def _usable(method: str, outcome: Answer | NoAnswer) -> bool:
    """Whether a 2xx has what was asked for: JSON. A DELETE may answer nothing at all, if it says so."""
    if not isinstance(outcome, Answer):
        return False
    return outcome.body is not None or (method == "DELETE" and outcome.status == 204)


def _is_gone(answer: Answer, meaning: Meaning) -> bool:
    """Whether the API itself says so: a 404 of somebody else (a proxy, a wrong base URL) proves nothing."""
    return meaning is Meaning.GONE and bool(refusal_of(answer).code)


def _items(answer: Answer, resource: Resource, page_size: int) -> list[dict[str, Any]]:
    items = answer.body.get(resource.plural) if isinstance(answer.body, dict) else None
    if answer.status == 404 or not isinstance(items, list):
        raise UnexpectedAnswerError(f"GET {resource.path} did not answer a list of {resource.name}.")
    if not all(isinstance(item, dict) for item in items):
        raise UnexpectedAnswerError(f"GET {resource.path} answered a list of something else.")
    if len(items) > page_size:
        raise UnexpectedAnswerError(
            f"GET {resource.path} answered {len(items)} items where {page_size} were asked for."
        )
    return items


def _error(outcome: Answer | NoAnswer, meaning: Meaning, what: str) -> EtlError:
    """Why it cannot go on after an outcome."""
    if isinstance(outcome, NoAnswer):
        if meaning is Meaning.TLS:
            return TlsError(outcome.explanation, "For a private certificate authority give --ca-bundle FILE.")
        return UnreachableError(outcome.explanation, "Check the base URL and the network, then try again.")
    if meaning is Meaning.KEY_REFUSED:
        return KeyRefusedError("The API refused the key (401).", "Check COVAL_API_KEY and that it belongs to this API.")
    if meaning is Meaning.REDIRECTED:
        return UnexpectedAnswerError(
            f"{what} was redirected ({outcome.status}).", "Redirects are not followed: they could carry the key away."
        )
    if outcome.status < 300:
        return UnexpectedAnswerError(f"{what} was answered, but not with JSON.", "Is the base URL that of the API?")
    refusal = refusal_of(outcome)
    return RefusedError(f"{what} was answered {outcome.status}: {refusal.message}", outcome.status, refusal.field)

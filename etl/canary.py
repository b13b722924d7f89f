"""Canary: a few rows go first, are read back and compared, and a person is asked before the others follow.

It must never know how a row is sent, nor how a question reaches a person.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from etl.api import Api
from etl.errors import StoppedError
from etl.ledger import RowKey
from etl.quoting import quote_value
from etl.report import Outcome
from etl.resources import Contract, Resource
from etl.writer import Delivered, Likeness, Outgoing, update_of

_LANDED = frozenset({Outcome.CREATED, Outcome.UPDATED})
_SHOWN = 5


class Canary:
    """The first `rows` of a job. `stop` is told where the others must not follow."""

    def __init__(
        self, rows: int, api: Api, confirm: Callable[[str], bool], stop: Callable[[StoppedError], None]
    ) -> None:
        self._left = rows
        self._api = api
        self._confirm = confirm
        self._stop = stop
        self._waiting: dict[RowKey, tuple[Outgoing, Resource]] = {}
        self._heard: list[tuple[Outgoing, Resource, Delivered]] = []
        self._news = asyncio.Event()
        self._over = rows == 0

    async def paced(
        self, rows: AsyncIterator[Outgoing], resource: Resource, contract: Contract
    ) -> AsyncGenerator[Outgoing, None]:
        """The same rows; those that follow the first wait until these have landed and somebody has looked."""
        async for row in rows:
            if not self._over and self._left == 0:
                await self._look(contract)
            if not self._over:
                self._left -= 1
                self._waiting[row.key] = row, resource
            yield row

    def hearing(self, receive: Callable[[Delivered], None]) -> Callable[[Delivered], None]:
        """The same listener; what became of the first rows is heard here as well."""

        def heard(delivered: Delivered) -> None:
            receive(delivered)
            if not delivered.open and (waited := self._waiting.pop(delivered.key, None)) is not None:
                self._heard.append((*waited, delivered))
                self._news.set()

        return heard

    async def _look(self, contract: Contract) -> None:
        while self._waiting:
            self._news.clear()
            await self._news.wait()
        self._over = True
        landed = [heard for heard in self._heard if heard[2].outcome in _LANDED and heard[2].resource_id is not None]
        odd = [
            words
            for row, resource, one in landed
            for words in await self._differences(row, one, resource, Likeness(resource, contract))
        ]
        many = len(self._heard)
        first = "The first row" if many == 1 else f"The first {many} rows"
        if len(landed) < many:
            said = f"{many - len(landed)} of the first {many} rows did not land; the report says why."
        elif odd:
            said = f"{first} did not come back as sent: {'; '.join(odd[:_SHOWN])}."
        else:
            said = f"{first} landed, and came back as sent."
        if (odd or len(landed) < many) or not self._confirm(f"{said} Send the others?"):
            self._stop(
                StoppedError(
                    f"{said} The others were not sent.", "Look at them in Coval; coval-etl resume sends the others."
                )
            )

    async def _differences(
        self, row: Outgoing, delivered: Delivered, resource: Resource, likeness: Likeness
    ) -> list[str]:
        """What the API gives back otherwise than it was sent. Fields that it does not give back say nothing."""
        answer = await self._api.get(f"{resource.path}/{delivered.resource_id}")
        item = answer.body.get(resource.singular) if isinstance(answer.body, dict) else None
        if not isinstance(item, dict):
            return [f"{delivered.resource_id} is not there"]
        body = row.update.body if row.update is not None else row.body
        after = update_of(body, item, resource, likeness).after
        return [
            f"{name} is {quote_value(name, item[name])}, not {quote_value(name, json.loads(text))}"
            for name, text in after.items()
            if name in item
        ]

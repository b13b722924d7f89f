"""Changing one thing that is there: written down with what it was before, sent, read back where that is not clear.

A PATCH says the same however often it is sent. It must never know other rows.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from etl.api import Answer, Api
from etl.crashpoints import reach
from etl.errors import EtlError, RefusedError
from etl.ledger import Change, State
from etl.problems import Code
from etl.report import Outcome
from etl.resources import Contract, Resource
from etl.resources.dialects import other, respelled, spelled_in
from etl.writer.differing import update_of
from etl.writer.likeness import Likeness, version_of
from etl.writer.rows import Delivered, Outgoing, Traffic, Update
from etl.writer.sending import change_of
from etl.writer.spelling import Spelling


class Updater:
    """Sends what rows change. `note` writes down, and says whether it did; `stop` is told what ends the job."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        contract: Contract,
        spelling: Spelling,
        traffic: Traffic,
        note: Callable[[Change], Awaitable[bool]],
        stop: Callable[[EtlError], None],
    ) -> None:
        self._api = api
        self._resource = resource
        self._likeness = Likeness(resource, contract)
        self._spelling = spelling
        self._traffic = traffic
        self._note = note
        self._stop = stop

    async def update(self, row: Outgoing, update: Update) -> Delivered:
        """One row, to its end. What stops the job leaves the row pending: it may be sent again."""
        id_ = update.resource_id
        before = json.dumps(update.before)
        if not update.after:  # a row of ours that was in doubt: it is there
            return await self._end(Delivered(row.key, Outcome.CREATED, id_, row.doubt.attempts if row.doubt else 0))
        intent = Change(row.key, State.SENDING, row.body_sha256, resource_id=id_, evidence=before)
        if not await self._note(intent):
            return Delivered(row.key, Outcome.PENDING)
        reach("update-intended")
        try:
            answer = await self._patch(update)
        except RefusedError as error:
            self._traffic.sent += 1
            self._traffic.by_status[error.status] += 1
            words = f"The API refused the change ({error.status}): {error.message.partition(': ')[2]}"
            failed = Delivered(row.key, Outcome.FAILED, None, 1, error.status, Code.API_REFUSED, error.field, words)
            return await self._end(failed)
        except EtlError as error:
            self._stop(error)
            return await self._end(Delivered(row.key, Outcome.PENDING, None, 1))
        self._traffic.sent += 1
        self._traffic.by_status[answer.status] += 1
        reach("updated")
        item = answer.body.get(self._resource.singular) if isinstance(answer.body, dict) else None
        done = Delivered(row.key, Outcome.UPDATED, id_, 1, answer.status)
        return await self._end(done, version_of(item if isinstance(item, dict) else {}), before)

    async def _patch(self, update: Update) -> Answer:
        """The change, in the words of the contract; once more in those of the other one where it is refused for them.

        Raises what `Api.patch` raises.
        """
        path, body = f"{self._resource.path}/{update.resource_id}", update.body
        try:
            return await self._api.patch(path, body, lambda found: self._is_done(body, found))
        except RefusedError as error:
            sent = spelled_in(self._resource.name, body)
            if sent is None or not self._spelling.learns_from_error(self._resource, error, body):
                raise
            fields = respelled(self._resource.name, json.loads(body), other(sent))
            self._traffic.sent += 1
            self._traffic.by_status[error.status] += 1
            self._traffic.retried += 1
            again = json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
            return await self._api.patch(path, again, lambda found: self._is_done(again, found))

    async def _end(self, delivered: Delivered, version: str | None = None, before: str | None = None) -> Delivered:
        change = change_of(delivered, version)
        await self._note(change if before is None else change._replace(evidence=before))
        reach("update-recorded")
        return delivered

    def _is_done(self, sent: bytes, found: Any) -> bool:
        """Whether a GET shows what was sent."""
        item = found.get(self._resource.singular) if isinstance(found, dict) else None
        return isinstance(item, dict) and not update_of(sent, item, self._resource, self._likeness).after

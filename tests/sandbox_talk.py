"""How the sandbox's tests talk to it: paths and bodies in, statuses and answers out."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from etl.resources import Contract
from etl.sandbox import RunningSandbox, running_sandbox

METRIC = "iM5lM1oRs4zTu7wY0aBdEe"
"""One of the sandbox's metrics."""


class Talk:
    """A client that says paths and bodies and hears statuses and answers."""

    def __init__(self, sandbox: RunningSandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    async def say(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None, workspace: str = ""
    ) -> tuple[int, Any]:
        headers = {"X-Coval-Workspace-Id": workspace} if workspace else {}
        sent = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        async with self.session.request(
            method, f"{self.sandbox.base_url}{path}", params=query, headers=headers, **sent
        ) as response:
            assert response.headers["X-Request-Id"]
            return response.status, await response.json() if response.status != 204 else None

    async def make(self, path: str, body: dict[str, Any], **scope: str) -> dict[str, Any]:
        status, answer = await self.say("POST", path, body, **scope)
        assert status in {200, 201}, answer
        (resource,) = answer.values()
        return dict(resource)

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        status, answer = await self.say("GET", path, query=query)
        assert status == 200, answer
        return list(next(value for key, value in answer.items() if key != "next_page_token"))


@asynccontextmanager
async def talking(contract: Contract = Contract.V2025_10, db: Path | None = None) -> AsyncIterator[Talk]:
    async with (
        running_sandbox(contract=contract, db=db) as sandbox,
        aiohttp.ClientSession(headers={"X-API-Key": sandbox.key}) as session,
    ):
        yield Talk(sandbox, session)


async def parents(talk: Talk) -> dict[str, str]:
    agent = {"display_name": "A", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
    return {
        "test_set_id": (await talk.make("/test-sets", {"display_name": "Set"}))["id"],
        "agent_id": (await talk.make("/agents", agent))["id"],
        "persona_id": (await talk.make("/personas", {"name": "P", "voice_name": "aria", "language_code": "en"}))["id"],
    }


def fields_of(answer: dict[str, Any]) -> list[str]:
    return [detail["field"] for detail in answer["error"]["details"]]

"""Deleting something that a job created, unless somebody changed it since.

It must never know why it is to go, nor what is written down of it.
"""

from collections.abc import Collection, Mapping
from typing import Any

from etl.api import Answer, Api
from etl.crashpoints import reach
from etl.resources import TEST_CASES, TEST_SETS, Resource
from etl.writer import version_of

Item = Mapping[str, Any]


async def read_item(api: Api, resource: Resource, id_: str) -> Item | None:
    """Something as it is now; None where the API says that it is gone. Raises what `Api.get` raises."""
    answer = await api.get(f"{resource.path}/{id_}")
    if answer.status == 404:
        return None
    item = answer.body.get(resource.singular) if isinstance(answer.body, dict) else None
    return item if isinstance(item, dict) else {}


async def why_kept(
    api: Api, resource: Resource, item: Item, version: str | None, *, going: Collection[str] = (), changed: bool = True
) -> str:
    """Why something must not be deleted; empty where it may be.

    `version`: when it was changed last, as far as we know (None: when it was created). `going`: the ids of test cases
    that are deleted before it. `changed`: whether it counts that somebody changed it. Raises what `Api.list` raises.
    """
    now = version_of(item)
    before = version or item.get("create_time") or item.get("created_at")
    if changed and now is not None and now != before:
        return f"it was changed since ({now})"
    if resource is TEST_SETS:
        query = {"filter": f"test_set_id={item.get(resource.id_field)}"}
        async for case in api.list(TEST_CASES, query):
            if case.get(TEST_CASES.id_field) not in going:
                return "there are test cases in it"
    return ""


async def delete(api: Api, resource: Resource, id_: str) -> Answer:
    """Delete it, until it is known to be gone. Raises what `Api.delete` raises."""
    reach("before-delete")
    answer = await api.delete(f"{resource.path}/{id_}")
    reach("deleted")
    return answer

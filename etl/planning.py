"""What would be done: this file against that organisation. Nothing is written here.

It must never know how rows are sent, only how many requests that takes.
"""

import re
from dataclasses import dataclass

from etl.api import Api
from etl.errors import UsageError
from etl.resources import TEST_SETS, Resource

PROBABLE_REQUEST_S = 0.1
"""What one request is assumed to take before any was made: a guess for the plan, said as one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run's answer, in requests and time at this pace."""

    requests: int
    seconds: float


def plan_requests(creates: int, concurrency: int, rate_per_s: float | None) -> Plan:
    """How many requests so many creates take, and about how long."""
    per_s = concurrency / PROBABLE_REQUEST_S
    return Plan(creates, creates / min(per_s, rate_per_s or per_s))


async def find_test_set(api: Api, wanted: str) -> str | None:
    """The id of the test set that is meant by an id, a display name or a slug; None where there is none.

    Raises UsageError where several have that name.
    """
    if re.fullmatch(r"[A-Za-z0-9]{8}", wanted):
        answer = await api.get(f"{TEST_SETS.path}/{wanted}")
        if answer.status == 200:
            return wanted
    named = [item async for item in api.list(TEST_SETS) if wanted in (item.get("display_name"), item.get("slug"))]
    if len(named) > 1:
        ids = ", ".join(str(item["id"]) for item in named)
        raise UsageError(f"{len(named)} test sets are called {wanted!r}: {ids}.", "Give the id with --test-set.")
    return str(named[0]["id"]) if named else None


def parents_of(resource: Resource) -> tuple[str, ...]:
    """The fields of a resource whose absence at the API dooms every row that names the same id."""
    return tuple(one.path for one in resource.references if "." not in one.path and not one.path.endswith("_ids"))

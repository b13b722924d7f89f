"""What rows need before they can be created: the test set they go into, found by name or made when that is allowed.

It must never know files or rows.
"""

import json

from etl.api import Answer, Api, refusal_of
from etl.errors import UnexpectedAnswerError, UsageError
from etl.resources import TEST_SETS, Resource
from etl.writer import stored_id


async def find_test_set(api: Api, wanted: str) -> str | None:
    """The id of the test set that is meant by an id, a display name or a slug; None where there is none.

    Raises UsageError where several have that name, and what `Api.get` raises.
    """
    if TEST_SETS.is_id(wanted):
        answer = await api.get(f"{TEST_SETS.path}/{wanted}")
        if answer.status == 200:
            return wanted
    named = [item async for item in api.list(TEST_SETS) if wanted in (item.get("display_name"), item.get("slug"))]
    if len(named) > 1:
        ids = ", ".join(str(item["id"]) for item in named)
        raise UsageError(f"{len(named)} test sets are called {wanted!r}: {ids}.", "Give the id with --test-set.")
    return str(named[0]["id"]) if named else None


async def create_test_set(api: Api, name: str) -> str:
    """Create a test set; its id. It is asked for once: after a lost answer it is looked up by its name.

    Raises UnexpectedAnswerError where it was refused or cannot be found, and what `Api.get` raises.
    """
    outcome = await api.request("POST", TEST_SETS.path, json.dumps({"display_name": name}).encode())
    if isinstance(outcome, Answer) and outcome.status == TEST_SETS.created_status:
        created = stored_id(outcome.body, TEST_SETS)
        if created is not None:
            return created
    found = await find_test_set(api, name)
    if found is not None:
        return found
    words = refusal_of(outcome).message if isinstance(outcome, Answer) else outcome.explanation
    raise UnexpectedAnswerError(f"The test set {name!r} could not be created: {words}", "No test case was sent.")


def parents_of(resource: Resource) -> tuple[str, ...]:
    """The fields of a resource whose absence at the API dooms every row that names the same id."""
    return tuple(one.path for one in resource.references if "." not in one.path and not one.path.endswith("_ids"))

"""What rows need before they can be created: the test set they go into, found by name or made when that is allowed.

It must never know files or rows.
"""

import json

from etl.api import Answer, Api, Meaning, NoAnswer, meaning_of, refusal_of, stored_id
from etl.crashpoints import reach
from etl.errors import KeyRefusedError, StoppedError, UnexpectedAnswerError, UsageError
from etl.mapping import NameBook
from etl.resources import TEST_SETS, Resource

ATTEMPTS = 8
"""How often a test set is tried to be created."""


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


async def read_book(api: Api, resource: Resource, advice: str) -> NameBook:
    """The names of all items of a resource. Raises what `Api.list` raises."""
    items = [item async for item in api.list(resource)]
    named = [
        (str(item[resource.id_field]), [str(item[name]) for name in resource.names if item.get(name)]) for item in items
    ]
    return NameBook.of(resource.singular.replace("_", " "), named, advice)


async def create_test_set(api: Api, name: str) -> str:
    """Create a test set; its id. Its slug is unique: after a lost answer it is looked up, and only then tried again.

    Raises UnexpectedAnswerError where it is refused or every try fails, KeyRefusedError, and what `Api.get` raises.
    """
    body = json.dumps({"display_name": name}).encode()
    words = ""
    for attempt in range(1, ATTEMPTS + 1):
        outcome = await _post(api, TEST_SETS.path, body)
        id_ = stored_id(outcome.body, TEST_SETS) if isinstance(outcome, Answer) else None
        meaning = meaning_of("POST", outcome, usable=id_ is not None)
        if meaning is Meaning.STORED and id_ is not None:
            reach("test-set-created")
            return id_
        if meaning is Meaning.KEY_REFUSED:
            raise KeyRefusedError("The API refused the key (401).", "Check COVAL_API_KEY.")
        words = refusal_of(outcome).message if isinstance(outcome, Answer) else outcome.explanation
        if meaning in {Meaning.WAIT, Meaning.AGAIN}:
            continue
        found = await find_test_set(api, name)
        if found is not None:
            return found
        if meaning not in {Meaning.DOUBT, Meaning.STORED_WITHOUT_ID}:
            break
        await api.pace.pause(api.pace.clock.backoff_s(attempt))
    raise UnexpectedAnswerError(f"The test set {name!r} could not be created: {words}", "No test case was sent.")


async def _post(api: Api, path: str, body: bytes) -> Answer | NoAnswer:
    """One POST, in its turn."""
    place = await api.pace.enter()
    if place is None:
        raise api.pace.gave_up or StoppedError("Nothing more is to be sent.")
    outcome: Answer | NoAnswer | None = None
    try:
        outcome = await api.request("POST", path, body)
    finally:
        api.pace.leave(place, outcome)
    return outcome


def parents_of(resource: Resource) -> tuple[str, ...]:
    """The fields of a resource whose absence at the API dooms every row that names the same id."""
    return tuple(one.path for one in resource.references if "." not in one.path and not one.path.endswith("_ids"))

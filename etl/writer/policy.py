"""What an outcome of a POST means, as data. It must never know rows, time or retries.

The table is the one of the delivery page, "What each outcome means". "Not sent" means that no connection had been
handed to the request; exception types cannot tell.
"""

from enum import StrEnum
from typing import Any

from etl.api import Answer, NoAnswer
from etl.resources import Resource


class Meaning(StrEnum):
    """What to believe, and what to do."""

    STORED = "stored"
    """The resource exists and its id is known."""
    STORED_WITHOUT_ID = "stored_without_id"
    """2xx without a usable id: it exists, its id is unknown. Never sent again."""
    REFUSED = "refused"
    """Refused without effect: the row is wrong."""
    AGAIN = "again"
    """Proved not sent: again, with backoff."""
    WAIT = "wait"
    """Told to slow down, without effect: everybody waits, then again."""
    DOUBT = "doubt"
    """It may or may not have been stored."""
    KEY_REFUSED = "key_refused"
    """The key is not accepted: stop, the row was not stored."""
    FORBIDDEN = "forbidden"
    """A single one is the row's; three running are the key's."""
    TLS = "tls"
    """No trust: stop."""
    REDIRECTED = "redirected"
    """A redirect can follow an executed POST, or mean a wrong host: stop, the row is in doubt."""


_BY_STATUS: dict[int, Meaning] = {
    401: Meaning.KEY_REFUSED,
    403: Meaning.FORBIDDEN,
    408: Meaning.DOUBT,
    425: Meaning.WAIT,
    429: Meaning.WAIT,
}

_BY_HUNDRED: dict[int, Meaning] = {3: Meaning.REDIRECTED, 4: Meaning.REFUSED, 5: Meaning.DOUBT}


def meaning_of(outcome: Answer | NoAnswer, resource: Resource) -> Meaning:
    """What the outcome of a POST of this resource means."""
    if isinstance(outcome, NoAnswer):
        if outcome.sent:
            return Meaning.DOUBT
        return Meaning.TLS if outcome.cause == "tls" else Meaning.AGAIN
    if 200 <= outcome.status < 300:
        return Meaning.STORED if stored_id(outcome.body, resource) else Meaning.STORED_WITHOUT_ID
    return _BY_STATUS.get(outcome.status) or _BY_HUNDRED.get(outcome.status // 100, Meaning.DOUBT)


def stored_id(body: Any, resource: Resource) -> str | None:
    """The id in a create answer `{"test_case": {"id": …}}`; None where it is absent or not of an id's form."""
    item = body.get(resource.singular) if isinstance(body, dict) else None
    found = item.get(resource.id_field) if isinstance(item, dict) else None
    return found if isinstance(found, str) and resource.is_id(found) else None

"""What an outcome of a request means, as data: one table for POST, PATCH, DELETE and GET.

It must never know rows, time or retries. The table is the one of the delivery page, "What each outcome means"; where
that is silent (501, 505, and that 405 and 410 are hardly one row's) it is the failure model's. "Not sent" means that no
connection had been handed to the request; exception types cannot tell.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from etl.api.answers import Answer, Cause, NoAnswer
from etl.resources import Resource

MAX_ATTEMPTS = 6
"""How often one thing is tried. Told to wait is no attempt, and neither is what never left this machine."""


class Meaning(StrEnum):
    """What to believe, and what to do."""

    STORED = "stored"
    """POST: the resource exists and its id is known."""
    STORED_WITHOUT_ID = "stored_without_id"
    """POST: 2xx without a usable id: it exists, its id is unknown. Never sent again."""
    DONE = "done"
    """PATCH, DELETE: it took effect. GET: here is what was asked for."""
    READ_BACK = "read_back"
    """PATCH, DELETE: it may have taken effect: read, and only then try again."""
    DOUBT = "doubt"
    """POST: it may or may not have been stored."""
    AGAIN = "again"
    """Proved to have no effect: not sent, or a GET. Again, with backoff."""
    WAIT = "wait"
    """Told to slow down, without effect: everybody waits, then again."""
    REFUSED = "refused"
    """Refused without effect: the row is wrong, or the question."""
    CONFLICT = "conflict"
    """409, without effect: something is in the way, perhaps our own earlier resource: look, then it is refused."""
    GONE = "gone"
    """DELETE, GET: it is not there."""
    KEY_REFUSED = "key_refused"
    """The key is not accepted: stop, it had no effect."""
    FORBIDDEN = "forbidden"
    """Without effect. A single one is the row's; three running are the key's: stop."""
    MISPLACED = "misplaced"
    """405, 410, without effect. A single one is the row's (POST: failed); three running are the URL's or the version's:
    stop."""
    UNSUPPORTED = "unsupported"
    """501, 505: no server of this API says so: stop. A 5xx proves nothing, so a POST's row is in doubt."""
    TLS = "tls"
    """No trust, nothing sent: stop."""
    REDIRECTED = "redirected"
    """A redirect can follow an executed request, or mean a wrong host: stop, a POST's row is in doubt."""


class Kind(StrEnum):
    """Outcomes that no single status tells."""

    USABLE = "2xx, valid body"
    UNUSABLE = "2xx without what was asked for"
    NOT_SENT = "not sent"
    NO_TRUST = "TLS failure, not sent"
    REDIRECT = "3xx"
    REFUSAL = "other 4xx"
    ANYTHING_ELSE = "no answer after the hand-over, other 5xx, statuses that do not exist"


class Row(NamedTuple):
    """Outcomes, and what they mean for each method."""

    outcomes: tuple[Kind | int, ...]
    post: Meaning
    patch: Meaning
    delete: Meaning
    get: Meaning


_M = Meaning

TABLE: tuple[Row, ...] = (
    Row((Kind.USABLE,), _M.STORED, _M.DONE, _M.DONE, _M.DONE),
    Row((Kind.UNUSABLE,), _M.STORED_WITHOUT_ID, _M.READ_BACK, _M.READ_BACK, _M.AGAIN),
    Row((Kind.NOT_SENT,), _M.AGAIN, _M.AGAIN, _M.AGAIN, _M.AGAIN),
    Row((Kind.NO_TRUST,), _M.TLS, _M.TLS, _M.TLS, _M.TLS),
    Row((425, 429), _M.WAIT, _M.WAIT, _M.WAIT, _M.WAIT),
    Row((400, 412, 413, 415, 422), _M.REFUSED, _M.REFUSED, _M.REFUSED, _M.REFUSED),
    Row((404,), _M.REFUSED, _M.REFUSED, _M.GONE, _M.GONE),
    Row((409,), _M.CONFLICT, _M.CONFLICT, _M.REFUSED, _M.REFUSED),
    Row((401,), _M.KEY_REFUSED, _M.KEY_REFUSED, _M.KEY_REFUSED, _M.KEY_REFUSED),
    Row((403,), _M.FORBIDDEN, _M.FORBIDDEN, _M.FORBIDDEN, _M.FORBIDDEN),
    Row((405, 410), _M.MISPLACED, _M.MISPLACED, _M.MISPLACED, _M.MISPLACED),
    Row((Kind.REFUSAL,), _M.REFUSED, _M.REFUSED, _M.REFUSED, _M.REFUSED),
    Row((Kind.REDIRECT,), _M.REDIRECTED, _M.REDIRECTED, _M.REDIRECTED, _M.REDIRECTED),
    Row((408, 500, 502, 503, 504), _M.DOUBT, _M.READ_BACK, _M.READ_BACK, _M.AGAIN),
    Row((501, 505), _M.UNSUPPORTED, _M.UNSUPPORTED, _M.UNSUPPORTED, _M.UNSUPPORTED),
    Row((Kind.ANYTHING_ELSE,), _M.DOUBT, _M.READ_BACK, _M.READ_BACK, _M.AGAIN),
)

_COLUMNS: Mapping[str, Mapping[Kind | int, Meaning]] = MappingProxyType(
    {
        method: MappingProxyType({outcome: getattr(row, method.lower()) for row in TABLE for outcome in row.outcomes})
        for method in ("POST", "PATCH", "DELETE", "GET")
    }
)


def meaning_of(method: str, outcome: Answer | NoAnswer, *, usable: bool) -> Meaning:
    """What the outcome of a request means. `usable`: a 2xx has what was asked for (POST: an id of the right form).

    Raises KeyError for a method that has no column.
    """
    column = _COLUMNS[method]
    if isinstance(outcome, Answer) and outcome.status in column:
        return column[outcome.status]
    return column[_kind_of(outcome, usable=usable)]


def _kind_of(outcome: Answer | NoAnswer, *, usable: bool) -> Kind:
    if isinstance(outcome, NoAnswer):
        if outcome.sent:
            return Kind.ANYTHING_ELSE
        return Kind.NO_TRUST if outcome.cause is Cause.TLS else Kind.NOT_SENT
    hundred = outcome.status // 100
    if hundred == 2:
        return Kind.USABLE if usable else Kind.UNUSABLE
    return {3: Kind.REDIRECT, 4: Kind.REFUSAL}.get(hundred, Kind.ANYTHING_ELSE)


class Strain(StrEnum):
    """What an outcome says about the API's load, whatever the method."""

    UNREACHED = "unreached"
    """No connection could be made."""
    THROTTLED = "throttled"
    """Asked to slow down."""
    OVERLOADED = "overloaded"
    """It cannot keep up: no answer in time, or a server that says so."""
    CALM = "calm"
    """It answered."""
    UNKNOWN = "unknown"
    """A broken connection or a failed handshake says nothing about load."""


_OVERLOADED = frozenset({408, 503, 504})


def strain_of(outcome: Answer | NoAnswer) -> Strain:
    """What the outcome says about load."""
    if isinstance(outcome, NoAnswer):
        if not outcome.sent:
            return Strain.UNKNOWN if outcome.cause is Cause.TLS else Strain.UNREACHED
        return Strain.OVERLOADED if outcome.cause is Cause.TIMEOUT else Strain.UNKNOWN
    if meaning_of("GET", outcome, usable=True) is Meaning.WAIT:
        return Strain.THROTTLED
    return Strain.OVERLOADED if outcome.status in _OVERLOADED else Strain.CALM


def stored_id(body: Any, resource: Resource) -> str | None:
    """The id in a create answer `{"test_case": {"id": …}}`; None where it is absent or not of an id's form."""
    item = body.get(resource.singular) if isinstance(body, dict) else None
    found = item.get(resource.id_field) if isinstance(item, dict) else None
    return found if isinstance(found, str) and resource.is_id(found) else None

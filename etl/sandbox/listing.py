"""What a list request asks for: page size, page token, order and filter, made into a search of the store.

It must never know what a resource's fields hold, nor how an answer looks. The language is that of the API notes
("Lists"): `filter` is `field=value AND other>="…"` with = != > >= < <= (OR too, which binds less; the vendor's client
documents it); `order_by` is `create_time`, `-create_time` (the default) or `create_time desc`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.sandbox.replies import RefusedError
from etl.sandbox.store import Search, Stored

PAGE_SIZE = 50
"""The default (API notes)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = {"create_time": "created_us", "update_time": "updated_us"}


@dataclass(frozen=True, slots=True)
class Askable:
    """Which fields of a resource a filter and an order may name, beside `create_time` and `update_time`."""

    filters: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()


ASKABLE: Mapping[str, Askable] = {
    "agents": Askable(("model_type", "display_name"), ("model_type", "display_name")),
    "test-sets": Askable(("test_set_type", "display_name", "slug"), ("display_name",)),
    "test-cases": Askable(("test_set_id", "input_type")),
    "personas": Askable(("name",), ("name",)),
    "runs": Askable(
        ("status", "agent_id", "persona_id", "test_set_id"), ("status", "agent_id", "persona_id", "test_set_id")
    ),
    "metrics": Askable(("metric_type", "metric_name"), ("metric_name",)),
}
"""By resource (API notes; vendor's client 0.9.7). Run templates are not here: their list has no filter and no order."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One list request: the search, one row longer than its page, and how to go on."""

    search: Search
    page_size: int
    digest: str

    def token_after(self, key: Any, last: Stored) -> str:
        """The opaque token of the page that starts after `last`."""
        text = json.dumps([self.digest, key, last.created_us])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_listing(resource: str, query: Mapping[str, str], page_size_max: int) -> Listing:
    """The query of a list request. Raises RefusedError (400) that names the parameter which is wrong.

    A page size above the maximum is refused, not cut: a rehearsal shall show the mistake. So are a filter and an order
    where the resource has none, and a page token of another list.
    """
    filter_, order_by = query.get("filter", ""), query.get("order_by", "")
    if resource not in ASKABLE and (filter_ or order_by):
        raise _wrong("filter" if filter_ else "order_by", f"{resource} have no filter and no order")
    page_size = _page_size(query.get("page_size"), page_size_max)
    condition, values = _condition(filter_, resource) if filter_ else ("", ())
    sort_key, descending = _order(order_by or "-create_time", resource)
    digest = hashlib.sha256("\n".join((resource, filter_, sort_key, str(descending))).encode()).hexdigest()[:12]
    after = _after(query.get("page_token", ""), digest)
    return Listing(Search(condition, values, sort_key, descending, after, page_size + 1), page_size, digest)


def _wrong(parameter: str, why: str) -> RefusedError:
    return RefusedError(400, f"{parameter}: {why}", [(parameter, why)])


def _page_size(text: str | None, maximum: int) -> int:
    if text is None:
        return PAGE_SIZE
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= maximum:
        raise _wrong("page_size", f"should be a number of 1 to {maximum}")
    return int(text)


def _after(token: str, digest: str) -> tuple[Any, int] | None:
    if not token:
        return None
    try:
        found, key, created_us = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError):
        found = None
    if found != digest:
        raise _wrong("page_token", "is not a token that this list, with this filter and this order, has given")
    return key, created_us


def _order(text: str, resource: str) -> tuple[str, bool]:
    match = re.fullmatch(r"(-?)([a-z_]+)(?: +(asc|desc))?", text.strip())
    allowed = (*_TIMES, *ASKABLE[resource].orders) if resource in ASKABLE else tuple(_TIMES)
    if match is None or match[2] not in allowed or (match[1] and match[3]):
        raise _wrong("order_by", f"should be one of {', '.join(allowed)}; a dash in front of it turns the order round")
    column, blank = _column(match[2]), "0" if match[2] in _TIMES else "''"
    key = column if column == "created_us" else f"coalesce({column}, {blank})"
    return key, bool(match[1]) or match[3] == "desc"


def _column(field: str) -> str:
    """The SQL for a field that one of the closed lists above names."""
    return _TIMES.get(field) or ("test_set_id" if field == "test_set_id" else f"json_extract(fields, '$.{field}')")


_TERM = re.compile(
    r"""\s*(?P<field>[A-Za-z_.]+) \s*(?P<operator>!=|>=|<=|=|>|<)\s*
        (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>[^\s"]+) )
        (?: \s+(?P<joint>AND|OR)\s+(?=\S) | \s*$ )""",
    re.VERBOSE,
)


def _condition(text: str, resource: str) -> tuple[str, tuple[Any, ...]]:
    pieces: list[str] = []
    values: list[Any] = []
    position, joint = 0, "AND"
    while joint:
        term = _TERM.match(text, position)
        if term is None:
            raise _wrong("filter", f'cannot be read from character {position + 1}; write field=value AND other>="…"')
        field, position, joint = term["field"], term.end(), term["joint"] or ""
        allowed = (*ASKABLE[resource].filters, *_TIMES)
        if field not in allowed:
            raise _wrong("filter", f"{field} cannot be asked for; use one of {', '.join(allowed)}")
        pieces += [_column(field), "IS NOT" if term["operator"] == "!=" else term["operator"], "?", joint]
        value = re.sub(r"\\(.)", r"\1", term["quoted"]) if term["bare"] is None else term["bare"]
        values.append(_microseconds(field, value) if field in _TIMES else value)
    return " ".join(pieces), tuple(values)


def _microseconds(field: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong("filter", f"{field} is compared with a time such as 2025-10-14T12:00:00Z") from None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)

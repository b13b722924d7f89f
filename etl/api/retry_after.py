"""The dates and waits that a reply's headers state. It must never know what is done about them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 10**9
"""A wait of more digits than this is no longer told apart: 30 years."""


def asked_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that `Retry-After` asks for, in seconds; None where there is none that can be understood.

    An HTTP date is taken against the reply's own `Date`, not against this machine's clock; the past means 0.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:20]), LONGEST_S))
    until = http_date(text)
    if until is None:
        return None
    since = http_date(headers.get("date", "")) or now
    return max(0.0, (until - since).total_seconds())


def http_date(text: str) -> datetime | None:
    """A date in any of HTTP's three forms, in UTC; None for anything else."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

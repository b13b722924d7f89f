"""Requests to Coval: session, key, paging, pace; answered or explained, and what an outcome means.

This room must never know what a row is, and never repeats a request that could have had an effect.
"""

from etl.api.answers import Answer, Cause, NoAnswer, Refusal, refusal_of
from etl.api.budget import Budget, Repeat
from etl.api.clock import Clock
from etl.api.pace import Pace
from etl.api.place import Place, Waiting
from etl.api.policy import MAX_ATTEMPTS, Meaning, meaning_of, stored_id
from etl.api.reaching import Hop, hops_to
from etl.api.retry_after import asked_wait_s, http_date
from etl.api.session import Api, Page, Tell
from etl.api.transport import HttpTransport, Target, Transport, normalise_base_url

__all__ = [
    "MAX_ATTEMPTS",
    "Answer",
    "Api",
    "Budget",
    "Cause",
    "Clock",
    "Hop",
    "HttpTransport",
    "Meaning",
    "NoAnswer",
    "Pace",
    "Page",
    "Place",
    "Refusal",
    "Repeat",
    "Target",
    "Tell",
    "Transport",
    "Waiting",
    "asked_wait_s",
    "hops_to",
    "http_date",
    "meaning_of",
    "normalise_base_url",
    "refusal_of",
    "stored_id",
]

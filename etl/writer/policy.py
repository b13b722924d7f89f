"""Where the policy used to be. It must never know more than that; it goes with its last import."""

from etl.api import Answer, NoAnswer, policy
from etl.api.policy import Meaning, stored_id
from etl.resources import Resource

__all__ = ["Meaning", "meaning_of", "stored_id"]


def meaning_of(outcome: Answer | NoAnswer, resource: Resource) -> Meaning:
    """What the outcome of a POST of this resource means."""
    usable = isinstance(outcome, Answer) and stored_id(outcome.body, resource) is not None
    return policy.meaning_of("POST", outcome, usable=usable)

"""One request to Coval: session, key, paging; answered or explained.

This room must never know what an answer means for a row (that is the writer's policy) and never repeats a request that
could have had an effect.
"""

from etl.api.answers import Answer, NoAnswer, Refusal, refusal_of
from etl.api.session import Api, Target, normalise_base_url

__all__ = ["Answer", "Api", "NoAnswer", "Refusal", "Target", "normalise_base_url", "refusal_of"]

"""Which contract an API speaks, found out by reading, and by its own refusals. It must never write to find out."""

import re
from collections.abc import Sequence

from etl.api.session import Api
from etl.resources import AGENTS, METRICS, PERSONAS, RUN_TEMPLATES, TEST_CASES, TEST_SETS, Contract
from etl.resources.dialects import contract_of, other, refused_names

ASSUMED = Contract.V2025_10
"""The reference pages'."""
_READ = (TEST_SETS, TEST_CASES, AGENTS, RUN_TEMPLATES, PERSONAS, METRICS)
"""The last two are there in most organisations that have nothing of their own yet."""


async def find_contract(api: Api) -> Contract | None:
    """The contract of the answers; None where nothing exists yet that could tell. Raises what `Api.get` raises."""
    for resource in _READ:
        answer = await api.get(resource.path, {"page_size": "1"})
        items = answer.body.get(resource.plural) if isinstance(answer.body, dict) else None
        if isinstance(items, list) and items and isinstance(items[0], dict):
            return contract_of(items[0])
    return None


async def detect_contract(api: Api) -> Contract:
    """As `find_contract`; 2025-10 where nothing tells."""
    return await find_contract(api) or ASSUMED


def refused_for(resource: str, contract: Contract, fields: Sequence[str], words: str) -> str | None:
    """The field of the other contract that a refusal (400) asks for; None where it is an ordinary one.

    `contract`: what the request was spelled in. `fields` and `words` are the API's.
    """
    wanted = refused_names(resource, other(contract))
    return next((name for name in (*fields, *re.findall(r"\w+", words)) if name in wanted), None)

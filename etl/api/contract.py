"""Which contract an API speaks, found out by reading only. It must never write to find out."""

from etl.api.session import Api
from etl.resources import AGENTS, RUN_TEMPLATES, TEST_CASES, TEST_SETS, Contract


async def detect_contract(api: Api) -> Contract:
    """The contract of the answers: everything answered under 2026-10 carries `created_at` (API notes).

    An organisation in which nothing exists yet gives no evidence: then 2025-10, the reference pages'.
    """
    for resource in (TEST_SETS, TEST_CASES, AGENTS, RUN_TEMPLATES):
        answer = await api.get(resource.path, {"page_size": "1"})
        items = answer.body.get(resource.plural) if isinstance(answer.body, dict) else None
        if isinstance(items, list) and items and isinstance(items[0], dict):
            return Contract.V2026_10 if "created_at" in items[0] else Contract.V2025_10
    return Contract.V2025_10

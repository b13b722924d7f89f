"""An export of a 2026-10 organisation beside what the vendor's own client (coval-sdk, strict) reads of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

from coval_sdk.client import CovalClient

from etl.resources import RESOURCES, Contract
from tests.sandbox_talk import Talk, parents, talking
from tests.sandboxed_command import run, started
from tests.test_contract_sdk import SPEECHES, bodies, said
from tests.two_organisations import everything, fill

__all__ = ["started"]

OF_THE_PAGES = {"created_at", "created_by", "updated_at", "updated_by", "knowledge_base_ids"}
"""What the API answers under 2026-10 and some of the client's models leave out."""


async def test_an_export_holds_what_the_vendors_client_reads(tmp_path: Path) -> None:
    contract = ("--contract", Contract.V2026_10.value)
    async with talking(Contract.V2026_10) as talk:
        await fill(talk, Contract.V2026_10, cases=4)
        known = await parents(talk)
        every = bodies({name.removesuffix("_id"): id_ for name, id_ in known.items()})
        for name, (body, _) in every.items():  # with all that each resource can say
            await talk.make(f"/{name}", body)
        told = ("--out", "exp", "--no-redact", "--yes", "--quiet")
        saved = await run(tmp_path, talk, "export", *SPEECHES, *told, *contract)
        ids = {name: [item["id"] for item in items] for name, items in (await everything(talk)).items()}
        read = {name: await asyncio.to_thread(_read_by_the_client, talk, name, ids[name]) for name in SPEECHES}
    assert saved.code == 0, saved.err
    for name in SPEECHES:
        lines = [json.loads(line) for line in (tmp_path / "exp" / f"{name}.jsonl").read_text().splitlines()]
        exported = {line[RESOURCES[name].id_field]: line for line in lines}
        assert exported.keys() == read[name].keys()
        for id_, model in read[name].items():
            line = exported[id_]
            assert type(model).from_dict(line) == model, "the client reads the same of both"
            there, known_to_it = _given(line), _given(said(model))
            assert known_to_it <= there, "nothing that the client knows is lost"
            assert there - known_to_it <= OF_THE_PAGES, "and nothing is there that neither it nor a page knows"
        assert len(exported) > 1


def _given(values: dict[str, Any]) -> set[str]:
    return {key for key, value in values.items() if value is not None}


def _read_by_the_client(talk: Talk, name: str, ids: list[str]) -> dict[str, Any]:
    """The vendor's models, by id."""
    speech = SPEECHES[name]
    key, url = talk.sandbox.key, talk.sandbox.base_url
    with CovalClient(key, base_url=url, retries=False, strict_response_validation=True) as client:
        api = getattr(client, speech.api)
        return {id_: getattr(getattr(api, f"get_{speech.noun}")(id_), speech.noun) for id_ in ids}

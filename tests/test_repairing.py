"""Whatever goes wrong between the resources of a job, the next run repairs it: in the end all is there, once."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.crooked_api import DROPPED, LOST, WELL, Body, CrookedApi, Fate, crooked_api, refused
from tests.forking import Forker
from tests.quick_command import Home, forker

__all__ = ["forker"]

FLAGS = ("--settle", "0.1", "--concurrency", "3", "--yes", "--json")
ROUGH_ROUNDS = 4
ROUNDS = 14
FATES = (LOST, DROPPED, refused(400), refused(500), Fate(said=502), refused(409))
POINTS = ("answered", "outcome-recorded", "intent-recorded", "before-outcome")


def lines() -> list[dict[str, Any]]:
    """Two sets, two personas, three agents, twelve cases, two templates: what refers comes first."""
    voice = {"resource": "agents", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+15551234567"}
    return [
        *(
            {"resource": "run-templates", "display_name": f"T{n}", "agent": f"bot {n}"}
            | {"persona": f"P{n}", "test_set": f"S{n}"}
            for n in range(2)
        ),
        *({"resource": "test-cases", "input_str": f"case {n}", "test_set": f"S{n % 2}"} for n in range(12)),
        *(voice | {"display_name": f"bot {n}", "test_sets": "S0; S1"} for n in range(3)),
        *({"resource": "personas", "name": f"P{n}", "voice_name": "aria", "language_code": "en-US"} for n in range(2)),
        *({"resource": "test-sets", "display_name": f"S{n}"} for n in range(2)),
    ]  # fmt: skip


def there(api: CrookedApi) -> Counter[str]:
    """What the organisation has, ids told by the names of what they mean."""
    named = {
        name: {one["id"]: one["name" if name == "personas" else "display_name"] for one in api.items(name)}
        for name in ("test-sets", "personas", "agents")
    }
    found = Counter(f"{name} {label}" for name, labels in named.items() for label in labels.values())
    found.update(
        f"case {one['input_str']} in {named['test-sets'][one['test_set_id']]}" for one in api.items("test-cases")
    )
    for one in api.items("run-templates"):
        ids = (
            named["agents"][one["agent_id"]],
            named["personas"][one["persona_id"]],
            named["test-sets"][one["test_set_id"]],
        )
        found[f"template {one['display_name']}: {', '.join(ids)}"] += 1
    return found


WANTED = Counter(
    [
        *(f"test-sets S{n}" for n in range(2)),
        *(f"personas P{n}" for n in range(2)),
        *(f"agents bot {n}" for n in range(3)),
        *(f"case case {n} in S{n % 2}" for n in range(12)),
        *(f"template T{n}: bot {n}, P{n}, S{n}" for n in range(2)),
    ]
)


@pytest.mark.parametrize("mode", [(), ("--mode", "upsert", "--key", "display_name")])
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_fails_the_next_run_repairs(
    seed: int, mode: tuple[str, ...], forker: Forker, tmp_path: Path
) -> None:
    luck = random.Random(seed)
    (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines()))
    async with crooked_api() as api:
        home = Home(tmp_path, api, "", forker)

        def fate(_body: Body, _times: int) -> Fate:
            return luck.choice(FATES) if luck.random() < 0.3 else WELL

        said, history = None, []
        for number in range(ROUNDS):
            rough = number < ROUGH_ROUNDS
            api.fate = fate if rough else lambda _body, _times: WELL
            unfinished = [one for one in await home.jobs() if one["state"] == "unfinished"]
            call = ("resume", "--settle", "0.1", "--json") if unfinished else ("import", "all.jsonl", *mode, *FLAGS)
            if unfinished and number > ROUGH_ROUNDS + 2:
                call += ("--accept-in-doubt",)  # a person has looked: they are there
            kill = (
                {"COVAL_ETL_CRASH_AT": f"{luck.choice(POINTS)}:{luck.randint(1, 12)}"}
                if rough and luck.random() < 0.5
                else {}
            )
            said = await home.etl(*call, **kill)
            history.append((call[0], said.code))
            assert said.code in {0, 1, 4, -9}, said
            if said.code == 0 and not rough and not said.json["requests"]["sent"]:
                break
        assert said is not None
        assert said.code == 0, (history, said)
        assert there(api) == WANTED, history

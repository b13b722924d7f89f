"""An organisation lives through everything that this tool does, and is killed meanwhile (`tests/story.py`)."""

import os
import random
from pathlib import Path

from tests.forking import Forker
from tests.story import born, live

CASES = int(os.environ.get("COVAL_ETL_STORY_CASES", "60"))
"""More of them: COVAL_ETL_STORY_CASES=5000, or `make soak`."""


async def test_an_organisation_is_saved_restored_and_moved_through_bad_weather_and_kills(tmp_path: Path) -> None:
    forker = Forker()
    seed = random.randrange(1 << 30)
    try:
        async with born(tmp_path, forker, CASES, seed) as life:
            await live(life)
    finally:
        forker.close()

"""An organisation lives through everything that this tool does, and is killed meanwhile (`tests/story.py`)."""

import os
import random
from pathlib import Path

import pytest

from tests.forking import Forker
from tests.story import born, live

CASES = int(os.environ.get("COVAL_ETL_STORY_CASES", "5000"))
"""A minute of processor time. `make soak` has 200,000."""


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("cases", "refused"), [(CASES, 0.01), (60, 0.2)])
async def test_an_organisation_is_saved_restored_and_moved_through_bad_weather_and_kills(
    cases: int, refused: float, tmp_path: Path
) -> None:
    """`refused`: so many requests, at random, are answered with 429, and all of them wait then."""
    forker = Forker()
    seed = random.randrange(1 << 30)
    try:
        async with born(tmp_path, forker, cases, seed, refused) as life:
            await live(life)
    finally:
        forker.close()

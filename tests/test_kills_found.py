"""What kills have found, without the kills."""

from pathlib import Path

from etl.report import Outcome
from tests.crooked_api import WELL, Fate
from tests.writer_bench import benched, outcomes


async def test_of_two_equal_rows_the_one_that_the_api_said_it_stored_is_found_first(tmp_path: Path) -> None:
    fates = {1: Fate(stored=False, said=500), 2: Fate(stored=True, said=201, text=b"{}")}
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, times: fates.get(times, WELL) if body["input_str"] == "twin" else WELL
        rows = [bench.row(1), bench.row(2, "twin"), bench.row(3, "twin")]
        delivered = await bench.deliver(rows, concurrency=1)
    assert outcomes(delivered) == [Outcome.CREATED] * 3
    assert len(bench.api.posts) == 4

"""What an earlier run created shows the next one what the API gives back, so that it does not believe too much."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.ledger import Change, State
from etl.report import Outcome
from etl.resources import AGENTS, Contract
from tests.writer_bench import Bench, agent_row, benched, outcomes


def backwards(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"input_str": item["input_str"][::-1]} if "input_str" in item else item


def died_after(bench: Bench, row: int) -> None:
    """It was under way when the process died."""
    bench.note(Change(bench.row(row).key, State.SENDING, body_sha256=bench.row(row).body_sha256))


async def test_a_run_whose_rest_is_in_doubt_learns_from_what_was_created_before(tmp_path: Path) -> None:
    """The API makes something else of the text: what it lists is not known again, and yet may be the row."""
    async with benched(tmp_path) as bench:
        bench.api.shown = backwards
        await bench.deliver(bench.rows(3))
        bench.api.make("test-cases", {"input_str": "caller 4", "test_set_id": bench.parent})
        died_after(bench, 4)
        bench.api.gets.clear()
        (one,) = await bench.deliver(bench.again(bench.rows(4)), created=bench.rows(3))
    assert one.outcome is Outcome.IN_DOUBT
    assert "does not give back input_str" in one.message
    assert len(bench.api.posts) == 3
    assert len(bench.api.gets) == 1


async def test_where_it_comes_back_as_it_was_sent_the_row_is_found_or_sent(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        await bench.deliver(bench.rows(3))
        bench.api.make("test-cases", {"input_str": "caller 4", "test_set_id": bench.parent})
        died_after(bench, 4)
        died_after(bench, 5)
        carried_on = await bench.deliver(bench.again(bench.rows(5)), created=bench.rows(3))
    assert outcomes(carried_on) == [Outcome.CREATED, Outcome.CREATED]
    assert bench.api.texts() == [f"caller {number}" for number in range(1, 6)]
    assert len(bench.api.posts) == 4


async def test_a_row_whose_body_is_another_now_shows_nothing(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        await bench.deliver(bench.rows(3))
        died_after(bench, 4)
        bench.api.gets.clear()
        others = [bench.row(number, f"changed {number}") for number in (1, 2, 3)]
        await bench.deliver(bench.again([bench.row(4)]), created=others)
        assert [path for path in bench.api.gets if bench.changes()[4].resource_id not in path] == []


@pytest.mark.parametrize(("changed", "read"), [(0, 1), (1, 2), (7, 4), (8, 4)])
async def test_what_somebody_changed_since_shows_nothing_and_another_row_is_read(
    tmp_path: Path, changed: int, read: int
) -> None:
    rows = [agent_row(number, f"Agent {number}") for number in range(1, 10)]
    async with benched(tmp_path, Contract.V2026_10) as bench:
        await bench.deliver(rows[:8], resource=AGENTS)
        ids = [bench.changes()[number].resource_id for number in range(1, changed + 1)]
        bench.note(Change(rows[8].key, State.SENDING, body_sha256=rows[8].body_sha256))
        bench.api.make("agents", json.loads(agent_row(10, "Somebody else's").body))
        edited = {"display_name": "Edited", "update_time": "2027-01-01T00:00:00Z"}
        bench.api.shown = lambda item: item | edited if item["id"] in ids else item
        bench.api.gets.clear()
        (one,) = await bench.deliver(bench.again([rows[8]]), resource=AGENTS, created=rows[:8])
        before = {bench.changes()[number].resource_id for number in range(1, 9)}
    assert one.outcome is Outcome.CREATED
    assert len({path for path in bench.api.gets if path.rpartition("/")[2] in before}) == read

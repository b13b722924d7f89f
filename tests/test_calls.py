"""What a row costs, in calls of functions: they are the same on every machine, so that a loop over rows where columns
were is noticed, and one more layer on the way of every request, without a clock.

The limits are wide: about half as much again as it takes now.
"""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Self

import pytest

import etl
from tests.forking import Call, shared
from tests.sandbox_talk import talking

FEW, MANY = 20_000, 40_000
MOST_FOR_SENDING = 1_500


class Counting:
    """Calls of functions in this thread and in those that begin meanwhile."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> Self:
        threading.setprofile(self._step)
        sys.setprofile(self._step)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _step(self, _frame: FrameType, event: str, _argument: object) -> None:
        self.calls += event in {"call", "c_call"}


def csv_of(rows: int) -> str:
    lines = (f'"Caller {row} asks, politely",Greets caller {row}|Says bye,scenario,{row}\n' for row in range(rows))
    return "Input,Expected behaviors,Type,Order\n" + "".join(lines)


def jsonl_of(rows: int) -> str:
    found = ({"input_str": f"Caller {row} asks", "metric_input": {"order": row, "deep": [1]}} for row in range(rows))
    return "".join(json.dumps(one) + "\n" for one in found)


@pytest.mark.parametrize(
    ("suffix", "text_of", "most"), [("csv", csv_of, 0.6), ("jsonl", jsonl_of, 32)], ids=["csv", "jsonl"]
)
def test_reading_mapping_and_checking_go_by_columns(
    tmp_path: Path, suffix: str, text_of: Callable[[int], str], most: float
) -> None:
    calls = []
    for rows in (100, FEW, MANY):  # the first one pays for what is made once
        file = tmp_path / f"{rows}.{suffix}"
        file.write_text(text_of(rows))
        with Counting() as counting:
            told = etl.validate([str(file)], values={"test_set_id": "aB1cD2eF"})
        assert told.rows["valid"] == rows
        calls.append(counting.calls)
    assert (calls[2] - calls[1]) / (MANY - FEW) < most


async def test_sending_a_row_takes_few_calls(tmp_path: Path) -> None:
    calls = []
    async with talking() as talk:
        environment = {
            "HOME": str(tmp_path),
            "COVAL_API_KEY": talk.sandbox.key,
            "COVAL_BASE_URL": talk.sandbox.base_url,
        }
        for rows in (100, 500):
            (tmp_path / f"{rows}.csv").write_text(csv_of(rows))
            words = ("import", f"{rows}.csv", "--test-set", f"{rows}", "--create-missing", "--yes", "--settle", "0.2")
            ended = await shared().run(Call(words, tmp_path, environment, dies_after=0))
            assert ended.code == 0, ended.err
            assert ended.calls is not None
            calls.append(ended.calls)
    assert (calls[1] - calls[0]) / 400 < MOST_FOR_SENDING

"""The writer room: every row ends in one outcome, in order, and a job that has to stop stops at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from etl.api import Api, Pace, Target
from etl.errors import KeyRefusedError, LedgerError, StoppedError, UnreachableError
from etl.ledger import Change, Journal, State
from etl.problems import Code
from etl.report import Outcome
from etl.resources import TEST_SETS
from etl.sandbox import parse_faults, running_sandbox
from etl.writer import Delivered, Outgoing, Watch
from tests.crooked_api import DROPPED, LOST, SILENT, WELL, Fate, refused
from tests.raw_server import raw_server
from tests.writer_bench import Bench, benched, outcomes


async def test_every_row_is_created_once_and_told_in_order(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(bench.rows(300), concurrency=16)
    assert [one.key.row for one in bench.told] == list(range(1, 301))
    assert set(outcomes(delivered)) == {Outcome.CREATED}
    assert bench.api.texts() == sorted(f"caller {number}" for number in range(1, 301))
    assert len({one.resource_id for one in delivered}) == len(bench.api.posts) == 300
    assert set(bench.states().values()) == {State.CREATED}


async def test_rows_are_told_in_order_also_where_a_slow_one_is_first(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, _times: LOST if body["input_str"] == "caller 1" else WELL
        await bench.deliver(bench.rows(20), concurrency=8)
    closed = [one.key.row for one in bench.told if not one.open]
    assert list(dict.fromkeys(one.key.row for one in bench.told)) == list(range(1, 21))
    assert bench.told[0].open
    assert sorted(closed) == list(range(1, 21))
    assert [one.outcome for one in bench.told if one.key.row == 1] == [Outcome.IN_DOUBT, Outcome.CREATED]


async def test_never_more_requests_are_in_flight_than_allowed(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        await bench.deliver(bench.rows(120), concurrency=5)
    assert 1 < bench.api.most <= 5


async def test_a_refused_row_is_failed_with_the_apis_words_and_stops_nobody(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        rows = bench.rows(10)
        rows[4] = bench.row(5, text="")
        delivered = await bench.deliver(rows)
    assert outcomes(delivered).count(Outcome.CREATED) == 9
    told = delivered[4]
    assert (told.outcome, told.code, told.field, told.http_status) == (
        Outcome.FAILED,
        Code.API_REFUSED,
        "input_str",
        400,
    )
    kept = bench.changes()[5]
    assert (kept.state, kept.code, kept.field, kept.http_status) == (State.FAILED, Code.API_REFUSED, "input_str", 400)
    assert kept.evidence == told.message


@pytest.mark.parametrize("fault", ["429", "429date", "429none"])
async def test_a_throttled_row_is_sent_again_and_stored_once(tmp_path: Path, fault: str) -> None:
    db = tmp_path / "sandbox.db"
    async with running_sandbox(db=db, key="k") as quiet, Api(Target(quiet.base_url, "k")) as api:
        await api.request("POST", "/test-sets", b'{"display_name": "Calls"}')
        (parent,) = [item["id"] async for item in api.list(TEST_SETS)]
    async with (
        running_sandbox(db=db, key="k", faults=parse_faults(f"{fault}:0.3", seed=1)) as sandbox,
        benched(tmp_path) as bench,
    ):
        bench.parent = parent
        delivered = await bench.deliver(bench.rows(12), url=sandbox.base_url, key="k")
        stored = [body["input_str"] for body in sandbox.store.all_bodies("test-cases")]
    assert set(outcomes(delivered)) == {Outcome.CREATED}
    assert sorted(stored) == sorted(f"caller {number}" for number in range(1, 13))
    assert bench.traffic_by_status[429] > 0
    assert bench.delivery is not None
    assert bench.delivery.traffic.sent == 12 + bench.delivery.traffic.retried
    assert {one.attempts for one in delivered} == {1}  # being told to wait is no attempt


async def test_a_refused_key_stops_at_once_and_nothing_is_in_doubt(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(bench.rows(50), key="another")
    assert outcomes(delivered) == [Outcome.PENDING] * 50
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, KeyRefusedError)
    assert bench.api.posts == []


async def test_a_key_that_is_refused_half_way_stops_and_leaves_what_it_had_pending(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda _body, _times: WELL if len(bench.api.posts) <= 10 else refused(401)
        delivered = await bench.deliver(bench.rows(50), concurrency=1)
    assert outcomes(delivered) == [Outcome.CREATED] * 10 + [Outcome.PENDING] * 40
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, KeyRefusedError)
    assert bench.states()[11] is State.PENDING


async def test_a_single_403_is_the_rows_and_three_running_are_the_keys(tmp_path: Path) -> None:
    forbidden = {"caller 2", "caller 5", "caller 6", "caller 7"}
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, _times: refused(403) if body["input_str"] in forbidden else WELL
        delivered = await bench.deliver(bench.rows(9), concurrency=1)
    created, failed, pending = Outcome.CREATED, Outcome.FAILED, Outcome.PENDING
    assert outcomes(delivered) == [created, failed, created, created, *[pending] * 5]
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, KeyRefusedError)
    assert [bench.states()[row] for row in (2, 5, 6, 7)] == [State.FAILED, *[State.PENDING] * 3]


async def test_an_api_that_cannot_be_reached_leaves_every_row_pending(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(bench.rows(20), url="http://127.0.0.1:1/v1")
    assert outcomes(delivered) == [Outcome.PENDING] * 20
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, UnreachableError)
    assert set(bench.states().values()) <= {State.PENDING}


async def test_a_redirect_stops_and_its_row_stays_in_doubt(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, _times: Fate(said=307) if body["input_str"] == "caller 3" else WELL
        delivered = await bench.deliver(bench.rows(6), concurrency=1)
    created, pending = Outcome.CREATED, Outcome.PENDING
    assert outcomes(delivered) == [created, created, Outcome.IN_DOUBT, pending, pending, pending]
    assert len(bench.api.posts) == 3
    assert bench.delivery is not None
    assert "redirect" in bench.delivery.stopped.message  # type: ignore[union-attr]


async def test_rows_of_a_missing_test_set_are_failed_unsent_after_the_first_404(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        rows = [bench.row(number, test_set_id="zzzzzzzz") for number in range(1, 31)] + [bench.row(31)]
        delivered = await bench.deliver(rows, concurrency=1)
    assert (delivered[0].code, delivered[0].http_status) == (Code.API_REFUSED, 404)
    assert {one.code for one in delivered[1:30]} == {Code.MISSING_PARENT}
    assert {one.attempts for one in delivered[1:30]} == {0}
    assert delivered[30].outcome is Outcome.CREATED
    assert len(bench.api.posts) == 2


async def test_many_refusals_among_the_first_rows_stop_the_job(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver([bench.row(number, text="") for number in range(1, 41)], concurrency=1)
    assert outcomes(delivered).count(Outcome.FAILED) == 5
    assert outcomes(delivered).count(Outcome.PENDING) == 35
    assert bench.delivery is not None
    assert "wrong mapping" in bench.delivery.stopped.hint  # type: ignore[union-attr]


async def test_many_refusals_stop_nobody_who_trusts_the_mapping(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        rows = [bench.row(number, text="") for number in range(1, 41)]
        delivered = await bench.deliver(rows, concurrency=1, watch=Watch(trust_mapping=True))
    assert outcomes(delivered) == [Outcome.FAILED] * 40


async def test_a_stop_lets_what_is_in_flight_finish_and_sends_nothing_new(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(_stopping_at(bench, bench.rows(300), 200), concurrency=2)
    assert len(delivered) == 300
    assert set(outcomes(delivered)) == {Outcome.CREATED, Outcome.PENDING}
    assert outcomes(delivered).count(Outcome.CREATED) == len(bench.api.stored()) < 200


async def test_a_stop_waits_for_no_answer_that_does_not_come_and_its_row_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.writer.delivery.LEAVE_AFTER_S", 0.1)
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, _times: SILENT if body["input_str"] == "caller 3" else WELL

        async def rows() -> AsyncIterator[Outgoing]:
            for row in bench.rows(3):
                yield row
            for _ in range(3):
                await bench.api.arrived.acquire()
            assert bench.delivery is not None
            bench.delivery.stop(StoppedError("You stopped it."))
            yield bench.row(4)

        delivered = await bench.deliver(rows(), concurrency=1, timeout_s=60)
    created = Outcome.CREATED
    assert outcomes(delivered) == [created, created, Outcome.IN_DOUBT, Outcome.PENDING]
    assert "before the job had to stop" in delivered[2].message
    assert bench.states()[3] is State.IN_DOUBT
    assert len(bench.api.posts) == 3


async def test_a_stop_while_the_baseline_is_listed_sends_nothing(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:

        def reading(path: str, _query: object) -> None:
            if path.endswith("/test-cases"):
                assert bench.delivery is not None
                bench.delivery.stop(StoppedError("You stopped it."))

        bench.api.reading = reading
        delivered = await bench.deliver(bench.rows(8))
    assert outcomes(delivered) == [Outcome.PENDING] * 8
    assert bench.api.posts == []


async def test_the_first_reason_to_stop_is_the_one_that_is_told(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:

        async def rows() -> AsyncIterator[Outgoing]:
            assert bench.delivery is not None
            bench.delivery.stop(StoppedError("The first."))
            bench.delivery.stop(StoppedError("The second."))
            yield bench.row(1)

        await bench.deliver(rows())
    assert bench.delivery is not None
    assert str(bench.delivery.stopped) == "The first."


async def test_a_report_that_cannot_be_written_stops_the_delivery_with_its_own_error(tmp_path: Path) -> None:
    def full(_delivered: Delivered) -> None:
        raise StoppedError("The disk is full.")

    async with benched(tmp_path) as bench:
        with pytest.raises(StoppedError, match="disk is full"):
            await bench.deliver(bench.rows(9), receive=full)


async def test_when_the_ledger_fails_no_row_is_sent_that_is_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: set[int] = set()
    record = Journal.record

    async def failing(journal: Journal, *changes: Change) -> None:
        if len(written) >= 10:
            raise LedgerError("The disk is full.")
        await record(journal, *changes)
        written.update(change.key.row for change in changes)

    monkeypatch.setattr(Journal, "record", failing)
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(bench.rows(50), concurrency=2)
    assert {int(text.split()[1]) for text in bench.api.texts()} <= written
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, LedgerError)
    assert len(delivered) == 50


async def test_a_ledger_that_fails_while_rows_are_looked_for_stops_and_nothing_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, times: DROPPED if body["input_str"] == "caller 2" and times == 1 else WELL

        async def failing(_journal: Journal, _ids: object) -> set[str]:
            raise LedgerError("The disk is gone.")

        monkeypatch.setattr(Journal, "owned", failing)
        delivered = await bench.deliver(bench.rows(5))
    assert isinstance(bench.delivery.stopped, LedgerError)  # type: ignore[union-attr]
    assert delivered[1].outcome is Outcome.IN_DOUBT
    assert len(bench.api.posts) == 5


async def test_a_wait_of_an_hour_ends_the_job_and_says_so(tmp_path: Path) -> None:
    page = b'{"error": {"code": "RESOURCE_EXHAUSTED", "message": "slow down", "details": []}}'
    reply = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    async with benched(tmp_path) as bench, raw_server(reply) as (url, seen):
        delivered = await bench.deliver(bench.rows(30), url=url)
    assert outcomes(delivered) == [Outcome.PENDING] * 30
    assert bench.delivery is not None
    assert "minutes" in bench.delivery.stopped.message  # type: ignore[union-attr]
    assert len(seen) <= 4


async def test_what_waits_for_the_gate_is_let_go_by_a_stop(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        pace = Pace(4)
        pace.pause_all("rows in doubt are looked for")
        waiting = [asyncio.create_task(pace.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        pace.close()
        assert await asyncio.wait_for(asyncio.gather(*waiting), timeout=5) == [None] * 3
        assert bench.api.posts == []


async def test_the_bodies_arrive_as_they_were_made(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        row = bench.row(1, text='Ünïcode \u2028 "quotes" 🙂', expected_behaviors=["a", "b"])
        await bench.deliver([row])
    assert bench.api.posts == [json.loads(row.body)]


async def _stopping_at(bench: Bench, rows: list[Outgoing], number: int) -> AsyncIterator[Outgoing]:
    for row in rows:
        if row.key.row == number:
            assert bench.delivery is not None
            bench.delivery.stop(StoppedError("Stopped by you."))
        yield row

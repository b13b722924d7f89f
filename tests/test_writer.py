"""The writer room: every row ends in one outcome, and nothing is sent again without proof that it had no effect."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl.api import Answer, Api, NoAnswer, Target
from etl.api.answers import Cause
from etl.errors import KeyRefusedError, LedgerError, StoppedError, UnreachableError
from etl.ledger import Change, JobFacts, Journal, RowKey, State, open_sqlite
from etl.problems import Code
from etl.report import Outcome
from etl.resources import RUNS, TEST_CASES
from etl.sandbox import NO_FAULTS, Faults, RunningSandbox, Store, parse_faults, running_sandbox
from etl.writer import Clock, Delivered, Delivery, Outgoing, Pace
from etl.writer.pace import asked_wait_s
from etl.writer.policy import Meaning, meaning_of
from tests.raw_server import raw_server

ID = "abc123def456ghi789jklm"
TABLE = "a" * 40


@dataclass
class Time:
    """A clock whose sleeps are noted and take no time."""

    seconds: float = 0.0
    slept_s: list[float] = field(default_factory=list)

    async def sleep(self, wait_s: float) -> None:
        self.slept_s.append(wait_s)
        self.seconds += wait_s
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        start = datetime(2026, 11, 22, tzinfo=UTC)
        return Clock(
            monotonic_s=lambda: self.seconds,
            now=lambda: start + timedelta(seconds=self.seconds),
            sleep=self.sleep,
            random=lambda: 0.5,
        )


@dataclass
class Bench:
    """One delivery against one sandbox, and what it left."""

    sandbox: RunningSandbox
    test_set_id: str
    time: Time
    file: Path
    delivered: list[Delivered] = field(default_factory=list)
    delivery: Delivery | None = None

    async def deliver(
        self, rows: Iterable[Outgoing], *, key: str | None = None, url: str | None = None, concurrency: int = 4
    ) -> list[Delivered]:
        ledger = open_sqlite(self.file)
        ledger.open_job(
            JobFacts("job", "import", "sandbox", None, "f00d", "2025-10", datetime(2026, 11, 22, tzinfo=UTC))
        )
        target = Target(url or self.sandbox.base_url, key or self.sandbox.key, timeout_s=5)
        clock = self.time.clock()
        async with AsyncExitStack() as stack:
            api = await stack.enter_async_context(Api(target, concurrency))
            journal = await stack.enter_async_context(Journal(ledger, "job"))
            pace = Pace(concurrency, clock=clock)
            self.delivery = Delivery(api, journal, TEST_CASES, pace, concurrency, clock=clock)
            await self.delivery.deliver(_each(rows), self.delivered.append)
        ledger.close()
        return self.delivered

    def row(self, number: int, text: str | None = None, test_set_id: str | None = None) -> Outgoing:
        parent = test_set_id or self.test_set_id
        body = {"input_str": f"caller {number}" if text is None else text, "test_set_id": parent}
        return Outgoing(RowKey(TABLE, number), json.dumps(body).encode(), (("test_set_id", parent),))

    def rows(self, count: int) -> list[Outgoing]:
        return [self.row(number) for number in range(1, count + 1)]

    def stored(self) -> list[str]:
        """The texts of the test cases that the server has, read from its own file."""
        store = Store(self.file.with_name("sandbox.db"))
        bodies = store.all_bodies("test-cases")
        store.close()
        return [body["input_str"] for body in bodies]

    def states(self) -> dict[int, State]:
        ledger = open_sqlite(self.file)
        found = {change.key.row: change.state for change in ledger.earlier([TABLE])}
        ledger.close()
        return found


async def _each(rows: Iterable[Outgoing]) -> AsyncIterator[Outgoing]:
    for row in rows:
        yield row


class benched:  # noqa: N801  (used as a function: `async with benched(...) as bench`)
    """A bench with faults that begin once its test set is there."""

    def __init__(self, folder: Path, faults: Faults = NO_FAULTS) -> None:
        self._folder = folder
        self._faults = faults
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Bench:
        quiet = await self._stack.enter_async_context(running_sandbox(db=self._folder / "sandbox.db", key="k"))
        async with Api(Target(quiet.base_url, "k")) as api:
            made = await api.request("POST", "/test-sets", b'{"display_name": "Calls"}')
        assert isinstance(made, Answer)
        sandbox = await self._stack.enter_async_context(
            running_sandbox(db=self._folder / "sandbox.db", key="k", faults=self._faults)
        )
        return Bench(sandbox, made.body["test_set"]["id"], Time(), self._folder / "ledger.db")

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()


def outcomes(delivered: list[Delivered]) -> list[Outcome]:
    return [one.outcome for one in delivered]


async def test_every_row_is_created_once_and_told_in_order(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(bench.rows(300), concurrency=16)
    assert [one.key.row for one in delivered] == list(range(1, 301))
    assert set(outcomes(delivered)) == {Outcome.CREATED}
    assert sorted(bench.stored()) == sorted(f"caller {number}" for number in range(1, 301))
    assert len({one.resource_id for one in delivered}) == 300
    assert set(bench.states().values()) == {State.CREATED}


async def test_never_more_requests_are_in_flight_than_allowed(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        most = 0
        enter = Pace.enter

        async def watched(pace: Pace) -> None:
            nonlocal most
            await enter(pace)
            most = max(most, pace.in_flight)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pace, "enter", watched)
            await bench.deliver(bench.rows(120), concurrency=5)
    assert 1 < most <= 5


async def test_a_refused_row_is_failed_with_the_apis_words_and_stops_nobody(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        rows = bench.rows(10)
        rows[4] = bench.row(5, text="")
        delivered = await bench.deliver(rows)
    assert outcomes(delivered).count(Outcome.CREATED) == 9
    refused = delivered[4]
    assert (refused.outcome, refused.code, refused.field, refused.http_status) == (
        Outcome.FAILED,
        Code.API_REFUSED,
        "input_str",
        400,
    )


@pytest.mark.parametrize("fault", ["429", "429date", "429none"])
async def test_a_throttled_row_is_sent_again_after_the_wait_and_once(tmp_path: Path, fault: str) -> None:
    async with benched(tmp_path, parse_faults(f"{fault}:0.3", seed=1)) as bench:
        delivered = await bench.deliver(bench.rows(40))
    assert set(outcomes(delivered)) == {Outcome.CREATED}
    assert len(bench.stored()) == 40
    assert bench.delivery is not None
    assert bench.delivery.traffic.by_status[429] > 0
    assert bench.time.slept_s


@pytest.mark.parametrize("fault", ["500", "502", "503", "504", "html502", "reset", "500after", "resetafter", "garbage"])
async def test_a_row_without_a_clear_answer_is_in_doubt_and_never_sent_again(tmp_path: Path, fault: str) -> None:
    async with benched(tmp_path, parse_faults(f"{fault}:0.08", seed=5)) as bench:
        delivered = await bench.deliver(bench.rows(60))
    sent = [one for one in delivered if one.attempts]
    doubts = [one for one in sent if one.outcome is Outcome.IN_DOUBT]
    assert doubts
    assert all(one.code is Code.IN_DOUBT and one.attempts == 1 for one in doubts)
    assert len(bench.stored()) == len(set(bench.stored()))
    created = {one.key.row for one in delivered if one.outcome is Outcome.CREATED}
    stored = {int(text.split()[1]) for text in bench.stored()}
    assert created <= stored <= created | {one.key.row for one in doubts}
    assert all(bench.states()[one.key.row] is State.IN_DOUBT for one in doubts)


async def test_five_doubts_in_a_row_stop_the_job_and_leave_the_rest_pending(tmp_path: Path) -> None:
    async with benched(tmp_path, parse_faults("500:1")) as bench:
        delivered = await bench.deliver(bench.rows(100))
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, StoppedError)
    assert outcomes(delivered).count(Outcome.IN_DOUBT) < 15
    assert outcomes(delivered).count(Outcome.PENDING) > 85
    assert len(delivered) == 100


async def test_a_refused_key_stops_at_once_and_nothing_is_in_doubt(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(bench.rows(50), key="another")
    assert set(outcomes(delivered)) == {Outcome.PENDING}
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, KeyRefusedError)
    assert bench.delivery.traffic.sent <= 4


async def test_an_api_that_cannot_be_reached_leaves_every_row_pending(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver(bench.rows(20), url="http://127.0.0.1:1/v1")
    assert set(outcomes(delivered)) == {Outcome.PENDING}
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, UnreachableError)
    assert set(bench.states().values()) == {State.PENDING}


async def test_rows_of_a_missing_test_set_are_failed_unsent_after_the_first_404(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        rows = [bench.row(number, test_set_id="zzzzzzzz") for number in range(1, 31)] + [bench.row(31)]
        delivered = await bench.deliver(rows, concurrency=1)
    assert (delivered[0].code, delivered[0].http_status) == (Code.API_REFUSED, 404)
    assert {one.code for one in delivered[1:30]} == {Code.MISSING_PARENT}
    assert {one.attempts for one in delivered[1:30]} == {0}
    assert delivered[30].outcome is Outcome.CREATED


async def test_many_refusals_among_the_first_rows_stop_the_job(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        delivered = await bench.deliver([bench.row(number, text="") for number in range(1, 41)], concurrency=1)
    assert outcomes(delivered).count(Outcome.FAILED) == 5
    assert outcomes(delivered).count(Outcome.PENDING) == 35
    assert bench.delivery is not None
    assert "wrong mapping" in bench.delivery.stopped.hint  # type: ignore[union-attr]


async def test_a_stop_lets_what_is_in_flight_finish_and_sends_nothing_new(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:

        async def rows() -> AsyncIterator[Outgoing]:
            for row in bench.rows(30):
                if row.key.row == 10:
                    assert bench.delivery is not None
                    bench.delivery.stop(StoppedError("Stopped by you."))
                yield row

        ledger = open_sqlite(bench.file)
        ledger.open_job(
            JobFacts("job", "import", "sandbox", None, "f00d", "2025-10", datetime(2026, 11, 22, tzinfo=UTC))
        )
        async with Api(Target(bench.sandbox.base_url, "k")) as api, Journal(ledger, "job") as journal:
            bench.delivery = Delivery(api, journal, TEST_CASES, Pace(2), 2)
            await bench.delivery.deliver(rows(), bench.delivered.append)
        ledger.close()
    assert len(bench.delivered) == 30
    assert set(outcomes(bench.delivered)) == {Outcome.CREATED, Outcome.PENDING}
    assert outcomes(bench.delivered).count(Outcome.CREATED) == len(bench.stored())


async def test_a_report_that_cannot_be_written_stops_the_delivery_with_its_own_error(tmp_path: Path) -> None:
    def full(_delivered: Delivered) -> None:
        raise StoppedError("The disk is full.")

    ledger = open_sqlite(tmp_path / "ledger.db")
    ledger.open_job(JobFacts("job", "import", "sandbox", None, "f00d", "2025-10", datetime(2026, 11, 22, tzinfo=UTC)))
    async with (
        benched(tmp_path) as bench,
        Api(Target(bench.sandbox.base_url, "k")) as api,
        Journal(ledger, "job") as journal,
    ):
        with pytest.raises(StoppedError, match="disk is full"):
            await Delivery(api, journal, TEST_CASES, Pace(2), 2).deliver(_each(bench.rows(9)), full)
    ledger.close()


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
    stored = {int(text.split()[1]) for text in bench.stored()}
    assert stored <= written
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, LedgerError)
    assert len(delivered) == 50


REPLIES: list[tuple[Answer | NoAnswer, Meaning]] = [
    (Answer(201, {"test_case": {"id": ID}}), Meaning.STORED),
    (Answer(200, {"test_case": {"id": ID}}), Meaning.STORED),
    (Answer(201, None), Meaning.STORED_WITHOUT_ID),
    (Answer(201, {"test_case": {"id": "short"}}), Meaning.STORED_WITHOUT_ID),
    (Answer(201, {"test_case": None}), Meaning.STORED_WITHOUT_ID),
    (Answer(201, []), Meaning.STORED_WITHOUT_ID),
    (Answer(204, None), Meaning.STORED_WITHOUT_ID),
    *[(Answer(status, None), Meaning.REFUSED) for status in (400, 404, 409, 412, 413, 415, 422, 418)],
    (Answer(401, None), Meaning.KEY_REFUSED),
    (Answer(403, None), Meaning.FORBIDDEN),
    *[(Answer(status, None), Meaning.WAIT) for status in (425, 429)],
    *[(Answer(status, None), Meaning.DOUBT) for status in (408, 500, 501, 502, 503, 504, 599)],
    *[(Answer(status, None), Meaning.REDIRECTED) for status in (301, 302, 303, 307, 308)],
    (NoAnswer(sent=False, cause=Cause.CONNECT, explanation=""), Meaning.AGAIN),
    (NoAnswer(sent=False, cause=Cause.TIMEOUT, explanation=""), Meaning.AGAIN),
    (NoAnswer(sent=False, cause=Cause.TLS, explanation=""), Meaning.TLS),
    (NoAnswer(sent=True, cause=Cause.TIMEOUT, explanation=""), Meaning.DOUBT),
    (NoAnswer(sent=True, cause=Cause.BROKEN, explanation=""), Meaning.DOUBT),
    (NoAnswer(sent=True, cause=Cause.TLS, explanation=""), Meaning.DOUBT),
]


@pytest.mark.parametrize(("reply", "meaning"), REPLIES, ids=lambda value: str(value)[:40])
def test_what_a_reply_to_a_post_means(reply: Answer | NoAnswer, meaning: Meaning) -> None:
    assert meaning_of(reply, TEST_CASES) is meaning


def test_a_launched_run_is_known_by_its_run_id() -> None:
    assert meaning_of(Answer(200, {"run": {"run_id": ID}}), RUNS) is Meaning.STORED


NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DATE = "Sun, 22 Nov 2026 04:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 04:00:09 GMT", "date": DATE}, 9.0),
        ({"retry-after": "Sunday, 22-Nov-26 04:00:09 GMT", "date": DATE}, 9.0),
        ({"retry-after": "Sun Nov 22 04:00:09 2026", "date": DATE}, 9.0),
        ({"retry-after": "Sun, 22 Nov 2026 05:00:09 GMT", "date": "Sun, 22 Nov 2026 05:00:00 GMT"}, 9.0),
        ({"retry-after": "Sun, 22 Nov 2026 04:00:09 GMT"}, 9.0),
        ({"retry-after": "Sun, 22 Nov 2026 03:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_understood_in_its_three_forms_or_not_at_all(
    headers: dict[str, str], wait_s: float | None
) -> None:
    assert asked_wait_s(headers, NOW) == wait_s


async def test_a_429_closes_the_gate_for_everybody_for_as_long_as_told() -> None:
    time = Time()
    pace = Pace(8, clock=time.clock())
    pace.throttle({"retry-after": "30"}, sent_s=0.0)
    await asyncio.gather(*(pace.enter() for _ in range(2)))
    assert time.seconds >= 30


async def test_a_stop_lets_go_of_everybody_who_waits() -> None:
    pace = Pace(8)
    pace.throttle({"retry-after": "3600"}, sent_s=0.0)
    waiting = [asyncio.create_task(pace.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    pace.close()
    await asyncio.wait_for(asyncio.gather(*waiting), timeout=5)


async def test_a_wait_of_an_hour_ends_the_job_and_says_so(tmp_path: Path) -> None:
    page = b'{"error": {"code": "RESOURCE_EXHAUSTED", "message": "slow down", "details": []}}'
    reply = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    async with benched(tmp_path) as bench, raw_server(reply) as (url, seen):
        delivered = await bench.deliver(bench.rows(30), url=url)
    assert set(outcomes(delivered)) == {Outcome.PENDING}
    assert bench.delivery is not None
    assert "63 minutes" in bench.delivery.stopped.message  # type: ignore[union-attr]
    assert len(seen) <= 4


async def test_a_rate_spaces_the_requests() -> None:
    time = Time()
    pace = Pace(8, rate_per_s=10, clock=time.clock())
    for _ in range(21):
        await pace.enter()
        await pace.leave(clean=True)
    assert time.seconds == pytest.approx(2.0, abs=0.11)


async def test_the_pace_starts_low_grows_with_clean_replies_and_halves_once_per_storm() -> None:
    time = Time()
    pace = Pace(64, clock=time.clock())
    for _ in range(400):
        await pace.enter()
        await pace.leave(clean=True)
    grown = pace._limit
    assert 20 < grown <= 64
    for _ in range(5):
        pace.throttle({"retry-after": "1"}, sent_s=-1.0 if _ else 0.0)
    assert pace._limit == pytest.approx(grown / 2)

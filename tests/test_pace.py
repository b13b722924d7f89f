"""The pace: a bound, a window, a rate, one gate, outages; nobody waits for nothing, and nobody goes too early."""

import asyncio
from datetime import UTC, datetime

import pytest

from etl.api import Answer, Budget, Cause, NoAnswer, Pace, Place, Repeat, Waiting, asked_wait_s, http_date
from etl.api.clock import BACKOFF_CAP_S
from etl.api.outage import PATIENCE_S
from etl.api.pace import START_IN_FLIGHT
from etl.errors import StoppedError, UnreachableError
from tests.paced_world import REFUSED, Time, run_virtually, virtual_clock

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DATE = "Sun, 22 Nov 2026 04:00:00 GMT"
CREATED = Answer(201, {}, {}, 0.05)
SILENT = NoAnswer(sent=True, cause=Cause.TIMEOUT, explanation="No answer within the timeout.")


@pytest.fixture
def time() -> Time:
    return Time()


def throttled(retry_after: str | None = None, elapsed_s: float = 0.05) -> Answer:
    return Answer(429, None, {} if retry_after is None else {"retry-after": retry_after}, elapsed_s)


async def entered(pace: Pace, *, read: bool = False) -> Place:
    place = await asyncio.wait_for(pace.enter(read=read), 5)
    assert place is not None
    return place


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def answered(pace: Pace, outcome: Answer | NoAnswer = CREATED, times: int = 1) -> None:
    for _ in range(times):
        pace.leave(await entered(pace), outcome)


async def grown(pace: Pace, window: int) -> None:
    """Keep the window full until it is so wide."""
    while pace.window < window:
        places = [await entered(pace) for _ in range(pace.window)]
        for place in places:
            pace.leave(place, CREATED)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "9" * 400}, 1e9),
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
        ({"retry-after": "Sun, 99 Nov 2026 04:00:09 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 99999999999999999999 04:00:09 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_understood_in_its_three_forms_or_not_at_all(
    headers: dict[str, str], wait_s: float | None
) -> None:
    assert asked_wait_s(headers, NOW) == wait_s


def test_a_date_without_a_zone_is_gmt() -> None:
    assert http_date("Sun, 22 Nov 2026 04:00:00 -0000") == NOW
    assert http_date("") is None


async def test_never_more_are_in_flight_than_allowed_and_it_starts_low(time: Time) -> None:
    pace = Pace(5, clock=time.clock())
    waiting = [asyncio.create_task(pace.enter()) for _ in range(20)]
    await settle()
    assert pace.in_flight == sum(task.done() for task in waiting) == 4
    for task in waiting:
        place = await task
        assert place is not None
        assert pace.in_flight <= 5
        pace.leave(place, CREATED)
    assert pace.in_flight == 0


async def test_the_window_grows_by_one_for_each_window_of_calm_answers(time: Time) -> None:
    pace = Pace(64, clock=time.clock())
    for _ in range(20):
        for place in [await entered(pace) for _ in range(pace.window)]:
            pace.leave(place, CREATED)
    assert 4 + 20 * 0.9 <= pace.window <= 4 + 20


async def test_a_window_that_is_not_used_does_not_grow(time: Time) -> None:
    pace = Pace(64, clock=time.clock())
    await grown(pace, 10)
    await answered(pace, times=200)
    assert pace.window == 10


@pytest.mark.parametrize("outcome", [throttled("1"), Answer(503, None), Answer(504, None), SILENT], ids=str)
async def test_the_window_is_halved_once_for_what_was_in_flight_together(
    time: Time, outcome: Answer | NoAnswer
) -> None:
    pace = Pace(64, clock=time.clock())
    await grown(pace, 16)
    places = [await entered(pace) for _ in range(16)]
    time.seconds += 0.05
    for place in places:
        pace.leave(place, outcome)
    assert pace.window == 8
    time.seconds += 60
    await answered(pace, outcome)
    assert pace.window == 4


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 409, 422, 500, 502])
async def test_other_answers_say_nothing_about_the_pace(time: Time, status: int) -> None:
    pace = Pace(64, clock=time.clock())
    await answered(pace, Answer(status, None, {}, 0.05), times=50)
    assert pace.window >= 4
    assert pace.waiting_until is None


@pytest.mark.parametrize("status", [429, 425])
async def test_the_gate_closes_for_everybody_for_as_long_as_told_and_a_little_more(time: Time, status: int) -> None:
    pace = Pace(8, clock=time.clock())
    places = [await entered(pace) for _ in range(4)]
    pace.leave(places[0], Answer(status, None, {"retry-after": "30"}))
    assert pace.waiting_until == Waiting("the API asked for a pause", 31.5)
    for place in places[1:]:
        pace.leave(place, CREATED)
    started_s = time.seconds
    await answered(pace)
    assert 30 <= time.seconds - started_s <= 33
    assert pace.waiting_until is None


async def test_whoever_has_entered_when_the_gate_closes_waits_before_the_request(time: Time) -> None:
    pace = Pace(8, clock=time.clock())
    first, second = await entered(pace), await entered(pace)
    assert await pace.clear(first)
    pace.leave(first, throttled("30"))
    started_s = time.seconds
    assert await pace.clear(second)
    assert 30 <= time.seconds - started_s <= 33
    assert second.sent_s == time.seconds


async def test_whoever_is_let_in_just_as_the_gate_closes_waits_too(time: Time) -> None:
    pace = Pace(2, clock=time.clock())
    first, second = await entered(pace), await entered(pace)
    waiting = asyncio.create_task(pace.enter(read=True))
    await settle()
    started_s = time.seconds
    pace.leave(first, CREATED)  # lets the one in that waits
    pace.leave(second, throttled("30"))
    assert await asyncio.wait_for(waiting, 5) is not None
    assert time.seconds - started_s >= 30
    assert pace.in_flight == 1


async def test_a_later_gate_is_never_opened_by_an_earlier_one(time: Time) -> None:
    pace = Pace(8, clock=time.clock())
    places = [await entered(pace) for _ in range(3)]
    for place, wait in zip(places, ("5", "60", "1"), strict=True):
        pace.leave(place, throttled(wait))
    started_s = time.seconds
    await answered(pace)
    assert time.seconds - started_s >= 60


async def test_without_a_time_the_wait_backs_off_until_something_is_let_through(time: Time) -> None:
    pace = Pace(8, clock=time.clock())
    waits = []
    for _ in range(8):
        started_s = time.seconds
        await answered(pace, throttled())
        time.seconds += 0.01
        waits.append(time.seconds - started_s)
    assert waits[1:4] == sorted(waits[1:4])
    assert max(waits) <= BACKOFF_CAP_S * 1.1 + 0.01
    await answered(pace)
    await answered(pace, throttled())
    started_s = time.seconds
    await entered(pace)
    assert time.seconds - started_s <= 1.1


async def test_after_a_refusal_one_goes_first_and_the_others_follow_when_it_was_let_through(time: Time) -> None:
    pace = Pace(8, clock=time.clock())
    await answered(pace, throttled("1"))
    time.seconds += 2
    first = await entered(pace)
    other = asyncio.create_task(pace.enter())
    await settle()
    assert not other.done()
    pace.leave(first, CREATED)
    assert await other is not None


async def test_a_503_that_asks_for_a_pause_gets_it(time: Time) -> None:
    pace = Pace(8, clock=time.clock())
    await answered(pace, Answer(503, None, {"retry-after": "9"}))
    started_s = time.seconds
    await answered(pace)
    assert time.seconds - started_s >= 9


async def test_a_wait_of_an_hour_is_handed_up_and_nobody_sits_before_it(time: Time) -> None:
    pace = Pace(8, clock=time.clock())
    places = [await entered(pace) for _ in range(4)]
    waiting = asyncio.create_task(pace.enter())
    reading = asyncio.create_task(pace.enter(read=True))
    await settle()
    pace.leave(places[0], throttled("3600"))
    assert await waiting is None
    assert await reading is None
    assert isinstance(pace.gave_up, StoppedError)
    assert "63 minutes" in pace.gave_up.message
    assert not await pace.clear(places[1])
    assert time.slept_s == []


@pytest.mark.parametrize(("rate", "requests", "least_s", "most_s"), [(10, 21, 1.95, 2.1), (1000, 2001, 1.9, 2.05)])
async def test_a_rate_is_never_exceeded_and_bursts_are_bounded(
    time: Time, rate: float, requests: int, least_s: float, most_s: float
) -> None:
    pace = Pace(8, rate_per_s=rate, clock=time.clock())
    started_s = time.seconds
    await answered(pace, times=requests)
    assert least_s <= time.seconds - started_s <= most_s
    time.seconds += 3600
    started_s = time.seconds
    await answered(pace, times=requests)
    assert least_s <= time.seconds - started_s <= most_s


async def test_while_writing_is_paused_reads_go_on_and_writers_finish(time: Time) -> None:
    pace = Pace(4, clock=time.clock())
    writing = await entered(pace)
    pace.pause_all("rows in doubt are looked for")
    drained, next_write = asyncio.create_task(pace.drained()), asyncio.create_task(pace.enter())
    read = await entered(pace, read=True)
    await settle()
    assert not drained.done()
    assert not next_write.done()
    assert pace.waiting_until == Waiting("rows in doubt are looked for", None)
    pace.leave(writing, CREATED)
    await asyncio.wait_for(drained, 5)
    assert not next_write.done()
    pace.leave(read, CREATED)
    pace.resume_all()
    assert await asyncio.wait_for(next_write, 5) is not None


async def test_while_writing_is_paused_a_read_does_not_wait_for_writes_that_hang(time: Time) -> None:
    pace = Pace(6, clock=time.clock())
    hanging = [await entered(pace) for _ in range(START_IN_FLIGHT)]
    read = asyncio.create_task(pace.enter(read=True))
    await settle()
    assert not read.done()  # the window is full
    pace.pause_all("rows in doubt are looked for")
    reads = [read, *(asyncio.create_task(pace.enter(read=True)) for _ in range(9))]
    pace.leave(hanging.pop(), CREATED)
    await settle()
    assert sum(one.done() for one in reads) == 6 - len(hanging)  # never more than were allowed
    pace.close()
    for one in reads:
        one.cancel()


async def test_nobody_writes_is_drained_at_once(time: Time) -> None:
    pace = Pace(4, clock=time.clock())
    await entered(pace, read=True)
    await asyncio.wait_for(pace.drained(), 5)


async def test_a_close_lets_go_of_whoever_waits_to_write_but_not_of_reads() -> None:
    pace = Pace(8)
    await answered(pace, throttled("600"))
    waiting = [asyncio.create_task(pace.enter()) for _ in range(3)]
    reading, sleeping = asyncio.create_task(pace.enter(read=True)), asyncio.create_task(pace.pause(3600))
    await settle()
    pace.close()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [None, None, None]
    await asyncio.wait_for(sleeping, 5)
    assert await pace.enter() is None
    assert not reading.done()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_close_lets_go_of_whoever_was_about_to_send() -> None:
    pace = Pace(8)
    first, second = await entered(pace), await entered(pace)
    pace.leave(first, throttled("600"))
    about = asyncio.create_task(pace.clear(second))
    await settle()
    pace.close()
    assert await asyncio.wait_for(about, 5) is False


async def test_whoever_is_cancelled_while_waiting_takes_no_place(time: Time) -> None:
    pace = Pace(1, clock=time.clock())
    place = await entered(pace)
    early, late = asyncio.create_task(pace.enter()), asyncio.create_task(pace.enter())
    await settle()
    early.cancel()
    await settle()
    pace.leave(place, CREATED)
    late.cancel()  # it has been given the place, but not yet heard of it
    await settle()
    assert early.cancelled()
    assert late.cancelled()
    assert pace.in_flight == 0
    await entered(pace)


def test_an_outage_lets_one_probe_through_ever_more_rarely_and_gives_up() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pace = Pace(16, clock=virtual_clock())
        tries: list[float] = []

        async def one() -> None:
            while (place := await pace.enter()) is not None:
                tries.append(loop.time())
                await asyncio.sleep(0.001)
                pace.leave(place, REFUSED)

        await asyncio.gather(*(one() for _ in range(16)))
        assert len(tries) == 4 + 5  # those of the first window count as one
        assert isinstance(pace.gave_up, UnreachableError)
        assert 8 <= loop.time() <= 16

    run_virtually(main)


def test_patience_is_longer_with_an_api_that_did_answer() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pace = Pace(1, clock=virtual_clock())
        await answered(pace)
        started_s, tries = loop.time(), 0
        while (place := await pace.enter()) is not None:
            assert (pace.waiting_until is None) == (tries == 0)
            tries += 1
            pace.leave(place, REFUSED)
        assert PATIENCE_S <= loop.time() - started_s <= PATIENCE_S + BACKOFF_CAP_S
        assert tries <= 30

    run_virtually(main)


def test_connections_that_each_take_long_use_up_patience_sooner() -> None:
    async def main() -> None:
        pace, tries = Pace(1, clock=virtual_clock()), 0
        while (place := await pace.enter()) is not None:
            tries += 1
            await asyncio.sleep(15)
            pace.leave(place, NoAnswer(sent=False, cause=Cause.TIMEOUT, explanation="No answer.", elapsed_s=15))
        assert tries == 3

    run_virtually(main)


async def test_the_first_answer_ends_an_outage_and_the_window_opens_again_from_one(time: Time) -> None:
    pace = Pace(16, clock=time.clock())
    await grown(pace, 16)
    places = [await entered(pace) for _ in range(16)]
    for place in places:
        pace.leave(place, REFUSED)
    waiting = pace.waiting_until
    assert waiting is not None
    assert waiting.why == "No connection to the API: Connection refused; trying again"
    assert waiting.seconds is not None
    probe = await entered(pace)
    assert probe.probe
    other = asyncio.create_task(pace.enter())
    await settle()
    assert not other.done()
    pace.leave(probe, CREATED)
    assert pace.waiting_until is None
    second = await other
    assert second is not None
    pace.leave(second, CREATED)
    rounds = 0
    while pace.window < 13:
        rounds += 1
        places = [await entered(pace) for _ in range(pace.window)]
        for place in places:
            pace.leave(place, CREATED)
    assert rounds <= 9


async def test_a_probe_that_was_not_sent_after_all_lets_another_one_go(time: Time) -> None:
    pace = Pace(4, clock=time.clock())
    await answered(pace, REFUSED)
    pace.leave(await entered(pace), None)
    assert (await entered(pace)).probe


async def test_a_broken_handshake_is_no_outage(time: Time) -> None:
    pace = Pace(4, clock=time.clock())
    await answered(pace, NoAnswer(sent=False, cause=Cause.TLS, explanation="bad certificate"))
    assert pace.waiting_until is None
    assert pace.gave_up is None


def test_a_budget_is_spent_by_repeats_and_earned_by_successes() -> None:
    budget = Budget()
    assert [budget.spend(Repeat.TRANSIENT) for _ in range(36)] == [True] * 35 + [False]
    assert budget.left == 10
    assert [budget.spend(Repeat.THROTTLE) for _ in range(3)] == [True, True, False]
    for _ in range(600):
        budget.earn()
    assert budget.left == 500


async def test_what_succeeds_is_earned_and_what_fails_is_not(time: Time) -> None:
    pace = Pace(4, clock=time.clock())
    pace.budget.spend(Repeat.TRANSIENT)
    await answered(pace, Answer(500, None))
    assert pace.budget.left == 486
    await answered(pace, times=3)
    assert pace.budget.left == 489


async def test_answers_that_take_ever_longer_as_the_window_grows_halve_it(time: Time) -> None:
    pace = Pace(64, clock=time.clock())
    widest = 0
    for _ in range(100):
        places = [await entered(pace) for _ in range(pace.window)]
        queueing = Answer(201, {}, {}, 0.05 * max(1.0, len(places) / 4))
        time.seconds += queueing.elapsed_s
        for place in places:
            pace.leave(place, queueing)
        widest = max(widest, pace.window)
    assert 8 <= widest <= 32


async def test_an_api_that_is_slow_at_any_window_is_left_alone(time: Time) -> None:
    pace = Pace(8, clock=time.clock())
    await grown(pace, 8)
    for elapsed_s in [0.05] * 40 + [2.0] * 40:
        for place in [await entered(pace) for _ in range(8)]:
            pace.leave(place, Answer(201, {}, {}, elapsed_s))
    assert pace.window == 8

"""Getting ready: requests are prepared while others are in flight, never more of them than will soon find a place."""

import asyncio

import pytest

from etl.api import Answer, Pace
from tests.paced_world import Time, World, run_virtually, virtual_clock, work_for


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.mark.parametrize(
    ("answer_s", "intent_s", "concurrency"), [(0.05, 0.02, 16), (0.005, 0.025, 16), (0.1, 0.007, 4)]
)
def test_what_waits_for_the_disk_holds_no_place(answer_s: float, intent_s: float, concurrency: int) -> None:
    async def main() -> World:
        world = World(latency_s=answer_s)
        await work_for(world, Pace(concurrency, clock=virtual_clock()), 100 + 2 * concurrency, 20, intent_s)
        return world

    world = run_virtually(main)
    assert world.most == concurrency
    assert world.accepted(10, 20) >= 0.95 * concurrency / answer_s


async def send(pace: Pace) -> None:
    place = await pace.enter()
    assert place is not None
    pace.leave(place, Answer(201, {}, {}, 0.05))


async def test_where_one_goes_at_a_time_nobody_gets_ready_beside_it(time: Time) -> None:
    pace = Pace(1, clock=time.clock())
    await send(pace)
    first = await pace.enter()
    assert first is not None
    second = pace.preparing(0.02)
    waiting = asyncio.ensure_future(second.__aenter__())
    await asyncio.sleep(0)
    assert not waiting.done()
    pace.leave(first, Answer(201, {}, {}, 0.05))
    assert await waiting
    await second.__aexit__(None, None, None)


async def test_while_the_gate_is_closed_nobody_gets_ready(time: Time) -> None:
    pace = Pace(16, clock=time.clock())
    place = await pace.enter()
    assert place is not None
    pace.leave(place, Answer(429, None, {"retry-after": "5"}))
    since_s = time.seconds
    async with pace.preparing(0.02) as may_go:
        assert may_go
        assert time.seconds - since_s >= 5


async def test_at_a_rate_of_one_a_minute_nobody_gets_ready_a_minute_before(time: Time) -> None:
    pace = Pace(16, 1 / 60, clock=time.clock())
    await send(pace)
    since_s = time.seconds
    async with pace.preparing(0.02) as may_go:
        assert may_go
        assert time.seconds - since_s == pytest.approx(60, abs=0.1)
        await send(pace)


async def test_a_close_lets_go_of_whoever_waits_to_get_ready_and_of_whoever_comes_later(time: Time) -> None:
    pace = Pace(1, clock=time.clock())
    place = await pace.enter()
    assert place is not None
    waiting = asyncio.ensure_future(pace.preparing(0.0).__aenter__())
    await asyncio.sleep(0)
    pace.close()
    assert not await waiting
    async with pace.preparing(0.0) as may_go:
        assert not may_go


async def test_whoever_is_cancelled_while_waiting_to_get_ready_takes_no_turn(time: Time) -> None:
    pace = Pace(1, clock=time.clock())
    place = await pace.enter()
    assert place is not None

    async def prepare() -> bool:
        async with pace.preparing(0.0) as may_go:
            return may_go

    first, second = asyncio.create_task(prepare()), asyncio.create_task(prepare())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    pace.leave(place, Answer(201, {}, {}, 0.05))
    assert await second
    assert first.cancelled()

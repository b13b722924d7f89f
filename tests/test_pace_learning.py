"""The pace on virtual time, against APIs that allow so much and no more, that go down, that queue."""

from collections.abc import Callable
from functools import partial

import pytest

from etl.api import Answer, Cause, NoAnswer, Pace
from tests.paced_world import REFUSED, Bucket, Limit, Mood, Odds, Window, World, run_virtually, virtual_clock, work_for

ALLOWED = 10.0
SECONDS = 120.0
LIMITS: dict[str, Callable[[], Limit]] = {
    "a bucket of 2": lambda: Bucket(ALLOWED, 2),
    "a bucket of 10": lambda: Bucket(ALLOWED, 10),
    "so many in each second": lambda: Window(10),
}
OUTAGES: dict[str, Answer | NoAnswer] = {
    "connections refused": REFUSED,
    "503": Answer(503, None),
    "no answer": NoAnswer(sent=True, cause=Cause.TIMEOUT, explanation="No answer within the timeout."),
}


@pytest.mark.parametrize("retry_after", ["seconds", "date", "none"])
@pytest.mark.parametrize(
    ("limit", "latency_s", "concurrency"),
    [("a bucket of 2", 0.05, 16), ("a bucket of 10", 0.2, 64), ("so many in each second", 0.1, 16)],
)
def test_a_rate_that_is_allowed_is_learned_and_used(
    limit: str, retry_after: str, latency_s: float, concurrency: int
) -> None:
    async def main() -> tuple[float, float, int]:
        world = World(LIMITS[limit](), retry_after, latency_s)
        await work_for(world, Pace(concurrency, clock=virtual_clock()), concurrency, SECONDS)
        refused_per_1000 = 1000 * world.replies["429"] / sum(world.replies.values())
        return world.accepted(0, SECONDS) / ALLOWED, refused_per_1000, world.early

    used, refused_per_1000, early = run_virtually(main)
    assert used >= 0.85
    assert refused_per_1000 <= 20
    assert early == 0


def test_a_quota_by_the_minute_is_used_up_and_not_knocked_at() -> None:
    async def main() -> World:
        world = World(Window(600, 60.0))
        await work_for(world, Pace(16, clock=virtual_clock()), 16, 600)
        return world

    world = run_virtually(main)
    assert world.accepted(0, 600) / ALLOWED >= 0.85
    assert world.replies["429"] <= 0.02 * world.replies["201"]
    assert world.early == 0


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [(lambda: Bucket(ALLOWED, 1), 300), (lambda: Window(100, 10.0), 300), (lambda: Window(600, 60.0), 600)],
    ids=["a bucket of 1", "so many in 10 seconds", "so many in a minute"],
)
def test_many_workers_use_what_is_allowed_however_it_is_counted(limit: Callable[[], Limit], seconds: float) -> None:
    """With a bucket of 1 no two may come closer than the rate has them: what the way varies by costs a tenth. A quota
    by the minute is found out by everybody who is in flight when it is used up: that shows less the longer it takes.
    """

    async def main() -> World:
        world = World(limit())
        await work_for(world, Pace(64, clock=virtual_clock()), 64, seconds)
        return world

    world = run_virtually(main)
    assert world.accepted(0, seconds) >= 0.85 * ALLOWED
    assert 1000 * world.replies["429"] / sum(world.replies.values()) <= 20
    assert world.early == 0


@pytest.mark.parametrize("one_in", [20, 50, 200])
def test_refusals_that_are_not_about_the_rate_do_not_bring_it_down_for_good(one_in: int) -> None:
    async def main() -> float:
        world = World(Mood(one_in))
        await work_for(world, Pace(16, clock=virtual_clock()), 16, 600)
        return world.accepted(300, 600)

    # Each refusal closes the gate for a second or more; so many rows go through between two of them.
    assert run_virtually(main) >= one_in / 4


@pytest.mark.parametrize("latency_s", [0.002, 0.05])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_a_thousand_rows_go_in_a_minute_where_some_are_refused_at_random_and_no_time_is_named(
    share: float, latency_s: float
) -> None:
    async def main(seed: int) -> float:
        world, pace = World(Odds(share, seed), "none", latency_s, seed=seed), Pace(8, clock=virtual_clock(seed))
        pace.on_outcome = lambda _place, _outcome: pace.close() if world.replies["201"] >= 1000 else None
        await work_for(world, pace, 8, 200)
        return world.accepted_s[999]

    assert max(run_virtually(partial(main, seed)) for seed in range(1, 7)) <= 60


def test_where_the_rate_is_what_is_refused_it_is_found_out_again_after_refusals_at_random() -> None:
    """What comes by chance is not heeded; a limit that is set meanwhile is, though no time is named."""

    async def main() -> World:
        world, pace = World(Odds(0.2, 3), "none"), Pace(16, clock=virtual_clock())
        await work_for(world, pace, 16, 30)
        world.limit = Bucket(ALLOWED, 10)
        world.replies.clear()
        await work_for(world, pace, 16, 240)
        return world

    world = run_virtually(main)
    assert world.accepted(60, 270) >= 0.8 * ALLOWED
    assert world.replies["429"] <= 0.05 * world.replies["201"]


def test_a_time_that_is_named_is_waited_for_however_many_are_refused_at_random() -> None:
    async def main() -> World:
        world = World(Odds(0.2, 5), retry_after="none")
        pace = Pace(16, clock=virtual_clock())
        await work_for(world, pace, 16, 30)
        world.retry_after = "seconds"
        await work_for(world, pace, 16, 30)
        return world

    world = run_virtually(main)
    assert world.accepted(20, 30) > 20
    assert world.early == 0


def test_a_rate_that_was_lowered_or_lifted_is_learned_anew() -> None:
    async def main() -> tuple[float, float, float]:
        bucket = Bucket(ALLOWED, 10)
        world, pace = World(bucket), Pace(16, clock=virtual_clock())
        await work_for(world, pace, 16, 100)
        bucket.rate = 2
        await work_for(world, pace, 16, 100)
        bucket.rate = 1000
        await work_for(world, pace, 16, 600)
        return world.accepted(50, 100), world.accepted(150, 200), world.accepted(700, 800)

    before, lowered, lifted = run_virtually(main)
    assert before >= 0.85 * ALLOWED
    assert 0.85 * 2 <= lowered <= 2.1
    assert lifted >= 5 * ALLOWED


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize(("latency_s", "concurrency"), [(0.2, 16), (0.5, 32)])
def test_a_minute_after_an_outage_of_a_minute_the_speed_is_back(
    outage: str, latency_s: float, concurrency: int
) -> None:
    def trouble(now_s: float) -> Answer | NoAnswer | None:
        return OUTAGES[outage] if 60 <= now_s < 120 else None

    async def main() -> tuple[float, float, World]:
        world = World(latency_s=latency_s, trouble=trouble)
        await work_for(world, Pace(concurrency, clock=virtual_clock()), concurrency, 190)
        return world.accepted(40, 60), world.accepted(180, 190), world

    before, after, world = run_virtually(main)
    assert after >= 0.8 * before
    if outage == "connections refused":
        first_attempts = world.replies["201"]
        assert world.replies["connect"] <= concurrency + 12
        assert world.replies["connect"] / first_attempts <= 0.1


def test_an_outage_does_not_forget_the_rate_that_is_allowed() -> None:
    async def main() -> World:
        world = World(Bucket(ALLOWED, 10), trouble=lambda now_s: REFUSED if 100 <= now_s < 160 else None)
        await work_for(world, Pace(16, clock=virtual_clock()), 16, 240)
        return world

    world = run_virtually(main)
    assert world.accepted(220, 240) >= 0.8 * ALLOWED
    assert world.replies["429"] <= 20


@pytest.mark.parametrize("at_once", [2, 4])
def test_an_api_that_queues_is_kept_busy_without_a_long_queue(at_once: int) -> None:
    async def main() -> tuple[float, int]:
        world = World(at_once=at_once, latency_s=0.2)
        pace = Pace(64, clock=virtual_clock())
        await work_for(world, pace, 64, 120)
        return world.accepted(60, 120), world.most

    speed, most = run_virtually(main)
    assert speed >= 0.85 * at_once / 0.1
    assert most < 64


def test_without_any_trouble_the_window_opens_to_the_bound() -> None:
    async def main() -> tuple[float, World]:
        world = World(latency_s=0.1)
        await work_for(world, Pace(16, clock=virtual_clock()), 16, 30)
        return world.accepted(10, 30), world

    speed, world = run_virtually(main)
    assert speed >= 0.9 * 16 / 0.1
    assert world.most == 16

"""The loop of the simulation: time is virtual, chance comes from the seed, and what is dead stays dead."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.simulation.loop import Ended, EscapedError, Process, SimulatedLoop, StuckError


def order_of(seed: int) -> list[tuple[str, float]]:
    seen: list[tuple[str, float]] = []
    loop = SimulatedLoop(seed)

    async def walk(name: str) -> None:
        for _ in range(5):
            await asyncio.sleep(1)
            seen.append((name, loop.time()))

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for name in "abcdef":
                tasks.create_task(walk(name))

    loop.simulate(main())
    return seen


def test_the_same_seed_is_the_same_run_and_another_is_another() -> None:
    assert order_of(1) == order_of(1)
    assert order_of(1) != order_of(2)
    assert sorted(order_of(1)) == sorted(order_of(2))


def test_a_year_takes_no_time() -> None:
    loop = SimulatedLoop(1)

    async def main() -> float:
        await asyncio.sleep(365 * 86_400)
        return loop.time()

    assert loop.simulate(main()) == 365 * 86_400


@pytest.mark.parametrize("step", range(1, 30))
def test_nothing_of_a_killed_process_runs_again(step: int) -> None:
    loop = SimulatedLoop(step)
    process = Process("p", kill_at_step=step)
    after: list[str] = []

    async def rows() -> AsyncIterator[int]:
        try:
            for number in range(3):
                await asyncio.sleep(0.1)
                yield number
        finally:
            await asyncio.sleep(0.1)
            if not process.alive:
                after.append("a generator went on")

    async def work() -> None:
        try:
            async for _ in rows():
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(1)
            if not process.alive:
                after.append("a finally went on")

    async def body() -> str:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(work())
        return "done"

    async def main() -> Ended:
        ended = await loop.run_process(process, body)
        await asyncio.sleep(1000)
        return ended

    ended = loop.simulate(main())
    assert after == []
    assert loop.trouble == []
    assert ended.killed or ended.value == "done"
    assert ended.killed == (process.steps > step)


def test_a_process_can_be_killed_at_a_time() -> None:
    loop = SimulatedLoop(1)

    async def main() -> tuple[Ended, float]:
        return await loop.run_process(Process("p", kill_at_s=7.5), lambda: asyncio.sleep(100)), loop.time()

    assert loop.simulate(main()) == (Ended(killed=True), 7.5)


def test_a_suspended_process_goes_on_where_it_was_while_others_run() -> None:
    loop = SimulatedLoop(1)
    seen: list[tuple[str, float]] = []

    def walk(name: str):  # type: ignore[no-untyped-def]
        async def body() -> None:
            for _ in range(4):
                await asyncio.sleep(1)
                seen.append((name, loop.time()))

        return body

    async def main() -> None:
        first = asyncio.create_task(loop.run_process(Process("first", suspend=(3, 50.0)), walk("first")))
        await loop.run_process(Process("second"), walk("second"))
        await first

    loop.simulate(main())
    assert [at for name, at in seen if name == "second"] == [1, 2, 3, 4]
    assert [at for name, at in seen if name == "first"] == [1, 52, 53, 54]


def test_an_error_is_told() -> None:
    loop = SimulatedLoop(1)

    async def body() -> None:
        raise ValueError("no")

    async def main() -> Ended:
        return await loop.run_process(Process("p"), body)

    assert repr(loop.simulate(main()).error) == "ValueError('no')"


def test_what_can_never_end_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckError):
        SimulatedLoop(1).simulate(wait())


def test_nothing_leaves_the_simulation() -> None:
    with pytest.raises(EscapedError):
        SimulatedLoop(1).simulate(asyncio.to_thread(print))

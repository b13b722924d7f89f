"""What Ctrl-C and SIGTERM do, at each stage of a command. It must never stop a job without its report."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from etl.errors import EtlError, StoppedError

ONE_PRESS_S = 0.5
"""Two signals closer than this are one: a terminal and a program above us may both hand on the same Ctrl-C."""

_BOTH = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def leaving_on_term() -> AsyncIterator[None]:
    """Before anything is sent, SIGTERM ends the command as Ctrl-C does: orderly, with its exit code."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


class Stoppable(Protocol):
    """What can be told to begin nothing new."""

    def stop(self, reason: EtlError) -> None: ...


@contextmanager
def stopping_on_signals(job: Stoppable, hint: str) -> Iterator[None]:
    """First signal: nothing new is sent, what is in flight may finish. Second: leave at once. `hint`: how to go on."""
    loop = asyncio.get_running_loop()
    first_s: float | None = None

    def stop() -> None:
        nonlocal first_s
        now_s = time.monotonic()
        if first_s is None:
            first_s = now_s
            job.stop(StoppedError("You stopped it.", hint))
        elif now_s - first_s > ONE_PRESS_S:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt(hint)

    before = signal.getsignal(signal.SIGINT)
    for number in _BOTH:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in _BOTH:
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGINT, before)


@contextmanager
def plain_interrupt() -> Iterator[None]:
    """While a question waits for its answer, Ctrl-C answers it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

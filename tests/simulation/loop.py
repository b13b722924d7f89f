"""An event loop on virtual time, in which everything that happens follows from a seed: order, time, death.

It must never know what runs in it. Processes live in it side by side; one can be killed or suspended at any step, and
then nothing of it runs: no `finally`, no callback, no timer. There are no threads, no sockets and no names to look up.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from random import Random
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

MOST_STEPS = 3_000_000
"""A job that has not ended by then never will."""
MOST_S = 400 * 86_400.0


class StuckError(AssertionError):
    """Nothing can ever happen any more, or it never ends."""


class EscapedError(AssertionError):
    """Something tried to leave the simulation: a thread, a socket, a name to look up."""


@dataclass(eq=False)
class Process:
    """Something that can die. `kill_at_step` counts its own steps, `kill_at_s` seconds since its beginning.

    `suspend`: (step, seconds): stop there for so long, as SIGSTOP does, and then go on as if nothing had happened.
    """

    name: str
    kill_at_step: int | None = None
    kill_at_s: float | None = None
    suspend: tuple[int, float] | None = None
    alive: bool = True
    killed: bool = False
    died_at_s: float | None = None
    suspended: bool = False
    suspensions: int = 0
    steps: int = 0
    tasks: "list[_Task[Any]]" = field(default_factory=list)
    held: list[asyncio.Handle] = field(default_factory=list)


_owner: ContextVar[Process | None] = ContextVar("owner", default=None)


def current_process() -> Process | None:
    """The process that runs now; None for the world itself."""
    return _owner.get()


class _Task(asyncio.Task[T]):
    """A task whose place in a set follows from its number, not from its address."""

    number = 0
    owner: Process | None = None

    def __hash__(self) -> int:
        return self.number


class _Future(asyncio.Future[Any]):
    """A future whose place in a set follows from its number."""

    number = 0
    owner: Process | None = None

    def __hash__(self) -> int:
        return self.number


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: with a value, with an error, or (both None and `killed`) not at all."""

    value: Any = None
    error: BaseException | None = None
    killed: bool = False


class SimulatedLoop(asyncio.BaseEventLoop):
    """`simulate` runs the world; inside it, `run_process` runs what can die."""

    def __init__(self, seed: int | str) -> None:
        super().__init__()
        self._now_s = 0.0
        self._random = Random(f"loop {seed}")
        self._numbers = 0
        self._ready: list[asyncio.Handle] = []
        self._scheduled: list[asyncio.TimerHandle] = []
        self._endings: dict[Process, asyncio.Future[Ended]] = {}
        self.steps = 0
        self.trouble: list[str] = []
        """What nobody handled: an exception in a task that nobody looked at."""
        self.set_exception_handler(self._note_trouble)

    def time(self) -> float:
        """Virtual seconds since the beginning of the world."""
        return self._now_s

    def simulate(self, main: Coroutine[Any, Any, T]) -> T:
        """Run the world to its end."""
        try:
            return self.run_until_complete(main)
        finally:
            leftover = Process("the rest")
            leftover.tasks = [task for task in asyncio.all_tasks(self) if isinstance(task, _Task)]
            self.kill(leftover)
            self._ready.clear()
            self._scheduled.clear()
            self.close()

    async def run_process(self, process: Process, body: Callable[[], Coroutine[Any, Any, Any]]) -> Ended:
        """Run a process until it ends or is killed."""
        context = copy_context()
        context.run(_owner.set, process)
        ended: asyncio.Future[Ended] = self.create_future()
        task = context.run(lambda: self.create_task(body(), context=context))

        def finish(done: asyncio.Future[Any]) -> None:
            if not ended.done():
                error = done.exception() if not done.cancelled() else asyncio.CancelledError()
                ended.set_result(Ended(None if error else done.result(), error))

        task.add_done_callback(finish, context=copy_context())
        timer = None
        if process.kill_at_s is not None:
            timer = self.call_later(process.kill_at_s, self.kill, process)
        self._endings[process] = ended
        try:
            return await ended
        finally:
            del self._endings[process]
            if timer is not None:
                timer.cancel()
            self.kill(process)

    def kill(self, process: Process) -> None:
        """End a process as SIGKILL does: nothing of it runs again."""
        if not process.alive:
            return
        process.alive = False
        process.died_at_s = self._now_s
        process.held.clear()
        ended = self._endings.get(process)
        if ended is not None and not ended.done():
            process.killed = True
            ended.set_result(Ended(killed=True))
        dead = copy_context()
        dead.run(_owner.set, process)
        for task in process.tasks:
            if not task.done():
                dead.run(_bury, task)
        process.tasks.clear()

    def suspend(self, process: Process, for_s: float) -> None:
        """Stop a process as SIGSTOP does, for so long."""
        process.suspended = True
        process.suspensions += 1
        self.call_later(for_s, self._wake, process, context=Context())

    def _wake(self, process: Process) -> None:
        process.suspended = False
        self._ready += process.held
        process.held.clear()

    # What BaseEventLoop asks of a loop.

    def _run_once(self) -> None:
        """One step: any one of those that are ready, by chance; time passes only when none is."""
        ready = self._ready
        self._fall_due()
        while not ready:
            if not self._scheduled:
                raise StuckError(f"nothing can happen any more at {self._now_s:.1f} s")
            self._now_s = max(self._now_s, self._scheduled[0]._when)  # type: ignore[attr-defined]
            self._fall_due()
        self.steps += 1
        if self.steps > MOST_STEPS or self._now_s > MOST_S:
            raise StuckError(f"no end after {self.steps:,} steps and {self._now_s:,.0f} s")
        place = int(self._random.random() * len(ready))
        handle = ready[place]
        ready[place] = ready[-1]
        ready.pop()
        if not handle._cancelled and self._may_run(handle):
            handle._run()

    def _may_run(self, handle: asyncio.Handle) -> bool:
        owner: Process | None = handle._context.get(_owner)  # type: ignore[attr-defined]
        if owner is None:
            return True
        if not owner.alive:
            return False
        if owner.suspended:
            owner.held.append(handle)
            return False
        owner.steps += 1
        if owner.kill_at_step is not None and owner.steps > owner.kill_at_step:
            self.kill(owner)
            return False
        if owner.suspend is not None and owner.steps > owner.suspend[0] and not owner.suspensions:
            self.suspend(owner, owner.suspend[1])
            owner.held.append(handle)
            return False
        return True

    def _fall_due(self) -> None:
        scheduled = self._scheduled
        while scheduled and (scheduled[0]._cancelled or scheduled[0]._when <= self._now_s):  # type: ignore[attr-defined]
            handle = heapq.heappop(scheduled)
            handle._scheduled = False  # type: ignore[attr-defined]
            if not handle._cancelled:
                self._ready.append(handle)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing is counted: cancelled timers leave when their time has come."""

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> "asyncio.Task[T]":
        """A task with a number, that dies with its process."""
        self._numbers += 1
        task = _Task(coro, loop=self, name=name or f"task {self._numbers}", context=context)
        task.number = self._numbers
        task.owner = context.get(_owner) if context is not None else _owner.get()
        if task.owner is not None:
            task.owner.tasks.append(task)
        return task

    def create_future(self) -> "asyncio.Future[Any]":
        """A future with a number."""
        self._numbers += 1
        future = _Future(loop=self)
        future.number = self._numbers
        future.owner = _owner.get()
        return future

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        owner = _owner.get()
        self._asyncgens.discard(agen)  # type: ignore[attr-defined]
        if not self.is_closed() and self.is_running() and (owner is None or owner.alive):
            self.create_task(agen.aclose())

    def _note_trouble(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        whose = context.get("task") or context.get("future")
        owner = getattr(whose, "owner", None)
        if owner is None or owner.alive:
            self.trouble.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _process_events(self, event_list: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]
        """Refused."""
        raise EscapedError("a thread in the simulation")

    async def getaddrinfo(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        raise EscapedError("a name looked up in the simulation")

    async def sock_connect(self, *_: Any) -> NoReturn:
        """Refused."""
        raise EscapedError("a socket in the simulation")


def _bury(task: "_Task[Any]") -> None:
    """End a task's coroutine without running what it would still have done on the network or the disk.

    Its `finally` blocks see GeneratorExit; whatever they await ends them there, and nothing that they schedule runs.
    """
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coroutine = task.get_coro()
    for _ in range(100):
        try:
            coroutine.close()
        except BaseException:  # noqa: BLE001  (the dead do not speak)
            continue
        return
    raise StuckError(f"{task.get_name()} cannot be buried")


@contextmanager
def simulated(seed: int | str) -> Iterator[SimulatedLoop]:
    """A loop that is closed in the end, whatever happens."""
    loop = SimulatedLoop(seed)
    try:
        yield loop
    finally:
        if not loop.is_closed():
            loop.close()


def sleep(for_s: float) -> Awaitable[None]:
    """Virtual seconds."""
    return asyncio.sleep(for_s)

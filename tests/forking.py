"""Many processes of the command for the price of one start: a process that has imported everything forks for each call.

It has never run anything itself, so what is forked is what `coval-etl` is right after its imports. It must never know
what is tested with it. `python -m tests.forking` is the process that forks; `Forker` talks to it.
"""

import asyncio
import atexit
import json
import os
import pkgutil
import resource
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from etl import crashpoints

ROOT = Path(__file__).resolve().parent.parent
_IMPORTED = ("etl.cli.entry", "etl.importing", "etl.inspecting", "etl.exporting", "etl.auditing", "etl.sandbox")
"""Beside every command: what they load when they run."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code, or minus the signal that ended it. `calls`: how many it made, if counted."""

    code: int
    out: str
    err: str
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One run of the command.

    `constants` are set before it begins (`module:NAME`). `dies_after` that many calls of functions, in any thread,
    once the job has begun (0: they are counted only; None: not even that). `waits_for`: it begins when this pipe is
    opened for writing. `stops_at`: a crash point at which it is stopped, as by SIGSTOP, not killed. `largest_file`: no
    file of it may grow beyond so many bytes. `one_stream`: what it says on both goes into `out`. `says_in`: the folder
    for what it says, else its own.
    """

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    dies_after: int | None = None
    waits_for: Path | None = None
    stops_at: str | None = None
    largest_file: int | None = None
    one_stream: bool = False
    says_in: Path | None = None


@dataclass(slots=True)
class Child:
    """A process on its way."""

    pid: int
    number: int
    _folder: Path
    _status: "Future[int]"

    async def wait(self) -> Ended:
        return self.ended_with(await asyncio.wrap_future(self._status))

    def ended_with(self, code: int) -> Ended:
        """What it said to its end."""
        counted = self._folder / f"calls.{self.number}"
        calls = int(counted.read_text()) if counted.exists() else None
        return Ended(code, self._text("out"), self._text("err"), calls)

    def _text(self, name: str) -> str:
        file = self._folder / f"{name}.{self.number}"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def ended(self) -> bool:
        return self._status.done()

    @property
    def stopped(self) -> bool:
        """Whether it is stopped, as by SIGSTOP."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def signal(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        if not self.ended:
            os.kill(self.pid, number)


class Forker:
    """Starts processes that cost no start."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forking"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()
        self._numbers = 0
        self._born: dict[int, Future[int]] = {}
        self._over: dict[int, Future[int]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    async def start(self, call: Call) -> Child:
        number, born, over = self._begin(call)
        return Child(await asyncio.wrap_future(born), number, call.says_in or call.folder, over)

    async def run(self, call: Call) -> Ended:
        return await (await self.start(call)).wait()

    def run_now(self, call: Call, timeout_s: float) -> Ended:
        """As `run`, without an event loop. Raises TimeoutError, and nothing of it is left then."""
        number, born, over = self._begin(call)
        child = Child(born.result(timeout_s), number, call.says_in or call.folder, over)
        try:
            return child.ended_with(over.result(timeout_s))
        except TimeoutError:
            child.signal(signal.SIGKILL)
            raise

    def _begin(self, call: Call) -> tuple[int, "Future[int]", "Future[int]"]:
        """Its number; futures of its process and of its exit code."""
        assert self._process.stdin is not None
        with self._lock:
            self._numbers += 1
            number = self._numbers
            born: Future[int] = Future()
            over: Future[int] = Future()
            self._born[number], self._over[number] = born, over
            asked = {
                "number": number,
                "arguments": call.arguments,
                "folder": str(call.folder),
                "says_in": str(call.says_in or call.folder),
                "environment": dict(call.environment),
                "constants": dict(call.constants),
                "dies_after": call.dies_after,
                "largest_file": call.largest_file,
                "one_stream": call.one_stream,
                "stops_at": call.stops_at,
                "waits_for": str(call.waits_for) if call.waits_for else None,
            }
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        return number, born, over

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, what, value = line.split()
            futures = self._born if what == "pid" else self._over
            if not futures[int(number)].cancelled():
                futures[int(number)].set_result(int(value))


_SHARED: list[Forker] = []


def shared() -> Forker:
    """The one of this process of tests; it ends with it."""
    if not _SHARED:
        _SHARED.append(Forker())
        atexit.register(_SHARED[0].close)
    return _SHARED[0]


def _serve() -> None:
    """Fork for every line of standard input; tell who was born and how it ended."""
    commands = pkgutil.walk_packages(import_module("etl.cli").__path__, "etl.cli.")
    for name in (*_IMPORTED, *(found.name for found in commands)):
        import_module(name)
    living: dict[int, tuple[int, int]] = {}  # by a descriptor of the process: its number and id
    text = b""
    open_ = True
    while open_ or living:
        ready, _, _ = select.select([*living, *([0] if open_ else [])], [], [])
        for descriptor in ready:
            if descriptor:
                number, pid = living.pop(descriptor)
                os.close(descriptor)
                _, status = os.waitpid(pid, 0)
                _tell(number, "status", os.waitstatus_to_exitcode(status))
        if 0 in ready:
            read = os.read(0, 1 << 20)
            open_ = bool(read)
            for _, pid in () if open_ else living.values():  # nobody waits for them any more
                os.kill(pid, signal.SIGKILL)
            *lines, text = (text + read).split(b"\n")
            for line in lines:
                asked = json.loads(line)
                pid = os.fork()
                if not pid:
                    for descriptor in living:
                        os.close(descriptor)
                    _become(asked)
                living[os.pidfd_open(pid)] = asked["number"], pid
                _tell(asked["number"], "pid", pid)


def _tell(number: int, what: str, value: int) -> None:
    os.write(1, f"{number} {what} {value}\n".encode())


def _become(asked: dict[str, Any]) -> NoReturn:
    """Be the command, to the end of this process."""
    code = 99
    try:
        number = asked["number"]
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started the tests may have had it ignored
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        for descriptor, name in ((1, "out"), (2, "out" if asked["one_stream"] else "err")):
            said = os.path.join(asked["says_in"], f"{name}.{number}")  # noqa: PTH118  (the fewer calls the better)
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if asked["waits_for"] is not None:
            os.close(os.open(asked["waits_for"], os.O_RDONLY))
        if asked["largest_file"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (asked["largest_file"], asked["largest_file"]))
        for place, value in asked["constants"].items():
            module, _, constant = place.partition(":")
            setattr(import_module(module), constant, value)
        if asked["stops_at"] is not None:
            crashpoints.arm(asked["stops_at"], signal.SIGSTOP)
        if asked["dies_after"] is not None:
            _count_calls(asked["dies_after"], Path(asked["says_in"], f"calls.{number}"))
        sys.argv = ["coval-etl", *asked["arguments"]]
        from etl.cli.entry import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  (a forked process must end here, whatever happens)
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _count_calls(dies_after: int, tell: Path) -> None:
    """Count calls from the job's first step; die at the given one, or write down how many there were."""
    from etl.importing import Importer

    count = 0

    def step(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        if event in {"call", "c_call"}:
            count += 1
            if count == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)

    run = Importer.run

    async def counted(*arguments: Any) -> Any:
        threading.setprofile(step)
        sys.setprofile(step)
        try:
            return await run(*arguments)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            _write(tell, str(count))

    setattr(Importer, "run", counted)  # noqa: B010  (not an assignment that a type could be wrong of)


def _write(file: Path, text: str) -> None:
    file.write_text(text)


if __name__ == "__main__":
    _serve()

"""Which process this is, and what time it is: by a clock that nobody can set, and by the one that people set.

It must never know what is measured with it. Tests hand in a `Clock` of their own.
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process, so that another one can find out whether it still lives.

    `started` is in the kernel's own ticks. `boot` names one start of one machine (and its time namespace, in which
    the boot clock may run apart); `pids` the namespace that `pid` counts in. None: this system does not tell.
    """

    host: str
    pid: int
    started: str | None
    boot: str | None
    pids: str | None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    """The process that asks."""
    pid = os.getpid()
    boot = _text(_PROC / "sys/kernel/random/boot_id")
    namespace = _link(_PROC / "self/ns/time") or ""
    return Process(
        socket.gethostname(), pid, _started(pid), boot and f"{boot} {namespace}".strip(), _link(_PROC / "self/ns/pid")
    )


def is_dead(other: Process) -> bool:
    """Whether a process is proved to have ended. False where it lives, and where nobody here can tell."""
    here = this_process()
    if None in (here.boot, here.pids, other.started):
        return False
    if (other.host, other.boot, other.pids) != (here.host, here.boot, here.pids):
        return False
    return _started(other.pid) != other.started


def boottime_s() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps."""
    # On macOS CLOCK_MONOTONIC is the one that counts sleep, where time.monotonic() does not.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and identity, as a ledger asks for them."""

    boottime_s: Callable[[], float] = boottime_s
    wall_s: Callable[[], float] = time.time
    process: Process = field(default_factory=this_process)
    is_dead: Callable[[Process], bool] = is_dead


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the machine did; None where none of it lives."""
    stat = _text(_PROC / str(pid) / "stat")
    if stat is None:
        return None
    # The name may hold spaces and brackets: what counts begins after the last one (proc_pid_stat(5)).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _link(file: Path) -> str | None:
    try:
        return os.readlink(file)  # noqa: PTH115  (a namespace is no path)
    except OSError:
        return None

"""Measuring: one command in a process of its own: its time, its processor time, its peak memory, what it printed.

It must never import more than the standard library: a child begins as large as the process that starts it, and that
would count as its memory.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """What one run took; `said` is the JSON that it printed."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    said: Mapping[str, Any]


def measure(command: Sequence[str], environment: Mapping[str, str], codes: Sequence[int] = (0,)) -> Figure:
    """Run a command. Raises RuntimeError with what it said where it ends with none of `codes`, or says no JSON."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        actions = [(os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, err.fileno(), 2)]
        started = time.perf_counter()
        child = os.posix_spawn(command[0], command, environment, file_actions=actions)
        _, status, used = os.wait4(child, 0)
        wall = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        printed = out.read().decode()
        if os.waitstatus_to_exitcode(status) not in codes or not printed.strip():
            raise RuntimeError(f"{' '.join(command)}: {err.read().decode()[-2000:] or printed[-2000:]}")
    unit = 1 << (20 if sys.platform == "darwin" else 10)
    return Figure(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / unit, json.loads(printed))

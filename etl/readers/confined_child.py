"""Confined child: the process in which a parser may crash, spin or swell without harm; `confined` starts it.

It must never be imported, and loads nothing of ours before its limits hold. It reads one request from its standard
input and answers in frames: four bytes of length, then MessagePack of a kind and a content.
"""

import importlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

_MB = 1 << 20
_MOST_FILES = 64


def main() -> None:
    """Run the function that is asked for, and send what it yields."""
    with os.fdopen(0, "rb", closefd=False) as asked:
        request = json.load(asked)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 0)
    os.dup2(2, 1)  # whatever a library prints goes nowhere
    sys.path[:] = request["path"]

    import msgspec

    def send(kind: str, content: object) -> None:
        frame = msgspec.msgpack.encode([kind, content])
        answers.write(len(frame).to_bytes(4, "little"))
        answers.write(frame)
        answers.flush()

    try:
        _run(request, send)
    except MemoryError:
        send("memory", None)
    answers.close()
    os._exit(0)


def _run(request: dict[str, Any], send: Callable[[str, object], None]) -> None:
    """What the function raises, other than FileError, ends this process; the parent says so."""
    from etl.errors import FileError

    limits = _Limits(request["limits"])
    module, _, name = request["function"].partition(":")
    read: Callable[..., Iterator[object]] = getattr(importlib.import_module(module), name)
    limits.begin()
    try:
        for chunk in read(request["file"], **request["arguments"]):
            send("chunk", chunk)
            limits.go_on()
    except FileError as error:
        send("refused", [error.message, error.hint])
    else:
        send("end", None)


class _Limits:
    """What the kernel holds this process to. Systems without `resource` know no such limits."""

    def __init__(self, wanted: dict[str, int]) -> None:
        self._wanted = wanted
        try:
            import resource
        except ImportError:
            self._resource = None
            return
        self._resource = resource
        self._set(resource.RLIMIT_CORE, 0)
        self._set(resource.RLIMIT_FSIZE, 0)
        self._set(resource.RLIMIT_NOFILE, _MOST_FILES)

    def begin(self) -> None:
        """From now on little memory, until the first rows are there."""
        self._own_bytes = _address_bytes()
        self._hold(self._wanted["start_bytes"])

    def go_on(self) -> None:
        """Rows were sent: more memory, and time anew."""
        self._hold(self._wanted["memory_bytes"])

    def _hold(self, memory_bytes: int) -> None:
        if self._resource is None:
            return
        self._set(self._resource.RLIMIT_AS, self._own_bytes + memory_bytes)
        used = sum(self._resource.getrusage(self._resource.RUSAGE_SELF)[:2])
        self._set(self._resource.RLIMIT_CPU, math.ceil(used) + self._wanted["cpu_s"])

    def _set(self, limit: int, value: int) -> None:
        """Only the soft limit, which may rise again, and never above the hard one."""
        if self._resource is None:
            return
        _, hard = self._resource.getrlimit(limit)
        value = value if hard == self._resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):  # macOS knows the names, and refuses some limits
            self._resource.setrlimit(limit, (value, hard))


def _address_bytes() -> int:
    """The address space that the libraries take up before anything is read; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as facts:  # noqa: PTH123  # pathlib would have to be loaded
            return int(facts.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


if __name__ == "__main__":
    main()

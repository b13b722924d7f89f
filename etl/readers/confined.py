"""Confined: a function that reads a file, run in a child process with limits, so that no file ends this one.

It must never believe the child: what comes back is plain data in frames (no pickles), and a child that dies, spins or
swells becomes one sentence. The child gets neither our environment nor our open files.

Linux holds the child to all limits. Where the system has no `resource` (Windows) or ignores its memory limit (macOS),
only the clock and the crash protection are left.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import msgspec

from etl.errors import FileError

_CHILD = Path(__file__).with_name("confined_child.py")
_MOST_FRAME_BYTES = 1 << 28
_LAST_BREATH_S = 2.0
"""A child that has nothing more to say is given so long to end."""
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "POLARS_MAX_THREADS": "2", "RUST_BACKTRACE": "0", "MALLOC_ARENA_MAX": "2"}
"""All that the child gets to see: nothing of the user's, no key."""

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child may use. Time and memory are earned by rows, so that honest large files are not held back."""

    start_bytes: int = 512 << 20
    """Memory until the first chunk, beyond what the libraries themselves take."""
    memory_bytes: int = 2 << 30
    """Memory afterwards."""
    cpu_s: int = 4
    """Seconds of processor time from one chunk to the next."""
    clock_s: float = 30.0
    """Seconds by the clock that a chunk is waited for."""


_DEFAULT = Limits()


def confined(
    function: str, file: Path, arguments: Mapping[str, Plain], label: str, limits: Limits = _DEFAULT
) -> Generator[object]:
    """What `function` yields for a file: `package.module:function`, called with the path as text and the arguments.

    Chunks are what MessagePack holds: text, numbers, bytes, lists, dicts. The child starts with the first chunk that
    is asked for, and is gone when the generator is closed. Raises FileError: what the function raised as such, or that
    the file crashes its reader, or needs too much time or memory. `label` is what the sentence calls the file.
    """
    request = {
        "path": sys.path,
        "function": function,
        "file": str(file),
        "arguments": dict(arguments),
        "limits": asdict(limits),
    }
    child = subprocess.Popen(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-I", "-B", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    try:
        yield from _converse(child, msgspec.json.encode(request), label, limits)
    finally:
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        child.wait()


def _converse(child: subprocess.Popen[bytes], request: bytes, label: str, limits: Limits) -> Generator[object]:
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child has no pipes")
    with suppress(BrokenPipeError):
        child.stdin.write(request)
        child.stdin.close()
    while True:
        frame = _next_frame(child, child.stdout, label, limits)
        try:
            kind, content = msgspec.msgpack.decode(frame, type=tuple[str, object])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _crashed(label, "what it answers is nonsense") from error
        match kind:
            case "chunk":
                yield content
            case "end":
                return
            case "refused":
                message, hint = msgspec.convert(content, tuple[str, str])
                raise FileError(message, hint)
            case _:
                raise _too_large(label, limits)


def _next_frame(child: subprocess.Popen[bytes], answers: IO[bytes], label: str, limits: Limits) -> bytes:
    """The next frame that the child sends. Raises FileError when it is late, or dead."""
    late = threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    clock = threading.Timer(limits.clock_s, end)
    clock.daemon = True
    clock.start()
    try:
        size = int.from_bytes(answers.read(4), "little")
        frame = answers.read(size) if size <= _MOST_FRAME_BYTES else b""
    finally:
        clock.cancel()
    if size and len(frame) == size:
        return frame
    try:
        code = child.wait(_LAST_BREATH_S)
    except subprocess.TimeoutExpired as error:
        raise _crashed(label, "what it answers is nonsense") from error
    raise _too_slow(label) if late.is_set() else _death(code, label, limits)


def _death(code: int, label: str, limits: Limits) -> FileError:
    """The sentence for a child that ended without a word. Codes below 0 name the signal that ended it."""
    if -code == getattr(signal, "SIGXCPU", None):
        return _too_slow(label)
    if -code in {getattr(signal, "SIGKILL", None), signal.SIGABRT}:  # the system, or an allocation that failed
        return _too_large(label, limits)
    return _crashed(label, signal.Signals(-code).name if code < 0 else f"exit code {code}")


def _too_slow(label: str) -> FileError:
    return FileError(
        f"{label} is refused: reading it takes time without giving a row, as in a file made to keep a computer busy.",
        "Open it in the program that it is from, and save it again.",
    )


def _too_large(label: str, limits: Limits) -> FileError:
    return FileError(
        f"{label} is refused: reading it crashes, or needs more than {limits.start_bytes >> 20} MB before it gives a "
        f"row, as in a file made to exhaust memory.",
        "Open it in the program that it is from, and save it again.",
    )


def _crashed(label: str, why: str) -> FileError:
    return FileError(
        f"{label} is damaged: the library that reads it fails ({why}).",
        "Open it in the program that it is from, and save it again.",
    )

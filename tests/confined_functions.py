"""What the tests of the confined child have it do: functions that read a file well, badly, or not at all."""

import ctypes
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from etl.errors import FileError

FILES = Path("/proc/self/fd")


def lines(file: str, ending: str) -> Iterator[list[str]]:
    for line in Path(file).read_text().splitlines():
        yield [line, ending]


def kinds(file: str) -> Iterator[object]:
    yield from ("é", 2**60, -1.5, True, None, b"\0\xff", ["a", {"b": 1}])


def refuses(file: str) -> Iterator[int]:
    yield 1
    raise FileError(f"{file} is not for us.", "Give another.")


def raises(file: str) -> Iterator[int]:
    yield 1
    raise KeyError(file)


def aborts(file: str) -> Iterator[int]:
    yield 1
    os.abort()


def crashes(file: str) -> Iterator[int]:
    yield 1
    ctypes.string_at(0)


def spins(file: str) -> Iterator[int]:
    yield 1
    while True:
        pass


def waits(file: str) -> Iterator[int]:
    yield 1
    threading.Event().wait()


def swells(file: str, megabytes: int, chunks: int) -> Iterator[int]:
    """Take memory, then give chunks, then take as much again."""
    held = [bytearray(1 << 20) for _ in range(megabytes)]
    yield from range(chunks)
    held += [bytearray(1 << 20) for _ in range(megabytes)]
    yield len(held)


def works(file: str, chunks: int) -> Iterator[int]:
    """Take longer in all than is allowed for one chunk."""
    for chunk in range(chunks):
        start = time.process_time()
        while time.process_time() - start < 0.6:
            pass
        yield chunk


def surroundings(file: str) -> Iterator[object]:
    """What a reader could see of its user: its environment and the files it has been left."""
    yield sorted(os.environ)
    yield [str(left.readlink()) for left in FILES.iterdir() if int(left.name) > 2 and left.is_symlink()]


def writes(file: str) -> Iterator[int]:
    Path(file).write_text("changed")
    yield 1


def prints(file: str) -> Iterator[int]:
    os.write(1, b"a library talks")
    yield 1


def lies(file: str) -> Iterator[int]:
    """Send what is no frame."""
    for left in FILES.iterdir():
        if int(left.name) > 2 and left.is_symlink() and str(left.readlink()).startswith("pipe:"):
            os.write(int(left.name), Path(file).read_bytes())
    yield 1


def number(file: str) -> Iterator[int]:
    while True:
        yield os.getpid()


def sheet(file: str) -> Iterator[object]:
    """A whole sheet by a native parser, which no Python code can stop."""
    import python_calamine

    yield python_calamine.CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()

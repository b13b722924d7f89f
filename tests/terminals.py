"""A program at a terminal of its own, as a person sits before it: what is typed, what is shown.

It must never know which program it is.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_S = 60.0
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[()=>][0-9A-Za-z]?|[\x00\x07\x0e\x0f]")


@dataclass
class Terminal:
    """`shown` is all that came so far, as it came."""

    pid: int
    _descriptor: int
    shown: str = ""
    code: int | None = None
    _bytes: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """What was shown, without what moves the cursor or colours."""
        return _CONTROL.sub("", self.shown).replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._descriptor, keys.encode())

    def forget(self) -> None:
        """Look at what comes from now on only."""
        self._bytes, self.shown = b"", ""

    def wait_for(self, words: str) -> None:
        """Until these words were shown, plain. Fails where they do not come."""
        while words not in self.text:
            assert self._read(), f"{words!r} never came: {self.text!r}"

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing is shown for so long."""
        return not select.select([self._descriptor], [], [], seconds)[0]

    def wait(self) -> int:
        """Until the program has ended; its exit code."""
        while self._read():
            pass
        if self.code is None:
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def _read(self) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], PATIENCE_S)
        if not ready:
            return False
        try:
            read = os.read(self._descriptor, 1 << 16)
        except OSError:  # Linux says so when the other end is closed
            return False
        self._bytes += read
        self.shown = self._bytes.decode(errors="replace")
        return bool(read)


@contextmanager
def at_terminal(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int = 80
) -> Iterator[Terminal]:
    """Run a program at a terminal so many columns wide; it is killed at the end, if it has not ended."""
    pid, descriptor = pty.fork()
    if not pid:
        try:
            os.chdir(folder)
            os.execvpe(command[0], list(command), dict(environment))
        finally:
            os._exit(127)
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    terminal = Terminal(pid, descriptor)
    try:
        yield terminal
    finally:
        if terminal.code is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(descriptor)

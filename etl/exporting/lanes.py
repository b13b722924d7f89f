"""A list of the API on its way: its pages as they come, in a file, so that a process that dies loses at most one page.

It must never know what an item says.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from etl.tables import explain_failure

_END_OF_PAGE = b"#"


class Lane:
    """Append pages; after a crash it begins behind the last whole page. A line has its line end, and no `#` first.

    `token` asks for the next page (None before the first); `is_done`: the last one is here.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.token: str | None = None
        self.is_done = False
        self.count = 0
        with explain_failure(path):
            path.touch(mode=0o600)
            self._stream: BinaryIO = path.open("r+b")
            self._stream.truncate(self._find_end())
            self._stream.seek(0, 2)

    def add(self, lines: Sequence[bytes], token: str | None) -> None:
        """One page, and how to go on (None: it was the last). Raises StoppedError where there is no room."""
        page = b"".join(lines)
        end = json.dumps([zlib.crc32(page), len(lines), token]).encode()
        with explain_failure(self._path):
            self._stream.write(b"".join((page, _END_OF_PAGE, end, b"\n")))
            self._stream.flush()
        self.count += len(lines)
        self.token, self.is_done = token, token is None

    def begin_again(self) -> None:
        """The list is asked for from its first page; what is here stays: items may come twice."""
        self.token, self.is_done = None, False

    def lines(self) -> Iterator[bytes]:
        """The items' lines, in the order in which they came."""
        with explain_failure(self._path), self._path.open("rb") as stream:
            for line in stream:
                if not line.startswith(_END_OF_PAGE):
                    yield line

    def close(self) -> None:
        self._stream.close()

    def _find_end(self) -> int:
        """Where the last whole page ends; takes up what it says."""
        end, digest, count = 0, 0, 0
        position = 0
        for line in self._stream:
            position += len(line)
            if not line.startswith(_END_OF_PAGE):
                digest, count = zlib.crc32(line, digest), count + 1
                continue
            try:
                found, lines, token = json.loads(line[1:])
            except ValueError:
                break
            if (found, lines) != (digest, count) or not line.endswith(b"\n"):
                break
            end, self.token, self.is_done = position, token, token is None
            self.count += count
            digest, count = 0, 0
        return end

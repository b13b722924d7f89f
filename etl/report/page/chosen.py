"""Which rows the page embeds: problems first, a bounded number, as lines of `results.jsonl`.

This file must never know how rows are shown, nor hold more than where they are.
"""

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, BinaryIO

from etl.quoting import shorten

MOST_ROWS = 100_000
MOST_BYTES = 64 << 20
"""So much of the lines, before they are packed; a browser holds several times as much."""
LONG_LINE = 4_000
ISSUES_SHOWN = 10
"""Of a row whose line is long."""
TEXT_LIMIT = 300
"""Characters of each text of such a row."""


class Rank(IntEnum):
    """What comes first."""

    PROBLEM = 0
    """Rejected, failed, in doubt."""
    OPEN = 1
    """Not sent yet."""
    WARNED = 2
    REST = 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where the lines are that are embedded: offset and length in bytes, in the order of the page.

    `left_out`: how many rows of each rank are not.
    """

    places: list[tuple[int, int]]
    left_out: tuple[int, ...]

    @property
    def all_problems(self) -> bool:
        """Whether no row with an error is left out."""
        return self.left_out[Rank.PROBLEM] == 0


def choose(lines: Iterable[bytes], most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> Chosen:
    """Choose among the lines of `results.jsonl`. Memory is bounded by `most_rows`, however many there are."""
    offsets = [array("Q") for _ in Rank]
    lengths = [array("Q") for _ in Rank]
    counts = [0] * len(Rank)
    offset = 0
    for line in lines:
        rank = _rank(line)
        if counts[rank] < most_rows:
            offsets[rank].append(offset)
            lengths[rank].append(len(line))
        counts[rank] += 1
        offset += len(line)
    places: list[tuple[int, int]] = []
    taken = [0] * len(Rank)
    room = most_bytes
    for rank in Rank:
        for place in zip(offsets[rank], lengths[rank], strict=True):
            room -= min(place[1], LONG_LINE)
            if len(places) >= most_rows or room < 0:
                break
            places.append(place)
            taken[rank] += 1
    return Chosen(places, tuple(count - number for count, number in zip(counts, taken, strict=True)))


def lines_at(stream: BinaryIO, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """The lines at these places of the file, each as `shown_line` gives it."""
    for offset, length in places:
        stream.seek(offset)
        yield shown_line(stream.read(length))


def shown_line(line: bytes) -> bytes:
    """A line as it is embedded: what is long is shortened, and how many problems are left out is said."""
    if len(line) <= LONG_LINE:
        return line.rstrip(b"\n")
    row: dict[str, Any] = json.loads(line)
    issues = row["issues"]
    row["more_issues"] = max(0, len(issues) - ISSUES_SHOWN)
    row["issues"] = [{name: _cut(text) for name, text in issue.items()} for issue in issues[:ISSUES_SHOWN]]
    rows = row.get("rows")
    if rows is not None and len(rows) > ISSUES_SHOWN:
        row["rows"] = rows[:ISSUES_SHOWN]
    row |= {name: _cut(row[name]) for name in ("id", "file", "sheet")}
    return json.dumps(row, separators=(",", ":")).encode()


def _cut(text: str | None) -> str | None:
    return None if text is None else shorten(text, TEXT_LIMIT)


def _rank(line: bytes) -> Rank:
    """A quote inside a JSON text is escaped, so that these bytes are found only where the keys are."""
    status = line[line.index(b'"status":"') + 10 :].split(b'"', 1)[0]
    rank = _RANKS.get(status, Rank.REST)
    if rank is Rank.REST and not line.rstrip().endswith(b'"issues":[]}'):
        return Rank.WARNED
    return rank


_RANKS = {
    b"rejected": Rank.PROBLEM,
    b"failed": Rank.PROBLEM,
    b"in_doubt": Rank.PROBLEM,
    b"pending": Rank.OPEN,
}

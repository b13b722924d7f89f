"""What is different in a source since a job was begun with it: its rows, by the hashes that the ledger kept of them.

It must never know why that matters, nor what is done about it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from etl.batch import ROW
from etl.checking import Checked, Fitted, body_maker
from etl.ledger import Ledger

LAST = 2**62
MARK_BYTES = 8
"""So much of a hash is compared: no two rows of any file have the same by chance."""


@dataclass(slots=True)
class _Rows:
    """Rows that are not the same at the same place, by number. `kept`: as the ledger has them; `now`: as they are.

    `seen`: those of the kept ones in whose place there is still a row; `same`: how many are as they were.
    """

    kept: dict[int, bytes] = field(default_factory=dict)
    now: dict[int, bytes] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    same: int = 0
    last_same: int = 0


def differences(
    ledger: Ledger,
    job_id: str,
    fitted: Sequence[Fitted],
    check: Callable[[Sequence[Fitted]], Iterable[Checked]],
    *,
    creates: bool,
    refers: Callable[[Fitted], bool] = lambda _one: False,
) -> Callable[[Mapping[str, object]], str]:
    """What says of a source, as the ledger keeps it of a job, what is different now (see `what_differs`).

    `fitted`: the tables as they are now; `check` reads and checks some of them. `creates`: the job creates only; of
    rows that change what is there the ledger has what was sent, which was not all of the row: nothing is said of them.
    """

    def of(source: Mapping[str, object]) -> str:
        place = (source["file"], source["sheet"], source.get("resource"))
        if not creates:
            return "its content is another"
        origins = [(one, one.table.origin) for one in fitted]
        now = [one for one, origin in origins if (origin.file, origin.sheet, one.resource.name) == place]
        if any(map(refers, now)):  # their bodies have ids of rows that are not known before they are looked for
            return "its content is another"
        return what_differs(ledger, job_id, str(source["table"]), check(now))

    return of


def what_differs(ledger: Ledger, job_id: str, table: str, batches: Iterable[Checked]) -> str:
    """What is different, such as "row 17 and 3 others differ, 2 rows were added".

    `table`: the key under which the ledger has the rows; `batches`: the source as it is now. Only rows that the job had
    begun to send can be compared. Raises LedgerError, and what the batches raise.
    """
    rows = _compare(ledger, job_id, table, batches)
    moved = _take_moved(rows)
    changed = sorted(row for row in rows.kept if row in rows.seen and (row in rows.now or not moved))
    gone = len(rows.kept) - len(changed)
    for row in changed:
        rows.now.pop(row, None)
    last = max([rows.last_same, *moved.values()])
    added = sum(row < last for row in rows.now)
    words = list(_told(changed, gone, added, moved))
    many = rows.same + len(moved) + len(rows.kept)
    return ", ".join(words) or f"none of the {many:,} rows that it had begun to send differs"


def _compare(ledger: Ledger, job_id: str, table: str, batches: Iterable[Checked]) -> _Rows:
    rows = _Rows()
    next_row = 0
    for checked in batches:
        numbers = checked.batch.frame[ROW].to_list()
        if not numbers:
            continue
        kept = _kept(ledger, job_id, table, next_row, numbers[-1])
        now = _now(checked)
        next_row = numbers[-1] + 1
        same = {row for row, mark in kept.items() if now.get(row) == mark}
        rows.same += len(same)
        rows.last_same = max(same, default=rows.last_same)
        rows.kept.update((row, mark) for row, mark in kept.items() if row not in same)
        rows.now.update((row, mark) for row, mark in now.items() if row not in same)
        rows.seen.update(rows.kept.keys() & set(numbers))
    rows.kept.update(_kept(ledger, job_id, table, next_row, LAST))
    return rows


def _kept(ledger: Ledger, job_id: str, table: str, first: int, last: int) -> dict[int, bytes]:
    found = (one.change for one in ledger.known(table, first, last) if one.job_id == job_id)
    return {one.key.row: one.body_sha256[:MARK_BYTES] for one in found if one.body_sha256 is not None}


def _now(checked: Checked) -> dict[int, bytes]:
    """The good rows of a batch."""
    good = checked.batch.frame.filter(~checked.bad() & ~checked.skipped)
    bodies = body_maker(checked.fitted.bound)(good)
    marks = (hashlib.sha256(body.encode()).digest()[:MARK_BYTES] for body in bodies)
    return dict(zip(good[ROW].to_list(), marks, strict=True))


def _take_moved(rows: _Rows) -> dict[int, int]:
    """Rows that are somewhere else now: by their old number the new one. They are taken out of `rows`."""
    places: dict[bytes, list[int]] = defaultdict(list)
    for row, mark in sorted(rows.now.items(), reverse=True):
        places[mark].append(row)
    moved = {row: places[mark].pop() for row, mark in sorted(rows.kept.items()) if places.get(mark)}
    for old, new in moved.items():
        del rows.kept[old], rows.now[new]
    return moved


def _told(changed: list[int], gone: int, added: int, moved: dict[int, int]) -> Iterator[str]:
    if changed:
        more = len(changed) - 1
        others = f" and {more:,} other{'s' * (more > 1)}" if more else ""
        yield f"row {changed[0]}{others} differ{'s' * (not more)}"
    if added and moved:
        yield f"{added:,} {'row was' if added == 1 else 'rows were'} added"
    elif added:
        yield f"{added:,} {'row was' if added == 1 else 'rows were'} not sent before"
    if gone:
        yield f"{gone:,} {'row is' if gone == 1 else 'rows are'} missing"
    if moved and not gone and not added:
        yield f"{len(moved):,} {'row stands' if len(moved) == 1 else 'rows stand'} elsewhere"

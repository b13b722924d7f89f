"""A row's cells: what a format cannot hold, and the hash of a row. It must never know which file they stand in."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from etl.records.merkle import leaf_hash
from etl.redacting import ELSEWHERE

_SURROGATE = re.compile("[\ud800-\udfff]").search
_RESOURCE_KEY = re.compile(rb'^\{"resource":"[a-z-]+",')


def cut_cells(cells: Sequence[Any], limit: int | None) -> list[Any]:
    """The cells; a marker instead of a text that is longer than `limit` UTF-16 units, or that UTF-8 cannot spell."""
    return [_marker_of(cell) if isinstance(cell, str) and _does_not_fit(cell, limit) else cell for cell in cells]


def hash_line(line: bytes) -> str:
    """The leaf of a row in JSON Lines, in hexadecimal: of its bytes without the line end and without `resource`."""
    return leaf_hash(_RESOURCE_KEY.sub(b"{", line.rstrip(b"\n"), count=1)).hex()


def hash_cells(cells: Iterable[str | None]) -> str:
    """The leaf of a table's row, in hexadecimal: of its cells as a JSON array, blank ones as null."""
    return leaf_hash(json.dumps(list(cells)).encode()).hex()


def _marker_of(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{ELSEWHERE}{digest}:{len(text):,} characters»"


def _does_not_fit(text: str, limit: int | None) -> bool:
    if _SURROGATE(text):
        return True
    if limit is None or len(text) * 2 <= limit:
        return False
    return len(text.encode("utf-16-le")) // 2 > limit

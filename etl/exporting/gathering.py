"""Fetched rows become the exact lines that every file is made from: chosen, hashed, counted, in their order, on disk.

It must never know which files there will be.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etl.exporting.outputs import Rows
from etl.records import Column, Layout, MerkleTree, ResourceEntry, leaf_hash
from etl.redacting import REDACTED
from etl.resources import RESOURCES
from etl.tables import explain_failure

_MARK = REDACTED.encode()


@dataclass(frozen=True, slots=True)
class Gathered:
    """A resource's rows on disk. `redacted`: how many secrets were replaced in them."""

    resource: str
    path: Path
    entry: ResourceEntry
    columns: Sequence[Column]
    redacted: int

    def rows(self, *, says_what: bool) -> Rows:
        """The rows for files; `says_what`: each line says of which resource it is."""
        head = f'{{"resource":"{self.resource}",'.encode() if says_what else b"{"

        def lines() -> Iterator[bytes]:
            for line in self._lines():
                yield head + line[1:]

        return Rows(self.resource, self.columns, lines, self._cells)

    def items(self) -> Iterator[dict[str, Any]]:
        """The rows as they were answered."""
        return map(json.loads, self._lines())

    def _lines(self) -> Iterator[bytes]:
        with explain_failure(self.path), self.path.open("rb") as stream:
            yield from stream

    def _cells(self) -> Iterator[tuple[str, list[Any]]]:
        id_field = RESOURCES[self.resource].id_field
        for item in self.items():
            yield item[id_field], [column.cell(item.get(column.name)) for column in self.columns]


def gather(
    resource: str, lines: Iterator[bytes], path: Path, since: datetime | None, chosen: Sequence[str] | None
) -> Gathered:
    """Write the lines that are wanted to `path`. `since`: created or changed then or later. `chosen`: columns."""
    tree, layout = MerkleTree(), Layout(resource)
    first = last = None
    redacted = 0
    with explain_failure(path), path.open("wb") as stream:
        for line in lines:
            item = json.loads(line)
            if since is not None and not _is_since(item, since):
                continue
            stream.write(line)
            tree.add(leaf_hash(line[:-1]))
            layout.see(item)
            redacted += line.count(_MARK)
            last = item.get("create_time") or item.get("created_at")
            first = first if tree.count > 1 else last
    every = layout.columns()
    entry = ResourceEntry(
        resource, tree.count, tree.root(), {column.name: column.kind.value for column in every}, first, last
    )
    return Gathered(resource, path, entry, every if chosen is None else layout.columns(chosen), redacted)


def _is_since(item: Mapping[str, Any], since: datetime) -> bool:
    """Whether it was created or changed then or later; one that does not say when counts as changed."""
    times = [item.get(key) for key in ("create_time", "update_time", "created_at", "updated_at")]
    moments = [_moment(text) for text in times if isinstance(text, str)]
    return not moments or max(moments) >= since


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

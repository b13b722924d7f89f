"""Which id became which other one, and items with their ids replaced.

It must never know what an import is, nor HTTP.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.resources import RESOURCES, TEST_SETS, Resource
from etl.tables import Dialect, NewFile, explain_failure, json_text, write_delimited, write_lines

Item = Mapping[str, Any]


@dataclass(slots=True)
class IdMap:
    """New ids by old ones, for each resource; those of metrics too."""

    by_resource: dict[str, dict[str, str]] = field(default_factory=dict)

    def new_of(self, resource: str, old: str) -> str | None:
        """What an old id became; None where nothing did."""
        return self.by_resource.get(resource, {}).get(old)

    def add(self, resource: str, old: str, new: str) -> None:
        """One more; a later one counts."""
        self.by_resource.setdefault(resource, {})[old] = new

    def without(self, gone: Mapping[str, set[str]]) -> "IdMap":
        """The same without the new ids in `gone`, by resource."""
        return IdMap(
            {
                name: {old: new for old, new in ids.items() if new not in gone.get(name, ())}
                for name, ids in self.by_resource.items()
            }
        )

    def relinked(self, resource: Resource, item: Item) -> dict[str, Any]:
        """An item whose references are the new ids, as far as they are known, also inside of objects.

        A text at the top is left alone unless it is a reference: nobody's words are changed.
        """
        paths = {one.path: one.resource for one in resource.references}
        return {
            name: self._reference(paths[name], value) if name in paths else self._inside(value, paths, name)
            for name, value in item.items()
        }

    def _reference(self, resource: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._reference(resource, one) for one in value]
        return self.by_resource.get(resource, {}).get(value, value) if isinstance(value, str) else value

    def _inside(self, value: Any, paths: Mapping[str, str], path: str) -> Any:
        """Objects and lists: whatever is an old id is replaced."""
        if isinstance(value, dict):
            return {
                self._any(key): self._reference(paths[f"{path}.{key}"], inner)
                if f"{path}.{key}" in paths
                else self._within(inner)
                for key, inner in value.items()
            }
        return self._within(value) if isinstance(value, list) else value

    def _within(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._any(key): self._within(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._within(inner) for inner in value]
        return self._any(value) if isinstance(value, str) else value

    def _any(self, text: str) -> str:
        """The new id of whatever has this old one. The short id of a test set might be a word: it is left alone."""
        if len(text) <= TEST_SETS.id_length:
            return text
        return next((ids[text] for ids in self.by_resource.values() if text in ids), text)


class KeptIds:
    """The ids of earlier migrations from one place to another, in a file of lines `["agents","old","new"]`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> IdMap:
        """All of them. A line that was cut off by a crash is none."""
        found = IdMap()
        if self._path.exists():
            with explain_failure(self._path), self._path.open("rb") as stream:
                for line in stream:
                    try:
                        resource, old, new = json.loads(line)
                    except ValueError:
                        continue
                    found.add(resource, old, new)
        return found

    def write(self, ids: IdMap) -> None:
        """Keep these, in the place of what was kept. Raises StoppedError where there is no room."""
        file = NewFile(self._path)
        try:
            write_lines(file, (json_text(line) for line in _lines(ids)))
            file.commit()
        finally:
            file.discard()


def write_id_map(path: Path, ids: IdMap, wanted: Mapping[str, set[str]]) -> None:
    """`id-map.csv`: resource, old id, new id, of the old ids that are wanted. Raises StoppedError."""
    file = NewFile(path)
    try:
        rows = (line for line in _lines(ids) if line[1] in wanted.get(line[0], ()))
        write_delimited(file, ("resource", "old_id", "new_id"), rows, Dialect())
        file.commit()
    finally:
        file.discard()


def _lines(ids: IdMap) -> Iterator[list[str]]:
    for name in RESOURCES:
        for old, new in ids.by_resource.get(name, {}).items():
            yield [name, old, new]

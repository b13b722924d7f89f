"""What is at the API already, by the key that rows of a file have for it.

It must never change anything there, nor know how a row is sent.
"""

import json
import tempfile
import weakref
from collections.abc import Collection, Mapping
from typing import IO, Any

from etl.api import Api
from etl.resources import Resource

ASKED_ONE_BY_ONE = 500
"""Up to so many ids are asked for one by one; more are looked for in a list of everything."""

Item = Mapping[str, Any]


class Existing:
    """Items of one resource. They are kept on disk: a file may change a million of them."""

    def __init__(self, resource: Resource, key: str) -> None:
        """`key`: the field that tells them apart, dotted; `id` for the id, whatever the API calls it."""
        self.resource = resource
        self.key = key
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with this)
        weakref.finalize(self, self._file.close)  # also where a job ends early, in a program that goes on
        self._places: dict[str, list[tuple[int, int]]] = {}

    async def load(self, api: Api, wanted: Collection[str], query: Mapping[str, str] | None = None) -> None:
        """Look at everything that has one of the keys `wanted`. Raises what `Api.list` and `Api.get` raise."""
        if self.key == "id" and len(wanted) <= ASKED_ONE_BY_ONE:
            for id_ in wanted:
                if self.resource.is_id(id_):
                    answer = await api.get(f"{self.resource.path}/{id_}")
                    item = answer.body.get(self.resource.singular) if isinstance(answer.body, dict) else None
                    self._keep(id_, item if answer.status == 200 and isinstance(item, dict) else None)
            return
        asked = frozenset(wanted)
        if not asked:
            return
        async for item in api.list(self.resource, query):
            found = self._key_of(item)
            if found in asked:
                self._keep(found, item)

    def find(self, key: str) -> list[Item]:
        """What has this key: usually nothing, or one item."""
        return [self._read(*place) for place in self._places.get(key, ())]

    def _key_of(self, item: Item) -> str:
        found: Any = item
        for name in (self.resource.id_field if self.key == "id" else self.key).split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, str) else "" if found is None else json.dumps(found)

    def _keep(self, key: str, item: Item | None) -> None:
        if item is not None:
            text = json.dumps(item).encode()
            self._places.setdefault(key, []).append((self._file.seek(0, 2), len(text)))
            self._file.write(text)

    def _read(self, start: int, length: int) -> Item:
        self._file.seek(start)
        found: Item = json.loads(self._file.read(length))
        return found

    def close(self) -> None:
        """Forget everything."""
        self._file.close()

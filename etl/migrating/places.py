"""The private folder of what is moved from one place to another: what was moved before, and what is on its way.

It must never hold a secret, nor know what a row says.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.exporting import held_alone
from etl.migrating.ids import KeptIds
from etl.tables import NewFile, explain_failure

_STATE = "state.json"


@dataclass(frozen=True, slots=True)
class Place:
    """`folder/ids.jsonl` stays; `folder/spool` is there only while something is on its way."""

    folder: Path

    @property
    def ids(self) -> KeptIds:
        return KeptIds(self.folder / "ids.jsonl")

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def part(self, name: str) -> Path:
        """A folder in the spool, made where it is not there."""
        with explain_failure(self.spool):
            self.spool.mkdir(mode=0o700, exist_ok=True)
            (self.spool / name).mkdir(mode=0o700, exist_ok=True)
        return self.spool / name

    def state(self) -> dict[str, Any] | None:
        """What is on its way: `job` and what was asked for; None where nothing was begun."""
        try:
            found = json.loads((self.spool / _STATE).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def begin(self, state: Mapping[str, Any]) -> None:
        """From now on the spool belongs to a job. Raises StoppedError."""
        file = NewFile(self.spool / _STATE)
        try:
            file.write(json.dumps(state).encode())
            file.commit()
        finally:
            file.discard()

    def clear(self) -> None:
        """Nothing is on its way any more."""
        (self.spool / _STATE).unlink(missing_ok=True)
        shutil.rmtree(self.spool, ignore_errors=True)


@contextmanager
def opened_place(state: Path, origin: list[str | None], target: list[str | None]) -> Iterator[Place]:
    """The place of what is moved from `origin` to `target`, for us alone, below the folder `state`.

    Raises JobHeldError where another process moves the same, StoppedError where it cannot be made.
    """
    digest = hashlib.sha256(json.dumps([origin, target]).encode()).hexdigest()[:16]
    folder = state / "migrations" / digest
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with held_alone(folder, "Another process migrates between these two now.", "Wait until it has ended."):
        yield Place(folder)

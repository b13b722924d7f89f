"""The folder in which an export grows, beside where it will be: what is fetched stays there until everything is whole.

It must never know what is fetched.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from etl.errors import JobHeldError
from etl.tables import explain_failure

_fcntl: ModuleType | None = None
with suppress(ImportError):  # not on every system
    import fcntl

    _fcntl = fcntl

_STATE = "export.json"


class Workplace:
    """`began`: when the first request of this export was sent, perhaps by a process that died. `is_carried_on`: so."""

    def __init__(self, folder: Path, began: datetime, *, is_carried_on: bool) -> None:
        self.folder = folder
        self.began = began
        self.is_carried_on = is_carried_on

    def scratch(self, name: str) -> Path:
        """An empty folder in it."""
        folder = self.folder / name
        with explain_failure(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
        return folder

    def clear(self) -> None:
        """The export is complete: nothing of this is needed any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


def workplace_for(out: Path) -> Path:
    """Where the export to `out` grows."""
    return out.parent / f".coval-etl-{out.name[:80]}.export"


@contextmanager
def opened_workplace(out: Path, fingerprint: str, *, afresh: bool) -> Iterator[Workplace]:
    """The workplace of an export: that of a process that died on the same export, or an empty one (`afresh`: always).

    Raises JobHeldError where another process exports to the same place, StoppedError where it cannot be written.
    """
    folder = workplace_for(out)
    with explain_failure(folder):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    with held_alone(folder, f"Another process exports to {out} now.", "Let it end, or export to another place."):
        began = None if afresh else _began(folder, fingerprint)
        workplace = Workplace(folder, began or datetime.now(UTC), is_carried_on=began is not None)
        if began is None:
            _empty(folder)
            with explain_failure(folder):
                state = {"fingerprint": fingerprint, "began": workplace.began.isoformat()}
                (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        yield workplace


@contextmanager
def held_alone(folder: Path, words: str, hint: str) -> Iterator[None]:
    """No other process does the same in a folder. Raises JobHeldError, with these words, where one does."""
    with (folder / "lock").open("wb") as lock:
        if _fcntl is not None:
            try:
                _fcntl.flock(lock.fileno(), _fcntl.LOCK_EX | _fcntl.LOCK_NB)
            except OSError:
                raise JobHeldError(words, hint) from None
        yield


def _began(folder: Path, fingerprint: str) -> datetime | None:
    """When the export that was cut off began; None where there is none, or another one."""
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        return datetime.fromisoformat(state["began"]) if state["fingerprint"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            with explain_failure(path):
                path.unlink()

"""Plans on file: what a dry run found, row by row, to be applied exactly so or not at all.

It must never know how a row is sent. A plan holds no value of a row, only what would be done with it and a hash.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from etl.batch import ROW
from etl.checking import Checked, Fitted, body_maker
from etl.errors import StalePlanError, UsageError
from etl.jobs import ImportJob, mapping_digest
from etl.report import Outcome
from etl.resources import RESOURCES, Contract
from etl.settling import planned_results

VERSION: Final = 1
_SPOKEN: Mapping[str, str] = {
    Outcome.WOULD_CREATE: "created",
    Outcome.WOULD_UPDATE: "changed",
    Outcome.UNCHANGED: "left alone",
    Outcome.REJECTED: "rejected",
    Outcome.SKIPPED: "left out",
    "would_delete": "deleted",
    "kept": "kept",
    "gone": "gone already",
}


class Plan(Protocol):
    """Shown every checked batch of a job, in order."""

    def look_at(self, checked: Checked) -> None: ...

    def end(self, leftovers: Sequence[Sequence[str]] = ()) -> None:
        """No more rows come. `leftovers`: what would be deleted, or kept all the same: resource, id, and which."""

    def close(self) -> None:
        """Let go of the file."""


class PlanWriter:
    """Writes a plan; it is there under its name only when it is complete."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        """Raises UsageError where it cannot be written."""
        self._path = path
        self._unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._file: TextIO = self._unfinished.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"The plan {path} cannot be written: {error.strerror}.") from None
        self._write(head)

    def look_at(self, checked: Checked) -> None:
        for line in _lines(checked):
            self._write(line)

    def end(self, leftovers: Sequence[Sequence[str]] = ()) -> None:
        for line in leftovers:
            self._write({"leftover": line})
        self._write({"end": True})
        self._file.close()
        self._unfinished.replace(self._path)

    def close(self) -> None:
        """Leave nothing behind of a plan that was not completed."""
        self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def _write(self, line: object) -> None:
        self._file.write(f"{json.dumps(line)}\n")


class PlanReader:
    """Holds a job against a plan. Whatever differs raises StalePlanError, before anything is sent."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        """Raises UsageError for a file that is no plan, StalePlanError for one of another import."""
        self._path = path
        try:
            self._file: TextIO = path.open(encoding="utf-8")
            planned = json.loads(self._file.readline())
        except OSError as error:
            raise UsageError(f"The plan {path} cannot be read: {error.strerror}.") from None
        except ValueError:
            planned = None
        if not isinstance(planned, dict) or planned.get("coval_etl_plan") != VERSION:
            raise UsageError(f"{path} is no plan of coval-etl.", "Make one with import --dry-run --plan-out FILE.")
        for name, word in head.items():
            if planned.get(name) != word:
                raise self._stale(f"it was made for another {name.replace('_', ' ')}")

    def look_at(self, checked: Checked) -> None:
        for line in _lines(checked):
            planned = self._next()
            if planned == line:
                continue
            place = f"row {line[1]} of {checked.fitted.name}"
            if not isinstance(planned, list) or planned[:2] != line[:2]:
                raise self._stale(f"{place} is not in it")
            if planned[2] != line[2]:
                was, is_ = _SPOKEN.get(planned[2], planned[2]), _SPOKEN.get(line[2], line[2])
                raise self._stale(f"{place} was to be {was}, and would now be {is_}")
            raise self._stale(f"{place} would be {_SPOKEN.get(line[2], line[2])} in another way than planned")

    def end(self, leftovers: Sequence[Sequence[str]] = ()) -> None:
        for line in leftovers:
            if self._next() != {"leftover": list(line)}:
                noun = RESOURCES[line[0]].singular.replace("_", " ")
                raise self._stale(f"the {noun} {line[1]} would be {_SPOKEN[line[2]]}")
        left = self._next()
        self._file.close()
        if isinstance(left, dict) and "leftover" in left:
            raise self._stale("it deletes what would not be deleted now")
        if left != {"end": True}:
            raise self._stale("it has rows that are not there any more")

    def close(self) -> None:
        self._file.close()

    def _next(self) -> Any:
        return json.loads(self._file.readline() or "null")

    def _stale(self, why: str) -> StalePlanError:
        self._file.close()
        return StalePlanError(f"The plan {self._path} is stale: {why}. Nothing was sent.", "Make a new plan.")


def head_of(job: ImportJob, contract: Contract, workspace: str | None, fitted: Sequence[Fitted]) -> dict[str, Any]:
    """What a plan is for. A plan of anything else is not applied."""
    return {
        "coval_etl_plan": VERSION,
        "target": job.target,
        "workspace": workspace,
        "contract": contract.value,
        "mode": job.mode,
        "key": job.key,
        "tables": [[one.table.origin.file, one.table.origin.sheet, one.resource.name] for one in fitted],
        "content": [one.survey.sha256 for one in fitted],
        "mapping": [mapping_digest(job, one) for one in fitted],
    }


def _lines(checked: Checked) -> Iterator[list[Any]]:
    """Table, row, what would be done, with what, and a hash of what would be sent."""
    bodies = dict(zip(checked.batch.frame[ROW], body_maker(checked.fitted.bound)(checked.batch.frame), strict=True))
    for result in planned_results(checked, None):
        update = checked.updates.get(result.row)
        sent = b""
        if result.outcome is Outcome.WOULD_CREATE:
            sent = bodies[result.row].encode("utf-8", "surrogatepass")
        elif update is not None:
            sent = json.dumps(update.before).encode() + b"\0" + update.body
        digest = hashlib.sha256(sent).hexdigest()[:32]
        yield [checked.fitted.number, result.row, result.outcome.value, result.resource_id, digest]

"""A log of one command as JSON Lines, for whoever has to find out what happened at night.

It must never hold a key or what is in a cell, and never stops a job: what cannot be logged is said once. OpenTelemetry,
where somebody asked for it, is told the same.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

from etl.checking import Fitted
from etl.cli.telemetry import open_telemetry
from etl.errors import EtlError, UsageError
from etl.quoting import HIDDEN
from etl.report import Summary
from etl.version import __version__

if TYPE_CHECKING:  # a command without the network does not load it
    from etl.api import Answer, NoAnswer, Tell
    from etl.settling import Progress

PROGRESS_EVERY_S = 10.0
"""How often a line says how far the job is."""

Facts = Mapping[str, object]


class LogFile:
    """Use it as a context manager: it ends with why the command ended. Without a path it does nothing."""

    def __init__(self, path: str | None, command: str, warn: Callable[[str], None]) -> None:
        """`warn` is told once where the log cannot be written any more. Raises UsageError where it cannot be opened."""
        self._path = path
        self._warn = warn
        self._file = None if path is None else _opened(Path(path))
        self._telemetry = open_telemetry(os.environ, command, warn)
        self._secrets: list[str] = []
        self._told_s = monotonic()
        self.job: str | None = None
        self.write("begun", {"command": command, "version": __version__})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, EtlError):
            facts = {"code": error.code, "message": error.message, "exit_code": int(error.exit_code)}
            self.write("failed", facts, level="error")
        elif error is not None:
            self.write("failed", {"code": type(error).__name__}, level="error")
        if self._telemetry is not None:
            self._telemetry.close(failed=error is not None)
        if self._file is not None:
            os.close(self._file)

    def telling(self, key: str, also: "Tell | None") -> "Tell | None":
        """What an `Api` is to tell of each request: this log, and whoever else listens. `key` is never written."""
        if self._file is None and self._telemetry is None:
            return also
        self._secrets += [key] if key else []

        def tell(method: str, path: str, outcome: "Answer | NoAnswer") -> None:
            self._request(method, path, outcome)
            if also is not None:
                also(method, path, outcome)

        return tell

    def read(self, fitted: Sequence[Fitted]) -> None:
        """Which tables are read, as what."""
        for one in fitted:
            origin = one.table.origin
            facts = {"file": origin.file, "sheet": origin.sheet, "sha256": one.survey.sha256}
            self.write("table", {**facts, "resource": one.resource.name, "mapping": one.bound.mapping.name})

    def progress(self, progress: "Progress") -> None:
        """How far the job is; a line now and then."""
        if self._file is None or monotonic() - self._told_s < PROGRESS_EVERY_S:
            return
        self._told_s = monotonic()
        waiting = progress.waiting
        self.write(
            "progress",
            {
                "rows": progress.rows,
                "settled": progress.settled,
                "created": progress.created,
                "bad": progress.bad,
                "in_flight": progress.in_flight,
                "retried": progress.retried,
                "in_doubt": progress.in_doubt,
                "waiting": None if waiting is None else waiting.why,
            },
        )

    def ended(self, summary: Summary) -> None:
        """What became of the job: counts, and kinds of problems without what was found in cells."""
        for group in summary.problems:
            facts = {"severity": group.severity.value, "code": group.code, "field": group.field, "rows": group.rows}
            self.write("problem", facts, level="warning")
        told = summary.to_json()
        if self._telemetry is not None:
            self._telemetry.ended(self.job, summary)
        names = ("rows", "requests", "elapsed_s", "exit_code", "stopped_because")
        folder = str(summary.folder) if summary.folder else None
        level = "error" if summary.stopped_because else "warning" if summary.exit_code else "info"
        self.write("ended", {**{name: told[name] for name in names}, "report": folder}, level=level)

    def write(self, event: str, facts: Facts, *, level: str = "info") -> None:
        """One line. Never raises."""
        if self._file is None:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"time": moment, "level": level, "event": event, "job": self.job, "pid": os.getpid(), **facts}
        line = json.dumps(told, separators=(",", ":"))  # all of it ASCII: half a surrogate pair is spelt as well
        for secret in self._secrets:
            line = line.replace(json.dumps(secret)[1:-1], HIDDEN)
        try:
            os.write(self._file, f"{line}\n".encode())
        except OSError as error:
            self._file = None
            self._warn(f"The log {self._path} cannot be written any more: {error.strerror}. The command goes on.")

    def _request(self, method: str, path: str, outcome: "Answer | NoAnswer") -> None:
        if self._telemetry is not None:
            self._telemetry.request(method, path, outcome)
        status: int | None = getattr(outcome, "status", None)
        facts: dict[str, object] = {"method": method, "path": path, "status": status}
        if status is None:
            facts["no_answer"] = str(getattr(outcome, "cause", ""))
        request_id = getattr(outcome, "request_id", None)
        ok = status is not None and status < 300
        facts |= {"elapsed_ms": round(outcome.elapsed_s * 1000, 1), "request_id": request_id}
        self.write("request", facts, level="info" if ok else "warning")


def _opened(path: Path) -> int:
    """The file, to be appended to, for its owner only. Raises UsageError."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"The log {path} cannot be written: {error.strerror}.", "Choose another --log-file.") from None

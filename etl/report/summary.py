"""`summary.json`: the whole job on one page. This file must never know a single row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from etl.errors import ExitCode
from etl.report.groups import ProblemGroup
from etl.report.outcome import Outcome

Counts = Mapping[str, int]
"""`read`, then one key an outcome; of runs one key a status."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table that rows are read from: its file as the user named it, its sheet, and what its rows become.

    `sha256` is that of the whole file (None where it was not computed), `open` gives its content as often as it is
    wanted, or raises FileError where that has changed (None: it is not at hand).
    """

    file: str
    sheet: str | None
    resource: str
    sha256: str | None = None
    open: Callable[[], BinaryIO] | None = field(default=None, repr=False, compare=False)
    part: str | None = None
    """Which of the file's rows, where it holds several kinds (see `Origin.part`)."""
    unused: tuple[str, ...] = ()
    """Its columns that hold something and that no field uses."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What went over the wire: `by_status` counts the replies; requests without a reply are only in `sent`."""

    sent: int = 0
    retried: int = 0
    reconciled: int = 0
    by_status: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a finished job says of itself. What follows `stopped_because` is not in `summary.json`, but for `runs`,
    `pruned`, and the notes.

    `source_rows` are the rows read of each source. `folder`, `rejects`, `annotated`, `page` and `listings` are where
    the report, the rows to mend, the annotated workbooks, the page for a person and the results as tables are (None and
    empty where there are none), `notes` sentences for a person about the report itself.
    """

    job: str | None
    command: str
    contract: str
    sources: Sequence[Source]
    source_rows: Sequence[int]
    rows: Counts
    by_resource: Mapping[str, Counts]
    requests: Requests
    started: datetime
    finished: datetime
    exit_code: ExitCode
    stopped_because: str | None
    problems: tuple[ProblemGroup, ...]
    runs: Counts | None = None
    """How many of the launched runs have which status; None where they were not followed."""
    pruned: Counts | None = None
    """How much of what the sources no longer have was deleted, or kept; None where that was not asked for."""
    pruned_note: str | None = None
    """Why nothing was deleted; None where something was, or could have been."""
    contract_note: str | None = None
    """What a person should know about the contract; None where it is as they said, or as the API shows."""
    folder: Path | None = None
    rejects: tuple[Path, ...] = ()
    annotated: tuple[Path, ...] = ()
    page: Path | None = None
    listings: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """The resource's name, `mixed` where there are several."""
        return next(iter(self.by_resource)) if len(self.by_resource) == 1 else "mixed"

    def to_json(self) -> dict[str, object]:
        """The content of `summary.json`, keys in the order of the product page, "The report folder"."""
        elapsed_s = round((_in_ms(self.finished) - _in_ms(self.started)).total_seconds(), 3)
        mixed = {"by_resource": {name: dict(counts) for name, counts in self.by_resource.items()}}
        return {
            "job": self.job,
            "command": self.command,
            "resource": self.resource,
            **(mixed if self.resource == "mixed" else {}),
            "contract": self.contract,
            **({} if self.contract_note is None else {"contract_note": self.contract_note}),
            "sources": list(map(_told, self.sources, self.source_rows)),
            "rows": dict(self.rows),
            **({} if self.pruned is None else {"pruned": dict(self.pruned)}),
            **({} if self.pruned_note is None else {"pruned_note": self.pruned_note}),
            **({} if self.runs is None else {"runs": dict(sorted(self.runs.items()))}),
            "requests": {
                "sent": self.requests.sent,
                "retried": self.requests.retried,
                "reconciled": self.requests.reconciled,
                "by_status": {str(status): n for status, n in sorted(self.requests.by_status.items())},
            },
            "started": _rfc3339(self.started),
            "finished": _rfc3339(self.finished),
            "elapsed_s": elapsed_s,
            "rows_per_s": round(self.rows["read"] / elapsed_s, 1) if elapsed_s > 0 else 0.0,
            "exit_code": int(self.exit_code),
            "stopped_because": self.stopped_because,
        }


def _told(source: Source, rows: int) -> dict[str, object]:
    known = {"file": source.file, "sheet": source.sheet, "sha256": source.sha256, "rows": rows}
    return known | ({"unused_columns": list(source.unused)} if source.unused else {})


def count_rows(counted: Mapping[Outcome, int], outcomes: Sequence[Outcome]) -> dict[str, int]:
    """`read` and the outcomes in the given order, absent ones as 0; `skipped` also where it is not among them."""
    extra = (Outcome.SKIPPED,) if counted.get(Outcome.SKIPPED) and Outcome.SKIPPED not in outcomes else ()
    return {"read": sum(counted.values())} | {outcome.value: counted.get(outcome, 0) for outcome in (*outcomes, *extra)}


def _in_ms(moment: datetime) -> datetime:
    """The moment as it is written down: what is computed from it is then what anyone would compute."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The words for what became of a row. This file must never know why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from etl.problems import Problem


class Outcome(StrEnum):
    """What became of a row: every row ends in exactly one (product page, "The report folder")."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    """Our own checks found an error in it: it was not sent."""
    FAILED = "failed"
    """The API refused it, or would have."""
    SKIPPED = "skipped"
    """Left out on purpose."""
    PENDING = "pending"
    """Not stored, and free to be sent: `resume` does."""
    IN_DOUBT = "in_doubt"
    """Sent, and not known whether it was stored."""
    VALID = "valid"
    """`validate` only."""
    WOULD_CREATE = "would_create"
    """A dry run only."""
    WOULD_UPDATE = "would_update"
    """A dry run only."""


OF_IMPORT = (
    Outcome.CREATED,
    Outcome.UPDATED,
    Outcome.UNCHANGED,
    Outcome.REJECTED,
    Outcome.FAILED,
    Outcome.SKIPPED,
    Outcome.PENDING,
    Outcome.IN_DOUBT,
)
"""The outcomes that an import counts, in the order of `summary.json`."""
OF_VALIDATE = (Outcome.VALID, Outcome.REJECTED)
"""The outcomes that `validate` counts; `skipped` is added where there are any."""
OF_DRY_RUN = (Outcome.WOULD_CREATE, Outcome.WOULD_UPDATE, Outcome.UNCHANGED, Outcome.REJECTED)
"""The outcomes that a dry run counts; `skipped` is added where there are any."""

TO_MEND = frozenset({Outcome.REJECTED, Outcome.FAILED})
"""The rows that a person mends and imports again: exactly those in the rejects."""
TO_LOOK_AT = TO_MEND | {Outcome.IN_DOUBT}
"""A job with one of these has finished, but not everything: exit code 1."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row. `problems` are those found while sending; what the checks found rides in the batch.

    `changes`: of each field that was changed, or would be, the value before and the JSON text after.
    """

    row: int
    outcome: Outcome
    resource_id: str | None = None
    attempts: int = 0
    http_status: int | None = None
    problems: tuple[Problem, ...] = ()
    changes: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

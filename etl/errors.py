"""Why a job stops, and the exit code it stops with.

An `EtlError` stops the job; a bad row never does (that is a `Problem`, see `etl.problems`). This file must never know
which library failed: foreign exceptions are translated at the border of the room that owns the library.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a finished command says to the shell (product page, "Exit codes")."""

    DONE = 0
    """Everything landed, is valid, unchanged or was skipped on purpose."""
    PROBLEMS = 1
    """Finished, but rows were rejected, failed or are in doubt."""
    USAGE = 2
    """Bad usage, mapping or file; or the job is held by another process."""
    KEY_REFUSED = 3
    """The API refused the key; nothing more was sent."""
    STOPPED = 4
    """Stopped before the end; `resume` carries on."""
    UNREACHABLE = 5
    """The API could not be reached, or TLS failed."""
    BUG = 70
    """A bug of ours."""


_SEVEREST_FIRST = (
    ExitCode.BUG,
    ExitCode.KEY_REFUSED,
    ExitCode.UNREACHABLE,
    ExitCode.STOPPED,
    ExitCode.USAGE,
    ExitCode.PROBLEMS,
    ExitCode.DONE,
)


def severest(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code that wins when several things happened: the highest of 70, 3, 5, 4, 2, 1; else 0."""
    seen = set(codes)
    return next((code for code in _SEVEREST_FIRST if code in seen), ExitCode.DONE)


class EtlError(Exception):
    """A reason to stop: one sentence (`message`), what to do about it (`hint`), and the exit code.

    `code` is the stable word that `--json` prints for programs.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EtlError):
    """The command line asks for something that cannot be done."""

    code = "usage"
    exit_code = ExitCode.USAGE


class FileError(EtlError):
    """An input file cannot be read as a whole: missing, empty, unknown, damaged, no header row."""

    code = "file"
    exit_code = ExitCode.USAGE


class MappingError(EtlError):
    """A mapping file is wrong (the message starts with `file:line`), or no mapping fits the input."""

    code = "mapping"
    exit_code = ExitCode.USAGE


class JobHeldError(EtlError):
    """Another process works on this job."""

    code = "job_held"
    exit_code = ExitCode.USAGE


class KeyRefusedError(EtlError):
    """The API answered 401: nothing more is sent."""

    code = "key_refused"
    exit_code = ExitCode.KEY_REFUSED


class StoppedError(EtlError):
    """The job stopped before its end and can be carried on."""

    code = "stopped"
    exit_code = ExitCode.STOPPED


class LedgerError(StoppedError):
    """The ledger cannot be read or written, so nothing more may be sent."""

    code = "ledger"


class LeaseLostError(LedgerError):
    """Another process has taken over what this one was working on."""

    code = "lease_lost"


class StalePlanError(StoppedError):
    """What is there is not what a plan was made for: nothing is sent."""

    code = "stale_plan"


class UnexpectedAnswerError(StoppedError):
    """The API answered something that a job cannot go on from: a redirect, a list that is no list."""

    code = "unexpected_answer"


class RefusedError(UnexpectedAnswerError):
    """The API refused one request for what it asks: `status`, and the `field` that it names, where it names one."""

    code = "refused"

    def __init__(self, message: str, status: int, field: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


class UnreachableError(EtlError):
    """No connection to the API could be made."""

    code = "unreachable"
    exit_code = ExitCode.UNREACHABLE


class TlsError(UnreachableError):
    """The server's certificate was not accepted. Checks are never switched off."""

    code = "tls"

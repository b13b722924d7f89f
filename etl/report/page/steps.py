"""What a person types next, by what became of the rows. This file must never know how it is shown."""

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etl.problems import Code
from etl.report.outcome import Outcome
from etl.report.summary import Summary


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: why, and the command that does it."""

    words: str
    command: str


def steps_of(summary: Summary, flags: Sequence[str]) -> tuple[Step, ...]:
    """What to do next, the most urgent first. `flags`: what has to be typed again for the same import."""
    if summary.command == "migrate":  # its rows are mended where they come from
        return (*_open(summary), *_undo(summary)) if summary.job is not None else ()
    if summary.command == "import" and summary.job is not None:
        return (*_open(summary), *_mend(summary, "import", flags), *_undo(summary))
    if summary.rejects:
        return tuple(_mend(summary, "import" if summary.command == "import" else "validate", flags))
    if not summary.rows["read"]:
        return ()
    return (
        Step("Nothing was sent. This imports it:", _typed("import", _files(summary), _with_test_set(summary, flags))),
    )


def _open(summary: Summary) -> Iterator[Step]:
    resume = ("resume", str(summary.job))
    doubts = summary.rows.get(Outcome.IN_DOUBT, 0)
    if summary.rows.get(Outcome.PENDING):
        yield Step("Carry on where it stopped; what was created is not sent again:", _line(resume))
    elif doubts:
        yield Step("Let the rows in doubt be looked for once more:", _line(resume))
    if doubts:
        yield Step("If you have seen in Coval that the rows in doubt are there:", _line((*resume, "--accept-in-doubt")))
        yield Step("If you have seen that they are not, send them again:", _line((*resume, "--resend-in-doubt")))


def _mend(summary: Summary, command: str, flags: Sequence[str]) -> Iterator[Step]:
    if summary.rejects:
        files = [str(path) for path in summary.rejects]
        them = "this file" if len(files) == 1 else "these files"
        does = "import" if command == "import" else "check"
        yield Step(
            f"Mend the rows in {them}, then {does} {'it' if len(files) == 1 else 'them'}:",
            _typed(command, files, flags),
        )


def _undo(summary: Summary) -> Iterator[Step]:
    if summary.rows.get(Outcome.CREATED):
        yield Step(
            "To take back what this job created (it shows it and asks first):", _line(("rollback", str(summary.job)))
        )


def _files(summary: Summary) -> list[str]:
    return list(dict.fromkeys(source.file for source in summary.sources))


def _with_test_set(summary: Summary, flags: Sequence[str]) -> Sequence[str]:
    lacks = any(group.code == Code.MISSING_TEST_SET for group in summary.problems)
    return (*flags, "--test-set", "NAME", "--create-missing") if lacks and "--test-set" not in flags else flags


def _typed(command: str, files: Sequence[str], flags: Sequence[str]) -> str:
    return _line((command, *files, *flags))


def _line(words: Sequence[str]) -> str:
    """A command as the shell of this system takes it."""
    whole = ("coval-etl", *words)
    return subprocess.list2cmdline(whole) if os.name == "nt" else shlex.join(whole)

"""`coval-etl report`: a job's report written again. It must never ask the API, nor need a key."""

import os
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from etl.cli.options import Again, Output
from etl.cli.running import opened_ledger
from etl.cli.screen import Screen
from etl.cli.typed import Typed, typed_before
from etl.cli.work.jobs import record_named
from etl.errors import EtlError, UsageError
from etl.formats import ReportFormat
from etl.inputs import Inputs, open_inputs
from etl.jobs import is_undone
from etl.ledger import JobRecord, Ledger
from etl.retelling import Retelling, Retold


def run(
    *,
    job: str | None,
    ledger: str | None,
    report_folder: str | None,
    formats: tuple[ReportFormat, ...],
    output: Output,
) -> int:
    """Write the report of a job again: of the last one, or JOB. Nothing is sent, no key is needed."""
    screen = Screen(output)
    with closing(opened_ledger(ledger)) as opened:
        record = _record_of(opened, job)
        typed, reason = _typed(record, ledger)
        here = Path.cwd()
        home = typed.folder if typed else here
        folder = here / report_folder if report_folder else home / _before(record, typed)
        retold = _retold(opened, record, typed, home, folder, formats or None)
    for note in (*([reason] if reason else []), *retold.notes):
        screen.warn(note)
    screen.show_outcome(retold.summary)
    return 0


def _retold(
    ledger: Ledger,
    record: JobRecord,
    typed: Typed | None,
    home: Path,
    folder: Path,
    only: Collection[ReportFormat] | None,
) -> Retold:
    """Read what is there, and write."""
    retelling = Retelling(record, typed.job if typed else None, ledger, home)
    inputs = _inputs(typed, home) if typed else None
    if inputs is None:
        return retelling.write(None, folder, only)
    with inputs:
        return retelling.write(inputs, folder, only)


def _inputs(typed: Typed, home: Path) -> Inputs | None:
    """The job's files, named from where they were typed; None where one of them is gone."""
    try:
        os.chdir(home)
        return open_inputs(typed.files, typed.opening.options(), typed.job.mapping, typed.kept)
    except (EtlError, OSError):
        return None  # the report says of each table that it is not there


def _typed(record: JobRecord, ledger: str | None) -> tuple[Typed | None, str | None]:
    """How the job was typed, or why that is of no use any more."""
    try:
        return typed_before(record.facts, Again(None, None, None, ledger)), None
    except UsageError as error:
        return None, error.message


def _record_of(ledger: Ledger, job: str | None) -> JobRecord:
    """The job that is meant. Raises UsageError where there is none, where it runs, or where it was undone."""
    records = ledger.jobs()
    if job is None and not records:
        raise UsageError("The ledger knows no jobs.")
    record = records[0] if job is None else record_named(ledger, job)
    if record.held_by is not None:
        raise UsageError(f"Job {record.facts.id} is running: {record.held_by}.", "Wait until it has ended.")
    if is_undone(record):
        where = f"Its report of before is {record.report}." if record.report else ""
        raise UsageError(f"Job {record.facts.id} was rolled back: what it created is gone.", where)
    return record


def _before(record: JobRecord, typed: Typed | None) -> str:
    """Where the job wrote its report, or would have."""
    return record.report or (typed and typed.report) or f"coval-etl-report-{record.facts.id}"

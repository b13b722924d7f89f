"""`coval-etl resume`: an import is carried on where it was left. It must never send again what may be stored."""

import dataclasses
import os
from contextlib import closing
from pathlib import Path

from etl.cli.options import (
    Again,
    Output,
    Reading,
)
from etl.cli.running import ImportRun, opened_ledger
from etl.cli.screen import Screen
from etl.cli.sending_options import errors_allowed
from etl.cli.typed import Typed, typed_before
from etl.cli.work.jobs import record_named
from etl.errors import UsageError
from etl.jobs import Resumption, is_unfinished
from etl.ledger import JobRecord, Ledger
from etl.writer import InDoubt


def run(  # noqa: PLR0913  # one for each flag
    *,
    job: str | None,
    resend_in_doubt: bool,
    accept_in_doubt: bool,
    new_key: bool,
    settings: tuple[str, ...],
    again: Again,
    concurrency: int | None,
    rate_per_s: float | None,
    settle_s: float | None,
    max_errors: str | None,
    watch: bool,
    max_queued: int | None,
    yes: bool,
    report_folder: str | None,
    log_file: str | None,
    output: Output,
) -> int:
    """Carry on an import that was cut off, stopped, or left rows in doubt; the last one that needs it, or JOB."""
    if resend_in_doubt and accept_in_doubt:
        raise UsageError("--resend-in-doubt and --accept-in-doubt exclude each other.")
    screen = Screen(output)
    screen.warn_of_key(again.api_key)
    with closing(opened_ledger(again.ledger)) as opened:
        record = _record_of(opened, job)
    if record.facts.command == "migrate":
        from etl.cli.work.migrate import resumed

        decision = InDoubt.RESEND if resend_in_doubt else InDoubt.ACCEPT if accept_in_doubt else InDoubt.KEEP
        pace = (concurrency, rate_per_s, settle_s)
        return resumed(record, again, output, pace, decision, report_folder, log_file, new_key=new_key)
    typed = typed_before(record.facts, again)
    values = Reading(None, None, settings, None, None).values()
    missing = [name for name in typed.to_give if name not in values]
    if missing:
        raise UsageError(
            f"Job {record.facts.id} was given a secret, which is not kept: {', '.join(missing)}.",
            f"Give it once more: --set {missing[0]}=…",
        )
    decision = InDoubt.RESEND if resend_in_doubt else InDoubt.ACCEPT if accept_in_doubt else InDoubt.KEEP
    typed = _at_home(typed)
    job_again = dataclasses.replace(
        typed.job,
        values={**typed.job.values, **values},
        concurrency=concurrency or typed.job.concurrency,
        rate_per_s=rate_per_s or typed.job.rate_per_s,
        settle_s=typed.job.settle_s if settle_s is None else settle_s,
        trust_mapping=yes or typed.job.trust_mapping,
        watch=watch or typed.job.watch,
        max_queued=max_queued or typed.job.max_queued,
    )
    if max_errors is not None:
        most, share = errors_allowed(max_errors)
        job_again = dataclasses.replace(job_again, max_errors=most, max_error_share=share)
    screen.say(f"Resuming job {record.facts.id}, begun {record.facts.started:%Y-%m-%d %H:%M} UTC.")
    folder = Path(report_folder or record.report or typed.report or f"coval-etl-report-{record.facts.id}")
    resumption = Resumption(record, decision, new_key)
    run = ImportRun(
        typed.files,
        typed.opening,
        typed.target,
        screen,
        folder,
        yes,
        None,
        resumption=resumption,
        kept=typed.kept,
        log_file=log_file,
    )
    summary, stopped = run.run(job_again)
    screen.show_outcome(summary, stopped)
    return int(summary.exit_code)


def _record_of(ledger: Ledger, job: str | None) -> JobRecord:
    """The job that is meant. Raises UsageError where there is none."""
    if job is None:
        unfinished = [one for one in ledger.jobs() if is_unfinished(one)]
        if not unfinished:
            raise UsageError("No import waits to be carried on.", "See coval-etl jobs.")
        return next((one for one in unfinished if one.held_by is None), unfinished[0])
    return record_named(ledger, job)


def _at_home(typed: Typed) -> Typed:
    """Go to the folder in which the import was typed: its files are named from there. Raises UsageError."""
    try:
        os.chdir(typed.folder)
    except OSError as error:
        raise UsageError(f"{typed.folder}, where the import was begun, is not there: {error.strerror}.") from None
    return typed

"""`coval-etl import`: the whole pipeline into the API. It must never hold a step that the library does not have."""

import dataclasses
from pathlib import Path

import rich_click as click

from etl.cli.options import (
    Checking,
    Opening,
    Output,
    Reading,
    TargetFlags,
    checking_options,
    files_argument,
    log_file_option,
    near_duplicates_option,
    opening_options,
    output_options,
    reading_options,
    report_option,
    target_options,
)
from etl.cli.sending_options import Sending, sending_options


@click.command("import")
@files_argument
@opening_options
@reading_options
@checking_options
@near_duplicates_option
@target_options
@sending_options
@report_option
@log_file_option
@output_options
def command(  # noqa: PLR0913  # one for each group of flags
    *,
    files: tuple[str, ...],
    opening: Opening,
    reading: Reading,
    checking: Checking,
    near_duplicates: bool,
    target: TargetFlags,
    sending: Sending,
    report_folder: str | None,
    log_file: str | None,
    output: Output,
) -> int:
    """Check files and create their rows in Coval; report what became of every row.

    Bad rows never stop good ones: they are in the report's rejects.* as they were read, with the reason; mend that file
    and import it. What was cut off or stopped is carried on with `coval-etl resume`: no row is sent twice. A finished
    import may be typed again: rows that were created are left alone.
    """
    # Its help, and what a shell completes, need none of it.
    from etl.cli.fitting import asking
    from etl.cli.running import ImportRun
    from etl.cli.screen import Screen
    from etl.cli.typed import flags_again, typed_settings
    from etl.jobs import ImportJob

    most, share = sending.most_errors()
    job = ImportJob(
        resource=reading.resource,
        mapping=reading.mapping,
        values=reading.values(),
        sheet=opening.sheet,
        where=reading.where,
        limit=reading.limit,
        test_set=checking.test_set,
        create_missing=sending.create_missing,
        contract=checking.known_contract(),
        auto_contract=checking.known_contract() is None and not target.use_sandbox,
        strict=checking.strict,
        near_duplicates=near_duplicates,
        all_or_nothing=sending.all_or_nothing,
        max_errors=most,
        max_error_share=share,
        concurrency=sending.concurrency,
        rate_per_s=sending.rate_per_s,
        settle_s=sending.settle_s,
        mode=sending.mode,
        key=sending.key,
        on_conflict=sending.on_conflict,
        canary=sending.canary,
        prune=sending.prune,
        again=sending.again,
        trust_mapping=sending.yes,
        watch=sending.watch,
        max_queued=sending.max_queued,
    )
    job = dataclasses.replace(
        job, typed=typed_settings(job, files, opening, target, report_folder), flags=flags_again(job, target)
    )
    screen = Screen(output)
    screen.warn_of_key(target.api_key)
    folder = Path(report_folder) if report_folder else None
    planned = sending.planned()
    run = ImportRun(
        files,
        opening,
        target,
        screen,
        folder,
        sending.yes,
        asking(output),
        sending.dry_run,
        planned=planned,
        log_file=log_file,
    )
    summary, stopped = run.run(job)
    screen.show_outcome(summary, stopped)
    return int(summary.exit_code)

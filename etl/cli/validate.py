"""`coval-etl validate`: every bad cell, named. It must never open a connection."""

from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from etl.checking import check_rows, lacks_test_set, missing_test_set, open_inputs, report_of
from etl.cli.fitting import fit
from etl.cli.options import (
    Checking,
    Opening,
    Output,
    Reading,
    checking_options,
    files_argument,
    opening_options,
    output_options,
    reading_options,
    report_option,
)
from etl.cli.screen import Screen
from etl.report import OF_VALIDATE, Outcome
from etl.resources import Contract


@click.command("validate")
@files_argument
@opening_options
@reading_options
@checking_options
@report_option
@output_options
def command(
    *,
    files: tuple[str, ...],
    opening: Opening,
    reading: Reading,
    checking: Checking,
    report_folder: str | None,
    output: Output,
) -> int:
    """Check files and name every bad cell. Nothing is sent, no key is needed.

    Exit code 0: every row is valid. 1: some are not; with --report DIR they are in DIR/rejects.*, to be mended.
    """
    started = datetime.now(UTC)
    contract = checking.known_contract() or Contract.V2025_10
    screen = Screen(output)
    with open_inputs(files, opening.options(), reading.mapping) as inputs:
        fitted = fit(inputs, opening, reading, checking, output, contract)
        screen.say_what_is_read(fitted, inputs.left_out)
        folder = Path(report_folder) if report_folder else None
        read = 0
        with report_of(fitted, folder, contract, command="validate", outcomes=OF_VALIDATE) as report:
            for one in fitted:
                if checking.test_set is None and lacks_test_set(one):
                    report.note(one.table.origin, [missing_test_set()])
            for checked in check_rows(
                fitted, contract, where=reading.where, limit=reading.limit, strict=checking.strict, assume_test_set=True
            ):
                report.add_checked(checked.batch, Outcome.VALID, skipped=checked.skipped)
                read += checked.batch.rows_read
            summary = report.close(read=read, started=started, finished=datetime.now(UTC))
    screen.show_outcome(summary)
    return int(summary.exit_code)

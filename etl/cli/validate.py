"""`coval-etl validate`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli.gathering import done_in
from etl.cli.options import (
    checking_options,
    files_argument,
    near_duplicates_option,
    opening_options,
    output_options,
    reading_options,
    report_option,
    target_options,
)


@click.command("validate")
@files_argument
@opening_options
@reading_options
@checking_options
@near_duplicates_option
@target_options
@report_option
@output_options
@click.option("--online", is_flag=True, help="Ask the API whether what the rows refer to exists.")
@done_in("etl.cli.work.validate")
def command() -> None:
    """Check files and name every bad cell. Nothing is sent, no key is needed.

    Exit code 0: every row is valid. 1: some are not; with --report DIR they are in DIR/rejects.*, to be mended. With
    --online the API is asked whether what the rows refer to exists: test sets, agents, personas, metrics.
    """

"""`coval-etl preview`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli.gathering import done_in
from etl.cli.options import (
    checking_options,
    files_argument,
    opening_options,
    output_options,
    reading_options,
)


@click.command("preview")
@files_argument
@opening_options
@reading_options
@checking_options
@output_options
@click.option("--raw", is_flag=True, help="The rows as they were read, before mapping.")
@click.option("--all", "all_rows", is_flag=True, help="Every row, not only the first ten.")
@done_in("etl.cli.work.preview")
def command() -> None:
    """Show the request bodies that the mapping makes, as JSON Lines.

    Bad rows are shown as far as they go; `validate` says what is wrong with them. Without --limit or --all the first
    ten rows are shown.
    """

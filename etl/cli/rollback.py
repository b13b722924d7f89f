"""`coval-etl rollback`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli import completing
from etl.cli.gathering import done_in
from etl.cli.options import (
    again_options,
    log_file_option,
    new_key_option,
    output_options,
    yes_option,
)


@click.command("rollback")
@click.argument("job", metavar="JOB", shell_complete=completing.jobs)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")
@yes_option
@new_key_option
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=16, metavar="N", help="The most requests in flight."
)
@again_options
@log_file_option
@output_options
@done_in("etl.cli.work.rollback")
def command() -> None:
    """Delete exactly what an import created, after showing how much that is.

    What somebody changed since is kept and named, and so is a test set that holds more than the import put into it.
    """

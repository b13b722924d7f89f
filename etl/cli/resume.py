"""`coval-etl resume`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli import completing
from etl.cli.gathering import done_in
from etl.cli.options import (
    again_options,
    log_file_option,
    new_key_option,
    output_options,
    report_option,
    yes_option,
)
from etl.cli.sending_options import max_queued_option, rate_option, settle_option, watch_option


@click.command("resume")
@click.argument("job", required=False, metavar="[JOB]", shell_complete=completing.unfinished_jobs)
@click.option("--resend-in-doubt", is_flag=True, help="Rows of which it cannot be known: send them again.")
@click.option("--accept-in-doubt", is_flag=True, help="Rows of which it cannot be known: count them as created.")
@new_key_option
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="A secret that the import was given.")
@again_options
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), metavar="N", help="The most requests in flight (as before)."
)
@rate_option
@settle_option
@click.option("--max-errors", metavar="N|P%", help="Stop after so many bad rows, or such a share (as before).")
@watch_option
@max_queued_option(None)
@yes_option
@report_option
@log_file_option
@output_options
@done_in("etl.cli.work.resume")
def command() -> None:
    """Carry on an import that was cut off, stopped, or left rows in doubt; the last one that needs it, or JOB.

    Rows that were created are left alone, rows that were not sent are sent. Rows in doubt are looked for at the API
    first: what is found counts as created, what two lists a while apart do not have is sent again. Where even that
    cannot tell, the row stays in doubt, and you decide: look at Coval, then --accept-in-doubt or --resend-in-doubt.
    """

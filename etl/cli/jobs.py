"""`coval-etl jobs`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli.gathering import done_in
from etl.cli.options import ledger_option, output_options


@click.group("jobs", invoke_without_command=True)
@ledger_option
@click.option("--all", "every", is_flag=True, help="All jobs, not only the latest twenty.")
@output_options
@click.pass_context
@done_in("etl.cli.work.jobs")
def command() -> None:
    """List imports, the newest first: their state, what became of their rows, and what to do next.

    `coval-etl jobs prune` forgets finished ones.
    """


@command.command("prune")
@ledger_option
@click.option("--older-than", "days", type=click.IntRange(min=0), default=30, metavar="DAYS", help="Default: 30.")
@click.option("--unfinished", is_flag=True, help="Also jobs that could still be carried on.")
@output_options
@done_in("etl.cli.work.jobs", "prune")
def prune() -> None:
    """Forget old jobs: their rows can then be imported again, and no longer be rolled back."""

"""`coval-etl migrate`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli import completing
from etl.cli.gathering import done_in
from etl.cli.options import (
    contract_option,
    ledger_option,
    log_file_option,
    output_options,
    report_option,
    yes_option,
)
from etl.cli.sending_options import concurrency_option, rate_option, settle_option
from etl.errors import UsageError
from etl.resources import MOVED_NAMES


def _only(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    """`agents,personas`, in the order in which they need each other."""
    if text is None:
        return MOVED_NAMES
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in MOVED_NAMES:
            raise UsageError(f"--only {word!r} is nothing that moves.", f"It takes: {', '.join(MOVED_NAMES)}.")
    return tuple(name for name in MOVED_NAMES if name in words)


@click.command("migrate")
@click.option(
    "--from",
    "origin",
    required=True,
    metavar="PROFILE|EXPORT",
    shell_complete=completing.profiles,
    help="Where it is: the name of a profile, or the path of an export.",
)
@click.option(
    "--to", required=True, metavar="PROFILE", shell_complete=completing.profiles, help="Where it goes: a profile."
)
@click.option("--only", callback=_only, metavar="NAME,...", help=f"Only these of {', '.join(MOVED_NAMES)}.")
@click.option("--filter", "filter_", metavar="WORDS", help="In the API's own language; with --only one resource.")
@click.option("--test-set", "test_sets", multiple=True, metavar="ID|NAME", help="Only this test set and its cases.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@concurrency_option
@rate_option
@settle_option
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0.1), default=30.0, metavar="SECONDS", help="For one request."
)
@contract_option
@ledger_option
@yes_option
@report_option
@log_file_option
@output_options
@done_in("etl.cli.work.migrate")
def command() -> None:
    """Copy test sets, personas, agents, test cases and run templates to another organisation, with every id replaced.

    Both ends are profiles: COVAL_API_KEY and COVAL_BASE_URL say nothing here. What was copied before is known again:
    only what is new or changed is written. What is cut off is carried on when it is typed again. At the end both sides
    are compared. Exit code 1: something stays behind, was refused, or is not there as it was.
    """

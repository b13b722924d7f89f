"""`coval-etl doctor`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli.gathering import done_in
from etl.cli.options import (
    contract_option,
    output_options,
    target_options_of_doctor,
)


@click.command("doctor")
@target_options_of_doctor
@contract_option
@output_options
@click.pass_context
@done_in("etl.cli.work.doctor")
def command() -> None:
    """Look at everything that an import needs, and say what to do about what is amiss.

    Versions, profile, key, the way to the API, the clock, the contract, the ledger, disks, the sandbox. Nothing is
    created, and nothing but a few lists is asked of the API. Exit code 1 where there is a problem, else 0.
    """

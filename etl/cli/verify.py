"""`coval-etl verify`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli.gathering import done_in
from etl.cli.options import output_options


@click.command("verify")
@click.argument("path", metavar="PATH")
@click.option("--root", metavar="HEX", help="The merkle_root that was kept elsewhere.")
@click.option("--public-key", metavar="FILE", help="Who has to have signed: an SSH or minisign public key.")
@output_options
@done_in("etl.cli.work.verify")
def command() -> None:
    """Check an export against its manifest, offline; name the files and the rows that are not as they were.

    PATH is an export or its manifest. Exit code 0: nothing was changed. 1: something was.
    """

"""`coval-etl diff`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli.gathering import done_in
from etl.cli.options import output_options, target_options
from etl.cli.sending_options import concurrency_option


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--key", metavar="FIELD", help="Rows are the same where this field is, not where the id is.")
@click.option("--content", is_flag=True, help="Rows are the same where all but ids and times is.")
@click.option("--ignore", metavar="FIELD,...", default="", help="Fields that may differ.")
@click.option("--out", metavar="FILE", help="All differences into a .jsonl, .csv, .xlsx or .html file.")
@concurrency_option
@target_options
@output_options
@done_in("etl.cli.work.diff")
def command() -> None:
    """Compare two exports, in any form, or an export with what the API has now (`api:`), field by field.

    With --key or --content ids do not count, so that two organisations can be compared; what refers to others is
    compared by their names. Exit code 0: the same. 1: they differ.
    """

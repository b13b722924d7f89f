"""`coval-etl inspect`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli import completing
from etl.cli.gathering import done_in
from etl.cli.options import mapping_option, opening_options, output_options, resource_option


@click.command("inspect")
@click.argument("file", metavar="FILE", shell_complete=completing.files)
@opening_options
@resource_option
@mapping_option
@output_options
@click.option("--write-mapping", "written", metavar="OUT.yaml", help="Save what was detected as a mapping to edit.")
@click.option("--all", "all_rows", is_flag=True, help="Read a large file to its end, not only its first rows.")
@done_in("etl.cli.work.inspect")
def command() -> None:
    """Show what a file, or a folder, is: format, encoding, sheets, header, columns, and which mapping fits.

    Where several tables fit, they are named in the order in which an import takes them. Every decision is shown with
    its evidence, and how sure it is; the flags above overrule it. Nothing is sent.
    """

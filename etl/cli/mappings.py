"""`coval-etl mappings list`: the ready-made mappings. It must never change one."""

import json

import rich_click as click

from etl.cli.options import Output, output_options
from etl.cli.saying import write_out


@click.group("mappings")
def command() -> None:
    """Ready-made mappings: which columns become which fields of the API."""


@command.command("list")
@output_options
def list_mappings(*, output: Output) -> None:
    """List the ready-made mappings with what they read."""
    from etl.mapping import presets

    found = sorted(presets(), key=lambda mapping: (mapping.resource, mapping.name))
    if output.as_json:
        entries = [{"name": one.name, "resource": one.resource, "description": one.description} for one in found]
        write_out(json.dumps(entries, indent=2) + "\n")
        return
    if output.quiet:
        write_out("".join(f"{one.name}\n" for one in found))
        return
    from rich.table import Table

    from etl.cli.screen import stdout

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("mapping", "resource", "what it reads"):
        table.add_column(heading)
    for one in found:
        table.add_row(one.name, one.resource, one.description or "")
    console = stdout(plain=output.plain)
    with console.capture() as shown:
        console.print(table)
    write_out(shown.get())

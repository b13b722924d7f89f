"""`coval-etl export`: its flags and its help. It must never load what does the work."""

import re
from datetime import UTC, datetime

import rich_click as click

from etl.cli.gathering import done_in
from etl.cli.options import contract_option, output_options, target_options, yes_option
from etl.cli.sending_options import concurrency_option, rate_option
from etl.errors import UsageError


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """`2026-10-01`, `2026-10-01T12:00:00Z`; a time without a zone is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text!r} is no time.", "Write 2026-10-01, or 2026-10-01T12:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _names(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return tuple(filter(None, re.split(r"[,\s]+", text))) if text is not None else None


@click.command("export")
@click.argument("resources", nargs=-1, required=True, metavar="RESOURCE...")
@click.option(
    "--out", required=True, metavar="PATH", help="A .jsonl, .csv, .xlsx or .parquet file, or a folder for all."
)
@click.option("--filter", "filter_", metavar="WORDS", help='In the API\'s own language: model_type="MODEL_TYPE_CHAT".')
@click.option("--since", callback=_moment, metavar="TIME", help="Only what was created or changed since.")
@click.option("--test-set", "test_sets", multiple=True, metavar="ID|NAME", help="Only this test set and its cases.")
@click.option("--columns", callback=_names, metavar="NAME,...", help="Only these columns, in this order.")
@click.option("--mapping", metavar="NAME|FILE", help="Write the columns of a mapping, so that it reads them again.")
@click.option("--redact/--no-redact", default=True, help="Secrets are replaced by markers (the default), or written.")
@click.option("--sign", metavar="KEY", help="Sign the manifest with an SSH or minisign private key.")
@click.option("--restart", is_flag=True, help="Begin anew, also where an export to the same place was cut off.")
@concurrency_option
@rate_option
@contract_option
@yes_option
@target_options
@output_options
@done_in("etl.cli.work.export")
def command() -> None:
    """Write what the API has into files: whole, in a fixed order, without secrets, with a manifest to check it by.

    RESOURCE is test-sets, personas, agents, test-cases, run-templates, runs, or all. What is cut off is carried on when
    it is typed again. The same data gives the same bytes.
    """

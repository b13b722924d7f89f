"""`coval-etl report`: its flags and its help. It must never load what does the work."""

import rich_click as click

from etl.cli import completing
from etl.cli.gathering import Named, done_in
from etl.cli.options import ledger_option, output_options, report_option
from etl.formats import REPORT_FORMATS


@click.command("report")
@click.argument("job", required=False, metavar="[JOB]", shell_complete=completing.jobs)
@ledger_option
@report_option
@click.option(
    "--format",
    "formats",
    type=Named(REPORT_FORMATS),
    multiple=True,
    metavar="NAME",
    help=f"Only this format: {', '.join(REPORT_FORMATS)}; repeatable.",
)
@output_options
@done_in("etl.cli.work.report")
def command() -> None:
    """Write the report of a job again: of the last one, or JOB. Nothing is sent, no key is needed.

    Without --format the whole report is written as the job would have written it. `--format html` writes report.html,
    `json` summary.json, `jsonl` results.jsonl, `csv` and `xlsx` the results as a table (results.csv, results.xlsx),
    `rejects` the rows to mend, `annotated` the marked workbooks; what else is in the folder stays as it is.

    What became of each row is taken from the ledger. The files are read again where they are as they were; where they
    are not, the rows come from the earlier report or the ledger, and the command says what cannot be shown.

    Exit code 0: the report was written, whatever became of the job; `exit_code` in summary.json is the job's.
    """

"""`coval-etl preview`: the request bodies that a file becomes. It must never send one."""

import json
from collections.abc import Sequence
from itertools import chain, islice

import rich_click as click

from etl.batch import OWN_COLUMNS, ROW, Table
from etl.checking import Fitted, body_maker, check_rows, open_inputs
from etl.cli.fitting import fit
from etl.cli.options import Checking, Output, Reading, checking_options, files_argument, output_options, reading_options
from etl.cli.saying import write_out
from etl.cli.screen import Screen
from etl.resources import Contract


@click.command("preview")
@files_argument
@reading_options
@checking_options
@output_options
@click.option("--raw", is_flag=True, help="The rows as they were read, before mapping.")
@click.option("--all", "all_rows", is_flag=True, help="Every row, not only the first ten.")
def command(
    *, files: tuple[str, ...], reading: Reading, checking: Checking, output: Output, raw: bool, all_rows: bool
) -> None:
    """Show the request bodies that the mapping makes, as JSON Lines.

    Bad rows are shown as far as they go; `validate` says what is wrong with them. Without --limit or --all the first
    ten rows are shown.
    """
    count = reading.limit if reading.limit is not None else (None if all_rows else 10)
    contract = checking.known_contract() or Contract.V2025_10
    with open_inputs(files, reading.options(), reading.mapping) as inputs:
        if raw:
            _show_rows([table for survey in inputs.surveys for table in survey.tables], count)
            return
        fitted = fit(inputs, reading, checking, contract)
        Screen(output).say_what_is_read(fitted, inputs.left_out)
        _show_bodies(fitted, contract, reading.where, count)


def _show_rows(tables: Sequence[Table], count: int | None) -> None:
    rows = (
        {name: value for name, value in row.items() if value is not None and (name == ROW or name not in OWN_COLUMNS)}
        for table in tables
        for batch in table.batches()
        for row in batch.source.iter_rows(named=True)
    )
    for row in islice(rows, count):
        if not write_out(json.dumps(row, ensure_ascii=False) + "\n"):
            return


def _show_bodies(fitted: Sequence[Fitted], contract: Contract, where: str | None, count: int | None) -> None:
    checked = check_rows(fitted, contract, where=where, limit=count, assume_test_set=True)
    bodies = chain.from_iterable(body_maker(one.fitted.bound)(one.batch.frame.filter(~one.skipped)) for one in checked)
    for body in islice(bodies, count):
        if not write_out(f"{body}\n"):
            return

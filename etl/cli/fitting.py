"""Files with their mappings, as the flags say, and the question where they do not say enough.

It must never ask the API.
"""

import sys
from collections.abc import Sequence

import rich_click as click

from etl.checking import Fitted, choose_mappings, with_test_set
from etl.choosing import Choose
from etl.cli.options import Checking, Opening, Output, Reading
from etl.cli.saying import visible
from etl.inputs import Inputs
from etl.mapping import Guess
from etl.resources import TEST_SETS, Contract

_COLUMNS_SHOWN = 4


def fit(
    inputs: Inputs, opening: Opening, reading: Reading, checking: Checking, output: Output, contract: Contract
) -> list[Fitted]:
    """Every table with its mapping. A `--test-set` that is no id is left out: only the API knows the id of a name."""
    fitted = choose_mappings(
        inputs,
        contract,
        resource=reading.resource,
        mapping=reading.mapping,
        values=reading.values(),
        sheet_named=opening.sheet is not None,
        choose=asking(output),
    )
    if checking.test_set is None or not TEST_SETS.is_id(checking.test_set):
        return fitted
    return with_test_set(fitted, contract, checking.test_set)


def asking(output: Output) -> Choose | None:
    """What asks the person at the terminal for a mapping; None where there is none, or the answer is for a program."""
    return None if output.as_json or not sys.stdin.isatty() else _ask


def _ask(undecided: str, guesses: Sequence[Guess]) -> Guess | None:
    click.echo(visible(undecided), err=True)
    for number, one in enumerate(guesses, 1):
        click.echo(f"  {number}  {one.mapping.name}  {one.score:.0%}  {_uses(one)}", err=True)
    click.echo("  0  none of these: stop", err=True)
    answer = click.prompt("Which one", type=click.IntRange(0, len(guesses)), default=0, err=True)
    return guesses[answer - 1] if answer else None


def _uses(guess: Guess) -> str:
    pairs = [f"{visible(column)} becomes {path}" for column, path in guess.columns.items()]
    more = f" and {len(pairs) - _COLUMNS_SHOWN} more" if len(pairs) > _COLUMNS_SHOWN else ""
    return f"{', '.join(pairs[:_COLUMNS_SHOWN])}{more}" if pairs else "none of its columns is here"

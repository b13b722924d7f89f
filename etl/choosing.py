"""One mapping for a table: the one that fits, the one that a person chose, or a refusal that names the nearest.

Must never know how a question reaches a person.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from etl import mapping as maps
from etl.batch import Table
from etl.errors import MappingError
from etl.mapping import Guess, spelled

TIE = 0.02
"""Two mappings whose scores are closer than this fit equally well."""
NEAREST = 3
"""How many mappings are named where none fits."""

_PLAIN_NAMES = {"input_str": "Input", "expected_behaviors": "Expected behaviors"}
"""What people call fields in a header."""

Choose = Callable[[str, Sequence[Guess]], Guess | None]
"""Told what is undecided about a table, and the mappings to choose from: the one to take, or None to stop."""


def tied(guesses: Sequence[Guess]) -> list[Guess]:
    """The mappings that fit a table equally well, the best first: several where nothing tells which; none if none fits.

    Two of one resource that take the same columns for the same fields are no choice.
    """
    fitting = [one for one in guesses if one.score >= maps.FITS]
    best = fitting[:1]
    return best + [one for one in fitting[1:] if best[0].score - one.score < TIE and _differ(best[0], one)]


def _differ(one: Guess, other: Guess) -> bool:
    return (one.mapping.resource, one.columns) != (other.mapping.resource, other.columns)


def only_one(table: Table, guesses: Sequence[Guess], choose: Choose | None) -> Guess:
    """The mapping that fits best. Raises MappingError where others fit as well, or a field that matters has no column
    though one may be meant for it, and nobody chooses.
    """
    equals = tied(guesses)
    if len(equals) == 1:
        best = equals[0] if equals[0].speaker is None else _told_of_turns(table, equals[0], choose)
        return _decided(table, best, choose) if best.perhaps else best
    names = " and ".join(one.mapping.name for one in equals)
    refusal = MappingError(
        f"{_name(table)}: the mappings {names} fit equally well.",
        "Say which resource it is with --resource, or which mapping with --mapping.",
    )
    return _asked(equals, choose, refusal)


def _told_of_turns(table: Table, guess: Guess, choose: Choose | None) -> Guess:
    """The mapping all the same, if a person says that each row is a record of its own, and not a turn of one."""
    refusal = MappingError(
        f"{_name(table)}: each row looks like one turn of a conversation, for {guess.speaker!r} says who speaks, and "
        f"{guess.mapping.name} would make a record of each row.",
        "Write a mapping with source: {group_by: …, order_by: …} and collect: see docs/mapping.md, 'Several rows';"
        f" if each row is a record: --mapping {guess.mapping.name}.",
    )
    return _asked([replace(guess, speaker=None)], choose, refusal)


def _decided(table: Table, guess: Guess, choose: Choose | None) -> Guess:
    """The mapping with the columns of which detection is not sure taken, or left out, as a person says."""
    fields: dict[str, list[str]] = {}
    for column, use in guess.perhaps.items():
        fields.setdefault(use.path, []).append(f"{column!r} ({use.evidence})")
    said = "; ".join(
        f"nothing fills {path}, and {'the column ' if len(columns) == 1 else 'one of the columns '}"
        f"{spelled(columns, NEAREST)} may be meant for it"
        for path, columns in fields.items()
    )
    refusal = MappingError(
        f"{_name(table)}: {said}.",
        f"If it is, rename the column to {_PLAIN_NAMES.get(next(iter(fields)), next(iter(fields)))}, or save a mapping "
        f"that takes it: {_saving(table)}. If it is not: "
        f"--mapping {guess.mapping.name}.",
    )
    variants = [guess.taking(column) for column in list(guess.perhaps)[: NEAREST - 1]]
    return _asked([*variants, guess.taking()], choose, refusal)


def ask_for_one(table: Table, guesses: Sequence[Guess], choose: Choose | None) -> Guess:
    """What a person takes of the nearest mappings, where none fits. Raises MappingError where nobody does."""
    return _asked(guesses, choose, nothing_fits(table, guesses))


def _asked(guesses: Sequence[Guess], choose: Choose | None, refusal: MappingError) -> Guess:
    near = [one for one in guesses[:NEAREST] if one.score > 0]
    chosen = choose(refusal.message, near) if choose is not None and near else None
    if chosen is None:
        raise refusal
    return chosen


def nothing_fits(table: Table | None, guesses: Sequence[Guess]) -> MappingError:
    """The refusal of a table (None: there is none) that no mapping fits."""
    if table is None:
        return MappingError("There is no table in the input that could be imported.", "See what was left out above.")
    columns = ", ".join(repr(column) for column in table.origin.columns[:8])
    lacking = next((one for one in guesses[:1] if one.score > 0 and one.lacks), None)
    said = f"{_name(table)}: no mapping fits the columns {columns}{_nearest(guesses)}."
    if lacking is not None:
        return _lacking(table, lacking, said)
    return MappingError(
        said,
        f"Save the nearest guess, name the columns in it, and use it with --mapping my.yaml: {_saving(table)}; or say "
        "what the rows are with --resource. If no row of the file holds the column names, give them: "
        "--columns NAME,NAME,…",
    )


def _lacking(table: Table, guess: Guess, said: str) -> MappingError:
    """The refusal of a table of which some is understood, but not what it needs."""
    lacks = guess.lacks[0]
    taken: dict[str, list[str]] = {}
    for column, use in guess.uses.items():
        taken.setdefault(use.path, []).append(column)
    understood = "; ".join(f"{spelled(columns, 4)} would become {path}" for path, columns in taken.items())
    free = [repr(column) for column in table.origin.columns if column not in guess.uses]
    others = f", and nobody can tell whether it is {' or '.join(free[:NEAREST])}" if free else ""
    return MappingError(
        f"{said} As {guess.mapping.resource}, {understood}; no column is known for {lacks}, which each needs{others}.",
        f"Rename the column that is meant to {_PLAIN_NAMES.get(lacks, lacks)}, or save the guess and name the column "
        f"there: {_saving(table)}; or give one text for all rows: --resource {guess.mapping.resource} --set "
        f"{lacks}=TEXT",
    )


def _saving(table: Table) -> str:
    """The command that saves what was guessed of a table."""
    sheet = f" --sheet {shlex.quote(table.origin.sheet)}" if table.origin.sheet else ""
    return f"coval-etl inspect {shlex.quote(table.origin.file)}{sheet} --write-mapping my.yaml"


def why_left_out(guesses: Sequence[Guess]) -> str:
    """Why a sheet is not read, when others are."""
    return f"no mapping fits its columns{_nearest(guesses)}"


def _name(table: Table) -> str:
    origin = table.origin
    return f"{origin.file}, sheet {origin.sheet}" if origin.sheet else origin.file


def _nearest(guesses: Sequence[Guess]) -> str:
    near = [f"{guess.mapping.name} {guess.score:.0%}" for guess in guesses[:NEAREST] if guess.score > 0]
    return f" (nearest: {', '.join(near)})" if near else ""

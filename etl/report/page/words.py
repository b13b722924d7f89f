"""The outcome of a job in plain words. This file must never know markup, and never says more than the counts do."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from etl.problems import Severity
from etl.report.outcome import Outcome
from etl.report.summary import Summary

SPOKEN = {
    Outcome.CREATED: ("created", "stored by Coval"),
    Outcome.UPDATED: ("updated", "changed in Coval"),
    Outcome.UNCHANGED: ("unchanged", "already there"),
    Outcome.VALID: ("valid", "nothing stands against them"),
    Outcome.WOULD_CREATE: ("would be created", "nothing was sent"),
    Outcome.WOULD_UPDATE: ("would be updated", "nothing was sent"),
    Outcome.SKIPPED: ("skipped", "left out on purpose"),
    Outcome.REJECTED: ("rejected", "a check found an error; not sent"),
    Outcome.FAILED: ("failed", "the API refused them"),
    Outcome.IN_DOUBT: ("in doubt", "sent; not known whether stored"),
    Outcome.PENDING: ("pending", "not stored yet; resume sends them"),
}
"""Each outcome as it is said, and what that means; in the order of the page."""

_GOOD = (
    Outcome.CREATED,
    Outcome.UPDATED,
    Outcome.UNCHANGED,
    Outcome.VALID,
    Outcome.WOULD_CREATE,
    Outcome.WOULD_UPDATE,
)


class Tone(StrEnum):
    """How the outcome is to be taken."""

    GOOD = "good"
    MIXED = "mixed"
    """Done, but some rows want a person."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: one sentence, what has to be added to it, and how it is to be taken."""

    sentence: str
    more: tuple[str, ...]
    tone: Tone


def verdict_of(summary: Summary) -> Verdict:
    """The outcome in words."""
    read = summary.rows["read"]
    counts = {outcome: summary.rows.get(outcome, 0) for outcome in SPOKEN}
    if not read:
        return Verdict("No rows were read.", tuple(_more(summary, counts)), _tone(summary))
    told = [outcome for outcome in SPOKEN if counts[outcome]]
    good = [outcome for outcome in told if outcome in _GOOD]
    if len(told) == 1:
        sentence = _whole(read, told[0])
    elif good:
        sentence = _parts(read, counts, good)
    else:
        sentence = f"None of {_rows(read)} {_none_verb(summary)}."
    if summary.stopped_because is not None:
        sentence = f"Stopped before the end: {_lowered(sentence)}"
    return Verdict(sentence, tuple(_more(summary, counts)), _tone(summary))


def _whole(read: int, outcome: Outcome) -> str:
    begin = "The only row" if read == 1 else f"All {read:,} rows"
    return f"{begin} {_predicate(outcome, read)}."


def _parts(read: int, counts: dict[Outcome, int], good: list[Outcome]) -> str:
    first, *others = good
    begin = f"{counts[first]:,} of {_rows(read)} {_predicate(first, counts[first])}"
    return f"{', '.join([begin, *(f'{counts[one]:,} {SPOKEN[one][0]}' for one in others)])}."


def _predicate(outcome: Outcome, number: int) -> str:
    """`were created`, `is valid`, `failed`."""
    words = SPOKEN[outcome][0]
    if outcome in {Outcome.FAILED, Outcome.WOULD_CREATE, Outcome.WOULD_UPDATE}:
        return words
    lasting = outcome in {Outcome.VALID, Outcome.PENDING, Outcome.IN_DOUBT, Outcome.UNCHANGED}
    return f"{('is' if number == 1 else 'are') if lasting else _were(number)} {words}"


def _more(summary: Summary, counts: dict[Outcome, int]) -> Iterator[str]:
    if summary.stopped_because is not None:
        yield summary.stopped_because
    if bad := counts[Outcome.REJECTED]:
        yield (
            f"{_rows(bad)} {_were(bad)} rejected by the checks and not sent."
            if summary.command != "validate"
            else (f"{_rows(bad)} {'has' if bad == 1 else 'have'} errors.")
        )
    if failed := counts[Outcome.FAILED]:
        yield f"{_rows(failed)} {_were(failed)} refused by the API."
    if doubts := counts[Outcome.IN_DOUBT]:
        yield (
            f"{_rows(doubts)} {'is' if doubts == 1 else 'are'} in doubt: the request left, and no answer says whether "
            f"Coval stored {'it' if doubts == 1 else 'them'}. Nothing is sent twice by itself."
        )
    if pending := counts[Outcome.PENDING]:
        yield f"{_rows(pending)} {'is' if pending == 1 else 'are'} not stored yet."
    if skipped := counts[Outcome.SKIPPED]:
        yield f"{_rows(skipped)} {_were(skipped)} left out on purpose."
    yield from _pruned(summary)
    warnings = sum(group.severity is not Severity.ERROR for group in summary.problems)
    if warnings:
        yield (
            "1 kind of warning is worth a look." if warnings == 1 else f"{warnings} kinds of warning are worth a look."
        )
    if summary.command != "validate" and summary.job is None:
        yield "This was a dry run: nothing was sent."


_PRUNED = {
    "deleted": "deleted: no longer in the file.",
    "would_delete": "would be deleted: no longer in the file.",
    "gone": "gone before: no longer in the file, and no longer in Coval.",
    "kept": "no longer in the file, and kept all the same; see why below.",
    "would_keep": "no longer in the file, and would be kept all the same; see why below.",
    "to_delete": "still to be deleted; resume goes on with it.",
}


def _pruned(summary: Summary) -> Iterator[str]:
    """What became of that which the sources no longer have."""
    for status, words in _PRUNED.items():
        if number := (summary.pruned or {}).get(status, 0):
            yield f"{number:,} {words}"
    if summary.pruned_note:
        yield summary.pruned_note


def _tone(summary: Summary) -> Tone:
    if summary.stopped_because is not None:
        return Tone.STOPPED
    return Tone.GOOD if summary.exit_code == 0 else Tone.MIXED


def _none_verb(summary: Summary) -> str:
    return {"validate": "is valid"}.get(summary.command, "would be created" if summary.job is None else "was created")


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]

"""Tracing: every request of a job that writes is told to its timeline. It must never know rows, and changes nothing."""

from etl.api import Answer, Meaning, NoAnswer, Pace, Place, meaning_of
from etl.report import Kind, Timeline
from etl.writer.watch import DOUBTFUL


def trace(pace: Pace, timeline: Timeline) -> None:
    """Tell `timeline` of every request at this pace that is no read."""

    def told(place: Place, outcome: Answer | NoAnswer) -> None:
        if not place.read:
            timeline.add(pace.clock.monotonic_s(), outcome.elapsed_s, _kind_of(outcome))

    pace.on_outcome = told


def _kind_of(outcome: Answer | NoAnswer) -> Kind:
    usable = isinstance(outcome, Answer) and outcome.body is not None
    meaning = meaning_of("POST", outcome, usable=usable)
    if meaning is Meaning.STORED:
        return Kind.STORED
    if meaning in {Meaning.WAIT, Meaning.AGAIN}:
        return Kind.AGAIN
    return Kind.UNCLEAR if meaning in DOUBTFUL else Kind.REFUSED

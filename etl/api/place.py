"""The right to send one request, and why nobody has it for now. It must never know how either comes about."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(slots=True, eq=False)
class Place:
    """The right to one request. `read`: its answer changes nothing, so it passes where writing is paused.

    `probe`: it finds out whether an outage is over. `sent_s`: not sent before these seconds of the monotonic clock.
    `beside`: how many were in flight then, this one among them.
    """

    read: bool
    probe: bool
    sent_s: float
    beside: int


class Waiting(NamedTuple):
    """Why everybody waits (the end of the sentence "Waiting: …") and for how many seconds still; None: not known."""

    why: str
    seconds: float | None

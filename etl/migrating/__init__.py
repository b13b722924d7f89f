"""Moving an organisation: what one has, or an export of it holds, is made at another, with every id replaced.

This room must never know flags or prompts, nor send a row itself: that is what an import is for.
"""

from etl.migrating.migration import SHOWN, Migration, Moved, Plan, Ways
from etl.migrating.origins import Organisation, Origin, Wanted, Written
from etl.migrating.places import opened_place
from etl.migrating.spooling import Left

__all__ = [
    "SHOWN",
    "Left",
    "Migration",
    "Moved",
    "Organisation",
    "Origin",
    "Plan",
    "Wanted",
    "Ways",
    "Written",
    "opened_place",
]

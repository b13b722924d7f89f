"""Audit: whether an export is still what its manifest says, and in what two exports differ.

This room must never know how an export was made, nor print.
"""

from etl.auditing.differing import Difference, FieldChange, Matching, Tallies, Tally, counts_of, differences
from etl.auditing.inline import Piece, inline
from etl.auditing.pages import write_differences
from etl.auditing.sides import Side, open_side
from etl.auditing.verifying import Finding, Verdict, verify

__all__ = [
    "Difference",
    "FieldChange",
    "Finding",
    "Matching",
    "Piece",
    "Side",
    "Tallies",
    "Tally",
    "Verdict",
    "counts_of",
    "differences",
    "inline",
    "open_side",
    "verify",
    "write_differences",
]

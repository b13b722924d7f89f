"""Delivery: rows in flight (bounded), what becomes of each, and looking for those of which it is not known.

This room must never know where a row came from, and never sends a row again without proof that the earlier request had
no effect.
"""

from etl.writer.delivery import SETTLE_S, Delivery
from etl.writer.differing import undone, update_of
from etl.writer.likeness import SEVERAL_EXPECTED, Likeness, version_of
from etl.writer.marks import without_mark
from etl.writer.rows import Delivered, InDoubt, Outgoing, Traffic, Update
from etl.writer.spelling import Grounds, Spelling
from etl.writer.tracing import trace
from etl.writer.watch import Watch

__all__ = [
    "SETTLE_S",
    "SEVERAL_EXPECTED",
    "Delivered",
    "Delivery",
    "Grounds",
    "InDoubt",
    "Likeness",
    "Outgoing",
    "Spelling",
    "Traffic",
    "Update",
    "Watch",
    "trace",
    "undone",
    "update_of",
    "version_of",
    "without_mark",
]

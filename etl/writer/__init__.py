"""Delivery: rows in flight (bounded), pace, retries, and what an outcome means for a row.

This room must never know where a row came from, and never sends a row again without proof that the earlier request had
no effect.
"""

from etl.writer.delivery import Delivered, Delivery, Outgoing, Traffic
from etl.writer.pace import Clock, Pace, asked_wait_s
from etl.writer.policy import Meaning, meaning_of, stored_id
from etl.writer.watch import Watch

__all__ = [
    "Clock",
    "Delivered",
    "Delivery",
    "Meaning",
    "Outgoing",
    "Pace",
    "Traffic",
    "Watch",
    "asked_wait_s",
    "meaning_of",
    "stored_id",
]

"""What was intended and what happened, on disk before and after each request.

One interface (`Ledger`), whatever stores it. This room must never know HTTP or what a row means: it keeps states.
"""

from etl.ledger.clock import Clock
from etl.ledger.disks import Mount, mount_of
from etl.ledger.examining import check_whole, file_of
from etl.ledger.journal import Journal
from etl.ledger.leases import LEASE_S, SEND_GUARD_S
from etl.ledger.ledger import Baseline, Change, Held, JobFacts, JobRecord, Known, Ledger, RowKey, State
from etl.ledger.opening import open_ledger
from etl.ledger.sqlite import open_sqlite

__all__ = [
    "LEASE_S",
    "SEND_GUARD_S",
    "Baseline",
    "Change",
    "Clock",
    "Held",
    "JobFacts",
    "JobRecord",
    "Journal",
    "Known",
    "Ledger",
    "Mount",
    "RowKey",
    "State",
    "check_whole",
    "file_of",
    "mount_of",
    "open_ledger",
    "open_sqlite",
]

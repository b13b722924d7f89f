"""What was intended and what happened, on disk before and after each request.

One interface (`Ledger`), whatever stores it. This room must never know HTTP or what a row means: it keeps states.
"""

from etl.ledger.journal import Journal
from etl.ledger.ledger import Change, JobFacts, Ledger, RowKey, State
from etl.ledger.sqlite import open_sqlite

__all__ = ["Change", "JobFacts", "Journal", "Ledger", "RowKey", "State", "open_sqlite"]

"""Which database an address means. It must never know what is in it."""

import re
from pathlib import Path

import sqlalchemy as sa

from etl.errors import UsageError
from etl.ledger.clock import Clock
from etl.ledger.ledger import Ledger
from etl.ledger.sqlite import open_sqlite


def open_ledger(where: str | Path, clock: Clock | None = None) -> Ledger:
    """Open the ledger at a path, at `sqlite:///PATH` or at `postgresql://USER:PASSWORD@HOST/DATABASE`.

    Raises UsageError for one that cannot be used, LedgerError where the disk is full.
    """
    if isinstance(where, Path) or re.match(r"[a-z0-9+]+://", where) is None:
        return open_sqlite(Path(where), clock)
    try:
        url = sa.make_url(where)
    except (sa.exc.ArgumentError, ValueError):
        # Not told what it is: it may hold a password.
        raise UsageError("The ledger's address cannot be read.", _ADVICE) from None
    scheme = url.drivername.partition("+")[0]
    if scheme == "sqlite" and url.database not in {None, "", ":memory:"}:
        return open_sqlite(Path(str(url.database)), clock)
    if scheme in {"postgresql", "postgres"}:
        from etl.ledger.postgres import open_postgres

        return open_postgres(url, clock)
    raise UsageError(f"A ledger cannot be kept in {scheme}.", _ADVICE)


_ADVICE = "Give a file, or postgresql://USER:PASSWORD@HOST/DATABASE."

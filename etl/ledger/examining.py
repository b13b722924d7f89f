"""What can be said of a ledger's file without working with it. It must never write."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from etl.errors import LedgerError
from etl.ledger.sqlite_words import damaged, told


def file_of(where: str | Path) -> Path | None:
    """The file that a ledger's address means; None for a database server's."""
    if isinstance(where, Path) or re.match(r"[a-z0-9+]+://", where) is None:
        return Path(where)
    if not where.startswith("sqlite"):
        return None
    try:
        name = sa.make_url(where).database
    except (sa.exc.ArgumentError, ValueError):
        return None
    return Path(name) if name else None


def check_whole(file: Path) -> None:
    """Read a ledger from its first page to its last. Raises LedgerError for the first damage.

    Opening one checks it whole only while it is small.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise _refused(told(file, error)) from None
    if found != "ok":
        raise _refused(damaged(file, " ".join(str(found).split())))


def _refused(error: LedgerError) -> LedgerError:
    return LedgerError(error.message, error.hint.removeprefix("Nothing more was sent. "))

"""What SQLite's errors mean to a person. It must never know what was being done."""

import sqlite3
from pathlib import Path
from typing import Final

from etl.errors import LedgerError
from etl.ledger.disks import UnfitError
from etl.ledger.store import DiskFullError, two_rows

_SENTENCES: Final = {
    sqlite3.SQLITE_READONLY: (
        "The ledger {file} may not be written: it, its folder or its disk is read-only.",
        "Nothing more was sent. Make it writable; coval-etl resume carries on.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "The ledger {file} cannot be opened: it or its folder may not be read or written.",
        "Nothing more was sent. Make both writable, or give another file with --ledger.",
    ),
    sqlite3.SQLITE_BUSY: (
        "Another process keeps the ledger {file} locked.",
        "Nothing more was sent. Wait until that process has ended; continue or stop it if it is suspended.",
    ),
    sqlite3.SQLITE_IOERR: (
        "The disk of the ledger {file} failed ({name}).",
        "Nothing more was sent. Check the disk and its quota; coval-etl resume carries on.",
    ),
}


def told(file: Path, reason: BaseException | None) -> LedgerError:
    """SQLite's error as a sentence, by its result code (https://www.sqlite.org/rescode.html)."""
    extended = getattr(reason, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = extended & 0xFF
    if extended == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return two_rows(str(file))
    if code == sqlite3.SQLITE_FULL:
        return disk_full(file)
    if code == sqlite3.SQLITE_CORRUPT:
        return damaged(file, str(reason))
    if code == sqlite3.SQLITE_NOTADB:
        return UnfitError(f"{file} is no ledger: it is no SQLite database.", "Give another file with --ledger.")
    message, hint = _SENTENCES.get(code, ("The ledger {file} cannot be used: {reason}.", "Nothing more was sent."))
    name = getattr(reason, "sqlite_errorname", reason)
    return LedgerError(message.format(file=file, name=name, reason=reason), hint)


def disk_full(file: Path) -> DiskFullError:
    """There is no room for what would have to be written."""
    return DiskFullError(
        f"The disk is full: the ledger {file} cannot be written.",
        "Nothing more was sent. Make room on that disk; coval-etl resume carries on.",
    )


def damaged(file: Path, finding: str) -> UnfitError:
    """What was written is not what is there."""
    return UnfitError(
        f"The ledger {file} is damaged: {finding}.",
        "Restore it from a backup, or mend a copy with: sqlite3 FILE .recover. With a new one instead, an import typed "
        "again would send its rows a second time.",
    )

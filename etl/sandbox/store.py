"""What the sandbox keeps: one SQLite table of resources, in a file or in memory.

It must never know what a field means, which contract is spoken, nor HTTP.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.errors import FileError

_LAYOUT = 1
"""The version of the table below, kept in the file (`user_version`)."""

_SCHEMA = (
    """
    CREATE TABLE stored (
      created_us INTEGER PRIMARY KEY,
      updated_us INTEGER,
      workspace TEXT NOT NULL,
      resource TEXT NOT NULL,
      id TEXT NOT NULL,
      own_key TEXT,
      test_set_id TEXT,
      fields TEXT NOT NULL,
      request TEXT NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX stored_by_id ON stored (resource, workspace, id)",
    "CREATE UNIQUE INDEX stored_by_own_key ON stored (resource, workspace, own_key) WHERE own_key IS NOT NULL",
    "CREATE INDEX stored_by_time ON stored (resource, workspace, created_us)",
    """
    CREATE INDEX stored_by_test_set ON stored (resource, workspace, test_set_id, created_us)
      WHERE test_set_id IS NOT NULL
    """,
    f"PRAGMA user_version = {_LAYOUT}",
)

_INSERT = """
INSERT INTO stored
SELECT max(?, coalesce(max(created_us) + 1, 0)), NULL, ?, ?, ?, ?, ?, ?, ? FROM stored
RETURNING created_us
"""
"""Times of creation rise strictly, across processes too: they are the key and the order of lists."""


class TakenError(Exception):
    """Another resource of the workspace has this slug or `customer_agent_id`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One resource as it is kept. Times are microseconds since 1970 (UTC); `updated_us` is None until it is changed."""

    id: str
    created_us: int
    updated_us: int | None
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Room:
    """Where resources of one name and one workspace live; the default workspace is ``""``."""

    workspace: str
    resource: str


@dataclass(frozen=True, slots=True)
class Search:
    """A part of a room, in an order: pieces of SQL over the table's columns, made from closed lists, values bound.

    `after` are the sort key and the time of creation of the last row already seen.
    """

    condition: str
    values: tuple[Any, ...]
    sort_key: str
    descending: bool
    after: tuple[Any, int] | None
    limit: int


class Store:
    """The table. Every method is short and returns when its work is in the file (or in memory, without one).

    Two processes may use one file. Raises FileError where `path` is no sandbox of this version or cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            self._sql = _opened(path)
        except (sqlite3.Error, OSError) as error:
            raise FileError(
                f"the sandbox's data {path} cannot be opened: {error}", "name another file, or move this one away"
            ) from None

    def close(self) -> None:
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside happens whole or not at all, and nobody else writes meanwhile."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    def add(self, room: Room, id_: str, fields: Mapping[str, Any], own_key: str | None, request: str) -> Stored:
        """Keep a new resource; `request` is the body that made it. Raises TakenError for an own key in use."""
        now_us = time.time_ns() // 1000
        row = (now_us, room.workspace, room.resource, id_, own_key, fields.get("test_set_id"), _json(fields), request)
        try:
            ((created_us,),) = self._sql.execute(_INSERT, row).fetchall()
        except sqlite3.IntegrityError:
            raise TakenError from None
        return Stored(id_, created_us, None, dict(fields))

    def find(self, room: Room, id_: str) -> Stored | None:
        """The resource of that id, if there is one."""
        row = self._sql.execute(
            "SELECT id, created_us, updated_us, fields FROM stored WHERE resource = ? AND workspace = ? AND id = ?",
            (room.resource, room.workspace, id_),
        ).fetchone()
        return _stored(row) if row else None

    def holds(self, room: Room, id_: str) -> bool:
        """Whether there is a resource of that id."""
        row = self._sql.execute(
            "SELECT 1 FROM stored WHERE resource = ? AND workspace = ? AND id = ?", (room.resource, room.workspace, id_)
        ).fetchone()
        return row is not None

    def refers(self, room: Room, field: str, id_: str) -> bool:
        """Whether any resource of a room holds that id in its list `field`."""
        row = self._sql.execute(
            "SELECT 1 FROM stored, json_each(stored.fields, '$.' || ?) AS item"
            " WHERE resource = ? AND workspace = ? AND item.value = ?",
            (field, room.resource, room.workspace, id_),
        ).fetchone()
        return row is not None

    def replace(self, old: Stored, fields: Mapping[str, Any], own_key: str | None) -> Stored:
        """Keep other fields for a resource. Raises TakenError for an own key in use."""
        updated_us = max(time.time_ns() // 1000, old.created_us + 1, (old.updated_us or 0) + 1)
        try:
            self._sql.execute(
                "UPDATE stored SET updated_us = ?, own_key = ?, test_set_id = ?, fields = ? WHERE created_us = ?",
                (updated_us, own_key, fields.get("test_set_id"), _json(fields), old.created_us),
            )
        except sqlite3.IntegrityError:
            raise TakenError from None
        return Stored(old.id, old.created_us, updated_us, dict(fields))

    def remove(self, room: Room, id_: str) -> bool:
        """Forget a resource; False where there is none."""
        done = self._sql.execute(
            "DELETE FROM stored WHERE resource = ? AND workspace = ? AND id = ?", (room.resource, room.workspace, id_)
        )
        return done.rowcount > 0

    def remove_of_test_set(self, room: Room, test_set_id: str) -> None:
        """Forget every resource of a room that belongs to a test set."""
        self._sql.execute(
            "DELETE FROM stored WHERE resource = ? AND workspace = ? AND test_set_id = ?",
            (room.resource, room.workspace, test_set_id),
        )

    def count_of_test_set(self, room: Room, test_set_id: str) -> int:
        """How many resources of a room belong to a test set."""
        ((count,),) = self._sql.execute(
            "SELECT count(*) FROM stored WHERE resource = ? AND workspace = ? AND test_set_id = ?",
            (room.resource, room.workspace, test_set_id),
        ).fetchall()
        return int(count)

    def page(self, room: Room, search: Search) -> list[tuple[Any, Stored]]:
        """At most `search.limit` resources of a room, each with its sort key."""
        after = ("<" if search.descending else ">") if search.after else ""
        direction = "DESC" if search.descending else "ASC"
        query = " ".join(
            (
                "SELECT",
                search.sort_key,
                ", id, created_us, updated_us, fields FROM stored WHERE resource = ? AND workspace = ?",
                f"AND ({search.condition})" if search.condition else "",
                f"AND ({search.sort_key}, created_us) {after} (?, ?)" if after else "",
                f"ORDER BY {search.sort_key} {direction}, created_us {direction} LIMIT ?",
            )
        )
        values: Sequence[Any] = (
            *(room.resource, room.workspace),
            *search.values,
            *(search.after or ()),
            search.limit,
        )
        return [(key, _stored(row)) for key, *row in self._sql.execute(query, values)]

    def all_bodies(self, resource: str) -> list[dict[str, Any]]:
        """The body of every create request that is kept, as it was sent, in the order of creation, of all workspaces.

        Later PATCHes do not show here; what was deleted is gone.
        """
        rows = self._sql.execute("SELECT request FROM stored WHERE resource = ? ORDER BY created_us", (resource,))
        return [json.loads(request) for (request,) in rows]


def _opened(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # agents carry authorization headers: the file is its owner's
    sql = sqlite3.connect(path or ":memory:", timeout=10, isolation_level=None, check_same_thread=False)
    try:
        _lay_out(sql)
        sql.execute("PRAGMA journal_mode = WAL")
        sql.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        sql.close()
        raise
    return sql


def _lay_out(sql: sqlite3.Connection) -> None:
    """Make the table in a new file; leave it as it is in a file of ours; refuse any other database."""
    sql.execute("BEGIN IMMEDIATE")
    (layout,) = sql.execute("PRAGMA user_version").fetchone()
    (tables,) = sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables:
        for statement in _SCHEMA:
            sql.execute(statement)
    elif layout != _LAYOUT:
        raise sqlite3.DatabaseError("it is a database of another program or of another version")
    sql.execute("COMMIT")


def _stored(row: Sequence[Any]) -> Stored:
    id_, created_us, updated_us, fields = row
    return Stored(id_, created_us, updated_us, json.loads(fields))


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))

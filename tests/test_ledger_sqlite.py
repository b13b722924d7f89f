"""The ledger in a file: what it looks at before it writes, what it refuses, and what earlier versions left."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from etl.errors import LedgerError, UsageError
from etl.ledger import RowKey, State, migrating, open_ledger, open_sqlite
from etl.ledger.disks import Mount, UnfitError, mount_of, refuse_unfit
from etl.ledger.schema import REVISION, VERSION
from etl.ledger.sql import SqlLedger
from etl.ledger.sqlite import APPLICATION_ID, SqliteStore
from tests.ledger_places import OTHER, TABLE, created, job, python, sending


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def schema(file: Path) -> dict[str, str]:
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return {name: " ".join(sql.split()) for name, sql in found}


def write_version_1(file: Path, rows: int = 4) -> None:
    """A ledger as version 1 wrote it: its schema by the migration that has kept it, its rows by its own words."""
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        migrating.migrate(connection, "0001")
        connection.exec_driver_sql("DROP TABLE alembic_version")
    engine.dispose()
    with closing(sqlite3.connect(file)) as old, old:
        old.execute("PRAGMA journal_mode=WAL")
        for name, minute in (("b", 1), ("a", 2)):
            old.execute(
                "INSERT INTO job VALUES (?, 'import', 'sandbox', NULL, 'f00d', '2025-10', ?, ?, NULL, NULL)",
                (name, '[{"file": "x.csv"}]', f"2026-11-22T04:0{minute}:00+00:00"),
            )
        made = (("b", OTHER if n % 2 else TABLE, n, "created", b"h" * 32, f"id-{n}", 1, None) for n in range(rows))
        old.executemany("INSERT INTO row VALUES (?, ?, ?, ?, ?, ?, ?, ?)", made)
        old.execute("INSERT INTO row VALUES ('a', ?, 7, 'sending', NULL, NULL, 0, 'why')", (TABLE,))
        old.execute("UPDATE job SET ended = '2026-11-22T05:00:00+00:00', exit_code = 1 WHERE id = 'b'")
        old.execute(f"PRAGMA application_id={APPLICATION_ID}")
        old.execute("PRAGMA user_version=1")


def test_a_file_name_is_taken_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / "a b?c#d%.db"
    open_sqlite(odd).close()
    with closing(sqlite3.connect(odd)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID


def test_an_address_may_be_a_url(tmp_path: Path) -> None:
    open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    assert (tmp_path / "ledger.db").exists()
    for address in ("sqlite://", "mysql://me:geheim@host/db", "postgresql://me:geheim@[::bad/db"):
        with pytest.raises(UsageError) as refused:
            open_ledger(address)
        assert "geheim" not in str(refused.value) + refused.value.hint


def test_the_file_is_private_to_the_user(tmp_path: Path) -> None:
    file = tmp_path / "state" / "ledger.db"
    ledger = open_sqlite(file)
    ledger.open_job(job("a"))
    assert {stat.S_IMODE(one.stat().st_mode) for one in file.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    ledger.close()


def test_a_power_cut_cannot_lose_a_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger.db")
    store.prepare()
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0)):
        assert store.run(lambda c, name=pragma: c.exec_driver_sql(f"PRAGMA {name}").scalar_one()) == value  # type: ignore[misc]
    store.close()


@pytest.mark.parametrize("foreign", ["CREATE TABLE theirs (x)", "PRAGMA application_id=77"])
def test_the_database_of_another_program_is_refused_and_left_as_it_was(tmp_path: Path, foreign: str) -> None:
    file = tmp_path / "other.db"
    execute(file, foreign)
    before = file.read_bytes()
    with pytest.raises(UsageError, match="another program"):
        open_sqlite(file)
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["other.db"]


@pytest.mark.parametrize("version", [0, VERSION + 1, 99])
def test_a_ledger_of_a_version_that_is_not_known_is_refused(tmp_path: Path, version: int) -> None:
    file = tmp_path / "ledger.db"
    open_sqlite(file).close()
    execute(file, f"PRAGMA user_version={version}")
    before = file.read_bytes()
    with pytest.raises(UsageError, match=f"another version of coval-etl .schema {version}, this one writes {VERSION}."):
        open_sqlite(file)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"not a database at all, but long enough to look at" * 50)
    with pytest.raises(UsageError, match="no SQLite database"):
        open_sqlite(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError):
        open_sqlite(file)


def test_a_damaged_ledger_is_refused_with_what_would_do(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = open_sqlite(file)
    ledger.open_job(job("a"))
    ledger.record("a", sending(*range(3000)))
    ledger.close()
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size // 2)
        damaged.write(os.urandom(8192))
    with pytest.raises(UsageError, match="is damaged") as refused:
        open_sqlite(file)
    assert "second time" in refused.value.hint


def test_a_large_ledger_is_checked_when_it_was_not_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.ledger.sqlite.CHECKED_BYTES", 0)
    file = tmp_path / "ledger.db"
    open_sqlite(file).close()
    checks: list[str] = []
    monkeypatch.setattr(SqliteStore, "_check", lambda *_: checks.append("checked"))
    open_sqlite(file).close()
    assert checks == []
    die = python(
        "import os, sys; from pathlib import Path; from etl.ledger import open_sqlite;"
        "from tests.ledger_places import job;"
        "open_sqlite(Path(sys.argv[1])).open_job(job('a')); os._exit(9)",
        str(file),
    )
    die.communicate()
    assert die.returncode == 9
    open_sqlite(file).close()
    assert checks == ["checked"]


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.touch()
    open_sqlite(file).close()
    open_sqlite(file).close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]


def test_the_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ledger.db"
    open_sqlite(file).close()
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    with pytest.raises(UsageError, match="belongs to another user"):
        open_sqlite(file)


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:30 / /mnt/nfs rw - nfs4 server:/x rw,vers=4.2
31 22 0:31 / /mnt/with\\040space rw shared:7 master:2 - fuse.sshfs me@host:/ rw
32 22 0:32 / /mnt/nfs/local rw - ext4 /dev/vdb rw
33 22 0:33 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs;path=C:\\;uid=1000,trans=fd
34 22 0:34 / /gofer rw - 9p none rw,trans=fd,rfdno=4
35 22 0:35 / /twice rw - nfs server:/y rw
36 22 0:36 / /twice rw - tmpfs tmpfs rw
37 22 0:37 / /mnt/disk rw - fuse.ntfs-3g /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("folder", "type_", "refused"),
    [
        ("/home/me", "ext4", False),
        ("/mnt/nfs/state", "nfs4", True),
        ("/mnt/nfsnot", "ext4", False),
        ("/mnt/with space", "fuse.sshfs", True),
        ("/mnt/nfs/local/x", "ext4", False),
        ("/mnt/c/Users", "9p", True),
        ("/gofer/state", "9p", False),
        ("/twice", "tmpfs", False),
        ("/mnt/disk", "fuse.ntfs-3g", False),
    ],
)
def test_a_network_file_system_is_refused(tmp_path: Path, folder: str, type_: str, refused: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    mount = mount_of(Path(folder), mounts)
    assert mount is not None
    assert (mount.type, mount.is_network) == (type_, refused)
    if refused:
        with pytest.raises(UnfitError, match="network file system") as error:
            refuse_unfit(Path(folder) / "ledger.db", mounts)
        assert "PostgreSQL" in error.value.hint


def test_where_the_system_does_not_tell_its_mounts_nothing_is_refused(tmp_path: Path) -> None:
    assert mount_of(tmp_path, tmp_path / "nothing") is None
    refuse_unfit(tmp_path / "ledger.db", tmp_path / "nothing")
    assert isinstance(mount_of(tmp_path), Mount | None)


def test_a_ledger_of_version_1_is_brought_up_with_all_it_had(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    write_version_1(file)
    ledger = open_sqlite(file)
    assert [(record.facts.id, record.exit_code) for record in ledger.jobs()] == [("a", None), ("b", 1)]
    record = ledger.job("b")
    assert record is not None
    assert (list(record.facts.sources), record.facts.settings, record.counts) == ([{"file": "x.csv"}], {}, None)
    assert [change.key for change in ledger.rows("b", State.CREATED)] == [
        RowKey(TABLE, 0), RowKey(TABLE, 2), RowKey(OTHER, 1), RowKey(OTHER, 3)
    ]  # fmt: skip
    assert next((change.body_sha256, change.resource_id) for change in ledger.rows("b", State.CREATED)) == (
        b"h" * 32,
        "id-0",
    )
    assert [change.evidence for change in ledger.rows("a", State.SENDING)] == ["why"]
    # Somebody held this table, and nobody wrote down when.
    assert ledger.hold("a", [TABLE]).quiet_s == 0
    assert [change.key.row for change in ledger.rows("a", State.IN_DOUBT)] == [7]
    ledger.close()
    open_sqlite(file).close()


def test_a_ledger_that_was_brought_up_equals_a_new_one(tmp_path: Path) -> None:
    write_version_1(tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        open_sqlite(tmp_path / name).close()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")


def test_an_empty_ledger_of_version_1_is_brought_up(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    write_version_1(file)
    execute(file, "DELETE FROM row", "DELETE FROM job")
    open_sqlite(file).close()
    assert open_sqlite(file).jobs() == []


def test_a_ledger_that_version_1_works_with_is_not_brought_up(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    write_version_1(file)
    lock = tmp_path / "ledger.db.lock"
    lock.touch()
    holder = python(
        "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX, 1, int('a' * 15, 16));"
        "print('held', flush=True); sys.stdin.read()",
        str(lock),
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UsageError, match="earlier version of coval-etl is at work"):
        open_sqlite(file)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    holder.communicate()
    open_sqlite(file).close()
    assert not lock.exists()


@pytest.mark.parametrize("point", ["schema-migrating", "ledger-created"])
def test_a_kill_leaves_the_old_ledger_or_the_new_one(tmp_path: Path, point: str) -> None:
    file = tmp_path / "ledger.db"
    if point == "schema-migrating":
        write_version_1(file, rows=3000)
        before = schema(file)
    code = (
        "import sys; from pathlib import Path; from etl import crashpoints; from etl.ledger import open_sqlite;"
        "crashpoints.arm(sys.argv[2]); open_sqlite(Path(sys.argv[1]))"
    )
    killed = python(code, str(file), point)
    killed.communicate()
    assert killed.returncode == -9
    if point == "schema-migrating":
        assert schema(file) == before
    open_sqlite(tmp_path / "new.db").close()
    ledger = open_sqlite(file)
    assert len(list(ledger.rows("b", State.CREATED))) == 3000 if point == "schema-migrating" else ledger.jobs() == []
    ledger.close()
    assert schema(file) == schema(tmp_path / "new.db")


def test_alembic_is_not_loaded_to_open_a_ledger(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from etl.ledger import open_sqlite;"
        "[open_sqlite(Path(sys.argv[1])).close() for _ in range(2)];"
        "print('alembic' in sys.modules, 'psycopg' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ledger.db")], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "False False\n"


def test_the_room_of_a_forgotten_job_is_given_back(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = open_sqlite(file)
    for name in ("a", "b"):
        ledger.open_job(job(name))
        ledger.record(name, created(*range(10_000 if name == "a" else 100)))
    ledger.close()
    large = file.stat().st_size
    ledger = open_sqlite(file)
    ledger.forget("a")
    ledger.close()
    assert file.stat().st_size < large / 4
    assert ledger_rows(file) == 100


def ledger_rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM source_row").fetchone()[0])


def test_a_writer_that_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.ledger.sqlite.BUSY_S", 0.05)
    file = tmp_path / "ledger.db"
    ledger = open_sqlite(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="Another process keeps the ledger"):
            ledger.open_job(job("a"))
        assert list(ledger.jobs()) == []
        other.execute("ROLLBACK")
    ledger.open_job(job("a"))
    ledger.close()


def test_every_version_has_its_step() -> None:
    steps = sorted(Path(migrating.__file__).parent.glob("migrations/versions/r*.py"))
    assert [step.name[1:5] for step in steps] == [f"{version:04}" for version in range(1, VERSION + 1)]


def test_nothing_goes_through_every_row_of_a_ledger(tmp_path: Path) -> None:
    """What a job asks when it begins must not become slow with what other jobs have left."""
    file = tmp_path / "ledger.db"
    ledger = SqlLedger(store := SqliteStore(file))
    store.prepare()
    ledger.open_job(job("a"))
    ledger.record("a", [*sending(1), *created(2)])
    asked: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(store._engine, "before_cursor_execute", lambda _c, _k, sql, given, *_: asked.append((sql, given)))
    ledger.hold("a", [TABLE, OTHER])
    list(ledger.known(TABLE, 0, 9))
    ledger.created_ids(TABLE)
    ledger.owned(["x", "y"])
    for state in (State.IN_DOUBT, State.PENDING, State.SENDING):
        list(ledger.rows("a", state))
    ledger.close()
    with closing(sqlite3.connect(file)) as connection:
        plans = {
            sql: " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given))
            for sql, given in asked
            if "source_row" in sql
        }
    assert len(plans) >= 7
    assert [sql for sql, plan in plans.items() if "SCAN source_row" in plan] == []
    of_open_rows = [plan for sql, plan in plans.items() if "'in_doubt', 'pending'" in sql]
    assert of_open_rows
    assert all("open_rows" in plan and "TEMP B-TREE" not in plan for plan in of_open_rows)

"""Full disks, failing disks, servers that go away: nothing is acknowledged that is not there afterwards."""

import math
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from etl.errors import ExitCode, LedgerError, UsageError
from etl.ledger import Baseline, Change, Held, Ledger, State, open_ledger, open_sqlite
from etl.ledger.store import DiskFullError
from tests.ledger_places import TABLE, PostgresServer, created, job, postgres, python, sending

__all__ = ["postgres"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB. Where nobody may mount one, the test of the file size limit below still stands."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


def record_until_it_fails(ledger: Ledger, change: Callable[[int], list[Change]]) -> tuple[int, LedgerError]:
    """How many rows were acknowledged, and why it ended."""
    for number in range(100_000):
        try:
            ledger.record("a", change(number))
        except LedgerError as error:
            return number, error
    raise AssertionError("the disk never became full")


@pytest.mark.parametrize("moment", ["intent", "outcome"])
def test_a_full_disk_acknowledges_nothing_and_leaves_a_sound_ledger(small_disk: Path, moment: str) -> None:
    file = small_disk / "ledger.db"
    ledger = open_sqlite(file)
    ledger.open_job(job("a"))
    ledger.hold("a", [TABLE])
    if moment == "outcome":
        ledger.record("a", sending(*range(500)))
    ballast = fill(small_disk)
    acknowledged, error = record_until_it_fails(
        ledger, lambda number: sending(number) if moment == "intent" else created(number)
    )
    assert error.message == f"The disk is full: the ledger {file} cannot be written."
    assert "Make room" in error.hint
    assert error.exit_code == ExitCode.STOPPED
    with pytest.raises(LedgerError):
        ledger.record("a", sending(10**6))
    ballast.unlink()
    ledger.close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    again = open_sqlite(file)
    state = State.SENDING if moment == "intent" else State.CREATED
    assert [change.key.row for change in again.rows("a", state)] == list(range(acknowledged))
    again.hold("a", [TABLE])
    again.record("a", created(10**6))
    again.close()


def test_a_ledger_is_not_made_on_a_full_disk(small_disk: Path) -> None:
    ballast = fill(small_disk)
    with pytest.raises(DiskFullError, match="disk is full"):
        open_sqlite(small_disk / "ledger.db")
    ballast.unlink()
    open_sqlite(small_disk / "ledger.db").close()


LIMITED = """
import resource, sys
from pathlib import Path
from etl.errors import LedgerError
from etl.ledger import open_sqlite
from tests.ledger_places import TABLE, job, sending

ledger = open_sqlite(Path(sys.argv[1]))
ledger.open_job(job("a"))
ledger.hold("a", [TABLE])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for number in range(100_000):
    try:
        ledger.record("a", sending(number))
    except LedgerError as error:
        print(number, error.message)
        break
ledger.close()
"""


def test_a_disk_that_fails_acknowledges_nothing_and_leaves_a_sound_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    said, errors = python(LIMITED, str(file)).communicate()
    acknowledged, _, message = said.strip().partition(" ")
    assert (message, errors) == (f"The disk of the ledger {file} failed (SQLITE_IOERR_WRITE).", "")
    ledger = open_sqlite(file)
    assert len(list(ledger.rows("a", State.SENDING))) == int(acknowledged) > 0
    ledger.close()


READ_ONLY = """
import os, sys
from pathlib import Path
import sqlalchemy.dialects.sqlite.pysqlite
from etl.errors import EtlError
from etl.ledger import State, open_sqlite
from tests.ledger_places import job, sending

file = Path(sys.argv[1])
if os.geteuid() == 0:  # whom no folder is read-only for
    os.chown(file.parent, 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)
open_sqlite(file).close()
file.parent.chmod(0o500)
try:
    open_sqlite(file)
except EtlError as error:
    print(type(error).__name__, error.message)
file.parent.chmod(0o700)
ledger = open_sqlite(file)
ledger.open_job(job("a"))
file.parent.chmod(0o500)
acknowledged = 0
try:
    for number in range(50):
        ledger.record("a", sending(number))
        acknowledged += 1
except EtlError as error:
    print(type(error).__name__, error.message)
ledger.close()
file.parent.chmod(0o700)
ledger = open_sqlite(file)
print(ledger.count("a")[State.SENDING] == acknowledged)
"""


def test_a_folder_that_becomes_read_only_loses_nothing_that_was_acknowledged() -> None:
    folder = Path(tempfile.mkdtemp(prefix="coval-ledger-"))
    said, errors = python(READ_ONLY, str(folder / "ledger.db")).communicate()
    shutil.rmtree(folder)
    refused, *stopped, kept = said.splitlines()
    assert (kept, errors) == ("True", "")
    assert refused.startswith("UsageError The ledger")
    assert all(line.startswith("LedgerError The ledger") for line in stopped)


def test_the_password_of_a_database_is_told_nowhere(tmp_path: Path) -> None:
    for address in ("postgresql://me:geheim@127.0.0.1:1/db", "postgres://me:geheim@127.0.0.1:1/db?connect_timeout=1"):
        with pytest.raises(UsageError, match=r"The ledger db on 127\.0\.0\.1 cannot be reached") as error:
            open_ledger(address)
        assert "geheim" not in "".join(traceback.format_exception(error.value)) + error.value.hint


def test_the_driver_that_is_not_installed_is_named() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None; from etl.ledger import open_ledger\n"
        "try: open_ledger('postgresql://me:geheim@h/db')\n"
        "except Exception as error: print(type(error).__name__, error.hint)"
    )
    assert python(code).communicate() == ('UsageError Install it: pip install "coval-etl[postgres]"\n', "")


@pytest.fixture
def ledger(postgres: PostgresServer) -> Iterator[Ledger]:
    ledger = open_ledger(postgres.database())
    ledger.open_job(job("a"))
    ledger.hold("a", [TABLE])
    yield ledger
    ledger.close()


def test_a_broken_connection_is_made_anew(ledger: Ledger, postgres: PostgresServer) -> None:
    ledger.record("a", sending(1, 2))
    postgres.break_connections()
    ledger.record("a", created(1))
    postgres.break_connections()
    ledger.renew()
    postgres.break_connections()
    assert ledger.count("a") == {State.SENDING: 1, State.CREATED: 1}


def test_a_server_that_is_restarted_is_waited_for(ledger: Ledger, postgres: PostgresServer) -> None:
    ledger.record("a", sending(1))
    postgres.stop()
    starting = threading.Timer(0.5, postgres.start)
    starting.start()
    ledger.record("a", created(1))
    starting.join()
    assert ledger.count("a") == {State.CREATED: 1}


def test_a_server_that_stays_away_acknowledges_nothing(
    ledger: Ledger, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger._store, "_again_for_s", 0.3)  # type: ignore[attr-defined]
    ledger.record("a", sending(1))
    postgres.stop()
    try:
        for act in (lambda: ledger.record("a", created(1)), ledger.renew, lambda: ledger.owned(["x"])):
            with pytest.raises(LedgerError, match="cannot be reached") as error:
                act()
        assert "resume carries on" in error.value.hint
    finally:
        postgres.start()
    assert ledger.count("a") == {State.SENDING: 1}
    ledger.record("a", created(1))


class Link:
    """One connection through a `Cutter`."""

    def __init__(self, client: socket.socket, server: str) -> None:
        self.client = client
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(server)
        self.is_mute = False
        self.was_answered = threading.Event()

    def pass_back(self) -> None:
        with suppress(OSError):
            while data := self.server.recv(65536):
                if self.is_mute:
                    self.was_answered.set()
                    break
                self.client.sendall(data)


class Cutter:
    """Stands between a ledger and its server, and cuts the next connection that commits: before it, or its answer."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.when: str | None = None
        self.cuts = 0
        self._start(self._accept)

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                link = Link(self._listener.accept()[0], self._server)
                self._start(partial(self._pass_on, link))
                self._start(link.pass_back)

    def _pass_on(self, link: Link) -> None:
        with suppress(OSError):
            while (data := link.client.recv(65536)) and not self._is_cut(link, data):
                link.server.sendall(data)
        for side in (link.server, link.client):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def _is_cut(self, link: Link, data: bytes) -> bool:
        if self.when is None or b"COMMIT" not in data:
            return False
        self.cuts += 1
        when, self.when = self.when, None
        if when == "answer":
            link.is_mute = True
            link.server.sendall(data)
            link.was_answered.wait(10)
        return True

    @staticmethod
    def _start(work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()


@pytest.mark.parametrize("when", ["commit", "answer"])
def test_a_commit_that_is_not_answered_is_not_assumed_either_way(postgres: PostgresServer, when: str) -> None:
    url = sa.make_url(postgres.database())
    cutter = Cutter(f"{url.query['host']}/.s.PGSQL.5432")
    ledger = open_ledger(f"postgresql://postgres:x@127.0.0.1:{cutter.port}/{url.database}")
    acts: list[Callable[[], object]] = [
        lambda: ledger.open_job(job("a")),
        lambda: ledger.hold("a", [TABLE]),
        lambda: ledger.record("a", sending(1, 2)),
        lambda: ledger.record("a", created(1)),
        lambda: ledger.keep_baseline("a", "set", Baseline({"x"}, "then")),
        ledger.renew,
        lambda: ledger.close_job("a", 0, {"created": 1}, None),
        ledger.release,
    ]
    answers = []
    for act in acts:
        cutter.when = when
        answers.append(act())
    assert cutter.cuts == len(acts)
    assert answers[1] == Held(math.inf)
    assert ledger.count("a") == {State.CREATED: 1, State.SENDING: 1}
    assert ledger.baseline("a", "set") == Baseline({"x"}, "then")
    record = ledger.job("a")
    assert record is not None
    assert (record.exit_code, record.held_by) == (0, None)
    ledger.close()
    cutter.close()

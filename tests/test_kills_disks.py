"""Disks that are full, and folders that nobody may write to: a job stops at once, says so, and is carried on."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.forking import Ended, Forker, shared
from tests.killing import KILLED, Kill, World, carry_through, world

ROWS = 300
"""More than fit into the ledger on the small disk."""


@pytest.fixture(scope="module")
def forker() -> Forker:
    return shared()


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[None]:
    """A disk of its own at a folder, for as long as the context lasts."""
    at.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(at)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount on this system")
    if done.returncode:
        pytest.skip("only root mounts disks")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def remount(at: Path, how: str) -> None:
    """The same disk, with another size, read-only (`ro`), or no longer so (`rw`)."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(at)], check=True)


def one_sentence(ended: Ended) -> str:
    """What stopped it: said once, without a traceback."""
    said = [line for line in ended.err.splitlines() if line.startswith(("Stopped: ", "Error: "))]
    assert len(said) == 1, ended.err
    assert "Traceback" not in ended.err
    return said[0]


def assert_nothing_was_sent_that_is_not_written_down(place: World) -> None:
    """Every test case at the server is a row of the ledger: `created`, or, where its outcome found no room, `sending`;
    `resume` makes that `in_doubt`."""
    states = dict(place.in_ledger("SELECT state, count(*) FROM source_row WHERE row > 1 GROUP BY state"))
    stored = len(place.stored()) - place.before.total()
    created, open_ = states.get("created", 0), states.get("sending", 0) + states.get("in_doubt", 0)
    assert created <= stored <= created + open_
    ids = {id_ for (id_,) in place.in_ledger("SELECT resource_id FROM source_row WHERE state = 'created' AND row > 1")}
    assert ids <= set(place.stored())


@pytest.mark.parametrize("size", ["220k", "300k", "420k"])
async def test_a_full_disk_stops_the_job_and_room_lets_it_be_carried_on(
    forker: Forker, tmp_path: Path, size: str
) -> None:
    async with world(tmp_path, 1, rows=ROWS, look_alikes=True) as place:
        with small_disk(place.ledger.parent, size):
            ended = await forker.run(place.call(place.importing()))
            assert ended.code == 4, ended.err
            sentence = one_sentence(ended)
            assert "ledger" in sentence
            assert "full" in sentence
            assert 0 < len(place.stored()) - place.before.total() < ROWS
            assert_nothing_was_sent_that_is_not_written_down(place)
            again = await forker.run(place.call(("resume", "--settle", "1")))
            assert again.code == 4, again.err
            assert_nothing_was_sent_that_is_not_written_down(place)
            remount(place.ledger.parent, "size=64m")
            done = await carry_through(place, forker.run, [])
            assert done.complaints == []


async def test_a_ledger_that_outgrows_the_size_that_a_file_may_have_stops_the_job(
    forker: Forker, tmp_path: Path
) -> None:
    async with world(tmp_path, 2, rows=ROWS) as place:
        ended = await forker.run(place.call(place.importing(), largest_file=160 * 1024))
        assert ended.code == 4, ended.err
        assert "ledger" in one_sentence(ended)
        assert_nothing_was_sent_that_is_not_written_down(place)
        done = await carry_through(place, forker.run, [])
        assert done.complaints == []


async def test_a_report_that_finds_no_room_stops_the_job_and_is_written_by_resume(
    forker: Forker, tmp_path: Path
) -> None:
    async with world(tmp_path, 3, rows=ROWS) as place:
        with small_disk(tmp_path / "reports", "24k"):
            arguments = [one if one != "report" else "reports/report" for one in place.importing()]
            ended = await forker.run(place.call(arguments))
            assert ended.code == 4, ended.err
            assert "report" in one_sentence(ended)
            remount(tmp_path / "reports", "size=64m")
            ended = await forker.run(place.call(("resume", "--settle", "1")))
            assert ended.code == 0, ended.err
            summary = json.loads((tmp_path / "reports" / "report" / "summary.json").read_text())
            assert summary["rows"]["created"] == ROWS
            assert sorted(place.stored().values()) == sorted(place.wanted.elements())


async def test_a_ledger_on_a_disk_that_became_read_only_is_named_and_the_job_waits(
    forker: Forker, tmp_path: Path
) -> None:
    async with world(tmp_path, 4, look_alikes=True) as place:
        with small_disk(place.ledger.parent, "16m"):
            killed = await forker.run(place.call(place.importing(), Kill("answered:3")))
            assert killed.code == KILLED
            remount(place.ledger.parent, "ro")
            stored = place.stored()
            ended = await forker.run(place.call(("resume", "--settle", "1")))
            assert ended.code in {2, 4}, ended.err
            assert "ledger" in one_sentence(ended)
            assert place.stored() == stored
            remount(place.ledger.parent, "rw")
            done = await carry_through(place, forker.run, [])
            assert done.complaints == []

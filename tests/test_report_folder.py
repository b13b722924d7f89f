"""One report folder and two processes: one that slept and lost its job, and the one that has taken it over."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from etl.report.folder import SUMMARY, ReportFolder


def finished(folder: ReportFolder) -> None:
    folder.new_file("rejects.csv").write(b"a\n")
    folder.summary.write(b"{}")
    folder.commit()
    assert (folder.path / SUMMARY).read_bytes() == b"{}"


def test_whoever_lost_the_job_takes_back_its_own_and_leaves_the_rest(tmp_path: Path) -> None:
    loser = ReportFolder(tmp_path / "r", [])
    loser.new_file("rejects.csv")
    winner = ReportFolder(tmp_path / "r", [])
    loser.discard()
    finished(winner)


@pytest.mark.parametrize("files", [[], ["rejects.csv"], ["rejects/a.csv"]])
def test_a_folder_that_its_maker_removes_just_as_it_is_taken_over_is_made_anew(
    tmp_path: Path, files: list[str]
) -> None:
    loser = ReportFolder(tmp_path / "r", [])
    for name in files:
        loser.new_file(name)

    class Between(ReportFolder):
        """The loser wakes between the winner's look at the folder and its first file in it."""

        def _refuse_loss(self, inputs: Iterable[Path]) -> None:
            super()._refuse_loss(inputs)
            loser.discard()
            assert not self.path.exists()

    finished(Between(tmp_path / "r", []))


@pytest.mark.parametrize("relative", [False, True])
def test_what_a_killed_job_left_is_removed_but_not_the_mark_of_who_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("r") if relative else tmp_path / "r"
    killed = ReportFolder(folder, [])
    left = killed.new_file("rejects/a.csv")
    winner = ReportFolder(folder, [])
    assert not left.partial.exists()
    assert not killed.summary.partial.exists()
    assert winner.summary.partial.exists()
    killed.discard()
    finished(winner)

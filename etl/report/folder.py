"""The report folder: made, or taken over where it is ours; its files appear together when the job is done.

This file must never know what stands in a report.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from etl.errors import UsageError
from etl.formats import USUAL_REPORT_FORMATS, ReportFormat
from etl.report.names import ANNOTATED, REJECTS, Place, possible_names
from etl.tables import NewFile, explain_failure, make_folder, partial_names

SUMMARY = "summary.json"
RESULTS = "results.jsonl"
PAGE = "report.html"
PRUNED = "pruned.jsonl"
LISTINGS: Mapping[ReportFormat, str] = {"csv": "results.csv", "xlsx": "results.xlsx"}
"""The results as a table, by format."""

_SUMMARY_KEYS = frozenset({"job", "command", "contract", "sources", "rows", "exit_code"})
_SUMMARY_BYTES = 64 << 20
_EDITED_AFTER_S = 2.0
"""The files of one report are written within moments; rejects so much younger than the summary were edited."""
AGAIN = 3
"""So often a folder is made anew that another process removed."""

_ELSEWHERE = "Choose another folder with --report."


class ReportFolder:
    """A folder that a report is written into.

    `summary` is there from the start: its passing name marks the folder as ours should the job be killed. It appears
    last, so that a folder with a summary is complete.
    """

    def __init__(
        self, path: Path, sources: Sequence[Place], job: str | None = None, only: Collection[ReportFormat] | None = None
    ) -> None:
        """`only`: these formats are put into the report of `job`, where the folder holds it; its other files stay.

        Raises UsageError where the folder is not ours, cannot be written, or holds what must not be lost.
        """
        self.path = path
        self._only = only
        with explain_failure(path, UsageError):
            self._made = not path.is_symlink() and not path.exists()
            if not self._made:
                _refuse_foreign(path)
            earlier = {} if self._made else _read_summary(path / SUMMARY)
            if only is not None and earlier.get("job", job) != job:
                raise UsageError(f"{path} holds the report of another job, {earlier['job']}.", _ELSEWHERE)
            self._adds = only is not None and bool(earlier)
            self._replaceable = possible_names(sources) | possible_names(_sources_of(earlier))
            self._refuse_loss(Path(file) for file, _ in sources)
        if self._made:
            make_folder(path)
        self._files: list[NewFile] = []
        self.summary = self._begin(path / SUMMARY)
        # Only now: a folder that were empty for a moment could be removed by the process that it was taken from.
        with explain_failure(path, UsageError):
            self._clear_partials()

    def new_file(self, name: str) -> NewFile:
        """A file to be written now and seen when the report is complete. Raises StoppedError, UsageError."""
        file = self._begin(self.path / name)
        self._files.append(file)
        return file

    def _begin(self, path: Path) -> NewFile:
        """A new file, and its folder where that is not there (any more: see `_remove_if_empty`)."""
        for _ in range(AGAIN):
            if not path.parent.exists():
                make_folder(path.parent)
            try:
                return NewFile(path)
            except UsageError:
                if path.parent.exists():
                    raise
        return NewFile(path)

    @property
    def begun(self) -> tuple[Path, ...]:
        """Where the files will appear that were begun and not given up."""
        return tuple(file.path for file in self._files)

    def drop_file(self, file: NewFile) -> None:
        """Give up a file that was begun."""
        self._files.remove(file)
        file.discard()

    def commit(self) -> tuple[Path, ...]:
        """Let every file appear, the summary last, and remove what an earlier report had more.

        Where files are added to a report, nothing is removed, and its summary stays unless that is wanted.

        Gives what appeared but for the summary. Raises StoppedError.
        """
        # All is on disk before the first file of an earlier report is replaced.
        for file in (*self._files, self.summary):
            file.seal()
        for file in self._files:
            file.commit()
        written = tuple(file.path for file in self._files)
        for name in () if self._adds else (*self._replaceable, PAGE, PRUNED, *LISTINGS.values()):
            if (path := self.path / name) not in written:
                self._remove(path)
        self._remove_inner()
        if self._adds and not self.wants("json"):
            self.summary.discard()
        else:
            self.summary.commit()
        return written

    def wants(self, form: ReportFormat) -> bool:
        """Whether a report in this format is to be written."""
        return form in (USUAL_REPORT_FORMATS if self._only is None else self._only)

    def discard(self) -> None:
        """Take back what was not committed. Never raises."""
        for file in (*self._files, self.summary):
            file.discard()
        self._remove_inner()
        if self._made:
            self._remove_if_empty(self.path)

    def _clear_partials(self) -> None:
        """Remove what a killed job left."""
        for folder in (self.path, *self._inner()):
            for partial in folder.glob(partial_names("*")):
                if partial.name != self.summary.partial.name:
                    partial.unlink(missing_ok=True)

    def _refuse_loss(self, inputs: Iterable[Path]) -> None:
        """Never replace a file that is being read, nor rejects that somebody has begun to mend."""
        rejects = [path for name in self._replaceable if (path := self.path / name).is_file()]
        fixed = (SUMMARY, RESULTS, PAGE, PRUNED, *LISTINGS.values())
        ours = {path.resolve() for path in (*rejects, *(self.path / name for name in fixed))}
        for file in inputs:
            if _resolved(file) in ours:
                raise UsageError(f"The report would replace {file}, which is being read.", _ELSEWHERE)
        if self._adds and not (self.wants("rejects") or self.wants("annotated") or self.wants("json")):
            return
        summary = self.path / SUMMARY
        complete_s = summary.stat().st_mtime if summary.exists() else float("inf")
        for path in rejects:
            if path.stat().st_mtime > complete_s + _EDITED_AFTER_S:
                raise UsageError(f"{path} was changed since that report was written; it is not replaced.", _ELSEWHERE)

    def _inner(self) -> tuple[Path, Path]:
        return self.path / REJECTS, self.path / ANNOTATED

    def _remove_inner(self) -> None:
        """Remove the folders in the folder, where they are empty."""
        for folder in self._inner():
            self._remove_if_empty(folder)

    @staticmethod
    def _remove(path: Path) -> None:
        if path.is_file() and not path.is_symlink():
            with explain_failure(path):
                path.unlink()

    @staticmethod
    def _remove_if_empty(folder: Path) -> None:
        # Perhaps another process has taken it over by now: then its files are in it, or `_begin` makes it anew.
        with suppress(OSError):
            folder.rmdir()


def _refuse_foreign(path: Path) -> None:
    """Raises UsageError unless `path` is an empty folder or holds a report, complete or begun."""
    if path.is_symlink() or not path.is_dir():
        raise UsageError(f"{path} is not a folder.", _ELSEWHERE)
    for inner in (path / REJECTS, path / ANNOTATED):
        if inner.is_symlink():
            raise UsageError(f"{inner} is a link; a report never writes through one.", _ELSEWHERE)
    begun = any(path.glob(partial_names(SUMMARY)))
    if any(path.iterdir()) and not begun and not _is_summary(path / SUMMARY):
        raise UsageError(f"{path} exists and holds something else than a report of ours.", _ELSEWHERE)


def _is_summary(path: Path) -> bool:
    return _read_summary(path).keys() >= _SUMMARY_KEYS


def _sources_of(summary: Mapping[str, object]) -> list[Place]:
    """The sources of an earlier report: what its rejects were called follows from them."""
    sources = summary.get("sources")
    return [(source["file"], source["sheet"]) for source in sources] if isinstance(sources, list) else []


def _read_summary(path: Path) -> dict[str, object]:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _SUMMARY_BYTES:
        return {}
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _resolved(file: Path) -> Path | None:
    """Where a file really is; None for a name that no file can have."""
    try:
        return file.resolve()
    except (OSError, ValueError):
        return None

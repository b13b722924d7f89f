"""The files of a job, opened and surveyed: each once, none twice, and private copies of what can be read only once.

It must never know what a column means to the API.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from etl import mapping as maps
from etl.errors import UsageError
from etl.readers import KeptCopy, ReadOptions, Skipped, Survey, is_named_like_a_table, open_source
from etl.resources import RUNS
from etl.splitting import split


@dataclass(slots=True)
class Inputs:
    """The files of a job, surveyed. Use it as a context manager: it removes what it spooled."""

    surveys: tuple[Survey, ...]
    left_out: list[Skipped] = field(default_factory=list)
    of_folders: frozenset[str] = frozenset()
    """The files that were not named, but the folder that they are in."""
    _open: ExitStack = field(default_factory=ExitStack)

    def keep(self, folder: Path) -> dict[str, KeptCopy]:
        """Copy what can be read only once (standard input, what was downloaded) into a folder, private to the user.

        By the name of the file as it is shown. Nothing is made where there is nothing to keep. Raises FileError.
        """
        kept: dict[str, KeptCopy] = {}
        for number, survey in enumerate(self.surveys):
            if (survey.source.packed or survey.source).spool is None:
                continue
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            copy = survey.source.keep(folder / str(number))
            if copy is not None:
                kept[survey.file] = copy
        return kept

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def open_inputs(
    files: Sequence[str],
    options: ReadOptions | None = None,
    mapping: str | None = None,
    kept: Mapping[str, KeptCopy] | None = None,
    of_job: Collection[str] | None = None,
) -> Inputs:
    """Open and survey every file, and every file of a folder. Where `options` say nothing of how one is read, the
    mapping's `source` counts.

    `kept`: copies from before, by what was typed, that are read instead (see `Inputs.keep`). `of_job`: of a folder only
    these files are meant: what came later is no part of a job that is carried on.

    Raises FileError for one that cannot be read, UsageError for the same one twice, MappingError for the mapping.
    """
    options = options or ReadOptions()
    fallback = _as_told(maps.load_mapping(mapping).source) if mapping else ReadOptions()
    opened = ExitStack()
    found = [one for one in _files_in(files) if of_job is None or one in of_job or one in files]
    with ExitStack() as guard:
        guard.push(opened)
        surveys = tuple(
            opened.enter_context(open_source(file, options, fallback, (kept or {}).get(file))) for file in found
        )
        _refuse_twins(surveys)
        surveys = tuple(
            replace(one, tables=tuple(part for table in one.tables for part in split(table))) for one in surveys
        )
        guard.pop_all()
    left_out = [skipped for survey in surveys for skipped in survey.skipped]
    return Inputs(surveys, left_out, frozenset(found) - {*files}, opened)


def _files_in(files: Sequence[str]) -> Iterator[str]:
    """The files themselves; of a folder those in it that can be read, by name. Raises UsageError where it has none."""
    for file in files:
        if file == "-" or "://" in file or not Path(file).is_dir():
            yield file
            continue
        inside = sorted(path for path in Path(file).iterdir() if _is_input(path))
        if _is_export(Path(file)):
            # An export says the same in every form, and what was run once is not launched again.
            inside = [path for path in inside if path.suffix == ".jsonl" and path.stem != RUNS.name] or inside
            inside = [path for path in inside if path.stat().st_size]  # there may be none of a resource
        if not inside:
            raise UsageError(f"{file} is a folder without a file that could be imported.", "Name the files themselves.")
        yield from map(str, inside)


def _is_export(folder: Path) -> bool:
    """Whether a folder holds an export of ours, by its manifest."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    tool = manifest.get("tool") if isinstance(manifest, dict) else None
    return isinstance(tool, dict) and tool.get("name") == "coval-etl"


def _is_input(path: Path) -> bool:
    """Whether a file of a folder is meant: known by its ending, neither hidden nor what an export says of itself."""
    name = path.name
    return (
        path.is_file()
        and is_named_like_a_table(path)
        and not name.startswith((".", "~$"))
        and not name.endswith(_MANIFEST)
    )


_MANIFEST = "manifest.json"


def _as_told(source: maps.MappingSource) -> ReadOptions:
    """What a mapping says of how its files are read."""
    return ReadOptions(
        format=source.format,
        sheet=source.sheet,
        header_row=source.header_row if isinstance(source.header_row, int) else None,
        columns=tuple(source.columns) if source.columns else None,
        delimiter=source.delimiter,
        quote=source.quote,
        escape=source.escape,
        encoding=source.encoding,
        member=source.member,
        records=source.records,
        fill_merged=source.fill_merged,
    )


def _refuse_twins(surveys: Sequence[Survey]) -> None:
    """Contents of one size are compared by their hash; others cannot be the same, and are not read for it.

    What is packed counts unpacked: cases.csv.gz is a twin of cases.csv.
    """
    sizes = Counter(survey.content_size_bytes for survey in surveys)
    alike = [survey for survey in surveys if sizes[survey.content_size_bytes] > 1]
    hashes = Counter(survey.content_sha256 for survey in alike)
    twice = {survey.file for survey in alike if hashes[survey.content_sha256] > 1}
    if twice:
        raise UsageError(f"The same content is given twice: {', '.join(sorted(twice))}.", "Name each file once.")
    for name, times in Counter(survey.file for survey in surveys).items():
        if times > 1:  # only what is never shown, behind the ?, tells them apart: no report could
            raise UsageError(f"{name} is given {times} times, with another end.", "Give one of them at a time.")

"""Mappings by name or from a file: the ready-made ones, and people's own.

Must never know the input that a mapping is chosen for.
"""

from functools import cache
from pathlib import Path

from etl.errors import MappingError
from etl.mapping.cells.names import spelled, suggest
from etl.mapping.language.linting import Fault, lint
from etl.mapping.language.quickyaml import read_sound
from etl.mapping.language.spec import Mapping

_ROOM = Path(__file__).resolve().parent.parent
_FOLDERS = (_ROOM.parent / "_mappings", _ROOM.parent.parent / "mappings")
"""Where the ready-made mappings are: in the wheel, in a checkout."""


def presets() -> tuple[Mapping, ...]:
    """The ready-made mappings, by name."""
    return tuple(_ready_made(file) for file in _files().values())


def preset_names() -> tuple[str, ...]:
    """The names of the ready-made mappings; none is read for it."""
    return tuple(_files())


def load_mapping(name_or_file: str) -> Mapping:
    """A ready-made mapping by its name, or a mapping file.

    Raises MappingError: `FILE:LINE:COLUMN: what is wrong; what would do`, or that there is no such mapping.
    """
    ready = _files()
    if name_or_file in ready:
        return _ready_made(ready[name_or_file])
    return _read(_own_file(name_or_file), name_or_file)


def mapping_text(name_or_file: str) -> str:
    """The YAML text of a mapping that can be loaded."""
    ready = _files()
    return (ready[name_or_file] if name_or_file in ready else Path(name_or_file)).read_text(encoding="utf-8-sig")


def _own_file(name: str) -> Path:
    file = Path(name)
    try:
        exists = file.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        exists = False
    if not exists:
        ready = _files()
        if file.suffix in {".yaml", ".yml"}:
            beside = sorted(one.name for one in Path(file.parent).glob("*.y*ml")) if file.parent.is_dir() else []
            raise MappingError(
                f"There is no mapping file {name}{suggest(file.name, beside)}.",
                "Name one that is there, or begin it: coval-etl inspect FILE --write-mapping OUT.yaml.",
            )
        raise MappingError(
            f'There is no mapping "{name}" and no such file{suggest(name, ready)}.',
            f"Ready-made mappings: {spelled(list(ready), 30)}.",
        )
    return file


def _files() -> dict[str, Path]:
    """The files of the ready-made mappings by name: a file is called like its mapping."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))} if folder else {}


@cache
def _ready_made(file: Path) -> Mapping:
    label = f"mappings/{file.name}"
    try:
        quickly = read_sound(_text_of(file), label)
    except _UnreadableError:
        quickly = None
    return quickly or _read(file, label)


def check_mapping(name_or_file: str) -> tuple[Mapping | None, list[Fault]]:
    """A mapping by its name or from its file, and every fault found in it; a file that cannot be read has one."""
    ready = _files()
    try:
        file = ready[name_or_file] if name_or_file in ready else _own_file(name_or_file)
        return lint(_text_of(file), name_or_file)
    except _UnreadableError as error:
        return None, [error.fault]
    except MappingError as error:
        return None, [Fault(1, 1, f"{error.message} {error.hint}")]


class _UnreadableError(ValueError):
    """A file without a text; `fault` says so in the words of the other faults."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = Fault(line, 1, sentence)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _UnreadableError(line, "the file is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise _UnreadableError(1, f"the file cannot be read: {error.strerror}; name a readable YAML file") from error


def _read(file: Path, label: str) -> Mapping:
    try:
        mapping, faults = lint(_text_of(file), label)
    except _UnreadableError as error:
        raise MappingError(f"{label}:{error.fault.line}: {error.fault.sentence}.") from error
    if mapping is None:
        first, *others = faults
        more = f" ({len(others)} more in this file)" if others else ""
        raise MappingError(f"{label}:{first.line}:{first.column}: {first.sentence}", more.strip(" ()"))
    return mapping

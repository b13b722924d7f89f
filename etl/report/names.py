"""What files of rejects and annotated workbooks are called. This file must never know what is in them."""

import re
from collections.abc import Sequence

from etl.tables.marked import SUFFIXES

REJECTS = "rejects"
"""The only file of rejects, without its ending; where there are several, the folder that holds them."""
ANNOTATED = "annotated"
"""The same for copies of workbooks with the problems marked."""
FORMATS = ("csv", "xlsx", "jsonl")
"""What rejects are written in."""

_NAME_LIMIT = 80
_NAME_BYTES = 160
"""A file name may have 255 bytes on most systems, and a letter may take four."""
_ENDINGS = re.compile(r"(\.\w{1,8})?(\.(gz|zst|bz2|zip))?$", re.IGNORECASE)
_UNSAFE = re.compile(r"[^\w .()+-]+")

Place = tuple[str, str | None]
"""A source: its file as the user named it, and its sheet."""


def name_of_file(places: Sequence[Place], file: str, what: str = REJECTS) -> str:
    """The name, without its ending, for the rejects (or another `what`) of a whole file. Its number is that of its
    first table, from 1.
    """
    files = [named for named, _ in places]
    if len(set(files)) == 1:
        return what
    return f"{what}/{files.index(file) + 1}-{_plain(_stem(file))}"


def name_of_table(places: Sequence[Place], table: int) -> str:
    """The name, without its ending, for the rejects of one sheet where the sheets of its file cannot be together.

    `table` counts from 0.
    """
    file, sheet = places[table]
    return f"{REJECTS}/{table + 1}-{_plain(f'{_stem(file)}-{sheet}')}"


def possible_names(places: Sequence[Place]) -> set[str]:
    """Every name that rejects and annotated copies of these sources may have, with its ending."""
    names = {name_of_file(places, file) for file, _ in places}
    names |= {name_of_table(places, table) for table in range(len(places))}
    annotated = {name_of_file(places, file, ANNOTATED) for file, _ in places}
    return {f"{name}.{ending}" for name in names for ending in FORMATS} | {
        f"{name}.{ending}" for name in annotated for ending in SUFFIXES
    }


def _stem(file: str) -> str:
    """The last part of a path or URL without its endings; what follows a URL's `?` may be a secret."""
    path = re.split(r"[?#]", file, maxsplit=1)[0] if "://" in file else file
    return _ENDINGS.sub("", re.split(r"[/\\]", path)[-1])


def _plain(name: str) -> str:
    """Letters, digits and a few signs of `name`: no path, no control character, no outer dot or blank."""
    plain = _UNSAFE.sub("_", name)[:_NAME_LIMIT]
    while len(plain.encode()) > _NAME_BYTES:
        plain = plain[:-1]
    return plain.strip(" .") or "input"

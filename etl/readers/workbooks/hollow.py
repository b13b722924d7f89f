"""Hollow: the stretches of a sheet whose cells are formatted and hold nothing, however many they are.

It must never know rows or values: bytes are looked at for the few signs that a cell which holds something cannot be
without. Formatting down to the last row is honest, and passed over; cells with millions of empty ones between are not.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from etl.errors import FileError

MOST_BETWEEN_BYTES = 1 << 27
"""Of hollow stretches before a cell that holds something: some six million cells of an .xlsx file."""
MOST_CELLS = 1_000_000
MOST_RECORDS = 4_000_000
MOST_PASSED_BYTES = 1 << 29
"""Of blank records: all rows of an .xlsb sheet, 50 columns wide."""
HOLLOW_TO_FILLED = 100
"""Cells that hold nothing to those that hold something: more than so many, and so many times as many, are refused where
each of them is read. Records are read faster, and two of a row may hold nothing however few cells of it do."""
_LEAST_BYTES = 1 << 22
"""Where less than this is hollow at the end, it is read like the rest."""
_MOSTLY = 4
"""Places looked at where no cell holds anything, to those where one does: nearly all, where one cell in thirty does."""
_FIRST_PIECES = 16
_PLACES = 4
_PLACE_BYTES = 1 << 12
_SIGN_BYTES = 16
"""No sign has more."""


class Signs(NamedTuple):
    """How a format writes: what a cell that holds something cannot be without; cells; the ends of rows or their
    beginnings. `most_bytes` is how much may be hollow in all.

    A text that has such a sign itself only looks less hollow.
    """

    values: tuple[bytes, ...]
    cells: tuple[bytes, ...]
    rows: tuple[bytes, ...]
    most_bytes: int


class Hollow:
    """Told of a sheet piece by piece. Raises FileError for one too hollow."""

    def __init__(self, signs: Signs, label: str) -> None:
        self._signs = signs
        self._label = label
        self._seen_bytes = 0
        self._hollow = 0
        self._filled = 0
        self._end: int | None = None

    def see(self, text: bytes, ahead: bytes = b"") -> None:
        """The next piece, and a few bytes of what follows where it does not end between tags."""
        self._seen_bytes += len(text)
        holds = _has(text, self._signs.values) or _has(text[-_SIGN_BYTES:] + ahead[:_SIGN_BYTES], self._signs.values)
        hollow = self._look_at_places(text)
        self._hollow += hollow
        self._filled += len(text) - hollow
        if holds:
            self._end = None
        elif self._end is None and _has(text, self._signs.rows):
            self._end = self._seen_bytes
        if self._hollow > (MOST_BETWEEN_BYTES if holds else self._signs.most_bytes):
            self._refuse()

    @property
    def end(self) -> int | None:
        """The byte from which on nothing is held; None where that is near the end, or nowhere.

        Before it the row of the last cell that holds something has ended.
        """
        return self._end if self._end is not None and self._seen_bytes - self._end > _LEAST_BYTES else None

    def _look_at_places(self, text: bytes) -> int:
        """How many bytes of the text are hollow, by a few places of it."""
        step = len(text) // _PLACES
        places = [text[at * step : at * step + _PLACE_BYTES] for at in range(_PLACES)]
        return step * sum(is_hollow(place, self._signs) for place in places)

    def _refuse(self) -> None:
        if self._hollow > _MOSTLY * self._filled:
            raise hollow_error(self._label)


def begins_hollow(pieces: Iterator[bytes], signs: Signs) -> bool:
    """Whether a long stretch near the beginning is hollow: where the first rows end, nobody knows then."""
    return any(is_hollow(piece, signs) for piece in islice(pieces, _FIRST_PIECES))


def is_hollow(text: bytes, signs: Signs) -> bool:
    """Whether there are cells in the text, and none holds anything."""
    return _has(text, signs.cells) and not _has(text, signs.values)


def is_too_hollow(hollow: int, filled: int, most: int) -> bool:
    """Whether a sheet is to be refused of which so many cells hold nothing, and something, and each has to be read."""
    return hollow > most and hollow > HOLLOW_TO_FILLED * filled


def is_too_long(passed_bytes: int, seen_bytes: int) -> bool:
    """Whether a sheet is to be refused of which so many bytes hold nothing, although they are passed over fast."""
    return passed_bytes > MOST_PASSED_BYTES and passed_bytes > _MOSTLY * (seen_bytes - passed_bytes)


def hollow_error(label: str) -> FileError:
    """The refusal of a sheet whose cells hold nothing but for a few that lie far apart."""
    return FileError(
        f"{label} is refused: a sheet has millions of cells that are formatted and hold nothing, and hardly any that "
        "hold something, as in a file made to keep a computer busy.",
        "In a spreadsheet program, delete the empty rows and columns and save it, or save the sheet as CSV.",
    )


def _has(text: bytes, signs: tuple[bytes, ...]) -> bool:
    """Whether any sign is in the text. Its last byte alone is found ten times as fast, and is seldom there."""
    return any(sign[-1] in text and sign in text for sign in signs)

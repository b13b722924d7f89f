"""Hollow: the stretches of a worksheet part whose cells are formatted and hold nothing, however many they are.

It must never know rows or values: bytes are looked at for the few signs that a cell which holds something cannot be
without. Formatting down to the last row is honest, and passed over; cells with millions of empty ones between are not.
"""

from collections.abc import Iterator
from itertools import islice

from etl.errors import FileError

MOST_BETWEEN_BYTES = 1 << 27
"""Of hollow stretches before a cell that holds something: some six million cells."""
MOST_BYTES = 3 << 28
"""Of all: all rows of a sheet, 35 columns wide."""
_LEAST_BYTES = 1 << 22
"""Where less than this is hollow at the end, it is read like the rest."""
_HOLLOW_TO_FILLED = 4
"""Places looked at where no cell holds anything, to those where one does: nearly all, where one cell in thirty does."""
_FIRST_PIECES = 16
_PLACES = 4
_PLACE_BYTES = 1 << 12
_VALUES = (b"</v", b"</t", b"<f", b":v", b":t", b":f")
"""A value, a text or a formula, each also under a prefix. A text that has such a sign itself only looks less hollow."""
_CELLS = (b"<c", b":c")
_ROWS = (b"<row", b"</row", b":row")


class Hollow:
    """Told of a part piece by piece; each begins and ends between tags. Raises FileError for one too hollow."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._seen_bytes = 0
        self._hollow = 0
        self._filled = 0
        self._end: int | None = None

    def see(self, text: bytes) -> None:
        """The next piece."""
        self._seen_bytes += len(text)
        holds = _has(text, _VALUES)
        hollow = self._look_at_places(text)
        self._hollow += hollow
        self._filled += len(text) - hollow
        if holds:
            self._end = None
        elif self._end is None and _has(text, _ROWS):
            self._end = self._seen_bytes
        if self._hollow > (MOST_BETWEEN_BYTES if holds else MOST_BYTES):
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
        return step * sum(_has(place, _CELLS) and not _has(place, _VALUES) for place in places)

    def _refuse(self) -> None:
        if self._hollow > _HOLLOW_TO_FILLED * self._filled:
            raise hollow_error(self._label)


def begins_hollow(pieces: Iterator[bytes]) -> bool:
    """Whether a long stretch near the beginning is hollow: where the first rows end, nobody knows then."""
    return any(_has(piece, _CELLS) and not _has(piece, _VALUES) for piece in islice(pieces, _FIRST_PIECES))


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

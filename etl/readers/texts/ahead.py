"""Ahead: the next piece of a file is made ready in a thread while the current one is used.

It must never know what the pieces are. Never more than one waits, so that memory stays flat.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

Piece = TypeVar("Piece")


def read_ahead(pieces: Generator[Piece]) -> Generator[Piece]:
    """The same pieces; what making them raises comes where it would have come. Closes `pieces`."""
    with closing(pieces), ThreadPoolExecutor(1, "etl-read-ahead") as thread:
        coming = thread.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = thread.submit(next, pieces, None)
            yield piece

"""Shared texts: a table of texts that is only ever looked up, kept small.

It must never know where the texts come from, and never holds one as an object of its own: ten million are honest. A
table that its file holds much smaller is one whose texts are nearly alike; it is kept packed here too, and unpacked
where it is looked up.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import lru_cache
from io import BytesIO
from typing import overload

import polars as pl

from etl.errors import FileError
from etl.readers.sources.archive import SAVE_ANEW

_FIRST_TEXTS = 1 << 14
"""How many are enough for a first look."""
_MOST_PLAIN_BYTES = 1 << 26
"""A table of more that may be packed is."""
_UNPACKED_PIECES = 8
_PLACES = 1 << 32
"""No place is as high: they are UInt32."""


class SharedTexts(Sequence[str]):
    """The texts in their order. None are read before they are asked for, and not all where the first are enough.

    Its methods raise FileError for too many, and what reading raises.
    """

    def __init__(
        self,
        read: Callable[[], Generator[pl.Series]],
        most: int,
        label: str,
        *,
        may_pack: bool = False,
        is_odd: Callable[[pl.Series], pl.Series] | None = None,
    ) -> None:
        """`read` gives the texts, in pieces, from the first, each time it is called. There can be no use for more than
        `most`; `label` names the file in sentences. `is_odd` says which texts mean something else than they say.
        """
        self._is_odd = is_odd
        self._read = read
        self._most = max(most, _FIRST_TEXTS)
        self._label = label
        self.may_pack = may_pack
        self._is_all = False
        self._count = 0
        self._plain = pl.Series(dtype=pl.String)
        """The first texts, or all."""
        self._packed: list[bytes] = []
        """The others, in pieces."""
        self._packed_bytes = 0
        self._starts = pl.Series(dtype=pl.UInt32)
        """The place of the first text of each of these, and the first of them all: that of `_plain`."""
        self._odd_places = pl.Series(dtype=pl.UInt32)
        self._unpack = lru_cache(maxsize=_UNPACKED_PIECES)(self._unpacked)

    def gather(self, places: pl.Series) -> pl.Series:
        """The texts at these places (UInt32); null where there is none."""
        highest = places.max()
        if isinstance(highest, int):
            self._need(highest + 1)
        return self._gather(pl.select(pl.when(places < self._count).then(places)).to_series())

    def gather_plain(self, places: pl.Series) -> pl.Series:
        """The same, but null also where the text is an odd one."""
        texts = self.gather(places)
        if self._odd_places.is_empty():
            return texts
        odd = places.is_in(self._odd_places.implode())
        return pl.select(pl.when(~odd).then(texts)).to_series()

    def _gather(self, places: pl.Series) -> pl.Series:
        if not self._packed:
            return self._plain.gather(places)
        piece = self._starts.search_sorted(places.fill_null(0), side="right") - 1
        found: list[pl.Series] = []
        where: list[pl.Series] = []
        for number in piece.unique():
            here = piece == number
            texts = self._plain if number == 0 else self._unpack(number - 1)
            found.append(texts.gather(places.filter(here) - self._starts[number]))
            where.append(here.arg_true())
        return in_order(found, where)

    @property
    def unpacked_bytes(self) -> int:
        """What a text takes when it is looked up, on average; 0 where all are there already."""
        return self._packed_bytes // max(1, self._count - self._plain.len())

    def load(self) -> None:
        """Read all texts, so that it is known whether they can be read."""
        self._need(None)

    def __len__(self) -> int:
        self._need(None)
        return self._count

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        places = range(*place.indices(len(self))) if isinstance(place, slice) else [place]
        if any(not 0 <= one < _PLACES for one in places):
            raise IndexError(place)
        texts = self.gather(pl.Series(places, dtype=pl.UInt32))
        if isinstance(place, slice):
            return texts.to_list()
        if texts[0] is None:
            raise IndexError(place)
        return str(texts[0])

    def _need(self, count: int | None) -> None:
        """Read so many texts, or all."""
        if self._is_all or (count is not None and count <= self._count):
            return
        enough = _FIRST_TEXTS if count is not None and count <= _FIRST_TEXTS else None
        plain: list[pl.Series] = []
        odd: list[pl.Series] = []
        starts = [0]
        size_bytes = self._count = 0
        with closing(self._read()) as pieces:
            for piece in pieces:
                if self._is_odd is not None:
                    odd.append(self._is_odd(piece).arg_true() + self._count)
                if self.may_pack and size_bytes > _MOST_PLAIN_BYTES:
                    starts.append(self._count)
                    self._packed.append(_packed(piece))
                    self._packed_bytes += int(piece.str.len_bytes().sum())
                else:
                    plain.append(piece)
                    size_bytes += int(piece.str.len_bytes().sum())
                self._count += piece.len()
                if self._count > self._most:
                    raise FileError(
                        f"{self._label} is refused: it holds more texts than its cells could name.", SAVE_ANEW
                    )
                if enough is not None and self._count >= enough:
                    break
            else:
                self._is_all = True
        self._plain = pl.concat(plain, rechunk=True) if plain else self._plain
        self._starts = pl.Series(starts, dtype=pl.UInt32)
        self._odd_places = pl.concat(odd) if odd else self._odd_places

    def _unpacked(self, number: int) -> pl.Series:
        return pl.read_ipc(BytesIO(self._packed[number])).to_series()


def _packed(texts: pl.Series) -> bytes:
    content = BytesIO()
    texts.to_frame("text").write_ipc(content, compression="zstd")
    return content.getvalue()


def in_order(found: Sequence[pl.Series], places: Sequence[pl.Series]) -> pl.Series:
    """One series from several: each has the values for its places."""
    order = pl.concat(places)
    back = pl.zeros(len(order), dtype=pl.UInt32, eager=True)
    back = back.scatter(order, pl.int_range(len(order), dtype=pl.UInt32, eager=True))
    return pl.concat(found, rechunk=True).gather(back)

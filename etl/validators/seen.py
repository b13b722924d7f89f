"""Seen: which 128-bit marks were there before, and where first; sorted, and on disk beyond a quarter of a million.

Must never know what a mark stands for. A filter of about four bytes a mark stays in memory; only what passes it is
looked for, so that new marks cost little and memory stays nearly flat.
"""

import mmap
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

MARK, PROOF, PLACE = "mark", "proof", "place"
"""A mark (UInt64), what proves it (UInt64), and where it stood first (Int64)."""
_HELD_ROWS = 250_000
_WRITTEN_ROWS = 20_000
_WORD_BITS = 64
_FIRST_WORDS, _GROWTH = 1 << 17, 4
"""How many words of 64 bits the first part of a filter has, and how many times as many each further part."""
_MARKS_A_WORD = 2
"""In a full part less than one new mark in a hundred is taken for one that may be there."""
_POWERS = pl.Series([1 << bit for bit in range(_WORD_BITS)], dtype=pl.UInt64)


def _word(words: pl.Series) -> pl.Expr:
    """The word of each mark, by its first bits; there are a power of two."""
    return (pl.col(MARK) // ((1 << _WORD_BITS) // words.len())).cast(pl.UInt32)


def _bit(part: pl.Expr) -> pl.Expr:
    return pl.lit(_POWERS).gather((part & (_WORD_BITS - 1)).cast(pl.UInt32))


_BITS = _bit(pl.col(MARK)) | _bit(pl.col(MARK) // _WORD_BITS)
"""The two bits of each mark in its word."""


class _Filter:
    """Which marks are certainly new: of each that is not, two bits of one word are set. It grows by larger parts."""

    def __init__(self) -> None:
        self._parts: list[pl.Series] = []
        self._room = 0

    def may_have(self, marks: pl.Series) -> pl.Series:
        """Which marks may have been taken."""
        held = [(pl.lit(words).gather(_word(words)) & _BITS) == _BITS for words in self._parts]
        return marks.alias(MARK).to_frame().select(pl.any_horizontal(pl.lit(value=False), *held)).to_series()

    def take(self, marks: pl.Series) -> None:
        """Have these from now on, which are in order: so are their words, and memory is gone through once."""
        if self._room < marks.len():
            size = self._parts[-1].len() * _GROWTH if self._parts else _FIRST_WORDS
            while size * _MARKS_A_WORD < marks.len():
                size *= _GROWTH
            self._parts.append(pl.repeat(0, size, dtype=pl.UInt64, eager=True))
            self._room = size * _MARKS_A_WORD
        self._room -= marks.len()
        words = self._parts.pop()
        left = marks.alias(MARK).to_frame().select(at=_word(words), bits=_BITS)
        while left.height:  # a word that several marks share is set once for each of them
            first = left["at"].ne_missing(left["at"].shift())
            now = left if first.all() else left.filter(first)
            words = words.scatter(now["at"], words.gather(now["at"]) | now["bits"])
            left = left.clear() if now is left else left.filter(~first)
        self._parts.append(words)


@dataclass(slots=True)
class Seen:
    """A growing set of marks. `folder` is called when something has to go to disk."""

    folder: Callable[[], Path]
    _runs: list[pl.DataFrame] = field(default_factory=list)
    _files: list["_File"] = field(default_factory=list)
    _filter: _Filter = field(default_factory=_Filter)

    def add(self, marks: pl.DataFrame) -> pl.Series:
        """Take marks in; for each the place of the first that was equal (Int64; null where it is the first itself)."""
        firsts = marks.sort(MARK)
        if (firsts[MARK] == firsts[MARK].shift()).any():
            firsts = marks.group_by(MARK, PROOF).agg(pl.col(PLACE).min()).sort(MARK)
        earlier = self._find(firsts)
        nothing = pl.repeat(None, marks.height, dtype=pl.Int64, eager=True)
        if firsts.height == marks.height and earlier is None:  # the usual case: all are new
            self._keep(firsts)
            return nothing
        earlier = pl.repeat(None, firsts.height, dtype=pl.Int64, eager=True) if earlier is None else earlier
        self._keep(firsts.filter(earlier.is_null()))
        known = firsts.with_columns(first=earlier.fill_null(firsts[PLACE])).drop(PLACE)
        found = marks.join(known, [MARK, PROOF], how="left", maintain_order="left")
        return found.select(pl.when(pl.col("first") != pl.col(PLACE)).then("first")).to_series()

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.close()

    def _find(self, firsts: pl.DataFrame) -> pl.Series | None:
        """The place of each mark that is here (null: it is not); None where all are new."""
        at = self._filter.may_have(firsts[MARK]).arg_true()
        if not at.len():
            return None
        wanted = firsts[at]
        places = [_find(run, wanted) for run in self._runs] + [file.find(wanted) for file in self._files]
        found = pl.select(pl.coalesce(places)).to_series()
        if found.null_count() == found.len():
            return None
        return pl.repeat(None, firsts.height, dtype=pl.Int64, eager=True).scatter(at, found)

    def _keep(self, firsts: pl.DataFrame) -> None:
        """Runs in memory double in size as they are merged, so that there are few; a large one goes to disk."""
        if firsts.is_empty():
            return
        self._filter.take(firsts[MARK])
        self._runs.append(firsts)
        while len(self._runs) > 1 and self._runs[-2].height <= 2 * self._runs[-1].height:
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(pl.concat([before, last]).sort(MARK))
        if self._runs[-1].height >= _HELD_ROWS:
            self._files.append(_File(self.folder() / f"{id(self)}-{len(self._files)}", self._runs.pop()))


def _find(run: pl.DataFrame, wanted: pl.DataFrame) -> pl.Series:
    there = run[run[MARK].search_sorted(wanted[MARK], side="left").clip(0, run.height - 1)]
    same = (there[MARK] == wanted[MARK]) & (there[PROOF] == wanted[PROOF])
    return pl.select(pl.when(same).then(there[PLACE])).to_series()


class _File:
    """A sorted run on disk: all marks, then all proofs, then all places, eight bytes each."""

    def __init__(self, path: Path, run: pl.DataFrame) -> None:
        with path.open("wb") as file:
            for name, code in ((MARK, "Q"), (PROOF, "Q"), (PLACE, "q")):
                for part in run[name].to_frame().iter_slices(_WRITTEN_ROWS):
                    array(code, part.to_series().to_list()).tofile(file)
        self._file = path.open("rb")
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        whole, size = memoryview(self._map), 8 * run.height
        self._marks = whole[:size].cast("Q")
        self._proofs = whole[size : 2 * size].cast("Q")
        self._places = whole[2 * size :].cast("q")

    def find(self, wanted: pl.DataFrame) -> pl.Series:
        """The place of each mark; null where it is not here."""
        places = pl.Series(self._look_up(wanted), dtype=pl.Int64)
        if hasattr(mmap, "MADV_DONTNEED"):  # what was looked at stays with the system, and is no memory of ours
            self._map.madvise(mmap.MADV_DONTNEED)
        return places

    def _look_up(self, wanted: pl.DataFrame) -> Iterator[int | None]:
        """Both are sorted: each search begins where the one before it ended."""
        place = 0
        for mark, proof in wanted.select(MARK, PROOF).iter_rows():
            place = bisect_left(self._marks, mark, place)
            here = place < len(self._marks) and self._marks[place] == mark and self._proofs[place] == proof
            yield self._places[place] if here else None

    def close(self) -> None:
        for view in (self._marks, self._proofs, self._places):
            view.release()
        with suppress(BufferError):
            self._map.close()
        self._file.close()

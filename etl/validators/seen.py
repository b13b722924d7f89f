"""Seen: which 128-bit marks were there before, and where first; sorted, and on disk beyond a quarter of a million.

Must never know what a mark stands for. Of marks on disk a filter of two bytes each stays in memory; only what passes it
is looked for in the file, so that memory stays nearly flat.
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
_BITS_A_ROW = 16
_PROBES = (0, 21)
"""Each looks at another part of the mark."""
_WORD_BITS = 64


@dataclass(slots=True)
class Seen:
    """A growing set of marks. `folder` is called when something has to go to disk."""

    folder: Callable[[], Path]
    _runs: list[pl.DataFrame] = field(default_factory=list)
    _files: list["_File"] = field(default_factory=list)

    def add(self, marks: pl.DataFrame) -> pl.Series:
        """Take marks in; for each the place of the first that was equal (Int64; null where it is the first itself)."""
        firsts = marks.sort(MARK)
        if (firsts[MARK] == firsts[MARK].shift()).any():
            firsts = marks.group_by(MARK, PROOF).agg(pl.col(PLACE).min()).sort(MARK)
        before = [_find(run, firsts) for run in self._runs] + [file.find(firsts) for file in self._files]
        nothing = pl.Series([None] * firsts.height, dtype=pl.Int64)
        earlier = pl.select(pl.coalesce([*before, nothing])).to_series()
        if firsts.height == marks.height and earlier.null_count() == firsts.height:  # the usual case: all are new
            self._keep(firsts)
            return nothing
        self._keep(firsts.filter(earlier.is_null()))
        known = firsts.with_columns(first=earlier.fill_null(firsts[PLACE])).drop(PLACE)
        found = marks.join(known, [MARK, PROOF], how="left", maintain_order="left")
        return found.select(pl.when(pl.col("first") != pl.col(PLACE)).then("first")).to_series()

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.close()

    def _keep(self, firsts: pl.DataFrame) -> None:
        """Runs in memory double in size as they are merged, so that there are few; a large one goes to disk."""
        if firsts.is_empty():
            return
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
        self._filter = _Filter(run[MARK])

    def find(self, wanted: pl.DataFrame) -> pl.Series:
        """The place of each mark; null where it is not here."""
        maybe = self._filter.may_have(wanted[MARK])
        places = pl.Series([None] * wanted.height, dtype=pl.Int64)
        rows = wanted.with_row_index("at").filter(maybe)
        found = [(at, place) for at, place in self._look_up(rows) if place is not None]
        if hasattr(mmap, "MADV_DONTNEED"):  # what was looked at stays with the system, and is no memory of ours
            self._map.madvise(mmap.MADV_DONTNEED)
        return places.scatter([at for at, _ in found], [place for _, place in found]) if found else places

    def _look_up(self, rows: pl.DataFrame) -> Iterator[tuple[int, int | None]]:
        for at, mark, proof in rows.select("at", MARK, PROOF).iter_rows():
            place = bisect_left(self._marks, mark)
            here = place < len(self._marks) and self._marks[place] == mark and self._proofs[place] == proof
            yield at, self._places[place] if here else None

    def close(self) -> None:
        for view in (self._marks, self._proofs, self._places):
            view.release()
        with suppress(BufferError):
            self._map.close()
        self._file.close()


class _Filter:
    """Which marks are certainly not in a run: two bits for each that is."""

    def __init__(self, marks: pl.Series) -> None:
        self._size = max(1, marks.len() * _BITS_A_ROW // _WORD_BITS)
        bits = pl.concat([self._bits(marks, probe) for probe in _PROBES])
        words = bits.group_by("word").agg(pl.col("bit").bitwise_or())
        empty = pl.repeat(0, self._size, dtype=pl.UInt64, eager=True)
        self._words = empty.scatter(words["word"], words["bit"])

    def may_have(self, marks: pl.Series) -> pl.Series:
        """Which marks may be in the run."""
        answers = [self._bits(marks, probe) for probe in _PROBES]
        first, second = ((self._words.gather(one["word"]) & one["bit"]) != 0 for one in answers)
        return first & second

    def _bits(self, marks: pl.Series, probe: int) -> pl.DataFrame:
        """For each mark a word of the filter, and the bit in it."""
        turned = pl.col("mark") // (1 << probe)
        return (
            marks.alias("mark")
            .to_frame()
            .select(
                word=((turned // _WORD_BITS) % self._size).cast(pl.UInt32),
                bit=pl.lit(1, dtype=pl.UInt64) * pl.lit(2, dtype=pl.UInt64).pow(turned % _WORD_BITS),
            )
        )

"""Nearness: test cases whose input is nearly that of an earlier row of the job, though not the very same row.

It must never compare every row with every other, nor grow without bound: at most `_MOST_ROWS` rows and
`_MOST_CHARACTERS` characters are kept, and what comes later is counted and said.
"""

from collections.abc import Iterator

import polars as pl
from rapidfuzz import fuzz

from etl import problems as problem
from etl.batch import ROW, Batch
from etl.problems import Code, Problem, Severity
from etl.quoting import show_value
from etl.validators.places import Places

FIELD = "input_str"
_ALIKE = 90
"""From this likeness on, in percent, texts are nearly the same: twice what they share, of the length of both."""
_MOST_ROWS = 200_000
_MOST_CHARACTERS = 100_000_000
"""Kept in memory: the texts, and 24 numbers of 12 bytes for each."""
_CHUNK_CHARACTERS = 2_000_000
_CHUNK_ROWS = 10_000
"""What is taken apart at a time."""
_GRAMS = {2: (1, 5), 4: (4, 40), 8: (25, _MOST_CHARACTERS)}
"""The sizes of the pieces that a text is taken apart into, each with the lengths of the texts: one size would be too
long for short texts, or too common in long ones; where lengths are in two ranges, both sizes are taken.
"""
_MARKS = 24
"""How many pieces of a text, chosen alike in all texts, are looked for in the others."""
_HOLDERS = 16
"""Of the rows that hold a piece so many are remembered: pieces that all rows share do not tell them apart."""
_CANDIDATES = 12
"""With so many earlier rows a row is compared, those that share most of what few have."""
_SEED = 7_049


class Nearness:
    """The inputs of test cases so far.

    Of a row only those earlier ones are compared that share pieces with it, the twelve that share the rarest: two
    texts that are 90 % alike share a piece almost always (a test measures how often), and each pair that is named has
    been compared exactly.
    """

    def __init__(self, *, strict: bool = False) -> None:
        """`strict`: near duplicates are errors, not warnings."""
        self._severity = Severity.ERROR if strict else Severity.WARNING
        self._texts: list[str] = []
        self._characters = 0
        self._places = Places()
        self._rows: list[int] = []
        self._index = pl.DataFrame(schema={"mark": pl.UInt64, "at": pl.UInt32})
        self._compared: dict[int, int] = {}
        """Of each table the last row that was looked at."""
        self._answers: dict[int, tuple[int, float]] = {}
        """The place of a row, and of the earlier one that is nearly the same, with their likeness."""
        self._left_out = 0
        self._is_told = False

    def look_at(self, batch: Batch, columns: dict[str, tuple[str, ...]], *, skipped: pl.Series) -> Batch:
        """The same rows with a problem on each whose input is nearly that of an earlier one; `skipped` rows count for
        nothing, nor do rows that repeat others exactly.

        `columns` are the source columns that fill each field.
        """
        if FIELD not in batch.frame.columns or not len(batch):
            return batch
        start = self._places.start(batch.origin)
        repeated = batch.problems.filter(pl.col("code") == Code.REPEATED_ROW)["row"]
        rows = batch.frame.filter(~skipped).select(ROW, FIELD, folded=_folded(pl.col(FIELD)))
        rows = rows.filter(pl.col("folded").str.len_bytes() > 0, ~pl.col(ROW).is_in(repeated.implode()))
        before = self._compared.get(start, -1)
        self._compare(rows.filter(pl.col(ROW) > before), start)
        self._compared[start] = max(before, batch.frame[ROW][-1])
        found: list[Problem] = []
        column = next(iter(columns.get(FIELD, ())), None)
        for row, text in rows.select(ROW, FIELD).iter_rows():
            answer = self._answers.get(row + start)
            if answer is None:
                continue
            sentence = self._say(answer[1], self._places.say(answer[0], start))
            cell, shown = batch.origin.cell(column, row), show_value(FIELD, text)
            code = Code.NEAR_DUPLICATE.value
            found.append(Problem(row, self._severity.value, code, FIELD, column, cell, shown, sentence))
        return batch.with_problems(problem.frame_of(found)) if found else batch

    def begin_again(self) -> None:
        """The same rows are looked at once more: what was found is said again, and nothing is compared twice."""
        self._is_told = False

    def _compare(self, rows: pl.DataFrame, start: int) -> None:
        for part in _parts(rows):
            kept = self._keep(part, start)
            for at, other, likeness in self._near(part["folded"].head(kept)):
                self._answers[part[ROW][at] + start] = self._rows[other], likeness

    def notes(self, row: int) -> Iterator[Problem]:
        """What is to be said, once, where not all rows were compared; `row` is the table's header."""
        if self._left_out and not self._is_told:
            self._is_told = True
            sentence = (
                f"Only the first {len(self._texts):,} test cases were compared with each other, for want of memory; "
                "later ones are not looked through for near duplicates."
            )
            yield Problem(row, Severity.WARNING.value, Code.NEAR_DUPLICATE.value, FIELD, None, None, None, sentence)

    def _keep(self, part: pl.DataFrame, start: int) -> int:
        """How many rows of a part there is room for; they are remembered."""
        room = part["folded"].str.len_chars().cum_sum() <= _MOST_CHARACTERS - self._characters
        kept = 0 if self._left_out else min(int(room.sum()), _MOST_ROWS - len(self._texts))
        taken = part.head(kept)
        self._texts.extend(taken["folded"])
        self._characters += int(taken["folded"].str.len_chars().sum())
        self._rows.extend(taken[ROW] + start)
        self._left_out += part.height - kept
        return kept

    def _near(self, texts: pl.Series) -> Iterator[tuple[int, int, float]]:
        """Place in `texts` (the newest that are kept), place of an earlier text, and how much they are alike."""
        first = len(self._texts) - texts.len()
        marks = _marks(texts, first)
        self._remember(marks)
        for at, others in _candidates(marks, self._index).iter_rows():
            text, best, likeness = self._texts[at], -1, float(_ALIKE)
            for other in others:
                score = fuzz.ratio(text, self._texts[other], score_cutoff=likeness)
                if score > likeness or (score == likeness and best < 0):
                    best, likeness = other, score
            if best >= 0:
                yield at - first, best, likeness

    def _remember(self, marks: pl.DataFrame) -> None:
        """Add pieces to the index; of those that many rows have, only the first rows."""
        known = self._index.join(marks.select("mark").unique(), on="mark", how="semi").group_by("mark").len("before")
        new = marks.join(known, on="mark", how="left", maintain_order="left").with_columns(
            holders=pl.col("before").fill_null(0) + pl.int_range(pl.len()).over("mark")
        )
        self._index = pl.concat([self._index, new.filter(pl.col("holders") < _HOLDERS).select("mark", "at")])

    def _say(self, likeness: float, where: str) -> str:
        if likeness == 100:
            return f"the same {FIELD} as in {where}, but for letter case, punctuation and white space; both are sent"
        return f"nearly the same {FIELD} as in {where} ({int(likeness)} % alike); both are sent, each once"


def _folded(text: pl.Expr) -> pl.Expr:
    """Without what is no letter, mark or digit, in small letters."""
    return text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ").str.strip_chars(" ")


def _parts(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """A batch in parts of bounded size; a text longer than that is a part of its own."""
    lengths = rows["folded"].str.len_chars()
    start = heavy = 0
    for at, length in enumerate(lengths):
        if at > start and (heavy + length > _CHUNK_CHARACTERS or at - start == _CHUNK_ROWS):
            yield rows[start:at]
            start, heavy = at, 0
        heavy += length
    if start < rows.height:
        yield rows[start:]


def _marks(texts: pl.Series, first: int) -> pl.DataFrame:
    """At most 24 pieces of each text: of all pieces in one of 24 heaps the one with the least hash.

    Where two texts share most pieces, most of these are the same ("one permutation hashing", Li, Owen and Zhang 2012).
    """
    framed = texts.alias("text").to_frame().lazy().with_columns(at=pl.int_range(pl.len(), dtype=pl.UInt32) + first)
    framed = framed.with_columns(
        text=pl.concat_str(pl.lit(" "), "text", pl.lit(" ")), long=pl.col("text").str.len_chars()
    )
    pieces = [
        framed.filter(pl.col("long").is_between(least, most)).select(
            "at", gram=pl.concat_list(_shifted(start, size) for start in range(size))
        )
        for size, (least, most) in _GRAMS.items()
    ]
    return (
        pl.concat(pieces)
        .explode("gram")
        .select("at", mark=pl.col("gram").hash(_SEED))
        .group_by("at", heap=pl.col("mark") % _MARKS)
        .agg(pl.col("mark").min())
        .select("mark", "at")
        .sort("at", "mark")
        .collect()
    )


def _shifted(start: int, size: int) -> pl.Expr:
    return pl.col("text").str.slice(start).str.extract_all(f"(?s).{{{size}}}").alias(f"{start}")


def _candidates(marks: pl.DataFrame, index: pl.DataFrame) -> pl.DataFrame:
    """For each text (`at`) the earlier ones to compare it with: those that share most, what few share counting more."""
    weights = index.lazy().join(marks.lazy().select("mark").unique(), on="mark", how="semi")
    weights = weights.group_by("mark").agg(weight=1 / pl.len(), other="at")
    return (
        marks.lazy()
        .join(weights, on="mark")
        .explode("other")
        .filter(pl.col("other") < pl.col("at"))
        .group_by("at", "other")
        .agg(pl.col("weight").sum())
        .sort("at", "weight", "other", descending=[False, True, False])
        .group_by("at", maintain_order=True)
        .agg(pl.col("other").head(_CANDIDATES))
        .collect()
    )

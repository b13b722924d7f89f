"""File -> facts: what a file is, how it was read and why, what its columns hold, which mapping fits.

It must never know the terminal, and changes nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from etl import mapping as maps
from etl.batch import Batch, Decision, Table, column_letters
from etl.choosing import tied
from etl.mapping import Guess, Use
from etl.quoting import show_value
from etl.readers import READ_WHOLE_BYTES, Skipped, Survey
from etl.report import ProblemGroup, ProblemGroups
from etl.resources import RESOURCES

SAMPLES = 3
"""How many values of a column are shown."""
CANDIDATES = 3
"""How many mappings are named, the best first."""

_USUAL = "test-cases"
"""What rows are taken for where nothing is known of them."""
_WITH_FLAG = re.compile(r"\bwith (--[a-z-]+)")


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column: its name, its letters in a spreadsheet program (None: it has none), what it holds.

    `filled` counts the cells that hold something, `longest` is in characters, `samples` are the first different values,
    cut short and without secrets. `field` is what the best mapping makes of it, `evidence` why (or why not,
    where a known name holds values of another kind), and `confidence` how sure that is, from 0 to 1. `fate` is what the
    mapping does with a column that no field takes by its name (`groups rows`, `not sent`), in a word or two.
    """

    name: str
    letters: str | None
    filled: int
    longest: int
    samples: tuple[str, ...]
    field: str | None
    evidence: str | None
    confidence: float
    fate: str | None = None

    @property
    def is_unused(self) -> bool:
        """Whether the column holds something, and the best mapping does nothing with it."""
        return bool(self.filled) and self.field is None and self.fate is None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table: its rows (`whole`: all of them were read), its columns, what is wrong, which mappings fit best."""

    sheet: str | None
    rows: int
    whole: bool
    header_row: int | None
    decisions: tuple[Decision, ...]
    columns: tuple[ColumnFacts, ...]
    problems: tuple[ProblemGroup, ...]
    guesses: tuple[Guess, ...]
    nearest: Guess
    """What comes nearest where no mapping fits: of what was asked for, or of test cases, even if no column is known."""
    part: str | None = None
    """Which of the file's rows, where they say themselves what they are: a resource."""

    @property
    def best(self) -> Guess | None:
        """The mapping that an import would take; None where none fits."""
        return self.guesses[0] if self.guesses and self.guesses[0].score >= maps.FITS else None

    @property
    def equals(self) -> list[str]:
        """The mappings that fit equally well, where nothing tells which of them is meant; else none."""
        names = [guess.mapping.name for guess in tied(self.guesses)]
        return names if len(names) > 1 else []


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file. `sha256` is None where not all of it was read."""

    file: str
    format: str
    size_bytes: int
    sha256: str | None
    decisions: tuple[Decision, ...]
    tables: tuple[TableFacts, ...]
    skipped: tuple[Skipped, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `inspect --json`."""
        return {
            "file": self.file,
            "format": self.format,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "decisions": [_decision(one) for one in self.decisions],
            "tables": [_table(one) for one in self.tables],
            "skipped": [{"sheet": one.sheet, "reason": one.reason} for one in self.skipped],
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """A table in the order in which an import takes them: what is referred to comes before what refers to it."""

    file: str
    table: TableFacts
    best: Guess

    @property
    def name(self) -> str:
        """`calls.xlsx, sheet Cases`, `all.jsonl (agents)`."""
        if self.table.part is not None:
            return f"{self.file} ({self.table.part})"
        return f"{self.file}, sheet {self.table.sheet}" if self.table.sheet else self.file

    def to_json(self) -> dict[str, Any]:
        """A line of `order` in `inspect --json`."""
        return {
            "file": self.file,
            "sheet": self.table.sheet,
            "part": self.table.part,
            "resource": self.best.mapping.resource,
            "mapping": self.best.mapping.name,
            "rows": self.table.rows,
            "rows_are_all": self.table.whole,
        }


def in_order(files: Sequence[Inspection]) -> list[Turn]:
    """The tables of several files that a mapping fits, in the order in which they are imported together."""
    order = list(RESOURCES)
    found = [Turn(one.file, table, table.best) for one in files for table in one.tables if table.best is not None]
    return sorted(found, key=lambda turn: order.index(turn.best.mapping.resource))


def inspect_file(survey: Survey, *, resource: str | None, mapping: str | None, whole: bool) -> Inspection:
    """The facts of a surveyed file. `resource` and `mapping` narrow which mappings are tried.

    `whole` reads it to its end however large it is; else, of a large one, the first batch is read. Raises FileError
    where it breaks off, MappingError for a mapping that is none.
    """
    candidates = (maps.load_mapping(mapping),) if mapping else None
    whole = whole or survey.content_size_bytes <= READ_WHOLE_BYTES
    tables = []
    for table in survey.tables:
        told = table.origin.part or resource
        guesses = maps.guess(table.origin, table.sample, told, candidates)
        facts = _inspect_table(table, tuple(guesses[:CANDIDATES]), _nearest(table, guesses, told), whole=whole)
        tables.append(replace(facts, decisions=_credited(facts.decisions, survey.flags_of_mapping)))
    return Inspection(
        file=survey.file,
        format=survey.format,
        size_bytes=survey.size_bytes,
        sha256=survey.sha256 if whole else None,
        decisions=_credited(survey.decisions, survey.flags_of_mapping),
        tables=tuple(tables),
        skipped=survey.skipped,
    )


def _nearest(table: Table, guesses: Sequence[Guess], resource: str | None) -> Guess:
    """The best guess that there is, or else the mapping for the resource by the names that columns commonly have."""
    if guesses and (guesses[0].score > 0 or len(guesses) == 1):
        return guesses[0]
    common = maps.load_mapping(resource or _USUAL)
    return maps.guess(table.origin, table.sample, None, (common,))[0]


def _inspect_table(table: Table, guesses: tuple[Guess, ...], nearest: Guess, *, whole: bool) -> TableFacts:
    origin = table.origin
    counts = _Counts(origin.columns)
    problems = ProblemGroups()
    ended = True
    for number, batch in enumerate(table.batches()):
        if number and not whole:
            ended = False
            break
        counts.add(batch)
        problems.add(origin.file, batch.problems)
    best = guesses[0] if guesses and guesses[0].score >= maps.FITS else None
    uses = best.doubts | best.uses if best else {}
    fates = maps.fates(best, origin) if best else {}
    columns = [
        ColumnFacts(
            name=name,
            letters=column_letters(origin.positions[at]) if origin.positions else None,
            filled=counts.filled[name],
            longest=counts.longest[name],
            samples=tuple(_samples(name, table.sample)),
            field=best.columns.get(name, fates[name].field if name in fates else None) if best else None,
            evidence=fates[name].why if name in fates else _evidence(name, uses, best or nearest),
            confidence=uses[name].confidence if name in uses else float(name in fates),
            fate=fates[name].words if name in fates else None,
        )
        for at, name in enumerate(origin.columns)
    ]
    return TableFacts(
        sheet=origin.sheet,
        rows=counts.rows,
        whole=ended,
        header_row=origin.header_row,
        decisions=table.decisions,
        columns=tuple(columns),
        problems=problems.worst_first(),
        guesses=guesses,
        nearest=nearest,
        part=origin.part,
    )


def _evidence(column: str, uses: Mapping[str, Use], near: Guess) -> str | None:
    """Why a column is used, or is not, or what it would be if only the mapping `near` fitted."""
    if column in near.perhaps:
        return f"may be {near.perhaps[column].path}: {near.perhaps[column].evidence}"
    if column in uses:
        return uses[column].evidence
    return f"would be {near.columns[column]} of {near.mapping.resource}" if column in near.columns else None


def _credited(decisions: Iterable[Decision], flags_of_mapping: AbstractSet[str]) -> tuple[Decision, ...]:
    """Decisions with the mapping named where it was the one that said so."""

    def by_whom(flag: re.Match[str]) -> str:
        return "in the mapping" if flag[1] in flags_of_mapping else flag[0]

    return tuple(replace(one, evidence=_WITH_FLAG.sub(by_whom, one.evidence)) for one in decisions)


class _Counts:
    """How many cells of each column hold something, and the longest, batch by batch."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.rows = 0
        self.filled = dict.fromkeys(columns, 0)
        self.longest = dict.fromkeys(columns, 0)

    def add(self, batch: Batch) -> None:
        self.rows += len(batch)
        for name in self.filled:
            cells = batch.source.get_column(name)
            self.filled[name] += cells.len() - cells.null_count()
            longest = cells.str.len_chars().max()
            self.longest[name] = max(self.longest[name], int(str(longest or 0)))


def _samples(name: str, sample: pl.DataFrame) -> Iterator[str]:
    different = sample.get_column(name).drop_nulls().unique(maintain_order=True).head(SAMPLES)
    for value in different:
        yield show_value(name, value) or ""


def _decision(decision: Decision) -> dict[str, str]:
    return {
        "subject": decision.subject,
        "value": decision.value,
        "evidence": decision.evidence,
        "certainty": decision.certainty.value,
    }


def _table(table: TableFacts) -> dict[str, Any]:
    best = table.best
    return {
        "sheet": table.sheet,
        "part": table.part,
        "rows": table.rows,
        "rows_are_all": table.whole,
        "header_row": table.header_row,
        "resource": best.mapping.resource if best else None,
        "mapping": best.mapping.name if best else None,
        "fit_equally": table.equals,
        "candidates": [
            {"mapping": guess.mapping.name, "resource": guess.mapping.resource, "confidence": guess.score}
            for guess in table.guesses
        ],
        "decisions": [_decision(one) for one in table.decisions],
        "columns": [
            {
                "name": column.name,
                "letters": column.letters,
                "filled": column.filled,
                "longest": column.longest,
                "samples": list(column.samples),
                "field": column.field,
                "fate": column.fate,
                "confidence": column.confidence if column.field else None,
                "evidence": column.evidence,
            }
            for column in table.columns
        ],
        "problems": [
            {
                "severity": group.severity.value,
                "code": group.code,
                "column": group.column,
                "rows": group.rows,
                "examples": [
                    {"row": one.row, "cell": one.cell, "value": one.value, "message": one.message}
                    for one in group.examples
                ],
            }
            for group in table.problems
        ],
    }

"""The same problem in many rows, said once. This file must never know how it is shown."""

from dataclasses import dataclass, field

import polars as pl

from etl.problems import Severity

EXAMPLES = 3
"""How many examples a group keeps."""
GROUP_LIMIT = 500
"""How many groups are kept apart. Field names can come from the file, so that there is no other bound on them; past
this one, problems are grouped by code alone, and memory stays flat."""

_KEY = ("severity", "code", "field", "column")
_EXAMPLE = ("row", "cell", "value", "message")


@dataclass(frozen=True, slots=True)
class Example:
    """One place where a problem was found. `cell` is its address (None where cells have none)."""

    file: str
    row: int
    cell: str | None
    value: str | None
    message: str


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """One kind of problem with one field: in how many rows, and the first places."""

    severity: Severity
    code: str
    field: str | None
    column: str | None
    rows: int
    examples: tuple[Example, ...]
    alike: bool
    """Whether all rows have the sentence of the first example."""


@dataclass(slots=True)
class _Found:
    rows: int = 0
    alike: bool = True
    examples: list[Example] = field(default_factory=list)


class ProblemGroups:
    """Collects problems batch by batch; memory does not grow with the rows."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str | None, str | None], _Found] = {}

    def add(self, file: str, problems: pl.DataFrame) -> None:
        """Count problems (`etl.problems.SCHEMA`) of rows that were not counted before."""
        if problems.is_empty():
            return
        counted = problems.group_by(_KEY, maintain_order=True).agg(
            pl.col("row").n_unique().alias("rows"),
            pl.struct(_EXAMPLE).head(EXAMPLES).alias("examples"),
            (pl.col("message") == pl.col("message").first()).all().alias("alike"),
        )
        for severity, code, path, column, rows, examples, alike in counted.iter_rows():
            group = self._group(severity, code, path, column)
            group.rows += rows
            first = group.examples[0].message if group.examples else examples[0]["message"]
            group.alike = group.alike and alike and examples[0]["message"] == first
            wanted = examples[: EXAMPLES - len(group.examples)]
            group.examples += [Example(file, **example) for example in wanted]

    def _group(self, severity: str, code: str, path: str | None, column: str | None) -> _Found:
        key = (severity, code, path, column)
        if key not in self._groups and len(self._groups) >= GROUP_LIMIT:
            key = (severity, code, None, None)
        return self._groups.setdefault(key, _Found())

    def worst_first(self) -> tuple[ProblemGroup, ...]:
        """The groups: errors before warnings, the most rows first, else in the order they were met."""
        groups = [
            ProblemGroup(Severity(severity), code, path, column, found.rows, tuple(found.examples), found.alike)
            for (severity, code, path, column), found in self._groups.items()
        ]
        return tuple(sorted(groups, key=lambda group: (group.severity is not Severity.ERROR, -group.rows)))

"""Step: what every step of a mapping file is: what it takes, what it gives, what it does to a column.

A step is a function from expression to expression. Where it can fail, a cell that was not null becomes null, and
its `Operation` says why; nothing is raised for a cell. Must never know fields, files or contracts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import polars as pl
from pydantic import BaseModel, ConfigDict

from etl.mapping.cells.jsoncells import Mistake


class Form(StrEnum):
    """What a column holds between two steps."""

    TEXT = "text"
    """Plain text (String)."""
    LIST = "list"
    """A list of texts (List(String))."""
    JSON = "json"
    """A JSON value as text (String)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Anything that changes a column: a step of the file, or the change into a field's kind."""

    change: Callable[[pl.Expr], pl.Expr]
    """The changed column; where `explain` is given, null where a cell cannot be changed."""
    explain: Callable[[str], Mistake] | None = None
    """Why a cell became null: "FIELD takes …" goes on with the returned text."""
    lost: Callable[[pl.Series], pl.Series] | None = None
    """From the column before: what of each cell is left out, as a sentence (String); null where nothing is."""
    left_to: tuple[str, Callable[[pl.Series], pl.Series]] | None = None
    """A step that takes some of it for another field, and what is lost where the mapping has that step as well."""
    cut: Callable[[pl.Series], pl.Series] | None = None
    """From the column before: what a person should know of how a text is cut, as the end of a sentence about it."""
    refused: Callable[[pl.Series], pl.Series] | None = None
    """As `lost`, for what the contract has no form for: the cell is not sent."""


class Step(BaseModel):
    """A step as it stands in a mapping file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    takes: ClassVar[frozenset[Form]] = frozenset({Form.TEXT})
    gives: ClassVar[Form | None] = None
    """None: what it takes."""
    can_fail: ClassVar[bool] = False
    reads_json: ClassVar[bool] = False
    """As the first step it is also given the arrays and objects of record formats, as JSON text."""
    reads_scalars: ClassVar[bool] = False
    """As the first step it is also given their numbers and booleans, as text."""
    marks: ClassVar[bool] = False
    """The list that it gives may have items that are no speech (`etl.mapping.cells.turns`)."""
    shorthand: ClassVar[str | None] = None
    """The option that `{step: value}` sets, where value is no mapping."""

    def operation(self, form: Form) -> Operation:
        """What the step does to a column that holds `form`."""
        change = self._on_items if form is Form.LIST else self._on_text
        return Operation(change, self._explain if self.can_fail else None, self._lost(form), cut=self._cut())

    def _lost(self, _form: Form, /) -> Callable[[pl.Series], pl.Series] | None:
        return None

    def _cut(self) -> Callable[[pl.Series], pl.Series] | None:
        return None

    # A step writes those of the following three that its `takes` and `can_fail` promise; the others are never asked.
    def _explain(self, found: str, /) -> Mistake:
        raise NotImplementedError(found)

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        raise NotImplementedError

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        raise NotImplementedError


def listed(value: Any) -> Any:
    """`on: "|"` as `on: ["|"]`."""
    return [value] if isinstance(value, str) else value


TEXT_OR_LIST = frozenset({Form.TEXT, Form.LIST})
TEXTS = pl.List(pl.String)
